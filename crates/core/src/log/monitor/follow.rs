//! What both kinds of log have in common: from where on to read, what was found, and why a log is not to be believed.

use super::{LogState, SeenTree, Sighting, Watch};
use crate::certificate::UnixTime;
use crate::log::{Checkpoint, CheckpointError, LogKey, TreeHash, VerifiedCheckpoint};

/// The most findings of one round: what they need of memory is bounded, and nothing is left out.
const MAX_FINDINGS: usize = 10_000;

/// A log that is followed.
#[derive(Clone, Copy, Debug)]
pub struct FollowedLog<'a> {
    /// The keys that it may sign with.
    pub keys: &'a [LogKey],
    /// The time now.
    pub now: UnixTime,
    /// The most entries to read in this round.
    pub max_entries: u64,
}

/// From where on to read, instead of where the last round ended.
#[derive(Clone, Debug)]
pub enum Since {
    /// The entry with this index.
    Index(u64),
    /// The first that was not there yet when the log signed this.
    Checkpoint(Box<SeenTree>),
}

/// An entry that names the identity, and is in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What the log calls itself; for Rekor v1 with the number of the tree.
    pub origin: String,
    /// The index of the entry in the log; in Rekor v1 it counts across trees.
    pub index: u64,
    /// The hash of the entry.
    pub entry_hash: TreeHash,
    /// What Rekor v1 calls the entry.
    pub uuid: Option<String>,
    /// The time at which the log took it, if it has signed that (Rekor v1).
    pub integrated_time: Option<UnixTime>,
    /// The certificate.
    pub sighting: Sighting,
}

/// What came of reading a log once.
#[derive(Clone, Debug)]
pub struct Round<E> {
    /// What to keep until the next time: where reading ended. As it was if the log is inconsistent.
    pub state: Option<LogState>,
    /// Whether the state is of this round, and not that of the one before.
    pub is_new_state: bool,
    /// The number of entries that were read.
    pub entries_read: u64,
    /// The number of entries that are left to read.
    pub entries_left: u64,
    /// Whether the log was seen for the first time, and nothing was asked about its past.
    pub has_begun: bool,
    /// What was found, in the order of the log.
    pub findings: Vec<Finding>,
    /// Why there is not more.
    pub error: Option<FollowError<E>>,
}

/// Why a log was not read to its end.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FollowError<E> {
    /// It gave no answer.
    #[error("{0}")]
    Source(E),
    /// Its answer is no answer.
    #[error("{0}")]
    Malformed(String),
    /// There is no such entry to start at.
    #[error("expected an index of at most {size} to start at, found {since}")]
    Since {
        /// What was asked for.
        since: u64,
        /// The number of entries.
        size: u64,
    },
    /// It is not what it was, or not what it says.
    #[error("{reason}")]
    Inconsistent {
        /// In which way.
        reason: Inconsistency,
        /// The checkpoint that shows it, as the log gave it.
        evidence: Option<String>,
    },
}

/// In which way a log is not to be believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Inconsistency {
    /// Its checkpoint is not signed with its key.
    #[error(transparent)]
    Signature(CheckpointError),
    /// It signed trees of which neither can have become the other.
    #[error(
        "`{origin}` is forked: the tree of {new_size} entries that it shows now is not what its tree of {old_size} became"
    )]
    Forked {
        /// The log, or the tree.
        origin: String,
        /// The number of entries that were seen before.
        old_size: u64,
        /// The number of entries now.
        new_size: u64,
    },
    /// It has lost entries.
    #[error("`{origin}` has shrunk: it had {old_size} entries, and has {new_size}")]
    Shrunk {
        /// The log, or the tree.
        origin: String,
        /// The number of entries that were seen before.
        old_size: u64,
        /// The number of entries now.
        new_size: u64,
    },
    /// A tree that was there is not there any more.
    #[error("`{origin}` was there, and is not any more; found {found}")]
    Gone {
        /// The log, or the tree.
        origin: String,
        /// What is there.
        found: String,
    },
    /// What it serves is not in the tree that it signed.
    #[error("what it serves is not what it signed: {0}")]
    Contradiction(String),
}

impl<E> FollowError<E> {
    pub(super) fn inconsistent(reason: Inconsistency, evidence: &str) -> Self {
        Self::Inconsistent { reason, evidence: Some(evidence.to_owned()) }
    }

    pub(super) fn contradiction(reason: impl Into<String>, evidence: &str) -> Self {
        Self::inconsistent(Inconsistency::Contradiction(reason.into()), evidence)
    }
}

/// What the log calls itself, without the number of a tree.
pub(super) fn log_name(origin: &str) -> &str {
    origin.rsplit_once(" - ").map_or(origin, |(name, _)| name)
}

impl FollowedLog<'_> {
    /// A checkpoint that is the log's.
    pub(super) fn check<E>(&self, note: &str) -> Result<VerifiedCheckpoint, FollowError<E>> {
        let checkpoint = Checkpoint::parse(note).map_err(|error| FollowError::Malformed(error.to_string()))?;
        checkpoint
            .verify(self.keys, self.now)
            .map_err(|error| FollowError::inconsistent(Inconsistency::Signature(error), note))
    }
}

/// Checks what two checkpoints of a tree say by themselves. Whether the larger one comes of the other is then to be proven.
pub(super) fn check_growth<E>(
    old: &VerifiedCheckpoint,
    new: &VerifiedCheckpoint,
    note: &str,
) -> Result<(), FollowError<E>> {
    let (origin, old_size, new_size) = (new.origin().to_owned(), old.size(), new.size());
    if new_size < old_size {
        return Err(FollowError::inconsistent(Inconsistency::Shrunk { origin, old_size, new_size }, note));
    }
    if new_size == old_size && new.root() != old.root() {
        return Err(forked(old, new, note));
    }
    Ok(())
}

pub(super) fn forked<E>(old: &VerifiedCheckpoint, new: &VerifiedCheckpoint, note: &str) -> FollowError<E> {
    let (origin, old_size, new_size) = (new.origin().to_owned(), old.size(), new.size());
    FollowError::inconsistent(Inconsistency::Forked { origin, old_size, new_size }, note)
}

/// A round that is not over yet.
pub(super) struct Reading<'a> {
    watch: &'a Watch,
    budget: u64,
    pub(super) trees: Vec<SeenTree>,
    entries_read: u64,
    findings: Vec<Finding>,
}

impl<'a> Reading<'a> {
    pub(super) fn new(log: &FollowedLog<'_>, watch: &'a Watch) -> Self {
        Self { watch, budget: log.max_entries, trees: Vec::new(), entries_read: 0, findings: Vec::new() }
    }

    /// Whether nothing more is to be read in this round.
    pub(super) fn is_over(&self) -> bool {
        self.entries_read >= self.budget || self.findings.len() >= MAX_FINDINGS
    }

    /// The number of entries that may still be read.
    pub(super) fn budget_left(&self) -> u64 {
        self.budget.saturating_sub(self.entries_read)
    }

    /// Looks at an entry that is in the log.
    pub(super) fn read(&mut self, body: &[u8], finding: impl Fn(Sighting) -> Finding) -> &mut [Finding] {
        self.entries_read += 1;
        let before = self.findings.len();
        self.findings.extend(self.watch.look(body).into_iter().map(finding));
        &mut self.findings[before..]
    }

    /// Ends the round. An inconsistent log leaves everything as it was.
    pub(super) fn end<E>(self, old: Option<&LogState>, outcome: Result<(), FollowError<E>>) -> Round<E> {
        let error = outcome.err();
        let keeps_old = self.trees.is_empty() || matches!(error, Some(FollowError::Inconsistent { .. }));
        let entries_left =
            self.trees.iter().map(|tree| tree.checkpoint.size().saturating_sub(tree.next)).fold(0, u64::saturating_add);
        Round {
            state: if keeps_old { old.cloned() } else { Some(LogState { trees: self.trees }) },
            is_new_state: !keeps_old,
            entries_read: self.entries_read,
            entries_left: if keeps_old { 0 } else { entries_left },
            has_begun: false,
            findings: self.findings,
            error,
        }
    }
}
