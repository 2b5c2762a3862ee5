//! Running `git` so that it only looks.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::GitError;
use crate::process::{AskError, Bounds, ask, ask_whole};

/// How long an answer of one line may be.
pub(super) const LINE_BYTES: u64 = 64 * 1024;
const TIME: Duration = Duration::from_secs(600);

/// What would lead `git` to another repository, to another form of its answers, or to another program.
const UNSET: [&str; 17] = [
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_DIFF_OPTS",
    "GIT_DIR",
    "GIT_EXTERNAL_DIFF",
    "GIT_GLOB_PATHSPECS",
    "GIT_GRAFT_FILE",
    "GIT_ICASE_PATHSPECS",
    "GIT_INDEX_FILE",
    "GIT_LITERAL_PATHSPECS",
    "GIT_NAMESPACE",
    "GIT_NOGLOB_PATHSPECS",
    "GIT_OBJECT_DIRECTORY",
    "GIT_PREFIX",
    "GIT_REPLACE_REF_BASE",
    "GIT_SHALLOW_FILE",
    "GIT_WORK_TREE",
];

/// `git` in a directory.
pub(super) struct Git<'a> {
    directory: &'a Path,
}

/// What `git` answered.
pub(super) struct Answer {
    pub(super) success: bool,
    pub(super) stdout: Vec<u8>,
    pub(super) complaint: String,
}

/// Why `git` did not answer.
pub(super) enum Unanswered {
    Start(std::io::Error),
    Other(String),
}

impl From<Unanswered> for GitError {
    fn from(error: Unanswered) -> Self {
        let message = match error {
            Unanswered::Start(source) => format!("it cannot be started: {source}"),
            Unanswered::Other(message) => message,
        };
        Self::Git { message }
    }
}

impl<'a> Git<'a> {
    pub(super) fn new(directory: &'a Path) -> Self {
        Self { directory }
    }

    /// Asks, whatever the answer is.
    pub(super) fn answer(&self, arguments: &[&str], stdout_bytes: u64) -> Result<Answer, Unanswered> {
        let (ended, stdout) = ask_whole(self.command().args(arguments), Bounds { time: TIME, stdout_bytes })
            .map_err(|error| unanswered(error, arguments))?;
        Ok(Answer { success: ended.status.success(), stdout, complaint: complaint(&ended.stderr) })
    }

    /// Asks for one line. None if `git` exits with 1 or with nothing to say.
    pub(super) fn line(&self, arguments: &[&str]) -> Result<Option<String>, GitError> {
        let answer = self.answer(arguments, LINE_BYTES)?;
        if !answer.success && !answer.complaint.is_empty() {
            return Err(GitError::Git { message: answer.complaint });
        }
        let line = String::from_utf8_lossy(trimmed(&answer.stdout)).into_owned();
        Ok((answer.success && !line.is_empty()).then_some(line))
    }

    /// Asks for a list whose parts end with NUL.
    pub(super) fn list(&self, arguments: &[&str], stdout_bytes: u64) -> Result<Vec<Vec<u8>>, GitError> {
        let answer = self.answer(arguments, stdout_bytes)?;
        if !answer.success {
            return Err(GitError::Git { message: answer.complaint });
        }
        Ok(answer.stdout.split(|&byte| byte == 0).filter(|part| !part.is_empty()).map(<[u8]>::to_vec).collect())
    }

    /// Hands on what `git` writes, of any length.
    pub(super) fn stream(&self, arguments: &[&str], sink: impl FnMut(&[u8])) -> Result<(), GitError> {
        let bounds = Bounds { time: TIME, stdout_bytes: u64::MAX };
        let ended = ask(self.command().args(arguments), bounds, sink).map_err(|error| unanswered(error, arguments))?;
        if ended.status.success() { Ok(()) } else { Err(GitError::Git { message: complaint(&ended.stderr) }) }
    }

    fn command(&self) -> Command {
        let mut command = Command::new("git");
        command.arg("--no-optional-locks").arg("--no-pager").arg("--no-replace-objects");
        for setting in
            ["core.fsmonitor=false", "core.hooksPath=/dev/null", "core.quotePath=true", "core.untrackedCache=false"]
        {
            command.args(["-c", setting]);
        }
        command.current_dir(self.directory).env("LC_ALL", "C").env("GIT_TERMINAL_PROMPT", "0");
        // A partial clone would fetch what it lacks.
        command.env("GIT_NO_LAZY_FETCH", "1").env("GIT_ALLOW_PROTOCOL", "none");
        for name in UNSET {
            command.env_remove(name);
        }
        command
    }
}

/// The path that `git` wrote.
#[cfg(unix)]
pub(super) fn path(bytes: &[u8]) -> PathBuf {
    use std::os::unix::ffi::OsStrExt;
    Path::new(std::ffi::OsStr::from_bytes(bytes)).to_owned()
}

/// The path that `git` wrote, which is UTF-8 elsewhere.
#[cfg(not(unix))]
pub(super) fn path(bytes: &[u8]) -> PathBuf {
    PathBuf::from(String::from_utf8_lossy(bytes).into_owned())
}

/// An answer without the end of its line.
pub(super) fn trimmed(answer: &[u8]) -> &[u8] {
    let answer = answer.strip_suffix(b"\n").unwrap_or(answer);
    answer.strip_suffix(b"\r").unwrap_or(answer)
}

fn unanswered(error: AskError, arguments: &[&str]) -> Unanswered {
    match error {
        AskError::Start(source) => Unanswered::Start(source),
        error => Unanswered::Other(format!("`git {}`: {error}", arguments.first().unwrap_or(&""))),
    }
}

/// What `git` complains of, without its prefix and its advice.
fn complaint(stderr: &str) -> String {
    let fatal = stderr.lines().find_map(|line| line.strip_prefix("fatal: ").or_else(|| line.strip_prefix("error: ")));
    fatal.or_else(|| stderr.lines().find(|line| !line.is_empty())).unwrap_or_default().trim().to_owned()
}
