//! `provenance run`: commands that do as they say, and commands that do not.

use std::fs;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use super::super::support::{Run, Sandbox, run};
use super::{refused, verified};

const DATASET: &str = "https://data.example/cifar10";

/// A shell command line that trains: it makes a model of the data.
const TRAIN: &str = "cat data/* > out.bin";

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::empty();
    sandbox.ok("keygen --private-key key.pem");
    sandbox.write("data/one.bin", "1");
    sandbox.write("data/two.bin", "2");
    sandbox
}

/// `provenance run` with these flags, of a shell command line.
fn command(sandbox: &Sandbox, flags: &str, script: &str) -> Command {
    let mut command = sandbox.command(&format!("provenance run {flags} --"));
    command.args(["/bin/sh", "-c", script]);
    command
}

#[track_caller]
fn runs(sandbox: &Sandbox, flags: &str, script: &str) -> Run {
    let run = run(&mut command(sandbox, flags, script));
    assert_eq!(run.code, Some(0), "{flags} -- {script}: {run:?}");
    run
}

fn statement(sandbox: &Sandbox) -> Value {
    serde_json::from_slice(&sandbox.read("provenance.json")).expect("a statement")
}

fn gaps(statement: &Value) -> String {
    statement["predicate"]["buildDefinition"]["internalParameters"]["observation"]["gaps"].to_string()
}

/// The dependency of this address, or of this name.
fn dependency<'a>(statement: &'a Value, uri: &str) -> &'a Value {
    let all = statement["predicate"]["buildDefinition"]["resolvedDependencies"].as_array().expect("a list");
    all.iter().find(|one| one["uri"] == uri || one["name"] == uri).unwrap_or(&Value::Null)
}

#[test]
fn what_was_run_is_what_is_verified() {
    let sandbox = sandbox();
    sandbox.write("train.yaml", "lr: 0.1\n");
    let flags = format!(
        "--dataset {DATASET}=data --dataset s3://bucket/more --config train.yaml --param lr=0.1 --param epochs=3 \
         --image registry.example/train@sha256:{} --output out.bin --sign key --private-key key.pem",
        "ab".repeat(32)
    );
    let run = runs(&sandbox, &flags, &format!("echo trained; {TRAIN}"));
    assert_eq!(run.stdout, "trained\n", "standard output is the command's");
    let statement = sandbox.statement("provenance.sigstore.json");
    let definition = &statement["predicate"]["buildDefinition"];
    let external = &definition["externalParameters"];
    assert_eq!(external["command"], json!(["/bin/sh", "-c", format!("echo trained; {TRAIN}")]));
    assert_eq!(external["datasets"], json!([DATASET, "s3://bucket/more"]));
    assert_eq!(external["parameters"], json!({ "epochs": "3", "lr": "0.1" }));
    assert_eq!(external["config"], json!(["train.yaml"]));
    assert_eq!(external["outputs"], json!(["out.bin"]));
    let data = dependency(&statement, DATASET);
    assert_eq!(data["annotations"]["evidence"], "hashed");
    assert_eq!(data["annotations"]["omsParameters"]["files"], 2);
    assert!(data["digest"]["dirHash"].is_string());
    let root = sandbox.json("digest data").1["result"]["root_digest"]["sha256"].take();
    assert_eq!(data["digest"]["sha256"], root);
    assert_eq!(dependency(&statement, "s3://bucket/more")["annotations"]["evidence"], "declared");
    assert_eq!(dependency(&statement, "train.yaml")["annotations"]["role"], "config");
    let image = dependency(&statement, external["image"].as_str().expect("an image"));
    assert_eq!(image["digest"]["sha256"], "ab".repeat(32));
    assert!(gaps(&statement).contains("the run was not traced"));
    assert_eq!(definition["internalParameters"]["observation"]["complete"], false);
    assert_eq!(definition["internalParameters"]["host"]["system"], std::env::consts::OS);

    let words = "out.bin --provenance-path provenance.sigstore.json --key key.pub.pem --expect-param lr=0.1 \
                 --expect-param epochs=3 --expect-dataset s3://bucket/more";
    let found =
        verified(&sandbox, &format!("{words} --expect-dataset {DATASET}@sha256:{}", root.as_str().expect("hex")));
    assert_eq!(found["level"], 1);
    refused(&sandbox, words, "wrong_training_input");
    sandbox.write("out.bin", "13");
    refused(&sandbox, &format!("{words} --expect-dataset {DATASET}"), "wrong_subject");
}

#[test]
fn what_cannot_be_signed_afterwards_is_kept_unsigned() {
    let sandbox = sandbox();
    let flags = "--output out.bin -o p.json --sign key --private-key key.pem --tsa-url http://127.0.0.1:9/";
    let run = run(&mut command(&sandbox, flags, TRAIN));
    assert_eq!(run.code, Some(3), "{run:?}");
    for words in ["127.0.0.1:9", "the provenance is kept, unsigned, in `p.json.unsigned`"] {
        assert!(run.stderr.contains(words), "{run:?}");
    }
    assert!(!sandbox.path("p.json").exists());
    let kept: Value = serde_json::from_slice(&sandbox.read("p.json.unsigned")).expect("a statement");
    assert_eq!(kept["subject"][0]["name"], "out.bin");
}

#[test]
fn a_directory_is_one_model_with_what_was_left_out() {
    let sandbox = sandbox();
    let script = "mkdir -p out/cache && cp data/* out && echo x > out/cache/x";
    runs(&sandbox, "--output out --ignore-paths out/cache --sign key --private-key key.pem -o p.json", script);
    let subject = &sandbox.statement("p.json")["subject"][0];
    assert_eq!(subject["name"], "out");
    assert_eq!(subject["annotations"]["omsParameters"]["ignore_paths"].as_array().map(Vec::len), Some(5));
    assert_eq!(subject["annotations"]["omsParameters"]["files"], 2);
    verified(&sandbox, "out --provenance-path p.json --key key.pub.pem --ignore-paths out/cache");
    refused(&sandbox, "out --provenance-path p.json --key key.pub.pem", "wrong_subject");
}

#[test]
fn a_command_that_fails_is_what_the_process_ends_as() {
    let sandbox = sandbox();
    for (script, code, says) in [
        ("exit 3", 3, "the command exited with 3"),
        ("exit 200", 200, "the command exited with 200"),
        ("kill -9 $$", 137, "the command was killed by signal 9"),
        ("kill -TERM $$", 143, "the command was killed by signal 15"),
    ] {
        sandbox.fails_as(
            &mut command(&sandbox, "--output out.bin", script),
            code,
            &[says, "no provenance was written"],
        );
    }
    let words = "provenance run --output out.bin -- ./no-such-program";
    sandbox.fails(words, 3, &["`./no-such-program` cannot be started"]);
    let (_, document) = (0, run(command(&sandbox, "--format json --output out.bin", "exit 7").arg("x")).stdout);
    let document: Value = serde_json::from_str(&document).expect("a document");
    assert_eq!((&document["outcome"], &document["exit_code"]), (&"command_failed".into(), &7.into()));
}

#[test]
fn a_failed_command_leaves_an_earlier_provenance_as_it_was() {
    let sandbox = sandbox();
    sandbox.write("provenance.json", "earlier");
    sandbox.fails_as(&mut command(&sandbox, "--output out.bin", "exit 1"), 1, &[]);
    assert_eq!(sandbox.read("provenance.json"), b"earlier");
}

#[test]
fn a_model_that_the_command_did_not_write_is_refused() {
    let sandbox = sandbox();
    sandbox.write("out.bin", "old");
    sandbox.fails_as(
        &mut command(&sandbox, "--output out.bin", "true"),
        1,
        &["`out.bin` is as it was before the command"],
    );
    sandbox.fails_as(&mut command(&sandbox, "--output other*", "true"), 3, &["nothing that --output `other*` names"]);
    let mut inside = command(&sandbox, "--output made --output made/never-*", "mkdir made; echo 1 > made/x");
    let run = self::run(&mut inside);
    assert_eq!(run.code, Some(3), "{run:?}");
    assert!(run.stderr.contains("nothing that --output `made/never-*` names"), "{run:?}");
    assert!(!sandbox.path("provenance.json").exists());
    sandbox.write("dir/old", "old");
    let run = runs(&sandbox, "--output dir", "echo new > dir/new");
    assert!(run.stderr.contains("1 of 2 files in `dir` are older than the run"), "{run:?}");
    assert!(gaps(&statement(&sandbox)).contains("1 of 2 files in `dir`"));
}

#[test]
fn a_model_that_was_there_under_another_name_is_named() {
    let sandbox = sandbox();
    sandbox.write("old.bin", "old");
    sandbox.write("out2/a", "old");
    let file = fs::File::options().write(true).open(sandbox.path("old.bin")).expect("a file");
    file.set_modified(std::time::SystemTime::UNIX_EPOCH + Duration::from_secs(1_577_836_800)).expect("set");
    std::thread::sleep(Duration::from_millis(300));
    for (output, script, old) in [
        ("out/m.bin", "mkdir -p out; mv old.bin out/m.bin", Some("1 of 1 file of `out/m.bin`")),
        ("out2", "mv out2/a out2/b; echo new > out2/c", Some("1 of 2 files of `out2`")),
        ("out3", "mkdir out3; cp data/* out3; mv out3/one.bin out3/x; echo y > out3/two.bin", None),
        ("out3", "echo again > out3/x; rm out3/two.bin; echo new > out3/z", None),
    ] {
        let run = runs(&sandbox, &format!("--output {output}"), script);
        let gaps = gaps(&statement(&sandbox));
        assert_eq!(gaps.contains("perhaps not written by the run"), old.is_some(), "{script}: {gaps}");
        assert!(old.is_none_or(|old| gaps.contains(old) && run.stderr.contains(old)), "{script}: {gaps}");
    }
}

#[test]
fn an_input_that_the_command_changes_is_named() {
    let sandbox = sandbox();
    for (index, script) in
        ["echo more >> data/one.bin", "echo new > data/new.bin", "rm data/new.bin"].into_iter().enumerate()
    {
        let flags = format!("--dataset {DATASET}=data --output out.bin");
        let run = runs(&sandbox, &flags, &format!("{script}; {TRAIN}; echo {index} >> out.bin"));
        assert!(run.stderr.contains("changed while the run ran and has no digest: 1 file of it"), "{script}: {run:?}");
        let statement = statement(&sandbox);
        let data = dependency(&statement, DATASET);
        let expected =
            json!({ "uri": DATASET, "annotations": { "role": "dataset", "evidence": "declared", "changed": true } });
        assert_eq!(*data, expected, "{script}");
        assert!(gaps(&statement).contains("changed while the run ran"), "{script}");
    }
}

#[test]
fn nobody_can_expect_what_the_command_changed() {
    let sandbox = sandbox();
    sandbox.ok("sign key data --private-key key.pem --signature data.sig");
    let root = sandbox.json("digest data").1["result"]["root_digest"]["sha256"].take();
    let root = root.as_str().expect("hex");
    for (flag, hash) in [("dataset", "before"), ("base-model", "before"), ("dataset", "while-running")] {
        let flags = format!(
            "--{flag} {DATASET}@sha256:{root}=data --output out.bin --hash-inputs {hash} --sign key --private-key key.pem"
        );
        // What is hashed beside the command may be hashed before or after it changes, and is put back.
        let script = "sleep 0.3; echo x >> data/one.bin; cat data/* > out.bin; printf 1 > data/one.bin";
        runs(&sandbox, &flags, script);
        let statement = sandbox.statement("provenance.sigstore.json");
        let data = dependency(&statement, DATASET);
        assert_eq!((&data["digest"], &data["annotations"]["changed"]), (&Value::Null, &true.into()), "{data}");
        assert_eq!(data["annotations"].get("omsBundle"), None, "{data}");
        let words = "out.bin --provenance-path provenance.sigstore.json --key key.pub.pem";
        for digest in ["", &format!("@sha256:{root}")] {
            let said = refused(&sandbox, &format!("{words} --expect-{flag} {DATASET}{digest}"), "wrong_training_input");
            assert!(said.contains("which changed while the run ran"), "{said}");
        }
    }
}

#[test]
fn inputs_that_are_hashed_beside_the_command_have_the_same_digest() {
    let sandbox = sandbox();
    let digest = |flag: &str, index: u32| {
        let flags = format!("--dataset {DATASET}=data --output out.bin --hash-inputs {flag}");
        runs(&sandbox, &flags, &format!("{TRAIN}; echo {index} >> out.bin"));
        dependency(&statement(&sandbox), DATASET)["digest"].clone()
    };
    assert_eq!(digest("while-running", 1), digest("before", 2));
    // A command that fails does not wait for what is hashed beside it.
    let flags = format!("--dataset {DATASET}=data --output out.bin --hash-inputs while-running");
    sandbox.fails_as(&mut command(&sandbox, &flags, "exit 5"), 5, &["exited with 5"]);
}

#[test]
fn a_dataset_has_the_digest_that_was_stated_or_nothing_runs() {
    let sandbox = sandbox();
    let stated = "cd".repeat(32);
    let flags = format!("--dataset {DATASET}@sha256:{stated}=data --output out.bin");
    sandbox.fails_as(&mut command(&sandbox, &flags, TRAIN), 1, &["expected sha256:cdcd", "found sha256:", DATASET]);
    runs(&sandbox, &format!("--dataset {DATASET}@sha256:{stated} --output out.bin"), TRAIN);
    assert_eq!(dependency(&statement(&sandbox), DATASET)["digest"]["sha256"], stated);
}

#[test]
fn a_base_model_is_named_with_its_signature_and_verified_if_somebody_has_to_have_signed() {
    let sandbox = sandbox();
    sandbox.ok("keygen --private-key other.pem");
    sandbox.write("base/weights", "weights");
    let base = "--base-model hf://models/base=base --output out.bin";
    runs(&sandbox, base, TRAIN);
    assert_eq!(dependency(&statement(&sandbox), "hf://models/base")["annotations"].get("omsBundle"), None);
    let with_key = |key: &str| format!("{base} --base-model-public-key {key}");
    let unsigned = with_key("key.pub.pem");
    sandbox.fails_as(&mut command(&sandbox, &unsigned, TRAIN), 3, &["hf://models/base", "no signature was found"]);

    sandbox.ok("sign key base --private-key key.pem --signature base.sig");
    runs(&sandbox, base, &format!("{TRAIN}; echo >> out.bin"));
    assert_eq!(dependency(&statement(&sandbox), "hf://models/base")["annotations"]["omsBundle"]["verified"], false);
    runs(&sandbox, &with_key("key.pub.pem"), TRAIN);
    let bundle = dependency(&statement(&sandbox), "hf://models/base")["annotations"]["omsBundle"].clone();
    assert_eq!(bundle["verified"], true);
    assert_eq!(bundle["digest"]["sha256"], super::signing::sha256(sandbox.read("base.sig")));
    sandbox.fails_as(&mut command(&sandbox, &with_key("other.pub.pem"), "touch ran"), 1, &["hf://models/base"]);
    sandbox.write("base/weights", "changed");
    sandbox.fails_as(&mut command(&sandbox, &with_key("key.pub.pem"), "touch ran"), 1, &["hf://models/base"]);
}

#[test]
fn secrets_stop_the_command_unless_they_are_left_out() {
    let sandbox = sandbox();
    let secret = format!("hf_{}", "aB3".repeat(12));
    for (flags, words, says) in [
        ("", vec!["echo", secret.as_str()], "word 2"),
        ("", vec!["echo", "--api-key", "abcdefgh"], "the value of `api-key`"),
        ("--param api_key=abcdefgh", vec!["true"], "the value of `api_key` looks like a secret"),
        ("--env-allow HF_TOKEN", vec!["true"], "the value of `HF_TOKEN` looks like a secret"),
    ] {
        let mut command = sandbox.command(&format!("provenance run --output out.bin {flags} --"));
        command.args(words).env("HF_TOKEN", &secret);
        let run = sandbox.fails_as(&mut command, 2, &[says, "--redact"]);
        assert!(!run.stderr.contains(&secret) && !run.stderr.contains("abcdefgh"), "{run:?}");
    }
    let flags = "--output out.bin --param api_key=abcdefgh --redact api_key --redact 4 --env-allow HF_TOKEN --redact \
                 HF_TOKEN --dataset https://user:hunter2@data.example/d";
    let run = run(command(&sandbox, flags, "echo $HF_TOKEN $0 > out.bin").arg(&secret).env("HF_TOKEN", &secret));
    assert_eq!(run.code, Some(0), "{run:?}");
    let written = String::from_utf8(sandbox.read("out.bin")).expect("text");
    assert_eq!(written, format!("{secret} {secret}\n"), "the command gets them");
    let text = String::from_utf8(sandbox.read("provenance.json")).expect("text");
    for secret in [secret.as_str(), "abcdefgh", "hunter2"] {
        assert!(!text.contains(secret) && !run.stderr.contains(secret), "{text}\n{run:?}");
    }
    assert_eq!(statement(&sandbox)["predicate"]["buildDefinition"]["externalParameters"]["command"][3], "[redacted]");
}

#[test]
fn what_is_to_be_left_out_and_is_nowhere_stops_the_command() {
    let sandbox = sandbox();
    for name in ["HF_TOKEN", "9", "out"] {
        let mut command = command(&sandbox, &format!("--output out.bin --redact {name}"), "touch ran");
        sandbox.fails_as(&mut command, 2, &[&format!("--redact {name}: there is nothing of that name")]);
    }
    let mut command = sandbox.command("provenance run --output out.bin --");
    sandbox.fails_as(
        command.args(["touch", "-e", "HF_TOKEN=abcdefgh", "ran"]),
        2,
        &["`hf-token`", "--redact hf-token"],
    );
    assert!(!sandbox.path("ran").exists());
    let flags = "--output out.bin --redact hf-token --param my-param=1 --redact MY_PARAM";
    let run = run(command_of(&sandbox, flags).args(["-c", TRAIN, "-e", "HF_TOKEN=abcdefgh"]));
    assert_eq!(run.code, Some(0), "{run:?}");
    let external = statement(&sandbox)["predicate"]["buildDefinition"]["externalParameters"].take();
    assert_eq!(external["command"][4], "HF_TOKEN=[redacted]");
    assert_eq!(external["parameters"], json!({ "my-param": "[redacted]" }));
}

fn command_of(sandbox: &Sandbox, flags: &str) -> Command {
    let mut command = sandbox.command(&format!("provenance run {flags} --"));
    command.arg("/bin/sh");
    command
}

#[test]
fn only_variables_that_are_allowed_are_written_down() {
    let sandbox = sandbox();
    let mut run_it = command(&sandbox, "--output out.bin --env-allow CUBLAS_WORKSPACE_CONFIG --env-allow NONE", TRAIN);
    let run = run(run_it.env("CUBLAS_WORKSPACE_CONFIG", ":4096:8").env("NOBODYS_BUSINESS", "something"));
    assert!(run.stderr.contains("--env-allow NONE: there is no such variable"), "{run:?}");
    let internal = &statement(&sandbox)["predicate"]["buildDefinition"]["internalParameters"];
    assert_eq!(internal["environment"], json!({ "CUBLAS_WORKSPACE_CONFIG": ":4096:8" }));
    assert!(!internal.to_string().contains("something"));
}

#[test]
fn a_job_of_a_ci_system_is_named_and_stays_at_level_1() {
    let sandbox = sandbox();
    let mut run_it = command(&sandbox, "--output out.bin --sign key --private-key key.pem", TRAIN);
    run_it.envs([
        ("GITHUB_ACTIONS", "true"),
        ("GITHUB_SERVER_URL", "https://github.example"),
        ("GITHUB_REPOSITORY", "octo/model"),
        ("GITHUB_RUN_ID", "17"),
        ("GITHUB_SHA", "0123456789abcdef0123456789abcdef01234567"),
        ("GITHUB_REF", "refs/heads/hf_token=abcdefgh"),
    ]);
    assert_eq!(run(&mut run_it).code, Some(0));
    let statement = sandbox.statement("provenance.sigstore.json");
    let metadata = &statement["predicate"]["runDetails"]["metadata"];
    assert_eq!(metadata["invocationId"], "https://github.example/octo/model/actions/runs/17/attempts/1");
    let source = dependency(&statement, "git+https://github.example/octo/model");
    assert_eq!(source["annotations"]["evidence"], "declared");
    assert!(gaps(&statement).contains("the reference of the CI job holds what looks like a secret"), "{statement}");
    let found = verified(&sandbox, "out.bin --provenance-path provenance.sigstore.json --key key.pub.pem");
    assert_eq!(found["level"], 1);
}

#[test]
fn the_state_of_the_repository_is_recorded() {
    let Some(path) = std::env::var_os("PATH") else { return };
    let sandbox = sandbox();
    let git = |words: &str| {
        let mut git = Command::new("git");
        git.args(["-c", "user.name=n", "-c", "user.email=e@example.com", "-c", "init.defaultBranch=main"]);
        git.args(words.split(' ')).current_dir(sandbox.path(""));
        assert!(git.output().expect("git").status.success(), "git {words}");
    };
    sandbox.write("train.sh", TRAIN);
    sandbox.write(".gitignore", "data\nout.bin\n*.pem\n*.json\n");
    git("init -q");
    git("add .");
    git("commit -q -m one");
    git("remote add origin https://user:hun/ter2@git.example/team/training.git?private_token=abcdefgh");
    let train = || {
        let mut command = sandbox.command("provenance run --output out.bin -- /bin/sh train.sh");
        let run = run(command.env("PATH", &path));
        assert_eq!(run.code, Some(0), "{run:?}");
        (run, statement(&sandbox))
    };
    let uri = "git+https://git.example/team/training.git@refs/heads/main";
    let (_, clean) = train();
    assert_eq!(dependency(&clean, uri)["annotations"]["dirty"], false, "{clean}");
    assert_eq!(dependency(&clean, uri)["digest"]["gitCommit"].as_str().map(str::len), Some(40));
    assert_eq!(clean["predicate"]["buildDefinition"]["externalParameters"]["source"]["entryPoint"], "train.sh");
    sandbox.write("train.sh", format!("{TRAIN}; echo \"#\" >> train.sh; echo 2 >> out.bin"));
    let (run, dirty) = train();
    assert!(run.stderr.contains("the working tree differs from commit"), "{run:?}");
    let annotations = &dependency(&dirty, uri)["annotations"];
    assert_eq!((&annotations["dirty"], &annotations["changedFiles"]), (&true.into(), &1.into()));
    assert_eq!(annotations["patch"]["sha256"].as_str().map(str::len), Some(64));
    assert!(gaps(&dirty).contains("files of the repository changed while the run ran"), "{}", gaps(&dirty));
}

#[test]
fn other_ranks_leave_the_provenance_to_the_first() {
    let sandbox = sandbox();
    let mut other = command(&sandbox, "--output out.bin", TRAIN);
    let other = run(other.envs([("WORLD_SIZE", "2"), ("RANK", "1")]));
    assert_eq!(other.code, Some(0), "{other:?}");
    assert!(other.stderr.contains("this is rank 1: that of rank 0 writes the provenance"), "{other:?}");
    assert!(!sandbox.path("provenance.json").exists());
    let mut first = command(&sandbox, "--output out.bin", &format!("{TRAIN}; echo >> out.bin"));
    assert_eq!(run(first.envs([("WORLD_SIZE", "2"), ("RANK", "0")])).code, Some(0));
    let internal = &statement(&sandbox)["predicate"]["buildDefinition"]["internalParameters"];
    assert_eq!((&internal["worldSize"], &internal["rank"]), (&2.into(), &0.into()));
    assert!(gaps(&statement(&sandbox)).contains("what the other 1 of 2 ranks did is not known"));
}

#[test]
fn wrong_usage_is_said_before_anything_runs() {
    let sandbox = sandbox();
    for (flags, says) in [
        ("--output out.bin --dataset data", "expected an address such as https://… or hf://…, found `data`"),
        ("--output out.bin --dataset https://d.example/x=nowhere", "https://d.example/x"),
        ("--output out.bin --dataset https://d.example/x@sha256:12", "expected URI, URI@sha256:HEX"),
        ("--output out.bin --param lr", "--param: expected NAME=VALUE, found `lr`"),
        ("--output out.bin --param a=1 --param a=2", "found `a` twice"),
        ("--output a[", "expected a path or a pattern, found `a[`"),
        ("--output out.bin --private-key key.pem", "--private-key needs --sign METHOD"),
        ("--output out.bin --sign key", "--sign key needs --private-key"),
        ("--output out.bin --config data", "expected a file, found the directory `data`"),
        ("--output out.bin --config key.pem -o key.pem", "would overwrite a configuration file"),
        ("--output out.bin --trace-output t.json", "--trace"),
        ("--output out.bin --base-model-identity a@b.example", "--base-model"),
        ("--output out.bin --sign key --private-key none.pem", "none.pem"),
    ] {
        let mut command = command(&sandbox, flags, "touch ran");
        let before = sandbox.listing();
        let run = run(&mut command);
        assert!(matches!(run.code, Some(2 | 3)), "{flags}: {run:?}");
        assert!(run.stderr.contains(says), "{flags}: expected `{says}` in {}", run.stderr);
        assert_eq!(sandbox.listing(), before, "{flags}");
    }
    sandbox.fails("provenance run --output out.bin", 2, &["<COMMAND>"]);
    sandbox.fails("provenance run -- true", 2, &["--output"]);
}

#[test]
fn a_summary_says_what_was_found_out() {
    let sandbox = sandbox();
    let flags = format!("--dataset {DATASET}=data --output out.bin --sign key --private-key key.pem");
    let run = runs(&sandbox, &flags, TRAIN);
    for says in ["Provenance made", "provenance.sigstore.json, a Sigstore bundle", "out.bin", DATASET, "not known"] {
        assert!(run.stderr.contains(says), "expected `{says}` in {}", run.stderr);
    }
    let quiet =
        self::run(&mut command(&sandbox, &format!("{flags} --format json"), &format!("{TRAIN}; echo >> out.bin")));
    let document: Value = serde_json::from_str(&quiet.stdout).expect("one document");
    assert_eq!((&document["command"], &document["outcome"]), (&"provenance run".into(), &"done".into()));
    assert_eq!(document["result"]["statement"], sandbox.statement("provenance.sigstore.json"));
    assert_eq!(quiet.stderr, "");
}

/// While outputs are hashed, ranks awaited, signatures made: the command has ended, and signals are for this tool again.
#[cfg(target_os = "linux")]
#[test]
fn signals_end_it_when_the_command_has_ended() {
    use std::os::unix::process::ExitStatusExt as _;

    let sandbox = Sandbox::empty();
    fs::create_dir(sandbox.path("ranks")).expect("a folder");
    let mut command = sandbox.command("provenance run --trace --rank-fragments ranks --output out.bin --");
    command.args(["/bin/sh", "-c", "echo 1 > out.bin; echo > ended"]).env("WORLD_SIZE", "2").env("RANK", "0");
    let mut child = command.stderr(Stdio::null()).spawn().expect("started");
    while !sandbox.path("ended").exists() {
        assert_eq!(child.try_wait().expect("a child"), None, "the command was run");
        std::thread::sleep(Duration::from_millis(10));
    }
    std::thread::sleep(Duration::from_millis(300));
    let sent = Command::new("kill").args(["-TERM", &child.id().to_string()]).status().expect("run");
    assert!(sent.success());
    assert_eq!(child.wait().expect("ended").signal(), Some(15));
    assert!(!sandbox.path("provenance.json").exists());
}
