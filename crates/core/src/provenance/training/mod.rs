//! Provenance of training: the project's own build type (`docs/buildtypes/ml-training/v1.md`), and what a verifier expects
//! of a model's datasets, base models and parameters.

use std::collections::BTreeSet;

use serde_json::Value;

mod run;
mod secrets;

pub use run::{
    Byproduct, DirectoryParameters, Evidence, InputRole, InvalidTrainingRun, ObservationMethod, SourceChanges,
    TrainedModel, TrainingEnvironment, TrainingInput, TrainingObservation, TrainingRun, TrainingSource, Undeclared,
};
pub use secrets::{REDACTED, SuspectedSecret, is_same_name, is_secret, redact_command, without_user};

use super::statement::Statement;
use super::{Dependency, Facts, InvalidProvenance, Level, ProvenanceError};

/// The build type of a training run.
pub const TRAINING_BUILD_TYPE: &str =
    "https://github.com/model-signing/model-signing/blob/main/docs/buildtypes/ml-training/v1.md";
/// The builder of whoever trains a model and says so themselves, on a laptop or in a job.
pub const TRAINING_BUILDER: &str =
    "https://github.com/model-signing/model-signing/blob/main/docs/buildtypes/ml-training/v1.md#tenant";

/// The external parameters of the build type. There are no others.
const EXTERNAL_PARAMETERS: [&str; 8] =
    ["source", "command", "config", "parameters", "datasets", "baseModels", "image", "outputs"];

/// The level of what a tenant says of their own run (SLSA v1.2, Build L1: the provenance exists).
const TENANT: Level =
    Level { number: Some(1), reason: "whoever trained the model says so themselves, and nothing else vouches for it" };

/// What a model has to be trained on and with.
#[derive(Clone, Debug, Default)]
pub struct TrainingExpectations {
    /// The datasets: each is there, and there is no other. With none, datasets are not looked at.
    pub datasets: Vec<InputExpectation>,
    /// The base models, as the datasets.
    pub base_models: Vec<InputExpectation>,
    /// Parameters with their values: each is there, and there is no other but those that are allowed.
    pub parameters: Vec<(String, String)>,
    /// Parameters that may have any value.
    pub allowed_parameters: Vec<String>,
}

/// Something that a model has to be trained with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InputExpectation {
    /// Its address.
    pub uri: String,
    /// Its SHA-256 in hex, if it has to be that very one; of a directory the OMS root digest.
    pub sha256: Option<String>,
}

impl InputExpectation {
    /// Reads `URI` or `URI@sha256:HEX`. None if what stands after the `@sha256:` is no digest.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let Some((uri, hex)) = text.rsplit_once("@sha256:") else {
            return (!text.is_empty()).then(|| Self { uri: text.to_owned(), sha256: None });
        };
        let is_digest = hex.len() == 64 && hex.bytes().all(|byte| byte.is_ascii_hexdigit());
        (is_digest && !uri.is_empty()).then(|| Self { uri: uri.to_owned(), sha256: Some(hex.to_ascii_lowercase()) })
    }

    fn describe(&self) -> String {
        self.sha256.as_ref().map_or_else(|| self.uri.clone(), |sha256| format!("{}@sha256:{sha256}", self.uri))
    }

    fn is(&self, found: &Dependency) -> bool {
        found.uri == self.uri
            && !has_changed(found)
            && self.sha256.as_ref().is_none_or(|sha256| found.digest.get("sha256") == Some(sha256))
    }
}

/// What a dependency of a training run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Dataset,
    BaseModel,
}

/// Every role that a dependency may have.
const ROLES: [&str; 6] = ["source", "dataset", "base-model", "image", "config", "package"];

/// What `annotations.role` of a dependency says.
fn role_of(dependency: &Dependency) -> Option<&str> {
    dependency.annotations.get("role").and_then(Value::as_str)
}

/// Whether it changed while the run ran, so that nobody knows what was read.
fn has_changed(dependency: &Dependency) -> bool {
    dependency.annotations.get("changed").is_some_and(|changed| !matches!(changed, Value::Bool(false) | Value::Null))
}

impl Role {
    /// The external parameter that lists the inputs of this role.
    const fn parameter(self) -> &'static str {
        match self {
            Self::Dataset => "datasets",
            Self::BaseModel => "baseModels",
        }
    }

    /// `annotations.role` of a dependency, and how people call it.
    const fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::Dataset => ("dataset", "dataset"),
            Self::BaseModel => ("base-model", "base model"),
        }
    }
}

/// Whether a statement is provenance of training.
pub(super) fn is_of(statement: &Statement) -> bool {
    let definition = statement.predicate.get("buildDefinition");
    definition.and_then(|definition| definition.get("buildType")).and_then(Value::as_str) == Some(TRAINING_BUILD_TYPE)
}

/// Reads what the build type adds; checks that it is closed.
pub(super) fn complete(mut facts: Facts) -> Result<Facts, InvalidProvenance> {
    if facts.build_type != TRAINING_BUILD_TYPE {
        return Ok(facts);
    }
    if let Some(name) = facts.parameters.keys().find(|name| !EXTERNAL_PARAMETERS.contains(&name.as_str())) {
        return Err(InvalidProvenance::UnknownParameter { name: name.clone() });
    }
    if facts.parameters.get("parameters").is_some_and(|parameters| !parameters.is_object()) {
        return Err(InvalidProvenance::Member { member: "externalParameters.parameters", expected: "an object" });
    }
    let source = facts.parameters.get("source");
    let entry_point = source.and_then(|source| source.get("entryPoint")).and_then(Value::as_str);
    facts.entry_point = entry_point.map(str::to_owned);
    if !facts.dependencies.iter().all(|one| role_of(one).is_some_and(|role| ROLES.contains(&role))) {
        let member = "resolvedDependencies[].annotations.role";
        return Err(InvalidProvenance::Member { member, expected: "one that the build type has" });
    }
    for role in [Role::Dataset, Role::BaseModel] {
        check_listed(&facts, role)?;
    }
    // Datasets and base models may be in Git too, and what was built is not.
    let is_source = |one: &&Dependency| role_of(one) == Some("source");
    facts.sources = facts.dependencies.iter().filter(is_source).map(Dependency::as_source).collect();
    facts.remarks.push(
        "the run was described by whoever trained the model, and its command, configuration, image and outputs were \
         compared with nothing"
            .to_owned(),
    );
    Ok(facts)
}

/// What the parameters list of a role are the dependencies of that role: else an expectation would see the half of it.
fn check_listed(facts: &Facts, role: Role) -> Result<(), InvalidProvenance> {
    let (annotation, _) = role.names();
    let member = match role {
        Role::Dataset => "externalParameters.datasets",
        Role::BaseModel => "externalParameters.baseModels",
    };
    let invalid = || InvalidProvenance::Member { member, expected: "the URIs of the dependencies of that role" };
    let listed: BTreeSet<&str> = match facts.parameters.get(role.parameter()) {
        None => BTreeSet::new(),
        Some(Value::Array(uris)) => uris.iter().map(Value::as_str).collect::<Option<_>>().ok_or_else(invalid)?,
        Some(_) => return Err(invalid()),
    };
    let inputs = facts.dependencies.iter().filter(|one| role_of(one) == Some(annotation));
    let inputs: BTreeSet<&str> = inputs.map(|one| one.uri.as_str()).collect();
    // Those that nobody chose, such as what a framework fetches by itself, may be dependencies alone.
    if listed.is_subset(&inputs) { Ok(()) } else { Err(invalid()) }
}

/// The level of what the tenant's own builder says.
pub(super) fn level(facts: &Facts) -> Option<Level> {
    (facts.build_type == TRAINING_BUILD_TYPE && facts.builder_id == TRAINING_BUILDER).then_some(TENANT)
}

impl TrainingExpectations {
    /// Whether something is expected.
    #[must_use]
    pub fn is_given(&self) -> bool {
        !self.datasets.is_empty()
            || !self.base_models.is_empty()
            || !self.parameters.is_empty()
            || !self.allowed_parameters.is_empty()
    }

    /// Compares what provenance of training says.
    pub(super) fn check(&self, facts: &Facts) -> Result<(), ProvenanceError> {
        if !self.is_given() {
            return Ok(());
        }
        if facts.build_type != TRAINING_BUILD_TYPE {
            return Err(ProvenanceError::NotTraining { found: facts.build_type.clone() });
        }
        check_inputs(facts, Role::Dataset, &self.datasets)?;
        check_inputs(facts, Role::BaseModel, &self.base_models)?;
        self.check_parameters(facts)
    }

    fn check_parameters(&self, facts: &Facts) -> Result<(), ProvenanceError> {
        if self.parameters.is_empty() && self.allowed_parameters.is_empty() {
            return Ok(());
        }
        let none = serde_json::Map::new();
        let found = facts.parameters.get("parameters").and_then(Value::as_object).unwrap_or(&none);
        for (name, expected) in &self.parameters {
            let value = found.get(name).map(text);
            if value.as_deref() != Some(expected) {
                return Err(ProvenanceError::Parameter {
                    name: name.clone(),
                    expected: format!("`{expected}`"),
                    found: value.map_or_else(|| "none".to_owned(), |value| format!("`{value}`")),
                });
            }
        }
        let is_known = |name: &String| {
            self.allowed_parameters.contains(name) || self.parameters.iter().any(|(expected, _)| expected == name)
        };
        match found.iter().find(|(name, _)| !is_known(name)) {
            None => Ok(()),
            Some((name, value)) => Err(ProvenanceError::Parameter {
                name: name.clone(),
                expected: "none".to_owned(),
                found: format!("`{}`", text(value)),
            }),
        }
    }
}

/// A parameter as a person writes it: a text is itself, anything else its JSON.
fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Each expected input is there, and there is no other.
fn check_inputs(facts: &Facts, role: Role, expected: &[InputExpectation]) -> Result<(), ProvenanceError> {
    if expected.is_empty() {
        return Ok(());
    }
    let (annotation, what) = role.names();
    let has_role = |one: &&Dependency| role_of(one) == Some(annotation);
    let found: Vec<&Dependency> = facts.dependencies.iter().filter(has_role).collect();
    let describe = |one: &Dependency| {
        let digest = one.digest.get("sha256").map_or_else(String::new, |sha256| format!("@sha256:{sha256}"));
        let changed = if has_changed(one) { ", which changed while the run ran" } else { "" };
        format!("`{}{digest}`{changed}", one.uri)
    };
    if let Some(missing) = expected.iter().find(|expected| !found.iter().any(|one| expected.is(one))) {
        let same_place: Vec<String> =
            found.iter().filter(|one| one.uri == missing.uri).map(|one| describe(one)).collect();
        let others = || found.iter().map(|one| describe(one)).collect::<Vec<_>>();
        let shown = if same_place.is_empty() { others() } else { same_place };
        let found = if shown.is_empty() { "none".to_owned() } else { shown.join(", ") };
        return Err(ProvenanceError::Material { what, expected: format!("`{}`", missing.describe()), found });
    }
    match found.iter().find(|one| !expected.iter().any(|expected| expected.is(one))) {
        None => Ok(()),
        Some(other) => Err(ProvenanceError::Material {
            what,
            expected: "no other than those that were given".to_owned(),
            found: describe(other),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn facts(dependencies: &Value, parameters: &Value) -> Facts {
        Facts {
            build_type: TRAINING_BUILD_TYPE.to_owned(),
            builder_id: TRAINING_BUILDER.to_owned(),
            dependencies: serde_json::from_value(dependencies.clone()).expect("dependencies"),
            parameters: parameters.as_object().cloned().expect("an object"),
            ..Facts::default()
        }
    }

    fn input(text: &str) -> InputExpectation {
        InputExpectation::parse(text).expect("an input")
    }

    #[test]
    fn an_input_is_an_address_and_perhaps_a_digest() {
        assert_eq!(input("hf://d").sha256, None);
        let hex = "AB".repeat(32);
        assert_eq!(input(&format!("hf://d@main@sha256:{hex}")).sha256, Some(hex.to_lowercase()));
        assert_eq!(input("hf://d@main").uri, "hf://d@main");
        for text in ["", "hf://d@sha256:ab", &format!("@sha256:{hex}")] {
            assert_eq!(InputExpectation::parse(text), None, "{text}");
        }
    }

    #[test]
    fn inputs_are_those_that_were_given_and_no_others() {
        let (a, b) = ("a".repeat(64), "b".repeat(64));
        let of = |role: &str, uri: &str, sha256: &str| json!({ "uri": uri, "digest": { "sha256": sha256 }, "annotations": { "role": role } });
        let facts = facts(
            &json!([of("dataset", "hf://d", &a), of("base-model", "hf://m", &b), { "uri": "git+https://g/x" }]),
            &json!({}),
        );
        let datasets = |texts: &[&str]| {
            let datasets = texts.iter().map(|text| input(text)).collect();
            TrainingExpectations { datasets, ..TrainingExpectations::default() }
                .check(&facts)
                .map_err(|e| e.to_string())
        };
        assert_eq!(datasets(&["hf://d"]), Ok(()));
        assert_eq!(datasets(&[&format!("hf://d@sha256:{a}")]), Ok(()));
        let other = datasets(&[&format!("hf://d@sha256:{b}")]).expect_err("another digest");
        assert!(other.contains(&format!("found `hf://d@sha256:{a}`")), "{other}");
        assert!(datasets(&["hf://e"]).expect_err("another").contains("expected the dataset `hf://e`"));
        assert!(datasets(&["hf://m"]).is_err(), "a base model is no dataset");
        let base_models = vec![input("hf://m"), input("hf://n")];
        let expected = TrainingExpectations { base_models, ..TrainingExpectations::default() };
        assert!(matches!(expected.check(&facts), Err(ProvenanceError::Material { what: "base model", .. })));
        let mut more = facts.clone();
        more.dependencies.push(serde_json::from_value(of("dataset", "x:", &b)).expect("a dependency"));
        let expected = TrainingExpectations { datasets: vec![input("hf://d")], ..TrainingExpectations::default() };
        let error = expected.check(&more).expect_err("one more than was given").to_string();
        assert!(error.contains("no other") && error.contains("x:"), "{error}");
    }

    #[test]
    fn what_changed_during_the_run_is_not_what_was_expected() {
        let a = "a".repeat(64);
        let check = |changed: &Value, role: &str, text: &str| {
            let annotations = json!({ "role": role, "changed": changed });
            let facts =
                facts(&json!([{ "uri": "hf://x", "digest": { "sha256": a }, "annotations": annotations }]), &json!({}));
            let (mut datasets, mut base_models) = (vec![input(text)], Vec::new());
            if role == "base-model" {
                std::mem::swap(&mut datasets, &mut base_models);
            }
            let expected = TrainingExpectations { datasets, base_models, ..TrainingExpectations::default() };
            expected.check(&facts).map_err(|error| error.to_string())
        };
        let with_digest = format!("hf://x@sha256:{a}");
        for role in ["dataset", "base-model"] {
            for text in ["hf://x", &with_digest] {
                assert_eq!(check(&json!(false), role, text), Ok(()));
                for changed in [json!(true), json!("true"), json!(1)] {
                    let error = check(&changed, role, text).expect_err("it changed");
                    assert!(error.contains("which changed while the run ran"), "{error}");
                }
            }
        }
    }

    #[test]
    fn parameters_are_those_that_were_given_or_allowed() {
        let facts = facts(&json!([]), &json!({ "parameters": { "lr": "0.1", "epochs": 3, "seed": 7 } }));
        let check = |parameters: &[(&str, &str)], allowed: &[&str]| {
            let parameters = parameters.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
            let allowed_parameters = allowed.iter().map(|name| (*name).to_owned()).collect();
            TrainingExpectations { parameters, allowed_parameters, ..TrainingExpectations::default() }.check(&facts)
        };
        assert!(check(&[("lr", "0.1"), ("epochs", "3")], &["seed"]).is_ok());
        assert!(check(&[], &["seed", "lr", "epochs"]).is_ok());
        let name = |outcome: Result<(), ProvenanceError>| match outcome {
            Err(ProvenanceError::Parameter { name, .. }) => name,
            other => panic!("{other:?}"),
        };
        assert_eq!(name(check(&[("lr", "0.2")], &["epochs", "seed"])), "lr");
        assert_eq!(name(check(&[("depth", "2")], &["lr", "epochs", "seed"])), "depth");
        assert_eq!(name(check(&[("lr", "0.1"), ("epochs", "3")], &[])), "seed");
    }

    #[test]
    fn other_provenance_says_nothing_of_training() {
        let other = Facts { build_type: "https://b.example/".to_owned(), ..Facts::default() };
        let expected = TrainingExpectations { datasets: vec![input("d")], ..TrainingExpectations::default() };
        assert!(matches!(expected.check(&other), Err(ProvenanceError::NotTraining { .. })));
        assert!(TrainingExpectations::default().check(&other).is_ok());
    }

    #[test]
    fn the_external_parameters_are_closed() {
        let closed = complete(facts(&json!([]), &json!({ "command": [], "extra": 1 })));
        assert!(matches!(closed, Err(InvalidProvenance::UnknownParameter { name }) if name == "extra"));
        // Nobody could tell which of them were expected.
        for parameters in [json!([{ "lr": "0.1" }]), json!("lr=0.1"), json!(null)] {
            let other = complete(facts(&json!([]), &json!({ "parameters": parameters })));
            assert!(matches!(other, Err(InvalidProvenance::Member { member: "externalParameters.parameters", .. })));
        }
        let read = complete(facts(
            &json!([
                { "uri": "git+https://g.example/o/n@refs/heads/main", "annotations": { "role": "source" } },
                { "uri": "git+https://g.example/data", "annotations": { "role": "dataset" } },
            ]),
            &json!({ "source": { "entryPoint": "train.py" } }),
        ))
        .expect("closed");
        assert_eq!(read.entry_point.as_deref(), Some("train.py"));
        assert_eq!(read.sources.len(), 1);
        assert_eq!(level(&read), Some(TENANT));
    }

    #[test]
    fn every_input_is_a_dependency_of_its_role() {
        let dataset = json!([{ "uri": "hf://d", "annotations": { "role": "dataset" } }]);
        let of = |dependencies: &Value, parameters: &Value| complete(facts(dependencies, parameters)).map(drop);
        assert!(of(&dataset, &json!({ "datasets": ["hf://d"] })).is_ok());
        assert!(of(&dataset, &json!({})).is_ok());
        for parameters in [
            json!({ "datasets": ["hf://d", "hf://evil"] }),
            json!({ "datasets": "hf://d" }),
            json!({ "datasets": [1] }),
            json!({ "baseModels": ["hf://d"] }),
        ] {
            assert!(matches!(of(&dataset, &parameters), Err(InvalidProvenance::Member { .. })), "{parameters}");
        }
        for other in [json!([{ "uri": "hf://d" }]), json!([{ "uri": "hf://d", "annotations": { "role": "data" } }])] {
            assert!(matches!(of(&other, &json!({})), Err(InvalidProvenance::Member { .. })), "{other}");
        }
    }
}
