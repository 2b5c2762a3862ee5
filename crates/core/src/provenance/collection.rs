//! Files of attestations: one, one to a line, or the answer of GitHub's API.

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use super::logged::LoggedDocument;
use super::tekton::{ChainsEnvelope, InvalidAnnotations, chains_envelopes};
use crate::envelope::{InvalidJson, parse_object, require_unique_members};

/// The largest file of attestations that is read, in bytes.
pub const MAX_PROVENANCE_BYTES: usize = 32 << 20;

/// The most attestations in a file.
pub const MAX_ATTESTATIONS: usize = 256;

/// One document of a file of attestations, as JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Document {
    /// A Sigstore bundle.
    Bundle(Vec<u8>),
    /// A DSSE envelope alone, which has no log entry.
    Envelope {
        /// The envelope.
        envelope: Vec<u8>,
        /// The certificates that lay beside it, PEM, the leaf first. Its signatures may bring some too.
        certificate_chain_pem: Option<Vec<u8>>,
    },
    /// An envelope with an entry that no bundle can have ([`UnloggedEnvelope::with_entry`](super::UnloggedEnvelope)).
    Logged(Box<LoggedDocument>),
}

/// Why a file has no attestations.
#[derive(Debug, thiserror::Error)]
pub enum InvalidCollection {
    /// It is not JSON.
    #[error(transparent)]
    Json(#[from] InvalidJson),
    /// It is of Tekton Chains, and no provenance.
    #[error(transparent)]
    Chains(#[from] InvalidAnnotations),
    /// There is nothing in it.
    #[error("expected an attestation, found none")]
    Empty,
    /// It is too large.
    #[error("expected at most {MAX_PROVENANCE_BYTES} bytes and {MAX_ATTESTATIONS} attestations, found more")]
    TooMany,
    /// It says something, and nobody signed it.
    #[error(
        "expected signed provenance, found an in-toto statement that nobody signed in document {number}: anybody can write \
         one, and the metadata of GitLab's runner is one"
    )]
    Unsigned {
        /// Which, from 1.
        number: usize,
    },
    /// It is something else.
    #[error(
        "expected a Sigstore bundle, a DSSE envelope, an answer of GitHub's API or a run of Tekton's in document {number}, \
         found none"
    )]
    Unknown {
        /// Which, from 1.
        number: usize,
    },
}

/// What tells documents apart. Texts stay where they are: a file may be long.
#[derive(Deserialize)]
struct Probe<'a> {
    #[serde(rename = "mediaType")]
    media_type: Option<IgnoredAny>,
    #[serde(borrow)]
    attestations: Option<Vec<Attestation<'a>>>,
    payload: Option<IgnoredAny>,
    #[serde(rename = "_type")]
    statement: Option<IgnoredAny>,
}

/// One of an API's answer.
#[derive(Deserialize)]
struct Attestation<'a> {
    #[serde(borrow)]
    bundle: Option<&'a RawValue>,
}

/// The attestations in a file. Nothing is verified.
///
/// # Errors
/// [`InvalidCollection`]: why there are none.
pub fn documents(bytes: &[u8]) -> Result<Vec<Document>, InvalidCollection> {
    if bytes.len() > MAX_PROVENANCE_BYTES {
        return Err(InvalidCollection::TooMany);
    }
    if let Some(chains) = chains_envelopes(bytes) {
        let of =
            |ChainsEnvelope { envelope, certificate_chain_pem }| Document::Envelope { envelope, certificate_chain_pem };
        return Ok(chains?.into_iter().map(of).collect());
    }
    let mut found = Vec::new();
    for (index, document) in split(bytes)?.into_iter().enumerate() {
        let number = index + 1;
        require_unique_members(document)?;
        match parse_object::<Probe<'_>>(document, |_| {}) {
            Ok(Probe { attestations: Some(attestations), .. }) => {
                for attestation in attestations {
                    let bundle = attestation.bundle.ok_or(InvalidCollection::Unknown { number })?;
                    let probe = parse_object::<Probe<'_>>(bundle.get().as_bytes(), |_| {});
                    if !probe.is_ok_and(|probe| probe.media_type.is_some()) {
                        return Err(InvalidCollection::Unknown { number });
                    }
                    found.push(Document::Bundle(bundle.get().as_bytes().to_vec()));
                }
            }
            Ok(Probe { media_type: Some(_), .. }) => found.push(Document::Bundle(document.to_vec())),
            Ok(Probe { payload: Some(_), .. }) => {
                found.push(Document::Envelope { envelope: document.to_vec(), certificate_chain_pem: None });
            }
            Ok(Probe { statement: Some(_), .. }) => return Err(InvalidCollection::Unsigned { number }),
            Ok(_) | Err(InvalidJson::Shape(_)) => return Err(InvalidCollection::Unknown { number }),
            Err(error) => return Err(error.into()),
        }
        if found.len() > MAX_ATTESTATIONS {
            return Err(InvalidCollection::TooMany);
        }
    }
    if found.is_empty() { Err(InvalidCollection::Empty) } else { Ok(found) }
}

/// The documents one after the other, with white space between them or nothing.
fn split(bytes: &[u8]) -> Result<Vec<&[u8]>, InvalidCollection> {
    let mut documents = Vec::new();
    let mut stream = serde_json::Deserializer::from_slice(bytes).into_iter::<IgnoredAny>();
    let mut start = 0;
    while let Some(next) = stream.next() {
        next.map_err(InvalidJson::from)?;
        documents.push(&bytes[start..stream.byte_offset()]);
        start = stream.byte_offset();
        if documents.len() > MAX_ATTESTATIONS {
            return Err(InvalidCollection::TooMany);
        }
    }
    Ok(documents)
}

/// Whether a file is what `gcloud` prints of an image, for [`cloud_build`](super::cloud_build).
#[must_use]
pub fn is_cloud_build(bytes: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Printed {
        #[serde(rename = "provenance_summary")]
        _provenance: IgnoredAny,
    }
    bytes.len() <= MAX_PROVENANCE_BYTES && serde_json::from_slice::<Printed>(bytes).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(text: &str) -> Result<usize, InvalidCollection> {
        documents(text.as_bytes()).map(|documents| documents.len())
    }

    #[test]
    fn attestations_come_alone_in_lines_and_from_the_api() {
        let bundle = r#"{"mediaType":"b"}"#;
        assert_eq!(count(bundle).expect("one"), 1);
        assert_eq!(count("{\n  \"mediaType\": \"b\"\n}\n").expect("one"), 1);
        assert_eq!(count(&format!("{bundle}\n{bundle}\n\n")).expect("two"), 2);
        let api = format!(r#"{{"attestations":[{{"bundle":{bundle},"repository_id":1}},{{"bundle":{bundle}}}]}}"#);
        assert_eq!(count(&api).expect("two"), 2);
        assert!(matches!(documents(br#"{"payload":""}"#).expect("one")[..], [Document::Envelope { .. }]));
    }

    #[test]
    fn what_has_no_attestations_is_refused() {
        assert!(matches!(count(""), Err(InvalidCollection::Empty)));
        assert!(matches!(count(r#"{"attestations":[]}"#), Err(InvalidCollection::Empty)));
        let statement = r#"{"_type":"https://in-toto.io/Statement/v1","subject":[]}"#;
        assert!(matches!(count(statement), Err(InvalidCollection::Unsigned { number: 1 })));
        for text in ["{}", "[]", "1", r#"{"mediaType":"b"} {}"#, r#"{"attestations":[{"bundle":1}]}"#] {
            assert!(matches!(count(text), Err(InvalidCollection::Unknown { .. })), "{text}");
        }
        for text in ["{", r#"{"mediaType":"b","mediaType":"c"}"#, "\u{feff}{}"] {
            assert!(matches!(count(text), Err(InvalidCollection::Json(_))), "{text}");
        }
        assert!(matches!(count(&"1 ".repeat(MAX_ATTESTATIONS + 1)), Err(InvalidCollection::TooMany)));
    }
}
