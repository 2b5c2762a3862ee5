//! What a bundle of a Sigstore instance proves: certificate, log entries and timestamps (Sigstore's client
//! specification), by the library that Sigstore's own conformance suite is run against.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::json;
use sigstore_verify::types::{Artifact, ArtifactDigest, HashAlgorithm, Sha256Hash, Sha512Hash};
use sigstore_verify::{
    CertificateError, Error as LibraryError, TimestampError, TransparencyLogError, VerificationPolicy,
    VerificationResult,
};

use super::SignerCertificate;
use crate::certificate::{IdentityRule, UnixTime};
use crate::envelope::{Bundle, InvalidStatement, LogEntryRecord, PAYLOAD_TYPE};
use crate::sigstore::TrustedRoot;

/// Whom to believe about signers that identity providers vouch for.
#[derive(Clone, Copy, Debug)]
pub struct SigstoreTrust<'a> {
    /// The instance.
    pub root: &'a TrustedRoot,
    /// Who may have signed.
    pub signer: SignerRule<'a>,
    /// The time of the verification: nothing that counts is later.
    pub now: UnixTime,
}

/// Who may have signed.
#[derive(Clone, Copy, Debug)]
pub enum SignerRule<'a> {
    /// Somebody with a name, for whom a certain provider vouches.
    Named {
        /// The name: an alternative name of the certificate.
        identity: &'a IdentityRule,
        /// The identity provider.
        issuer: &'a IdentityRule,
    },
    /// Whoever has an account with some provider. For a signer's own check; it says nothing to anybody else.
    Anybody,
}

/// What a signature of a Sigstore instance rests on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SigstoreEvidence {
    /// The certificate that the instance issued, with its signed certificate timestamp.
    pub certificate: SignerCertificate,
    /// The name that was asked for, or the first.
    pub identity: String,
    /// Whether somebody was asked for.
    pub identity_was_expected: bool,
    /// The times at which the certificate was valid: those of timestamps and of logs that promise a time.
    pub times: Vec<UnixTime>,
}

/// Checks everything but the files. `bundle` has been checked to be signed with `certificate`'s key.
pub(crate) fn check(
    bundle: &Bundle,
    certificate: SignerCertificate,
    trust: SigstoreTrust<'_>,
) -> Result<SigstoreEvidence, SigstoreError> {
    let digest = subject_digest(bundle.payload())?;
    let library_bundle = library_bundle(bundle, certificate.certificate.der())?;
    let result = trust
        .root
        .verifier()
        .verify(Artifact::from_digest(digest), &library_bundle, &VerificationPolicy::any_identity())
        .map_err(SigstoreError::from)?;
    complete(&result)?;
    check_signer(certificate, trust.signer, result.verified_timestamps())
}

/// The library says what it skipped; nothing may have been.
pub(super) fn complete(result: &VerificationResult) -> Result<(), SigstoreError> {
    if result.certificate_verified() && result.sct_verified() && result.tlog_verified() {
        Ok(())
    } else {
        Err(SigstoreError::Malformed { reason: "a check of it was left out".to_owned() })
    }
}

/// Whether the instance can have issued a certificate at all: a bundle of another one is a frequent mistake, and the
/// error of a path says nothing about it.
pub(crate) fn check_instance(certificate: &SignerCertificate, root: &TrustedRoot) -> Result<(), SigstoreError> {
    if root.may_have_issued(&certificate.certificate) {
        Ok(())
    } else {
        Err(SigstoreError::OtherInstance { authority: certificate.certificate.issuer() })
    }
}

/// What there is to say of a signature that holds, if the signer is the one that is expected.
pub(super) fn check_signer(
    certificate: SignerCertificate,
    rule: SignerRule<'_>,
    times: &[jiff::Timestamp],
) -> Result<SigstoreEvidence, SigstoreError> {
    let (identity, identity_was_expected) = match rule {
        SignerRule::Named { identity, issuer } => (named(&certificate, identity, issuer)?, true),
        SignerRule::Anybody => (certificate.names.first().cloned().unwrap_or_default(), false),
    };
    let mut times: Vec<UnixTime> = times.iter().copied().map(unix).collect();
    times.sort();
    times.dedup();
    Ok(SigstoreEvidence { certificate, identity, identity_was_expected, times })
}

fn named(
    certificate: &SignerCertificate,
    identity: &IdentityRule,
    issuer: &IdentityRule,
) -> Result<String, SigstoreError> {
    let SignerCertificate { names, issuer: provider, .. } = certificate;
    let Some(name) = names.iter().find(|name| identity.fits(name)) else {
        return Err(SigstoreError::Identity {
            expected: identity.to_string(),
            found: names.clone(),
            provider: provider.clone(),
        });
    };
    match provider {
        Some(provider) if issuer.fits(provider) => Ok(name.clone()),
        found => Err(SigstoreError::Issuer { expected: issuer.to_string(), found: found.clone() }),
    }
}

/// The digest that the library compares with the statement's: the first that it knows. The statement itself, and what it
/// is about, is checked afterwards.
pub(crate) fn subject_digest(payload: &[u8]) -> Result<ArtifactDigest, SigstoreError> {
    #[derive(Deserialize)]
    struct Statement {
        #[serde(default)]
        subject: Vec<Subject>,
    }
    #[derive(Deserialize)]
    struct Subject {
        #[serde(default)]
        digest: Digest,
    }
    #[derive(Default, Deserialize)]
    struct Digest {
        sha256: Option<String>,
        sha512: Option<String>,
    }
    let malformed = |reason: String| SigstoreError::Malformed { reason: format!("its statement: {reason}") };
    let statement: Statement = serde_json::from_slice(payload).map_err(|error| malformed(error.to_string()))?;
    let malformed_digest = |error: sigstore_verify::types::Error| malformed(format!("a subject's digest: {error}"));
    for Subject { digest } in statement.subject {
        if let Some(hex) = digest.sha256 {
            return Sha256Hash::from_hex(&hex).map(ArtifactDigest::from).map_err(malformed_digest);
        }
        if let Some(hex) = digest.sha512 {
            let digest = Sha512Hash::from_hex(&hex).map_err(malformed_digest)?;
            let digest = ArtifactDigest::new(HashAlgorithm::Sha2512, digest.as_bytes().to_vec());
            return digest.map_err(malformed_digest);
        }
    }
    Err(malformed("no subject has a SHA-256 or a SHA-512".to_owned()))
}

/// The bundle as the library reads it.
fn library_bundle(bundle: &Bundle, certificate: &[u8]) -> Result<sigstore_verify::types::Bundle, SigstoreError> {
    let timestamps = bundle.timestamps().iter().map(|bytes| json!({ "signedTimestamp": STANDARD.encode(bytes) }));
    let document = json!({
        "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
        "verificationMaterial": {
            "certificate": { "rawBytes": STANDARD.encode(certificate) },
            "tlogEntries": bundle.log_entries().iter().map(LogEntryRecord::to_json).collect::<Vec<_>>(),
            "timestampVerificationData": { "rfc3161Timestamps": timestamps.collect::<Vec<_>>() },
        },
        "dsseEnvelope": {
            "payload": STANDARD.encode(bundle.payload().as_slice()),
            "payloadType": PAYLOAD_TYPE,
            "signatures": [{ "sig": STANDARD.encode(bundle.signature()) }],
        },
    });
    serde_json::from_value(document).map_err(|error| SigstoreError::Malformed { reason: error.to_string() })
}

/// A time of the library's; what is before 1970 was never.
pub(crate) fn unix(time: jiff::Timestamp) -> UnixTime {
    UnixTime(u64::try_from(time.as_second()).unwrap_or(0))
}

/// Why a bundle proves nothing under a trusted root.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SigstoreError {
    /// Something in it can't be read.
    #[error("the bundle can't be used: {reason}")]
    Malformed {
        /// What.
        reason: String,
    },
    /// There is no transparency log entry.
    #[error("expected a transparency log entry in the bundle, found none")]
    NoLogEntry,
    /// The certificate is of an authority that the trusted root does not have.
    #[error("signed with a certificate of `{authority}`, which this trusted root does not hold")]
    OtherInstance {
        /// The issuer of the certificate (RFC 4514).
        authority: String,
    },
    /// The certificate does not hold.
    #[error("the signer's certificate: {reason}")]
    Certificate {
        /// Why.
        reason: String,
    },
    /// The certificate was not valid when the model was signed.
    #[error("the model was signed at {time}, and the signer's certificate is valid {validity}")]
    OutOfValidity {
        /// When it was signed.
        time: UnixTime,
        /// `from …` or `until …`.
        validity: String,
    },
    /// The log of certificates does not vouch for the certificate.
    #[error("the signed certificate timestamp (SCT) in the signer's certificate does not hold: {reason}")]
    CertificateTimestamp {
        /// Why.
        reason: String,
    },
    /// The log is not one of the trusted root's.
    #[error("the log entry is of the log {log_id}, which this trusted root does not hold")]
    UnknownLog {
        /// The log's key ID.
        log_id: String,
    },
    /// The entry is not in the log.
    #[error("the inclusion proof of the log entry does not hold: {reason}")]
    InclusionProof {
        /// Why.
        reason: String,
    },
    /// The log's statement of its content does not hold.
    #[error("the checkpoint of the log does not hold: {reason}")]
    Checkpoint {
        /// Why.
        reason: String,
    },
    /// The log's promise does not hold.
    #[error("the log's promise to include the entry (SET) does not hold: {reason}")]
    InclusionPromise {
        /// Why.
        reason: String,
    },
    /// The entry is of something else.
    #[error("the log entry is not of this signature: {reason}")]
    OtherEntry {
        /// What differs.
        reason: String,
    },
    /// The time that the log states can't be.
    #[error("the time of the log entry can't be: {reason}")]
    IntegratedTime {
        /// Why.
        reason: String,
    },
    /// A timestamp does not hold.
    #[error("a timestamp in the bundle does not hold: {reason}")]
    Timestamp {
        /// Why.
        reason: String,
    },
    /// Nothing says when the model was signed.
    #[error("nothing in the bundle says when it was signed: expected a timestamp, or a log entry with a promise (SET)")]
    NoTime,
    /// The signature does not verify.
    #[error("the signature does not verify: {reason}")]
    Signature {
        /// Why.
        reason: String,
    },
    /// Somebody else signed.
    #[error(
        "expected a signature of {expected}, found one of {}{}",
        found.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", "),
        provider.as_ref().map_or_else(String::new, |provider| format!(", for whom `{provider}` vouches"))
    )]
    Identity {
        /// The rule.
        expected: String,
        /// The names in the certificate.
        found: Vec<String>,
        /// Who vouches for them.
        provider: Option<String>,
    },
    /// Somebody else vouched for the signer.
    #[error(
        "expected the identity provider {expected} to vouch for the signer, found {}",
        found.as_ref().map_or_else(|| "none".to_owned(), |provider| format!("`{provider}`"))
    )]
    Issuer {
        /// The rule.
        expected: String,
        /// The provider in the certificate.
        found: Option<String>,
    },
}

impl SigstoreError {
    /// A statement that is none.
    pub(crate) fn statement(error: InvalidStatement) -> Self {
        Self::Malformed { reason: format!("its statement: {error}") }
    }
}

impl From<LibraryError> for SigstoreError {
    fn from(error: LibraryError) -> Self {
        match error {
            LibraryError::Certificate(error) => match error {
                CertificateError::NotYetValid { time, not_before } => {
                    Self::OutOfValidity { time: unix(time), validity: format!("from {}", unix(not_before)) }
                }
                CertificateError::Expired { time, not_after } => {
                    Self::OutOfValidity { time: unix(time), validity: format!("until {}", unix(not_after)) }
                }
                CertificateError::Sct(reason) => Self::CertificateTimestamp { reason },
                error => Self::Certificate { reason: error.to_string() },
            },
            LibraryError::TransparencyLog(error) => match error {
                TransparencyLogError::UnknownLog { log_id } => Self::UnknownLog { log_id },
                TransparencyLogError::InclusionProof(reason) => Self::InclusionProof { reason },
                TransparencyLogError::Checkpoint(reason) => Self::Checkpoint { reason },
                TransparencyLogError::InclusionPromise(reason) => Self::InclusionPromise { reason },
                TransparencyLogError::EntryMismatch(reason) | TransparencyLogError::MalformedEntry(reason) => {
                    Self::OtherEntry { reason }
                }
                TransparencyLogError::IntegratedTime(reason) => Self::IntegratedTime { reason },
                error => Self::OtherEntry { reason: error.to_string() },
            },
            LibraryError::Timestamp(TimestampError::NoVerifiedTimestamp(_)) => Self::NoTime,
            LibraryError::Timestamp(error) => Self::Timestamp { reason: error.to_string() },
            LibraryError::SignatureInvalid(reason) => Self::Signature { reason },
            LibraryError::ArtifactMismatch(reason) => Self::OtherEntry { reason },
            error => Self::Malformed { reason: error.to_string() },
        }
    }
}
