//! Provenance of images that Google Cloud Build signs, as `gcloud` prints it.

use model_transparency::provenance::Repository;
use model_transparency::provenance::cloud_build::{
    CheckError, CloudBuildKeys, Expected, ImageDigest, InvalidExpectation, Mismatch, Source, VerifiedEntry,
    VerifiedProvenance, VersionedTag, verify,
};

use super::verify::{Args, digests};
use crate::failure::Failure;
use crate::output::{Answer, cloud_build_answer};

/// Verifies the images with the keys that the tool was built with.
pub(super) fn run(args: &Args, file: &[u8]) -> Result<Answer, Failure> {
    let (source, provenance) = read(args, file)?;
    let verified = check_all(args, &source, &provenance)?;
    Ok(cloud_build_answer(&args.provenance_path, &verified, &provenance, args.print_provenance))
}

/// The source that is asked for, and what is signed.
pub(super) fn read(args: &Args, file: &[u8]) -> Result<(String, VerifiedProvenance), Failure> {
    let path = args.provenance_path.display();
    if let Some(flag) = args.github_flag() {
        return Err(Failure::usage(format!("{flag} is not for provenance of Google Cloud Build, which `{path}` is")));
    }
    let source = match (&args.source_uri, &args.repo) {
        (Some(uri), _) => uri.clone(),
        (None, Some(repo)) => Repository::parse(repo)
            .map(|repo| repo.url())
            .ok_or_else(|| Failure::usage(format!("--repo: expected a repository on GitHub, found `{repo}`")))?,
        (None, None) => {
            return Err(Failure::usage(
                "provenance of Google Cloud Build needs --source-uri or --repo: anybody can have it \
                                       build their own source",
            ));
        }
    };
    let provenance = verify(file, &CloudBuildKeys::embedded())
        .map_err(|error| Failure::rejected("invalid_provenance", format!("{path}: {error}")))?;
    Ok((source, provenance))
}

/// Each image with what is signed of it.
pub(super) fn check_all<'a>(
    args: &'a Args,
    source: &str,
    provenance: &'a VerifiedProvenance,
) -> Result<Vec<(&'a str, &'a VerifiedEntry)>, Failure> {
    let path = args.provenance_path.display();
    let mut verified = Vec::new();
    for name in &args.artifacts {
        let image = digests(name, false)?.describe();
        let expected = expected(args, &image, source).map_err(|error| Failure::usage(format!("`{name}`: {error}")))?;
        let entry = provenance
            .check(&expected)
            .map_err(|error| Failure::rejected(kind(&error), format!("`{name}`: {path}: {error}")))?;
        if let Some(commit) = &args.source_digest {
            let found = match &entry.facts().source {
                Source::Git { commit, .. } => commit.as_str(),
                Source::Storage { .. } => "none",
            };
            if commit != found {
                let message = format!("`{name}`: {path}: expected the source commit `{commit}`, found `{found}`");
                return Err(Failure::rejected("wrong_commit", message));
            }
        }
        let level = entry.facts().builder.level();
        if let Some(least) = args.min_level
            && level.number.is_none_or(|number| number < least)
        {
            let message = format!("`{name}`: {path}: expected SLSA Build level {least} at least, found {level}");
            return Err(Failure::rejected("level_too_low", message));
        }
        verified.push((name.as_str(), entry));
    }
    Ok(verified)
}

fn expected(args: &Args, image: &str, source: &str) -> Result<Expected, InvalidExpectation> {
    let mut expected = Expected::new(ImageDigest::parse(image)?, source)?;
    if let Some(builder) = &args.builder_id {
        expected = expected.builder(builder)?;
    }
    if let Some(branch) = &args.source_branch {
        expected = expected.branch(branch);
    }
    if let Some(tag) = &args.source_tag {
        expected = expected.tag(tag);
    }
    if let Some(version) = &args.source_versioned_tag {
        expected = expected.versioned_tag(VersionedTag::parse(version)?);
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
        None => "no_provenance",
    }
}
