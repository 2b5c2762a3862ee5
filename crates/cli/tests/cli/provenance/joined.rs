//! `verify METHOD MODEL --provenance-path FILE`: the signature and the provenance, of the same model.

use std::fs;
use std::sync::Arc;

use fake_sigstore::{Claims, Instance, Service, SigningConfig};
use serde_json::{Value, json};

use super::super::certificates;
use super::super::support::Sandbox;
use super::super::tsa::Validity;
use super::signing::{V1, bundle_of, envelope, statement, subject, write};

const VERIFY: &str = "verify key model --public-key key.pub.pem";
const PROVENANCE: &str = "--provenance-path made.json --provenance-key key.pub.pem";
const SOURCE: &str = "https://git.example.com/team/app";

fn made(subjects: &Value) -> Value {
    let predicate = json!({
        "buildDefinition": {
            "buildType": "https://b.example/type",
            "externalParameters": {},
            "resolvedDependencies": [{ "uri": format!("git+{SOURCE}"), "digest": { "gitCommit": "01".repeat(20) } }],
        },
        "runDetails": { "builder": { "id": "https://b.example" } },
    });
    statement(subjects, V1, &predicate)
}

fn root(sandbox: &Sandbox, flags: &str) -> String {
    let (_, document) = sandbox.json(&format!("digest model {flags}"));
    document["result"]["root_digest"]["sha256"].as_str().expect("a digest").to_owned()
}

fn directory(digest: &str) -> Value {
    json!([{ "name": "model", "digest": { "sha256": digest } }])
}

fn files() -> Value {
    json!([subject("config.json", "{}\n"), subject("sub/weights.bin", "weights\n")])
}

/// A model that was signed, and `made.json` about these subjects.
fn sandbox(subjects: &Value) -> Sandbox {
    let sandbox = Sandbox::signed();
    write(&sandbox, "made.json", &made(subjects));
    sandbox
}

#[track_caller]
fn refused(sandbox: &Sandbox, words: &str, kind: &str) -> String {
    let (code, document) = sandbox.json(words);
    assert_eq!((code, &document["error"]["kind"]), (1, &kind.into()), "{words}: {document}");
    document["error"]["message"].as_str().expect("a message").to_owned()
}

#[test]
fn both_hold() {
    let sandbox = Sandbox::signed();
    for subjects in [directory(&root(&sandbox, "")), files()] {
        write(&sandbox, "made.json", &made(&subjects));
        let words = format!("{VERIFY} {PROVENANCE} --source-uri {SOURCE}");
        let run = sandbox.ok(&words);
        for says in ["Verification succeeded", "https://b.example", "provenance"] {
            assert!(run.stdout.contains(says), "{says}: {}", run.stdout);
        }
        let (code, document) = sandbox.json(&words);
        assert_eq!((code, &document["outcome"]), (0, &"verified".into()));
        assert_eq!(document["result"]["provenance"]["builder_id"], "https://b.example", "{document}");
    }
    write(&sandbox, "made.json", &made(&directory(&root(&sandbox, ""))));
    let run = sandbox.ok(&format!("{VERIFY} {PROVENANCE}"));
    insta::assert_snapshot!("joined", sandbox.scrub(&run));
}

#[test]
fn provenance_of_another_model_is_refused_and_says_that_the_signature_holds() {
    let sandbox = sandbox(&directory(&"0".repeat(64)));
    let words = format!("{VERIFY} {PROVENANCE}");
    let said = refused(&sandbox, &words, "wrong_subject");
    assert!(said.contains("the model is as signed, and its provenance is not as expected"), "{said}");
    sandbox.fails(&words, 1, &["the model is as signed, and its provenance is not as expected"]);
    write(&sandbox, "made.json", &made(&json!([subject("config.json", "{}\n")])));
    refused(&sandbox, &words, "files_not_covered");
    sandbox.ok(&format!("{words} --allow-partial"));
}

#[test]
fn each_has_to_hold() {
    let sandbox = sandbox(&files());
    let words = format!("{VERIFY} {PROVENANCE}");
    sandbox.ok("keygen --private-key other.pem");
    refused(&sandbox, &words.replace("--public-key key", "--public-key other"), "wrong_key");
    refused(&sandbox, &words.replace("--provenance-key key", "--provenance-key other"), "invalid_signature");
    refused(&sandbox, &format!("{words} --source-uri https://git.example.com/team/other"), "wrong_source");
    refused(&sandbox, &format!("{words} --builder-id https://b.example/other"), "wrong_builder");
    refused(&sandbox, &format!("{words} --min-level 1"), "level_too_low");
    sandbox.write("model/config.json", "[]\n");
    refused(&sandbox, &words, "mismatch");
    sandbox.write("model/config.json", "{}\n");
    sandbox.write("model/extra", "x");
    refused(&sandbox, &words, "mismatch");
    // What nobody signed is not asked for provenance either.
    sandbox.ok(&format!("{words} --ignore-unsigned-files"));
}

#[test]
fn a_model_that_is_hashed_otherwise_is_found_too() {
    let sandbox = Sandbox::with_model();
    for hashing in ["--hash blake3", "--shard-size 4", "--hash blake2b --shard-size 4"] {
        sandbox.ok(&format!("sign key model --private-key key.pem {hashing}"));
        for subjects in [files(), directory(&root(&sandbox, hashing)), directory(&root(&sandbox, ""))] {
            write(&sandbox, "made.json", &made(&subjects));
            let (code, document) = sandbox.json(&format!("{VERIFY} {PROVENANCE}"));
            assert_eq!(code, 0, "{hashing} {subjects}: {document}");
        }
        write(&sandbox, "made.json", &made(&directory(&"0".repeat(64))));
        refused(&sandbox, &format!("{VERIFY} {PROVENANCE}"), "wrong_subject");
    }
}

#[test]
fn provenance_is_of_what_was_signed_however_it_was_hashed() {
    let sandbox = Sandbox::with_model();
    sandbox.write("model/log", "log");
    for hashing in ["", "--hash blake3", "--shard-size 4"] {
        sandbox.ok(&format!("sign key model --private-key key.pem --ignore-paths model/log {hashing}"));
        write(&sandbox, "made.json", &made(&files()));
        let words = format!("{VERIFY} {PROVENANCE}");
        sandbox.ok(&words);
        // What was signed counts below an ignored path too.
        sandbox.ok(&format!("{words} --ignore-paths model/sub"));
        write(&sandbox, "made.json", &made(&json!([subject("config.json", "{}\n")])));
        let said = refused(&sandbox, &format!("{words} --ignore-paths model/sub"), "files_not_covered");
        assert!(said.contains("found 1 of 2; not `sub/weights.bin`"), "{hashing}: {said}");
        // What was not signed does not.
        write(&sandbox, "made.json", &made(&files()));
        sandbox.write("model/e[x]tra", "x");
        sandbox.ok(&format!("{words} --ignore-unsigned-files"));
        refused(&sandbox, &words, "mismatch");
        fs::remove_file(sandbox.path("model/e[x]tra")).expect("removed");
    }
}

#[test]
fn every_digest_of_the_directory_has_to_be_the_same() {
    let sandbox = Sandbox::signed();
    let wrong = json!({ "name": "model", "digest": { "sha256": root(&sandbox, ""), "dirHash": "0".repeat(64) } });
    let other = json!({ "name": "else", "digest": { "sha512": "0".repeat(128) } });
    for subjects in [json!([wrong]), json!([wrong, other])] {
        write(&sandbox, "made.json", &made(&subjects));
        refused(&sandbox, &format!("{VERIFY} {PROVENANCE}"), "wrong_subject");
        let (code, _) = sandbox
            .json("provenance verify model --provenance-path made.json --key key.pub.pem --ignore-paths model.sig");
        assert_eq!(code, 1);
    }
}

#[test]
fn a_single_file_is_its_digest() {
    let sandbox = Sandbox::with_model();
    sandbox.ok("sign key model/config.json --private-key key.pem --signature one.sig");
    write(&sandbox, "made.json", &made(&files()));
    let words = format!("{} --signature one.sig {PROVENANCE}", VERIFY.replace("model ", "model/config.json "));
    sandbox.ok(&words);
    write(&sandbox, "made.json", &made(&json!([subject("sub/weights.bin", "weights\n")])));
    refused(&sandbox, &words, "wrong_subject");
}

#[test]
fn provenance_in_the_model_is_unsigned_unless_it_is_left_out() {
    let sandbox = sandbox(&files());
    fs::rename(sandbox.path("made.json"), sandbox.path("model/made.json")).expect("moved");
    let words = format!("{VERIFY} {PROVENANCE}").replace("made.json", "model/made.json");
    refused(&sandbox, &words, "mismatch");
    sandbox.ok(&format!("{words} --ignore-paths model/made.json"));
}

#[test]
fn a_certificate_may_have_signed_both() {
    const TEST: &str = "a_certificate_may_have_signed_both";
    let Some(sandbox) = certificates::sandbox(TEST, Validity::days(-1, 30)) else { return };
    sandbox.ok("sign certificate model --private-key pki/signer.key --signing-certificate pki/signer.pem \
         --certificate-chain pki/chain.pem");
    let mut envelope = envelope(&sandbox, "pki/signer.key", &made(&files()));
    let chain = [sandbox.read("pki/signer.pem"), sandbox.read("pki/chain.pem")].concat();
    envelope["signatures"][0]["cert"] = String::from_utf8(chain).expect("PEM").into();
    sandbox.write("made.json", envelope.to_string());
    let words = "verify certificate model --certificate-chain pki/root.pem --provenance-path made.json \
                 --provenance-certificate-chain pki/root.pem";
    let run = sandbox.ok(&format!("{words} --provenance-identity CN=signer"));
    assert_eq!(run.stdout.matches("certificate  sha256 ").count(), 2, "{}", run.stdout);
    refused(&sandbox, &format!("{words} --provenance-identity CN=root"), "wrong_identity");
    let other = words.replace("provenance-certificate-chain pki/root", "provenance-certificate-chain pki/other");
    refused(&sandbox, &other, "untrusted_certificate");
    // One certificate does not speak for the other signature.
    refused(&sandbox, &words.replacen("pki/root", "pki/other", 1), "untrusted_certificate");
}

#[test]
fn a_model_that_an_identity_signed_has_provenance_by_a_key() {
    let sandbox = Sandbox::with_model();
    let sigstore = Instance::start();
    sandbox.write("trust.json", sigstore.trust_config_json(&SigningConfig::default()));
    sandbox.write("token", sigstore.token(&Claims::email("signer@example.com")));
    sandbox.ok("sign model --trust-config trust.json --identity-token-file token");
    write(&sandbox, "made.json", &made(&files()));
    let provider = sigstore.url(Service::Oidc);
    let words = format!(
        "verify model --trust-config trust.json --identity signer@example.com --identity-provider {provider} {PROVENANCE}"
    );
    sandbox.ok(&words);
    refused(&sandbox, &words.replace("signer@", "other@"), "wrong_identity");
    refused(&sandbox, &format!("{words} --builder-id https://b.example/other"), "wrong_builder");
}

#[test]
fn an_identity_may_have_signed_the_provenance() {
    let sandbox = Sandbox::signed();
    let sigstore = Arc::new(Instance::start());
    let (name, provider) = ("builder@example.com", "https://oidc.example.com");
    let claims = Claims::email(name).with("iss", provider);
    sandbox.write("trust.json", sigstore.trust_config_json(&SigningConfig::default()));
    sandbox.write("made.json", bundle_of(&sigstore, claims, &made(&files())));
    let words = format!(
        "{VERIFY} --provenance-path made.json --trust-config trust.json --provenance-identity {name} --provenance-identity-provider {provider}"
    );
    sandbox.ok(&words);
    refused(&sandbox, &words.replace("builder@", "other@"), "wrong_identity");
    refused(&sandbox, &words.replace("oidc.", "sso."), "wrong_identity_provider");
    refused(&sandbox, &words.replace("--trust-config trust.json", ""), "other_instance");
}

#[test]
fn flags_about_provenance_need_provenance() {
    let sandbox = sandbox(&files());
    for flag in [
        "--source-uri a",
        "--repo a/b",
        "--owner a",
        "--source-branch a",
        "--source-tag a",
        "--source-versioned-tag v1",
        "--source-ref a",
        "--source-digest a",
        "--builder-id a",
        "--min-level 1",
        "--builder-map a",
        "--predicate-type a",
        "--allow-partial",
        "--deny-self-hosted-runners",
        "--build-workflow-input a=b",
        "--signer-workflow a",
        "--signer-repo a/b",
        "--signer-digest a",
        "--expect-dataset a",
        "--expect-base-model a",
        "--expect-param a=b",
        "--allow-param a",
        "--provenance-key key.pub.pem",
        "--provenance-certificate-chain a",
        "--provenance-identity a",
        "--provenance-identity-provider https://a.example",
    ] {
        let name = flag.split(' ').next().expect("a flag");
        sandbox.fails(&format!("{VERIFY} {flag}"), 2, &[name, "--provenance-path"]);
    }
    sandbox.fails(&format!("{VERIFY} --provenance-path made.json"), 2, &["needs an expectation"]);
    sandbox.fails(&format!("{VERIFY} {PROVENANCE} --provenance-identity a"), 2, &["cannot be used with"]);
    sandbox.fails(&format!("{VERIFY} --provenance-path no-such --provenance-key key.pub.pem"), 3, &["`no-such`"]);
}
