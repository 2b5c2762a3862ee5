//! A key that signs, wherever it is.

use super::PublicKey;

/// A private key that can sign: one that was read from a file, or one that never leaves its device.
pub trait SigningKey {
    /// The public key that belongs to it.
    fn public_key(&self) -> &PublicKey;

    /// Signs `message` with the scheme that belongs to the key's algorithm: ECDSA (DER) with the hash of its curve, RSA
    /// PKCS#1 v1.5 with SHA-256, Ed25519.
    ///
    /// # Errors
    /// [`SigningFailed`]: what kept the key from signing.
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SigningFailed>;
}

/// Why a key did not sign.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct SigningFailed {
    reason: String,
}

impl SigningFailed {
    /// With what the library or device said.
    #[must_use]
    pub fn new(reason: impl Into<String>) -> Self {
        Self { reason: reason.into() }
    }
}
