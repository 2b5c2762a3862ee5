//! The Python reference tool, installed in a virtual environment below the target directory.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::process;
use crate::python;
use crate::tool::Tool;
use crate::workspace::Workspace;

/// Every package with its version, so that two runs compare with the same tool.
const REQUIREMENTS: &str = include_str!("../reference-requirements.txt");

/// What the tool needs for PKCS#11. Where there is no wheel it would take SWIG and a compiler: the tool is installed
/// without it.
const PKCS11_REQUIREMENT: &str = "PyKCS11==1.5.20";

/// The installed reference tool.
pub(crate) struct Reference {
    /// Its command line.
    pub(crate) tool: Tool,
    /// What the interpreter calls itself, `Python 3.12.1` for example.
    pub(crate) python_version: String,
    /// The interpreter of its virtual environment.
    python: PathBuf,
}

impl Reference {
    /// Installs the tool, or takes the installation of an earlier run when interpreter and versions are the same.
    pub(crate) fn install(workspace: &Workspace, python: Option<&Path>) -> Result<Self> {
        let (python, python_version) = python::interpreter(python)?;
        let venv = workspace.target.join("interop-venv");
        let stamp = venv.join("installed.txt");
        let wanted = format!("# {}, {python_version}\n{REQUIREMENTS}{PKCS11_REQUIREMENT}\n", python.display());
        let bin = venv.join(if cfg!(windows) { "Scripts" } else { "bin" });
        let tool = Tool::new("theirs", bin.join(format!("model_signing{}", std::env::consts::EXE_SUFFIX)));
        let installed = Self { tool, python_version, python: bin.join("python") };

        if fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
            return Ok(installed);
        }
        println!("==> installing the reference tool in {}", venv.display());
        python::create_venv(&python, &venv)?;
        let requirements = venv.join("requirements.txt");
        fs::write(&requirements, REQUIREMENTS)?;
        process::stdout(python::pip_install(&installed.python).arg("--requirement").arg(requirements))
            .context("cannot install the reference tool")?;
        if let Err(error) =
            process::stdout(python::pip_install(&installed.python).args(["--only-binary=:all:", PKCS11_REQUIREMENT]))
        {
            println!("without PKCS#11: {error:#}");
        }
        fs::write(&stamp, wanted)?;
        Ok(installed)
    }

    /// The interpreter that has its library.
    pub(crate) fn python_command(&self) -> Command {
        Command::new(&self.python)
    }

    /// Whether it can use PKCS#11 tokens.
    pub(crate) fn has_pkcs11(&self) -> bool {
        process::succeeds_quietly(Command::new(&self.python).args(["-c", "import PyKCS11"]))
    }
}
