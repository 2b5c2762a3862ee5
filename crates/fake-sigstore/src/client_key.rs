//! The public keys that clients bring, and their signatures.

use aws_lc_rs::digest::{self, Digest};
use aws_lc_rs::signature::{
    self, ECDSA_P256_SHA256_ASN1, ECDSA_P384_SHA256_ASN1, ECDSA_P384_SHA384_ASN1, ECDSA_P521_SHA256_ASN1,
    ECDSA_P521_SHA512_ASN1, ED25519, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey, VerificationAlgorithm,
};
use der::asn1::ObjectIdentifier;
use der::{Decode, Encode};
use x509_cert::Certificate;
use x509_cert::spki::SubjectPublicKeyInfoRef;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hash {
    Sha256,
    Sha384,
    Sha512,
}

impl Hash {
    pub(crate) fn length(self) -> usize {
        self.algorithm().output_len()
    }

    /// The hash of ECDSA or RSA signatures of this algorithm.
    pub(crate) fn of_signatures(algorithm: &ObjectIdentifier) -> Option<Self> {
        match algorithm.to_string().as_str() {
            "1.2.840.10045.4.3.2" | "1.2.840.113549.1.1.11" => Some(Self::Sha256),
            "1.2.840.10045.4.3.3" | "1.2.840.113549.1.1.12" => Some(Self::Sha384),
            "1.2.840.10045.4.3.4" | "1.2.840.113549.1.1.13" => Some(Self::Sha512),
            _ => None,
        }
    }

    pub(crate) fn algorithm(self) -> &'static digest::Algorithm {
        match self {
            Self::Sha256 => &digest::SHA256,
            Self::Sha384 => &digest::SHA384,
            Self::Sha512 => &digest::SHA512,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    P256,
    P384,
    P521,
    Rsa,
    Ed25519,
}

/// A public key of one of the algorithms that Sigstore takes.
pub(crate) struct ClientKey {
    kind: Kind,
    spki: Vec<u8>,
    bytes: Vec<u8>,
}

/// What a client verifies its signature with: a certificate or a bare key.
pub(crate) struct Verifier {
    pub(crate) key: ClientKey,
    pub(crate) certificate: Option<Certificate>,
}

impl ClientKey {
    pub(crate) fn from_spki(der: &[u8]) -> Option<Self> {
        let info = SubjectPublicKeyInfoRef::from_der(der).ok()?;
        let parameter = || info.algorithm.parameters_oid().ok();
        let kind = match info.algorithm.oid.to_string().as_str() {
            "1.2.840.10045.2.1" if parameter() == Some(ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7")) => {
                Kind::P256
            }
            "1.2.840.10045.2.1" if parameter() == Some(ObjectIdentifier::new_unwrap("1.3.132.0.34")) => Kind::P384,
            "1.2.840.10045.2.1" if parameter() == Some(ObjectIdentifier::new_unwrap("1.3.132.0.35")) => Kind::P521,
            "1.2.840.113549.1.1.1" => Kind::Rsa,
            "1.3.101.112" => Kind::Ed25519,
            _ => return None,
        };
        Some(Self { kind, spki: der.to_vec(), bytes: info.subject_public_key.as_bytes()?.to_vec() })
    }

    pub(crate) fn spki(&self) -> &[u8] {
        &self.spki
    }

    /// The hash that goes with the key where nobody names one; none for Ed25519.
    pub(crate) fn default_hash(&self) -> Option<Hash> {
        match self.kind {
            Kind::P256 | Kind::Rsa => Some(Hash::Sha256),
            Kind::P384 => Some(Hash::Sha384),
            Kind::P521 => Some(Hash::Sha512),
            Kind::Ed25519 => None,
        }
    }

    /// Whether the signature is of this message, hashed in the default way.
    pub(crate) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        let Some(hash) = self.default_hash() else {
            return UnparsedPublicKey::new(&ED25519, &self.bytes).verify(message, signature).is_ok();
        };
        self.verifies_with(hash, message, signature)
    }

    /// As [`Self::verifies`], with a hash that need not be the default; Ed25519 has none.
    pub(crate) fn verifies_with(&self, hash: Hash, message: &[u8], signature: &[u8]) -> bool {
        if self.kind == Kind::Ed25519 {
            return self.verifies(message, signature);
        }
        self.verifies_digest(hash, digest::digest(hash.algorithm(), message).as_ref(), signature)
    }

    /// Whether the signature is of a message with this digest.
    pub(crate) fn verifies_digest(&self, hash: Hash, digest: &[u8], signature: &[u8]) -> bool {
        let (Some(algorithm), Ok(digest)) = (self.algorithm(hash), Digest::import_less_safe(digest, hash.algorithm()))
        else {
            return false;
        };
        algorithm.verify_digest_sig(&self.bytes, &digest, signature).is_ok()
    }

    fn algorithm(&self, hash: Hash) -> Option<&'static dyn VerificationAlgorithm> {
        Some(match (self.kind, hash) {
            (Kind::P256, Hash::Sha256) => &ECDSA_P256_SHA256_ASN1,
            (Kind::P384, Hash::Sha384) => &ECDSA_P384_SHA384_ASN1,
            (Kind::P384, Hash::Sha256) => &ECDSA_P384_SHA256_ASN1,
            (Kind::P521, Hash::Sha512) => &ECDSA_P521_SHA512_ASN1,
            (Kind::P521, Hash::Sha256) => &ECDSA_P521_SHA256_ASN1,
            (Kind::Rsa, Hash::Sha256) => &RSA_PKCS1_2048_8192_SHA256,
            (Kind::Rsa, Hash::Sha384) => &signature::RSA_PKCS1_2048_8192_SHA384,
            (Kind::Rsa, Hash::Sha512) => &signature::RSA_PKCS1_2048_8192_SHA512,
            _ => return None,
        })
    }
}

impl Verifier {
    /// Reads PEM: a certificate, or a public key.
    pub(crate) fn from_pem(text: &[u8]) -> Option<Self> {
        let pem = pem::parse(text).ok()?;
        match pem.tag() {
            "CERTIFICATE" => Self::from_certificate(pem.contents()),
            "PUBLIC KEY" => Self::from_spki(pem.contents()),
            _ => None,
        }
    }

    pub(crate) fn from_spki(der: &[u8]) -> Option<Self> {
        Some(Self { key: ClientKey::from_spki(der)?, certificate: None })
    }

    pub(crate) fn from_certificate(der: &[u8]) -> Option<Self> {
        let certificate = Certificate::from_der(der).ok()?;
        let spki = certificate.tbs_certificate.subject_public_key_info.to_der().ok()?;
        Some(Self { key: ClientKey::from_spki(&spki)?, certificate: Some(certificate) })
    }

    /// PEM in the one form that logs keep.
    pub(crate) fn to_pem(&self) -> String {
        match &self.certificate {
            Some(certificate) => crate::encoding::certificate_pem(&certificate.to_der().expect("DER")),
            None => crate::encoding::public_key_pem(self.key.spki()),
        }
    }
}
