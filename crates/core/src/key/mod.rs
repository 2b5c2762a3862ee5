//! Keys: the algorithms, reading them from PEM, making them, signing and checking with them.

mod encrypted;
mod generate;
mod legacy_pem;
mod pem_file;
mod private;
mod public;
mod signing;
mod with_hash;

pub use generate::{GenerateError, generate};
pub(crate) use pem_file::blocks as pem_blocks;
pub use private::{PrivateKey, PrivateKeyPem};
pub use public::{PublicKey, SignatureScheme};
pub use signing::{SigningFailed, SigningKey};
pub use with_hash::SignatureHash;

/// A kind of key, and with it the signature algorithm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyAlgorithm {
    /// ECDSA on P-256 with SHA-256.
    EcdsaP256,
    /// ECDSA on P-384 with SHA-384.
    EcdsaP384,
    /// ECDSA on P-521 with SHA-512.
    EcdsaP521,
    /// RSA PKCS#1 v1.5 with SHA-256.
    Rsa {
        /// The length of the modulus: 2048 to 4096.
        bits: usize,
    },
    /// Ed25519.
    Ed25519,
}

impl std::fmt::Display for KeyAlgorithm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::EcdsaP256 => f.write_str("ECDSA P-256"),
            Self::EcdsaP384 => f.write_str("ECDSA P-384"),
            Self::EcdsaP521 => f.write_str("ECDSA P-521"),
            Self::Rsa { bits } => write!(f, "RSA {bits}"),
            Self::Ed25519 => f.write_str("Ed25519"),
        }
    }
}

/// The shortest RSA modulus that is accepted, in bits.
const RSA_MIN_BITS: usize = 2048;
/// The longest RSA modulus that is accepted, in bits.
const RSA_MAX_BITS: usize = 4096;

/// Why a text is not a key that can be used.
#[derive(Debug, thiserror::Error)]
pub enum InvalidKey {
    /// The text is too long for a key.
    #[error("expected a key of at most {} bytes", pem_file::MAX_KEY_BYTES)]
    TooLarge,
    /// There is no PEM block.
    #[error("expected PEM (`-----BEGIN …-----`), found none")]
    NotPem,
    /// A PEM block is broken.
    #[error("the PEM is broken: {0}")]
    Pem(#[source] pem::PemError),
    /// A PEM block begins and does not end.
    #[error("the PEM is broken: a block begins and does not end")]
    Unfinished,
    /// There is no block of the kind that is needed.
    #[error("expected a {expected}, found {found}")]
    WrongKind {
        /// What is needed.
        expected: &'static str,
        /// What there is.
        found: String,
    },
    /// There is more than one key.
    #[error("expected one {expected}, found {found}")]
    Several {
        /// What is needed.
        expected: &'static str,
        /// How many there are.
        found: usize,
    },
    /// The key is encrypted and no password was given.
    #[error("the private key is encrypted, and no password was given")]
    PasswordNeeded,
    /// The password does not decrypt the key, or the key is broken: its format can't tell.
    #[error("the private key can't be decrypted: the password is wrong, or the file is broken")]
    WrongPassword,
    /// The encryption is one that is not supported.
    #[error("the private key's encryption is not supported: {0}")]
    UnsupportedEncryption(String),
    /// The key's algorithm is not supported.
    #[error("expected an ECDSA (P-256, P-384, P-521), RSA (2048 to 4096 bits) or Ed25519 key, found {found}")]
    UnsupportedAlgorithm {
        /// What was found.
        found: String,
    },
    /// The key is broken.
    #[error("the key is broken: {0}")]
    Malformed(String),
}
