//! Every member of provenance that was accepted is changed and taken away in turn, behind a signature that holds: policy has
//! to refuse it, or the member is listed here as one that no verdict rests on.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

use super::super::{Artifact, ArtifactDigests, Coverage, SignerExpectation, SourceExpectation};
use super::*;
use crate::sigstore::{Instance, verify_attestation};

/// What may be anything, with the reason. A path stands for what is below it too.
const MEANINGLESS: &[(&str, &str)] = &[
    ("subject.0.name", "a subject's name means nothing to a verifier (in-toto, Statement)"),
    ("predicate.invocation.environment", "what the builder recorded of the job and the certificate does not say"),
    ("predicate.metadata", "v0.2's run is written in another form than the certificate's; completeness is no claim"),
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
fn members(value: &Value, at: &str, paths: &mut Vec<String>) {
    let child = |name: &str| if at.is_empty() { name.to_owned() } else { format!("{at}.{name}") };
    match value {
        Value::Object(object) => {
            for (name, value) in object {
                // What GitHub sends with an event has hundreds of members, and not one that counts here.
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

fn pointer(path: &str) -> String {
    format!("/{}", path.replace('.', "/"))
}

fn changed(statement: &Value, path: &str) -> Value {
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

fn without(statement: &Value, path: &str) -> Value {
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

fn expectations(repository: &str, builder_id: Option<&str>, workflow: Option<&str>) -> Expectations {
    Expectations {
        source: Some(SourceExpectation::Repository(Repository::parse(repository).expect(repository))),
        signer: SignerExpectation {
            builder_id: builder_id.map(str::to_owned),
            workflow: workflow.map(str::to_owned),
            ..SignerExpectation::default()
        },
        ..Expectations::default()
    }
}

/// Changes each member of one vector's statement.
fn each_member_counts(bundle: &str, artifact: &str, expected: &Expectations) {
    let Some(vectors) = std::env::var_os("MODEL_SIGNING_VECTORS") else { return };
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(vectors).join("slsa");
    let bundle = std::fs::read(folder.join(bundle)).expect(bundle);
    let artifact = std::fs::File::open(folder.join(artifact)).expect(artifact);
    let algorithms = BTreeSet::from(["sha512"]);
    let artifact = Artifact::Digests(ArtifactDigests::of(artifact, &algorithms).expect("readable"));
    let (root, github) = (TrustedRoot::embedded(Instance::Production), TrustedRoot::github());
    let attestation = verify_attestation(&bundle, &root, Some(&github)).expect("the signature holds");
    let judged = |statement: &Value| {
        let payload = serde_json::to_vec(statement).expect("JSON");
        let statement = Statement::parse(&payload)?;
        judge(&statement, &attestation.evidence.certificate, expected)?;
        artifact.find(&statement.subjects, Coverage::Whole).map(drop)
    };
    let statement: Value = serde_json::from_slice(&attestation.payload).expect("JSON");
    judged(&statement).expect("it is accepted as it is");
    let mut paths = Vec::new();
    members(&statement, "", &mut paths);
    assert!(paths.len() > 20, "{paths:?}");
    let mut surprises = BTreeSet::new();
    for path in &paths {
        // An object that is none is refused even where it means nothing.
        let is_text = statement.pointer(&pointer(path)).is_some_and(|value| !value.is_object() && !value.is_array());
        let is_accepted = judged(&changed(&statement, path)).is_ok();
        if is_accepted != may_change(path) && (is_accepted || is_text) {
            surprises.insert(format!("changed: {path}"));
        }
        if judged(&without(&statement, path)).is_ok() && !may_go(path) {
            surprises.insert(format!("removed: {path}"));
        }
    }
    assert!(surprises.is_empty(), "{surprises:#?}");
}

const EXAMPLE: &str = "slsa-framework/example-package";

#[test]
fn each_member_of_a_generators_provenance_counts() {
    let artifact = "github-generic-v2.1.0/binary-linux-amd64-push-v14.2";
    each_member_counts(&format!("{artifact}.intoto.jsonl"), artifact, &expectations(EXAMPLE, None, None));
}

#[test]
fn each_member_of_a_container_based_builds_provenance_counts() {
    let artifact = "github-container-based-v2.1.0/binary-linux-amd64-push-v14.2";
    each_member_counts(&format!("{artifact}.intoto.build.slsa"), artifact, &expectations(EXAMPLE, None, None));
}

#[test]
fn each_member_of_a_delegated_builds_provenance_counts() {
    let artifact = "github-delegator-v1.10.0/binary-linux-amd64-push-v14.2";
    let builder = "https://github.com/slsa-framework/example-trw/.github/workflows/builder_high-perms_slsa3.yml";
    each_member_counts(&format!("{artifact}.build.slsa"), artifact, &expectations(EXAMPLE, Some(builder), None));
}

#[test]
fn each_member_of_an_attestation_counts() {
    let wheel = "github-attest/github_provenance_demo-0.0.12-py3-none-any";
    let expected = expectations("actions/attest-demo", None, None);
    each_member_counts(&format!("{wheel}-bundle.jsonl"), &format!("{wheel}.whl"), &expected);
    let workflow = "github/artifact-attestations-workflows/.github/workflows/attest.yml";
    let expected = expectations("malancas/attest-demo", None, Some(workflow));
    let bundle = "github-attest/reusable-workflow-attestation.sigstore.json";
    each_member_counts(bundle, "github-attest/reusable-workflow-artifact", &expected);
    let expected = expectations("aspect-build/rules_lint", None, None);
    each_member_counts("github-attest-bcr/MODULE.bazel.intoto.jsonl", "github-attest-bcr/MODULE.bazel", &expected);
}

/// What of a bundle may be anything, with the reason.
const UNSIGNED: &[(&str, &str)] = &[
    ("changed: dsseEnvelope.signatures.0.keyid", "a hint that no signature covers (DSSE); the certificate has the key"),
    ("removed: dsseEnvelope.signatures.0.keyid", "as above"),
    ("removed: verificationMaterial.timestampVerificationData", "the log says the time too, where there is a log"),
    ("removed: verificationMaterial.timestampVerificationData.rfc3161Timestamps", "as above"),
];

/// What only a bundle of v0.1 need not have: the log's promise alone was enough then.
const OPTIONAL_IN_V01: &str = "removed: verificationMaterial.tlogEntries.0.inclusionProof";

#[test]
fn each_member_of_a_bundle_counts() {
    let Some(vectors) = std::env::var_os("MODEL_SIGNING_VECTORS") else { return };
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(vectors).join("slsa");
    let (root, github) = (TrustedRoot::embedded(Instance::Production), TrustedRoot::github());
    let mut surprises = BTreeSet::new();
    for name in [
        "github-generic-v2.1.0/binary-linux-amd64-push-v14.2.intoto.jsonl",
        "github-container-based-v2.1.0/binary-linux-amd64-push-v14.2.intoto.build.slsa",
        "github-delegator-v1.10.0/binary-linux-amd64-push-v14.2.build.slsa",
        "github-attest/github_provenance_demo-0.0.12-py3-none-any-bundle.jsonl",
        "github-attest/reusable-workflow-attestation.sigstore.json",
    ] {
        let bundle: Value = serde_json::from_slice(&std::fs::read(folder.join(name)).expect(name)).expect(name);
        let holds = |bundle: &Value| verify_attestation(bundle.to_string().as_bytes(), &root, Some(&github)).is_ok();
        assert!(holds(&bundle), "{name}");
        let mut paths = Vec::new();
        members(&bundle, "", &mut paths);
        for path in &paths {
            for (what, other) in [("changed", changed(&bundle, path)), ("removed", without(&bundle, path))] {
                let change = format!("{what}: {path}");
                let is_listed = UNSIGNED.iter().any(|(listed, _)| *listed == change)
                    || (change == OPTIONAL_IN_V01
                        && bundle["mediaType"].as_str().is_some_and(|kind| kind.ends_with("0.1")));
                if holds(&other) && !is_listed {
                    surprises.insert(format!("{name}: {change}"));
                }
            }
        }
    }
    assert!(surprises.is_empty(), "{surprises:#?}");
}
