//! Build provenance: where an artifact was built, by whom and from which source.

pub mod cloud_build;
