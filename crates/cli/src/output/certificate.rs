//! Certificates, paths and timestamps for people and for programs.

use model_transparency::certificate::{Certificate, UnixTime};
use model_transparency::timestamp::{Timestamp, VerifiedTimestamp};
use model_transparency::verify::{CertificateEvidence, Evidence};
use serde_json::{Value, json};

use super::Fields;

/// A fingerprint as the reference prints it: `AB:CD:…`.
pub(crate) fn colons(hex: &str) -> String {
    let pairs: Vec<&str> = hex.as_bytes().chunks(2).filter_map(|pair| std::str::from_utf8(pair).ok()).collect();
    pairs.join(":").to_uppercase()
}

/// What a certificate says, for programs.
pub(super) fn certificate_json(certificate: &Certificate) -> Value {
    json!({
        "subject": certificate.subject(),
        "alternative_names": certificate.alternative_names(),
        "issuer": certificate.issuer(),
        "serial_number": certificate.serial_number(),
        "not_before": certificate.not_before().to_string(),
        "not_after": certificate.not_after().to_string(),
        "key_algorithm": certificate.public_key().ok().map(|key| key.algorithm().to_string()),
        "sha256": certificate.fingerprint(),
    })
}

/// Adds what a certificate says, over several lines.
pub(super) fn add_certificate(fields: &mut Fields, label: &str, certificate: &Certificate) {
    fields.add(label, or_unnamed(&certificate.subject()));
    let names = certificate.alternative_names();
    if !names.is_empty() {
        fields.add("", format!("also named {}", names.join(", ")));
    }
    let issuer = if certificate.is_self_issued() {
        "issued by itself".to_owned()
    } else {
        format!("issued by {}", or_unnamed(&certificate.issuer()))
    };
    fields.add("", issuer);
    fields.add("", format!("valid {} to {}", certificate.not_before(), certificate.not_after()));
    fields.add("", format!("sha256 {}", certificate.fingerprint()));
}

fn or_unnamed(name: &str) -> &str {
    if name.is_empty() { "(no name)" } else { name }
}

/// Adds who was certified, by whom, and when that was so.
pub(super) fn add_path(fields: &mut Fields, evidence: &Evidence, certificate: &CertificateEvidence) {
    let path = &certificate.path;
    let leaf = path.leaf();
    match &certificate.identity {
        Some(identity) => fields.add("identity", format!("{identity}, as asked for")),
        None => fields.add_list("identity", leaf.names().iter().map(String::as_str)),
    }
    let what = if path.certificates().is_empty() { "trusted itself" } else { "" };
    fields.add("certificate", format!("sha256 {} {what}", leaf.fingerprint()).trim_end());
    for issuer in path.certificates().iter().skip(1) {
        fields.add("issued by", issuer.subject());
    }
    if !path.certificates().is_empty() {
        let public = if certificate.anchor_is_public { "a public authority" } else { "trusted" };
        fields.add("issued by", format!("{}, {public}", or_unnamed(&path.anchor().subject())));
        fields.add("", format!("sha256 {}", path.anchor().fingerprint()));
    }
    fields.add("valid at", valid_at(evidence, path.time()));
    for (subject, time) in &certificate.revocation.checked {
        fields.add("not revoked", format!("{subject}, says the list of {time}"));
    }
}

/// When the certificates were valid, and whose time that is.
fn valid_at(evidence: &Evidence, time: UnixTime) -> String {
    match evidence.timestamps.first() {
        Some(_) => format!("{time}, the time of the timestamp"),
        None => format!("{time}, now by this machine's clock"),
    }
}

/// Who vouches for a timestamp.
pub(super) fn voucher(timestamp: &VerifiedTimestamp) -> String {
    let names = timestamp.path.leaf().names();
    names.last().map_or("(no name)", String::as_str).to_owned()
}

pub(super) fn path_json(evidence: &Evidence, certificate: &CertificateEvidence) -> Value {
    let path = &certificate.path;
    let checked = certificate.revocation.checked.iter();
    json!({
        "identity": certificate.identity,
        "leaf": certificate_json(path.leaf()),
        "issuers": path.certificates().iter().skip(1).map(certificate_json).collect::<Vec<_>>(),
        "anchor": certificate_json(path.anchor()),
        "anchor_is_public_authority": certificate.anchor_is_public,
        "valid_at": {
            "time": path.time().to_string(),
            "source": if evidence.timestamps.is_empty() { "clock" } else { "timestamp" },
        },
        "revocation": {
            "checked": checked
                .map(|(subject, time)| json!({ "subject": subject, "list_of": time.to_string() }))
                .collect::<Vec<_>>(),
            "not_checked": certificate.revocation.unchecked,
        },
    })
}

pub(super) fn timestamps_json(timestamps: &[VerifiedTimestamp]) -> Value {
    let one = |timestamp: &VerifiedTimestamp| {
        json!({
            "time": timestamp.time.to_string(),
            "authority": certificate_json(timestamp.path.leaf()),
            "anchor": certificate_json(timestamp.path.anchor()),
        })
    };
    timestamps.iter().map(one).collect()
}

/// What a timestamp says of itself, unverified: for people and for programs.
pub(super) fn stated(bytes: &[u8]) -> (String, Value) {
    let timestamp = match Timestamp::parse(bytes) {
        Ok(timestamp) => timestamp,
        Err(error) => return (format!("invalid: {error}"), json!({ "invalid": error.to_string() })),
    };
    let time = timestamp.stated_time().to_string();
    let signer = timestamp.signer().map(|certificate| certificate.subject());
    let by = signer.as_deref().unwrap_or("somebody whose certificate is not in it");
    let json = json!({
        "time": time,
        "signer": signer,
        "certificates": timestamp.certificates().iter().map(certificate_json).collect::<Vec<_>>(),
    });
    (format!("{time}, by {by}"), json)
}
