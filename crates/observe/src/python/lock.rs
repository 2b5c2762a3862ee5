//! Lists of packages with hashes: which there is, and which kind it is.

mod pipfile;
mod project;
mod pylock;
mod requirements;

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;

use super::{Lock, Locked, LockedFile, PythonError, name};

const MAX_BYTES: u64 = 16 * 1024 * 1024;
/// The parser of TOML takes up to 80 bytes of memory for each that it reads.
const MAX_TOML_BYTES: usize = 8 * 1024 * 1024;
const NAMES: &str = "`pylock.toml`, `uv.lock`, `poetry.lock`, `pdm.lock`, `Pipfile.lock` or `requirements.txt`";

/// What is wrong with a list.
struct Malformed {
    expected: &'static str,
    found: String,
}

impl Malformed {
    fn new(expected: &'static str, found: impl Into<String>) -> Self {
        Self { expected, found: found.into() }
    }
}

/// The kinds of list, each with a reader of its own.
#[derive(Clone, Copy)]
enum Kind {
    Pylock,
    Uv,
    Poetry,
    Pdm,
    Pipfile,
    Requirements,
}

impl Kind {
    const ALL: [Self; 6] = [Self::Pylock, Self::Uv, Self::Poetry, Self::Pdm, Self::Pipfile, Self::Requirements];

    fn name(self) -> &'static str {
        match self {
            Self::Pylock => "pylock.toml",
            Self::Uv => "uv.lock",
            Self::Poetry => "poetry.lock",
            Self::Pdm => "pdm.lock",
            Self::Pipfile => "Pipfile.lock",
            Self::Requirements => "requirements.txt",
        }
    }

    fn of(path: &Path) -> Option<Self> {
        let file = path.file_name()?.to_str()?;
        let exact = Self::ALL.into_iter().find(|kind| kind.name() == file);
        // PEP 751 has `pylock.NAME.toml`; requirements have any name.
        let pylock = || (file.starts_with("pylock.") && file.ends_with(".toml")).then_some(Self::Pylock);
        let requirements = || file.ends_with(".txt").then_some(Self::Requirements);
        exact.or_else(pylock).or_else(requirements)
    }

    fn packages(self, text: &str) -> Result<Vec<Locked>, Malformed> {
        match self {
            Self::Pylock => pylock::packages(text),
            Self::Uv => project::uv(text),
            Self::Poetry => project::poetry(text),
            Self::Pdm => project::pdm(text),
            Self::Pipfile => pipfile::packages(text),
            Self::Requirements => requirements::packages(text),
        }
    }
}

pub(super) fn find(directory: &Path) -> Option<PathBuf> {
    let mut found = Kind::ALL.into_iter().filter_map(|kind| {
        let path = directory.join(kind.name());
        let counts = match kind {
            Kind::Requirements => bytes(&path).is_ok_and(|bytes| has_hashes(&bytes)),
            Kind::Pylock | Kind::Uv | Kind::Poetry | Kind::Pdm | Kind::Pipfile => path.is_file(),
        };
        counts.then_some(path)
    });
    let first = found.next()?;
    found.next().is_none().then_some(first)
}

pub(super) fn read(path: &Path) -> Result<Lock, PythonError> {
    let bytes = bytes(path)?;
    parse(path, &bytes)
}

pub(super) fn parse(path: &Path, bytes: &[u8]) -> Result<Lock, PythonError> {
    let wrong = |wrong: Malformed| PythonError::Lock {
        path: path.display().to_string(),
        expected: wrong.expected,
        found: wrong.found,
    };
    let kind = Kind::of(path).ok_or_else(|| wrong(Malformed::new(NAMES, "another name")))?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(wrong(Malformed::new("at most 16 MiB", "more")));
    }
    let text = std::str::from_utf8(bytes)
        .map_err(|error| wrong(Malformed::new("UTF-8", format!("another byte after {}", error.valid_up_to()))))?;
    let packages = kind.packages(text.trim_start_matches('\u{feff}')).map_err(wrong)?;
    if packages.iter().all(|package| package.files.is_empty()) {
        return Err(wrong(Malformed::new("packages with SHA-256 hashes", "none")));
    }
    Ok(Lock { kind: kind.name(), packages })
}

fn bytes(path: &Path) -> Result<Vec<u8>, PythonError> {
    let failed = |source| PythonError::Read { path: path.display().to_string(), source };
    // Opening a pipe would wait for somebody to write.
    if !fs::metadata(path).map_err(failed)?.is_file() {
        return Err(failed(io::Error::other("it is not a file")));
    }
    let mut bytes = Vec::new();
    File::open(path).and_then(|file| file.take(MAX_BYTES + 1).read_to_end(&mut bytes)).map_err(failed)?;
    Ok(bytes)
}

fn has_hashes(bytes: &[u8]) -> bool {
    bytes.windows(b"--hash".len()).any(|window| window == b"--hash")
}

fn toml<T: DeserializeOwned>(text: &str, expected: &'static str) -> Result<T, Malformed> {
    if text.len() > MAX_TOML_BYTES {
        return Err(Malformed::new("at most 8 MiB of TOML", "more"));
    }
    toml::from_str(text).map_err(|error| {
        let before = error.span().and_then(|span| text.get(..span.start));
        let place = before.map(|before| format!(" in line {}", before.matches('\n').count() + 1)).unwrap_or_default();
        Malformed::new(expected, format!("an error{place}: {}", error.message()))
    })
}

/// A package of a list. None if it has no version: nothing can be compared with it.
fn locked(
    written: &str,
    version: Option<String>,
    files: impl IntoIterator<Item = Result<Option<LockedFile>, Malformed>>,
) -> Result<Option<Locked>, Malformed> {
    let name = name::normalised(written).ok_or_else(|| Malformed::new("a package's name", quoted(written)))?;
    let files = files.into_iter().filter_map(Result::transpose).collect::<Result<_, _>>()?;
    Ok(version.map(|version| Locked { name, version, files }))
}

/// A file with a hash that is written `sha256:HEX`. None if the hash is of another algorithm.
fn file(name: Option<String>, hash: &str) -> Result<Option<LockedFile>, Malformed> {
    match hash.split_once(':') {
        Some(("sha256", hex)) => Ok(Some(LockedFile { name, sha256: sha256(hex)? })),
        Some(_) => Ok(None),
        None => Err(Malformed::new("a hash as `sha256:HEX`", quoted(hash))),
    }
}

fn sha256(hex: &str) -> Result<String, Malformed> {
    let valid = hex.len() == 64 && hex.bytes().all(|byte| byte.is_ascii_hexdigit());
    valid.then(|| hex.to_ascii_lowercase()).ok_or_else(|| Malformed::new("a SHA-256 of 64 hex digits", quoted(hex)))
}

/// The name of the file that an address or a path leads to.
fn file_name(address: &str) -> Option<String> {
    let path = address.split(['#', '?']).next().unwrap_or(address);
    let name = path.rsplit(['/', '\\']).next().filter(|name| !name.is_empty())?;
    // Addresses write `+` so, which is what local versions have.
    Some(name.replace("%2B", "+").replace("%2b", "+"))
}

fn quoted(text: &str) -> String {
    const MAX_CHARS: usize = 80;
    let start: String = text.chars().take(MAX_CHARS).collect();
    let rest = if start.len() < text.len() { "…" } else { "" };
    format!("`{start}{rest}`")
}

#[cfg(test)]
mod tests;
