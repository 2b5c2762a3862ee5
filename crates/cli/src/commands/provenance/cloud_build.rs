//! Provenance of images that Google Cloud Build signs, as `gcloud` prints it.

use model_transparency::hash::HashAlgorithm;
use model_transparency::provenance::Repository;
use model_transparency::provenance::cloud_build::{
    CheckError, CloudBuildKeys, Expected, ImageDigest, InvalidExpectation, MAX_KEYS_BYTES, Mismatch, VersionedTag,
    verify as verify_file,
};

use super::artifact::digest;
use super::policy::PolicyArgs;
use super::verify::{Checked, Outcome, Request};
use crate::failure::Failure;
use crate::inputs::read_limited;
use crate::output::cloud_build_answer;

/// Verifies the images with the keys that the tool was built with, or with those that were given.
pub(super) fn verify(request: &Request<'_>, file: &[u8]) -> Result<Outcome, Failure> {
    let policy = &request.provenance.policy;
    let path = request.provenance.provenance_path.display();
    let other = policy
        .not_for_cloud_build()
        .or_else(|| (request.provenance.digest_alg.as_deref() == Some("sha512")).then_some("--digest-alg sha512"))
        .or_else(|| request.signer.is_given().then_some("a signer"))
        .or_else(|| request.instance.is_given().then_some("an instance of Sigstore"));
    if let Some(flag) = other {
        return Err(Failure::usage(format!("{flag} is not for provenance of Google Cloud Build, which `{path}` is")));
    }
    let source = source(policy)?;
    let provenance = verify_file(file, &keys(request)?)
        .map_err(|error| Failure::rejected("invalid_provenance", format!("{path}: {error}")))?;
    let (mut verified, mut checked) = (Vec::new(), Vec::new());
    for name in request.artifacts {
        let digests = digest(name).ok_or_else(|| {
            Failure::usage(format!(
                "provenance of Google Cloud Build is about images: expected NAME@sha256:HEX, found `{name}`"
            ))
        })??;
        let expected = expected(policy, &digests.describe(), &source)
            .map_err(|error| Failure::usage(format!("`{name}`: {error}")))?;
        let entry = provenance
            .check(&expected)
            .map_err(|error| Failure::rejected(kind(&error), format!("`{name}`: {path}: {error}")))?;
        let level = entry.facts().builder.level().number;
        checked.push(Checked { name: name.clone(), digests: digests.by_algorithm().clone(), level });
        verified.push((name.as_str(), entry));
    }
    let path = &request.provenance.provenance_path;
    let answer = cloud_build_answer(path, &verified, &provenance, request.print_provenance);
    Ok(Outcome { answer, checked, provenance_sha256: HashAlgorithm::Sha256.digest(file).to_hex() })
}

fn source(policy: &PolicyArgs) -> Result<String, Failure> {
    match (&policy.source_uri, &policy.repo) {
        (Some(uri), _) => Ok(uri.clone()),
        (None, Some(repo)) => Repository::parse(repo)
            .map(|repo| repo.url())
            .ok_or_else(|| Failure::usage(format!("--repo: expected a repository on GitHub, found `{repo}`"))),
        (None, None) => Err(Failure::usage(
            "provenance of Google Cloud Build needs --source-uri or --repo: anybody can have it build their own source",
        )),
    }
}

fn keys(request: &Request<'_>) -> Result<CloudBuildKeys, Failure> {
    const WHAT: &str = "the keys of Google Cloud Build";
    let Some(path) = &request.provenance.cloud_build_keys else { return Ok(CloudBuildKeys::embedded()) };
    let bytes = read_limited(WHAT, path, MAX_KEYS_BYTES as u64 + 1)?;
    CloudBuildKeys::from_json(&bytes)
        .map_err(|error| Failure::rejected("invalid_key", format!("{WHAT} `{}`: {error}", path.display())))
}

fn expected(policy: &PolicyArgs, image: &str, source: &str) -> Result<Expected, InvalidExpectation> {
    let mut expected = Expected::new(ImageDigest::parse(image)?, source)?;
    if let Some(builder) = &policy.builder_id {
        expected = expected.builder(builder)?;
    }
    if let Some(branch) = &policy.source_branch {
        expected = expected.branch(branch);
    }
    if let Some(tag) = &policy.source_tag {
        expected = expected.tag(tag);
    }
    if let Some(version) = &policy.source_versioned_tag {
        expected = expected.versioned_tag(VersionedTag::parse(version)?);
    }
    if let Some(commit) = &policy.source_digest {
        expected = expected.commit(commit);
    }
    if let Some(level) = policy.min_level {
        expected = expected.min_level(level);
    }
    Ok(expected)
}

fn kind(error: &CheckError) -> &'static str {
    let mismatches = match error {
        CheckError::Summary { .. } => return "wrong_subject",
        CheckError::NoneMatches { mismatches } => mismatches,
    };
    match mismatches.first().map(|mismatch| &mismatch.reason) {
        Some(Mismatch::Builder { .. }) => "wrong_builder",
        Some(Mismatch::Image { .. } | Mismatch::Resource { .. }) => "wrong_subject",
        Some(Mismatch::Source { .. }) => "wrong_source",
        Some(Mismatch::NoBranch { .. } | Mismatch::Branch { .. }) => "wrong_branch",
        Some(Mismatch::NoTag { .. } | Mismatch::Tag { .. } | Mismatch::VersionedTag { .. }) => "wrong_tag",
        Some(Mismatch::Ref { .. }) => "wrong_reference",
        Some(Mismatch::Commit { .. }) => "wrong_commit",
        Some(Mismatch::Level { .. }) => "level_too_low",
        None => "no_provenance",
    }
}
