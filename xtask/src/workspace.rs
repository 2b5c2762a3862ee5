//! The workspace: where it is, and the binary it builds.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::process;

/// Where the workspace and its build output are.
pub(crate) struct Workspace {
    /// The folder of the workspace's `Cargo.toml`.
    pub(crate) root: PathBuf,
    /// The target directory, wherever the environment or a configuration file put it.
    pub(crate) target: PathBuf,
}

impl Workspace {
    /// Asks cargo.
    pub(crate) fn find() -> Result<Self> {
        let metadata = process::stdout(plain_cargo().args(["metadata", "--no-deps", "--format-version", "1"]))?;
        let metadata: Value = serde_json::from_str(&metadata).context("cannot read the output of `cargo metadata`")?;
        let path = |name: &str| {
            metadata[name].as_str().map(PathBuf::from).with_context(|| format!("`cargo metadata` names no {name}"))
        };
        Ok(Self { root: path("workspace_root")?, target: path("target_directory")? })
    }

    /// The cargo that runs this program, in the workspace's root.
    pub(crate) fn cargo(&self) -> Command {
        let mut command = plain_cargo();
        command.current_dir(&self.root);
        command
    }

    /// Builds the command line in release mode and returns its path.
    pub(crate) fn build_release(&self) -> Result<PathBuf> {
        const BINARY: &str = "model-signing";
        let mut command = self.cargo();
        command.args(["build", "--release", "--locked", "--package", BINARY, "--bin", BINARY]);
        println!("==> {}", process::describe(&command));
        command.arg("--message-format=json-render-diagnostics").stderr(Stdio::inherit());
        let messages = process::stdout(&mut command)?;
        // Cargo says where the file is: a configured target triple moves it.
        let executable = messages
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok())
            .filter(|message| message["target"]["name"] == BINARY)
            .find_map(|message| message["executable"].as_str().map(PathBuf::from));
        let Some(executable) = executable else { bail!("cargo built no `{BINARY}`") };
        Ok(executable)
    }
}

fn plain_cargo() -> Command {
    Command::new(std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo")))
}
