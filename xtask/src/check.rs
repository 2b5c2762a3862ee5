//! `cargo xtask check`: what CI runs on every platform, and what to run before a commit.
//!
//! Nothing here rebuilds the running program: Windows locks it. Clippy and rustdoc write no executable, and
//! `cargo test` builds this crate's test harness under another name (it would build the program itself only if this
//! crate had integration tests, so its tests stay beside the code).

use std::process::Command;

use anyhow::Result;

use crate::outcome::Outcome;
use crate::process;
use crate::workspace::Workspace;

/// Whether the tests with PKCS#11 tokens may say that they are skipped.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum SoftHsm {
    IfInstalled,
    Required,
}

/// Runs every step, also after one failed; the outcome counts the tests.
pub(crate) fn run(workspace: &Workspace, softhsm: SoftHsm) -> Result<Outcome> {
    let mut outcome = Outcome::default();
    step(&mut outcome, workspace.cargo().args(["fmt", "--all", "--check"]))?;
    let clippy = ["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"];
    step(&mut outcome, workspace.cargo().args(clippy))?;
    test(&mut outcome, workspace, softhsm)?;
    let mut doc = workspace.cargo();
    doc.args(["doc", "--workspace", "--no-deps", "--locked"]).env("RUSTDOCFLAGS", "-Dwarnings");
    step(&mut outcome, &mut doc)?;
    deny(&mut outcome, workspace)?;
    Ok(outcome)
}

fn step(outcome: &mut Outcome, command: &mut Command) -> Result<()> {
    let name = process::describe(command);
    println!("==> {name}");
    if !process::passes(command)? {
        outcome.problems.push(name);
    }
    Ok(())
}

fn test(outcome: &mut Outcome, workspace: &Workspace, softhsm: SoftHsm) -> Result<()> {
    let mut command = workspace.cargo();
    command.args(["test", "--workspace", "--locked", "--no-fail-fast"]);
    if softhsm == SoftHsm::Required {
        command.env("MODEL_SIGNING_REQUIRE_SOFTHSM", "1");
    }
    count_tests(outcome, &mut command)
}

/// Runs a command that runs tests, and counts them.
pub(crate) fn count_tests(outcome: &mut Outcome, command: &mut Command) -> Result<()> {
    let name = process::describe(command);
    println!("==> {name}");
    let passed = process::tee(command, |line| {
        if let Some(counts) = test_result(line) {
            *outcome += counts;
        }
    })?;
    if !passed {
        outcome.problems.push(name);
    }
    Ok(())
}

fn deny(outcome: &mut Outcome, workspace: &Workspace) -> Result<()> {
    let mut command = workspace.cargo();
    command.args(["deny", "check", "bans", "licenses", "sources"]);
    if process::succeeds_quietly(workspace.cargo().args(["deny", "--version"])) {
        step(outcome, &mut command)
    } else {
        println!("==> {}\nskipped: cargo-deny is not installed", process::describe(&command));
        Ok(())
    }
}

/// Reads the line that a test binary ends with:
/// `test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s`.
fn test_result(line: &str) -> Option<Outcome> {
    let mut outcome = Outcome::default();
    for part in line.strip_prefix("test result: ")?.split(';') {
        let mut words = part.split_whitespace().rev();
        let (Some(what), Some(Ok(count))) = (words.next(), words.next().map(str::parse)) else { continue };
        match what {
            "passed" => outcome.passed = count,
            "failed" => outcome.failed = count,
            "ignored" => outcome.skipped = count,
            _ => {}
        }
    }
    Some(outcome)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn test_results_are_counted() {
        let line = "test result: FAILED. 31 passed; 2 failed; 1 ignored; 0 measured; 7 filtered out; finished in 0.01s";
        assert_eq!(test_result(line), Some(Outcome { passed: 31, failed: 2, skipped: 1, problems: Vec::new() }));
    }

    #[test]
    fn other_lines_are_not_counted() {
        assert_eq!(test_result("test verify::tests::a_changed_byte_is_rejected ... ok"), None);
        assert_eq!(test_result("running 3 tests"), None);
    }
}
