//! SLSA provenance: how an artifact was made, and whether that can be believed (SLSA v1.2, *Verifying artifacts*).
//!
//! The order is fixed: signature, signer, what the document says against what the certificate says, then what the
//! verifier expects. A level is never taken from the document: [`Level`] comes from the table in `builders`.

mod build;
mod builders;
pub mod cloud_build;
mod collection;
mod dsse;
mod error;
mod expectations;
mod facts;
mod git;
mod github;
mod statement;
mod tekton;
pub mod vsa;

pub use build::Build;
pub use builders::Level;
pub use collection::{
    Document, InvalidCollection, MAX_ATTESTATIONS, MAX_PROVENANCE_BYTES, claims_digest, documents, is_cloud_build,
};
pub use error::ProvenanceError;
pub use expectations::{Expectations, InvalidExpectation, SignerExpectation, SourceExpectation};
pub use facts::{Dependency, Facts, SourceFacts};
pub use git::{GitSource, Repository};
pub use github::{Roots, VerifiedProvenance, verify};
pub use statement::{ArtifactDigests, InvalidProvenance, Subject};
pub use tekton::{ChainsEnvelope, InvalidAnnotations, chains_envelopes};
