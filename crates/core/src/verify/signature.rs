//! §8.2: the signature holds under the given trust.

use std::borrow::Cow;
use std::sync::Arc;

use super::Verified;
use super::certificate::{CertificateEvidence, check_certificates};
use super::log::check_log_entries;
use crate::certificate::{PathError, Revocation, RevocationError, UnixTime};
use crate::compat;
use crate::envelope::{Bundle, FormatVersion, InvalidStatement, Material, Statement, pae, require_unique_members};
use crate::key::{KeyAlgorithm, PublicKey, SignatureScheme};
use crate::log::{LogEntryError, LoggedSigner, VerifiedLogEntry};
use crate::sigstore::{self, SignerCertificate, SigstoreError, SigstoreEvidence, SigstoreTrust};
use crate::timestamp::{Timestamp, TimestampError, VerifiedTimestamp};
use crate::trust::{LogTrust, SignerTrust, TimestampTrust, Trust, UnknownLogs};

/// How far the clock here may be behind that of a timestamp authority.
const MAX_CLOCK_SKEW_SECONDS: u64 = 600;

/// A payload that was signed, not yet parsed.
#[derive(Clone, Debug)]
pub struct SignedPayload {
    bytes: Arc<Vec<u8>>,
    encoding: Encoding,
}

/// The encoding of the payload that the signature covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Encoding {
    Dsse,
    V0_2,
}

impl SignedPayload {
    /// What was signed, if it was as DSSE encodes it.
    pub(crate) fn dsse_payload(&self) -> Option<&Arc<Vec<u8>>> {
        (self.encoding == Encoding::Dsse).then_some(&self.bytes)
    }

    pub(super) fn parse(&self) -> Result<Statement, InvalidStatement> {
        let statement = Statement::from_payload(&self.bytes)?;
        if self.encoding == Encoding::V0_2 && statement.format() != FormatVersion::V0_2 {
            return Err(InvalidStatement::EncodingV0_2);
        }
        Ok(statement)
    }
}

/// What a payload has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Content {
    /// A statement about a model, of any version of the format.
    Model,
    /// A statement about anything.
    Statement,
}

/// Who signed, and how that was established.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// The kind of the key that the signature verifies with.
    pub key_algorithm: KeyAlgorithm,
    /// The key's fingerprint, as `publicKey.hint` has it.
    pub key_hint: String,
    /// The scheme that the signature is in.
    pub scheme: SignatureScheme,
    /// The hint in the bundle, where it names another key than the one that verifies.
    pub misleading_hint: Option<String>,
    /// The certificates that lead to the key, for the `certificate` method.
    pub certificate: Option<CertificateEvidence>,
    /// The signer for whom an identity provider vouched, for the `sigstore` method.
    pub sigstore: Option<SigstoreEvidence>,
    /// The timestamps that hold, the earliest first. The certificates were valid at the first.
    pub timestamps: Vec<VerifiedTimestamp>,
    /// The transparency log entries that hold.
    pub log_entries: Vec<VerifiedLogEntry>,
    /// Transparency log entries in the bundle, which were not checked.
    pub unchecked_log_entries: usize,
    /// Timestamps in the bundle, which were not checked.
    pub unchecked_timestamps: usize,
}

/// Checks the signature of `bundle` (OMS §8.2).
///
/// # Errors
/// [`SignatureError`]: why nothing in the bundle may be believed.
pub fn check_signature(bundle: &Bundle, trust: Trust<'_>) -> Result<Verified<SignedPayload>, SignatureError> {
    check(bundle, trust, Content::Model)
}

/// Checks the signature of `bundle` over a statement about anything, which comes out as it was signed.
///
/// # Errors
/// [`SignatureError`]: why nothing in the bundle may be believed.
pub fn check_statement(bundle: &Bundle, trust: Trust<'_>) -> Result<Verified<Arc<Vec<u8>>>, SignatureError> {
    let Verified { value, evidence } = check(bundle, trust, Content::Statement)?;
    Ok(Verified { value: value.bytes, evidence })
}

fn check(bundle: &Bundle, trust: Trust<'_>, content: Content) -> Result<Verified<SignedPayload>, SignatureError> {
    if let (SignerTrust::Sigstore(sigstore), Material::Certificate(certificate)) = (trust.signer, bundle.material()) {
        return check_sigstore(bundle, certificate, sigstore, trust.timestamps, content);
    }
    let mut timestamps = check_timestamps(bundle, trust.timestamps)?;
    let (key, hint, certificate) = match (trust.signer, bundle.material()) {
        (SignerTrust::Key(key), Material::PublicKey { hint }) => (Cow::Borrowed(key), hint.as_deref(), None),
        (SignerTrust::Certificates(certificates), Material::CertificateChain(chain)) => {
            require_past(&timestamps, certificates.now)?;
            for timestamp in &mut timestamps {
                let lists = certificates.revocation_lists;
                timestamp.revocation = Revocation::look_up(&timestamp.path, lists, &[], certificates.now)?;
            }
            let signed_before = timestamps.first().map(|timestamp| timestamp.time);
            let (key, evidence) = check_certificates(chain, certificates, signed_before)?;
            (Cow::Owned(key), None, Some(evidence))
        }
        (
            SignerTrust::Key(_) | SignerTrust::Certificates(_) | SignerTrust::Sigstore(_),
            found @ (Material::PublicKey { .. } | Material::CertificateChain(_) | Material::Certificate(_)),
        ) => return Err(SignatureError::Method { expected: trust.method(), found: found.method() }),
    };
    let (scheme, encoding, misleading_hint) = check_key(bundle, &key, hint, content)?;
    let logged = match bundle.material() {
        Material::CertificateChain(chain) if !chain.is_empty() => LoggedSigner::Certificate(&chain[0]),
        Material::PublicKey { .. } | Material::CertificateChain(_) | Material::Certificate(_) => {
            LoggedSigner::Key(&key)
        }
    };
    let logged = check_log_entries(bundle, logged, trust.logs)?;
    let evidence = Evidence {
        key_algorithm: key.algorithm(),
        key_hint: key.hint(),
        scheme,
        misleading_hint,
        certificate,
        sigstore: None,
        log_entries: logged.entries,
        unchecked_log_entries: logged.unchecked,
        unchecked_timestamps: bundle.timestamps().len() - timestamps.len(),
        timestamps,
    };
    Ok(Verified { value: SignedPayload { bytes: Arc::clone(bundle.payload()), encoding }, evidence })
}

/// Checks the signature of a signer for whom an identity provider vouches. Everything that the bundle offers has to hold.
fn check_sigstore(
    bundle: &Bundle,
    certificate: &[u8],
    trust: SigstoreTrust<'_>,
    timestamps: TimestampTrust<'_>,
    content: Content,
) -> Result<Verified<SignedPayload>, SignatureError> {
    let certificate = SignerCertificate::from_der(certificate)?;
    sigstore::check_instance(&certificate, trust.root)?;
    if bundle.log_entries().is_empty() {
        return Err(SigstoreError::NoLogEntry.into());
    }
    let key = certificate.certificate.public_key();
    let key = key.map_err(|error| SignatureError::Certificate { index: 0, reason: error.to_string() })?;
    // The signature first: nothing reads a payload that nobody signed.
    let (scheme, encoding, _) = check_key(bundle, &key, None, content)?;
    // The library builds a tree of the whole statement; only what a statement may be gets there.
    match content {
        Content::Model => drop(Statement::from_payload(bundle.payload()).map_err(SigstoreError::statement)?),
        // And it keeps the last of two equal members.
        Content::Statement => require_unique_members(bundle.payload())
            .map_err(|error| SigstoreError::Malformed { reason: format!("its statement: {error}") })?,
    }
    // What is read here is bounded; the library, which checks it all a second time, has no bounds of its own.
    let logs = trust.root.log_keys();
    let logs = LogTrust { logs: &logs, unknown: UnknownLogs::Refuse, required: true, now: trust.now };
    let logged = check_log_entries(bundle, LoggedSigner::Certificate(certificate.certificate.der()), Some(logs))?;
    for (index, bytes) in bundle.timestamps().iter().enumerate() {
        Timestamp::parse(bytes).map_err(|error| SignatureError::Timestamp { index, error })?;
    }
    let evidence = sigstore::check(bundle, certificate, trust)?;
    let authorities = [trust.root.timestamp_authorities(), timestamps.authorities].concat();
    let timestamps = check_timestamps(bundle, TimestampTrust { authorities: &authorities, ..timestamps })?;
    require_past(&timestamps, trust.now)?;
    let evidence = Evidence {
        key_algorithm: key.algorithm(),
        key_hint: key.hint(),
        scheme,
        misleading_hint: None,
        certificate: None,
        sigstore: Some(evidence),
        log_entries: logged.entries,
        unchecked_log_entries: 0,
        unchecked_timestamps: bundle.timestamps().len() - timestamps.len(),
        timestamps,
    };
    Ok(Verified { value: SignedPayload { bytes: Arc::clone(bundle.payload()), encoding }, evidence })
}

/// Checks every timestamp, if some authority is trusted: one that does not hold is an error, not a missing one.
fn check_timestamps(bundle: &Bundle, trust: TimestampTrust<'_>) -> Result<Vec<VerifiedTimestamp>, SignatureError> {
    if trust.required && bundle.timestamps().is_empty() {
        return Err(SignatureError::NoTimestamp);
    }
    if trust.authorities.is_empty() && !trust.required {
        return Ok(Vec::new());
    }
    let mut timestamps = Vec::new();
    for (index, bytes) in bundle.timestamps().iter().enumerate() {
        let verified =
            Timestamp::parse(bytes).and_then(|timestamp| timestamp.verify(bundle.signature(), trust.authorities));
        timestamps.push(verified.map_err(|error| SignatureError::Timestamp { index, error })?);
    }
    timestamps.sort_by_key(|timestamp| timestamp.time);
    Ok(timestamps)
}

/// Checks that no timestamp is of a time that has not come yet.
fn require_past(timestamps: &[VerifiedTimestamp], now: UnixTime) -> Result<(), SignatureError> {
    let latest = now.0.saturating_add(MAX_CLOCK_SKEW_SECONDS);
    match timestamps.iter().enumerate().find(|(_, timestamp)| timestamp.time.0 > latest) {
        Some((index, timestamp)) => {
            Err(SignatureError::Timestamp { index, error: TimestampError::Future { time: timestamp.time, now } })
        }
        None => Ok(()),
    }
}

/// How the signature was made, if `key` made it, and the bundle's hint if it names another key.
fn check_key(
    bundle: &Bundle,
    key: &PublicKey,
    hint: Option<&str>,
    content: Content,
) -> Result<(SignatureScheme, Encoding, Option<String>), SignatureError> {
    let (payload, signature) = (bundle.payload(), bundle.signature());
    let own_hint = key.hint();
    let misleading_hint = hint.filter(|hint| *hint != own_hint).map(str::to_owned);

    let dsse = key.verify(&pae(payload), signature).map(|scheme| (scheme, Encoding::Dsse));
    let holds = match content {
        Content::Model => dsse.or_else(|| {
            key.verify_ecdsa_sha256(&compat::pae_v0_2(payload), signature).map(|scheme| (scheme, Encoding::V0_2))
        }),
        Content::Statement => dsse,
    };
    // The signature decides; the hint only explains.
    match (holds, misleading_hint) {
        (Some((scheme, encoding)), misleading_hint) => Ok((scheme, encoding, misleading_hint)),
        (None, Some(expected)) => Err(SignatureError::OtherKey { expected, found: own_hint }),
        (None, None) => Err(SignatureError::DoesNotVerify { algorithm: key.algorithm(), key: own_hint }),
    }
}

/// Why nothing in a bundle may be believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// The bundle was signed with another method than the one that is trusted.
    #[error("expected a signature made with the `{expected}` method, found one made with `{found}`")]
    Method {
        /// The method of the trust that was given.
        expected: &'static str,
        /// The method of the bundle.
        found: &'static str,
    },
    /// The signature does not verify, and the bundle names another key.
    #[error("the signature was made with another key: expected {expected} as the bundle says, found {found}")]
    OtherKey {
        /// The hint in the bundle.
        expected: String,
        /// The hint of the key that was given.
        found: String,
    },
    /// The signature does not verify, and the bundle names this key or none.
    #[error(
        "the signature does not verify with the {algorithm} key {key}: the bundle was changed, or another key signed it"
    )]
    DoesNotVerify {
        /// The kind of the key that was given.
        algorithm: KeyAlgorithm,
        /// The hint of the key that was given.
        key: String,
    },
    /// A certificate in the bundle can't be read.
    #[error("certificate {index} in the bundle: {reason}")]
    Certificate {
        /// Which one, from 0, the leaf.
        index: usize,
        /// What is wrong.
        reason: String,
    },
    /// There is no valid path from the certificate that signed to a trusted one.
    #[error(transparent)]
    Path(#[from] PathError),
    /// An issuer says that a certificate is no longer good, or what it says can't be relied on.
    #[error(transparent)]
    Revocation(#[from] RevocationError),
    /// A Sigstore instance does not vouch for the signature, or for another signer.
    #[error(transparent)]
    Sigstore(#[from] SigstoreError),
    /// The certificate names somebody else.
    #[error("expected a certificate of {expected}, found one of {}", found.join(", "))]
    Identity {
        /// The rule.
        expected: String,
        /// The names in the certificate.
        found: Vec<String>,
    },
    /// The public authorities are trusted, and nobody said whom they are to certify.
    #[error("the public certificate authorities certify anybody: expected an identity to look for")]
    IdentityNeeded,
    /// A timestamp does not hold.
    #[error("timestamp {index} in the bundle: {error}")]
    Timestamp {
        /// Which one, from 0.
        index: usize,
        /// Why.
        error: TimestampError,
    },
    /// An entry of a transparency log does not hold.
    #[error("log entry {index} in the bundle: {error}")]
    LogEntry {
        /// Which one, from 0.
        index: usize,
        /// Why.
        error: LogEntryError,
    },
    /// There is no log entry that holds, and one is required.
    #[error("expected an entry of a transparency log that is trusted in the bundle, found none")]
    NoLogEntry,
    /// There is no timestamp, and one is required.
    #[error("expected a timestamp in the bundle, found none")]
    NoTimestamp,
}
