//! What was signed, and what was verified.

use std::path::Path;

use model_transparency::certificate::UnixTime;
use model_transparency::envelope::{LogEntryRecord, Statement};
use model_transparency::key::SignatureScheme;
use model_transparency::manifest::{Parameters, Serialization};
use model_transparency::model::{Finding, SymlinkPolicy};
use model_transparency::receipt::{Renewed, Reuse};
use model_transparency::verify::{Evidence, Verdict};
use serde_json::{Value, json};

use super::certificate::{add_path, certificate_json, path_json, timestamps_json, voucher};
use super::provenance::{add_provenance, provenance_json};
use super::sigstore::{
    add_claims, add_signer, add_verified_entries, new_log_entries_json, signer_json, verified_entries_json,
};
use super::{Answer, Fields, GOOD, count, size};
use crate::commands::provenance::{Found, PolicyArgs};

/// Provenance that holds beside a signature.
pub(crate) struct Joined<'a> {
    pub(crate) path: &'a Path,
    pub(crate) found: &'a Found<'a>,
    pub(crate) policy: &'a PolicyArgs,
}

/// The answer of `verify`.
pub(crate) fn verify_answer(
    model: &Path,
    signature: &Path,
    verdict: &Verdict,
    renewed: Option<&Renewed>,
    joined: Option<&Joined<'_>>,
) -> Answer {
    let Verdict { evidence, statement, .. } = verdict;
    let manifest = statement.manifest();
    let ignored: Vec<&str> = verdict.ignored.entries().collect();
    let not_checked = not_checked(verdict, renewed);

    let mut fields = Fields::default();
    fields.add("model", model.display().to_string());
    fields.add("signature", format!("{}, {}", signature.display(), statement.format()));
    add_evidence(&mut fields, evidence);
    fields.add("signed as", statement.model_name());
    fields.add(
        "files",
        format!("{}, {}, {}", count(verdict.files, "file"), size(verdict.length_bytes), hashing(manifest.parameters())),
    );
    if let Some(renewed) = renewed {
        let known = verdict.known_files;
        fields.add("receipt", by_receipt(verdict.files - known, known, renewed));
    }
    fields.add("root digest", format!("sha256:{}", manifest.root_digest().to_hex()));
    fields.add("not counted", if ignored.is_empty() { "nothing".to_owned() } else { ignored.join(", ") });
    if !verdict.unsigned.is_empty() {
        fields.add(
            "unsigned",
            format!("{} not in the signature, ignored as asked", count(verdict.unsigned.len(), "file")),
        );
    }
    if verdict.empty_unlisted > 0 {
        fields.add("empty files", format!("{}, which shards do not list", count(verdict.empty_unlisted, "file")));
    }
    if let Some(symlinks) = symlinks(verdict) {
        fields.add("symlinks", symlinks);
    }
    fields.add_list("not checked", not_checked.iter().map(String::as_str));

    let mut json = json!({
        "model": model.display().to_string(),
        "signature": signature.display().to_string(),
        "method": method(evidence),
        "signer": evidence_json(evidence),
        "log_entries": verified_entries_json(&evidence.log_entries),
        "timestamps": timestamps_json(&evidence.timestamps),
        "format": statement.format().to_string(),
        "signed_as": statement.model_name(),
        "files": verdict.files,
        "bytes": verdict.length_bytes,
        "root_digest": { "sha256": manifest.root_digest().to_hex() },
        "serialization": parameters_json(manifest.parameters()),
        "ignored": ignored,
        "unsigned_files": verdict.unsigned,
        "empty_files_not_listed": verdict.empty_unlisted,
        "symlinks_widened": verdict.symlinks_widened,
        "followed_outside": followed_outside(&verdict.findings),
        "not_checked": not_checked,
    });
    if let Some(renewed) = renewed {
        let known = verdict.known_files;
        json["receipt"] = receipt_json(verdict.files - known, known, renewed);
    }
    let mut human = format!("{GOOD}Verification succeeded{GOOD:#}\n{}", fields.into_text());
    if let Some(Joined { path, found, policy }) = joined {
        let mut fields = Fields::default();
        add_provenance(&mut fields, path, found, policy);
        human.push_str(&fields.into_text());
        json["provenance"] = provenance_json(found, policy);
        json["provenance"]["path"] = path.display().to_string().into();
    }
    Answer { human, json }
}

/// Adds who signed, and what says so.
pub(super) fn add_evidence(fields: &mut Fields, evidence: &Evidence) {
    match &evidence.sigstore {
        Some(sigstore) => add_signer(fields, sigstore),
        None => fields.add(
            "signed by",
            format!("{} key {} ({})", evidence.key_algorithm, evidence.key_hint, scheme(evidence.scheme)),
        ),
    }
    if let Some(certificate) = &evidence.certificate {
        add_path(fields, evidence, certificate);
    }
    add_verified_entries(fields, &evidence.log_entries);
    for timestamp in &evidence.timestamps {
        fields.add("timestamp", format!("{}, by {}", timestamp.time, voucher(timestamp)));
    }
}

/// Who signed.
pub(super) fn evidence_json(evidence: &Evidence) -> Value {
    let mut json = json!({
        "key_algorithm": evidence.key_algorithm.to_string(),
        "key_hint": evidence.key_hint,
        "scheme": scheme(evidence.scheme),
    });
    if let Some(certificate) = &evidence.certificate {
        json["certificate"] = path_json(evidence, certificate);
    }
    if let Some(sigstore) = &evidence.sigstore {
        json["sigstore"] = signer_json(sigstore);
    }
    json
}

/// When the file was hashed that was hashed first, of those that were not read.
fn since(reuse: &Reuse) -> Option<UnixTime> {
    reuse.since.map(|since| UnixTime(u64::try_from(since.seconds).unwrap_or_default()))
}

/// How many files were hashed, and of how many their receipt says what they are.
fn by_receipt(hashed: usize, known: usize, renewed: &Renewed) -> String {
    let hashed = format!("{} hashed now", count(hashed, "file"));
    match since(&renewed.reuse) {
        Some(since) if known > 0 => format!("{hashed}, {known} by receipt of {since}"),
        _ => format!("{hashed}, none by receipt"),
    }
}

/// Adds which files were not read again, and why the others were.
fn add_reused(fields: &mut Fields, old: Option<&Path>, renewed: &Renewed) {
    let Reuse { unchanged, without_record, changed, expired, .. } = renewed.reuse;
    let Some(old) = old else {
        return fields.add("receipt", format!("{} hashed now", count(without_record, "file")));
    };
    fields.add(
        "reused",
        match since(&renewed.reuse) {
            Some(since) => {
                format!("{} of {}, not changed by their receipt since {since}", count(unchanged, "file"), old.display())
            }
            None => "nothing: length and time alone are not believed, and no receipt says that a file was not changed"
                .to_owned(),
        },
    );
    let why = [
        (changed, "changed since"),
        (without_record, "with no receipt that agrees with the older signature"),
        (expired, "with a receipt that is too old"),
    ];
    let why = why.iter().filter(|(files, _)| *files > 0).map(|(files, why)| format!("{files} {why}"));
    let why = why.collect::<Vec<_>>().join(", ");
    let hashed = count(changed + without_record + expired, "file");
    fields.add("hashed now", if why.is_empty() { hashed } else { format!("{hashed}: {why}") });
}

fn receipt_json(hashed: usize, known: usize, renewed: &Renewed) -> Value {
    json!({
        "files_hashed": hashed,
        "files_by_receipt": known,
        "hashed_since": since(&renewed.reuse).filter(|_| known > 0).map(|since| since.to_string()),
        "left_out": renewed.left_out,
    })
}

/// A model that was signed.
pub(crate) struct Signed<'a> {
    pub(crate) statement: &'a Statement,
    pub(crate) evidence: &'a Evidence,
    /// The times that the timestamps in the signature state.
    pub(crate) timestamps: &'a [UnixTime],
    /// The entries in transparency logs, each with where its log is.
    pub(crate) log_entries: &'a [(String, LogEntryRecord)],
    pub(crate) length_bytes: u64,
    /// How the files came by their digests, and from which older signature, where receipts are kept.
    pub(crate) renewed: Option<(Option<&'a Path>, &'a Renewed)>,
}

/// The answer of `sign`.
pub(crate) fn sign_answer(model: &Path, signature: &Path, signed: &Signed<'_>) -> Answer {
    let Signed { statement, evidence, timestamps, log_entries, length_bytes, renewed } = *signed;
    let manifest = statement.manifest();
    let parameters = manifest.parameters();
    let mut fields = Fields::default();
    fields.add("model", model.display().to_string());
    fields.add("signature", signature.display().to_string());
    add_new_signature(&mut fields, evidence, log_entries, timestamps);
    fields.add("signed as", statement.model_name());
    fields.add(
        "files",
        format!("{}, {}, {}", count(manifest.file_count(), "file"), size(length_bytes), hashing(parameters)),
    );
    if let Some((old, renewed)) = renewed {
        add_reused(&mut fields, old, renewed);
    }
    fields.add("root digest", format!("sha256:{}", manifest.root_digest().to_hex()));
    let mut json = json!({
        "model": model.display().to_string(),
        "signature": signature.display().to_string(),
        "method": method(evidence),
        "signer": new_signer_json(evidence),
        "log_entries": new_log_entries_json(log_entries),
        "timestamps": timestamps.iter().map(UnixTime::to_string).collect::<Vec<_>>(),
        "signed_as": statement.model_name(),
        "files": manifest.file_count(),
        "resources": manifest.resources().len(),
        "bytes": length_bytes,
        "root_digest": { "sha256": manifest.root_digest().to_hex() },
        "serialization": parameters_json(parameters),
    });
    if let Some((_, renewed)) = renewed {
        let known = renewed.reuse.unchanged;
        json["receipt"] = receipt_json(manifest.file_count() - known, known, renewed);
    }
    Answer { human: format!("{GOOD}Signing succeeded{GOOD:#}\n{}", fields.into_text()), json }
}

/// Adds who signed just now, and which services say so.
pub(super) fn add_new_signature(
    fields: &mut Fields,
    evidence: &Evidence,
    log_entries: &[(String, LogEntryRecord)],
    timestamps: &[UnixTime],
) {
    match &evidence.sigstore {
        Some(evidence) => {
            fields.add("signed by", &evidence.identity);
            add_claims(fields, &evidence.certificate);
        }
        None => fields.add("signed by", format!("{} key {}", evidence.key_algorithm, evidence.key_hint)),
    }
    if let Some(certificate) = &evidence.certificate {
        let leaf = certificate.path.leaf();
        fields.add("certificate", leaf.subject());
        fields.add("", format!("valid until {}; sha256 {}", leaf.not_after(), leaf.fingerprint()));
    }
    for (log, entry) in log_entries {
        fields.add("log entry", format!("{} in {log}", entry.log_index()));
    }
    for time in timestamps {
        fields.add("timestamp", time.to_string());
    }
}

/// Who signed just now.
pub(super) fn new_signer_json(evidence: &Evidence) -> Value {
    let mut json = json!({ "key_algorithm": evidence.key_algorithm.to_string(), "key_hint": evidence.key_hint });
    if let Some(certificate) = &evidence.certificate {
        json["certificate"] = certificate_json(certificate.path.leaf());
    }
    if let Some(evidence) = &evidence.sigstore {
        json["sigstore"] = signer_json(evidence);
    }
    json
}

/// The signing method, as the bundle has it.
pub(super) fn method(evidence: &Evidence) -> &'static str {
    match evidence {
        Evidence { sigstore: Some(_), .. } => "sigstore",
        Evidence { certificate: Some(_), .. } => "certificate",
        Evidence { .. } => "key",
    }
}

/// `sha256`, or `sha256 in shards of 1.00 GB`.
pub(crate) fn hashing(parameters: &Parameters) -> String {
    match parameters.serialization {
        Serialization::Files => parameters.hash.to_string(),
        Serialization::Shards { size_bytes } => format!("{} in shards of {}", parameters.hash, size(size_bytes.get())),
    }
}

/// The parameters as the OMS predicate names them.
pub(super) fn parameters_json(parameters: &Parameters) -> Value {
    json!({
        "method": parameters.serialization.method(),
        "hash_type": parameters.hash.identifier(),
        "shard_size": match parameters.serialization {
            Serialization::Files => None,
            Serialization::Shards { size_bytes } => Some(size_bytes.get()),
        },
        "allow_symlinks": parameters.symlinks == SymlinkPolicy::Allow,
        "ignore_paths": parameters.ignore_paths,
    })
}

fn scheme(scheme: SignatureScheme) -> &'static str {
    match scheme {
        SignatureScheme::Ecdsa => "ECDSA",
        SignatureScheme::EcdsaSha256 => "ECDSA with SHA-256",
        SignatureScheme::RsaPkcs1Sha256 => "PKCS#1 v1.5 with SHA-256",
        SignatureScheme::Ed25519 => "Ed25519",
        SignatureScheme::Ed25519ph => "Ed25519ph",
    }
}

fn symlinks(verdict: &Verdict) -> Option<String> {
    let mut parts = Vec::new();
    if verdict.symlinks_widened {
        parts.push("followed as --allow-symlinks asks, though the signer followed none".to_owned());
    } else if verdict.statement.manifest().parameters().symlinks == SymlinkPolicy::Allow {
        parts.push("followed, as the signer did".to_owned());
    }
    let outside = followed_outside(&verdict.findings).len();
    if outside > 0 {
        parts.push(format!("{} read from outside the model", count(outside, "file")));
    }
    (!parts.is_empty()).then(|| parts.join("; "))
}

fn followed_outside(findings: &[Finding]) -> Vec<Value> {
    let outside = |finding: &Finding| match finding {
        Finding::FollowedOutside { path, target } => {
            Some(json!({ "path": path, "target": target.display().to_string() }))
        }
        Finding::Problem { .. } | Finding::DirectoryLinkSkipped { .. } => None,
    };
    findings.iter().filter_map(outside).collect()
}

/// What a reader might believe was checked.
fn not_checked(verdict: &Verdict, renewed: Option<&Renewed>) -> Vec<String> {
    let evidence = &verdict.evidence;
    let mut items = Vec::new();
    let dated =
        !evidence.timestamps.is_empty() || evidence.log_entries.iter().any(|entry| entry.integrated_time.is_some());
    match &evidence.certificate {
        None if evidence.sigstore.is_some() => {
            items.push("that the log shows others the same, and who else signs as this identity (monitor)".to_owned());
        }
        None if dated => items.push("who holds the key".to_owned()),
        None => items.push("who holds the key, and when the model was signed".to_owned()),
        Some(certificate) => {
            if certificate.identity.is_none() && !certificate.path.certificates().is_empty() {
                items.push("that it is this signer that was expected (--certificate-identity)".to_owned());
            }
            if !certificate.revocation.unchecked.is_empty() {
                let subjects = certificate.revocation.unchecked.join("; ");
                items.push(format!("whether a certificate was revoked (--crl): {subjects}"));
            }
            if !dated {
                items.push("when the model was signed".to_owned());
            }
        }
    }
    let authorities: Vec<&str> =
        evidence.timestamps.iter().flat_map(|timestamp| &timestamp.revocation.unchecked).map(String::as_str).collect();
    if !authorities.is_empty() {
        items.push(format!("whether a certificate of the timestamp was revoked: {}", authorities.join("; ")));
    }
    if let Some(since) = renewed.and_then(|renewed| since(&renewed.reuse))
        && verdict.known_files > 0
    {
        let files = count(verdict.known_files, "file");
        items.push(format!("the bytes of {files}, which the system says were not changed since {since}"));
    }
    if evidence.unchecked_log_entries > 0 {
        let entries = count(evidence.unchecked_log_entries, "transparency log record");
        items.push(format!("the bundle's {entries}, of a log that is not known (--trusted-root, --trust-config)"));
    }
    if evidence.unchecked_timestamps > 0 {
        let timestamps = count(evidence.unchecked_timestamps, "timestamp");
        items.push(format!("the bundle's {timestamps} (--tsa-certificate-chain)"));
    }
    items
}
