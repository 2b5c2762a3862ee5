//! §8.2 for the `certificate` method: the key is one that trusted authorities certify.

use super::SignatureError;
use crate::certificate::{Certificate, Purpose, Revocation, UnixTime, ValidPath, validate};
use crate::key::PublicKey;
use crate::trust::{Anchors, CertificateTrust};

/// The certificates that lead to the key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateEvidence {
    /// From the leaf to the trusted certificate, and the time at which all were valid.
    pub path: ValidPath,
    /// The name in the leaf that was asked for.
    pub identity: Option<String>,
    /// Whether the path ends in a public authority, not in a certificate that the user gave.
    pub anchor_is_public: bool,
    /// What the issuers say of the path's certificates.
    pub revocation: Revocation,
}

/// Checks the certificates of a bundle, the leaf first, as of `signed_before` if a timestamp gives that, else as of now.
pub(crate) fn check_certificates(
    chain: &[Vec<u8>],
    trust: CertificateTrust<'_>,
    signed_before: Option<UnixTime>,
) -> Result<(PublicKey, CertificateEvidence), SignatureError> {
    let anchor_is_public = matches!(trust.anchors, Anchors::Public(_));
    if anchor_is_public && trust.identity.is_none() {
        return Err(SignatureError::IdentityNeeded);
    }
    let unreadable = |index: usize, reason: String| SignatureError::Certificate { index, reason };
    let read = |(index, der): (usize, &Vec<u8>)| {
        Certificate::from_der(der).map_err(|error| unreadable(index, error.to_string()))
    };
    let certificates: Vec<Certificate> = chain.iter().enumerate().map(read).collect::<Result<_, _>>()?;
    let Some((leaf, intermediates)) = certificates.split_first() else {
        return Err(unreadable(0, "there is none".to_owned()));
    };
    let time = signed_before.unwrap_or(trust.now);
    let path = validate(leaf, intermediates, trust.anchors.certificates(), Purpose::SignModels, time)?;
    let issuers = [trust.anchors.certificates(), intermediates].concat();
    let revocation = Revocation::check(&path, trust.revocation_lists, &issuers, trust.now)?;
    let identity = match trust.identity {
        None => None,
        Some(rule) => Some(
            rule.find(leaf)
                .ok_or_else(|| SignatureError::Identity { expected: rule.to_string(), found: leaf.names() })?,
        ),
    };
    let key = leaf.public_key().map_err(|error| unreadable(0, error.to_string()))?;
    Ok((key, CertificateEvidence { path, identity, anchor_is_public, revocation }))
}
