//! Sigstore: instances and their trusted roots, and what a bundle of theirs proves.
//!
//! With [`log`](crate::log) the only module that names the Sigstore crates. They verify; what a bundle, a trust or a
//! verdict is stays this crate's own.

mod artifact;
mod attestation;
mod certificate;
mod contents;
mod logged;
mod sct;
mod signing_config;
mod trust_config;
mod trusted_root;
mod verification;

pub use artifact::{Artifact, MAX_ARTIFACT_BUNDLE_BYTES, verify_artifact, verify_artifact_with_key};
pub(crate) use attestation::{Attestation, verify_attestation, verify_attestation_by};
pub use certificate::SignerCertificate;
pub use contents::{Authority, Contents, Log, Period};
pub(crate) use logged::{LoggedText, verify_logged_text};
pub use signing_config::{
    InvalidSigningConfig, MAX_SIGNING_CONFIG_BYTES, NoServices, RekorService, Selection, Service, ServiceKind,
    Services, SigningConfig,
};
pub use trust_config::{InvalidTrustConfig, MAX_TRUST_CONFIG_BYTES, TrustConfig};
pub use trusted_root::{Instance, TrustedRoot};
pub use verification::{SignerRule, SigstoreError, SigstoreEvidence, SigstoreTrust};
pub(crate) use verification::{check, check_instance, subject_digest};
