//! SLSA provenance: how an artifact was made, and whether that can be believed (SLSA v1.2, *Verifying artifacts*).
//!
//! The order is fixed: signature, signer, what the document says against what the certificate says, then what the
//! verifier expects. A level is never taken from the document: [`Level`] comes from the table in `builders`.

mod artifact;
mod build;
mod builder_map;
mod builders;
pub mod cloud_build;
mod collection;
mod dsse;
mod error;
mod expectations;
mod facts;
mod git;
mod github;
mod logged;
mod named;
mod predicate;
mod signed;
mod statement;
mod tekton;
pub mod training;
mod verified;
pub mod vsa;

pub use artifact::{Artifact, ArtifactDigests, Coverage, Match, ModelDigests};
pub use build::Build;
pub use builder_map::{BuilderMap, InvalidBuilderMap, MAX_BUILDER_MAP_BYTES, MappedSigner};
pub use builders::Level;
pub use collection::{Document, InvalidCollection, MAX_ATTESTATIONS, MAX_PROVENANCE_BYTES, documents, is_cloud_build};
pub use dsse::InvalidEnvelope;
pub use error::ProvenanceError;
pub use expectations::{Expectations, InvalidExpectation, SignerExpectation, SourceExpectation};
pub use facts::{Dependency, Facts, SourceFacts};
pub use git::{GitSource, Repository};
pub use github::Roots;
pub use logged::{LoggedDocument, UnloggedEnvelope};
pub use signed::{Named, ProvenanceTrust, SignedBy, SignedStatement, SigstoreSigner, check_document};
pub use statement::{InvalidProvenance, Subject};
pub use tekton::{ChainsEnvelope, InvalidAnnotations, chains_envelopes};
pub use training::{InputExpectation, TRAINING_BUILD_TYPE, TRAINING_BUILDER, TrainingExpectations};
pub use verified::{JudgedProvenance, VerifiedProvenance, judge};
