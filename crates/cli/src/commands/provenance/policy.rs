//! What is expected of provenance: the flags of `provenance verify`, and of the commands that check provenance beside
//! something else.

use std::path::{Path, PathBuf};

use model_transparency::certificate::IdentityRule;
use model_transparency::provenance::{
    BuilderMap, Coverage, Expectations, InputExpectation, MAX_BUILDER_MAP_BYTES, Repository, SignerExpectation,
    SourceExpectation, TrainingExpectations,
};

use crate::failure::Failure;
use crate::inputs::read_limited;

const SOURCE: &str = "Provenance: what was built";
const SIGNER: &str = "Provenance: who built it";
const TRAINING: &str = "Provenance: what the model was trained with";

/// What is expected of provenance.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct PolicyArgs {
    /// The source repository: github.com/OWNER/NAME; with a signer that was named and for Google Cloud Build any address,
    /// or a gs:// object
    #[arg(long, value_name = "URI", help_heading = SOURCE, conflicts_with_all = ["repo", "owner"])]
    pub(super) source_uri: Option<String>,

    /// The source repository on GitHub: OWNER/NAME
    #[arg(long, short = 'R', value_name = "OWNER/NAME", help_heading = SOURCE, conflicts_with = "owner")]
    pub(super) repo: Option<String>,

    /// The account on GitHub that the source repository belongs to
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
    #[arg(long, value_name = "SHA1", help_heading = SOURCE, visible_alias = "expect-source-commit")]
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

    /// Refuse what was built on a runner that GitHub (or GitLab) does not host
    #[arg(long, help_heading = SIGNER)]
    deny_self_hosted_runners: bool,

    /// The lowest SLSA Build level that is enough
    #[arg(long, value_name = "LEVEL", value_parser = clap::value_parser!(u8).range(1..=3), help_heading = SIGNER)]
    pub(super) min_level: Option<u8>,

    /// Levels of builders of your own (JSON): {"builders": [{"signer": {"workflow": URI}, "builder_id": URI, "level": 2}]}
    ///
    /// A signer is {"workflow": URI}, {"identity": "NAME PROVIDER"}, {"key": HINT} or {"certificate": NAME}, compared as it
    /// is with what the verdict shows.
    #[arg(long, value_name = "FILE", help_heading = SIGNER)]
    builder_map: Option<PathBuf>,

    /// The predicate type [default: any SLSA provenance that is known]
    #[arg(long, value_name = "URI", help_heading = SIGNER)]
    predicate_type: Option<String>,

    /// Of a model that is a directory, accept that some files are no subject; the verdict names them
    #[arg(long, help_heading = SOURCE)]
    allow_partial: bool,

    /// A dataset that the model has to be trained on; there must be no other but those given so
    #[arg(long, value_name = "URI[@sha256:HEX]", help_heading = TRAINING)]
    expect_dataset: Vec<String>,

    /// A model that it has to be made from; there must be no other but those given so
    #[arg(long, value_name = "URI[@sha256:HEX]", help_heading = TRAINING)]
    expect_base_model: Vec<String>,

    /// A parameter of the training with its value; there must be no other but those given and allowed
    #[arg(long, value_name = "NAME=VALUE", help_heading = TRAINING)]
    expect_param: Vec<String>,

    /// A parameter of the training that may have any value
    #[arg(long, value_name = "NAME", help_heading = TRAINING)]
    allow_param: Vec<String>,
}

impl PolicyArgs {
    /// Whether a source was named.
    pub(crate) fn names_source(&self) -> bool {
        self.source_uri.is_some() || self.repo.is_some() || self.owner.is_some()
    }

    /// A workflow on GitHub builds what is on GitHub.
    pub(super) fn require_github(&self) -> Result<(), Failure> {
        match &self.source_uri {
            Some(uri) if Repository::parse(uri).is_none() => Err(Failure::usage(format!(
                "--source-uri: expected a repository on GitHub, found `{uri}`"
            ))
            .with_hint("of what others build, say whose signature counts: --key, --certificate-chain or --identity")),
            _ => Ok(()),
        }
    }

    /// Whether the workflow that signed was named.
    pub(crate) fn names_signer(&self) -> bool {
        self.builder_id.is_some()
            || self.signer_workflow.is_some()
            || self.signer_repo.is_some()
            || self.signer_digest.is_some()
    }

    /// The first flag that was given, of all.
    pub(crate) fn first_flag(&self) -> Option<&'static str> {
        let of_source = [
            ("--source-uri", self.source_uri.is_some()),
            ("--repo", self.repo.is_some()),
            ("--owner", self.owner.is_some()),
            ("--source-branch", self.source_branch.is_some()),
            ("--source-tag", self.source_tag.is_some()),
            ("--source-versioned-tag", self.source_versioned_tag.is_some()),
            ("--source-ref", self.source_ref.is_some()),
            ("--source-digest", self.source_digest.is_some()),
            ("--builder-id", self.builder_id.is_some()),
            ("--deny-self-hosted-runners", self.deny_self_hosted_runners),
            ("--min-level", self.min_level.is_some()),
            ("--builder-map", self.builder_map.is_some()),
            ("--predicate-type", self.predicate_type.is_some()),
            ("--allow-partial", self.allow_partial),
        ];
        given(&of_source).or_else(|| self.workflow_flag()).or_else(|| self.training_flag())
    }

    /// A flag that was given and is about workflows on GitHub alone.
    pub(super) fn workflow_flag(&self) -> Option<&'static str> {
        given(&[
            ("--build-workflow-input", !self.build_workflow_input.is_empty()),
            ("--signer-workflow", self.signer_workflow.is_some()),
            ("--signer-repo", self.signer_repo.is_some()),
            ("--signer-digest", self.signer_digest.is_some()),
        ])
    }

    /// Whether something was expected of training.
    pub(crate) fn names_training(&self) -> bool {
        self.training_flag().is_some()
    }

    fn training_flag(&self) -> Option<&'static str> {
        given(&[
            ("--expect-dataset", !self.expect_dataset.is_empty()),
            ("--expect-base-model", !self.expect_base_model.is_empty()),
            ("--expect-param", !self.expect_param.is_empty()),
            ("--allow-param", !self.allow_param.is_empty()),
        ])
    }

    /// A flag that was given and says nothing to Google Cloud Build.
    pub(super) fn not_for_cloud_build(&self) -> Option<&'static str> {
        let others = [
            ("--owner", self.owner.is_some()),
            ("--source-ref", self.source_ref.is_some()),
            ("--deny-self-hosted-runners", self.deny_self_hosted_runners),
            ("--predicate-type", self.predicate_type.is_some()),
            ("--builder-map", self.builder_map.is_some()),
            ("--allow-partial", self.allow_partial),
        ];
        given(&others).or_else(|| self.workflow_flag()).or_else(|| self.training_flag())
    }

    /// Whether every file of a directory has to be a subject.
    pub(crate) fn coverage(&self) -> Coverage {
        if self.allow_partial { Coverage::Partial } else { Coverage::Whole }
    }

    /// What an output must not overwrite.
    pub(crate) fn inputs(&self) -> impl Iterator<Item = (&str, &Path)> {
        self.builder_map.iter().map(|path| ("the builder map", path.as_path()))
    }

    /// What is expected; of a workflow on GitHub with `identity` what its certificate has to name.
    pub(super) fn expectations(&self, identity: Option<IdentityRule>) -> Result<Expectations, Failure> {
        let repository = |flag: &str, text: &str| {
            let found = Repository::parse(text);
            found.ok_or_else(|| Failure::usage(format!("{flag}: expected a repository on GitHub, found `{text}`")))
        };
        let source = match (&self.source_uri, &self.repo, &self.owner) {
            (Some(uri), ..) if uri.is_empty() => {
                return Err(Failure::usage("--source-uri: expected an address, found none"));
            }
            (Some(uri), ..) => Some(SourceExpectation::Uri(uri.clone())),
            (None, Some(repo), _) => Some(SourceExpectation::Repository(repository("--repo", repo)?)),
            (None, None, Some(owner)) if owner.is_empty() || owner.contains('/') => {
                return Err(Failure::usage(format!("--owner: expected an account on GitHub, found `{owner}`")));
            }
            (None, None, owner) => owner.clone().map(SourceExpectation::Owner),
        };
        let signer = SignerExpectation {
            builder_id: self.builder_id.clone(),
            workflow: self.signer_workflow.clone(),
            repository: self.signer_repo.as_deref().map(|text| repository("--signer-repo", text)).transpose()?,
            digest: self.signer_digest.clone(),
            identity,
        };
        let mut expected = Expectations {
            source,
            signer,
            branch: self.source_branch.clone(),
            tag: self.source_tag.clone(),
            versioned_tag: None,
            reference: self.source_ref.clone(),
            commit: self.source_digest.clone(),
            inputs: pairs("--build-workflow-input", &self.build_workflow_input)?,
            deny_self_hosted: self.deny_self_hosted_runners,
            predicate_type: self.predicate_type.clone(),
            min_level: self.min_level,
            builders: self.builders()?,
            training: TrainingExpectations {
                datasets: inputs("--expect-dataset", &self.expect_dataset)?,
                base_models: inputs("--expect-base-model", &self.expect_base_model)?,
                parameters: pairs("--expect-param", &self.expect_param)?,
                allowed_parameters: self.allow_param.clone(),
            },
        };
        if let Some(version) = &self.source_versioned_tag {
            expected
                .expect_versioned_tag(version)
                .map_err(|error| Failure::usage(format!("--source-versioned-tag: {error}")))?;
        }
        Ok(expected)
    }

    fn builders(&self) -> Result<BuilderMap, Failure> {
        const WHAT: &str = "the builder map";
        let Some(path) = &self.builder_map else { return Ok(BuilderMap::default()) };
        let bytes = read_limited(WHAT, path, MAX_BUILDER_MAP_BYTES as u64 + 1)?;
        BuilderMap::from_json(&bytes)
            .map_err(|error| Failure::rejected("invalid_builder_map", format!("{WHAT} `{}`: {error}", path.display())))
    }
}

fn given(flags: &[(&'static str, bool)]) -> Option<&'static str> {
    flags.iter().find_map(|(flag, is_given)| is_given.then_some(*flag))
}

fn pairs(flag: &str, texts: &[String]) -> Result<Vec<(String, String)>, Failure> {
    let pair = |text: &String| {
        let pair = text.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()));
        pair.ok_or_else(|| Failure::usage(format!("{flag}: expected NAME=VALUE, found `{text}`")))
    };
    texts.iter().map(pair).collect()
}

fn inputs(flag: &str, texts: &[String]) -> Result<Vec<InputExpectation>, Failure> {
    let input = |text: &String| {
        let input = InputExpectation::parse(text);
        input.ok_or_else(|| {
            Failure::usage(format!("{flag}: expected an address, or ADDRESS@sha256: and 64 hex digits, found `{text}`"))
        })
    };
    texts.iter().map(input).collect()
}
