//! Others who read our provenance: cosign, and in-toto's published protobuf.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail};

use super::{Options, Rows};
use crate::go::{self, Build, Source};
use crate::outcome::Outcome;
use crate::workspace::Workspace;
use crate::{process, python, tool};

/// 100 MB, and eight minutes of processor time where nothing of it is built.
const COSIGN: Source = Source {
    name: "cosign",
    package: "github.com/sigstore/cosign/v3/cmd/cosign",
    version: "v3.1.3",
    build: Build::Package { binary: "cosign" },
};

const REQUIREMENTS: &str = include_str!("../../attestation-requirements.txt");
const VALIDATE: &str = include_str!("validate_statement.py");

/// Those that are here.
pub(super) struct Peers {
    cosign: Option<PathBuf>,
    in_toto: Option<PathBuf>,
}

/// What is asked about.
#[derive(Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) bundle: &'a Path,
    pub(super) public_key: &'a Path,
    pub(super) model: &'a Path,
    /// The SHA-256 of the subject: a directory is no blob.
    pub(super) digest: &'a str,
}

impl Peers {
    /// Installs them; one that can't be had is counted as skipped.
    pub(super) fn install(workspace: &Workspace, options: &Options, outcome: &mut Outcome) -> Self {
        let mut found = |name: &str, result: Result<PathBuf>| match result {
            Ok(path) => Some(path),
            Err(error) => {
                println!("==> {name} is skipped: {error:#}");
                outcome.skipped += 1;
                None
            }
        };
        let venv = workspace.target.join("train-venv").join("in-toto");
        Self {
            cosign: found("cosign", cosign(options.rows)),
            in_toto: found("in-toto", python::require_venv(options.python.as_deref(), &venv, REQUIREMENTS)),
        }
    }

    /// Whether cosign verifies the provenance; `None` if it is not here.
    pub(super) fn cosign(&self, asked: Asked<'_>) -> Option<Result<()>> {
        self.cosign.as_ref().map(|program| verify_blob_attestation(program, asked))
    }

    /// Whether the statement is one by in-toto's protobuf; `None` if that is not here.
    pub(super) fn in_toto(&self, bundle: &Path) -> Option<Result<()>> {
        let python = self.in_toto.as_ref()?;
        Some(process::stdout(Command::new(python).arg("-c").arg(VALIDATE).arg(bundle)).map(|_| ()))
    }
}

fn cosign(rows: Rows) -> Result<PathBuf> {
    if let Some(missing) = go::missing() {
        bail!("{missing}");
    }
    let (cache, go) = (go::cache("cosign")?, go::version()?);
    match (rows, COSIGN.built(&cache, &go)) {
        (_, Some(program)) => Ok(program),
        (Rows::All, None) => COSIGN.install(&cache, &go),
        (Rows::Ci, None) => bail!("it is not built here; `cargo xtask train` builds it"),
    }
}

/// A key is all that cosign gets: there is no log, and nobody is asked.
fn verify_blob_attestation(program: &Path, asked: Asked<'_>) -> Result<()> {
    let mut command = Command::new(program);
    command.arg("verify-blob-attestation").arg("--key").arg(asked.public_key).arg("--bundle").arg(asked.bundle);
    command.args(["--type", "slsaprovenance1", "--insecure-ignore-tlog=true"]);
    if asked.model.is_dir() {
        command.args(["--digest", asked.digest, "--digestAlg", "sha256"]);
    } else {
        command.arg(asked.model);
    }
    let output = process::output(&mut command)?;
    if output.status.success() { Ok(()) } else { bail!("cosign: {}", tool::explain(&output)) }
}
