//! Transparency logs: what a log's signatures, proofs and entries prove.
//!
//! Rekor v1 (promises, proofs from its API) and Rekor v2 (C2SP tlog-checkpoint and tlog-tiles). Nothing here asks a log:
//! the bytes, the keys and the time are arguments.
//!
//! | to | see |
//! |---|---|
//! | know whose logs count | [`LogKeys`], from [`TrustedRoot::log_keys`](crate::sigstore::TrustedRoot::log_keys) |
//! | believe a tree's size and root | [`Checkpoint::verify`] |
//! | check what a log proves | [`verify_inclusion`], [`verify_consistency`] |
//! | check an entry in a bundle | [`LogEntry::verify`] |
//! | read a log by its tiles | [`TiledTree`] |
//! | watch a log for an identity | [`monitor`] |

mod body;
mod checkpoint;
mod entry;
mod keys;
pub mod monitor;
mod proof;
mod tiles;
mod tree;
mod wire;

#[cfg(test)]
mod entry_tests;
#[cfg(test)]
mod testing;

use std::fmt;

use sigstore_verify::types::Sha256Hash;

pub use body::{EntryKind, LoggedEnvelope, LoggedSigner};
pub use checkpoint::{Checkpoint, CheckpointError, MAX_CHECKPOINT_BYTES, VerifiedCheckpoint};
pub use entry::{LogEntry, LogEntryError, MAX_LOG_ENTRY_BYTES, VerifiedInclusion, VerifiedLogEntry};
pub use keys::{LogId, LogKey, LogKeys};
pub use proof::{ProofError, verify_consistency, verify_inclusion};
pub use tiles::{EntryBundle, Tile, TileError, TileSource};
pub use tree::{IndexedEntry, TiledTree, TreeError};

/// A hash in a log's Merkle tree (RFC 6962 §2.1 with SHA-256): of a leaf, of a node, or of the whole.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TreeHash([u8; 32]);

impl TreeHash {
    /// The root of a tree without entries.
    #[must_use]
    pub fn of_empty_tree() -> Self {
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, b"");
        Self(digest.as_ref().try_into().expect("SHA-256 has 32 bytes"))
    }

    /// The hash of an entry.
    #[must_use]
    pub fn of_leaf(entry: &[u8]) -> Self {
        Self(*sigstore_merkle::hash_leaf(entry).as_bytes())
    }

    /// The hash of a node with these two below it.
    #[must_use]
    pub fn of_children(left: Self, right: Self) -> Self {
        Self(*sigstore_merkle::hash_children(&left.into(), &right.into()).as_bytes())
    }

    /// A hash of its bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl From<TreeHash> for Sha256Hash {
    fn from(hash: TreeHash) -> Self {
        Self::new(hash.0)
    }
}

impl fmt::Display for TreeHash {
    /// In hex.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&base16ct::lower::encode_string(&self.0))
    }
}

impl fmt::Debug for TreeHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TreeHash({self})")
    }
}
