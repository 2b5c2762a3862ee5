//! What a token is asked to sign with, and what of it a verifier can read.

use aws_lc_rs::digest::{self, SHA256, SHA384, SHA512};
use cryptoki::mechanism::Mechanism;
use model_transparency::key::KeyAlgorithm;
use pkcs8::der::Encode;
use pkcs8::der::asn1::UintRef;

/// DER of `DigestInfo` for SHA-256, up to the digest (RFC 8017 §9.2).
const SHA256_DIGEST_INFO: [u8; 19] =
    [0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20];

/// How a key of a token signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scheme {
    EcdsaP256,
    EcdsaP384,
    EcdsaP521,
    RsaPkcs1Sha256,
}

impl Scheme {
    /// The scheme of a key, if it is one that tokens sign with.
    pub(super) fn of(algorithm: KeyAlgorithm) -> Option<Self> {
        match algorithm {
            KeyAlgorithm::EcdsaP256 => Some(Self::EcdsaP256),
            KeyAlgorithm::EcdsaP384 => Some(Self::EcdsaP384),
            KeyAlgorithm::EcdsaP521 => Some(Self::EcdsaP521),
            KeyAlgorithm::Rsa { .. } => Some(Self::RsaPkcs1Sha256),
            KeyAlgorithm::Ed25519 => None,
        }
    }

    /// The mechanism for a message that was hashed here: a payload may have 100 MB, and tokens are slow.
    pub(super) fn of_digest(self) -> Mechanism<'static> {
        match self {
            Self::EcdsaP256 | Self::EcdsaP384 | Self::EcdsaP521 => Mechanism::Ecdsa,
            Self::RsaPkcs1Sha256 => Mechanism::RsaPkcs,
        }
    }

    /// The mechanism for a message that the token hashes itself.
    pub(super) fn of_message(self) -> Mechanism<'static> {
        match self {
            Self::EcdsaP256 => Mechanism::EcdsaSha256,
            Self::EcdsaP384 => Mechanism::EcdsaSha384,
            Self::EcdsaP521 => Mechanism::EcdsaSha512,
            Self::RsaPkcs1Sha256 => Mechanism::Sha256RsaPkcs,
        }
    }

    /// What [`Self::of_digest`] is given.
    pub(super) fn digest(self, message: &[u8]) -> Vec<u8> {
        match self {
            Self::EcdsaP256 => digest::digest(&SHA256, message).as_ref().to_vec(),
            Self::EcdsaP384 => digest::digest(&SHA384, message).as_ref().to_vec(),
            Self::EcdsaP521 => digest::digest(&SHA512, message).as_ref().to_vec(),
            Self::RsaPkcs1Sha256 => [&SHA256_DIGEST_INFO, digest::digest(&SHA256, message).as_ref()].concat(),
        }
    }

    /// A signature as bundles have it: ECDSA in DER, where tokens give r and s side by side.
    pub(super) fn encode(self, signature: Vec<u8>) -> Option<Vec<u8>> {
        match self {
            Self::RsaPkcs1Sha256 => Some(signature),
            Self::EcdsaP256 | Self::EcdsaP384 | Self::EcdsaP521 => {
                let (r, s) = signature.split_at_checked(signature.len() / 2).filter(|(r, s)| r.len() == s.len())?;
                [UintRef::new(r).ok()?, UintRef::new(s).ok()?].to_der().ok()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_numbers_become_der() {
        let encode = |signature: &[u8]| Scheme::EcdsaP256.encode(signature.to_vec());
        // Leading zeros go; one comes back where the number would be negative.
        assert_eq!(encode(&[0, 1, 0x80, 2]), Some(vec![0x30, 8, 2, 1, 1, 2, 3, 0, 0x80, 2]));
        assert_eq!(encode(&[0, 0, 0, 0]), Some(vec![0x30, 6, 2, 1, 0, 2, 1, 0]));
        assert_eq!(encode(&[1, 2, 3]), None);
        let long = Scheme::EcdsaP521.encode(vec![0xff; 132]).expect("DER");
        assert_eq!(long[..3], [0x30, 0x81, 138]);
    }
}
