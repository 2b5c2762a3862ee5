//! The Python that a command runs in, and lists of packages with their hashes.

mod compare;
mod installed;
mod interpreter;
mod lock;
mod name;
mod program;

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// A Python interpreter and what is installed for it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Python {
    /// The interpreter.
    pub executable: PathBuf,
    /// Its version, such as `3.11.2`.
    pub version: String,
    /// Such as `CPython`.
    pub implementation: String,
    /// Every distribution that is installed, by name.
    pub packages: Vec<Installed>,
}

/// An installed distribution.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Installed {
    /// Its name, normalised (PyPA, "Package name normalization").
    pub name: String,
    /// Its version.
    pub version: String,
    /// The tags of the wheel that it was installed from (`cp311-cp311-manylinux_2_17_x86_64`), if its `WHEEL` says so.
    /// Empty for what no installer of wheels installed (a distribution's package manager, conda), or from a folder.
    pub tags: Vec<String>,
}

/// A list of packages with hashes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lock {
    /// Which kind of list it is: `pylock.toml`, `uv.lock`, `poetry.lock`, `pdm.lock`, `Pipfile.lock`, `requirements.txt`.
    pub kind: &'static str,
    /// The packages, in its order.
    pub packages: Vec<Locked>,
}

/// A package in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Locked {
    /// Its name, normalised.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The files that it may be installed from. None where it comes from a folder or a repository.
    pub files: Vec<LockedFile>,
}

/// A file that a package may be installed from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LockedFile {
    /// The name of the wheel or archive, where the list has it.
    pub name: Option<String>,
    /// Its SHA-256 in hex.
    pub sha256: String,
}

/// A package that is installed, with the one file of the list that it can have come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Package {
    /// Its name, normalised.
    pub name: String,
    /// The version that is installed.
    pub version: String,
    /// The file's SHA-256 in hex. None if no file of the list is for this machine, or more than one is.
    pub sha256: Option<String>,
    /// The file's name, where the list has it.
    pub file: Option<String>,
}

/// How what is installed and a list compare.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Compared {
    /// What is installed in the version that the list has.
    pub packages: Vec<Package>,
    /// What is installed in another version, or not in the list at all: `name version`.
    pub unlisted: Vec<String>,
}

/// Why a list or an interpreter could not be read.
#[derive(Debug, thiserror::Error)]
pub enum PythonError {
    /// The list is not what its name says.
    #[error("`{path}`: expected {expected}, found {found}")]
    Lock {
        /// The list.
        path: String,
        /// What was expected.
        expected: &'static str,
        /// What was found.
        found: String,
    },
    /// It could not be read.
    #[error("`{path}` cannot be read: {source}")]
    Read {
        /// What.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// The interpreter did not answer.
    #[error("`{path}` did not say what is installed: {message}")]
    Interpreter {
        /// The interpreter.
        path: String,
        /// Why.
        message: String,
    },
}

/// Finds the interpreter that a command runs in. None if it is no Python, or if it cannot be told.
///
/// That is: `python …` under any of its names; a script whose first lines name an interpreter (`torchrun`,
/// `accelerate`); `env`, and programs that start another (`nohup`, `mpirun`), around these; `uv run`, `poetry run`,
/// `pdm run` and `pipenv run`, of the project's environment. A shell script is none, whatever it starts.
///
/// Names are looked up as the system does, in `PATH`, and from `directory`. Links are not resolved: a virtual environment
/// is known by the path of its interpreter. Poetry, PDM and Pipenv are asked, nothing else is run.
#[must_use]
pub fn interpreter(command: &[&OsStr], directory: &Path) -> Option<PathBuf> {
    interpreter::interpreter(command, directory, std::env::var_os("PATH"))
}

/// Asks an interpreter for its version and what is installed.
///
/// It runs with this process's environment, as the command does, so what `PYTHONPATH` names is among it. What lies beside
/// the command's script is not, nor do options of the command (`-I`, `-S`) count. No package is imported, and nothing is
/// written; what Python itself runs when it starts (`.pth` files, `sitecustomize`) does run.
///
/// # Errors
/// It does not answer, or answers nonsense.
pub fn installed(interpreter: &Path, directory: &Path) -> Result<Python, PythonError> {
    installed::installed(interpreter, directory)
}

/// The list of packages that projects in `directory` have, where there is exactly one kind of it.
///
/// A `requirements.txt` without hashes is not counted.
#[must_use]
pub fn find_lock(directory: &Path) -> Option<PathBuf> {
    lock::find(directory)
}

/// Reads a list of packages with hashes, of any kind. Its name says which.
///
/// # Errors
/// It is none.
pub fn lock(path: &Path) -> Result<Lock, PythonError> {
    lock::read(path)
}

impl Lock {
    /// Reads a list from bytes. The file name of `path` says of which kind it is; nothing is opened.
    ///
    /// # Errors
    /// It is none.
    pub fn parse(path: &Path, bytes: &[u8]) -> Result<Self, PythonError> {
        lock::parse(path, bytes)
    }

    /// Compares what is installed.
    ///
    /// The file is concluded from the tags of the wheel, which the installed package keeps: the one listed wheel with these
    /// tags, else the one listed source archive, of which the installer has made such a wheel. That installers prefer
    /// wheels is assumed. Where a list has hashes and no names, a package with one hash came from that file.
    #[must_use]
    pub fn compare(&self, installed: &[Installed]) -> Compared {
        compare::compare(self, installed)
    }
}

impl Python {
    /// The well-known frameworks for machine learning among the packages.
    #[must_use]
    pub fn frameworks(&self) -> Vec<&Installed> {
        const NAMES: [&str; 32] = [
            "accelerate",
            "catboost",
            "deepspeed",
            "diffusers",
            "flax",
            "horovod",
            "jax",
            "jaxlib",
            "keras",
            "lightgbm",
            "lightning",
            "mlx",
            "mxnet",
            "numpy",
            "onnx",
            "paddlepaddle",
            "paddlepaddle-gpu",
            "peft",
            "pytorch-lightning",
            "ray",
            "safetensors",
            "scikit-learn",
            "tensorflow",
            "tensorflow-cpu",
            "tensorflow-gpu",
            "tf-keras",
            "tf-nightly",
            "torch",
            "torchvision",
            "transformers",
            "trl",
            "xgboost",
        ];
        self.packages.iter().filter(|package| NAMES.contains(&package.name.as_str())).collect()
    }
}

#[cfg(test)]
mod tests;
