//! The in-toto statement around provenance (in-toto attestation, *Statement* v0.1 and v1).

use std::collections::BTreeMap;

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
    #[serde(default)]
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
    fn a_statement_has_a_known_type_and_a_subject() {
        let statement = |text: &str| Statement::parse(text.as_bytes()).map(drop);
        let of = |kind: &str, subject: &str| {
            statement(&format!(r#"{{"_type":"{kind}","subject":{subject},"predicateType":"p","predicate":{{}}}}"#))
        };
        let subject = r#"[{"digest":{"sha256":"aa"}}]"#;
        assert!(of("https://in-toto.io/Statement/v0.1", subject).is_ok());
        assert!(matches!(of("https://in-toto.io/Statement/v2", subject), Err(InvalidProvenance::StatementType { .. })));
        assert!(matches!(of(TYPES[0], "[]"), Err(InvalidProvenance::NoSubject)));
        let nothing = format!(r#"{{"_type":"{}","predicateType":"p","predicate":{{}}}}"#, TYPES[0]);
        assert!(matches!(statement(&nothing), Err(InvalidProvenance::NoSubject)));
        assert!(matches!(of(TYPES[0], r#"[["a",{}]]"#), Err(InvalidProvenance::Json(_))));
        assert!(matches!(statement("{}"), Err(InvalidProvenance::Json(_))));
    }
}
