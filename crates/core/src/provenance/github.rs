//! Provenance that GitHub Actions signs: slsa-github-generator's builders and GitHub's artifact attestations.

use super::builder_map::MappedSigner;
use super::builders::{self, Family, GENERATOR_WORKFLOWS, GITHUB_HOSTED, Level, Recognised, SELF_HOSTED, recognised};
use super::git::{Repository, Workflow};
use super::predicate::V1;
use super::signed::{SignedBy, SigstoreSigner};
use super::statement::Statement;
use super::{
    Build, Expectations, Facts, InvalidProvenance, ProvenanceError, SourceExpectation, TRAINING_BUILD_TYPE,
    TRAINING_BUILDER, named, training,
};
use crate::sigstore::{SignerCertificate, TrustedRoot};

/// Who vouches for workflows on GitHub.
const ISSUER: &str = "https://token.actions.githubusercontent.com";

/// The instances of Sigstore in which GitHub's workflows sign.
#[derive(Clone, Debug)]
pub struct Roots {
    /// The instance with logs: the public-good one, or one of the user's.
    pub sigstore: TrustedRoot,
    /// GitHub's own, which has timestamps alone ([`TrustedRoot::github`]).
    pub github: Option<TrustedRoot>,
}

/// Judges what a workflow on GitHub signed.
pub(super) fn judge(
    statement: &Statement,
    signer: &SigstoreSigner,
    expected: &Expectations,
) -> Result<(Facts, Level), ProvenanceError> {
    let certificate = &signer.evidence.certificate;
    if certificate.issuer.as_deref() != Some(ISSUER) {
        let found = certificate.issuer.as_ref().map_or_else(|| "nobody".to_owned(), |issuer| format!("`{issuer}`"));
        return Err(ProvenanceError::Issuer { expected: ISSUER, found });
    }
    let workflow = workflow(certificate)?;
    let source = source(certificate)?;
    if !expected.source.as_ref().is_some_and(|expected| expected.includes(&source)) {
        return Err(ProvenanceError::Source { expected: expected.describe_source(), found: format!("`{source}`") });
    }
    let rule = Rule::of(&workflow, &source, certificate, expected)?;
    expected.check_predicate_type(statement)?;
    if training::is_of(statement) {
        // A job may say how it trained a model: the certificate vouches for the source and the signer, and for no more.
        rule.check_training(&workflow, certificate, expected)?;
        check_certificate(certificate, expected)?;
        return named::judge(statement, &SignedBy::Workflow(signer.clone()), expected);
    }
    let build = Build::of(statement, rule.family())?;
    let level = rule.check(&build, &workflow, certificate, expected)?;
    check_claims(&build, &source, certificate, rule.family())?;
    check_certificate(certificate, expected)?;
    expected.check_build(&build)?;
    expected.check_level(level)?;
    let facts = build.into_facts(statement)?;
    expected.training.check(&facts)?;
    Ok((facts, level))
}

/// What a workflow may be called in a map of levels.
fn mapped(signer: &Workflow) -> [MappedSigner; 2] {
    [MappedSigner::Workflow(signer.uri.clone()), MappedSigner::Workflow(signer.to_string())]
}

/// The one workflow that the certificate names.
fn workflow(certificate: &SignerCertificate) -> Result<Workflow, ProvenanceError> {
    let named = match certificate.names.as_slice() {
        [name] => Workflow::parse(name),
        _ => None,
    };
    named.ok_or_else(|| ProvenanceError::NoWorkflow { found: format!("`{}`", certificate.names.join("`, `")) })
}

/// The repository that the workflow ran for.
fn source(certificate: &SignerCertificate) -> Result<Repository, ProvenanceError> {
    let new = certificate.claim("source_repository_uri").map(Repository::from_url);
    let old = certificate.claim("github_workflow_repository").map(Repository::parse);
    match (new, old) {
        (Some(Some(new)), None) | (None, Some(Some(new))) => Ok(new),
        (Some(Some(new)), Some(Some(old))) if new == old => Ok(new),
        _ => Err(ProvenanceError::NoClaim { what: "of which repository the source is" }),
    }
}

/// By which rule the provenance of a signer is judged.
#[derive(Clone, Copy)]
enum Rule {
    /// The signer is in the table.
    Listed(&'static Recognised),
    /// A workflow of the source's own, or one that was asked for.
    Attest { is_own: bool },
}

impl Rule {
    /// Checks who signed.
    fn of(
        signer: &Workflow,
        source: &Repository,
        certificate: &SignerCertificate,
        expected: &Expectations,
    ) -> Result<Self, ProvenanceError> {
        let wanted = &expected.signer;
        let listed = recognised(signer);
        let other = |what, expected: &str, found: &str| ProvenanceError::Signer {
            what,
            expected: expected.to_owned(),
            found: found.to_owned(),
        };
        if let Some(workflow) = &wanted.workflow {
            let path = workflow.strip_prefix("https://").unwrap_or(workflow);
            let uri = format!("https://github.com/{}", path.strip_prefix("github.com/").unwrap_or(path));
            if !signer.is_meant_by(&uri) {
                return Err(other("workflow", &uri, &signer.to_string()));
            }
        }
        if let Some(repository) = &wanted.repository
            && signer.repository != *repository
        {
            return Err(other("repository", &repository.to_string(), &signer.repository.to_string()));
        }
        if let Some(identity) = &wanted.identity
            && !certificate.names.iter().any(|name| identity.fits(name))
        {
            return Err(other("identity", &identity.to_string(), &certificate.names.join("`, `")));
        }
        if let Some(digest) = &wanted.digest {
            let found = certificate.claim("build_signer_digest").unwrap_or("none");
            if found != digest {
                return Err(other("commit", digest, found));
            }
        }
        if let Some(listed) = listed {
            // Whoever is in the table is so at its releases.
            return builders::require_release(signer).map(|()| Self::Listed(listed));
        }
        // These are everybody's.
        let names_nobody = |builder: &str| [GITHUB_HOSTED, SELF_HOSTED, TRAINING_BUILDER].contains(&builder);
        let names_signer = wanted.workflow.is_some()
            || wanted.repository.is_some()
            || wanted.identity.is_some()
            || expected.builders.names_workflow(&mapped(signer))
            || wanted.builder_id.as_deref().is_some_and(|builder| !names_nobody(builder));
        let is_expected = |source: &SourceExpectation| source.includes(&signer.repository);
        if names_signer || expected.source.as_ref().is_some_and(is_expected) {
            return Ok(Self::Attest { is_own: signer.repository == *source });
        }
        Err(ProvenanceError::UnrecognisedSigner { signer: signer.to_string() })
    }

    const fn family(self) -> Family {
        match self {
            Self::Listed(listed) => listed.family,
            Self::Attest { .. } => Family::Attest,
        }
    }

    /// Checks the builder of a training run, of which the document says what the job wrote: who was asked for has to be
    /// whom the certificate names.
    fn check_training(
        self,
        signer: &Workflow,
        certificate: &SignerCertificate,
        expected: &Expectations,
    ) -> Result<(), ProvenanceError> {
        if let Self::Listed(_) = self {
            let (builder, found) = (signer.to_string(), TRAINING_BUILD_TYPE.to_owned());
            return Err(ProvenanceError::BuildType { builder, found });
        }
        let Some(wanted) = expected.signer.builder_id.as_deref() else { return Ok(()) };
        let is_signer = signer.is_meant_by(wanted) && signer.is_release();
        if wanted == TRAINING_BUILDER || wanted == runner(certificate) || is_signer {
            return Ok(());
        }
        Err(ProvenanceError::Builder { expected: wanted.to_owned(), found: signer.to_string() })
    }

    /// Checks the builder that the document names, by the rule of this signer; says the build's level.
    fn check(
        self,
        build: &Build,
        signer: &Workflow,
        certificate: &SignerCertificate,
        expected: &Expectations,
    ) -> Result<Level, ProvenanceError> {
        let makes = match self {
            Self::Listed(listed) => listed.makes(&build.build_type),
            Self::Attest { .. } => builders::attest_makes(&build.build_type),
        };
        if !makes {
            let found = build.build_type.clone();
            return Err(ProvenanceError::BuildType { builder: signer.to_string(), found });
        }
        let other = |expected: &str, found: &str| ProvenanceError::Builder {
            expected: expected.to_owned(),
            found: found.to_owned(),
        };
        let found = build.builder_id.as_str();
        let wanted = expected.signer.builder_id.as_deref();
        let runner_claim = certificate.claim("runner_environment");
        let is_hosted = runner(certificate) == GITHUB_HOSTED;
        match self.family() {
            Family::Generator | Family::ContainerBased => {
                if found != signer.to_string() {
                    return Err(other(&signer.to_string(), found));
                }
                if let Some(wanted) = wanted
                    && !signer.is_meant_by(wanted)
                {
                    return Err(other(wanted, found));
                }
            }
            Family::Delegator => {
                let named = Workflow::parse(found).ok_or_else(|| other(wanted.unwrap_or("a workflow"), found))?;
                builders::require_delegated_release(&named)?;
                match wanted {
                    Some(wanted) if named.is_meant_by(wanted) => {}
                    Some(wanted) => return Err(other(wanted, found)),
                    None if named.uri.starts_with(GENERATOR_WORKFLOWS) => {}
                    None if expected.builders.level(&mapped(signer), found).is_some() => {}
                    None => return Err(ProvenanceError::UnrecognisedSigner { signer: found.to_owned() }),
                }
            }
            Family::Attest => {
                let runner = runner(certificate);
                if found != runner && found != signer.to_string() {
                    return Err(other(runner, found));
                }
                match wanted {
                    Some(wanted) if wanted == runner && found == runner => {}
                    Some(wanted) if signer.is_meant_by(wanted) => builders::require_release(signer)?,
                    Some(wanted) => return Err(other(wanted, &signer.to_string())),
                    None => {}
                }
            }
        }
        if let Some(level) = expected.builders.level(&mapped(signer), found) {
            return Ok(level);
        }
        Ok(match self {
            // The first certificates do not say where a workflow ran: slsa-github-generator's builders ask for GitHub's
            // runners themselves.
            Self::Listed(listed) if is_hosted || (listed.family != Family::Attest && runner_claim.is_none()) => {
                listed.level(found)
            }
            Self::Attest { is_own: true } if is_hosted => Level::OWN_WORKFLOW,
            Self::Attest { is_own: false } => Level::UNLISTED,
            Self::Listed(_) | Self::Attest { .. } => Level::SELF_HOSTED,
        })
    }
}

/// `builder.id` of whatever runs where the certificate says that the job ran.
fn runner(certificate: &SignerCertificate) -> &'static str {
    match certificate.claim("runner_environment") {
        Some("github-hosted") => GITHUB_HOSTED,
        _ => SELF_HOSTED,
    }
}

/// Compares what the document says with what the certificate says.
///
/// GitHub vouches for the certificate. Where the job itself wrote the document, nobody else vouches for it: what the
/// certificate does not say is refused there.
fn check_claims(
    build: &Build,
    source: &Repository,
    certificate: &SignerCertificate,
    family: Family,
) -> Result<(), ProvenanceError> {
    let needs_claims = family == Family::Attest;
    let check = |what: &'static str, found: Option<&str>, claims: &[&str]| {
        let Some(found) = found else { return Ok(()) };
        let mut is_claimed = false;
        for expected in claims.iter().filter_map(|claim| certificate.claim(claim)) {
            is_claimed = true;
            if expected != found {
                return Err(ProvenanceError::Claim { what, expected: expected.to_owned(), found: found.to_owned() });
            }
        }
        if is_claimed || !needs_claims { Ok(()) } else { Err(ProvenanceError::NoClaim { what }) }
    };
    let url = build.trigger.repository.url();
    if build.trigger.repository != *source {
        return Err(ProvenanceError::Claim { what: "the source repository", expected: source.url(), found: url });
    }
    let references = ["source_repository_ref", "github_workflow_ref"];
    check("the source reference", build.trigger.reference.as_deref(), &references)?;
    if build.source.reference.is_some() {
        let commit = build.commit.as_deref();
        let member = "resolvedDependencies[0].digest";
        let commit =
            commit.ok_or(InvalidProvenance::Member { member, expected: "a commit (`gitCommit` or `sha1`)" })?;
        check("the source commit", Some(commit), &["source_repository_digest", "github_workflow_sha"])?;
    }
    check("the event", build.event.as_deref(), &["build_trigger", "github_workflow_trigger"])?;
    let workflow = build.workflow_path.as_ref().zip(build.trigger.reference.as_ref());
    let workflow = workflow.map(|(path, reference)| format!("{url}/{path}@{reference}"));
    check("the workflow", workflow.as_deref(), &["build_config_uri"])?;
    if build.predicate_type == V1 {
        check("the run", build.invocation.as_deref(), &["run_invocation_uri"])?;
    } else {
        check_run(build, source, certificate)?;
    }
    let variables: &[(&str, &[&str])] = match family {
        Family::Attest => &[
            ("repository_id", &["source_repository_identifier"]),
            ("repository_owner_id", &["source_repository_owner_identifier"]),
            ("runner_environment", &["runner_environment"]),
        ],
        Family::Generator | Family::ContainerBased | Family::Delegator => &[
            ("GITHUB_REPOSITORY_ID", &["source_repository_identifier"]),
            ("GITHUB_REPOSITORY_OWNER_ID", &["source_repository_owner_identifier"]),
            ("GITHUB_REPOSITORY", &["github_workflow_repository"]),
            ("GITHUB_REF", &["source_repository_ref", "github_workflow_ref"]),
            ("GITHUB_SHA", &["source_repository_digest", "github_workflow_sha"]),
            ("GITHUB_SHA1", &["source_repository_digest", "github_workflow_sha"]),
            ("GITHUB_WORKFLOW_SHA", &["build_config_digest"]),
        ],
    };
    for (name, claims) in variables {
        check("a variable of the job to be", build.variable(name).as_deref(), claims)?;
    }
    Ok(())
}

/// v0.2 writes the run `RUN-ATTEMPT`, and the certificate `https://github.com/OWNER/NAME/actions/runs/RUN/attempts/ATTEMPT`.
fn check_run(build: &Build, source: &Repository, certificate: &SignerCertificate) -> Result<(), ProvenanceError> {
    let path = format!("{}/actions/runs/", source.url());
    let claimed =
        certificate.claim("run_invocation_uri").and_then(|uri| uri.strip_prefix(&path)?.split_once("/attempts/"));
    match (claimed.map(|(run, attempt)| format!("{run}-{attempt}")), &build.invocation) {
        (Some(expected), Some(found)) if expected != *found => {
            Err(ProvenanceError::Claim { what: "the run", expected, found: found.clone() })
        }
        _ => Ok(()),
    }
}

/// Checks what only the certificate says.
fn check_certificate(certificate: &SignerCertificate, expected: &Expectations) -> Result<(), ProvenanceError> {
    let claim = |name: &str, old: &str| certificate.claim(name).or_else(|| certificate.claim(old)).unwrap_or("none");
    if expected.deny_self_hosted && certificate.claim("runner_environment") != Some("github-hosted") {
        let found = certificate.claim("runner_environment").unwrap_or("none").to_owned();
        return Err(ProvenanceError::SelfHosted { found });
    }
    if let Some(reference) = &expected.reference {
        let found = claim("source_repository_ref", "github_workflow_ref");
        if found != reference {
            return Err(ProvenanceError::Reference { expected: reference.clone(), found: found.to_owned() });
        }
    }
    if let Some(commit) = &expected.commit {
        let found = claim("source_repository_digest", "github_workflow_sha");
        if found != commit {
            return Err(ProvenanceError::Commit { expected: commit.clone(), found: found.to_owned() });
        }
    }
    Ok(())
}
