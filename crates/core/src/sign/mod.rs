//! Signing a model (OMS §6).

mod certificate;
mod key;

use crate::envelope::{Bundle, MAX_BUNDLE_BYTES, Material, Statement, pae};
use crate::key::SigningFailed;
use crate::manifest::Manifest;
use crate::timestamp::{Timestamp, TimestampError};
use crate::trust::{TimestampAuthority, Trust};
use crate::verify::{self, Evidence, SignatureError};

pub use certificate::{CertificateSigner, UnsuitableCertificate};
pub use key::KeySigner;

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
    /// What a verifier finds in the bundle to check it with.
    pub material: Material,
}

/// Somebody else who says when a signature was there.
pub trait Timestamper {
    /// A timestamp over `signature`, as [`Timestamp`] reads it.
    ///
    /// # Errors
    /// [`StampError`]: what kept the authority from answering.
    fn stamp(&self, signature: &[u8]) -> Result<Vec<u8>, StampError>;

    /// The authorities that have to vouch for the new timestamp; with none, it has to be consistent in itself.
    fn authorities(&self) -> &[TimestampAuthority];
}

/// A new signature that holds.
#[derive(Debug)]
pub struct NewSignature {
    /// What is written.
    pub bundle: Bundle,
    /// What was signed.
    pub statement: Statement,
    /// Who signed it, as a verifier finds who trusts the signer.
    pub evidence: Evidence,
}

/// Signs a manifest: statement, envelope and bundle (OMS §6.6 to §6.8). The bundle is verified before it is returned.
///
/// # Errors
/// [`SignError`]: what kept the signer from signing, or why its signature or timestamp does not hold.
pub fn sign_model(
    model_name: &str,
    manifest: Manifest,
    signer: &dyn Signer,
    timestamper: Option<&dyn Timestamper>,
) -> Result<NewSignature, SignError> {
    let statement = Statement::new(model_name.to_owned(), manifest);
    let payload = statement.to_payload();
    let Signed { signature, material } = signer.sign(&pae(&payload), &payload)?;
    let timestamps = match timestamper {
        Some(timestamper) => vec![stamp(timestamper, &signature)?],
        None => Vec::new(),
    };
    let json = Bundle::new(payload, signature, material, Vec::new(), timestamps).to_json();
    if json.len() as u64 > MAX_BUNDLE_BYTES {
        return Err(SignError::TooLarge { found: json.len() as u64 });
    }
    let bundle = Bundle::parse(&json).map_err(|error| SignError::Unusable(error.to_string()))?;
    drop(json);
    let verified = verify::check_signature(&bundle, signer.trust())?;
    let evidence = verified.evidence().clone();
    let read_back = verified.statement().map_err(|error| SignError::Unusable(error.to_string()))?;
    if *read_back.get() != statement {
        return Err(SignError::Unusable("the statement does not read back as it was written".to_owned()));
    }
    Ok(NewSignature { bundle, statement, evidence })
}

/// A timestamp over `signature` that holds.
fn stamp(timestamper: &dyn Timestamper, signature: &[u8]) -> Result<Vec<u8>, SignError> {
    let bytes = timestamper.stamp(signature)?;
    let timestamp = Timestamp::parse(&bytes)?;
    match timestamper.authorities() {
        [] => timestamp.check_consistent(signature)?,
        authorities => drop(timestamp.verify(signature, authorities)?),
    }
    Ok(bytes)
}

/// Why an authority did not answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the timestamp authority `{authority}` {reason}")]
pub struct StampError {
    /// Where it is.
    pub authority: String,
    /// What happened: `can't be reached: …`, `answered …`.
    pub reason: String,
}

/// Why there is no signature.
#[derive(Debug, thiserror::Error)]
pub enum SignError {
    /// The key did not sign.
    #[error(transparent)]
    Key(#[from] SigningFailed),
    /// The timestamp authority did not answer.
    #[error(transparent)]
    Stamp(#[from] StampError),
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
