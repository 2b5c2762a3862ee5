//! Those who say of a new signature that it was there: timestamp authorities and transparency logs.

use std::fmt;
use std::panic::resume_unwind;
use std::thread::{self, ScopedJoinHandle};

use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;

use super::SignError;
use crate::envelope::{LogEntryRecord, Material, PAYLOAD_TYPE, pae_prefix};
use crate::key::{KeyAlgorithm, PublicKey};
use crate::timestamp::Timestamp;
use crate::trust::{LogTrust, TimestampAuthority};

/// Somebody else who says when a signature was there.
pub trait Timestamper: Sync {
    /// A timestamp over `signature`, as [`Timestamp`] reads it.
    ///
    /// # Errors
    /// [`ServiceError`]: what kept the authority from answering.
    fn stamp(&self, signature: &[u8]) -> Result<Vec<u8>, ServiceError>;

    /// The authorities that have to vouch for the new timestamp; with none, it has to be consistent in itself.
    fn authorities(&self) -> &[TimestampAuthority];
}

/// A transparency log, which makes a signature public and proves that it did.
pub trait Log: Sync {
    /// Adds the signature, and waits until the log can prove it.
    ///
    /// # Errors
    /// [`ServiceError`]: what kept the log from it.
    fn add(&self, submission: &LogSubmission<'_>) -> Result<LogEntryRecord, ServiceError>;
}

/// A signature, as it is shown to a log.
#[derive(Clone, Copy, Debug)]
pub struct LogSubmission<'a> {
    pub(super) subject: Subject<'a>,
    pub(super) signature: &'a [u8],
    pub(super) material: &'a Material,
    pub(super) key: &'a PublicKey,
}

/// What was signed.
#[derive(Clone, Copy, Debug)]
pub enum Subject<'a> {
    /// A statement, in an envelope.
    Envelope(&'a [u8]),
    /// A file as it is.
    Artifact(&'a [u8]),
}

/// What a log checks a signature with, and writes down beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogVerifier<'a> {
    /// A certificate, DER.
    Certificate(&'a [u8]),
    /// A public key.
    Key(&'a PublicKey),
}

impl<'a> LogSubmission<'a> {
    /// What was signed.
    #[must_use]
    pub fn subject(&self) -> Subject<'a> {
        self.subject
    }

    /// The signature.
    #[must_use]
    pub fn signature(&self) -> &'a [u8] {
        self.signature
    }

    /// The kind of the key that made it.
    #[must_use]
    pub fn key_algorithm(&self) -> KeyAlgorithm {
        self.key.algorithm()
    }

    /// The certificate of the key, or the key itself where there is none.
    #[must_use]
    pub fn verifier(&self) -> LogVerifier<'a> {
        let certificate = match self.material {
            Material::Certificate(certificate) => Some(certificate),
            Material::CertificateChain(chain) => chain.first(),
            Material::PublicKey { .. } => None,
        };
        certificate.map_or(LogVerifier::Key(self.key), |der| LogVerifier::Certificate(der))
    }

    /// The digest of what was signed (of an envelope, the DSSE encoding of the payload), by the hash of the signature; none for Ed25519,
    /// which does not sign a digest.
    #[must_use]
    pub fn digest(&self) -> Option<Vec<u8>> {
        let hash = match self.key.algorithm() {
            KeyAlgorithm::EcdsaP256 | KeyAlgorithm::Rsa { .. } => &digest::SHA256,
            KeyAlgorithm::EcdsaP384 => &digest::SHA384,
            KeyAlgorithm::EcdsaP521 => &digest::SHA512,
            KeyAlgorithm::Ed25519 => return None,
        };
        let mut digest = digest::Context::new(hash);
        match self.subject {
            Subject::Envelope(payload) => {
                digest.update(pae_prefix(payload.len()).as_bytes());
                digest.update(payload);
            }
            Subject::Artifact(bytes) => digest.update(bytes),
        }
        Some(digest.finish().as_ref().to_vec())
    }

    /// The DSSE envelope of `payload` with the signature, JSON. It is as long as the list of the model's files.
    #[must_use]
    pub fn envelope_json(&self, payload: &[u8]) -> String {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Envelope {
            payload: String,
            payload_type: &'static str,
            signatures: [Signature; 1],
        }
        #[derive(Serialize)]
        struct Signature {
            sig: String,
        }
        let envelope = Envelope {
            payload: STANDARD.encode(payload),
            payload_type: PAYLOAD_TYPE,
            signatures: [Signature { sig: STANDARD.encode(self.signature) }],
        };
        serde_json::to_string(&envelope).expect("text always serialises")
    }
}

/// Who is asked about a new signature.
#[derive(Clone, Copy, Default)]
pub struct Witnesses<'a> {
    /// Each has to date it.
    pub timestampers: &'a [&'a dyn Timestamper],
    /// Each has to add it.
    pub logs: &'a [&'a dyn Log],
    /// Whose entries count, for a signer who does not rest on an instance: the new ones have to hold.
    pub trusted_logs: Option<LogTrust<'a>>,
}

/// What they answered, in the order of the witnesses.
pub(super) struct Testimony {
    pub(super) timestamps: Vec<Vec<u8>>,
    pub(super) log_entries: Vec<LogEntryRecord>,
}

impl Witnesses<'_> {
    /// Asks all of them at once: none needs what another says, so the slowest alone decides how long it takes.
    pub(super) fn testify(self, submission: &LogSubmission<'_>) -> Result<Testimony, SignError> {
        thread::scope(|scope| {
            let dating: Vec<_> = self
                .timestampers
                .iter()
                .map(|timestamper| scope.spawn(|| stamp(*timestamper, submission.signature)))
                .collect();
            let logging: Vec<_> = self.logs.iter().map(|log| scope.spawn(|| log.add(submission))).collect();
            let timestamps: Vec<Result<_, SignError>> = dating.into_iter().map(finish).collect();
            let log_entries: Vec<Result<_, ServiceError>> = logging.into_iter().map(finish).collect();
            let public = log_entries.iter().filter(|entry| entry.is_ok()).count();
            let testimony = || {
                Ok(Testimony {
                    timestamps: timestamps.into_iter().collect::<Result<_, _>>()?,
                    log_entries: log_entries.into_iter().collect::<Result<_, _>>()?,
                })
            };
            testimony().map_err(|error: SignError| match public {
                0 => error,
                _ => SignError::AlreadyPublic { error: Box::new(error) },
            })
        })
    }
}

/// What a thread found. Its panic is one of this thread.
fn finish<T>(thread: ScopedJoinHandle<'_, T>) -> T {
    thread.join().unwrap_or_else(|panic| resume_unwind(panic))
}

/// A timestamp over `signature` that holds.
fn stamp(timestamper: &dyn Timestamper, signature: &[u8]) -> Result<Vec<u8>, SignError> {
    let bytes = timestamper.stamp(signature)?;
    let timestamp = Timestamp::parse(&bytes)?;
    match timestamper.authorities() {
        [] => timestamp.check_consistent(signature)?,
        authorities => drop(timestamp.verify(signature, authorities)?),
    }
    Ok(bytes)
}

/// A service that signing needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// It says whose a key is.
    CertificateAuthority,
    /// It says when a signature was there.
    TimestampAuthority,
    /// It makes a signature public.
    TransparencyLog,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::CertificateAuthority => "certificate authority",
            Self::TimestampAuthority => "timestamp authority",
            Self::TransparencyLog => "transparency log",
        })
    }
}

/// Why a service did not do its part.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the {role} `{url}` {reason}")]
pub struct ServiceError {
    /// Which it is.
    pub role: Role,
    /// Where it is, without what may be secret in that.
    pub url: String,
    /// What happened: `can't be reached: …`, `answered …`.
    pub reason: String,
}
