//! X.509: the certificates of the instance's authorities, and what they issue.

use std::str::FromStr;

use der::asn1::{BitString, Null, ObjectIdentifier, OctetString};
use der::{Any, Encode};
use x509_cert::ext::Extension;
use x509_cert::ext::pkix::{
    AuthorityKeyIdentifier, BasicConstraints, ExtendedKeyUsage, KeyUsage, KeyUsages, SubjectKeyIdentifier,
};
use x509_cert::name::Name;
use x509_cert::serial_number::SerialNumber;
use x509_cert::spki::{AlgorithmIdentifierOwned, SubjectPublicKeyInfoOwned};
use x509_cert::time::{Time, Validity};
use x509_cert::{Certificate, TbsCertificate, Version};

use crate::encoding::date_time;
use crate::key::{Key, KeyKind, random, sha256};

pub(crate) const CODE_SIGNING: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.3");
pub(crate) const TIME_STAMPING: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.8");

const BASIC_CONSTRAINTS: &str = "2.5.29.19";
const KEY_USAGE: &str = "2.5.29.15";
const EXTENDED_KEY_USAGE: &str = "2.5.29.37";
const SUBJECT_KEY_IDENTIFIER: &str = "2.5.29.14";
const AUTHORITY_KEY_IDENTIFIER: &str = "2.5.29.35";

/// Somebody who issues certificates, with a certificate.
pub(crate) struct Authority {
    pub(crate) key: Key,
    pub(crate) certificate: Vec<u8>,
    name: Name,
}

/// From the first to the last second, since 1970.
#[derive(Clone, Copy)]
pub(crate) struct Period {
    pub(crate) from: i64,
    pub(crate) to: i64,
}

impl Authority {
    pub(crate) fn root(name: &str, period: Period) -> Self {
        let (key, name) = (Key::generate(KeyKind::EcdsaP384), self::name(name));
        let extensions = authority_extensions(key.spki(), &key, 1, None);
        let tbs = tbs(&key, &name, &name, period, key.spki(), extensions);
        Self { certificate: sign(tbs, &key), key, name }
    }

    /// One below this, that issues certificates for signing code.
    pub(crate) fn intermediate(&self, name: &str, period: Period) -> Self {
        let (key, name) = (Key::generate(KeyKind::EcdsaP384), self::name(name));
        let extensions = authority_extensions(key.spki(), &self.key, 0, Some(CODE_SIGNING));
        let tbs = self.tbs(&name, period, key.spki(), extensions);
        Self { certificate: sign(tbs, &self.key), key, name }
    }

    /// Signs a certificate of somebody who stamps the time.
    pub(crate) fn timestamper(&self, name: &str, period: Period, spki: &[u8]) -> Vec<u8> {
        let mut extensions = leaf_extensions(spki, &self.key);
        extensions.push(extension(EXTENDED_KEY_USAGE, true, &ExtendedKeyUsage(vec![TIME_STAMPING])));
        sign(self.tbs(&self::name(name), period, spki, extensions), &self.key)
    }

    /// What a certificate for signing code says, but for further extensions. It has no subject.
    pub(crate) fn code_signing(&self, period: Period, spki: &[u8]) -> TbsCertificate {
        let mut extensions = leaf_extensions(spki, &self.key);
        extensions.push(extension(EXTENDED_KEY_USAGE, false, &ExtendedKeyUsage(vec![CODE_SIGNING])));
        self.tbs(&Name::default(), period, spki, extensions)
    }

    pub(crate) fn sign(&self, tbs: TbsCertificate) -> Vec<u8> {
        sign(tbs, &self.key)
    }

    fn tbs(&self, subject: &Name, period: Period, spki: &[u8], extensions: Vec<Extension>) -> TbsCertificate {
        tbs(&self.key, &self.name, subject, period, spki, extensions)
    }
}

pub(crate) fn extension(oid: &str, critical: bool, value: &impl Encode) -> Extension {
    raw_extension(oid, critical, value.to_der().expect("DER"))
}

/// An extension whose value is no DER, or is already.
pub(crate) fn raw_extension(oid: &str, critical: bool, value: Vec<u8>) -> Extension {
    let extn_id = ObjectIdentifier::new_unwrap(oid);
    Extension { extn_id, critical, extn_value: OctetString::new(value).expect("short") }
}

/// The algorithm of a key's signatures, as certificates name it.
pub(crate) fn signature_algorithm(key: &Key) -> AlgorithmIdentifierOwned {
    AlgorithmIdentifierOwned { oid: key.signature_algorithm(), parameters: None }
}

/// SHA-256, as CMS names it.
pub(crate) fn sha256_algorithm() -> AlgorithmIdentifierOwned {
    let oid = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.1");
    AlgorithmIdentifierOwned { oid, parameters: Some(Any::from(Null)) }
}

fn name(text: &str) -> Name {
    Name::from_str(&format!("CN={text},O=fake-sigstore")).expect("a name")
}

fn key_identifier(spki: &[u8]) -> OctetString {
    OctetString::new(&sha256(spki)[..20]).expect("short")
}

fn identifiers(spki: &[u8], issuer: &Key) -> [Extension; 2] {
    let authority = AuthorityKeyIdentifier {
        key_identifier: Some(key_identifier(issuer.spki())),
        authority_cert_issuer: None,
        authority_cert_serial_number: None,
    };
    [
        extension(SUBJECT_KEY_IDENTIFIER, false, &SubjectKeyIdentifier(key_identifier(spki))),
        extension(AUTHORITY_KEY_IDENTIFIER, false, &authority),
    ]
}

fn leaf_extensions(spki: &[u8], issuer: &Key) -> Vec<Extension> {
    let usage = KeyUsage(KeyUsages::DigitalSignature.into());
    [extension(KEY_USAGE, true, &usage)].into_iter().chain(identifiers(spki, issuer)).collect()
}

fn authority_extensions(spki: &[u8], issuer: &Key, below: u8, purpose: Option<ObjectIdentifier>) -> Vec<Extension> {
    let usage = KeyUsage(KeyUsages::KeyCertSign | KeyUsages::CRLSign);
    let constraints = BasicConstraints { ca: true, path_len_constraint: Some(below) };
    let mut extensions = vec![extension(KEY_USAGE, true, &usage), extension(BASIC_CONSTRAINTS, true, &constraints)];
    extensions.extend(purpose.map(|purpose| extension(EXTENDED_KEY_USAGE, false, &ExtendedKeyUsage(vec![purpose]))));
    extensions.extend(identifiers(spki, issuer));
    extensions
}

fn tbs(
    key: &Key,
    issuer: &Name,
    subject: &Name,
    period: Period,
    spki: &[u8],
    extensions: Vec<Extension>,
) -> TbsCertificate {
    let mut serial = random::<19>();
    // Positive, and of one length.
    serial[0] = serial[0] & 0x7f | 0x40;
    TbsCertificate {
        version: Version::V3,
        serial_number: SerialNumber::new(&serial).expect("short"),
        signature: signature_algorithm(key),
        issuer: issuer.clone(),
        validity: Validity { not_before: time(period.from), not_after: time(period.to) },
        subject: subject.clone(),
        subject_public_key_info: SubjectPublicKeyInfoOwned::try_from(spki).expect("a public key"),
        issuer_unique_id: None,
        subject_unique_id: None,
        extensions: Some(extensions),
    }
}

fn sign(tbs: TbsCertificate, key: &Key) -> Vec<u8> {
    let signature = key.sign(&tbs.to_der().expect("DER"));
    let signature = BitString::from_bytes(&signature).expect("short");
    let certificate = Certificate { tbs_certificate: tbs, signature_algorithm: signature_algorithm(key), signature };
    certificate.to_der().expect("DER")
}

fn time(seconds: i64) -> Time {
    let time = date_time(seconds);
    // RFC 5280 §4.1.2.5
    match der::asn1::UtcTime::from_date_time(time) {
        Ok(time) => Time::UtcTime(time),
        Err(_) => Time::GeneralTime(der::asn1::GeneralizedTime::from_date_time(time)),
    }
}
