//! `cargo xtask arm`: the tests of `model-hash` on Arm, in an emulator: its kernel there is another.

use std::process::Command;

use anyhow::Result;

use crate::outcome::Outcome;
use crate::workspace::Workspace;
use crate::{check, debian, process};

const TARGET: &str = "aarch64-unknown-linux-gnu";
const COMPILER: &str = "aarch64-linux-gnu-gcc";
const EMULATOR: &str = "qemu-aarch64-static";
/// Where Debian has the C library of the target.
const LIBRARIES: &str = "/usr/aarch64-linux-gnu";

/// Runs the tests. What can't be had here is skipped, and says so.
pub(crate) fn run(workspace: &Workspace) -> Result<Outcome> {
    let mut outcome = Outcome::default();
    if let Err(missing) = tools() {
        println!("==> tests on Arm are skipped: {missing}");
        outcome.skipped += 1;
        return Ok(outcome);
    }
    let mut command = workspace.cargo();
    command.args(["test", "--locked", "--package", "model-hash", "--lib", "--target", TARGET]);
    command.env("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER", COMPILER);
    command.env("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER", format!("{EMULATOR} -L {LIBRARIES}"));
    check::count_tests(&mut outcome, &mut command)?;
    Ok(outcome)
}

/// Sees to it that everything is installed.
fn tools() -> Result<(), String> {
    debian::require(COMPILER, "gcc-aarch64-linux-gnu")?;
    if !std::path::Path::new(LIBRARIES).join("include").is_dir() {
        debian::install("libc6-dev-arm64-cross")?;
    }
    debian::require(EMULATOR, "qemu-user-static")?;
    let mut add = Command::new("rustup");
    add.args(["target", "add", TARGET]);
    process::stdout(&mut add).map(drop).map_err(|error| format!("no Rust for {TARGET} ({error:#})"))
}
