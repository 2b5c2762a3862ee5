//! A model as a list of named byte sequences, and the local directory or file that most models are.

mod ignore;
mod local;
mod path;
mod walk;

use std::ops::Range;

use model_hash::{Digest, HashAlgorithm, ReadAt, ReadError};

pub use ignore::{DEFAULT_IGNORED, IgnoreRules, InvalidIgnorePath};
#[cfg(target_os = "linux")]
pub(crate) use local::FilePlace;
pub use local::{LocalModel, ModelError};
pub use path::{InvalidPath, ModelPath, display_os_name};
pub use walk::{Finding, Problem, SymlinkPolicy, Unlisted, WalkRules};

/// One file of a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelFile {
    /// Where it is, from the model root (OMS §6.1.2).
    pub path: ModelPath,
    /// Its length in bytes when it was listed.
    pub length_bytes: u64,
}

/// Where a model's bytes come from. Nothing above this knows whether they are on a disk, in a store or in a registry.
pub trait ModelSource: Sync {
    /// The name for the statement's subject (OMS §6.5): informational, never empty.
    fn name(&self) -> &str;

    /// Whether the model is one file rather than a directory.
    fn is_single_file(&self) -> bool;

    /// The files in the signing scope, sorted by path.
    fn files(&self) -> &[ModelFile];

    /// What was met besides files.
    fn findings(&self) -> &[Finding];

    /// Opens the file at this index of [`Self::files`].
    ///
    /// # Errors
    /// The error of the store. That it is no longer the file that was listed may be told when it is finished.
    fn open(&self, file: usize) -> Result<Box<dyn ReadAt + Send + '_>, ReadError>;

    /// The digest of a file, or of a range of its bytes, if it is known without reading it.
    fn known_digest(&self, file: usize, range: Option<&Range<u64>>, algorithm: HashAlgorithm) -> Option<&Digest> {
        let _ = (file, range, algorithm);
        None
    }

    /// The length in bytes of the files whose digests are not known.
    fn unread_bytes(&self) -> u64 {
        self.files().iter().map(|file| file.length_bytes).sum()
    }
}

impl<S: ModelSource + ?Sized> ModelSource for &S {
    fn name(&self) -> &str {
        (**self).name()
    }

    fn is_single_file(&self) -> bool {
        (**self).is_single_file()
    }

    fn files(&self) -> &[ModelFile] {
        (**self).files()
    }

    fn findings(&self) -> &[Finding] {
        (**self).findings()
    }

    fn open(&self, file: usize) -> Result<Box<dyn ReadAt + Send + '_>, ReadError> {
        (**self).open(file)
    }

    fn known_digest(&self, file: usize, range: Option<&Range<u64>>, algorithm: HashAlgorithm) -> Option<&Digest> {
        (**self).known_digest(file, range, algorithm)
    }

    fn unread_bytes(&self) -> u64 {
        (**self).unread_bytes()
    }
}
