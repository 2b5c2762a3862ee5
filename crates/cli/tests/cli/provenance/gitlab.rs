//! Provenance of GitLab's jobs: the runner's metadata, which nobody signs, and statements that a job signs itself.

use std::sync::Arc;

use fake_sigstore::{Claims, Instance, Service, SigningConfig};
use serde_json::{Value, json};

use super::super::support::Sandbox;
use super::signing::{V1, bundle_of, statement, subject};
use super::{refused, verified};

const PROJECT: &str = "https://gitlab.com/group/models/small";
const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";
const JOB: &str = "https://gitlab.com/group/models/small//.gitlab-ci.yml@refs/heads/main";
const TRUST: &str = "--trust-config trust.json --identity-provider https://gitlab.com";

/// What GitLab's runner writes beside a job's artifacts.
fn metadata() -> Value {
    let predicate = json!({
        "buildDefinition": {
            "buildType": "https://gitlab.com/gitlab-org/gitlab-runner/-/blob/1a2b3c4d/PROVENANCE.md",
            "externalParameters": {
                "source": PROJECT,
                "entryPoint": "train",
                "variables": { "CI": "", "EPOCHS": "" },
            },
            "internalParameters": { "architecture": "amd64", "executor": "docker", "job": "302", "name": "runner-1" },
            "resolvedDependencies": [{ "uri": PROJECT, "digest": { "sha256": COMMIT } }],
        },
        "runDetails": {
            "builder": { "id": format!("{PROJECT}/-/runners/7") },
            "metadata": { "invocationID": "302", "startedOn": "2026-03-04T05:06:07Z" },
        },
    });
    statement(&json!([subject("weights", "weights")]), V1, &predicate)
}

fn claims() -> Claims {
    Claims::gitlab_job("group/models/small", ".gitlab-ci.yml", "main")
}

/// A folder with `weights`, and `job.json`, which a job of these claims signed.
fn signed(claims: Claims, statement: &Value) -> (Sandbox, Arc<Instance>) {
    let (sandbox, sigstore) = (Sandbox::empty(), Arc::new(Instance::start()));
    sandbox.write("weights", "weights");
    sandbox.write("trust.json", sigstore.trust_config_json(&SigningConfig::default()));
    sandbox.write("job.json", bundle_of(&sigstore, claims, statement));
    (sandbox, sigstore)
}

fn words(flags: &str) -> String {
    format!("weights --provenance-path job.json --identity {JOB} {TRUST} {flags}")
}

#[test]
fn metadata_that_nobody_signed_is_refused_and_says_why() {
    let sandbox = Sandbox::with_model();
    sandbox.write("weights", "weights");
    let mut old = metadata();
    old["_type"] = "https://in-toto.io/Statement/v0.1".into();
    for statement in [metadata(), old] {
        sandbox.write("job.json", format!("{statement:#}\n"));
        for trust in ["--key key.pub.pem", "--repo group/small", "--identity a --identity-provider https://gitlab.com"]
        {
            let said = refused(&sandbox, &format!("weights --provenance-path job.json {trust}"), "invalid_provenance");
            assert!(said.contains("that nobody signed") && said.contains("the metadata of GitLab's runner"), "{said}");
        }
    }
}

#[test]
fn a_statement_that_a_job_signed_is_verified() {
    let (sandbox, sigstore) = signed(claims(), &metadata());
    let source = format!("--source-uri {PROJECT}");
    let asked = sigstore.requests(Service::RekorV1);
    let found = verified(&sandbox, &words(&source));
    assert_eq!((&found["level"], &found["source"]["commit"]), (&Value::Null, &COMMIT.into()));
    assert_eq!((&found["signer"]["identity"], &found["log_entry"]), (&JOB.into(), &true.into()), "{found}");
    assert_eq!(sigstore.requests(Service::RekorV1), asked, "nobody is asked");
    for flags in [
        "",
        "--deny-self-hosted-runners",
        &format!("{source}.git --source-digest {COMMIT} --builder-id {PROJECT}/-/runners/7"),
        "--source-uri gitlab.com/group/models/small",
    ] {
        verified(&sandbox, &words(flags));
    }
    let run = sandbox.ok(&format!("provenance verify {}", words(&source)));
    for says in [JOB, "provider     https://gitlab.com", "no level: ", "triggered by train"] {
        assert!(run.stdout.contains(says), "{says}: {}", run.stdout);
    }
    verified(&sandbox, &words(&source).replace("--identity ", "--certificate-identity "));
    verified(&sandbox, &words(&source).replace("--identity-provider", "--certificate-oidc-issuer"));
    let pattern = words(&source).replace(JOB, "https://gitlab[.]com/group/.*@refs/heads/main");
    verified(&sandbox, &pattern.replace("--identity ", "--identity-regexp "));
}

#[test]
fn another_job_provider_or_source_is_refused() {
    let (sandbox, _) = signed(claims(), &metadata());
    for (from, to, kind) in [
        ("heads/main", "heads/mai", "wrong_identity"),
        ("models/small//", "models/other//", "wrong_identity"),
        (
            "--identity-provider https://gitlab.com",
            "--identity-provider https://gitlab.example.com",
            "wrong_identity_provider",
        ),
        ("--trust-config trust.json", "", "other_instance"),
        ("job.json", "job.json --source-uri https://gitlab.com/group/models/other", "wrong_source"),
        ("job.json", "job.json --repo group/small", "wrong_source"),
        ("job.json", &format!("job.json --source-digest {}", COMMIT.replace('0', "1")), "wrong_commit"),
        ("job.json", "job.json --builder-id https://gitlab.com", "wrong_builder"),
        ("job.json", "job.json --min-level 1", "level_too_low"),
    ] {
        refused(&sandbox, &words("").replacen(from, to, 1), kind);
    }
    sandbox.write("weights", "other");
    refused(&sandbox, &words(""), "wrong_subject");
}

#[test]
fn what_the_certificate_contradicts_is_refused() {
    let source = "/predicate/buildDefinition/externalParameters/source";
    let dependency = "/predicate/buildDefinition/resolvedDependencies/0";
    let other = "https://gitlab.com/group/models/other";
    let with = |changes: &[(&str, Value)]| {
        let mut statement = metadata();
        for (pointer, value) in changes {
            *statement.pointer_mut(pointer).expect("there") = value.clone();
        }
        signed(claims(), &statement).0
    };
    let commit = json!({ "sha256": COMMIT.replace('0', "1") });
    let git =
        |reference: &str| json!({ "uri": format!("git+{PROJECT}@{reference}"), "digest": { "gitCommit": COMMIT } });
    for (changes, what) in [
        (vec![(source, other.into()), (dependency, json!({ "uri": other }))], "the source repository"),
        (vec![(&*format!("{dependency}/digest"), commit)], "the source commit"),
        (vec![(dependency, git("refs/heads/release"))], "the source reference"),
    ] {
        let said = refused(&with(&changes), &words(""), "contradicts_certificate");
        assert!(said.contains(what), "{said}");
    }
    verified(&with(&[(dependency, git("refs/heads/main"))]), &words("--source-branch main"));
}

#[test]
fn the_certificate_says_which_of_several_sources_it_was() {
    let other = "https://gitlab.com/group/models/other";
    let of = |uri: &str, branch: &str, commit: &str| json!({ "uri": format!("git+{uri}@refs/heads/{branch}"), "digest": { "gitCommit": commit } });
    let changed = COMMIT.replace('0', "1");
    let mut statement = metadata();
    statement["predicate"]["buildDefinition"]["resolvedDependencies"] = json!([
        of(other, "main", &changed),
        of(PROJECT, "main", &changed),
        of(PROJECT, "release", COMMIT),
        of(PROJECT, "main", COMMIT),
    ]);
    let (sandbox, _) = signed(claims(), &statement);
    let found =
        verified(&sandbox, &words(&format!("--source-uri {PROJECT} --source-digest {COMMIT} --source-branch main")));
    assert_eq!(found["sources"].as_array().map(Vec::len), Some(1), "{found}");
    refused(&sandbox, &words(&format!("--source-uri {other}")), "wrong_source");
    refused(&sandbox, &words(&format!("--source-digest {changed}")), "wrong_commit");
    refused(&sandbox, &words("--source-branch release"), "wrong_branch");
}

#[test]
fn a_runner_of_ones_own_is_refused_where_that_is_asked_for() {
    let (sandbox, _) = signed(claims().with("runner_environment", "self-hosted"), &metadata());
    verified(&sandbox, &words(""));
    refused(&sandbox, &words("--deny-self-hosted-runners"), "self_hosted_runner");
}
