//! Provenance by Tekton Chains: each format of each kind of run, each way in which it is signed and handed on.

use serde_json::{Value, json};

use super::super::certificates;
use super::super::support::Sandbox;
use super::super::tsa::{Validity, has_openssl, openssl};
use super::signing::{V1, V02, base64, bundle, envelope, envelope_of, sha256, signed_bytes, statement, subject, write};
use super::{refused, verified};

const FETCHED: &str = "1111111111111111111111111111111111111111";
const DEFINED: &str = "2222222222222222222222222222222222222222";
const APP: &str = "https://git.example.com/team/app";
const BUILDER: &str = "https://ci.example.com/chains";
const KEY: &str = "--key key.pub.pem";

fn words(trust: &str) -> String {
    format!("app --provenance-path run.json --source-uri {APP} --builder-id {BUILDER} {trust}")
}

/// SLSA v0.2, as the formats `in-toto` and `slsa/v1` have it.
fn v02(kind: &str) -> Value {
    let definition = json!({ "uri": "git+https://git.example.com/pipelines", "digest": { "sha1": DEFINED } });
    let mut config = definition.clone();
    config["entryPoint"] = "build.yaml".into();
    // Chains lists what a pipeline is defined by, and what a task is defined by it does not.
    let mut materials = vec![json!({ "uri": format!("git+{APP}.git"), "digest": { "sha1": FETCHED } })];
    materials.extend((kind == "PipelineRun").then_some(definition));
    json!({
        "builder": { "id": BUILDER },
        "buildType": format!("tekton.dev/v1/{kind}"),
        "invocation": { "configSource": config, "parameters": { "level": "3" } },
        "buildConfig": { "tasks": [] },
        "metadata": { "buildStartedOn": "2026-03-04T05:06:07Z" },
        "materials": materials,
    })
}

/// SLSA v1, as `slsa/v2alpha2` to `slsa/v2alpha4` have it.
fn v1(format: u8, kind: &str) -> Value {
    let (definition, spec, results) = match kind {
        "TaskRun" => ("task", json!({ "taskRef": { "name": "build" }, "timeout": "1h0m0s" }), "taskRunResults"),
        _ => ("pipeline", json!({ "pipelineRef": { "name": "build" }, "taskRunTemplate": {} }), "pipelineRunResults"),
    };
    let of = |name: &str, uri: &str, commit: &str| json!({ "name": name, "uri": uri, "digest": { "sha1": commit } });
    // Since v2alpha4 a result is named with its run.
    let result = if format == 4 { format!("{results}/build-7/") } else { format!("{results}/") };
    let byproduct = |name: &str, value: &Value| json!({ "name": format!("{result}{name}"), "content": base64(value.to_string()), "mediaType": "application/json" });
    let image = json!({ "uri": "oci://registry.example.com/tools", "digest": { "sha256": sha256("tools") } });
    let fetched = if format == 2 { "pipelineResource" } else { "inputs/result" };
    json!({
        "buildDefinition": {
            "buildType": if format == 4 { "https://tekton.dev/chains/v2/slsa-tekton" } else { "https://tekton.dev/chains/v2/slsa" },
            "externalParameters": { "runSpec": spec },
            "internalParameters": {},
            "resolvedDependencies": [
                of(definition, "git+https://git.example.com/pipelines", DEFINED),
                image,
                of(fetched, &format!("git+{APP}.git"), FETCHED),
            ],
        },
        "runDetails": {
            "builder": { "id": BUILDER },
            "metadata": { "invocationId": "build-7" },
            "byproducts": [
                byproduct("app-ARTIFACT_OUTPUTS", &json!({ "uri": "app", "digest": format!("sha256:{}", sha256("app")), "isBuildArtifact": "true" })),
                byproduct("log-ARTIFACT_OUTPUTS", &json!({ "uri": "log", "digest": format!("sha256:{}", sha256("log")) })),
            ],
        },
    })
}

/// Each format for each kind of run: SLSA v1 if there is a number, else v0.2.
fn formats() -> Vec<(Option<u8>, &'static str, Value)> {
    let formats = [None, Some(2), Some(3), Some(4)];
    let of = |format: Option<u8>, kind: &'static str| {
        let (predicate_type, predicate) = format.map_or_else(|| (V02, v02(kind)), |number| (V1, v1(number, kind)));
        (format, kind, statement(&json!([subject("registry.example.com/app", "app")]), predicate_type, &predicate))
    };
    formats.into_iter().flat_map(|format| ["TaskRun", "PipelineRun"].map(|kind| of(format, kind))).collect()
}

fn task() -> Value {
    statement(&json!([subject("app", "app")]), V1, &v1(4, "TaskRun"))
}

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::with_model();
    sandbox.write("app", "app");
    sandbox
}

/// What `kubectl get … -o json` prints of a run with these annotations of Chains.
fn run(kind: &str, annotations: &Value) -> Value {
    let named = annotations.as_object().expect("an object").iter();
    let annotations: Value = named
        .map(|(name, value)| (format!("chains.tekton.dev/{name}"), value.clone()))
        .collect::<serde_json::Map<_, _>>()
        .into();
    json!({
        "apiVersion": "tekton.dev/v1",
        "kind": kind,
        "metadata": { "name": "build-7", "namespace": "ci", "annotations": annotations },
        "spec": {},
        "status": { "conditions": [{ "type": "Succeeded", "status": "True" }] },
    })
}

#[test]
fn each_format_of_each_run_is_verified() {
    let sandbox = sandbox();
    for (format, kind, statement) in formats() {
        write(&sandbox, "run.json", &statement);
        let found = verified(&sandbox, &words(KEY));
        assert_eq!(found["builder_id"], BUILDER);
        assert_eq!(found["source"]["repository"], format!("{APP}.git"), "{format:?} {kind}");
        assert_eq!((&found["source"]["commit"], &found["level"]), (&FETCHED.into(), &Value::Null));
        assert_eq!(found["sources"].as_array().map(Vec::len), Some(1), "{format:?} {kind}: {found}");
        let remarks = found["not_checked"].to_string();
        assert!(remarks.contains("`builder.id` is a setting of whoever runs Tekton Chains"), "{remarks}");
        assert_eq!(remarks.contains("isBuildArtifact"), format == Some(4), "{format:?} {kind}: {remarks}");

        let digest = words(KEY).replacen("app", &format!("registry.example.com/app@sha256:{}", sha256("app")), 1);
        verified(&sandbox, &format!("{digest} --source-digest {FETCHED}"));
        refused(
            &sandbox,
            &digest.replace("app@sha256:", "app@sha256:0").replace(&sha256("app"), &sha256("b")[1..]),
            "wrong_subject",
        );
        for (from, to, kind) in [
            (APP, "https://git.example.com/team/ap", "wrong_source"),
            // Where the definition is from is no source.
            (APP, "https://git.example.com/pipelines", "wrong_source"),
            (BUILDER, "https://ci.example.com/chain", "wrong_builder"),
            (KEY, &format!("{KEY} --source-digest {DEFINED}"), "wrong_commit"),
            (KEY, &format!("{KEY} --source-branch main"), "wrong_branch"),
            (KEY, &format!("{KEY} --min-level 1"), "level_too_low"),
            (KEY, &format!("{KEY} --expect-dataset hf://d"), "no_training"),
            (KEY, &format!("{KEY} --predicate-type https://example.com/p"), "invalid_provenance"),
        ] {
            refused(&sandbox, &words(KEY).replace(from, to), kind);
        }
    }
}

#[test]
fn the_verdict_says_what_chains_did_not_check() {
    let sandbox = sandbox();
    write(&sandbox, "run.json", &task());
    let run = sandbox.ok(&format!("provenance verify {}", words(KEY)));
    insta::assert_snapshot!("tekton_task", sandbox.scrub(&run));
}

#[test]
fn a_key_of_any_kind_signs() {
    let sandbox = sandbox();
    for algorithm in ["p256", "p384", "p521", "ed25519", "rsa-3072"] {
        let key = format!("{algorithm}.pem");
        sandbox.ok(&format!("keygen --algorithm {algorithm} --private-key {key}"));
        let trust = format!("--key {algorithm}.pub.pem");
        sandbox.write("run.json", envelope(&sandbox, &key, &task()).to_string());
        let found = verified(&sandbox, &words(&trust));
        assert!(found["signer"]["key_hint"].is_string() && found["signer"]["certificate"].is_null(), "{found}");
        refused(&sandbox, &words(KEY), "invalid_signature");
        sandbox.write("run.json", bundle(&sandbox, &key, &task()));
        verified(&sandbox, &words(&trust));
        verified(&sandbox, &words(&trust.replace("--key", "--public-key")));
    }
}

#[test]
fn a_signature_over_sha256_holds_whatever_the_curve() {
    if !has_openssl("a_signature_over_sha256_holds_whatever_the_curve") {
        return;
    }
    let sandbox = sandbox();
    for algorithm in ["p384", "p521"] {
        sandbox.ok(&format!("keygen --algorithm {algorithm} --private-key {algorithm}.pem"));
        sandbox.write("signed", signed_bytes(&task()));
        let sign = format!("dgst -sha256 -sign {algorithm}.pem -out signature signed");
        openssl(&sandbox.path("."), &sign).expect("signed");
        sandbox.write("run.json", envelope_of(&task(), sandbox.read("signature")).to_string());
        verified(&sandbox, &words(&format!("--key {algorithm}.pub.pem")));
    }
}

#[test]
fn it_is_read_from_wherever_chains_left_it() {
    let sandbox = sandbox();
    let envelope = envelope(&sandbox, "key.pem", &task()).to_string();
    let signed = json!({ "signature-taskrun-7": base64(&envelope), "payload-taskrun-7": base64(task().to_string()) });
    let mut beside = signed.clone();
    beside["signature-app"] = base64([7; 70]).into();
    let none = json!({ "transparency": "none" });
    for (name, file) in [
        ("an envelope", envelope.clone()),
        ("an annotation", base64(&envelope)),
        ("an annotation with a line break", base64(&envelope) + "\n"),
        ("a run", run("TaskRun", &signed).to_string()),
        ("another run", run("PipelineRun", &signed).to_string()),
        ("a run with an image's signature too", run("TaskRun", &beside).to_string()),
        (
            "a list",
            json!({ "apiVersion": "v1", "kind": "List", "items": [run("TaskRun", &none), run("TaskRun", &signed)] })
                .to_string(),
        ),
    ] {
        sandbox.write("run.json", file);
        let (code, document) = sandbox.json(&format!("provenance verify {}", words(KEY)));
        assert_eq!(code, 0, "{name}: {document}");
    }
}

#[test]
fn one_of_several_runs_is_enough() {
    let sandbox = sandbox();
    let of = |key: &str, content: &str| {
        let statement = statement(&json!([subject("app", content)]), V1, &v1(4, "TaskRun"));
        run("TaskRun", &json!({ "signature-taskrun-7": base64(envelope(&sandbox, key, &statement).to_string()) }))
    };
    sandbox.ok("keygen --private-key other.pem");
    let list = |items: Value| json!({ "apiVersion": "v1", "kind": "List", "items": items }).to_string();
    let items = json!([of("other.pem", "app"), of("key.pem", "else"), of("key.pem", "app")]);
    sandbox.write("run.json", list(items.clone()));
    verified(&sandbox, &words(KEY));
    sandbox.write("run.json", list(json!([items[0], items[1]])));
    let said = refused(&sandbox, &words(KEY), "no_provenance");
    assert!(said.contains("none of its 2 attestations holds: 1: ") && said.contains("not of this artifact"), "{said}");
}

#[test]
fn the_signature_of_an_image_is_no_provenance() {
    let sandbox = sandbox();
    for file in [run("TaskRun", &json!({ "signature-app": base64([7; 70]) })).to_string(), base64([7; 70])] {
        sandbox.write("run.json", file);
        let said = refused(&sandbox, &words(KEY), "invalid_provenance");
        assert!(said.contains("such as the signature of an image, which is not provenance"), "{said}");
    }
    sandbox.write("run.json", run("TaskRun", &json!({ "signature-app": "?" })).to_string());
    let said = refused(&sandbox, &words(KEY), "invalid_provenance");
    assert!(said.contains("`chains.tekton.dev/signature-app`: expected base64"), "{said}");
}

#[test]
fn a_parameter_that_is_not_known_is_refused() {
    let sandbox = sandbox();
    for (path, name) in [("", "hook"), ("/runSpec", "runSpec.hook")] {
        let mut statement = task();
        let path = format!("/predicate/buildDefinition/externalParameters{path}");
        statement.pointer_mut(&path).expect("there")["hook"] = "x".into();
        write(&sandbox, "run.json", &statement);
        let said = refused(&sandbox, &words(KEY), "invalid_provenance");
        assert!(said.contains(&format!("`externalParameters` has `{name}`")), "{said}");
    }
}

#[test]
fn what_was_altered_after_it_was_signed_is_refused() {
    let sandbox = sandbox();
    let mut envelope = envelope(&sandbox, "key.pem", &task());
    envelope["payload"] = base64(task().to_string().replace(FETCHED, DEFINED)).into();
    sandbox.write("run.json", envelope.to_string());
    refused(&sandbox, &words(KEY), "invalid_signature");
    envelope["payloadType"] = "application/json".into();
    sandbox.write("run.json", envelope.to_string());
    refused(&sandbox, &words(KEY), "invalid_provenance");
    envelope["signatures"] = json!([]);
    sandbox.write("run.json", envelope.to_string());
    refused(&sandbox, &words(KEY), "invalid_provenance");
}

#[test]
fn certificates_are_beside_the_envelope_in_it_or_given() {
    const TEST: &str = "certificates_are_beside_the_envelope_in_it_or_given";
    let Some(sandbox) = certificates::sandbox(TEST, Validity::days(-1, 30)) else { return };
    sandbox.write("app", "app");
    let (root, other) = ("--certificate-chain pki/root.pem", "--certificate-chain pki/other.pem");
    let [leaf, chain] = ["signer.pem", "chain.pem"].map(|name| sandbox.read(&format!("pki/{name}")));
    let bare = envelope(&sandbox, "pki/signer.key", &task());
    let mut with = bare.clone();
    with["signatures"][0]["cert"] = String::from_utf8([&leaf[..], &chain].concat()).expect("PEM").into();
    let mut annotations = json!({ "signature-taskrun-7": base64(bare.to_string()), "cert-taskrun-7": base64(&leaf) });
    let alone = run("TaskRun", &annotations).to_string();
    annotations["chain-taskrun-7"] = base64(&chain).into();
    for file in [run("TaskRun", &annotations).to_string(), with.to_string()] {
        sandbox.write("run.json", file);
        let found = verified(&sandbox, &words(root));
        assert_eq!(found["signer"]["certificate"]["issuers"].as_array().map(Vec::len), Some(1), "{found}");
        let said = found["not_checked"].to_string();
        assert!(said.contains("nobody was named") && said.contains("was revoked: CN=signer"), "{said}");
        let named = verified(&sandbox, &words(&format!("{root} --identity CN=signer")))["not_checked"].to_string();
        assert!(!named.contains("nobody was named"), "{named}");
        refused(&sandbox, &words(&format!("{root} --identity CN=signe")), "wrong_identity");
        refused(&sandbox, &words(other), "untrusted_certificate");
        refused(&sandbox, &words(KEY), "invalid_signature");
    }
    // Without the one between them there is no path.
    sandbox.write("run.json", alone);
    refused(&sandbox, &words(root), "untrusted_certificate");
    verified(&sandbox, &words("--certificate-chain pki/chain.pem"));

    sandbox.write("run.json", bare.to_string());
    let said = refused(&sandbox, &words(root), "no_certificate");
    assert!(said.contains("brings no certificate, and none was given"), "{said}");
    sandbox.write("pki/whole.pem", [leaf, chain].concat());
    verified(&sandbox, &words(&format!("{root} --certificate pki/whole.pem")));
    refused(&sandbox, &words(&format!("{root} --certificate pki/other-signer.pem")), "untrusted_certificate");
    refused(&sandbox, &words(&format!("{other} --certificate pki/other-signer.pem")), "untrusted_certificate");
}

#[test]
fn a_certificate_counts_while_it_is_valid() {
    const TEST: &str = "a_certificate_counts_while_it_is_valid";
    let Some(sandbox) = certificates::sandbox(TEST, Validity::days(-2, -1)) else { return };
    sandbox.write("app", "app");
    sandbox.write("run.json", envelope(&sandbox, "pki/signer.key", &task()).to_string());
    sandbox.write("pki/whole.pem", [sandbox.read("pki/signer.pem"), sandbox.read("pki/chain.pem")].concat());
    let trust = "--certificate-chain pki/root.pem --certificate pki/whole.pem";
    refused(&sandbox, &words(trust), "untrusted_certificate");
}

#[test]
fn an_identity_needs_more_than_an_envelope() {
    let sandbox = sandbox();
    write(&sandbox, "run.json", &task());
    let identity = "--identity https://ci.example.com/sa --identity-provider https://oidc.example.com";
    sandbox.fails(&format!("provenance verify {}", words(identity)), 3, &["only the log says"]);
    let github = "provenance verify app --provenance-path run.json --repo team/app";
    sandbox.fails(github, 3, &["only the log says", "if a key signed it (Tekton Chains, cosign): --key FILE"]);
    let (_, document) = sandbox.json(github);
    assert_eq!(document["error"]["kind"], "no_log_entry");
}
