//! Why provenance is refused.

use super::InvalidProvenance;
use super::dsse::InvalidEnvelope;
use crate::envelope::InvalidBundle;
use crate::sigstore::SigstoreError;
use crate::verify::SignatureError;

/// How many files an error names.
const MAX_NAMED: usize = 5;

/// Why provenance says nothing about an artifact, or not what was expected.
#[derive(Debug, thiserror::Error)]
pub enum ProvenanceError {
    /// The bundle proves nothing.
    #[error(transparent)]
    Signature(#[from] SigstoreError),
    /// The bundle of a key or of certificates can't be read.
    #[error("expected a Sigstore bundle v0.3 of a key or of certificates: {0}")]
    Bundle(InvalidBundle),
    /// The envelope can't be read.
    #[error(transparent)]
    Envelope(#[from] InvalidEnvelope),
    /// The key or the certificates did not sign.
    #[error(transparent)]
    Key(#[from] SignatureError),
    /// Nothing says when a certificate that lived for minutes was valid.
    #[error(
        "a DSSE envelope without a transparency log entry: only the log says that its certificate was valid when it was \
         signed"
    )]
    Undated,
    /// There is no certificate to check the signature with.
    #[error("the DSSE envelope brings no certificate, and none was given")]
    NoCertificate,
    /// What is signed can't be judged.
    #[error("the provenance: {0}")]
    Invalid(#[from] InvalidProvenance),
    /// Somebody other than GitHub Actions vouches for the signer.
    #[error("expected a signer for whom {expected} vouches, found {found}")]
    Issuer {
        /// GitHub Actions.
        expected: &'static str,
        /// The issuer in the certificate.
        found: String,
    },
    /// The certificate does not name one workflow.
    #[error("expected the signer's certificate to name one GitHub workflow, found {found}")]
    NoWorkflow {
        /// The names.
        found: String,
    },
    /// The signer is in no table, and nobody asked for it.
    #[error("the signer `{signer}` is not one that is recognised")]
    UnrecognisedSigner {
        /// The workflow.
        signer: String,
    },
    /// The workflow that signed is not at a release.
    #[error("expected the builder at a tag `{expected}`, found `{found}`")]
    NotReleased {
        /// What a tag of its releases looks like.
        expected: &'static str,
        /// The workflow.
        found: String,
    },
    /// Another builder than the one that was asked for.
    #[error("expected the builder `{expected}`, found `{found}`")]
    Builder {
        /// `--builder-id`, or what the rule of this builder demands.
        expected: String,
        /// `builder.id`, or the signer.
        found: String,
    },
    /// Another signer than the one that was asked for.
    #[error("expected the signer's {what} `{expected}`, found `{found}`")]
    Signer {
        /// `workflow`, `repository`, `commit`.
        what: &'static str,
        /// What was asked for.
        expected: String,
        /// What the certificate has.
        found: String,
    },
    /// The builder does not make provenance of this build type.
    #[error("the build type `{found}` is not one of the builder `{builder}`")]
    BuildType {
        /// The builder.
        builder: String,
        /// `buildType`.
        found: String,
    },
    /// The document says something other than the certificate.
    #[error("the provenance says {what} `{found}`, and the certificate says `{expected}`")]
    Claim {
        /// What of the build.
        what: &'static str,
        /// The certificate's.
        expected: String,
        /// The document's.
        found: String,
    },
    /// The certificate lacks what the document has to be compared with.
    #[error("the signer's certificate does not say {what}, so nobody vouches for what the provenance says")]
    NoClaim {
        /// What of the build.
        what: &'static str,
    },
    /// What triggered the build and what was built are not of the same source.
    #[error("the provenance was triggered from `{trigger}`, and its source is `{source_uri}`")]
    Trigger {
        /// What triggered it.
        trigger: String,
        /// What was built.
        source_uri: String,
    },
    /// Another source repository.
    #[error("expected the source repository {expected}, found {found}")]
    Source {
        /// `--source-uri`, `--repo` or `--owner`.
        expected: String,
        /// The certificate's.
        found: String,
    },
    /// Another branch.
    #[error("expected the source branch `{expected}`, found {found}")]
    Branch {
        /// `--source-branch`.
        expected: String,
        /// The branch, or that there is none.
        found: String,
    },
    /// Another tag.
    #[error("expected the source tag `{expected}`, found {found}")]
    Tag {
        /// `--source-tag`, `--source-versioned-tag`.
        expected: String,
        /// The tag, or that there is none.
        found: String,
    },
    /// Another reference.
    #[error("expected the source reference `{expected}`, found `{found}`")]
    Reference {
        /// `--source-ref`.
        expected: String,
        /// The certificate's.
        found: String,
    },
    /// Another commit.
    #[error("expected the source commit `{expected}`, found `{found}`")]
    Commit {
        /// `--source-digest`.
        expected: String,
        /// The certificate's.
        found: String,
    },
    /// The workflow was started with another input.
    #[error("expected the workflow input `{name}` to be `{expected}`, found {found}")]
    Input {
        /// Its name.
        name: String,
        /// `--build-workflow-input`.
        expected: String,
        /// Its value, or that there is none.
        found: String,
    },
    /// The build ran on a machine that is not GitHub's.
    #[error("expected a runner that GitHub hosts, found `{found}`")]
    SelfHosted {
        /// `runner_environment`.
        found: String,
    },
    /// The level is too low.
    #[error("expected SLSA Build level {expected} at least, found {found}")]
    Level {
        /// `--min-level`.
        expected: u8,
        /// What the table says, and why.
        found: String,
    },
    /// The provenance is not of training.
    #[error("expected provenance of training, which names datasets and parameters, found the build type `{found}`")]
    NotTraining {
        /// `buildType`.
        found: String,
    },
    /// The model was trained on something else.
    #[error("expected the {what} {expected}, found {found}")]
    Material {
        /// `dataset`, `base model`.
        what: &'static str,
        /// What was asked for.
        expected: String,
        /// What there is.
        found: String,
    },
    /// The model was trained with another parameter.
    #[error("expected the training parameter `{name}` to be {expected}, found {found}")]
    Parameter {
        /// Its name.
        name: String,
        /// `--expect-param`, or that it was not to be there.
        expected: String,
        /// Its value, or that there is none.
        found: String,
    },
    /// Files of the model are no subject.
    #[error(
        "expected each file of the model to be a subject of the provenance, found {covered} of {}; not {}",
        covered + uncovered.len(),
        named(uncovered)
    )]
    Uncovered {
        /// How many are.
        covered: usize,
        /// The others.
        uncovered: Vec<String>,
    },
    /// It is about something else.
    #[error("the provenance is not of this artifact: expected a subject with {expected}, found {found}")]
    Subject {
        /// The artifact's digest.
        expected: String,
        /// The subjects.
        found: String,
    },
}

/// The first few of many files.
fn named(paths: &[String]) -> String {
    let shown: Vec<String> = paths.iter().take(MAX_NAMED).map(|path| format!("`{path}`")).collect();
    match paths.len().saturating_sub(MAX_NAMED) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}
