//! What a Verification Summary Attestation says, once it is verified.

use std::path::Path;

use model_transparency::provenance::vsa::{Expectations, Subject, SubjectDigest, TrustedKey, VerifiedSummary};
use serde_json::{Value, json};

use super::text::json_text;
use super::{Answer, Fields, GOOD};

/// What a person sees of a summary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shown {
    /// What was verified.
    Verdict,
    /// The signed statement.
    Attestation,
}

/// The answer of `vsa verify`.
pub(crate) fn vsa_answer(
    path: &Path,
    trusted: &TrustedKey<'_>,
    expected: &Expectations,
    summary: &VerifiedSummary,
    shown: Shown,
) -> Answer {
    let digests = texts(expected.subject_digests());
    let (wanted, found) = (texts(expected.levels()), texts(summary.levels()));
    let not_checked = not_checked(expected, summary);
    let mut json = json!({
        "attestation": path.display().to_string(),
        "signer": {
            "key_algorithm": trusted.key().algorithm().to_string(),
            "key_hint": trusted.key().hint(),
            "hash": trusted.hash().map(|hash| hash.to_string()),
        },
        "subject_digests": digests,
        "subjects": summary.subjects().iter().map(subject_json).collect::<Vec<_>>(),
        "verifier_id": summary.verifier_id(),
        "resource_uri": summary.resource_uri(),
        "verification_result": "PASSED",
        "wanted_levels": wanted,
        "verified_levels": found,
        "time_verified": summary.time_verified(),
        "policy_uri": summary.policy_uri(),
        "not_checked": not_checked,
    });
    if shown == Shown::Attestation {
        // It was parsed to be verified.
        json["statement"] = serde_json::from_slice(summary.payload()).unwrap_or_default();
        let human = format!("{}\n", json_text(&String::from_utf8_lossy(summary.payload())).trim_end());
        return Answer { human, json };
    }
    let mut fields = Fields::default();
    fields.add("attestation", path.display().to_string());
    fields.add("signed by", trusted.to_string());
    fields.add_list("artifact", digests.iter().map(String::as_str));
    fields.add("verifier", summary.verifier_id());
    fields.add("resource", summary.resource_uri());
    fields.add("result", "PASSED");
    fields.add("levels", if found.is_empty() { "none".to_owned() } else { found.join(", ") });
    if !wanted.is_empty() {
        fields.add("", format!("as asked for: {}", wanted.join(", ")));
    }
    if let Some(time) = summary.time_verified() {
        fields.add("verified at", format!("{time}, by the verifier's clock"));
    }
    if let Some(policy) = summary.policy_uri() {
        fields.add("policy", policy);
    }
    fields.add_list("not checked", not_checked.iter().copied());
    Answer { human: format!("{GOOD}The summary is verified{GOOD:#}\n{}", fields.into_text()), json }
}

/// What nobody should take from this verdict.
fn not_checked(expected: &Expectations, summary: &VerifiedSummary) -> Vec<&'static str> {
    let mut not_checked = vec!["the artifact: its digests were given, not computed"];
    if expected.levels().is_empty() {
        not_checked.push("levels: none was asked for (--verified-level)");
    }
    not_checked.push(if summary.time_verified().is_some() {
        "the time: nobody but the verifier vouches for it, and no age is too old"
    } else {
        "the time: the summary has none, and no age is too old"
    });
    not_checked.push("the key: whether it was withdrawn, and whether a log has the summary");
    not_checked.push("the verifier's work: its policy, the attestations it read, the levels of dependencies");
    not_checked
}

fn texts<T: ToString>(values: &[T]) -> Vec<String> {
    values.iter().map(T::to_string).collect()
}

fn subject_json(subject: &Subject) -> Value {
    let digests = subject.digests.iter().map(|digest: &SubjectDigest| (digest.algorithm(), digest.value()));
    json!({ "name": subject.name, "digest": digests.collect::<std::collections::BTreeMap<_, _>>() })
}
