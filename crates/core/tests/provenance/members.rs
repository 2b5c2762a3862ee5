//! Every member of provenance that was accepted is changed, taken away and written twice in turn, and signed again with the
//! same certificate: policy has to refuse it, or the member is listed here as one that no verdict rests on.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::authority::Provenance;
use crate::{statements, vectors};

/// What may be anything, with the reason. A path stands for what is below it too.
const MEANINGLESS: &[(&str, &str)] = &[
    ("subject.0.name", "a subject's name means nothing to a verifier (in-toto, Statement)"),
    ("predicate.invocation.environment", "what the builder recorded of the job and the certificate does not say"),
    ("predicate.invocation.parameters", "shown with the verdict; the builders take none, and v0.2 does not close them"),
    ("predicate.metadata.completeness", "what the builder says of itself; the level is of the table"),
    ("predicate.metadata.reproducible", "as above"),
    ("predicate.buildDefinition.internalParameters", "as v0.2's environment"),
    (
        "predicate.buildDefinition.externalParameters.source",
        "the container-based builder's own parameters, compared by its users",
    ),
    ("predicate.buildDefinition.externalParameters.builderImage", "as above"),
    ("predicate.buildDefinition.externalParameters.configPath", "as above"),
    ("predicate.buildDefinition.externalParameters.buildConfig", "as above"),
    ("predicate.buildDefinition.externalParameters.inputs", "holds anything, by the build type"),
    ("predicate.buildDefinition.externalParameters.vars", "holds anything, by the build type"),
    ("predicate.buildDefinition.resolvedDependencies.1", "what was built with; the source is the first"),
];

/// Below what is meaningless, and yet compared where it is there.
const COMPARED: &[&str] = &[
    "predicate.invocation.environment.github_event_name",
    "predicate.invocation.environment.github_ref",
    "predicate.invocation.environment.github_repository_id",
    "predicate.invocation.environment.github_repository_owner_id",
    "predicate.invocation.environment.github_sha1",
    "predicate.buildDefinition.internalParameters.GITHUB_EVENT_NAME",
    "predicate.buildDefinition.internalParameters.GITHUB_REF",
    "predicate.buildDefinition.internalParameters.GITHUB_REPOSITORY",
    "predicate.buildDefinition.internalParameters.GITHUB_REPOSITORY_ID",
    "predicate.buildDefinition.internalParameters.GITHUB_REPOSITORY_OWNER_ID",
    "predicate.buildDefinition.internalParameters.GITHUB_SHA",
    "predicate.buildDefinition.internalParameters.GITHUB_WORKFLOW_REF",
    "predicate.buildDefinition.internalParameters.GITHUB_WORKFLOW_SHA",
    "predicate.buildDefinition.internalParameters.github.event_name",
    "predicate.buildDefinition.internalParameters.github.repository_id",
    "predicate.buildDefinition.internalParameters.github.repository_owner_id",
    "predicate.buildDefinition.internalParameters.github.runner_environment",
];

/// What need not be there, though it counts where it is.
const OPTIONAL: &[&str] = &[
    "predicate.runDetails.metadata",
    "predicate.metadata",
    // The certificate names it.
    "predicate.invocation.configSource.entryPoint",
];

fn may_change(path: &str) -> bool {
    is_below(path, MEANINGLESS.iter().map(|(path, _)| *path)) && !COMPARED.contains(&path)
}

fn may_go(path: &str) -> bool {
    !path.ends_with("internalParameters.GITHUB_WORKFLOW_REF")
        && is_below(path, MEANINGLESS.iter().map(|(path, _)| *path).chain(OPTIONAL.iter().copied()))
}

fn is_below<'a>(path: &str, mut roots: impl Iterator<Item = &'a str>) -> bool {
    roots.any(|root| path.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with('.')))
}

/// The paths of every member, those of objects and arrays too.
pub(crate) fn members(value: &Value, at: &str, paths: &mut Vec<String>) {
    let child = |name: &str| if at.is_empty() { name.to_owned() } else { format!("{at}.{name}") };
    match value {
        Value::Object(object) => {
            for (name, value) in object {
                // What GitHub sends with an event has hundreds of members; `events` has those that count.
                if !name.eq_ignore_ascii_case("github_event_payload") {
                    paths.push(child(name));
                    members(value, &child(name), paths);
                }
            }
        }
        Value::Array(items) => {
            for (index, value) in items.iter().enumerate() {
                paths.push(child(&index.to_string()));
                members(value, &child(&index.to_string()), paths);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

pub(crate) fn pointer(path: &str) -> String {
    format!("/{}", path.replace('.', "/"))
}

pub(crate) fn changed(statement: &Value, path: &str) -> Value {
    let mut statement = statement.clone();
    let value = statement.pointer_mut(&pointer(path)).expect("it is there");
    *value = match value.take() {
        Value::String(text) => Value::String(format!("{text}x")),
        Value::Number(_) => Value::from(7),
        Value::Bool(is_set) => Value::Bool(!is_set),
        Value::Null | Value::Array(_) | Value::Object(_) => Value::from("x"),
    };
    statement
}

pub(crate) fn without(statement: &Value, path: &str) -> Value {
    let mut statement = statement.clone();
    let (parent, name) = path.rsplit_once('.').map_or(("", path), |(parent, name)| (parent, name));
    let parent = if parent.is_empty() { Some(&mut statement) } else { statement.pointer_mut(&pointer(parent)) };
    match parent {
        Some(Value::Object(object)) => drop(object.remove(name)),
        Some(Value::Array(items)) => drop(items.remove(name.parse().expect("an index"))),
        _ => panic!("{path}"),
    }
    statement
}

/// The member twice: first with another value, then, for a reader that keeps the last, with its own. None for an item of an
/// array.
pub(crate) fn twice(statement: &Value, path: &str) -> Option<String> {
    const FIRST: &str = "@first@";
    let mut both = statement.clone();
    let (parent, name) = path.rsplit_once('.').unwrap_or(("", path));
    let other = changed(statement, path).pointer(&pointer(path)).cloned()?;
    let parent = if parent.is_empty() { Some(&mut both) } else { both.pointer_mut(&pointer(parent)) };
    parent?.as_object_mut()?.insert(FIRST.to_owned(), other);
    Some(both.to_string().replacen(FIRST, name, 1))
}

/// Changes each member.
fn each_member_counts(kind: &str, provenance: &Provenance) {
    let statement = &provenance.statement;
    let attester = provenance.certified();
    let is_accepted = |statement: &str| provenance.judged_as(&attester, statement).is_ok();
    provenance.judged().unwrap_or_else(|error| panic!("{kind}: {error}"));
    let mut paths = Vec::new();
    members(statement, "", &mut paths);
    assert!(paths.len() > 20, "{kind}: {paths:?}");
    let mut surprises = BTreeSet::new();
    for path in &paths {
        // An object that is none is refused even where it means nothing.
        let is_text = statement.pointer(&pointer(path)).is_some_and(|value| !value.is_object() && !value.is_array());
        let is_accepted_changed = is_accepted(&changed(statement, path).to_string());
        if is_accepted_changed != may_change(path) && (is_accepted_changed || is_text) {
            surprises.insert(format!("changed: {path}"));
        }
        if is_accepted(&without(statement, path).to_string()) && !may_go(path) {
            surprises.insert(format!("removed: {path}"));
        }
        if twice(statement, path).is_some_and(|statement| is_accepted(&statement)) {
            surprises.insert(format!("twice: {path}"));
        }
    }
    assert!(surprises.is_empty(), "{kind}: {surprises:#?}");
}

#[test]
fn each_member_of_provenance_of_every_kind_counts() {
    for (kind, provenance) in statements::every_kind() {
        each_member_counts(kind, &provenance);
    }
}

#[test]
fn each_member_of_public_provenance_counts() {
    for (name, provenance) in vectors::every_kind("each_member_of_public_provenance_counts") {
        each_member_counts(name, &provenance);
    }
}
