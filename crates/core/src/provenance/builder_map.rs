//! Levels that a user gives to builders of their own, beside the table of `builders`.

use serde::Deserialize;

use super::Level;
use crate::envelope::{InvalidJson, Object, parse_object, require_unique_members};

/// The longest map that is read, in bytes.
pub const MAX_BUILDER_MAP_BYTES: usize = 1 << 20;

/// Which level whose builds have: (signer, `builder.id`) to a level.
#[derive(Clone, Debug, Default)]
pub struct BuilderMap(Vec<Entry>);

/// A line of the map. Both sides are compared as they are.
#[derive(Clone, Debug)]
struct Entry {
    signer: MappedSigner,
    builder_id: String,
    level: u8,
}

/// Who a signer is, for a map.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum MappedSigner {
    /// A workflow on GitHub: `https://github.com/OWNER/NAME/PATH`, with or without `@REFERENCE`.
    Workflow(String),
    /// A name for which an identity provider vouches: the name, a space, the provider's URL.
    Identity(String),
    /// A public key, by its hint: the SHA-256 of its PEM, in hex.
    Key(String),
    /// A name in a certificate.
    Certificate(String),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MapIn {
    builders: Vec<Object<EntryIn>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EntryIn {
    signer: MappedSigner,
    builder_id: String,
    level: u8,
}

/// Why a document is no map.
#[derive(Debug, thiserror::Error)]
pub enum InvalidBuilderMap {
    /// It is too long.
    #[error("expected at most {MAX_BUILDER_MAP_BYTES} bytes, found more")]
    TooLarge,
    /// It is not the JSON that it has to be.
    #[error("expected `{{\"builders\": [{{\"signer\": {{…}}, \"builder_id\": \"…\", \"level\": 1}}]}}`: {0}")]
    Json(#[from] InvalidJson),
    /// A level is none.
    #[error("`builders[{index}].level`: expected 1, 2 or 3, found {found}")]
    Level {
        /// Which entry, from 0.
        index: usize,
        /// What it has.
        found: u8,
    },
    /// Two entries are about the same.
    #[error("`builders[{index}]`: the same signer and builder stand there twice")]
    Twice {
        /// The second, from 0.
        index: usize,
    },
}

impl BuilderMap {
    /// Reads a map: `{"builders": [{"signer": {"workflow": URI}, "builder_id": URI, "level": 2}]}`, where a signer is
    /// `{"workflow": …}`, `{"identity": "NAME PROVIDER"}`, `{"key": HINT}` or `{"certificate": NAME}`.
    ///
    /// # Errors
    /// [`InvalidBuilderMap`]: what is wrong with it.
    pub fn from_json(bytes: &[u8]) -> Result<Self, InvalidBuilderMap> {
        if bytes.len() > MAX_BUILDER_MAP_BYTES {
            return Err(InvalidBuilderMap::TooLarge);
        }
        require_unique_members(bytes)?;
        let MapIn { builders } = parse_object(bytes, |_| {})?;
        let mut entries: Vec<Entry> = Vec::new();
        for (index, Object(EntryIn { signer, builder_id, level })) in builders.into_iter().enumerate() {
            if !(1..=3).contains(&level) {
                return Err(InvalidBuilderMap::Level { index, found: level });
            }
            if entries.iter().any(|entry| entry.signer == signer && entry.builder_id == builder_id) {
                return Err(InvalidBuilderMap::Twice { index });
            }
            entries.push(Entry { signer, builder_id, level });
        }
        Ok(Self(entries))
    }

    /// The level of what this signer says that this builder built.
    pub(super) fn level(&self, signers: &[MappedSigner], builder_id: &str) -> Option<Level> {
        let is_meant = |entry: &&Entry| signers.contains(&entry.signer) && entry.builder_id == builder_id;
        let entry = self.0.iter().find(is_meant)?;
        Some(Level { number: Some(entry.level), reason: "the builder map that was given says so" })
    }

    /// Whether the map has a workflow, so that it need not be named otherwise.
    pub(super) fn names_workflow(&self, signers: &[MappedSigner]) -> bool {
        self.0.iter().any(|entry| signers.contains(&entry.signer))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(text: &str) -> Result<BuilderMap, InvalidBuilderMap> {
        BuilderMap::from_json(text.as_bytes())
    }

    #[test]
    fn signer_and_builder_give_a_level() {
        let map = map(r#"{"builders": [
            {"signer": {"key": "ab"}, "builder_id": "https://b.example/1", "level": 2},
            {"signer": {"workflow": "https://github.com/o/n/w.yml"}, "builder_id": "https://b.example/1", "level": 3}
        ]}"#)
        .expect("a map");
        let level = |signer: MappedSigner, builder: &str| map.level(&[signer], builder).and_then(|level| level.number);
        let (key, other) = (MappedSigner::Key("ab".into()), MappedSigner::Identity("ab".into()));
        assert_eq!(level(key.clone(), "https://b.example/1"), Some(2));
        assert_eq!(level(key, "https://b.example/1@v2"), None);
        assert_eq!(level(other, "https://b.example/1"), None);
        let workflow = MappedSigner::Workflow("https://github.com/o/n/w.yml".into());
        assert!(map.names_workflow(std::slice::from_ref(&workflow)));
        assert_eq!(level(workflow, "https://b.example/1"), Some(3));
    }

    #[test]
    fn what_is_no_map_is_refused() {
        let entry = r#"{"signer": {"key": "k"}, "builder_id": "b", "level": 1}"#;
        assert!(map(&format!(r#"{{"builders": [{entry}]}}"#)).is_ok());
        assert!(matches!(
            map(&format!(r#"{{"builders": [{entry}, {entry}]}}"#)),
            Err(InvalidBuilderMap::Twice { index: 1 })
        ));
        for level in ["0", "4"] {
            let other = entry.replace("\"level\": 1", &format!("\"level\": {level}"));
            assert!(matches!(
                map(&format!(r#"{{"builders": [{other}]}}"#)),
                Err(InvalidBuilderMap::Level { index: 0, .. })
            ));
        }
        for text in [
            "",
            "[]",
            "{}",
            r#"{"builders": [[{"key": "k"}, "b", 1]]}"#,
            r#"{"builders": [{"signer": {"name": "k"}, "builder_id": "b", "level": 1}]}"#,
            r#"{"builders": [{"signer": {"key": "k"}, "builder_id": "b", "level": 1, "more": 1}]}"#,
            r#"{"builders": [], "builders": []}"#,
        ] {
            assert!(matches!(map(text), Err(InvalidBuilderMap::Json(_))), "{text}");
        }
        let long = format!(r#"{{"builders": []}}{}"#, " ".repeat(MAX_BUILDER_MAP_BYTES));
        assert!(matches!(map(&long), Err(InvalidBuilderMap::TooLarge)));
    }
}
