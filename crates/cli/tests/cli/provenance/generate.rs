//! `provenance generate` and `provenance subjects`.

use serde_json::{Value, json};

use super::super::support::{Sandbox, base64_decode};
use super::{refused, verified};

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

#[test]
fn what_ran_elsewhere_is_as_a_file_and_flags_say() {
    let sandbox = Sandbox::with_model();
    sandbox.write(
        "run.toml",
        format!(
            "models = [\"model\"]\ncommand = [\"python\", \"train.py\"]\ndatasets = [\"hf://datasets/one\"]\n\
             started-on = \"2026-01-31T12:00:00Z\"\nworld-size = 8\nimage = \"registry.example/train\"\n\
             [source]\nrepository = \"https://user:hunter2@git.example/r\"\nref = \"refs/heads/main\"\ncommit = \"{COMMIT}\"\n\
             [parameters]\nlr = 0.1\nepochs = 3\n[frameworks]\ntorch = \"2.9.0\"\n"
        ),
    );
    let flags =
        "--param epochs=5 --dataset hf://datasets/two --image registry.example/other --sign key --private-key key.pem";
    sandbox.ok(&format!("provenance generate --from run.toml {flags}"));
    let statement = sandbox.statement("provenance.sigstore.json");
    let definition = &statement["predicate"]["buildDefinition"];
    assert_eq!(definition["externalParameters"]["parameters"], json!({ "lr": 0.1, "epochs": "5" }));
    assert_eq!(definition["externalParameters"]["image"], "registry.example/other");
    assert_eq!(definition["internalParameters"]["frameworks"]["torch"], "2.9.0");
    assert_eq!(definition["internalParameters"]["observation"]["method"], "declared");
    assert_eq!(statement["predicate"]["runDetails"]["metadata"], json!({ "startedOn": "2026-01-31T12:00:00Z" }));
    assert!(!statement.to_string().contains("hunter2"));
    let words = "model --provenance-path provenance.sigstore.json --key key.pub.pem --expect-dataset hf://datasets/one";
    let found = verified(
        &sandbox,
        &format!("{words} --expect-dataset hf://datasets/two --source-uri git+https://git.example/r"),
    );
    assert_eq!((&found["level"], &found["source"]["commit"]), (&1.into(), &COMMIT.into()));
    refused(&sandbox, words, "wrong_training_input");
}

#[test]
fn what_cannot_be_said_is_refused_and_nothing_is_written() {
    let sandbox = Sandbox::with_model();
    sandbox.write("run.toml", "models = [\"none\"]\n");
    sandbox.write("wrong.toml", "model = \"model\"\n");
    sandbox.write("list.json", "{\"models\": [\"model\"], \"parameters\": {\"lr\": [1]}}");
    sandbox.write("secret.toml", "models = [\"model\"]\n[parameters]\napi_key = \"abcdefgh\"\n");
    for (words, code, says) in [
        ("", 2, "MODEL"),
        ("--from run.toml", 3, "none"),
        ("--from wrong.toml", 1, "unknown field `model`"),
        ("--from none.toml", 3, "none.toml"),
        ("--from list.json", 2, "parameter `lr`: expected a text, a number or a boolean"),
        ("--from secret.toml", 2, "the value of `api_key` looks like a secret"),
        ("model --source-commit 12", 2, "--source-commit: expected 40 or 64 hex digits, found `12`"),
        ("model --started-on yesterday", 2, "--started-on: expected a time such as"),
        ("model --started-on 2026-01-02T00:00:00Z --finished-on 2026-01-01T00:00:00Z", 2, "ended before it began"),
        ("model --dataset a:b --dataset a:b", 2, "found `a:b` twice"),
        ("model --lock none.lock", 3, "none.lock"),
        ("model -o run.toml/x", 3, "run.toml/x"),
    ] {
        sandbox.fails(&format!("provenance generate {words}"), code, &[says]);
    }
}

#[test]
fn what_is_called_a_secret_is_left_out_whatever_its_type() {
    let sandbox = Sandbox::with_model();
    let write =
        |parameters: &str| sandbox.write("run.toml", format!("models = [\"model\"]\n[parameters]\n{parameters}"));
    for (parameter, name) in [
        ("password = 12345678", "password"),
        ("api-key = 123456789012", "api-key"),
        ("auth_token = 1234.5", "auth_token"),
    ] {
        write(parameter);
        let says = format!("the value of `{name}` looks like a secret");
        sandbox.fails("provenance generate --from run.toml", 2, &[&says, &format!("--redact {name}")]);
    }
    write("password = 12345678\nmy-param = \"SENSITIVE\"\nuse_password = true\nmax_tokens = 4096\nAPI_KEY = 0.25\n");
    sandbox.ok("provenance generate --from run.toml --redact PASSWORD --redact my_param --redact=--api-key");
    let statement: Value = serde_json::from_slice(&sandbox.read("provenance.json")).expect("a statement");
    let parameters = json!({
        "password": "[redacted]", "my-param": "[redacted]", "API_KEY": "[redacted]", "use_password": true, "max_tokens": 4096
    });
    assert_eq!(statement["predicate"]["buildDefinition"]["externalParameters"]["parameters"], parameters);
    std::fs::remove_file(sandbox.path("provenance.json")).expect("removed");
    write("lr = 1\n[environment]\nMY_VARIABLE = \"x\"\n");
    sandbox.ok("provenance generate --from run.toml --redact my-variable");
    let words = "provenance generate --from run.toml --redact my-variable --redact mine";
    sandbox.fails(words, 2, &["--redact mine: there is nothing of that name"]);
}

#[test]
fn a_secret_is_refused_wherever_it_would_be_written() {
    let sandbox = Sandbox::with_model();
    let secret = format!("glpat-{}", "aB3".repeat(8));
    let page = format!("https://ci.example/job?token={secret}");
    for (flags, flag) in [
        (format!("--invocation-id {page}"), "--invocation-id"),
        ("--invocation-id https://ci.example/job?token=SECRETTOKEN123".to_owned(), "--invocation-id"),
        (format!("--source-repository {page}"), "--source-repository"),
        (format!("--source-ref refs/heads/{secret}"), "--source-ref"),
        (format!("--entry-point {secret}/t.py"), "--entry-point"),
        (format!("--image {secret}"), "--image"),
        ("--image user:hunter22@registry.example/x".to_owned(), "--image"),
        (format!("--metrics {secret}"), "--metrics"),
        (format!("--log {secret}"), "--log"),
        (format!("--config {secret}"), "--config"),
    ] {
        let run = sandbox.fails(&format!("provenance generate model {flags}"), 2, &[flag]);
        assert!(!run.stderr.contains(&secret) && !run.stderr.contains("hunter22"), "{run:?}");
    }
    for text in [
        format!("invocation-id = \"{page}\""),
        format!("outputs = [\"{page}\"]"),
        format!("python = \"{secret}\""),
        format!("[frameworks]\ntorch = \"{secret}\""),
        format!("[source]\nref = \"{secret}\""),
    ] {
        sandbox.write("run.toml", &text);
        sandbox.fails("provenance generate model --from run.toml", 2, &["looks like a secret"]);
    }
    let flags =
        "--source-repository https://user:pa/ss@host.example/r.git --image docker://user:pa/ss@registry.example/x";
    sandbox.ok(&format!("provenance generate model {flags} --invocation-id https://user:pa/ss@ci.example/7"));
    let text = String::from_utf8(sandbox.read("provenance.json")).expect("text");
    assert!(
        text.contains("\"https://host.example/r.git\"") && !text.contains("pa/ss") && !text.contains("ss@"),
        "{text}"
    );
}

fn subjects(sandbox: &Sandbox, words: &str) -> String {
    let text = sandbox.ok(&format!("provenance subjects {words}")).stdout;
    String::from_utf8(base64_decode(text.trim_end())).expect("lines")
}

#[test]
fn subjects_are_what_verification_compares() {
    let sandbox = Sandbox::with_model();
    sandbox.write("weights.bin", "weights\n");
    let root = sandbox.json("digest model").1["result"]["root_digest"]["sha256"].take();
    let root = root.as_str().expect("hex");
    let weights = super::signing::sha256("weights\n");
    assert_eq!(subjects(&sandbox, "model weights.bin"), format!("{root}  model\n{weights}  weights.bin\n"));
    let files = format!("{}  model/config.json\n{weights}  model/sub/weights.bin\n", super::signing::sha256("{}\n"));
    assert_eq!(subjects(&sandbox, "model --directories files"), files);
    assert_eq!(sandbox.ok("provenance subjects model --directories files --checksums").stdout, files);
    let leaves_out = subjects(&sandbox, "model --directories files --ignore-paths model/sub");
    assert_eq!(leaves_out.lines().count(), 1);
    sandbox.ok("provenance subjects model -o subjects.txt");
    let written = String::from_utf8(sandbox.read("subjects.txt")).expect("text");
    assert_eq!(base64_decode(written.trim_end()), format!("{root}  model\n").into_bytes());
    let (_, document) = sandbox.json("provenance subjects model");
    assert_eq!(document["result"]["subjects"][0], json!({ "name": "model", "digest": { "sha256": root } }));
    assert_eq!(document["outcome"], Value::from("done"));
}

#[test]
fn subjects_that_nobody_could_tell_apart_are_refused() {
    let sandbox = Sandbox::with_model();
    sandbox.write("other/model/x", "x");
    let absolute = sandbox.path("other/model").display().to_string();
    sandbox.fails(&format!("provenance subjects model {absolute}"), 1, &["found `model` twice"]);
    sandbox.fails("provenance subjects none", 3, &["none"]);
    sandbox.fails("provenance subjects model -o model", 3, &["model"]);
    sandbox.fails("provenance subjects", 2, &["MODEL"]);
}

#[test]
fn too_many_subjects_are_warned_of() {
    let sandbox = Sandbox::empty();
    for index in 0..1_025 {
        sandbox.write(&format!("model/{index}"), "");
    }
    let run = sandbox.ok("provenance subjects model --directories files --checksums");
    assert!(run.stderr.contains("actions/attest takes 1024 subjects, and these are 1025"), "{}", run.stderr);
    for index in 0..200 {
        sandbox.write(&format!("model/{}{index}", "long-name-".repeat(20)), "");
    }
    let run = sandbox.ok("provenance subjects model --directories files");
    assert!(run.stderr.contains("too long for a command line"), "{}", run.stderr);
    assert_eq!(sandbox.ok("provenance subjects model").stderr, "");
}
