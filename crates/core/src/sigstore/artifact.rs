//! Signatures over something that is no model: a file, or the subject of an attestation.
//!
//! Such bundles are of every version, with a DSSE envelope or a bare signature.

use sigstore_verify::types::bundle::VerificationMaterialContent;
use sigstore_verify::types::{Bundle as LibraryBundle, DerPublicKey, Sha256Hash};
use sigstore_verify::{PublicKeyVerificationPolicy, VerificationPolicy};

use super::verification::{check_signer, complete};
use super::{SignerCertificate, SignerRule, SigstoreError, SigstoreEvidence, TrustedRoot};
use crate::key::PublicKey;

/// The largest bundle of an artifact that is read, in bytes.
pub const MAX_ARTIFACT_BUNDLE_BYTES: usize = 32 << 20;

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
    let certificate = match &bundle.verification_material.content {
        VerificationMaterialContent::Certificate(certificate) => Some(certificate.raw_bytes.as_bytes()),
        VerificationMaterialContent::X509CertificateChain { certificates } => {
            certificates.first().map(|certificate| certificate.raw_bytes.as_bytes())
        }
        _ => None,
    };
    let malformed = || SigstoreError::Malformed { reason: "it has no certificate".to_owned() };
    let certificate = SignerCertificate::from_der(certificate.ok_or_else(malformed)?)?;
    let policy = VerificationPolicy::any_identity();
    let result = root.verifier().verify(artifact, &bundle, &policy)?;
    complete(&result)?;
    check_signer(certificate, signer, result.verified_timestamps())
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

fn parse(bundle: &[u8]) -> Result<LibraryBundle, SigstoreError> {
    let malformed = |reason: String| SigstoreError::Malformed { reason };
    if bundle.len() > MAX_ARTIFACT_BUNDLE_BYTES {
        return Err(malformed(format!("expected at most {MAX_ARTIFACT_BUNDLE_BYTES} bytes, found {}", bundle.len())));
    }
    let text = std::str::from_utf8(bundle).map_err(|error| malformed(error.to_string()))?;
    LibraryBundle::from_json(text).map_err(|error| malformed(error.to_string()))
}
