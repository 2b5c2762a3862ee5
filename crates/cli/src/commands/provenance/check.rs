//! Provenance that was read and judged: what is left is to find the artifact in it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use model_transparency::provenance::{
    Artifact, Coverage, Document, JudgedProvenance, MAX_PROVENANCE_BYTES, ProvenanceError, ProvenanceTrust,
    VerifiedProvenance, check_document, documents, is_cloud_build, judge,
};
use model_transparency::verify::SignatureError;
use zeroize::Zeroizing;

use super::lookup::LookupArgs;
use super::policy::PolicyArgs;
use super::signer::SignerArgs;
use crate::args::InstanceArgs;
use crate::exit::Exit;
use crate::failure::{Failure, sigstore_kind};
use crate::inputs::read_limited;
use crate::output::Console;

const WHAT: &str = "the provenance";

/// A file of provenance, and what is asked of it.
pub(crate) struct Question<'a> {
    pub(crate) path: &'a Path,
    pub(crate) policy: &'a PolicyArgs,
    pub(crate) signer: &'a SignerArgs,
    pub(crate) lookup: &'a LookupArgs,
    pub(crate) instance: &'a InstanceArgs,
}

/// The attestations of a file that say what was expected, and why the others do not.
pub(crate) struct Provenance {
    path: PathBuf,
    judged: Vec<Judged>,
    refused: Vec<(usize, Failure)>,
}

/// An attestation that says what was expected.
struct Judged {
    index: usize,
    provenance: JudgedProvenance,
    /// The log that was asked for its entry, if it came without one.
    asked_log: Option<String>,
}

/// What is of an artifact.
pub(crate) struct Found<'a> {
    pub(crate) provenance: VerifiedProvenance<'a>,
    /// The log that was asked for its entry, if it came without one.
    pub(crate) asked_log: Option<&'a str>,
}

/// Reads a file of provenance.
pub(super) fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, Failure> {
    read_limited(WHAT, path, MAX_PROVENANCE_BYTES as u64 + 1)
}

impl Provenance {
    /// Reads and judges the attestations of a file. One has to be as expected.
    pub(crate) fn read(question: &Question<'_>, console: &Console) -> Result<Self, Failure> {
        question.signer.require(question.policy)?;
        let bytes = read(question.path)?;
        if is_cloud_build(&bytes) {
            let path = question.path.display();
            return Err(Failure::usage(format!(
                "`{path}` is provenance of Google Cloud Build, which is about images: `provenance verify NAME@sha256:HEX`"
            )));
        }
        Self::judge(question, &bytes, console)
    }

    /// [`Self::read`] for what was read.
    pub(super) fn judge(question: &Question<'_>, bytes: &[u8], console: &Console) -> Result<Self, Failure> {
        let path = question.path;
        let (signer, identity) = question.signer.read(question.policy, question.instance, console)?;
        let expected = question.policy.expectations(identity)?;
        let documents = documents(bytes).map_err(|error| {
            Failure::rejected("invalid_provenance", format!("{WHAT} `{}`: {error}", path.display()))
        })?;
        let trust = signer.trust();
        let mut lookup = question.lookup.open(signer.instance_log())?;
        let mut provenance = Self { path: path.to_owned(), judged: Vec::new(), refused: Vec::new() };
        for (index, document) in documents.iter().enumerate() {
            let (judged, asked_log) = match (document, &mut lookup) {
                (Document::Envelope { envelope, certificate_chain_pem }, Some(lookup)) => {
                    let chain = certificate_chain_pem.as_deref();
                    (lookup.judge(envelope, chain, trust, &expected), Some(lookup.url()))
                }
                _ => {
                    let judged = check_document(document, trust).and_then(|signed| judge(signed, &expected));
                    (judged.map_err(|error| with_hint(error, document, trust)), None)
                }
            };
            match judged {
                Ok(judged) => provenance.judged.push(Judged { index, provenance: judged, asked_log }),
                Err(failure) => provenance.refused.push((index, failure)),
            }
        }
        if provenance.judged.is_empty() { Err(provenance.failure(Vec::new())) } else { Ok(provenance) }
    }

    /// What an artifact has to be hashed with.
    pub(crate) fn algorithms(&self) -> BTreeSet<&'static str> {
        self.judged.iter().flat_map(|judged| judged.provenance.algorithms()).collect()
    }

    /// The first attestation that is of the artifact.
    pub(crate) fn find(&self, artifact: &Artifact, coverage: Coverage) -> Result<Found<'_>, Failure> {
        let mut others = Vec::new();
        for Judged { index, provenance, asked_log } in &self.judged {
            match provenance.find(artifact, coverage) {
                Ok(provenance) => return Ok(Found { provenance, asked_log: asked_log.as_deref() }),
                Err(error) => others.push((*index, Failure::from(error))),
            }
        }
        Err(self.failure(others))
    }

    /// Why none of the attestations holds.
    fn failure(&self, others: Vec<(usize, Failure)>) -> Failure {
        let path = self.path.display();
        let mut failures: Vec<(usize, Failure)> = self.refused.iter().map(|(at, one)| (*at, one.copy())).collect();
        failures.extend(others);
        failures.sort_by_key(|(index, _)| *index);
        if failures.len() == 1
            && let Some((_, only)) = failures.pop()
        {
            return Failure { message: format!("{path}: {}", only.message), ..only };
        }
        // What could not be checked might have held.
        let is_unchecked = failures.iter().any(|(_, failure)| failure.exit == Exit::CouldNotCheck);
        let reasons: Vec<String> =
            failures.iter().map(|(index, failure)| format!("{}: {}", index + 1, failure.message)).collect();
        let message = format!("{path}: none of its {} attestations holds: {}", reasons.len(), reasons.join("; "));
        let exit = if is_unchecked { Exit::CouldNotCheck } else { Exit::Rejected };
        Failure::new(exit, "no_provenance", message)
    }
}

/// What to do about an attestation of another kind of signer than was asked for.
fn with_hint(error: ProvenanceError, document: &Document, trust: ProvenanceTrust<'_>) -> Failure {
    let is_undated = matches!(error, ProvenanceError::Undated);
    let failure = Failure::from(error);
    match (document, trust) {
        (Document::Envelope { .. }, ProvenanceTrust::GitHub(_)) if is_undated => failure.with_hint(
            "--online asks the log; if a key signed it (Tekton Chains, cosign): --key FILE. Beside a signature or a \
                 summary these are --provenance-online and --provenance-key",
        ),
        _ => failure,
    }
}

impl From<ProvenanceError> for Failure {
    fn from(error: ProvenanceError) -> Self {
        let message = error.to_string();
        let failure = |kind| Self::rejected(kind, &message);
        match error {
            ProvenanceError::Signature(error) => failure(sigstore_kind(&error)),
            ProvenanceError::Key(SignatureError::Method { .. }) => failure("wrong_method").with_hint(
                "--repo is for what a workflow on GitHub signed, --key for a key, --certificate-chain for a certificate, \
                 --identity for anybody else who signed with Sigstore",
            ),
            ProvenanceError::Key(error) => Self::signature(error, false),
            ProvenanceError::Bundle(_) | ProvenanceError::Envelope(_) | ProvenanceError::Invalid(_) => {
                failure("invalid_provenance")
            }
            ProvenanceError::Undated => Self::could_not_check("no_log_entry", message),
            ProvenanceError::NoCertificate => failure("no_certificate").with_hint("--certificate FILE gives it"),
            ProvenanceError::Issuer { .. } => failure("wrong_identity_provider"),
            ProvenanceError::NoWorkflow { .. } => failure("wrong_signer"),
            ProvenanceError::UnrecognisedSigner { .. } => failure("unrecognised_signer")
                .with_hint("if you trust it, name it: --builder-id, --signer-workflow or --signer-repo"),
            ProvenanceError::NotReleased { .. } => failure("builder_not_released"),
            ProvenanceError::Builder { .. } => failure("wrong_builder"),
            ProvenanceError::Signer { .. } => failure("wrong_signer"),
            ProvenanceError::BuildType { .. } => failure("wrong_build_type"),
            ProvenanceError::Claim { .. } | ProvenanceError::NoClaim { .. } => failure("contradicts_certificate"),
            ProvenanceError::Trigger { .. } => failure("wrong_trigger"),
            ProvenanceError::Source { .. } => failure("wrong_source"),
            ProvenanceError::Branch { .. } => failure("wrong_branch"),
            ProvenanceError::Tag { .. } => failure("wrong_tag"),
            ProvenanceError::Reference { .. } => failure("wrong_reference"),
            ProvenanceError::Commit { .. } => failure("wrong_commit"),
            ProvenanceError::Input { .. } => failure("wrong_workflow_input"),
            ProvenanceError::SelfHosted { .. } => failure("self_hosted_runner"),
            ProvenanceError::Level { .. } => failure("level_too_low"),
            ProvenanceError::Subject { .. } => failure("wrong_subject"),
            ProvenanceError::Uncovered { .. } => {
                failure("files_not_covered").with_hint("--allow-partial accepts that, and names them in the verdict")
            }
            ProvenanceError::NotTraining { .. } => failure("no_training"),
            ProvenanceError::Material { .. } => failure("wrong_training_input"),
            ProvenanceError::Parameter { .. } => failure("wrong_training_parameter"),
        }
    }
}
