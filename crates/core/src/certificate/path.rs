//! A path of certificates from a leaf to an anchor (RFC 5280 §6, building as RFC 4158).
//!
//! The algorithm of RFC 5280 §6.1 is `pkix-path`'s. Here is what it leaves to its caller: finding candidates, and what an
//! anchor has to be. An anchor is a certificate, and is held to what it says: its validity, its critical extensions, its
//! path length.

use pkix_path::{SignatureVerifier, TrustAnchor, ValidationPolicy, names_match, validate_path};
use x509_cert::der::Encode;
use x509_cert::der::asn1::ObjectIdentifier;
use x509_cert::der::referenced::OwnedToRef;
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::ext::pkix::{NameConstraints, SubjectAltName};

use super::signature::AwsLc;
use super::{Certificate, UnixTime, UsageError};

/// The most certificates between a leaf and its anchor.
pub const MAX_INTERMEDIATES: usize = 10;
/// The most signatures that are checked in search of a path.
const MAX_SIGNATURES: usize = 200;

const NAME_CONSTRAINTS: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.30");

/// The critical extensions that are understood: KeyUsage, SubjectAltName, BasicConstraints, NameConstraints,
/// CertificatePolicies, PolicyMappings, PolicyConstraints, ExtendedKeyUsage, InhibitAnyPolicy.
const UNDERSTOOD: [ObjectIdentifier; 9] = [
    ObjectIdentifier::new_unwrap("2.5.29.15"),
    ObjectIdentifier::new_unwrap("2.5.29.17"),
    ObjectIdentifier::new_unwrap("2.5.29.19"),
    NAME_CONSTRAINTS,
    ObjectIdentifier::new_unwrap("2.5.29.32"),
    ObjectIdentifier::new_unwrap("2.5.29.33"),
    ObjectIdentifier::new_unwrap("2.5.29.36"),
    ObjectIdentifier::new_unwrap("2.5.29.37"),
    ObjectIdentifier::new_unwrap("2.5.29.54"),
];

/// A path that is valid at its time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValidPath {
    certificates: Vec<Certificate>,
    anchor: Certificate,
    time: UnixTime,
}

impl ValidPath {
    /// The leaf.
    #[must_use]
    pub fn leaf(&self) -> &Certificate {
        self.certificates.first().unwrap_or(&self.anchor)
    }

    /// The certificates from the leaf to the one that the anchor issued. Empty if the leaf itself is the anchor.
    #[must_use]
    pub fn certificates(&self) -> &[Certificate] {
        &self.certificates
    }

    /// The trusted certificate that it ends in.
    #[must_use]
    pub fn anchor(&self) -> &Certificate {
        &self.anchor
    }

    /// The time at which it is valid.
    #[must_use]
    pub fn time(&self) -> UnixTime {
        self.time
    }
}

/// Finds a path from `leaf` through `intermediates` to one of `anchors` in which every certificate, the anchor among
/// them, is valid at `time`. What the leaf may be used for is not looked at.
///
/// # Errors
/// [`PathError`]: why the path that came furthest is not valid, or that there is none.
pub fn validate(
    leaf: &Certificate,
    intermediates: &[Certificate],
    anchors: &[Certificate],
    time: UnixTime,
) -> Result<ValidPath, PathError> {
    if anchors.iter().any(|anchor| anchor.der == leaf.der) {
        check_validity(leaf, time)?;
        check_critical_extensions(leaf)?;
        return Ok(ValidPath { certificates: Vec::new(), anchor: leaf.clone(), time });
    }
    let mut search = Search { intermediates, anchors, time, signatures: 0, error: None };
    if let Some(path) = search.extend(&mut vec![leaf]) {
        return Ok(path);
    }
    Err(search.error.map_or_else(|| PathError::NoPath { issuer: leaf.issuer() }, |(_, error)| error))
}

struct Search<'a> {
    intermediates: &'a [Certificate],
    anchors: &'a [Certificate],
    time: UnixTime,
    signatures: usize,
    /// The error of the path that came furthest, and how far that is.
    error: Option<(usize, PathError)>,
}

impl<'a> Search<'a> {
    fn extend(&mut self, path: &mut Vec<&'a Certificate>) -> Option<ValidPath> {
        let current = *path.last()?;
        let mut issuers = 0;
        for anchor in self.anchors {
            if !is_named_as_issuer(anchor, current) {
                continue;
            }
            issuers += 1;
            match self.require_signed(current, anchor).and_then(|()| check(path, anchor, self.time)) {
                Ok(valid) => return Some(valid),
                // Reaching an anchor is further than any path that does not.
                Err(error) => self.record(MAX_INTERMEDIATES + 1 + path.len(), error),
            }
        }
        for issuer in self.intermediates {
            if !is_named_as_issuer(issuer, current) || path.iter().any(|certificate| is_same_party(certificate, issuer))
            {
                continue;
            }
            issuers += 1;
            if path.len() > MAX_INTERMEDIATES {
                self.record(path.len(), PathError::TooLong);
                continue;
            }
            match self.require_signed(current, issuer) {
                Ok(()) => {
                    path.push(issuer);
                    let found = self.extend(path);
                    path.pop();
                    if found.is_some() {
                        return found;
                    }
                }
                Err(error) => self.record(path.len(), error),
            }
        }
        if issuers == 0 {
            self.record(path.len(), PathError::NoPath { issuer: current.issuer() });
        }
        None
    }

    fn require_signed(&mut self, certificate: &Certificate, issuer: &Certificate) -> Result<(), PathError> {
        if self.signatures >= MAX_SIGNATURES {
            return Err(PathError::TooManyCandidates);
        }
        self.signatures += 1;
        let tbs = certificate.parsed.tbs_certificate.to_der();
        let signed = &certificate.parsed;
        let holds =
            tbs.is_ok_and(|tbs| verify(issuer, &signed.signature_algorithm, &tbs, signed.signature.raw_bytes()));
        if holds {
            Ok(())
        } else {
            Err(PathError::Signature { subject: certificate.subject(), issuer: issuer.subject() })
        }
    }

    fn record(&mut self, distance: usize, error: PathError) {
        if self.error.as_ref().is_none_or(|(furthest, _)| distance > *furthest) {
            self.error = Some((distance, error));
        }
    }
}

/// Whether `signature` over `message` is one of `issuer`.
pub(super) fn verify(
    issuer: &Certificate,
    algorithm: &x509_cert::spki::AlgorithmIdentifierOwned,
    message: &[u8],
    signature: &[u8],
) -> bool {
    let spki = issuer.parsed.tbs_certificate.subject_public_key_info.owned_to_ref();
    AwsLc.verify_signature(algorithm.owned_to_ref(), spki, message, signature).is_ok()
}

fn is_named_as_issuer(issuer: &Certificate, certificate: &Certificate) -> bool {
    names_match(&issuer.parsed.tbs_certificate.subject, &certificate.parsed.tbs_certificate.issuer)
}

/// Whether two certificates are of the same name and key: a path that visits one twice goes in a circle.
fn is_same_party(a: &Certificate, b: &Certificate) -> bool {
    let (a, b) = (&a.parsed.tbs_certificate, &b.parsed.tbs_certificate);
    a.subject_public_key_info.subject_public_key == b.subject_public_key_info.subject_public_key
        && names_match(&a.subject, &b.subject)
}

/// Checks a path whose signatures hold.
fn check(path: &[&Certificate], anchor: &Certificate, time: UnixTime) -> Result<ValidPath, PathError> {
    check_anchor(path, anchor, time)?;
    for certificate in path {
        check_validity(certificate, time)?;
        check_critical_extensions(certificate)?;
        check_names(certificate)?;
    }
    for issuer in &path[1..] {
        issuer.check_issues().map_err(|error| usage(issuer, error))?;
    }
    let chain: Vec<_> = path.iter().map(|certificate| certificate.parsed.clone()).collect();
    let trusted = TrustAnchor::try_from(anchor.parsed.clone())
        .map_err(|_| usage(anchor, UsageError::Malformed { extension: "NameConstraints" }))?;
    let policy = ValidationPolicy::new(time.0);
    validate_path(&chain, &[trusted], &policy, &AwsLc).map_err(|error| refused(path, &error))?;
    let certificates = path.iter().map(|certificate| (*certificate).clone()).collect();
    Ok(ValidPath { certificates, anchor: anchor.clone(), time })
}

/// An anchor that issues is held to what an issuer is.
fn check_anchor(path: &[&Certificate], anchor: &Certificate, time: UnixTime) -> Result<(), PathError> {
    check_validity(anchor, time)?;
    check_critical_extensions(anchor)?;
    check_names(anchor)?;
    anchor.check_issues().map_err(|error| usage(anchor, error))?;
    let between = path[1..].iter().filter(|certificate| !certificate.is_self_issued()).count();
    match anchor.path_length_limit().map_err(|error| usage(anchor, error))? {
        Some(limit) if between > limit => Err(PathError::TooLong),
        _ => Ok(()),
    }
}

fn check_validity(certificate: &Certificate, time: UnixTime) -> Result<(), PathError> {
    let (not_before, not_after) = (certificate.not_before(), certificate.not_after());
    if (not_before..=not_after).contains(&time) {
        return Ok(());
    }
    Err(PathError::OutOfValidity { subject: certificate.subject(), not_before, not_after, time })
}

fn check_critical_extensions(certificate: &Certificate) -> Result<(), PathError> {
    let mut extensions = certificate.parsed.tbs_certificate.extensions.iter().flatten();
    match extensions.find(|extension| extension.critical && !UNDERSTOOD.contains(&extension.extn_id)) {
        Some(extension) => {
            Err(PathError::CriticalExtension { subject: certificate.subject(), oid: extension.extn_id.to_string() })
        }
        None => Ok(()),
    }
}

/// Refuses constraints and names of kinds that the path algorithm passes over: it would let through what it can't compare.
fn check_names(certificate: &Certificate) -> Result<(), PathError> {
    let malformed = |extension| usage(certificate, UsageError::Malformed { extension });
    let names: Option<SubjectAltName> =
        certificate.extension(super::SUBJECT_ALT_NAME).map_err(|_| malformed("SubjectAltName"))?;
    if names.is_some_and(|names| names.0.is_empty()) {
        return Err(malformed("SubjectAltName"));
    }
    let constraints: Option<NameConstraints> =
        certificate.extension(NAME_CONSTRAINTS).map_err(|_| malformed("NameConstraints"))?;
    let Some(constraints) = constraints else { return Ok(()) };
    let permitted = constraints.permitted_subtrees.iter().flatten();
    let mut subtrees = permitted.chain(constraints.excluded_subtrees.iter().flatten());
    let comparable = |base: &GeneralName| match base {
        GeneralName::DnsName(name) => !name.as_str().is_empty() && !name.as_str().contains('*'),
        GeneralName::UniformResourceIdentifier(name) => !name.as_str().is_empty(),
        GeneralName::Rfc822Name(name) => !name.as_str().is_empty(),
        GeneralName::IpAddress(bytes) => matches!(bytes.as_bytes().len(), 8 | 32),
        _ => true,
    };
    if subtrees.all(|subtree| comparable(&subtree.base)) { Ok(()) } else { Err(malformed("NameConstraints")) }
}

fn usage(certificate: &Certificate, error: UsageError) -> PathError {
    PathError::Usage { subject: certificate.subject(), error }
}

fn refused(path: &[&Certificate], error: &pkix_path::Error) -> PathError {
    use pkix_path::Error;
    let subject = |index: usize| path.get(index).map_or_else(String::new, |certificate| certificate.subject());
    match error {
        Error::NameConstraintViolation { index } => PathError::NameConstraints { subject: subject(*index) },
        Error::PathTooLong => PathError::TooLong,
        other => PathError::Refused { subject: subject(0), reason: other.to_string() },
    }
}

/// Why there is no valid path.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// Nobody given is the issuer.
    #[error("no path to a trusted certificate: the issuer `{issuer}` is neither trusted nor in the bundle")]
    NoPath {
        /// The issuer that is missing.
        issuer: String,
    },
    /// A certificate's signature does not hold.
    #[error("the certificate of `{subject}` is not signed by the certificate of `{issuer}`")]
    Signature {
        /// Whose certificate.
        subject: String,
        /// Whose signature it should be.
        issuer: String,
    },
    /// A certificate is not valid at the time.
    #[error("the certificate of `{subject}` is valid from {not_before} to {not_after}, not at {time}")]
    OutOfValidity {
        /// Whose certificate.
        subject: String,
        /// From when it is valid.
        not_before: UnixTime,
        /// Until when.
        not_after: UnixTime,
        /// The time in question.
        time: UnixTime,
    },
    /// A certificate may not be used as the path needs it.
    #[error("the certificate of `{subject}` is not acceptable: {error}")]
    Usage {
        /// Whose certificate.
        subject: String,
        /// Why.
        error: UsageError,
    },
    /// A critical extension that is not understood.
    #[error("the certificate of `{subject}` has the critical extension {oid}, which is not understood")]
    CriticalExtension {
        /// Whose certificate.
        subject: String,
        /// The extension.
        oid: String,
    },
    /// A name that an issuer's constraints exclude.
    #[error("the names of `{subject}` are not those that its issuer may certify (NameConstraints)")]
    NameConstraints {
        /// Whose certificate.
        subject: String,
    },
    /// The path is longer than an issuer, or this tool, allows.
    #[error("the path is longer than its issuers, or {MAX_INTERMEDIATES} certificates between leaf and anchor, allow")]
    TooLong,
    /// There are more candidates than are tried.
    #[error("gave up after {MAX_SIGNATURES} signatures: too many certificates could be the issuer")]
    TooManyCandidates,
    /// Something else in RFC 5280 §6.1.
    #[error("the path from `{subject}` is not valid: {reason}")]
    Refused {
        /// The leaf.
        subject: String,
        /// Why.
        reason: String,
    },
}
