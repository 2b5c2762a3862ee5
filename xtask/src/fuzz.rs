//! `cargo xtask fuzz`: runs the targets in `fuzz/`.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use crate::outcome::Outcome;
use crate::process;
use crate::workspace::Workspace;

/// Runs each target for `seconds`; no target named means all of them.
pub(crate) fn run(workspace: &Workspace, seconds: u64, mut targets: Vec<String>) -> Result<Outcome> {
    if let Some(missing) = missing(workspace) {
        bail!("{missing}");
    }
    if targets.is_empty() {
        let list = process::stdout(nightly(workspace).args(["fuzz", "list"]))?;
        targets = list.lines().map(str::to_owned).collect();
        ensure!(!targets.is_empty(), "fuzz/Cargo.toml has no targets");
    }
    let mut outcome = Outcome::default();
    for target in targets {
        let mut command = nightly(workspace);
        command.args(["fuzz", "run", &target]);
        // New inputs go into the first folder; the second has those that are committed.
        let seeds = match target.starts_with("format_") {
            true => workspace.root.join("testdata/formats"),
            false => workspace.root.join("fuzz/seeds").join(&target),
        };
        if seeds.is_dir() {
            let found = workspace.root.join("fuzz/corpus").join(&target);
            fs::create_dir_all(&found).with_context(|| format!("cannot make {}", found.display()))?;
            command.arg(found).arg(seeds);
        }
        command.arg("--").arg(format!("-max_total_time={seconds}")).arg("-verbosity=0");
        println!("==> {}", process::describe(&command));
        let passed = process::passes(&mut command)?;
        outcome.count(passed);
        if !passed {
            outcome.problems.push(format!("fuzz target {target}"));
        }
    }
    Ok(outcome)
}

/// What fuzzing needs and this machine lacks.
pub(crate) fn missing(workspace: &Workspace) -> Option<&'static str> {
    if !workspace.root.join("fuzz").is_dir() {
        return Some("there is no fuzz folder");
    }
    if !process::succeeds_quietly(nightly(workspace).arg("--version")) {
        return Some("the nightly toolchain is not installed: rustup toolchain install nightly --profile minimal");
    }
    if !process::succeeds_quietly(nightly(workspace).args(["fuzz", "--version"])) {
        return Some("cargo-fuzz is not installed: cargo install cargo-fuzz --locked");
    }
    None
}

/// Rustup's cargo: only it understands `+nightly`, the one that runs this program does not.
fn nightly(workspace: &Workspace) -> Command {
    let mut command = Command::new("cargo");
    command.arg("+nightly").current_dir(&workspace.root);
    command
}
