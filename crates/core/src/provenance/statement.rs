//! The in-toto statement around provenance (in-toto attestation, *Statement* v0.1 and v1).

use std::collections::BTreeMap;
use std::io::{self, Read};

use aws_lc_rs::digest::{Context, SHA256, SHA512};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::envelope::{InvalidJson, Object, parse_object, require_unique_members};

const TYPES: [&str; 2] = ["https://in-toto.io/Statement/v1", "https://in-toto.io/Statement/v0.1"];

/// What an attestation is about.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Subject {
    /// Its name, which means nothing to a verifier.
    #[serde(default)]
    pub name: String,
    /// Its digests by algorithm, in hex.
    pub digest: BTreeMap<String, String>,
}

/// The statement, read.
#[derive(Clone, Debug)]
pub(super) struct Statement {
    pub(super) subjects: Vec<Subject>,
    pub(super) predicate_type: String,
    pub(super) predicate: Map<String, Value>,
}

#[derive(Deserialize)]
struct Wire {
    #[serde(rename = "_type")]
    kind: String,
    subject: Vec<Object<Subject>>,
    #[serde(rename = "predicateType")]
    predicate_type: String,
    predicate: Map<String, Value>,
}

impl Statement {
    pub(super) fn parse(payload: &[u8]) -> Result<Self, InvalidProvenance> {
        require_unique_members(payload)?;
        // What a statement has beyond this is ignored, as its specification says.
        let wire: Wire = parse_object(payload, |_| {})?;
        if !TYPES.contains(&wire.kind.as_str()) {
            return Err(InvalidProvenance::StatementType { found: wire.kind });
        }
        if wire.subject.is_empty() {
            return Err(InvalidProvenance::NoSubject);
        }
        let subjects = wire.subject.into_iter().map(|Object(subject)| subject).collect();
        Ok(Self { subjects, predicate_type: wire.predicate_type, predicate: wire.predicate })
    }

    /// The subject that is this artifact.
    pub(super) fn subject(&self, artifact: &ArtifactDigests) -> Option<&Subject> {
        self.subjects.iter().find(|subject| artifact.fit(&subject.digest))
    }
}

/// What is known of the artifact: its digests by algorithm, in lower-case hex.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ArtifactDigests(BTreeMap<String, String>);

impl ArtifactDigests {
    /// Adds a digest: `sha256` and 64 digits, or `sha512` and 128. Returns whether it is one.
    pub fn add(&mut self, algorithm: &str, hex: &str) -> bool {
        let digits = match algorithm {
            "sha256" => 64,
            "sha512" => 128,
            _ => return false,
        };
        let is_hex = hex.len() == digits && hex.bytes().all(|byte| byte.is_ascii_hexdigit());
        if is_hex {
            self.0.insert(algorithm.to_owned(), hex.to_ascii_lowercase());
        }
        is_hex
    }

    /// Hashes what `reader` has: the SHA-256, and the SHA-512 if it is asked for.
    ///
    /// # Errors
    /// What reading fails with.
    pub fn of(mut reader: impl Read, with_sha512: bool) -> io::Result<Self> {
        let mut sha256 = Context::new(&SHA256);
        let mut sha512 = with_sha512.then(|| Context::new(&SHA512));
        let mut buffer = vec![0; 1 << 20];
        loop {
            let length = match reader.read(&mut buffer) {
                Ok(0) => break,
                Ok(length) => length,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            sha256.update(&buffer[..length]);
            if let Some(sha512) = &mut sha512 {
                sha512.update(&buffer[..length]);
            }
        }
        let hex =
            |context: Context| context.finish().as_ref().iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let mut digests = BTreeMap::from([("sha256".to_owned(), hex(sha256))]);
        digests.extend(sha512.map(|sha512| ("sha512".to_owned(), hex(sha512))));
        Ok(Self(digests))
    }

    /// Whether at least one digest is known, and each that is known is the same.
    fn fit(&self, digest: &BTreeMap<String, String>) -> bool {
        let mut known = digest.iter().filter_map(|(algorithm, hex)| Some((self.0.get(algorithm)?, hex))).peekable();
        known.peek().is_some() && known.all(|(ours, theirs)| ours == theirs)
    }

    /// `sha256:…`, for people.
    #[must_use]
    pub fn describe(&self) -> String {
        self.0.iter().next().map_or_else(String::new, |(algorithm, hex)| format!("{algorithm}:{hex}"))
    }
}

/// Why a document is no provenance that can be judged.
#[derive(Debug, thiserror::Error)]
pub enum InvalidProvenance {
    /// It is not the JSON that it has to be.
    #[error(transparent)]
    Json(#[from] InvalidJson),
    /// It is no in-toto statement that is known.
    #[error("expected an in-toto statement ({}), found `_type` `{found}`", TYPES.join(" or "))]
    StatementType {
        /// `_type`.
        found: String,
    },
    /// It is about nothing.
    #[error("expected at least one subject, found none")]
    NoSubject,
    /// It says something other than how an artifact was made.
    #[error("expected the predicate type {expected}, found `{found}`")]
    PredicateType {
        /// What is known, or asked for.
        expected: String,
        /// `predicateType`.
        found: String,
    },
    /// The predicate lacks something, or it is of another kind.
    #[error("`{member}`: expected {expected}")]
    Member {
        /// Where.
        member: &'static str,
        /// What should be there.
        expected: &'static str,
    },
    /// There is a parameter that the build type does not have (SLSA, *Build provenance*: external parameters are closed).
    #[error("`externalParameters` has `{name}`, which the build type does not have")]
    UnknownParameter {
        /// The parameter.
        name: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_digest_that_is_known_has_to_be_the_same() {
        let mut artifact = ArtifactDigests::default();
        assert!(artifact.add("sha256", &"A".repeat(64)) && artifact.add("sha512", &"b".repeat(128)));
        let (a, b) = ("a".repeat(64), "b".repeat(128));
        let digest = |pairs: &[(&str, &str)]| pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        assert!(artifact.fit(&digest(&[("sha256", &a)])));
        assert!(artifact.fit(&digest(&[("sha256", &a), ("sha512", &b), ("gitCommit", "x")])));
        for other in
            [vec![], vec![("gitCommit", "x")], vec![("sha256", b.as_str())], vec![("sha256", &a), ("sha512", &a)]]
        {
            assert!(!artifact.fit(&digest(&other)), "{other:?}");
        }
        assert!(!artifact.add("sha1", &"a".repeat(40)) && !artifact.add("sha256", &"g".repeat(64)));
    }

    #[test]
    fn a_statement_has_a_known_type_and_a_subject() {
        let statement = |text: &str| Statement::parse(text.as_bytes()).map(drop);
        let of = |kind: &str, subject: &str| {
            statement(&format!(r#"{{"_type":"{kind}","subject":{subject},"predicateType":"p","predicate":{{}}}}"#))
        };
        let subject = r#"[{"digest":{"sha256":"aa"}}]"#;
        assert!(of("https://in-toto.io/Statement/v0.1", subject).is_ok());
        assert!(matches!(of("https://in-toto.io/Statement/v2", subject), Err(InvalidProvenance::StatementType { .. })));
        assert!(matches!(of(TYPES[0], "[]"), Err(InvalidProvenance::NoSubject)));
        assert!(matches!(of(TYPES[0], r#"[["a",{}]]"#), Err(InvalidProvenance::Json(_))));
        assert!(matches!(statement("{}"), Err(InvalidProvenance::Json(_))));
    }
}
