//! The instance's own keys.

use aws_lc_rs::digest;
use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_ASN1_SIGNING, EcdsaKeyPair,
    EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair,
};
use der::asn1::ObjectIdentifier;

/// Which algorithm a key is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyKind {
    /// ECDSA on P-256 with SHA-256.
    EcdsaP256,
    /// ECDSA on P-384 with SHA-384.
    EcdsaP384,
    /// Ed25519.
    Ed25519,
}

/// A private key. Its signatures of ECDSA are DER.
pub(crate) struct Key {
    kind: KeyKind,
    pair: Pair,
    spki: Vec<u8>,
}

enum Pair {
    Ecdsa(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

impl Key {
    pub(crate) fn generate(kind: KeyKind) -> Self {
        match kind {
            KeyKind::EcdsaP256 => Self::ecdsa(kind, &ECDSA_P256_SHA256_ASN1_SIGNING),
            KeyKind::EcdsaP384 => Self::ecdsa(kind, &ECDSA_P384_SHA384_ASN1_SIGNING),
            KeyKind::Ed25519 => {
                let pair = Ed25519KeyPair::generate().expect("a key");
                let spki = AsDer::<PublicKeyX509Der>::as_der(pair.public_key()).expect("DER").as_ref().to_vec();
                Self { kind, pair: Pair::Ed25519(pair), spki }
            }
        }
    }

    /// A key on P-256 whose signatures are two numbers of 32 bytes, as in a JSON Web Token.
    pub(crate) fn generate_for_tokens() -> Self {
        Self::ecdsa(KeyKind::EcdsaP256, &ECDSA_P256_SHA256_FIXED_SIGNING)
    }

    fn ecdsa(kind: KeyKind, algorithm: &'static EcdsaSigningAlgorithm) -> Self {
        let pair = EcdsaKeyPair::generate(algorithm).expect("a key");
        let spki = AsDer::<PublicKeyX509Der>::as_der(pair.public_key()).expect("DER").as_ref().to_vec();
        Self { kind, pair: Pair::Ecdsa(pair), spki }
    }

    pub(crate) fn kind(&self) -> KeyKind {
        self.kind
    }

    pub(crate) fn sign(&self, message: &[u8]) -> Vec<u8> {
        match &self.pair {
            Pair::Ecdsa(pair) => pair.sign(&SystemRandom::new(), message).expect("a signature").as_ref().to_vec(),
            Pair::Ed25519(pair) => pair.sign(message).as_ref().to_vec(),
        }
    }

    /// The `SubjectPublicKeyInfo`, DER.
    pub(crate) fn spki(&self) -> &[u8] {
        &self.spki
    }

    /// The public key alone: 32 bytes of Ed25519, or a point that is not compressed.
    pub(crate) fn public_bytes(&self) -> &[u8] {
        match &self.pair {
            Pair::Ecdsa(pair) => pair.public_key().as_ref(),
            Pair::Ed25519(pair) => pair.public_key().as_ref(),
        }
    }

    /// The SHA-256 of [`Self::spki`]: the identifier of a log (RFC 6962 §3.2).
    pub(crate) fn id(&self) -> [u8; 32] {
        sha256(&self.spki)
    }

    /// The name in `PublicKeyDetails`.
    pub(crate) fn details(&self) -> &'static str {
        match self.kind {
            KeyKind::EcdsaP256 => "PKIX_ECDSA_P256_SHA_256",
            KeyKind::EcdsaP384 => "PKIX_ECDSA_P384_SHA_384",
            KeyKind::Ed25519 => "PKIX_ED25519",
        }
    }

    /// The algorithm of its signatures.
    pub(crate) fn signature_algorithm(&self) -> ObjectIdentifier {
        ObjectIdentifier::new_unwrap(match self.kind {
            KeyKind::EcdsaP256 => "1.2.840.10045.4.3.2",
            KeyKind::EcdsaP384 => "1.2.840.10045.4.3.3",
            KeyKind::Ed25519 => "1.3.101.112",
        })
    }
}

pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    digest::digest(&digest::SHA256, bytes).as_ref().try_into().expect("32 bytes")
}

pub(crate) fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    aws_lc_rs::rand::fill(&mut bytes).expect("random bytes");
    bytes
}
