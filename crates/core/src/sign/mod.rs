//! Signing a model (OMS §6).

mod artifact;
mod certificate;
mod key;
mod witness;

use crate::envelope::{Bundle, MAX_BUNDLE_BYTES, Material, Statement, pae};
use crate::key::{PublicKey, SigningFailed};
use crate::manifest::Manifest;
use crate::timestamp::TimestampError;
use crate::trust::Trust;
use crate::verify::{self, Evidence, SignatureError};

pub use artifact::{SignedStatement, sign_artifact, sign_statement};
pub use certificate::{CertificateSigner, UnsuitableCertificate};
pub use key::KeySigner;
use witness::Testimony;
pub use witness::{Log, LogSubmission, LogVerifier, Role, ServiceError, Subject, Timestamper, Witnesses};

/// Something that can sign an envelope. Each method is one implementation.
pub trait Signer {
    /// Signs `message`, the DSSE pre-authentication encoding of `payload`.
    ///
    /// # Errors
    /// [`SignError`]: what kept it from signing.
    fn sign(&self, message: &[u8], payload: &[u8]) -> Result<Signed, SignError>;

    /// What a verifier has to trust for the new signature to hold. The bundle is checked against it before it is
    /// handed out.
    fn trust(&self) -> Trust<'_>;
}

/// What a [`Signer`] adds to the payload.
pub struct Signed {
    /// The signature over the message.
    pub signature: Vec<u8>,
    /// The key that verifies it.
    pub key: PublicKey,
    /// What a verifier finds in the bundle to check it with.
    pub material: Material,
}

/// A new signature that holds.
#[derive(Debug)]
pub struct NewSignature {
    /// What is written, as JSON.
    pub json: Vec<u8>,
    /// The same.
    pub bundle: Bundle,
    /// What was signed.
    pub statement: Statement,
    /// Who signed it, as a verifier finds who trusts the signer.
    pub evidence: Evidence,
}

/// Signs a manifest: statement, envelope and bundle (OMS §6.6 to §6.8). The bundle is verified before it is returned.
///
/// # Errors
/// [`SignError`]: what kept the signer or a witness from its part, or why the signature or a timestamp does not hold.
pub fn sign_model(
    model_name: &str,
    manifest: Manifest,
    signer: &dyn Signer,
    witnesses: Witnesses<'_>,
) -> Result<NewSignature, SignError> {
    let statement = Statement::new(model_name.to_owned(), manifest);
    let payload = statement.to_payload();
    let (bundle, json) = envelop(payload, signer, witnesses)?;
    let verified = verify::check_signature(&bundle, Trust { logs: witnesses.trusted_logs, ..signer.trust() })?;
    let evidence = verified.evidence().clone();
    let read_back = verified.statement().map_err(|error| SignError::Unusable(error.to_string()))?;
    if *read_back.get() != statement {
        return Err(SignError::Unusable("the statement does not read back as it was written".to_owned()));
    }
    Ok(NewSignature { json, bundle, statement, evidence })
}

/// A bundle around a payload: its signature, and what the witnesses say of it. It is read back from the JSON beside it,
/// and not verified.
fn envelop(payload: Vec<u8>, signer: &dyn Signer, witnesses: Witnesses<'_>) -> Result<(Bundle, Vec<u8>), SignError> {
    let Signed { signature, key, material } = signer.sign(&pae(&payload), &payload)?;
    let submission =
        LogSubmission { subject: Subject::Envelope(&payload), signature: &signature, material: &material, key: &key };
    let Testimony { timestamps, log_entries } = witnesses.testify(&submission)?;
    let json = Bundle::new(payload, signature, material, log_entries, timestamps).to_json();
    if json.len() as u64 > MAX_BUNDLE_BYTES {
        return Err(SignError::TooLarge { found: json.len() as u64 });
    }
    let bundle = Bundle::parse(&json).map_err(|error| SignError::Unusable(error.to_string()))?;
    Ok((bundle, json))
}

/// Why there is no signature.
#[derive(Debug, thiserror::Error)]
pub enum SignError {
    /// The key did not sign.
    #[error(transparent)]
    Key(#[from] SigningFailed),
    /// Nobody says who signs.
    #[error("there is no identity to sign with: {0}")]
    Identity(String),
    /// A service did not do its part.
    #[error(transparent)]
    Service(#[from] ServiceError),
    /// A witness did not do its part, and a log has the signature already.
    #[error("{error}; a transparency log has the signature already, and keeps it")]
    AlreadyPublic {
        /// What went wrong.
        #[source]
        error: Box<SignError>,
    },
    /// The new timestamp does not hold.
    #[error("the new timestamp: {0}")]
    Timestamp(#[from] TimestampError),
    /// The new signature does not hold.
    #[error("the new signature does not verify: {0}")]
    DoesNotVerify(#[from] SignatureError),
    /// The new bundle is larger than any that a verifier reads.
    #[error(
        "the bundle has {found} bytes, expected at most {MAX_BUNDLE_BYTES}: the model has too many files or shards"
    )]
    TooLarge {
        /// Its length in bytes.
        found: u64,
    },
    /// The new bundle can't be read back.
    #[error("the new bundle can't be read back: {0}")]
    Unusable(String),
}
