//! `provenance verify`: that an artifact was built by who was expected from what was expected.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use model_transparency::provenance::cloud_build::VerifiedEntry;
use model_transparency::provenance::{
    ArtifactDigests, Document, Expectations, MAX_PROVENANCE_BYTES, ProvenanceError, Repository, Roots,
    SignerExpectation, SourceExpectation, VerifiedProvenance, claims_digest, documents, is_cloud_build, verify,
};
use model_transparency::sigstore::TrustedRoot;
use zeroize::Zeroizing;

use super::cloud_build;
use crate::args::{Global, InstanceArgs};
use crate::failure::Failure;
use crate::inputs::read_limited;
use crate::instance::resolve;
use crate::output::{Answer, Console, VerifiedArtifact, provenance_answer};

const SOURCE: &str = "What was built";
const SIGNER: &str = "Who built it";

/// Verify SLSA provenance of files, offline
///
/// Verifies what GitHub Actions signs (the builders of slsa-github-generator, and GitHub's artifact attestations) and what
/// Google Cloud Build says of images (`gcloud artifacts docker images describe --show-provenance --format json`). The
/// signature, the signer, the source and the digest have to hold, and what the provenance says has to be what the signer's
/// certificate says, if it has one. The level is what this tool's table says of the builder, never what the provenance says.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// What was built: a file, `sha256:HEX`, `sha512:HEX`, or an image as `NAME@sha256:HEX`
    #[arg(value_name = "FILE_OR_DIGEST", required = true)]
    pub(crate) artifacts: Vec<String>,

    /// The provenance: a Sigstore bundle, several of them (JSON lines), an answer of GitHub's API,
    /// or what gcloud prints
    #[arg(long, value_name = "FILE", visible_alias = "bundle", alias = "attestation-path")]
    pub(crate) provenance_path: PathBuf,

    /// The source repository: github.com/OWNER/NAME; for Google Cloud Build any, or a gs:// object
    #[arg(long, value_name = "URI", help_heading = SOURCE, conflicts_with_all = ["repo", "owner"])]
    pub(super) source_uri: Option<String>,

    /// The source repository: OWNER/NAME
    #[arg(long, short = 'R', value_name = "OWNER/NAME", help_heading = SOURCE, conflicts_with = "owner")]
    pub(super) repo: Option<String>,

    /// The account that the source repository belongs to
    #[arg(long, short = 'o', value_name = "OWNER", help_heading = SOURCE)]
    owner: Option<String>,

    /// The branch that was built, or that the tag was made from where the builder recorded it
    #[arg(long, value_name = "BRANCH", help_heading = SOURCE)]
    pub(super) source_branch: Option<String>,

    /// The tag that was built
    #[arg(long, value_name = "TAG", help_heading = SOURCE, conflicts_with = "source_versioned_tag")]
    pub(super) source_tag: Option<String>,

    /// The version of the tag, or its beginning: v1 means v1.2.3 too
    #[arg(long, value_name = "VERSION", help_heading = SOURCE)]
    pub(super) source_versioned_tag: Option<String>,

    /// The Git reference that was built (refs/heads/main)
    #[arg(long, value_name = "REF", help_heading = SOURCE)]
    source_ref: Option<String>,

    /// The commit that was built
    #[arg(long, value_name = "SHA1", help_heading = SOURCE)]
    pub(super) source_digest: Option<String>,

    /// An input that the workflow was started with by hand; may be given several times
    #[arg(long, value_name = "NAME=VALUE", help_heading = SOURCE)]
    build_workflow_input: Vec<String>,

    /// The builder, with or without @TAG [default: one in the table of recognised signers]
    #[arg(long, value_name = "URI", help_heading = SIGNER)]
    pub(super) builder_id: Option<String>,

    /// The workflow that signed: OWNER/NAME/PATH, with or without @REF
    #[arg(long, value_name = "WORKFLOW", help_heading = SIGNER)]
    signer_workflow: Option<String>,

    /// The repository of the workflow that signed
    #[arg(long, value_name = "OWNER/NAME", help_heading = SIGNER)]
    signer_repo: Option<String>,

    /// The commit of the workflow that signed
    #[arg(long, value_name = "SHA1", help_heading = SIGNER)]
    signer_digest: Option<String>,

    /// Refuse what was built on a runner that GitHub does not host
    #[arg(long, help_heading = SIGNER)]
    deny_self_hosted_runners: bool,

    /// The lowest SLSA Build level that is enough
    #[arg(long, value_name = "LEVEL", value_parser = clap::value_parser!(u8).range(1..=3), help_heading = SIGNER)]
    pub(super) min_level: Option<u8>,

    /// The predicate type [default: any SLSA provenance that is known]
    #[arg(long, value_name = "URI")]
    predicate_type: Option<String>,

    /// Print the provenance too, as it was signed
    #[arg(long)]
    pub(crate) print_provenance: bool,

    #[command(flatten)]
    pub(crate) instance: InstanceArgs,
}

const WHAT: &str = "the provenance";

pub(crate) fn run(args: &Args, _: &Global, console: &Console) -> Result<Answer, Failure> {
    let bytes = read(args)?;
    if is_cloud_build(&bytes) {
        return cloud_build::run(args, &bytes);
    }
    let verified = verify_all(args, &bytes, console)?;
    let answered: Vec<_> = verified.into_iter().map(|(artifact, _)| artifact).collect();
    Ok(provenance_answer(
        &args.provenance_path,
        &answered,
        args.expectations()?.signer.is_given(),
        args.print_provenance,
    ))
}

/// An artifact that was verified, for those who do something with it.
pub(crate) struct Verified {
    /// As it was given.
    pub(crate) name: String,
    /// The digests by which it was verified, in hex.
    pub(crate) digests: BTreeMap<String, String>,
    /// Its SLSA Build level; none where the table of signers does not say.
    pub(crate) level: Option<u8>,
}

/// Verifies as the command does. The first digest is of the file with the provenance, `sha256:HEX`.
pub(crate) fn verified(args: &Args, _: &Global, console: &Console) -> Result<(String, Vec<Verified>), Failure> {
    let bytes = read(args)?;
    let of_file = ArtifactDigests::of(bytes.as_slice(), false)
        .map_err(|error| Failure::unreadable(WHAT, &args.provenance_path, &error))?;
    let one = |name: &str, image: &str, level| {
        let digests = image.split_once(':').map(|(algorithm, hex)| (algorithm.to_owned(), hex.to_owned()));
        Verified { name: name.to_owned(), digests: digests.into_iter().collect(), level }
    };
    let verified = if is_cloud_build(&bytes) {
        let (source, provenance) = cloud_build::read(args, &bytes)?;
        let entries = cloud_build::check_all(args, &source, &provenance)?;
        let image = |(name, entry): (&str, &VerifiedEntry)| {
            Ok(one(name, &digests(name, false)?.describe(), entry.facts().builder.level().number))
        };
        entries.into_iter().map(image).collect::<Result<_, Failure>>()?
    } else {
        let verified = verify_all(args, &bytes, console)?;
        let artifact = |(VerifiedArtifact { name, provenance }, known): (VerifiedArtifact<'_>, ArtifactDigests)| {
            let mut verified = one(name, &known.describe(), provenance.level().number);
            // Of the digests in the provenance those alone that were compared.
            let compared = |algorithm: &str, hex: &str| {
                let mut with = known.clone();
                with.add(algorithm, hex) && with == known
            };
            let claimed = provenance.subject().digest.iter();
            let compared = claimed.filter(|(algorithm, hex)| compared(algorithm, hex));
            verified.digests.extend(compared.map(|(algorithm, hex)| (algorithm.clone(), hex.clone())));
            verified
        };
        verified.into_iter().map(artifact).collect()
    };
    Ok((of_file.describe(), verified))
}

fn read(args: &Args) -> Result<Zeroizing<Vec<u8>>, Failure> {
    args.require_source()?;
    read_limited(WHAT, &args.provenance_path, MAX_PROVENANCE_BYTES as u64 + 1)
}

/// Each artifact with its provenance, and the digests by which it was found.
fn verify_all<'a>(
    args: &'a Args,
    bytes: &[u8],
    console: &Console,
) -> Result<Vec<(VerifiedArtifact<'a>, ArtifactDigests)>, Failure> {
    let path = &args.provenance_path;
    let documents = documents(bytes)
        .map_err(|error| Failure::rejected("invalid_provenance", format!("{WHAT} `{}`: {error}", path.display())))?;
    let expected = args.expectations()?;
    let sha512 = |document: &Document| matches!(document, Document::Bundle(bundle) if claims_digest(bundle, "sha512"));
    let with_sha512 = documents.iter().any(sha512);
    let instance = resolve(&args.instance, console)?;
    let github = (!args.instance.is_given()).then(TrustedRoot::github);
    let roots = Roots { sigstore: instance.root, github };
    let mut verified = Vec::new();
    for name in &args.artifacts {
        let digests = digests(name, with_sha512)?;
        let provenance = one_of(&documents, &digests, &roots, &expected, path)
            .map_err(|failure| Failure { message: format!("`{name}`: {}", failure.message), ..failure })?;
        verified.push((VerifiedArtifact { name, provenance }, digests));
    }
    Ok(verified)
}

impl Args {
    /// Without a source there is no verdict, whatever the file is.
    fn require_source(&self) -> Result<(), Failure> {
        match (&self.source_uri, &self.repo, &self.owner) {
            (None, None, None) => Err(Self::no_source()),
            _ => Ok(()),
        }
    }

    fn no_source() -> Failure {
        Failure::usage(
            "provenance verify needs --source-uri, --repo or --owner: anybody can make provenance of a build of their own",
        )
    }

    /// A flag that was given and is about GitHub alone.
    pub(super) fn github_flag(&self) -> Option<&'static str> {
        let given = [
            ("--owner", self.owner.is_some()),
            ("--source-ref", self.source_ref.is_some()),
            ("--build-workflow-input", !self.build_workflow_input.is_empty()),
            ("--signer-workflow", self.signer_workflow.is_some()),
            ("--signer-repo", self.signer_repo.is_some()),
            ("--signer-digest", self.signer_digest.is_some()),
            ("--deny-self-hosted-runners", self.deny_self_hosted_runners),
            ("--predicate-type", self.predicate_type.is_some()),
            ("an instance of Sigstore", self.instance.is_given()),
        ];
        given.into_iter().find_map(|(flag, is_given)| is_given.then_some(flag))
    }

    fn expectations(&self) -> Result<Expectations, Failure> {
        let repository = |flag: &str, text: &str| {
            let found = Repository::parse(text);
            found.ok_or_else(|| Failure::usage(format!("{flag}: expected a repository on GitHub, found `{text}`")))
        };
        let source = match (&self.source_uri, &self.repo, &self.owner) {
            (Some(uri), ..) => SourceExpectation::Repository(repository("--source-uri", uri)?),
            (None, Some(repo), _) => SourceExpectation::Repository(repository("--repo", repo)?),
            (None, None, Some(owner)) if !owner.is_empty() => SourceExpectation::Owner(owner.clone()),
            (None, None, _) => return Err(Self::no_source()),
        };
        let input = |text: &String| {
            let pair = text.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()));
            pair.ok_or_else(|| Failure::usage(format!("--build-workflow-input: expected NAME=VALUE, found `{text}`")))
        };
        let signer = SignerExpectation {
            builder_id: self.builder_id.clone(),
            workflow: self.signer_workflow.clone(),
            repository: self.signer_repo.as_deref().map(|text| repository("--signer-repo", text)).transpose()?,
            digest: self.signer_digest.clone(),
        };
        let mut expected = Expectations {
            source,
            signer,
            branch: self.source_branch.clone(),
            tag: self.source_tag.clone(),
            versioned_tag: None,
            reference: self.source_ref.clone(),
            commit: self.source_digest.clone(),
            inputs: self.build_workflow_input.iter().map(input).collect::<Result<_, _>>()?,
            deny_self_hosted: self.deny_self_hosted_runners,
            predicate_type: self.predicate_type.clone(),
            min_level: self.min_level,
        };
        if let Some(version) = &self.source_versioned_tag {
            expected
                .expect_versioned_tag(version)
                .map_err(|error| Failure::usage(format!("--source-versioned-tag: {error}")))?;
        }
        Ok(expected)
    }
}

/// The digests of a file, or those that were given.
pub(super) fn digests(artifact: &str, with_sha512: bool) -> Result<ArtifactDigests, Failure> {
    let digest = artifact.rsplit_once('@').map_or(artifact, |(_, digest)| digest);
    if let Some((algorithm @ ("sha256" | "sha512"), hex)) = digest.split_once(':')
        && !Path::new(artifact).exists()
    {
        let mut digests = ArtifactDigests::default();
        return if digests.add(algorithm, hex) {
            Ok(digests)
        } else {
            Err(Failure::usage(format!("expected a digest as `{algorithm}:` and hex digits, found `{artifact}`")))
        };
    }
    let path = Path::new(artifact);
    let unreadable = |error: std::io::Error| Failure::unreadable("the file", path, &error);
    let file = File::open(path).map_err(unreadable)?;
    if file.metadata().map_err(unreadable)?.is_dir() {
        return Err(Failure::usage(format!("`{artifact}` is a directory, expected a file or a digest"))
            .with_hint("name the files of it: each has to be a subject of the provenance"));
    }
    ArtifactDigests::of(file, with_sha512).map_err(unreadable)
}

/// The first attestation that holds for the artifact.
fn one_of(
    documents: &[Document],
    artifact: &ArtifactDigests,
    roots: &Roots,
    expected: &Expectations,
    path: &Path,
) -> Result<VerifiedProvenance, Failure> {
    let mut failures = Vec::new();
    for document in documents {
        let outcome = match document {
            Document::Bundle(bundle) => verify(bundle, artifact, roots, expected).map_err(Failure::from),
            Document::BareEnvelope => Err(Failure::could_not_check(
                "no_log_entry",
                "a DSSE envelope without a transparency log entry: only the log says that its certificate was valid when \
                 it was signed",
            )),
        };
        match outcome {
            Ok(provenance) => return Ok(provenance),
            Err(failure) => failures.push(failure),
        }
    }
    let path = path.display();
    if failures.len() == 1
        && let Some(only) = failures.pop()
    {
        return Err(Failure { message: format!("{path}: {}", only.message), ..only });
    }
    // What could not be checked might have held.
    let unchecked = failures.iter().any(|failure| failure.exit == crate::exit::Exit::CouldNotCheck);
    let reasons: Vec<String> =
        failures.iter().enumerate().map(|(index, failure)| format!("{}: {}", index + 1, failure.message)).collect();
    let message = format!("{path}: none of its {} attestations holds: {}", reasons.len(), reasons.join("; "));
    Err(if unchecked {
        Failure::could_not_check("no_provenance", message)
    } else {
        Failure::rejected("no_provenance", message)
    })
}

impl From<ProvenanceError> for Failure {
    fn from(error: ProvenanceError) -> Self {
        let message = error.to_string();
        let failure = |kind| Self::rejected(kind, &message);
        match error {
            ProvenanceError::Signature(error) => failure(crate::failure::sigstore_kind(&error)),
            ProvenanceError::Invalid(_) => failure("invalid_provenance"),
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
        }
    }
}
