//! The copy of a statement that stands beside it for people.

use serde_json::Value;

use super::keys::Predicate;

/// Checks that the copy in `build` says what `statement` says; the module's documentation has the differences.
pub(super) fn require_equal_copy(statement: &Value, predicate: Predicate, build: &Value) -> Result<(), TextCopyError> {
    let (name, other) = match predicate {
        Predicate::V0_1 => ("intotoStatement", "inTotoSlsaProvenanceV1"),
        Predicate::V1 => ("inTotoSlsaProvenanceV1", "intotoStatement"),
    };
    if build.get(other).is_some() {
        return Err(TextCopyError::OtherFormat { expected: name, found: other });
    }
    let copy = build.get(name).ok_or(TextCopyError::Missing { expected: name })?;
    if predicate == Predicate::V1 {
        return if copy == statement { Ok(()) } else { Err(differs(statement, copy)) };
    }
    let mut signed = statement.clone();
    if let Value::Object(members) = &mut signed
        && let Some(mut predicate) = members.remove("predicate")
    {
        if let Some(mut repeated) = members.remove("slsaProvenance") {
            remove_defined_in_material(&mut repeated);
            remove_defined_in_material(&mut predicate);
            if repeated != predicate {
                return Err(TextCopyError::Differs { members: vec!["slsaProvenance".to_owned()] });
            }
        }
        remove_defined_in_material(&mut predicate);
        members.insert("slsaProvenance".to_owned(), predicate);
    }
    let mut copy = copy.clone();
    if let Some(predicate) = copy.get_mut("slsaProvenance") {
        remove_defined_in_material(predicate);
    }
    if signed == copy { Ok(()) } else { Err(differs(&signed, &copy)) }
}

fn remove_defined_in_material(predicate: &mut Value) {
    if let Some(Value::Object(recipe)) = predicate.get_mut("recipe") {
        recipe.remove("definedInMaterial");
    }
}

/// The members at the top that are not the same on both sides.
fn differs(signed: &Value, copy: &Value) -> TextCopyError {
    let names = |value: &Value| value.as_object().map(|members| members.keys().cloned().collect::<Vec<_>>());
    let mut members: Vec<String> = names(signed).into_iter().chain(names(copy)).flatten().collect();
    members.sort();
    members.dedup();
    members.retain(|name| signed.get(name) != copy.get(name));
    TextCopyError::Differs { members }
}

/// Why the copy of a statement is not equal to it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TextCopyError {
    /// There is no copy.
    #[error("expected `build.{expected}`, found nothing")]
    Missing {
        /// Where it would be.
        expected: &'static str,
    },
    /// There is a copy of a statement in another format.
    #[error("expected `build.{expected}` alone, found `build.{found}`")]
    OtherFormat {
        /// Where the copy is.
        expected: &'static str,
        /// What is there too.
        found: &'static str,
    },
    /// The copy says something else.
    #[error("expected what was signed, found other content in {members:?}")]
    Differs {
        /// The members that differ.
        members: Vec<String>,
    },
}
