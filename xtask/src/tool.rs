//! One of the two command lines that are compared, and what it says.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use anyhow::Result;

use crate::process;

/// What would change what a tool does: secrets, verbosity, and whom it signs as.
const SCRUBBED: [&str; 7] = [
    "MODEL_SIGNING_PASSWORD",
    "MODEL_SIGNING_LOG_LEVEL",
    "SIGSTORE_ID_TOKEN",
    "BROWSER",
    "GITHUB_ACTIONS",
    "ACTIONS_ID_TOKEN_REQUEST_URL",
    "ACTIONS_ID_TOKEN_REQUEST_TOKEN",
];

/// A command line with the reference tool's verbs and flags. Both tools are called with the same arguments: scripts
/// written for the reference run unchanged.
#[derive(Clone)]
pub(crate) struct Tool {
    /// `ours` or `theirs`.
    pub(crate) name: &'static str,
    program: PathBuf,
    environment: Vec<(&'static str, OsString)>,
    /// Whether flags are written with hyphens alone.
    is_hyphenated: bool,
}

/// How to sign or to verify: the subcommand, and the flags that it has of its own.
#[derive(Clone)]
pub(crate) struct Method {
    name: &'static str,
    flags: Vec<(&'static str, OsString)>,
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

impl Method {
    /// The subcommand.
    pub(crate) fn new(name: &'static str) -> Self {
        Self { name, flags: Vec::new() }
    }

    /// Adds a flag and its value.
    pub(crate) fn flag(mut self, flag: &'static str, value: impl Into<OsString>) -> Self {
        self.flags.push((flag, value.into()));
        self
    }

    /// The method `key`, for signing.
    pub(crate) fn private_key(key: &Path) -> Self {
        Self::new("key").flag("--private_key", key)
    }

    /// The method `key`, for verifying.
    pub(crate) fn public_key(key: &Path) -> Self {
        Self::new("key").flag("--public_key", key)
    }

    /// The method `certificate`, for verifying.
    pub(crate) fn trusted_certificates(certificates: &Path) -> Self {
        Self::new("certificate").flag("--certificate_chain", certificates)
    }
}

impl Tool {
    /// Names a tool.
    pub(crate) fn new(name: &'static str, program: PathBuf) -> Self {
        Self { name, program, environment: Vec::new(), is_hyphenated: false }
    }

    /// The tool, if it has flags with hyphens alone.
    pub(crate) fn with_hyphens(self) -> Self {
        Self { is_hyphenated: true, ..self }
    }

    fn flag(&self, flag: &str) -> String {
        if self.is_hyphenated { flag.replace('_', "-") } else { flag.to_owned() }
    }

    /// The tool, run with one more environment variable.
    pub(crate) fn with_variable(&self, name: &'static str, value: impl Into<OsString>) -> Self {
        let mut tool = self.clone();
        tool.environment.push((name, value.into()));
        tool
    }

    /// `sign`, with paths inside the model to leave out.
    pub(crate) fn sign(&self, subject: Subject<'_>, method: &Method, ignored: &[&str]) -> Command {
        let mut command = self.command(["sign", method.name]);
        subject.append_to(&mut command);
        method.append_to(self, &mut command);
        append_ignored(&mut command, ignored);
        command
    }

    /// `verify`.
    pub(crate) fn verify(&self, subject: Subject<'_>, method: &Method) -> Command {
        let mut command = self.command(["verify", method.name]);
        subject.append_to(&mut command);
        method.append_to(self, &mut command);
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

    /// The tool with these arguments, in an environment that does not change what it does.
    pub(crate) fn command<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) -> Command {
        let mut command = Command::new(&self.program);
        command.args(arguments);
        for name in SCRUBBED {
            command.env_remove(name);
        }
        // Without it Python cannot print the names of some models in the C locale.
        command.env("PYTHONUTF8", "1");
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }
}

impl Method {
    fn append_to(&self, tool: &Tool, command: &mut Command) {
        for (flag, value) in &self.flags {
            command.arg(tool.flag(flag)).arg(value);
        }
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
