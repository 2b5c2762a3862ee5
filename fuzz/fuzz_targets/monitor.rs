//! What a monitor reads: bodies of entries, lists of entries that are expected, states that were kept.
//!
//! Bodies with a certificate that has a part of it replaced.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use model_transparency::certificate::{IdentityRule, UnixTime};
use model_transparency::log::LogKey;
use model_transparency::log::monitor::{ExpectedEntries, FollowedLog, LogState, Watch};
use model_transparency::sigstore::{Instance, TrustedRoot};

#[path = "support/log.rs"]
mod log;

use log::base64;

static WATCH: LazyLock<Watch> = LazyLock::new(|| {
    let any = IdentityRule::pattern("(?s).*").expect("a pattern");
    Watch::new(any, None, TrustedRoot::embedded(Instance::Production))
});
static LOG: LazyLock<log::Log> = LazyLock::new(log::Log::new);

const CERTIFICATE: &[u8] = include_bytes!("../seeds/certificate/signer.der");

fuzz_target!(|input: (u16, u8, bool, &[u8])| {
    let (at, length, is_der, bytes) = input;
    let mut der = CERTIFICATE.to_vec();
    let start = usize::from(at) % der.len();
    der.splice(start..(start + usize::from(length)).min(CERTIFICATE.len()), bytes.iter().copied());
    let certificate = if is_der {
        base64(&der)
    } else {
        let pem = format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", base64(&der));
        base64(pem.as_bytes())
    };
    let _ = WATCH.look(format!(r#"{{"spec":{{"certificate":"{certificate}"}}}}"#).as_bytes());
    let _ = WATCH.look(bytes);
    if let Ok(text) = std::str::from_utf8(bytes) {
        let _ = ExpectedEntries::parse(text);
    }
    let keys: Vec<LogKey> = LOG.keys.iter().cloned().collect();
    let followed = FollowedLog { keys: &keys, now: UnixTime(1_000), max_entries: 0 };
    let state = format!(r#"{{"version":1,"trees":[{{"checkpoint":{:?},"next":1}}]}}"#, LOG.checkpoint(b"entry"));
    let mut state = state.into_bytes();
    let start = usize::from(at) % state.len();
    let end = (start + usize::from(length)).min(state.len());
    state.splice(start..end, bytes.iter().copied());
    for json in [bytes, state.as_slice()] {
        if let Ok(state) = LogState::from_json(json, &followed) {
            assert_eq!(LogState::from_json(state.to_json().as_bytes(), &followed).expect("its own"), state);
        }
    }
});
