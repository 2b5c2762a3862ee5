//! `vsa verify`: what a user sees, with a key made for each test and with a public summary. `vsa create` in its file.

pub(crate) mod create;

use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use model_transparency::key::{KeyAlgorithm, PrivateKeyPem, SigningKey as _, generate};
use serde_json::{Value, json};

use super::support::Sandbox;

const FLAGS: &str = "vsa verify --subject-digest sha256:aa --attestation-path vsa.json --verifier-id https://v.example \
                     --resource-uri pkg:model/a --public-key-path key.pub.pem";

fn statement() -> Value {
    json!({
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{ "name": "a\u{202e}", "digest": { "sha256": "aa" } }],
        "predicateType": "https://slsa.dev/verification_summary/v1",
        "predicate": {
            "verifier": { "id": "https://v.example" },
            "timeVerified": "2026-01-02T03:04:05Z",
            "resourceUri": "pkg:model/a",
            "policy": { "uri": "https://v.example/policy" },
            "verificationResult": "PASSED",
            "verifiedLevels": ["SLSA_BUILD_LEVEL_3"],
        },
    })
}

/// A folder with `vsa.json` and the key that signed it, `key.pub.pem`.
fn sandbox(algorithm: KeyAlgorithm, statement: &Value) -> Sandbox {
    let sandbox = Sandbox::empty();
    let (pem, public) = generate(algorithm, None).expect("a key");
    let key = PrivateKeyPem::parse(pem.as_bytes()).and_then(|key| key.into_key(None)).expect("a key");
    let payload = statement.to_string();
    let signed = format!("DSSEv1 28 application/vnd.in-toto+json {} {payload}", payload.len());
    let envelope = json!({
        "payload": STANDARD.encode(&payload),
        "payloadType": "application/vnd.in-toto+json",
        "signatures": [{ "sig": STANDARD.encode(key.sign(signed.as_bytes()).expect("signed")), "keyid": "k" }],
    });
    sandbox.write("key.pub.pem", public.to_pem());
    sandbox.write("vsa.json", envelope.to_string());
    sandbox
}

#[test]
fn a_summary_is_verified() {
    let sandbox = sandbox(KeyAlgorithm::EcdsaP256, &statement());
    let run = sandbox.ok(&format!("{FLAGS} --verified-level SLSA_BUILD_LEVEL_2"));
    insta::assert_snapshot!("vsa_verify", sandbox.scrub(&run));
    let (code, document) = sandbox.json(FLAGS);
    assert_eq!((code, &document["outcome"], &document["command"]), (0, &"verified".into(), &"vsa".into()));
    let result = &document["result"];
    assert_eq!(result["verified_levels"], json!(["SLSA_BUILD_LEVEL_3"]));
    assert_eq!((&result["wanted_levels"], &result["statement"]), (&json!([]), &Value::Null));
    assert!(result["not_checked"].to_string().contains("none was asked for"));
}

#[test]
fn the_statement_is_printed_when_asked_for() {
    let sandbox = sandbox(KeyAlgorithm::Ed25519, &statement());
    let run = sandbox.ok(&format!("{FLAGS} --print-attestation"));
    assert!(!run.stdout.contains('\u{202e}'), "{run:?}");
    assert_eq!(serde_json::from_str::<Value>(&run.stdout).expect("JSON"), statement());
    assert_eq!(run.stderr, "note: the summary is verified\n");
    let (_, document) = sandbox.json(&format!("{FLAGS} --print-attestation"));
    assert_eq!(document["result"]["statement"], statement());
}

#[test]
fn flags_have_their_other_names() {
    let sandbox = sandbox(KeyAlgorithm::EcdsaP384, &statement());
    for (flag, other) in [
        ("--attestation-path", "--provenance-path"),
        ("--attestation-path", "--bundle"),
        ("--public-key-path", "--key"),
    ] {
        sandbox.ok(&FLAGS.replace(flag, other));
    }
    sandbox.ok(&format!("{FLAGS} --public-key-id k --public-key-signing-hash-algo SHA384"));
}

#[test]
fn what_is_not_as_expected_is_rejected() {
    let sandbox = sandbox(KeyAlgorithm::EcdsaP256, &statement());
    for (from, to, kind, says) in [
        ("sha256:aa", "sha256:bb", "wrong_subject", "expected the digest `sha256:bb`, found `sha256:aa`"),
        ("https://v.example", "https://w.example", "wrong_verifier", "expected `https://w.example`"),
        ("pkg:model/a", "pkg:model/b", "wrong_resource", "expected `pkg:model/b`, found `pkg:model/a`"),
        ("--key", "--verified-level SLSA_BUILD_LEVEL_4 --key", "wrong_level", "found `SLSA_BUILD_LEVEL_3`"),
        ("--key", "--public-key-id other --key", "wrong_key", "found `k`"),
        ("--key", "--public-key-signing-hash-algo sha512 --key", "invalid_signature", "over sha512"),
        ("vsa.json", "key.pub.pem", "invalid_envelope", "expected a DSSE envelope or a Sigstore bundle"),
        ("key.pub.pem", "vsa.json", "invalid_key", "expected PEM"),
    ] {
        let words = FLAGS.replace("--public-key-path", "--key").replace(from, to);
        sandbox.fails(&words, 1, &[says]);
        assert_eq!(sandbox.json(&words).1["error"]["kind"], kind, "{words}");
    }
    let mut failed = statement();
    failed["predicate"]["verificationResult"] = "FAILED".into();
    self::sandbox(KeyAlgorithm::EcdsaP256, &failed).fails(FLAGS, 1, &["expected `PASSED`, found `FAILED`"]);
}

#[test]
fn without_an_expectation_there_is_no_verdict() {
    let sandbox = sandbox(KeyAlgorithm::Ed25519, &statement());
    let words: Vec<&str> = FLAGS.split_whitespace().collect();
    for flag in (2..words.len()).step_by(2) {
        let left: Vec<&str> =
            words.iter().enumerate().filter(|(at, _)| *at / 2 != flag / 2).map(|(_, word)| *word).collect();
        sandbox.fails(&left.join(" "), 2, &[words[flag]]);
        let mut command =
            sandbox.command_words(words.iter().enumerate().map(|(at, word)| if at == flag + 1 { "" } else { word }));
        sandbox.fails_as(&mut command, 2, &[]);
    }
    for more in
        ["--verified-level SLSA_3", "--public-key-signing-hash-algo sha256", "--public-key-signing-hash-algo md5"]
    {
        sandbox.fails(&format!("{FLAGS} {more}"), 2, &[]);
    }
}

#[test]
fn what_cannot_be_read_is_not_checked() {
    let sandbox = sandbox(KeyAlgorithm::Ed25519, &statement());
    for there in ["vsa.json", "key.pub.pem"] {
        sandbox.fails(&FLAGS.replace(there, "no-such"), 3, &["`no-such` cannot be read"]);
        sandbox.fails(&FLAGS.replace(there, "."), 3, &["`.` cannot be read"]);
    }
}

/// A folder of the public vectors; without it, says that the test proves nothing.
fn vectors(name: &str) -> Option<PathBuf> {
    let folder: Option<PathBuf> = std::env::var_os("MODEL_SIGNING_VECTORS")
        .map(|vectors| Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(vectors).join("slsa").join(name))
        .filter(|folder| folder.is_dir());
    #[cfg(unix)]
    if folder.is_none() {
        super::support::skipped(&format!("no `slsa/{name}` in MODEL_SIGNING_VECTORS"));
    }
    folder
}

#[test]
fn the_public_summary_is_verified() {
    let Some(folder) = vectors("vsa") else { return };
    let sandbox = Sandbox::empty();
    for (from, to) in [("gke-gce-pre.bcid-vsa.jsonl", "vsa.jsonl"), ("vsa_signing_public_key.pem", "key.pem")] {
        sandbox.write(to, std::fs::read(folder.join(from)).expect("readable"));
    }
    let words = "vsa verify --subject-digest gce_image_id:8970095005306000053 --attestation-path vsa.jsonl \
                 --verifier-id https://bcid.corp.google.com/verifier/bcid_package_enforcer/v0.1 \
                 --resource-uri gce_image://gke-node-images:gke-12615-gke1418000-cos-101-17162-463-29-c-cgpv1-pre \
                 --verified-level BCID_L1 --verified-level SLSA_BUILD_LEVEL_2 --public-key-path key.pem \
                 --public-key-id keystore://76574:prod:vsa_signing_public_key --public-key-signing-hash-algo sha256";
    assert!(sandbox.ok(words).stdout.contains("BCID_L1, SLSA_BUILD_LEVEL_2"));
    sandbox.fails(&words.replace("LEVEL_2", "LEVEL_3"), 1, &["expected `SLSA_BUILD_LEVEL_3`"]);
}
