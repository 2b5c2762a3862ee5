//! Finding programs as the system does, and what the first lines of a script name.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

const START_BYTES: u64 = 4096;

/// The directory and the `PATH` that a command starts with.
#[derive(Clone, Debug)]
pub(super) struct Start {
    pub(super) directory: PathBuf,
    pub(super) path: Option<OsString>,
}

impl Start {
    /// Finds a program by its name or path. Links are not resolved.
    pub(super) fn find(&self, program: &OsStr) -> Option<PathBuf> {
        if program.is_empty() {
            return None;
        }
        let named = Path::new(program);
        if named.components().count() > 1 || named.is_absolute() {
            return executable(self.directory.join(named));
        }
        let path = self.path.as_ref()?;
        std::env::split_paths(path).find_map(|folder| executable(self.directory.join(folder).join(named)))
    }
}

#[cfg(unix)]
fn executable(path: PathBuf) -> Option<PathBuf> {
    use std::os::unix::fs::PermissionsExt as _;
    let metadata = std::fs::metadata(&path).ok()?;
    (metadata.is_file() && metadata.permissions().mode() & 0o111 != 0).then_some(path)
}

#[cfg(not(unix))]
fn executable(path: PathBuf) -> Option<PathBuf> {
    let mut with_suffix = path.clone().into_os_string();
    with_suffix.push(".exe");
    [PathBuf::from(with_suffix), path].into_iter().find(|path| path.is_file())
}

/// Whether a program's name is one that Python's interpreters have: `python`, `python3.11`, `pypy3`.
pub(super) fn is_python(program: &OsStr) -> bool {
    let Some(name) = Path::new(program).file_name().and_then(OsStr::to_str) else { return false };
    let name = name.strip_suffix(".exe").unwrap_or(name);
    let version = ["python", "pypy"].iter().find_map(|start| name.strip_prefix(start));
    // `python3.13t` has no global lock, `python3-dbg` is Debian's debug build.
    version.is_some_and(|version| {
        let version = version.trim_end_matches("-dbg").trim_end_matches(['t', 'd', 'w']);
        version.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
    })
}

/// The words of a script's first line after `#!`: what the system runs, and what it hands on.
pub(super) fn shebang(script: &Path) -> Option<Vec<OsString>> {
    let mut start = Vec::new();
    File::open(script).ok()?.take(START_BYTES).read_to_end(&mut start).ok()?;
    let mut lines = start.split(|&byte| byte == b'\n');
    let first = words(lines.next()?.strip_prefix(b"#!")?);
    let is_shell = first.first().is_some_and(|program| program == "/bin/sh");
    // Where the path of the interpreter is too long for the first line, installers have the shell run it: the second line
    // is `'''exec' PATH "$0" "$@"`, to Python the start of a string.
    match lines.next().and_then(|second| second.strip_prefix(b"'''exec' ")) {
        Some(second) if is_shell => unquoted(second).map(|program| vec![program]),
        _ => Some(first),
    }
}

fn words(line: &[u8]) -> Vec<OsString> {
    let words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    words.map(text).collect()
}

/// The first word, which may be in quotes.
fn unquoted(line: &[u8]) -> Option<OsString> {
    let quote = line.first().copied().filter(|byte| matches!(byte, b'"' | b'\''));
    let (rest, end) = match quote {
        Some(quote) => (&line[1..], quote),
        None => (line, b' '),
    };
    let end = rest.iter().position(|&byte| byte == end)?;
    Some(text(&rest[..end]))
}

#[cfg(unix)]
fn text(bytes: &[u8]) -> OsString {
    use std::os::unix::ffi::OsStrExt as _;
    OsStr::from_bytes(bytes).to_owned()
}

#[cfg(not(unix))]
fn text(bytes: &[u8]) -> OsString {
    String::from_utf8_lossy(bytes).into_owned().into()
}
