//! §8.2: the signature holds under the given trust.

use std::sync::Arc;

use super::Verified;
use crate::compat;
use crate::envelope::{Bundle, FormatVersion, InvalidStatement, Material, Statement, pae};
use crate::key::{KeyAlgorithm, PublicKey, SignatureScheme};
use crate::trust::Trust;

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
    pub(super) fn parse(&self) -> Result<Statement, InvalidStatement> {
        let statement = Statement::from_payload(&self.bytes)?;
        if self.encoding == Encoding::V0_2 && statement.format() != FormatVersion::V0_2 {
            return Err(InvalidStatement::EncodingV0_2);
        }
        Ok(statement)
    }
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
    match (trust, bundle.material()) {
        (Trust::Key(key), Material::PublicKey { hint }) => check_key(bundle, key, hint.as_deref()),
        (Trust::Key(_), found @ (Material::CertificateChain(_) | Material::Certificate(_))) => {
            Err(SignatureError::Method { expected: trust.method(), found: found.method() })
        }
    }
}

fn check_key(bundle: &Bundle, key: &PublicKey, hint: Option<&str>) -> Result<Verified<SignedPayload>, SignatureError> {
    let (payload, signature) = (bundle.payload(), bundle.signature());
    let own_hint = key.hint();
    let misleading_hint = hint.filter(|hint| *hint != own_hint).map(str::to_owned);

    let dsse = key.verify(&pae(payload), signature).map(|scheme| (scheme, Encoding::Dsse));
    let holds = dsse.or_else(|| {
        key.verify_ecdsa_sha256(&compat::pae_v0_2(payload), signature).map(|scheme| (scheme, Encoding::V0_2))
    });
    // The signature decides; the hint only explains.
    let Some((scheme, encoding)) = holds else {
        return Err(match misleading_hint {
            Some(expected) => SignatureError::OtherKey { expected, found: own_hint },
            None => SignatureError::DoesNotVerify { algorithm: key.algorithm(), key: own_hint },
        });
    };
    let evidence = Evidence {
        key_algorithm: key.algorithm(),
        key_hint: own_hint,
        scheme,
        misleading_hint,
        unchecked_log_entries: bundle.log_entries(),
        unchecked_timestamps: bundle.timestamps(),
    };
    Ok(Verified { value: SignedPayload { bytes: Arc::clone(payload), encoding }, evidence })
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
}
