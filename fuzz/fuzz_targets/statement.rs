//! A statement from a stranger is refused or consistent.
#![no_main]

use libfuzzer_sys::fuzz_target;
use model_transparency::envelope::Bundle;
use model_transparency::manifest::Manifest;

fuzz_target!(|payload: &[u8]| {
    // The payload inside a bundle that is fine otherwise, so that the fuzzer need not invent Base64.
    let Ok(bundle) = Bundle::parse(&wrap(payload)) else { return };
    let Ok(statement) = bundle.unverified_statement() else { return };
    let manifest = statement.manifest();
    let again = Manifest::new(manifest.resources().to_vec(), manifest.parameters().clone());
    assert_eq!(again.as_ref(), Ok(manifest));
    for resource in manifest.resources() {
        let path = resource.path();
        assert!(!path.starts_with('/') && path.split('/').all(|component| component != ".."), "{path:?}");
    }
});

fn wrap(payload: &[u8]) -> Vec<u8> {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut encoded = String::new();
    for chunk in payload.chunks(3) {
        let bits = u32::from_be_bytes([
            0,
            chunk[0],
            chunk.get(1).copied().unwrap_or_default(),
            chunk.get(2).copied().unwrap_or_default(),
        ]);
        for digit in 0..4 {
            let index = (bits >> (18 - 6 * digit)) as usize & 63;
            encoded.push(if digit <= chunk.len() { char::from(DIGITS[index]) } else { '=' });
        }
    }
    format!(
        r#"{{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json","verificationMaterial":{{"publicKey":{{"hint":"x"}}}},
        "dsseEnvelope":{{"payload":"{encoded}","payloadType":"application/vnd.in-toto+json","signatures":[{{"sig":"AA=="}}]}}}}"#
    )
    .into_bytes()
}
