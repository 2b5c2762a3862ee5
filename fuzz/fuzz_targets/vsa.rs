//! A verification summary is refused, or says what was expected: as an envelope of any bytes, and with a part of the
//! signed statement replaced.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use model_transparency::certificate::UnixTime;
use model_transparency::key::{KeyAlgorithm, PrivateKey, PrivateKeyPem, SigningKey as _, generate};
use model_transparency::provenance::vsa::{Expectations, TrustedKey, VerifierTrust, verify_summary};
use model_transparency::sigstore::{Instance, SignerRule, TrustedRoot};
use model_transparency::trust::{Anchors, CertificateTrust, TimestampTrust};

#[expect(dead_code, reason = "only its Base64 is needed")]
#[path = "support/log.rs"]
mod log;

use log::base64;

const STATEMENT: &str = r#"{"_type":"https://in-toto.io/Statement/v1","subject":[{"digest":{"sha256":"aa"}}],"predicateType":"https://slsa.dev/verification_summary/v1","predicate":{"verifier":{"id":"v"},"timeVerified":"t","resourceUri":"r","policy":{"uri":"p"},"verificationResult":"PASSED","verifiedLevels":["X","SLSA_BUILD_LEVEL_3"]}}"#;

static KEY: LazyLock<PrivateKey> = LazyLock::new(|| {
    let (pem, _) = generate(KeyAlgorithm::Ed25519, None).expect("a key");
    PrivateKeyPem::parse(pem.as_bytes()).and_then(|pem| pem.into_key(None)).expect("a key")
});

static ROOT: LazyLock<TrustedRoot> = LazyLock::new(|| TrustedRoot::embedded(Instance::Production));

static EXPECTED: LazyLock<Expectations> = LazyLock::new(|| {
    let levels = ["X".to_owned(), "SLSA_BUILD_LEVEL_2".to_owned()];
    Expectations::new(&["sha256:aa".to_owned()], "v", "r", &levels).expect("valid")
});

fuzz_target!(|input: (u16, u8, &[u8])| {
    let (at, length, bytes) = input;
    let trusted = TrustedKey::new(KEY.public_key(), None, None).expect("a key");
    assert!(verify_summary(bytes, &trusted, &EXPECTED).is_err(), "nobody else has the key");
    let anchors = Anchors::Given(&[]);
    let certificates = CertificateTrust { anchors, identity: None, revocation_lists: &[], now: UnixTime(0) };
    let trust = VerifierTrust::Certificates(certificates, TimestampTrust::default());
    assert!(verify_summary(bytes, trust, &EXPECTED).is_err(), "nobody is trusted");
    let trust = VerifierTrust::Sigstore { root: &ROOT, signer: SignerRule::Anybody };
    assert!(verify_summary(bytes, trust, &EXPECTED).is_err(), "the instance certified none of it");

    let mut payload = STATEMENT.as_bytes().to_vec();
    let start = usize::from(at) % payload.len();
    let end = (start + usize::from(length)).min(payload.len());
    payload.splice(start..end, bytes.iter().copied());
    let signed = [format!("DSSEv1 28 application/vnd.in-toto+json {} ", payload.len()).as_bytes(), &payload].concat();
    let signature = base64(&KEY.sign(&signed).expect("own keys sign"));
    let payload = base64(&payload);
    let envelope = format!(
        r#"{{"payload":"{payload}","payloadType":"application/vnd.in-toto+json","signatures":[{{"sig":"{signature}"}}]}}"#
    );
    let Ok(summary) = verify_summary(envelope.as_bytes(), &trusted, &EXPECTED) else { return };
    assert_eq!((summary.verifier_id(), summary.resource_uri()), ("v", "r"));
    for wanted in EXPECTED.levels() {
        assert!(summary.levels().iter().any(|level| level.satisfies(wanted)));
    }
});
