//! Transparency logs for those who keep their keys.

use std::fs;

use fake_sigstore::{Instance, Lie, Logs, Service, SigningConfig};
use serde_json::Value;

use super::super::certificates::sandbox;
use super::super::tsa::Validity;
use super::{Stack, kinds};

const SIGN: &str = "sign key model --private-key key.pem --trust-config trust.json";
const VERIFY: &str = "verify key model --public-key key.pub.pem";
const LOGS: [(Service, &str); 2] = [(Service::RekorV1, "dsse 0.0.1"), (Service::RekorV2, "hashedrekord 0.0.2")];

fn stack() -> Stack {
    Stack::new(&SigningConfig::of(Logs::Both))
}

#[test]
fn a_signature_of_a_key_is_made_public_and_checked_against_the_log() {
    let stack = stack();
    for (log, kind) in LOGS {
        let url = stack.sigstore.url(log);
        let run = stack.sandbox.ok(&format!("{SIGN} --rekor-url {url}"));
        assert!(run.stdout.contains(&format!("in {url}")), "{}", run.stdout);
        // The version is the one in the signing configuration.
        assert_eq!(kinds(&stack.bundle()), [kind]);
        assert_eq!(stack.sigstore.requests(log), 1);

        let run = stack.sandbox.ok(VERIFY);
        assert!(
            run.stdout.contains("the bundle's 1 transparency log record, of a log that is not known"),
            "{}",
            run.stdout
        );
        let run = stack.sandbox.ok(&format!("{VERIFY} --trust-config trust.json"));
        assert!(run.stdout.contains("log entry") && !run.stdout.contains("log record"), "{}", run.stdout);
    }
    assert_eq!(stack.requests(), [0, 0, 1, 1, 0]);
}

#[test]
fn it_is_dated_as_well_where_that_is_asked_for() {
    let stack = stack();
    let tsa = stack.sigstore.url(Service::Timestamps);
    let rekor = stack.sigstore.url(Service::RekorV2);
    stack.sandbox.ok(&format!("{SIGN} --tsa-url {tsa} --rekor-url {rekor} --rekor-version 2"));
    let run = stack.sandbox.ok(&format!("{VERIFY} --trust-config trust.json --require-timestamp"));
    assert!(run.stdout.contains("timestamp") && run.stdout.contains("log entry"), "{}", run.stdout);
    // Whoever is not in the trusted root does not date it.
    let other = Instance::start();
    let tsa = other.url(Service::Timestamps);
    stack.sandbox.fails(&format!("{SIGN} --signature new.sig --tsa-url {tsa}"), 3, &["the new timestamp"]);
    stack.sandbox.ok(&format!("sign key model --private-key key.pem --signature new.sig --tsa-url {tsa}"));
}

#[test]
fn a_log_that_the_root_does_not_know_is_an_error() {
    let stack = stack();
    let other = Instance::start();
    stack.sandbox.write("other.json", other.trusted_root_json());
    for (log, _) in LOGS {
        let (url, version) = (stack.sigstore.url(log), if log == Service::RekorV1 { 1 } else { 2 });
        let sign = format!("sign key model --private-key key.pem --rekor-url {url} --rekor-version {version}");
        for root in ["", "--trusted-root other.json", "--use-staging"] {
            let says = ["the new signature does not verify: log entry 0", "which is not trusted"];
            stack.sandbox.fails(&format!("{sign} {root}"), 3, &says);
        }
        stack.sandbox.ok(&format!("{sign} --trust-config trust.json"));
        let (code, document) = stack.sandbox.json(&format!("{VERIFY} --trusted-root other.json"));
        assert_eq!((code, document["error"]["kind"].as_str()), (1, Some("unknown_log")));
        fs::remove_file(stack.sandbox.path("model.sig")).expect("removed");
    }
}

#[test]
fn an_instance_without_a_timestamp_authority_has_logs_all_the_same() {
    let stack = stack();
    let mut root: Value = serde_json::from_str(&stack.sigstore.trusted_root_json()).expect("JSON");
    root["timestampAuthorities"] = Value::Array(Vec::new());
    stack.sandbox.write("root.json", root.to_string());
    let log = format!("--rekor-url {}", stack.sigstore.url(Service::RekorV1));
    stack.sandbox.ok(&format!("sign key model --private-key key.pem --trusted-root root.json {log}"));
    let verify = format!("{VERIFY} --trusted-root root.json");
    let run = stack.sandbox.ok(&verify);
    assert!(run.stdout.contains("log entry"), "{}", run.stdout);
    let says = ["expected timestamp authorities, found none"];
    stack.sandbox.fails(&format!("{verify} --require-timestamp"), 1, &says);
}

#[test]
fn a_log_that_lies_is_an_error() {
    for (log, _) in LOGS {
        // A key has no certificate, and one entry says nothing of a fork.
        let of_others = [Lie::Forked, Lie::EntryOfAnotherCertificate];
        for lie in Lie::ALL.into_iter().filter(|lie| lie.is_of(log) && !of_others.contains(lie)) {
            let stack = stack();
            stack.sigstore.lie(log, lie);
            let url = stack.sigstore.url(log);
            stack.sandbox.fails(
                &format!("{SIGN} --rekor-url {url}"),
                3,
                &["the new signature does not verify: log entry 0"],
            );
        }
    }
}

#[test]
fn an_entry_of_another_signature_is_refused() {
    let stack = stack();
    for (log, _) in LOGS {
        let url = stack.sigstore.url(log);
        stack.sandbox.ok(&format!("{SIGN} --rekor-url {url}"));
        let entry = stack.bundle()["verificationMaterial"]["tlogEntries"].clone();
        stack.sandbox.ok(&format!("{SIGN} --rekor-url {url}"));
        let mut bundle = stack.bundle();
        bundle["verificationMaterial"]["tlogEntries"] = entry;
        stack.sandbox.write("other.sig", bundle.to_string());
        let verify = format!("{VERIFY} --signature other.sig --trust-config trust.json");
        let (code, document) = stack.sandbox.json(&verify);
        assert_eq!((code, document["error"]["kind"].as_str()), (1, Some("invalid_log_entry")), "{document}");
    }
}

#[test]
fn logs_need_a_version_that_they_have() {
    let stack = stack();
    let (v1, v2) = (stack.sigstore.url(Service::RekorV1), stack.sigstore.url(Service::RekorV2));
    for (url, version) in [(v1, 2), (v2, 1)] {
        let sign = format!("{SIGN} --rekor-url {url} --rekor-version {version}");
        stack.sandbox.fails(&sign, 3, &["the transparency log", "answered 404"]);
    }
    stack.sandbox.fails("sign key model --private-key key.pem --rekor-version 1", 2, &["--rekor-url"]);
    stack.sandbox.fails(&format!("{SIGN} --rekor-url log"), 2, &["--rekor-url: expected a URL"]);
}

#[test]
fn each_kind_of_key_is_taken_by_a_log() {
    let stack = stack();
    stack.sandbox.write("root.json", stack.sigstore.trusted_root_json());
    for (algorithm, log, version) in [
        ("p384", Service::RekorV2, 2),
        ("p521", Service::RekorV2, 2),
        ("rsa-3072", Service::RekorV1, 1),
        ("rsa-3072", Service::RekorV2, 2),
        ("ed25519", Service::RekorV1, 1),
    ] {
        let key = format!("{algorithm}-{version}");
        stack.sandbox.ok(&format!("keygen --algorithm {algorithm} --private-key {key}.pem"));
        let url = stack.sigstore.url(log);
        let log = format!("--rekor-url {url} --rekor-version {version}");
        stack.sandbox.ok(&format!("sign key model --private-key {key}.pem --trusted-root root.json {log}"));
        let run = stack.sandbox.ok(&format!("verify key model --public-key {key}.pub.pem --trusted-root root.json"));
        assert!(run.stdout.contains("log entry"), "{algorithm}: {}", run.stdout);
    }
    let value: Value = stack.bundle();
    assert!(value["verificationMaterial"]["publicKey"].is_object());
}

#[test]
fn certificates_of_ones_own_are_logged_too() {
    let Some(sandbox) = sandbox("certificates_of_ones_own_are_logged_too", Validity::days(-1, 1)) else { return };
    let sigstore = Instance::start();
    sandbox.write("trust.json", sigstore.trust_config_json(&SigningConfig::of(Logs::Both)));
    let sign = "sign certificate model --private-key pki/signer.key --signing-certificate pki/signer.pem \
                --certificate-chain pki/chain.pem --trust-config trust.json";
    let verify = "verify certificate model --certificate-chain pki/root.pem";
    let (v1, v2) = (sigstore.url(Service::RekorV1), sigstore.url(Service::RekorV2));
    // The key is on P-384, which the old log does not check.
    sandbox.fails(
        &format!("{sign} --rekor-url {v1}"),
        3,
        &["version 1 of Rekor takes no signature made with ECDSA P-384"],
    );
    sandbox.ok(&format!("{sign} --rekor-url {v2}"));
    let run = sandbox.ok(&format!("{verify} --trust-config trust.json"));
    assert!(run.stdout.contains("log entry"), "{}", run.stdout);
    sandbox.ok(verify);
}
