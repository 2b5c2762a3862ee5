//! The verdict on provenance of Google Cloud Build.

use std::path::Path;

use model_transparency::provenance::cloud_build::{Source, VerifiedEntry, VerifiedProvenance};
use serde_json::json;

use super::text::signed_json;
use super::{Answer, Fields, GOOD, count};

const NOT_CHECKED: &str =
    "what the build did, for whom (anybody can have it build a source), and when: nothing dates the signature";

/// The answer of `provenance verify` for images, each with the entry that holds.
pub(crate) fn cloud_build_answer(
    path: &Path,
    verified: &[(&str, &VerifiedEntry)],
    provenance: &VerifiedProvenance,
    with_payload: bool,
) -> Answer {
    let mut human = format!("{GOOD}Verification succeeded{GOOD:#}\n");
    let mut artifacts = Vec::new();
    for (name, entry) in verified {
        let facts = entry.facts();
        let (repository, commit) = match &facts.source {
            Source::Git { repository, commit } => (repository.clone(), Some(commit.clone())),
            source @ Source::Storage { .. } => (source.to_string(), None),
        };
        let reference = facts.branch.as_ref().map(|branch| format!("branch {branch}"));
        let reference = reference.or_else(|| facts.tag.as_ref().map(|tag| format!("tag {tag}")));
        let mut fields = Fields::default();
        fields.add("artifact", name);
        fields.add("provenance", path.display().to_string());
        fields.add("builder", facts.builder.to_string());
        fields.add("level", facts.builder.level().to_string());
        fields.add(
            "source",
            format!("{repository}, {}, as asked for", reference.as_deref().unwrap_or("no branch or tag")),
        );
        fields.add("", format!("commit {}", commit.as_deref().unwrap_or("(none: an archive)")));
        fields.add("triggered by", facts.trigger_name.as_deref().unwrap_or("(no trigger recorded)"));
        fields.add("signed by", entry.keyid());
        fields.add("log entry", "none: Google Cloud Build writes to no log");
        if !provenance.skipped().is_empty() {
            let skipped = count(provenance.skipped().len(), "other entry");
            fields.add("passed over", format!("{}, which does not verify", skipped.replace("entrys", "entries")));
        }
        fields.add("not checked", NOT_CHECKED);
        human.push_str(&fields.into_text());
        let mut json = json!({
            "artifact": name,
            "predicate_type": facts.predicate.uri(),
            "builder_id": facts.builder.to_string(),
            "build_type": facts.build_type,
            "level": facts.builder.level().number,
            "level_reason": facts.builder.level().reason,
            "source": { "repository": repository, "reference": facts.source_ref, "commit": commit },
            "branch": facts.branch,
            "tag": facts.tag,
            "trigger": { "name": facts.trigger_name, "uri": facts.trigger_uri },
            "signer": { "key_id": entry.keyid() },
            "entry": entry.index(),
            "entries_passed_over": provenance.skipped().len(),
            "log_entry": false,
            "not_checked": [NOT_CHECKED],
        });
        if with_payload {
            let (text, statement) = signed_json(entry.payload());
            human.push_str(&text);
            json["statement"] = statement;
        }
        artifacts.push(json);
    }
    Answer { human, json: json!({ "provenance": path.display().to_string(), "artifacts": artifacts }) }
}
