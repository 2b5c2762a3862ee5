//! Log entries of any content are refused, or read; behind a proof that holds their bodies are too.
//!
//! An entry of each kind with a part of it, or of its body, replaced: bytes alone would hardly get past the first brace.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use model_transparency::certificate::UnixTime;
use model_transparency::key::PublicKey;
use model_transparency::log::{LogEntry, LoggedEnvelope, LoggedSigner};

#[path = "support/log.rs"]
mod log;

use log::base64;

static LOG: LazyLock<log::Log> = LazyLock::new(log::Log::new);

const BODIES: [(&str, &str, &str); 5] = [
    (
        "hashedrekord",
        "0.0.2",
        r#"{"hashedRekordV002":{"data":{"algorithm":"SHA2_256","digest":"AAAA"},"signature":{"content":"AAAA","verifier":{"keyDetails":"PKIX_ED25519","x509Certificate":{"rawBytes":"AAAA"}}}}}"#,
    ),
    (
        "dsse",
        "0.0.2",
        r#"{"dsseV002":{"payloadHash":{"algorithm":"SHA2_256","digest":"AAAA"},"signatures":[{"content":"AAAA","verifier":{"keyDetails":"PKIX_ED25519","publicKey":{"rawBytes":"AAAA"}}}]}}"#,
    ),
    (
        "dsse",
        "0.0.1",
        r#"{"envelopeHash":{"algorithm":"sha256","value":"00"},"payloadHash":{"algorithm":"sha256","value":"00"},"signatures":[{"signature":"AAAA","verifier":"AAAA"}]}"#,
    ),
    (
        "intoto",
        "0.0.2",
        r#"{"content":{"envelope":{"payloadType":"application/vnd.in-toto+json","signatures":[{"sig":"QUFBQQ==","publicKey":"AAAA"}]},"hash":{"algorithm":"sha256","value":"00"},"payloadHash":{"algorithm":"sha256","value":"00"}}}"#,
    ),
    (
        "intoto",
        "0.0.1",
        r#"{"content":{"hash":{"algorithm":"sha256","value":"00"},"payloadHash":{"algorithm":"sha256","value":"00"}},"publicKey":"AAAA"}"#,
    ),
];

fuzz_target!(|input: (u8, bool, u16, u8, &[u8])| {
    let (kind, in_body, at, length, bytes) = input;
    let (kind, version, spec) = BODIES[usize::from(kind) % BODIES.len()];
    let spliced = |text: String| {
        let start = usize::from(at) % text.len();
        let end = (start + usize::from(length)).min(text.len());
        let mut changed = text.into_bytes();
        changed.splice(start..end, bytes.iter().copied());
        changed
    };
    let mut body = format!(r#"{{"apiVersion":"{version}","kind":"{kind}","spec":{spec}}}"#).into_bytes();
    if in_body {
        body = spliced(String::from_utf8(body).expect("ASCII"));
    }
    let checkpoint = LOG.checkpoint(&body).replace('\n', "\\n");
    let (id, encoded) = (base64(LOG.id.as_bytes()), base64(&body));
    let lines: Vec<&str> = checkpoint.split("\\n").collect();
    let root = lines[2];
    let entry = format!(
        r#"{{"logIndex":"0","logId":{{"keyId":"{id}"}},"kindVersion":{{"kind":"{kind}","version":"{version}"}},"integratedTime":"0","inclusionProof":{{"logIndex":"0","rootHash":"{root}","treeSize":"1","hashes":[],"checkpoint":{{"envelope":"{checkpoint}"}}}},"canonicalizedBody":"{encoded}"}}"#
    );
    let entry = if in_body { entry.into_bytes() } else { spliced(entry) };
    let key: &PublicKey = LOG.keys.iter().next().expect("there is one").key();
    for json in [bytes, entry.as_slice()] {
        let Ok(entry) = LogEntry::from_json(json) else { continue };
        let (payload, signature, text) = (&b"payload"[..], &b"signature"[..], Some(&b"envelope"[..]));
        let envelope = LoggedEnvelope { payload, signature, text, signer: LoggedSigner::Key(key) };
        // No digest in these bodies is that of the payload.
        assert!(entry.verify(&envelope, &LOG.keys, UnixTime(1_000)).is_err());
    }
});
