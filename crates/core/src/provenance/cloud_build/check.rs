//! What is expected of an image, and whether an entry says so.

use super::statement::{Builder, Facts, Source};
use super::{VerifiedEntry, VerifiedProvenance, VersionedTag, join};

/// The SHA-256 digest of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageDigest(String);

impl ImageDigest {
    /// Parses `sha256:` and 64 lowercase hex digits.
    ///
    /// # Errors
    /// [`InvalidExpectation::Digest`] for any other text.
    pub fn parse(text: &str) -> Result<Self, InvalidExpectation> {
        let hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        match text.strip_prefix("sha256:") {
            Some(digits) if digits.len() == 64 && digits.bytes().all(hex) => Ok(Self(digits.to_owned())),
            _ => Err(InvalidExpectation::Digest { found: text.to_owned() }),
        }
    }
}

impl std::fmt::Display for ImageDigest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "sha256:{}", self.0)
    }
}

/// What is expected of an image.
#[derive(Clone, Debug)]
pub struct Expected {
    image: ImageDigest,
    source: String,
    builder: Option<(String, Option<String>)>,
    branch: Option<String>,
    tag: Option<String>,
    versioned_tag: Option<VersionedTag>,
    commit: Option<String>,
    min_level: Option<u8>,
}

impl Expected {
    /// The image, and the repository that it was built from: `github.com/OWNER/NAME`, the same with `https://` or
    /// `git+https://`, or `gs://BUCKET/OBJECT`.
    ///
    /// # Errors
    /// [`InvalidExpectation::Source`] if the source is empty.
    pub fn new(image: ImageDigest, source: &str) -> Result<Self, InvalidExpectation> {
        let address = source.strip_prefix("git+").unwrap_or(source);
        if address.is_empty() {
            return Err(InvalidExpectation::Source);
        }
        let address = if address.contains("://") { address.to_owned() } else { format!("https://{address}") };
        Ok(Self {
            image,
            source: address,
            builder: None,
            branch: None,
            tag: None,
            versioned_tag: None,
            commit: None,
            min_level: None,
        })
    }

    /// The builder: with `@VERSION` exactly that one, else any version of it.
    ///
    /// # Errors
    /// [`InvalidExpectation::Builder`] if the text has no name, an empty version or several.
    pub fn builder(mut self, id: &str) -> Result<Self, InvalidExpectation> {
        let (name, version) = match id.split_once('@') {
            Some((name, version)) => (name, Some(version)),
            None => (id, None),
        };
        if name.is_empty() || version.is_some_and(|version| version.is_empty() || version.contains('@')) {
            return Err(InvalidExpectation::Builder { found: id.to_owned() });
        }
        self.builder = Some((name.to_owned(), version.map(str::to_owned)));
        Ok(self)
    }

    /// The branch, without `refs/heads/`.
    #[must_use]
    pub fn branch(mut self, branch: &str) -> Self {
        self.branch = Some(branch.to_owned());
        self
    }

    /// The tag, without `refs/tags/`.
    #[must_use]
    pub fn tag(mut self, tag: &str) -> Self {
        self.tag = Some(tag.to_owned());
        self
    }

    /// The version that the tag must be.
    #[must_use]
    pub fn versioned_tag(mut self, version: VersionedTag) -> Self {
        self.versioned_tag = Some(version);
        self
    }

    /// The commit, in hex.
    #[must_use]
    pub fn commit(mut self, commit: &str) -> Self {
        self.commit = Some(commit.to_owned());
        self
    }

    /// The lowest SLSA Build level that is enough.
    #[must_use]
    pub fn min_level(mut self, level: u8) -> Self {
        self.min_level = Some(level);
        self
    }
}

impl VerifiedProvenance {
    /// The first entry that says what is expected.
    ///
    /// # Errors
    /// [`CheckError`]: the file is about another image, or what each entry says instead.
    pub fn check(&self, expected: &Expected) -> Result<&VerifiedEntry, CheckError> {
        let image = expected.image.to_string();
        if self.summary.digest != image {
            return Err(CheckError::Summary { expected: image, found: self.summary.digest.clone() });
        }
        let qualified = &self.summary.fully_qualified_digest;
        if qualified.strip_suffix(&image).is_none_or(|name| !name.ends_with('@')) {
            return Err(CheckError::Summary { expected: image, found: qualified.clone() });
        }
        let mut mismatches = Vec::new();
        for entry in self.entries() {
            match entry.check(expected) {
                Ok(()) => return Ok(entry),
                Err(reason) => mismatches.push(EntryMismatch { index: entry.index(), reason }),
            }
        }
        Err(CheckError::NoneMatches { mismatches })
    }
}

impl VerifiedEntry {
    fn check(&self, expected: &Expected) -> Result<(), Mismatch> {
        let facts = self.facts();
        check_builder(facts.builder, expected)?;
        check_image(self, expected)?;
        check_source(facts, &expected.source)?;
        if let Some(branch) = &expected.branch {
            check_branch(facts, branch)?;
        }
        if let Some(tag) = &expected.tag {
            let found = tag_of(facts, tag)?;
            if found != tag {
                return Err(Mismatch::Tag { expected: tag.clone(), found: found.to_owned() });
            }
        }
        if let Some(version) = &expected.versioned_tag {
            let found = tag_of(facts, version.text())?;
            if !version.covers(found) {
                return Err(Mismatch::VersionedTag { expected: version.text().to_owned(), found: found.to_owned() });
            }
        }
        if let Some(commit) = &expected.commit {
            let found = match &facts.source {
                Source::Git { commit, .. } => commit.as_str(),
                Source::Storage { .. } => "none",
            };
            if found != commit {
                return Err(Mismatch::Commit { expected: commit.clone(), found: found.to_owned() });
            }
        }
        let level = facts.builder.level();
        match expected.min_level {
            Some(least) if level.number.is_none_or(|number| number < least) => {
                Err(Mismatch::Level { expected: least, found: level.to_string() })
            }
            _ => Ok(()),
        }
    }
}

fn check_builder(found: Builder, expected: &Expected) -> Result<(), Mismatch> {
    let Some((name, version)) = &expected.builder else { return Ok(()) };
    if name == found.name() && version.as_deref().is_none_or(|version| found.version() == Some(version)) {
        return Ok(());
    }
    let expected = match version {
        Some(version) => format!("{name}@{version}"),
        None => name.clone(),
    };
    Err(Mismatch::Builder { expected, found })
}

fn check_image(entry: &VerifiedEntry, expected: &Expected) -> Result<(), Mismatch> {
    let digest = |subject: &super::Subject| subject.digest.get("sha256").cloned();
    let found: Vec<String> = entry.facts().subjects.iter().filter_map(digest).collect();
    if !found.contains(&expected.image.0) {
        return Err(Mismatch::Image { expected: expected.image.to_string(), found });
    }
    if !entry.resource_uri.ends_with(&format!("@{}", expected.image)) {
        return Err(Mismatch::Resource { expected: expected.image.to_string(), found: entry.resource_uri.clone() });
    }
    Ok(())
}

fn check_source(facts: &Facts, expected: &str) -> Result<(), Mismatch> {
    let same = match &facts.source {
        Source::Git { repository, .. } => repository == expected,
        // The builder v0.2 is never asked for one generation.
        Source::Storage { object, .. } => {
            object == expected || (facts.builder != Builder::V0_2 && facts.source.to_string() == expected)
        }
    };
    if same {
        return Ok(());
    }
    Err(Mismatch::Source { expected: expected.to_owned(), found: facts.source.to_string() })
}

fn check_branch(facts: &Facts, expected: &str) -> Result<(), Mismatch> {
    let Some(found) = &facts.branch else {
        return Err(Mismatch::NoBranch { expected: expected.to_owned() });
    };
    require_ref(facts, format!("refs/heads/{found}"))?;
    if found != expected {
        return Err(Mismatch::Branch { expected: expected.to_owned(), found: found.clone() });
    }
    Ok(())
}

fn tag_of<'f>(facts: &'f Facts, expected: &str) -> Result<&'f str, Mismatch> {
    let Some(found) = &facts.tag else {
        return Err(Mismatch::NoTag { expected: expected.to_owned() });
    };
    require_ref(facts, format!("refs/tags/{found}"))?;
    Ok(found)
}

/// Where the statement says a reference, the branch or tag is that one.
fn require_ref(facts: &Facts, named: String) -> Result<(), Mismatch> {
    match &facts.source_ref {
        Some(found) if *found != named => Err(Mismatch::Ref { expected: named, found: found.clone() }),
        Some(_) | None => Ok(()),
    }
}

/// Why an expectation can't be one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidExpectation {
    /// The digest is not one.
    #[error("expected `sha256:` and 64 lowercase hex digits, found `{found}`")]
    Digest {
        /// What was given.
        found: String,
    },
    /// The source is empty.
    #[error("expected the source's address, found an empty text")]
    Source,
    /// The builder is not one.
    #[error("expected a builder as `NAME` or `NAME@VERSION`, found `{found}`")]
    Builder {
        /// What was given.
        found: String,
    },
    /// The version is not one.
    #[error("expected a version such as `v1`, `v1.2` or `v1.2.3`, found `{found}`")]
    VersionedTag {
        /// What was given.
        found: String,
    },
}

/// Why provenance is not what was expected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CheckError {
    /// The file is about another image.
    #[error("`image_summary`: expected the image `{expected}`, found `{found}`")]
    Summary {
        /// The image.
        expected: String,
        /// What there is.
        found: String,
    },
    /// No entry says what was expected.
    #[error("expected an entry that matches, found none: {}", join(mismatches))]
    NoneMatches {
        /// Every entry that verifies, and what it says instead.
        mismatches: Vec<EntryMismatch>,
    },
}

/// An entry that says something else.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("entry {index}: {reason}")]
pub struct EntryMismatch {
    /// Which entry of the file it is, from 0.
    pub index: usize,
    /// What it says instead.
    #[source]
    pub reason: Mismatch,
}

/// What an entry says instead of what was expected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Mismatch {
    /// Another builder.
    #[error("expected the builder `{expected}`, found `{found}`")]
    Builder {
        /// What was expected.
        expected: String,
        /// What there is.
        found: Builder,
    },
    /// Other images.
    #[error("expected the image `{expected}` among the subjects, found {found:?}")]
    Image {
        /// What was expected.
        expected: String,
        /// The SHA-256 digests of the subjects.
        found: Vec<String>,
    },
    /// The entry stands at another image.
    #[error("`resourceUri`: expected the image `{expected}`, found `{found}`")]
    Resource {
        /// What was expected.
        expected: String,
        /// What there is.
        found: String,
    },
    /// Another source.
    #[error("expected the source `{expected}`, found `{found}`")]
    Source {
        /// What was expected.
        expected: String,
        /// What there is.
        found: String,
    },
    /// No branch.
    #[error("expected the branch `{expected}`, found none")]
    NoBranch {
        /// What was expected.
        expected: String,
    },
    /// Another branch.
    #[error("expected the branch `{expected}`, found `{found}`")]
    Branch {
        /// What was expected.
        expected: String,
        /// What there is.
        found: String,
    },
    /// No tag.
    #[error("expected the tag `{expected}`, found none")]
    NoTag {
        /// What was expected.
        expected: String,
    },
    /// Another tag.
    #[error("expected the tag `{expected}`, found `{found}`")]
    Tag {
        /// What was expected.
        expected: String,
        /// What there is.
        found: String,
    },
    /// A tag that is not of the version, or not a version.
    #[error("expected a tag of the version `{expected}`, found `{found}`")]
    VersionedTag {
        /// What was expected.
        expected: String,
        /// What there is.
        found: String,
    },
    /// Another commit.
    #[error("expected the source commit `{expected}`, found `{found}`")]
    Commit {
        /// What was expected.
        expected: String,
        /// What there is.
        found: String,
    },
    /// The level is too low.
    #[error("expected SLSA Build level {expected} at least, found {found}")]
    Level {
        /// The lowest that is enough.
        expected: u8,
        /// What the table says, and why.
        found: String,
    },
    /// The branch or tag is not what the configuration was read at.
    #[error("`buildConfigSource.ref`: expected `{expected}`, which the branch or tag is, found `{found}`")]
    Ref {
        /// The branch or tag as a reference.
        expected: String,
        /// What there is.
        found: String,
    },
}
