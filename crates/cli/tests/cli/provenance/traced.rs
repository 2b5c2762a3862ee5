//! `provenance run --trace`: what a command does beside what was declared.

use std::process::Command;

use serde_json::Value;

use super::super::support::{Run, Sandbox, run};
use super::verified;

const DATASET: &str = "https://data.example/cifar10";

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::empty();
    sandbox.ok("keygen --private-key key.pem");
    sandbox.write("data/one.bin", "1");
    sandbox.write("secret.bin", "undeclared");
    sandbox
}

fn command(sandbox: &Sandbox, flags: &str, script: &str) -> Command {
    let mut command = sandbox.command(&format!("provenance run --trace {flags} --"));
    command.args(["/bin/sh", "-c", script]);
    command
}

#[track_caller]
fn traced(sandbox: &Sandbox, flags: &str, script: &str) -> (Run, Value) {
    let flags = format!("--dataset {DATASET}=data --output out.bin {flags}");
    let run = run(&mut command(sandbox, &flags, script));
    assert_eq!(run.code, Some(0), "{script}: {run:?}");
    (run, serde_json::from_slice(&sandbox.read("provenance.json")).expect("a statement"))
}

fn observation(statement: &Value) -> &Value {
    &statement["predicate"]["buildDefinition"]["internalParameters"]["observation"]
}

fn undeclared<'a>(statement: &'a Value, what: &str) -> Vec<&'a str> {
    let list = observation(statement)["undeclared"][what].as_array().expect("a list");
    list.iter().filter_map(Value::as_str).collect()
}

fn evidence(statement: &Value) -> &Value {
    let all = statement["predicate"]["buildDefinition"]["resolvedDependencies"].as_array().expect("a list");
    let data = all.iter().find(|one| one["uri"] == DATASET).expect("the dataset");
    &data["annotations"]["evidence"]
}

#[test]
fn a_declared_input_that_is_read_is_traced() {
    let sandbox = sandbox();
    let (_, statement) = traced(&sandbox, "", "cat data/one.bin > out.bin");
    assert_eq!(observation(&statement)["method"], "traced");
    assert_eq!(evidence(&statement), "traced");
    assert_eq!(undeclared(&statement, "read"), Vec::<&str>::new());
    assert_eq!(undeclared(&statement, "written"), Vec::<&str>::new());
    assert!(undeclared(&statement, "executed").iter().any(|program| program.ends_with("cat")));
    let (_, statement) = traced(&sandbox, "", "echo nothing > out.bin");
    assert_eq!(evidence(&statement), "hashed");
    assert!(observation(&statement)["gaps"].to_string().contains("the run was not seen reading it"));
}

#[test]
fn what_was_read_in_part_is_not_traced() {
    let sandbox = sandbox();
    sandbox.write("data/sub/two.bin", "2");
    let (_, statement) = traced(&sandbox, "", "cat data/one.bin > out.bin");
    assert_eq!(evidence(&statement), "hashed");
    let says = format!("the run was seen reading 1 of 2 files of {DATASET}");
    assert!(observation(&statement)["gaps"].to_string().contains(&says), "{statement}");
    let (_, statement) = traced(&sandbox, "", "cat data/one.bin data/sub/two.bin > out.bin");
    assert_eq!(evidence(&statement), "traced");
}

#[test]
fn what_was_put_back_is_not_traced() {
    let sandbox = sandbox();
    let (swap, swap_back) = ("mv data real; mkdir data; echo poison > data/one.bin", "rm -r data; mv real data");
    for (script, evidence) in [
        (format!("{swap}; cat data/one.bin > out.bin; {swap_back}"), "declared"),
        (format!("cat data/one.bin > out.bin; {swap}; {swap_back}"), "declared"),
        ("cat data/one.bin > out.bin; echo x > data/more; cat data/more >> out.bin; rm data/more".to_owned(), "hashed"),
        ("cat data/one.bin > out.bin; : >> data/one.bin".to_owned(), "hashed"),
        ("cat data/one.bin > out.bin; mkdir -p data".to_owned(), "traced"),
    ] {
        let (_, statement) = traced(&sandbox, "", &script);
        assert_eq!(*self::evidence(&statement), evidence, "{script}: {statement}");
        let all = statement["predicate"]["buildDefinition"]["resolvedDependencies"].as_array().expect("a list");
        assert_eq!(all[0]["digest"].is_null(), evidence == "declared", "{script}");
        assert_eq!(all[0]["annotations"]["changed"] == true, evidence == "declared", "{script}");
        let gaps = observation(&statement)["gaps"].to_string();
        assert_eq!(gaps.contains(DATASET), evidence != "traced", "{script}: {gaps}");
    }
}

#[test]
fn a_link_to_an_input_that_is_moved_is_a_change() {
    let sandbox = sandbox();
    std::os::unix::fs::symlink("data", sandbox.path("link")).expect("made");
    sandbox.write("poison/one.bin", "poison");
    let script = "mv link old; ln -s poison link; cat link/one.bin data/one.bin > out.bin; rm link; mv old link";
    let flags = format!("--dataset {DATASET}=link --allow-symlinks --output out.bin");
    let run = run(&mut command(&sandbox, &flags, script));
    assert_eq!(run.code, Some(0), "{run:?}");
    let statement: Value = serde_json::from_slice(&sandbox.read("provenance.json")).expect("a statement");
    assert_eq!(evidence(&statement), "declared", "{statement}");
}

#[test]
fn what_changed_is_not_traced() {
    let sandbox = sandbox();
    let (_, statement) = traced(&sandbox, "", "echo new > data/one.bin; cat data/one.bin > out.bin");
    assert_eq!(evidence(&statement), "declared");
    assert!(!statement["predicate"]["buildDefinition"]["resolvedDependencies"].to_string().contains("sha256"));
}

#[test]
fn what_is_read_or_written_beside_it_is_listed() {
    let sandbox = sandbox();
    let script = "cat data/one.bin secret.bin > out.bin; echo x > cache.bin; echo y > gone; rm gone";
    let (run, statement) = traced(&sandbox, "", script);
    assert_eq!(undeclared(&statement, "read"), ["secret.bin"]);
    assert_eq!(undeclared(&statement, "written"), ["cache.bin", "gone"]);
    assert!(run.stderr.contains("read secret.bin") && run.stderr.contains("wrote cache.bin, gone"), "{run:?}");
}

#[test]
fn connections_are_listed() {
    let sandbox = sandbox();
    let script =
        "import socket\ns = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\ns.sendto(b'x', ('127.0.0.1', 9))\n";
    sandbox.write("connect.py", script);
    let Some(python) =
        ["/usr/bin/python3", "/usr/local/bin/python3"].into_iter().find(|path| std::path::Path::new(path).exists())
    else {
        return;
    };
    let (_, statement) = traced(&sandbox, "", &format!("{python} connect.py; cat data/one.bin > out.bin"));
    // The shell may ask who the user is.
    assert!(undeclared(&statement, "network").contains(&"send 127.0.0.1:9"), "{statement}");
    assert_eq!(undeclared(&statement, "read"), ["connect.py"], "it is in no repository");
}

#[test]
fn a_process_that_writes_late_is_ended_and_named() {
    let sandbox = sandbox();
    let script = "cat data/one.bin > out.bin; (sleep 30; echo late >> out.bin) &";
    let (run, _) = traced(&sandbox, "--sign key --private-key key.pem -o provenance.json", script);
    let statement = sandbox.statement("provenance.json");
    assert!(run.stderr.contains("of the command still ran when it had ended"), "{run:?}");
    assert!(observation(&statement)["gaps"].to_string().contains("outlived the command were killed"));
    assert_eq!(sandbox.read("out.bin"), b"1");
    verified(
        &sandbox,
        &format!("out.bin --provenance-path provenance.json --key key.pub.pem --expect-dataset {DATASET}"),
    );
}

#[test]
fn the_trace_is_kept_where_it_is_asked_for() {
    let sandbox = sandbox();
    let (_, statement) = traced(&sandbox, "--trace-output trace.json", "cat data/one.bin > out.bin");
    let byproduct = &statement["predicate"]["runDetails"]["byproducts"][0];
    assert_eq!((&byproduct["name"], &byproduct["annotations"]["kind"]), (&"trace.json".into(), &"trace".into()));
    assert_eq!(byproduct["digest"]["sha256"], super::signing::sha256(sandbox.read("trace.json")));
    let trace: Value = serde_json::from_slice(&sandbox.read("trace.json")).expect("JSON");
    let files = trace["files"].as_array().expect("files");
    assert!(files.iter().any(|file| file["path"].as_str().is_some_and(|path| path.ends_with("data/one.bin"))));
}

#[test]
fn ranks_leave_what_they_saw_to_the_first() {
    let sandbox = sandbox();
    std::fs::create_dir(sandbox.path("fragments")).expect("made");
    let rank = |rank: &str, script: &str| {
        let flags = format!("--dataset {DATASET}=data --output out.bin --rank-fragments fragments");
        let mut command = command(&sandbox, &flags, script);
        command.envs([("WORLD_SIZE", "2"), ("RANK", rank)]);
        command
    };
    let mut first = rank("0", "cat data/one.bin > out.bin; sleep 1").spawn().expect("started");
    std::thread::sleep(std::time::Duration::from_millis(300));
    let other = run(&mut rank("1", "cat secret.bin > /dev/null"));
    assert_eq!(other.code, Some(0), "{other:?}");
    assert!(first.wait().expect("ended").success());
    let statement: Value = serde_json::from_slice(&sandbox.read("provenance.json")).expect("a statement");
    assert_eq!(undeclared(&statement, "read"), ["secret.bin"]);
    assert!(!observation(&statement)["gaps"].to_string().contains("left no fragment"));
}

#[test]
fn a_command_that_fails_under_a_trace_fails_as_without() {
    let sandbox = sandbox();
    for (script, code) in [("exit 3", 3), ("kill -9 $$", 137)] {
        sandbox.fails_as(&mut command(&sandbox, "--output out.bin", script), code, &["no provenance was written"]);
    }
}

#[test]
fn what_becomes_the_model_without_being_read_is_listed() {
    let sandbox = sandbox();
    // Another name for a file that was there.
    let (_, statement) = traced(&sandbox, "", "ln secret.bin out.bin");
    assert_eq!(undeclared(&statement, "read"), ["secret.bin"]);
    // The model of an earlier run.
    std::fs::remove_file(sandbox.path("out.bin")).expect("removed");
    sandbox.write("out.bin", "of another run");
    let (_, statement) = traced(&sandbox, "", "cat out.bin data/one.bin > new; mv new out.bin");
    assert_eq!(undeclared(&statement, "read"), ["out.bin"]);
    // What the run itself wrote is its own.
    std::fs::remove_file(sandbox.path("out.bin")).expect("removed");
    let (_, statement) = traced(&sandbox, "", "cat data/one.bin > out.bin; cat out.bin");
    assert_eq!(undeclared(&statement, "read"), Vec::<&str>::new());
}

#[test]
fn what_comes_by_a_pipe_is_a_gap() {
    let sandbox = sandbox();
    let mut command = command(&sandbox, "--output out.bin", "cat > out.bin");
    let mut child = command.stdin(std::process::Stdio::piped()).spawn().expect("started");
    std::io::Write::write_all(child.stdin.as_mut().expect("a pipe"), b"data").expect("written");
    assert!(child.wait().expect("ended").success());
    let statement = serde_json::from_slice(&sandbox.read("provenance.json")).expect("a statement");
    assert!(observation(&statement)["gaps"].to_string().contains("(descriptor 0)"), "{statement}");
}

#[test]
fn a_trace_inside_a_trace_is_refused_at_once() {
    let sandbox = sandbox();
    let inner = format!("{} provenance run --trace --output inner.bin -- true", env!("CARGO_BIN_EXE_model-signing"));
    let run = run(&mut command(&sandbox, "--output out.bin", &inner));
    assert_eq!(run.code, Some(3), "{run:?}");
    assert!(run.stderr.contains("cannot be traced"), "{run:?}");
    assert!(!sandbox.path("provenance.json").exists());
}
