//! Services that lie, are ill or gone: there is no signature, and it is said whose fault that is.

use std::time::Duration;

use fake_sigstore::{Claims, Fault, Lie, Logs, Selector, Service, SigningConfig};

use super::super::support::run;
use super::{SIGN, SIGNER, Stack};

const LOGS: [(Service, Logs); 2] = [(Service::RekorV1, Logs::V1), (Service::RekorV2, Logs::V2)];

/// The services that signing asks, with what they are called.
const ASKED: [(Service, &str, Logs); 4] = [
    (Service::Fulcio, "the certificate authority", Logs::V1),
    (Service::RekorV1, "the transparency log", Logs::V1),
    (Service::RekorV2, "the transparency log", Logs::V2),
    (Service::Timestamps, "the timestamp authority", Logs::V2),
];

fn refused(stack: &Stack, says: &[&str]) {
    stack.sandbox.fails(SIGN, 3, says);
}

#[test]
fn whoever_can_not_be_reached_is_named() {
    for (service, name, logs) in ASKED {
        let stack = Stack::new(&SigningConfig::of(logs));
        stack.sigstore.stop(service);
        let url = stack.sigstore.url(service).to_owned();
        refused(&stack, &[&format!("{name} `{url}"), "can't be reached"]);
    }
}

#[test]
fn whoever_is_ill_is_asked_again_and_then_named() {
    for (service, name, logs) in ASKED {
        let stack = Stack::new(&SigningConfig::of(logs));
        for (status, times) in [(500, 1), (503, 2), (429, 1)] {
            stack.sigstore.fail_next(service, times, Fault::Status(status, "ill".to_owned()));
            stack.signs(SIGN);
        }
        stack.sigstore.fail_next(service, 1, Fault::Closes);
        stack.signs(SIGN);
        let before = stack.sigstore.requests(service);
        stack.sigstore.fail(service, Fault::Status(500, "very ill".to_owned()));
        refused(&stack, &[name, "answered 500 Internal Server Error: very ill"]);
        assert_eq!(stack.sigstore.requests(service) - before, 3, "{service:?}");
    }
}

#[test]
fn a_refusal_is_final_and_says_why() {
    for (service, name, logs) in ASKED {
        for status in [400, 401, 403, 404, 413] {
            let stack = Stack::new(&SigningConfig::of(logs));
            stack.sigstore.fail(service, Fault::Status(status, "because".to_owned()));
            refused(&stack, &[name, &status.to_string(), "because"]);
            assert_eq!(stack.sigstore.requests(service), 1, "{service:?} {status}");
        }
    }
}

#[test]
fn answers_are_bounded_and_read_with_care() {
    for (service, name, logs) in ASKED {
        let stack = Stack::new(&SigningConfig::of(logs));
        let json = |text: &str| Fault::Replies(201, "application/json".to_owned(), text.as_bytes().to_vec());
        let faults = [
            Fault::Garbage,
            Fault::Oversize(2 << 20),
            Fault::Redirects("http://127.0.0.1:1/".to_owned()),
            json("{}"),
            json("[]"),
            json("null"),
            json(r#"{"a":{}}"#),
            json(r#"{"signedCertificateEmbeddedSct":{"chain":{"certificates":[]}}}"#),
            json(r#"{"signedCertificateEmbeddedSct":{"chain":{"certificates":["-----BEGIN CERTIFICATE-----"]}}}"#),
            json(r#"{"signedCertificateDetachedSct":{"chain":{"certificates":[]}}}"#),
            json(r#"{"logIndex":"-1","kindVersion":{},"inclusionProof":null}"#),
        ];
        for fault in faults {
            stack.sigstore.heal(service);
            stack.sigstore.fail(service, fault.clone());
            let run = stack.sandbox.fails(SIGN, 3, &[]);
            assert!(run.stderr.contains(name) || run.stderr.contains("the new"), "{fault:?}: {}", run.stderr);
        }
    }
}

#[test]
fn a_slow_service_is_waited_for() {
    let stack = Stack::new(&SigningConfig::of(Logs::OfTwoOperators));
    for service in [Service::RekorV1, Service::RekorV2, Service::Timestamps] {
        stack.sigstore.fail(service, Fault::Delays(Duration::from_secs(2)));
    }
    let config = SigningConfig { log_selector: Selector::All, ..SigningConfig::of(Logs::OfTwoOperators) };
    stack.sandbox.write("trust.json", stack.sigstore.trust_config_json(&config));
    let started = std::time::Instant::now();
    stack.sandbox.ok(SIGN);
    // Side by side: one delay, not three.
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
}

#[test]
fn a_certificate_that_no_verifier_takes_is_not_signed_with() {
    for (lie, says) in [
        (Lie::NoSct, "missing SCT"),
        (Lie::SctOfAnotherKey, "signed certificate timestamp"),
        (Lie::CertificateOfAnotherKey, "certified another key"),
        (Lie::CertificateOfAnotherAuthority, "certificate"),
    ] {
        let stack = Stack::new(&SigningConfig::default());
        stack.sigstore.lie(Service::Fulcio, lie);
        refused(&stack, &[says]);
    }
}

#[test]
fn what_a_log_does_not_prove_is_not_signed() {
    for (service, logs) in LOGS {
        for lie in Lie::ALL.into_iter().filter(|lie| lie.is_of(service)) {
            let stack = Stack::new(&SigningConfig::of(logs));
            stack.sigstore.lie(service, lie);
            if lie == Lie::Forked {
                // Nobody who sees one answer alone can tell.
                stack.signs(SIGN);
            } else {
                refused(&stack, &["the new signature does not verify"]);
            }
        }
    }
}

#[test]
fn a_timestamp_that_does_not_hold_is_none() {
    for lie in Lie::ALL.into_iter().filter(|lie| lie.is_of(Service::Timestamps)) {
        let stack = Stack::new(&SigningConfig::default());
        stack.sigstore.lie(Service::Timestamps, lie);
        refused(&stack, &["timestamp"]);
    }
}

#[test]
fn secrets_in_urls_are_not_shown() {
    let stack = Stack::new(&SigningConfig::of(Logs::V1));
    let trust = stack.sigstore.trust_config_json(&SigningConfig::of(Logs::V1));
    stack.sandbox.write("trust.json", trust.replace("\"http://127.0.0.1", "\"http://user:hunter2@127.0.0.1"));
    stack.sigstore.fail(Service::RekorV1, Fault::Status(400, "no".to_owned()));
    let run = stack.sandbox.fails(SIGN, 3, &["the transparency log `http://127.0.0.1"]);
    assert!(!run.stderr.contains("hunter2"), "{}", run.stderr);
    stack.sigstore.heal(Service::RekorV1);
    let run = stack.sandbox.ok(SIGN);
    assert!(!(run.stdout + &run.stderr).contains("hunter2"));
}

#[test]
fn nothing_is_asked_if_the_model_can_not_be_hashed() {
    let stack = Stack::new(&SigningConfig::default());
    stack.sandbox.fails(&SIGN.replace("model", "no-such-model"), 3, &["no-such-model"]);
    stack.sandbox.fails(&format!("{SIGN} --signature token"), 2, &["would overwrite the identity token"]);
    stack.sandbox.fails(&format!("{SIGN} --signature trust.json"), 2, &["would overwrite the trust configuration"]);
    assert_eq!(stack.requests(), [0; 5]);
}

#[test]
fn a_fulcio_that_certifies_somebody_else_is_noticed() {
    let stack = Stack::new(&SigningConfig::default());
    stack.sigstore.lie(Service::Fulcio, Lie::CertificateOfAnotherIdentity);
    refused(&stack, &["mallory@example.com", SIGNER]);
    // Workflows are certified by more than their subject, so the name says nothing there.
    let workflow = Claims::github_workflow("owner/name", "release.yml", "refs/tags/v1");
    stack.sigstore.heal(Service::Fulcio);
    stack.sandbox.write("token", stack.sigstore.token(&workflow));
    stack.sandbox.ok(SIGN);
}

#[test]
fn a_token_that_travels_unencrypted_is_warned_of() {
    let stack = Stack::new(&SigningConfig::default());
    // This machine too, but not by a name that nobody else has.
    let fulcio = stack.sigstore.url(Service::Fulcio).replace("127.0.0.1", "0.0.0.0");
    let (_, document) = stack.sandbox.json(&format!("{SIGN} --fulcio-url {fulcio}"));
    let warning = format!("the identity token is sent to {fulcio} unencrypted");
    assert!(document["warnings"][0].as_str().is_some_and(|text| text.starts_with(&warning)), "{document}");
    let (code, document) = stack.sandbox.json(SIGN);
    assert_eq!((code, document["warnings"].as_array().map(Vec::len)), (0, Some(0)), "{document}");
}

#[test]
fn what_is_for_this_machine_goes_to_no_proxy() {
    let stack = Stack::new(&SigningConfig::default());
    let mut command = stack.sandbox.command(SIGN);
    for variable in ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY"] {
        command.env(variable, "http://127.0.0.1:1");
    }
    let run = run(&mut command);
    assert_eq!(run.code, Some(0), "{run:?}");
}

#[test]
fn a_service_that_repeats_the_token_does_not_have_it_shown() {
    let stack = Stack::new(&SigningConfig::default());
    let token = stack.sigstore.token(&Claims::email(SIGNER));
    stack.sandbox.write("token", &token);
    let signature = token.rsplit('.').next().expect("a signature");
    for (status, answer) in [
        (400, format!(r#"{{"message":"can't read {token}"}}"#)),
        (400, format!("can't read '{token}'")),
        (200, format!(r#"{{"signedCertificateEmbeddedSct":"{token}"}}"#)),
        (200, format!(r#""{token}""#)),
    ] {
        stack.sigstore.heal(Service::Fulcio);
        stack.sigstore.fail(Service::Fulcio, Fault::Replies(status, "text/plain".to_owned(), answer.into_bytes()));
        let run = stack.sandbox.fails(SIGN, 3, &["the certificate authority", "…"]);
        assert!(!run.stderr.contains("eyJ") && !run.stderr.contains(signature), "{}", run.stderr);
    }
}

#[test]
fn a_timestamp_that_nobody_would_believe_is_not_asked_for() {
    let stack = Stack::new(&SigningConfig::default());
    let trust = stack.sigstore.trust_config_json(&SigningConfig::default());
    let mut trust: serde_json::Value = serde_json::from_str(&trust).expect("JSON");
    trust["trustedRoot"]["timestampAuthorities"] = serde_json::Value::Array(Vec::new());
    stack.sandbox.write("trust.json", trust.to_string());
    stack.sandbox.fails(SIGN, 1, &["the trusted root has no timestamp authority"]);
    assert_eq!(stack.requests(), [0; 5]);
}

/// What is in a log stays there, and whoever signed has to know.
#[test]
fn a_signature_that_is_public_already_is_said_to_be() {
    let stack = Stack::new(&SigningConfig::default());
    stack.sigstore.fail(Service::Timestamps, Fault::Status(400, "not today".to_owned()));
    refused(&stack, &["timestamp authority", "not today", "a transparency log has the signature already"]);
    assert!(!stack.sandbox.path("model.sig").exists());
}
