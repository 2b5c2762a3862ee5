//! How a working tree differs from its commit.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Component, Path, PathBuf};

use sha2::{Digest, Sha256};

use super::GitError;
use super::command::{self, Git};

/// The largest file that is read if Git does not know it.
const MAX_FILE_BYTES: u64 = 64 * 1024 * 1024;
/// How much of such files is read altogether.
const MAX_TOTAL_BYTES: u64 = 1024 * 1024 * 1024;
const MAX_LIST_BYTES: u64 = 64 * 1024 * 1024;
/// How many names a sentence gives.
const MAX_NAMES: usize = 10;

/// How a working tree differs from its commit.
///
/// The digest is that of what these lines write, run at the top of the working tree with the same version of Git:
///
/// ```sh
/// git -c core.quotePath=true diff --binary --full-index --no-renames --no-color --no-ext-diff --no-textconv --no-relative -U3 --inter-hunk-context=0 --diff-algorithm=myers --no-indent-heuristic --src-prefix=a/ --dst-prefix=b/ --submodule=short --ignore-submodules=none -O/dev/null HEAD
/// git ls-files --others --exclude-standard -z | LC_ALL=C sort -z | xargs -0 -r sha256sum -z --
/// ```
///
/// The first is a patch of what Git tracks. The second is, of each file that it neither tracks nor ignores, the digest of
/// its content, two spaces, its path from the top and a NUL. What is not read has a line with another word in place of
/// the digest: `link:` and the digest of where a symbolic link leads, `size:` and the length of a file above 64 MiB, or
/// of one that comes after 1 GiB of others, `repository` for a repository in the repository, `unread` for what can't be
/// read as a file. What the caller excludes has no line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changes {
    /// How many files: changed, removed, or there and not in Git (ignored ones do not count).
    pub files: usize,
    /// SHA-256, in hex, of the patch that leads from the commit to what is there.
    pub patch_sha256: String,
}

const DIFF: [&str; 18] = [
    "diff",
    "--full-index",
    "--no-renames",
    "--no-color",
    "--no-ext-diff",
    "--no-textconv",
    "--no-relative",
    "-U3",
    "--inter-hunk-context=0",
    "--diff-algorithm=myers",
    "--no-indent-heuristic",
    "--src-prefix=a/",
    "--dst-prefix=b/",
    "--submodule=short",
    "--ignore-submodules=none",
    "-O/dev/null",
    "HEAD",
    "--binary",
];

/// Compares the working tree at `root` with its commit; `directory` is where relative paths of `excluded` start.
pub(super) fn changes(
    git: &Git<'_>,
    root: &Path,
    directory: &Path,
    excluded: &[PathBuf],
) -> Result<(Option<Changes>, Vec<String>), GitError> {
    let mut gaps = Vec::new();
    let tracked = tracked(git, &mut gaps)?;
    unlooked(git, root, &mut gaps)?;
    let untracked = untracked(git, root, directory, excluded)?;
    if tracked == 0 && untracked.is_empty() {
        return Ok((None, gaps));
    }
    let mut digest = Sha256::new();
    git.stream(&DIFF, |piece| digest.update(piece))?;
    let mut budget = MAX_TOTAL_BYTES;
    let mut unread = Vec::new();
    for name in &untracked {
        let content = content(root, name, &mut budget);
        if content.is_gap() {
            unread.push(String::from_utf8_lossy(name).into_owned());
        }
        digest.update(content.word().as_bytes());
        digest.update(b"  ");
        digest.update(name);
        digest.update(b"\0");
    }
    name_all(&mut gaps, "files that are not in Git were not read, only named", &unread);
    let patch_sha256 = base16ct::lower::encode_string(&digest.finalize());
    Ok((Some(Changes { files: tracked + untracked.len(), patch_sha256 }), gaps))
}

/// How many tracked files differ. Names submodules whose own changes the patch does not have.
fn tracked(git: &Git<'_>, gaps: &mut Vec<String>) -> Result<usize, GitError> {
    let mut arguments = DIFF;
    arguments[DIFF.len() - 1] = "--raw";
    let with_nul: Vec<&str> = arguments.iter().copied().chain(["-z"]).collect();
    let parts = git.list(&with_nul, MAX_LIST_BYTES)?;
    let raw = parts.iter().filter(|part| part.starts_with(b":"));
    let submodules = raw.clone().any(|part| part.windows(6).any(|mode| mode == b"160000"));
    // A name may begin with `:`; each difference has one part for its modes and one for its name.
    let count = parts.len() / 2;
    if submodules {
        let status =
            ["status", "--porcelain=v2", "-z", "--untracked-files=no", "--ignore-submodules=none", "--no-renames"];
        let dirty: Vec<String> =
            git.list(&status, MAX_LIST_BYTES)?.iter().filter_map(|entry| dirty_submodule(entry)).collect();
        name_all(gaps, "submodules have changes of their own, which the digest does not cover", &dirty);
    }
    Ok(count)
}

/// The name in an entry `1 XY S<c><m><u> mH mI mW hH hI path`, if it is a submodule that differs from its own commit.
fn dirty_submodule(entry: &[u8]) -> Option<String> {
    let mut parts = entry.splitn(9, |&byte| byte == b' ');
    let (kind, state) = (parts.next()?, parts.nth(1)?);
    let dirty = kind == b"1" && state.first() == Some(&b'S') && (state.contains(&b'M') || state.contains(&b'U'));
    dirty.then(|| parts.nth(5).map(|path| String::from_utf8_lossy(path).into_owned()))?
}

/// Names tracked files that the index tells Git not to compare, and that are there.
fn unlooked(git: &Git<'_>, root: &Path, gaps: &mut Vec<String>) -> Result<(), GitError> {
    let listed = git.list(&["ls-files", "-v", "-z"], MAX_LIST_BYTES)?;
    let marked = listed.iter().filter_map(|entry| {
        let (&tag, name) = (entry.first()?, entry.get(2..)?);
        let skipped = tag == b'S' && root.join(command::path(name)).symlink_metadata().is_ok();
        (tag.is_ascii_lowercase() || skipped).then(|| String::from_utf8_lossy(name).into_owned())
    });
    name_all(gaps, "files are marked as unchanged in the index, and were not compared", &marked.collect::<Vec<_>>());
    Ok(())
}

/// The files that Git neither tracks nor ignores, without the excluded ones, in the order of their bytes.
fn untracked(git: &Git<'_>, root: &Path, directory: &Path, excluded: &[PathBuf]) -> Result<Vec<Vec<u8>>, GitError> {
    let specs: Vec<String> = excluded.iter().filter_map(|path| exclusion(root, &directory.join(path))).collect();
    let mut arguments = vec!["ls-files", "--others", "--exclude-standard", "-z"];
    if !specs.is_empty() {
        arguments.extend(["--", ":(top)"]);
        arguments.extend(specs.iter().map(String::as_str));
    }
    let mut names = git.list(&arguments, MAX_LIST_BYTES)?;
    names.sort_unstable();
    Ok(names)
}

/// The way to tell Git to pass over a path; none if it is outside of the tree, or the whole of it.
fn exclusion(root: &Path, path: &Path) -> Option<String> {
    let below = resolved(path).strip_prefix(resolved(root)).ok()?.to_owned();
    let parts: Option<Vec<&str>> = below.components().map(|part| part.as_os_str().to_str()).collect();
    let parts = parts.filter(|parts| !parts.is_empty())?;
    Some(format!(":(top,exclude,literal){}", parts.join("/")))
}

/// A path without links above its last part, whether it is there or not.
fn resolved(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                plain = plain.canonicalize().unwrap_or(plain);
                plain.pop();
            }
            part => plain.push(part),
        }
    }
    // Git knows a symbolic link by its own name, and nothing behind it.
    match (plain.parent(), plain.file_name()) {
        (Some(parent), Some(name)) => existing(parent).join(name),
        _ => plain,
    }
}

/// Resolves the links of as much of a path as is there.
fn existing(path: &Path) -> PathBuf {
    path.ancestors()
        .find_map(|there| {
            let rest = path.strip_prefix(there).ok()?;
            let there = there.canonicalize().ok()?;
            Some(if rest.as_os_str().is_empty() { there } else { there.join(rest) })
        })
        .unwrap_or_else(|| path.to_owned())
}

/// What stands for a file's content.
enum Content {
    Read(String),
    Link(String),
    Size(u64),
    Repository,
    Unread,
}

impl Content {
    fn word(&self) -> String {
        match self {
            Self::Read(digest) => digest.clone(),
            Self::Link(digest) => format!("link:{digest}"),
            Self::Size(bytes) => format!("size:{bytes}"),
            Self::Repository => "repository".to_owned(),
            Self::Unread => "unread".to_owned(),
        }
    }

    fn is_gap(&self) -> bool {
        matches!(self, Self::Size(_) | Self::Repository | Self::Unread)
    }
}

fn content(root: &Path, name: &[u8], budget: &mut u64) -> Content {
    if name.ends_with(b"/") {
        return Content::Repository;
    }
    let path = root.join(command::path(name));
    let Ok(metadata) = path.symlink_metadata() else { return Content::Unread };
    if metadata.is_symlink() {
        return fs::read_link(&path).map_or(Content::Unread, |target| {
            Content::Link(base16ct::lower::encode_string(&Sha256::digest(target.as_os_str().as_encoded_bytes())))
        });
    }
    if !metadata.is_file() {
        return Content::Unread;
    }
    if metadata.len() > MAX_FILE_BYTES.min(*budget) {
        return Content::Size(metadata.len());
    }
    match read(&path, metadata.len()) {
        Some(digest) => {
            *budget -= metadata.len();
            Content::Read(digest)
        }
        None => Content::Unread,
    }
}

/// The digest of a file that has `length` bytes, and no more.
fn read(path: &Path, length: u64) -> Option<String> {
    let mut file = File::open(path).ok()?.take(length.saturating_add(1));
    let mut digest = Sha256::new();
    let mut buffer = vec![0; 64 * 1024];
    let mut left = length;
    loop {
        let read = file.read(&mut buffer).ok()?;
        if read == 0 {
            break;
        }
        left = left.checked_sub(read as u64)?;
        digest.update(&buffer[..read]);
    }
    (left == 0).then(|| base16ct::lower::encode_string(&digest.finalize()))
}

/// Adds a sentence that names some of `names`, if there are any.
fn name_all(gaps: &mut Vec<String>, what: &str, names: &[String]) {
    if names.is_empty() {
        return;
    }
    let shown: Vec<String> = names.iter().take(MAX_NAMES).map(|name| format!("`{name}`")).collect();
    let more = names.len().saturating_sub(MAX_NAMES);
    let more = if more == 0 { String::new() } else { format!(" and {more} more") };
    gaps.push(format!("{what}: {}{more}", shown.join(", ")));
}
