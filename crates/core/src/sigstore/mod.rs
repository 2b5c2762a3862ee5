//! Sigstore: instances and their trusted roots, and what a bundle of theirs proves.
//!
//! The only module that names the Sigstore crates. They verify; what a bundle, a trust or a verdict is stays this
//! crate's own.

mod trusted_root;

pub use trusted_root::{Instance, TrustedRoot};
