//! `vsa create`: a summary of what was verified just now.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use model_transparency::output::{Access, Existing, write};
use model_transparency::provenance::Coverage;
use model_transparency::provenance::vsa::{
    InputAttestation, InvalidSummary, Subject, SubjectDigest, VerificationSummary,
};

use crate::args::{Global, InstanceArgs, ScopeArgs, SigningArgs};
use crate::commands::provenance::{Checked, Outcome, ProvenanceArgs, ProvenanceSignerArgs, Request, artifact, verify};
use crate::commands::sign::StatementSigner;
use crate::failure::Failure;
use crate::inputs::now;
use crate::output::{Answer, Console, Written, created_answer};
use crate::signature_file::{check_inside, check_output};

const SUMMARY: &str = "Summary";

/// Verify provenance as `provenance verify` does, and sign what was found: a Verification Summary Attestation (VSA)
///
/// The summary says that the artifact passed, at which SLSA Build level, and which attestation was used. Whoever trusts the
/// signer need not have the provenance: `vsa verify` is enough. If the verification fails nothing is written. Nothing is
/// published but by `--sign sigstore` or `--rekor-url`.
#[derive(Debug, clap::Args)]
// That of the flattened arguments has the name of this struct.
#[group(skip)]
pub(crate) struct Args {
    /// What was built: a model or file, `sha256:HEX`, `sha512:HEX`, or an image as `NAME@sha256:HEX`
    #[arg(value_name = "MODEL_OR_DIGEST", required = true)]
    artifacts: Vec<String>,

    #[command(flatten)]
    provenance: ProvenanceArgs,

    #[command(flatten)]
    provenance_signer: ProvenanceSignerArgs,

    #[command(flatten)]
    scope: ScopeArgs,

    /// Who verifies: the name under which your verifications are known
    #[arg(long, help_heading = SUMMARY, value_name = "URI")]
    verifier_id: String,

    /// What the artifact is: best where those who use it fetch it from
    #[arg(long, help_heading = SUMMARY, value_name = "URI")]
    resource_uri: String,

    /// By which rules you verify, what you ask for with these flags
    #[arg(long, help_heading = SUMMARY, value_name = "URI")]
    policy_uri: String,

    /// A digest of these rules (repeatable)
    #[arg(long, help_heading = SUMMARY, value_name = "ALGORITHM:HEX")]
    policy_digest: Vec<String>,

    /// Where others can fetch the provenance
    #[arg(long, help_heading = SUMMARY, value_name = "URI")]
    provenance_uri: Option<String>,

    /// Where to write the summary
    #[arg(long, help_heading = SUMMARY, value_name = "FILE")]
    output: PathBuf,

    /// Write a bare DSSE envelope, which slsa-verifier reads, not a Sigstore bundle; for methods without a certificate
    #[arg(long, help_heading = SUMMARY)]
    envelope: bool,

    #[command(flatten)]
    signing: SigningArgs,

    #[command(flatten)]
    instance: InstanceArgs,
}

pub(crate) fn run(args: &Args, global: &Global, console: &Console) -> Result<Answer, Failure> {
    args.check()?;
    args.summary(&[], None)?.check().map_err(invalid)?;
    let outcome = verified(args, global, console)?;
    let summary = args.summary(&outcome.checked, Some(&outcome.provenance_sha256))?;
    let statement = summary.to_statement().map_err(invalid)?;
    let signer = StatementSigner::prepare(args.signing.method, &args.signing.with, &args.instance, console)?;
    let signed = signer.sign(statement, console)?;
    let bytes = if args.envelope { signed.bundle.to_envelope_json() } else { signed.bundle.to_json() };
    write(&args.output, &bytes, Access::Everyone, Existing::Replace)?;
    let form = if args.envelope { Written::Envelope } else { Written::Bundle };
    Ok(created_answer(&args.output, form, &summary, &signed))
}

/// Verifies the artifacts.
fn verified(args: &Args, global: &Global, console: &Console) -> Result<Outcome, Failure> {
    let Args { artifacts, provenance, provenance_signer, scope, instance, .. } = args;
    let (signer, lookup) = (&provenance_signer.as_signer(), &provenance_signer.lookup());
    let request = Request { artifacts, provenance, signer, lookup, scope, instance, print_provenance: false };
    verify(&request, global, console)
}

impl Args {
    /// Refuses what could only fail later.
    fn check(&self) -> Result<(), Failure> {
        self.signing.with.check(self.signing.method)?;
        if self.provenance.policy.coverage() == Coverage::Partial {
            return Err(Failure::usage("--allow-partial is not for `vsa create`: a summary speaks of the whole model"));
        }
        let method = self.signing.method;
        if self.envelope && method.has_certificate() {
            let message =
                format!("--envelope is not for --sign {}: an envelope has no place for a certificate", method.name());
            return Err(Failure::usage(message));
        }
        let services = &self.signing.with.services;
        if self.envelope && !(services.tsa_url.is_empty() && services.rekor_url.is_empty()) {
            let flag = if services.tsa_url.is_empty() { "--rekor-url" } else { "--tsa-url" };
            return Err(Failure::usage(format!("--envelope has no place for what {flag} is asked for")));
        }
        let artifacts = self.artifacts.iter().map(|artifact| ("the artifact", Path::new(artifact)));
        let read = [("the provenance", self.provenance.provenance_path.as_path())];
        let inputs: Vec<_> = artifacts
            .chain(read)
            .chain(self.provenance.inputs())
            .chain(self.provenance_signer.inputs())
            .chain(self.instance.inputs())
            .chain(self.signing.with.inputs())
            .collect();
        check_output("--output", &self.output, &inputs)?;
        let models = self.artifacts.iter().filter(|artifact| artifact::digest(artifact).is_none());
        for model in models.filter_map(|model| Path::new(model).canonicalize().ok()) {
            check_inside("--output", &self.output, &model)?;
        }
        Ok(())
    }

    /// What is said of these.
    fn summary(&self, checked: &[Checked], provenance_sha256: Option<&str>) -> Result<VerificationSummary, Failure> {
        let policy_digest = |text: &String| {
            SubjectDigest::parse(text).map_err(|error| Failure::usage(format!("--policy-digest: {error}")))
        };
        let version = ("model-signing".to_owned(), env!("CARGO_PKG_VERSION").to_owned());
        let input = |sha256| InputAttestation { uri: self.provenance_uri.clone(), digest: digest("sha256", sha256) };
        Ok(VerificationSummary {
            subjects: checked.iter().map(subject).collect(),
            verifier_id: self.verifier_id.clone(),
            verifier_version: BTreeMap::from([version]),
            time_verified: now(),
            resource_uri: self.resource_uri.clone(),
            policy_uri: self.policy_uri.clone(),
            policy_digests: self.policy_digest.iter().map(policy_digest).collect::<Result<_, _>>()?,
            input_attestations: provenance_sha256.into_iter().map(input).collect(),
            // Of several artifacts, what is true of each: no level is less than any.
            build_level: checked.iter().map(|one| one.level).min().flatten().map(u32::from),
        })
    }
}

/// An artifact as a subject.
fn subject(checked: &Checked) -> Subject {
    let digests = checked.digests.iter().map(|(algorithm, hex)| digest(algorithm, hex)).collect();
    let name = if artifact::digest(&checked.name).is_some() {
        checked.name.rsplit_once('@').map(|(image, _)| image.to_owned())
    } else {
        // Where the file is here is nobody else's business.
        Path::new(&checked.name).file_name().map(|name| name.to_string_lossy().into_owned())
    };
    Subject { name, digests }
}

fn digest(algorithm: &str, hex: &str) -> SubjectDigest {
    SubjectDigest::new(algorithm.to_owned(), hex.to_owned())
}

fn invalid(error: InvalidSummary) -> Failure {
    let flag = match &error {
        InvalidSummary::Uri { member: "verifier.id", .. } => "--verifier-id",
        InvalidSummary::Uri { member: "resourceUri", .. } => "--resource-uri",
        InvalidSummary::Uri { member: "policy.uri", .. } => "--policy-uri",
        InvalidSummary::Uri { .. } => "--provenance-uri",
        InvalidSummary::Digest { member: "policy.digest", .. } => "--policy-digest",
        InvalidSummary::Digest { .. } | InvalidSummary::NoDigest => "the artifact",
    };
    Failure::usage(format!("{flag}: {error}"))
}
