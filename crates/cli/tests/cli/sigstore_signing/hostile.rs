//! Bundles that somebody changed after they were signed, to cost time or to say what nobody vouches for.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use fake_sigstore::{Logs, Service, SigningConfig};
use serde_json::{Value, json};

use super::{SIGN, SIGNER, Stack};

fn verify(stack: &Stack) -> String {
    let issuer = stack.sigstore.url(Service::Oidc);
    format!("verify model --trust-config trust.json --identity {SIGNER} --identity-provider {issuer}")
}

/// Signs, and changes the bundle.
fn changed(logs: Logs, change: impl FnOnce(&mut Value)) -> Stack {
    let stack = Stack::new(&SigningConfig::of(logs));
    stack.signs(SIGN);
    let mut bundle = stack.bundle();
    change(&mut bundle["verificationMaterial"]);
    stack.sandbox.write("model.sig", bundle.to_string());
    stack
}

/// A value in DER.
fn der(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = u32::try_from(content.len()).expect("short").to_be_bytes();
    let skipped = length.iter().take_while(|byte| **byte == 0).count();
    let length = match content.len() {
        0..=0x7f => vec![length[3]],
        _ => [&[0x80 | (4 - skipped) as u8], &length[skipped..]].concat(),
    };
    [&[tag], &length[..], content].concat()
}

#[test]
fn a_timestamp_that_takes_long_to_sort_is_refused_at_once() {
    // A SET of algorithms from the last to the first, which the parser of the library sorts one by one.
    let algorithms = (0..60_000_u32).rev().flat_map(|number| {
        let part = |shift: u32| u8::try_from(number >> shift & 0x7f).expect("seven bits");
        der(0x30, &der(0x06, &[0x2a, part(14), part(7), part(0)]))
    });
    let signed_data = [der(0x02, &[3]), der(0x31, &algorithms.collect::<Vec<u8>>())].concat();
    let oid = der(0x06, &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x02]);
    let token = der(0x30, &[oid, der(0xa0, &der(0x30, &signed_data))].concat());
    let stack = changed(Logs::V2, |material| {
        let timestamps = json!([{ "signedTimestamp": STANDARD.encode(token) }]);
        material["timestampVerificationData"]["rfc3161Timestamps"] = timestamps;
    });
    stack.sandbox.fails(&verify(&stack), 1, &["timestamp"]);
}

#[test]
fn a_checkpoint_that_takes_long_to_verify_is_refused_at_once() {
    for logs in [Logs::V1, Logs::V2] {
        let stack = changed(logs, |material| {
            let checkpoint = &mut material["tlogEntries"][0]["inclusionProof"]["checkpoint"]["envelope"];
            let (text, signatures) = checkpoint.as_str().expect("a text").split_once("\n\n").expect("signed");
            // Each line claims to be of the log's key, and each is tried, over the whole text.
            let line = signatures.lines().next().expect("a line");
            let text = format!("{text}\n{}\n\n{}", "x".repeat(8 << 20), format!("{line}\n").repeat(20_000));
            *checkpoint = text.into();
        });
        stack.sandbox.fails(&verify(&stack), 1, &["log entry 0 in the bundle: expected"]);
    }
}

#[test]
fn the_number_of_an_entry_is_said_only_if_the_log_signed_it() {
    let stack = Stack::new(&SigningConfig::of(Logs::Both));
    let url = stack.sigstore.url(Service::RekorV1);
    stack.sandbox.ok(&format!("sign key model --private-key key.pem --trust-config trust.json --rekor-url {url}"));
    let mut bundle = stack.bundle();
    let entry = &mut bundle["verificationMaterial"]["tlogEntries"][0];
    entry.as_object_mut().expect("an entry").remove("inclusionPromise");
    entry["logIndex"] = "424242".into();
    stack.sandbox.write("model.sig", bundle.to_string());
    let verify = "verify key model --public-key key.pub.pem --trust-config trust.json";
    let run = stack.sandbox.ok(verify);
    assert!(!run.stdout.contains("424242"), "{}", run.stdout);
    let (_, document) = stack.sandbox.json(verify);
    assert_eq!(document["result"]["log_entries"][0]["log_index"], Value::Null, "{document}");
}

#[test]
fn nothing_is_dated_in_the_future() {
    let stack = Stack::new(&SigningConfig::of(Logs::V2));
    for service in [Service::Fulcio, Service::Timestamps] {
        stack.sigstore.set_clock(service, 1_800);
    }
    stack.sandbox.fails(SIGN, 3, &["in the future"]);
}

#[test]
fn a_root_without_timestamp_authorities_is_not_to_blame_for_a_missing_entry() {
    let stack = Stack::new(&SigningConfig::of(Logs::Both));
    let mut root: Value = serde_json::from_str(&stack.sigstore.trusted_root_json()).expect("JSON");
    root["timestampAuthorities"] = json!([]);
    stack.sandbox.write("root.json", root.to_string());
    stack.sandbox.ok("sign key model --private-key key.pem");
    let verify = "verify key model --public-key key.pub.pem --trusted-root root.json --require-log";
    let (code, document) = stack.sandbox.json(verify);
    assert_eq!((code, document["error"]["kind"].as_str()), (1, Some("no_log_entry")), "{document}");
}
