//! A document of each format and of each kind of run, what is refused, and damage of any kind.

use proptest::prelude::*;
use serde_json::json;

use super::*;

const A: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
const B: &str = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";
const APP: &str = "git+https://git.example.com/team/app.git";
const PIPELINES: &str = "git+https://git.example.com/platform/pipelines";

fn statement(predicate_type: &str, predicate: &Value) -> Vec<u8> {
    let statement = json!({
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{ "name": "registry.example.com/app", "digest": { "sha256": "cc" } }],
        "predicateType": predicate_type,
        "predicate": predicate,
    });
    statement.to_string().into_bytes()
}

fn read_facts(predicate_type: &str, predicate: &Value) -> Option<Result<Facts, InvalidProvenance>> {
    facts(&Statement::parse(&statement(predicate_type, predicate)).expect("a statement"))
}

fn valid(predicate_type: &str, predicate: &Value) -> Facts {
    read_facts(predicate_type, predicate).expect("of Tekton Chains").expect("valid")
}

fn refused(predicate_type: &str, predicate: &Value) -> String {
    read_facts(predicate_type, predicate).expect("of Tekton Chains").expect_err("refused").to_string()
}

fn git(uri: &str, commit: &str) -> Value {
    json!({ "uri": uri, "digest": { "sha1": commit } })
}

fn named(name: &str, uri: &str, commit: &str) -> Value {
    json!({ "name": name, "uri": uri, "digest": { "sha1": commit } })
}

fn image() -> Value {
    json!({ "uri": "oci://registry.example.com/builder", "digest": { "sha256": "dd" } })
}

fn sources(facts: &Facts) -> Vec<(&str, Option<&str>)> {
    facts.sources.iter().map(|one| (one.uri.as_str(), one.commit.as_deref())).collect()
}

fn has_remark(facts: &Facts, part: &str) -> bool {
    facts.remarks.iter().any(|remark| remark.contains(part))
}

fn task_v02(build_type: &str) -> Value {
    json!({
        "builder": { "id": "https://ci.example.com/chains" },
        "buildType": build_type,
        "invocation": {
            "configSource": { "uri": PIPELINES, "digest": { "sha1": A }, "entryPoint": "tasks/build.yaml" },
            "parameters": { "image": "app", "flags": ["-v"], "CHAINS-GIT_URL": "https://git.example.com/team/app" },
            "environment": { "labels": { "team": "one" } },
        },
        "buildConfig": { "steps": [{ "entryPoint": "make", "arguments": null, "annotations": null }] },
        "metadata": { "buildStartedOn": "2026-01-02T03:04:05Z", "reproducible": false },
        "materials": [image(), git(APP, B)],
    })
}

fn pipeline_v02() -> Value {
    let task = |name: &str, uri: &str| {
        json!({
            "name": name,
            "ref": { "resolver": "git" },
            "invocation": { "configSource": { "uri": uri, "digest": { "sha1": A } }, "parameters": {} },
            "results": [{ "name": "digest", "type": "string", "value": "sha256:cc\n" }],
        })
    };
    json!({
        "builder": { "id": "https://ci.example.com/chains" },
        "buildType": "tekton.dev/v1/PipelineRun",
        "invocation": {
            "configSource": { "uri": PIPELINES, "digest": { "sha1": A }, "entryPoint": "build.yaml" },
            "parameters": { "CHAINS-GIT_URL": "https://git.example.com/team/app", "CHAINS-GIT_COMMIT": B },
        },
        "buildConfig": { "tasks": [task("a", "git+https://git.example.com/tasks.git"), {}, task("b", PIPELINES)] },
        "materials": [git(PIPELINES, A), image(), git("git+https://git.example.com/tasks.git", A), git(APP, B)],
    })
}

fn v1(spec: Value, dependencies: Value, byproducts: Value) -> Value {
    json!({
        "buildDefinition": {
            "buildType": "https://tekton.dev/chains/v2/slsa",
            "externalParameters": { "runSpec": spec },
            "internalParameters": { "tekton-pipelines-feature-flags": { "MaxResultSize": 4096 } },
            "resolvedDependencies": dependencies,
        },
        "runDetails": {
            "builder": { "id": "https://ci.example.com/chains" },
            "metadata": { "invocationId": "7c0f", "startedOn": "2026-01-02T03:04:05Z" },
            "byproducts": byproducts,
        },
    })
}

fn byproduct(name: &str, value: &Value) -> Value {
    json!({ "name": name, "content": STANDARD.encode(value.to_string()), "mediaType": "application/json" })
}

/// `slsa/v2alpha2`, a task that a resolver found.
fn task_v2alpha2() -> Value {
    let mut predicate = v1(
        json!({ "taskRef": { "resolver": "git" }, "serviceAccountName": "ci", "resources": {}, "timeout": "1h0m0s" }),
        json!([
            named("task", PIPELINES, A),
            image(),
            named("pipelineResource", "git+https://git.example.com/team/app.git@main", B),
        ]),
        json!([byproduct("taskRunResults/IMAGE_URL", &json!("registry.example.com/app"))]),
    );
    predicate["buildDefinition"]["externalParameters"]["buildConfigSource"] =
        json!({ "ref": format!("sha1:{A}"), "repository": PIPELINES, "path": "tasks/build.yaml" });
    predicate["runDetails"]["metadata"] = json!({ "invocationID": "7c0f" });
    predicate
}

/// `slsa/v2alpha3`, a pipeline in the repository that it builds. Chains lists that repository once.
fn pipeline_v2alpha3(results: Value) -> Value {
    v1(
        json!({ "pipelineRef": { "name": "build" }, "taskRunTemplate": {}, "params": [{ "name": "p", "value": "v" }] }),
        json!([named("pipeline", APP, B), named("pipelineTask", PIPELINES, A), image()]),
        results,
    )
}

/// `slsa/v2alpha4` of the build type with more in it, and every task looked into.
fn pipeline_v2alpha4() -> Value {
    let mut predicate = v1(
        json!({ "pipelineSpec": { "tasks": [] }, "timeouts": { "pipeline": "1h0m0s" } }),
        json!([
            { "name": "pipelineTask", "content": "e30=" },
            named("stepAction/fetch", "git+https://git.example.com/steps", A),
            image(),
            named("inputs/result", APP, B),
            named("inputs/result", "https://git.example.com/team/library", A),
            named("inputs/result", APP, B),
            { "name": "inputs/result", "uri": "https://example.com/data.tar", "digest": { "sha256": "ee" } },
        ]),
        json!([
            byproduct("pipelineRunResults/build-1/log", &json!("fine")),
            byproduct("taskRunResults/build-1-a/x-ARTIFACT_OUTPUTS", &json!({ "uri": "u", "digest": "sha256:ab" })),
            byproduct("stepResults/build-1-a/y-ARTIFACT_DIGEST", &json!("sha256:cd\n")),
        ]),
    );
    predicate["buildDefinition"]["buildType"] = json!("https://tekton.dev/chains/v2/slsa-tekton");
    predicate
}

#[test]
fn a_task_in_slsa_v02_has_its_inputs_among_the_materials() {
    for build_type in
        ["tekton.dev/v1/TaskRun", "tekton.dev/v1beta1/TaskRun", "https://tekton.dev/attestations/chains@v2"]
    {
        let found = valid(V02, &task_v02(build_type));
        assert_eq!(found.build_type, build_type);
        assert_eq!(found.builder_id, "https://ci.example.com/chains");
        assert_eq!(sources(&found), [("https://git.example.com/team/app.git", Some(B))]);
        assert_eq!(found.source(), found.sources.first());
        assert_eq!(found.definition.expect("one").uri, "https://git.example.com/platform/pipelines");
        assert_eq!(found.entry_point.as_deref(), Some("tasks/build.yaml"));
        assert_eq!((found.parameters.len(), found.dependencies.len()), (3, 2));
        assert_eq!(found.remarks.len(), 3, "{:?}", found.remarks);
    }
    // What is at the place of the definition is an input all the same: a task's materials have no definition.
    let mut predicate = task_v02("tekton.dev/v1/TaskRun");
    predicate["materials"] = json!([git(PIPELINES, A)]);
    assert_eq!(sources(&valid(V02, &predicate)), [("https://git.example.com/platform/pipelines", Some(A))]);
}

#[test]
fn definitions_of_a_pipeline_in_slsa_v02_are_not_sources() {
    let found = valid(V02, &pipeline_v02());
    assert_eq!(sources(&found), [("https://git.example.com/team/app.git", Some(B))]);
    assert_eq!(found.entry_point.as_deref(), Some("build.yaml"));

    let mut predicate = pipeline_v02();
    predicate["materials"] = json!([git(PIPELINES, A), image()]);
    let found = valid(V02, &predicate);
    assert_eq!((sources(&found), found.source()), (vec![], None));
    assert!(has_remark(&found, "can be left out"));

    predicate["buildType"] = json!("https://tekton.dev/attestations/chains/pipelinerun@v2");
    predicate["invocation"]["configSource"]["uri"] = json!(APP);
    predicate["invocation"]["configSource"]["digest"]["sha1"] = json!(B);
    predicate["materials"] = json!([git(APP, B)]);
    assert_eq!(sources(&valid(V02, &predicate)), [("https://git.example.com/team/app.git", Some(B))]);
    predicate["invocation"]["parameters"]["CHAINS-GIT_COMMIT"] = json!(A);
    assert_eq!(sources(&valid(V02, &predicate)), []);
}

#[test]
fn v2alpha1_has_the_members_of_the_run_as_parameters() {
    let mut predicate = task_v02("https://chains.tekton.dev/format/slsa/v2alpha1/type/tekton.dev/v1beta1/TaskRun");
    predicate["invocation"]["parameters"] =
        json!({ "ComputeResources": null, "Params": [], "Retries": 0, "SidecarOverrides": null, "Resources": null });
    assert_eq!(sources(&valid(V02, &predicate)), [("https://git.example.com/team/app.git", Some(B))]);
    predicate["invocation"]["parameters"]["Hook"] = json!("x");
    assert!(refused(V02, &predicate).contains("`Hook`"));
}

#[test]
fn a_task_in_slsa_v1_says_where_it_is_defined_and_what_it_took() {
    let found = valid(V1, &task_v2alpha2());
    assert_eq!(sources(&found), [("https://git.example.com/team/app.git", Some(B))]);
    assert_eq!(found.source().expect("one").reference.as_deref(), Some("main"));
    assert_eq!(found.definition.as_ref().map(SourceFacts::repository), PIPELINES.strip_prefix("git+"));
    assert_eq!(found.entry_point.as_deref(), Some("tasks/build.yaml"));
    assert_eq!(found.invocation.as_deref(), Some("7c0f"));
    assert_eq!(found.parameters.keys().collect::<Vec<_>>(), ["buildConfigSource", "runSpec"]);
    assert!(found.remarks.iter().any(|remark| remark.contains("`…ARTIFACT_URI`")));
}

#[test]
fn a_source_that_is_listed_as_the_definition_is_found_by_what_the_run_calls_it() {
    let result = |name: &str, value: &str| byproduct(&format!("pipelineRunResults/{name}"), &json!(value));
    let url = result("CHAINS-GIT_URL", "https://git.example.com/team/app");
    let both = json!([url, result("CHAINS-GIT_COMMIT", B)]);
    let mut predicate = pipeline_v2alpha3(both);
    let found = valid(V1, &predicate);
    assert_eq!(sources(&found), [("https://git.example.com/team/app.git", Some(B))]);
    assert_eq!(found.definition.as_ref(), found.source());

    // The results count, and not what the parameters had before them; half of a hint is none.
    let param = |name: &str, value: &str| json!({ "name": name, "value": value });
    let params = json!([param("CHAINS-GIT_URL", "https://git.example.com/team/app"), param("CHAINS-GIT_COMMIT", B)]);
    for results in [
        json!([result("CHAINS-GIT_COMMIT", A)]),
        json!([result("CHAINS-GIT_URL", "")]),
        json!([byproduct("taskRunResults/r/CHAINS-GIT_COMMIT", &json!(A)), result("CHAINS-GIT_COMMIT", "main")]),
    ] {
        predicate = pipeline_v2alpha3(results);
        predicate["buildDefinition"]["externalParameters"]["runSpec"]["params"] = params.clone();
        assert_eq!(sources(&valid(V1, &predicate)), []);
    }
    predicate = pipeline_v2alpha3(json!([url]));
    let found = valid(V1, &predicate);
    assert_eq!(sources(&found), []);
    assert!(has_remark(&found, "can be left out"));

    predicate["buildDefinition"]["externalParameters"]["runSpec"]["params"] = params;
    assert_eq!(sources(&valid(V1, &predicate)), [("https://git.example.com/team/app.git", Some(B))]);
    // A definition that the run does not name stays one.
    predicate["buildDefinition"]["resolvedDependencies"] = json!([named("pipeline", PIPELINES, A)]);
    assert_eq!(sources(&valid(V1, &predicate)), []);

    // A default counts as well.
    let spec = json!({ "params": [
        { "name": "CHAINS-GIT_URL", "default": "git+https://git.example.com/team/app" },
        { "name": "CHAINS-GIT_COMMIT", "type": "string", "default": B },
    ] });
    predicate = v1(json!({ "pipelineSpec": spec }), json!([named("pipeline", APP, B)]), json!([]));
    assert_eq!(sources(&valid(V1, &predicate)), [("https://git.example.com/team/app.git", Some(B))]);
}

#[test]
fn several_sources_are_all_given_and_none_is_chosen() {
    let found = valid(V1, &pipeline_v2alpha4());
    let all = [("https://git.example.com/team/app.git", Some(B)), ("https://git.example.com/team/library", Some(A))];
    assert_eq!(sources(&found), all);
    assert_eq!((found.source(), &found.definition, &found.entry_point), (None, &None, &None));
    assert!(has_remark(&found, "does not say which of the sources"));
    assert!(has_remark(&found, "marked by the task with `isBuildArtifact`"));
    assert!(has_remark(&found, "`x-ARTIFACT_OUTPUTS` (sha256:ab), `y-ARTIFACT_DIGEST` (sha256:cd) were not marked"));
}

#[test]
fn a_run_without_results_or_a_source_says_so() {
    let found = valid(V1, &v1(json!({ "taskSpec": {} }), json!([image()]), json!([])));
    assert!(has_remark(&found, "said nothing of its source") && has_remark(&found, "since `slsa/v2alpha4`"));
    assert!(!has_remark(&found, "did not fetch"));
}

#[test]
fn a_remark_names_so_many_byproducts_and_no_more() {
    let output = |digest: &str| byproduct("taskRunResults/r/ARTIFACT_OUTPUTS", &json!({ "digest": digest }));
    let of = |byproducts: Vec<Value>| valid(V1, &v1(json!({ "taskSpec": {} }), json!([]), json!(byproducts)));
    assert!(has_remark(&of(vec![output("sha256:a"); 20]), "(sha256:a), 12 more were not marked"));
    assert!(has_remark(&of(vec![output("sha256:a")]), "(sha256:a) was not marked"));
    assert!(!has_remark(&of(vec![output(&"a".repeat(500))]), "not marked"));
    let marked = json!({ "digest": "sha256:a", "isBuildArtifact": "true" });
    assert!(!has_remark(&of(vec![byproduct("taskRunResults/r/ARTIFACT_OUTPUTS", &marked)]), "not marked"));
}

#[test]
fn what_is_no_commit_is_not_passed_on_as_one() {
    let mut predicate = task_v02("tekton.dev/v1/TaskRun");
    predicate["materials"] = json!([git(APP, "main"), git(APP, "v1"), git(APP, &"a".repeat(64))]);
    let found = valid(V02, &predicate);
    let uri = "https://git.example.com/team/app.git";
    assert_eq!(sources(&found), [(uri, None), (uri, Some(&*"a".repeat(64)))]);
    assert!(has_remark(&found, "not bound to a commit: the run gave `main`, `v1`"));
}

#[test]
fn another_build_type_is_left_to_others() {
    for build_type in
        ["tekton.dev/v1/CustomRun", "tekton.dev/v1beta1/", "https://example.com/build", "https://tekton.dev/chains/v2"]
    {
        assert!(read_facts(V02, &task_v02(build_type)).is_none());
        let mut predicate = task_v2alpha2();
        predicate["buildDefinition"]["buildType"] = json!(build_type);
        assert!(read_facts(V1, &predicate).is_none());
    }
    assert!(read_facts(V1, &json!({})).is_none() && read_facts(V1, &json!({ "buildDefinition": 1 })).is_none());
}

#[test]
fn a_build_type_is_of_one_predicate_type() {
    assert!(refused(V1, &pipeline_v02()).contains(V02));
    assert!(refused(V02, &task_v2alpha2()).contains(V1));
    assert!(refused("https://example.com/p", &task_v2alpha2()).contains("https://example.com/p"));
}

#[test]
fn parameters_that_are_not_known_are_refused_wherever_they_are() {
    for (member, name) in [("", "hook"), ("/runSpec", "runSpec.hook"), ("/buildConfigSource", "buildConfigSource.hook")]
    {
        let mut predicate = task_v2alpha2();
        let path = format!("/buildDefinition/externalParameters{member}");
        predicate.pointer_mut(&path).expect("there")["hook"] = json!(null);
        let found = read_facts(V1, &predicate).expect("of Tekton Chains");
        assert!(matches!(found, Err(InvalidProvenance::UnknownParameter { name: found }) if found == name));
    }
    // A pipeline's members are not a task's.
    let mut predicate = task_v2alpha2();
    predicate["buildDefinition"]["externalParameters"]["runSpec"]["taskRunSpecs"] = json!([]);
    assert!(refused(V1, &predicate).contains("`runSpec.taskRunSpecs`"));
}

#[test]
fn every_malformation_names_its_member() {
    let with = |path: &str, value: Value| {
        let mut predicate = task_v2alpha2();
        *predicate.pointer_mut(&format!("/buildDefinition/externalParameters/{path}")).expect("there") = value;
        refused(V1, &predicate)
    };
    for spec in [json!("x"), json!({}), json!({ "taskRef": {}, "pipelineRef": {} })] {
        assert!(with("runSpec", spec).contains("externalParameters.runSpec`"));
    }
    assert!(with("buildConfigSource", json!([])).contains("buildConfigSource`"));
    assert!(with("buildConfigSource/repository", json!(1)).contains("buildConfigSource.repository`"));
    assert!(with("buildConfigSource/path", json!(null)).contains("buildConfigSource.path`"));
    assert!(with("buildConfigSource/ref", json!("main")).contains("buildConfigSource.ref`"));
    // What the dependencies say of the definition is the same.
    assert!(with("buildConfigSource/ref", json!(format!("sha1:{B}"))).contains("what `resolvedDependencies` has"));
    assert!(with("buildConfigSource/repository", json!(APP)).contains("what `resolvedDependencies` has"));

    let mut predicate = task_v2alpha2();
    predicate["runDetails"]["byproducts"] = json!([[]]);
    assert!(refused(V1, &predicate).contains("unexpected JSON"));
    let mut predicate = pipeline_v02();
    predicate["materials"] = json!({});
    assert!(refused(V02, &predicate).contains("unexpected JSON"));
}

#[test]
fn documents_that_end_early_are_refused() {
    for (predicate_type, predicate) in documents() {
        let statement = statement(predicate_type, &predicate);
        for end in 0..statement.len() {
            assert!(Statement::parse(&statement[..end]).is_err());
        }
    }
}

fn documents() -> Vec<(&'static str, Value)> {
    vec![
        (V02, task_v02("tekton.dev/v1/TaskRun")),
        (V02, pipeline_v02()),
        (V1, task_v2alpha2()),
        (V1, pipeline_v2alpha3(json!([byproduct("pipelineRunResults/CHAINS-GIT_URL", &json!("x"))]))),
        (V1, pipeline_v2alpha4()),
    ]
}

/// Values that stand where another kind is expected.
fn any_value() -> impl Strategy<Value = Value> {
    let values =
        [json!(null), json!(1), json!("x"), json!("git+"), json!([]), json!([{}]), json!({}), json!({ "a": "@" })];
    prop::sample::select(values.to_vec())
}

/// Every place in a document, as a JSON pointer.
fn places(value: &Value, at: &str, found: &mut Vec<String>) {
    found.push(at.to_owned());
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                places(value, &format!("{at}/{}", name.replace('~', "~0").replace('/', "~1")), found);
            }
        }
        Value::Array(values) => {
            for (index, value) in values.iter().enumerate() {
                places(value, &format!("{at}/{index}"), found);
            }
        }
        _ => {}
    }
}

proptest! {
    #[test]
    fn any_value_anywhere_is_read_or_refused(
        document in prop::sample::select(documents()),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any_value()), 1..4),
    ) {
        let (predicate_type, mut predicate) = document;
        for (index, value) in changes {
            let mut all = Vec::new();
            places(&predicate, "", &mut all);
            *predicate.pointer_mut(&all[index.index(all.len())]).expect("a place") = value;
        }
        if predicate.is_object()
            && let Some(Ok(found)) = read_facts(predicate_type, &predicate)
        {
            prop_assert!(found.source().is_some() == (found.sources.len() == 1));
        }
    }

    #[test]
    fn any_byte_anywhere_is_read_or_refused(
        document in prop::sample::select(documents()),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut bytes = statement(document.0, &document.1);
        for (index, byte) in changes {
            *index.get_mut(&mut bytes) = byte;
        }
        if let Ok(statement) = Statement::parse(&bytes) {
            let _ = facts(&statement);
        }
    }
}
