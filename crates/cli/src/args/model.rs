//! The model, what of it is in scope, and how it is hashed.

use std::num::NonZeroU64;
use std::path::PathBuf;

use clap::{ArgAction, Args, ValueEnum};
use model_transparency::hash::HashAlgorithm;
use model_transparency::manifest::Serialization;
use model_transparency::model::SymlinkPolicy;

/// The model and its scope: common to signing, verifying and digests.
#[derive(Debug, Args)]
pub(crate) struct ModelArgs {
    /// The model: a directory or a single file
    #[arg(value_name = "MODEL_PATH")]
    pub(crate) path: PathBuf,

    #[command(flatten)]
    pub(crate) scope: ScopeArgs,
}

/// What of a model is in scope.
#[derive(Clone, Debug, Args)]
pub(crate) struct ScopeArgs {
    /// A file or directory of the model to leave out, relative to the current directory (repeatable)
    #[arg(long, value_name = "PATH")]
    pub(crate) ignore_paths: Vec<PathBuf>,

    /// Leave out .git, .gitignore, .gitattributes and .github at the top of the model [default: true]
    #[arg(
        long,
        value_name = "BOOL",
        num_args = 0..=1,
        require_equals = true,
        default_value_t = true,
        default_missing_value = "true",
        hide_default_value = true,
        hide_possible_values = true,
        action = ArgAction::Set,
        overrides_with = "no_ignore_git_paths"
    )]
    ignore_git_paths: bool,

    /// Do not leave these out
    #[arg(long, overrides_with = "ignore_git_paths")]
    no_ignore_git_paths: bool,

    /// Follow symbolic links to files, out of the model too
    #[arg(
        long,
        value_name = "BOOL",
        num_args = 0..=1,
        require_equals = true,
        default_value_t = false,
        default_missing_value = "true",
        hide_default_value = true,
        hide_possible_values = true,
        action = ArgAction::Set
    )]
    allow_symlinks: bool,
}

impl ModelArgs {
    /// The arguments for a model with every default.
    pub(crate) fn new(path: PathBuf) -> Self {
        let scope = ScopeArgs {
            ignore_paths: Vec::new(),
            ignore_git_paths: true,
            no_ignore_git_paths: false,
            allow_symlinks: false,
        };
        Self { path, scope }
    }
}

impl ScopeArgs {
    pub(crate) fn ignores_git_paths(&self) -> bool {
        self.ignore_git_paths && !self.no_ignore_git_paths
    }

    pub(crate) fn symlinks(&self) -> SymlinkPolicy {
        if self.allow_symlinks { SymlinkPolicy::Allow } else { SymlinkPolicy::Deny }
    }
}

/// How files become digests. Verification takes this from the signed statement.
#[derive(Debug, Args)]
pub(crate) struct HashingArgs {
    /// The hash of files; the Python command line can't verify any but sha256
    #[arg(long, value_enum, default_value_t = HashArg::Sha256, value_name = "ALGORITHM")]
    pub(crate) hash: HashArg,

    /// Hash every BYTES of a file apart, which spreads one large file over the cores; the Python command line can't
    /// verify the result
    #[arg(long, value_name = "BYTES")]
    pub(crate) shard_size: Option<NonZeroU64>,
}

impl HashingArgs {
    pub(crate) fn serialization(&self) -> Serialization {
        match self.shard_size {
            None => Serialization::Files,
            Some(size_bytes) => Serialization::Shards { size_bytes },
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum HashArg {
    Sha256,
    Blake2b,
    Blake3,
}

impl From<HashArg> for HashAlgorithm {
    fn from(hash: HashArg) -> Self {
        match hash {
            HashArg::Sha256 => Self::Sha256,
            HashArg::Blake2b => Self::Blake2b,
            HashArg::Blake3 => Self::Blake3,
        }
    }
}
