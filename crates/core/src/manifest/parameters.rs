//! How files become resources (OMS §5.2.2).

use std::num::NonZeroU64;

use model_hash::HashAlgorithm;

use crate::model::SymlinkPolicy;

/// The members of `predicate.serialization`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameters {
    /// `method`, and `shard_size` with it.
    pub serialization: Serialization,
    /// `hash_type`.
    pub hash: HashAlgorithm,
    /// `allow_symlinks`.
    pub symlinks: SymlinkPolicy,
    /// `ignore_paths`, as recorded.
    pub ignore_paths: Vec<String>,
}

/// How files become resources (OMS §6.3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Serialization {
    /// One resource for each file.
    #[default]
    Files,
    /// One resource for each run of `size_bytes`; the last of a file may be shorter.
    Shards {
        /// `shard_size`.
        size_bytes: NonZeroU64,
    },
}

impl Serialization {
    /// The identifier in `serialization.method`.
    #[must_use]
    pub const fn method(self) -> &'static str {
        match self {
            Self::Files => "files",
            Self::Shards { .. } => "shards",
        }
    }
}
