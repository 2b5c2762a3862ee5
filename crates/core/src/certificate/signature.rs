//! Signatures of certificates and of what their issuers publish.

use aws_lc_rs::signature::{self, UnparsedPublicKey, VerificationAlgorithm};
use pkix_path::SignatureVerifier;
use signature2::Error;
use x509_cert::der::asn1::ObjectIdentifier;
use x509_cert::spki::{AlgorithmIdentifierRef, SubjectPublicKeyInfoRef};

const SHA256_WITH_RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.11");
const SHA384_WITH_RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.12");
const SHA512_WITH_RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.13");
const ECDSA_WITH_SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.2");
const ECDSA_WITH_SHA384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.3");
const ECDSA_WITH_SHA512: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.4");
const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");
const RSA_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const EC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
const P384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");
const P521: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.35");

/// Checks with AWS-LC: RSA of 2048 to 8192 bits (PKCS#1 v1.5), ECDSA on P-256, P-384 and P-521, each with SHA-256,
/// SHA-384 or SHA-512, and Ed25519. SHA-1 is not accepted.
pub(super) struct AwsLc;

impl SignatureVerifier for AwsLc {
    fn verify_signature(
        &self,
        algorithm: AlgorithmIdentifierRef<'_>,
        issuer_spki: SubjectPublicKeyInfoRef<'_>,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), Error> {
        let key = &issuer_spki.algorithm;
        let verification = verification(algorithm.oid, key.oid, key.parameters_oid().ok()).ok_or_else(Error::new)?;
        let public_key = UnparsedPublicKey::new(verification, issuer_spki.subject_public_key.raw_bytes());
        public_key.verify(message, signature).map_err(|_| Error::new())
    }
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
