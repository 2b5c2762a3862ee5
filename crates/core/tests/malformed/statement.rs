//! The statement (OMS §5, §6.5, §8.3).

use model_transparency::envelope::{FormatVersion, InvalidJson, InvalidStatement};
use model_transparency::hash::{HashAlgorithm, InvalidDigest};
use model_transparency::manifest::InvalidManifest;
use serde_json::{Value, json};

use crate::forge::{
    Change, Expected, Refusal, read, refused, resource, seal, signed, statement, statement_of, verify, write_model,
};

/// The statement of a model of two files, changed, with the root digest that then belongs to it.
fn changed(change: impl FnOnce(&mut Value)) -> Value {
    let mut statement = statement();
    change(&mut statement);
    seal(&mut statement);
    statement
}

fn read_statement(statement: &Value) -> Result<(), Refusal> {
    read(&signed(statement.to_string())).map(drop)
}

/// Rows of a table: what is changed, how, and the refusal.
type Row = (&'static str, Change, Expected);

fn assert_refused(rows: &[Row]) {
    for (case, change, expected) in rows {
        expected.assert(case, read_statement(&changed(change)));
    }
}

/// Asserts that each change leaves a statement that verifies, with the model of two files.
fn assert_accepted(rows: &[(&str, Change)]) {
    let scratch = tempfile::tempdir().expect("a temporary directory");
    write_model(scratch.path());
    for (case, change) in rows {
        let bundle = signed(changed(change).to_string());
        verify(&bundle, scratch.path()).unwrap_or_else(|refusal| panic!("{case}: {refusal}"));
    }
}

fn remove(object: &mut Value, member: &str) {
    object.as_object_mut().expect("an object").remove(member).expect("there is one");
}

#[test]
fn the_statement_that_the_rows_change_verifies() {
    assert_accepted(&[("unchanged", |_| {})]);
}

#[test]
fn a_payload_that_is_not_one_json_object_is_refused() {
    let whole = statement().to_string();
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let in_resource = statement_of(vec![resource("a", b"one")]).to_string();
    let in_resource = in_resource.replace(r#""name":"a""#, &format!(r#""name":"a","annotations":{deep}"#));
    let rows = [
        ("prose", "not JSON".to_owned(), refused!(Refusal::Statement(InvalidStatement::Json(InvalidJson::Syntax(_))))),
        (
            "truncated",
            whole[..whole.len() - 1].to_owned(),
            refused!(Refusal::Statement(InvalidStatement::Json(InvalidJson::Syntax(_)))),
        ),
        (
            "two documents",
            format!("{whole}{whole}"),
            refused!(Refusal::Statement(InvalidStatement::Json(InvalidJson::Syntax(_)))),
        ),
        ("deep", deep, refused!(Refusal::Statement(InvalidStatement::Json(InvalidJson::Syntax(_))))),
        (
            "deep where members are ignored",
            in_resource,
            refused!(Refusal::Statement(InvalidStatement::Json(InvalidJson::Syntax(_)))),
        ),
        ("null", "null".to_owned(), refused!(Refusal::Statement(InvalidStatement::Json(InvalidJson::Shape(_))))),
        ("an array", "[]".to_owned(), refused!(Refusal::Statement(InvalidStatement::Json(InvalidJson::Shape(_))))),
        ("empty", "{}".to_owned(), refused!(Refusal::Statement(InvalidStatement::Json(InvalidJson::Shape(_))))),
    ];
    for (case, payload, expected) in rows {
        expected.assert(case, read(&signed(payload)));
    }
    let not_utf8 = [&whole.as_bytes()[..whole.len() - 1], b",\"x\":\"\xff\"}"].concat();
    refused!(Refusal::Statement(InvalidStatement::Json(InvalidJson::Syntax(_))))
        .assert("not UTF-8", read(&signed(not_utf8)));
}

#[test]
fn members_that_stand_twice_are_refused() {
    let whole = statement_of(vec![resource("a", b"one")]).to_string();
    let rows = [
        ("_type", r#""_type":"#, r#""_type":"x","_type":"#),
        ("predicateType", r#""predicateType":"#, r#""predicateType":"x","predicateType":"#),
        ("an escaped name", r#""predicate":"#, r#""\u0070redicate":{},"predicate":"#),
        ("subject", r#""subject":"#, r#""subject":[],"subject":"#),
        ("the subject's digest", r#""sha256":"#, r#""sha256":"","sha256":"#),
        ("another digest of the subject", r#""sha256":"#, r#""sha512":"","sha512":"","sha256":"#),
        ("resources", r#""resources":"#, r#""resources":[],"resources":"#),
        ("a resource's digest", r#""digest":""#, r#""digest":"","digest":""#),
        ("a resource's name", r#""name":"a""#, r#""name":"b","name":"a""#),
        ("serialization", r#""serialization":"#, r#""serialization":{},"serialization":"#),
        ("method", r#""method":"#, r#""method":"shards","method":"#),
        ("ignore_paths", r#""ignore_paths":"#, r#""ignore_paths":["a"],"ignore_paths":"#),
        ("where members are ignored", r#""name":"a""#, r#""name":"a","annotations":{"x":1,"x":2}"#),
    ];
    for (case, member, twice) in rows {
        assert_eq!(whole.matches(member).count(), 1, "{case}");
        let payload = whole.replace(member, twice);
        refused!(Refusal::Statement(InvalidStatement::Json(InvalidJson::Shape(error)))
            if error.to_string().contains("twice"))
        .assert(case, read(&signed(payload)));
    }
}

#[test]
fn arrays_are_not_taken_for_objects() {
    let rows: [(&str, Change); 4] = [
        ("the subject", |s| s["subject"][0] = json!([s["subject"][0]["name"], s["subject"][0]["digest"]])),
        ("the predicate", |s| {
            s["predicate"] = json!([s["predicate"]["resources"], s["predicate"]["serialization"]]);
        }),
        ("a resource", |s| {
            let resource = &s["predicate"]["resources"][0];
            s["predicate"]["resources"][0] = json!([resource["name"], resource["digest"], resource["algorithm"]]);
        }),
        ("the serialization", |s| s["predicate"]["serialization"] = json!(["files", "sha256", null, false, []])),
    ];
    for (case, change) in rows {
        // Not sealed again: the root digest is that of the same resources.
        let mut statement = statement();
        change(&mut statement);
        refused!(Refusal::Statement(InvalidStatement::Json(InvalidJson::Shape(_))))
            .assert(case, read_statement(&statement));
    }
    let s = statement();
    let whole = json!([s["_type"], s["predicateType"], s["subject"], s["predicate"]]);
    refused!(Refusal::Statement(InvalidStatement::Json(_))).assert("the statement", read_statement(&whole));
}

#[test]
fn another_statement_type_is_refused() {
    for other in
        ["", "https://in-toto.io/Statement/v0.1", "https://in-toto.io/Statement/v1.0", "in-toto.io/Statement/v1"]
    {
        let error = read_statement(&changed(|s| s["_type"] = other.into())).expect_err(other);
        assert!(
            matches!(&error, Refusal::Statement(InvalidStatement::StatementType { found }) if found == other),
            "{other}: {error}"
        );
    }
    let shape = refused!(Refusal::Statement(InvalidStatement::Json(InvalidJson::Shape(_))));
    shape.assert("missing", read_statement(&changed(|s| remove(s, "_type"))));
    shape.assert("a number", read_statement(&changed(|s| s["_type"] = 1.into())));
}

#[test]
fn another_predicate_type_is_refused() {
    let others = [
        "",
        "https://slsa.dev/provenance/v1",
        "https://example.com/wrong-predicate/v1.0",
        "https://model_signing/signature/v2.0",
        "https://model_signing/signature/v0.9",
        "https://model_signing/signature/v10.0",
        "https://model_signing/signature/v1",
        "https://model_signing/signature/v1.",
        "https://model_signing/signature/v1.01",
        "https://model_signing/signature/v1.00",
        "https://model_signing/signature/v1.x",
        "https://model_signing/signature/v1.-1",
        "https://model_signing/signature/v1.+1",
        "https://model_signing/signature/v1.1.0",
        "https://model_signing/signature/v1.4294967296",
        "https://model_signing/signature/v1.0 ",
        "https://model_signing/signature/v1.0/",
        "http://model_signing/signature/v1.0",
        "https://model_signing/Signature/v1.0",
        "https://model_signing/Digests/v0.2",
    ];
    for other in others {
        let error = read_statement(&changed(|s| s["predicateType"] = other.into())).expect_err(other);
        assert!(
            matches!(&error, Refusal::Statement(InvalidStatement::PredicateType { found }) if found == other),
            "{other}: {error}"
        );
    }
    refused!(Refusal::Statement(InvalidStatement::Json(InvalidJson::Shape(_))))
        .assert("missing", read_statement(&changed(|s| remove(s, "predicateType"))));
}

#[test]
fn later_minor_versions_are_accepted_and_named() {
    for minor in [0, 1, 9, 10, u32::MAX] {
        let later = changed(|s| s["predicateType"] = format!("https://model_signing/signature/v1.{minor}").into());
        let statement = read(&signed(later.to_string())).unwrap_or_else(|refusal| panic!("v1.{minor}: {refusal}"));
        assert_eq!(statement.get().format(), FormatVersion::V1 { minor });
    }
}

#[test]
fn unknown_members_are_left_to_later_minor_versions() {
    let rows: [(&str, Change); 3] = [
        ("x", |s| s["x"] = json!({ "deep": [1] })),
        ("predicate.x", |s| s["predicate"]["x"] = Value::Null),
        ("predicate.serialization.x", |s| s["predicate"]["serialization"]["x"] = "y".into()),
    ];
    for (member, change) in rows {
        let unknown = changed(change);
        let error = read_statement(&unknown).expect_err(member);
        assert!(
            matches!(&error, Refusal::Statement(InvalidStatement::UnknownMember { path }) if path == member),
            "{member}: {error}"
        );
        let mut later = unknown;
        later["predicateType"] = "https://model_signing/signature/v1.1".into();
        read_statement(&later).unwrap_or_else(|refusal| panic!("{member} in v1.1: {refusal}"));
    }
}

#[test]
fn a_later_minor_version_is_checked_like_the_first() {
    let rows: &[Row] = &[
        (
            "an unknown method",
            |s| s["predicate"]["serialization"]["method"] = "chunks".into(),
            refused!(Refusal::Statement(InvalidStatement::UnknownMethod { .. })),
        ),
        (
            "an escaping name",
            |s| s["predicate"]["resources"][0]["name"] = "../a".into(),
            refused!(Refusal::Statement(InvalidStatement::ResourceName { .. })),
        ),
        ("no predicate", |s| remove(s, "predicate"), refused!(Refusal::Statement(InvalidStatement::NoPredicate))),
    ];
    for (case, change, expected) in rows {
        let mut later = changed(change);
        later["predicateType"] = "https://model_signing/signature/v1.7".into();
        expected.assert(case, read_statement(&later));
    }
}

#[test]
fn members_that_in_toto_allows_are_passed_over() {
    assert_accepted(&[
        ("annotations of a resource", |s| s["predicate"]["resources"][0]["annotations"] = json!({ "size": 3 })),
        ("the other members of a resource", |s| {
            let resource = &mut s["predicate"]["resources"][1];
            resource["uri"] = "file:///b/c".into();
            resource["content"] = "AAAA".into();
            resource["download_location"] = "https://example.com/b/c".into();
            resource["media_type"] = "text/plain".into();
        }),
        ("annotations of the subject", |s| s["subject"][0]["annotations"] = json!({ "x": [] })),
        ("a second digest of the subject", |s| s["subject"][0]["digest"]["sha512"] = "00".into()),
        ("another name of the subject", |s| s["subject"][0]["name"] = "../\u{1b}[31m".into()),
        ("no ignore_paths", |s| remove(&mut s["predicate"]["serialization"], "ignore_paths")),
        ("no ignored path", |s| s["predicate"]["serialization"]["ignore_paths"] = json!([])),
    ]);
}

#[test]
fn a_subject_that_is_not_one_model_is_refused() {
    let shape = refused!(Refusal::Statement(InvalidStatement::Json(InvalidJson::Shape(_))));
    assert_refused(&[
        (
            "no subject",
            |s| s["subject"] = json!([]),
            refused!(Refusal::Statement(InvalidStatement::SubjectCount { found: 0 })),
        ),
        (
            "two subjects",
            |s| {
                let subject = s["subject"][0].clone();
                s["subject"].as_array_mut().expect("an array").push(subject);
            },
            refused!(Refusal::Statement(InvalidStatement::SubjectCount { found: 2 })),
        ),
        ("subject missing", |s| remove(s, "subject"), shape),
        ("subject null", |s| s["subject"] = Value::Null, shape),
        (
            "an empty name",
            |s| s["subject"][0]["name"] = "".into(),
            refused!(Refusal::Statement(InvalidStatement::SubjectName)),
        ),
        ("no name", |s| remove(&mut s["subject"][0], "name"), shape),
        ("no digest", |s| remove(&mut s["subject"][0], "digest"), shape),
        (
            "no digest in digest",
            |s| s["subject"][0]["digest"] = json!({}),
            refused!(Refusal::Statement(InvalidStatement::NoRootDigest)),
        ),
        (
            "a digest of another algorithm alone",
            |s| s["subject"][0]["digest"] = json!({ "sha512": "00", "SHA256": "00" }),
            refused!(Refusal::Statement(InvalidStatement::NoRootDigest)),
        ),
    ]);
}

#[test]
fn a_root_digest_that_is_not_that_of_the_resources_is_refused() {
    let rows: &[Row] = &[
        (
            "short",
            |s| s["subject"][0]["digest"]["sha256"] = "00".into(),
            refused!(Refusal::Statement(InvalidStatement::RootDigestForm(InvalidDigest::Length {
                algorithm: HashAlgorithm::Sha256,
                expected: 64,
                found: 2
            }))),
        ),
        (
            "empty",
            |s| s["subject"][0]["digest"]["sha256"] = "".into(),
            refused!(Refusal::Statement(InvalidStatement::RootDigestForm(InvalidDigest::Length { found: 0, .. }))),
        ),
        (
            "in capitals",
            |s| {
                let digest = s["subject"][0]["digest"]["sha256"].as_str().expect("text").to_uppercase();
                s["subject"][0]["digest"]["sha256"] = digest.into();
            },
            refused!(Refusal::Statement(InvalidStatement::RootDigestForm(InvalidDigest::NotLowercaseHex { .. }))),
        ),
        (
            "not hexadecimal",
            |s| s["subject"][0]["digest"]["sha256"] = "g".repeat(64).into(),
            refused!(Refusal::Statement(InvalidStatement::RootDigestForm(InvalidDigest::NotLowercaseHex { .. }))),
        ),
        (
            "another",
            |s| s["subject"][0]["digest"]["sha256"] = "0".repeat(64).into(),
            refused!(Refusal::Statement(InvalidStatement::RootDigest { stated, computed })
                if *stated == "0".repeat(64) && *computed == statement()["subject"][0]["digest"]["sha256"]),
        ),
        (
            "that of the resources in another order",
            |s| s["predicate"]["resources"].as_array_mut().expect("an array").reverse(),
            refused!(Refusal::Statement(InvalidStatement::RootDigest { .. })),
        ),
        (
            "that of other resources",
            |s| drop(s["predicate"]["resources"].as_array_mut().expect("an array").pop()),
            refused!(Refusal::Statement(InvalidStatement::RootDigest { .. })),
        ),
    ];
    for (case, change, expected) in rows {
        let mut statement = statement();
        change(&mut statement);
        expected.assert(case, read_statement(&statement));
    }
}

#[test]
fn resources_are_accepted_in_any_order_with_the_root_digest_of_that_order() {
    let scratch = tempfile::tempdir().expect("a temporary directory");
    write_model(scratch.path());
    std::fs::write(scratch.path().join("b-c"), "three").expect("written");
    let (a, b_c, b) = (resource("a", b"one"), resource("b-c", b"three"), resource("b/c", b"two"));
    let orders = [
        // By code point; by path component, as Python writes; backwards; and none of these.
        vec![&a, &b_c, &b],
        vec![&a, &b, &b_c],
        vec![&b, &b_c, &a],
        vec![&b_c, &a, &b],
    ];
    let mut roots = std::collections::HashSet::new();
    for order in orders {
        let names: Vec<&str> = order.iter().map(|resource| resource["name"].as_str().expect("text")).collect();
        let bundle = signed(statement_of(order.iter().copied().cloned().collect()).to_string());
        let verdict = verify(&bundle, scratch.path()).unwrap_or_else(|refusal| panic!("{names:?}: {refusal}"));
        let manifest = verdict.statement.manifest();
        assert!(manifest.resources().iter().map(|resource| resource.name()).eq(names.iter().copied()));
        roots.insert(manifest.root_digest().to_hex());
    }
    assert_eq!(roots.len(), 4, "every order has its own root digest");
}

#[test]
fn a_predicate_that_is_not_a_manifest_is_refused() {
    let shape = refused!(Refusal::Statement(InvalidStatement::Json(InvalidJson::Shape(_))));
    assert_refused(&[
        ("no predicate", |s| remove(s, "predicate"), refused!(Refusal::Statement(InvalidStatement::NoPredicate))),
        (
            "predicate null",
            |s| s["predicate"] = Value::Null,
            refused!(Refusal::Statement(InvalidStatement::NoPredicate)),
        ),
        ("predicate a text", |s| s["predicate"] = "".into(), shape),
        ("no resources", |s| remove(&mut s["predicate"], "resources"), shape),
        ("resources an object", |s| s["predicate"]["resources"] = json!({}), shape),
        (
            "empty resources",
            |s| s["predicate"]["resources"] = json!([]),
            refused!(Refusal::Statement(InvalidStatement::Manifest(InvalidManifest::Empty))),
        ),
        (
            "a name twice",
            |s| s["predicate"]["resources"][1]["name"] = "a".into(),
            refused!(Refusal::Statement(InvalidStatement::Manifest(InvalidManifest::DuplicateName { name })) if name == "a"),
        ),
        (
            "the same resource twice",
            |s| {
                let resource = s["predicate"]["resources"][0].clone();
                s["predicate"]["resources"].as_array_mut().expect("an array").push(resource);
            },
            refused!(Refusal::Statement(InvalidStatement::Manifest(InvalidManifest::DuplicateName { .. }))),
        ),
        ("a resource without a name", |s| remove(&mut s["predicate"]["resources"][0], "name"), shape),
        ("a resource without a digest", |s| remove(&mut s["predicate"]["resources"][0], "digest"), shape),
        ("a resource without an algorithm", |s| remove(&mut s["predicate"]["resources"][0], "algorithm"), shape),
        ("a name that is a number", |s| s["predicate"]["resources"][0]["name"] = 1.into(), shape),
    ]);
}

#[test]
fn digests_that_are_not_those_of_the_manifest_are_refused() {
    assert_refused(&[
        (
            "short",
            |s| s["predicate"]["resources"][0]["digest"] = "00ff".into(),
            refused!(Refusal::Statement(InvalidStatement::ResourceDigest {
                name, error: InvalidDigest::Length { expected: 64, found: 4, .. }
            }) if name == "a"),
        ),
        (
            "empty",
            |s| s["predicate"]["resources"][0]["digest"] = "".into(),
            refused!(Refusal::Statement(InvalidStatement::ResourceDigest { error: InvalidDigest::Length { .. }, .. })),
        ),
        (
            "long",
            |s| s["predicate"]["resources"][0]["digest"] = "00".repeat(64).into(),
            refused!(Refusal::Statement(InvalidStatement::ResourceDigest {
                error: InvalidDigest::Length { found: 128, .. },
                ..
            })),
        ),
        (
            "in capitals",
            |s| s["predicate"]["resources"][0]["digest"] = "AB".repeat(32).into(),
            refused!(Refusal::Statement(InvalidStatement::ResourceDigest {
                error: InvalidDigest::NotLowercaseHex { .. },
                ..
            })),
        ),
        (
            "not hexadecimal",
            |s| s["predicate"]["resources"][0]["digest"] = "zz".repeat(32).into(),
            refused!(Refusal::Statement(InvalidStatement::ResourceDigest {
                error: InvalidDigest::NotLowercaseHex { .. },
                ..
            })),
        ),
        (
            "of the length of SHA-256 in a BLAKE2b manifest",
            |s| {
                s["predicate"]["serialization"]["hash_type"] = "blake2b".into();
                s["predicate"]["resources"][0]["algorithm"] = "blake2b".into();
            },
            refused!(Refusal::Statement(InvalidStatement::ResourceDigest {
                error: InvalidDigest::Length { algorithm: HashAlgorithm::Blake2b, expected: 128, found: 64 },
                ..
            })),
        ),
        (
            "of another algorithm than the manifest's",
            |s| s["predicate"]["resources"][1]["algorithm"] = "blake3".into(),
            refused!(Refusal::Statement(InvalidStatement::Manifest(InvalidManifest::Algorithm {
                name, expected: HashAlgorithm::Sha256, found
            })) if name == "b/c" && found == "blake3"),
        ),
        (
            "of an algorithm in capitals",
            |s| s["predicate"]["resources"][1]["algorithm"] = "SHA256".into(),
            refused!(Refusal::Statement(InvalidStatement::Manifest(InvalidManifest::Algorithm { .. }))),
        ),
        (
            "of no algorithm",
            |s| s["predicate"]["resources"][1]["algorithm"] = "".into(),
            refused!(Refusal::Statement(InvalidStatement::Manifest(InvalidManifest::Algorithm { .. }))),
        ),
    ]);
}

#[test]
fn parameters_that_are_not_known_are_refused() {
    let shape = refused!(Refusal::Statement(InvalidStatement::Json(InvalidJson::Shape(_))));
    assert_refused(&[
        ("no serialization", |s| remove(&mut s["predicate"], "serialization"), shape),
        ("no method", |s| remove(&mut s["predicate"]["serialization"], "method"), shape),
        ("no hash_type", |s| remove(&mut s["predicate"]["serialization"], "hash_type"), shape),
        ("no allow_symlinks", |s| remove(&mut s["predicate"]["serialization"], "allow_symlinks"), shape),
        (
            "an unknown method",
            |s| s["predicate"]["serialization"]["method"] = "chunks".into(),
            refused!(Refusal::Statement(InvalidStatement::UnknownMethod { found }) if found == "chunks"),
        ),
        (
            "a method in capitals",
            |s| s["predicate"]["serialization"]["method"] = "Files".into(),
            refused!(Refusal::Statement(InvalidStatement::UnknownMethod { .. })),
        ),
        (
            "an empty method",
            |s| s["predicate"]["serialization"]["method"] = "".into(),
            refused!(Refusal::Statement(InvalidStatement::UnknownMethod { .. })),
        ),
        (
            "an unknown hash",
            |s| s["predicate"]["serialization"]["hash_type"] = "sha512".into(),
            refused!(Refusal::Statement(InvalidStatement::UnknownHash { found }) if found == "sha512"),
        ),
        (
            "a broken hash",
            |s| s["predicate"]["serialization"]["hash_type"] = "md5".into(),
            refused!(Refusal::Statement(InvalidStatement::UnknownHash { .. })),
        ),
        (
            "a hash in capitals",
            |s| s["predicate"]["serialization"]["hash_type"] = "SHA256".into(),
            refused!(Refusal::Statement(InvalidStatement::UnknownHash { .. })),
        ),
        (
            "shard_size with files",
            |s| s["predicate"]["serialization"]["shard_size"] = 4.into(),
            refused!(Refusal::Statement(InvalidStatement::UnexpectedShardSize)),
        ),
        ("allow_symlinks a text", |s| s["predicate"]["serialization"]["allow_symlinks"] = "false".into(), shape),
        ("allow_symlinks a number", |s| s["predicate"]["serialization"]["allow_symlinks"] = 0.into(), shape),
        ("allow_symlinks null", |s| s["predicate"]["serialization"]["allow_symlinks"] = Value::Null, shape),
        ("ignore_paths a text", |s| s["predicate"]["serialization"]["ignore_paths"] = ".git".into(), shape),
        ("ignore_paths of numbers", |s| s["predicate"]["serialization"]["ignore_paths"] = json!([1]), shape),
    ]);
}
