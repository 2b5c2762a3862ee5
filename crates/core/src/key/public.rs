//! Public keys and what they verify.

use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::rsa;
use aws_lc_rs::signature::{self, ParsedPublicKey, UnparsedPublicKey, VerificationAlgorithm};
use ed25519_dalek::{Signature as EdSignature, VerifyingKey};
use model_hash::HashAlgorithm;
use pem::{EncodeConfig, LineEnding, Pem};
use pkcs8::ObjectIdentifier;
use pkcs8::spki::SubjectPublicKeyInfoRef;
use sha2::{Digest as _, Sha512};

use super::{InvalidKey, KeyAlgorithm, RSA_MAX_BITS, RSA_MIN_BITS, pem_file};

pub(super) const EC_PUBLIC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
pub(super) const RSA_ENCRYPTION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
pub(super) const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");
const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
const P384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");
const P521: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.35");

/// The label of a bare RSA key.
const PKCS1: &str = "RSA PUBLIC KEY";

/// A public key that is trusted because somebody says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey {
    algorithm: KeyAlgorithm,
    /// SubjectPublicKeyInfo, DER.
    spki: Vec<u8>,
    /// The subject public key itself, as the signature library takes it.
    raw: Vec<u8>,
}

/// Which of the schemes that a key can be used with a signature was made with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignatureScheme {
    /// ECDSA with the hash that belongs to the curve.
    Ecdsa,
    /// ECDSA with SHA-256 whatever the curve, as model_signing v0.2.0 used it.
    EcdsaSha256,
    /// RSA PKCS#1 v1.5 with SHA-256.
    RsaPkcs1Sha256,
    /// Ed25519 over the message.
    Ed25519,
    /// Ed25519ph: over the SHA-512 of the message, with an empty context, as the Go client writes it.
    Ed25519ph,
}

impl PublicKey {
    /// Reads a PEM `PUBLIC KEY` (SubjectPublicKeyInfo), or the `RSA PUBLIC KEY` of PKCS#1.
    ///
    /// # Errors
    /// [`InvalidKey`]: what was expected and what was found.
    pub fn from_pem(text: &[u8]) -> Result<Self, InvalidKey> {
        let is_public = |block: &Pem| matches!(block.tag(), "PUBLIC KEY" | PKCS1);
        let block = pem_file::only(pem_file::key_blocks(text)?, "public key", is_public)?;
        if block.tag() == PKCS1 {
            Self::from_raw(rsa(block.contents())?, block.contents())
        } else {
            Self::from_spki(block.contents())
        }
    }

    /// Reads a SubjectPublicKeyInfo in DER.
    ///
    /// # Errors
    /// [`InvalidKey`]: what was expected and what was found.
    pub fn from_spki(der: &[u8]) -> Result<Self, InvalidKey> {
        let info = SubjectPublicKeyInfoRef::try_from(der).map_err(malformed)?;
        let raw = info.subject_public_key.raw_bytes();
        let algorithm = match info.algorithm.oid {
            EC_PUBLIC_KEY => curve(info.algorithm.parameters_oid().ok())?,
            RSA_ENCRYPTION => rsa(raw)?,
            ED25519 => KeyAlgorithm::Ed25519,
            other => return Err(unsupported(other)),
        };
        Self::from_raw(algorithm, raw)
    }

    /// A key of its subject public key alone. Refuses bytes that are none; else every signature would merely fail to
    /// verify.
    fn from_raw(algorithm: KeyAlgorithm, raw: &[u8]) -> Result<Self, InvalidKey> {
        let broken = || InvalidKey::Malformed(format!("it is not a public key of {algorithm}"));
        if algorithm == KeyAlgorithm::Ed25519 {
            let bytes = raw.try_into().map_err(|_| broken())?;
            // A key of small order accepts signatures that nobody made.
            if VerifyingKey::from_bytes(bytes).map_err(|_| broken())?.is_weak() {
                return Err(broken());
            }
        }
        let parsed = ParsedPublicKey::new(verification(algorithm), raw).map_err(|_| broken())?;
        // One spelling for each key, so one hint: points uncompressed, parameters as they are usually written.
        let spki = AsDer::<PublicKeyX509Der<'_>>::as_der(&parsed).map_err(|_| broken())?.as_ref().to_vec();
        let raw = SubjectPublicKeyInfoRef::try_from(spki.as_slice()).map_err(malformed)?.subject_public_key.raw_bytes();
        Ok(Self { algorithm, raw: raw.to_vec(), spki })
    }

    /// The kind of key.
    #[must_use]
    pub fn algorithm(&self) -> KeyAlgorithm {
        self.algorithm
    }

    /// The subject public key itself.
    pub(crate) fn raw_bytes(&self) -> &[u8] {
        &self.raw
    }

    /// The key as PEM with a final newline.
    #[must_use]
    pub fn to_pem(&self) -> String {
        let config = EncodeConfig::new().set_line_ending(LineEnding::LF);
        pem::encode_config(&Pem::new("PUBLIC KEY", self.spki.clone()), config)
    }

    /// The key as SubjectPublicKeyInfo, DER.
    #[must_use]
    pub fn spki_der(&self) -> &[u8] {
        &self.spki
    }

    /// What `publicKey.hint` says for this key: the hex SHA-256 of [`Self::to_pem`].
    #[must_use]
    pub fn hint(&self) -> String {
        HashAlgorithm::Sha256.digest(self.to_pem().as_bytes()).to_hex()
    }

    /// The scheme with which `signature` over `message` verifies, if there is one.
    #[must_use]
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> Option<SignatureScheme> {
        if UnparsedPublicKey::new(verification(self.algorithm), &self.raw).verify(message, signature).is_ok() {
            return Some(match self.algorithm {
                KeyAlgorithm::EcdsaP256 | KeyAlgorithm::EcdsaP384 | KeyAlgorithm::EcdsaP521 => SignatureScheme::Ecdsa,
                KeyAlgorithm::Rsa { .. } => SignatureScheme::RsaPkcs1Sha256,
                KeyAlgorithm::Ed25519 => SignatureScheme::Ed25519,
            });
        }
        (self.algorithm == KeyAlgorithm::Ed25519 && self.verify_prehashed(message, signature))
            .then_some(SignatureScheme::Ed25519ph)
    }

    /// As [`Self::verify`] with SHA-256 on every curve; for `compat` alone.
    pub(crate) fn verify_ecdsa_sha256(&self, message: &[u8], signature: &[u8]) -> Option<SignatureScheme> {
        let algorithm: &dyn VerificationAlgorithm = match self.algorithm {
            KeyAlgorithm::EcdsaP256 => &signature::ECDSA_P256_SHA256_ASN1,
            KeyAlgorithm::EcdsaP384 => &signature::ECDSA_P384_SHA256_ASN1,
            KeyAlgorithm::EcdsaP521 => &signature::ECDSA_P521_SHA256_ASN1,
            KeyAlgorithm::Rsa { .. } | KeyAlgorithm::Ed25519 => return None,
        };
        let holds = UnparsedPublicKey::new(algorithm, &self.raw).verify(message, signature).is_ok();
        holds.then_some(SignatureScheme::EcdsaSha256)
    }

    fn verify_prehashed(&self, message: &[u8], signature: &[u8]) -> bool {
        let (Ok(key), Ok(signature)) = (self.raw.as_slice().try_into(), EdSignature::from_slice(signature)) else {
            return false;
        };
        VerifyingKey::from_bytes(key)
            .is_ok_and(|key| key.verify_prehashed_strict(Sha512::new_with_prefix(message), None, &signature).is_ok())
    }
}

fn verification(algorithm: KeyAlgorithm) -> &'static dyn VerificationAlgorithm {
    match algorithm {
        KeyAlgorithm::EcdsaP256 => &signature::ECDSA_P256_SHA256_ASN1,
        KeyAlgorithm::EcdsaP384 => &signature::ECDSA_P384_SHA384_ASN1,
        KeyAlgorithm::EcdsaP521 => &signature::ECDSA_P521_SHA512_ASN1,
        KeyAlgorithm::Rsa { .. } => &signature::RSA_PKCS1_2048_8192_SHA256,
        KeyAlgorithm::Ed25519 => &signature::ED25519,
    }
}

fn malformed(error: impl std::fmt::Display) -> InvalidKey {
    InvalidKey::Malformed(error.to_string())
}

/// The algorithm of the RSA key in these bytes (PKCS#1, DER).
fn rsa(der: &[u8]) -> Result<KeyAlgorithm, InvalidKey> {
    let key = rsa::PublicKey::from_der(der).map_err(malformed)?;
    rsa_algorithm(modulus_bits(key.modulus().big_endian_without_leading_zero()))
}

/// The algorithm of an EC key on the curve with this object identifier.
pub(super) fn curve(oid: Option<ObjectIdentifier>) -> Result<KeyAlgorithm, InvalidKey> {
    match oid {
        Some(P256) => Ok(KeyAlgorithm::EcdsaP256),
        Some(P384) => Ok(KeyAlgorithm::EcdsaP384),
        Some(P521) => Ok(KeyAlgorithm::EcdsaP521),
        Some(other) => Err(InvalidKey::UnsupportedAlgorithm { found: format!("an EC key on curve {other}") }),
        None => Err(no_named_curve()),
    }
}

/// The error for an EC key whose curve is spelled out, or missing.
pub(super) fn no_named_curve() -> InvalidKey {
    InvalidKey::UnsupportedAlgorithm { found: "an EC key without a named curve".to_owned() }
}

/// The algorithm of an RSA key of this size, if it is one that is accepted.
pub(super) fn rsa_algorithm(bits: usize) -> Result<KeyAlgorithm, InvalidKey> {
    if (RSA_MIN_BITS..=RSA_MAX_BITS).contains(&bits) {
        Ok(KeyAlgorithm::Rsa { bits })
    } else {
        Err(InvalidKey::UnsupportedAlgorithm { found: format!("an RSA key of {bits} bits") })
    }
}

/// The number of bits of a big-endian number without leading zero bytes.
pub(super) fn modulus_bits(modulus: &[u8]) -> usize {
    modulus.first().map_or(0, |first| modulus.len() * 8 - first.leading_zeros() as usize)
}

/// The error for an algorithm that is not supported.
pub(super) fn unsupported(oid: ObjectIdentifier) -> InvalidKey {
    let found = match oid.to_string().as_str() {
        "1.2.840.113549.1.1.10" => "an RSA-PSS key".to_owned(),
        "1.2.840.10040.4.1" => "a DSA key".to_owned(),
        "1.3.101.110" => "an X25519 key".to_owned(),
        "1.3.101.111" => "an X448 key".to_owned(),
        "1.3.101.113" => "an Ed448 key".to_owned(),
        other => format!("a key of algorithm {other}"),
    };
    InvalidKey::UnsupportedAlgorithm { found }
}
