//! What a certificate of Fulcio says (`docs/oid-info.md` of Fulcio).

use sigstore_verify::crypto::{FulcioCiClaims, parse_certificate_info};
use sigstore_verify::types::DerCertificate;

use super::SigstoreError;
use crate::certificate::Certificate;

/// A certificate as Fulcio issues them: whom it names, who said so, and what else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignerCertificate {
    /// The certificate.
    pub certificate: Certificate,
    /// The alternative names that identify a signer: e-mail addresses, URIs, and user names of Fulcio's own kind.
    pub names: Vec<String>,
    /// The identity provider that vouched for the name.
    pub issuer: Option<String>,
    /// What the provider said of the workload: the claim's name (`source_repository_uri`) and its text.
    pub claims: Vec<(&'static str, String)>,
}

impl SignerCertificate {
    /// Reads a certificate, DER. Nothing is verified.
    ///
    /// # Errors
    /// [`SigstoreError::Malformed`] if it is not one, or not one of a key that Sigstore knows.
    pub fn from_der(der: &[u8]) -> Result<Self, SigstoreError> {
        let malformed = |reason: String| SigstoreError::Malformed { reason: format!("its certificate: {reason}") };
        let certificate = Certificate::from_der(der).map_err(|error| malformed(error.to_string()))?;
        let info =
            parse_certificate_info(&DerCertificate::new(der.to_vec())).map_err(|error| malformed(error.to_string()))?;
        let names = certificate.signer_names();
        Ok(Self { certificate, names, issuer: info.issuer, claims: claims(info.ci_claims) })
    }

    /// What the provider said of the workload, by the claim's name.
    #[must_use]
    pub fn claim(&self, name: &str) -> Option<&str> {
        self.claims.iter().find(|(claim, _)| *claim == name).map(|(_, text)| text.as_str())
    }
}

/// The claims that are there, by name, in the order of their numbers.
fn claims(claims: FulcioCiClaims) -> Vec<(&'static str, String)> {
    let old = claims.deprecated_github;
    let all = [
        ("build_signer_uri", claims.build_signer_uri),
        ("build_signer_digest", claims.build_signer_digest),
        ("runner_environment", claims.runner_environment),
        ("source_repository_uri", claims.source_repository_uri),
        ("source_repository_digest", claims.source_repository_digest),
        ("source_repository_ref", claims.source_repository_ref),
        ("source_repository_identifier", claims.source_repository_identifier),
        ("source_repository_owner_uri", claims.source_repository_owner_uri),
        ("source_repository_owner_identifier", claims.source_repository_owner_identifier),
        ("build_config_uri", claims.build_config_uri),
        ("build_config_digest", claims.build_config_digest),
        ("build_trigger", claims.build_trigger),
        ("run_invocation_uri", claims.run_invocation_uri),
        ("source_repository_visibility", claims.source_repository_visibility_at_signing),
        ("deployment_environment", claims.deployment_environment),
        ("token_subject", claims.token_subject),
        ("github_workflow_trigger", old.workflow_trigger),
        ("github_workflow_sha", old.workflow_sha),
        ("github_workflow_name", old.workflow_name),
        ("github_workflow_repository", old.workflow_repository),
        ("github_workflow_ref", old.workflow_ref),
    ];
    all.into_iter().filter_map(|(name, value)| value.map(|value| (name, value))).collect()
}
