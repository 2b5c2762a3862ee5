//! Entries of logs that exist in memory alone, over signatures of every kind of key.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::testing::{TestLog, merkle_root, new_key, prove_inclusion};
use super::{LogEntry, LogEntryError, LogKeys, LoggedEnvelope, LoggedSigner, TreeHash, VerifiedLogEntry};
use crate::certificate::UnixTime;
use crate::envelope::pae;
use crate::key::{KeyAlgorithm, PrivateKey, SigningKey as _};

const NOW: UnixTime = UnixTime(1_700_000_000);
const PAYLOAD: &[u8] = b"{\"_type\":\"https://in-toto.io/Statement/v1\"}";

const ALGORITHMS: [KeyAlgorithm; 5] = [
    KeyAlgorithm::EcdsaP256,
    KeyAlgorithm::EcdsaP384,
    KeyAlgorithm::EcdsaP521,
    KeyAlgorithm::Rsa { bits: 2048 },
    KeyAlgorithm::Ed25519,
];

/// The algorithms of digests, as Rekor v2 and v1 call them.
const DIGESTS: [(&str, &str, &aws_lc_rs::digest::Algorithm); 3] = [
    ("SHA2_256", "sha256", &aws_lc_rs::digest::SHA256),
    ("SHA2_384", "sha384", &aws_lc_rs::digest::SHA384),
    ("SHA2_512", "sha512", &aws_lc_rs::digest::SHA512),
];

/// A signature, and what a log would have of it.
struct Signed {
    key: PrivateKey,
    signature: Vec<u8>,
}

impl Signed {
    fn new(algorithm: KeyAlgorithm) -> Self {
        let key = new_key(algorithm);
        let signature = key.sign(&pae(PAYLOAD)).expect("own keys sign");
        Self { key, signature }
    }

    fn envelope(&self) -> LoggedEnvelope<'_> {
        let signer = LoggedSigner::Key(self.key.public_key());
        LoggedEnvelope { payload: PAYLOAD, signature: &self.signature, signer, text: None }
    }

    /// The bodies of every kind, with each algorithm.
    fn bodies(&self) -> Vec<(&'static str, &'static str, Value)> {
        let (signature, pem) = (STANDARD.encode(&self.signature), self.key.public_key().to_pem());
        let verifier = json!({
            "keyDetails": "whatever", "publicKey": { "rawBytes": STANDARD.encode(self.key.public_key().spki_der()) },
        });
        let v2 = json!({ "content": signature, "verifier": verifier });
        let mut bodies = Vec::new();
        for (v2_name, v1_name, algorithm) in DIGESTS {
            let digest = |message: &[u8]| aws_lc_rs::digest::digest(algorithm, message).as_ref().to_vec();
            let hex = json!({ "algorithm": v1_name, "value": base16ct::lower::encode_string(&digest(PAYLOAD)) });
            let of = |message: &[u8]| json!({ "algorithm": v2_name, "digest": STANDARD.encode(digest(message)) });
            let record = json!({ "data": of(&pae(PAYLOAD)), "signature": v2 });
            bodies.push(("hashedrekord", "0.0.2", json!({ "hashedRekordV002": record })));
            let dsse = json!({ "payloadHash": of(PAYLOAD), "signatures": [v2] });
            bodies.push(("dsse", "0.0.2", json!({ "dsseV002": dsse })));
            let v1 = json!({ "signature": signature, "verifier": STANDARD.encode(&pem) });
            bodies.push(("dsse", "0.0.1", json!({ "payloadHash": hex, "signatures": [v1] })));
            let intoto = json!({ "sig": STANDARD.encode(&signature), "publicKey": STANDARD.encode(&pem) });
            let envelope = json!({ "payloadType": "application/vnd.in-toto+json", "signatures": [intoto] });
            bodies.push(("intoto", "0.0.2", json!({ "content": { "envelope": envelope, "payloadHash": hex } })));
        }
        let with_names =
            |(kind, version, spec)| (kind, version, json!({ "apiVersion": version, "kind": kind, "spec": spec }));
        bodies.into_iter().map(with_names).collect()
    }
}

/// An entry with this body, the third of five in the log.
fn entry(log: &TestLog, kind: &str, version: &str, body: &Value) -> Value {
    let body = body.to_string();
    let mut leaves: Vec<TreeHash> = (0..5).map(|index: u8| TreeHash::of_leaf(&[index])).collect();
    leaves[2] = TreeHash::of_leaf(body.as_bytes());
    let root = merkle_root(&leaves);
    let hashes: Vec<String> = prove_inclusion(2, &leaves).iter().map(|hash| STANDARD.encode(hash.as_bytes())).collect();
    json!({
        "logIndex": "2",
        "logId": { "keyId": STANDARD.encode(log.public.id().as_bytes()) },
        "kindVersion": { "kind": kind, "version": version },
        "integratedTime": "0",
        "inclusionProof": {
            "logIndex": "2", "treeSize": "5", "rootHash": STANDARD.encode(root.as_bytes()), "hashes": hashes,
            "checkpoint": { "envelope": log.checkpoint("log.example", 5, root) },
        },
        "canonicalizedBody": STANDARD.encode(body),
    })
}

fn verify(log: &TestLog, entry: &Value, envelope: LoggedEnvelope<'_>) -> Result<VerifiedLogEntry, LogEntryError> {
    let logs = LogKeys::new(vec![log.public.clone()]);
    LogEntry::from_json(entry.to_string().as_bytes())?.verify(&envelope, &logs, NOW)
}

#[test]
fn entries_of_every_kind_hold_for_every_kind_of_key() {
    for log in [KeyAlgorithm::Ed25519, KeyAlgorithm::EcdsaP256] {
        let log = TestLog::new(log, "log.example");
        for algorithm in ALGORITHMS {
            let signed = Signed::new(algorithm);
            for (kind, version, body) in signed.bodies() {
                let entry = entry(&log, kind, version, &body);
                let verified = verify(&log, &entry, signed.envelope()).expect(kind);
                assert_eq!(verified.kind.to_string(), format!("{kind}/{version}"));
                let inclusion = verified.inclusion.expect("a proof");
                assert_eq!((inclusion.tree_index, inclusion.checkpoint.size()), (2, 5));
                assert_eq!(verified.integrated_time, None);
            }
        }
    }
}

#[test]
fn entries_are_about_one_payload_one_signature_and_one_key() {
    let log = TestLog::new(KeyAlgorithm::Ed25519, "log.example");
    let (signed, other) = (Signed::new(KeyAlgorithm::EcdsaP384), Signed::new(KeyAlgorithm::EcdsaP384));
    for (kind, version, body) in signed.bodies() {
        let entry = entry(&log, kind, version, &body);
        let verify = |envelope| verify(&log, &entry, envelope).map(drop);
        let envelope = signed.envelope();
        assert_eq!(verify(LoggedEnvelope { payload: b"", ..envelope }), Err(LogEntryError::OtherPayload), "{kind}");
        let signature = &other.signature;
        assert_eq!(verify(LoggedEnvelope { signature, ..envelope }), Err(LogEntryError::OtherSignature), "{kind}");
        let certificate = LoggedSigner::Certificate(signed.key.public_key().spki_der());
        for signer in [LoggedSigner::Key(other.key.public_key()), certificate] {
            assert_eq!(verify(LoggedEnvelope { signer, ..envelope }), Err(LogEntryError::OtherSigner), "{kind}");
        }
    }
}

#[test]
fn the_oldest_entries_are_about_an_envelope_byte_for_byte() {
    let log = TestLog::new(KeyAlgorithm::EcdsaP256, "log.example");
    let (signed, other) = (Signed::new(KeyAlgorithm::EcdsaP256), Signed::new(KeyAlgorithm::EcdsaP256));
    let text: &[u8] = b"{\"payload\":\"...\"}";
    let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, text);
    let pem = STANDARD.encode(signed.key.public_key().to_pem());
    let hash = json!({ "algorithm": "sha256", "value": base16ct::lower::encode_string(hash.as_ref()) });
    let body =
        json!({ "apiVersion": "0.0.1", "kind": "intoto", "spec": { "content": { "hash": hash }, "publicKey": pem } });
    let entry = entry(&log, "intoto", "0.0.1", &body);
    let envelope = LoggedEnvelope { text: Some(text), ..signed.envelope() };
    let verified = verify(&log, &entry, envelope).expect("it is about it");
    assert_eq!(verified.kind.to_string(), "intoto/0.0.1");
    let verify = |envelope| verify(&log, &entry, envelope).map(drop);
    let spaced = LoggedEnvelope { text: Some(b"{ \"payload\":\"...\"}"), ..envelope };
    assert_eq!(verify(spaced), Err(LogEntryError::OtherPayload));
    let signer = LoggedSigner::Key(other.key.public_key());
    assert_eq!(verify(LoggedEnvelope { signer, ..envelope }), Err(LogEntryError::OtherSigner));
    let kind = LogEntryError::Kind { found: "intoto/0.0.1".to_owned() };
    assert_eq!(verify(signed.envelope()), Err(kind), "in a bundle nobody knows the bytes");
}

#[test]
fn bodies_are_what_the_entry_says() {
    let log = TestLog::new(KeyAlgorithm::Ed25519, "log.example");
    let signed = Signed::new(KeyAlgorithm::EcdsaP256);
    let reason = |kind: &str, version: &str, body: &Value| match verify(
        &log,
        &entry(&log, kind, version, body),
        signed.envelope(),
    ) {
        Err(LogEntryError::Malformed { reason }) => reason,
        other => panic!("{kind} {body}: {other:?}"),
    };
    for (kind, version, body) in signed.bodies() {
        let mut renamed = body.clone();
        renamed["kind"] = "rekord".into();
        assert!(reason(kind, version, &renamed).contains("found rekord/"), "{kind}");
        let mut empty = body.clone();
        empty["spec"] = json!({});
        assert!(reason(kind, version, &empty).contains("missing field"), "{kind}");
        // Two signatures, none, or a hash that is not accepted.
        let text = body.to_string();
        if kind != "hashedrekord" {
            let list = ["/spec/signatures", "/spec/dsseV002/signatures", "/spec/content/envelope/signatures"];
            let list = list.into_iter().find(|list| body.pointer(list).is_some()).expect("it has a list");
            for count in [0, 2] {
                let mut changed = body.clone();
                let signatures = changed.pointer_mut(list).expect("there").as_array_mut().expect("a list");
                *signatures = vec![signatures[0].clone(); count];
                assert!(reason(kind, version, &changed).contains(&format!("one signature, found {count}")), "{kind}");
            }
        }
        for (v2, v1, _) in DIGESTS {
            let weak = text.replace(&format!("\"{v2}\""), "\"SHA1\"").replace(&format!("\"{v1}\""), "\"SHA1\"");
            if weak != text {
                assert!(reason(kind, version, &serde_json::from_str(&weak).expect("JSON")).contains("`SHA1`"));
            }
        }
    }
    // What Rekor v1 has of an artifact's hash is not about an envelope.
    let body = json!({ "apiVersion": "0.0.1", "kind": "hashedrekord", "spec": {} });
    let refused = verify(&log, &entry(&log, "hashedrekord", "0.0.1", &body), signed.envelope());
    assert_eq!(refused, Err(LogEntryError::Kind { found: "hashedrekord/0.0.1".to_owned() }));
}

#[test]
fn promises_hold_for_what_they_promise() {
    let log = TestLog::new(KeyAlgorithm::EcdsaP256, "log.example");
    let signed = Signed::new(KeyAlgorithm::Ed25519);
    let (kind, version, body) = signed.bodies().swap_remove(2);
    let mut promised = entry(&log, kind, version, &body);
    promised["inclusionProof"] = Value::Null;
    promised["integratedTime"] = "1699999999".into();
    let text = json!({
        "body": promised["canonicalizedBody"], "integratedTime": 1_699_999_999,
        "logID": log.public.id().to_string(), "logIndex": 2,
    });
    let signature = log.private.sign(text.to_string().as_bytes()).expect("own keys sign");
    promised["inclusionPromise"] = json!({ "signedEntryTimestamp": STANDARD.encode(signature) });
    let verified = verify(&log, &promised, signed.envelope()).expect("it was promised");
    assert_eq!((verified.integrated_time, verified.inclusion), (Some(UnixTime(1_699_999_999)), None));
    promised["integratedTime"] = "1699999998".into();
    assert_eq!(verify(&log, &promised, signed.envelope()), Err(LogEntryError::Promise));
}

#[test]
fn other_texts_are_not_entries() {
    let log = TestLog::new(KeyAlgorithm::Ed25519, "log.example");
    let signed = Signed::new(KeyAlgorithm::Ed25519);
    let (kind, version, body) = signed.bodies().swap_remove(0);
    let good = entry(&log, kind, version, &body);
    verify(&log, &good, signed.envelope()).expect("a good one");
    let malformed: [fn(&mut Value); 7] = [
        |entry| *entry = json!([]),
        |entry| entry["logId"]["keyId"] = "AAAA".into(),
        |entry| entry["logIndex"] = "-1".into(),
        |entry| entry["canonicalizedBody"] = Value::Null,
        |entry| entry["inclusionProof"]["hashes"] = vec!["AAAA"; 200].into(),
        |entry| entry["inclusionProof"]["hashes"][0] = "AAAA".into(),
        |entry| entry["kindVersion"] = json!(["dsse", "0.0.1"]),
    ];
    for change in malformed {
        let mut entry = good.clone();
        change(&mut entry);
        let refused = verify(&log, &entry, signed.envelope());
        assert!(matches!(refused, Err(LogEntryError::Malformed { .. })), "{entry}: {refused:?}");
    }
    let twice = good.to_string().replacen('{', "{\"logIndex\":\"1\",", 1);
    assert!(matches!(LogEntry::from_json(twice.as_bytes()), Err(LogEntryError::Malformed { .. })));
    let large = format!("{good}{}", " ".repeat(super::MAX_LOG_ENTRY_BYTES));
    assert!(matches!(LogEntry::from_json(large.as_bytes()), Err(LogEntryError::TooLarge { .. })));
    // The same in the middle of another document.
    let entries: Vec<LogEntry> = serde_json::from_value(json!([good])).expect("a list of entries");
    assert_eq!(entries[0].stated_log_index(), 2);
}
