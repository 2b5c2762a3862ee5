//! An envelope and its entry of `intoto` 0.0.1, which no bundle has and the library does not know.
//!
//! Such an entry has the SHA-256 of the envelope's JSON and the signer's certificate, and neither the signature nor, in the
//! oldest, the payload's hash: so it says something of the JSON alone, byte for byte as the log got it. All that the library
//! checks of a bundle is checked here, with what the other methods use; both a proof and a promise have to be there.

use jiff::Timestamp;

use super::sct::check_sct;
use super::verification::{check_instance, check_signer};
use super::{Attestation, SignerCertificate, SignerRule, SigstoreError, TrustedRoot};
use crate::certificate::{PathError, Purpose, validate};
use crate::envelope::pae;
use crate::log::{LogEntry, LogEntryError, LoggedEnvelope, LoggedSigner};

/// An envelope and its entry.
#[derive(Clone, Copy)]
pub(crate) struct LoggedText<'a> {
    /// The envelope as it was published.
    pub(crate) text: &'a [u8],
    /// What was signed.
    pub(crate) payload: &'a [u8],
    /// The one signature.
    pub(crate) signature: &'a [u8],
    /// The signer's certificate, DER.
    pub(crate) certificate: &'a [u8],
    /// The entry.
    pub(crate) entry: &'a LogEntry,
}

/// Verifies an envelope of an instance by its entry. Who signed is for the caller to judge.
pub(crate) fn verify_logged_text(logged: LoggedText<'_>, root: &TrustedRoot) -> Result<Attestation, SigstoreError> {
    let LoggedText { text, payload, signature, certificate, entry } = logged;
    let signer = SignerCertificate::from_der(certificate)?;
    check_instance(&signer, root)?;
    let key = signer.certificate.public_key();
    let key = key.map_err(|error| SigstoreError::Certificate { reason: error.to_string() })?;
    // Rekor v1 checks with SHA-256 on every curve.
    if key.verify_ecdsa_sha256(&pae(payload), signature).is_none() {
        return Err(SigstoreError::Signature { reason: "its certificate's key did not make it".to_owned() });
    }
    let envelope =
        LoggedEnvelope { payload, signature, signer: LoggedSigner::Certificate(certificate), text: Some(text) };
    // The time is the log's word in any case: nothing is gained by asking whether it is in the future.
    let verified = entry.verify(&envelope, &root.log_keys(), entry.stated_time())?;
    let (Some(time), Some(log_index)) = (verified.integrated_time, verified.log_index) else {
        return Err(SigstoreError::NoTime);
    };
    if verified.inclusion.is_none() {
        return Err(SigstoreError::InclusionProof { reason: "there is none".to_owned() });
    }
    let path = validate(&signer.certificate, &[], &root.authorities_at(time), Purpose::SignModels, time);
    let path = path.map_err(|error| match error {
        PathError::OutOfValidity { .. } if time > signer.certificate.not_after() => {
            SigstoreError::OutOfValidity { time, validity: format!("until {}", signer.certificate.not_after()) }
        }
        error => SigstoreError::Certificate { reason: error.to_string() },
    })?;
    check_sct(&signer.certificate, path.anchor(), root.document())?;
    let seconds = i64::try_from(time.0).ok().and_then(|seconds| Timestamp::from_second(seconds).ok());
    let time = seconds.ok_or_else(|| SigstoreError::IntegratedTime { reason: format!("{time}") })?;
    let evidence = check_signer(signer, SignerRule::Anybody, &[time])?;
    Ok(Attestation { payload: payload.to_vec(), evidence, has_log: true, log_indices: vec![log_index] })
}

impl From<LogEntryError> for SigstoreError {
    /// The same in the words of a bundle.
    fn from(error: LogEntryError) -> Self {
        let reason = error.to_string();
        match error {
            LogEntryError::UnknownLog { log_id } => Self::UnknownLog { log_id: log_id.to_string() },
            LogEntryError::Checkpoint(_) | LogEntryError::OtherCheckpoint => Self::Checkpoint { reason },
            LogEntryError::Inclusion(_) | LogEntryError::Unproven => Self::InclusionProof { reason },
            LogEntryError::Promise => Self::InclusionPromise { reason },
            LogEntryError::Future { .. } | LogEntryError::OutsidePeriod { .. } => Self::IntegratedTime { reason },
            LogEntryError::TooLarge { .. }
            | LogEntryError::Malformed { .. }
            | LogEntryError::Kind { .. }
            | LogEntryError::OtherPayload
            | LogEntryError::OtherSignature
            | LogEntryError::OtherSigner => Self::OtherEntry { reason },
        }
    }
}
