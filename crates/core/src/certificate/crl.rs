//! Revocation lists (RFC 5280 §5, §6.3).

use x509_cert::crl::{CertificateList, RevokedCert};
use x509_cert::der::asn1::ObjectIdentifier;
use x509_cert::der::{Decode, Encode};
use x509_cert::ext::Extension;
use x509_cert::ext::pkix::CrlReason;

use super::bounds::{Sets, has_small_sets};
use super::name::NormalName;
use super::{Certificate, NOT_NESTED, UnixTime, UsageError, ValidPath, is_der, signature};

/// The largest revocation list that is read, in bytes.
pub const MAX_CRL_BYTES: usize = 32 << 20;

const DELTA_INDICATOR: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.27");
const ISSUING_DISTRIBUTION_POINT: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.28");
const CERTIFICATE_ISSUER: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.29");
const REASON: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.21");
const INVALIDITY_DATE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.24");

/// A complete revocation list of one issuer.
#[derive(Clone)]
pub struct RevocationList {
    parsed: CertificateList,
    issuer: NormalName,
}

impl RevocationList {
    /// Reads every revocation list of a PEM file, or the one of a DER file. Other PEM blocks are passed over.
    ///
    /// # Errors
    /// [`InvalidCrl`]: what is wrong.
    pub fn from_file(bytes: &[u8]) -> Result<Vec<Self>, InvalidCrl> {
        if bytes.len() > MAX_CRL_BYTES {
            return Err(InvalidCrl::TooLarge);
        }
        if is_der(bytes) {
            return Self::from_der(bytes).map(|list| vec![list]);
        }
        let blocks = crate::key::pem_blocks(bytes).map_err(|error| InvalidCrl::Malformed(error.to_string()))?;
        let lists: Vec<_> = blocks.iter().filter(|block| block.tag() == "X509 CRL").collect();
        if lists.is_empty() {
            let found = blocks.first().map_or_else(String::new, |block| block.tag().to_owned());
            return Err(InvalidCrl::WrongKind { found });
        }
        lists.into_iter().map(|block| Self::from_der(block.contents())).collect()
    }

    fn from_der(der: &[u8]) -> Result<Self, InvalidCrl> {
        if !has_small_sets(der, Sets::Tagged) {
            return Err(InvalidCrl::Malformed(NOT_NESTED.to_owned()));
        }
        let parsed = CertificateList::from_der(der).map_err(|error| InvalidCrl::Malformed(error.to_string()))?;
        // What is signed is what was read: no second encoding of the same values.
        if parsed.to_der().ok().as_deref() != Some(der) {
            return Err(InvalidCrl::Malformed("it is not encoded in DER".to_owned()));
        }
        // RFC 5280 §5.1.1.2, as for certificates.
        if parsed.signature_algorithm != parsed.tbs_cert_list.signature || parsed.signature.as_bytes().is_none() {
            return Err(InvalidCrl::Malformed("its signature is not as it says itself".to_owned()));
        }
        for extension in parsed.tbs_cert_list.crl_extensions.iter().flatten() {
            // Both narrow the list; `critical` or not, it is then not the list of everything.
            let partial = matches!(extension.extn_id, DELTA_INDICATOR | ISSUING_DISTRIBUTION_POINT);
            if partial || extension.critical {
                return Err(unsupported(extension));
            }
        }
        for entry in parsed.tbs_cert_list.revoked_certificates.iter().flatten() {
            for extension in entry.crl_entry_extensions.iter().flatten() {
                let understood = matches!(extension.extn_id, REASON | INVALIDITY_DATE);
                if extension.extn_id == CERTIFICATE_ISSUER || (extension.critical && !understood) {
                    return Err(unsupported(extension));
                }
            }
        }
        let issuer = NormalName::of(&parsed.tbs_cert_list.issuer);
        Ok(Self { parsed, issuer })
    }

    /// The issuer's name (RFC 4514).
    #[must_use]
    pub fn issuer(&self) -> String {
        self.parsed.tbs_cert_list.issuer.to_string()
    }

    /// When it was issued.
    #[must_use]
    pub fn this_update(&self) -> UnixTime {
        UnixTime::of(self.parsed.tbs_cert_list.this_update)
    }

    fn is_of(&self, certificate: &Certificate) -> bool {
        self.issuer == certificate.issuer
    }

    fn is_signed_by(&self, issuer: &Certificate) -> bool {
        let list = &self.parsed;
        let holds =
            |tbs: Vec<u8>| signature::holds(issuer, &list.signature_algorithm, &tbs, list.signature.raw_bytes());
        list.tbs_cert_list.to_der().is_ok_and(holds)
    }

    /// Checks that `issuer`, who signed the list, may sign lists, and that it is not stale.
    fn require_current(&self, issuer: &Certificate, now: UnixTime) -> Result<(), RevocationError> {
        let usage = issuer.check_signs_crls();
        usage.map_err(|error| RevocationError::Issuer { issuer: issuer.subject(), error })?;
        let next_update = self.parsed.tbs_cert_list.next_update.map(UnixTime::of);
        let this_update = self.this_update();
        if now < this_update || next_update.is_none_or(|next| now > next) {
            return Err(RevocationError::Stale { issuer: self.issuer(), this_update, next_update, now });
        }
        Ok(())
    }

    fn entry(&self, certificate: &Certificate) -> Option<&RevokedCert> {
        let serial = &certificate.parsed.tbs_certificate.serial_number;
        self.parsed.tbs_cert_list.revoked_certificates.iter().flatten().find(|entry| entry.serial_number == *serial)
    }
}

impl std::fmt::Debug for RevocationList {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "RevocationList({}, {})", self.issuer(), self.this_update())
    }
}

fn unsupported(extension: &Extension) -> InvalidCrl {
    InvalidCrl::Extension { oid: extension.extn_id.to_string() }
}

/// What is known of the revocation of a path's certificates.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Revocation {
    /// Subjects of certificates that a list covers and does not revoke, and when the list was issued.
    pub checked: Vec<(String, UnixTime)>,
    /// Subjects of certificates that no list covers.
    pub unchecked: Vec<String>,
}

impl Revocation {
    /// Nothing is known of the certificates of `path`.
    #[must_use]
    pub fn unknown(path: &ValidPath) -> Self {
        Self { checked: Vec::new(), unchecked: revocable(path).map(Certificate::subject).collect() }
    }

    /// Looks every certificate of `path` up in `lists`, as of `now`: a trusted one too, if it is not a root and its issuer
    /// is among `issuers`. Without lists, all are unchecked.
    ///
    /// A certificate that is revoked is refused whenever it was revoked: a list does not say since when the key was in
    /// other hands. A list that was issued after a certificate expired need not name it any more (RFC 5280 §3.3), so it
    /// does not count as one that covers it.
    ///
    /// # Errors
    /// [`RevocationError`] if a certificate is revoked, or a list of its issuer can't be relied on.
    pub fn look_up(
        path: &ValidPath,
        lists: &[RevocationList],
        issuers: &[Certificate],
        now: UnixTime,
    ) -> Result<Self, RevocationError> {
        survey(path, lists, issuers, now).map(|(revocation, _)| revocation)
    }

    /// As [`Self::look_up`]; where there are lists, one has to cover the leaf.
    ///
    /// # Errors
    /// [`RevocationError`], [`RevocationError::NotCovered`] among them.
    pub fn check(
        path: &ValidPath,
        lists: &[RevocationList],
        issuers: &[Certificate],
        now: UnixTime,
    ) -> Result<Self, RevocationError> {
        let (revocation, covers_leaf) = survey(path, lists, issuers, now)?;
        if lists.is_empty() || covers_leaf {
            Ok(revocation)
        } else {
            Err(RevocationError::NotCovered { issuer: path.leaf().issuer() })
        }
    }
}

/// What the lists say of the certificates, and whether one covers the leaf.
fn survey(
    path: &ValidPath,
    lists: &[RevocationList],
    issuers: &[Certificate],
    now: UnixTime,
) -> Result<(Revocation, bool), RevocationError> {
    let (mut revocation, mut covers_leaf) = (Revocation::default(), false);
    let certificates = path.certificates();
    for (index, certificate) in revocable(path).enumerate() {
        let candidates: Vec<&Certificate> = match certificates.get(index) {
            Some(_) => vec![certificates.get(index + 1).unwrap_or(path.anchor())],
            None => issuers.iter().filter(|issuer| issuer.subject == certificate.issuer).collect(),
        };
        match covered(certificate, &candidates, lists, now)? {
            Some(time) => {
                covers_leaf |= index == 0;
                revocation.checked.push((certificate.subject(), time));
            }
            None => revocation.unchecked.push(certificate.subject()),
        }
    }
    Ok((revocation, covers_leaf))
}

/// The certificates of a path that somebody else issued, the leaf first.
fn revocable(path: &ValidPath) -> impl Iterator<Item = &Certificate> {
    let anchor = Some(path.anchor()).filter(|anchor| !anchor.is_self_issued());
    path.certificates().iter().chain(anchor)
}

/// When the newest list was issued that covers `certificate`, and does not revoke it. One of `candidates` is its issuer.
fn covered(
    certificate: &Certificate,
    candidates: &[&Certificate],
    lists: &[RevocationList],
    now: UnixTime,
) -> Result<Option<UnixTime>, RevocationError> {
    let (mut newest, mut foreign) = (None, None);
    for list in lists.iter().filter(|list| list.is_of(certificate)) {
        // An issuer that renewed its key publishes lists of both under its one name.
        let Some(issuer) = candidates.iter().find(|issuer| list.is_signed_by(issuer)) else {
            foreign = Some(list);
            continue;
        };
        list.require_current(issuer, now)?;
        if let Some(entry) = list.entry(certificate) {
            return Err(revoked(certificate, entry));
        }
        if list.this_update() <= certificate.not_after() {
            newest = newest.max(Some(list.this_update()));
        }
    }
    match (newest, foreign) {
        (None, Some(list)) if !candidates.is_empty() => Err(RevocationError::Signature { issuer: list.issuer() }),
        _ => Ok(newest),
    }
}

fn revoked(certificate: &Certificate, entry: &RevokedCert) -> RevocationError {
    let mut extensions = entry.crl_entry_extensions.iter().flatten();
    let reason = extensions.find(|extension| extension.extn_id == REASON);
    let reason = reason.and_then(|extension| CrlReason::from_der(extension.extn_value.as_bytes()).ok());
    RevocationError::Revoked {
        subject: certificate.subject(),
        serial_number: certificate.serial_number(),
        since: UnixTime::of(entry.revocation_date),
        reason: reason.map_or_else(|| "no reason given".to_owned(), |reason| format!("{reason:?}")),
    }
}

/// Why bytes are not a revocation list that can be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidCrl {
    /// It is larger than any that is read.
    #[error("expected a revocation list of at most {MAX_CRL_BYTES} bytes")]
    TooLarge,
    /// It is PEM of something else.
    #[error("expected a PEM block `X509 CRL`, found `{found}`")]
    WrongKind {
        /// The label.
        found: String,
    },
    /// The bytes are not a revocation list.
    #[error("the revocation list is broken: {0}")]
    Malformed(String),
    /// It is one of a kind that is not supported: partial, indirect, or with a critical extension.
    #[error("the revocation list has the extension {oid}, with which it can't be relied on here")]
    Extension {
        /// The extension.
        oid: String,
    },
}

/// Why a path is refused for what its issuers publish.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RevocationError {
    /// A certificate is revoked.
    #[error("the certificate of `{subject}` (serial {serial_number}) was revoked on {since}: {reason}")]
    Revoked {
        /// Whose certificate.
        subject: String,
        /// Its serial number in hex.
        serial_number: String,
        /// The date in the list.
        since: UnixTime,
        /// The reason in the list.
        reason: String,
    },
    /// The list is not signed by the issuer in the path.
    #[error("the revocation list of `{issuer}` is not signed by that issuer")]
    Signature {
        /// The issuer that the list names.
        issuer: String,
    },
    /// The issuer may not sign lists.
    #[error("the revocation list of `{issuer}` can't be relied on: {error}")]
    Issuer {
        /// The issuer.
        issuer: String,
        /// What its certificate does not allow.
        error: UsageError,
    },
    /// The list is too old, or from the future.
    #[error("the revocation list of `{issuer}` is of {this_update}, with the next one {}, and it is {now}",
        next_update.map_or_else(|| "not announced".to_owned(), |next| format!("at {next}")))]
    Stale {
        /// The issuer.
        issuer: String,
        /// When it was issued.
        this_update: UnixTime,
        /// When the next one is due.
        next_update: Option<UnixTime>,
        /// The time in question.
        now: UnixTime,
    },
    /// Lists were given, and none covers the leaf.
    #[error(
        "none of the revocation lists covers the signing certificate: expected one of its issuer `{issuer}`, issued \
         before the certificate expired"
    )]
    NotCovered {
        /// The leaf's issuer.
        issuer: String,
    },
}
