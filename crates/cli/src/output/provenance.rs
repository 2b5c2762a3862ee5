//! The verdict on provenance.

use std::path::Path;

use model_transparency::certificate::UnixTime;
use model_transparency::provenance::VerifiedProvenance;
use serde_json::{Value, json};

use super::sigstore::signer_json;
use super::text::signed_json;
use super::{Answer, Fields, GOOD};

/// An artifact whose provenance holds.
pub(crate) struct VerifiedArtifact<'a> {
    pub(crate) name: &'a str,
    pub(crate) provenance: VerifiedProvenance,
}

/// The answer of `provenance verify`.
pub(crate) fn provenance_answer(
    path: &Path,
    verified: &[VerifiedArtifact<'_>],
    signer_was_expected: bool,
    with_payload: bool,
) -> Answer {
    let mut human = format!("{GOOD}Verification succeeded{GOOD:#}\n");
    let mut artifacts = Vec::new();
    for artifact in verified {
        let mut fields = Fields::default();
        fields.add("artifact", artifact.name);
        fields.add("provenance", path.display().to_string());
        add(&mut fields, &artifact.provenance, signer_was_expected);
        human.push_str(&fields.into_text());
        let mut json = json(&artifact.provenance);
        json["artifact"] = artifact.name.into();
        if with_payload {
            let (text, statement) = signed_json(artifact.provenance.payload());
            human.push_str(&text);
            json["statement"] = statement;
        }
        artifacts.push(json);
    }
    let json = json!({ "provenance": path.display().to_string(), "artifacts": artifacts });
    Answer { human, json }
}

fn add(fields: &mut Fields, provenance: &VerifiedProvenance, signer_was_expected: bool) {
    let (build, evidence) = (provenance.build(), provenance.evidence());
    let as_asked = if signer_was_expected { ", as asked for" } else { "" };
    fields.add("builder", &build.builder_id);
    fields.add("level", provenance.level().to_string());
    let reference = build.source.reference.as_deref().unwrap_or("a commit");
    fields.add("source", format!("{}, {reference}, as asked for", provenance.source()));
    fields.add("", format!("commit {}", build.commit.as_deref().unwrap_or("(not recorded)")));
    let workflow = build.workflow_path.as_deref().unwrap_or("(workflow not recorded)");
    fields.add("triggered by", format!("{}, {workflow}", build.event.as_deref().unwrap_or("(event not recorded)")));
    fields.add("signed by", format!("{}{as_asked}", evidence.identity));
    let times: Vec<String> = evidence.times.iter().map(UnixTime::to_string).collect();
    fields.add("signed at", times.join(" and "));
    let indices: Vec<String> = provenance.log_indices().iter().map(u64::to_string).collect();
    fields.add(
        "log entry",
        match (provenance.has_log_entry(), indices.is_empty()) {
            (false, _) => "none: GitHub's own instance has timestamps alone".to_owned(),
            (true, true) => "proven".to_owned(),
            (true, false) => format!("{} of the instance's log", indices.join(", ")),
        },
    );
    fields.add("subject", &provenance.subject().name);
    fields.add("not checked", not_checked(provenance));
}

fn not_checked(provenance: &VerifiedProvenance) -> &'static str {
    match provenance.level().number {
        Some(3) => "what the build did, and the source's own history",
        Some(_) => "what the build did, and that the job that wrote the provenance told the truth of its subject",
        None => "what the signer does to keep builds and provenance apart, and what the build did",
    }
}

fn json(provenance: &VerifiedProvenance) -> Value {
    let build = provenance.build();
    json!({
        "predicate_type": build.predicate_type,
        "builder_id": build.builder_id,
        "build_type": build.build_type,
        "level": provenance.level().number,
        "level_reason": provenance.level().reason,
        "source": {
            "repository": provenance.source().url(),
            "reference": build.source.reference,
            "commit": build.commit,
        },
        "trigger": { "event": build.event, "workflow": build.workflow_path, "reference": build.trigger.reference },
        "invocation": build.invocation,
        "signer": signer_json(provenance.evidence()),
        "log_entry": provenance.has_log_entry(),
        "log_indices": provenance.log_indices(),
        "subject": { "name": provenance.subject().name, "digest": provenance.subject().digest },
        "not_checked": [not_checked(provenance)],
    })
}
