//! Shard serialization (OMS §6.3.2).

use std::fs;

use model_transparency::envelope::{InvalidJson, InvalidStatement};
use model_transparency::hash::HashAlgorithm;
use model_transparency::manifest::{InvalidManifest, InvalidShardName};
use model_transparency::model::InvalidPath;
use model_transparency::verify::CompareError;
use serde_json::{Value, json};

use crate::forge::{Expected, Refusal, read, refused, resource, seal, signed, statement_of, verify};

/// The statement of shards of 4 bytes, by name and content.
fn shards(shards: &[(&str, &str)]) -> Value {
    let mut statement = statement_of(shards.iter().map(|(name, content)| resource(name, content.as_bytes())).collect());
    statement["predicate"]["serialization"]["method"] = "shards".into();
    statement["predicate"]["serialization"]["shard_size"] = 4.into();
    statement
}

/// The statement of `weights`, ten bytes in three shards.
fn weights() -> Value {
    shards(&[("weights:0:4", "0123"), ("weights:4:8", "4567"), ("weights:8:10", "89")])
}

fn read_statement(statement: &Value) -> Result<(), Refusal> {
    read(&signed(statement.to_string())).map(drop)
}

/// Verifies `statement` with a model of one file.
fn verify_file(statement: &Value, name: &str, content: &str) -> Result<(), Refusal> {
    let scratch = tempfile::tempdir().expect("a temporary directory");
    fs::write(scratch.path().join(name), content).expect("written");
    verify(&signed(statement.to_string()), scratch.path()).map(drop)
}

#[test]
fn a_shard_size_that_is_not_a_positive_integer_is_refused() {
    let rows: &[(&str, Option<Value>, Expected)] = &[
        ("missing", None, refused!(Refusal::Statement(InvalidStatement::NoShardSize))),
        ("null", Some(Value::Null), refused!(Refusal::Statement(InvalidStatement::NoShardSize))),
        ("0", Some(json!(0)), refused!(Refusal::Statement(InvalidStatement::ShardSize { found }) if found == "0")),
        ("-0.0", Some(json!(-0.0)), refused!(Refusal::Statement(InvalidStatement::ShardSize { .. }))),
        ("-1", Some(json!(-1)), refused!(Refusal::Statement(InvalidStatement::ShardSize { found }) if found == "-1")),
        ("-4.0", Some(json!(-4.0)), refused!(Refusal::Statement(InvalidStatement::ShardSize { .. }))),
        (
            "4.5",
            Some(json!(4.5)),
            refused!(Refusal::Statement(InvalidStatement::ShardSize { found }) if found == "4.5"),
        ),
        ("1e300", Some(json!(1e300)), refused!(Refusal::Statement(InvalidStatement::ShardSize { .. }))),
        // More than a float holds exactly, and more than 64 bits.
        (
            "2^53 + 2",
            Some(json!(9_007_199_254_740_994.0)),
            refused!(Refusal::Statement(InvalidStatement::ShardSize { .. })),
        ),
        ("a text", Some(json!("4")), refused!(Refusal::Statement(InvalidStatement::Json(InvalidJson::Shape(_))))),
        ("an array", Some(json!([4])), refused!(Refusal::Statement(InvalidStatement::Json(InvalidJson::Shape(_))))),
        ("a truth", Some(json!(true)), refused!(Refusal::Statement(InvalidStatement::Json(InvalidJson::Shape(_))))),
    ];
    for (case, size, expected) in rows {
        let mut statement = weights();
        let serialization = statement["predicate"]["serialization"].as_object_mut().expect("an object");
        match size {
            Some(size) => drop(serialization.insert("shard_size".to_owned(), size.clone())),
            None => drop(serialization.remove("shard_size")),
        }
        expected.assert(case, read_statement(&statement));
    }
    for (text, expected) in [
        ("18446744073709551616", refused!(Refusal::Statement(InvalidStatement::ShardSize { .. }))),
        ("99999999999999999999999999999999", refused!(Refusal::Statement(InvalidStatement::ShardSize { .. }))),
        ("1e999", refused!(Refusal::Statement(InvalidStatement::Json(_)))),
        ("04", refused!(Refusal::Statement(InvalidStatement::Json(InvalidJson::Syntax(_))))),
    ] {
        let payload = weights().to_string().replace("\"shard_size\":4", &format!("\"shard_size\":{text}"));
        expected.assert(text, read(&signed(payload)));
    }
}

#[test]
fn the_largest_shard_size_is_one_shard_for_each_file() {
    let mut statement = shards(&[("weights:0:10", "0123456789")]);
    statement["predicate"]["serialization"]["shard_size"] = u64::MAX.into();
    verify_file(&statement, "weights", "0123456789").unwrap_or_else(|refusal| panic!("{refusal}"));
    // A resource that ends where no file can is met with a comparison of lengths, not with arithmetic that overflows.
    let mut endless = shards(&[("weights:0:18446744073709551615", "0123456789")]);
    endless["predicate"]["serialization"]["shard_size"] = u64::MAX.into();
    refused!(Refusal::Compare(CompareError::Mismatch { difference, .. }) if difference.changed.len() == 1)
        .assert("endless", verify_file(&endless, "weights", "0123456789"));
}

/// The name of a resource and the content that its digest is of.
type Shard = (&'static str, &'static str);

#[test]
fn shards_that_do_not_cover_their_file_are_refused() {
    let rows: &[(&str, &[Shard], Expected)] = &[
        (
            "a gap",
            &[("w:0:4", "0123"), ("w:8:10", "89")],
            refused!(Refusal::Statement(InvalidStatement::Manifest(InvalidManifest::ShardGap {
                name, expected_start: 4, found_start: 8
            })) if name == "w:8:10"),
        ),
        (
            "a gap at the start",
            &[("w:4:8", "4567")],
            refused!(Refusal::Statement(InvalidStatement::Manifest(InvalidManifest::ShardGap {
                expected_start: 0,
                found_start: 4,
                ..
            }))),
        ),
        (
            "a gap of one byte",
            &[("w:0:4", "0123"), ("w:5:9", "5678")],
            refused!(Refusal::Statement(InvalidStatement::Manifest(InvalidManifest::ShardGap {
                expected_start: 4,
                found_start: 5,
                ..
            }))),
        ),
        (
            "an overlap",
            &[("w:0:4", "0123"), ("w:3:7", "3456")],
            refused!(Refusal::Statement(InvalidStatement::Manifest(InvalidManifest::ShardOverlap {
                expected_start: 4,
                found_start: 3,
                ..
            }))),
        ),
        (
            "the same start",
            &[("w:0:4", "0123"), ("w:0:2", "01")],
            refused!(Refusal::Statement(InvalidStatement::Manifest(
                InvalidManifest::ShardOverlap { .. } | InvalidManifest::ShardLength { .. }
            ))),
        ),
        (
            "a long shard",
            &[("w:0:5", "01234")],
            refused!(Refusal::Statement(InvalidStatement::Manifest(InvalidManifest::ShardLength {
                expected: 4,
                found: 5,
                ..
            }))),
        ),
        (
            "a short shard that is not the last",
            &[("w:0:3", "012"), ("w:3:7", "3456")],
            refused!(Refusal::Statement(InvalidStatement::Manifest(InvalidManifest::ShardLength {
                expected: 4,
                found: 3,
                ..
            }))),
        ),
        (
            "the same shard twice",
            &[("w:0:4", "0123"), ("w:0:4", "0123")],
            refused!(Refusal::Statement(InvalidStatement::Manifest(InvalidManifest::DuplicateName { .. }))),
        ),
        (
            "a gap in the second file",
            &[("v:0:4", "0123"), ("w:0:4", "0123"), ("w:8:12", "89ab")],
            refused!(Refusal::Statement(InvalidStatement::Manifest(InvalidManifest::ShardGap { name, .. }))
                if name == "w:8:12"),
        ),
    ];
    for (case, resources, expected) in rows {
        expected.assert(case, read_statement(&shards(resources)));
    }
}

#[test]
fn names_that_are_not_those_of_shards_are_refused() {
    let forms = [
        "", "w", "w:4", "w:0:", "w::4", "w:0:x", "w:-1:4", "w:+0:4", "w:00:4", "w:0:04", "w: 0:4", "w:0:4 ", "w:0x0:4",
    ];
    for name in [&forms[..], &["w:0:4:", "w:0:99999999999999999999", "w:0.0:4.0", "w:٠:٤"]].concat() {
        let refusal = read_statement(&shards(&[(name, "0123")])).expect_err(name);
        assert!(
            matches!(&refusal, Refusal::Statement(InvalidStatement::ShardName { name: named, error: InvalidShardName::Form })
                if named == name),
            "{name}: {refusal:?}"
        );
    }
    for (name, start, end) in [("w:4:4", 4, 4), ("w:8:4", 8, 4), ("w:0:0", 0, 0)] {
        let refusal = read_statement(&shards(&[(name, "")])).expect_err(name);
        assert!(
            matches!(&refusal, Refusal::Statement(InvalidStatement::ShardName { error, .. })
                if *error == InvalidShardName::EmptyRange { start, end }),
            "{name}: {refusal:?}"
        );
    }
    let paths = [
        (":0:4", InvalidPath::Empty),
        ("/w:0:4", InvalidPath::Absolute),
        ("../w:0:4", InvalidPath::ParentDirectory),
        ("w/..:0:4", InvalidPath::ParentDirectory),
        ("./w:0:4", InvalidPath::CurrentDirectory),
        ("w/:0:4", InvalidPath::EmptyComponent),
        ("w//x:0:4", InvalidPath::EmptyComponent),
        ("w\0:0:4", InvalidPath::Nul),
    ];
    for (name, rule) in paths {
        let refusal = read_statement(&shards(&[(name, "0123")])).expect_err(name);
        assert!(
            matches!(&refusal, Refusal::Statement(InvalidStatement::ShardName { error: InvalidShardName::Path(error), .. })
                if *error == rule),
            "{name}: {refusal:?}"
        );
    }
}

#[cfg(not(windows))]
#[test]
fn file_names_may_have_colons() {
    for name in ["a:b", "a:0:4", ":", "::", "a:", ":0:4"] {
        let first = format!("{name}:0:4");
        let second = format!("{name}:4:6");
        let statement = shards(&[(&first, "0123"), (&second, "45")]);
        verify_file(&statement, name, "012345").unwrap_or_else(|refusal| panic!("{name}: {refusal}"));
        refused!(Refusal::Compare(CompareError::Mismatch { difference, .. })
            if difference.changed.len() == 1 && difference.missing.is_empty() && difference.extra.is_empty())
        .assert(name, verify_file(&statement, name, "0123x5"));
    }
}

#[test]
fn shards_are_accepted_in_any_order() {
    let mut statement = weights();
    for _ in 0..3 {
        statement["predicate"]["resources"].as_array_mut().expect("an array").rotate_left(1);
        seal(&mut statement);
        verify_file(&statement, "weights", "0123456789").unwrap_or_else(|refusal| panic!("{refusal}"));
    }
}

#[test]
fn what_python_1_1_1_writes_for_shards_is_accepted_with_the_matching_size() {
    let python = |algorithm: &str, size: Value| {
        let mut statement = weights();
        for resource in statement["predicate"]["resources"].as_array_mut().expect("an array") {
            resource["algorithm"] = algorithm.into();
        }
        statement["predicate"]["serialization"]["shard_size"] = size;
        statement
    };
    for (algorithm, size) in
        [("sha256-sharded-4", json!(4.0)), ("sha256-sharded-4", json!(4)), ("sha256", json!(4.0)), ("sha256", json!(4))]
    {
        verify_file(&python(algorithm, size.clone()), "weights", "0123456789")
            .unwrap_or_else(|refusal| panic!("{algorithm}, {size}: {refusal}"));
    }
    for algorithm in [
        "sha256-sharded-8",
        "sha256-sharded-04",
        "sha256-sharded-4.0",
        "sha256-sharded-",
        "sha256-sharded",
        "sha256-sharded-4-4",
        "blake3-sharded-4",
        "SHA256-sharded-4",
        "file-sha256-4",
    ] {
        let refusal = read_statement(&python(algorithm, json!(4.0))).expect_err(algorithm);
        assert!(
            matches!(&refusal, Refusal::Statement(InvalidStatement::Manifest(InvalidManifest::Algorithm {
                expected: HashAlgorithm::Sha256, found, ..
            })) if found == algorithm),
            "{algorithm}: {refusal:?}"
        );
    }
    let mut files = statement_of(vec![resource("a", b"one")]);
    files["predicate"]["resources"][0]["algorithm"] = "sha256-sharded-4".into();
    refused!(Refusal::Statement(InvalidStatement::Manifest(InvalidManifest::Algorithm { .. })))
        .assert("with the files method", read_statement(&files));
}

#[test]
fn the_shards_of_a_single_file_may_have_its_old_name() {
    let statement = shards(&[(".:0:4", "0123"), (".:4:6", "45")]);
    let bundle = signed(statement.to_string());
    let scratch = tempfile::tempdir().expect("a temporary directory");
    let file = scratch.path().join("model.bin");
    fs::write(&file, "012345").expect("written");
    let verdict = verify(&bundle, &file).unwrap_or_else(|refusal| panic!("{refusal}"));
    assert_eq!((verdict.files, verdict.length_bytes), (1, 6));
    refused!(Refusal::Compare(CompareError::SignedAsSingleFile)).assert("a directory", verify(&bundle, scratch.path()));
    fs::write(&file, "0123456").expect("written");
    refused!(Refusal::Compare(CompareError::Mismatch { difference, .. }) if difference.changed.len() == 1)
        .assert("longer", verify(&bundle, &file));

    refused!(Refusal::Statement(InvalidStatement::ShardName {
        error: InvalidShardName::Path(InvalidPath::CurrentDirectory),
        ..
    }))
    .assert("beside others", read_statement(&shards(&[(".:0:4", "0123"), ("w:0:4", "0123")])));
    refused!(Refusal::Statement(InvalidStatement::Manifest(InvalidManifest::ShardGap { .. })))
        .assert("with a gap", read_statement(&shards(&[(".:0:4", "0123"), (".:8:12", "0123")])));
    refused!(Refusal::Statement(InvalidStatement::ShardName { .. }))
        .assert("whole", read_statement(&shards(&[(".", "0")])));
}
