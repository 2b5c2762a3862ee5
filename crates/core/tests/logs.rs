//! Entries of the public log, as bundles that others made carry them.

mod forge;

use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use forge::vectors;
use model_transparency::certificate::UnixTime;
use model_transparency::key::SigningKey as _;
use model_transparency::log::{
    CheckpointError, EntryKind, LogEntry, LogEntryError, LogKeys, LoggedEnvelope, LoggedSigner, VerifiedLogEntry,
};
use model_transparency::sigstore::{Instance, TrustedRoot};
use serde_json::Value;

/// 2026-11-25.
const NOW: UnixTime = UnixTime(1_795_564_800);

/// A bundle of another client, taken apart.
struct Foreign {
    name: String,
    payload: Vec<u8>,
    signature: Vec<u8>,
    leaf: Vec<u8>,
    entries: Vec<Value>,
}

impl Foreign {
    /// The bundle, if it has log entries.
    fn parse(name: &str, bundle: &Value) -> Option<Self> {
        let material = &bundle["verificationMaterial"];
        let leaf = match material["certificate"]["rawBytes"].as_str() {
            Some(leaf) => leaf,
            None => material["x509CertificateChain"]["certificates"][0]["rawBytes"].as_str()?,
        };
        let envelope = &bundle["dsseEnvelope"];
        let entries = material["tlogEntries"].as_array().filter(|entries| !entries.is_empty())?.clone();
        Some(Self {
            name: name.to_owned(),
            payload: bytes(&envelope["payload"]),
            signature: bytes(&envelope["signatures"][0]["sig"]),
            leaf: STANDARD.decode(leaf).expect("Base64"),
            entries,
        })
    }

    fn envelope(&self) -> LoggedEnvelope<'_> {
        let signer = LoggedSigner::Certificate(&self.leaf);
        LoggedEnvelope { payload: &self.payload, signature: &self.signature, signer, text: None }
    }

    fn verify(&self, entry: &Value) -> Result<VerifiedLogEntry, LogEntryError> {
        LogEntry::from_json(entry.to_string().as_bytes())?.verify(&self.envelope(), &logs(), NOW)
    }
}

fn logs() -> LogKeys {
    TrustedRoot::embedded(Instance::Production).log_keys()
}

fn bytes(value: &Value) -> Vec<u8> {
    STANDARD.decode(value.as_str().expect("text")).expect("Base64")
}

/// Every bundle with log entries below a folder.
fn bundles(folder: &Path) -> Vec<Foreign> {
    let mut found = Vec::new();
    let mut folders: Vec<PathBuf> = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder") {
            let path = entry.expect("readable").path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let Ok(text) = fs::read_to_string(&path) else { continue };
            let name = path.display().to_string();
            let documents = serde_json::Deserializer::from_str(&text).into_iter::<Value>().map_while(Result::ok);
            found.extend(documents.filter_map(|bundle| Foreign::parse(&name, &bundle)));
        }
    }
    found
}

/// All bundles of the vectors; without them none, and a message.
fn all(test: &str) -> Vec<Foreign> {
    let folders = ["oms/cases", "slsa"].into_iter().filter_map(|name| vectors(name, test));
    folders.flat_map(|folder| bundles(&folder)).collect()
}

#[test]
fn entries_of_the_public_log_hold() {
    let bundles = all("entries_of_the_public_log_hold");
    if bundles.is_empty() {
        return;
    }
    let mut kinds = Vec::new();
    for bundle in &bundles {
        for entry in &bundle.entries {
            let verified = bundle.verify(entry).unwrap_or_else(|error| panic!("{}: {error}", bundle.name));
            let inclusion = verified.inclusion.expect("each has a proof");
            assert!(inclusion.checkpoint.origin().starts_with("rekor.sigstore.dev - "), "{}", bundle.name);
            assert!(inclusion.tree_index < inclusion.checkpoint.size(), "{}", bundle.name);
            assert!(verified.integrated_time.is_some_and(|time| time.0 > 1_600_000_000), "{}", bundle.name);
            assert_eq!(verified.log_url, "https://rekor.sigstore.dev");
            kinds.push(verified.kind);
        }
    }
    assert!(kinds.contains(&EntryKind::DsseV001) && kinds.contains(&EntryKind::IntotoV002));
    assert!(kinds.len() >= 12, "{}", kinds.len());
}

/// Changes a byte of a Base64 text.
fn spoil(value: &mut Value) {
    let mut decoded = bytes(value);
    let middle = decoded.len() / 2;
    decoded[middle] ^= 1;
    *value = STANDARD.encode(decoded).into();
}

type Case = (&'static str, fn(&mut Value), fn(&LogEntryError) -> bool);

/// What is changed in an entry that has a proof and a promise, and why it is refused then.
const CHANGES: &[Case] = &[
    ("the body", |entry| spoil(&mut entry["canonicalizedBody"]), |error| matches!(error, LogEntryError::Inclusion(_))),
    ("the log", |entry| spoil(&mut entry["logId"]["keyId"]), |error| matches!(error, LogEntryError::UnknownLog { .. })),
    (
        "a hash of the proof",
        |entry| spoil(&mut entry["inclusionProof"]["hashes"][0]),
        |error| matches!(error, LogEntryError::Inclusion(_)),
    ),
    (
        "the index in the tree",
        |entry| entry["inclusionProof"]["logIndex"] = "5".into(),
        |error| matches!(error, LogEntryError::Inclusion(_)),
    ),
    (
        "the tree's size",
        |entry| entry["inclusionProof"]["treeSize"] = "5".into(),
        |error| matches!(error, LogEntryError::OtherCheckpoint),
    ),
    (
        "the tree's root",
        |entry| spoil(&mut entry["inclusionProof"]["rootHash"]),
        |error| matches!(error, LogEntryError::OtherCheckpoint),
    ),
    (
        "the checkpoint's size",
        |entry| {
            let note = entry["inclusionProof"]["checkpoint"]["envelope"].as_str().expect("text");
            let (origin, rest) = note.split_once('\n').expect("lines");
            entry["inclusionProof"]["checkpoint"]["envelope"] = format!("{origin}\n1{rest}").into();
        },
        |error| matches!(error, LogEntryError::Checkpoint(CheckpointError::Signature { .. })),
    ),
    (
        "no checkpoint",
        |entry| entry["inclusionProof"]["checkpoint"] = Value::Null,
        |error| matches!(error, LogEntryError::Checkpoint(CheckpointError::Malformed(_))),
    ),
    (
        "the promise",
        |entry| spoil(&mut entry["inclusionPromise"]["signedEntryTimestamp"]),
        |error| matches!(error, LogEntryError::Promise),
    ),
    ("the log's index", |entry| entry["logIndex"] = "5".into(), |error| matches!(error, LogEntryError::Promise)),
    (
        "the time",
        |entry| entry["integratedTime"] = "1700000000".into(),
        |error| matches!(error, LogEntryError::Promise),
    ),
    (
        "the kind, to another that is known",
        |entry| {
            let other = if entry["kindVersion"]["kind"] == "dsse" { ("intoto", "0.0.2") } else { ("dsse", "0.0.1") };
            entry["kindVersion"] = serde_json::json!({ "kind": other.0, "version": other.1 });
        },
        |error| matches!(error, LogEntryError::Malformed { reason } if reason.contains("expected a body of kind")),
    ),
    (
        "the kind, to one that is not known",
        |entry| entry["kindVersion"]["version"] = "0.0.9".into(),
        |error| matches!(error, LogEntryError::Kind { .. }),
    ),
    (
        "neither proof nor promise",
        |entry| {
            entry["inclusionProof"] = Value::Null;
            entry["inclusionPromise"] = Value::Null;
        },
        |error| matches!(error, LogEntryError::Unproven),
    ),
];

#[test]
fn whatever_is_changed_in_an_entry_is_found() {
    for bundle in all("whatever_is_changed_in_an_entry_is_found") {
        for (what, change, is_expected) in CHANGES {
            let mut entry = bundle.entries[0].clone();
            change(&mut entry);
            let error = bundle.verify(&entry).expect_err(what);
            assert!(is_expected(&error), "{}: {what}: {error:?}", bundle.name);
        }
    }
}

#[test]
fn a_promise_or_a_proof_is_enough() {
    for bundle in all("a_promise_or_a_proof_is_enough") {
        let mut promised = bundle.entries[0].clone();
        promised["inclusionProof"] = Value::Null;
        let verified = bundle.verify(&promised).expect("the promise holds");
        assert!(verified.inclusion.is_none() && verified.integrated_time.is_some(), "{}", bundle.name);
        let mut proven = bundle.entries[0].clone();
        proven["inclusionPromise"] = Value::Null;
        proven["integratedTime"] = "1".into();
        let verified = bundle.verify(&proven).expect("the proof holds");
        assert!(verified.inclusion.is_some(), "{}", bundle.name);
        assert_eq!(verified.integrated_time, None, "{}: the log has not signed it", bundle.name);
    }
}

#[test]
fn an_entry_is_about_one_envelope() {
    let bundles = all("an_entry_is_about_one_envelope");
    for bundle in &bundles {
        let entry = LogEntry::from_json(bundle.entries[0].to_string().as_bytes()).expect("an entry");
        let verify = |envelope: LoggedEnvelope<'_>| entry.verify(&envelope, &logs(), NOW).map(drop);
        let envelope = bundle.envelope();
        verify(envelope).expect("it is about this one");
        assert_eq!(verify(LoggedEnvelope { payload: b"{}", ..envelope }), Err(LogEntryError::OtherPayload));
        assert_eq!(verify(LoggedEnvelope { signature: b"other", ..envelope }), Err(LogEntryError::OtherSignature));
        let key = forge::KEY.public_key();
        for signer in [LoggedSigner::Certificate(b"other"), LoggedSigner::Key(key)] {
            assert_eq!(verify(LoggedEnvelope { signer, ..envelope }), Err(LogEntryError::OtherSigner));
        }
        for other in bundles.iter().filter(|other| other.payload != bundle.payload) {
            assert_eq!(verify(other.envelope()), Err(LogEntryError::OtherPayload), "{}", other.name);
        }
    }
}

#[test]
fn the_log_signs_in_its_time() {
    for bundle in all("the_log_signs_in_its_time") {
        let entry = LogEntry::from_json(bundle.entries[0].to_string().as_bytes()).expect("an entry");
        let time = entry.verify(&bundle.envelope(), &logs(), NOW).expect("holds").integrated_time.expect("signed");
        let early = UnixTime(time.0 - 601);
        let error = entry.verify(&bundle.envelope(), &logs(), early).expect_err("the future");
        assert_eq!(error, LogEntryError::Future { time, now: early }, "{}", bundle.name);
        entry.verify(&bundle.envelope(), &logs(), UnixTime(time.0 - 600)).expect("clocks differ");
        let ended = logs().iter().map(|log| log.clone().with_period(None, Some(UnixTime(time.0 - 1)))).collect();
        let error = entry.verify(&bundle.envelope(), &LogKeys::new(ended), NOW).expect_err("too late");
        assert_eq!(error, LogEntryError::OutsidePeriod { time }, "{}", bundle.name);
    }
}
