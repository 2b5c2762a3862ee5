//! What is kept of a log from one round to the next.

use serde::{Deserialize, Serialize};

use super::FollowedLog;
use crate::envelope::{InvalidJson, parse_object, require_unique_members};
use crate::log::{Checkpoint, CheckpointError, MAX_CHECKPOINT_BYTES, VerifiedCheckpoint};

/// The largest state that is read, in bytes.
pub const MAX_STATE_BYTES: usize = 8 << 20;

/// The most trees of a log: shards of Rekor v1.
pub(super) const MAX_TREES: usize = 100;

const VERSION: u32 = 1;

/// How far a log has been read, and what it signed then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogState {
    /// Its trees in their order; in Rekor v2 there is one.
    pub trees: Vec<SeenTree>,
}

/// How far a tree has been read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenTree {
    /// What the log said of it, as it said it.
    pub note: String,
    /// The same, verified.
    pub checkpoint: VerifiedCheckpoint,
    /// The first entry that has not been read.
    pub next: u64,
}

impl SeenTree {
    /// A tree of which nothing is to be read that was there when the log signed this.
    ///
    /// # Errors
    /// [`CheckpointError`] if it is not a checkpoint of the log.
    pub fn parse(note: &str, log: &FollowedLog<'_>) -> Result<Self, CheckpointError> {
        let checkpoint = Checkpoint::parse(note)?.verify(log.keys, log.now)?;
        Ok(Self { note: note.to_owned(), next: checkpoint.size(), checkpoint })
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StateFile {
    version: u32,
    trees: Vec<TreeFile>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct TreeFile {
    checkpoint: String,
    next: u64,
}

impl LogState {
    /// Reads what [`Self::to_json`] wrote. The log's signatures in it have to hold.
    ///
    /// # Errors
    /// [`InvalidLogState`]: what is wrong with it.
    pub fn from_json(json: &[u8], log: &FollowedLog<'_>) -> Result<Self, InvalidLogState> {
        if json.len() > MAX_STATE_BYTES {
            return Err(InvalidLogState::TooLarge);
        }
        require_unique_members(json)?;
        let file: StateFile = parse_object(json, |_| {})?;
        if file.version != VERSION {
            return Err(InvalidLogState::Version { found: file.version });
        }
        let mut trees: Vec<SeenTree> = Vec::new();
        for TreeFile { checkpoint, next } in file.trees {
            let mut tree = SeenTree::parse(&checkpoint, log)?;
            if next > tree.checkpoint.size() || trees.len() == MAX_TREES {
                return Err(InvalidLogState::Trees);
            }
            tree.next = next;
            if trees.iter().any(|other| other.checkpoint.origin() == tree.checkpoint.origin()) {
                return Err(InvalidLogState::Trees);
            }
            trees.push(tree);
        }
        if trees.is_empty() { Err(InvalidLogState::Trees) } else { Ok(Self { trees }) }
    }

    /// The document to keep.
    #[must_use]
    pub fn to_json(&self) -> String {
        let tree = |tree: &SeenTree| TreeFile { checkpoint: tree.note.clone(), next: tree.next };
        let file = StateFile { version: VERSION, trees: self.trees.iter().map(tree).collect() };
        let mut text = serde_json::to_string_pretty(&file).expect("texts and numbers always serialise");
        text.push('\n');
        text
    }

    /// The tree with this origin.
    pub(super) fn tree(&self, origin: &str) -> Option<&SeenTree> {
        self.trees.iter().find(|tree| tree.checkpoint.origin() == origin)
    }
}

const _: () = assert!(MAX_TREES * MAX_CHECKPOINT_BYTES < MAX_STATE_BYTES, "what is written can be read");

/// Why a document is not the state of a log.
#[derive(Debug, thiserror::Error)]
pub enum InvalidLogState {
    /// It is larger than any that is written.
    #[error("expected at most {MAX_STATE_BYTES} bytes")]
    TooLarge,
    /// It is not the JSON that was written.
    #[error(transparent)]
    Json(#[from] InvalidJson),
    /// It is of another version of the tool.
    #[error("expected version {VERSION}, found {found}")]
    Version {
        /// The version.
        found: u32,
    },
    /// A checkpoint in it is not the log's.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// Its trees can't be those of a log.
    #[error("expected trees that differ, each read up to its size at most")]
    Trees,
}
