//! The names of resources (OMS §5.2.1, §6.1.2).

use std::fs;

use model_transparency::envelope::InvalidStatement;
use model_transparency::model::InvalidPath;
use model_transparency::verify::CompareError;
use serde_json::{Value, json};

use crate::forge::{Refusal, read, refused, resource, seal, signed, statement, statement_of, verify, write_model};

fn read_names(names: &[&str]) -> Result<(), Refusal> {
    let resources = names.iter().map(|name| resource(name, b"one")).collect();
    read(&signed(statement_of(resources).to_string())).map(drop)
}

/// The names that §6.1.2 forbids, and the rule that each breaks.
const ATTACKS: &[(&str, InvalidPath)] = &[
    ("", InvalidPath::Empty),
    ("/", InvalidPath::Absolute),
    ("/etc/passwd", InvalidPath::Absolute),
    ("//server/share", InvalidPath::Absolute),
    ("..", InvalidPath::ParentDirectory),
    ("../a", InvalidPath::ParentDirectory),
    ("../model/a", InvalidPath::ParentDirectory),
    ("b/../a", InvalidPath::ParentDirectory),
    ("b/..", InvalidPath::ParentDirectory),
    ("b/../../../etc/passwd", InvalidPath::ParentDirectory),
    ("./a", InvalidPath::CurrentDirectory),
    ("b/./c", InvalidPath::CurrentDirectory),
    ("b/.", InvalidPath::CurrentDirectory),
    ("./", InvalidPath::CurrentDirectory),
    ("b//c", InvalidPath::EmptyComponent),
    ("b/", InvalidPath::EmptyComponent),
    ("b/c/", InvalidPath::EmptyComponent),
    ("a\0", InvalidPath::Nul),
    ("\0", InvalidPath::Nul),
    ("a\0/../../etc/passwd", InvalidPath::Nul),
];

#[test]
fn names_that_are_not_canonical_are_refused() {
    for (attack, rule) in ATTACKS {
        for names in [vec![*attack], vec!["a", *attack], vec![*attack, "a"]] {
            let refusal = read_names(&names).expect_err(attack);
            assert!(
                matches!(&refusal, Refusal::Statement(InvalidStatement::ResourceName { name, error })
                    if name == attack && error == rule),
                "{names:?}: {refusal:?}"
            );
        }
    }
}

#[test]
fn the_old_name_of_a_single_file_stands_alone() {
    for names in [&[".", "a"][..], &["a", "."], &["a", ".", "b"]] {
        let refusal = read_names(names).expect_err("`.` beside others");
        assert!(
            matches!(&refusal, Refusal::Statement(InvalidStatement::ResourceName { name, error })
                if name == "." && *error == InvalidPath::CurrentDirectory),
            "{names:?}: {refusal:?}"
        );
    }
    let twice = read_names(&[".", "."]).expect_err("`.` twice");
    assert!(twice.to_string().contains("twice"), "{twice}");
}

#[test]
fn the_old_name_of_a_single_file_is_that_of_a_file_and_not_of_a_directory() {
    let scratch = tempfile::tempdir().expect("a temporary directory");
    let file = scratch.path().join("model.bin");
    fs::write(&file, "one").expect("written");
    let bundle = signed(statement_of(vec![resource(".", b"one")]).to_string());
    let verdict = verify(&bundle, &file).unwrap_or_else(|refusal| panic!("{refusal}"));
    assert_eq!((verdict.files, verdict.length_bytes), (1, 3));
    assert!(verdict.statement.manifest().names_the_model_itself());

    refused!(Refusal::Compare(CompareError::SignedAsSingleFile))
        .assert("its directory", verify(&bundle, scratch.path()));
    fs::write(&file, "eno").expect("written");
    refused!(Refusal::Compare(CompareError::Mismatch { difference, .. })
        if difference.changed.len() == 1 && difference.missing.is_empty() && difference.extra.is_empty())
    .assert("changed", verify(&bundle, &file));
}

#[test]
fn a_directory_is_not_a_single_file_of_the_same_content() {
    let scratch = tempfile::tempdir().expect("a temporary directory");
    write_model(scratch.path());
    let bundle = signed(statement().to_string());
    refused!(Refusal::Compare(CompareError::Mismatch { difference, .. })
        if difference.missing == ["b/c"] && difference.extra.is_empty() && difference.changed.is_empty())
    .assert("one of its files", verify(&bundle, &scratch.path().join("a")));
}

#[test]
fn names_that_only_look_dangerous_are_accepted() {
    let names = ["..a", "..d/..b", ".a", "~", "~root/x", "$HOME", "-rf", "%2e%2e", "a b", "模型.bin"];
    #[cfg(not(windows))]
    let names =
        [&names[..], &["...", "a..", "C:", "a\\..\\b", "a:b", "x\n\u{1b}[31m", "\u{202e}gpj.exe", "*", "?", "NUL"]]
            .concat();
    let scratch = tempfile::tempdir().expect("a temporary directory");
    for name in &names {
        let path = scratch.path().join(name);
        fs::create_dir_all(path.parent().expect("below the scratch directory")).expect("created");
        fs::write(path, "one").expect("written");
    }
    let resources: Vec<Value> = names.iter().map(|name| resource(name, b"one")).collect();
    let bundle = signed(statement_of(resources).to_string());
    let verdict = verify(&bundle, scratch.path()).unwrap_or_else(|refusal| panic!("{refusal}"));
    assert_eq!(verdict.files, names.len());
}

#[test]
fn a_file_that_another_resource_needs_as_a_directory_is_missing() {
    let scratch = tempfile::tempdir().expect("a temporary directory");
    fs::write(scratch.path().join("a"), "one").expect("written");
    let bundle = signed(statement_of(vec![resource("a", b"one"), resource("a/b", b"one")]).to_string());
    refused!(Refusal::Compare(CompareError::Mismatch { difference, .. }) if difference.missing == ["a/b"])
        .assert("a and a/b", verify(&bundle, scratch.path()));
}

#[test]
fn a_directory_in_the_place_of_a_file_is_missing() {
    let scratch = tempfile::tempdir().expect("a temporary directory");
    fs::create_dir(scratch.path().join("a")).expect("created");
    let bundle = signed(statement_of(vec![resource("a", b"one")]).to_string());
    refused!(Refusal::Compare(CompareError::Mismatch { difference, .. }) if difference.missing == ["a"])
        .assert("a/", verify(&bundle, scratch.path()));
}

#[test]
fn lone_surrogates_are_no_names() {
    let mut statement = statement();
    statement["predicate"]["resources"] = json!([resource("@", b"one")]);
    seal(&mut statement);
    let payload = statement.to_string().replace("\"@\"", r#""\ud800""#);
    refused!(Refusal::Statement(InvalidStatement::Json(_))).assert("\\ud800", read(&signed(payload)));
}
