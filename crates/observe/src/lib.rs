//! What happens on this machine while a model is trained: which source, which packages, which accelerators, and what the
//! training command does.
//!
//! This crate looks; it judges nothing and knows nothing of statements. Whatever it can't see it says.

pub mod accelerators;
pub mod ci;
pub mod git;
pub mod host;
mod process;
pub mod python;
pub mod run;
pub mod snapshot;
