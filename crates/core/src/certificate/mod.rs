//! X.509 certificates (RFC 5280): reading them, and what they say.
//!
//! Nothing here decides whom to trust: [`validate`] finds a path to the anchors that the caller gives, at the time that
//! the caller gives.

mod bounds;
mod constraints;
mod crl;
mod identity;
mod name;
mod path;
mod policies;
mod signature;
mod usage;

use std::fmt;

use model_hash::HashAlgorithm;
use pem::Pem;
use x509_cert::der::asn1::{ObjectIdentifier, Utf8StringRef};
use x509_cert::der::{Decode, DecodeOwned, Encode, ErrorKind};
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::ext::pkix::{AuthorityKeyIdentifier, SubjectAltName, SubjectKeyIdentifier};
use x509_cert::name::Name;
use x509_cert::serial_number::SerialNumber;
use x509_cert::spki::AlgorithmIdentifierOwned;
use x509_cert::time::Time;

use crate::key::{InvalidKey, PublicKey};
use name::NormalName;

pub(crate) use bounds::{Sets, has_small_sets};
pub use crl::{InvalidCrl, MAX_CRL_BYTES, Revocation, RevocationError, RevocationList};
pub use identity::{IdentityRule, InvalidIdentityRule};
pub use path::{MAX_INTERMEDIATES, PathError, ValidPath, validate};
pub use usage::{Purpose, UsageError};

/// The largest certificate that is read, in bytes.
pub const MAX_CERTIFICATE_BYTES: usize = 64 << 10;
/// The largest file of certificates that is read, in bytes: room for a public CA store.
pub const MAX_CERTIFICATE_FILE_BYTES: usize = 4 << 20;

/// Seconds since the Unix epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct UnixTime(pub u64);

impl fmt::Display for UnixTime {
    /// RFC 3339 in UTC.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match x509_cert::der::DateTime::from_unix_duration(std::time::Duration::from_secs(self.0)) {
            Ok(time) => time.fmt(f),
            Err(_) => write!(f, "{} s after 1970", self.0),
        }
    }
}

impl UnixTime {
    /// Reads RFC 3339 in UTC; fractions of a second are dropped.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.strip_suffix('Z')?;
        let (seconds, fraction) = text.split_once('.').unwrap_or((text, "0"));
        let is_number = !fraction.is_empty() && fraction.bytes().all(|byte| byte.is_ascii_digit());
        let time: x509_cert::der::DateTime = format!("{seconds}Z").parse().ok()?;
        is_number.then(|| Self(time.unix_duration().as_secs()))
    }

    fn of(time: Time) -> Self {
        Self(time.to_unix_duration().as_secs())
    }
}

/// A certificate, its bytes and what they say.
#[derive(Clone, PartialEq, Eq)]
pub struct Certificate {
    der: Vec<u8>,
    parsed: x509_cert::Certificate,
    subject: NormalName,
    issuer: NormalName,
}

impl Certificate {
    /// Reads a certificate in DER.
    ///
    /// # Errors
    /// [`InvalidCertificate`]: what is wrong.
    pub fn from_der(der: &[u8]) -> Result<Self, InvalidCertificate> {
        if der.len() > MAX_CERTIFICATE_BYTES {
            return Err(InvalidCertificate::TooLarge { found: der.len() });
        }
        if !has_small_sets(der, Sets::Implicit) {
            return Err(InvalidCertificate::Malformed(NOT_NESTED.to_owned()));
        }
        let parsed = x509_cert::Certificate::from_der(der).map_err(|e| InvalidCertificate::Malformed(e.to_string()))?;
        // What is signed is what was read: no second encoding of the same values.
        if parsed.to_der().ok().as_deref() != Some(der) {
            return Err(InvalidCertificate::Malformed("it is not encoded in DER".to_owned()));
        }
        // RFC 5280 §4.1.1.2. What stands outside is not signed, and must not say anything else.
        if parsed.signature_algorithm != parsed.tbs_certificate.signature || parsed.signature.as_bytes().is_none() {
            return Err(InvalidCertificate::Malformed("its signature is not as it says itself".to_owned()));
        }
        let mut seen = Vec::new();
        for extension in parsed.tbs_certificate.extensions.iter().flatten() {
            if seen.contains(&extension.extn_id) {
                return Err(InvalidCertificate::DuplicateExtension { oid: extension.extn_id.to_string() });
            }
            seen.push(extension.extn_id);
        }
        let (subject, issuer) = (&parsed.tbs_certificate.subject, &parsed.tbs_certificate.issuer);
        let (subject, issuer) = (NormalName::of(subject), NormalName::of(issuer));
        Ok(Self { der: der.to_vec(), parsed, subject, issuer })
    }

    /// Reads every certificate of a PEM file, in their order, or the one of a DER file. Other PEM blocks are passed over.
    ///
    /// # Errors
    /// [`InvalidCertificate`]: what is wrong with the file, or with which certificate.
    pub fn from_file(text: &[u8]) -> Result<Vec<Self>, InvalidCertificate> {
        if text.len() > MAX_CERTIFICATE_FILE_BYTES {
            return Err(InvalidCertificate::FileTooLarge);
        }
        if is_der(text) {
            return Self::from_der(text).map(|certificate| vec![certificate]);
        }
        let blocks = crate::key::pem_blocks(text).map_err(InvalidCertificate::Pem)?;
        let certificates: Vec<&Pem> =
            blocks.iter().filter(|block| matches!(block.tag(), "CERTIFICATE" | "X509 CERTIFICATE")).collect();
        if certificates.is_empty() {
            let found = blocks.first().map_or_else(String::new, |block| block.tag().to_owned());
            return Err(InvalidCertificate::NoCertificate { found });
        }
        certificates.into_iter().map(|block| Self::from_der(block.contents())).collect()
    }

    /// The certificate's bytes, DER.
    #[must_use]
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// The subject's name (RFC 4514).
    #[must_use]
    pub fn subject(&self) -> String {
        self.parsed.tbs_certificate.subject.to_string()
    }

    /// The issuer's name (RFC 4514).
    #[must_use]
    pub fn issuer(&self) -> String {
        self.parsed.tbs_certificate.issuer.to_string()
    }

    /// The serial number in hex.
    #[must_use]
    pub fn serial_number(&self) -> String {
        base16ct::lower::encode_string(self.parsed.tbs_certificate.serial_number.as_bytes())
    }

    /// The SHA-256 of the certificate in hex.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        HashAlgorithm::Sha256.digest(&self.der).to_hex()
    }

    /// The first moment at which it is valid.
    #[must_use]
    pub fn not_before(&self) -> UnixTime {
        UnixTime::of(self.parsed.tbs_certificate.validity.not_before)
    }

    /// The last second in which it is valid.
    #[must_use]
    pub fn not_after(&self) -> UnixTime {
        UnixTime::of(self.parsed.tbs_certificate.validity.not_after)
    }

    /// The key that it certifies.
    ///
    /// # Errors
    /// [`InvalidKey`] if it is not one that signatures over models are made with.
    pub fn public_key(&self) -> Result<PublicKey, InvalidKey> {
        let spki = self.parsed.tbs_certificate.subject_public_key_info.to_der();
        PublicKey::from_spki(&spki.map_err(|error| InvalidKey::Malformed(error.to_string()))?)
    }

    /// Whether subject and issuer are the same name.
    #[must_use]
    pub fn is_self_issued(&self) -> bool {
        !self.subject.is_empty() && self.subject == self.issuer
    }

    /// The alternative names of the subject: e-mail addresses, DNS names, URIs and IP addresses, as far as they look like
    /// what they are. An extension that can't be read has none.
    #[must_use]
    pub fn alternative_names(&self) -> Vec<String> {
        let Ok(Some(names)) = self.extension::<SubjectAltName>(SUBJECT_ALT_NAME) else { return Vec::new() };
        names.0.iter().filter_map(text_of).collect()
    }

    /// The alternative names that say who somebody is, not which host: e-mail addresses, URIs, and the user names that
    /// Fulcio has a kind of its own for.
    pub(crate) fn signer_names(&self) -> Vec<String> {
        let Ok(Some(names)) = self.extension::<SubjectAltName>(SUBJECT_ALT_NAME) else { return Vec::new() };
        let name = |name: &GeneralName| match name {
            GeneralName::Rfc822Name(_) | GeneralName::UniformResourceIdentifier(_) => text_of(name),
            GeneralName::OtherName(other) if other.type_id == FULCIO_USER_NAME => {
                other.value.decode_as::<Utf8StringRef<'_>>().ok().map(|text| text.as_str().to_owned())
            }
            _ => None,
        };
        names.0.iter().filter_map(name).collect()
    }

    /// Whether this names itself the issuer of `certificate`, and so do the identifiers of the keys if both have them.
    pub(crate) fn may_have_issued(&self, certificate: &Self) -> bool {
        let named: Result<Option<AuthorityKeyIdentifier>, _> = certificate.extension(AUTHORITY_KEY_IDENTIFIER);
        let named = named.ok().flatten().and_then(|named| named.key_identifier);
        let own: Result<Option<SubjectKeyIdentifier>, _> = self.extension(SUBJECT_KEY_IDENTIFIER);
        let same_key = match (named, own.ok().flatten()) {
            (Some(named), Some(own)) => named.as_bytes() == own.0.as_bytes(),
            _ => true,
        };
        same_key && self.subject == certificate.issuer
    }

    /// Whether the key of `issuer` signed this.
    pub(crate) fn is_signed_by(&self, issuer: &Self) -> bool {
        let Self { parsed, .. } = self;
        let holds =
            |tbs: Vec<u8>| signature::holds(issuer, &parsed.signature_algorithm, &tbs, parsed.signature.raw_bytes());
        parsed.tbs_certificate.to_der().is_ok_and(holds)
    }

    /// Every name of the subject: the alternative names, then the subject's own (RFC 4514) if it has one.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        let mut names = self.alternative_names();
        names.extend(Some(self.subject()).filter(|subject| !subject.is_empty()));
        names
    }

    /// Whether this is the certificate with this serial number of this issuer.
    pub(crate) fn is(&self, issuer: &Name, serial_number: &SerialNumber) -> bool {
        self.parsed.tbs_certificate.serial_number == *serial_number && self.issuer == NormalName::of(issuer)
    }

    /// Whether SubjectKeyIdentifier is this.
    pub(crate) fn has_key_identifier(&self, identifier: &[u8]) -> bool {
        let own: Result<Option<SubjectKeyIdentifier>, _> = self.extension(SUBJECT_KEY_IDENTIFIER);
        own.is_ok_and(|own| own.is_some_and(|own| own.0.as_bytes() == identifier))
    }

    /// Whether `signature` over `message` is one of this certificate's key; the algorithm, if it is not one that is
    /// checked. In CMS it may be that of the key alone, and the hash stand beside it.
    pub(crate) fn has_signed(
        &self,
        algorithm: &AlgorithmIdentifierOwned,
        digest: &AlgorithmIdentifierOwned,
        message: &[u8],
        signature: &[u8],
    ) -> Result<bool, String> {
        let supported =
            signature::cms_algorithm(algorithm, digest).filter(|algorithm| signature::is_supported(self, algorithm));
        let supported = supported.ok_or_else(|| signature::describe(algorithm))?;
        Ok(signature::holds(self, &supported, message, signature))
    }

    fn extension<T: DecodeOwned>(&self, oid: ObjectIdentifier) -> Result<Option<T>, x509_cert::der::Error> {
        let extensions = self.parsed.tbs_certificate.extensions.iter().flatten();
        let found = extensions.into_iter().find(|extension| extension.extn_id == oid);
        let read = |value: &[u8]| {
            if has_small_sets(value, Sets::Tagged) { T::from_der(value) } else { Err(ErrorKind::Overflow.into()) }
        };
        found.map(|extension| read(extension.extn_value.as_bytes())).transpose()
    }

    /// Whether an extension is critical, if it is there.
    fn extension_criticality(&self, oid: ObjectIdentifier) -> Option<bool> {
        let mut extensions = self.parsed.tbs_certificate.extensions.iter().flatten();
        extensions.find(|extension| extension.extn_id == oid).map(|extension| extension.critical)
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Certificate({}, sha256:{})", self.subject(), self.fingerprint())
    }
}

/// Whether a file is a certificate or a list in DER: a SEQUENCE whose length takes several bytes. No text begins so.
fn is_der(bytes: &[u8]) -> bool {
    matches!(bytes, [0x30, 0x81..=0x84, ..])
}

/// A user name in an alternative name (Fulcio's `oid-info.md`).
const FULCIO_USER_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.57264.1.7");
const AUTHORITY_KEY_IDENTIFIER: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.35");
const SUBJECT_KEY_IDENTIFIER: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.14");
/// What is wrong with bytes that are not parsed at all.
pub(crate) const NOT_NESTED: &str = "it is not well nested DER, or a set in it is too large";
const SUBJECT_ALT_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.17");

/// A name in an alternative name of each kind. They look different, and not like a subject either: an issuer that may
/// certify one kind alone can't write another's names in it.
fn text_of(name: &GeneralName) -> Option<String> {
    match name {
        GeneralName::Rfc822Name(text) if is_address(text.as_str()) => Some(text.as_str().to_owned()),
        GeneralName::DnsName(text) if is_host(text.as_str()) => Some(text.as_str().to_owned()),
        GeneralName::UniformResourceIdentifier(text) if has_scheme(text.as_str()) => Some(text.as_str().to_owned()),
        GeneralName::IpAddress(bytes) => match bytes.as_bytes().len() {
            4 => <[u8; 4]>::try_from(bytes.as_bytes()).ok().map(|ip| std::net::Ipv4Addr::from(ip).to_string()),
            16 => <[u8; 16]>::try_from(bytes.as_bytes()).ok().map(|ip| std::net::Ipv6Addr::from(ip).to_string()),
            _ => None,
        },
        _ => None,
    }
}

fn is_address(text: &str) -> bool {
    let is_local = |local: &str| {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-?^_`{|}~.".contains(&byte);
        !local.is_empty() && local.bytes().all(plain)
    };
    text.split_once('@').is_some_and(|(local, host)| is_local(local) && is_host(host))
}

/// Labels of letters, digits, `-` and `_`, the first perhaps `*`; no address.
fn is_host(text: &str) -> bool {
    constraints::is_host_name(text.strip_prefix("*.").unwrap_or(text)) && text.parse::<std::net::Ipv4Addr>().is_err()
}

fn has_scheme(text: &str) -> bool {
    text.split_once(':').is_some_and(|(scheme, _)| is_scheme(scheme))
}

/// RFC 3986 §3.1.
fn is_scheme(scheme: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
    scheme.starts_with(|first: char| first.is_ascii_alphabetic()) && scheme.bytes().all(plain)
}

/// Why bytes are not a certificate.
#[derive(Debug, thiserror::Error)]
pub enum InvalidCertificate {
    /// The file is larger than any that is read.
    #[error("expected at most {MAX_CERTIFICATE_FILE_BYTES} bytes of certificates")]
    FileTooLarge,
    /// The file is not PEM.
    #[error(transparent)]
    Pem(InvalidKey),
    /// The file has no certificate in it.
    #[error("expected a certificate, found a PEM block `{found}`")]
    NoCertificate {
        /// The label of the first block.
        found: String,
    },
    /// The certificate is larger than any that is read.
    #[error("expected a certificate of at most {MAX_CERTIFICATE_BYTES} bytes, found {found}")]
    TooLarge {
        /// Its length in bytes.
        found: usize,
    },
    /// The bytes are not a certificate.
    #[error("the certificate is broken: {0}")]
    Malformed(String),
    /// An extension stands twice (RFC 5280 §4.2).
    #[error("the certificate has the extension {oid} twice")]
    DuplicateExtension {
        /// The extension.
        oid: String,
    },
}
