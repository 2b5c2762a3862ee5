//! What a verifier expects of provenance. Without a source or a signer there is no verdict: anybody's provenance is no
//! proof.

use super::builder_map::BuilderMap;
use super::git::{Repository, Version};
use super::statement::Statement;
use super::training::TrainingExpectations;
use super::{Build, Facts, InvalidProvenance, Level, ProvenanceError, SourceFacts};
use crate::certificate::IdentityRule;

/// What a verifier expects.
#[derive(Clone, Debug, Default)]
pub struct Expectations {
    /// Whose source it has to be of. A workflow's provenance needs it; that of a signer whom the user named does not.
    pub source: Option<SourceExpectation>,
    /// The workflow on GitHub that has to have signed, or that is in the table if nothing is asked for.
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
    /// Levels beside those of the table.
    pub builders: BuilderMap,
    /// What a model has to be trained on and with.
    pub training: TrainingExpectations,
}

/// Whose source an artifact has to be of.
#[derive(Clone, Debug)]
pub enum SourceExpectation {
    /// This repository's on GitHub.
    Repository(Repository),
    /// Any of this account's on GitHub.
    Owner(String),
    /// What is at this address, wherever that is.
    Uri(String),
}

impl SourceExpectation {
    pub(super) fn includes(&self, repository: &Repository) -> bool {
        match self {
            Self::Repository(expected) => expected == repository,
            Self::Owner(owner) => owner == repository.owner(),
            Self::Uri(uri) => Repository::parse(uri).as_ref() == Some(repository),
        }
    }

    /// Whether an address is meant.
    pub(super) fn is(&self, uri: &str) -> bool {
        match self {
            Self::Uri(expected) => normal(expected) == normal(uri),
            Self::Repository(_) | Self::Owner(_) => {
                Repository::from_url(&normal(uri)).is_some_and(|found| self.includes(&found))
            }
        }
    }

    fn describe(&self) -> String {
        match self {
            Self::Repository(repository) => format!("`{repository}`"),
            Self::Owner(owner) => format!("to be one of `{owner}`"),
            Self::Uri(uri) => format!("`{uri}`"),
        }
    }
}

/// An address as it is compared: `git+https://HOST/PATH.git`, `https://HOST/PATH` and `HOST/PATH` are the same.
fn normal(uri: &str) -> String {
    let uri = uri.strip_prefix("git+").unwrap_or(uri);
    let uri = uri.strip_suffix(".git").unwrap_or(uri);
    if uri.contains("://") { uri.to_owned() } else { format!("https://{uri}") }
}

/// Which workflow has to have signed. Everything is compared as it is; only `identity` may be a pattern.
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
    /// What the certificate has to name.
    pub identity: Option<IdentityRule>,
}

impl SignerExpectation {
    /// Whether a signer was asked for.
    #[must_use]
    pub fn is_given(&self) -> bool {
        self.builder_id.is_some()
            || self.workflow.is_some()
            || self.repository.is_some()
            || self.digest.is_some()
            || self.identity.is_some()
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

    pub(super) fn describe_source(&self) -> String {
        self.source.as_ref().map_or_else(String::new, SourceExpectation::describe)
    }

    pub(super) fn check_predicate_type(&self, statement: &Statement) -> Result<(), ProvenanceError> {
        match &self.predicate_type {
            Some(expected) if *expected != statement.predicate_type => {
                let (expected, found) = (format!("`{expected}`"), statement.predicate_type.clone());
                Err(InvalidProvenance::PredicateType { expected, found }.into())
            }
            _ => Ok(()),
        }
    }

    pub(super) fn check_level(&self, level: Level) -> Result<(), ProvenanceError> {
        match self.min_level {
            Some(least) if level.number.is_none_or(|number| number < least) => {
                Err(ProvenanceError::Level { expected: least, found: level.to_string() })
            }
            _ => Ok(()),
        }
    }

    /// Compares what a workflow's build says of its source and its start.
    pub(super) fn check_build(&self, build: &Build) -> Result<(), ProvenanceError> {
        self.check_names(build.branch().as_deref(), build.tag())?;
        for (name, expected) in &self.inputs {
            let found = build.input(name);
            if found != Some(expected) {
                let found = found.map_or_else(|| "none".to_owned(), |found| format!("`{found}`"));
                return Err(ProvenanceError::Input { name: name.clone(), expected: expected.clone(), found });
            }
        }
        Ok(())
    }

    fn check_names(&self, branch: Option<&str>, tag: Option<&str>) -> Result<(), ProvenanceError> {
        let or_none = |found: Option<&str>| found.map_or_else(|| "none".to_owned(), |found| format!("`{found}`"));
        if let Some(expected) = &self.branch
            && branch != Some(expected)
        {
            return Err(ProvenanceError::Branch { expected: expected.clone(), found: or_none(branch) });
        }
        let no_tag = |expected: &str| ProvenanceError::Tag { expected: expected.to_owned(), found: or_none(tag) };
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
        Ok(())
    }

    /// Compares what anybody's provenance says of its builder and its source.
    ///
    /// Of several sources the expected one has to be among them, with everything that is expected of it.
    pub(super) fn check_facts(&self, facts: &Facts) -> Result<(), ProvenanceError> {
        if let Some(expected) = &self.signer.builder_id {
            let rest = facts.builder_id.strip_prefix(expected.as_str());
            if !rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('@')) {
                let (expected, found) = (expected.clone(), facts.builder_id.clone());
                return Err(ProvenanceError::Builder { expected, found });
            }
        }
        let asks_for_source = self.source.is_some()
            || self.branch.is_some()
            || self.tag.is_some()
            || self.versioned_tag.is_some()
            || self.reference.is_some()
            || self.commit.is_some();
        if !asks_for_source {
            return Ok(());
        }
        let mut refusal = None;
        for source in &facts.sources {
            match self.check_source(source) {
                Ok(()) => return Ok(()),
                Err(error) => {
                    // What is said of the source that is meant is worth more than that others are not it.
                    let is_closer = !matches!(error, ProvenanceError::Source { .. });
                    if is_closer || refusal.is_none() {
                        refusal = Some(error);
                    }
                }
            }
        }
        Err(refusal.unwrap_or_else(|| ProvenanceError::Source {
            expected: self.describe_source(),
            found: "none recorded".to_owned(),
        }))
    }

    fn check_source(&self, source: &SourceFacts) -> Result<(), ProvenanceError> {
        if let Some(expected) = &self.source
            && !expected.is(&source.uri)
        {
            let (expected, found) = (expected.describe(), format!("`{}`", source.uri));
            return Err(ProvenanceError::Source { expected, found });
        }
        let reference = source.reference.as_deref();
        let branch = reference.and_then(|reference| reference.strip_prefix("refs/heads/"));
        self.check_names(branch, reference.and_then(|reference| reference.strip_prefix("refs/tags/")))?;
        if let Some(expected) = &self.reference
            && reference != Some(expected)
        {
            let found = reference.unwrap_or("none").to_owned();
            return Err(ProvenanceError::Reference { expected: expected.clone(), found });
        }
        if let Some(expected) = &self.commit
            && source.commit.as_ref() != Some(expected)
        {
            let found = source.commit.clone().unwrap_or_else(|| "none".to_owned());
            return Err(ProvenanceError::Commit { expected: expected.clone(), found });
        }
        Ok(())
    }
}
