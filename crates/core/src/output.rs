//! Files that are either written whole or not at all.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Who may read a new file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Whoever the umask lets.
    Everyone,
    /// The owner alone (mode 0600).
    Owner,
}

/// What to do if there is a file already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Existing {
    /// Replace it, keeping its permissions.
    Replace,
    /// Fail.
    Refuse,
}

/// Writes `contents` to `path` through a temporary file beside it, synced and renamed.
///
/// A link is written through. A target that exists and is not a regular file (a device, a pipe) is written in place.
///
/// # Errors
/// [`WriteError`]; there is then no new file and an old one is as it was.
pub fn write(path: &Path, contents: &[u8], access: Access, existing: Existing) -> Result<(), WriteError> {
    let failed = |source| WriteError::Io { path: path.to_owned(), source };
    let old = match fs::metadata(path) {
        Ok(metadata) => Some(metadata),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(failed(error)),
    };
    match &old {
        Some(_) if existing == Existing::Refuse => {
            return Err(WriteError::Exists { path: path.to_owned() });
        }
        Some(old) if old.is_dir() => return Err(failed(io::ErrorKind::IsADirectory.into())),
        Some(old) if !old.is_file() => {
            let mut file = OpenOptions::new().write(true).open(path).map_err(failed)?;
            return file.write_all(contents).and_then(|()| file.flush()).map_err(failed);
        }
        _ => {}
    }
    // Only now: `/dev/stdout` leads to a pipe that has no path.
    let target = resolve(path).map_err(failed)?;
    let directory = directory_of(&target);
    let mut temporary = temporary_file(directory, access).map_err(failed)?;
    temporary.write_all(contents).map_err(failed)?;
    if let Some(old) = old {
        temporary.as_file().set_permissions(old.permissions()).map_err(failed)?;
    }
    temporary.as_file().sync_all().map_err(failed)?;
    let persisted = match existing {
        Existing::Replace => temporary.persist(&target),
        Existing::Refuse => temporary.persist_noclobber(&target),
    };
    persisted.map_err(|error| match error.error.kind() {
        io::ErrorKind::AlreadyExists if existing == Existing::Refuse => WriteError::Exists { path: path.to_owned() },
        _ => failed(error.error),
    })?;
    sync_directory(directory).map_err(failed)
}

/// Checks that [`write()`] could write to `path` now, for saying so before long work.
///
/// # Errors
/// [`WriteError`], as `write` would return it.
pub fn check(path: &Path) -> Result<(), WriteError> {
    let failed = |source| WriteError::Io { path: path.to_owned(), source };
    match fs::metadata(path) {
        Ok(metadata) if metadata.is_dir() => Err(failed(io::ErrorKind::IsADirectory.into())),
        // A device or a pipe: only writing to it tells.
        Ok(metadata) if !metadata.is_file() => Ok(()),
        _ => {
            let target = resolve(path).map_err(failed)?;
            temporary_file(directory_of(&target), Access::Owner).map(drop).map_err(failed)
        }
    }
}

/// Where a link leads, or the path itself.
fn resolve(path: &Path) -> io::Result<PathBuf> {
    match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_symlink() => fs::canonicalize(path),
        _ => Ok(path.to_owned()),
    }
}

fn directory_of(target: &Path) -> &Path {
    match target.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

#[cfg(unix)]
fn temporary_file(directory: &Path, access: Access) -> io::Result<tempfile::NamedTempFile> {
    use std::os::unix::fs::PermissionsExt;
    // The umask is applied to this, as to any new file.
    let mode = match access {
        Access::Everyone => 0o666,
        Access::Owner => 0o600,
    };
    tempfile::Builder::new()
        .prefix(".model-signing-")
        .permissions(fs::Permissions::from_mode(mode))
        .tempfile_in(directory)
}

#[cfg(not(unix))]
fn temporary_file(directory: &Path, _: Access) -> io::Result<tempfile::NamedTempFile> {
    tempfile::Builder::new().prefix(".model-signing-").tempfile_in(directory)
}

/// Makes the rename durable. Windows has no such call, and some file systems refuse it.
fn sync_directory(directory: &Path) -> io::Result<()> {
    if cfg!(unix) {
        match File::open(directory).and_then(|directory| directory.sync_all()) {
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => Ok(()),
            // A directory that may be written to but not read can't be opened; its entry is there all the same.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
            other => other,
        }
    } else {
        Ok(())
    }
}

/// Why a file was not written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The operating system refused.
    #[error("`{}` cannot be written: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The operating system's error.
        source: io::Error,
    },
    /// There is a file already, and it is not to be replaced.
    #[error("`{}` exists already, and is not overwritten", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(directory: &Path) -> Vec<String> {
        let entries = fs::read_dir(directory).expect("readable");
        let mut names: Vec<_> =
            entries.map(|entry| entry.expect("readable").file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_is_created_replaced_or_refused() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let path = directory.path().join("out");
        write(&path, b"one", Access::Everyone, Existing::Refuse).expect("new");
        write(&path, b"two", Access::Everyone, Existing::Replace).expect("replaced");
        assert_eq!(fs::read(&path).expect("readable"), b"two");
        let error = write(&path, b"three", Access::Everyone, Existing::Refuse).expect_err("exists");
        assert!(matches!(error, WriteError::Exists { .. }));
        assert_eq!(fs::read(&path).expect("readable"), b"two");
        assert_eq!(names(directory.path()), ["out"]);
    }

    #[test]
    fn a_directory_or_a_missing_folder_is_an_error_that_leaves_nothing() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        write(directory.path(), b"x", Access::Everyone, Existing::Replace).expect_err("a directory");
        check(directory.path()).expect_err("a directory");
        check(&directory.path().join("no/out")).expect_err("no folder");
        check(&directory.path().join("out")).expect("can be written");
        let missing = directory.path().join("no/out");
        let error = write(&missing, b"x", Access::Everyone, Existing::Replace).expect_err("no folder");
        assert!(error.to_string().contains("no/out") || error.to_string().contains("no\\out"), "{error}");
        assert!(names(directory.path()).is_empty());
    }

    #[cfg(unix)]
    #[test]
    fn modes_links_and_pipes_are_respected() {
        use std::os::unix::fs::PermissionsExt;
        let directory = tempfile::tempdir().expect("a temporary directory");
        let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;

        let secret = directory.path().join("secret");
        write(&secret, b"x", Access::Owner, Existing::Refuse).expect("new");
        assert_eq!(mode(&secret), 0o600);

        let real = directory.path().join("real");
        let link = directory.path().join("link");
        fs::write(&real, b"old").expect("written");
        fs::set_permissions(&real, fs::Permissions::from_mode(0o640)).expect("changed");
        std::os::unix::fs::symlink(&real, &link).expect("linked");
        write(&link, b"new", Access::Everyone, Existing::Replace).expect("through the link");
        assert_eq!(fs::read(&real).expect("readable"), b"new");
        assert_eq!(mode(&real), 0o640);
        assert!(fs::symlink_metadata(&link).expect("there").is_symlink());

        write(Path::new("/dev/null"), b"x", Access::Everyone, Existing::Replace).expect("in place");
        assert!(!fs::metadata("/dev/null").expect("there").is_file());
    }
}
