//! One of the two command lines that are compared, and what it says.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use anyhow::Result;

use crate::process;

/// A command line with the reference tool's verbs and flags. Both tools are called with the same arguments: scripts
/// written for the reference run unchanged.
#[derive(Clone)]
pub(crate) struct Tool {
    /// `ours` or `theirs`.
    pub(crate) name: &'static str,
    program: PathBuf,
}

/// What to sign or verify. Relative paths are relative to the folder that the command runs in.
#[derive(Clone, Copy)]
pub(crate) struct Subject<'a> {
    pub(crate) model: &'a Path,
    pub(crate) signature: &'a Path,
    pub(crate) symlinks: Symlinks,
}

/// Whether the command allows symlinks.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Symlinks {
    Allowed,
    Refused,
}

impl Tool {
    /// Names a tool.
    pub(crate) fn new(name: &'static str, program: PathBuf) -> Self {
        Self { name, program }
    }

    /// `sign key`, with paths inside the model to leave out.
    pub(crate) fn sign(&self, subject: Subject<'_>, private_key: &Path, ignored: &[&str]) -> Command {
        let mut command = self.command(["sign", "key"]);
        subject.append_to(&mut command);
        command.arg("--private_key").arg(private_key);
        append_ignored(&mut command, ignored);
        command
    }

    /// `verify key`.
    pub(crate) fn verify(&self, subject: Subject<'_>, public_key: &Path) -> Command {
        let mut command = self.command(["verify", "key"]);
        subject.append_to(&mut command);
        command.arg("--public_key").arg(public_key);
        command
    }

    /// `keygen`; only our tool has it.
    pub(crate) fn keygen(&self, algorithm: &str, private_key: &Path, public_key: &Path) -> Command {
        let mut command = self.command(["keygen", "--algorithm", algorithm]);
        command.arg("--private-key").arg(private_key).arg("--public-key").arg(public_key);
        command
    }

    /// `digest`; only our tool has it.
    pub(crate) fn digest(&self, model: &Path, symlinks: Symlinks, ignored: &[&str]) -> Command {
        let mut command = self.command(["digest"]);
        command.arg(model);
        append_symlinks(&mut command, symlinks);
        append_ignored(&mut command, ignored);
        command
    }

    /// The first line that `--version` prints.
    pub(crate) fn version(&self) -> Result<String> {
        let text = process::stdout(Command::new(&self.program).arg("--version"))?;
        Ok(text.lines().next().unwrap_or_default().to_owned())
    }

    /// A subcommand of the tool, in an environment that does not change what it does.
    fn command<const N: usize>(&self, arguments: [&str; N]) -> Command {
        let mut command = Command::new(&self.program);
        command.args(arguments);
        for name in ["MODEL_SIGNING_PASSWORD", "MODEL_SIGNING_LOG_LEVEL"] {
            command.env_remove(name);
        }
        // Without it Python cannot print the names of some models in the C locale.
        command.env("PYTHONUTF8", "1");
        command
    }
}

impl Subject<'_> {
    fn append_to(self, command: &mut Command) {
        command.arg(self.model).arg("--signature").arg(self.signature);
        append_symlinks(command, self.symlinks);
    }
}

fn append_symlinks(command: &mut Command, symlinks: Symlinks) {
    if symlinks == Symlinks::Allowed {
        command.arg("--allow_symlinks");
    }
}

fn append_ignored(command: &mut Command, ignored: &[&str]) {
    for path in ignored {
        command.args(["--ignore-paths", path]);
    }
}

/// How a command ended and what it wrote, on one line, to explain a failure.
pub(crate) fn explain(output: &Output) -> String {
    let text = format!("{} {}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    format!("{}: {}", output.status, text.split_whitespace().collect::<Vec<_>>().join(" "))
}
