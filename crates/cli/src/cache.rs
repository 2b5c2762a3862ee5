//! What TUF repositories published, in the cache of the user: one document for each repository.
//!
//! A document is proven again whenever it is read, so whoever writes to the cache can take a copy away, or put an older
//! one in its place that the repository has published, and no more.

use std::env;
use std::fs::create_dir_all;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use model_transparency::output::{Access, Existing, write};
use model_transparency::sigstore::MAX_TRUST_CONFIG_BYTES;
use model_transparency_remote::tuf::{Publication, TufRepository};

use crate::failure::Failure;
use crate::inputs::read_limited;
use crate::output::Console;

const WHAT: &str = "the copy of what the TUF repository published,";
const FILE: &str = "published.json";

/// Where the copy of a repository is kept.
pub(crate) fn place(repository: &TufRepository) -> Result<PathBuf, Failure> {
    path(repository).ok_or_else(|| {
        Failure::could_not_check(
            "no_cache",
            "there is no place for a copy: expected a folder in XDG_CACHE_HOME or HOME",
        )
    })
}

fn path(repository: &TufRepository) -> Option<PathBuf> {
    let folder = folder(|variable| env::var_os(variable).map(PathBuf::from))?;
    Some(folder.join("model-signing").join("trust").join(repository.folder_name()).join(FILE))
}

/// The copy of a repository, proven; none if there is none.
pub(crate) fn read(repository: &TufRepository) -> Result<Option<Publication>, Failure> {
    match path(repository) {
        Some(path) if is_there(&path) => publication(WHAT, &path, repository).map(Some),
        _ => Ok(None),
    }
}

/// The copy that is about to be replaced. It bounds what is new; one that can't be believed bounds nothing.
pub(crate) fn read_for_replacement(repository: &TufRepository, console: &Console) -> Option<Publication> {
    read(repository).unwrap_or_else(|failure| {
        console.warn(&format!("{}; it is replaced", failure.message));
        None
    })
}

/// Reads what `repository` published from a file.
pub(crate) fn publication(what: &str, path: &Path, repository: &TufRepository) -> Result<Publication, Failure> {
    let json = read_limited(what, path, MAX_TRUST_CONFIG_BYTES as u64 + 1)?;
    Publication::from_json(&json, repository)
        .map_err(|error| Failure::rejected("invalid_publication", format!("{what} `{}`: {error}", path.display())))
}

/// Keeps a copy at its [`place`], instead of an older one.
pub(crate) fn keep(path: &Path, publication: &Publication) -> Result<(), Failure> {
    let folder = path.parent().unwrap_or(Path::new("."));
    create_dir_all(folder).map_err(|error| {
        Failure::could_not_check("unwritable", format!("the folder `{}` cannot be made: {error}", folder.display()))
    })?;
    Ok(write(path, &publication.to_json(), Access::Everyone, Existing::Replace)?)
}

/// Whether there is something; what can't be seen is read, and its error told.
fn is_there(path: &Path) -> bool {
    !matches!(path.symlink_metadata(), Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory))
}

/// The user's cache. As the XDG base directory specification has it, a path that is not absolute counts for nothing.
fn folder(variable: impl Fn(&str) -> Option<PathBuf>) -> Option<PathBuf> {
    let absolute = |name| variable(name).filter(|path| path.is_absolute());
    absolute("XDG_CACHE_HOME").or_else(|| {
        if cfg!(windows) { absolute("LOCALAPPDATA") } else { absolute("HOME").map(|home| home.join(".cache")) }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn the_cache_is_where_the_environment_says() {
        let of = |variables: &[(&str, &str)]| {
            folder(|name| variables.iter().find(|(found, _)| *found == name).map(|(_, value)| PathBuf::from(value)))
        };
        assert_eq!(of(&[("XDG_CACHE_HOME", "/c"), ("HOME", "/h")]), Some("/c".into()));
        assert_eq!(of(&[("XDG_CACHE_HOME", "c"), ("HOME", "/h")]), Some("/h/.cache".into()));
        assert_eq!(of(&[("XDG_CACHE_HOME", ""), ("HOME", "/h")]), Some("/h/.cache".into()));
        assert_eq!(of(&[("HOME", "h")]), None);
        assert_eq!(of(&[]), None);
    }
}
