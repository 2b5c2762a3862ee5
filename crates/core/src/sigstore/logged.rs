//! An envelope and its entry of `intoto` 0.0.1, which no bundle has and the library does not know.
//!
//! Such an entry has the SHA-256 of the envelope's JSON and the signer's certificate, and neither the signature nor, in the
//! oldest, the payload's hash: so it says something of the JSON alone, byte for byte as the log got it. All that the library
//! checks of a bundle is checked here, with what the other methods use; both a proof and a promise have to be there.

use jiff::Timestamp;

use super::sct::check_sct;
use super::verification::{check_instance, check_signer};
use super::{Attestation, SignerCertificate, SignerRule, SigstoreError, TrustedRoot};
use crate::certificate::{Certificate, Purpose, UnixTime, validate};
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

/// Verifies an envelope of an instance by its entry and the signer that is expected.
pub(crate) fn verify_logged_text(
    logged: LoggedText<'_>,
    root: &TrustedRoot,
    rule: SignerRule<'_>,
) -> Result<Attestation, SigstoreError> {
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
    check_certificate(&signer.certificate, root, time)?;
    let seconds = i64::try_from(time.0).ok().and_then(|seconds| Timestamp::from_second(seconds).ok());
    let time = seconds.ok_or_else(|| SigstoreError::IntegratedTime { reason: format!("{time}") })?;
    let evidence = check_signer(signer, rule, &[time])?;
    Ok(Attestation { payload: payload.to_vec(), evidence, has_log: true, log_indices: vec![log_index] })
}

/// Checks that the instance issued a certificate, that it was valid at this time, and that a log of certificates has it.
fn check_certificate(certificate: &Certificate, root: &TrustedRoot, time: UnixTime) -> Result<(), SigstoreError> {
    if time < certificate.not_before() {
        return Err(SigstoreError::OutOfValidity { time, validity: format!("from {}", certificate.not_before()) });
    }
    if time > certificate.not_after() {
        return Err(SigstoreError::OutOfValidity { time, validity: format!("until {}", certificate.not_after()) });
    }
    let path = validate(certificate, &[], &root.authorities_at(time), Purpose::SignModels, time)
        .map_err(|error| SigstoreError::Certificate { reason: error.to_string() })?;
    // Without certificates between the two, the anchor is who issued it.
    check_sct(certificate, path.anchor(), root.document())
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

#[cfg(test)]
mod tests {
    use std::path::Path;

    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    use serde_json::Value;

    use super::*;
    use crate::sigstore::Instance;

    /// A public certificate and the time of its entry; the library takes both in `tests/logged.rs`.
    fn public() -> Option<(Vec<u8>, UnixTime)> {
        let vectors = std::env::var_os("MODEL_SIGNING_VECTORS")?;
        let file = "slsa/github-generic-v2.1.0/binary-linux-amd64-push-v14.2.intoto.jsonl";
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(vectors).join(file);
        let bundle: Value = serde_json::from_slice(&std::fs::read(path).expect(file)).expect("JSON");
        let material = &bundle["verificationMaterial"];
        let certificate = material["certificate"]["rawBytes"].as_str().expect("a certificate");
        let time = material["tlogEntries"][0]["integratedTime"].as_str().and_then(|time| time.parse().ok());
        Some((STANDARD.decode(certificate).expect("Base64"), UnixTime(time.expect("a time"))))
    }

    #[test]
    fn a_public_certificate_holds_and_no_byte_of_it_can_be_another() {
        let Some((mut der, time)) = public() else {
            use std::io::Write;
            let _ = writeln!(std::io::stderr(), "skipped: MODEL_SIGNING_VECTORS is not set");
            return;
        };
        let root = TrustedRoot::embedded(Instance::Production);
        let check = |der: &[u8], time| {
            let certificate = Certificate::from_der(der).map_err(|error| error.to_string())?;
            check_certificate(&certificate, &root, time).map_err(|error| error.to_string())
        };
        check(&der, time).expect("it holds");
        for other in [time.0 - 3600, time.0 + 3600] {
            check(&der, UnixTime(other)).expect_err("it was not valid");
        }
        let certificate = Certificate::from_der(&der).expect("it is one");
        let intermediate = root.authorities_at(time);
        let issuer = intermediate.iter().find(|issuer| certificate.is_signed_by(issuer)).expect("there is one");
        // By itself, without the signature of the authority: what is in front of the list of timestamps, and in it.
        check_sct(&certificate, issuer, root.document()).expect("it holds");
        check_sct(&certificate, &certificate, root.document()).expect_err("another issuer");
        for place in (0..der.len()).step_by(3) {
            der[place] ^= 1;
            check(&der, time).expect_err("an altered certificate");
            // The signature of the authority is at the end, and no matter of the log's.
            if let Ok(altered) = Certificate::from_der(&der)
                && place < der.len() - 110
            {
                check_sct(&altered, issuer, root.document()).expect_err("an altered certificate");
            }
            der[place] ^= 1;
        }
    }
}
