//! The public OMS conformance cases and the example bundles of the specification, verified as the command line does.
//!
//! They are found through `MODEL_SIGNING_VECTORS`, absolute or relative to the workspace.

mod forge;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use forge::{Expected, KEY, Refusal, bundle_by, new_key, refused, vectors};
use model_transparency::certificate::{Certificate, IdentityRule, PathError, UnixTime};
use model_transparency::envelope::{Bundle, FormatVersion, InvalidBundle, InvalidJson, InvalidStatement, Statement};
use model_transparency::hash::Options;
use model_transparency::key::{KeyAlgorithm, PublicKey, SignatureScheme, SigningKey as _};
use model_transparency::log::LogEntryError;
use model_transparency::manifest::{Changed, InvalidManifest};
use model_transparency::model::{IgnoreRules, LocalModel, SymlinkPolicy, Unlisted};
use model_transparency::sigstore::{Instance, SignerRule, SigstoreError, SigstoreTrust, TrustedRoot};
use model_transparency::trust::{Anchors, CertificateTrust, Trust};
use model_transparency::verify::{CompareError, CompareOptions, SignatureError, Verdict, check_signature, compare};
use serde_json::{Value, json};

/// When the certificate cases are verified: 2026-11-25.
const NOW: UnixTime = UnixTime(1_795_564_800);

/// The cases and what each must give; `None` where it verifies.
const CASES: &[(&str, Option<Expected>)] = &[
    ("positive/key-multi-file", None),
    ("positive/key-simple", None),
    ("positive/key-simple-go", None),
    // Its bundle lists `extra.bin`, the file that it calls unsigned; `compare` has tests with files that are.
    ("positive/key-simple-ignore-unsigned-files", None),
    ("positive/key-single-file", None),
    ("historical/historical-v0.3.1-elliptic-key", None),
    ("historical/historical-v1.0.0-elliptic-key", None),
    ("historical/historical-v1.0.1-elliptic-key", None),
    ("historical/historical-v1.1.0-elliptic-key", None),
    ("positive/certificate-simple", None),
    ("positive/certificate-simple-go", None),
    ("historical/historical-v0.2.0-certificate", None),
    ("historical/historical-v0.3.1-certificate", None),
    ("historical/historical-v1.0.0-certificate", None),
    ("historical/historical-v1.0.1-certificate", None),
    ("historical/historical-v1.1.0-certificate", None),
    (
        "negative/certificate-expired_fail",
        Some(refused!(Refusal::Signature(SignatureError::Path(PathError::OutOfValidity { not_after, time: NOW, .. }))
            if not_after.to_string() == "2020-01-02T00:00:00Z")),
    ),
    (
        "negative/certificate-simple-wrong-ca_fail",
        Some(refused!(Refusal::Signature(SignatureError::Path(PathError::NoPath { issuer, .. }))
            if issuer == "CN=root-ca")),
    ),
    (
        "negative/key-verify-as-certificate_fail",
        Some(refused!(Refusal::Signature(SignatureError::Method { expected: "certificate", found: "key" }))),
    ),
    (
        "negative/key-simple-corrupted-bundle_fail",
        Some(refused!(Refusal::Bundle(InvalidBundle::Json(InvalidJson::Syntax(_))))),
    ),
    (
        "negative/key-simple-extra-file_fail",
        Some(refused!(Refusal::Compare(CompareError::Mismatch { difference, .. })
            if difference.extra == ["injected.bin"] && difference.changed.is_empty() && difference.missing.is_empty())),
    ),
    (
        "negative/key-simple-missing-file_fail",
        Some(refused!(Refusal::Compare(CompareError::Mismatch { difference, .. })
            if difference.missing == ["signme-2"] && difference.changed.is_empty() && difference.extra.is_empty())),
    ),
    (
        "negative/key-simple-no-signature_fail",
        Some(refused!(Refusal::Bundle(InvalidBundle::SignatureCount { found: 0 }))),
    ),
    (
        "negative/key-simple-tampered-content_fail",
        Some(refused!(Refusal::Compare(CompareError::Mismatch { difference, .. })
            if difference.missing.is_empty()
                && difference.extra.is_empty()
                && matches!(difference.changed.as_slice(),
                    [Changed::Digest { path, range: None, expected, found }]
                        if path == "signme-1"
                            && expected.to_hex() == "bc9a717db6064a32cbe9eae6fc40651dd6d36ef1757183f590eff2b1765d7ebc"
                            && found != expected))),
    ),
    (
        "negative/key-simple-truncated-bundle_fail",
        Some(refused!(Refusal::Bundle(InvalidBundle::Json(InvalidJson::Syntax(_))))),
    ),
    (
        "negative/key-simple-wrong-key_fail",
        Some(refused!(Refusal::Signature(SignatureError::OtherKey { expected, found })
            if expected == "e8450dec4eb99dae995da9af1bc2cc9f76ed669ee2e744f57abba763df3e3f8e" && found != expected)),
    ),
    (
        "negative/key-simple-wrong-mediatype_fail",
        Some(refused!(Refusal::Bundle(InvalidBundle::MediaType { found }) if found == "application/json")),
    ),
    (
        "negative/malformed-empty-bundle_fail",
        Some(refused!(Refusal::Bundle(InvalidBundle::Json(InvalidJson::Syntax(_))))),
    ),
    // The next five carry the signature of another payload; `resigned_malformations_are_refused_for_what_they_are`
    // looks behind it.
    (
        "negative/malformed-empty-resources_fail",
        Some(refused!(Refusal::Signature(SignatureError::DoesNotVerify { .. }))),
    ),
    ("negative/malformed-no-predicate_fail", Some(refused!(Refusal::Signature(SignatureError::DoesNotVerify { .. })))),
    ("negative/malformed-no-subject_fail", Some(refused!(Refusal::Signature(SignatureError::DoesNotVerify { .. })))),
    (
        "negative/malformed-wrong-predicate_fail",
        Some(refused!(Refusal::Signature(SignatureError::DoesNotVerify { .. }))),
    ),
    (
        "negative/malformed-wrong-statement-type_fail",
        Some(refused!(Refusal::Signature(SignatureError::DoesNotVerify { .. }))),
    ),
    ("negative/malformed-missing-envelope_fail", Some(refused!(Refusal::Bundle(InvalidBundle::NoEnvelope)))),
    (
        "negative/malformed-wrong-payload-type_fail",
        Some(refused!(Refusal::Bundle(InvalidBundle::PayloadType { found }) if found == "application/json")),
    ),
    (
        "negative/sigstore-verify-as-key_fail",
        Some(refused!(Refusal::Signature(SignatureError::Method { expected: "key", found: "sigstore" }))),
    ),
    ("historical/historical-v0.3.1-sigstore", None),
    ("historical/historical-v1.0.0-sigstore", None),
    ("historical/historical-v1.0.1-sigstore", None),
    ("historical/historical-v1.1.0-sigstore", None),
    (
        "negative/sigstore-tampered-content_fail",
        Some(refused!(Refusal::Compare(CompareError::Mismatch { difference, .. })
            if difference.changed.len() == 1 && difference.missing.is_empty() && difference.extra.is_empty())),
    ),
    (
        "negative/sigstore-wrong-identity_fail",
        Some(refused!(Refusal::Signature(SignatureError::Sigstore(SigstoreError::Identity { found, .. }))
            if found == &["stefanb@us.ibm.com"])),
    ),
    // Another signer is expected too, which comes first; `each_part_of_the_evidence_is_needed` has the provider alone.
    (
        "negative/sigstore-wrong-issuer_fail",
        Some(refused!(Refusal::Signature(SignatureError::Sigstore(SigstoreError::Identity { .. })))),
    ),
];

/// Malformed payloads whose signature in the vector is that of another payload, and what is wrong with each.
const RESIGNED: &[(&str, Expected)] = &[
    (
        "malformed-empty-resources_fail",
        refused!(Refusal::Statement(InvalidStatement::Manifest(InvalidManifest::Empty))),
    ),
    ("malformed-no-predicate_fail", refused!(Refusal::Statement(InvalidStatement::NoPredicate))),
    ("malformed-no-subject_fail", refused!(Refusal::Statement(InvalidStatement::SubjectCount { found: 0 }))),
    (
        "malformed-wrong-predicate_fail",
        refused!(Refusal::Statement(InvalidStatement::PredicateType { found })
            if found == "https://example.com/wrong-predicate/v1.0"),
    ),
    (
        "malformed-wrong-statement-type_fail",
        refused!(Refusal::Statement(InvalidStatement::StatementType { found })
            if found == "https://in-toto.io/Statement/v0.1"),
    ),
];

#[test]
fn every_case_gives_its_verdict() {
    let Some(oms) = oms("every_case_gives_its_verdict") else { return };
    let mut left: BTreeSet<&str> = CASES.iter().map(|(name, _)| *name).collect();
    for case in cases(&oms) {
        let expected = CASES.iter().find(|(name, _)| *name == case.name);
        let Some((_, expected)) = expected else { panic!("{} is not in the table: say what it must give", case.name) };
        left.remove(case.name.as_str());
        let outcome = case.verify(&oms);
        match expected {
            None => {
                assert!(!case.must_fail(), "{}: the table disagrees with config.json", case.name);
                let verdict = outcome.unwrap_or_else(|refusal| panic!("{}: {refusal}", case.name));
                case.assert_signed_files(&verdict.statement);
                assert_eq!(verdict.files, verdict.statement.manifest().file_count(), "{}", case.name);
            }
            Some(expected) => {
                assert!(case.must_fail(), "{}: the table disagrees with config.json", case.name);
                expected.assert(&case.name, outcome);
            }
        }
    }
    assert!(left.is_empty(), "in the table and not in the vectors: {left:?}");
}

#[test]
fn a_key_does_not_verify_what_another_method_signed() {
    let Some(oms) = oms("a_key_does_not_verify_what_another_method_signed") else { return };
    let mut seen = 0;
    for case in cases(&oms).into_iter().filter(|case| case.method() != "key") {
        let bundle = Bundle::parse(&case.bundle()).unwrap_or_else(|error| panic!("{}: {error}", case.name));
        let outcome = check_signature(&bundle, Trust::key(KEY.public_key())).expect_err(&case.name);
        let expected = match case.name.as_str() {
            // Signed with a key, and meant to be verified as a certificate.
            "negative/key-verify-as-certificate_fail" => "key",
            _ => case.method(),
        };
        assert_eq!(bundle.material().method(), expected, "{}", case.name);
        match outcome {
            SignatureError::Method { expected: "key", found } => assert_eq!(found, expected, "{}", case.name),
            SignatureError::OtherKey { .. } => assert_eq!(expected, "key", "{}", case.name),
            _ => panic!("{}: {outcome}", case.name),
        }
        seen += 1;
    }
    assert!(seen > 0, "there are cases of other methods");
}

#[test]
fn resigned_malformations_are_refused_for_what_they_are() {
    let Some(oms) = oms("resigned_malformations_are_refused_for_what_they_are") else { return };
    for (name, expected) in RESIGNED {
        let case = Case::load(oms.join("cases/negative").join(name));
        let resigned = bundle_by(&KEY, &case.payload()).to_string();
        expected.assert(name, forge::read(resigned.as_bytes()));
    }
}

/// The only v0.2.0 vector is of the certificate method. Its signature is made as that of the key method was, with the
/// key of the leaf, so it shows here that the malformed encoding is read as it was written.
#[test]
fn a_v0_2_0_signature_verifies_with_the_key_that_made_it() {
    let Some(oms) = oms("a_v0_2_0_signature_verifies_with_the_key_that_made_it") else { return };
    let case = Case::load(oms.join("cases/historical/historical-v0.2.0-certificate"));
    let key = public_key(&oms, "keys/certificate/signing-key-pub.pem");
    assert_eq!(key.algorithm(), KeyAlgorithm::EcdsaP384);
    let mut bundle: Value = serde_json::from_slice(&case.bundle()).expect("JSON");
    bundle["verificationMaterial"] =
        json!({ "publicKey": { "rawBytes": "", "keyDetails": "PKIX_ECDSA_P256_SHA_256" } });
    let verdict = case.verify_bundle(bundle.to_string().as_bytes(), &key).unwrap_or_else(|refusal| panic!("{refusal}"));
    assert_eq!(verdict.evidence.scheme, SignatureScheme::EcdsaSha256);
    assert_eq!(verdict.statement.format(), FormatVersion::V0_2);
    case.assert_signed_files(&verdict.statement);
}

/// A real bundle of the public-good instance with one thing changed at a time.
#[test]
fn each_part_of_the_evidence_is_needed() {
    let Some(oms) = oms("each_part_of_the_evidence_is_needed") else { return };
    let case = Case::load(oms.join("cases/historical/historical-v1.1.0-sigstore"));
    let original: Value = serde_json::from_slice(&case.bundle()).expect("JSON");
    let root = TrustedRoot::embedded(Instance::Production);
    let (identity, issuer) =
        (IdentityRule::Exact("stefanb@us.ibm.com".to_owned()), IdentityRule::pattern("https://.*"));
    let issuer = issuer.expect("valid");
    let check = |bundle: &Value, signer| {
        let bundle = Bundle::parse(bundle.to_string().as_bytes()).expect("readable");
        let verified = check_signature(&bundle, Trust::sigstore(SigstoreTrust { root: &root, signer, now: NOW }));
        verified.map(|verified| verified.evidence().clone())
    };
    let named = SignerRule::Named { identity: &identity, issuer: &issuer };

    let evidence = check(&original, named).expect("as it was signed");
    let sigstore = evidence.sigstore.expect("a certificate");
    assert_eq!(sigstore.identity, "stefanb@us.ibm.com");
    assert_eq!(sigstore.certificate.issuer.as_deref(), Some("https://sigstore.verify.ibm.com/oauth2"));
    assert_eq!(sigstore.times, [UnixTime(1_760_062_340)], "the timestamp and the log state the same second");
    assert_eq!((evidence.log_entries.len(), evidence.timestamps.len()), (1, 1));
    assert_eq!((evidence.unchecked_log_entries, evidence.unchecked_timestamps), (0, 0));

    // Changes a byte in the middle of a Base64 text.
    let flip = |value: &mut Value| {
        let mut bytes = STANDARD.decode(value.as_str().expect("text")).expect("Base64");
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        *value = STANDARD.encode(bytes).into();
    };
    type Change = fn(&mut Value, &dyn Fn(&mut Value));
    type Expect = fn(&SignatureError) -> bool;
    let changes: [(&str, Change, Expect); 11] = [
        (
            "payload",
            |b, flip| flip(&mut b["dsseEnvelope"]["payload"]),
            |e| matches!(e, SignatureError::DoesNotVerify { .. }),
        ),
        (
            "signature",
            |b, flip| flip(&mut b["dsseEnvelope"]["signatures"][0]["sig"]),
            |e| matches!(e, SignatureError::DoesNotVerify { .. }),
        ),
        (
            "proof",
            |b, flip| flip(&mut b["verificationMaterial"]["tlogEntries"][0]["inclusionProof"]["hashes"][0]),
            |e| matches!(e, SignatureError::LogEntry { error: LogEntryError::Inclusion(_), .. }),
        ),
        (
            "checkpoint",
            |b, _| {
                let envelope =
                    &mut b["verificationMaterial"]["tlogEntries"][0]["inclusionProof"]["checkpoint"]["envelope"];
                *envelope = envelope
                    .as_str()
                    .expect("text")
                    .replacen("rekor.sigstore.dev - ", "rekor.sigstore.dev - 1", 1)
                    .into();
            },
            |e| matches!(e, SignatureError::LogEntry { error: LogEntryError::Checkpoint(_), .. }),
        ),
        (
            "promise",
            |b, flip| {
                flip(&mut b["verificationMaterial"]["tlogEntries"][0]["inclusionPromise"]["signedEntryTimestamp"])
            },
            |e| matches!(e, SignatureError::LogEntry { error: LogEntryError::Promise, .. }),
        ),
        (
            "time of the log",
            |b, _| b["verificationMaterial"]["tlogEntries"][0]["integratedTime"] = "1760062941".into(),
            |e| matches!(e, SignatureError::LogEntry { error: LogEntryError::Promise, .. }),
        ),
        (
            "timestamp",
            |b, flip| {
                flip(
                    &mut b["verificationMaterial"]["timestampVerificationData"]["rfc3161Timestamps"][0]["signedTimestamp"],
                );
            },
            |e| {
                matches!(
                    e,
                    SignatureError::Sigstore(SigstoreError::Timestamp { .. }) | SignatureError::Timestamp { .. }
                )
            },
        ),
        (
            "no entry",
            |b, _| b["verificationMaterial"]["tlogEntries"] = json!([]),
            |e| matches!(e, SignatureError::Sigstore(SigstoreError::NoLogEntry)),
        ),
        (
            "another log",
            |b, _| b["verificationMaterial"]["tlogEntries"][0]["logId"]["keyId"] = STANDARD.encode([7; 32]).into(),
            |e| matches!(e, SignatureError::LogEntry { error: LogEntryError::UnknownLog { .. }, .. }),
        ),
        (
            "certificate",
            |b, flip| flip(&mut b["verificationMaterial"]["certificate"]["rawBytes"]),
            |e| {
                // The entry has the certificate as it was.
                matches!(e, SignatureError::LogEntry { error: LogEntryError::OtherSigner, .. })
            },
        ),
        (
            "no proof and no promise",
            |b, _| {
                let entry = b["verificationMaterial"]["tlogEntries"][0].as_object_mut().expect("an object");
                entry.remove("inclusionProof");
                entry.remove("inclusionPromise");
            },
            |e| matches!(e, SignatureError::LogEntry { error: LogEntryError::Unproven, .. }),
        ),
    ];
    for (name, change, expected) in changes {
        let mut bundle = original.clone();
        change(&mut bundle, &flip);
        assert_ne!(bundle, original, "{name}");
        let error = check(&bundle, named).expect_err(name);
        assert!(expected(&error), "{name}: {error:?}");
    }

    let other = IdentityRule::Exact("https://accounts.example.com".to_owned());
    let error =
        check(&original, SignerRule::Named { identity: &identity, issuer: &other }).expect_err("another provider");
    assert!(matches!(error, SignatureError::Sigstore(SigstoreError::Issuer { .. })), "{error}");
    let staging = TrustedRoot::embedded(Instance::Staging);
    let bundle = Bundle::parse(&case.bundle()).expect("readable");
    let trust = SigstoreTrust { root: &staging, signer: SignerRule::Anybody, now: NOW };
    let error = check_signature(&bundle, Trust::sigstore(trust)).expect_err("another instance");
    assert!(matches!(error, SignatureError::Sigstore(SigstoreError::OtherInstance { .. })), "{error}");
}

#[test]
fn hints_and_raw_bytes_lead_to_the_same_key() {
    let Some(oms) = oms("hints_and_raw_bytes_lead_to_the_same_key") else { return };
    let key = public_key(&oms, "keys/certificate/signing-key-pub.pem");
    let hint = "e8450dec4eb99dae995da9af1bc2cc9f76ed669ee2e744f57abba763df3e3f8e";
    assert_eq!(key.hint(), hint);
    for version in ["v0.3.1", "v1.0.0", "v1.0.1", "v1.1.0"] {
        let case = Case::load(oms.join(format!("cases/historical/historical-{version}-elliptic-key")));
        let verdict = case.verify(&oms).unwrap_or_else(|refusal| panic!("{version}: {refusal}"));
        assert_eq!(verdict.evidence.key_hint, hint, "{version}");
        assert_eq!(verdict.evidence.misleading_hint, None, "{version}");
        assert_eq!(verdict.statement.format(), FormatVersion::V1 { minor: 0 }, "{version}");
    }
}

#[test]
fn the_valid_examples_of_the_specification_are_read() {
    let Some(oms) = oms("the_valid_examples_of_the_specification_are_read") else { return };
    for (name, method) in [("key", "key"), ("certificate", "certificate"), ("sigstore", "sigstore")] {
        let bundle = example(&oms, "valid", name).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(bundle.material().method(), method);
        let statement = bundle.unverified_statement().unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(signed_files(&statement), ["signme-1", "signme-2"], "{name}");
    }
    let key = public_key(&oms, "keys/certificate/signing-key-pub.pem");
    let bundle = example(&oms, "valid", "key").expect("read above");
    check_signature(&bundle, Trust::key(&key)).expect("signed with the key of the cases");
    assert_only_known(&oms, "valid", &["key", "certificate", "sigstore"]);
}

#[test]
fn the_invalid_examples_of_the_specification_are_refused() {
    let Some(oms) = oms("the_invalid_examples_of_the_specification_are_refused") else { return };
    let expected: [(&str, Expected); 3] = [
        ("empty", refused!(Refusal::Bundle(InvalidBundle::Json(InvalidJson::Syntax(_))))),
        ("missing-envelope", refused!(Refusal::Bundle(InvalidBundle::NoEnvelope))),
        ("missing-verification-material", refused!(Refusal::Bundle(InvalidBundle::NoVerificationMaterial))),
    ];
    for (name, expected) in expected {
        expected.assert(name, example(&oms, "invalid", name).map_err(Refusal::Bundle));
    }
    // It breaks a rule of the sigstore method alone.
    let bundle = example(&oms, "invalid", "missing-tlog-entries").expect("readable");
    let root = TrustedRoot::embedded(Instance::Production);
    let trust = SigstoreTrust { root: &root, signer: SignerRule::Anybody, now: NOW };
    let refusal = check_signature(&bundle, Trust::sigstore(trust)).expect_err("there is no log entry");
    assert_eq!(refusal, SignatureError::Sigstore(SigstoreError::NoLogEntry));
    assert_only_known(
        &oms,
        "invalid",
        &["empty", "missing-envelope", "missing-verification-material", "missing-tlog-entries"],
    );

    let bundle = example(&oms, "invalid-payload", "wrong-predicate").expect("its envelope is valid");
    let error = bundle.unverified_statement().expect_err("another predicate");
    assert!(matches!(error, InvalidStatement::PredicateType { .. }), "{error}");
    assert_only_known(&oms, "invalid-payload", &["wrong-predicate"]);
}

fn oms(test: &str) -> Option<PathBuf> {
    vectors("oms", test)
}

/// A conformance case.
struct Case {
    /// `negative/NAME`.
    name: String,
    folder: PathBuf,
    config: Value,
}

fn cases(oms: &Path) -> Vec<Case> {
    let mut cases = Vec::new();
    for group in ["positive", "negative", "historical"] {
        for entry in fs::read_dir(oms.join("cases").join(group)).expect("the vectors have this group") {
            cases.push(Case::load(entry.expect("readable").path()));
        }
    }
    cases.sort_by(|a, b| a.name.cmp(&b.name));
    cases
}

impl Case {
    fn load(folder: PathBuf) -> Self {
        let name: Vec<&str> = folder.iter().rev().take(2).map(|part| part.to_str().expect("ASCII")).collect();
        let name = format!("{}/{}", name[1], name[0]);
        let config = fs::read(folder.join("config.json")).unwrap_or_else(|error| panic!("{name}: {error}"));
        let config: Value = serde_json::from_slice(&config).unwrap_or_else(|error| panic!("{name}: {error}"));
        Self { name, folder, config }
    }

    fn method(&self) -> &str {
        self.config["method"].as_str().expect("every case has a method")
    }

    fn must_fail(&self) -> bool {
        self.config["expect"] == "fail"
    }

    fn bundle(&self) -> Vec<u8> {
        fs::read(self.folder.join("bundle.sig")).expect("every case has a bundle")
    }

    fn payload(&self) -> Vec<u8> {
        let bundle: Value = serde_json::from_slice(&self.bundle()).expect("JSON");
        STANDARD.decode(bundle["dsseEnvelope"]["payload"].as_str().expect("text")).expect("Base64")
    }

    /// Verifies with the arguments of the case.
    fn verify(&self, oms: &Path) -> Result<Verdict, Refusal> {
        let source = match self.config["model_relative_to"].as_str() {
            Some("test_dir") => self.folder.join(self.model()),
            _ => oms.join(self.model()),
        };
        if self.method() == "certificate" {
            let files = texts(&self.config["verify"]["cert_chain"]);
            let anchors: Vec<Certificate> = files.iter().flat_map(|path| certificates(oms, path)).collect();
            let trust =
                CertificateTrust { anchors: Anchors::Given(&anchors), identity: None, revocation_lists: &[], now: NOW };
            return self.verify_copy(&source, &self.bundle(), Trust::certificates(trust));
        }
        if self.method() == "sigstore" {
            let rule = |name: &str| IdentityRule::Exact(self.config["verify"][name].as_str().expect("text").to_owned());
            let (identity, issuer) = (rule("identity"), rule("identity_provider"));
            let root = TrustedRoot::embedded(Instance::Production);
            let signer = SignerRule::Named { identity: &identity, issuer: &issuer };
            return self.verify_copy(
                &source,
                &self.bundle(),
                Trust::sigstore(SigstoreTrust { root: &root, signer, now: NOW }),
            );
        }
        let path = self.config["verify"]["public_key"].as_str().expect("the key method has a key");
        let key = if self.name == "negative/sigstore-verify-as-key_fail" {
            // The key it names is not among the vectors; any of its kind serves.
            new_key(KeyAlgorithm::EcdsaP256).public_key().clone()
        } else {
            public_key(oms, path)
        };
        self.verify_copy(&source, &self.bundle(), Trust::key(&key))
    }

    /// Verifies another bundle with the model beside this case.
    fn verify_bundle(&self, bundle: &[u8], key: &PublicKey) -> Result<Verdict, Refusal> {
        self.verify_copy(&self.folder.join(self.model()), bundle, Trust::key(key))
    }

    fn model(&self) -> &str {
        self.config["model"].as_str().expect("every case has a model")
    }

    fn verify_copy(&self, source: &Path, bundle: &[u8], trust: Trust<'_>) -> Result<Verdict, Refusal> {
        let scratch = tempfile::tempdir().expect("a temporary directory");
        let model = scratch.path().join(source.file_name().expect("a name"));
        copy(source, &model);
        self.modify(&model);

        let bundle = Bundle::parse(bundle).map_err(Refusal::Bundle)?;
        let payload = check_signature(&bundle, trust).map_err(Refusal::Signature)?;
        let statement = payload.statement().map_err(Refusal::Statement)?;
        LocalModel::locate(&model, SymlinkPolicy::Allow).map_err(|error| Refusal::Compare(error.into()))?;
        let mut ignore = IgnoreRules::defaults();
        for path in texts(&self.config["verify"]["ignore_paths"]) {
            ignore.insert(&path).expect("the cases have plain paths");
        }
        let tolerate = self.config["verify"]["ignore_unsigned_files"] == true;
        let options = CompareOptions {
            ignore: &ignore,
            unsigned: if tolerate { Unlisted::Tolerate } else { Unlisted::Report },
            widen_symlinks: false,
            hashing: Options::default(),
        };
        compare(statement, &options, |rules| LocalModel::open(&model, rules)).map_err(Refusal::Compare)
    }

    fn modify(&self, model: &Path) {
        let Some(modifications) = self.config["model_modifications"].as_object() else { return };
        for (kind, changes) in modifications {
            match kind.as_str() {
                "delete" => {
                    for path in texts(changes) {
                        fs::remove_file(model.join(path)).expect("there is such a file");
                    }
                }
                "inject" | "tamper" => {
                    for (path, content) in changes.as_object().expect("paths and contents") {
                        assert_eq!(model.join(path).exists(), kind == "tamper", "{}: {path}", self.name);
                        fs::write(model.join(path), content.as_str().expect("text")).expect("written");
                    }
                }
                _ => panic!("{}: unknown modification `{kind}`", self.name),
            }
        }
    }

    fn assert_signed_files(&self, statement: &Statement) {
        if let Some(expected) = self.config.get("expected_signed_files") {
            let mut expected = texts(expected);
            expected.sort();
            assert_eq!(signed_files(statement), expected, "{}", self.name);
        }
    }
}

fn signed_files(statement: &Statement) -> Vec<&str> {
    let mut names: Vec<&str> = statement.manifest().resources().iter().map(|resource| resource.name()).collect();
    names.sort_unstable();
    names
}

fn texts(values: &Value) -> Vec<String> {
    let values = values.as_array().map(Vec::as_slice).unwrap_or_default();
    values.iter().map(|value| value.as_str().expect("text").to_owned()).collect()
}

fn public_key(oms: &Path, path: &str) -> PublicKey {
    let text = fs::read(oms.join(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
    PublicKey::from_pem(&text).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn certificates(oms: &Path, path: &str) -> Vec<Certificate> {
    let text = fs::read(oms.join(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
    Certificate::from_file(&text).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Copies contents and not permissions: the vectors may be read-only.
fn copy(source: &Path, target: &Path) {
    if source.is_file() {
        fs::write(target, fs::read(source).expect("readable")).expect("written");
        return;
    }
    fs::create_dir(target).expect("created");
    for entry in fs::read_dir(source).unwrap_or_else(|error| panic!("{}: {error}", source.display())) {
        let name = entry.expect("readable").file_name();
        copy(&source.join(&name), &target.join(&name));
    }
}

/// An example bundle of the specification.
fn example(oms: &Path, group: &str, name: &str) -> Result<Bundle, InvalidBundle> {
    let path = oms.join("spec-vectors/test-vectors/v1.0").join(group).join(format!("{name}.bundle.json"));
    Bundle::parse(&fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display())))
}

fn assert_only_known(oms: &Path, group: &str, known: &[&str]) {
    for entry in fs::read_dir(oms.join("spec-vectors/test-vectors/v1.0").join(group)).expect("the group is there") {
        let name = entry.expect("readable").file_name().into_string().expect("ASCII");
        let stem = name.strip_suffix(".bundle.json").unwrap_or(&name);
        assert!(known.contains(&stem), "{group}/{name} is new: say what it must give");
    }
}
