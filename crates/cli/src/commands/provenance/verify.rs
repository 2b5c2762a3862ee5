//! `provenance verify`: that an artifact was built by who was expected from what was expected.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use model_transparency::hash::HashAlgorithm;
use model_transparency::provenance::{Artifact, Match, Subject, is_cloud_build};

use super::artifact::{self, ReadArtifact};
use super::check::{Found, Provenance, Question, read};
use super::cloud_build;
use super::lookup::LookupArgs;
use super::policy::PolicyArgs;
use super::signer::SignerArgs;
use crate::args::{Global, InstanceArgs, ScopeArgs};
use crate::failure::Failure;
use crate::output::{Answer, Console, VerifiedArtifact, provenance_answer};

/// Verify SLSA provenance of models and files, offline unless you say --online
///
/// Verifies what GitHub Actions signs (the builders of slsa-github-generator, and GitHub's artifact attestations), what
/// Tekton Chains, GitLab or anybody signs whose key, certificate or identity you name, and what Google Cloud Build says of
/// images (`gcloud artifacts docker images describe --show-provenance --format json`). The signature, the signer, the source
/// and the digest have to hold, and what the provenance says has to be what the signer's certificate says, if it has one.
/// The level is what this tool's table (or --builder-map) says of the builder, never what the provenance says.
///
/// A model that is a directory is its root digest (what `digest` prints), its dirHash, or all of its files.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// What was built: a model or file, `sha256:HEX`, `sha512:HEX`, or an image as `NAME@sha256:HEX`
    #[arg(value_name = "MODEL_OR_DIGEST", required = true)]
    pub(super) artifacts: Vec<String>,

    #[command(flatten)]
    pub(super) provenance: ProvenanceArgs,

    #[command(flatten)]
    pub(super) signer: SignerArgs,

    #[command(flatten)]
    lookup: LookupArgs,

    #[command(flatten)]
    scope: ScopeArgs,

    /// Print the provenance too, as it was signed
    #[arg(long)]
    pub(super) print_provenance: bool,

    #[command(flatten)]
    pub(super) instance: InstanceArgs,
}

/// Where the provenance is, and what is expected of it.
#[derive(Debug, clap::Args)]
pub(crate) struct ProvenanceArgs {
    /// The provenance: a Sigstore bundle, a DSSE envelope, several of them (JSON lines), an answer of GitHub's API,
    /// or what gcloud prints
    #[arg(long, value_name = "FILE", visible_alias = "bundle", alias = "attestation-path")]
    pub(crate) provenance_path: PathBuf,

    /// A hash that the subject has to name, besides those that are compared anyway
    #[arg(long, value_name = "ALGORITHM", visible_alias = "digest-algorithm", value_parser = ["sha256", "sha512"])]
    pub(super) digest_alg: Option<String>,

    /// Google Cloud Build's public keys (JSON), instead of those that are built in
    #[arg(long, value_name = "FILE")]
    pub(super) cloud_build_keys: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) policy: PolicyArgs,
}

impl ProvenanceArgs {
    /// What an output must not overwrite, besides the provenance.
    pub(crate) fn inputs(&self) -> impl Iterator<Item = (&str, &Path)> {
        let keys = self.cloud_build_keys.iter().map(|path| ("the keys of Google Cloud Build", path.as_path()));
        self.policy.inputs().chain(keys)
    }
}

/// An artifact that was verified, for whoever does something with it.
pub(crate) struct Checked {
    /// As it was given.
    pub(crate) name: String,
    /// What is known of it, by algorithm.
    pub(crate) digests: BTreeMap<String, String>,
    /// The level of its build, if there is one.
    pub(crate) level: Option<u8>,
}

/// What was verified.
pub(crate) struct Outcome {
    pub(crate) answer: Answer,
    pub(crate) checked: Vec<Checked>,
    /// The SHA-256 of the file of provenance, in hex.
    pub(crate) provenance_sha256: String,
}

/// What is verified, by whichever command.
pub(crate) struct Request<'a> {
    pub(crate) artifacts: &'a [String],
    pub(crate) provenance: &'a ProvenanceArgs,
    pub(crate) signer: &'a SignerArgs,
    pub(crate) lookup: &'a LookupArgs,
    pub(crate) scope: &'a ScopeArgs,
    pub(crate) instance: &'a InstanceArgs,
    pub(crate) print_provenance: bool,
}

pub(crate) fn run(args: &Args, global: &Global, console: &Console) -> Result<Answer, Failure> {
    let Args { artifacts, provenance, signer, lookup, scope, print_provenance, instance } = args;
    let request =
        Request { artifacts, provenance, signer, lookup, scope, instance, print_provenance: *print_provenance };
    verify(&request, global, console).map(|outcome| outcome.answer)
}

/// Verifies the provenance of each artifact.
pub(crate) fn verify(request: &Request<'_>, global: &Global, console: &Console) -> Result<Outcome, Failure> {
    let ProvenanceArgs { provenance_path: path, policy, digest_alg, .. } = request.provenance;
    request.signer.require(policy)?;
    let bytes = read(path)?;
    if is_cloud_build(&bytes) {
        return cloud_build::verify(request, &bytes);
    }
    if request.provenance.cloud_build_keys.is_some() {
        let message =
            format!("--cloud-build-keys is for provenance of Google Cloud Build, which `{}` is not", path.display());
        return Err(Failure::usage(message));
    }
    for name in request.artifacts {
        artifact::require(name)?;
    }
    let Request { signer, lookup, instance, .. } = *request;
    let question = Question { path, policy, signer, lookup, instance };
    let provenance = Provenance::judge(&question, &bytes, console)?;
    let provenance_sha256 = HashAlgorithm::Sha256.digest(&bytes).to_hex();
    drop(bytes);
    let mut algorithms = provenance.algorithms();
    algorithms.extend(digest_alg.as_deref());
    let (mut verified, mut checked) = (Vec::new(), Vec::new());
    for name in request.artifacts {
        let ReadArtifact { artifact, ignored } =
            artifact::read(name, &algorithms, request.scope, path, global, console)?;
        let found = provenance
            .find(&artifact, policy.coverage())
            .and_then(|found| require_algorithm(found, digest_alg.as_deref()))
            .map_err(|failure| Failure { message: format!("`{name}`: {}", failure.message), ..failure })?;
        let digests = bound_digests(&artifact, found.provenance.found());
        checked.push(Checked { name: name.clone(), digests, level: found.provenance.level().number });
        verified.push(VerifiedArtifact { name, found, ignored });
    }
    let answer = provenance_answer(path, &verified, policy, request.print_provenance);
    Ok(Outcome { answer, checked, provenance_sha256 })
}

/// The digests of the artifact that the provenance vouches for: not the one that binds the names of files, where the
/// provenance does not.
fn bound_digests(artifact: &Artifact, found: &Match) -> BTreeMap<String, String> {
    let model = match artifact {
        Artifact::Digests(digests) => return digests.by_algorithm().clone(),
        Artifact::Model(model) => model,
    };
    let mut digests = model.whole().clone();
    let binds_names = match found {
        Match::File(_) => false,
        Match::Directory { binds_names, .. } => *binds_names,
        Match::Files { uncovered, renamed, .. } => uncovered.is_empty() && renamed.is_empty(),
    };
    if !binds_names {
        digests.retain(|algorithm, _| algorithm == "sha256");
    }
    digests
}

/// The subject has a digest of the algorithm that was asked for.
fn require_algorithm<'a>(found: Found<'a>, algorithm: Option<&str>) -> Result<Found<'a>, Failure> {
    let Some(algorithm) = algorithm else { return Ok(found) };
    let (has_it, names): (bool, Vec<&str>) = match found.provenance.found() {
        Match::File(Subject { digest, .. }) | Match::Directory { subject: Subject { digest, .. }, .. } => {
            (digest.contains_key(algorithm), digest.keys().map(String::as_str).collect())
        }
        Match::Files { algorithms, .. } => {
            (algorithms.contains(algorithm), algorithms.iter().map(String::as_str).collect())
        }
    };
    if has_it {
        return Ok(found);
    }
    let message = format!("expected a subject with a {algorithm} digest, found one with {}", names.join(", "));
    Err(Failure::rejected("wrong_subject", message))
}
