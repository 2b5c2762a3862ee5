//! What honest services make of it.

use fake_sigstore::{Instance, Logs, Selector, Service, SigningConfig};
use serde_json::Value;

use super::{SIGN, SIGNER, Stack, kinds, timestamps};

const DSSE: &str = "dsse 0.0.1";
const REKORD: &str = "hashedrekord 0.0.2";

#[test]
fn every_selection_of_services_signs_with_one_request_to_each() {
    let stamped = Some(Selector::Any);
    let rows = [
        (Logs::V1, Selector::Any, None, vec![DSSE], [0, 1, 1, 0, 0]),
        (Logs::V1, Selector::Any, stamped, vec![DSSE], [0, 1, 1, 0, 1]),
        (Logs::V2, Selector::Any, stamped, vec![REKORD], [0, 1, 0, 1, 1]),
        (Logs::Both, Selector::All, stamped, vec![REKORD], [0, 1, 0, 1, 1]),
        (Logs::OfTwoOperators, Selector::Any, stamped, vec![REKORD], [0, 1, 0, 1, 1]),
        (Logs::OfTwoOperators, Selector::All, stamped, vec![REKORD, DSSE], [0, 1, 1, 1, 1]),
        (Logs::OfTwoOperators, Selector::Exact(2), Some(Selector::Exact(1)), vec![REKORD, DSSE], [0, 1, 1, 1, 1]),
    ];
    for (logs, log_selector, timestamp_selector, expected, requests) in rows {
        let stack = Stack::new(&SigningConfig { logs, log_selector, timestamp_selector });
        stack.signs(SIGN);
        assert_eq!(kinds(&stack.bundle()), expected, "{logs:?} {log_selector:?}");
        assert_eq!(timestamps(&stack.bundle()), usize::from(timestamp_selector.is_some()));
        assert_eq!(stack.requests(), requests, "{logs:?} {log_selector:?}");
        let material = &stack.bundle()["verificationMaterial"];
        assert!(material["certificate"]["rawBytes"].is_string() && material.get("x509CertificateChain").is_none());
    }
}

#[test]
fn every_timestamp_authority_is_asked_and_each_stands_in_the_bundle() {
    let stack = Stack::new(&SigningConfig::of(Logs::V2));
    let other = Instance::start();
    let parse = |json: String| -> Value { serde_json::from_str(&json).expect("JSON") };
    let config = SigningConfig { timestamp_selector: Some(Selector::All), ..SigningConfig::of(Logs::V2) };
    let mut trust = parse(stack.sigstore.trust_config_json(&config));
    let mut foreign = parse(other.trust_config_json(&config));
    let authority = foreign["trustedRoot"]["timestampAuthorities"][0].take();
    trust["trustedRoot"]["timestampAuthorities"].as_array_mut().expect("a list").push(authority);
    let mut service = foreign["signingConfig"]["tsaUrls"][0].take();
    service["operator"] = "other.example.com".into();
    trust["signingConfig"]["tsaUrls"].as_array_mut().expect("a list").push(service);
    stack.sandbox.write("trust.json", trust.to_string());
    stack.signs(SIGN);
    assert_eq!(timestamps(&stack.bundle()), 2);
    assert_eq!([stack.sigstore.requests(Service::Timestamps), other.requests(Service::Timestamps)], [1, 1]);
}

#[test]
fn the_version_of_the_log_can_be_chosen() {
    let stack = Stack::new(&SigningConfig::of(Logs::Both));
    for (version, expected) in [("", REKORD), ("--rekor-version 1", DSSE), ("--rekor-version 2", REKORD)] {
        stack.signs(&format!("{SIGN} {version}"));
        assert_eq!(kinds(&stack.bundle()), [expected]);
    }
    let stack = Stack::new(&SigningConfig::of(Logs::V1));
    stack.sandbox.fails(
        &format!("{SIGN} --rekor-version 2"),
        3,
        &["a transparency log (Rekor)", "version 1, expected 2"],
    );
    stack.sandbox.fails(&format!("{SIGN} --rekor-version 3"), 2, &["--rekor-version"]);
    assert_eq!(stack.requests(), [0; 5]);
}

#[test]
fn sigstore_is_the_method_that_need_not_be_named() {
    let stack = Stack::new(&SigningConfig::default());
    let options = "--trust_config trust.json --identity_token_file token";
    for words in ["sign", "sign sigstore", "--log_level error sign", "sign --format human"] {
        stack.signs(&format!("{words} model --signature model.sig {options}"));
    }
    stack.signs(&format!("sign {options} model"));
    // A model that is called like a method.
    stack.sandbox.write("key/weights", "w");
    stack.sandbox.fails(&format!("sign key {options}"), 2, &["--identity-token-file"]);
    stack.sandbox.ok(&format!("sign ./key --signature key.sig {options}"));
}

#[test]
fn a_trusted_root_signs_where_the_services_are_named() {
    let stack = Stack::new(&SigningConfig::default());
    let sigstore = &stack.sigstore;
    stack.sandbox.write("root.json", sigstore.trusted_root_json());
    let root = "sign model --trusted-root root.json --identity-token-file token";
    stack.sandbox.fails(root, 2, &["`root.json` does not say where to sign", "--fulcio-url"]);
    let fulcio = format!("{root} --fulcio-url {}", sigstore.url(Service::Fulcio));
    stack.sandbox.fails(&fulcio, 2, &["--rekor-url"]);
    let (v1, v2) = (sigstore.url(Service::RekorV1), sigstore.url(Service::RekorV2));
    stack.signs(&format!("{fulcio} --rekor-url {v1}"));
    assert_eq!((kinds(&stack.bundle()), timestamps(&stack.bundle())), (vec![DSSE.to_owned()], 0));
    let rekor = format!("{fulcio} --rekor-url {v2} --rekor-version 2");
    stack.sandbox.fails(&rekor, 2, &["nothing would say when", "--tsa-url"]);
    stack.signs(&format!("{rekor} --tsa-url {}", sigstore.url(Service::Timestamps)));
    assert_eq!((kinds(&stack.bundle()), timestamps(&stack.bundle())), (vec![REKORD.to_owned()], 1));
    stack.sandbox.fails(&format!("{fulcio} --rekor-url ftp://log"), 2, &["expected a URL of `http` or `https`"]);
}

#[test]
fn the_answer_says_who_signed_and_where_that_is_written() {
    let stack = Stack::new(&SigningConfig::of(Logs::OfTwoOperators));
    let index = stack.sigstore.log_size(Service::RekorV2);
    let run = stack.sandbox.ok(SIGN);
    let issuer = stack.sigstore.url(Service::Oidc);
    let log = format!("{index} in {}", stack.sigstore.url(Service::RekorV2));
    for words in [SIGNER, issuer, &log] {
        assert!(run.stdout.contains(words), "expected `{words}` in {}", run.stdout);
    }
    let (code, document) = stack.sandbox.json(SIGN);
    assert_eq!(code, 0);
    let result = &document["result"];
    assert_eq!(result["method"], "sigstore");
    assert_eq!(result["signer"]["sigstore"]["identity"], SIGNER);
    assert_eq!(result["signer"]["sigstore"]["identity_provider"], issuer);
    assert_eq!(result["log_entries"][0]["url"], stack.sigstore.url(Service::RekorV2));
    assert_eq!(result["log_entries"][0]["log_index"], (index + 1).to_string());
    assert_eq!(result["timestamps"].as_array().map(Vec::len), Some(1));
}

#[test]
fn the_old_log_has_what_it_was_shown_already() {
    let stack = Stack::new(&SigningConfig::of(Logs::V1));
    // The answer is lost on the way; the entry is there.
    stack.sigstore.fail_next(Service::RekorV1, 1, fake_sigstore::Fault::Truncates);
    stack.signs(SIGN);
    let seen: Vec<String> =
        stack.sigstore.requests_seen(Service::RekorV1).into_iter().map(|seen| seen.method + " " + &seen.path).collect();
    assert_eq!(seen[..2], ["POST /api/v1/log/entries", "POST /api/v1/log/entries"]);
    assert!(seen[2].starts_with("GET /api/v1/log/entries/") && seen.len() == 3, "{seen:?}");
}

#[test]
fn services_that_are_named_need_not_be_listed() {
    let stack = Stack::new(&SigningConfig::of(Logs::V2));
    let sigstore = &stack.sigstore;
    let listed: Value = serde_json::from_str(&sigstore.trust_config_json(&SigningConfig::of(Logs::V2))).expect("JSON");
    let [fulcio, log, authority] =
        [Service::Fulcio, Service::RekorV2, Service::Timestamps].map(|service| sigstore.url(service));
    let log = format!("--rekor-version 2 --rekor-url {log} --rekor-url {log}/");
    for (list, flag) in [
        ("caUrls", format!("--fulcio-url {fulcio}")),
        ("rekorTlogUrls", log.clone()),
        ("tsaUrls", format!("--tsa-url {authority}")),
    ] {
        let mut trust = listed.clone();
        trust["signingConfig"][list] = Value::Array(Vec::new());
        trust["signingConfig"]["tsaConfig"] = serde_json::json!({ "selector": "ALL" });
        stack.sandbox.write("trust.json", trust.to_string());
        assert_ne!(stack.sandbox.json(SIGN).0, 0, "{list}");
        stack.signs(&format!("{SIGN} {flag}"));
    }
    // A log of the other version than those that are listed.
    stack.sandbox.write("trust.json", sigstore.trust_config_json(&SigningConfig::of(Logs::V1)));
    stack.signs(&format!("{SIGN} {log} --tsa-url {authority}"));
    assert_eq!(kinds(&stack.bundle()), [REKORD]);
}
