//! Each step of the verification by what makes it fail.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::*;
use crate::certificate::UnixTime;
use crate::key::{KeyAlgorithm, PrivateKey, PrivateKeyPem, PublicKey, SignatureHash, SigningKey as _, generate};
use crate::sign::{KeySigner, Witnesses, sign_statement};
use crate::sigstore::{Instance, SignerRule, TrustedRoot};
use crate::trust::{Anchors, CertificateTrust, TimestampTrust};

const VERIFIER: &str = "https://example.com/verifier";
const RESOURCE: &str = "pkg:model/example@1";

fn key(algorithm: KeyAlgorithm) -> PrivateKey {
    let (pem, _) = generate(algorithm, None).expect("a key");
    PrivateKeyPem::parse(pem.as_bytes()).and_then(|key| key.into_key(None)).expect("a key")
}

fn statement() -> Value {
    json!({
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [
            { "name": "a", "digest": { "sha256": "aa", "gce_image_id": "1:2" } },
            { "digest": { "sha256": "bb" } },
        ],
        "predicateType": PREDICATE_TYPE,
        "predicate": {
            "verifier": { "id": VERIFIER, "version": { "tool": "1" } },
            "timeVerified": "2026-01-02T03:04:05Z",
            "resourceUri": RESOURCE,
            "policy": { "uri": "https://example.com/policy", "digest": { "sha256": "cc" } },
            "inputAttestations": [{ "uri": "x" }],
            "verificationResult": "PASSED",
            "verifiedLevels": ["CUSTOM", "SLSA_BUILD_LEVEL_3", "SLSA_SOURCE_LEVEL_UNEVALUATED"],
            "dependencyLevels": { "SLSA_BUILD_LEVEL_1": 5 },
            "slsaVersion": "1.2",
            "https://example.com/extension": null,
        },
    })
}

fn envelope(payload: &[u8], signatures: &Value) -> Vec<u8> {
    let envelope = json!({
        "payload": STANDARD.encode(payload),
        "payloadType": "application/vnd.in-toto+json",
        "signatures": signatures,
    });
    envelope.to_string().into_bytes()
}

fn signature(key: &PrivateKey, payload: &[u8]) -> String {
    STANDARD.encode(key.sign(&crate::envelope::pae(payload)).expect("signed"))
}

fn signed_bytes(key: &PrivateKey, payload: &[u8]) -> Vec<u8> {
    envelope(payload, &json!([{ "sig": signature(key, payload), "keyid": "its-name" }]))
}

fn expectations(digests: &[&str], levels: &[&str]) -> Expectations {
    let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
    Expectations::new(&owned(digests), VERIFIER, RESOURCE, &owned(levels)).expect("valid")
}

fn trusted(key: &PublicKey) -> TrustedKey<'_> {
    TrustedKey::new(key, None, None).expect("a key")
}

/// The error for a signed statement that was changed, where little is expected.
fn error(change: impl FnOnce(&mut Value)) -> VsaError {
    let mut statement = statement();
    change(&mut statement);
    error_of_payload(statement.to_string().as_bytes())
}

fn error_of_payload(payload: &[u8]) -> VsaError {
    let key = key(KeyAlgorithm::EcdsaP256);
    let envelope = signed_bytes(&key, payload);
    verify_summary(&envelope, &trusted(key.public_key()), &expectations(&["sha256:aa"], &[])).expect_err("refused")
}

fn with_expectations(expected: &Expectations) -> Result<VerifiedSummary, VsaError> {
    let key = key(KeyAlgorithm::EcdsaP256);
    verify_summary(&signed_bytes(&key, statement().to_string().as_bytes()), &trusted(key.public_key()), expected)
}

#[test]
fn a_summary_that_says_what_is_expected_holds() {
    let payload = statement().to_string();
    let expected = expectations(&["sha256:aa", "gce_image_id:1:2", "sha256:bb"], &["SLSA_BUILD_LEVEL_2", "CUSTOM"]);
    let algorithms = [
        KeyAlgorithm::EcdsaP256,
        KeyAlgorithm::EcdsaP384,
        KeyAlgorithm::EcdsaP521,
        KeyAlgorithm::Rsa { bits: 2048 },
        KeyAlgorithm::Ed25519,
    ];
    for algorithm in algorithms {
        let key = key(algorithm);
        let envelope = signed_bytes(&key, payload.as_bytes());
        let summary = verify_summary(&envelope, &trusted(key.public_key()), &expected).expect("it holds");
        assert_eq!(summary.payload(), payload.as_bytes());
        assert_eq!((summary.verifier_id(), summary.resource_uri()), (VERIFIER, RESOURCE));
        assert_eq!((summary.subjects().len(), summary.levels().len()), (2, 3));
        assert_eq!(summary.time_verified(), Some("2026-01-02T03:04:05Z"));
        assert_eq!(summary.policy_uri(), Some("https://example.com/policy"));
    }
}

#[test]
fn statements_of_version_0_1_are_accepted() {
    let key = key(KeyAlgorithm::Ed25519);
    let mut statement = statement();
    statement["_type"] = STATEMENT_TYPES[1].into();
    let envelope = signed_bytes(&key, statement.to_string().as_bytes());
    verify_summary(&envelope, &trusted(key.public_key()), &expectations(&["sha256:aa"], &[])).expect("it holds");
}

#[test]
fn what_is_no_envelope_is_refused() {
    let key = key(KeyAlgorithm::Ed25519);
    for bytes in [&b""[..], b"{}", b"\xff", b"[[[["] {
        let refused = verify_summary(bytes, &trusted(key.public_key()), &expectations(&["sha256:aa"], &[]));
        assert!(matches!(refused, Err(VsaError::Envelope(InvalidEnvelope::Json(_)))));
    }
}

#[test]
fn a_signature_by_nobody_or_somebody_else_is_refused() {
    let (ours, theirs) = (key(KeyAlgorithm::EcdsaP256), key(KeyAlgorithm::EcdsaP256));
    let payload = statement().to_string();
    let expected = expectations(&["sha256:aa"], &[]);
    let refused = verify_summary(&signed_bytes(&theirs, payload.as_bytes()), &trusted(ours.public_key()), &expected);
    let error = refused.expect_err("another key");
    assert!(matches!(&error, VsaError::Signature { tried: 1, .. }), "{error}");
    assert!(error.to_string().contains(&ours.public_key().hint()), "{error}");
    let other = envelope(b"{}", &json!([{ "sig": signature(&ours, payload.as_bytes()) }]));
    let refused = verify_summary(&other, &trusted(ours.public_key()), &expected);
    assert!(matches!(refused, Err(VsaError::Signature { .. })));
    // The signature is over the payload itself, not over the envelope's encoding of it.
    let bare = STANDARD.encode(ours.sign(payload.as_bytes()).expect("signed"));
    let refused = verify_summary(
        &envelope(payload.as_bytes(), &json!([{ "sig": bare }])),
        &trusted(ours.public_key()),
        &expected,
    );
    assert!(matches!(refused, Err(VsaError::Signature { .. })));
    let both = json!([
        { "sig": signature(&theirs, payload.as_bytes()), "keyid": "theirs" },
        { "sig": signature(&ours, payload.as_bytes()), "keyid": "ours" },
    ]);
    let both = envelope(payload.as_bytes(), &both);
    verify_summary(&both, &trusted(ours.public_key()), &expected).expect("one of them holds");
}

#[test]
fn a_hash_that_the_signature_was_not_made_over_is_refused() {
    let key = key(KeyAlgorithm::EcdsaP256);
    let envelope = signed_bytes(&key, statement().to_string().as_bytes());
    let sha512 = TrustedKey::new(key.public_key(), None, Some(SignatureHash::Sha512)).expect("possible");
    let error = verify_summary(&envelope, &sha512, &expectations(&["sha256:aa"], &[])).expect_err("another hash");
    assert!(matches!(&error, VsaError::Signature { .. }) && error.to_string().contains("over sha512"), "{error}");
}

#[test]
fn a_signature_that_names_another_key_is_passed_over_if_one_is_asked_for() {
    let key = key(KeyAlgorithm::EcdsaP256);
    let payload = statement().to_string();
    let expected = expectations(&["sha256:aa"], &[]);
    let named = |id| TrustedKey::new(key.public_key(), Some(id), None).expect("a key");
    let bytes = signed_bytes(&key, payload.as_bytes());
    verify_summary(&bytes, &named("its-name"), &expected).expect("the name is as expected");
    let refused = verify_summary(&bytes, &named("other"), &expected);
    assert!(
        matches!(refused, Err(VsaError::KeyId { expected, found }) if expected == "other" && found == "`its-name`")
    );
    let nameless = envelope(payload.as_bytes(), &json!([{ "sig": signature(&key, payload.as_bytes()) }]));
    verify_summary(&nameless, &named("other"), &expected).expect("a signature need not say whose it is");
}

#[test]
fn a_payload_that_is_no_statement_is_refused() {
    let twice = statement().to_string().replacen("\"predicate\":", "\"subject\":[],\"predicate\":", 1);
    for payload in [&b"{"[..], b"\xff", b"[]", b"null", b"{}", twice.as_bytes()] {
        let error = error_of_payload(payload);
        assert!(matches!(error, VsaError::Json(_)), "{error}");
    }
    for (pointer, value) in [
        ("/subject", json!({})),
        ("/subject/0/digest/sha256", json!(1)),
        ("/predicate", json!(["PASSED"])),
        ("/predicate/verifier", json!(VERIFIER)),
        ("/predicate/verifiedLevels", json!("SLSA_BUILD_LEVEL_3")),
        ("/predicate/verificationResult", json!(true)),
    ] {
        let error = error(|statement| *statement.pointer_mut(pointer).expect("there") = value);
        assert!(matches!(error, VsaError::Json(_)), "{pointer}: {error}");
    }
}

#[test]
fn another_type_is_refused() {
    let error_by = error(|statement| statement["_type"] = "https://in-toto.io/Statement/v2".into());
    assert!(matches!(error_by, VsaError::StatementType { found } if found.ends_with("/v2")));
    for other in ["https://slsa.dev/provenance/v1", "https://slsa.dev/verification_summary/v1.0", ""] {
        let error = error(|statement| statement["predicateType"] = other.into());
        assert!(matches!(error, VsaError::PredicateType { found } if found == other));
    }
}

#[test]
fn what_every_summary_has_to_say_is_needed() {
    for (object, name, member) in [
        ("/predicate", "verifier", "predicate.verifier.id"),
        ("/predicate/verifier", "id", "predicate.verifier.id"),
        ("/predicate", "resourceUri", "predicate.resourceUri"),
        ("/predicate", "verificationResult", "predicate.verificationResult"),
        ("/predicate", "verifiedLevels", "predicate.verifiedLevels"),
    ] {
        let error = error(|statement| {
            statement.pointer_mut(object).and_then(Value::as_object_mut).expect("there").remove(name);
        });
        assert!(matches!(error, VsaError::MissingMember { member: found } if found == member), "{error}");
    }
    let unnamed = error(|statement| statement["predicate"]["verifier"]["id"] = "".into());
    assert!(matches!(unnamed, VsaError::MissingMember { .. }));
    for time in ["yesterday", "2026-01-02", ""] {
        let error = error(|statement| statement["predicate"]["timeVerified"] = time.into());
        assert!(matches!(error, VsaError::Time { found } if found == time));
    }
}

#[test]
fn every_digest_has_to_be_a_subject() {
    for subjects in [json!([]), json!([{ "name": "a" }]), json!([{ "digest": {} }])] {
        assert!(matches!(error(|statement| statement["subject"] = subjects), VsaError::NoSubject));
    }
    for wrong in ["sha256:cc", "sha512:aa", "sha256:AA", "gce_image_id:1"] {
        let refused = with_expectations(&expectations(&["sha256:aa", wrong], &[])).expect_err(wrong);
        assert!(matches!(&refused, VsaError::Subject { expected, .. } if expected == wrong), "{refused}");
        assert!(refused.to_string().contains("`gce_image_id:1:2`, `sha256:aa`, `sha256:bb`"), "{refused}");
    }
    let many: Vec<Value> = (0..1_000).map(|number| json!({ "digest": { "n": number.to_string() } })).collect();
    let refused = error(|statement| statement["subject"] = many.into()).to_string();
    assert!(refused.ends_with("`n:7`, …"), "{refused}");
}

#[test]
fn another_verifier_resource_or_result_is_refused() {
    let refused = error(|statement| statement["predicate"]["verifier"]["id"] = "https://example.com/verifier/".into());
    assert!(matches!(refused, VsaError::Verifier { expected, found } if expected == VERIFIER && found != expected));
    let refused = error(|statement| statement["predicate"]["resourceUri"] = "pkg:model/example@2".into());
    assert!(matches!(refused, VsaError::Resource { expected, found } if expected == RESOURCE && found != expected));
    for result in ["FAILED", "passed", "PASSED "] {
        let refused = error(|statement| statement["predicate"]["verificationResult"] = result.into());
        assert!(matches!(refused, VsaError::NotPassed { found } if found == result));
    }
}

#[test]
fn every_level_has_to_be_reached() {
    for wrong in ["SLSA_BUILD_LEVEL_4", "SLSA_SOURCE_LEVEL_0", "SLSA_SOURCE_LEVEL_1", "SLSA_DEP_LEVEL_1", "OTHER"] {
        let refused = with_expectations(&expectations(&["sha256:aa"], &["CUSTOM", wrong])).expect_err(wrong);
        assert!(matches!(refused, VsaError::Level { expected, .. } if expected == wrong));
    }
    let refused = error(|statement| statement["predicate"]["verifiedLevels"] = json!(["SLSA_BUILD_LEVEL_x"]));
    assert!(matches!(refused, VsaError::MalformedLevel(InvalidLevel { found }) if found == "SLSA_BUILD_LEVEL_x"));
    with_expectations(&expectations(&["sha256:aa"], &["SLSA_SOURCE_LEVEL_UNEVALUATED"])).expect("it says so");
}

#[test]
fn too_little_to_expect_is_refused() {
    let one = || vec!["sha256:aa".to_owned()];
    let make = |digests: Vec<String>, verifier, resource, levels: &[&str]| {
        let levels: Vec<String> = levels.iter().map(|level| (*level).to_owned()).collect();
        Expectations::new(&digests, verifier, resource, &levels).expect_err("too little")
    };
    assert_eq!(make(Vec::new(), "v", "r", &[]), InvalidExpectation::NoSubjectDigest);
    for found in ["", "sha256", "sha256:", ":aa"] {
        let refused = make(vec![found.to_owned()], "v", "r", &[]);
        assert_eq!(refused, InvalidExpectation::DigestForm { found: found.to_owned() });
    }
    assert_eq!(make(one(), "", "r", &[]), InvalidExpectation::NoVerifier);
    assert_eq!(make(one(), "v", "", &[]), InvalidExpectation::NoResource);
    assert_eq!(make(one(), "v", "r", &[""]), InvalidExpectation::EmptyLevel);
    assert!(matches!(make(one(), "v", "r", &["SLSA_X"]), InvalidExpectation::Level(_)));
    let (ed25519, p256) = (key(KeyAlgorithm::Ed25519), key(KeyAlgorithm::EcdsaP256));
    let refused = TrustedKey::new(ed25519.public_key(), None, Some(SignatureHash::Sha256)).expect_err("its own");
    assert!(matches!(refused, InvalidExpectation::Hash { hash: SignatureHash::Sha256, .. }));
    let refused = TrustedKey::new(p256.public_key(), Some(""), None).expect_err("empty");
    assert_eq!(refused, InvalidExpectation::EmptyKeyId);
}

fn bundle(envelope: &[u8], media_type: &str, material: &Value) -> Vec<u8> {
    let envelope: Value = serde_json::from_slice(envelope).expect("JSON");
    let bundle = json!({ "mediaType": media_type, "verificationMaterial": material, "dsseEnvelope": envelope });
    bundle.to_string().into_bytes()
}

const BUNDLE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";

#[test]
fn a_bundle_of_any_version_is_as_good_as_its_envelope() {
    let key = key(KeyAlgorithm::EcdsaP256);
    let signed = signed_bytes(&key, statement().to_string().as_bytes());
    let expected = expectations(&["sha256:aa"], &["SLSA_BUILD_LEVEL_3"]);
    let alone = verify_summary(&signed, &trusted(key.public_key()), &expected).expect("it holds");
    let material = json!({ "publicKey": { "hint": "another" }, "tlogEntries": [], "unknown": 1 });
    for media_type in [
        BUNDLE,
        "application/vnd.dev.sigstore.bundle+json;version=0.1",
        "application/vnd.dev.sigstore.bundle+json;version=0.2",
        "application/vnd.dev.sigstore.bundle+json;version=0.3",
    ] {
        let bundle = bundle(&signed, media_type, &material);
        let found = verify_summary(&bundle, &trusted(key.public_key()), &expected).expect("it holds");
        assert_eq!(found, alone);
        let other = self::key(KeyAlgorithm::EcdsaP256);
        let refused = verify_summary(&bundle, &trusted(other.public_key()), &expected);
        assert!(matches!(refused, Err(VsaError::Signature { .. })));
    }
    assert!(matches!(alone.signer(), SummarySigner::Key { hint, .. } if *hint == key.public_key().hint()));
    let twice = format!(r#"{{"mediaType":"a","mediaType":"b",{}"#, &String::from_utf8_lossy(&signed)[1..]);
    let of_a_file = json!({ "mediaType": BUNDLE, "messageSignature": {} }).to_string();
    for (bytes, is_json) in [(twice, true), (of_a_file, false)] {
        let refused = verify_summary(bytes.as_bytes(), &trusted(key.public_key()), &expected).expect_err("no envelope");
        match refused {
            VsaError::Envelope(InvalidEnvelope::Json(_)) => assert!(is_json),
            VsaError::Envelope(InvalidEnvelope::NoAttestation) => assert!(!is_json),
            other => panic!("{other}"),
        }
    }
}

#[test]
fn whoever_trusts_certificates_needs_a_bundle_with_one() {
    let key = key(KeyAlgorithm::EcdsaP256);
    let signed = signed_bytes(&key, statement().to_string().as_bytes());
    let expected = expectations(&["sha256:aa"], &[]);
    let root = TrustedRoot::embedded(Instance::Production);
    let anchors = Anchors::Given(&[]);
    let certificates = CertificateTrust { anchors, identity: None, revocation_lists: &[], now: UnixTime(0) };
    let certificates = VerifierTrust::Certificates(certificates, TimestampTrust::default());
    let sigstore = VerifierTrust::Sigstore { root: &root, signer: SignerRule::Anybody };
    let of_key = bundle(&signed, BUNDLE, &json!({ "publicKey": { "hint": "a" }, "tlogEntries": [] }));
    for trust in [certificates, sigstore] {
        assert!(matches!(verify_summary(&signed, trust, &expected), Err(VsaError::NoCertificate)));
        assert!(matches!(verify_summary(b"{}", trust, &expected), Err(VsaError::Envelope(_))));
        let error = verify_summary(&of_key, trust, &expected).expect_err("a key is no certificate");
        assert!(matches!(error, VsaError::Signer(_)), "{error}");
        let long = vec![b' '; usize::try_from(MAX_ENVELOPE_BYTES).expect("fits") + 1];
        assert!(matches!(verify_summary(&long, trust, &expected), Err(VsaError::Envelope(InvalidEnvelope::TooLarge))));
    }
    let unknown = bundle(&signed, "application/vnd.dev.sigstore.bundle.v0.4+json", &json!({}));
    assert!(matches!(verify_summary(&unknown, certificates, &expected), Err(VsaError::Bundle(_))));
}

#[test]
fn a_summary_of_ones_own_is_verified() {
    let key = key(KeyAlgorithm::EcdsaP384);
    let digest = format!("sha256:{}", "ab".repeat(32));
    let summary = VerificationSummary {
        subjects: vec![Subject { name: None, digests: vec![SubjectDigest::parse(&digest).expect("a digest")] }],
        verifier_id: VERIFIER.to_owned(),
        verifier_version: BTreeMap::new(),
        time_verified: UnixTime(0),
        resource_uri: RESOURCE.to_owned(),
        policy_uri: "https://example.com/policy".to_owned(),
        policy_digests: Vec::new(),
        input_attestations: Vec::new(),
        build_level: Some(2),
    };
    let signed = sign_statement(summary.to_statement().expect("valid"), &KeySigner::new(&key), Witnesses::default());
    let bundle = signed.expect("signed").bundle;
    for attestation in [bundle.to_json(), bundle.to_envelope_json()] {
        let expected = expectations(&[&digest], &["SLSA_BUILD_LEVEL_2"]);
        let found = verify_summary(&attestation, &trusted(key.public_key()), &expected).expect("it holds");
        assert_eq!(found.levels(), [summary.level()]);
        assert_eq!(found.policy_uri(), Some("https://example.com/policy"));
    }
}

/// The test that produces each variant: a new one does not compile without a line here.
const _: fn(&VsaError) -> fn() = |error| match error {
    VsaError::Envelope(_) => what_is_no_envelope_is_refused,
    VsaError::KeyId { .. } => a_signature_that_names_another_key_is_passed_over_if_one_is_asked_for,
    VsaError::Signature { .. } => a_signature_by_nobody_or_somebody_else_is_refused,
    VsaError::NoCertificate | VsaError::Bundle(_) | VsaError::Signer(_) => {
        whoever_trusts_certificates_needs_a_bundle_with_one
    }
    VsaError::Json(_) => a_payload_that_is_no_statement_is_refused,
    VsaError::StatementType { .. } | VsaError::PredicateType { .. } => another_type_is_refused,
    VsaError::MissingMember { .. } => what_every_summary_has_to_say_is_needed,
    VsaError::NoSubject | VsaError::Subject { .. } => every_digest_has_to_be_a_subject,
    VsaError::Verifier { .. } | VsaError::Resource { .. } | VsaError::NotPassed { .. } => {
        another_verifier_resource_or_result_is_refused
    }
    VsaError::MalformedLevel(_) | VsaError::Level { .. } => every_level_has_to_be_reached,
};
