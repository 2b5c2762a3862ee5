//! `vsa create` with every method, then `vsa verify`: what was written holds for what it says alone.

use fake_sigstore::{Claims, Instance, Logs, Service, SigningConfig};
use serde_json::{Value, json};

use super::super::certificates;
use super::super::support::{Sandbox, run};
use super::super::tsa::{Options, TimestampAuthority, Validity};
use super::vectors;

const PROVENANCE: &str = "tagged --provenance-path tagged.jsonl --source-uri github.com/slsa-framework/example-package";
const SAID: &str = "--verifier-id https://v.example --resource-uri pkg:model/a";
const POLICY: &str = "--policy-uri https://v.example/policy";
const DIGEST: &str = "sha256:376e7e01348585b6e6643bc6663146b9d525d9b41228bf180eaeb4d4a3706caa";
const SIGNER: &str = "verifier@example.com";
const KEY: &str = "--sign key --private-key key.pem";
const CERTIFICATE: &str = "--sign certificate --private-key pki/signer.key --signing-certificate pki/signer.pem --certificate-chain pki/chain.pem";

/// The folder with public provenance.
fn with_provenance(sandbox: Sandbox) -> Option<Sandbox> {
    add_provenance(&sandbox).then_some(sandbox)
}

/// Puts public provenance into the folder, if it is here.
pub(crate) fn add_provenance(sandbox: &Sandbox) -> bool {
    let Some(folder) = vectors("github-generic-v2.1.0") else { return false };
    for (from, to) in [("push-v14.2", "tagged"), ("workflow_dispatch", "started")] {
        for end in ["", ".intoto.jsonl"] {
            let content = std::fs::read(folder.join(format!("binary-linux-amd64-{from}{end}"))).expect("readable");
            sandbox.write(&format!("{to}{}", end.trim_start_matches(".intoto")), content);
        }
    }
    true
}

pub(crate) fn create(signing: &str) -> String {
    format!("vsa create {PROVENANCE} {SAID} {POLICY} --output vsa.json {signing}")
}

pub(crate) fn verify(trust: &str) -> String {
    format!(
        "vsa verify --subject-digest {DIGEST} --attestation-path vsa.json {SAID} --verified-level SLSA_BUILD_LEVEL_3 {trust}"
    )
}

/// What is refused of a summary that was created, whoever signed it.
fn is_verified_for_what_it_says_alone(sandbox: &Sandbox, trust: &str) {
    let words = verify(trust);
    sandbox.ok(&words);
    for (from, to, kind) in [
        (DIGEST, "sha256:00", "wrong_subject"),
        ("https://v.example", "https://w.example", "wrong_verifier"),
        ("pkg:model/a", "pkg:model/b", "wrong_resource"),
        ("LEVEL_3", "LEVEL_4", "wrong_level"),
    ] {
        assert_eq!(refused(sandbox, &words.replace(from, to)), kind, "{to}");
    }
    let summary = sandbox.read("vsa.json");
    let mut bundle: Value = serde_json::from_slice(&summary).expect("JSON");
    let envelope = if bundle["dsseEnvelope"].is_object() {
        &mut bundle["dsseEnvelope"]["payload"]
    } else {
        &mut bundle["payload"]
    };
    let payload = envelope.as_str().expect("Base64");
    // One bit of the verifier's name, or of something beside it.
    let middle = payload.len() / 2;
    let altered = if payload.as_bytes()[middle] == b'A' { "B" } else { "A" };
    *envelope = format!("{}{altered}{}", &payload[..middle], &payload[middle + 1..]).into();
    sandbox.write("vsa.json", bundle.to_string());
    let kind = refused(sandbox, &words);
    assert!(["invalid_signature", "invalid_log_entry", "invalid_bundle"].contains(&kind.as_str()), "{kind}");
    sandbox.write("vsa.json", summary);
}

fn refused(sandbox: &Sandbox, words: &str) -> String {
    let (code, document) = sandbox.json(words);
    assert_eq!(code, 1, "{words}: {document}");
    document["error"]["kind"].as_str().expect("a kind").to_owned()
}

#[test]
fn a_key_signs_what_was_verified() {
    let Some(sandbox) = with_provenance(Sandbox::with_model()) else { return };
    let run = sandbox.ok(&create(KEY));
    for says in
        ["the summary signed", "vsa.json, a Sigstore bundle", DIGEST, "levels       SLSA_BUILD_LEVEL_3", "pkg:model/a"]
    {
        assert!(run.stdout.contains(says), "{says}: {}", run.stdout);
    }
    let mut statement = sandbox.statement("vsa.json");
    let time = statement["predicate"]["timeVerified"].take();
    assert!(time.as_str().is_some_and(|time| time.len() == 20 && time.ends_with('Z')), "{time}");
    let (algorithm, hex) = DIGEST.split_once(':').expect("both");
    let provenance = "54ba90d4e90e4d36909b0b670687caf0eeb9f3e3ceee574f51c049934bc05550";
    assert_eq!(
        statement,
        json!({
            "_type": "https://in-toto.io/Statement/v1",
            "subject": [{ "name": "tagged", "digest": { algorithm: hex } }],
            "predicateType": "https://slsa.dev/verification_summary/v1",
            "predicate": {
                "verifier": { "id": "https://v.example", "version": { "model-signing": env!("CARGO_PKG_VERSION") } },
                "timeVerified": null,
                "resourceUri": "pkg:model/a",
                "policy": { "uri": "https://v.example/policy" },
                "inputAttestations": [{ "digest": { "sha256": provenance } }],
                "verificationResult": "PASSED",
                "verifiedLevels": ["SLSA_BUILD_LEVEL_3"],
                "slsaVersion": "1.2",
            },
        })
    );
    is_verified_for_what_it_says_alone(&sandbox, "--public-key-path key.pub.pem");
    sandbox.ok("keygen --private-key other.pem");
    assert_eq!(refused(&sandbox, &verify("--public-key-path other.pub.pem")), "invalid_signature");
    assert_eq!(refused(&sandbox, &verify("--identity a --identity-provider https://b.example")), "invalid_bundle");

    let more = format!("{KEY} --policy-digest sha1:00 --provenance-uri https://v.example/tagged.jsonl");
    let (code, document) = sandbox.json(&create(&more));
    assert_eq!((code, &document["result"]["method"]), (0, &"key".into()));
    assert_eq!(document["result"]["verified_levels"], json!(["SLSA_BUILD_LEVEL_3"]));
    let predicate = &sandbox.statement("vsa.json")["predicate"];
    assert_eq!(predicate["policy"]["digest"], json!({ "sha1": "00" }));
    assert_eq!(predicate["inputAttestations"][0]["uri"], "https://v.example/tagged.jsonl");
}

#[test]
fn an_envelope_alone_is_written_when_asked_for() {
    let Some(sandbox) = with_provenance(Sandbox::with_model()) else { return };
    let run = sandbox.ok(&create(&format!("{KEY} --envelope")));
    assert!(run.stdout.contains("vsa.json, a DSSE envelope"), "{}", run.stdout);
    let envelope: Value = serde_json::from_slice(&sandbox.read("vsa.json")).expect("JSON");
    let members: Vec<&String> = envelope.as_object().expect("an object").keys().collect();
    assert_eq!(members, ["payload", "payloadType", "signatures"]);
    is_verified_for_what_it_says_alone(&sandbox, "--public-key-path key.pub.pem");
    for trust in ["--certificate-identity a", "--identity a --identity-provider https://b.example"] {
        assert_eq!(refused(&sandbox, &verify(trust)), "wrong_method");
    }
    let tsa = "--tsa-url http://127.0.0.1:1";
    for (more, says) in [(tsa, "--tsa-url"), ("--rekor-url http://127.0.0.1:1", "--rekor-url")] {
        sandbox.fails(&create(&format!("{KEY} --envelope {more}")), 2, &[says]);
    }
    sandbox.fails(&create("--sign sigstore --envelope"), 2, &["no place for a certificate"]);
}

#[test]
fn a_certificate_signs_and_its_authority_verifies() {
    const TEST: &str = "a_certificate_signs_and_its_authority_verifies";
    let Some(sandbox) = certificates::sandbox(TEST, Validity::days(-1, 30)).and_then(with_provenance) else { return };
    let run = sandbox.ok(&create(CERTIFICATE));
    assert!(run.stdout.contains("certificate  "), "{}", run.stdout);
    is_verified_for_what_it_says_alone(&sandbox, "--certificate-chain pki/root.pem");
    let run = sandbox.ok(&verify("--certificate-chain pki/root.pem"));
    for says in ["ECDSA P-384 key", "trusted", "--certificate-identity", "--crl"] {
        assert!(run.stdout.contains(says), "{says}: {}", run.stdout);
    }
    let (_, document) = sandbox.json(&verify("--certificate-chain pki/root.pem"));
    assert_eq!(document["result"]["method"], "certificate");
    assert!(document["result"]["signer"]["certificate"].is_object(), "{document}");

    let other = refused(&sandbox, &verify("--certificate-chain pki/other.pem"));
    assert_eq!(other, "untrusted_certificate");
    let named = refused(&sandbox, &verify("--certificate-chain pki/root.pem --certificate-identity nobody"));
    assert_eq!(named, "wrong_identity");
    let undated = refused(
        &sandbox,
        &verify("--certificate-chain pki/root.pem --require-timestamp --tsa-certificate-chain pki/root.pem"),
    );
    assert_eq!(undated, "no_timestamp");
    sandbox.ok(&create(KEY));
    assert_eq!(refused(&sandbox, &verify("--certificate-chain pki/root.pem")), "wrong_method");
    let other = CERTIFICATE.replace("pki/signer.pem", "pki/other-signer.pem");
    assert_eq!(refused(&sandbox, &create(&other)), "wrong_key");
}

#[test]
fn a_timestamp_is_written_and_checked() {
    const TEST: &str = "a_timestamp_is_written_and_checked";
    let Some(sandbox) = certificates::sandbox(TEST, Validity::days(-1, 30)).and_then(with_provenance) else { return };
    let authority = TimestampAuthority::start(Options::default());
    sandbox.write("tsa.pem", authority.root_pem());
    let stamped = format!("{CERTIFICATE} --tsa-url {} --tsa-certificate-chain tsa.pem", authority.url());
    assert!(sandbox.ok(&create(&stamped)).stdout.contains("timestamp"));
    let trust = "--certificate-chain pki/root.pem --require-timestamp --tsa-certificate-chain tsa.pem";
    assert!(sandbox.ok(&verify(trust)).stdout.contains("timestamp"));
    let unchecked = sandbox.ok(&verify("--certificate-chain pki/root.pem")).stdout;
    assert!(unchecked.contains("the bundle's 1 timestamp"), "{unchecked}");
}

/// An instance of its own that vouches for the public provenance too.
fn with_instance(sandbox: &Sandbox, config: &SigningConfig) -> Instance {
    let sigstore = Instance::start();
    let parse = |text: &str| -> Value { serde_json::from_str(text).expect("JSON") };
    let mut trust = parse(&sigstore.trust_config_json(config));
    let mut public = parse(model_transparency::sigstore::Instance::Production.trusted_root_json());
    for list in ["certificateAuthorities", "tlogs", "ctlogs", "timestampAuthorities"] {
        let more = public[list].as_array_mut().map(std::mem::take).unwrap_or_default();
        trust["trustedRoot"][list].as_array_mut().expect("a list").extend(more);
    }
    sandbox.write("trust.json", trust.to_string());
    sandbox.write("token", sigstore.token(&Claims::email(SIGNER)));
    sigstore
}

#[test]
fn an_identity_signs_and_is_verified() {
    let Some(sandbox) = with_provenance(Sandbox::with_model()) else { return };
    for logs in [Logs::V1, Logs::V2] {
        let sigstore = with_instance(&sandbox, &SigningConfig::of(logs));
        let run = sandbox.ok(&create("--sign sigstore --trust-config trust.json --identity-token-file token"));
        assert!(run.stdout.contains(SIGNER) && run.stdout.contains("log entry"), "{}", run.stdout);
        let trust = format!(
            "--trust-config trust.json --identity {SIGNER} --identity-provider {}",
            sigstore.url(Service::Oidc)
        );
        is_verified_for_what_it_says_alone(&sandbox, &trust);
        let run = sandbox.ok(&verify(&trust));
        assert!(run.stdout.contains(&format!("{SIGNER}, as asked for")), "{}", run.stdout);
        let (_, document) = sandbox.json(&verify(&trust));
        assert_eq!(document["result"]["signer"]["sigstore"]["identity"], SIGNER);
        sandbox.ok(&verify(&trust.replace("--identity verifier", "--identity-regexp .*")));

        assert_eq!(refused(&sandbox, &verify(&trust.replace(SIGNER, "other@example.com"))), "wrong_identity");
        let provider = trust.replace(sigstore.url(Service::Oidc), "https://b.example");
        assert_eq!(refused(&sandbox, &verify(&provider)), "wrong_identity_provider");
        let public = trust.replace("--trust-config trust.json", "");
        assert_eq!(refused(&sandbox, &verify(&public)), "other_instance");
        // Another key's bundle says nothing of an identity, nor this one of a key.
        assert_eq!(refused(&sandbox, &verify("--public-key-path key.pub.pem")), "invalid_signature");
    }
}

#[test]
fn nothing_is_published_unless_that_is_asked_for() {
    let Some(sandbox) = with_provenance(Sandbox::with_model()) else { return };
    let sigstore = with_instance(&sandbox, &SigningConfig::of(Logs::V2));
    let asked = || Service::ALL.map(|service| sigstore.requests(service));
    sandbox.ok(&create(&format!("{KEY} --trust-config trust.json")));
    assert_eq!(asked(), [0; 5]);
    let log = sigstore.url(Service::RekorV2);
    let run = sandbox.ok(&create(&format!("{KEY} --trust-config trust.json --rekor-url {log}")));
    assert!(run.stdout.contains(&format!("in {log}")), "{}", run.stdout);
    assert_eq!(asked(), [0, 0, 0, 1, 0]);
    sandbox.ok(&verify("--public-key-path key.pub.pem"));
}

#[test]
fn what_does_not_pass_is_not_attested() {
    let Some(sandbox) = with_provenance(Sandbox::with_model()) else { return };
    let sigstore = with_instance(&sandbox, &SigningConfig::default());
    let by_sigstore = "--sign sigstore --trust-config trust.json --identity-token-file token";
    let mut changed = sandbox.read("tagged");
    *changed.last_mut().expect("it is not empty") ^= 1;
    sandbox.write("changed", changed);
    for signing in [KEY, by_sigstore] {
        for (from, to, says) in [
            ("example-package", "example", "expected"),
            ("--sign", "--source-tag v1 --sign", "expected"),
            ("create tagged", "create changed", "`changed`"),
            ("create tagged", "create tagged changed", "`changed`"),
        ] {
            sandbox.fails(&create(signing).replace(from, to), 1, &[says]);
        }
    }
    assert_eq!(Service::ALL.map(|service| sigstore.requests(service)), [0; 5]);
    sandbox.write("vsa.json", "as it was");
    sandbox.fails(&create(KEY).replace("example-package", "example"), 1, &[]);
    assert_eq!(sandbox.read("vsa.json"), b"as it was");
}

#[test]
fn what_cannot_be_signed_with_is_refused() {
    let Some(sandbox) = with_provenance(Sandbox::with_model()) else { return };
    sandbox.fails(&create("--sign key --private-key no-such"), 3, &["`no-such` cannot be read"]);
    sandbox.fails(&create("--sign key --private-key tagged"), 1, &["the private key `tagged`"]);
    sandbox.ok("keygen --private-key locked.pem --password secret");
    let locked = "--sign key --private-key locked.pem";
    sandbox.fails(&create(locked), 3, &["--password-file"]);
    sandbox.write("password", "secret\n");
    sandbox.ok(&create(&format!("{locked} --password-file password")));
    sandbox.fails(&create("--sign sigstore"), 3, &["nobody says who signs"]);
}

#[test]
fn the_summary_does_not_replace_what_it_is_made_of() {
    let Some(sandbox) = with_provenance(Sandbox::with_model()) else { return };
    for (output, says) in [
        ("tagged", "the artifact"),
        ("./tagged.jsonl", "the provenance"),
        ("key.pem", "the private key"),
        ("model", ""),
    ] {
        let code = if output == "model" { 3 } else { 2 };
        sandbox.fails(&create(KEY).replace("vsa.json", output), code, &[says]);
    }
    sandbox.fails(&create(KEY).replace("vsa.json", "no-such/vsa.json"), 3, &["no-such"]);
}

#[test]
fn flags_that_do_not_fit_are_wrong_usage() {
    let Some(sandbox) = with_provenance(Sandbox::with_model()) else { return };
    for (signing, says) in [
        ("", "--sign"),
        ("--sign other", "sigstore, key, certificate"),
        ("--sign key", "--sign key needs --private-key"),
        ("--sign certificate --private-key key.pem", "needs --signing-certificate"),
        ("--sign certificate --signing-certificate a", "needs --private-key"),
        ("--sign key --private-key key.pem --signing-certificate a", "--signing-certificate is not for --sign key"),
        ("--sign key --private-key key.pem --certificate-chain a", "--certificate-chain is not for"),
        ("--sign key --private-key key.pem --identity-token-file a", "--identity-token-file is not for"),
        ("--sign key --private-key key.pem --use-ambient-credentials", "--use-ambient-credentials is not for"),
        ("--sign key --private-key key.pem --fulcio-url http://a", "--fulcio-url is not for"),
        ("--sign key --private-key key.pem --oidc-issuer http://a", "--oidc-issuer is not for"),
        ("--sign key --private-key key.pem --rekor-version 2", "--rekor-version needs --rekor-url"),
        ("--sign key --private-key key.pem --tsa-certificate-chain a", "--tsa-url"),
        ("--sign sigstore --private-key key.pem", "--private-key is not for --sign sigstore"),
        ("--sign sigstore --password-file a", "--password-file is not for"),
        ("--sign sigstore --tsa-url http://a --tsa-certificate-chain a", "--tsa-certificate-chain is not for"),
        (&format!("{KEY} --print-provenance"), "unexpected argument '--print-provenance'"),
        (&format!("{KEY} --allow-partial"), "--allow-partial is not for"),
        (&format!("{KEY} --policy-digest sha256:00"), "--policy-digest"),
        (&format!("{KEY} --policy-digest 00"), "--policy-digest"),
        (&format!("{KEY} --provenance-uri a"), "--provenance-uri"),
    ] {
        sandbox.fails(&create(signing), 2, &[says]);
    }
    #[cfg(feature = "pkcs11")]
    for (signing, says) in [
        ("--sign pkcs11-key", "--sign pkcs11-key needs --pkcs11-uri"),
        ("--sign pkcs11-key --pkcs11-uri pkcs11:a --private-key key.pem", "--private-key is not for --sign pkcs11-key"),
        ("--sign pkcs11-certificate --pkcs11-uri pkcs11:a", "needs --signing-certificate"),
        (&format!("{KEY} --pkcs11-uri pkcs11:pin-value=12345678"), "--pkcs11-uri is not for --sign key"),
        (&format!("{KEY} --pin-file a"), "--pin-file is not for"),
    ] {
        let run = sandbox.fails(&create(signing), 2, &[says]);
        assert!(!run.stderr.contains("12345678"), "{run:?}");
    }
    for (from, to, says) in [
        ("--verifier-id https://v.example ", "", "--verifier-id"),
        ("--verifier-id https://v.example ", "--verifier-id example ", "expected a URI"),
        ("--resource-uri pkg:model/a", "", "--resource-uri"),
        ("--resource-uri pkg:model/a", "--resource-uri a", "--resource-uri"),
        (POLICY, "", "--policy-uri"),
        (POLICY, "--policy-uri a", "--policy-uri"),
        ("--output vsa.json", "", "--output"),
        ("--source-uri github.com/slsa-framework/example-package", "", "needs an expectation"),
    ] {
        sandbox.fails(&create(KEY).replace(from, to), 2, &[says]);
    }
}

#[test]
fn the_level_is_what_was_found_and_each_known_digest_is_there() {
    let Some(folder) = vectors("github-attest") else { return };
    let sandbox = Sandbox::with_model();
    let copy = |from: &std::path::Path, to: &str| sandbox.write(to, std::fs::read(from).expect("readable"));
    copy(&folder.join("reusable-workflow-artifact"), "folder/reusable");
    copy(&folder.join("reusable-workflow-attestation.sigstore.json"), "reusable.json");
    copy(&folder.join("sigstore-js-2.1.0.tgz"), "package");
    copy(&folder.join("sigstore-js-2.1.0-bundle.json"), "package.json");
    let create = |what: &str| sandbox.ok(&format!("vsa create {what} {SAID} {POLICY} --output vsa.json {KEY}"));
    let level = || sandbox.statement("vsa.json")["predicate"]["verifiedLevels"].take();

    let workflow = "github/artifact-attestations-workflows/.github/workflows/attest.yml";
    create(&format!("folder/reusable --bundle reusable.json --repo malancas/attest-demo --signer-workflow {workflow}"));
    assert_eq!(level(), json!(["SLSA_BUILD_LEVEL_UNEVALUATED"]));
    assert_eq!(sandbox.statement("vsa.json")["subject"][0]["name"], "reusable");

    create("package --bundle package.json --repo sigstore/sigstore-js");
    assert_eq!(level(), json!(["SLSA_BUILD_LEVEL_2"]));
    let subject = sandbox.statement("vsa.json")["subject"][0].take();
    let mut digests: Vec<&String> = subject["digest"].as_object().expect("an object").keys().collect();
    digests.sort();
    assert_eq!(digests, ["sha256", "sha512"]);
    // Of a digest that was given nothing else is known.
    let sha512 = subject["digest"]["sha512"].as_str().expect("a digest");
    create(&format!("sha512:{sha512} --bundle package.json --repo sigstore/sigstore-js"));
    assert_eq!(sandbox.statement("vsa.json")["subject"], json!([{ "digest": { "sha512": sha512 } }]));
    let digest = format!("--subject-digest sha512:{sha512}");
    sandbox.ok(&format!("vsa verify {digest} --bundle vsa.json {SAID} --key key.pub.pem"));

    let Some(folder) = vectors("google-cloud-build-v0.3") else { return };
    copy(&folder.join("gcloud-container-github.json"), "image.json");
    let hex = "f472ca4b68898c951ac3b476cba919d0d56fca4ced631fabcead51e4b2b690e7";
    create(&format!("image@sha256:{hex} --bundle image.json --source-uri github.com/laurentsimon/gcb-tests"));
    assert_eq!(level(), json!(["SLSA_BUILD_LEVEL_3"]));
    let subject = sandbox.statement("vsa.json")["subject"].take();
    assert_eq!(subject, json!([{ "name": "image", "digest": { "sha256": hex } }]));
}

#[test]
fn several_artifacts_have_one_summary() {
    let Some(sandbox) = with_provenance(Sandbox::with_model()) else { return };
    let both = [sandbox.read("started.jsonl"), b"\n".to_vec(), sandbox.read("tagged.jsonl")].concat();
    sandbox.write("tagged.jsonl", both);
    sandbox.ok(&create(KEY).replace("tagged ", "tagged started "));
    let names: Vec<Value> = sandbox.statement("vsa.json")["subject"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|one| one["name"].clone())
        .collect();
    assert_eq!(names, ["tagged", "started"]);
    sandbox.ok(&verify("--public-key-path key.pub.pem"));
}

#[test]
fn exactly_one_way_to_know_the_verifier_is_needed() {
    let sandbox = Sandbox::with_model();
    sandbox.write("vsa.json", "{}");
    let (key, authority, identity) = (
        "--public-key-path key.pub.pem",
        "--certificate-chain a.pem",
        "--identity a --identity-provider https://b.example",
    );
    for (trust, says) in [
        (String::new(), "expected --public-key-path, --certificate-chain or --identity"),
        (format!("{key} {authority}"), "found --public-key-path and --certificate-chain"),
        (format!("{key} {identity}"), "found --public-key-path and --identity"),
        (format!("{authority} {identity}"), "found --certificate-chain and --identity"),
        (format!("{key} --crl a"), "found --public-key-path and --crl"),
        (format!("{key} --trusted-root a"), "is not for a summary of a key"),
        (format!("{key} --tsa-certificate-chain a"), "--tsa-certificate-chain is not for"),
        (format!("{identity} --tsa-certificate-chain a"), "--tsa-certificate-chain is not for"),
        (format!("{identity} --public-key-id a"), "--public-key-path"),
        ("--identity a".to_owned(), "--identity-provider"),
        ("--identity-provider https://b.example".to_owned(), "--identity NAME"),
        ("--identity-regexp ( --identity-provider https://b.example".to_owned(), "--identity-regexp"),
        ("--crl key.pem".to_owned(), "--certificate-chain FILE"),
        (format!("{identity} --identity-regexp a"), "cannot be used with"),
    ] {
        let run = run(&mut sandbox.command(&verify(&trust)));
        assert_eq!(run.code, Some(2), "{trust}: {run:?}");
        assert!(run.stderr.contains(says), "{trust}: expected `{says}` in {}", run.stderr);
    }
}
