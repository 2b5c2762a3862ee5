//! Provenance of a training run: what it says, and its JSON (`docs/buildtypes/ml-training/v1.md`).

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::{Map, Value};

use super::super::ModelDigests;
use super::super::predicate::V1;
use super::{Role, TRAINING_BUILD_TYPE, TRAINING_BUILDER};
use crate::certificate::UnixTime;
use crate::format::Format;
use crate::manifest::Manifest;

const STATEMENT_TYPE: &str = "https://in-toto.io/Statement/v1";

/// How a model was trained, as whoever trained it says.
#[derive(Clone, Debug, Default)]
pub struct TrainingRun {
    /// The models that came of it, one at least.
    pub models: Vec<TrainedModel>,
    /// The source of the program.
    pub source: Option<TrainingSource>,
    /// The command with its arguments.
    pub command: Vec<String>,
    /// Hyper-parameters by name; a text, a number or a boolean each.
    pub parameters: Map<String, Value>,
    /// What went into it.
    pub inputs: Vec<TrainingInput>,
    /// Which files are the models: paths or patterns, as they were given.
    pub outputs: Vec<String>,
    /// What ran it.
    pub environment: TrainingEnvironment,
    /// How the run was looked at.
    pub observation: TrainingObservation,
    /// What came of it beside the models: metrics, logs, a list of packages, a trace.
    pub byproducts: Vec<Byproduct>,
    /// Where the run itself can be seen, such as a job of a CI system: a URI.
    pub invocation: Option<String>,
    /// When it began.
    pub started: Option<UnixTime>,
    /// When it ended.
    pub finished: Option<UnixTime>,
    /// Who writes this, by name, and in which version.
    pub builder_version: BTreeMap<String, String>,
}

/// A model that came of a run: a file or a directory.
#[derive(Clone, Debug, PartialEq)]
pub struct TrainedModel {
    /// Its name.
    pub name: String,
    /// Its digests by algorithm, in lower-case hex.
    pub digest: BTreeMap<String, String>,
    /// What it is, from its bytes.
    pub format: Option<Format>,
    /// Of a directory, how its digests were made.
    pub directory: Option<DirectoryParameters>,
}

/// How the digests of a directory were made (OMS §5.2.2).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DirectoryParameters {
    method: &'static str,
    hash_type: &'static str,
    allow_symlinks: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    ignore_paths: Vec<String>,
    #[serde(rename = "files")]
    file_count: usize,
}

/// Where a program comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrainingSource {
    /// The repository: a URL. What identifies a user in it is left out.
    pub repository: Option<String>,
    /// The Git reference (`refs/heads/main`).
    pub reference: Option<String>,
    /// What was run of it: a path in the repository.
    pub entry_point: Option<String>,
    /// The commit, in hex.
    pub commit: Option<String>,
    /// How what ran differs from the commit, if it does and somebody looked. `Some` with no files: they looked, it does not.
    pub changes: Option<SourceChanges>,
    /// How that is known.
    pub evidence: Evidence,
}

/// How a working tree differs from its commit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SourceChanges {
    /// How many files.
    pub files: usize,
    /// SHA-256, in hex, of the patch; none where nothing was changed.
    pub patch_sha256: Option<String>,
}

/// How it is known what an input was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Evidence {
    /// Somebody says so.
    #[default]
    Declared,
    /// It was hashed here.
    Hashed,
    /// It was hashed here, and the run was seen reading it.
    Traced,
}

/// What an input is to a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum InputRole {
    /// Data.
    Dataset,
    /// A model that this one is made from.
    BaseModel,
    /// The container image.
    Image,
    /// A configuration file.
    Config,
    /// A package of the program's language.
    Package,
}

/// Something that went into a run.
#[derive(Clone, Debug, PartialEq)]
pub struct TrainingInput {
    /// What it is.
    pub role: InputRole,
    /// Where it is: a URI, or the path of a configuration file.
    pub uri: String,
    /// Its name.
    pub name: Option<String>,
    /// Its digests by algorithm, in lower-case hex.
    pub digest: BTreeMap<String, String>,
    /// How that is known.
    pub evidence: Evidence,
    /// What else is said of it.
    pub annotations: Map<String, Value>,
}

/// What ran a command.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TrainingEnvironment {
    /// The members of `internalParameters`, but for `observation`.
    pub members: Map<String, Value>,
}

/// How closely a run was looked at.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TrainingObservation {
    /// How.
    pub method: ObservationMethod,
    /// Whether nothing is known to have escaped.
    pub complete: bool,
    /// What can't have been seen, a sentence each.
    pub gaps: Vec<String>,
    /// What was seen and not declared.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub undeclared: Option<Undeclared>,
}

/// How a run was looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ObservationMethod {
    /// Not at all: somebody says what happened.
    #[default]
    Declared,
    /// From outside: inputs before, outputs after.
    Hashed,
    /// Every process of it was traced.
    Traced,
}

/// What a run did that nobody declared.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Undeclared {
    /// Files that it read.
    pub read: Vec<String>,
    /// Files that it wrote, and that are no output.
    pub written: Vec<String>,
    /// Programs that it ran.
    pub executed: Vec<String>,
    /// Where it connected to.
    pub network: Vec<String>,
}

/// What came of a run beside the model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Byproduct {
    /// Its name.
    pub name: String,
    /// What it is: `metrics`, `log`, `lock`, `trace`.
    pub kind: &'static str,
    /// Its SHA-256, in lower-case hex.
    pub sha256: String,
    /// Its media type.
    pub media_type: Option<&'static str>,
}

impl Default for TrainingObservation {
    fn default() -> Self {
        let method = ObservationMethod::default();
        Self { method, complete: false, gaps: Vec::new(), undeclared: None }
    }
}

impl InputRole {
    /// `annotations.role`.
    const fn name(self) -> &'static str {
        match self {
            Self::Dataset => Role::Dataset.names().0,
            Self::BaseModel => Role::BaseModel.names().0,
            Self::Image => "image",
            Self::Config => "config",
            Self::Package => "package",
        }
    }
}

impl DirectoryParameters {
    /// How the digests of the directory that `manifest` lists are made. None for one that is not of whole files and SHA-256.
    #[must_use]
    pub fn of(manifest: &Manifest) -> Option<Self> {
        let parameters = manifest.parameters();
        ModelDigests::of(manifest).map(|_| Self {
            method: "files",
            hash_type: "sha256",
            allow_symlinks: parameters.symlinks == crate::model::SymlinkPolicy::Allow,
            ignore_paths: parameters.ignore_paths.clone(),
            file_count: manifest.file_count(),
        })
    }

    /// As the annotation `omsParameters`.
    ///
    /// # Panics
    /// Never: what is in it always serialises.
    #[must_use]
    pub fn to_json(&self) -> Value {
        serde_json::to_value(self).expect("text always serialises")
    }
}

impl TrainedModel {
    /// A directory whose files are listed by `manifest`, each by its SHA-256. None for a manifest of another kind.
    #[must_use]
    pub fn directory(name: String, manifest: &Manifest, format: Option<Format>) -> Option<Self> {
        let digest = ModelDigests::of(manifest)?.whole().clone();
        Some(Self { name, digest, format, directory: Some(DirectoryParameters::of(manifest)?) })
    }

    /// A file.
    #[must_use]
    pub fn file(name: String, sha256: String, format: Option<Format>) -> Self {
        Self { name, digest: BTreeMap::from([("sha256".to_owned(), sha256)]), format, directory: None }
    }
}

impl TrainingRun {
    /// The in-toto statement, to be signed.
    ///
    /// # Errors
    /// [`InvalidTrainingRun`]: what can't be said.
    pub fn to_statement(&self) -> Result<Vec<u8>, InvalidTrainingRun> {
        self.check()?;
        let (datasets, base_models) = (self.uris(InputRole::Dataset), self.uris(InputRole::BaseModel));
        let source = self.source.as_ref();
        let statement = Statement {
            statement_type: STATEMENT_TYPE,
            subject: self.models.iter().map(subject).collect(),
            predicate_type: V1,
            predicate: Predicate {
                build_definition: BuildDefinition {
                    build_type: TRAINING_BUILD_TYPE,
                    external_parameters: ExternalParameters {
                        source: source.map(SourceParameter::of).filter(SourceParameter::says_something),
                        command: &self.command,
                        config: self.uris(InputRole::Config),
                        parameters: &self.parameters,
                        datasets,
                        base_models,
                        image: self.uris(InputRole::Image).first().copied(),
                        outputs: &self.outputs,
                    },
                    internal_parameters: InternalParameters {
                        members: &self.environment.members,
                        observation: &self.observation,
                    },
                    resolved_dependencies: source
                        .and_then(source_dependency)
                        .into_iter()
                        .chain(self.inputs.iter().map(dependency))
                        .collect(),
                },
                run_details: RunDetails {
                    builder: Builder { id: TRAINING_BUILDER, version: &self.builder_version },
                    metadata: Metadata {
                        invocation_id: self.invocation.as_deref(),
                        started_on: self.started.map(|time| time.to_string()),
                        finished_on: self.finished.map(|time| time.to_string()),
                    },
                    byproducts: self.byproducts.iter().map(byproduct).collect(),
                },
            },
        };
        Ok(serde_json::to_vec(&statement).expect("text always serialises"))
    }

    /// Refuses what a verifier would refuse.
    fn check(&self) -> Result<(), InvalidTrainingRun> {
        if self.models.is_empty() {
            return Err(InvalidTrainingRun::NoModel);
        }
        for input in &self.inputs {
            if input.uri.is_empty() {
                return Err(InvalidTrainingRun::NoUri { role: input.role.name() });
            }
        }
        let mut known = BTreeSet::new();
        if let Some(twice) = self.inputs.iter().find(|input| !known.insert((input.role, input.uri.as_str()))) {
            return Err(InvalidTrainingRun::Twice { role: twice.role.name(), uri: twice.uri.clone() });
        }
        let images = self.uris(InputRole::Image);
        if let [_, second, ..] = images.as_slice() {
            return Err(InvalidTrainingRun::Twice { role: InputRole::Image.name(), uri: (*second).to_owned() });
        }
        let is_plain = |value: &Value| value.is_string() || value.is_number() || value.is_boolean();
        match self.parameters.iter().find(|(_, value)| !is_plain(value)) {
            Some((name, _)) => Err(InvalidTrainingRun::Parameter { name: name.clone() }),
            None => Ok(()),
        }
    }

    /// The URIs of the inputs of a role.
    fn uris(&self, role: InputRole) -> Vec<&str> {
        self.inputs.iter().filter(|input| input.role == role).map(|input| input.uri.as_str()).collect()
    }
}

/// Why something can't be said of a training run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidTrainingRun {
    /// No model came of it.
    #[error("expected at least one model that came of the run, found none")]
    NoModel,
    /// An input is nowhere.
    #[error("expected the address of every {role}, found one without")]
    NoUri {
        /// What it is.
        role: &'static str,
    },
    /// An input is there twice: which of them was meant nobody could tell.
    #[error("expected every {role} once, found `{uri}` twice or beside another")]
    Twice {
        /// What it is.
        role: &'static str,
        /// Where it is.
        uri: String,
    },
    /// A parameter is a list or an object, or nothing.
    #[error("parameter `{name}`: expected a text, a number or a boolean")]
    Parameter {
        /// Its name.
        name: String,
    },
}

fn subject(model: &TrainedModel) -> Descriptor<'_> {
    let mut annotations = Map::new();
    if let Some(format) = model.format {
        annotations.insert("format".to_owned(), format.id().into());
    }
    if let Some(directory) = &model.directory {
        annotations.insert("omsParameters".to_owned(), directory.to_json());
    }
    Descriptor {
        name: Some(&model.name),
        digest: Some(Cow::Borrowed(&model.digest)),
        media_type: model.format.and_then(Format::media_type),
        annotations,
        ..Descriptor::default()
    }
}

/// The source as a dependency; none if nothing of it can be named.
fn source_dependency(source: &TrainingSource) -> Option<Descriptor<'static>> {
    if source.repository.is_none() && source.commit.is_none() {
        return None;
    }
    let at = source.reference.as_ref().map_or_else(String::new, |reference| format!("@{reference}"));
    let uri = source.repository.as_ref().map(|repository| format!("git+{}{at}", bare(repository)));
    let mut annotations = role_and_evidence("source", source.evidence);
    if let Some(changes) = &source.changes {
        annotations.insert("dirty".to_owned(), (changes.files > 0).into());
        if changes.files > 0 {
            annotations.insert("changedFiles".to_owned(), changes.files.into());
        }
        if let Some(sha256) = &changes.patch_sha256 {
            annotations.insert("patch".to_owned(), serde_json::json!({ "sha256": sha256 }));
        }
    }
    let digest = source.commit.clone().map(|commit| Cow::Owned(BTreeMap::from([("gitCommit".to_owned(), commit)])));
    Some(Descriptor { uri, digest, annotations, ..Descriptor::default() })
}

fn dependency(input: &TrainingInput) -> Descriptor<'_> {
    let mut annotations = role_and_evidence(input.role.name(), input.evidence);
    annotations.extend(input.annotations.clone());
    // A file's path is no URI.
    let is_path = input.role == InputRole::Config;
    Descriptor {
        name: if is_path { Some(&input.uri) } else { input.name.as_deref() },
        uri: (!is_path).then(|| input.uri.clone()),
        digest: Some(&input.digest).filter(|digest| !digest.is_empty()).map(Cow::Borrowed),
        annotations,
        ..Descriptor::default()
    }
}

fn byproduct(byproduct: &Byproduct) -> Descriptor<'_> {
    Descriptor {
        name: Some(&byproduct.name),
        digest: Some(Cow::Owned(BTreeMap::from([("sha256".to_owned(), byproduct.sha256.clone())]))),
        media_type: byproduct.media_type,
        annotations: Map::from_iter([("kind".to_owned(), byproduct.kind.into())]),
        ..Descriptor::default()
    }
}

fn role_and_evidence(role: &str, evidence: Evidence) -> Map<String, Value> {
    let evidence = serde_json::to_value(evidence).expect("a word always serialises");
    Map::from_iter([("role".to_owned(), role.into()), ("evidence".to_owned(), evidence)])
}

/// An address without the `git+` that a dependency's begins with.
fn bare(repository: &str) -> &str {
    repository.strip_prefix("git+").unwrap_or(repository)
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Statement<'a> {
    #[serde(rename = "_type")]
    statement_type: &'a str,
    subject: Vec<Descriptor<'a>>,
    predicate_type: &'a str,
    predicate: Predicate<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Predicate<'a> {
    build_definition: BuildDefinition<'a>,
    run_details: RunDetails<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct BuildDefinition<'a> {
    build_type: &'a str,
    external_parameters: ExternalParameters<'a>,
    internal_parameters: InternalParameters<'a>,
    resolved_dependencies: Vec<Descriptor<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ExternalParameters<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<SourceParameter<'a>>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    command: &'a [String],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    config: Vec<&'a str>,
    #[serde(skip_serializing_if = "Map::is_empty")]
    parameters: &'a Map<String, Value>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    datasets: Vec<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    base_models: Vec<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    image: Option<&'a str>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    outputs: &'a [String],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SourceParameter<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    repository: Option<&'a str>,
    #[serde(rename = "ref", skip_serializing_if = "Option::is_none")]
    reference: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    entry_point: Option<&'a str>,
}

impl<'a> SourceParameter<'a> {
    fn of(source: &'a TrainingSource) -> Self {
        Self {
            repository: source.repository.as_deref().map(bare),
            reference: source.reference.as_deref(),
            entry_point: source.entry_point.as_deref(),
        }
    }

    fn says_something(&self) -> bool {
        self.repository.is_some() || self.reference.is_some() || self.entry_point.is_some()
    }
}

#[derive(Serialize)]
struct InternalParameters<'a> {
    #[serde(flatten)]
    members: &'a Map<String, Value>,
    observation: &'a TrainingObservation,
}

#[derive(Serialize)]
struct RunDetails<'a> {
    builder: Builder<'a>,
    metadata: Metadata<'a>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    byproducts: Vec<Descriptor<'a>>,
}

#[derive(Serialize)]
struct Builder<'a> {
    id: &'a str,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    version: &'a BTreeMap<String, String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Metadata<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    invocation_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    started_on: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    finished_on: Option<String>,
}

/// in-toto, *ResourceDescriptor*.
#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    uri: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    digest: Option<Cow<'a, BTreeMap<String, String>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    media_type: Option<&'a str>,
    #[serde(skip_serializing_if = "Map::is_empty")]
    annotations: Map<String, Value>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn input(role: InputRole, uri: &str) -> TrainingInput {
        let (uri, digest, annotations) = (uri.to_owned(), BTreeMap::new(), Map::new());
        TrainingInput { role, uri, name: None, digest, evidence: Evidence::Declared, annotations }
    }

    fn trained() -> TrainingRun {
        TrainingRun {
            models: vec![TrainedModel::file("model.keras".to_owned(), "ab".repeat(32), Some(Format::Keras))],
            ..TrainingRun::default()
        }
    }

    fn json(run: &TrainingRun) -> Value {
        serde_json::from_slice(&run.to_statement().expect("valid")).expect("JSON")
    }

    #[test]
    fn what_is_not_known_is_left_out() {
        let json = json(&trained());
        let definition = &json["predicate"]["buildDefinition"];
        assert_eq!(definition["externalParameters"], serde_json::json!({}));
        assert_eq!(definition["resolvedDependencies"], serde_json::json!([]));
        assert_eq!(json["predicate"]["runDetails"]["metadata"], serde_json::json!({}));
        assert_eq!(json["subject"][0]["mediaType"], "application/vnd.keras+zip");
        assert_eq!(json["subject"][0]["annotations"], serde_json::json!({ "format": "keras" }));
    }

    #[test]
    fn a_source_is_named_with_how_it_differs() {
        let changes = SourceChanges { files: 2, patch_sha256: Some("cd".repeat(32)) };
        let source = TrainingSource {
            repository: Some("git+https://git.example/r".to_owned()),
            reference: Some("refs/heads/main".to_owned()),
            commit: Some("0123".to_owned()),
            changes: Some(changes),
            evidence: Evidence::Hashed,
            ..TrainingSource::default()
        };
        let json = json(&TrainingRun { source: Some(source), ..trained() });
        let definition = &json["predicate"]["buildDefinition"];
        assert_eq!(definition["externalParameters"]["source"]["repository"], "https://git.example/r");
        let dependency = &definition["resolvedDependencies"][0];
        assert_eq!(dependency["uri"], "git+https://git.example/r@refs/heads/main");
        assert_eq!(dependency["digest"]["gitCommit"], "0123");
        let expected = serde_json::json!({
            "role": "source", "evidence": "hashed", "dirty": true, "changedFiles": 2, "patch": { "sha256": "cd".repeat(32) }
        });
        assert_eq!(dependency["annotations"], expected);
        let entry_point = TrainingSource { entry_point: Some("train.py".to_owned()), ..TrainingSource::default() };
        let json = self::json(&TrainingRun { source: Some(entry_point), ..trained() });
        let dependencies = &json["predicate"]["buildDefinition"]["resolvedDependencies"];
        assert_eq!(*dependencies, serde_json::json!([]), "nothing of it can be named");
    }

    #[test]
    fn a_configuration_file_has_a_name_and_no_uri() {
        let json = json(&TrainingRun { inputs: vec![input(InputRole::Config, "train.yaml")], ..trained() });
        let definition = &json["predicate"]["buildDefinition"];
        assert_eq!(definition["externalParameters"]["config"], serde_json::json!(["train.yaml"]));
        assert_eq!(definition["resolvedDependencies"][0]["name"], "train.yaml");
        assert_eq!(definition["resolvedDependencies"][0].get("uri"), None);
    }

    #[test]
    fn what_a_verifier_would_refuse_is_not_written() {
        let with = |inputs: Vec<TrainingInput>| TrainingRun { inputs, ..trained() }.to_statement();
        let one = || input(InputRole::Dataset, "hf://one");
        assert_eq!(TrainingRun::default().to_statement(), Err(InvalidTrainingRun::NoModel));
        assert_eq!(with(vec![input(InputRole::Image, "")]), Err(InvalidTrainingRun::NoUri { role: "image" }));
        let twice = |role, uri: &str| Err(InvalidTrainingRun::Twice { role, uri: uri.to_owned() });
        assert_eq!(with(vec![one(), one()]), twice("dataset", "hf://one"));
        assert!(with(vec![one(), input(InputRole::BaseModel, "hf://one")]).is_ok(), "another role");
        let images = vec![input(InputRole::Image, "a"), input(InputRole::Image, "b")];
        assert_eq!(with(images), twice("image", "b"));
        let parameters = Map::from_iter([("lr".to_owned(), serde_json::json!([1]))]);
        let refused = TrainingRun { parameters, ..trained() }.to_statement();
        assert_eq!(refused, Err(InvalidTrainingRun::Parameter { name: "lr".to_owned() }));
    }
}
