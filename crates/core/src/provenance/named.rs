//! Provenance by somebody whom the user named: a key, a certificate, an identity. They may say anything of a build, so that
//! nothing but what is expected of it is judged, and no level follows but from a table.

use super::builder_map::MappedSigner;
use super::signed::{SignedBy, SigstoreSigner};
use super::statement::Statement;
use super::{Expectations, Facts, Level, ProvenanceError, SignerExpectation, SourceFacts, tekton, training};
use crate::sigstore::SignerCertificate;
use crate::verify::Evidence;

/// The level of a build by a builder that is in no table.
const UNLISTED: Level =
    Level { number: None, reason: "the signer was named, and this builder of theirs is in no table of levels" };

/// Judges what a signer whom the user named says.
pub(super) fn judge(
    statement: &Statement,
    signed_by: &SignedBy,
    expected: &Expectations,
) -> Result<(Facts, Level), ProvenanceError> {
    expected.check_predicate_type(statement)?;
    let mut facts = match tekton::facts(statement) {
        Some(facts) => facts?,
        None => training::complete(Facts::of(statement)?)?,
    };
    require_comparable(signed_by, expected)?;
    let certificate = match signed_by {
        SignedBy::Workflow(signer) | SignedBy::Identity(signer) => Some(&signer.evidence.certificate),
        SignedBy::Key(_) => None,
    };
    if let Some(certificate) = certificate {
        check_claims(&facts, certificate)?;
        keep_vouched_for(&mut facts.sources, certificate);
    }
    if expected.deny_self_hosted {
        require_hosted_runner(certificate)?;
    }
    expected.check_facts(&facts)?;
    expected.training.check(&facts)?;
    let mapped = expected.builders.level(&names(signed_by), &facts.builder_id);
    let level = mapped.or_else(|| training::level(&facts)).unwrap_or(UNLISTED);
    expected.check_level(level)?;
    Ok((facts, level))
}

/// What the signer may be called in a map of levels.
fn names(signed_by: &SignedBy) -> Vec<MappedSigner> {
    match signed_by {
        SignedBy::Workflow(SigstoreSigner { evidence, .. }) | SignedBy::Identity(SigstoreSigner { evidence, .. }) => {
            let provider = evidence.certificate.issuer.as_deref().unwrap_or_default();
            vec![MappedSigner::Identity(format!("{} {provider}", evidence.identity))]
        }
        SignedBy::Key(evidence) => {
            let Evidence { key_hint, certificate, .. } = &**evidence;
            match certificate {
                None => vec![MappedSigner::Key(key_hint.clone())],
                Some(certificate) => {
                    let names = certificate.path.leaf().names();
                    names.into_iter().map(MappedSigner::Certificate).collect()
                }
            }
        }
    }
}

/// What the job wrote is what the identity provider said of it, where it said so.
fn check_claims(facts: &Facts, certificate: &SignerCertificate) -> Result<(), ProvenanceError> {
    let check = |what: &'static str, claim: &str, found: Vec<&str>| match certificate.claim(claim) {
        Some(expected) if !found.is_empty() && !found.contains(&expected) => {
            let (expected, found) = (expected.to_owned(), found.join("`, `"));
            Err(ProvenanceError::Claim { what, expected, found })
        }
        _ => Ok(()),
    };
    let sources = || facts.sources.iter();
    check("the source repository", "source_repository_uri", sources().map(SourceFacts::repository).collect())?;
    // Of several sources the certificate's is the one that these are of.
    let claimed = certificate.claim("source_repository_uri");
    let own: Vec<_> = sources().filter(|source| claimed.is_none_or(|uri| source.repository() == uri)).collect();
    let references = own.iter().filter_map(|source| source.reference.as_deref());
    check("the source reference", "source_repository_ref", references.collect())?;
    let commits = own.iter().filter_map(|source| source.commit.as_deref());
    check("the source commit", "source_repository_digest", commits.collect())
}

/// Of several sources the certificate says which it was: the others are not what is expected.
fn keep_vouched_for(sources: &mut Vec<SourceFacts>, certificate: &SignerCertificate) {
    let is = |claim: &str, found: Option<&str>| {
        found.zip(certificate.claim(claim)).is_none_or(|(found, claimed)| found == claimed)
    };
    sources.retain(|source| {
        is("source_repository_uri", Some(source.repository()))
            && is("source_repository_ref", source.reference.as_deref())
            && is("source_repository_digest", source.commit.as_deref())
    });
}

/// Refuses expectations of workflows on GitHub, which nothing here could meet.
fn require_comparable(signed_by: &SignedBy, expected: &Expectations) -> Result<(), ProvenanceError> {
    if let Some((name, value)) = expected.inputs.first() {
        let (name, expected) = (name.clone(), value.clone());
        return Err(ProvenanceError::Input { name, expected, found: "none".to_owned() });
    }
    let SignerExpectation { builder_id: _, workflow, repository, digest, identity } = &expected.signer;
    let names_workflow = workflow.is_some() || repository.is_some() || digest.is_some() || identity.is_some();
    match signed_by {
        // Whose these are was compared before.
        SignedBy::Workflow(_) => Ok(()),
        SignedBy::Identity(signer) if names_workflow => {
            Err(ProvenanceError::NoWorkflow { found: format!("`{}`", signer.evidence.identity) })
        }
        SignedBy::Key(_) if names_workflow => Err(ProvenanceError::NoWorkflow { found: "a key".to_owned() }),
        SignedBy::Identity(_) | SignedBy::Key(_) => Ok(()),
    }
}

fn require_hosted_runner(certificate: Option<&SignerCertificate>) -> Result<(), ProvenanceError> {
    match certificate.and_then(|certificate| certificate.claim("runner_environment")) {
        Some("github-hosted" | "gitlab-hosted") => Ok(()),
        found => Err(ProvenanceError::SelfHosted { found: found.unwrap_or("none").to_owned() }),
    }
}
