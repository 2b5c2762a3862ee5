//! Provenance of training: what `provenance run` and `provenance generate` share.

mod args;
mod from_file;
pub(super) mod generate;
mod inputs;
mod observed;
mod outputs;
mod ranks;
pub(super) mod run;
mod source;
mod surroundings;
mod writing;

pub(super) use inputs::Files;
pub(super) use outputs::name;
