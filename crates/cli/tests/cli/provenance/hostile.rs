//! What somebody leaves lying about: files under other names, in other folders, and what is no file.

use serde_json::{Value, json};

use super::super::certificates;
use super::super::support::Sandbox;
use super::super::tsa::Validity;
use super::signing::{V1, envelope, sha256, statement, subject, write};

const TRUST: &str = "--provenance-path made.json --key key.pub.pem";

fn made(subjects: &Value, dependencies: &Value) -> Value {
    let predicate = json!({
        "buildDefinition": {
            "buildType": "https://b.example/type",
            "externalParameters": {},
            "resolvedDependencies": dependencies,
        },
        "runDetails": { "builder": { "id": "https://b.example" } },
    });
    statement(subjects, V1, &predicate)
}

#[test]
#[cfg(unix)]
fn a_file_that_is_called_like_a_digest_is_not_what_is_verified() {
    let sandbox = Sandbox::with_model();
    write(&sandbox, "made.json", &made(&json!([subject("good", "good")]), &json!([])));
    for name in [format!("sha256:{}", "f".repeat(64)), format!("example.com/image@sha256:{}", "f".repeat(64))] {
        sandbox.write(&name, "good");
        let (code, document) = sandbox.json(&format!("provenance verify {name} {TRUST}"));
        assert_eq!((code, &document["error"]["kind"]), (1, &"wrong_subject".into()), "{document}");
        sandbox.ok(&format!("provenance verify ./{name} {TRUST}"));
        // Beside a signature it is the file that was signed.
        sandbox.ok(&format!("sign key {name} --private-key key.pem --signature file.sig"));
        let joined = format!("verify key {name} --signature file.sig --public-key key.pub.pem --provenance-path");
        sandbox.ok(&format!("{joined} made.json --provenance-key key.pub.pem"));
        let digest = json!([{ "name": "other", "digest": { "sha256": "f".repeat(64) } }]);
        write(&sandbox, "other.json", &made(&digest, &json!([])));
        sandbox.fails(&format!("{joined} other.json --provenance-key key.pub.pem"), 1, &["not of this artifact"]);
    }
}

#[test]
#[cfg(unix)]
fn what_is_no_file_is_not_waited_for() {
    let sandbox = Sandbox::with_model();
    write(&sandbox, "made.json", &made(&json!([subject("good", "good")]), &json!([])));
    let fifo = std::process::Command::new("mkfifo").arg(sandbox.path("fifo")).status().expect("mkfifo");
    assert!(fifo.success());
    for (path, kind) in [("fifo", "FIFO"), ("/dev/zero", "device")] {
        sandbox.fails(&format!("provenance verify {path} {TRUST}"), 1, &[path, kind]);
    }
}

#[test]
fn files_of_two_folders_are_not_one_model() {
    let sandbox = Sandbox::with_model();
    let subjects = json!([
        subject("new/config.json", "{}\n"),
        subject("new/sub/weights.bin", "newer\n"),
        subject("old/config.json", "{ }\n"),
        subject("old/sub/weights.bin", "weights\n"),
    ]);
    write(&sandbox, "made.json", &made(&subjects, &json!([])));
    let (code, document) = sandbox.json(&format!("provenance verify model {TRUST}"));
    assert_eq!(code, 0, "{document}");
    assert_eq!(
        document["result"]["artifacts"][0]["files"]["other_name"].as_array().map(Vec::len),
        Some(1),
        "{document}"
    );
}

#[test]
fn a_directory_hash_that_is_wrong_is_refused_beside_a_signature_of_shards() {
    let sandbox = Sandbox::with_model();
    sandbox.ok("sign key model --private-key key.pem --shard-size 4");
    let verify = "verify key model --public-key key.pub.pem --provenance-path made.json --provenance-key key.pub.pem";
    let (_, document) = sandbox.json("digest model --shard-size 4");
    let root = document["result"]["root_digest"]["sha256"].clone();
    let listing = format!("{}  config.json\n{}  sub/weights.bin\n", sha256("{}\n"), sha256("weights\n"));
    for (dir_hash, code) in [(sha256(&listing), 0), (sha256("other"), 1)] {
        let subjects = json!([{ "name": "model", "digest": { "sha256": root, "dirHash": dir_hash } }]);
        write(&sandbox, "made.json", &made(&subjects, &json!([])));
        let (found, document) = sandbox.json(verify);
        assert_eq!(found, code, "{document}");
        if code == 0 {
            assert_eq!(document["result"]["provenance"]["subject"]["binds_names"], true, "{document}");
        }
    }
}

#[test]
fn a_million_sources_do_not_hide_the_verdict() {
    let sandbox = Sandbox::with_model();
    let dependencies: Vec<Value> =
        (0..2_000).map(|index| json!({ "uri": format!("git+https://git.example/{index}") })).collect();
    write(&sandbox, "made.json", &made(&json!([subject("config.json", "{}\n")]), &dependencies.into()));
    let shown = sandbox.ok(&format!("provenance verify model/config.json {TRUST}")).stdout;
    assert!(shown.lines().count() < 60 && shown.contains("1989 more"), "{shown}");
}

#[test]
fn a_summary_does_not_overwrite_a_file_of_the_model() {
    let sandbox = Sandbox::with_model();
    let subjects = json!([subject("config.json", "{}\n"), subject("sub/weights.bin", "weights\n")]);
    write(&sandbox, "made.json", &made(&subjects, &json!([])));
    let create = "vsa create model --provenance-path made.json --provenance-key key.pub.pem --sign key \
         --private-key key.pem --verifier-id https://v.example --resource-uri pkg:model/a --policy-uri https://p.example";
    sandbox.fails(&format!("{create} --output model/config.json"), 2, &["would overwrite a file of the model"]);
    assert_eq!(sandbox.read("model/config.json"), b"{}\n");
    sandbox.ok(&format!("{create} --output vsa.json"));
}

/// Files with certificates, and an envelope of the signer among them.
fn certified(test: &str) -> Option<(Sandbox, Value)> {
    let sandbox = certificates::sandbox(test, Validity::days(-1, 30))?;
    let made = made(&json!([subject("config.json", "{}\n")]), &json!([]));
    let mut envelope = envelope(&sandbox, "pki/signer.key", &made);
    let chain = [sandbox.read("pki/signer.pem"), sandbox.read("pki/chain.pem")].concat();
    envelope["signatures"][0]["cert"] = String::from_utf8(chain).expect("PEM").into();
    Some((sandbox, envelope))
}

const CERTIFIED: &str =
    "provenance verify model/config.json --provenance-path made.json --certificate-chain pki/root.pem";

#[test]
fn a_certificate_that_is_given_is_the_one_that_a_bundle_has_to_bring() {
    const TEST: &str = "a_certificate_that_is_given_is_the_one_that_a_bundle_has_to_bring";
    let Some((sandbox, mut envelope)) = certified(TEST) else { return };
    sandbox.ok("sign certificate model --private-key pki/signer.key --signing-certificate pki/signer.pem \
         --certificate-chain pki/chain.pem");
    envelope["signatures"][0].as_object_mut().expect("a signature").remove("cert");
    let mut bundle: Value = serde_json::from_slice(&sandbox.read("model.sig")).expect("JSON");
    bundle["dsseEnvelope"] = envelope;
    sandbox.write("made.json", bundle.to_string());
    sandbox.ok(CERTIFIED);
    sandbox.ok(&format!("{CERTIFIED} --certificate pki/signer.pem"));
    sandbox.fails(&format!("{CERTIFIED} --certificate pki/other-signer.pem"), 1, &["expected a certificate of"]);
}

#[test]
fn a_signature_that_somebody_added_hides_no_other() {
    const TEST: &str = "a_signature_that_somebody_added_hides_no_other";
    let Some((sandbox, mut envelope)) = certified(TEST) else { return };
    let mut added = envelope["signatures"][0].clone();
    added["cert"] = String::from_utf8(sandbox.read("pki/other-signer.pem")).expect("PEM").into();
    let signatures = envelope["signatures"].as_array_mut().expect("signatures");
    signatures.insert(0, added);
    sandbox.write("made.json", envelope.to_string());
    sandbox.ok(CERTIFIED);
    envelope["signatures"].as_array_mut().expect("signatures").pop();
    sandbox.write("made.json", envelope.to_string());
    sandbox.fails(CERTIFIED, 1, &[]);
}
