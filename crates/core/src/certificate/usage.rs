//! What a certificate's key may be used for.

use x509_cert::der::asn1::ObjectIdentifier;
use x509_cert::ext::pkix::{BasicConstraints, ExtendedKeyUsage, KeyUsage};

use super::Certificate;

const KEY_USAGE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.15");
const BASIC_CONSTRAINTS: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.19");
const EXTENDED_KEY_USAGE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.37");
const CODE_SIGNING: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.3");
const ANY_USAGE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.37.0");

impl Certificate {
    /// Checks that the certificate's key may sign models: KeyUsage, where present, allows digital signatures;
    /// ExtendedKeyUsage, where present, allows code signing or anything; and one of the two is there unless
    /// `is_anchor`, the caller having named this very certificate.
    ///
    /// # Errors
    /// [`UsageError`], naming what is not allowed.
    pub fn check_signs_models(&self, is_anchor: bool) -> Result<(), UsageError> {
        let key_usage: Option<KeyUsage> = self.usage_extension("KeyUsage", KEY_USAGE)?;
        if key_usage.is_some_and(|usage| !usage.digital_signature()) {
            return Err(UsageError::NoDigitalSignature);
        }
        let extended = self.extended_key_usage()?;
        if extended.as_ref().is_some_and(|usage| !allows_code_signing(usage)) {
            return Err(UsageError::NoCodeSigning);
        }
        if key_usage.is_none() && extended.is_none() && !is_anchor { Err(UsageError::Unstated) } else { Ok(()) }
    }

    /// Checks that the certificate may issue others, code-signing ones among them. RFC 5280 leaves ExtendedKeyUsage of an
    /// issuer open; as elsewhere, it limits what is issued.
    pub(super) fn check_issues(&self) -> Result<(), UsageError> {
        let constraints: Option<BasicConstraints> = self.usage_extension("BasicConstraints", BASIC_CONSTRAINTS)?;
        if !constraints.is_some_and(|constraints| constraints.ca) {
            return Err(UsageError::NoAuthority);
        }
        let key_usage: Option<KeyUsage> = self.usage_extension("KeyUsage", KEY_USAGE)?;
        if key_usage.is_some_and(|usage| !usage.key_cert_sign()) {
            return Err(UsageError::NoCertificateSigning);
        }
        Ok(())
    }

    /// Whether ExtendedKeyUsage, where present, lets an issuer issue code-signing certificates.
    pub(super) fn check_issues_code_signing(&self) -> Result<(), UsageError> {
        match self.extended_key_usage()? {
            Some(usage) if !allows_code_signing(&usage) => Err(UsageError::NoCodeSigning),
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

fn allows_code_signing(usage: &ExtendedKeyUsage) -> bool {
    usage.0.iter().any(|oid| matches!(*oid, CODE_SIGNING | ANY_USAGE))
}

/// Why a certificate's key may not be used so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UsageError {
    /// KeyUsage does not allow digital signatures.
    #[error("its KeyUsage does not allow digital signatures")]
    NoDigitalSignature,
    /// ExtendedKeyUsage does not allow code signing.
    #[error("its ExtendedKeyUsage does not allow code signing")]
    NoCodeSigning,
    /// There is neither KeyUsage nor ExtendedKeyUsage.
    #[error("it has neither KeyUsage nor ExtendedKeyUsage, expected one that allows signing")]
    Unstated,
    /// It is not a certificate authority.
    #[error("it is not a certificate authority (BasicConstraints)")]
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
