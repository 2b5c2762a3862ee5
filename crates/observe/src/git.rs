//! The state of a Git repository.

mod changes;
mod command;

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

pub use self::changes::Changes;
use self::command::Git;

/// The source that a command runs in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The top of the working tree.
    pub root: PathBuf,
    /// The commit that is checked out, in hex.
    pub commit: String,
    /// What is checked out, in full (`refs/heads/main`). None if `HEAD` is detached.
    pub reference: Option<String>,
    /// The address that the branch, or else `origin`, is fetched from, as the configuration has it: it may hold a password.
    pub remote: Option<String>,
    /// How the working tree differs from the commit. None if it does not.
    pub changes: Option<Changes>,
    /// What of the working tree is not known, a sentence each: files too large to be read, changes inside submodules,
    /// files that the index tells Git not to look at.
    pub gaps: Vec<String>,
}

/// Why the state of a repository is not known.
#[derive(Debug, thiserror::Error)]
pub enum GitError {
    /// `git` said no.
    #[error("git: {message}")]
    Git {
        /// What it said.
        message: String,
    },
    /// There is a repository, and no `git` to ask.
    #[error("`{root}` is a Git repository, and `git` cannot be started: {source}")]
    Missing {
        /// The top of the working tree.
        root: String,
        /// Why it cannot be started.
        source: std::io::Error,
    },
    /// The repository belongs to somebody else, whose configuration `git` does not follow.
    #[error(
        "the Git repository `{root}` belongs to another user: `git config --global --add safe.directory '{root}'` trusts it"
    )]
    Ownership {
        /// The top of the working tree.
        root: String,
    },
    /// Nothing has been committed.
    #[error("the Git repository `{root}` has no commit yet")]
    NoCommit {
        /// The top of the working tree.
        root: String,
    },
    /// Nothing is checked out there.
    #[error("`{directory}` is inside a Git repository's own folder, or in one without a working tree")]
    NoWorkingTree {
        /// The directory.
        directory: String,
    },
}

/// Looks at the repository that `directory` is in. None if it is in none.
///
/// `GIT_DIR` and the like are not followed: it is about the directory. Nothing is written, no hook, file system monitor,
/// pager or external diff runs, and nothing is fetched. Filters that the configuration names (`git lfs`) do run: without
/// them every file that they touch would seem changed.
///
/// What is in `excluded`, files or folders, is passed over where Git does not know it: the outputs of earlier runs, datasets.
/// A file that Git tracks is compared wherever it is. A folder that the whole working tree is in excludes nothing.
///
/// # Errors
/// The repository is there and its state is not known.
pub fn source(directory: &Path, excluded: &[PathBuf]) -> Result<Option<Source>, GitError> {
    let Some(root) = root(directory)? else { return Ok(None) };
    let git = Git::new(&root);
    let Some(commit) = git.line(&["rev-parse", "--verify", "--quiet", "HEAD^{commit}"])? else {
        return Err(GitError::NoCommit { root: root.display().to_string() });
    };
    let reference = git.line(&["symbolic-ref", "--quiet", "HEAD"])?;
    let remote = remote(&git, reference.as_deref())?;
    let (changes, gaps) = changes::changes(&git, &root, directory, excluded)?;
    Ok(Some(Source { root, commit, reference, remote, changes, gaps }))
}

/// Every file that `root`, the top of a working tree, has in Git, or that is new there and not ignored: what
/// [`Source::commit`] and [`Source::changes`] are about.
///
/// # Errors
/// `git` does not say, or there are more than 64 MiB of names.
pub fn files(root: &Path) -> Result<std::collections::BTreeSet<PathBuf>, GitError> {
    const NAMES_BYTES: u64 = 64 << 20;
    let arguments = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"];
    let answer = Git::new(root).answer(&arguments, NAMES_BYTES)?;
    if !answer.success {
        return Err(GitError::Git { message: answer.complaint });
    }
    let names = answer.stdout.split(|byte| *byte == 0).filter(|name| !name.is_empty());
    Ok(names.map(|name| root.join(command::path(name))).collect())
}

fn root(directory: &Path) -> Result<Option<PathBuf>, GitError> {
    let answer = match Git::new(directory).answer(&["rev-parse", "--show-toplevel"], command::LINE_BYTES) {
        Ok(answer) => answer,
        Err(command::Unanswered::Start(source)) if source.kind() == ErrorKind::NotFound && directory.is_dir() => {
            return match marked(directory) {
                Some(root) => Err(GitError::Missing { root: root.display().to_string(), source }),
                None => Ok(None),
            };
        }
        Err(error) => return Err(error.into()),
    };
    if answer.success {
        return Ok(Some(command::path(command::trimmed(&answer.stdout))));
    }
    let said = answer.complaint;
    if said.contains("dubious ownership") || said.contains("unsafe repository") {
        let root = said.split('\'').nth(1).map_or_else(|| directory.display().to_string(), str::to_owned);
        return Err(GitError::Ownership { root });
    }
    if said.contains("must be run in a work tree") {
        return Err(GitError::NoWorkingTree { directory: directory.display().to_string() });
    }
    // A `.git` that leads nowhere is a repository that is broken. One on another file system Git does not look for.
    let nowhere = said.contains("not a git repository (or any parent up to mount point");
    if said.contains("not a git repository") && (nowhere || marked(directory).is_none()) {
        return Ok(None);
    }
    Err(GitError::Git { message: said })
}

/// The closest folder above that has a `.git`.
fn marked(directory: &Path) -> Option<PathBuf> {
    let directory = directory.canonicalize().ok()?;
    directory.ancestors().find(|folder| folder.join(".git").exists()).map(Path::to_owned)
}

fn remote(git: &Git<'_>, reference: Option<&str>) -> Result<Option<String>, GitError> {
    let branch = reference.and_then(|reference| reference.strip_prefix("refs/heads/"));
    let tracked = match branch {
        Some(branch) => git.line(&["config", "--get", &format!("branch.{branch}.remote")])?,
        None => None,
    };
    // `.` is this repository itself.
    let tracked = tracked.filter(|name| name != ".");
    let url = |name: &str| git.line(&["config", "--get", &format!("remote.{name}.url")]);
    match tracked {
        Some(name) => match url(&name)? {
            Some(url) => Ok(Some(url)),
            // A branch may name an address in place of a remote.
            None if name.contains(['/', ':']) => Ok(Some(name)),
            None => url("origin"),
        },
        None => url("origin"),
    }
}

#[cfg(test)]
mod tests;
