//! Private keys: reading them from PEM, and signing.

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa;
use aws_lc_rs::signature::{self, EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair};
use pem::Pem;
use pkcs8::PrivateKeyInfoRef;
use pkcs8::der::{ErrorKind, Tag};
use zeroize::Zeroize;

use super::public::{
    EC_PUBLIC_KEY, ED25519, RSA_ENCRYPTION, curve, modulus_bits, no_named_curve, rsa_algorithm, unsupported,
};
use super::{InvalidKey, KeyAlgorithm, PublicKey, SigningFailed, SigningKey, encrypted, legacy_pem, pem_file};

/// A private key as its file has it, perhaps still encrypted.
pub struct PrivateKeyPem(Pem);

impl PrivateKeyPem {
    /// Finds the private key in a PEM file. An `EC PARAMETERS` block before it is passed over.
    ///
    /// # Errors
    /// [`InvalidKey`]: what was expected and what was found.
    pub fn parse(text: &[u8]) -> Result<Self, InvalidKey> {
        let is_private = |block: &Pem| {
            matches!(block.tag(), "PRIVATE KEY" | "ENCRYPTED PRIVATE KEY" | "EC PRIVATE KEY" | "RSA PRIVATE KEY")
        };
        pem_file::only(pem_file::key_blocks(text)?, "private key", is_private).map(Self)
    }

    /// Whether a password is needed.
    #[must_use]
    pub fn is_encrypted(&self) -> bool {
        self.0.tag() == "ENCRYPTED PRIVATE KEY" || legacy_pem::is_encrypted(&self.0)
    }

    /// The key, decrypted with `password` if it is encrypted. A password for a key that is not is ignored.
    ///
    /// # Errors
    /// [`InvalidKey`]: what was expected and what was found.
    pub fn into_key(self, password: Option<&[u8]>) -> Result<PrivateKey, InvalidKey> {
        if !self.is_encrypted() {
            return from_der(self.0.tag(), self.0.contents());
        }
        let password = password.ok_or(InvalidKey::PasswordNeeded)?;
        if self.0.tag() == "ENCRYPTED PRIVATE KEY" {
            let der = encrypted::decrypt(self.0.contents(), password)?;
            return from_der("PRIVATE KEY", &der);
        }
        let der = legacy_pem::decrypt(&self.0, password)?;
        // A wrong password leaves valid padding once in 256 times, and then the content is noise.
        from_der(self.0.tag(), &der).map_err(|error| match error {
            InvalidKey::Malformed(_) => InvalidKey::WrongPassword,
            other => other,
        })
    }
}

impl Drop for PrivateKeyPem {
    fn drop(&mut self) {
        std::mem::replace(&mut self.0, Pem::new("", Vec::new())).into_contents().zeroize();
    }
}

/// A private key that can sign.
pub struct PrivateKey {
    pair: Pair,
    public: PublicKey,
}

enum Pair {
    Ecdsa(EcdsaKeyPair),
    Rsa(rsa::KeyPair),
    Ed25519(Ed25519KeyPair),
}

impl SigningKey for PrivateKey {
    fn public_key(&self) -> &PublicKey {
        &self.public
    }

    /// The library refuses only if the operating system has no randomness.
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SigningFailed> {
        let failed = |_| SigningFailed::new("the cryptographic library failed to sign");
        let random = SystemRandom::new();
        match &self.pair {
            Pair::Ecdsa(pair) => {
                pair.sign(&random, message).map(|signature| signature.as_ref().to_vec()).map_err(failed)
            }
            Pair::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&signature::RSA_PKCS1_SHA256, &random, message, &mut signature).map_err(failed)?;
                Ok(signature)
            }
            Pair::Ed25519(pair) => Ok(pair.sign(message).as_ref().to_vec()),
        }
    }
}

impl std::fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PrivateKey").field("public", &self.public).finish_non_exhaustive()
    }
}

fn malformed(error: impl std::fmt::Display) -> InvalidKey {
    InvalidKey::Malformed(error.to_string())
}

/// The key in an unencrypted PEM block.
fn from_der(label: &str, der: &[u8]) -> Result<PrivateKey, InvalidKey> {
    match label {
        "EC PRIVATE KEY" => from_sec1(der),
        "RSA PRIVATE KEY" => from_rsa(rsa::KeyPair::from_der(der)),
        _ => from_pkcs8(der),
    }
}

fn from_pkcs8(der: &[u8]) -> Result<PrivateKey, InvalidKey> {
    let info = PrivateKeyInfoRef::try_from(der).map_err(malformed)?;
    match info.algorithm.oid {
        EC_PUBLIC_KEY => from_ec(curve(info.algorithm.parameters_oid().ok())?, der),
        RSA_ENCRYPTION => from_rsa(rsa::KeyPair::from_pkcs8(der)),
        ED25519 => {
            let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(der).map_err(malformed)?;
            let spki = pair.public_key().as_der().map_err(|_| malformed("its public key can't be computed"))?;
            let public = PublicKey::from_spki(spki.as_ref())?;
            Ok(PrivateKey { pair: Pair::Ed25519(pair), public })
        }
        other => Err(unsupported(other)),
    }
}

fn from_sec1(der: &[u8]) -> Result<PrivateKey, InvalidKey> {
    let key = sec1::EcPrivateKey::try_from(der).map_err(|error| match &error {
        // Explicit parameters stand where the curve's name is expected.
        sec1::Error::Asn1(asn1) if is_sequence_for_name(asn1.kind()) => no_named_curve(),
        _ => malformed(error),
    })?;
    let algorithm = match key.parameters {
        Some(parameters) => curve(parameters.named_curve())?,
        // The curve is optional in SEC1; the length of the number tells the three apart.
        None => match key.private_key.len() {
            32 => KeyAlgorithm::EcdsaP256,
            48 => KeyAlgorithm::EcdsaP384,
            66 => KeyAlgorithm::EcdsaP521,
            _ => curve(None)?,
        },
    };
    from_ec(algorithm, der)
}

fn is_sequence_for_name(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::TagUnexpected { expected: Some(Tag::ObjectIdentifier), actual: Tag::Sequence })
}

fn from_ec(algorithm: KeyAlgorithm, der: &[u8]) -> Result<PrivateKey, InvalidKey> {
    let signing: &'static EcdsaSigningAlgorithm = match algorithm {
        KeyAlgorithm::EcdsaP384 => &signature::ECDSA_P384_SHA384_ASN1_SIGNING,
        KeyAlgorithm::EcdsaP521 => &signature::ECDSA_P521_SHA512_ASN1_SIGNING,
        _ => &signature::ECDSA_P256_SHA256_ASN1_SIGNING,
    };
    let pair = EcdsaKeyPair::from_private_key_der(signing, der).map_err(malformed)?;
    let spki = pair.public_key().as_der().map_err(|_| malformed("its public key can't be computed"))?;
    let public = PublicKey::from_spki(spki.as_ref())?;
    Ok(PrivateKey { pair: Pair::Ecdsa(pair), public })
}

fn from_rsa(pair: Result<rsa::KeyPair, aws_lc_rs::error::KeyRejected>) -> Result<PrivateKey, InvalidKey> {
    let pair = pair.map_err(|error| match error.to_string().as_str() {
        // The library refuses by size before the size can be read.
        "TooSmall" => InvalidKey::UnsupportedAlgorithm { found: "an RSA key of fewer than 2048 bits".to_owned() },
        "TooLarge" => InvalidKey::UnsupportedAlgorithm { found: "an RSA key of more than 8192 bits".to_owned() },
        other => InvalidKey::Malformed(other.to_owned()),
    })?;
    rsa_algorithm(modulus_bits(pair.public_key().modulus().big_endian_without_leading_zero()))?;
    let spki = pair.public_key().as_der().map_err(|_| malformed("its public key can't be computed"))?;
    let public = PublicKey::from_spki(spki.as_ref())?;
    Ok(PrivateKey { pair: Pair::Rsa(pair), public })
}
