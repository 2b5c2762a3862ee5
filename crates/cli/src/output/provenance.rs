//! The verdict on provenance.

use std::path::Path;

use model_transparency::certificate::UnixTime;
use model_transparency::provenance::{Facts, Match, SignedBy, SourceFacts, TRAINING_BUILD_TYPE, VerifiedProvenance};
use model_transparency::verify::Evidence;
use serde_json::{Value, json};

use super::certificate::{add_path, path_json, timestamps_json, voucher};
use super::sigstore::{add_verified_entries, signer_json, verified_entries_json};
use super::text::signed_json;
use super::{Answer, Fields, GOOD, count};
use crate::commands::provenance::{Found, PolicyArgs};

/// How many files, or sources, the verdict for people names.
const MAX_NAMED: usize = 10;

/// An artifact whose provenance holds.
pub(crate) struct VerifiedArtifact<'a> {
    pub(crate) name: &'a str,
    pub(crate) found: Found<'a>,
    /// Of a directory, what was left out.
    pub(crate) ignored: Vec<String>,
}

/// The answer of `provenance verify`.
pub(crate) fn provenance_answer(
    path: &Path,
    verified: &[VerifiedArtifact<'_>],
    policy: &PolicyArgs,
    with_payload: bool,
) -> Answer {
    let mut human = format!("{GOOD}Verification succeeded{GOOD:#}\n");
    let mut artifacts = Vec::new();
    for VerifiedArtifact { name, found, ignored } in verified {
        let mut fields = Fields::default();
        fields.add("artifact", name);
        if !ignored.is_empty() {
            fields.add("not counted", ignored.join(", "));
        }
        add_provenance(&mut fields, path, found, policy);
        human.push_str(&fields.into_text());
        let mut json = provenance_json(found, policy);
        json["artifact"] = (*name).into();
        json["ignored"] = ignored.clone().into();
        if with_payload {
            let (text, statement) = signed_json(found.provenance.payload());
            human.push_str(&text);
            json["statement"] = statement;
        }
        artifacts.push(json);
    }
    let json = json!({ "provenance": path.display().to_string(), "artifacts": artifacts });
    Answer { human, json }
}

/// Adds what provenance says that holds.
pub(super) fn add_provenance(
    fields: &mut Fields,
    path: &Path,
    Found { provenance, asked_log }: &Found<'_>,
    policy: &PolicyArgs,
) {
    let facts = provenance.facts();
    fields.add("provenance", path.display().to_string());
    fields.add("builder", &facts.builder_id);
    fields.add("level", provenance.level().to_string());
    let mut sources = facts.sources.iter();
    match sources.next() {
        None => fields.add("source", "(not recorded)"),
        Some(source) => {
            let as_asked = if policy.names_source() && facts.sources.len() == 1 { ", as asked for" } else { "" };
            add_source(fields, "source", source, as_asked);
        }
    }
    sources.by_ref().take(MAX_NAMED).for_each(|source| add_source(fields, "or", source, ""));
    let more = sources.count();
    if more > 0 {
        fields.add("or", format!("{more} more"));
    }
    let trigger: Vec<&str> = [&facts.event, &facts.entry_point].into_iter().flatten().map(String::as_str).collect();
    let is_training = facts.build_type == TRAINING_BUILD_TYPE && facts.event.is_none();
    let label = if is_training { "entry point" } else { "triggered by" };
    fields.add(label, if trigger.is_empty() { "(not recorded)".to_owned() } else { trigger.join(", ") });
    if policy.names_training() {
        fields.add("trained with", "the datasets, base models and parameters that were asked for");
    }
    add_signer(fields, provenance.signed_by(), policy);
    if let Some(log) = asked_log {
        fields.add("", format!("fetched from {log}: the provenance came without it"));
    }
    add_match(fields, provenance.found());
    fields.add_list("not checked", not_checked(provenance).iter().map(String::as_str));
}

fn add_source(fields: &mut Fields, label: &str, source: &SourceFacts, as_asked: &str) {
    let reference = source.reference.as_deref().unwrap_or("(reference not recorded)");
    fields.add(label, format!("{}{as_asked}", source.uri));
    fields.add("", format!("{reference}, commit {}", source.commit.as_deref().unwrap_or("not recorded")));
}

fn add_signer(fields: &mut Fields, signed_by: &SignedBy, policy: &PolicyArgs) {
    match signed_by {
        SignedBy::Workflow(signer) | SignedBy::Identity(signer) => {
            let is_workflow = matches!(signed_by, SignedBy::Workflow(_));
            let was_asked_for = !is_workflow || policy.names_signer();
            let as_asked = if was_asked_for { ", as asked for" } else { "" };
            fields.add("signed by", format!("{}{as_asked}", signer.evidence.identity));
            if !is_workflow {
                fields.add("provider", signer.evidence.certificate.issuer.as_deref().unwrap_or("(none)"));
            }
            let times: Vec<String> = signer.evidence.times.iter().map(UnixTime::to_string).collect();
            fields.add("signed at", times.join(" and "));
            let indices: Vec<String> = signer.log_indices.iter().map(u64::to_string).collect();
            fields.add(
                "log entry",
                match (signer.has_log, indices.is_empty()) {
                    (false, _) => "none: GitHub's own instance has timestamps alone".to_owned(),
                    (true, true) => "proven".to_owned(),
                    (true, false) => format!("{} of the instance's log", indices.join(", ")),
                },
            );
        }
        SignedBy::Key(evidence) => {
            let Evidence { key_algorithm, key_hint, .. } = &**evidence;
            fields.add("signed by", format!("{key_algorithm} key {key_hint}"));
            if let Some(certificate) = &evidence.certificate {
                add_path(fields, evidence, certificate);
            }
            for timestamp in &evidence.timestamps {
                fields.add("timestamp", format!("{}, by {}", timestamp.time, voucher(timestamp)));
            }
            add_verified_entries(fields, &evidence.log_entries);
            if evidence.log_entries.is_empty() {
                fields.add("log entry", "none that was checked");
            }
        }
    }
}

fn add_match(fields: &mut Fields, found: &Match) {
    let name = |name: &str| if name.is_empty() { "(no name)".to_owned() } else { name.to_owned() };
    match found {
        Match::File(subject) => fields.add("subject", name(&subject.name)),
        Match::Directory { subject, binds_names } => {
            let names = if *binds_names { "names and content" } else { "names not bound" };
            fields.add("subject", format!("{}, the whole directory, {names}", name(&subject.name)));
        }
        Match::Files { covered, uncovered, renamed, .. } => {
            let by = if renamed.is_empty() { "name and content" } else { "its content" };
            fields.add("subject", format!("{} of the directory, each by {by}", count(*covered, "file")));
            add_files(fields, "not covered", uncovered);
            add_files(fields, "other name", renamed);
        }
    }
}

fn add_files(fields: &mut Fields, label: &str, files: &[String]) {
    if files.is_empty() {
        return;
    }
    let mut shown: Vec<String> = files.iter().take(MAX_NAMED).cloned().collect();
    if files.len() > MAX_NAMED {
        shown.push(format!("and {} more", files.len() - MAX_NAMED));
    }
    fields.add_list(label, shown.iter().map(String::as_str));
}

/// What no check says anything of.
fn not_checked(provenance: &VerifiedProvenance<'_>) -> Vec<String> {
    let mut list = Vec::new();
    match provenance.found() {
        Match::Directory { binds_names: false, .. } => {
            list.push("the names of the files: the root digest does not bind them".to_owned());
        }
        Match::Files { uncovered, renamed, .. } => {
            if !uncovered.is_empty() {
                list.push(format!("{} that the provenance does not cover, as allowed", count(uncovered.len(), "file")));
            }
            if !renamed.is_empty() {
                list.push(format!("the names of {}, which are others in the provenance", count(renamed.len(), "file")));
            }
        }
        Match::File(_) | Match::Directory { .. } => {}
    }
    if let SignedBy::Key(evidence) = provenance.signed_by() {
        if let Some(certificate) = &evidence.certificate {
            // Whoever trusts a signer's own certificate has named the signer.
            if certificate.identity.is_none() && !certificate.path.certificates().is_empty() {
                list.push("that it is this signer that was expected: nobody was named".to_owned());
            }
            if !certificate.revocation.unchecked.is_empty() {
                let subjects = certificate.revocation.unchecked.join("; ");
                list.push(format!("whether a certificate was revoked: {subjects}"));
            }
        }
        if evidence.timestamps.is_empty() && evidence.log_entries.is_empty() {
            list.push("when it was signed".to_owned());
        }
        if evidence.unchecked_log_entries + evidence.unchecked_timestamps > 0 {
            list.push("log entries and timestamps in the bundle: name an instance to have them checked".to_owned());
        }
    }
    list.extend(provenance.facts().remarks.iter().cloned());
    let rest = match (provenance.level().number, provenance.signed_by()) {
        (Some(3), _) => "what the build did, and the source's own history",
        (Some(_), _) => "what the build did, and that the job that wrote the provenance told the truth of its subject",
        (None, SignedBy::Workflow(_)) => {
            "what the signer does to keep builds and provenance apart, and what the build did"
        }
        (None, SignedBy::Identity(_) | SignedBy::Key(_)) => {
            "that the signer told the truth of the build, and keeps builds and provenance apart"
        }
    };
    list.push(rest.to_owned());
    list
}

/// The same for programs.
pub(super) fn provenance_json(Found { provenance, asked_log }: &Found<'_>, policy: &PolicyArgs) -> Value {
    let Facts { predicate_type, builder_id, build_type, sources, event, entry_point, invocation, parameters, .. } =
        provenance.facts();
    let source = |source: &SourceFacts| json!({ "repository": source.uri, "reference": source.reference, "commit": source.commit });
    let dependencies = provenance.facts().dependencies.iter();
    let mut json = json!({
        "predicate_type": predicate_type,
        "builder_id": builder_id,
        "build_type": build_type,
        "level": provenance.level().number,
        "level_reason": provenance.level().reason,
        "source": sources.first().map(source),
        "sources": sources.iter().map(source).collect::<Vec<_>>(),
        "source_was_expected": policy.names_source(),
        "trigger": {
            "event": event,
            "workflow": entry_point,
            "reference": sources.first().and_then(|source| source.reference.as_deref()),
        },
        "invocation": invocation,
        "external_parameters": parameters,
        "dependencies": dependencies.map(|one| json!({ "uri": one.uri, "digest": one.digest })).collect::<Vec<_>>(),
        "not_checked": not_checked(provenance),
    });
    add_signer_json(&mut json, provenance.signed_by());
    json["log_entry_fetched_from"] = (*asked_log).into();
    match provenance.found() {
        Match::File(subject) => json["subject"] = json!({ "name": subject.name, "digest": subject.digest }),
        Match::Directory { subject, binds_names } => {
            json["subject"] = json!({ "name": subject.name, "digest": subject.digest, "directory": true, "binds_names": binds_names });
        }
        Match::Files { covered, uncovered, renamed, .. } => {
            json["files"] = json!({ "covered": covered, "not_covered": uncovered, "other_name": renamed });
        }
    }
    json
}

fn add_signer_json(json: &mut Value, signed_by: &SignedBy) {
    match signed_by {
        SignedBy::Workflow(signer) | SignedBy::Identity(signer) => {
            json["signer"] = signer_json(&signer.evidence);
            json["log_entry"] = signer.has_log.into();
            json["log_indices"] = signer.log_indices.clone().into();
        }
        SignedBy::Key(evidence) => {
            let Evidence { key_algorithm, key_hint, certificate, timestamps, log_entries, .. } = &**evidence;
            json["signer"] = json!({
                "key_algorithm": key_algorithm.to_string(),
                "key_hint": key_hint,
                "certificate": certificate.as_ref().map(|certificate| path_json(evidence, certificate)),
                "timestamps": timestamps_json(timestamps),
            });
            json["log_entry"] = (!log_entries.is_empty()).into();
            json["log_entries"] = verified_entries_json(log_entries);
        }
    }
}
