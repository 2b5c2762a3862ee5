//! The `certificate` method: what is accepted, and everything that is not.

#[path = "../forge/mod.rs"]
mod forge;

mod bundles;
mod paths;
mod pki;
mod revocation;
mod signers;
