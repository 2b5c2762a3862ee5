//! Finding the signature to verify, and keeping a new one from destroying something.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::failure::Failure;
use crate::inputs::{Inside, inside};
use crate::output::Console;

/// What `sign` writes by default, in the current directory.
pub(crate) const DEFAULT_NAME: &str = "model.sig";

/// Finds the signature of the model at `model`: `model.sig` here, in it, beside it, or `NAME.sig` beside it.
pub(crate) fn find(model: &Path, console: &Console) -> Result<PathBuf, Failure> {
    let mut candidates = vec![PathBuf::from(DEFAULT_NAME), model.join(DEFAULT_NAME)];
    // `.` and `..` have neither a parent nor a name until they are resolved.
    let resolved = if model.file_name().is_none() { fs::canonicalize(model).ok() } else { None };
    let named = resolved.as_deref().unwrap_or(model);
    if let (Some(parent), Some(name)) = (named.parent(), named.file_name()) {
        let mut own_name = name.to_owned();
        own_name.push(".sig");
        candidates.extend([parent.join(DEFAULT_NAME), parent.join(own_name)]);
    }
    let mut found: Vec<(PathBuf, PathBuf)> = Vec::new();
    for candidate in candidates {
        if let Ok(location) = fs::canonicalize(&candidate)
            && location.is_file()
            && !found.iter().any(|(_, other)| *other == location)
        {
            found.push((candidate, location));
        }
    }
    match found.as_slice() {
        [(path, _)] => {
            console.note(&format!("using the signature `{}`", path.display()));
            Ok(path.clone())
        }
        [] => Err(Failure::could_not_check(
            "signature_not_found",
            format!(
                "no signature of `{}` was found in the current directory, in the model or beside it",
                model.display()
            ),
        )
        .with_hint("name it with --signature FILE")),
        several => {
            let names: Vec<_> = several.iter().map(|(path, _)| format!("`{}`", path.display())).collect();
            Err(Failure::usage(format!("several signatures were found: {}", names.join(", ")))
                .with_hint("name one with --signature FILE"))
        }
    }
}

/// Refuses to write a signature over something that is not one: a file of the model, the key, a certificate.
pub(crate) fn check_target(signature: &Path, model: &Path, inputs: &[(&str, &Path)]) -> Result<(), Failure> {
    const FLAG: &str = "--signature";
    check_output(FLAG, signature, inputs)?;
    check_inside(FLAG, signature, model)
}

/// Refuses to write the output that `flag` names over the model at this canonical path, or a file of it.
pub(crate) fn check_inside(flag: &str, output: &Path, model: &Path) -> Result<(), Failure> {
    let Ok(location) = fs::canonicalize(output) else { return Ok(()) };
    if location == *model {
        return Err(would_overwrite(flag, output, "the model"));
    }
    if matches!(inside(model, &location), Inside::Yes(_)) && location.is_file() && !looks_like_signature(&location) {
        return Err(would_overwrite(flag, output, "a file of the model that is not a signature"));
    }
    Ok(())
}

/// Refuses to write the output that `flag` names over something that is read, or where nothing can be written.
pub(crate) fn check_output(flag: &str, output: &Path, inputs: &[(&str, &Path)]) -> Result<(), Failure> {
    model_transparency::output::check(output)?;
    let Ok(location) = fs::canonicalize(output) else { return Ok(()) };
    let is_it = |path: &Path| fs::canonicalize(path).is_ok_and(|input| input == location);
    match inputs.iter().find(|(_, path)| is_it(path)) {
        Some((what, _)) => Err(would_overwrite(flag, output, what)),
        None => Ok(()),
    }
}

fn would_overwrite(flag: &str, output: &Path, what: &str) -> Failure {
    Failure::usage(format!("{flag} `{}` would overwrite {what}", output.display()))
        .with_hint(format!("name another file with {flag} FILE"))
}

/// Whether the file is empty or begins like a Sigstore bundle.
fn looks_like_signature(path: &Path) -> bool {
    let mut start = Vec::new();
    let read = fs::File::open(path).and_then(|file| file.take(64 << 10).read_to_end(&mut start));
    read.is_ok()
        && (start.is_empty() || String::from_utf8_lossy(&start).contains("application/vnd.dev.sigstore.bundle"))
}
