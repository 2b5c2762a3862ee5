//! Entries signed with keys made here: whatever is refused is refused for what it says.

use std::sync::LazyLock;

use serde_json::json;

use super::*;
use crate::key::{KeyAlgorithm, PrivateKey, PrivateKeyPem, SigningKey as _, generate};

const HEX: &str = "f472ca4b68898c951ac3b476cba919d0d56fca4ced631fabcead51e4b2b690e7";
const COMMIT: &str = "01ce393d04eb6df2a7b2b3e95d4126e687afb7ae";
const OTHER_COMMIT: &str = "01ce393d04eb6df2a7b2b3e95d4126e687afb7af";

static KEY: LazyLock<PrivateKey> = LazyLock::new(|| new_key(KeyAlgorithm::EcdsaP256));

fn new_key(algorithm: KeyAlgorithm) -> PrivateKey {
    let (pem, _) = generate(algorithm, None).expect("keys can be made");
    PrivateKeyPem::parse(pem.as_bytes()).and_then(|pem| pem.into_key(None)).expect("own keys can be read")
}

fn key_record(keyid: &str, form: &str, predicate: Predicate) -> Value {
    let pem = KEY.public_key().to_pem();
    json!({ "keyid": keyid, "form": form, "predicateType": predicate.uri(), "publicKey": pem })
}

/// One key under three names: `raw`, `pae` and `v1`.
fn key_file() -> Value {
    json!({ "keys": [
        key_record("raw", "raw", Predicate::V0_1),
        key_record("pae", "pae", Predicate::V0_1),
        key_record("v1", "pae", Predicate::V1),
    ] })
}

fn trusted() -> CloudBuildKeys {
    CloudBuildKeys::from_json(key_file().to_string().as_bytes()).expect("valid")
}

fn v0_3() -> Value {
    json!({
        "_type": "https://in-toto.io/Statement/v0.1",
        "predicateType": "https://slsa.dev/provenance/v0.1",
        "subject": [{ "name": "image:v39", "digest": { "sha256": HEX } }],
        "predicate": {
            "builder": { "id": "https://cloudbuild.googleapis.com/GoogleHostedWorker@v0.3" },
            "materials": [{ "uri": "git+https://github.com/owner/name", "digest": { "sha1": COMMIT } }],
            "recipe": {
                "type": "https://cloudbuild.googleapis.com/CloudBuildYaml@v0.1",
                "definedInMaterial": -1,
                "arguments": {
                    "@type": "type.googleapis.com/google.devtools.cloudbuild.v1.Build",
                    "substitutions": { "COMMIT_SHA": COMMIT, "TAG_NAME": "v39.1.2", "TRIGGER_NAME": "Tag" },
                },
            },
        },
    })
}

fn v0_2() -> Value {
    let mut statement = v0_3();
    let id = json!("https://cloudbuild.googleapis.com/GoogleHostedWorker@v0.2");
    statement["predicate"]["builder"]["id"] = id.clone();
    statement["predicate"]["recipe"]["type"] = id;
    statement["predicate"]["materials"] = json!([{ "uri": format!("https://github.com/owner/name/commit/{COMMIT}") }]);
    statement
}

fn v0_3_storage() -> Value {
    let mut statement = v0_3();
    statement["predicate"]["materials"] = json!([{ "uri": "gs://bucket/a.tgz#17", "digest": { "md5": "00" } }]);
    statement
}

fn v1() -> Value {
    json!({
        "_type": "https://in-toto.io/Statement/v1",
        "predicateType": "https://slsa.dev/provenance/v1",
        "subject": [{ "name": "image", "digest": { "sha256": HEX } }],
        "predicate": {
            "buildDefinition": {
                "buildType": "https://cloud.google.com/build/gcb-buildtypes/google-worker/v1",
                "externalParameters": { "buildConfigSource": {
                    "path": "cloudbuild.yaml", "ref": "refs/heads/main", "repository": "git+https://github.com/owner/name",
                } },
                "internalParameters": {
                    "systemSubstitutions": { "BRANCH_NAME": "main", "COMMIT_SHA": COMMIT, "TRIGGER_NAME": "on-push" },
                    "triggerUri": "projects/0/locations/global/triggers/1",
                },
                "resolvedDependencies": [
                    { "uri": "git+https://github.com/owner/name@refs/heads/main", "digest": { "gitCommit": COMMIT } },
                    { "uri": "gcr.io/docker@sha256:00", "digest": { "sha256": "00" } },
                ],
            },
            "runDetails": { "builder": { "id": "https://cloudbuild.googleapis.com/GoogleHostedWorker" } },
        },
    })
}

/// `statement` in an entry whose signature by `keyid` holds and whose copy is equal.
fn entry(statement: &Value, keyid: &str) -> Value {
    entry_of(&serde_json::to_vec(statement).expect("JSON"), statement, keyid)
}

fn entry_of(payload: &[u8], statement: &Value, keyid: &str) -> Value {
    let covered = if keyid == "raw" { payload.to_vec() } else { pae(payload) };
    let signature = KEY.sign(&covered).expect("own keys sign");
    let build = if keyid == "v1" {
        json!({ "inTotoSlsaProvenanceV1": statement })
    } else {
        let mut copy = statement.clone();
        let predicate = copy.as_object_mut().expect("an object").remove("predicate");
        copy["slsaProvenance"] = predicate.unwrap_or_default();
        json!({ "intotoStatement": copy })
    };
    json!({
        "kind": "BUILD",
        "resourceUri": format!("https://registry/image@sha256:{HEX}"),
        "build": build,
        "envelope": {
            "payload": URL_SAFE.encode(payload),
            "payloadType": PAYLOAD_TYPE,
            "signatures": [{ "keyid": keyid, "sig": STANDARD.encode(signature) }],
        },
    })
}

fn file(entries: &[Value]) -> Value {
    json!({
        "image_summary": {
            "digest": format!("sha256:{HEX}"), "fully_qualified_digest": format!("registry/image@sha256:{HEX}"),
        },
        "provenance_summary": { "provenance": entries },
    })
}

fn read(file: &Value) -> Result<VerifiedProvenance, VerifyError> {
    verify(file.to_string().as_bytes(), &trusted())
}

fn read_one(entry: Value) -> Result<VerifiedProvenance, EntryError> {
    match read(&file(&[entry])) {
        Ok(verified) => Ok(verified),
        Err(VerifyError::NoneVerifies { mut skipped }) => Err(skipped.remove(0).reason),
        Err(other) => panic!("{other}"),
    }
}

fn refused(statement: &Value, keyid: &str) -> InvalidStatement {
    match read_one(entry(statement, keyid)) {
        Err(EntryError::Statement(reason)) => reason,
        other => panic!("{other:?}"),
    }
}

fn expected() -> Expected {
    expected_from("github.com/owner/name")
}

fn expected_from(source: &str) -> Expected {
    let image = ImageDigest::parse(&format!("sha256:{HEX}")).expect("valid");
    Expected::new(image, source).expect("valid")
}

fn mismatch(statement: &Value, keyid: &str, expected: &Expected) -> Mismatch {
    let verified = read_one(entry(statement, keyid)).expect("verifies");
    match verified.check(expected) {
        Err(CheckError::NoneMatches { mut mismatches }) => mismatches.remove(0).reason,
        other => panic!("{other:?}"),
    }
}

fn matches(statement: &Value, keyid: &str, expected: &Expected) {
    let verified = read_one(entry(statement, keyid)).expect("verifies");
    verified.check(expected).expect("matches");
}

/// `statement` with the member at `pointer` set to `value`.
fn with(mut statement: Value, pointer: &str, value: Value) -> Value {
    *statement.pointer_mut(pointer).expect(pointer) = value;
    statement
}

fn without(mut statement: Value, parent: &str, name: &str) -> Value {
    let members = statement.pointer_mut(parent).and_then(Value::as_object_mut).expect(parent);
    members.remove(name).expect(name);
    statement
}

#[test]
fn the_embedded_keys_are_read() {
    let keys = CloudBuildKeys::embedded();
    assert_eq!(keys.count(), 21);
    let of = |location: &str, key: &str| {
        let name = format!(
            "projects/verified-builder/locations/{location}/keyRings/attestor/cryptoKeys/{key}/cryptoKeyVersions/1"
        );
        keys.named(&name).map(|key| (key.form, key.predicate))
    };
    assert_eq!(of("us-west2", "builtByGCB"), Some((SignatureForm::Raw, Predicate::V0_1)));
    assert_eq!(of("global", "builtByGCB"), Some((SignatureForm::Raw, Predicate::V0_1)));
    assert_eq!(of("global", "provenanceSigner"), Some((SignatureForm::Pae, Predicate::V0_1)));
    assert_eq!(of("global", "google-hosted-worker"), Some((SignatureForm::Pae, Predicate::V1)));
}

#[test]
fn every_format_verifies_and_says_the_same() {
    for (statement, keyid, builder) in [
        (v0_2(), "raw", Builder::V0_2),
        (v0_3(), "raw", Builder::V0_3),
        (v0_3(), "pae", Builder::V0_3),
        (v1(), "v1", Builder::Unversioned),
    ] {
        let verified = read_one(entry(&statement, keyid)).expect("verifies");
        let entry = verified.check(&expected()).expect("matches");
        assert_eq!(entry.keyid(), keyid);
        assert_eq!(entry.payload(), serde_json::to_vec(&statement).expect("JSON"));
        let Facts { source, subjects, .. } = entry.facts();
        assert_eq!(entry.facts().builder, builder);
        assert_eq!(
            *source,
            Source::Git { repository: "https://github.com/owner/name".to_owned(), commit: COMMIT.to_owned() }
        );
        assert_eq!(subjects.first().and_then(|subject| subject.digest.get("sha256")).map(String::as_str), Some(HEX));
    }
    let verified = read_one(entry(&v1(), "v1")).expect("verifies");
    let facts = verified.entries()[0].facts();
    assert_eq!(facts.source_ref.as_deref(), Some("refs/heads/main"));
    assert_eq!(facts.branch.as_deref(), Some("main"));
    assert_eq!(facts.trigger_name.as_deref(), Some("on-push"));
    assert_eq!(facts.trigger_uri.as_deref(), Some("projects/0/locations/global/triggers/1"));
}

#[test]
fn key_files_are_refused_for_what_is_wrong() {
    let read = |file: &Value| CloudBuildKeys::from_json(file.to_string().as_bytes()).expect_err("refused");
    let changed = |name: &str, value: Value| with(key_file(), &format!("/keys/0/{name}"), value);
    assert!(matches!(read(&json!({ "keys": [] })), InvalidKeys::Empty));
    assert!(matches!(read(&json!({ "keys": [], "x": 1 })), InvalidKeys::UnknownMember { path } if path == "x"));
    assert!(matches!(read(&changed("keyid", json!(""))), InvalidKeys::NoName));
    assert!(matches!(read(&changed("keyid", json!("pae"))), InvalidKeys::Twice { keyid } if keyid == "pae"));
    assert!(matches!(
        read(&changed("predicateType", json!(Predicate::V1.uri()))),
        InvalidKeys::RawForm { predicate: Predicate::V1, .. }
    ));
    assert!(matches!(read(&changed("publicKey", json!("x"))), InvalidKeys::Key { .. }));
    let p384 = new_key(KeyAlgorithm::EcdsaP384).public_key().to_pem();
    assert!(matches!(
        read(&changed("publicKey", json!(p384))),
        InvalidKeys::Algorithm { found: KeyAlgorithm::EcdsaP384, .. }
    ));
    assert!(matches!(read(&changed("form", json!("other"))), InvalidKeys::Json(_)));
    let long = vec![b' '; MAX_KEYS_BYTES + 1];
    assert!(matches!(CloudBuildKeys::from_json(&long), Err(InvalidKeys::TooLarge { .. })));
}

#[test]
fn files_are_bounded_and_have_each_member_once() {
    let long = vec![b' '; MAX_FILE_BYTES + 1];
    assert!(matches!(verify(&long, &trusted()), Err(VerifyError::TooLarge { .. })));
    assert!(matches!(read(&file(&[])), Err(VerifyError::NoEntries)));
    let many = vec![Value::Null; MAX_ENTRIES + 1];
    assert!(matches!(read(&file(&many)), Err(VerifyError::TooManyEntries { found }) if found == MAX_ENTRIES + 1));
    let twice = file(&[entry(&v1(), "v1")]).to_string().replacen('{', "{\"a\":1,\"a\":1,", 1);
    let error = verify(twice.as_bytes(), &trusted()).expect_err("refused");
    assert!(matches!(&error, VerifyError::Json(InvalidJson::Shape(_))) && error.to_string().contains("twice"));
    assert!(matches!(verify(b"{", &trusted()), Err(VerifyError::Json(InvalidJson::Syntax(_)))));
}

#[test]
fn an_entry_that_does_not_verify_is_skipped_with_its_reason() {
    let sound = entry(&v1(), "v1");
    let verified = read(&file(&[json!(7), sound])).expect("one verifies");
    assert!(matches!(verified.skipped(), [Skipped { index: 0, reason: EntryError::Json(_) }]));
    assert_eq!(verified.entries()[0].index(), 1);
    let error = read(&file(&[json!(7), json!({})])).expect_err("none verifies").to_string();
    assert!(error.contains("entry 0: ") && error.contains("entry 1: "), "{error}");
}

#[test]
fn envelopes_are_refused_for_what_is_wrong() {
    let changed =
        |pointer: &str, value: Value| read_one(with(entry(&v0_3(), "raw"), pointer, value)).expect_err("refused");
    assert!(matches!(changed("/kind", json!("VULNERABILITY")), EntryError::Kind { found } if found == "VULNERABILITY"));
    assert!(matches!(changed("/envelope/payloadType", json!("text/plain")), EntryError::PayloadType { .. }));
    assert!(matches!(changed("/envelope/payload", json!("*")), EntryError::PayloadEncoding(_)));
    assert!(matches!(changed("/envelope/payload", json!("")), EntryError::EmptyPayload));
    assert!(matches!(changed("/envelope/signatures", json!([])), EntryError::NoSignatures));
    let many = vec![json!({ "sig": "" }); MAX_SIGNATURES + 1];
    assert!(matches!(changed("/envelope/signatures", json!(many)), EntryError::TooManySignatures { found: 17 }));
}

#[test]
fn signatures_are_refused_for_what_is_wrong() {
    let reason = |entry: Value| match read_one(entry) {
        Err(EntryError::NoValidSignature { mut refused }) => refused.remove(0).reason,
        other => panic!("{other:?}"),
    };
    let sound = || entry(&v0_3(), "raw");
    let keyid = "/envelope/signatures/0/keyid";
    assert!(matches!(reason(with(sound(), keyid, json!("other"))), SignatureError::UnknownKey));
    assert!(matches!(reason(without(sound(), "/envelope/signatures/0", "keyid")), SignatureError::UnknownKey));
    // The same key under another name: the form follows from the name, and no other is tried.
    assert!(matches!(reason(with(sound(), keyid, json!("pae"))), SignatureError::DoesNotVerify));
    assert!(matches!(reason(with(entry(&v0_3(), "pae"), keyid, json!("raw"))), SignatureError::DoesNotVerify));
    assert!(matches!(reason(with(sound(), "/envelope/signatures/0/sig", json!("*"))), SignatureError::Encoding(_)));
    assert!(matches!(reason(with(sound(), "/envelope/payload", json!("e30="))), SignatureError::DoesNotVerify));
}

#[test]
fn one_signature_that_holds_is_enough() {
    let mut several = entry(&v0_3(), "raw");
    let signatures = several["envelope"]["signatures"].as_array_mut().expect("a list");
    signatures.insert(0, json!({ "keyid": "unknown", "sig": "AA==" }));
    assert_eq!(read_one(several).expect("verifies").entries()[0].keyid(), "raw");
}

#[test]
fn a_key_signs_one_format() {
    assert!(matches!(
        refused(&v0_3(), "v1"),
        InvalidStatement::PredicateType { expected: Predicate::V1, found } if found == Predicate::V0_1.uri()
    ));
    assert!(matches!(refused(&v1(), "pae"), InvalidStatement::PredicateType { expected: Predicate::V0_1, .. }));
}

#[test]
fn signed_statements_of_v0_1_are_refused_for_what_is_wrong() {
    let changed = |pointer: &str, value: Value| refused(&with(v0_3(), pointer, value), "raw");
    assert!(matches!(changed("/_type", json!("x")), InvalidStatement::StatementType { .. }));
    let id = "https://cloudbuild.googleapis.com/GoogleHostedWorker";
    for unknown in [id.to_owned(), format!("{id}@v0.4"), format!("{id}@v0.3x")] {
        assert!(matches!(changed("/predicate/builder/id", json!(unknown)), InvalidStatement::Builder { .. }));
    }
    let v0_2_type = json!(format!("{id}@v0.2"));
    assert!(matches!(changed("/predicate/recipe/type", v0_2_type), InvalidStatement::BuildType { .. }));
    let yaml = json!("https://cloudbuild.googleapis.com/CloudBuildYaml@v0.1");
    assert!(matches!(
        refused(&with(v0_2(), "/predicate/recipe/type", yaml), "raw"),
        InvalidStatement::BuildType { builder: Builder::V0_2, .. }
    ));
    let arguments = "/predicate/recipe/arguments";
    assert!(matches!(changed(&format!("{arguments}/@type"), json!("x")), InvalidStatement::ArgumentsType { .. }));
    assert!(matches!(
        changed(&format!("{arguments}/substitutions/TAG_NAME"), json!(123)),
        InvalidStatement::Shape { path, found: "a number", .. } if path == "substitutions.TAG_NAME"
    ));
    assert!(matches!(
        changed(&format!("{arguments}/substitutions/COMMIT_SHA"), json!(OTHER_COMMIT)),
        InvalidStatement::Disagrees { what: "COMMIT_SHA", .. }
    ));
    assert!(matches!(changed("/predicate/materials", json!([])), InvalidStatement::NoSource { .. }));
    assert!(matches!(changed("/predicate/materials/0/digest/sha1", json!("HEAD")), InvalidStatement::Commit { .. }));
    for unknown in ["http://github.com/owner/name", "https://", "gs://bucket/a.tgz", "gs://bucket/a.tgz#x"] {
        assert!(matches!(changed("/predicate/materials/0/uri", json!(unknown)), InvalidStatement::Source { .. }));
    }
    let mut two = v0_3();
    let other = json!({ "uri": "https://github.com/owner/name", "digest": { "sha1": OTHER_COMMIT } });
    two["predicate"]["materials"].as_array_mut().expect("a list").push(other);
    assert!(matches!(refused(&two, "raw"), InvalidStatement::SeveralSources { .. }));
    assert!(matches!(changed("/subject", json!([])), InvalidStatement::NoSubject));
    assert!(matches!(changed("/subject/0/digest", json!({ "md5": "" })), InvalidStatement::SubjectDigest { .. }));
}

#[test]
fn signed_statements_of_v1_are_refused_for_what_is_wrong() {
    let changed = |pointer: &str, value: Value| refused(&with(v1(), pointer, value), "v1");
    let definition = "/predicate/buildDefinition";
    assert!(matches!(changed(&format!("{definition}/buildType"), json!("x")), InvalidStatement::BuildType { .. }));
    let versioned = json!("https://cloudbuild.googleapis.com/GoogleHostedWorker@v0.3");
    assert!(matches!(changed("/predicate/runDetails/builder/id", versioned), InvalidStatement::Builder { .. }));
    assert!(matches!(
        changed(&format!("{definition}/externalParameters"), json!({})),
        InvalidStatement::NoSource { .. }
    ));
    let config = format!("{definition}/externalParameters/buildConfigSource");
    let other = json!("git+https://github.com/owner/other");
    assert!(matches!(changed(&format!("{config}/repository"), other), InvalidStatement::NotResolved { .. }));
    assert!(matches!(
        changed(&format!("{config}/ref"), json!("refs/heads/other")),
        InvalidStatement::Disagrees { what: "resolvedDependencies", .. }
    ));
    assert!(matches!(changed(&format!("{config}/ref"), json!("a@b")), InvalidStatement::Source { .. }));
    assert!(matches!(
        changed(&format!("{definition}/resolvedDependencies/0/digest/gitCommit"), json!(OTHER_COMMIT)),
        InvalidStatement::Disagrees { what: "COMMIT_SHA", .. }
    ));
    let mut two = v1();
    let dependencies = two["predicate"]["buildDefinition"]["resolvedDependencies"].as_array_mut().expect("a list");
    dependencies.push(dependencies[0].clone());
    assert!(matches!(refused(&two, "v1"), InvalidStatement::SeveralSources { .. }));
}

#[test]
fn a_payload_with_a_member_twice_is_refused() {
    let payload = v1().to_string().replacen('{', "{\"a\":1,\"a\":1,", 1);
    let error = read_one(entry_of(payload.as_bytes(), &v1(), "v1"));
    assert!(matches!(error, Err(EntryError::Statement(InvalidStatement::Json(InvalidJson::Shape(_))))));
}

#[test]
fn the_copy_says_what_was_signed() {
    let refused = |entry: Value| match read_one(entry) {
        Err(EntryError::TextCopy(reason)) => reason,
        other => panic!("{other:?}"),
    };
    let differs = |member: &str| TextCopyError::Differs { members: vec![member.to_owned()] };
    for (statement, keyid, copy, predicate) in
        [(v0_3(), "raw", "intotoStatement", "slsaProvenance"), (v1(), "v1", "inTotoSlsaProvenanceV1", "predicate")]
    {
        let sound = || entry(&statement, keyid);
        let in_copy = |rest: &str| format!("/build/{copy}/{rest}");
        assert_eq!(refused(with(sound(), &in_copy("subject/0/name"), json!("x"))), differs("subject"));
        let mut more = sound();
        more["build"][copy][predicate]["more"] = json!(1);
        assert_eq!(refused(more), differs(predicate));
        assert_eq!(refused(without(sound(), "/build", copy)), TextCopyError::Missing { expected: copy });
        let mut both = sound();
        let other = if copy == "intotoStatement" { "inTotoSlsaProvenanceV1" } else { "intotoStatement" };
        both["build"][other] = json!({});
        assert_eq!(refused(both), TextCopyError::OtherFormat { expected: copy, found: other });
    }
}

#[test]
fn the_differences_that_the_service_makes_are_allowed() {
    let pointer = "/build/intotoStatement/slsaProvenance/recipe/definedInMaterial";
    read_one(with(entry(&v0_3(), "raw"), pointer, json!("-1"))).expect("verifies");
    let mut repeated = v0_3();
    repeated["slsaProvenance"] = repeated["predicate"].clone();
    read_one(entry(&repeated, "raw")).expect("verifies");
    repeated["slsaProvenance"]["builder"]["id"] = json!("x");
    let mut split = entry(&repeated, "raw");
    split["build"]["intotoStatement"]["slsaProvenance"] = repeated["predicate"].clone();
    assert!(matches!(read_one(split), Err(EntryError::TextCopy(TextCopyError::Differs { .. }))));
}

#[test]
fn builders_match_by_name_or_by_name_and_version() {
    let id = "https://cloudbuild.googleapis.com/GoogleHostedWorker";
    let asking = |id: &str| expected().builder(id).expect("valid");
    for (statement, keyid, version) in [(v0_2(), "raw", "@v0.2"), (v0_3(), "raw", "@v0.3"), (v1(), "v1", "")] {
        matches(&statement, keyid, &asking(id));
        matches(&statement, keyid, &asking(&format!("{id}{version}")));
        for other in [format!("{id}@v0.1"), format!("{id}s"), "http://x".to_owned()] {
            assert!(matches!(mismatch(&statement, keyid, &asking(&other)), Mismatch::Builder { .. }));
        }
    }
    for malformed in ["", "@v1", "name@", "name@v1@v2"] {
        assert!(matches!(expected().builder(malformed), Err(InvalidExpectation::Builder { .. })), "{malformed}");
    }
}

#[test]
fn sources_match_with_and_without_their_scheme() {
    for (statement, keyid) in [(v0_2(), "raw"), (v0_3(), "raw"), (v1(), "v1")] {
        for same in ["github.com/owner/name", "https://github.com/owner/name", "git+https://github.com/owner/name"] {
            matches(&statement, keyid, &expected_from(same));
        }
        let commit = format!("https://github.com/owner/name/commit/{COMMIT}");
        for other in ["github.com/owner/nam", "github.com/owner/name2", "http://github.com/owner/name", &commit] {
            assert!(matches!(mismatch(&statement, keyid, &expected_from(other)), Mismatch::Source { .. }), "{other}");
        }
    }
    matches(&v0_3_storage(), "raw", &expected_from("gs://bucket/a.tgz"));
    matches(&v0_3_storage(), "raw", &expected_from("gs://bucket/a.tgz#17"));
    for other in ["gs://bucket/a", "gs://bucket", "bucket/a.tgz", "gs://bucket/a.tgz#18"] {
        assert!(matches!(mismatch(&v0_3_storage(), "raw", &expected_from(other)), Mismatch::Source { .. }), "{other}");
    }
    let image = ImageDigest::parse(&format!("sha256:{HEX}")).expect("valid");
    assert_eq!(Expected::new(image, "").expect_err("refused"), InvalidExpectation::Source);
}

#[test]
fn branches_and_tags_match_and_agree_with_the_reference() {
    matches(&v1(), "v1", &expected().branch("main"));
    assert!(matches!(mismatch(&v1(), "v1", &expected().branch("dev")), Mismatch::Branch { .. }));
    assert!(matches!(mismatch(&v1(), "v1", &expected().tag("v1")), Mismatch::NoTag { .. }));
    matches(&v0_3(), "raw", &expected().tag("v39.1.2"));
    assert!(matches!(mismatch(&v0_3(), "raw", &expected().tag("v39")), Mismatch::Tag { .. }));
    assert!(matches!(mismatch(&v0_3(), "raw", &expected().branch("main")), Mismatch::NoBranch { .. }));
    // The reference is a branch, and a tag of that name is none.
    let mut tagged = v1();
    tagged["predicate"]["buildDefinition"]["internalParameters"]["systemSubstitutions"]["TAG_NAME"] = json!("main");
    assert!(matches!(mismatch(&tagged, "v1", &expected().tag("main")), Mismatch::Ref { .. }));
    // Whoever uploads an archive can name any tag.
    let storage = expected_from("gs://bucket/a.tgz").tag("v39.1.2");
    assert!(matches!(mismatch(&v0_3_storage(), "raw", &storage), Mismatch::NoTag { .. }));
}

#[test]
fn versions_cover_the_tags_that_have_more() {
    let version = |text: &str| VersionedTag::parse(text).expect("valid");
    for covered in ["v39", "v39.1", "v39.1.2", "v39.1.2+build"] {
        matches(&v0_3(), "raw", &expected().versioned_tag(version(covered)));
    }
    for other in ["v3", "v40", "v39.2", "v39.1.3", "v39.1.2-rc.1"] {
        let found = mismatch(&v0_3(), "raw", &expected().versioned_tag(version(other)));
        assert!(matches!(found, Mismatch::VersionedTag { .. }), "{other}");
    }
    let pointer = "/predicate/recipe/arguments/substitutions/TAG_NAME";
    let tagged = |tag: &str| with(v0_3(), pointer, json!(tag));
    matches(&tagged("v39"), "raw", &expected().versioned_tag(version("v39.0.0")));
    matches(&tagged("v39.1.2-rc.1"), "raw", &expected().versioned_tag(version("v39.1")));
    for tag in ["39.1.2", "release", "v39.1.2-rc.1"] {
        let found = mismatch(&tagged(tag), "raw", &expected().versioned_tag(version("v39.1.2")));
        assert!(matches!(found, Mismatch::VersionedTag { .. }), "{tag}");
    }
    for malformed in ["", "1", "v", "v01", "v1.2.3.4", "v1-rc", "v1.2.3-", "v1.2.3-01", "v1.x", "v1.2.3+"] {
        assert!(VersionedTag::parse(malformed).is_err(), "{malformed}");
    }
}

#[test]
fn commits_and_levels_are_compared() {
    for (statement, keyid) in [(v0_3(), "raw"), (v1(), "v1")] {
        matches(&statement, keyid, &expected().commit(COMMIT).min_level(3));
        assert!(matches!(mismatch(&statement, keyid, &expected().commit(OTHER_COMMIT)), Mismatch::Commit { .. }));
    }
    matches(&v0_2(), "raw", &expected().min_level(1));
    assert!(matches!(mismatch(&v0_2(), "raw", &expected().min_level(2)), Mismatch::Level { expected: 2, .. }));
    // An archive has no commit.
    let storage = expected_from("gs://bucket/a.tgz").commit(COMMIT);
    assert!(matches!(mismatch(&v0_3_storage(), "raw", &storage), Mismatch::Commit { .. }));
}

#[test]
fn images_match_everywhere_that_one_is_named() {
    let other = format!("sha256:{}", HEX.replace('f', "e"));
    let sound = file(&[entry(&v1(), "v1")]);
    let check = |file: Value| read(&file).expect("verifies").check(&expected()).expect_err("refused");
    for pointer in ["/image_summary/digest", "/image_summary/fully_qualified_digest"] {
        assert!(matches!(check(with(sound.clone(), pointer, json!(other))), CheckError::Summary { .. }), "{pointer}");
    }
    let reason = |error: CheckError| match error {
        CheckError::NoneMatches { mut mismatches } => mismatches.remove(0).reason,
        CheckError::Summary { .. } => panic!("{error}"),
    };
    let pointer = "/provenance_summary/provenance/0/resourceUri";
    assert!(matches!(reason(check(with(sound, pointer, json!(other)))), Mismatch::Resource { .. }));
    let statement = with(v1(), "/subject/0/digest/sha256", json!(HEX.replace('f', "e")));
    assert!(matches!(reason(check(file(&[entry(&statement, "v1")]))), Mismatch::Image { .. }));
    for malformed in ["", HEX, "sha256:00", &format!("sha256:{}", HEX.to_uppercase()), &format!("sha512:{HEX}")] {
        assert!(matches!(ImageDigest::parse(malformed), Err(InvalidExpectation::Digest { .. })), "{malformed}");
    }
}

#[test]
fn one_entry_that_matches_is_enough() {
    let other = with(v0_3(), "/predicate/materials/0/uri", json!("https://github.com/owner/other"));
    let verified = read(&file(&[entry(&other, "raw"), entry(&v1(), "v1")])).expect("both verify");
    assert_eq!(verified.check(&expected()).expect("the second matches").index(), 1);
    let Err(CheckError::NoneMatches { mismatches }) = verified.check(&expected_from("github.com/x/y")) else {
        panic!("refused");
    };
    assert_eq!(mismatches.iter().map(|mismatch| mismatch.index).collect::<Vec<_>>(), [0, 1]);
}

#[test]
fn a_changed_byte_is_refused_or_leaves_what_was_signed() {
    let statement = v1();
    let signed = serde_json::to_vec(&statement).expect("JSON");
    let sound = file(&[entry(&statement, "v1")]).to_string().into_bytes();
    let keys = trusted();
    let mut refused = 0;
    for at in 0..sound.len() {
        for byte in *b"0A\"{\xff" {
            let mut changed = sound.clone();
            changed[at] = byte;
            match verify(&changed, &keys) {
                Ok(verified) => assert_eq!(verified.entries()[0].payload(), signed),
                Err(_) => refused += 1,
            }
        }
    }
    assert!(refused > sound.len());
}

/// The test that produces each variant: a new one does not compile without a line here.
mod every_variant {
    use super::*;

    const _: fn(&VerifyError) -> fn() = |error| match error {
        VerifyError::TooLarge { .. }
        | VerifyError::Json(_)
        | VerifyError::NoEntries
        | VerifyError::TooManyEntries { .. } => files_are_bounded_and_have_each_member_once,
        VerifyError::NoneVerifies { .. } => signatures_are_refused_for_what_is_wrong,
    };

    const _: fn(&EntryError) -> fn() = |error| match error {
        EntryError::Json(_) => an_entry_that_does_not_verify_is_skipped_with_its_reason,
        EntryError::Kind { .. }
        | EntryError::PayloadType { .. }
        | EntryError::PayloadEncoding(_)
        | EntryError::EmptyPayload
        | EntryError::NoSignatures
        | EntryError::TooManySignatures { .. } => envelopes_are_refused_for_what_is_wrong,
        EntryError::NoValidSignature { .. } => signatures_are_refused_for_what_is_wrong,
        EntryError::Statement(_) => a_payload_with_a_member_twice_is_refused,
        EntryError::TextCopy(_) => the_copy_says_what_was_signed,
    };

    const _: fn(&SignatureError) -> fn() = |error| match error {
        SignatureError::UnknownKey | SignatureError::Encoding(_) | SignatureError::DoesNotVerify => {
            signatures_are_refused_for_what_is_wrong
        }
    };

    const _: fn(&InvalidStatement) -> fn() = |error| match error {
        InvalidStatement::Json(_) => a_payload_with_a_member_twice_is_refused,
        InvalidStatement::PredicateType { .. } => a_key_signs_one_format,
        InvalidStatement::Shape { .. }
        | InvalidStatement::StatementType { .. }
        | InvalidStatement::Builder { .. }
        | InvalidStatement::BuildType { .. }
        | InvalidStatement::ArgumentsType { .. }
        | InvalidStatement::NoSource { .. }
        | InvalidStatement::Source { .. }
        | InvalidStatement::Commit { .. }
        | InvalidStatement::SeveralSources { .. }
        | InvalidStatement::Disagrees { .. }
        | InvalidStatement::NoSubject
        | InvalidStatement::SubjectDigest { .. } => signed_statements_of_v0_1_are_refused_for_what_is_wrong,
        InvalidStatement::NotResolved { .. } => signed_statements_of_v1_are_refused_for_what_is_wrong,
    };

    const _: fn(&TextCopyError) -> fn() = |error| match error {
        TextCopyError::Missing { .. } | TextCopyError::OtherFormat { .. } | TextCopyError::Differs { .. } => {
            the_copy_says_what_was_signed
        }
    };

    const _: fn(&CheckError) -> fn() = |error| match error {
        CheckError::Summary { .. } => images_match_everywhere_that_one_is_named,
        CheckError::NoneMatches { .. } => one_entry_that_matches_is_enough,
    };

    const _: fn(&Mismatch) -> fn() = |mismatch| match mismatch {
        Mismatch::Builder { .. } => builders_match_by_name_or_by_name_and_version,
        Mismatch::Image { .. } | Mismatch::Resource { .. } => images_match_everywhere_that_one_is_named,
        Mismatch::Source { .. } => sources_match_with_and_without_their_scheme,
        Mismatch::NoBranch { .. }
        | Mismatch::Branch { .. }
        | Mismatch::NoTag { .. }
        | Mismatch::Tag { .. }
        | Mismatch::Ref { .. } => branches_and_tags_match_and_agree_with_the_reference,
        Mismatch::VersionedTag { .. } => versions_cover_the_tags_that_have_more,
        Mismatch::Commit { .. } | Mismatch::Level { .. } => commits_and_levels_are_compared,
    };
}
