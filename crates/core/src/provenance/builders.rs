//! Who makes provenance on GitHub, by which rules, and what level their builds have: the one place where levels are.

use std::fmt;

use super::ProvenanceError;
use super::git::Workflow;

/// Builders that write their provenance by the same rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    /// slsa-github-generator's generators and its Go builder: SLSA v0.2, and `builder.id` is the workflow that signs.
    Generator,
    /// slsa-github-generator's container-based builder: SLSA v1, and `builder.id` is the workflow that signs.
    ContainerBased,
    /// slsa-github-generator's delegators: SLSA v1, and `builder.id` is the workflow that called, at a release.
    Delegator,
    /// `actions/attest`: the job that is described writes the predicate itself.
    Attest,
}

impl Family {
    /// The external parameters that the build types have.
    pub(super) const fn external_parameters(self) -> &'static [&'static str] {
        match self {
            Self::Generator => &[],
            Self::ContainerBased => &["source", "builderImage", "configPath", "buildConfig"],
            Self::Delegator => &["inputs", "vars"],
            Self::Attest => &["workflow", "inputs", "vars"],
        }
    }

    const fn build_types(self) -> &'static [&'static str] {
        match self {
            Self::Generator => &[],
            Self::ContainerBased => &["https://slsa.dev/container-based-build/v0.1?draft"],
            Self::Delegator => &["https://github.com/slsa-framework/slsa-github-generator/delegator-generic@v0"],
            Self::Attest => &[
                "https://actions.github.io/buildtypes/workflow/v1",
                "https://slsa-framework.github.io/github-actions-buildtypes/workflow/v1",
            ],
        }
    }
}

/// What the table says of a signer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Recognised {
    /// The workflow, without its reference.
    workflow: &'static str,
    pub(super) family: Family,
    /// The level of a build that the signer vouches for as its own.
    level: u8,
    build_types: &'static [&'static str],
}

impl Recognised {
    const fn new(workflow: &'static str, family: Family, level: u8) -> Self {
        Self { workflow, family, level, build_types: family.build_types() }
    }

    const fn generator(workflow: &'static str, build_types: &'static [&'static str]) -> Self {
        Self { workflow, family: Family::Generator, level: 3, build_types }
    }
}

/// Where the builders of slsa-github-generator are.
pub(super) const GENERATOR_WORKFLOWS: &str =
    "https://github.com/slsa-framework/slsa-github-generator/.github/workflows/";

/// Where JReleaser's builders are, which are called by a delegator.
const JRELEASER_WORKFLOWS: &str = "https://github.com/jreleaser/release-action/";

/// `builder.id` of whatever runs on a runner that GitHub hosts.
pub(super) const GITHUB_HOSTED: &str = "https://github.com/actions/runner/github-hosted";
pub(super) const SELF_HOSTED: &str = "https://github.com/actions/runner/self-hosted";

const TABLE: [Recognised; 8] = [
    Recognised::generator(
        "https://github.com/slsa-framework/slsa-github-generator/.github/workflows/generator_generic_slsa3.yml",
        &["https://github.com/slsa-framework/slsa-github-generator/generic@v1"],
    ),
    Recognised::generator(
        "https://github.com/slsa-framework/slsa-github-generator/.github/workflows/generator_container_slsa3.yml",
        &["https://github.com/slsa-framework/slsa-github-generator/container@v1"],
    ),
    Recognised::generator(
        "https://github.com/slsa-framework/slsa-github-generator/.github/workflows/builder_go_slsa3.yml",
        &[
            "https://github.com/slsa-framework/slsa-github-generator/go@v1",
            "https://github.com/slsa-framework/slsa-github-generator@v1",
            "https://github.com/slsa-framework/slsa-github-generator-go@v1",
        ],
    ),
    Recognised::new(
        "https://github.com/slsa-framework/slsa-github-generator/.github/workflows/builder_container-based_slsa3.yml",
        Family::ContainerBased,
        3,
    ),
    Recognised::new(
        "https://github.com/slsa-framework/slsa-github-generator/.github/workflows/delegator_generic_slsa3.yml",
        Family::Delegator,
        3,
    ),
    Recognised::new(
        "https://github.com/slsa-framework/slsa-github-generator/.github/workflows/delegator_lowperms-generic_slsa3.yml",
        Family::Delegator,
        3,
    ),
    Recognised::new(
        "https://github.com/bazel-contrib/publish-to-bcr/.github/workflows/publish.yaml",
        Family::Attest,
        2,
    ),
    Recognised::new(
        "https://github.com/bazel-contrib/.github/.github/workflows/release_ruleset.yaml",
        Family::Attest,
        2,
    ),
];

/// What the table says of the workflow that signed.
pub(super) fn recognised(signer: &Workflow) -> Option<&'static Recognised> {
    TABLE.iter().find(|entry| entry.workflow == signer.uri)
}

impl Recognised {
    /// Whether its builds have this type.
    pub(super) fn makes(&self, build_type: &str) -> bool {
        self.build_types.contains(&build_type)
    }

    /// The level of one of its builds.
    pub(super) fn level(&self, builder_id: &str) -> Level {
        match self.family {
            Family::Delegator if !builder_id.starts_with(GENERATOR_WORKFLOWS) => Level {
                number: Some(1),
                reason: "the delegator that signed is recognised, and the builder that it names is in no table",
            },
            Family::Attest => Level {
                number: Some(self.level),
                reason: "a recognised workflow on runners that GitHub hosts, whose job wrote the provenance itself",
            },
            Family::Generator | Family::ContainerBased | Family::Delegator => Level {
                number: Some(self.level),
                reason: "a recognised builder, which wrote the provenance apart from the build",
            },
        }
    }
}

/// Checks that a signer is at a release.
pub(super) fn require_release(signer: &Workflow) -> Result<(), ProvenanceError> {
    if signer.is_release() { Ok(()) } else { Err(not_released("vX.Y.Z", signer)) }
}

/// Checks that a builder whom a delegator names is at a release.
pub(super) fn require_delegated_release(builder: &Workflow) -> Result<(), ProvenanceError> {
    // Tags of JReleaser's action say for which language they are; those that do not are of no builder.
    if !builder.uri.starts_with(JRELEASER_WORKFLOWS) {
        require_release(builder)
    } else if builder.is_release_for("java") {
        Ok(())
    } else {
        Err(not_released("vX.Y.Z-java", builder))
    }
}

fn not_released(expected: &'static str, found: &Workflow) -> ProvenanceError {
    ProvenanceError::NotReleased { expected, found: found.to_string() }
}

/// Whether `actions/attest` makes this build type.
pub(super) fn attest_makes(build_type: &str) -> bool {
    Family::Attest.build_types().contains(&build_type)
}

/// The level of a build: what the table of recognised signers says, never what a document does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Level {
    /// SLSA Build level 1 to 3; none for a signer in no table.
    pub number: Option<u8>,
    /// Why.
    pub reason: &'static str,
}

impl Level {
    /// A build that a repository's own workflow attests.
    pub(super) const OWN_WORKFLOW: Self = Self {
        number: Some(2),
        reason: "a workflow of the source repository on runners that GitHub hosts, whose job wrote the provenance itself",
    };
    /// On machines of the repository's owner nothing keeps the build from the provenance.
    pub(super) const SELF_HOSTED: Self =
        Self { number: Some(1), reason: "the runner is not one that GitHub hosts, or nobody says that it is" };
    /// A signer that the user named.
    pub(super) const UNLISTED: Self =
        Self { number: None, reason: "the signer was asked for, and is in no table of recognised signers" };
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.number {
            Some(number) => write!(f, "SLSA Build level {number}: {}", self.reason),
            None => write!(f, "no level: {}", self.reason),
        }
    }
}
