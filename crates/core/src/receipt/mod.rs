//! Receipts: what is known of a model's files without reading them again.
//!
//! A receipt holds, for every file of a model that was hashed, the digests and the state that the file was in: device,
//! inode, length, times of change and mount. As long as the file is in that state, and only then, the digests are taken
//! from the receipt. What this protects against, and what not, is in `docs/receipts.md`.
//!
//! The order of things matters. The caller takes the time, [`ReceiptedModel::new`] sees that nobody has a file open for
//! writing, writes out what is dirty and notes the states, the files are hashed, [`ReceiptedModel::renew`] writes out and
//! looks again. A write that is begun after the time was taken has a time of change that is not older: the file is left
//! out, or in another state when it is looked at the next time. One that was begun before would need an open file. Pages
//! that were written out are write-protected, so that even a mapping has to pass through the kernel, which notes the
//! time, to write to them again.
//!
//! This module neither asks for the time nor knows where receipts are kept.

mod document;
mod model;
mod state;
#[cfg_attr(target_os = "linux", path = "linux.rs")]
#[cfg_attr(not(target_os = "linux"), path = "elsewhere.rs")]
mod system;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::ops::Range;
use std::path::PathBuf;
use std::time::Duration;

use model_hash::{Digest, HashAlgorithm};

use crate::manifest::Resource;

pub use document::{InvalidReceipt, MAX_RECEIPT_BYTES, ReceiptKey};
pub use model::{ReceiptedModel, Renewed, Reuse};
pub use state::{FileState, FileTime};

/// What is known of the files of one model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The run of the operating system that it was made in: mounts have other numbers in the next.
    boot: String,
    /// By path from the model root.
    files: HashMap<String, Record>,
}

/// What is known of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Record {
    state: FileState,
    /// When it was hashed: the clock before the first byte was read.
    hashed: FileTime,
    algorithm: HashAlgorithm,
    /// By first byte; a whole file has one, without a range.
    digests: Vec<(Option<Range<u64>>, Digest)>,
}

impl Record {
    fn new(
        state: FileState,
        hashed: FileTime,
        algorithm: HashAlgorithm,
        mut digests: Vec<(Option<Range<u64>>, Digest)>,
    ) -> Self {
        digests.sort_unstable_by_key(|(range, _)| range.as_ref().map(|range| range.start));
        Self { state, hashed, algorithm, digests }
    }

    /// The digest of `range`, or of the whole file.
    fn digest(&self, range: Option<&Range<u64>>) -> Option<&Digest> {
        let start = |range: Option<&Range<u64>>| range.map(|range| range.start);
        let at = self.digests.binary_search_by_key(&start(range), |(found, _)| start(found.as_ref())).ok()?;
        let (found, digest) = &self.digests[at];
        (found.as_ref() == range).then_some(digest)
    }

    /// Whether `resources`, all of the file, have these digests.
    fn agrees_with(&self, resources: &[&Resource]) -> bool {
        let agrees = |resource: &&Resource| self.digest(resource.range().as_ref()) == Some(resource.digest());
        resources.len() == self.digests.len() && resources.iter().all(agrees)
    }
}

/// When a receipt counts.
#[derive(Clone, Debug)]
pub struct ReceiptRules {
    /// This run of the operating system (`boot_id`).
    pub boot: String,
    /// The clock that files are stamped with (`CLOCK_REALTIME_COARSE`), taken before anything else.
    pub begun: FileTime,
    /// How long ago a file may have been hashed.
    pub max_age: Option<Duration>,
    /// What to do with files on other machines.
    pub unknown_file_systems: UnknownFileSystems,
}

/// What to do with file systems that are not known to keep the time of every change: of other machines or processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnknownFileSystems {
    /// There is no receipt of files on them.
    Refuse,
    /// They are believed.
    Believe,
}

/// Why there can be no receipt.
#[derive(Debug, thiserror::Error)]
pub enum ReceiptError {
    /// The file system does not note the time of every change.
    #[error("there is no receipt of `{}`: {file_system} does not note every change of a file", path.display())]
    NoTimes {
        /// A file on it.
        path: PathBuf,
        /// What it is called.
        file_system: String,
    },
    /// The file system is not known to note the time of every change.
    #[error(
        "there is no receipt of `{}`: {file_system} is not known to note every change of a file, as ext4, XFS and \
         Btrfs do",
        path.display()
    )]
    UnknownFileSystem {
        /// A file on it.
        path: PathBuf,
        /// What it is called.
        file_system: String,
    },
    /// The operating system does not say what a receipt needs.
    #[error("there is no receipt of `{}`: {missing}", path.display())]
    NotTold {
        /// The file.
        path: PathBuf,
        /// What is missing.
        missing: &'static str,
    },
}
