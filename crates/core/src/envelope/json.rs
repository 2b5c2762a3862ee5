//! JSON from strangers: no member twice, no deep nesting, nothing after the document.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_ignored::Path;

/// Checks that `bytes` is one JSON document in which no object has a member twice.
///
/// `serde_json` keeps the last of two equal members where a parser elsewhere keeps the first: another reader could be
/// shown other content than the one that was verified.
pub(crate) fn require_unique_members(bytes: &[u8]) -> Result<(), InvalidJson> {
    serde_json::from_slice::<UniqueMembers>(bytes)?;
    Ok(())
}

/// Bytes from which on a thread is worth its start.
const MANY_BYTES: usize = 1 << 20;

/// Parses with `parse` what [`require_unique_members`] holds of, which is seen to meanwhile if there is much of it.
pub(crate) fn with_unique_members<T, E: From<InvalidJson>>(
    bytes: &[u8],
    parse: impl FnOnce() -> Result<T, E>,
) -> Result<T, E> {
    std::thread::scope(|scope| {
        let check = || require_unique_members(bytes);
        let other = (bytes.len() >= MANY_BYTES).then(|| std::thread::Builder::new().spawn_scoped(scope, check).ok());
        let Some(other) = other.flatten() else {
            check()?;
            return parse();
        };
        let parsed = parse();
        other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
        parsed
    })
}

/// Parses `bytes` as the object `T`. Members that `T` does not have are passed to `unknown` as paths such as
/// `predicate.extra`.
///
/// Texts are borrowed from `bytes` where `T` can: a bundle of a million files is not copied to be read.
pub(crate) fn parse_object<'de, T: Deserialize<'de>>(
    bytes: &'de [u8],
    mut unknown: impl FnMut(String),
) -> Result<T, InvalidJson> {
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let Object(value) = serde_ignored::deserialize(&mut deserializer, |path| unknown(dotted(&path)))?;
    deserializer.end()?;
    Ok(value)
}

/// The path as a person writes it. `serde_ignored` would also show the `Option`s on the way, as `?`.
fn dotted(path: &Path<'_>) -> String {
    let member = |parent: &Path<'_>, name: &str| match dotted(parent) {
        parent if parent.is_empty() => name.to_owned(),
        parent => format!("{parent}.{name}"),
    };
    match path {
        Path::Root => String::new(),
        Path::Seq { parent, index } => member(parent, &index.to_string()),
        Path::Map { parent, key } => member(parent, key),
        Path::Some { parent } | Path::NewtypeStruct { parent } | Path::NewtypeVariant { parent } => dotted(parent),
    }
}

/// A `T` that is written as a JSON object. Serde would also take an array of the members' values in their order, which
/// no other reader does.
#[derive(Debug, Default)]
pub(crate) struct Object<T>(pub(crate) T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ObjectVisitor(PhantomData))
    }
}

struct ObjectVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for ObjectVisitor<T> {
    type Value = Object<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Object<T>, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map)).map(Object)
    }
}

/// Why a document is not the JSON that was expected.
#[derive(Debug, thiserror::Error)]
pub enum InvalidJson {
    /// The text is not JSON, or it ends early, or it is nested too deeply.
    #[error("not valid JSON: {0}")]
    Syntax(#[source] serde_json::Error),
    /// The JSON has another shape than expected, or a member twice.
    #[error("unexpected JSON: {0}")]
    Shape(#[source] serde_json::Error),
}

impl From<serde_json::Error> for InvalidJson {
    fn from(error: serde_json::Error) -> Self {
        match error.classify() {
            serde_json::error::Category::Data => Self::Shape(error),
            serde_json::error::Category::Io
            | serde_json::error::Category::Syntax
            | serde_json::error::Category::Eof => Self::Syntax(error),
        }
    }
}

/// Members that are soonest found by looking at each: a resource has three.
const FEW_MEMBERS: usize = 8;

/// A name, which is copied only where it is not written as it is.
#[derive(serde::Deserialize)]
struct Member<'a>(#[serde(borrow)] Cow<'a, str>);

/// Any JSON value in which no object has a member twice.
struct UniqueMembers;

impl<'de> Deserialize<'de> for UniqueMembers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(UniqueVisitor)
    }
}

struct UniqueVisitor;

impl<'de> Visitor<'de> for UniqueVisitor {
    type Value = UniqueMembers;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<UniqueMembers, A::Error> {
        let (mut few, mut many) = (Vec::new(), HashSet::new());
        while let Some(Member(member)) = map.next_key()? {
            map.next_value::<UniqueMembers>()?;
            if few.contains(&member) || many.contains(&member) {
                return Err(A::Error::custom(format_args!("the member `{member}` stands twice in one object")));
            }
            if few.len() < FEW_MEMBERS {
                few.push(member);
            } else {
                many.insert(member);
            }
        }
        Ok(UniqueMembers)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<UniqueMembers, A::Error> {
        while seq.next_element::<UniqueMembers>()?.is_some() {}
        Ok(UniqueMembers)
    }

    fn visit_bool<E>(self, _: bool) -> Result<UniqueMembers, E> {
        Ok(UniqueMembers)
    }

    fn visit_i64<E>(self, _: i64) -> Result<UniqueMembers, E> {
        Ok(UniqueMembers)
    }

    fn visit_u64<E>(self, _: u64) -> Result<UniqueMembers, E> {
        Ok(UniqueMembers)
    }

    fn visit_f64<E>(self, _: f64) -> Result<UniqueMembers, E> {
        Ok(UniqueMembers)
    }

    fn visit_str<E>(self, _: &str) -> Result<UniqueMembers, E> {
        Ok(UniqueMembers)
    }

    fn visit_unit<E>(self) -> Result<UniqueMembers, E> {
        Ok(UniqueMembers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    struct Known {
        #[expect(dead_code, reason = "only its presence is tested")]
        a: serde_json::Value,
    }

    fn error(text: &str) -> String {
        let unique = require_unique_members(text.as_bytes());
        unique.and_then(|()| parse_object::<Known>(text.as_bytes(), |_| {}).map(drop)).expect_err(text).to_string()
    }

    #[test]
    fn a_member_that_stands_twice_is_rejected_wherever_it_is() {
        for text in [r#"{"a":1,"a":1}"#, r#"{"a":{"b":[{"c":1,"c":2}]}}"#, r#"{"a":1,"x":{"\u0079":1,"y":1}}"#] {
            assert!(error(text).contains("stands twice"), "{text}");
        }
    }

    #[test]
    fn truncated_deep_and_trailing_text_is_rejected() {
        assert!(error("").contains("EOF"));
        assert!(error(r#"{"a":"#).contains("EOF"));
        assert!(
            error(&format!(r#"{{"a":{}1{}}}"#, "[".repeat(10_000), "]".repeat(10_000))).contains("recursion limit")
        );
        assert!(error(r#"{"a":1} x"#).contains("trailing"));
        assert!(matches!(parse_object::<Known>(b"{\"a\":\xff}", |_| {}), Err(InvalidJson::Syntax(_))));
        assert!(matches!(parse_object::<Known>(b"[]", |_| {}), Err(InvalidJson::Shape(_))));
    }

    #[test]
    fn unknown_members_are_reported_by_path() {
        let mut unknown = Vec::new();
        parse_object::<Known>(br#"{"a":1,"b":{"c":2}}"#, |path| unknown.push(path)).expect("valid");
        assert_eq!(unknown, ["b"]);
    }
}
