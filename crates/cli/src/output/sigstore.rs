//! Signers, log entries and Sigstore certificates for people and for programs.

use model_transparency::certificate::UnixTime;
use model_transparency::envelope::LogEntryRecord;
use model_transparency::log::{VerifiedInclusion, VerifiedLogEntry};
use model_transparency::sigstore::{SignerCertificate, SigstoreEvidence};
use serde_json::{Map, Value, json};

use super::Fields;
use super::certificate::certificate_json;

/// Adds who signed, who vouches, and when.
pub(super) fn add_signer(fields: &mut Fields, evidence: &SigstoreEvidence) {
    let SigstoreEvidence { certificate, identity, identity_was_expected, times } = evidence;
    let as_asked = if *identity_was_expected { ", as asked for" } else { "" };
    fields.add("signed by", format!("{identity}{as_asked}"));
    add_claims(fields, certificate);
    let issued = &certificate.certificate;
    fields.add("certificate", format!("sha256 {}", issued.fingerprint()));
    fields.add("", format!("issued by {}", issued.issuer()));
    fields.add("", format!("valid {} to {}", issued.not_before(), issued.not_after()));
    let times: Vec<String> = times.iter().map(UnixTime::to_string).collect();
    fields.add("signed at", times.join(" and "));
}

/// Adds the identity provider, and what it said of a workload.
pub(super) fn add_claims(fields: &mut Fields, certificate: &SignerCertificate) {
    fields.add("provider", certificate.issuer.as_deref().unwrap_or("(none)"));
    let claims = certificate.claims.iter().filter(|(name, _)| is_shown(name));
    let claims: Vec<String> = claims.map(|(name, value)| format!("{}: {value}", name.replace('_', " "))).collect();
    if !claims.is_empty() {
        fields.add_list("it says", claims.iter().map(String::as_str));
    }
}

/// Whether a claim is shown to people: not the old form of a new one, and no number of a database.
fn is_shown(claim: &str) -> bool {
    !claim.starts_with("github_") && !claim.ends_with("_identifier")
}

/// Adds log entries that hold, over two lines each.
pub(super) fn add_verified_entries(fields: &mut Fields, entries: &[VerifiedLogEntry]) {
    for entry in entries {
        let index = entry.log_index.map_or_else(|| "one".to_owned(), |index| index.to_string());
        fields.add("log entry", format!("{index} of {}", entry.log_url));
        let time = entry.integrated_time.map_or_else(String::new, |time| format!(", taken at {time}"));
        let found = match &entry.inclusion {
            Some(VerifiedInclusion { checkpoint, .. }) => {
                format!("in the tree of {} entries that {} signed", checkpoint.size(), checkpoint.origin())
            }
            None => "promised by the log, not proven".to_owned(),
        };
        fields.add("", format!("{}, {found}{time}", entry.kind));
    }
}

pub(super) fn verified_entries_json(entries: &[VerifiedLogEntry]) -> Value {
    let one = |entry: &VerifiedLogEntry| {
        let inclusion = entry.inclusion.as_ref().map(|inclusion| {
            json!({
                "tree_index": inclusion.tree_index,
                "tree_size": inclusion.checkpoint.size(),
                "origin": inclusion.checkpoint.origin(),
            })
        });
        json!({
            "log_index": entry.log_index,
            "log_id": entry.log_id.to_string(),
            "log_url": entry.log_url,
            "kind": entry.kind.to_string(),
            "integrated_time": entry.integrated_time.map(|time| time.to_string()),
            "inclusion": inclusion,
        })
    };
    entries.iter().map(one).collect()
}

/// Adds log entries as a bundle states them, over two lines each.
pub(super) fn add_log_entries(fields: &mut Fields, entries: &[LogEntryRecord]) {
    for entry in entries {
        let log = entry.origin().map_or_else(|| format!("the log {}", entry.log_id()), str::to_owned);
        fields.add("log entry", format!("{} of {log}", entry.log_index()));
        let time = entry.integrated_time().map_or_else(String::new, |time| format!(", {}", UnixTime(time)));
        fields.add("", format!("{}, with {}{time}", entry.kind(), evidence_of(entry)));
    }
}

fn evidence_of(entry: &LogEntryRecord) -> &'static str {
    match (entry.has_proof(), entry.has_promise()) {
        (true, true) => "an inclusion proof and a promise (SET)",
        (true, false) => "an inclusion proof",
        (false, true) => "a promise (SET) alone",
        (false, false) => "neither proof nor promise",
    }
}

pub(super) fn log_entries_json(entries: &[LogEntryRecord]) -> Value {
    let one = |entry: &LogEntryRecord| {
        json!({
            "log_index": entry.log_index(),
            "log_id": entry.log_id(),
            "origin": entry.origin(),
            "kind": entry.kind(),
            "integrated_time": entry.integrated_time().map(|time| UnixTime(time).to_string()),
            "inclusion_proof": entry.has_proof(),
            "inclusion_promise": entry.has_promise(),
        })
    };
    entries.iter().map(one).collect()
}

/// Entries that were made just now, each with where its log is.
pub(super) fn new_log_entries_json(entries: &[(String, LogEntryRecord)]) -> Value {
    let one = |(url, entry): &(String, LogEntryRecord)| {
        let mut json = log_entries_json(std::slice::from_ref(entry))[0].take();
        json["url"] = url.as_str().into();
        json
    };
    entries.iter().map(one).collect()
}

pub(super) fn signer_json(evidence: &SigstoreEvidence) -> Value {
    let mut json = signer_certificate_json(&evidence.certificate);
    json["identity"] = evidence.identity.as_str().into();
    json["signed_at"] = evidence.times.iter().map(UnixTime::to_string).collect();
    json
}

pub(super) fn signer_certificate_json(certificate: &SignerCertificate) -> Value {
    let claims = certificate.claims.iter().map(|(name, value)| ((*name).to_owned(), value.as_str().into()));
    json!({
        "names": certificate.names,
        "identity_provider": certificate.issuer,
        "claims": claims.collect::<Map<String, Value>>(),
        "certificate": certificate_json(&certificate.certificate),
    })
}
