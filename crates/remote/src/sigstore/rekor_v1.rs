//! Rekor v1: a `dsse` entry, or a `hashedrekord` of a file, and the answer as a bundle has it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use model_transparency::envelope::LogEntryRecord;
use model_transparency::key::KeyAlgorithm;
use model_transparency::sign::{LogSubmission, LogVerifier, ServiceError, Subject};
use reqwest::StatusCode;
use serde::Serialize;

use super::rekor::MAX_ANSWER_BYTES;
use crate::endpoint::Endpoint;
use crate::http::{Attempts, Failure, with_json};
use crate::rekor_entries::{ENTRIES, Entries, is_uuid};

/// Adds a signature; one that the log has already is asked for again.
pub(super) fn add(endpoint: &Endpoint, submission: &LogSubmission<'_>) -> Result<LogEntryRecord, ServiceError> {
    require_sha256(submission.key_algorithm()).map_err(|reason| endpoint.failed(reason))?;
    let http = endpoint.http();
    let asked = with_json(http.client().post(endpoint.at(ENTRIES)), &Proposal::of(submission));
    let answer = asked.and_then(|asked| http.send_for_json(asked, MAX_ANSWER_BYTES, Attempts::Several));
    let answer = match answer {
        Err(failure) if failure.status == Some(StatusCode::CONFLICT) => existing(endpoint, &failure)?,
        answer => answer.map_err(|failure| unanswered(endpoint, &failure))?,
    };
    entry(answer).map_err(|reason| endpoint.failed(format!("gave an answer that is not as expected: {reason}")))
}

/// The log checks envelopes with SHA-256, whatever the key.
fn require_sha256(algorithm: KeyAlgorithm) -> Result<(), String> {
    match algorithm {
        KeyAlgorithm::EcdsaP256 | KeyAlgorithm::Rsa { .. } | KeyAlgorithm::Ed25519 => Ok(()),
        KeyAlgorithm::EcdsaP384 | KeyAlgorithm::EcdsaP521 => {
            Err(format!("was not asked: version 1 of Rekor takes no signature made with {algorithm}, version 2 does"))
        }
    }
}

fn unanswered(endpoint: &Endpoint, failure: &Failure) -> ServiceError {
    match failure.status {
        Some(StatusCode::PAYLOAD_TOO_LARGE) => endpoint
            .failed(format!("{failure} (version 1 of Rekor takes the whole list of files; version 2 takes a digest)")),
        _ => endpoint.unanswered(failure),
    }
}

/// What the log has of this signature already, perhaps since an attempt whose answer was lost.
fn existing(endpoint: &Endpoint, conflict: &Failure) -> Result<Entries, ServiceError> {
    let place = conflict.location.as_deref().unwrap_or_default();
    let uuid = place.rsplit('/').next().unwrap_or_default();
    // Only the name is taken: the log does not choose whom to ask.
    if !is_uuid(uuid) {
        return Err(endpoint.failed(format!("{conflict}; it does not say where")));
    }
    let http = endpoint.http();
    let asked = http.client().get(endpoint.at(&format!("{ENTRIES}/{uuid}")));
    let answer = http.send_for_json(asked, MAX_ANSWER_BYTES, Attempts::Several);
    answer.map_err(|failure| endpoint.failed(format!("has this signature already, and {failure}")))
}

/// The one entry of an answer, as a bundle has it.
fn entry(answer: Entries) -> Result<LogEntryRecord, String> {
    let found = answer.len();
    match answer.into_values().next().filter(|_| found == 1) {
        Some(entry) => entry.into_record(),
        None => Err(format!("expected one entry, found {found}")),
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Proposal {
    api_version: &'static str,
    kind: &'static str,
    spec: Spec,
}

#[derive(Serialize)]
#[serde(untagged, rename_all_fields = "camelCase")]
enum Spec {
    Dsse { proposed_content: Content },
    Hashed { data: Data, signature: LoggedSignature },
}

#[derive(Serialize)]
struct Data {
    hash: Hash,
}

#[derive(Serialize)]
struct Hash {
    algorithm: &'static str,
    /// Hex.
    value: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LoggedSignature {
    /// Base64.
    content: String,
    public_key: LoggedKey,
}

#[derive(Serialize)]
struct LoggedKey {
    /// PEM in Base64.
    content: String,
}

#[derive(Serialize)]
struct Content {
    /// JSON as a text.
    envelope: String,
    /// PEM in Base64.
    verifiers: [String; 1],
}

impl Proposal {
    fn of(submission: &LogSubmission<'_>) -> Self {
        let verifier = match submission.verifier() {
            LogVerifier::Certificate(der) => pem("CERTIFICATE", der),
            LogVerifier::Key(key) => key.to_pem(),
        };
        let verifier = STANDARD.encode(verifier);
        let (kind, spec) = match submission.subject() {
            Subject::Envelope(payload) => {
                let content = Content { envelope: submission.envelope_json(payload), verifiers: [verifier] };
                ("dsse", Spec::Dsse { proposed_content: content })
            }
            Subject::Artifact(bytes) => {
                let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes);
                let hash = Hash { algorithm: "sha256", value: base16ct::lower::encode_string(digest.as_ref()) };
                let signature = LoggedSignature {
                    content: STANDARD.encode(submission.signature()),
                    public_key: LoggedKey { content: verifier },
                };
                ("hashedrekord", Spec::Hashed { data: Data { hash }, signature })
            }
        };
        Self { api_version: "0.0.1", kind, spec }
    }
}

fn pem(label: &str, der: &[u8]) -> String {
    let base64 = STANDARD.encode(der);
    let mut text = format!("-----BEGIN {label}-----\n");
    let mut rest = base64.as_str();
    while !rest.is_empty() {
        let (line, more) = rest.split_at(rest.len().min(64));
        text.push_str(line);
        text.push('\n');
        rest = more;
    }
    text.push_str(&format!("-----END {label}-----\n"));
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn answer() -> Value {
        let body = STANDARD.encode(r#"{"apiVersion":"0.0.1","kind":"dsse","spec":{}}"#);
        let hash = "00ff".repeat(16);
        json!({ "24296fb24b8ad77a": {
            "body": body,
            "integratedTime": 1_700_000_000,
            "logID": hash,
            "logIndex": 12_345_678,
            "verification": {
                "inclusionProof": {
                    "checkpoint": "log - 1\n2\nroot\n\n— log signature\n",
                    "hashes": [hash, hash],
                    "logIndex": 1,
                    "rootHash": hash,
                    "treeSize": 2,
                },
                "signedEntryTimestamp": "c2V0",
            },
        }})
    }

    fn read(answer: &Value) -> Result<LogEntryRecord, String> {
        entry(serde_json::from_value(answer.clone()).map_err(|error| error.to_string())?)
    }

    #[test]
    fn an_answer_becomes_what_bundles_have() {
        let record = read(&answer()).expect("an entry").to_json();
        let hash = STANDARD.encode([0x00, 0xff].repeat(16));
        assert_eq!(record["logIndex"], "12345678");
        assert_eq!(record["logId"]["keyId"], hash);
        assert_eq!(record["kindVersion"], json!({ "kind": "dsse", "version": "0.0.1" }));
        assert_eq!(record["integratedTime"], "1700000000");
        assert_eq!(record["inclusionPromise"]["signedEntryTimestamp"], "c2V0");
        assert_eq!(record["inclusionProof"]["logIndex"], "1");
        assert_eq!(record["inclusionProof"]["hashes"], json!([hash, hash]));
        assert_eq!(record["canonicalizedBody"], answer()["24296fb24b8ad77a"]["body"]);
    }

    #[test]
    fn what_is_wrong_with_an_answer_is_named() {
        let changed = |pointer: &str, value: Value| {
            let mut answer = answer();
            *answer["24296fb24b8ad77a"].pointer_mut(pointer).expect("it is there") = value;
            read(&answer).expect_err(pointer)
        };
        assert_eq!(read(&json!({})).expect_err("none"), "expected one entry, found 0");
        assert!(changed("/body", "-".into()).starts_with("`body`"));
        assert!(changed("/body", "e30=".into()).contains("missing field `kind`"));
        assert!(changed("/logID", "xyz".into()).starts_with("expected hex"));
        assert!(changed("/logIndex", (-1).into()).contains("invalid value"));
        assert!(changed("/verification", Value::Null).contains("Verification"));
        assert!(changed("/verification/inclusionProof/hashes", vec!["00"; 10_000].into()).contains("hashes"));
    }

    #[test]
    fn a_certificate_is_wrapped_as_pem_is() {
        let text = pem("CERTIFICATE", &[7; 100]);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.iter().map(|line| line.len()).collect::<Vec<_>>(), [27, 64, 64, 8, 25]);
        assert_eq!(STANDARD.decode(lines[1..4].concat()), Ok(vec![7; 100]));
    }

    proptest! {
        #[test]
        fn no_answer_is_too_strange_to_be_refused(place in 0..9usize, text in ".*", number in any::<i64>()) {
            let places = [
                "/body", "/integratedTime", "/logID", "/logIndex", "/verification/signedEntryTimestamp",
                "/verification/inclusionProof/checkpoint", "/verification/inclusionProof/hashes/0",
                "/verification/inclusionProof/rootHash", "/verification/inclusionProof/treeSize",
            ];
            for value in [Value::from(text), Value::from(number)] {
                let mut answer = answer();
                *answer["24296fb24b8ad77a"].pointer_mut(places[place]).expect("it is there") = value;
                let _ = read(&answer);
            }
        }
    }
}
