//! One stream of bytes, hashed in order.

use crate::{Digest, HashAlgorithm};

/// An incremental hasher of any algorithm of the registry.
pub struct Stream(Kind);

enum Kind {
    Sha256(aws_lc_rs::digest::Context),
    Blake2b(Box<blake2b_simd::State>),
    Blake3(Box<blake3::Hasher>),
}

impl Stream {
    /// Starts an empty stream.
    #[must_use]
    pub fn new(algorithm: HashAlgorithm) -> Self {
        Self(match algorithm {
            HashAlgorithm::Sha256 => Kind::Sha256(aws_lc_rs::digest::Context::new(&aws_lc_rs::digest::SHA256)),
            HashAlgorithm::Blake2b => Kind::Blake2b(Box::default()),
            HashAlgorithm::Blake3 => Kind::Blake3(Box::default()),
        })
    }

    /// Appends `bytes`.
    pub fn update(&mut self, bytes: &[u8]) {
        match &mut self.0 {
            Kind::Sha256(context) => context.update(bytes),
            Kind::Blake2b(state) => {
                state.update(bytes);
            }
            Kind::Blake3(hasher) => {
                hasher.update(bytes);
            }
        }
    }

    /// The digest of everything appended.
    #[must_use]
    pub fn finish(self) -> Digest {
        match self.0 {
            Kind::Sha256(context) => {
                let mut digest = [0; 32];
                digest.copy_from_slice(context.finish().as_ref());
                Digest::Sha256(digest)
            }
            Kind::Blake2b(state) => Digest::Blake2b(Box::new(*state.finalize().as_array())),
            Kind::Blake3(hasher) => Digest::Blake3(*hasher.finalize().as_bytes()),
        }
    }
}

impl HashAlgorithm {
    /// The digest of `bytes`.
    #[must_use]
    pub fn digest(self, bytes: &[u8]) -> Digest {
        let mut stream = Stream::new(self);
        stream.update(bytes);
        stream.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Published digests of `abc`: FIPS 180-4 B.1, RFC 7693 appendix A, the BLAKE3 reference.
    #[test]
    fn published_digests_are_reproduced() {
        let expected = [
            (HashAlgorithm::Sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
            (
                HashAlgorithm::Blake2b,
                "ba80a53f981c4d0d6a2797b69f12f6e94c212f14685ac4b74b12bb6fdbffa2d1\
                 7d87c5392aab792dc252d5de4533cc9518d38aa8dbf1925ab92386edd4009923",
            ),
            (HashAlgorithm::Blake3, "6437b3ac38465133ffb63b75273a8db548c558465d79db03fd359c6cd5bd9d85"),
        ];
        for (algorithm, hex) in expected {
            assert_eq!(algorithm.digest(b"abc").to_hex(), hex, "{algorithm}");
        }
    }
}
