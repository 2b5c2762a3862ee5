//! Running other programs.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Output, Stdio};

use anyhow::{Context, Result, bail};

/// The command as a person would type it; environment and quoting are left out.
pub(crate) fn describe(command: &Command) -> String {
    let program = std::path::Path::new(command.get_program()).file_stem().unwrap_or(command.get_program());
    let mut text = program.to_string_lossy().into_owned();
    for argument in command.get_args() {
        text.push(' ');
        text.push_str(&argument.to_string_lossy());
    }
    text
}

/// Runs the command with its output passed through; whether it succeeded.
pub(crate) fn passes(command: &mut Command) -> Result<bool> {
    let status = command.status().with_context(|| format!("cannot run `{}`", describe(command)))?;
    Ok(status.success())
}

/// Runs the command and returns what it wrote.
pub(crate) fn output(command: &mut Command) -> Result<Output> {
    command.stdin(Stdio::null()).output().with_context(|| format!("cannot run `{}`", describe(command)))
}

/// Runs the command and returns its standard output, trimmed.
///
/// # Errors
/// If it cannot be run or fails; the error shows what it wrote to standard error.
pub(crate) fn stdout(command: &mut Command) -> Result<String> {
    let output = output(command)?;
    if !output.status.success() {
        let reason = String::from_utf8_lossy(&output.stderr);
        bail!("`{}` failed ({}): {}", describe(command), output.status, reason.trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Whether the command can be run and succeeds; what it writes is discarded.
pub(crate) fn succeeds_quietly(command: &mut Command) -> bool {
    command.stdin(Stdio::null()).output().is_ok_and(|output| output.status.success())
}

/// Runs the command, passes its output through, and hands each line of its standard output to `line`.
/// Returns whether it succeeded.
pub(crate) fn tee(command: &mut Command, mut line: impl FnMut(&str)) -> Result<bool> {
    let context = format!("cannot run `{}`", describe(command));
    let mut child = command.stdout(Stdio::piped()).spawn().with_context(|| context.clone())?;
    let stdout = child.stdout.take().expect("stdout was set to a pipe");
    let mut out = std::io::stdout().lock();
    for bytes in BufReader::new(stdout).split(b'\n') {
        let bytes = bytes.with_context(|| context.clone())?;
        out.write_all(&bytes)?;
        out.write_all(b"\n")?;
        out.flush()?;
        line(&String::from_utf8_lossy(&bytes));
    }
    Ok(child.wait().with_context(|| context)?.success())
}
