//! What a Verification Summary Attestation says, once it is verified or signed.

use std::path::Path;

use model_transparency::certificate::UnixTime;
use model_transparency::provenance::vsa::{
    Expectations, Subject, SubjectDigest, SummarySigner, VerificationSummary, VerifiedSummary,
};
use model_transparency::verify::CertificateEvidence;
use serde_json::{Value, json};

use super::sigstore::{add_signer, new_log_entries_json, signer_json};
use super::text::json_text;
use super::verify::{add_evidence, add_new_signature, evidence_json, method, new_signer_json};
use super::{Answer, Fields, GOOD, count};
use crate::commands::sign::NewStatement;

/// What a person sees of a summary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shown {
    /// What was verified.
    Verdict,
    /// The signed statement.
    Attestation,
}

/// The answer of `vsa verify`.
pub(crate) fn vsa_answer(path: &Path, expected: &Expectations, summary: &VerifiedSummary, shown: Shown) -> Answer {
    let digests = texts(expected.subject_digests());
    let (wanted, found) = (texts(expected.levels()), texts(summary.levels()));
    let not_checked = not_checked(expected, summary);
    let mut json = json!({
        "attestation": path.display().to_string(),
        "method": method_of(summary.signer()),
        "signer": signer(summary.signer()),
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
    match summary.signer() {
        SummarySigner::Key { algorithm, hint, hash } => {
            let over = hash.map_or_else(String::new, |hash| format!(" over {hash}"));
            fields.add("signed by", format!("{algorithm} key {hint}{over}"));
        }
        SummarySigner::Certificate(evidence) => add_evidence(&mut fields, evidence),
        SummarySigner::Sigstore(evidence) => add_signer(&mut fields, evidence),
    }
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
    fields.add_list("not checked", not_checked.iter().map(String::as_str));
    Answer { human: format!("{GOOD}The summary is verified{GOOD:#}\n{}", fields.into_text()), json }
}

/// How a summary was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Written {
    /// With all that belongs to its signature.
    Bundle,
    /// As a DSSE envelope alone.
    Envelope,
}

/// The answer of `vsa create`.
pub(crate) fn created_answer(
    path: &Path,
    written: Written,
    summary: &VerificationSummary,
    signed: &NewStatement,
) -> Answer {
    let NewStatement { evidence, timestamps, log_entries, .. } = signed;
    let form = match written {
        Written::Bundle => "Sigstore bundle",
        Written::Envelope => "DSSE envelope",
    };
    let digests: Vec<String> = summary.subjects.iter().flat_map(|subject| texts(&subject.digests)).collect();
    let mut fields = Fields::default();
    fields.add("attestation", format!("{}, a {form}", path.display()));
    add_new_signature(&mut fields, evidence, log_entries, timestamps);
    fields.add_list("artifact", digests.iter().map(String::as_str));
    fields.add("verifier", &summary.verifier_id);
    fields.add("resource", &summary.resource_uri);
    fields.add("policy", &summary.policy_uri);
    fields.add("result", "PASSED");
    fields.add("levels", summary.level().to_string());
    fields.add("verified at", summary.time_verified.to_string());
    let json = json!({
        "attestation": path.display().to_string(),
        "format": form,
        "method": method(evidence),
        "signer": new_signer_json(evidence),
        "log_entries": new_log_entries_json(log_entries),
        "timestamps": timestamps.iter().map(UnixTime::to_string).collect::<Vec<_>>(),
        "subjects": summary.subjects.iter().map(subject_json).collect::<Vec<_>>(),
        "verifier_id": summary.verifier_id,
        "resource_uri": summary.resource_uri,
        "policy_uri": summary.policy_uri,
        "verification_result": "PASSED",
        "verified_levels": [summary.level().to_string()],
        "time_verified": summary.time_verified.to_string(),
    });
    Answer {
        human: format!("{GOOD}The artifact is verified, and the summary signed{GOOD:#}\n{}", fields.into_text()),
        json,
    }
}

fn method_of(signer: &SummarySigner) -> &'static str {
    match signer {
        SummarySigner::Key { .. } => "key",
        SummarySigner::Certificate(_) => "certificate",
        SummarySigner::Sigstore(_) => "sigstore",
    }
}

fn signer(signer: &SummarySigner) -> Value {
    match signer {
        SummarySigner::Key { algorithm, hint, hash } => json!({
            "key_algorithm": algorithm.to_string(),
            "key_hint": hint,
            "hash": hash.map(|hash| hash.to_string()),
        }),
        SummarySigner::Certificate(evidence) => evidence_json(evidence),
        SummarySigner::Sigstore(evidence) => json!({ "sigstore": signer_json(evidence) }),
    }
}

/// What nobody should take from this verdict.
fn not_checked(expected: &Expectations, summary: &VerifiedSummary) -> Vec<String> {
    let mut not_checked = vec!["the artifact: its digests were given, not computed".to_owned()];
    let mut add = |text: &str| not_checked.push(text.to_owned());
    if expected.levels().is_empty() {
        add("levels: none was asked for (--verified-level)");
    }
    add(if summary.time_verified().is_some() {
        "the time: nobody but the verifier vouches for it, and no age is too old"
    } else {
        "the time: the summary has none, and no age is too old"
    });
    match summary.signer() {
        SummarySigner::Key { .. } => add("the key: whether it was withdrawn, and whether a log has the summary"),
        SummarySigner::Certificate(evidence) => {
            // Whoever trusts a signer's own certificate has named the signer.
            let is_anybody =
                |found: &CertificateEvidence| found.identity.is_none() && !found.path.certificates().is_empty();
            if evidence.certificate.as_ref().is_some_and(is_anybody) {
                add("the signer: that it is the one that was expected (--certificate-identity)");
            }
            let unchecked = evidence.certificate.as_ref().map(|certificate| &certificate.revocation.unchecked);
            if let Some(unchecked) = unchecked.filter(|unchecked| !unchecked.is_empty()) {
                add(&format!("whether a certificate was revoked (--crl): {}", unchecked.join("; ")));
            }
            if evidence.unchecked_timestamps > 0 {
                let timestamps = count(evidence.unchecked_timestamps, "timestamp");
                add(&format!("the bundle's {timestamps} (--tsa-certificate-chain)"));
            }
            if evidence.unchecked_log_entries > 0 {
                let entries = count(evidence.unchecked_log_entries, "transparency log record");
                add(&format!("the bundle's {entries}"));
            }
        }
        SummarySigner::Sigstore(_) => {
            add("that the log shows others the same, and who else signs as this identity (monitor)");
        }
    }
    add("the verifier's work: its policy, the attestations it read, the levels of dependencies");
    not_checked
}

fn texts<T: ToString>(values: &[T]) -> Vec<String> {
    values.iter().map(T::to_string).collect()
}

fn subject_json(subject: &Subject) -> Value {
    let digests = subject.digests.iter().map(|digest: &SubjectDigest| (digest.algorithm(), digest.value()));
    json!({ "name": subject.name, "digest": digests.collect::<std::collections::BTreeMap<_, _>>() })
}
