//! Programs of Debian's packages, installed where that needs no questions: as root.

use std::process::Command;

use crate::process;

/// Sees to it that `program` is there, from `package` if it has to be installed.
///
/// # Errors
/// Why it is not.
pub(crate) fn require(program: &str, package: &str) -> Result<(), String> {
    if runs(program) {
        return Ok(());
    }
    install(package).map_err(|reason| format!("there is no {program} ({reason})"))
}

/// Installs a package.
///
/// # Errors
/// Why it can't be done, with what would do it.
pub(crate) fn install(package: &str) -> Result<(), String> {
    let hint = format!("Debian, Ubuntu: `apt install {package}`");
    let is_root = process::stdout(Command::new("id").arg("-u")).is_ok_and(|user| user == "0");
    if !is_root || !runs("apt-get") {
        return Err(hint);
    }
    println!("==> installing {package}");
    let apt = |arguments: &[&str]| process::stdout(apt_get().args(arguments));
    let install = ["install", "--yes", "--no-install-recommends", package];
    // The lists of packages may be missing or old.
    let result = apt(&install).or_else(|_| apt(&["update"]).and_then(|_| apt(&install)));
    result.map(|_| ()).map_err(|error| format!("{hint}; {error:#}"))
}

/// Whether the program is there; some of them know no option that only prints something.
fn runs(program: &str) -> bool {
    process::output(Command::new(program).arg("--version")).is_ok()
}

fn apt_get() -> Command {
    let mut command = Command::new("apt-get");
    command.arg("--quiet").env("DEBIAN_FRONTEND", "noninteractive");
    command
}
