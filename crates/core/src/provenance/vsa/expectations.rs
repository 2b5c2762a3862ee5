//! What whoever verifies has to know beforehand: whose key, which artifact, which verifier.

use std::fmt;

use super::level::{InvalidLevel, VerifiedLevel};
use crate::key::{KeyAlgorithm, PublicKey, SignatureHash, SignatureScheme};

/// What a summary has to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expectations {
    subject_digests: Vec<SubjectDigest>,
    verifier_id: String,
    resource_uri: String,
    levels: Vec<VerifiedLevel>,
}

impl Expectations {
    /// Every digest has to be one of a subject, and every level has to be reached; without a level none is asked for.
    ///
    /// # Errors
    /// [`InvalidExpectation`] if there is too little to expect, or it can't be read.
    pub fn new(
        subject_digests: &[String],
        verifier_id: &str,
        resource_uri: &str,
        levels: &[String],
    ) -> Result<Self, InvalidExpectation> {
        let subject_digests: Vec<_> =
            subject_digests.iter().map(|digest| SubjectDigest::parse(digest)).collect::<Result<_, _>>()?;
        if subject_digests.is_empty() {
            return Err(InvalidExpectation::NoSubjectDigest);
        }
        if verifier_id.is_empty() {
            return Err(InvalidExpectation::NoVerifier);
        }
        if resource_uri.is_empty() {
            return Err(InvalidExpectation::NoResource);
        }
        if levels.iter().any(String::is_empty) {
            return Err(InvalidExpectation::EmptyLevel);
        }
        let levels = levels.iter().map(|level| VerifiedLevel::parse(level)).collect::<Result<_, _>>()?;
        Ok(Self { subject_digests, verifier_id: verifier_id.to_owned(), resource_uri: resource_uri.to_owned(), levels })
    }

    /// At least one.
    #[must_use]
    pub fn subject_digests(&self) -> &[SubjectDigest] {
        &self.subject_digests
    }

    /// Who has to have verified.
    #[must_use]
    pub fn verifier_id(&self) -> &str {
        &self.verifier_id
    }

    /// What the artifact has to be.
    #[must_use]
    pub fn resource_uri(&self) -> &str {
        &self.resource_uri
    }

    /// The levels it has to be at.
    #[must_use]
    pub fn levels(&self) -> &[VerifiedLevel] {
        &self.levels
    }
}

/// A digest of an artifact, compared byte for byte: not every one is a hash (`gce_image_id`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubjectDigest {
    algorithm: String,
    value: String,
}

impl SubjectDigest {
    /// Parses `ALGORITHM:VALUE`; the value may have a `:` in it.
    ///
    /// # Errors
    /// [`InvalidExpectation::DigestForm`] if one of the two is missing.
    pub fn parse(text: &str) -> Result<Self, InvalidExpectation> {
        match text.split_once(':') {
            Some((algorithm, value)) if !algorithm.is_empty() && !value.is_empty() => {
                Ok(Self::new(algorithm.to_owned(), value.to_owned()))
            }
            _ => Err(InvalidExpectation::DigestForm { found: text.to_owned() }),
        }
    }

    /// A digest of two parts.
    #[must_use]
    pub fn new(algorithm: String, value: String) -> Self {
        Self { algorithm, value }
    }

    /// `sha256`, or another name for what the value is.
    #[must_use]
    pub fn algorithm(&self) -> &str {
        &self.algorithm
    }

    /// The digest itself.
    #[must_use]
    pub fn value(&self) -> &str {
        &self.value
    }
}

impl fmt::Display for SubjectDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.algorithm, self.value)
    }
}

/// The verifier's key, and how it signs.
#[derive(Clone, Copy, Debug)]
pub struct TrustedKey<'a> {
    key: &'a PublicKey,
    id: Option<&'a str>,
    /// None for Ed25519, which has its own.
    hash: Option<SignatureHash>,
}

impl<'a> TrustedKey<'a> {
    /// Without a hash the one that belongs to the key is meant. With an `id`, a signature that names another is passed
    /// over; without one, all are tried, since what an envelope says of a key is only a hint (DSSE).
    ///
    /// # Errors
    /// [`InvalidExpectation`] if no signature by the key could meet them.
    pub fn new(
        key: &'a PublicKey,
        id: Option<&'a str>,
        hash: Option<SignatureHash>,
    ) -> Result<Self, InvalidExpectation> {
        let belongs = SignatureHash::of(key.algorithm());
        match (hash, belongs) {
            (Some(hash), None) => Err(InvalidExpectation::Hash { algorithm: key.algorithm(), hash }),
            _ if id.is_some_and(str::is_empty) => Err(InvalidExpectation::EmptyKeyId),
            _ => Ok(Self { key, id, hash: hash.or(belongs) }),
        }
    }

    /// The key.
    #[must_use]
    pub fn key(&self) -> &'a PublicKey {
        self.key
    }

    /// The hash that it signs; none for Ed25519, which has its own.
    #[must_use]
    pub fn hash(&self) -> Option<SignatureHash> {
        self.hash
    }

    pub(super) fn id(&self) -> Option<&'a str> {
        self.id
    }

    pub(super) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        match self.hash {
            Some(hash) => self.key.verify_with_hash(hash, message, signature),
            None => self.key.verify(message, signature) == Some(SignatureScheme::Ed25519),
        }
    }
}

impl fmt::Display for TrustedKey<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} key {}", self.key.algorithm(), self.key.hint())?;
        self.hash.map_or(Ok(()), |hash| write!(f, " over {hash}"))
    }
}

/// Why nothing can be verified by what is expected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidExpectation {
    /// It is not said which artifact.
    #[error("expected the digest of a subject, found none")]
    NoSubjectDigest,
    /// A digest is none.
    #[error("expected a digest as `ALGORITHM:VALUE`, found `{found}`")]
    DigestForm {
        /// What was found.
        found: String,
    },
    /// It is not said which verifier.
    #[error("expected the ID of a verifier, found an empty one")]
    NoVerifier,
    /// It is not said what the artifact is.
    #[error("expected the URI of a resource, found an empty one")]
    NoResource,
    /// A level has no name.
    #[error("expected a level, found an empty one")]
    EmptyLevel,
    /// A level is none.
    #[error(transparent)]
    Level(#[from] InvalidLevel),
    /// A key has an ID that is none.
    #[error("expected the ID of a key, found an empty one")]
    EmptyKeyId,
    /// The key does not sign hashes.
    #[error("expected no hash algorithm, since an {algorithm} key has its own, found {hash}")]
    Hash {
        /// The kind of key.
        algorithm: KeyAlgorithm,
        /// The hash.
        hash: SignatureHash,
    },
}
