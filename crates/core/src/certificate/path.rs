//! A path of certificates from a leaf to an anchor: building one (RFC 4158) and validating it (RFC 5280 §6.1).
//!
//! An anchor is a certificate, and is held to what it says: its validity, its critical extensions, its path length, its
//! constraints. A path may end in any certificate that is trusted, an intermediate too.

use x509_cert::der::asn1::ObjectIdentifier;

use super::constraints::{Constraints, NAME_CONSTRAINTS, NameError};
use super::policies::Policies;
use super::usage::Purpose;
use super::{Certificate, UnixTime, UsageError, signature};

/// The most certificates between a leaf and its anchor.
pub const MAX_INTERMEDIATES: usize = 10;
/// The most signatures that are checked in search of a path.
const MAX_SIGNATURES: usize = 200;

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
/// them, is valid at `time`, and whose leaf and issuers may be used for `purpose`.
///
/// # Errors
/// [`PathError`]: why the path that came furthest is not valid, or that there is none.
pub fn validate(
    leaf: &Certificate,
    intermediates: &[Certificate],
    anchors: &[Certificate],
    purpose: Purpose,
    time: UnixTime,
) -> Result<ValidPath, PathError> {
    if anchors.iter().any(|anchor| anchor.der == leaf.der) {
        check_validity(leaf, time)?;
        check_critical_extensions(leaf)?;
        leaf.check_leaf(purpose, true).map_err(|error| usage(leaf, error))?;
        return Ok(ValidPath { certificates: Vec::new(), anchor: leaf.clone(), time });
    }
    let mut search = Search { intermediates, anchors, purpose, time, signatures: 0, error: None };
    if let Some(path) = search.extend(&mut vec![leaf]) {
        return Ok(path);
    }
    let no_path = || PathError::NoPath { subject: leaf.subject(), issuer: leaf.issuer() };
    Err(search.error.map_or_else(no_path, |(_, error)| error))
}

impl Certificate {
    /// Checks that the certificate says itself that it may sign models, as one that is not an anchor has to.
    pub(crate) fn check_signs_models(&self) -> Result<(), PathError> {
        self.check_leaf(Purpose::SignModels, false).map_err(|error| usage(self, error))
    }
}

struct Search<'a> {
    intermediates: &'a [Certificate],
    anchors: &'a [Certificate],
    purpose: Purpose,
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
            if let Err(error) = self.require_signed(current, anchor) {
                self.record(path.len(), error);
                continue;
            }
            match check(path, anchor, self.purpose, self.time) {
                Ok(valid) => return Some(valid),
                Err(error @ PathError::TooManyNames { .. }) => {
                    // Other paths have the same names: that took long enough.
                    self.signatures = MAX_SIGNATURES;
                    self.record(usize::MAX, error);
                    return None;
                }
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
            let subject = current.subject();
            self.record(
                path.len(),
                if current.is_self_issued() {
                    PathError::NotTrusted { subject }
                } else {
                    PathError::NoPath { subject, issuer: current.issuer() }
                },
            );
        }
        None
    }

    fn require_signed(&mut self, certificate: &Certificate, issuer: &Certificate) -> Result<(), PathError> {
        if self.signatures >= MAX_SIGNATURES {
            return Err(PathError::TooManyCandidates);
        }
        self.signatures += 1;
        let signed = &certificate.parsed;
        if !signature::is_supported(issuer, &signed.signature_algorithm) {
            return Err(PathError::Algorithm {
                subject: certificate.subject(),
                found: signature::describe(&signed.signature_algorithm),
            });
        }
        if certificate.is_signed_by(issuer) {
            Ok(())
        } else {
            Err(PathError::Signature { subject: certificate.subject(), issuer: issuer.subject() })
        }
    }

    fn record(&mut self, distance: usize, error: PathError) {
        // What was not tried may have been the path.
        let distance = if error == PathError::TooManyCandidates { usize::MAX - 1 } else { distance };
        if self.error.as_ref().is_none_or(|(furthest, _)| distance > *furthest) {
            self.error = Some((distance, error));
        }
    }
}

fn is_named_as_issuer(issuer: &Certificate, certificate: &Certificate) -> bool {
    // An issuer has a name (RFC 5280 §4.1.2.6).
    !issuer.subject.is_empty() && issuer.subject == certificate.issuer
}

/// Whether two certificates are of the same name and key: a path that visits one twice goes in a circle.
fn is_same_party(a: &Certificate, b: &Certificate) -> bool {
    let (a_key, b_key) =
        (&a.parsed.tbs_certificate.subject_public_key_info, &b.parsed.tbs_certificate.subject_public_key_info);
    a_key.subject_public_key == b_key.subject_public_key && a.subject == b.subject
}

/// Checks a path whose signatures hold, from the anchor down (RFC 5280 §6.1).
fn check(
    path: &[&Certificate],
    anchor: &Certificate,
    purpose: Purpose,
    time: UnixTime,
) -> Result<ValidPath, PathError> {
    let mut below = Below::anchor(anchor, path, purpose, time)?;
    for (index, certificate) in path.iter().enumerate().rev() {
        let is_leaf = index == 0;
        check_validity(certificate, time)?;
        check_critical_extensions(certificate)?;
        below.check_names(certificate, is_leaf)?;
        if !below.policies.enter(certificate, is_leaf).map_err(|error| usage(certificate, error))? {
            return Err(PathError::Policy { subject: certificate.subject() });
        }
        if !is_leaf {
            let issuers_below = path[1..index].iter().filter(|certificate| !certificate.is_self_issued()).count();
            below.issuer(certificate, purpose, issuers_below)?;
            below.policies.leave(certificate).map_err(|error| usage(certificate, error))?;
        }
    }
    let leaf = path[0];
    leaf.check_leaf(purpose, false).map_err(|error| usage(leaf, error))?;
    if !below.policies.finish(leaf).map_err(|error| usage(leaf, error))? {
        return Err(PathError::Policy { subject: leaf.subject() });
    }
    let certificates = path.iter().map(|certificate| (*certificate).clone()).collect();
    Ok(ValidPath { certificates, anchor: anchor.clone(), time })
}

/// What the issuers so far demand of the certificates below them.
struct Below {
    constraints: Constraints,
    policies: Policies,
}

impl Below {
    fn anchor(
        anchor: &Certificate,
        path: &[&Certificate],
        purpose: Purpose,
        time: UnixTime,
    ) -> Result<Self, PathError> {
        check_validity(anchor, time)?;
        check_critical_extensions(anchor)?;
        let mut below = Self { constraints: Constraints::default(), policies: Policies::new(path.len()) };
        let issuers_below = path[1..].iter().filter(|certificate| !certificate.is_self_issued()).count();
        below.issuer(anchor, purpose, issuers_below)?;
        below.policies.constrain(anchor).map_err(|error| usage(anchor, error))?;
        Ok(below)
    }

    /// Checks that `issuer` may issue what is below it, and takes up its name constraints.
    fn issuer(&mut self, issuer: &Certificate, purpose: Purpose, issuers_below: usize) -> Result<(), PathError> {
        issuer.check_issuer(purpose).map_err(|error| usage(issuer, error))?;
        let limit = issuer.path_length_limit().map_err(|error| usage(issuer, error))?;
        if limit.is_some_and(|limit| issuers_below > limit) {
            return Err(PathError::TooLong);
        }
        self.constraints.add(issuer).map_err(|error| usage(issuer, error))
    }

    fn check_names(&self, certificate: &Certificate, is_leaf: bool) -> Result<(), PathError> {
        // §6.1.3(b): an issuer that renews its own key keeps its own name.
        let checked = if !is_leaf && certificate.is_self_issued() {
            Constraints::default().check(certificate)
        } else {
            self.constraints.check(certificate)
        };
        checked.map_err(|error| match error {
            NameError::NotAllowed => PathError::NameConstraints { subject: certificate.subject() },
            NameError::TooMany => PathError::TooManyNames { subject: certificate.subject() },
            NameError::Usage(error) => usage(certificate, error),
        })
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

fn usage(certificate: &Certificate, error: UsageError) -> PathError {
    PathError::Usage { subject: certificate.subject(), error }
}

/// Why there is no valid path.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// The path ends in a certificate that is its own issuer.
    #[error("no path to a trusted certificate: it ends in the certificate of `{subject}`, which is not trusted")]
    NotTrusted {
        /// Whose certificate.
        subject: String,
    },
    /// Nobody given is the issuer.
    #[error(
        "no path to a trusted certificate: `{issuer}`, the issuer of `{subject}`, is neither trusted nor in the signature"
    )]
    NoPath {
        /// Whose certificate.
        subject: String,
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
    /// A certificate is signed with an algorithm, or a kind of key, that is not accepted.
    #[error(
        "the certificate of `{subject}` is signed with {found}: expected RSA (PKCS#1 v1.5) or ECDSA on P-256, P-384 or \
         P-521 with SHA-256 to SHA-512, or Ed25519"
    )]
    Algorithm {
        /// Whose certificate.
        subject: String,
        /// The algorithm.
        found: String,
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
    /// An issuer demands a policy, and none is valid along the path.
    #[error("the certificate of `{subject}` has none of the policies that its issuers demand (PolicyConstraints)")]
    Policy {
        /// Whose certificate.
        subject: String,
    },
    /// There are more names and constraints than are compared.
    #[error("the certificate of `{subject}` has too many names to compare with its issuers' constraints")]
    TooManyNames {
        /// Whose certificate.
        subject: String,
    },
}
