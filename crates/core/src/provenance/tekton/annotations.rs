//! Envelopes as Tekton Chains leaves them at the run: in its annotations.
//!
//! For each thing that it signs Chains writes four of them, `chains.tekton.dev/WHAT-KEY`, each in base64: `signature`
//! (the whole DSSE envelope of provenance, or the signature alone of an image), `payload` (what was signed, which is in
//! the envelope too), and `cert` and `chain` (PEM, or nothing where no certificate authority was asked).

use std::collections::BTreeMap;
use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::de::{IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::super::{MAX_ATTESTATIONS, MAX_PROVENANCE_BYTES};
use crate::envelope::{InvalidJson, Object, parse_object, require_unique_members};

const PREFIX: &str = "chains.tekton.dev/";
const SIGNATURE: &str = "signature-";
const CERTIFICATE: &str = "cert-";
const CHAIN: &str = "chain-";
const KEPT: [&str; 3] = [SIGNATURE, CERTIFICATE, CHAIN];
/// Signature, certificate and chain.
const MAX_ANNOTATIONS: usize = 3 * MAX_ATTESTATIONS;

/// The shortest text that is taken for a signature alone: what Ed25519 makes has 64 bytes.
const MIN_SIGNATURE_BYTES: usize = 64;

/// An envelope, and the certificates that lie beside it. Nothing is verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChainsEnvelope {
    /// A DSSE envelope, as JSON.
    pub envelope: Vec<u8>,
    /// The certificate of the signer and those above it, in this order, as PEM.
    pub certificate_chain_pem: Option<Vec<u8>>,
}

/// Why there is no envelope of Tekton Chains.
#[derive(Debug, thiserror::Error)]
pub enum InvalidAnnotations {
    /// It is not the JSON that it has to be.
    #[error(transparent)]
    Json(#[from] InvalidJson),
    /// It is too large.
    #[error("expected at most {MAX_PROVENANCE_BYTES} bytes and {MAX_ATTESTATIONS} signatures, found more")]
    TooMany,
    /// An annotation is damaged.
    #[error("the annotation `{annotation}`: expected base64: {error}")]
    Base64 {
        /// Its name.
        annotation: String,
        /// What is wrong with it.
        #[source]
        error: base64::DecodeError,
    },
    /// It is the signature alone.
    #[error(
        "expected a DSSE envelope in base64, found something else, such as the signature of an image, which is not \
        provenance"
    )]
    SignatureAlone,
    /// No annotation has an envelope.
    #[error(
        "expected a DSSE envelope in an annotation `{PREFIX}{SIGNATURE}…`, found none, and {passed_over} with \
        something else, such as the signature of an image, which is not provenance"
    )]
    NoEnvelope {
        /// How many annotations were passed over.
        passed_over: usize,
    },
}

/// The envelopes in a file that is an annotation's value (`kubectl … -o jsonpath=…`), or a `TaskRun`, a `PipelineRun` or a
/// list of them (`kubectl … -o json`). `None` if it is neither.
///
/// Signatures of images are passed over where there is an envelope as well: they are no provenance.
///
/// # Errors
/// [`InvalidAnnotations`]: why there is no envelope in it.
#[must_use]
pub fn chains_envelopes(file: &[u8]) -> Option<Result<Vec<ChainsEnvelope>, InvalidAnnotations>> {
    let text = file.trim_ascii();
    if text.first() == Some(&b'{') {
        // Only what names itself a run or a list is read here; whether it is damaged further on is an error then.
        let is_run = text.len() <= MAX_PROVENANCE_BYTES
            && serde_json::from_slice::<Head>(text).is_ok_and(|head| head.is_known());
        return is_run.then(|| of_runs(text));
    }
    let is_base64 = |byte: &u8| byte.is_ascii_alphanumeric() || b"+/=".contains(byte);
    if text.is_empty() || !text.iter().all(is_base64) {
        return None;
    }
    if text.len() > MAX_PROVENANCE_BYTES {
        return Some(Err(InvalidAnnotations::TooMany));
    }
    let decoded = STANDARD.decode(text).ok()?;
    if is_envelope(&decoded) {
        return Some(Ok(vec![ChainsEnvelope { envelope: decoded, certificate_chain_pem: None }]));
    }
    (decoded.len() >= MIN_SIGNATURE_BYTES).then_some(Err(InvalidAnnotations::SignatureAlone))
}

fn of_runs(text: &[u8]) -> Result<Vec<ChainsEnvelope>, InvalidAnnotations> {
    require_unique_members(text)?;
    let Objects { metadata: Object(Metadata { annotations }), items } = parse_object(text, |_| {})?;
    let (mut found, mut passed_over) = (Vec::new(), 0);
    let mut are_too_many = items.are_too_many;
    for annotations in items.annotations.iter().chain([&annotations]) {
        are_too_many |= annotations.are_too_many;
        for (name, value) in &annotations.values {
            let Some(key) = name.strip_prefix(SIGNATURE) else { continue };
            if are_too_many || found.len() + passed_over == MAX_ATTESTATIONS {
                return Err(InvalidAnnotations::TooMany);
            }
            let envelope = decode(name, value)?;
            if is_envelope(&envelope) {
                let certificate_chain_pem = certificates(&annotations.values, key)?;
                found.push(ChainsEnvelope { envelope, certificate_chain_pem });
            } else {
                passed_over += 1;
            }
        }
    }
    match found.len() {
        _ if are_too_many => Err(InvalidAnnotations::TooMany),
        0 => Err(InvalidAnnotations::NoEnvelope { passed_over }),
        _ => Ok(found),
    }
}

/// The certificate of the signer, and after it those above.
fn certificates(annotations: &BTreeMap<String, String>, key: &str) -> Result<Option<Vec<u8>>, InvalidAnnotations> {
    let mut pem = Vec::new();
    for name in [format!("{CERTIFICATE}{key}"), format!("{CHAIN}{key}")] {
        if let Some(value) = annotations.get(&name) {
            pem.extend(decode(&name, value)?);
            if pem.last().is_some_and(|byte| *byte != b'\n') {
                pem.push(b'\n');
            }
        }
    }
    Ok((!pem.is_empty()).then_some(pem))
}

fn decode(name: &str, value: &str) -> Result<Vec<u8>, InvalidAnnotations> {
    let decoded = STANDARD.decode(value);
    decoded.map_err(|error| InvalidAnnotations::Base64 { annotation: format!("{PREFIX}{name}"), error })
}

/// Whether it has what an envelope has; what is wrong with it otherwise is found when it is read.
fn is_envelope(bytes: &[u8]) -> bool {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Envelope {
        #[serde(rename = "payload")]
        _payload: IgnoredAny,
        #[serde(rename = "payloadType")]
        _payload_type: IgnoredAny,
        #[serde(rename = "signatures")]
        _signatures: IgnoredAny,
    }
    serde_json::from_slice::<Object<Envelope>>(bytes).is_ok()
}

/// What an object of Kubernetes says that it is.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Head {
    #[serde(default)]
    api_version: String,
    #[serde(default)]
    kind: String,
}

impl Head {
    fn is_run(&self) -> bool {
        self.api_version.starts_with("tekton.dev/") && ["TaskRun", "PipelineRun"].contains(&&*self.kind)
    }

    fn is_known(&self) -> bool {
        let is_list = match self.api_version.as_str() {
            "v1" => self.kind == "List",
            version => version.starts_with("tekton.dev/") && ["TaskRunList", "PipelineRunList"].contains(&&*self.kind),
        };
        is_list || self.is_run()
    }
}

/// A run, or a list of them.
#[derive(Deserialize)]
struct Objects {
    #[serde(default)]
    metadata: Object<Metadata>,
    #[serde(default)]
    items: Items,
}

#[derive(Default, Deserialize)]
struct Metadata {
    #[serde(default)]
    annotations: Annotations,
}

/// The objects of a list that have an annotation of Chains.
#[derive(Default)]
struct Items {
    annotations: Vec<Annotations>,
    are_too_many: bool,
}

/// Chains' annotations of certificates and signatures, without the prefix.
#[derive(Default)]
struct Annotations {
    values: BTreeMap<String, String>,
    are_too_many: bool,
}

impl<'de> Deserialize<'de> for Items {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(ItemsVisitor)
    }
}

struct ItemsVisitor;

impl<'de> Visitor<'de> for ItemsVisitor {
    type Value = Items;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of objects")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Items, A::Error> {
        #[derive(Deserialize)]
        struct Item {
            #[serde(default)]
            metadata: Object<Metadata>,
        }
        let mut items = Items::default();
        while let Some(Object(Item { metadata: Object(metadata) })) = list.next_element()? {
            if metadata.annotations.values.is_empty() {
                continue;
            }
            items.are_too_many |= items.annotations.len() == MAX_ATTESTATIONS;
            if !items.are_too_many {
                items.annotations.push(metadata.annotations);
            }
        }
        Ok(items)
    }
}

impl<'de> Deserialize<'de> for Annotations {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(AnnotationsVisitor)
    }
}

struct AnnotationsVisitor;

impl<'de> Visitor<'de> for AnnotationsVisitor {
    type Value = Annotations;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of texts")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Annotations, A::Error> {
        let mut annotations = Annotations::default();
        while let Some(name) = map.next_key::<String>()? {
            let name = name.strip_prefix(PREFIX).filter(|name| KEPT.iter().any(|kept| name.starts_with(kept)));
            let Some(name) = name else {
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            let value = map.next_value()?;
            annotations.are_too_many |= annotations.values.len() == MAX_ANNOTATIONS;
            if !annotations.are_too_many {
                annotations.values.insert(name.to_owned(), value);
            }
        }
        Ok(annotations)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    const ENVELOPE: &str =
        r#"{"payloadType":"application/vnd.in-toto+json","payload":"e30=","signatures":[{"keyid":"k","sig":"AAAA"}]}"#;

    fn base64(text: &str) -> String {
        STANDARD.encode(text)
    }

    fn run(kind: &str, annotations: &Value) -> Value {
        json!({
            "apiVersion": "tekton.dev/v1",
            "kind": kind,
            "metadata": { "name": "build-1", "annotations": annotations },
            "spec": {},
        })
    }

    fn read(file: &Value) -> Result<Vec<ChainsEnvelope>, InvalidAnnotations> {
        chains_envelopes(file.to_string().as_bytes()).expect("of Tekton Chains")
    }

    fn envelope(certificate_chain_pem: Option<&str>) -> ChainsEnvelope {
        let certificate_chain_pem = certificate_chain_pem.map(|pem| pem.as_bytes().to_vec());
        ChainsEnvelope { envelope: ENVELOPE.as_bytes().to_vec(), certificate_chain_pem }
    }

    fn provenance() -> Value {
        json!({
            "chains.tekton.dev/signed": "true",
            "chains.tekton.dev/signature-taskrun-1": base64(ENVELOPE),
            "chains.tekton.dev/payload-taskrun-1": base64("{}"),
            "chains.tekton.dev/cert-taskrun-1": "",
            "chains.tekton.dev/chain-taskrun-1": "",
            "other.example.com/signature-taskrun-1": "!",
        })
    }

    #[test]
    fn the_value_of_an_annotation_is_an_envelope() {
        let found = |text: String| chains_envelopes(text.as_bytes());
        for text in [base64(ENVELOPE), format!("\n{}\n", base64(ENVELOPE))] {
            assert_eq!(found(text).expect("one").expect("valid"), [envelope(None)]);
        }
        let signature = found(STANDARD.encode([7; MIN_SIGNATURE_BYTES]));
        assert!(matches!(signature, Some(Err(InvalidAnnotations::SignatureAlone))));
        assert!(matches!(found(base64(&"{}".repeat(40))), Some(Err(InvalidAnnotations::SignatureAlone))));
        assert!(matches!(found("A".repeat(MAX_PROVENANCE_BYTES + 4)), Some(Err(InvalidAnnotations::TooMany))));
        for text in ["", " ", "AAAA", "AAA", "null", "[]", "-----BEGIN", &ENVELOPE[1..]] {
            assert!(found(text.to_owned()).is_none(), "{text}");
        }
    }

    #[test]
    fn the_annotations_of_a_run_have_envelopes_and_certificates() {
        for kind in ["TaskRun", "PipelineRun"] {
            assert_eq!(read(&run(kind, &provenance())).expect("valid"), [envelope(None)]);
        }
        let mut annotations = provenance();
        annotations["chains.tekton.dev/cert-taskrun-1"] = json!(base64("LEAF"));
        annotations["chains.tekton.dev/chain-taskrun-1"] = json!(base64("ISSUER\n"));
        assert_eq!(read(&run("TaskRun", &annotations)).expect("valid"), [envelope(Some("LEAF\nISSUER\n"))]);
        // Each has its own.
        annotations["chains.tekton.dev/signature-other"] = json!(base64(ENVELOPE));
        let found = read(&run("TaskRun", &annotations)).expect("valid");
        assert_eq!(found, [envelope(None), envelope(Some("LEAF\nISSUER\n"))]);
    }

    #[test]
    fn lists_of_runs_are_read_whole() {
        let pod = json!({ "apiVersion": "v1", "kind": "Pod", "metadata": {} });
        let items = json!([run("TaskRun", &provenance()), pod, run("PipelineRun", &provenance())]);
        for (version, kind) in [("v1", "List"), ("tekton.dev/v1", "TaskRunList"), ("tekton.dev/v1", "PipelineRunList")]
        {
            let list = json!({ "apiVersion": version, "kind": kind, "items": items, "metadata": {} });
            assert_eq!(read(&list).expect("valid"), [envelope(None), envelope(None)]);
        }
    }

    #[test]
    fn other_objects_are_left_to_others() {
        let mut object = run("TaskRun", &provenance());
        for (version, kind) in [("v1", "Pod"), ("example.com/v1", "TaskRun"), ("tekton.dev/v1", "Task"), ("v2", "List")]
        {
            object["apiVersion"] = json!(version);
            object["kind"] = json!(kind);
            assert!(chains_envelopes(object.to_string().as_bytes()).is_none());
        }
        for text in [ENVELOPE, "{}", "{", r#"{"mediaType":"b"}"#, r#"{"apiVersion":1,"kind":"TaskRun"}"#] {
            assert!(chains_envelopes(text.as_bytes()).is_none(), "{text}");
        }
    }

    #[test]
    fn the_signature_of_an_image_is_passed_over_and_is_not_provenance() {
        let mut annotations = provenance();
        annotations["chains.tekton.dev/signature-0123456789ab"] = json!(STANDARD.encode([7; 70]));
        assert_eq!(read(&run("TaskRun", &annotations)).expect("valid"), [envelope(None)]);
        annotations["chains.tekton.dev/signature-taskrun-1"] = json!("");
        let found = read(&run("TaskRun", &annotations));
        assert!(matches!(found, Err(InvalidAnnotations::NoEnvelope { passed_over: 2 })));
        let found = read(&json!({ "apiVersion": "tekton.dev/v1", "kind": "TaskRun" }));
        assert!(matches!(found, Err(InvalidAnnotations::NoEnvelope { passed_over: 0 })));
    }

    #[test]
    fn damaged_annotations_are_refused() {
        for name in ["signature", "cert", "chain"] {
            let mut annotations = provenance();
            annotations[format!("chains.tekton.dev/{name}-taskrun-1")] = json!("!");
            let found = read(&run("TaskRun", &annotations));
            let expected = format!("chains.tekton.dev/{name}-taskrun-1");
            assert!(
                matches!(found, Err(InvalidAnnotations::Base64 { annotation, .. }) if annotation == expected),
                "{name}"
            );
        }
        for annotations in [json!({ "chains.tekton.dev/signature-1": 1 }), json!([]), json!("x")] {
            assert!(matches!(read(&run("TaskRun", &annotations)), Err(InvalidAnnotations::Json(_))));
        }
        let list = json!({ "apiVersion": "v1", "kind": "List", "items": {} });
        assert!(matches!(read(&list), Err(InvalidAnnotations::Json(_))));
        let twice = r#"{"apiVersion":"tekton.dev/v1","kind":"TaskRun","metadata":{"a":1,"a":2}}"#;
        assert!(matches!(chains_envelopes(twice.as_bytes()), Some(Err(InvalidAnnotations::Json(_)))));
    }

    #[test]
    fn more_than_can_be_judged_is_refused() {
        let many = |kind: &str, count: usize| {
            (0..count).map(|index| (format!("{PREFIX}{kind}-{index}"), json!(base64(ENVELOPE)))).collect::<Value>()
        };
        assert_eq!(read(&run("TaskRun", &many("signature", MAX_ATTESTATIONS))).expect("valid").len(), MAX_ATTESTATIONS);
        for annotations in [many("signature", MAX_ATTESTATIONS + 1), many("cert", MAX_ANNOTATIONS + 1)] {
            assert!(matches!(read(&run("TaskRun", &annotations)), Err(InvalidAnnotations::TooMany)));
        }
        let list =
            |count| json!({ "apiVersion": "v1", "kind": "List", "items": vec![run("TaskRun", &provenance()); count] });
        assert_eq!(read(&list(MAX_ATTESTATIONS)).expect("valid").len(), MAX_ATTESTATIONS);
        assert!(matches!(read(&list(MAX_ATTESTATIONS + 1)), Err(InvalidAnnotations::TooMany)));
    }

    proptest! {
        #[test]
        fn damage_never_panics(
            is_run in any::<bool>(),
            end in any::<prop::sample::Index>(),
            changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        ) {
            let mut bytes = if is_run { run("TaskRun", &provenance()).to_string() } else { base64(ENVELOPE) }.into_bytes();
            for (index, byte) in changes {
                *index.get_mut(&mut bytes) = byte;
            }
            for file in [&bytes[..], &bytes[..end.index(bytes.len())]] {
                if let Some(Ok(found)) = chains_envelopes(file) {
                    prop_assert!(!found.is_empty());
                }
            }
        }
    }
}
