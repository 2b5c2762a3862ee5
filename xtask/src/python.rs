//! Interpreters of Python, and virtual environments below the target directory.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::process;

/// Sees to it that there is a virtual environment with exactly these requirements, which have hashes; returns its
/// interpreter. An earlier run's is taken if interpreter and requirements are the same.
///
/// # Errors
/// If it can't be made, or a package can't be had.
pub(crate) fn require_venv(python: Option<&Path>, venv: &Path, requirements: &str) -> Result<PathBuf> {
    let (python, version) = interpreter(python)?;
    let installed = venv.join(if cfg!(windows) { "Scripts" } else { "bin" }).join("python");
    let stamp = venv.join("installed.txt");
    let wanted = format!("# {}, {version}\n{requirements}", python.display());
    if fs::read_to_string(&stamp).is_ok_and(|found| found == wanted) {
        return Ok(installed);
    }
    println!("==> installing {}", venv.display());
    create_venv(&python, venv)?;
    let list = venv.join("requirements.txt");
    fs::write(&list, requirements)?;
    let mut pip = pip_install(&installed);
    process::stdout(pip.args(["--require-hashes", "--requirement"]).arg(list))?;
    fs::write(&stamp, wanted)?;
    Ok(installed)
}

/// `pip install`, without what it says when all is well.
pub(crate) fn pip_install(python: &Path) -> Command {
    let mut pip = Command::new(python);
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]);
    pip
}

/// Finds an interpreter that the packages support, and its version, as `Python 3.12.1`.
///
/// # Errors
/// If there is none, or the named one is too old.
pub(crate) fn interpreter(python: Option<&Path>) -> Result<(PathBuf, String)> {
    const VERSION: &str = "import platform, sys; assert sys.version_info >= (3, 11); \
        print('Python', platform.python_version())";
    let candidates = match python {
        Some(python) => vec![python.to_owned()],
        None => vec![PathBuf::from("python3"), PathBuf::from("python")],
    };
    for python in candidates {
        if let Ok(version) = process::stdout(Command::new(&python).args(["-c", VERSION])) {
            return Ok((python, version));
        }
    }
    match python {
        Some(python) => bail!("`{}` is not Python 3.11 or later", python.display()),
        None => bail!("there is no Python 3.11 or later on the PATH; name one with --python"),
    }
}

/// Makes an empty virtual environment with `venv`, or with `virtualenv` where a distribution splits `venv` off.
///
/// # Errors
/// If neither works.
pub(crate) fn create_venv(python: &Path, venv: &Path) -> Result<()> {
    let mut reasons = Vec::new();
    for module in [["-m", "venv"], ["-m", "virtualenv"]] {
        // A failed attempt leaves an unusable folder.
        if venv.exists() {
            fs::remove_dir_all(venv).with_context(|| format!("cannot remove {}", venv.display()))?;
        }
        match process::stdout(Command::new(python).args(module).arg(venv)) {
            Ok(_) => return Ok(()),
            Err(error) => reasons.push(format!("{error:#}")),
        }
    }
    bail!(
        "cannot make a virtual environment; install venv (Debian, Ubuntu: `apt install python3-venv`) or virtualenv, \
         or name another interpreter with --python\n{}",
        reasons.join("\n")
    )
}
