//! A folder with models and the documents of a stack, the commands that are run in it, and what they said.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::interop::case::NESTED;
use crate::process;
use crate::sigstore_stack::{Claims, PERSON, Realm, Stack};
use crate::tool::{Tool, explain};

/// The trust configuration of the sandbox's stack.
pub(super) const TRUST: &str = "trust.json";
/// A model of one file.
pub(super) const FILE: &str = "weights.bin";
/// An identity token.
pub(super) const TOKEN: &str = "token";
/// Signs the model as whom the token names.
pub(super) const SIGN: &str = "sign model --trust-config trust.json --identity-token-file token";

/// A folder of its own: `model` (nested), [`FILE`] and [`TRUST`] are in it.
pub(super) struct Sandbox<'a> {
    pub(super) folder: PathBuf,
    pub(super) stack: &'a Stack,
}

/// What a command did.
pub(super) struct Said(Output);

impl<'a> Sandbox<'a> {
    /// Makes the folder.
    pub(super) fn new(parent: &Path, name: &str, stack: &'a Stack) -> Result<Self> {
        let sandbox = Self { folder: parent.join(name), stack };
        NESTED.write(&sandbox.folder).with_context(|| format!("cannot make {}", sandbox.folder.display()))?;
        sandbox.write(FILE, "all there is\n")?;
        fs::copy(&stack.files.trust_config, sandbox.path(TRUST))?;
        Ok(sandbox)
    }

    /// Mints a token and keeps it in [`TOKEN`].
    pub(super) fn token(&self, realm: Realm, claims: &Claims) -> Result<String> {
        let token = self.stack.issuer(realm).token(claims)?;
        self.write(TOKEN, &token)?;
        Ok(token)
    }

    /// Runs a tool with these arguments.
    pub(super) fn run(&self, tool: &Tool, words: &str) -> Result<Said> {
        process::output(&mut self.command(tool, words)).map(Said)
    }

    /// A tool with these arguments, to be run here.
    pub(super) fn command(&self, tool: &Tool, words: &str) -> Command {
        let mut command = tool.command(words.split_whitespace());
        command.current_dir(&self.folder).env("NO_PROXY", "127.0.0.1,localhost").env("no_proxy", "127.0.0.1,localhost");
        command
    }

    /// Signs the model with our tool, as [`PERSON`], to `model.sig`.
    pub(super) fn sign(&self, ours: &Tool) -> Result<Value> {
        self.token(Realm::People, &Claims::person(PERSON))?;
        self.run(ours, SIGN)?.succeeds()?;
        self.json("model.sig")
    }

    /// What to give `verify` after the model; both tools understand it.
    pub(super) fn rule(&self, identity: &str, realm: Realm) -> String {
        let issuer = self.stack.issuer(realm).url;
        format!("--trust_config {TRUST} --identity {identity} --identity_provider {issuer}")
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    pub(super) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> Result<()> {
        fs::write(self.path(name), content).with_context(|| format!("cannot write {name}"))
    }

    pub(super) fn json(&self, name: &str) -> Result<Value> {
        let bytes = fs::read(self.path(name)).with_context(|| format!("cannot read {name}"))?;
        serde_json::from_slice(&bytes).with_context(|| format!("{name} is no JSON"))
    }

    /// Fails if a signature was written.
    pub(super) fn wrote_nothing(&self) -> Result<()> {
        ensure!(!self.path("model.sig").exists(), "a signature was written");
        Ok(())
    }

    /// Our tool does not sign, says why, and writes nothing.
    pub(super) fn does_not_sign(&self, ours: &Tool, words: &str, code: i32, says: &[&str]) -> Result<()> {
        self.run(ours, words)?.fails(code, says)?;
        self.wrote_nothing()
    }
}

impl Said {
    /// It succeeded.
    pub(super) fn succeeds(&self) -> Result<()> {
        ensure!(self.0.status.success(), "failed: {}", explain(&self.0));
        Ok(())
    }

    /// It failed with this code, and said all of this.
    pub(super) fn fails(&self, code: i32, says: &[&str]) -> Result<()> {
        ensure!(self.0.status.code() == Some(code), "expected the exit code {code}: {}", explain(&self.0));
        let said = String::from_utf8_lossy(&self.0.stderr);
        let missing = says.iter().find(|text| !said.contains(**text));
        ensure!(missing.is_none(), "expected `{}`: {}", missing.unwrap_or(&""), explain(&self.0));
        Ok(())
    }

    /// What it wrote to standard output.
    pub(super) fn stdout(&self) -> String {
        String::from_utf8_lossy(&self.0.stdout).into_owned()
    }
}

impl From<Output> for Said {
    fn from(output: Output) -> Self {
        Self(output)
    }
}
