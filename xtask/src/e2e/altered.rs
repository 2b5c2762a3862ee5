//! Evidence that was altered, and trust in somebody else: each refused for its own reason.

use anyhow::{Context, Result, bail, ensure};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use super::Scene;
use super::sandbox::{Sandbox, TRUST};
use crate::outcome::Outcome;
use crate::sigstore_stack::{PERSON, Realm};
use crate::table::{Cell, Row, Table};

const TABLE: Table<2> = Table { first: "what was altered", columns: ["we refuse", "they refuse"] };

/// What a verdict rests on, to be altered.
struct Evidence {
    bundle: Value,
    /// The trusted root.
    root: Value,
    /// Another signature of the same person, of another model.
    another: Value,
    /// The trusted root of another instance.
    other_root: Value,
}

/// One alteration, and what we say of it.
struct Alteration {
    name: &'static str,
    apply: fn(&mut Evidence) -> Result<()>,
    says: &'static str,
}

const PAYLOAD: &str = "/dsseEnvelope/payload";
const SIGNATURE: &str = "/dsseEnvelope/signatures/0/sig";
const CERTIFICATE: &str = "/verificationMaterial/certificate/rawBytes";
const ENTRIES: &str = "/verificationMaterial/tlogEntries";
const BODY: &str = "/verificationMaterial/tlogEntries/0/canonicalizedBody";
const PROOF: &str = "/verificationMaterial/tlogEntries/0/inclusionProof";
const CHECKPOINT: &str = "/verificationMaterial/tlogEntries/0/inclusionProof/checkpoint/envelope";
const PLACE: &str = "/verificationMaterial/tlogEntries/0/logIndex";
const TIMESTAMPS: &str = "/verificationMaterial/timestampVerificationData/rfc3161Timestamps";

const NOT_HELD: &str = "which this trusted root does not hold";
const NO_PROOF: &str = "log entry 0 in the bundle: its inclusion proof does not hold";
const NO_CHECKPOINT: &str = "the signature on the checkpoint of ";
const NO_TIMESTAMP: &str = "a timestamp in the bundle does not hold";
const NO_SCT: &str = "the signed certificate timestamp (SCT) in the signer's certificate does not hold";
const OTHER_ENTRY: &str = "log entry 0 in the bundle: it is about another payload";
const OTHER_SIGNER: &str = "it names another key or certificate than the one that the signature verifies with";
const UNKNOWN_LOG: &str = "which is not trusted";

const ALTERATIONS: &[Alteration] = &[
    Alteration::new("the payload", |it| flip(&mut it.bundle, PAYLOAD, 9), "the signature does not verify"),
    Alteration::new("the signature", |it| flip(&mut it.bundle, SIGNATURE, 0), "the signature does not verify"),
    Alteration::new("the certificate's signature", |it| flip(&mut it.bundle, CERTIFICATE, 0), OTHER_SIGNER),
    Alteration::new(
        "the certificate of another signature",
        |it| take_another(it, CERTIFICATE),
        "the signature does not verify",
    ),
    Alteration::new(
        "no log entry",
        |it| set(&mut it.bundle, ENTRIES, json!([])),
        "expected a transparency log entry in the bundle, found none",
    ),
    Alteration::new("the log entry of another signature", |it| take_another(it, ENTRIES), OTHER_ENTRY),
    Alteration::new("the content of the log entry", |it| flip(&mut it.bundle, BODY, 30), NO_PROOF),
    Alteration::new(
        "a hash in the inclusion proof",
        |it| flip(&mut it.bundle, &format!("{PROOF}/hashes/0"), 0),
        NO_PROOF,
    ),
    Alteration::new("the place in the log", alter_place, NO_PROOF),
    Alteration::new(
        "no inclusion proof",
        |it| set(&mut it.bundle, PROOF, Value::Null),
        "it has neither an inclusion proof nor a promise of its log",
    ),
    Alteration::new("the inclusion proof of another signature", |it| take_another(it, PROOF), NO_PROOF),
    Alteration::new(
        "the size in the checkpoint",
        |it| alter_checkpoint(it, |text| text.replacen('\n', "\n1", 1)),
        NO_CHECKPOINT,
    ),
    Alteration::new("the signature of the checkpoint", |it| alter_checkpoint(it, flip_last), NO_CHECKPOINT),
    Alteration::new("the checkpoint of another signature", |it| take_another(it, CHECKPOINT), NO_PROOF),
    Alteration::new(
        "the timestamp",
        |it| flip(&mut it.bundle, &format!("{TIMESTAMPS}/0/signedTimestamp"), 0),
        NO_TIMESTAMP,
    ),
    Alteration::new("the timestamp of another signature", |it| take_another(it, TIMESTAMPS), NO_TIMESTAMP),
    Alteration::new(
        "no timestamp",
        |it| set(&mut it.bundle, TIMESTAMPS, json!([])),
        "nothing in the bundle says when it was signed",
    ),
    Alteration::new("trust: another certificate authority", |it| trust_other(it, "/certificateAuthorities"), NOT_HELD),
    Alteration::new("trust: another log of certificates", |it| trust_other(it, "/ctlogs"), NO_SCT),
    Alteration::new(
        "trust: another key of the log of certificates",
        |it| trust_other(it, "/ctlogs/0/publicKey"),
        NO_SCT,
    ),
    Alteration::new("trust: another log of signatures", |it| trust_other(it, "/tlogs"), UNKNOWN_LOG),
    Alteration::new(
        "trust: another key of the log of signatures",
        |it| trust_other(it, "/tlogs/0/publicKey"),
        NO_CHECKPOINT,
    ),
    Alteration::new("trust: another timestamp authority", |it| trust_other(it, "/timestampAuthorities"), NO_TIMESTAMP),
    Alteration::new("trust: another instance", |it| trust_other(it, ""), NOT_HELD),
];

/// Signs, alters, verifies.
pub(super) fn run(scene: &Scene) -> Result<Outcome> {
    let sandbox = Sandbox::new(scene.folder(), "altered", &scene.stack)?;
    let bundle = sandbox.sign(&scene.ours)?;
    // Later in the log: a proof of this place is possible under its checkpoint.
    let another = {
        let elsewhere = Sandbox::new(scene.folder(), "another", &scene.stack)?;
        elsewhere.write("model/config.json", "another model\n")?;
        elsewhere.sign(&scene.ours)?
    };
    let trust = sandbox.json(TRUST)?;
    let other_root = {
        let bytes = std::fs::read(&scene.other.files.trusted_root)?;
        serde_json::from_slice::<Value>(&bytes)?
    };
    let rule = sandbox.rule(PERSON, Realm::People);
    let verify = format!("verify sigstore model --signature altered.sig {rule}");
    let root = &trust["trustedRoot"];

    let mut rows = vec![Row {
        name: "nothing",
        cells: [&scene.ours, &scene.theirs].map(|tool| {
            let verify = format!("verify sigstore model --signature model.sig {rule}");
            Cell::from(sandbox.run(tool, &verify).and_then(|said| said.succeeds()))
        }),
    }];
    for alteration in ALTERATIONS {
        let mut evidence = Evidence {
            bundle: bundle.clone(),
            root: root.clone(),
            another: another.clone(),
            other_root: other_root.clone(),
        };
        (alteration.apply)(&mut evidence).with_context(|| format!("cannot alter {}", alteration.name))?;
        ensure!(evidence.bundle != bundle || evidence.root != *root, "{} is the same", alteration.name);
        sandbox.write("altered.sig", evidence.bundle.to_string())?;
        let mut configuration = trust.clone();
        configuration["trustedRoot"] = evidence.root;
        sandbox.write(TRUST, configuration.to_string())?;
        let we = sandbox.run(&scene.ours, &verify).and_then(|said| said.fails(1, &[alteration.says]));
        let they = sandbox.run(&scene.theirs, &verify).and_then(|said| said.fails(1, &[]));
        rows.push(Row { name: alteration.name, cells: [Cell::from(we), Cell::from(they)] });
    }
    Ok(TABLE.print("Altered evidence, and trust in somebody else", &rows))
}

impl Alteration {
    const fn new(name: &'static str, apply: fn(&mut Evidence) -> Result<()>, says: &'static str) -> Self {
        Self { name, apply, says }
    }
}

/// What is at that place (RFC 6901).
fn at<'a>(document: &'a mut Value, place: &str) -> Result<&'a mut Value> {
    document.pointer_mut(place).with_context(|| format!("nothing is at {place}"))
}

fn set(document: &mut Value, place: &str, value: Value) -> Result<()> {
    *at(document, place)? = value;
    Ok(())
}

/// Changes a bit of bytes in base64; `from_end` says in which byte.
fn flip(document: &mut Value, place: &str, from_end: usize) -> Result<()> {
    let value = at(document, place)?;
    let mut bytes = BASE64_STANDARD.decode(value.as_str().context("no text")?)?;
    let index = bytes.len().checked_sub(from_end + 1).context("too few bytes")?;
    bytes[index] ^= 1;
    *value = BASE64_STANDARD.encode(bytes).into();
    Ok(())
}

fn take_another(evidence: &mut Evidence, place: &str) -> Result<()> {
    let theirs = at(&mut evidence.another, place)?.take();
    set(&mut evidence.bundle, place, theirs)
}

fn trust_other(evidence: &mut Evidence, place: &str) -> Result<()> {
    let theirs = at(&mut evidence.other_root, place)?.take();
    set(&mut evidence.root, place, theirs)
}

/// It is there twice, and signed nowhere: of a v2 entry we go by the entry's own, the reference tool by the proof's.
fn alter_place(evidence: &mut Evidence) -> Result<()> {
    set(&mut evidence.bundle, PLACE, json!("0"))?;
    set(&mut evidence.bundle, &format!("{PROOF}/logIndex"), json!("0"))
}

fn alter_checkpoint(evidence: &mut Evidence, alter: fn(&str) -> String) -> Result<()> {
    let checkpoint = at(&mut evidence.bundle, CHECKPOINT)?;
    let Some(text) = checkpoint.as_str() else { bail!("the checkpoint is no text") };
    *checkpoint = alter(text).into();
    Ok(())
}

/// Changes a bit of the last signature of a checkpoint (C2SP signed-note).
fn flip_last(checkpoint: &str) -> String {
    let (before, signature) = checkpoint.trim_end().rsplit_once(' ').unwrap_or_default();
    let mut bytes = BASE64_STANDARD.decode(signature).unwrap_or_default();
    if let Some(last) = bytes.last_mut() {
        *last ^= 1;
    }
    format!("{before} {}\n", BASE64_STANDARD.encode(bytes))
}
