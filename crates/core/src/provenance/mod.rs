//! What others attest of an artifact, and whether it holds.

mod dsse;
pub mod vsa;
