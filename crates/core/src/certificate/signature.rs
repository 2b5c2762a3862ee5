//! Signatures of certificates and of what their issuers publish.

use aws_lc_rs::signature::{self, UnparsedPublicKey, VerificationAlgorithm};
use x509_cert::der::asn1::ObjectIdentifier;
use x509_cert::spki::AlgorithmIdentifierOwned;

use super::Certificate;

const SHA256_WITH_RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.11");
const SHA384_WITH_RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.12");
const SHA512_WITH_RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.13");
const ECDSA_WITH_SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.2");
const ECDSA_WITH_SHA384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.3");
const ECDSA_WITH_SHA512: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.4");
const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");
const SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.1");
const SHA384: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.2");
const SHA512: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.3");
const RSA_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const EC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
const P384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");
const P521: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.35");

/// Whether `signature` over `message` is one of `issuer`: RSA of 2048 to 8192 bits (PKCS#1 v1.5), ECDSA on P-256, P-384
/// and P-521, each with SHA-256, SHA-384 or SHA-512, and Ed25519. SHA-1 is not accepted.
pub(super) fn holds(
    issuer: &Certificate,
    algorithm: &AlgorithmIdentifierOwned,
    message: &[u8],
    signature: &[u8],
) -> bool {
    let key = issuer.parsed.tbs_certificate.subject_public_key_info.subject_public_key.raw_bytes();
    verification_by(issuer, algorithm)
        .is_some_and(|verification| UnparsedPublicKey::new(verification, key).verify(message, signature).is_ok())
}

/// Whether signatures of `issuer` with this algorithm are checked at all.
pub(super) fn is_supported(issuer: &Certificate, algorithm: &AlgorithmIdentifierOwned) -> bool {
    verification_by(issuer, algorithm).is_some()
}

/// The algorithm in words, as far as it is one that is met.
pub(super) fn describe(algorithm: &AlgorithmIdentifierOwned) -> String {
    match algorithm.oid.to_string().as_str() {
        "1.2.840.113549.1.1.4" => "RSA with MD5".to_owned(),
        "1.2.840.113549.1.1.5" => "RSA with SHA-1".to_owned(),
        "1.2.840.113549.1.1.10" => "RSA-PSS".to_owned(),
        "1.2.840.113549.1.1.11" | "1.2.840.113549.1.1.12" | "1.2.840.113549.1.1.13" => "RSA".to_owned(),
        "1.2.840.10045.4.1" => "ECDSA with SHA-1".to_owned(),
        "1.2.840.10045.4.3.2" | "1.2.840.10045.4.3.3" | "1.2.840.10045.4.3.4" => "ECDSA".to_owned(),
        "1.3.101.113" => "Ed448".to_owned(),
        other => format!("the algorithm {other}"),
    }
}

fn verification_by(
    issuer: &Certificate,
    algorithm: &AlgorithmIdentifierOwned,
) -> Option<&'static dyn VerificationAlgorithm> {
    let key = &issuer.parsed.tbs_certificate.subject_public_key_info.algorithm;
    let curve = key.parameters.as_ref().and_then(|parameters| parameters.decode_as().ok());
    verification(algorithm.oid, key.oid, curve)
}

/// The algorithm of a signature in CMS: that of the key with the hash beside it, where it does not name one itself.
pub(super) fn cms_algorithm(
    algorithm: &AlgorithmIdentifierOwned,
    digest: &AlgorithmIdentifierOwned,
) -> Option<AlgorithmIdentifierOwned> {
    let of = |rsa, ecdsa| match algorithm.oid {
        RSA_KEY => rsa,
        EC_KEY => ecdsa,
        own => own,
    };
    let oid = match digest.oid {
        SHA256 => of(SHA256_WITH_RSA, ECDSA_WITH_SHA256),
        SHA384 => of(SHA384_WITH_RSA, ECDSA_WITH_SHA384),
        SHA512 => of(SHA512_WITH_RSA, ECDSA_WITH_SHA512),
        _ => return None,
    };
    Some(AlgorithmIdentifierOwned { oid, parameters: None })
}

fn verification(
    algorithm: ObjectIdentifier,
    key: ObjectIdentifier,
    curve: Option<ObjectIdentifier>,
) -> Option<&'static dyn VerificationAlgorithm> {
    Some(match (key, curve, algorithm) {
        (RSA_KEY, _, SHA256_WITH_RSA) => &signature::RSA_PKCS1_2048_8192_SHA256,
        (RSA_KEY, _, SHA384_WITH_RSA) => &signature::RSA_PKCS1_2048_8192_SHA384,
        (RSA_KEY, _, SHA512_WITH_RSA) => &signature::RSA_PKCS1_2048_8192_SHA512,
        (EC_KEY, Some(P256), ECDSA_WITH_SHA256) => &signature::ECDSA_P256_SHA256_ASN1,
        (EC_KEY, Some(P256), ECDSA_WITH_SHA384) => &signature::ECDSA_P256_SHA384_ASN1,
        (EC_KEY, Some(P256), ECDSA_WITH_SHA512) => &signature::ECDSA_P256_SHA512_ASN1,
        (EC_KEY, Some(P384), ECDSA_WITH_SHA256) => &signature::ECDSA_P384_SHA256_ASN1,
        (EC_KEY, Some(P384), ECDSA_WITH_SHA384) => &signature::ECDSA_P384_SHA384_ASN1,
        (EC_KEY, Some(P384), ECDSA_WITH_SHA512) => &signature::ECDSA_P384_SHA512_ASN1,
        (EC_KEY, Some(P521), ECDSA_WITH_SHA256) => &signature::ECDSA_P521_SHA256_ASN1,
        (EC_KEY, Some(P521), ECDSA_WITH_SHA384) => &signature::ECDSA_P521_SHA384_ASN1,
        (EC_KEY, Some(P521), ECDSA_WITH_SHA512) => &signature::ECDSA_P521_SHA512_ASN1,
        (ED25519, _, ED25519) => &signature::ED25519,
        _ => return None,
    })
}
