//! The `key` method: a private key, in a file or a device.

use super::{SignError, Signed, Signer};
use crate::envelope::Material;
use crate::key::SigningKey;
use crate::trust::Trust;

/// Signs with a private key (OMS §4.1, method `key`).
pub struct KeySigner<'a> {
    key: &'a dyn SigningKey,
}

impl<'a> KeySigner<'a> {
    /// A signer with this key.
    #[must_use]
    pub fn new(key: &'a dyn SigningKey) -> Self {
        Self { key }
    }
}

impl Signer for KeySigner<'_> {
    fn sign(&self, message: &[u8], _payload: &[u8]) -> Result<Signed, SignError> {
        let signature = self.key.sign(message)?;
        let key = self.key.public_key().clone();
        let material = Material::PublicKey { hint: Some(key.hint()) };
        Ok(Signed { signature, key, material })
    }

    fn trust(&self) -> Trust<'_> {
        Trust::key(self.key.public_key())
    }
}
