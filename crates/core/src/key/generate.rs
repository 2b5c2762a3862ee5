//! Making key pairs.

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa;
use aws_lc_rs::signature::{self, EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair};
use pem::{EncodeConfig, LineEnding, Pem};
use pkcs8::PrivateKeyInfoRef;
use pkcs8::pkcs5::pbes2;
use zeroize::Zeroizing;

use super::{KeyAlgorithm, PrivateKeyPem, PublicKey, SigningKey as _};

/// PBKDF2-HMAC-SHA-256 iterations for a new encrypted key.
const PBKDF2_ITERATIONS: u32 = 600_000;

/// Makes a key pair: the private key as PEM (PKCS#8, encrypted if there is a password) and the public key.
///
/// # Errors
/// [`GenerateError`] if the algorithm is not one that keys are made for, or the operating system has no randomness.
pub fn generate(
    algorithm: KeyAlgorithm,
    password: Option<&[u8]>,
) -> Result<(Zeroizing<String>, PublicKey), GenerateError> {
    let der = Zeroizing::new(match algorithm {
        KeyAlgorithm::EcdsaP256 => ecdsa(&signature::ECDSA_P256_SHA256_ASN1_SIGNING)?,
        KeyAlgorithm::EcdsaP384 => ecdsa(&signature::ECDSA_P384_SHA384_ASN1_SIGNING)?,
        KeyAlgorithm::EcdsaP521 => ecdsa(&signature::ECDSA_P521_SHA512_ASN1_SIGNING)?,
        KeyAlgorithm::Ed25519 => {
            let pair = Ed25519KeyPair::generate().map_err(|_| GenerateError::Library)?;
            pair.to_pkcs8v1().map_err(|_| GenerateError::Library)?.as_ref().to_vec()
        }
        KeyAlgorithm::Rsa { bits } => {
            let size = match bits {
                2048 => rsa::KeySize::Rsa2048,
                3072 => rsa::KeySize::Rsa3072,
                4096 => rsa::KeySize::Rsa4096,
                _ => return Err(GenerateError::RsaSize { bits }),
            };
            let pair = rsa::KeyPair::generate(size).map_err(|_| GenerateError::Library)?;
            AsDer::<Pkcs8V1Der<'_>>::as_der(&pair).map_err(|_| GenerateError::Library)?.as_ref().to_vec()
        }
    });
    let pem = match password {
        None => encode("PRIVATE KEY", &der),
        Some(password) => encode("ENCRYPTED PRIVATE KEY", &encrypt(&der, password)?),
    };
    let parsed = PrivateKeyPem::parse(pem.as_bytes()).and_then(|key| key.into_key(password));
    let public = parsed.map_err(|_| GenerateError::Library)?.public_key().clone();
    Ok((pem, public))
}

fn ecdsa(algorithm: &'static EcdsaSigningAlgorithm) -> Result<Vec<u8>, GenerateError> {
    let pair = EcdsaKeyPair::generate(algorithm).map_err(|_| GenerateError::Library)?;
    Ok(pair.to_pkcs8v1().map_err(|_| GenerateError::Library)?.as_ref().to_vec())
}

fn encrypt(der: &[u8], password: &[u8]) -> Result<Vec<u8>, GenerateError> {
    let mut salt = [0; 16];
    let mut iv = [0; 16];
    aws_lc_rs::rand::fill(&mut salt).map_err(|_| GenerateError::Library)?;
    aws_lc_rs::rand::fill(&mut iv).map_err(|_| GenerateError::Library)?;
    let parameters = pbes2::Parameters::generate_pbkdf2_sha256_aes256cbc(PBKDF2_ITERATIONS, &salt, iv);
    let info = PrivateKeyInfoRef::try_from(der).map_err(|_| GenerateError::Library)?;
    let parameters = parameters.map_err(|_| GenerateError::Library)?;
    let encrypted = info.encrypt_with_params(parameters, password).map_err(|_| GenerateError::Library)?;
    Ok(encrypted.as_bytes().to_vec())
}

fn encode(label: &str, der: &[u8]) -> Zeroizing<String> {
    let config = EncodeConfig::new().set_line_ending(LineEnding::LF);
    Zeroizing::new(pem::encode_config(&Pem::new(label, der), config))
}

/// Why no key was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GenerateError {
    /// RSA keys are made in three sizes.
    #[error("RSA keys are made with 2048, 3072 or 4096 bits, not {bits}")]
    RsaSize {
        /// What was asked for.
        bits: usize,
    },
    /// The cryptographic library failed.
    #[error("the cryptographic library failed to make a key")]
    Library,
}
