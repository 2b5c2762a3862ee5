//! The keys of logs and issuers: made for each stack, kept in its folder.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::encoding::{AsDer, EcPrivateKeyRfc5915Der, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair};
use pem::Pem;

/// What a log signs with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum LogAlgorithm {
    /// As the public logs of Rekor v2 do.
    #[default]
    Ed25519,
    /// As the public logs of certificates do.
    EcdsaP256,
}

/// The public key of a log.
pub(super) struct LogKey {
    /// The key as DER (`SubjectPublicKeyInfo`).
    pub(super) der: Vec<u8>,
    algorithm: LogAlgorithm,
}

impl LogKey {
    /// Makes a key pair and writes the private key as PEM, in the form that every server reads.
    pub(super) fn generate(algorithm: LogAlgorithm, private_key: &Path) -> Result<Self> {
        const FAILED: &str = "cannot make a key";
        let (pem, der) = match algorithm {
            LogAlgorithm::Ed25519 => {
                let key = Ed25519KeyPair::generate().context(FAILED)?;
                let private = AsDer::<Pkcs8V1Der<'_>>::as_der(&key).context(FAILED)?;
                (Pem::new("PRIVATE KEY", private.as_ref()), public_der(key.public_key())?)
            }
            LogAlgorithm::EcdsaP256 => {
                let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).context(FAILED)?;
                // TesseraCT reads no PKCS#8.
                let private = AsDer::<EcPrivateKeyRfc5915Der<'_>>::as_der(&key.private_key()).context(FAILED)?;
                (Pem::new("EC PRIVATE KEY", private.as_ref()), public_der(key.public_key())?)
            }
        };
        fs::write(private_key, pem::encode(&pem)).with_context(|| format!("cannot write {}", private_key.display()))?;
        Ok(Self { der, algorithm })
    }

    /// What `PublicKeyDetails` calls the algorithm.
    pub(super) fn details(&self) -> &'static str {
        match self.algorithm {
            LogAlgorithm::Ed25519 => "PKIX_ED25519",
            LogAlgorithm::EcdsaP256 => "PKIX_ECDSA_P256_SHA_256",
        }
    }

    /// The ID of a log of certificates (RFC 6962 §3.2).
    pub(super) fn certificate_log_id(&self) -> Vec<u8> {
        sha256(&self.der)
    }

    /// The ID of a log of signatures: the whole hash whose first bytes are the key ID in its checkpoints
    /// (C2SP signed-note).
    pub(super) fn checkpoint_log_id(&self, origin: &str) -> Vec<u8> {
        match self.algorithm {
            LogAlgorithm::Ed25519 => {
                const RAW_BYTES: usize = 32;
                let raw = &self.der[self.der.len() - RAW_BYTES..];
                sha256(&[origin.as_bytes(), b"\n\x01", raw].concat())
            }
            LogAlgorithm::EcdsaP256 => sha256(&self.der),
        }
    }
}

/// The ECDSA P-256 key that an issuer signs tokens with (ES256).
pub(super) struct TokenKey(EcdsaKeyPair);

impl TokenKey {
    /// Makes a key and writes it to a file.
    pub(super) fn generate(path: &Path) -> Result<Self> {
        let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).context("cannot make a key")?;
        let pkcs8 = key.to_pkcs8v1().context("cannot write a key")?;
        fs::write(path, pkcs8.as_ref()).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(Self(key))
    }

    /// Reads the key that was written.
    pub(super) fn read(path: &Path) -> Result<Self> {
        let pkcs8 = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &pkcs8)
            .with_context(|| format!("{} is no key", path.display()))?;
        Ok(Self(key))
    }

    /// Signs, in the form of JWS (RFC 7518 §3.4).
    pub(super) fn sign(&self, message: &[u8]) -> Result<Vec<u8>> {
        let signature = self.0.sign(&SystemRandom::new(), message).context("cannot sign a token")?;
        Ok(signature.as_ref().to_vec())
    }

    /// The coordinates of the public key.
    pub(super) fn coordinates(&self) -> (&[u8], &[u8]) {
        // The first byte says that the point is uncompressed.
        let point = &self.0.public_key().as_ref()[1..];
        point.split_at(point.len() / 2)
    }
}

/// SHA-256.
pub(super) fn sha256(bytes: &[u8]) -> Vec<u8> {
    digest(&SHA256, bytes).as_ref().to_vec()
}

fn public_der<'a>(key: &impl AsDer<PublicKeyX509Der<'a>>) -> Result<Vec<u8>> {
    Ok(key.as_der().context("cannot write a public key")?.as_ref().to_vec())
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;

    use super::*;

    /// As the public trusted root has it.
    #[test]
    fn the_id_of_a_public_log_is_the_hash_of_its_name_and_key() {
        let der = STANDARD.decode("MCowBQYDK2VwAyEAt8rlp1knGwjfbcXAYPYAkn0XiLz1x8O4t0YkEhie244=").expect("base64");
        let key = LogKey { der, algorithm: LogAlgorithm::Ed25519 };
        let id = STANDARD.encode(key.checkpoint_log_id("log2025-1.rekor.sigstore.dev"));
        assert_eq!(id, "zxGZFVvd0FEmjR8WrFwMdcAJ9vtaY/QXf44Y1wUeP6A=");
    }
}
