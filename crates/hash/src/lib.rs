//! Bytes to digests, as fast as the machine allows.
//!
//! This crate owns the hashing of many byte ranges at once: which worker reads what, in which order, into which
//! buffer. It knows nothing of models, manifests or paths: files are numbers, and a [`Source`] opens them.
//!
//! ```
//! use model_hash::{HashAlgorithm, Options, ReadAt, ReadError, Segment, Source, hash_segments};
//!
//! struct Memory(Vec<Vec<u8>>);
//! impl Source for Memory {
//!     fn open(&self, file: usize) -> Result<Box<dyn ReadAt + Send + '_>, ReadError> {
//!         Ok(Box::new(self.0[file].as_slice()))
//!     }
//! }
//!
//! let files = Memory(vec![b"abc".to_vec()]);
//! let whole = Segment { file: 0, start: 0, end: 3, reaches_end: true };
//! let digests = hash_segments(HashAlgorithm::Sha256, &[whole], &files, &Options::default())?;
//! assert!(digests[0].to_hex().starts_with("ba7816bf"));
//! # Ok::<(), model_hash::HashError>(())
//! ```

mod algorithm;
mod engine;
#[cfg(target_os = "linux")]
mod lease;
mod sha256;
mod source;
mod stream;
mod subtree;

pub use algorithm::{Digest, HashAlgorithm, InvalidDigest};
pub use engine::{Options, hash_segments, on_workers};
#[cfg(target_os = "linux")]
pub use lease::is_open_for_writing;
pub use sha256::{Sha256Kernel, UnknownKernel};
pub use source::{HashError, ReadAt, ReadError, Segment, Source, nothing_beyond};
pub use stream::Stream;
