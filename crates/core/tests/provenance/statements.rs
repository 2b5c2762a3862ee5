//! Provenance as each kind of builder writes it, of one run of one workflow.

use fake_sigstore::{Claims, Identity};
use model_transparency::provenance::{
    Artifact, ArtifactDigests, Expectations, Repository, SignerExpectation, SourceExpectation,
};
use serde_json::{Value, json};

use crate::authority::Provenance;

pub(crate) const REPOSITORY: &str = "owner/name";
pub(crate) const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";
pub(crate) const TAG: &str = "refs/tags/v1.2.3";
const WORKFLOW: &str = ".github/workflows/release.yml";
const RUN: &str = "https://github.com/owner/name/actions/runs/30433642/attempts/1";
const GENERATOR: &str = "slsa-framework/slsa-github-generator/.github/workflows";

/// A builder of slsa-github-generator at a reference.
pub(crate) fn generator(file: &str, reference: &str) -> String {
    format!("https://github.com/{GENERATOR}/{file}@{reference}")
}

/// What the authority certifies of a workflow that runs for [`WORKFLOW`] at a reference.
pub(crate) fn certificate(signer: &str, reference: &str) -> Identity {
    let signer = signer.strip_prefix("https://github.com/").expect("on GitHub");
    Identity::of(&Claims::github_workflow(REPOSITORY, "release.yml", reference).with("job_workflow_ref", signer))
}

pub(crate) fn expected() -> Expectations {
    Expectations {
        source: Some(SourceExpectation::Repository(Repository::parse(REPOSITORY).expect("a repository"))),
        ..Expectations::default()
    }
}

fn provenance(signer: &str, kind: &str, predicate_type: &str, predicate: Value) -> Provenance {
    let digest = "ab".repeat(32);
    let mut artifact = ArtifactDigests::default();
    assert!(artifact.add("sha256", &digest));
    Provenance {
        signer: certificate(signer, TAG),
        statement: json!({
            "_type": kind,
            "subject": [{ "name": "artifact", "digest": { "sha256": digest } }],
            "predicateType": predicate_type,
            "predicate": predicate,
        }),
        artifact: Artifact::Digests(artifact),
        expected: expected(),
    }
}

/// The generic generator's.
pub(crate) fn generated() -> Provenance {
    let builder = generator("generator_generic_slsa3.yml", "refs/tags/v2.1.0");
    let uri = format!("git+https://github.com/{REPOSITORY}@{TAG}");
    let predicate = json!({
        "builder": { "id": builder },
        "buildType": "https://github.com/slsa-framework/slsa-github-generator/generic@v1",
        "invocation": {
            "configSource": { "uri": uri, "digest": { "sha1": COMMIT }, "entryPoint": WORKFLOW },
            "parameters": {},
            "environment": {
                "github_actor": "somebody",
                "github_event_name": "push",
                "github_event_payload": { "base_ref": "refs/heads/main", "ref": TAG },
                "github_ref": TAG,
                "github_repository_id": "1296269",
                "github_repository_owner": "owner",
                "github_repository_owner_id": "583231",
                "github_run_id": "30433642",
                "github_sha1": COMMIT,
            },
        },
        "metadata": {
            "buildInvocationID": "30433642-1",
            "completeness": { "parameters": true, "environment": false, "materials": false },
            "reproducible": false,
        },
        "materials": [{ "uri": uri, "digest": { "sha1": COMMIT } }],
    });
    provenance(&builder, "https://in-toto.io/Statement/v0.1", "https://slsa.dev/provenance/v0.2", predicate)
}

/// What the builders record of the job in v1.
fn job() -> Value {
    json!({
        "GITHUB_ACTOR_ID": "1",
        "GITHUB_EVENT_NAME": "push",
        "GITHUB_EVENT_PAYLOAD": { "base_ref": "refs/heads/main", "ref": TAG },
        "GITHUB_REF": TAG,
        "GITHUB_REPOSITORY": REPOSITORY,
        "GITHUB_REPOSITORY_ID": "1296269",
        "GITHUB_REPOSITORY_OWNER_ID": "583231",
        "GITHUB_RUN_ID": 30_433_642,
        "GITHUB_SHA": COMMIT,
        "GITHUB_WORKFLOW_REF": format!("{REPOSITORY}/{WORKFLOW}@{TAG}"),
        "GITHUB_WORKFLOW_SHA": COMMIT,
    })
}

fn v1(signer: &str, builder: &str, build_type: &str, parameters: &Value, job: &Value, commit: &str) -> Provenance {
    let predicate = json!({
        "buildDefinition": {
            "buildType": build_type,
            "externalParameters": parameters,
            "internalParameters": job,
            "resolvedDependencies": [
                { "uri": format!("git+https://github.com/{REPOSITORY}@{TAG}"), "digest": { commit: COMMIT } },
                { "uri": "docker://builder", "digest": { "sha256": "00" } },
            ],
        },
        "runDetails": { "builder": { "id": builder }, "metadata": { "invocationId": RUN } },
    });
    provenance(signer, "https://in-toto.io/Statement/v1", "https://slsa.dev/provenance/v1", predicate)
}

/// The container-based builder's.
pub(crate) fn container_based() -> Provenance {
    let builder = generator("builder_container-based_slsa3.yml", "refs/tags/v2.1.0");
    let parameters = json!({
        "source": { "uri": format!("git+https://github.com/{REPOSITORY}@{TAG}"), "digest": { "sha1": COMMIT } },
        "builderImage": { "uri": "image@sha256:00", "digest": { "sha256": "00" } },
        "configPath": "build.toml",
        "buildConfig": { "ArtifactPath": "artifact", "Command": ["make"] },
    });
    v1(&builder, &builder, "https://slsa.dev/container-based-build/v0.1?draft", &parameters, &job(), "sha1")
}

/// A delegator's, for a builder.
pub(crate) fn delegated(builder: &str) -> Provenance {
    let delegator = generator("delegator_lowperms-generic_slsa3.yml", "refs/tags/v2.1.0");
    let build_type = "https://github.com/slsa-framework/slsa-github-generator/delegator-generic@v0";
    let parameters = json!({ "inputs": { "rekor-log-public": false }, "vars": {} });
    v1(&delegator, builder, build_type, &parameters, &job(), "gitCommit")
}

/// What `actions/attest` writes in the workflow itself.
pub(crate) fn attested() -> Provenance {
    let signer = format!("https://github.com/{REPOSITORY}/{WORKFLOW}@{TAG}");
    let url = format!("https://github.com/{REPOSITORY}");
    let parameters = json!({ "workflow": { "ref": TAG, "repository": url, "path": WORKFLOW } });
    let job = json!({ "github": {
        "event_name": "push",
        "repository_id": "1296269",
        "repository_owner_id": "583231",
        "runner_environment": "github-hosted",
    } });
    let (runner, build_type) =
        ("https://github.com/actions/runner/github-hosted", "https://actions.github.io/buildtypes/workflow/v1");
    v1(&signer, runner, build_type, &parameters, &job, "gitCommit")
}

/// What is of every kind, with its name.
pub(crate) fn every_kind() -> [(&'static str, Provenance); 4] {
    let maven = generator("builder_maven_slsa3.yml", "refs/tags/v2.1.0");
    [
        ("generated", generated()),
        ("container-based", container_based()),
        ("delegated", delegated(&maven)),
        ("attested", attested()),
    ]
}

/// Whoever is asked for by name.
pub(crate) fn signer(builder_id: Option<&str>, workflow: Option<&str>) -> SignerExpectation {
    SignerExpectation {
        builder_id: builder_id.map(str::to_owned),
        workflow: workflow.map(str::to_owned),
        ..SignerExpectation::default()
    }
}
