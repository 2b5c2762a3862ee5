//! Provenance of GitHub's workflows behind signatures that hold: an instance of Sigstore made for the tests certifies
//! whatever they want, so that what is refused is refused for what it says.

#[path = "../forge/mod.rs"]
mod forge;

mod authority;
mod builders;
mod bundles;
mod errors;
mod events;
mod extensions;
mod jobs;
mod members;
mod statements;
mod vectors;
