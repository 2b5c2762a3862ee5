//! Models as subjects: a directory by its root digest, by its directory hash, by its files; a file by any digest.

use std::fs;

use aws_lc_rs::digest::{SHA512, digest};
use serde_json::{Value, json};

use super::super::support::Sandbox;
use super::signing::{V1, sha256, statement, subject, write};
use super::{refused, verified};

const WORDS: &str = "model --provenance-path made.json --key key.pub.pem";
const CONFIG: &str = "{}\n";
const WEIGHTS: &str = "weights\n";

fn sha512(content: &str) -> String {
    digest(&SHA512, content.as_bytes()).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn made(subjects: &Value) -> Value {
    let predicate = json!({
        "buildDefinition": { "buildType": "https://b.example/type", "externalParameters": {} },
        "runDetails": { "builder": { "id": "https://b.example" } },
    });
    statement(subjects, V1, &predicate)
}

/// A folder with `model`, and `made.json` about these subjects.
fn sandbox(subjects: &Value) -> Sandbox {
    let sandbox = Sandbox::with_model();
    write(&sandbox, "made.json", &made(subjects));
    sandbox
}

/// The root digest of `config.json` and `sub/weights.bin` (OMS §6.5.1).
fn root() -> String {
    let raw = |content: &str| digest(&aws_lc_rs::digest::SHA256, content.as_bytes());
    sha256([raw(CONFIG).as_ref(), raw(WEIGHTS).as_ref()].concat())
}

fn dir_hash() -> String {
    sha256(format!("{}  config.json\n{}  sub/weights.bin\n", sha256(CONFIG), sha256(WEIGHTS)))
}

fn files() -> Value {
    json!([subject("dist/config.json", CONFIG), subject("dist/sub/weights.bin", WEIGHTS), subject("log.txt", "log")])
}

/// What no provenance of the whole directory is of.
fn is_of_this_directory_alone(sandbox: &Sandbox, kind: &str) {
    verified(sandbox, WORDS);
    sandbox.write("model/sub/weights.bin", "Weights\n");
    refused(sandbox, WORDS, kind);
    sandbox.write("model/sub/weights.bin", WEIGHTS);
    sandbox.write("model/extra", "x");
    refused(sandbox, WORDS, kind);
    fs::remove_file(sandbox.path("model/extra")).expect("removed");
    verified(sandbox, WORDS);
}

#[test]
fn a_directory_is_its_root_digest_which_binds_no_names() {
    let sandbox = sandbox(&json!([{ "name": "small", "digest": { "sha256": root() } }]));
    let found = verified(&sandbox, WORDS);
    assert_eq!((&found["subject"]["directory"], &found["subject"]["binds_names"]), (&true.into(), &false.into()));
    let (_, printed) = sandbox.json("digest model");
    assert_eq!(printed["result"]["root_digest"]["sha256"], root());
    let run = sandbox.ok(&format!("provenance verify {WORDS}"));
    insta::assert_snapshot!("directory", sandbox.scrub(&run));
    is_of_this_directory_alone(&sandbox, "wrong_subject");
    // The order is the same, and so is the content.
    fs::rename(sandbox.path("model/config.json"), sandbox.path("model/a.json")).expect("renamed");
    verified(&sandbox, WORDS);
}

#[test]
fn a_directory_is_its_directory_hash_which_binds_names() {
    for digest in [json!({ "dirHash": dir_hash() }), json!({ "dirHash": dir_hash(), "sha256": root() })] {
        let sandbox = sandbox(&json!([{ "name": "small", "digest": digest }]));
        assert_eq!(verified(&sandbox, WORDS)["subject"]["binds_names"], true);
        is_of_this_directory_alone(&sandbox, "wrong_subject");
        fs::rename(sandbox.path("model/config.json"), sandbox.path("model/a.json")).expect("renamed");
        refused(&sandbox, WORDS, "wrong_subject");
    }
    for digest in [json!({ "dirHash": root() }), json!({ "dirHash": dir_hash(), "sha256": dir_hash() })] {
        refused(&sandbox(&json!([{ "name": "small", "digest": digest }])), WORDS, "wrong_subject");
    }
}

#[test]
fn a_directory_is_all_of_its_files() {
    let sandbox = sandbox(&files());
    let found = verified(&sandbox, WORDS);
    assert_eq!(found["files"], json!({ "covered": 2, "not_covered": [], "other_name": [] }));
    is_of_this_directory_alone(&sandbox, "files_not_covered");
    fs::rename(sandbox.path("model/config.json"), sandbox.path("model/a.json")).expect("renamed");
    assert_eq!(verified(&sandbox, WORDS)["files"]["other_name"], json!(["a.json"]));
    let run = sandbox.ok(&format!("provenance verify {WORDS}"));
    assert!(run.stdout.contains("other name   a.json"), "{}", run.stdout);
}

#[test]
fn a_file_that_is_not_covered_is_named() {
    let sandbox = sandbox(&files());
    sandbox.write("model/extra.bin", "x");
    let said = refused(&sandbox, WORDS, "files_not_covered");
    assert!(said.contains("found 2 of 3; not `extra.bin`"), "{said}");
    sandbox.fails(&format!("provenance verify {WORDS}"), 1, &["--allow-partial"]);
    let partial = format!("{WORDS} --allow-partial");
    let found = verified(&sandbox, &partial);
    assert_eq!(found["files"], json!({ "covered": 2, "not_covered": ["extra.bin"], "other_name": [] }));
    let run = sandbox.ok(&format!("provenance verify {partial}"));
    insta::assert_snapshot!("partial", sandbox.scrub(&run));
    // None at all is another matter.
    sandbox.write("model/config.json", "a");
    sandbox.write("model/sub/weights.bin", "b");
    refused(&sandbox, &partial, "wrong_subject");
    // What is left out of the model is not looked for.
    sandbox.write("model/config.json", CONFIG);
    sandbox.write("model/sub/weights.bin", WEIGHTS);
    verified(&sandbox, &format!("{WORDS} --ignore-paths model/extra.bin"));
}

#[test]
fn subjects_with_sha512_alone_are_found() {
    let of = |name: &str, content: &str| json!({ "name": name, "digest": { "sha512": sha512(content) } });
    let sandbox = sandbox(&json!([of("config.json", CONFIG), of("sub/weights.bin", WEIGHTS)]));
    assert_eq!(verified(&sandbox, &format!("{WORDS} --digest-alg sha512"))["files"]["covered"], 2);
    refused(&sandbox, &format!("{WORDS} --digest-alg sha256"), "wrong_subject");
    let file = WORDS.replacen("model", "model/config.json", 1);
    verified(&sandbox, &file);
    verified(&sandbox, &format!("{file} --digest-alg sha512"));
    verified(&sandbox, &WORDS.replacen("model", &format!("sha512:{}", sha512(CONFIG)), 1));
    let said = refused(&sandbox, &format!("{file} --digest-alg sha256"), "wrong_subject");
    assert!(said.contains("expected a subject with a sha256 digest, found one with sha512"), "{said}");
    // Of a digest nothing else is known.
    refused(&sandbox, &WORDS.replacen("model", &format!("sha256:{}", sha256(CONFIG)), 1), "wrong_subject");
    sandbox.write("model/config.json", "[]\n");
    refused(&sandbox, &file, "wrong_subject");
    refused(&sandbox, WORDS, "files_not_covered");
}

#[test]
fn every_digest_of_a_subject_that_is_known_has_to_be_the_same() {
    for (digest, holds) in [
        (json!({ "sha256": sha256(CONFIG), "sha512": sha512(CONFIG), "gitBlob": "00" }), true),
        (json!({ "sha256": sha256(CONFIG), "sha512": sha512(WEIGHTS) }), false),
        (json!({ "sha256": sha256(WEIGHTS), "sha512": sha512(CONFIG) }), false),
        (json!({ "gitBlob": "00" }), false),
        (json!({}), false),
    ] {
        let sandbox = sandbox(&json!([{ "name": "config.json", "digest": digest }]));
        for words in [WORDS.replacen("model", "model/config.json", 1), format!("{WORDS} --allow-partial")] {
            if holds {
                verified(&sandbox, &words);
            } else {
                refused(&sandbox, &words, "wrong_subject");
            }
        }
    }
}

#[test]
fn a_file_is_no_directory_and_a_directory_no_file() {
    let sandbox = sandbox(&json!([{ "name": "model", "digest": { "sha256": root() } }]));
    refused(&sandbox, &WORDS.replacen("model", "model/config.json", 1), "wrong_subject");
    verified(&sandbox, &WORDS.replacen("model", &format!("sha256:{}", root()), 1));
    // The listing that a directory hash is made over is a file that is not the directory.
    let sandbox = self::sandbox(&json!([{ "name": "model", "digest": { "dirHash": dir_hash() } }]));
    sandbox.write("listing", format!("{}  config.json\n{}  sub/weights.bin\n", sha256(CONFIG), sha256(WEIGHTS)));
    refused(&sandbox, &WORDS.replacen("model", "listing", 1), "wrong_subject");
    // A directory of one file is that file by its content, and its root digest is another.
    let sandbox = self::sandbox(&json!([subject("config.json", CONFIG)]));
    sandbox.write("one/config.json", CONFIG);
    assert_eq!(verified(&sandbox, &WORDS.replacen("model", "one", 1))["files"]["covered"], 1);
    verified(&sandbox, &WORDS.replacen("model", "one/config.json", 1));
}

#[test]
fn several_artifacts_are_all_to_be_of_it() {
    let sandbox = sandbox(&files());
    let both = WORDS.replacen("model", "model model/config.json", 1);
    assert_eq!(
        sandbox.json(&format!("provenance verify {both}")).1["result"]["artifacts"].as_array().map(Vec::len),
        Some(2)
    );
    sandbox.write("other", "other");
    let said = refused(&sandbox, &WORDS.replacen("model", "model other", 1), "wrong_subject");
    assert!(said.starts_with("`other`: "), "{said}");
}

#[test]
fn provenance_in_the_directory_is_no_part_of_it() {
    let sandbox = sandbox(&json!([{ "name": "small", "digest": { "dirHash": dir_hash() } }]));
    fs::rename(sandbox.path("made.json"), sandbox.path("model/made.json")).expect("moved");
    let inside = WORDS.replace("made.json", "model/made.json");
    verified(&sandbox, &inside);
    verified(&sandbox, &inside.replace("model/made.json", "./model/../model/made.json"));
    // Only this very file.
    sandbox.write("model/sub/made.json", sandbox.read("model/made.json"));
    refused(&sandbox, &inside, "wrong_subject");
    verified(&sandbox, &format!("{inside} --ignore-paths model/sub/made.json"));
}

#[cfg(unix)]
#[test]
fn links_are_followed_where_that_is_asked_for() {
    let sandbox = sandbox(&files());
    sandbox.write("outside", WEIGHTS);
    fs::remove_file(sandbox.path("model/sub/weights.bin")).expect("removed");
    std::os::unix::fs::symlink("../../outside", sandbox.path("model/sub/weights.bin")).expect("linked");
    sandbox.fails(&format!("provenance verify {WORDS}"), 1, &["sub/weights.bin", "--allow-symlinks"]);
    let run = sandbox.ok(&format!("provenance verify {WORDS} --allow-symlinks"));
    assert!(run.stderr.contains("a link to a file outside the model"), "{}", run.stderr);
    sandbox.write("outside", "else");
    sandbox.fails(&format!("provenance verify {WORDS} --allow-symlinks"), 1, &["not `sub/weights.bin`"]);
}

#[test]
fn an_empty_directory_is_no_model() {
    let sandbox = sandbox(&files());
    fs::create_dir(sandbox.path("empty")).expect("made");
    refused(&sandbox, &WORDS.replacen("model", "empty", 1), "empty_model");
}
