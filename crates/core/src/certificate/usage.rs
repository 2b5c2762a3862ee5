//! What a certificate's key may be used for.

use x509_cert::der::asn1::ObjectIdentifier;
use x509_cert::ext::pkix::{BasicConstraints, ExtendedKeyUsage, KeyUsage};

use super::Certificate;
use super::constraints::NAME_CONSTRAINTS;

const KEY_USAGE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.15");
const BASIC_CONSTRAINTS: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.19");
const EXTENDED_KEY_USAGE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.37");
const CODE_SIGNING: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.3");
const TIME_STAMPING: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.8");
const ANY_USAGE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.37.0");

/// What the leaf of a path is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Signing models.
    SignModels,
    /// Issuing RFC 3161 timestamps.
    StampTime,
    /// What this ExtendedKeyUsage is for.
    Other(ObjectIdentifier),
}

impl std::fmt::Display for Purpose {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::SignModels => f.write_str("code signing"),
            Self::StampTime => f.write_str("timestamps"),
            Self::Other(oid) => write!(f, "the purpose {oid}"),
        }
    }
}

impl Purpose {
    const fn oid(self) -> ObjectIdentifier {
        match self {
            Self::SignModels => CODE_SIGNING,
            Self::StampTime => TIME_STAMPING,
            Self::Other(oid) => oid,
        }
    }
}

impl Certificate {
    /// Checks that the certificate's key may be used for `purpose`.
    ///
    /// For models: KeyUsage, where present, allows digital signatures; ExtendedKeyUsage, where present, allows code
    /// signing or anything; and one of the two is there unless `is_anchor`, the caller having named this very
    /// certificate. For timestamps, RFC 3161 §2.3: a critical ExtendedKeyUsage of nothing else.
    pub(super) fn check_leaf(&self, purpose: Purpose, is_anchor: bool) -> Result<(), UsageError> {
        let key_usage: Option<KeyUsage> = self.usage_extension("KeyUsage", KEY_USAGE)?;
        let may_sign = key_usage.is_none_or(|usage| match purpose {
            Purpose::SignModels => usage.digital_signature(),
            // RFC 5280 §4.2.1.12.
            Purpose::StampTime => usage.digital_signature() || usage.non_repudiation(),
            Purpose::Other(_) => true,
        });
        if !may_sign {
            return Err(UsageError::NoDigitalSignature);
        }
        let constraints: Option<BasicConstraints> = self.usage_extension("BasicConstraints", BASIC_CONSTRAINTS)?;
        let is_authority = constraints.is_some_and(|constraints| constraints.ca);
        if !is_anchor && !is_authority {
            // RFC 5280 §4.2.1.3 and §4.2.1.10: not for those who issue nothing.
            if key_usage.is_some_and(|usage| usage.key_cert_sign()) {
                return Err(UsageError::NoAuthority);
            }
            if self.extension_criticality(NAME_CONSTRAINTS).is_some() {
                return Err(UsageError::NoAuthority);
            }
        }
        let extended = self.extended_key_usage()?;
        match (purpose, &extended) {
            (Purpose::StampTime, Some(usage)) => {
                let alone = usage.0 == [TIME_STAMPING] && self.extension_criticality(EXTENDED_KEY_USAGE) == Some(true);
                if alone { Ok(()) } else { Err(UsageError::NotForTimeAlone) }
            }
            (Purpose::StampTime, None) => Err(UsageError::NotForTimeAlone),
            (_, Some(usage)) if !allows(usage, purpose) => Err(UsageError::OtherPurpose { purpose }),
            (Purpose::SignModels, None) if key_usage.is_none() && !is_anchor => Err(UsageError::Unstated),
            _ => Ok(()),
        }
    }

    /// Checks that the certificate may issue others, those for `purpose` among them. RFC 5280 leaves open what
    /// ExtendedKeyUsage says of an issuer; as elsewhere, it limits what is issued.
    pub(super) fn check_issuer(&self, purpose: Purpose) -> Result<(), UsageError> {
        let constraints: Option<BasicConstraints> = self.usage_extension("BasicConstraints", BASIC_CONSTRAINTS)?;
        if !constraints.is_some_and(|constraints| constraints.ca) {
            return Err(UsageError::NoAuthority);
        }
        let key_usage: Option<KeyUsage> = self.usage_extension("KeyUsage", KEY_USAGE)?;
        if key_usage.is_some_and(|usage| !usage.key_cert_sign()) {
            return Err(UsageError::NoCertificateSigning);
        }
        match self.extended_key_usage()? {
            Some(usage) if !allows(&usage, purpose) => Err(UsageError::OtherPurpose { purpose }),
            _ => Ok(()),
        }
    }

    /// Checks that the certificate's key may sign revocation lists (RFC 5280 §6.3.3(f)).
    pub(super) fn check_signs_crls(&self) -> Result<(), UsageError> {
        let key_usage: Option<KeyUsage> = self.usage_extension("KeyUsage", KEY_USAGE)?;
        if key_usage.is_some_and(|usage| !usage.crl_sign()) { Err(UsageError::NoCrlSigning) } else { Ok(()) }
    }

    /// The most certificates that may stand between this one and the leaf.
    pub(super) fn path_length_limit(&self) -> Result<Option<usize>, UsageError> {
        let constraints: Option<BasicConstraints> = self.usage_extension("BasicConstraints", BASIC_CONSTRAINTS)?;
        Ok(constraints.and_then(|constraints| constraints.path_len_constraint).map(usize::from))
    }

    fn extended_key_usage(&self) -> Result<Option<ExtendedKeyUsage>, UsageError> {
        let usage: Option<ExtendedKeyUsage> = self.usage_extension("ExtendedKeyUsage", EXTENDED_KEY_USAGE)?;
        if usage.as_ref().is_some_and(|usage| usage.0.is_empty()) {
            return Err(UsageError::Malformed { extension: "ExtendedKeyUsage" });
        }
        Ok(usage)
    }

    fn usage_extension<T: x509_cert::der::DecodeOwned>(
        &self,
        name: &'static str,
        oid: ObjectIdentifier,
    ) -> Result<Option<T>, UsageError> {
        self.extension(oid).map_err(|_| UsageError::Malformed { extension: name })
    }
}

fn allows(usage: &ExtendedKeyUsage, purpose: Purpose) -> bool {
    usage.0.iter().any(|oid| *oid == purpose.oid() || *oid == ANY_USAGE)
}

/// Why a certificate's key may not be used so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UsageError {
    /// KeyUsage does not allow digital signatures.
    #[error("its KeyUsage does not allow digital signatures")]
    NoDigitalSignature,
    /// ExtendedKeyUsage does not allow what the certificate is used for.
    #[error("its ExtendedKeyUsage does not allow {purpose}")]
    OtherPurpose {
        /// What it is used for.
        purpose: Purpose,
    },
    /// The certificate of a timestamp authority is not for that alone.
    #[error("its ExtendedKeyUsage is not critical, or not for timestamps alone (RFC 3161 §2.3)")]
    NotForTimeAlone,
    /// There is neither KeyUsage nor ExtendedKeyUsage.
    #[error("it has neither KeyUsage nor ExtendedKeyUsage, expected one that allows signing")]
    Unstated,
    /// It is not a certificate authority.
    #[error("it is used, or marked, as an issuer of certificates, and is not one (BasicConstraints)")]
    NoAuthority,
    /// KeyUsage does not allow signing certificates.
    #[error("its KeyUsage does not allow signing certificates")]
    NoCertificateSigning,
    /// KeyUsage does not allow signing revocation lists.
    #[error("its KeyUsage does not allow signing revocation lists")]
    NoCrlSigning,
    /// An extension can't be read.
    #[error("its {extension} can't be read")]
    Malformed {
        /// The extension.
        extension: &'static str,
    },
}
