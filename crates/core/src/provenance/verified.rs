//! The verdict on provenance: whose it is, then what it says, then what it is about.

use std::collections::BTreeSet;

use super::artifact::{Artifact, Coverage, Match, named_algorithms};
use super::signed::{SignedBy, SignedStatement};
use super::{Expectations, Facts, Level, ProvenanceError, github, named};

/// Provenance that says what was expected. Only [`judge`] makes it.
#[derive(Clone, Debug)]
pub struct JudgedProvenance {
    signed: SignedStatement,
    facts: Facts,
    level: Level,
}

/// Provenance that says what was expected, and that is of the artifact. Only [`JudgedProvenance::find`] makes it.
#[derive(Clone, Debug)]
pub struct VerifiedProvenance<'a> {
    judged: &'a JudgedProvenance,
    found: Match,
}

/// Judges a statement that somebody signed, by the rules of whoever it is.
///
/// # Errors
/// [`ProvenanceError`]: the first thing that is not as expected.
pub fn judge(signed: SignedStatement, expected: &Expectations) -> Result<JudgedProvenance, ProvenanceError> {
    let (facts, level) = match &signed.signed_by {
        SignedBy::Workflow(signer) => github::judge(&signed.statement, signer, expected)?,
        signed_by @ (SignedBy::Identity(_) | SignedBy::Key(_)) => named::judge(&signed.statement, signed_by, expected)?,
    };
    Ok(JudgedProvenance { signed, facts, level })
}

impl JudgedProvenance {
    /// What the artifact has to be hashed with: what the subjects name.
    #[must_use]
    pub fn algorithms(&self) -> BTreeSet<&'static str> {
        named_algorithms(&self.signed.statement.subjects)
    }

    /// Whether the provenance is of this artifact.
    ///
    /// # Errors
    /// [`ProvenanceError::Subject`] and [`ProvenanceError::Uncovered`].
    pub fn find(&self, artifact: &Artifact, coverage: Coverage) -> Result<VerifiedProvenance<'_>, ProvenanceError> {
        let found = artifact.find(&self.signed.statement.subjects, coverage)?;
        Ok(VerifiedProvenance { judged: self, found })
    }
}

impl VerifiedProvenance<'_> {
    /// The statement, as it was signed.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        &self.judged.signed.payload
    }

    /// Who signed.
    #[must_use]
    pub fn signed_by(&self) -> &SignedBy {
        &self.judged.signed.signed_by
    }

    /// How the artifact was built.
    #[must_use]
    pub fn facts(&self) -> &Facts {
        &self.judged.facts
    }

    /// The level of the build.
    #[must_use]
    pub fn level(&self) -> Level {
        self.judged.level
    }

    /// How the subjects are the artifact.
    #[must_use]
    pub fn found(&self) -> &Match {
        &self.found
    }
}
