//! Enumerating a directory tree (OMS §6.1).

use std::collections::HashSet;
use std::io;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex, PoisonError};

use cap_std::fs::{Dir, FileType};
use model_hash::on_workers;

use super::ModelFile;
use super::ignore::IgnoreRules;
use super::local::{LocalFile, ModelError, Stamp, resolve_link};
use super::path::{ModelPath, ancestors, display_os_name};

/// What to do with symbolic links (OMS §6.1.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SymlinkPolicy {
    /// Any symbolic link is a problem.
    #[default]
    Deny,
    /// Links to files are followed, out of the model too. Links to directories are not descended.
    Allow,
}

/// How a tree is enumerated.
#[derive(Clone, Copy, Debug)]
pub struct WalkRules<'a> {
    /// What to do with symbolic links.
    pub symlinks: SymlinkPolicy,
    /// What is outside the signing scope.
    pub ignore: &'a IgnoreRules,
    /// Paths that are wanted even where `ignore` covers them: those that a manifest lists.
    pub listed: &'a HashSet<&'a str>,
    /// What to do with problems at paths that are not listed.
    pub unlisted: Unlisted,
    /// The most threads to enumerate with.
    pub jobs: NonZeroUsize,
}

impl WalkRules<'_> {
    /// The same with at most so many threads.
    #[must_use]
    pub fn with_jobs(self, jobs: NonZeroUsize) -> Self {
        Self { jobs, ..self }
    }
}

/// What to do with entries that are neither files nor directories and that no manifest lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unlisted {
    /// They are problems.
    Report,
    /// They are left out, as unsigned files are (OMS §8.5).
    Tolerate,
}

/// Something in a model's tree that a user should hear of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// The entry can't be part of a model, and the model is refused.
    Problem {
        /// Where, from the model root; not canonical where the name is not UTF-8.
        path: String,
        /// What.
        problem: Problem,
    },
    /// A link to a file outside the model was followed, as the policy allows.
    FollowedOutside {
        /// The link, from the model root.
        path: String,
        /// What it resolves to.
        target: PathBuf,
    },
    /// A link to a directory that is in scope elsewhere in the model was not descended.
    DirectoryLinkSkipped {
        /// The link, from the model root.
        path: String,
    },
}

/// Why an entry can't be part of a model.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// A symbolic link, where the policy is [`SymlinkPolicy::Deny`].
    #[error("is a symbolic link")]
    Symlink,
    /// A symbolic link to nothing.
    #[error("is a symbolic link to `{target}`, which does not exist")]
    DanglingSymlink {
        /// The link's text.
        target: String,
    },
    /// A symbolic link that leads back to itself.
    #[error("is a symbolic link that leads back to itself")]
    SymlinkLoop,
    /// A link to a directory outside the model, whose files no signature would cover.
    #[error("is a symbolic link to `{target}`, a directory outside the model")]
    DirectoryOutside {
        /// What it resolves to.
        target: String,
    },
    /// A link to a directory of the model that is ignored, whose files no signature would cover.
    #[error("is a symbolic link to `{target}`, a directory that is ignored")]
    DirectoryIgnored {
        /// What it resolves to, from the model root.
        target: String,
    },
    /// A FIFO, socket, device or the like.
    #[error("is a {kind}, expected a file or a directory")]
    Special {
        /// What it is.
        kind: &'static str,
    },
    /// A name that is not UTF-8 (OMS §6.1.2(7)).
    #[error("has a name that is not UTF-8")]
    NotUtf8,
}

/// What a walk found, sorted by path.
pub(super) struct Walked {
    pub(super) files: Vec<ModelFile>,
    pub(super) locals: Vec<LocalFile>,
    pub(super) findings: Vec<Finding>,
}

/// Walks the tree below `root`, whose canonical location is `location`.
pub(super) fn walk(root: &Dir, location: &Path, rules: &WalkRules<'_>) -> Result<Walked, ModelError> {
    let wanted_below =
        rules.listed.iter().filter(|path| rules.ignore.covers(path)).flat_map(|path| ancestors(path)).collect();
    let mut walker =
        Walker { root, location, rules, wanted_below: &wanted_below, found: Vec::new(), findings: Vec::new() };
    let mut pending = vec![String::new()];
    while let Some(directory) = pending.pop() {
        walker.directory(&directory, &mut pending)?;
        if walker.found.len() >= MANY_FILES && pending.len() > 1 && rules.jobs > NonZeroUsize::MIN {
            walker.together(std::mem::take(&mut pending))?;
        }
    }
    let Walker { mut found, mut findings, .. } = walker;
    found.sort_unstable_by(|a, b| a.0.path.cmp(&b.0.path));
    findings.sort_by(|a, b| a.path().cmp(b.path()));
    let (files, locals) = found.into_iter().unzip();
    Ok(Walked { files, locals, findings })
}

/// Files from which on other threads are worth their start.
const MANY_FILES: usize = 1_000;
/// Threads beyond which they wait for each other in the kernel.
const MOST_THREADS: usize = 16;

/// Directories that several threads enumerate.
struct Queue {
    pending: Vec<String>,
    /// Threads that may find more.
    busy: usize,
    /// The first error, after which nothing more is begun.
    failed: Option<ModelError>,
    /// A thread did not come to its end, and nobody waits for what it would find.
    panicked: bool,
}

/// Has nobody wait for a thread that panics.
struct Panicking<'a>(&'a Mutex<Queue>, &'a Condvar);

impl Drop for Panicking<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).panicked = true;
            self.1.notify_all();
        }
    }
}

impl Finding {
    fn path(&self) -> &str {
        match self {
            Self::Problem { path, .. } | Self::FollowedOutside { path, .. } | Self::DirectoryLinkSkipped { path } => {
                path
            }
        }
    }
}

struct Walker<'a> {
    root: &'a Dir,
    location: &'a Path,
    rules: &'a WalkRules<'a>,
    /// Ignored directories that are entered all the same, because a listed file is below them.
    wanted_below: &'a HashSet<&'a str>,
    found: Vec<(ModelFile, LocalFile)>,
    findings: Vec<Finding>,
}

impl Walker<'_> {
    /// Enumerates these directories, and what is below them, with the other threads.
    fn together(&mut self, pending: Vec<String>) -> Result<(), ModelError> {
        let queue = Mutex::new(Queue { pending, busy: 0, failed: None, panicked: false });
        let changed = Condvar::new();
        let outcomes = on_workers(self.rules.jobs.get().min(MOST_THREADS), || {
            let mut walker = Walker { found: Vec::new(), findings: Vec::new(), ..*self };
            walker.work(&queue, &changed);
            (walker.found, walker.findings)
        });
        for (found, findings) in outcomes {
            self.found.extend(found);
            self.findings.extend(findings);
        }
        queue.into_inner().unwrap_or_else(PoisonError::into_inner).failed.map_or(Ok(()), Err)
    }

    /// Enumerates directories of the queue until nobody can find another.
    fn work(&mut self, queue: &Mutex<Queue>, changed: &Condvar) {
        let _panicking = Panicking(queue, changed);
        let lock = || queue.lock().unwrap_or_else(PoisonError::into_inner);
        let mut state = lock();
        loop {
            if state.failed.is_some() || state.panicked {
                return;
            }
            let Some(directory) = state.pending.pop() else {
                if state.busy == 0 {
                    return;
                }
                state = changed.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            state.busy += 1;
            drop(state);
            let mut below = Vec::new();
            let outcome = self.directory(&directory, &mut below);
            state = lock();
            state.busy -= 1;
            state.pending.append(&mut below);
            if let Err(error) = outcome {
                state.failed.get_or_insert(error);
            }
            changed.notify_all();
        }
    }

    fn directory(&mut self, directory: &str, pending: &mut Vec<String>) -> Result<(), ModelError> {
        let unreadable = |source| ModelError::Unreadable { path: self.location.join(directory), source };
        let entries = if directory.is_empty() { self.root.entries() } else { self.root.read_dir(directory) };
        for entry in entries.map_err(unreadable)? {
            let entry = entry.map_err(unreadable)?;
            let name = entry.file_name();
            let Some(name) = name.to_str() else {
                let shown = ModelPath::join(directory, &display_os_name(&name));
                if !self.rules.ignore.covers(directory) {
                    self.problem(shown, Problem::NotUtf8);
                }
                continue;
            };
            let path = ModelPath::join(directory, name);
            if self.rules.ignore.covers(&path) && !self.rules.listed.contains(path.as_str()) {
                if self.wanted_below.contains(path.as_str()) && entry.file_type().map_err(unreadable)?.is_dir() {
                    pending.push(path);
                }
                continue;
            }
            let kind = entry.file_type().map_err(unreadable)?;
            if kind.is_dir() {
                pending.push(path);
            } else if kind.is_file() {
                let metadata = entry
                    .metadata()
                    .map_err(|source| ModelError::Unreadable { path: self.location.join(&path), source })?;
                self.found.push((
                    ModelFile { path: ModelPath::from_entries(path), length_bytes: metadata.len() },
                    LocalFile { stamp: Stamp::of(&metadata), link_target: None },
                ));
            } else if kind.is_symlink() {
                self.symlink(path)?;
            } else {
                self.problem(path, Problem::Special { kind: special_kind(kind) });
            }
        }
        Ok(())
    }

    fn symlink(&mut self, path: String) -> Result<(), ModelError> {
        if self.rules.symlinks == SymlinkPolicy::Deny {
            self.problem(path, Problem::Symlink);
            return Ok(());
        }
        let link = self.location.join(&path);
        let (target, metadata) = match resolve_link(&link) {
            Ok(resolved) => resolved,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let target = self.root.read_link_contents(&path).unwrap_or_default();
                self.problem(path, Problem::DanglingSymlink { target: display_os_name(target.as_os_str()) });
                return Ok(());
            }
            Err(error) if is_symlink_loop(&error) => {
                self.problem(path, Problem::SymlinkLoop);
                return Ok(());
            }
            Err(source) => return Err(ModelError::Unreadable { path: link, source }),
        };
        let inside = target.strip_prefix(self.location).ok().map(path_text);
        if metadata.is_dir() {
            match inside {
                None => self.problem(path, Problem::DirectoryOutside { target: display_os_name(target.as_os_str()) }),
                Some(Some(inside)) if self.rules.ignore.covers(&inside) => {
                    self.problem(path, Problem::DirectoryIgnored { target: inside });
                }
                Some(_) => self.findings.push(Finding::DirectoryLinkSkipped { path }),
            }
        } else if metadata.is_file() {
            if inside.is_none() {
                self.findings.push(Finding::FollowedOutside { path: path.clone(), target: target.clone() });
            }
            self.found.push((
                ModelFile { path: ModelPath::from_entries(path), length_bytes: metadata.len() },
                LocalFile { stamp: Stamp::of(&metadata), link_target: Some(target) },
            ));
        } else {
            self.problem(path, Problem::Special { kind: special_kind(metadata.file_type()) });
        }
        Ok(())
    }

    fn problem(&mut self, path: String, problem: Problem) {
        if self.rules.unlisted == Unlisted::Report || self.rules.listed.contains(path.as_str()) {
            self.findings.push(Finding::Problem { path, problem });
        }
    }
}

/// The path as canonical text, if it is UTF-8.
fn path_text(path: &Path) -> Option<String> {
    let components: Option<Vec<&str>> = path.components().map(|component| component.as_os_str().to_str()).collect();
    components.map(|components| components.join("/"))
}

/// What `kind`, which is neither file, directory nor link, is called.
#[cfg(unix)]
pub(super) fn special_kind(kind: FileType) -> &'static str {
    use cap_std::fs::FileTypeExt;
    if kind.is_fifo() {
        "FIFO"
    } else if kind.is_socket() {
        "socket"
    } else if kind.is_block_device() {
        "block device"
    } else if kind.is_char_device() {
        "character device"
    } else {
        "special file"
    }
}

/// What `kind`, which is neither file, directory nor link, is called.
#[cfg(not(unix))]
pub(super) fn special_kind(_: FileType) -> &'static str {
    "special file"
}

fn is_symlink_loop(error: &io::Error) -> bool {
    // `io::ErrorKind::FilesystemLoop` is not stable. ELOOP is 40 on Linux, 62 on macOS and the BSDs;
    // ERROR_CANT_RESOLVE_FILENAME is 1921 on Windows.
    let code = if cfg!(windows) {
        1921
    } else if cfg!(target_os = "linux") {
        40
    } else {
        62
    };
    error.raw_os_error() == Some(code)
}
