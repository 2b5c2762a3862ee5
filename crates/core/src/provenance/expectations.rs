//! What a verifier expects of provenance. Without a source there is no verdict: anybody's provenance is no proof.

use super::git::{Repository, Version};
use super::{Build, ProvenanceError};

/// What a verifier expects.
#[derive(Clone, Debug)]
pub struct Expectations {
    /// Whose source it has to be of.
    pub source: SourceExpectation,
    /// The workflow that has to have signed, or that is in the table if nothing is asked for.
    pub signer: SignerExpectation,
    /// The branch (`main`).
    pub branch: Option<String>,
    /// The tag (`v1.2.3`).
    pub tag: Option<String>,
    /// The beginning of the tag's version (`v1.2`).
    pub versioned_tag: Option<String>,
    /// The reference (`refs/heads/main`).
    pub reference: Option<String>,
    /// The commit, in hex.
    pub commit: Option<String>,
    /// Inputs that the workflow was started with by hand.
    pub inputs: Vec<(String, String)>,
    /// Whether only runners count that GitHub hosts.
    pub deny_self_hosted: bool,
    /// `predicateType`, if not any that is known.
    pub predicate_type: Option<String>,
    /// The lowest SLSA Build level that is enough.
    pub min_level: Option<u8>,
}

/// Whose source an artifact has to be of.
#[derive(Clone, Debug)]
pub enum SourceExpectation {
    /// This repository's.
    Repository(Repository),
    /// Any of this account's.
    Owner(String),
}

impl SourceExpectation {
    pub(super) fn includes(&self, repository: &Repository) -> bool {
        match self {
            Self::Repository(expected) => expected == repository,
            Self::Owner(owner) => owner == repository.owner(),
        }
    }

    pub(super) fn describe(&self) -> String {
        match self {
            Self::Repository(repository) => format!("`{repository}`"),
            Self::Owner(owner) => format!("to be one of `{owner}`"),
        }
    }
}

/// Which workflow has to have signed. Everything is compared as it is, nothing is a pattern.
#[derive(Clone, Debug, Default)]
pub struct SignerExpectation {
    /// The builder, with or without its tag.
    pub builder_id: Option<String>,
    /// `OWNER/NAME/PATH`, with or without `@REFERENCE`.
    pub workflow: Option<String>,
    /// The repository that the workflow is of.
    pub repository: Option<Repository>,
    /// The commit that the workflow is of.
    pub digest: Option<String>,
}

impl SignerExpectation {
    /// Whether a signer was asked for.
    #[must_use]
    pub fn is_given(&self) -> bool {
        self.builder_id.is_some() || self.workflow.is_some() || self.repository.is_some() || self.digest.is_some()
    }
}

/// Why an expectation is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a version such as `v1`, `v1.2` or `v1.2.3`, found `{found}`")]
pub struct InvalidExpectation {
    found: String,
}

impl Expectations {
    /// Sets the beginning of the tag's version.
    ///
    /// # Errors
    /// [`InvalidExpectation`] if it is no version.
    pub fn expect_versioned_tag(&mut self, version: &str) -> Result<(), InvalidExpectation> {
        if Version::parse(version).is_none() {
            return Err(InvalidExpectation { found: version.to_owned() });
        }
        self.versioned_tag = Some(version.to_owned());
        Ok(())
    }

    /// Compares what the build says of its source and its start.
    pub(super) fn check_build(&self, build: &Build) -> Result<(), ProvenanceError> {
        let (branch, tag) = (build.branch(), build.tag());
        if let Some(expected) = &self.branch
            && branch.as_ref() != Some(expected)
        {
            let found = branch.map_or_else(|| "none".to_owned(), |branch| format!("`{branch}`"));
            return Err(ProvenanceError::Branch { expected: expected.clone(), found });
        }
        let no_tag = |expected: &str| ProvenanceError::Tag {
            expected: expected.to_owned(),
            found: tag.map_or_else(|| "none".to_owned(), |tag| format!("`{tag}`")),
        };
        if let Some(expected) = &self.tag
            && tag != Some(expected)
        {
            return Err(no_tag(expected));
        }
        if let Some(expected) = &self.versioned_tag {
            let is_meant = Version::parse(expected).zip(tag.and_then(Version::parse));
            if !is_meant.is_some_and(|(expected, tag)| tag.is_meant_by(&expected)) {
                return Err(no_tag(expected));
            }
        }
        for (name, expected) in &self.inputs {
            let found = build.input(name);
            if found != Some(expected) {
                let found = found.map_or_else(|| "none".to_owned(), |found| format!("`{found}`"));
                return Err(ProvenanceError::Input { name: name.clone(), expected: expected.clone(), found });
            }
        }
        Ok(())
    }
}
