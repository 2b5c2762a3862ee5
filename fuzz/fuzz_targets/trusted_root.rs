//! Trusted roots, signing configurations and trust configurations of any content are refused or read.
//!
//! The embedded documents with a part of them replaced: bytes alone would hardly get past the first brace.
#![no_main]

use libfuzzer_sys::fuzz_target;
use model_transparency::certificate::UnixTime;
use model_transparency::sigstore::{Instance, SigningConfig, TrustConfig, TrustedRoot};

fuzz_target!(|input: (u16, u8, u8, &[u8])| {
    let (at, length, document, bytes) = input;
    let original = match document % 3 {
        0 => Instance::Production.trusted_root_json().to_owned(),
        1 => Instance::Staging.signing_config_json().to_owned(),
        _ => format!(
            r#"{{"mediaType":"application/vnd.dev.sigstore.clienttrustconfig.v0.1+json","trustedRoot":{},"signingConfig":{}}}"#,
            Instance::Staging.trusted_root_json(),
            Instance::Production.signing_config_json()
        ),
    };
    let start = usize::from(at) % original.len();
    let end = (start + usize::from(length)).min(original.len());
    let mut changed = original.into_bytes();
    changed.splice(start..end, bytes.iter().copied());
    let _ = TrustedRoot::from_json(&changed);
    let _ = TrustConfig::from_json(&changed);
    if let Ok(config) = SigningConfig::from_json(&changed) {
        for time in [0, 1_700_000_000, 1_795_564_800] {
            let _ = config.select(UnixTime(time), None);
        }
    }
});
