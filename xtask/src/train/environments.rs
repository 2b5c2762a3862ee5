//! Interpreters that have the frameworks.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, anyhow};

use super::{Framework, Options, Torch};
use crate::workspace::Workspace;
use crate::{debian, process, python};

/// Debian's interpreter, which has Debian's packages.
const SYSTEM_PYTHON: &str = "/usr/bin/python3";

/// Debian has no package of it in every release.
const SAFETENSORS: &str = "safetensors==0.8.0";

/// An interpreter with a framework.
pub(super) struct Environment {
    /// The framework's name and version.
    pub(super) version: String,
    pub(super) python: PathBuf,
    variables: Vec<(&'static str, OsString)>,
}

/// Installs a framework, or takes what an earlier run installed.
pub(super) fn install(workspace: &Workspace, framework: Framework, options: &Options) -> Result<Environment> {
    let venvs = workspace.target.join("train-venv");
    let venv = |name: &str| -> Result<Environment> {
        let list = workspace.root.join(format!("examples/slsa-for-ml/requirements-{name}.txt"));
        let requirements = std::fs::read_to_string(&list).with_context(|| format!("cannot read {}", list.display()))?;
        let python = python::require_venv(options.python.as_deref(), &venvs.join(name), &requirements)?;
        Ok(Environment::new(python, Vec::new()))
    };
    match (framework, options.torch) {
        (Framework::Tensorflow, _) => venv("tensorflow")?.identified("tensorflow"),
        (Framework::Pytorch, Torch::Pypi) => venv("pytorch")?.identified("torch"),
        (Framework::Pytorch, Torch::Debian) => debian_torch(&venvs.join("debian-packages"), options.python.as_deref()),
    }
}

/// Debian's package for the system's interpreter, and safetensors in a folder of its own beside it.
fn debian_torch(packages: &Path, installer: Option<&Path>) -> Result<Environment> {
    let environment =
        Environment::new(PathBuf::from(SYSTEM_PYTHON), vec![("PYTHONPATH", packages.as_os_str().to_owned())]);
    if environment.version_of("torch").is_err() {
        debian::install("python3-torch").map_err(|reason| anyhow!(reason))?;
    }
    if environment.version_of("safetensors").is_err() {
        let (installer, _) = python::interpreter(installer)?;
        let mut pip = python::pip_install(&installer);
        process::stdout(pip.args(["--only-binary=:all:", "--no-deps", "--target"]).arg(packages).arg(SAFETENSORS))?;
    }
    environment.identified("torch")
}

impl Environment {
    fn new(python: PathBuf, variables: Vec<(&'static str, OsString)>) -> Self {
        Self { version: String::new(), python, variables }
    }

    fn identified(mut self, module: &str) -> Result<Self> {
        self.version = format!("{module} {}", self.version_of(module)?);
        Ok(self)
    }

    fn version_of(&self, module: &str) -> Result<String> {
        let mut command = Command::new(&self.python);
        self.apply(&mut command);
        process::stdout(command.arg("-c").arg(format!("import {module}; print({module}.__version__)")))
    }

    /// Sets the variables that the interpreter needs; nothing it runs looks for an accelerator.
    pub(super) fn apply(&self, command: &mut Command) {
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command.envs([("PYTHONDONTWRITEBYTECODE", "1"), ("CUDA_VISIBLE_DEVICES", ""), ("TF_CPP_MIN_LOG_LEVEL", "3")]);
    }
}
