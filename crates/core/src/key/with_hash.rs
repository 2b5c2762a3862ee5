//! Signatures of other tools: over a hash that does not belong to the key, or ECDSA as the bare numbers.

use aws_lc_rs::signature::{self, UnparsedPublicKey, VerificationAlgorithm};
use der::Encode as _;
use der::asn1::UintRef;

use super::{KeyAlgorithm, PublicKey};

/// The hash that an ECDSA or RSA signature is made over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignatureHash {
    /// SHA-256.
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
}

impl SignatureHash {
    /// The hash that belongs to a kind of key; Ed25519 has its own.
    #[must_use]
    pub const fn of(algorithm: KeyAlgorithm) -> Option<Self> {
        match algorithm {
            KeyAlgorithm::EcdsaP256 | KeyAlgorithm::Rsa { .. } => Some(Self::Sha256),
            KeyAlgorithm::EcdsaP384 => Some(Self::Sha384),
            KeyAlgorithm::EcdsaP521 => Some(Self::Sha512),
            KeyAlgorithm::Ed25519 => None,
        }
    }
}

impl std::fmt::Display for SignatureHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Sha256 => "sha256",
            Self::Sha384 => "sha384",
            Self::Sha512 => "sha512",
        })
    }
}

impl PublicKey {
    /// Whether `signature` over the `hash` of `message` verifies: ECDSA in DER or as `r || s`, or RSA PKCS#1 v1.5. Never
    /// with Ed25519.
    pub(crate) fn verify_with_hash(&self, hash: SignatureHash, message: &[u8], signature: &[u8]) -> bool {
        let Some((algorithm, number_bytes)) = verification(self.algorithm(), hash) else { return false };
        let key = UnparsedPublicKey::new(algorithm, self.raw_bytes());
        key.verify(message, signature).is_ok()
            || number_bytes
                .and_then(|bytes| der_of_numbers(signature, bytes))
                .is_some_and(|signature| key.verify(message, &signature).is_ok())
    }
}

/// How to verify, and for ECDSA the length of a number.
fn verification(
    algorithm: KeyAlgorithm,
    hash: SignatureHash,
) -> Option<(&'static dyn VerificationAlgorithm, Option<usize>)> {
    use SignatureHash::{Sha256, Sha384, Sha512};
    Some(match (algorithm, hash) {
        (KeyAlgorithm::EcdsaP256, Sha256) => (&signature::ECDSA_P256_SHA256_ASN1, Some(32)),
        (KeyAlgorithm::EcdsaP256, Sha384) => (&signature::ECDSA_P256_SHA384_ASN1, Some(32)),
        (KeyAlgorithm::EcdsaP256, Sha512) => (&signature::ECDSA_P256_SHA512_ASN1, Some(32)),
        (KeyAlgorithm::EcdsaP384, Sha256) => (&signature::ECDSA_P384_SHA256_ASN1, Some(48)),
        (KeyAlgorithm::EcdsaP384, Sha384) => (&signature::ECDSA_P384_SHA384_ASN1, Some(48)),
        (KeyAlgorithm::EcdsaP384, Sha512) => (&signature::ECDSA_P384_SHA512_ASN1, Some(48)),
        (KeyAlgorithm::EcdsaP521, Sha256) => (&signature::ECDSA_P521_SHA256_ASN1, Some(66)),
        (KeyAlgorithm::EcdsaP521, Sha384) => (&signature::ECDSA_P521_SHA384_ASN1, Some(66)),
        (KeyAlgorithm::EcdsaP521, Sha512) => (&signature::ECDSA_P521_SHA512_ASN1, Some(66)),
        (KeyAlgorithm::Rsa { .. }, Sha256) => (&signature::RSA_PKCS1_2048_8192_SHA256, None),
        (KeyAlgorithm::Rsa { .. }, Sha384) => (&signature::RSA_PKCS1_2048_8192_SHA384, None),
        (KeyAlgorithm::Rsa { .. }, Sha512) => (&signature::RSA_PKCS1_2048_8192_SHA512, None),
        (KeyAlgorithm::Ed25519, _) => return None,
    })
}

/// `ECDSA-Sig-Value` (RFC 3279 §2.2.3).
#[derive(der::Sequence)]
struct Numbers<'a> {
    r: UintRef<'a>,
    s: UintRef<'a>,
}

/// The DER of `r || s` if that is what `signature` can be.
fn der_of_numbers(signature: &[u8], number_bytes: usize) -> Option<Vec<u8>> {
    if signature.len() != 2 * number_bytes {
        return None;
    }
    let (r, s) = signature.split_at(number_bytes);
    Numbers { r: UintRef::new(r).ok()?, s: UintRef::new(s).ok()? }.to_der().ok()
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::rand::SystemRandom;
    use aws_lc_rs::signature::{EcdsaKeyPair, KeyPair as _, RSA_PKCS1_SHA512, RsaKeyPair};
    use der::Decode as _;

    use super::*;
    use crate::key::{PrivateKeyPem, SigningKey as _, generate};

    const MESSAGE: &[u8] = b"message";
    const ALL: [SignatureHash; 3] = [SignatureHash::Sha256, SignatureHash::Sha384, SignatureHash::Sha512];

    fn numbers(signature: &[u8], number_bytes: usize) -> Vec<u8> {
        let Numbers { r, s } = Numbers::from_der(signature).expect("DER");
        let mut bytes = Vec::new();
        for number in [r.as_bytes(), s.as_bytes()] {
            bytes.resize(bytes.len() + number_bytes - number.len(), 0);
            bytes.extend_from_slice(number);
        }
        bytes
    }

    #[test]
    fn ecdsa_is_accepted_in_both_forms_with_its_hash_alone() {
        for (algorithm, number_bytes) in
            [(KeyAlgorithm::EcdsaP256, 32), (KeyAlgorithm::EcdsaP384, 48), (KeyAlgorithm::EcdsaP521, 66)]
        {
            let (pem, public) = generate(algorithm, None).expect("a key");
            let key = PrivateKeyPem::parse(pem.as_bytes()).and_then(|key| key.into_key(None)).expect("a key");
            let der = key.sign(MESSAGE).expect("signed");
            let raw = numbers(&der, number_bytes);
            for hash in ALL {
                let expected = Some(hash) == SignatureHash::of(algorithm);
                assert_eq!(public.verify_with_hash(hash, MESSAGE, &der), expected, "{algorithm} {hash}");
                assert_eq!(public.verify_with_hash(hash, MESSAGE, &raw), expected, "{algorithm} {hash}");
                for wrong in [&raw[1..], &[], &vec![0; 2 * number_bytes], &vec![0xff; 2 * number_bytes]] {
                    assert!(!public.verify_with_hash(hash, MESSAGE, wrong));
                }
                assert!(!public.verify_with_hash(hash, b"another", &raw));
            }
        }
    }

    #[test]
    fn a_hash_that_does_not_belong_to_the_key_is_accepted_when_named() {
        let pair = EcdsaKeyPair::generate(&signature::ECDSA_P521_SHA256_ASN1_SIGNING).expect("a key");
        let signed = pair.sign(&SystemRandom::new(), MESSAGE).expect("signed");
        let spki = aws_lc_rs::encoding::AsDer::as_der(pair.public_key()).expect("DER");
        let spki: aws_lc_rs::encoding::PublicKeyX509Der<'_> = spki;
        let public = PublicKey::from_spki(spki.as_ref()).expect("a key");
        assert!(public.verify_with_hash(SignatureHash::Sha256, MESSAGE, signed.as_ref()));
        assert!(!public.verify_with_hash(SignatureHash::Sha512, MESSAGE, signed.as_ref()));

        let pair = RsaKeyPair::generate(aws_lc_rs::rsa::KeySize::Rsa2048).expect("a key");
        let mut signed = vec![0; pair.public_modulus_len()];
        pair.sign(&RSA_PKCS1_SHA512, &SystemRandom::new(), MESSAGE, &mut signed).expect("signed");
        let spki: aws_lc_rs::encoding::PublicKeyX509Der<'_> =
            aws_lc_rs::encoding::AsDer::as_der(pair.public_key()).expect("DER");
        let public = PublicKey::from_spki(spki.as_ref()).expect("a key");
        assert!(public.verify_with_hash(SignatureHash::Sha512, MESSAGE, &signed));
        assert!(!public.verify_with_hash(SignatureHash::Sha256, MESSAGE, &signed));
    }
}
