//! Reading what a command needs besides the model: keys, passwords, paths to ignore.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use model_transparency::key::{InvalidKey, PrivateKey, PrivateKeyPem, PublicKey};
use model_transparency::model::{IgnoreRules, InvalidIgnorePath, ModelPath};
use zeroize::Zeroizing;

use crate::args::PasswordArgs;
use crate::failure::Failure;
use crate::output::Console;
use crate::secrets;

/// The longest key file that is read, in bytes; the reader of keys refuses one that reaches it.
const MAX_KEY_FILE_BYTES: u64 = (1 << 20) + 1;

/// Reads at most `limit` bytes of the file at `path`.
pub(crate) fn read_limited(what: &str, path: &Path, limit: u64) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let mut content = Zeroizing::new(Vec::new());
    let read = File::open(path).and_then(|file| file.take(limit).read_to_end(&mut content));
    read.map_err(|error| Failure::unreadable(what, path, &error))?;
    Ok(content)
}

/// Reads a private key, asking for its password if need be.
pub(crate) fn private_key(path: &Path, password: &PasswordArgs, console: &Console) -> Result<PrivateKey, Failure> {
    const WHAT: &str = "the private key";
    let failed = |error: InvalidKey| Failure::key(WHAT, path, &error);
    let text = read_limited(WHAT, path, MAX_KEY_FILE_BYTES)?;
    let pem = PrivateKeyPem::parse(&text).map_err(failed)?;
    let mut password = secrets::given(password, console)?;
    if !pem.is_encrypted() {
        if password.is_some() {
            console
                .warn(&format!("the private key `{}` is not encrypted, so the password is not used", path.display()));
        }
    } else if password.is_none() {
        password = secrets::prompt(&format!("Password of {}: ", path.display()));
    }
    pem.into_key(password.as_ref().map(|password| password.as_slice())).map_err(failed)
}

/// Reads a public key.
pub(crate) fn public_key(path: &Path) -> Result<PublicKey, Failure> {
    const WHAT: &str = "the public key";
    let text = read_limited(WHAT, path, MAX_KEY_FILE_BYTES)?;
    PublicKey::from_pem(&text).map_err(|error| Failure::key(WHAT, path, &error))
}

/// Paths to leave out of a model: those that a bundle can record, and one that it can't.
#[derive(Debug, Default)]
pub(crate) struct Exclusions {
    /// Everything that is left out.
    pub(crate) all: IgnoreRules,
    /// What of it is recorded in the bundle.
    pub(crate) recorded: IgnoreRules,
}

/// Resolves what is left out of the model at `location`: the defaults, the paths given, and the signature file.
///
/// Paths are relative to the current directory, as in the reference. Those outside the model are warned about.
pub(crate) fn exclusions(
    location: &Path,
    ignore_git_paths: bool,
    paths: &[PathBuf],
    signature: Option<&Path>,
    console: &Console,
) -> Result<Exclusions, Failure> {
    let mut recorded = if ignore_git_paths { IgnoreRules::defaults() } else { IgnoreRules::none() };
    for path in paths {
        if path.symlink_metadata().is_err() {
            console.warn(&format!("--ignore-paths `{}` does not exist", path.display()));
        }
        match inside(location, path) {
            Inside::No => console
                .warn(&format!("--ignore-paths `{}` is not inside the model, so it ignores nothing", path.display())),
            Inside::NotUtf8 => {
                return Err(Failure::usage(format!("--ignore-paths `{}`: expected a path in UTF-8", path.display())));
            }
            Inside::Yes(inner) => recorded.insert(&inner).map_err(|error| invalid_ignore_path(path, error))?,
        }
    }
    let mut all = recorded.clone();
    if let Some(Inside::Yes(inner)) = signature.map(|signature| inside(location, signature))
        && let Ok(inner) = ModelPath::parse(&inner)
    {
        all.insert_unrecorded(&inner);
        // A name with glob characters can't be recorded (§6.2.1); the file is left out all the same.
        let _ = recorded.insert(inner.as_str());
    }
    Ok(Exclusions { all, recorded })
}

fn invalid_ignore_path(path: &Path, error: InvalidIgnorePath) -> Failure {
    Failure::usage(format!("--ignore-paths `{}`: {error}", path.display()))
}

/// Where a path is, seen from a model.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Inside {
    /// Here, from the model root; empty for the root itself.
    Yes(String),
    /// Somewhere else.
    No,
    /// Inside, under a name that is not UTF-8.
    NotUtf8,
}

/// Where `path` (relative to the current directory) is, seen from the model at the canonical `location`.
pub(crate) fn inside(location: &Path, path: &Path) -> Inside {
    // The path itself may be a link in the model, or a link to something in it; the former is tried first.
    let candidates = [resolve_parent(path), std::fs::canonicalize(path).ok()];
    for candidate in candidates.into_iter().flatten() {
        if let Ok(inner) = candidate.strip_prefix(location) {
            let components: Option<Vec<&str>> = inner.components().map(|part| part.as_os_str().to_str()).collect();
            return components.map_or(Inside::NotUtf8, |components| Inside::Yes(components.join("/")));
        }
    }
    Inside::No
}

/// The canonical form of `path` with its last component left as it is; what does not exist is taken literally.
fn resolve_parent(path: &Path) -> Option<PathBuf> {
    let absolute = std::path::absolute(path).ok()?;
    let name = absolute.file_name()?;
    let mut missing = vec![name.to_owned()];
    let mut existing = absolute.parent()?;
    loop {
        match std::fs::canonicalize(existing) {
            Ok(mut resolved) => {
                resolved.extend(missing.iter().rev());
                return Some(resolved);
            }
            Err(_) => {
                missing.push(existing.file_name()?.to_owned());
                existing = existing.parent()?;
            }
        }
    }
}
