//! Step 1: who signed a summary, in an envelope or in a bundle with one.

use std::sync::Arc;

use super::{TrustedKey, VsaError, list};
use crate::envelope::Bundle;
use crate::key::{KeyAlgorithm, SignatureHash};
use crate::provenance::dsse::{self, Envelope};
use crate::sigstore::{SignerRule, SigstoreEvidence, TrustedRoot, verify_attestation_by};
use crate::trust::{CertificateTrust, TimestampTrust, Trust};
use crate::verify::{Evidence, SignatureError, check_statement};

/// Whose summaries are believed.
#[derive(Clone, Copy, Debug)]
pub enum VerifierTrust<'a> {
    /// Those of a key. What a bundle has beside the envelope is not looked at.
    Key(TrustedKey<'a>),
    /// Those of whoever certain authorities certify.
    Certificates(CertificateTrust<'a>, TimestampTrust<'a>),
    /// Those of somebody for whom an identity provider vouches, to a Sigstore instance.
    Sigstore {
        /// The instance.
        root: &'a TrustedRoot,
        /// Who.
        signer: SignerRule<'a>,
    },
}

impl<'a> From<&TrustedKey<'a>> for VerifierTrust<'a> {
    fn from(key: &TrustedKey<'a>) -> Self {
        Self::Key(*key)
    }
}

/// Who signed a summary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SummarySigner {
    /// The key that was trusted.
    Key {
        /// Its kind.
        algorithm: KeyAlgorithm,
        /// Its fingerprint, as `publicKey.hint` has it.
        hint: String,
        /// The hash that it signs; none for Ed25519, which has its own.
        hash: Option<SignatureHash>,
    },
    /// Somebody with a certificate.
    Certificate(Box<Evidence>),
    /// Somebody for whom an identity provider vouched.
    Sigstore(Box<SigstoreEvidence>),
}

/// The payload of an attestation, if somebody who is trusted signed it.
pub(super) fn check(attestation: &[u8], trust: VerifierTrust<'_>) -> Result<(Vec<u8>, SummarySigner), VsaError> {
    if attestation.len() as u64 > dsse::MAX_ENVELOPE_BYTES {
        return Err(dsse::InvalidEnvelope::TooLarge.into());
    }
    let is_bundle = dsse::is_bundle(attestation);
    match trust {
        VerifierTrust::Key(key) => {
            let envelope = if is_bundle { Envelope::in_bundle(attestation) } else { Envelope::parse(attestation) };
            let payload = check_key(envelope?, &key)?;
            let (algorithm, hint) = (key.key().algorithm(), key.key().hint());
            Ok((payload, SummarySigner::Key { algorithm, hint, hash: key.hash() }))
        }
        VerifierTrust::Certificates(..) | VerifierTrust::Sigstore { .. } if !is_bundle => {
            // Something else than an envelope is found out about as such.
            Envelope::parse(attestation)?;
            Err(VsaError::NoCertificate)
        }
        VerifierTrust::Certificates(certificates, timestamps) => {
            let bundle = Bundle::parse_of_any_tool(attestation)?.with_certificate_chain();
            let verified = check_statement(&bundle, Trust::certificates(certificates).with_timestamps(timestamps))?;
            let signer = SummarySigner::Certificate(Box::new(verified.evidence().clone()));
            drop(bundle);
            Ok((Arc::unwrap_or_clone(verified.into_inner()), signer))
        }
        VerifierTrust::Sigstore { root, signer } => {
            let attestation = verify_attestation_by(attestation, root, signer).map_err(SignatureError::from)?;
            Ok((attestation.payload, SummarySigner::Sigstore(Box::new(attestation.evidence))))
        }
    }
}

fn check_key(envelope: Envelope, trusted: &TrustedKey<'_>) -> Result<Vec<u8>, VsaError> {
    let named = |id: &Option<String>| match (trusted.id(), id) {
        (Some(expected), Some(found)) => expected == found,
        (None, _) | (_, None) => true,
    };
    let message = envelope.signed_bytes();
    let mut tried = 0;
    for signature in envelope.signatures.iter().filter(|signature| named(&signature.key_id)) {
        if trusted.verifies(&message, &signature.signature) {
            return Ok(envelope.payload);
        }
        tried += 1;
    }
    match trusted.id() {
        Some(expected) if tried == 0 => Err(VsaError::KeyId {
            expected: expected.to_owned(),
            found: list(envelope.signatures.iter().filter_map(|signature| signature.key_id.as_deref())),
        }),
        _ => Err(VsaError::Signature { expected: trusted.to_string(), tried }),
    }
}
