//! The `certificate` method: a key, and certificates that say whose it is.

use super::{SignError, Signed, Signer};
use crate::certificate::{Certificate, PathError, Purpose, UnixTime, validate};
use crate::envelope::Material;
use crate::key::{InvalidKey, SigningKey};
use crate::trust::{Anchors, CertificateTrust, Trust};

/// Signs with a private key and the certificate of its public key (OMS §4.1, method `certificate`).
pub struct CertificateSigner<'a> {
    key: &'a dyn SigningKey,
    /// The leaf, then its issuers.
    chain: Vec<Certificate>,
    now: UnixTime,
}

impl<'a> CertificateSigner<'a> {
    /// A signer with this key, its certificate, and those that lead from it to what verifiers trust, in any order.
    ///
    /// # Errors
    /// [`UnsuitableCertificate`] if no verifier could accept what it signs now: the certificate is of another key, may
    /// not sign models, is not valid at `now`, or the others do not lead on from it.
    pub fn new(
        key: &'a dyn SigningKey,
        leaf: Certificate,
        mut issuers: Vec<Certificate>,
        now: UnixTime,
    ) -> Result<Self, UnsuitableCertificate> {
        let certified = leaf.public_key().map_err(UnsuitableCertificate::Key)?;
        if certified != *key.public_key() {
            return Err(UnsuitableCertificate::OtherKey { expected: key.public_key().hint(), found: certified.hint() });
        }
        issuers.retain(|certificate| *certificate != leaf);
        // Verifiers bring their own anchors: whatever is given stands for them, and without any the leaf itself.
        let anchors = if issuers.is_empty() { std::slice::from_ref(&leaf) } else { issuers.as_slice() };
        validate(&leaf, &issuers, anchors, Purpose::SignModels, now)?;
        if issuers.is_empty() && !leaf.is_self_issued() {
            leaf.check_signs_models()?;
        }
        let mut chain = vec![leaf];
        for certificate in issuers {
            if !chain.contains(&certificate) {
                chain.push(certificate);
            }
        }
        Ok(Self { key, chain, now })
    }
}

impl Signer for CertificateSigner<'_> {
    fn sign(&self, message: &[u8], _payload: &[u8]) -> Result<Signed, SignError> {
        let signature = self.key.sign(message)?;
        let chain = self.chain.iter().map(|certificate| certificate.der().to_vec()).collect();
        let key = self.key.public_key().clone();
        Ok(Signed { signature, key, material: Material::CertificateChain(chain) })
    }

    fn trust(&self) -> Trust<'_> {
        let anchors = Anchors::Given(self.chain.get(..1).unwrap_or_default());
        Trust::certificates(CertificateTrust { anchors, identity: None, revocation_lists: &[], now: self.now })
    }
}

/// Why a certificate can't be signed with.
#[derive(Debug, thiserror::Error)]
pub enum UnsuitableCertificate {
    /// Its key is not one that models are signed with.
    #[error("the certificate's key: {0}")]
    Key(#[source] InvalidKey),
    /// It is the certificate of another key.
    #[error("the certificate is not of the private key: expected one of key {expected}, found one of key {found}")]
    OtherKey {
        /// The hint of the private key's public key.
        expected: String,
        /// The hint of the key in the certificate.
        found: String,
    },
    /// It, or the certificates given with it, would not be accepted.
    #[error(transparent)]
    Path(#[from] PathError),
}
