//! The algorithms of the OMS registry and their digests.

use std::fmt;

/// A file hashing algorithm of the OMS algorithm registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum HashAlgorithm {
    /// SHA-256 (FIPS 180-4), 32 bytes.
    Sha256,
    /// BLAKE2b (RFC 7693), unkeyed, 64 bytes.
    Blake2b,
    /// BLAKE3, unkeyed, 32 bytes.
    Blake3,
}

impl HashAlgorithm {
    /// Every algorithm, the default first.
    pub const ALL: [Self; 3] = [Self::Sha256, Self::Blake2b, Self::Blake3];

    /// The identifier of the OMS algorithm registry.
    #[must_use]
    pub const fn identifier(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            Self::Blake2b => "blake2b",
            Self::Blake3 => "blake3",
        }
    }

    /// The algorithm with this registry identifier, if there is one.
    #[must_use]
    pub fn from_identifier(identifier: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.identifier() == identifier)
    }

    /// Length of a digest in bytes.
    #[must_use]
    pub const fn digest_length_bytes(self) -> usize {
        match self {
            Self::Sha256 | Self::Blake3 => 32,
            Self::Blake2b => 64,
        }
    }
}

impl fmt::Display for HashAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.identifier())
    }
}

/// The digest of a byte range, with the algorithm that made it.
#[derive(Clone, PartialEq, Eq, Hash)]
pub enum Digest {
    /// A SHA-256 digest.
    Sha256([u8; 32]),
    /// A BLAKE2b digest; boxed so that a million SHA-256 digests stay small.
    Blake2b(Box<[u8; 64]>),
    /// A BLAKE3 digest.
    Blake3([u8; 32]),
}

impl Digest {
    /// The algorithm that made this digest.
    #[must_use]
    pub const fn algorithm(&self) -> HashAlgorithm {
        match self {
            Self::Sha256(_) => HashAlgorithm::Sha256,
            Self::Blake2b(_) => HashAlgorithm::Blake2b,
            Self::Blake3(_) => HashAlgorithm::Blake3,
        }
    }

    /// The raw digest.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Sha256(bytes) | Self::Blake3(bytes) => bytes,
            Self::Blake2b(bytes) => bytes.as_slice(),
        }
    }

    /// The digest in lowercase hexadecimal.
    #[must_use]
    pub fn to_hex(&self) -> String {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut hex = vec![0; self.as_bytes().len() * 2];
        for (pair, byte) in hex.chunks_exact_mut(2).zip(self.as_bytes()) {
            pair[0] = DIGITS[usize::from(byte >> 4)];
            pair[1] = DIGITS[usize::from(byte & 15)];
        }
        String::from_utf8(hex).expect("digits are ASCII")
    }

    /// Reads a digest of `algorithm` from lowercase hexadecimal.
    ///
    /// # Errors
    /// [`InvalidDigest`] if the length is not the algorithm's or a character is not one of `0-9a-f`.
    pub fn from_hex(algorithm: HashAlgorithm, hex: &str) -> Result<Self, InvalidDigest> {
        let expected = algorithm.digest_length_bytes() * 2;
        if hex.len() != expected {
            return Err(InvalidDigest::Length { algorithm, expected, found: hex.len() });
        }
        let mut bytes = [0u8; 64];
        for (byte, pair) in bytes.iter_mut().zip(hex.as_bytes().chunks_exact(2)) {
            let (Some(high), Some(low)) = (nibble(pair[0]), nibble(pair[1])) else {
                return Err(InvalidDigest::NotLowercaseHex { algorithm });
            };
            *byte = high << 4 | low;
        }
        let mut short = [0u8; 32];
        short.copy_from_slice(&bytes[..32]);
        Ok(match algorithm {
            HashAlgorithm::Sha256 => Self::Sha256(short),
            HashAlgorithm::Blake2b => Self::Blake2b(Box::new(bytes)),
            HashAlgorithm::Blake3 => Self::Blake3(short),
        })
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.algorithm(), self.to_hex())
    }
}

/// Why a text is not a digest.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidDigest {
    /// The number of hexadecimal digits is not the algorithm's.
    #[error("a {algorithm} digest has {expected} hexadecimal digits, found {found}")]
    Length {
        /// The algorithm that the digest claims.
        algorithm: HashAlgorithm,
        /// Digits that the algorithm's digest has.
        expected: usize,
        /// Bytes found.
        found: usize,
    },
    /// A character other than `0-9a-f`.
    #[error("a {algorithm} digest is written in the digits 0-9 and a-f, found another character")]
    NotLowercaseHex {
        /// The algorithm that the digest claims.
        algorithm: HashAlgorithm,
    },
}

const fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_round_trips_for_every_algorithm() {
        for algorithm in HashAlgorithm::ALL {
            let hex = "0f".repeat(algorithm.digest_length_bytes());
            let digest = Digest::from_hex(algorithm, &hex).expect("valid digest");
            assert_eq!(digest.to_hex(), hex);
            assert_eq!(digest.algorithm(), algorithm);
            assert_eq!(HashAlgorithm::from_identifier(algorithm.identifier()), Some(algorithm));
        }
    }

    #[test]
    fn wrong_length_uppercase_and_multibyte_digests_are_refused() {
        let short = Digest::from_hex(HashAlgorithm::Sha256, "00");
        assert!(matches!(short, Err(InvalidDigest::Length { expected: 64, found: 2, .. })));
        let long = Digest::from_hex(HashAlgorithm::Sha256, &"00".repeat(64));
        assert!(matches!(long, Err(InvalidDigest::Length { found: 128, .. })));
        for bad in ["AB".repeat(32), "é".repeat(32), " 0".repeat(32)] {
            assert_eq!(
                Digest::from_hex(HashAlgorithm::Sha256, &bad),
                Err(InvalidDigest::NotLowercaseHex { algorithm: HashAlgorithm::Sha256 })
            );
        }
    }
}
