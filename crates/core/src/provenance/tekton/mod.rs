//! Provenance by Tekton Chains: what each of its formats says of a run of a task or of a pipeline.
//!
//! The formats `in-toto` and `slsa/v1` (one format, SLSA v0.2), `slsa/v2alpha1` (SLSA v0.2, tasks only) and
//! `slsa/v2alpha2` to `slsa/v2alpha4` (SLSA v1) are known by their build types. Where the *definition* of the run is from
//! (a Git repository with a pipeline in it) and what was *built* are kept apart: Chains lists both among the dependencies.
//!
//! Chains lists a dependency once. A source that is also where a definition is from, at the same address and commit,
//! can be missing therefore, and is found by what the run itself calls its source: `CHAINS-GIT_URL` and
//! `CHAINS-GIT_COMMIT`.

mod annotations;
mod remarks;
mod source;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Map, Value};

pub use self::annotations::{ChainsEnvelope, InvalidAnnotations, chains_envelopes};

use self::remarks::Subjects;
use self::source::{Hint, is_git};
use super::predicate::{V1, V02, read};
use super::statement::Statement;
use super::{Dependency, Facts, InvalidProvenance, SourceFacts};
use crate::envelope::Object;

const V1_BUILD_TYPES: [&str; 2] = ["https://tekton.dev/chains/v2/slsa", "https://tekton.dev/chains/v2/slsa-tekton"];
/// What `slsa/v2alpha1` has before the kind of the run.
const V2ALPHA1: &str = "https://chains.tekton.dev/format/slsa/v2alpha1/type/";

/// The members of `externalParameters` (SLSA v1).
const EXTERNAL_PARAMETERS: [&str; 2] = ["runSpec", "buildConfigSource"];
const CONFIG_SOURCE: [&str; 3] = ["ref", "repository", "path"];
/// The members of a `TaskRunSpec` of Tekton's API, v1 and v1beta1.
const TASK_RUN_SPEC: [&str; 18] = [
    "taskRef",
    "taskSpec",
    "params",
    "workspaces",
    "serviceAccountName",
    "podTemplate",
    "computeResources",
    "timeout",
    "retries",
    "status",
    "statusMessage",
    "debug",
    "managedBy",
    "stepSpecs",
    "sidecarSpecs",
    "stepOverrides",
    "sidecarOverrides",
    "resources",
];
/// The members of a `PipelineRunSpec` of Tekton's API, v1 and v1beta1.
const PIPELINE_RUN_SPEC: [&str; 13] = [
    "pipelineRef",
    "pipelineSpec",
    "params",
    "workspaces",
    "serviceAccountName",
    "podTemplate",
    "timeout",
    "timeouts",
    "status",
    "taskRunTemplate",
    "taskRunSpecs",
    "managedBy",
    "resources",
];
/// What was run.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Run {
    Task,
    Pipeline,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Predicate {
    run_details: Object<RunDetails>,
}

#[derive(Deserialize)]
struct RunDetails {
    #[serde(default)]
    byproducts: Vec<Object<Byproduct>>,
}

/// A result of the run, or of one of its tasks or steps.
#[derive(Deserialize)]
struct Byproduct {
    /// `taskRunResults/RESULT`; since `slsa/v2alpha4` `taskRunResults/RUN/RESULT`.
    #[serde(default)]
    name: String,
    /// JSON in base64.
    #[serde(default)]
    content: String,
}

impl Byproduct {
    fn result(&self) -> &str {
        self.name.rsplit('/').next().unwrap_or_default()
    }

    fn value(&self) -> Value {
        let json = STANDARD.decode(&self.content).ok();
        json.and_then(|json| serde_json::from_slice(&json).ok()).unwrap_or_default()
    }
}

/// What Tekton Chains says of a run, or `None` if the build type is not one of it.
///
/// # Errors
/// [`InvalidProvenance`]: it is not what Chains makes, or has parameters that this build type does not have.
pub(super) fn facts(statement: &Statement) -> Option<Result<Facts, InvalidProvenance>> {
    let of = |path: [&str; 2]| statement.predicate.get(path[0])?.get(path[1])?.as_str();
    let v1 = of(["buildDefinition", "buildType"]).is_some_and(|found| V1_BUILD_TYPES.contains(&found));
    let build_type = statement.predicate.get("buildType").and_then(Value::as_str);
    match build_type.and_then(run_v02) {
        Some(run) => Some(require(statement, V02).and_then(|()| v02(statement, run))),
        None if v1 => Some(require(statement, V1).and_then(|()| self::v1(statement))),
        None => None,
    }
}

/// What a build type of SLSA v0.2 says that was run.
fn run_v02(build_type: &str) -> Option<Run> {
    match build_type.strip_prefix(V2ALPHA1).unwrap_or(build_type) {
        "tekton.dev/v1/TaskRun" | "tekton.dev/v1beta1/TaskRun" => Some(Run::Task),
        "tekton.dev/v1/PipelineRun" | "tekton.dev/v1beta1/PipelineRun" => Some(Run::Pipeline),
        // Until 2022.
        "https://tekton.dev/attestations/chains@v2" => Some(Run::Task),
        "https://tekton.dev/attestations/chains/pipelinerun@v2" => Some(Run::Pipeline),
        _ => None,
    }
}

fn require(statement: &Statement, expected: &str) -> Result<(), InvalidProvenance> {
    if statement.predicate_type == expected {
        return Ok(());
    }
    let found = statement.predicate_type.clone();
    Err(InvalidProvenance::PredicateType { expected: format!("`{expected}`"), found })
}

fn v02(statement: &Statement, run: Run) -> Result<Facts, InvalidProvenance> {
    let mut facts = Facts::of(statement)?;
    // The parameters are the members of the run, and in the other formats what the task or pipeline calls its own.
    if facts.build_type.starts_with(V2ALPHA1) {
        // Go's names, which begin with a capital letter.
        let is_known = |name: &str| TASK_RUN_SPEC.iter().any(|known| known.eq_ignore_ascii_case(name));
        require_known(&facts.parameters, "", is_known)?;
    }
    let mut definitions = BTreeSet::new();
    // The materials of a task have no definition among them.
    if run == Run::Pipeline {
        definitions.extend(facts.definition.clone());
        let tasks = statement.predicate.get("buildConfig").and_then(|config| config.get("tasks"));
        for task in tasks.and_then(Value::as_array).into_iter().flatten() {
            let config = task.get("invocation").and_then(|invocation| invocation.get("configSource"));
            let config = config.map(Dependency::deserialize).and_then(Result::ok);
            definitions.extend(config.map(|config| SourceFacts::of(&config.uri, &config.digest)));
        }
    }
    let mut hint = Hint::default();
    for (name, value) in &facts.parameters {
        hint.take(name, value);
    }
    let inputs = facts.dependencies.iter().filter(|one| is_git(one));
    let inputs = inputs.map(|one| SourceFacts::of(&one.uri, &one.digest)).filter(|one| !definitions.contains(one));
    let (sources, remarks) = source::sources(inputs.collect(), &definitions, hint);
    facts.remarks = [remarks::BUILDER, Subjects::Named.remark()].map(str::to_owned).into();
    facts.remarks.extend(remarks);
    Ok(with_sources(facts, sources))
}

fn v1(statement: &Statement) -> Result<Facts, InvalidProvenance> {
    let mut facts = Facts::of(statement)?;
    let Predicate { run_details: Object(RunDetails { byproducts }) } = read(&statement.predicate)?;
    let byproducts: Vec<Byproduct> = byproducts.into_iter().map(|Object(byproduct)| byproduct).collect();
    require_known(&facts.parameters, "", |name| EXTERNAL_PARAMETERS.contains(&name))?;
    let (run, spec) = run_spec(&facts.parameters)?;
    let (config, entry_point) = config_source(&facts.parameters)?.unzip();

    let mut hint = Hint::default();
    for (name, value) in defaults(run, spec).chain(params(spec, "value")) {
        hint.take(name, value);
    }
    for byproduct in byproducts.iter().filter(|one| one.name.starts_with(run.results_name())) {
        hint.take(byproduct.result(), &byproduct.value());
    }
    let (mut definitions, mut inputs, mut resolved) = (BTreeSet::new(), Vec::new(), None);
    for one in &facts.dependencies {
        let source = SourceFacts::of(&one.uri, &one.digest);
        match one.name.as_str() {
            name if name == run.definition_name() => {
                resolved.get_or_insert_with(|| source.clone());
                definitions.insert(source);
            }
            name if name == "pipelineTask" || name.starts_with("stepAction/") => {
                definitions.insert(source);
            }
            "inputs/result" | "pipelineResource" if is_git(one) => inputs.push(source),
            _ => {}
        }
    }
    if config.is_some() && resolved.is_some() && config != resolved {
        return Err(missing("externalParameters.buildConfigSource", "what `resolvedDependencies` has of it"));
    }
    let (sources, remarks) = source::sources(inputs, &definitions, hint);
    let subjects = Subjects::of(&facts.dependencies, &byproducts);
    facts.remarks = [remarks::BUILDER, subjects.remark()].map(str::to_owned).into();
    if subjects == Subjects::Marked {
        facts.remarks.extend(remarks::not_marked(&byproducts));
    }
    facts.remarks.extend(remarks);
    facts.definition = config.or(resolved);
    facts.entry_point = entry_point.filter(|path| !path.is_empty());
    Ok(with_sources(facts, sources))
}

fn with_sources(facts: Facts, sources: Vec<SourceFacts>) -> Facts {
    Facts { sources, ..facts }
}

impl Run {
    /// The dependency that is where the run is defined.
    fn definition_name(self) -> &'static str {
        match self {
            Self::Task => "task",
            Self::Pipeline => "pipeline",
        }
    }

    /// What the names of the run's own results begin with.
    fn results_name(self) -> &'static str {
        match self {
            Self::Task => "taskRunResults/",
            Self::Pipeline => "pipelineRunResults/",
        }
    }
}

/// `externalParameters.runSpec`: the run as whoever started it wrote it.
fn run_spec(parameters: &Map<String, Value>) -> Result<(Run, &Map<String, Value>), InvalidProvenance> {
    let spec = parameters.get("runSpec").and_then(Value::as_object);
    let spec = spec.ok_or(missing("externalParameters.runSpec", "an object"))?;
    let has = |names: [&str; 2]| names.iter().any(|name| spec.contains_key(*name));
    let run = match (has(["taskRef", "taskSpec"]), has(["pipelineRef", "pipelineSpec"])) {
        (true, false) => Run::Task,
        (false, true) => Run::Pipeline,
        _ => return Err(missing("externalParameters.runSpec", "a task, or a pipeline")),
    };
    let known: &[&str] = if run == Run::Task { &TASK_RUN_SPEC } else { &PIPELINE_RUN_SPEC };
    require_known(spec, "runSpec.", |name| known.contains(&name))?;
    Ok((run, spec))
}

/// `externalParameters.buildConfigSource`: where the definition is from, and the file.
fn config_source(parameters: &Map<String, Value>) -> Result<Option<(SourceFacts, String)>, InvalidProvenance> {
    let config = match parameters.get("buildConfigSource") {
        None => return Ok(None),
        Some(Value::Object(config)) => config,
        Some(_) => return Err(missing("externalParameters.buildConfigSource", "an object")),
    };
    require_known(config, "buildConfigSource.", |name| CONFIG_SOURCE.contains(&name))?;
    let text = |name: &str| config.get(name).and_then(Value::as_str);
    let repository = text("repository").ok_or(missing("externalParameters.buildConfigSource.repository", "a text"))?;
    let path = text("path").ok_or(missing("externalParameters.buildConfigSource.path", "a text"))?;
    let digest = text("ref").and_then(|at| at.split_once(':'));
    let (algorithm, hex) = digest.ok_or(missing("externalParameters.buildConfigSource.ref", "`ALGORITHM:DIGEST`"))?;
    let digest = [(algorithm.to_owned(), hex.to_owned())].into();
    Ok(Some((SourceFacts::of(repository, &digest), path.to_owned())))
}

/// The parameters that a specification inside of the run has a default for.
fn defaults(run: Run, spec: &Map<String, Value>) -> impl Iterator<Item = (&str, &Value)> {
    let inline = if run == Run::Task { "taskSpec" } else { "pipelineSpec" };
    spec.get(inline).and_then(Value::as_object).into_iter().flat_map(|inline| params(inline, "default"))
}

fn params<'a>(spec: &'a Map<String, Value>, member: &'a str) -> impl Iterator<Item = (&'a str, &'a Value)> {
    let params = spec.get("params").and_then(Value::as_array).into_iter().flatten();
    params.filter_map(move |param| Some((param.get("name")?.as_str()?, param.get(member)?)))
}

fn require_known(
    parameters: &Map<String, Value>,
    within: &str,
    is_known: impl Fn(&str) -> bool,
) -> Result<(), InvalidProvenance> {
    let unknown = parameters.keys().find(|name| !is_known(name));
    unknown.map_or(Ok(()), |name| Err(InvalidProvenance::UnknownParameter { name: format!("{within}{name}") }))
}

const fn missing(member: &'static str, expected: &'static str) -> InvalidProvenance {
    InvalidProvenance::Member { member, expected }
}
