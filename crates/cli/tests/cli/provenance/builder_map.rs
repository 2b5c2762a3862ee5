//! Levels of builders of one's own, for each kind of signer.

use std::sync::Arc;

use fake_sigstore::{Claims, Instance, SigningConfig};
use model_transparency::key::PublicKey;
use serde_json::{Value, json};

use super::super::certificates;
use super::super::support::Sandbox;
use super::super::tsa::Validity;
use super::signing::{V1, bundle, bundle_of, statement, subject, write};
use super::{refused, verified};

const BUILDER: &str = "https://b.example/builder@v1";
const WORDS: &str = "app --provenance-path made.json --builder-map map.json";

fn made(builder: &str) -> Value {
    let predicate = json!({
        "buildDefinition": { "buildType": "https://b.example/type", "externalParameters": {} },
        "runDetails": { "builder": { "id": builder } },
    });
    statement(&json!([subject("app", "app")]), V1, &predicate)
}

fn map(signer: &Value, level: u8) -> String {
    json!({ "builders": [{ "signer": signer, "builder_id": BUILDER, "level": level }] }).to_string()
}

/// This signer has the level that the map says, and whoever is not quite this signer has none.
fn has_its_level(sandbox: &Sandbox, words: &str, signer: &Value, others: &[Value]) {
    for level in 1..=3 {
        sandbox.write("map.json", map(signer, level));
        let found = verified(sandbox, &format!("{words} --min-level {level}"));
        assert_eq!(
            (&found["level"], &found["level_reason"]),
            (&level.into(), &"the builder map that was given says so".into())
        );
        if level < 3 {
            refused(sandbox, &format!("{words} --min-level {}", level + 1), "level_too_low");
        }
    }
    for other in others {
        sandbox.write("map.json", map(other, 3));
        assert_eq!(verified(sandbox, words)["level"], Value::Null, "{other}");
        refused(sandbox, &format!("{words} --min-level 1"), "level_too_low");
    }
    sandbox.write("map.json", map(signer, 3).replace(BUILDER, "https://b.example/builder"));
    assert_eq!(verified(sandbox, words)["level"], Value::Null, "the builder is compared as it is");
}

fn hint(sandbox: &Sandbox) -> String {
    PublicKey::from_pem(&sandbox.read("key.pub.pem")).expect("a key").hint()
}

#[test]
fn a_key_has_its_level() {
    let sandbox = Sandbox::with_model();
    sandbox.write("app", "app");
    let (words, hint) = (format!("{WORDS} --key key.pub.pem"), hint(&sandbox));
    let others = [json!({ "key": hint.to_uppercase() }), json!({ "key": hint[1..] }), json!({ "identity": hint })];
    write(&sandbox, "made.json", &made(BUILDER));
    let signer = json!({ "key": hint });
    has_its_level(&sandbox, &words, &signer, &others);
    sandbox.write("made.json", bundle(&sandbox, "key.pem", &made(BUILDER)));
    has_its_level(&sandbox, &words, &signer, &others);
    // What the verdict shows is what the map needs.
    assert_eq!(verified(&sandbox, &words)["signer"]["key_hint"], hint);
}

#[test]
fn a_certificate_has_its_level_by_a_name() {
    const TEST: &str = "a_certificate_has_its_level_by_a_name";
    let Some(sandbox) = certificates::sandbox(TEST, Validity::days(-1, 30)) else { return };
    sandbox.write("app", "app");
    sandbox.write("pki/whole.pem", [sandbox.read("pki/signer.pem"), sandbox.read("pki/chain.pem")].concat());
    let envelope = super::signing::envelope(&sandbox, "pki/signer.key", &made(BUILDER));
    sandbox.write("made.json", envelope.to_string());
    let words = format!("{WORDS} --certificate-chain pki/root.pem --certificate pki/whole.pem");
    let others =
        [json!({ "certificate": "CN=root" }), json!({ "certificate": "signer" }), json!({ "key": "CN=signer" })];
    has_its_level(&sandbox, &words, &json!({ "certificate": "CN=signer" }), &others);
}

/// A folder with `app` and `made.json`, which somebody of these claims signed.
fn signed(claims: Claims, statement: &Value) -> Sandbox {
    let (sandbox, sigstore) = (Sandbox::empty(), Arc::new(Instance::start()));
    sandbox.write("app", "app");
    sandbox.write("trust.json", sigstore.trust_config_json(&SigningConfig::default()));
    sandbox.write("made.json", bundle_of(&sigstore, claims, statement));
    sandbox
}

#[test]
fn an_identity_has_its_level_with_its_provider() {
    let (name, provider) = ("builder@example.com", "https://oidc.example.com");
    let sandbox = signed(Claims::email(name).with("iss", provider), &made(BUILDER));
    let words = format!("{WORDS} --trust-config trust.json --identity {name} --identity-provider {provider}");
    let others = [
        json!({ "identity": name }),
        json!({ "identity": format!("{name} https://oidc.example.org") }),
        json!({ "workflow": format!("{name} {provider}") }),
    ];
    has_its_level(&sandbox, &words, &json!({ "identity": format!("{name} {provider}") }), &others);
}

/// What `actions/attest` says of a run of a workflow of `o/n`, at `main`.
fn attested(builder: &str) -> Value {
    let predicate = json!({
        "buildDefinition": {
            "buildType": "https://actions.github.io/buildtypes/workflow/v1",
            "externalParameters": {
                "workflow": {
                    "ref": "refs/heads/main",
                    "repository": "https://github.com/o/n",
                    "path": ".github/workflows/release.yml",
                },
            },
            "resolvedDependencies": [{
                "uri": "git+https://github.com/o/n@refs/heads/main",
                "digest": { "gitCommit": "0123456789abcdef0123456789abcdef01234567" },
            }],
        },
        "runDetails": { "builder": { "id": builder } },
    });
    statement(&json!([subject("app", "app")]), V1, &predicate)
}

#[test]
fn a_workflow_has_its_level_and_need_not_be_named_otherwise() {
    // One of their own, and one that others share.
    for (repository, without) in [("o/n", Some(2)), ("p/shared", None)] {
        let workflow = format!("https://github.com/{repository}/.github/workflows/release.yml");
        let builder = format!("{workflow}@refs/heads/main");
        let claims = Claims::github_workflow("o/n", "release.yml", "refs/heads/main");
        let job = format!("{repository}/.github/workflows/release.yml@refs/heads/main");
        let sandbox = signed(claims.with("job_workflow_ref", job), &attested(&builder));
        let words = format!("{WORDS} --trust-config trust.json --repo o/n");
        let has = |signer: &str, builder: &str| {
            let entry = json!({ "signer": { "workflow": signer }, "builder_id": builder, "level": 3 });
            sandbox.write("map.json", json!({ "builders": [entry] }).to_string());
        };
        for signer in [&workflow, &builder] {
            has(signer, &builder);
            assert_eq!(verified(&sandbox, &format!("{words} --min-level 3"))["level"], 3, "{signer}");
        }
        // Another reference, or another workflow, is not in the map.
        for signer in [format!("{workflow}@refs/heads/other"), workflow.replace("release", "build")] {
            has(&signer, &builder);
            match without {
                Some(level) => assert_eq!(verified(&sandbox, &words)["level"], level, "{signer}"),
                None => drop(refused(&sandbox, &words, "unrecognised_signer")),
            }
        }
        // The signer is, and its builder is not.
        has(&workflow, &workflow);
        assert_eq!(verified(&sandbox, &words)["level"], json!(without));
        refused(&sandbox, &words.replace("o/n", "o/other"), "wrong_source");
    }
}

#[test]
fn what_is_no_map_is_refused() {
    let sandbox = Sandbox::with_model();
    sandbox.write("app", "app");
    write(&sandbox, "made.json", &made(BUILDER));
    let words = format!("{WORDS} --key key.pub.pem");
    let (good, twice) = (map(&json!({ "key": "a" }), 1), json!({ "key": "a" }));
    let entry = json!({ "signer": twice, "builder_id": BUILDER, "level": 1 });
    for (text, says) in [
        (String::new(), "expected `{\"builders\""),
        ("[]".to_owned(), "expected `{\"builders\""),
        (good.replace("builders", "builder"), "expected `{\"builders\""),
        (good.replace("\"key\"", "\"name\""), "expected `{\"builders\""),
        (good.replace("\"level\":1", "\"level\":0"), "`builders[0].level`: expected 1, 2 or 3, found 0"),
        (good.replace("\"level\":1", "\"level\":4"), "`builders[0].level`: expected 1, 2 or 3, found 4"),
        (good.replace("\"level\":1", "\"level\":\"1\""), "expected `{\"builders\""),
        (
            json!({ "builders": [entry, entry] }).to_string(),
            "`builders[1]`: the same signer and builder stand there twice",
        ),
    ] {
        sandbox.write("map.json", text);
        let said = refused(&sandbox, &words, "invalid_builder_map");
        assert!(said.contains("the builder map `map.json`: ") && said.contains(says), "{said}");
    }
    sandbox.fails(
        &format!("provenance verify {}", words.replace("map.json", "no-such")),
        3,
        &["the builder map `no-such`"],
    );
}
