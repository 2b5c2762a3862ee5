//! Provenance of training, of the build type that is this project's own.

use model_transparency::provenance::{TRAINING_BUILD_TYPE, TRAINING_BUILDER};
use serde_json::{Value, json};

use super::super::support::Sandbox;
use super::signing::{V1, sha256, statement, subject, write};
use super::{refused, verified};

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

fn training() -> Value {
    let input = |role: &str, uri: &str| json!({ "uri": uri, "digest": { "sha256": sha256(uri) }, "annotations": { "role": role } });
    let predicate = json!({
        "buildDefinition": {
            "buildType": TRAINING_BUILD_TYPE,
            "externalParameters": {
                "source": { "entryPoint": "train.py" },
                "command": ["python", "train.py"],
                "parameters": { "lr": 0.1, "epochs": "3", "mixed": true },
            },
            "resolvedDependencies": [
                {
                    "uri": "git+https://git.example.com/team/training@refs/heads/main",
                    "digest": { "gitCommit": COMMIT },
                    "annotations": { "role": "source" },
                },
                input("dataset", "hf://datasets/one"),
                input("dataset", "git+https://git.example.com/team/data"),
                input("base-model", "hf://models/base"),
            ],
        },
        "runDetails": { "builder": { "id": TRAINING_BUILDER }, "metadata": { "invocationId": "run-1" } },
    });
    statement(&json!([subject("weights", "weights")]), V1, &predicate)
}

fn sandbox(statement: &Value) -> Sandbox {
    let sandbox = Sandbox::with_model();
    sandbox.write("weights", "weights");
    write(&sandbox, "training.json", statement);
    sandbox
}

fn words(flags: &str) -> String {
    format!("weights --provenance-path training.json --key key.pub.pem {flags}")
}

#[test]
fn whoever_trained_the_model_says_so_at_level_1() {
    let sandbox = sandbox(&training());
    let found = verified(&sandbox, &words("--min-level 1"));
    assert_eq!((&found["level"], &found["source"]["commit"]), (&1.into(), &COMMIT.into()));
    assert_eq!(found["sources"].as_array().map(Vec::len), Some(1), "a dataset in Git is no source: {found}");
    assert_eq!(found["trigger"]["workflow"], "train.py");
    refused(&sandbox, &words("--min-level 2"), "level_too_low");
    let run = sandbox.ok(&format!("provenance verify {}", words("")));
    insta::assert_snapshot!("training", sandbox.scrub(&run));
}

#[test]
fn another_builder_has_no_level() {
    let mut statement = training();
    statement["predicate"]["runDetails"]["builder"]["id"] = "https://train.example.com".into();
    let sandbox = sandbox(&statement);
    assert_eq!(verified(&sandbox, &words(""))["level"], Value::Null);
    refused(&sandbox, &words("--min-level 1"), "level_too_low");
}

#[test]
fn datasets_are_those_that_were_given_and_no_others() {
    let sandbox = sandbox(&training());
    let (one, other) = ("--expect-dataset hf://datasets/one", "--expect-dataset git+https://git.example.com/team/data");
    verified(&sandbox, &words(&format!("{one} {other}")));
    verified(&sandbox, &words(&format!("{one}@sha256:{} {other}", sha256("hf://datasets/one"))));
    verified(&sandbox, &words(&format!("{one}@sha256:{} {other}", sha256("hf://datasets/one").to_uppercase())));
    for (flags, says) in [
        (one.to_owned(), "no other"),
        (format!("{one} {other} --expect-dataset hf://datasets/two"), "`hf://datasets/two`"),
        (format!("{one}@sha256:{} {other}", sha256("else")), "found `hf://datasets/one@sha256:"),
        (format!("{one} {other} --expect-dataset hf://models/base"), "`hf://models/base`"),
    ] {
        let said = refused(&sandbox, &words(&flags), "wrong_training_input");
        assert!(said.contains(says), "{said}");
    }
}

#[test]
fn base_models_are_those_that_were_given_and_no_others() {
    let sandbox = sandbox(&training());
    let base = "--expect-base-model hf://models/base";
    verified(&sandbox, &words(base));
    verified(&sandbox, &words(&format!("{base}@sha256:{}", sha256("hf://models/base"))));
    refused(&sandbox, &words(&format!("{base}@sha256:{}", sha256("else"))), "wrong_training_input");
    refused(&sandbox, &words("--expect-base-model hf://models/bas"), "wrong_training_input");
    refused(&sandbox, &words(&format!("{base} --expect-base-model hf://models/more")), "wrong_training_input");
}

#[test]
fn parameters_are_those_that_were_given_or_allowed() {
    let sandbox = sandbox(&training());
    let all = "--expect-param lr=0.1 --expect-param epochs=3 --expect-param mixed=true";
    verified(&sandbox, &words(all));
    verified(&sandbox, &words("--allow-param lr --allow-param epochs --allow-param mixed"));
    verified(&sandbox, &words("--expect-param lr=0.1 --allow-param epochs --allow-param mixed --allow-param depth"));
    for (flags, says) in [
        ("--expect-param lr=0.1", "`epochs` to be none, found `3`"),
        ("--allow-param lr --allow-param epochs", "`mixed` to be none, found `true`"),
        (&*all.replace("0.1", "0.10"), "`lr` to be `0.10`, found `0.1`"),
        (&*format!("{all} --expect-param depth=2"), "`depth` to be `2`, found none"),
    ] {
        let said = refused(&sandbox, &words(flags), "wrong_training_parameter");
        assert!(said.contains(says), "{said}");
    }
}

#[test]
fn the_source_is_the_trainings() {
    let sandbox = sandbox(&training());
    let source = "--source-uri https://git.example.com/team/training";
    verified(&sandbox, &words(&format!("{source} --expect-source-commit {COMMIT} --source-branch main")));
    refused(&sandbox, &words(&format!("--expect-source-commit {}", COMMIT.replace('0', "1"))), "wrong_commit");
    refused(&sandbox, &words("--source-uri https://git.example.com/team/data"), "wrong_source");
    refused(&sandbox, &words(&format!("{source} --source-branch release")), "wrong_branch");
    refused(&sandbox, &words(&format!("{source} --source-tag v1")), "wrong_tag");
}

#[test]
fn external_parameters_are_closed() {
    let mut statement = training();
    statement["predicate"]["buildDefinition"]["externalParameters"]["seed"] = 1.into();
    let said = refused(&sandbox(&statement), &words(""), "invalid_provenance");
    assert!(said.contains("`seed`"), "{said}");
}

#[test]
fn expectations_that_are_none_are_wrong_usage() {
    let sandbox = sandbox(&training());
    for flags in ["--expect-dataset d@sha256:00", "--expect-param lr", "--expect-base-model @sha256:00"] {
        sandbox.fails(&format!("provenance verify {}", words(flags)), 2, &[flags.split(' ').next().expect("a flag")]);
    }
}
