//! Transparency log entries as a bundle carries them (`TransparencyLogEntry` of Sigstore's protobuf-specs).

use std::fmt;

use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use super::json::Object;

/// The most hashes in a proof: a tree of 2^64 leaves has no longer path.
const MAX_HASHES: usize = 64;

/// A transparency log entry, **unverified**: the members as they stand in the bundle.
///
/// Members that are absent are empty here; nothing is checked before somebody trusts a log.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct LogEntryRecord {
    log_index: Integer,
    #[serde(deserialize_with = "object")]
    log_id: LogId,
    #[serde(deserialize_with = "object")]
    kind_version: KindVersion,
    #[serde(skip_serializing_if = "Option::is_none")]
    integrated_time: Option<Integer>,
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "optional_object")]
    inclusion_promise: Option<InclusionPromise>,
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "optional_object")]
    inclusion_proof: Option<InclusionProof>,
    canonicalized_body: String,
}

impl LogEntryRecord {
    /// Reads an entry in protobuf's JSON, as Rekor v2 answers with it.
    ///
    /// # Errors
    /// Of `serde_json`, if it is not one.
    pub fn from_json(json: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(json)
    }

    /// The entry in protobuf's JSON.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        serde_json::to_value(self).expect("texts always serialise")
    }

    /// The kind of the entry and its version, `dsse 0.0.1`.
    #[must_use]
    pub fn kind(&self) -> String {
        format!("{} {}", self.kind_version.kind, self.kind_version.version)
    }

    /// The place of the entry in the log, as the bundle claims it.
    #[must_use]
    pub fn log_index(&self) -> &str {
        &self.log_index.0
    }

    /// The log's key ID, in Base64.
    #[must_use]
    pub fn log_id(&self) -> &str {
        &self.log_id.key_id
    }

    /// The origin line of the checkpoint, if there is one.
    #[must_use]
    pub fn origin(&self) -> Option<&str> {
        self.checkpoint().and_then(|checkpoint| checkpoint.lines().next())
    }

    /// The signed checkpoint, if there is one.
    #[must_use]
    pub fn checkpoint(&self) -> Option<&str> {
        let proof = self.inclusion_proof.as_ref()?;
        Some(proof.checkpoint.envelope.as_str()).filter(|text| !text.is_empty())
    }

    /// When the log says that it took the entry, in seconds since 1970.
    #[must_use]
    pub fn integrated_time(&self) -> Option<u64> {
        self.integrated_time.as_ref().and_then(|time| time.0.parse().ok()).filter(|time| *time != 0)
    }

    /// Whether there is an inclusion proof.
    #[must_use]
    pub fn has_proof(&self) -> bool {
        self.inclusion_proof.is_some()
    }

    /// Whether there is a promise of inclusion, a signed entry timestamp.
    #[must_use]
    pub fn has_promise(&self) -> bool {
        self.inclusion_promise.is_some()
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
struct LogId {
    key_id: String,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default)]
struct KindVersion {
    kind: String,
    version: String,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
struct InclusionPromise {
    signed_entry_timestamp: String,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
struct InclusionProof {
    log_index: Integer,
    root_hash: String,
    tree_size: Integer,
    #[serde(deserialize_with = "few")]
    hashes: Vec<String>,
    #[serde(deserialize_with = "object")]
    checkpoint: Checkpoint,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default)]
struct Checkpoint {
    envelope: String,
}

/// An integer of 64 bits, which protobuf's JSON writes as a text and reads as either.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Integer(String);

impl Default for Integer {
    fn default() -> Self {
        // The default of the protocol: a first entry has no `logIndex`.
        Self("0".to_owned())
    }
}

impl<'de> Deserialize<'de> for Integer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl Visitor<'_> for Either {
            type Value = Integer;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an integer, or one as a text")
            }

            fn visit_u64<E: Error>(self, number: u64) -> Result<Integer, E> {
                Ok(Integer(number.to_string()))
            }

            fn visit_i64<E: Error>(self, number: i64) -> Result<Integer, E> {
                Ok(Integer(number.to_string()))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Integer, E> {
                text.parse::<i64>().map_err(|_| E::invalid_value(serde::de::Unexpected::Str(text), &self))?;
                Ok(Integer(text.to_owned()))
            }
        }
        deserializer.deserialize_any(Either)
    }
}

fn object<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    Object::deserialize(deserializer).map(|Object(value)| value)
}

fn optional_object<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    Ok(Option::<Object<T>>::deserialize(deserializer)?.map(|Object(value)| value))
}

fn few<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let hashes = Vec::<String>::deserialize(deserializer)?;
    if hashes.len() > MAX_HASHES {
        return Err(D::Error::custom(format_args!("expected at most {MAX_HASHES} hashes, found {}", hashes.len())));
    }
    Ok(hashes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_objects_and_not_lists_of_their_values() {
        let read = |json: &str| LogEntryRecord::from_json(json.as_bytes());
        let good = r#"{"logId":{"keyId":"a"},"kindVersion":{"kind":"k","version":"1"},"inclusionPromise":null,
            "inclusionProof":{"checkpoint":{"envelope":"e"}}}"#;
        assert_eq!(read(good).expect("an entry").kind(), "k 1");
        for bad in [
            r#"{"logId":["a"]}"#,
            r#"{"kindVersion":["k","1"]}"#,
            r#"{"inclusionPromise":["s"]}"#,
            r#"{"inclusionProof":["0","r","1",[],["e"]]}"#,
            r#"{"inclusionProof":{"checkpoint":["e"]}}"#,
        ] {
            read(bad).expect_err(bad);
        }
    }
}
