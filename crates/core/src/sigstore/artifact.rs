//! Signatures over something that is no model: a file, or the subject of an attestation.
//!
//! Such bundles are of every version, with a DSSE envelope or a bare signature.

use sigstore_verify::types::bundle::VerificationMaterialContent;
use sigstore_verify::types::{Bundle as LibraryBundle, DerPublicKey, Sha256Hash};
use sigstore_verify::{PublicKeyVerificationPolicy, VerificationPolicy};

use super::verification::{check_signer, complete};
use super::{SignerCertificate, SignerRule, SigstoreError, SigstoreEvidence, TrustedRoot};
use crate::certificate::{Sets, has_small_sets};
use crate::key::PublicKey;
use crate::log::{MAX_CHECKPOINT_BYTES, MAX_LOG_ENTRY_BYTES};
use crate::timestamp::MAX_TIMESTAMP_BYTES;

/// The largest bundle of an artifact that is read, in bytes.
pub const MAX_ARTIFACT_BUNDLE_BYTES: usize = 32 << 20;

/// The most log entries that are looked at.
const MAX_LOG_ENTRIES: usize = 16;
/// The most timestamps that are looked at.
const MAX_TIMESTAMPS: usize = 16;

/// What was signed, or what an attestation is about.
#[derive(Clone, Copy, Debug)]
pub enum Artifact<'a> {
    /// All of it.
    Bytes(&'a [u8]),
    /// Its SHA-256. Not for signatures of Ed25519, which need all of it.
    Sha256([u8; 32]),
}

impl<'a> From<Artifact<'a>> for sigstore_verify::types::Artifact<'a> {
    fn from(artifact: Artifact<'a>) -> Self {
        match artifact {
            Artifact::Bytes(bytes) => Self::Blob(bytes),
            Artifact::Sha256(digest) => Self::Digest(Sha256Hash::new(digest).into()),
        }
    }
}

/// Verifies a Sigstore bundle (v0.1 to v0.3) of `artifact` by somebody for whom an identity provider vouched.
///
/// # Errors
/// [`SigstoreError`]: why it proves nothing.
pub fn verify_artifact(
    bundle: &[u8],
    artifact: Artifact<'_>,
    root: &TrustedRoot,
    signer: SignerRule<'_>,
) -> Result<SigstoreEvidence, SigstoreError> {
    let bundle = parse(bundle)?;
    let certificate = signer_certificate(&bundle)?;
    let policy = VerificationPolicy::any_identity();
    let result = root.verifier().verify(artifact, &bundle, &policy)?;
    complete(&result)?;
    check_signer(certificate, signer, result.verified_timestamps())
}

/// The certificate that a bundle was signed with. Nothing is verified.
pub(super) fn signer_certificate(bundle: &LibraryBundle) -> Result<SignerCertificate, SigstoreError> {
    let certificate = match &bundle.verification_material.content {
        VerificationMaterialContent::Certificate(certificate) => Some(certificate.raw_bytes.as_bytes()),
        VerificationMaterialContent::X509CertificateChain { certificates } => {
            certificates.first().map(|certificate| certificate.raw_bytes.as_bytes())
        }
        _ => None,
    };
    let malformed = || SigstoreError::Malformed { reason: "it has no certificate".to_owned() };
    SignerCertificate::from_der(certificate.ok_or_else(malformed)?)
}

/// Verifies a Sigstore bundle of `artifact` by a key, whose entry in a log has to hold.
///
/// # Errors
/// [`SigstoreError`]: why it proves nothing.
pub fn verify_artifact_with_key(
    bundle: &[u8],
    artifact: Artifact<'_>,
    root: &TrustedRoot,
    key: &PublicKey,
) -> Result<(), SigstoreError> {
    let bundle = parse(bundle)?;
    let key = DerPublicKey::from_pem(&key.to_pem());
    let key = key.map_err(|error| SigstoreError::Malformed { reason: format!("the key: {error}") })?;
    let result = root.verifier().verify(artifact, &bundle, &PublicKeyVerificationPolicy::new(key))?;
    if !result.tlog_verified() || bundle.verification_material.tlog_entries.is_empty() {
        return Err(SigstoreError::NoLogEntry);
    }
    Ok(())
}

pub(super) fn parse(bundle: &[u8]) -> Result<LibraryBundle, SigstoreError> {
    let malformed = |reason: String| SigstoreError::Malformed { reason };
    if bundle.len() > MAX_ARTIFACT_BUNDLE_BYTES {
        return Err(malformed(format!("expected at most {MAX_ARTIFACT_BUNDLE_BYTES} bytes, found {}", bundle.len())));
    }
    let text = std::str::from_utf8(bundle).map_err(|error| malformed(error.to_string()))?;
    let bundle = LibraryBundle::from_json(text).map_err(|error| malformed(error.to_string()))?;
    require_bounds(&bundle).map_err(malformed)?;
    Ok(bundle)
}

/// The library has no bounds of its own: it sorts what is in a timestamp one by one, and tries each signature on a
/// checkpoint over the whole of it.
fn require_bounds(bundle: &LibraryBundle) -> Result<(), String> {
    let material = &bundle.verification_material;
    let (entries, timestamps) = (&material.tlog_entries, &material.timestamp_verification_data.rfc3161_timestamps);
    if entries.len() > MAX_LOG_ENTRIES || timestamps.len() > MAX_TIMESTAMPS {
        return Err(format!("expected at most {MAX_LOG_ENTRIES} log entries and {MAX_TIMESTAMPS} timestamps"));
    }
    for timestamp in timestamps {
        let der = timestamp.signed_timestamp.as_bytes();
        if der.len() > MAX_TIMESTAMP_BYTES || !has_small_sets(der, Sets::Implicit) {
            return Err("a timestamp is too large".to_owned());
        }
    }
    for entry in entries {
        if entry.inclusion_proof.is_none() && entry.inclusion_promise.is_none() {
            return Err("a log entry has neither a proof nor a promise".to_owned());
        }
        let checkpoint = entry.inclusion_proof.as_ref().map_or("", |proof| proof.checkpoint.envelope());
        if entry.canonicalized_body.as_bytes().len() > MAX_LOG_ENTRY_BYTES || checkpoint.len() > MAX_CHECKPOINT_BYTES {
            return Err("a log entry is too large".to_owned());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    use serde_json::{Value, json};

    use super::*;

    fn refusal(material: &Value) -> String {
        let bundle = json!({
            "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
            "verificationMaterial": material,
            "messageSignature": { "signature": "AAAA" },
        });
        parse(bundle.to_string().as_bytes()).map_or_else(|error| error.to_string(), |_| String::new())
    }

    fn entry(checkpoint: &str, body: &[u8], is_proven: bool) -> Value {
        let root = STANDARD.encode([7; 32]);
        let proof = json!({
            "logIndex": "0", "treeSize": "1", "rootHash": root, "hashes": [], "checkpoint": { "envelope": checkpoint },
        });
        json!({
            "logIndex": "0",
            "logId": { "keyId": root },
            "kindVersion": { "kind": "hashedrekord", "version": "0.0.1" },
            "inclusionProof": is_proven.then_some(proof),
            "canonicalizedBody": STANDARD.encode(body),
        })
    }

    #[test]
    fn what_the_library_gets_is_bounded() {
        let checkpoint = format!(
            "log.example\n1\n{}\n\n\u{2014} log.example {}\n",
            STANDARD.encode([7; 32]),
            STANDARD.encode([1; 68])
        );
        let of = |timestamps: Vec<Value>, entries: Vec<Value>| {
            refusal(&json!({
                "certificate": { "rawBytes": "AAAA" },
                "tlogEntries": entries,
                "timestampVerificationData": { "rfc3161Timestamps": timestamps },
            }))
        };
        let timestamp = |der: &[u8]| json!({ "signedTimestamp": STANDARD.encode(der) });
        let good = entry(&checkpoint, b"{}", true);
        assert_eq!(of(vec![timestamp(b"\x30\0")], vec![good.clone()]), "");
        let many = of(Vec::new(), vec![good; MAX_LOG_ENTRIES + 1]);
        assert!(many.contains("expected at most 16 log entries"), "{many}");
        assert!(of(vec![timestamp(b"\x30\0"); MAX_TIMESTAMPS + 1], Vec::new()).contains("expected at most"));
        assert!(
            of(vec![timestamp(&[5, 0].repeat(MAX_TIMESTAMP_BYTES))], Vec::new()).contains("timestamp is too large")
        );
        let set = [&[0x31, 0x82, 4, 0][..], &[5, 0].repeat(512)].concat();
        assert!(of(vec![timestamp(&set)], Vec::new()).contains("timestamp is too large"));
        assert!(of(Vec::new(), vec![entry(&checkpoint, b"{}", false)]).contains("neither a proof nor a promise"));
        let long = checkpoint.replacen("\n\n", &format!("\n{}\n\n", "x".repeat(MAX_CHECKPOINT_BYTES)), 1);
        assert!(of(Vec::new(), vec![entry(&long, b"{}", true)]).contains("log entry is too large"));
        let body = vec![b' '; MAX_LOG_ENTRY_BYTES + 1];
        assert!(of(Vec::new(), vec![entry(&checkpoint, &body, true)]).contains("log entry is too large"));
    }
}
