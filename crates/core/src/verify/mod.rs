//! Verification (OMS §8), step by step.
//!
//! 1. [`Bundle::read`](crate::envelope::Bundle::read): §8.1, the bundle is one.
//! 2. [`check_signature`]: §8.2, its signature holds under the given trust. Only then is the payload looked at.
//! 3. [`Verified::statement`]: §8.3, the payload is a consistent statement about a model.
//! 4. [`compare`]: §8.4 and §8.5, the model is what the statement lists.
//!
//! [`check_statement`] is §8.2 for what is no model.
//!
//! Rejection is an `Err`. A [`Verified`] can't be made outside this module.

mod certificate;
mod log;
mod model;
mod signature;

use crate::envelope::{InvalidStatement, Statement};

pub use certificate::CertificateEvidence;
pub(crate) use certificate::check_certificates;
pub use model::{CompareError, CompareOptions, Verdict, compare};
pub use signature::{Evidence, SignatureError, SignedPayload, check_signature, check_statement};

/// Something that a valid signature covers, and what the signature rests on.
#[derive(Clone, Debug)]
pub struct Verified<T> {
    value: T,
    evidence: Evidence,
}

impl<T> Verified<T> {
    /// What was signed.
    #[must_use]
    pub fn get(&self) -> &T {
        &self.value
    }

    pub(crate) fn into_inner(self) -> T {
        self.value
    }

    /// Who signed it, and how that was established.
    #[must_use]
    pub fn evidence(&self) -> &Evidence {
        &self.evidence
    }
}

impl Verified<SignedPayload> {
    /// Parses the payload (OMS §8.3).
    ///
    /// # Errors
    /// [`InvalidStatement`]: what is wrong, and where.
    pub fn statement(self) -> Result<Verified<Statement>, InvalidStatement> {
        let statement = self.value.parse()?;
        Ok(Verified { value: statement, evidence: self.evidence })
    }
}
