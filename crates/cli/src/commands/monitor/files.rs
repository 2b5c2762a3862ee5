//! What is kept between runs: for each identity a folder, for each log a file in it.

use std::fs::{self, File};
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use model_hash::HashAlgorithm;
use model_transparency::log::LogId;
use model_transparency::log::monitor::{FollowedLog, LogState, MAX_STATE_BYTES, Watch};
use model_transparency::output::{Access, Existing, WriteError, check, write};

use crate::failure::Failure;
use crate::state;

/// Characters of a hash in a name.
const SHORT: usize = 16;

/// The folder of an identity.
pub(super) struct StateFolder(PathBuf);

/// What a log's file is to have.
pub(super) struct NewState {
    path: PathBuf,
    state: LogState,
}

impl StateFolder {
    /// The folder of `watch` below `given`, or below where state is kept. Two that are watched do not share what was read.
    pub(super) fn find(given: Option<&Path>, watch: &Watch) -> Result<Self, Failure> {
        let base = match given {
            Some(path) => path.to_owned(),
            None => state::folder("monitor").map_err(|failure| failure.with_hint("name one with --state-dir DIR"))?,
        };
        Ok(Self(base.join(short_hash(watch.to_string().as_bytes()))))
    }

    /// Makes it, if it is not there.
    pub(super) fn make(&self) -> Result<(), Failure> {
        Ok(fs::create_dir_all(&self.0).map_err(|source| WriteError::Io { path: self.0.clone(), source })?)
    }

    /// The state of a log, if it has been seen.
    pub(super) fn read(&self, id: LogId, log: &FollowedLog<'_>) -> Result<Option<LogState>, Failure> {
        const WHAT: &str = "the state of a log";
        let path = self.path(id);
        let mut json = Vec::new();
        match File::open(&path).and_then(|file| file.take(MAX_STATE_BYTES as u64 + 1).read_to_end(&mut json)) {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::NotFound => {
                // What can't be kept is not read either.
                check(&path)?;
                return Ok(None);
            }
            Err(error) => return Err(Failure::unreadable(WHAT, &path, &error)),
        }
        check(&path)?;
        let state = LogState::from_json(&json, log).map_err(|error| {
            let message = format!("{WHAT} `{}` can't be used: {error}", path.display());
            Failure::could_not_check("invalid_state", message)
                .with_hint("if you know why, move it away: the next run begins at the end of the log")
        })?;
        Ok(Some(state))
    }

    /// What a log is to be remembered as.
    pub(super) fn keep(&self, id: LogId, state: LogState) -> NewState {
        NewState { path: self.path(id), state }
    }

    /// Keeps a checkpoint that a log should not have signed.
    pub(super) fn keep_evidence(&self, id: LogId, note: &str) -> Result<PathBuf, Failure> {
        // Without the signatures, which may be others each time.
        let signed = note.rsplit_once("\n\n").map_or(note, |(signed, _)| signed);
        let path = self.0.join(format!("{id}.conflict-{}", short_hash(signed.as_bytes())));
        match write(&path, note.as_bytes(), Access::Owner, Existing::Refuse) {
            Ok(()) | Err(WriteError::Exists { .. }) => Ok(path),
            Err(error) => Err(error.into()),
        }
    }

    /// The file of a log.
    pub(super) fn path(&self, id: LogId) -> PathBuf {
        self.0.join(format!("{id}.json"))
    }
}

impl NewState {
    pub(super) fn write(&self) -> Result<(), Failure> {
        Ok(write(&self.path, self.state.to_json().as_bytes(), Access::Owner, Existing::Replace)?)
    }
}

fn short_hash(bytes: &[u8]) -> String {
    HashAlgorithm::Sha256.digest(bytes).to_hex()[..SHORT].to_owned()
}
