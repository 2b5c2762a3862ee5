//! What a reader of a verdict on provenance by Tekton Chains has to know.

use serde_json::Value;

use super::super::Dependency;
use super::Byproduct;

pub(super) const BUILDER: &str = "`builder.id` is a setting of whoever runs Tekton Chains: it says no more of the \
    builder than the key that signed.";
pub(super) const SOURCE: &str = "The source is what the run said of itself, in parameters or results that are named \
    `CHAINS-GIT_URL` and `CHAINS-GIT_COMMIT` or `…ARTIFACT_INPUTS`: Tekton Chains did not fetch it.";
pub(super) const SOURCES: &str = "The provenance does not say which of the sources the artifact was built from.";
pub(super) const NO_SOURCE: &str = "The run said nothing of its source.";
pub(super) const NO_SOURCE_BESIDE_DEFINITION: &str = "No source is listed beside the definitions of the run. One that is \
    at the same address and commit as a definition can be left out.";

/// The most things that one remark names.
const MAX_NAMED: usize = 8;
/// The longest digest: `sha512:` and 128 digits.
const MAX_DIGEST_CHARACTERS: usize = 135;

/// Which results are subjects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Subjects {
    /// Each that has a name for outputs.
    Named,
    /// Since `slsa/v2alpha4`: images, and what is marked with `isBuildArtifact`.
    Marked,
    /// The document does not show which.
    NamedOrMarked,
}

impl Subjects {
    /// The formats of SLSA v1 have the same build types; they differ in how they name byproducts.
    pub(super) fn of(dependencies: &[Dependency], byproducts: &[Byproduct]) -> Self {
        let names = byproducts.iter().map(|one| one.name.as_str());
        let mut parts = names.map(|name| name.split('/').count());
        if dependencies.iter().any(|one| one.name.starts_with("stepAction/")) || parts.clone().any(|parts| parts == 3) {
            Self::Marked
        } else if parts.any(|parts| parts == 2) {
            Self::Named
        } else {
            Self::NamedOrMarked
        }
    }

    pub(super) fn remark(self) -> &'static str {
        match self {
            Self::Named => {
                "The subjects are what tasks of the run wrote into results that are named `…IMAGE_URL` and \
                `…IMAGE_DIGEST`, `IMAGES`, `…ARTIFACT_URI` and `…ARTIFACT_DIGEST` or `…ARTIFACT_OUTPUTS`: Tekton Chains \
                did not look at the artifacts."
            }
            Self::Marked => {
                "The subjects are what tasks of the run wrote into results that are named `…IMAGE_URL` and \
                `…IMAGE_DIGEST` or `IMAGES`, or `…ARTIFACT_OUTPUTS` and marked by the task with `isBuildArtifact`: Tekton \
                Chains did not look at the artifacts."
            }
            Self::NamedOrMarked => {
                "The subjects are what tasks of the run wrote into results that are named for images or as \
                `…ARTIFACT_OUTPUTS` (since `slsa/v2alpha4` only those that the task marked with `isBuildArtifact`): Tekton \
                Chains did not look at the artifacts."
            }
        }
    }
}

/// Outputs that are byproducts and no subjects: the task named them and did not mark them.
pub(super) fn not_marked(byproducts: &[Byproduct]) -> Option<String> {
    let outputs: Vec<String> = byproducts.iter().filter_map(output).collect();
    (!outputs.is_empty()).then(|| {
        format!(
            "Byproducts are not what this provenance is of, even where they have a digest: {} {} not marked with \
            `isBuildArtifact`.",
            listed(&outputs),
            if outputs.len() == 1 { "was" } else { "were" }
        )
    })
}

/// What stands where a commit should.
pub(super) fn not_commits(texts: &[String]) -> String {
    let texts: Vec<String> = texts.iter().map(|text| format!("`{text}`")).collect();
    format!("A source is not bound to a commit: the run gave {} as one.", listed(&texts))
}

/// A byproduct with a digest: `NAME (sha256:…)`.
fn output(byproduct: &Byproduct) -> Option<String> {
    let name = byproduct.result();
    let value = byproduct.value();
    if value.get("isBuildArtifact").and_then(Value::as_str) == Some("true") {
        return None;
    }
    let digest = if name.ends_with("ARTIFACT_OUTPUTS") {
        value.get("digest").and_then(Value::as_str)?
    } else if name.ends_with("ARTIFACT_DIGEST") {
        value.as_str()?
    } else {
        return None;
    };
    let digest = digest.trim();
    (digest.len() <= MAX_DIGEST_CHARACTERS).then(|| format!("`{name}` ({digest})"))
}

fn listed(texts: &[String]) -> String {
    let more = texts.len().saturating_sub(MAX_NAMED);
    let more = (more > 0).then(|| format!("{more} more"));
    let named = texts.iter().take(MAX_NAMED).map(String::as_str);
    named.chain(more.as_deref()).collect::<Vec<_>>().join(", ")
}
