//! Public provenance of each producer that signs in public.
//!
//! It is found through `MODEL_SIGNING_VECTORS`, absolute or relative to the workspace.

use std::path::{Path, PathBuf};

use super::super::support::Sandbox;
use super::{level, refused};

const EXAMPLE: &str = "--source-uri github.com/slsa-framework/example-package";
const DELEGATED: &str = "https://github.com/slsa-framework/example-trw/.github/workflows/builder_high-perms_slsa3.yml";
const GENERIC: &str =
    "https://github.com/slsa-framework/slsa-github-generator/.github/workflows/generator_generic_slsa3.yml";
const PUBLISH: &str = "https://github.com/bazel-contrib/publish-to-bcr/.github/workflows/publish.yaml";

/// A folder with copies of these vectors under short names.
fn sandbox(files: &[(&str, &str)]) -> Option<Sandbox> {
    let folder: Option<PathBuf> = std::env::var_os("MODEL_SIGNING_VECTORS")
        .map(|vectors| Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(vectors).join("slsa"))
        .filter(|folder| folder.is_dir());
    let Some(folder) = folder else {
        #[cfg(unix)]
        super::super::support::skipped("no `slsa` in MODEL_SIGNING_VECTORS");
        return None;
    };
    let sandbox = Sandbox::empty();
    for (from, to) in files {
        sandbox.write(to, std::fs::read(folder.join(from)).expect(from));
    }
    Some(sandbox)
}

fn generic() -> Option<Sandbox> {
    sandbox(&[
        ("github-generic-v2.1.0/binary-linux-amd64-push-v14.2", "tagged"),
        ("github-generic-v2.1.0/binary-linux-amd64-push-v14.2.intoto.jsonl", "tagged.jsonl"),
        ("github-generic-v2.1.0/binary-linux-amd64-workflow_dispatch", "started"),
        ("github-generic-v2.1.0/binary-linux-amd64-workflow_dispatch.intoto.jsonl", "started.jsonl"),
    ])
}

fn attested() -> Option<Sandbox> {
    let wheel = "github-attest/github_provenance_demo-0.0.12-py3-none-any";
    sandbox(&[
        (&format!("{wheel}.whl"), "wheel"),
        (&format!("{wheel}-bundle.jsonl"), "wheel.jsonl"),
        (&format!("{wheel}-bundle-missing-cert.jsonl"), "cut.jsonl"),
        ("github-attest/reusable-workflow-artifact", "reusable"),
        ("github-attest/reusable-workflow-attestation.sigstore.json", "reusable.json"),
        ("github-attest/sigstore-js-2.1.0.tgz", "package"),
        ("github-attest/sigstore-js-2.1.0-bundle.json", "package.json"),
        ("github-attest-bcr/MODULE.bazel", "module"),
        ("github-attest-bcr/MODULE.bazel.intoto.jsonl", "module.jsonl"),
        ("github-attest-bcr/MODULE-wrong-signer.bazel", "forged"),
        ("github-attest-bcr/MODULE-wrong-signer.bazel.intoto.jsonl", "forged.jsonl"),
    ])
}

#[test]
fn provenance_of_the_generic_generator_is_verified() {
    let Some(sandbox) = generic() else { return };
    let run = sandbox.ok(&format!("provenance verify tagged --provenance-path tagged.jsonl {EXAMPLE}"));
    insta::assert_snapshot!("provenance_verify", sandbox.scrub(&run));
    let tagged = format!("tagged --provenance-path tagged.jsonl {EXAMPLE}");
    for flags in [
        "--source-tag v14.2",
        "--source-versioned-tag v14",
        "--source-versioned-tag v14.2",
        "--source-branch main",
        "--source-ref refs/tags/v14.2",
        "--source-digest 4d329c75e7ec1725f7c9ce917a8799d408d06be3",
        "--min-level 3",
        "--deny-self-hosted-runners",
        "--signer-repo slsa-framework/slsa-github-generator",
        "--signer-digest f7dd8c54c2067bafc12ca7a55595d5ee9b75204a",
        "--predicate-type https://slsa.dev/provenance/v0.2",
        &format!("--builder-id {GENERIC}"),
        &format!("--builder-id {GENERIC}@v2.1.0"),
        &format!("--builder-id {GENERIC}@refs/tags/v2.1.0"),
    ] {
        assert_eq!(level(&sandbox, &format!("{tagged} {flags}")), 3, "{flags}");
    }
    let printed = sandbox.ok(&format!("provenance verify {tagged} --print-provenance")).stdout;
    let printed = &printed[printed.find("\n{").expect("a document")..];
    let (_, document) = sandbox.json(&format!("provenance verify {tagged} --print-provenance"));
    let statement: serde_json::Value = serde_json::from_str(printed).expect("JSON");
    assert_eq!(statement, document["result"]["artifacts"][0]["statement"]);
    assert_eq!(statement["predicateType"], "https://slsa.dev/provenance/v0.2");
    let started = format!("started --provenance-path started.jsonl {EXAMPLE}");
    assert_eq!(level(&sandbox, &format!("{started} --source-branch main")), 3);
}

#[test]
fn what_is_not_as_expected_is_refused_for_what_it_is() {
    let Some(sandbox) = generic() else { return };
    let tagged = format!("tagged --provenance-path tagged.jsonl {EXAMPLE}");
    for (flags, kind) in [
        ("--source-branch release", "wrong_branch"),
        ("--source-tag v14.3", "wrong_tag"),
        ("--source-versioned-tag v14.3", "wrong_tag"),
        ("--source-versioned-tag v1", "wrong_tag"),
        ("--source-ref refs/heads/main", "wrong_reference"),
        ("--source-digest 4d329c75e7ec1725f7c9ce917a8799d408d06be4", "wrong_commit"),
        ("--build-workflow-input a=b", "wrong_workflow_input"),
        ("--signer-repo slsa-framework/example-package", "wrong_signer"),
        ("--signer-workflow slsa-framework/slsa-github-generator/.github/workflows/other.yml", "wrong_signer"),
        ("--signer-digest 4d329c75e7ec1725f7c9ce917a8799d408d06be3", "wrong_signer"),
        ("--predicate-type https://slsa.dev/provenance/v1", "invalid_provenance"),
        (
            "--builder-id https://github.com/slsa-framework/slsa-github-generator/.github/workflows/x.yml",
            "wrong_builder",
        ),
        (&format!("--builder-id {GENERIC}@v2.1.1"), "wrong_builder"),
        // A beginning of the name is not the name.
        (&format!("--builder-id {}", &GENERIC[..GENERIC.len() - 1]), "wrong_builder"),
    ] {
        refused(&sandbox, &format!("{tagged} {flags}"), kind);
    }
    for (source, kind) in [
        ("--repo slsa-framework/example-packag", "wrong_source"),
        ("--repo slsa-framework/example-package2", "wrong_source"),
        ("--owner slsa", "wrong_source"),
    ] {
        refused(&sandbox, &format!("tagged --provenance-path tagged.jsonl {source}"), kind);
    }
    let mut bytes = sandbox.read("tagged");
    *bytes.last_mut().expect("it is not empty") ^= 1;
    sandbox.write("changed", &bytes);
    refused(&sandbox, &format!("changed --provenance-path tagged.jsonl {EXAMPLE}"), "wrong_subject");
}

#[test]
fn one_attestation_of_several_is_enough() {
    let Some(sandbox) = generic() else { return };
    let both = [sandbox.read("started.jsonl"), b"\n".to_vec(), sandbox.read("tagged.jsonl")].concat();
    sandbox.write("both.jsonl", both);
    sandbox.ok(&format!("provenance verify tagged started --provenance-path both.jsonl {EXAMPLE} --min-level 3"));
    refused(&sandbox, "tagged --provenance-path both.jsonl --repo a/b", "no_provenance");
    let bundle: serde_json::Value = serde_json::from_slice(&sandbox.read("tagged.jsonl")).expect("JSON");
    sandbox.write("api.json", serde_json::json!({ "attestations": [{ "bundle": bundle }] }).to_string());
    sandbox.ok(&format!("provenance verify tagged --bundle api.json {EXAMPLE}"));
    sandbox.write("bare.json", bundle["dsseEnvelope"].to_string());
    let words = format!("provenance verify tagged --bundle bare.json {EXAMPLE}");
    sandbox.fails(&words, 3, &["a DSSE envelope without a transparency log entry"]);
}

#[test]
fn a_container_based_build_is_verified() {
    let folder = "github-container-based-v2.1.0/binary-linux-amd64";
    let Some(sandbox) = sandbox(&[
        (&format!("{folder}-push-v14.2"), "tagged"),
        (&format!("{folder}-push-v14.2.intoto.build.slsa"), "tagged.json"),
        (&format!("{folder}-workflow_dispatch"), "started"),
        (&format!("{folder}-workflow_dispatch.intoto.build.slsa"), "started.json"),
    ]) else {
        return;
    };
    assert_eq!(level(&sandbox, &format!("tagged --bundle tagged.json {EXAMPLE} --source-tag v14.2")), 3);
    assert_eq!(level(&sandbox, &format!("started --bundle started.json {EXAMPLE} --source-branch main")), 3);
    refused(&sandbox, &format!("started --bundle started.json {EXAMPLE} --source-tag v14.2"), "wrong_tag");
}

#[test]
fn a_delegated_build_needs_its_builder_named() {
    let artifact = "github-delegator-v1.10.0/binary-linux-amd64-push-v14.2";
    let Some(sandbox) = sandbox(&[(artifact, "tagged"), (&format!("{artifact}.build.slsa"), "tagged.json")]) else {
        return;
    };
    let words = format!("tagged --bundle tagged.json {EXAMPLE}");
    assert_eq!(level(&sandbox, &format!("{words} --builder-id {DELEGATED}")), 1);
    assert_eq!(level(&sandbox, &format!("{words} --builder-id {DELEGATED}@v1.10.0 --source-branch main")), 1);
    refused(&sandbox, &words, "unrecognised_signer");
    refused(&sandbox, &format!("{words} --builder-id {DELEGATED}@v1.10.1"), "wrong_builder");
    refused(&sandbox, &format!("{words} --builder-id {DELEGATED} --min-level 2"), "level_too_low");
    let delegator =
        "https://github.com/slsa-framework/slsa-github-generator/.github/workflows/delegator_generic_slsa3.yml";
    refused(&sandbox, &format!("{words} --builder-id {delegator}"), "wrong_builder");
}

#[test]
fn artifact_attestations_are_verified() {
    let Some(sandbox) = attested() else { return };
    let wheel = "wheel --bundle wheel.jsonl --repo actions/attest-demo";
    assert_eq!(level(&sandbox, wheel), 2);
    assert_eq!(level(&sandbox, &format!("{wheel} --builder-id https://github.com/actions/runner/github-hosted")), 2);
    assert_eq!(level(&sandbox, "wheel --bundle wheel.jsonl --owner actions --deny-self-hosted-runners"), 2);
    refused(&sandbox, &format!("{wheel} --min-level 3"), "level_too_low");
    refused(&sandbox, &format!("{wheel} --builder-id https://github.com/actions/runner/self-hosted"), "wrong_builder");
    refused(&sandbox, &format!("{wheel} --source-branch master"), "wrong_branch");
    refused(&sandbox, &format!("{wheel} --use-staging"), "other_instance");
    refused(&sandbox, "wheel --bundle cut.jsonl --repo actions/attest-demo", "invalid_bundle");
    refused(&sandbox, "module --bundle wheel.jsonl --repo actions/attest-demo", "wrong_subject");

    let package = "package --bundle package.json --repo sigstore/sigstore-js";
    assert_eq!(level(&sandbox, package), 2);
    let digest = "sha512:90f223f992e4c88dd068cd2a5fc57f9d2b30798343dd6e38f29c240e04ba090ef831f84490847c4e82b9232c78e8a258463b1e55c0f7469f730265008fa6633f";
    assert_eq!(level(&sandbox, &package.replacen("package", digest, 1)), 2);
    refused(&sandbox, &package.replacen("package", "wheel", 1), "wrong_subject");
}

#[test]
fn a_workflow_of_others_signs_only_when_it_is_named() {
    let Some(sandbox) = attested() else { return };
    let reusable = "reusable --bundle reusable.json --repo malancas/attest-demo";
    let workflow = "github/artifact-attestations-workflows/.github/workflows/attest.yml";
    let named = format!("{reusable} --signer-workflow {workflow}");
    assert_eq!(level(&sandbox, &named), serde_json::Value::Null);
    level(&sandbox, &format!("{named}@09b495c3f12c7881b3cc17209a327792065c1a1d"));
    level(&sandbox, &format!("{reusable} --signer-repo github/artifact-attestations-workflows"));
    refused(&sandbox, reusable, "unrecognised_signer");
    refused(&sandbox, &format!("{named}@refs/heads/main"), "wrong_signer");
    refused(&sandbox, &format!("{named} --min-level 1"), "level_too_low");
    refused(&sandbox, &format!("{reusable} --builder-id https://github.com/{workflow}"), "builder_not_released");

    let module = "module --bundle module.jsonl --repo aspect-build/rules_lint";
    assert_eq!(level(&sandbox, &format!("{module} --builder-id {PUBLISH}")), 2);
    assert_eq!(level(&sandbox, module), 2);
    let forged = format!("forged --bundle forged.jsonl --repo aspect-build/rules_lint --builder-id {PUBLISH}");
    refused(&sandbox, &forged, "wrong_source");
    // Who signed counts, not whom the job names.
    refused(&sandbox, "forged --bundle forged.jsonl --repo loosebazooka/aa-test", "wrong_builder");
}

#[test]
fn images_of_google_cloud_build_are_verified() {
    let Some(sandbox) = sandbox(&[
        ("google-cloud-build-v0.3/gcloud-container-github.json", "old.json"),
        ("google-cloud-build-v0.3/gcloud-container-invalid-signature-region.json", "region.json"),
        ("google-cloud-build-v0.3/gcloud-container-mismatch-payload-digest.json", "digest.json"),
        ("google-cloud-build-v1.0/v1.0-gcloud-container-github-v1.0-valid.json", "new.json"),
        ("google-cloud-build-v1.0/v1.0-gcloud-container-github-both-invalid-sig.json", "invalid.json"),
    ]) else {
        return;
    };
    let image = "image@sha256:f472ca4b68898c951ac3b476cba919d0d56fca4ced631fabcead51e4b2b690e7";
    let old = format!("{image} --bundle old.json --source-uri github.com/laurentsimon/gcb-tests");
    assert_eq!(level(&sandbox, &old), 3);
    assert_eq!(level(&sandbox, &format!("{old} --source-tag v39 --min-level 3")), 3);
    refused(&sandbox, &format!("{old} --source-tag v40"), "wrong_tag");
    refused(&sandbox, &format!("{old} --source-branch main"), "wrong_branch");
    refused(&sandbox, &format!("{old} --source-digest 01ce393d04eb6df2a7b2b3e95d4126e687afb7af"), "wrong_commit");
    refused(&sandbox, &old.replace("gcb-tests", "gcb-test"), "wrong_source");
    refused(&sandbox, &old.replace("f472", "f473"), "wrong_subject");
    let builder = "https://cloudbuild.googleapis.com/GoogleHostedWorker";
    refused(&sandbox, &format!("{old} --builder-id {builder}@v0.2"), "wrong_builder");
    refused(&sandbox, &old.replace("old", "region"), "invalid_provenance");
    refused(&sandbox, &old.replace("old", "digest"), "invalid_provenance");
    sandbox.fails(&format!("provenance verify {old} --signer-repo a/b"), 2, &["--signer-repo is not for"]);

    let image = "sha256:7e9b6e7ba2842c91cf49f3e214d04a7a496f8214356f41d81a6e6dcad11f11e3";
    let new = format!("{image} --bundle new.json --repo khalkie/gcb-prod-prov --builder-id {builder}");
    assert_eq!(level(&sandbox, &format!("{new} --source-branch main")), 3);
    refused(&sandbox, &new.replace("new", "invalid"), "invalid_provenance");
}

#[test]
fn without_an_expectation_there_is_no_verdict() {
    let sandbox = Sandbox::empty();
    sandbox.write("a", "a");
    sandbox.write("a.json", "{}");
    sandbox.fails("provenance verify a --bundle a.json", 2, &["needs an expectation, --source-uri, --repo or --owner"]);
    sandbox.fails("provenance verify --bundle a.json --repo a/b", 2, &[]);
    for flags in [
        "--repo a",
        "--source-uri https://gitlab.com/a/b",
        "--repo a/b --owner a",
        "--repo a/b --source-versioned-tag 1.2",
        "--repo a/b --build-workflow-input a",
        "--repo a/b --min-level 4",
    ] {
        sandbox.write("b.json", r#"{"mediaType":"b"}"#);
        sandbox.fails(&format!("provenance verify a --bundle b.json {flags}"), 2, &[]);
    }
    sandbox.fails("provenance verify sha256:1 --bundle b.json --repo a/b", 2, &["hex digits"]);
    sandbox.fails("provenance verify a --bundle no-such --repo a/b", 3, &["`no-such` cannot be read"]);
    sandbox.fails("provenance verify no-such --bundle b.json --repo a/b", 3, &["`no-such` cannot be read"]);
    sandbox.fails("provenance verify a --bundle a.json --repo a/b", 1, &["expected a Sigstore bundle"]);
}

#[test]
fn a_bundle_of_another_kind_of_signer_is_told_from_one_of_a_key() {
    let Some(sandbox) = attested() else { return };
    sandbox.ok("keygen");
    let words = "provenance verify wheel --provenance-path wheel.jsonl --key signing-key.pub.pem";
    let says = ["made with the `key` method, found one made with `sigstore`", "--repo is for what a workflow"];
    sandbox.fails(words, 1, &says);
}
