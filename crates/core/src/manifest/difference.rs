//! How a model differs from its manifest.

use std::ops::Range;

use model_hash::Digest;

use crate::model::Problem;

/// Everything in which a model differs from its manifest, sorted by path.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Difference {
    /// Files whose bytes are not those that were signed.
    pub changed: Vec<Changed>,
    /// Files that are listed and not there.
    pub missing: Vec<String>,
    /// Files that are there and not listed.
    pub extra: Vec<String>,
    /// Entries that can't be part of a model, with what they are.
    pub unacceptable: Vec<(String, Problem)>,
}

/// One file, or one shard of it, whose bytes are not those that were signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Changed {
    /// The digest differs.
    Digest {
        /// The file, from the model root.
        path: String,
        /// The shard that differs, in bytes; `None` for the whole file.
        range: Option<Range<u64>>,
        /// The digest that was signed.
        expected: Digest,
        /// The digest of what is there.
        found: Digest,
    },
    /// The length differs, so no shard was hashed.
    Length {
        /// The file, from the model root.
        path: String,
        /// The length in bytes that the shards add up to.
        expected_bytes: u64,
        /// The length in bytes of what is there.
        found_bytes: u64,
    },
}

impl Changed {
    /// The file, from the model root.
    #[must_use]
    pub fn path(&self) -> &str {
        match self {
            Self::Digest { path, .. } | Self::Length { path, .. } => path,
        }
    }
}

impl Difference {
    /// Whether the model is exactly what was signed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.changed.is_empty() && self.missing.is_empty() && self.extra.is_empty() && self.unacceptable.is_empty()
    }
}
