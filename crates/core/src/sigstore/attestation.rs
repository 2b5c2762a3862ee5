//! Attestations in Sigstore bundles of every version: what was signed comes out only when the signature holds.

use serde::Deserialize;
use sigstore_verify::VerificationPolicy;
use sigstore_verify::types::{Artifact, Bundle, SignatureContent};

use super::artifact::{parse, signer_certificate};
use super::verification::{check_signer, complete, subject_digest};
use super::{SignerRule, SigstoreError, SigstoreEvidence, TrustedRoot};
use crate::envelope::{PAYLOAD_TYPE, require_unique_members};

/// An attestation that holds.
#[derive(Clone)]
pub(crate) struct Attestation {
    /// The statement.
    pub(crate) payload: Vec<u8>,
    /// Who signed it.
    pub(crate) evidence: SigstoreEvidence,
    /// Whether a log has it.
    pub(crate) has_log: bool,
    /// The places that the log promised: these are signed.
    pub(crate) log_indices: Vec<u64>,
}

/// Verifies an attestation of `sigstore`'s instance, or of GitHub's own, which has no logs: leaving out what they would say
/// is for that instance alone. Who signed is for the caller to judge.
pub(crate) fn verify_attestation(
    bundle: &[u8],
    sigstore: &TrustedRoot,
    github: Option<&TrustedRoot>,
) -> Result<Attestation, SigstoreError> {
    verify(bundle, sigstore, github, SignerRule::Anybody)
}

/// Verifies an attestation of an instance, by the signer that is expected.
pub(crate) fn verify_attestation_by(
    bundle: &[u8],
    root: &TrustedRoot,
    signer: SignerRule<'_>,
) -> Result<Attestation, SigstoreError> {
    verify(bundle, root, None, signer)
}

fn verify(
    bundle: &[u8],
    sigstore: &TrustedRoot,
    github: Option<&TrustedRoot>,
    signer: SignerRule<'_>,
) -> Result<Attestation, SigstoreError> {
    let malformed = |reason: String| SigstoreError::Malformed { reason };
    // The library keeps the last of two equal members.
    require_unique_members(bundle).map_err(|error| malformed(error.to_string()))?;
    require_media_type(bundle)?;
    let bundle = parse(bundle)?;
    let SignatureContent::DsseEnvelope(envelope) = &bundle.content else {
        return Err(malformed("expected an attestation (`dsseEnvelope`), found a signature of a file".to_owned()));
    };
    if envelope.payload_type != PAYLOAD_TYPE {
        let reason = format!("expected `payloadType` to be `{PAYLOAD_TYPE}`, found `{}`", envelope.payload_type);
        return Err(malformed(reason));
    }
    let certificate = signer_certificate(&bundle)?;
    let is_of = |root: &TrustedRoot| root.may_have_issued(&certificate.certificate);
    let entries = &bundle.verification_material.tlog_entries;
    let (root, has_log, policy) = match github {
        _ if is_of(sigstore) => (sigstore, true, VerificationPolicy::any_identity()),
        Some(github) if is_of(github) => {
            if let Some(entry) = entries.first() {
                return Err(SigstoreError::UnknownLog { log_id: entry.log_id.key_id.to_string() });
            }
            (github, false, VerificationPolicy::any_identity().skip_tlog_unsafe().skip_sct())
        }
        _ => return Err(SigstoreError::OtherInstance { authority: certificate.certificate.issuer() }),
    };
    if has_log && entries.is_empty() {
        return Err(SigstoreError::NoLogEntry);
    }
    // The library compares an artifact with the subjects. Which one it is, the caller finds out.
    let digest = subject_digest(envelope.payload.as_bytes())?;
    let result = root.verifier().verify(Artifact::from_digest(digest), &bundle, &policy)?;
    if has_log {
        complete(&result)?;
    } else if !result.certificate_verified() || result.verified_timestamps().is_empty() {
        return Err(SigstoreError::NoTime);
    }
    let evidence = check_signer(certificate, signer, result.verified_timestamps())?;
    Ok(Attestation {
        payload: envelope.payload.as_bytes().to_vec(),
        evidence,
        has_log,
        log_indices: promised_indices(&bundle),
    })
}

/// The library takes a bundle that does not say what it is for one of the oldest version, which needs the least.
fn require_media_type(bundle: &[u8]) -> Result<(), SigstoreError> {
    #[derive(Deserialize)]
    struct Named {
        #[serde(rename = "mediaType")]
        _media_type: String,
    }
    let named = serde_json::from_slice::<Named>(bundle);
    named.map(drop).map_err(|error| SigstoreError::Malformed { reason: error.to_string() })
}

fn promised_indices(bundle: &Bundle) -> Vec<u64> {
    let entries = bundle.verification_material.tlog_entries.iter();
    let promised = entries.filter(|entry| entry.inclusion_promise.is_some());
    promised.map(|entry| entry.log_index.get()).collect()
}
