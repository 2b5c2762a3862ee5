//! `provenance verify --online`: envelopes that came without a proof, and a log in this process that has it, or not.

use std::sync::Arc;

use fake_sigstore::{Claims, Fault, Instance, Lie, Service, SigningConfig};
use model_transparency::certificate::UnixTime;
use model_transparency::hash::HashAlgorithm;
use model_transparency::sign::{Timestamper, Witnesses, sign_statement};
use model_transparency::sigstore::TrustedRoot;
use model_transparency_remote::oidc::{AUDIENCE, IdentityToken};
use model_transparency_remote::sigstore::{Fulcio, NoToken, Rekor, RekorVersion, SigstoreSigner, TokenSource};
use model_transparency_remote::timestamp::HttpTimestamper;
use serde_json::{Value, json};

use super::support::Sandbox;

const BUILDER: &str =
    "slsa-framework/slsa-github-generator/.github/workflows/generator_generic_slsa3.yml@refs/tags/v1.9.0";
const VERIFY: &str = "provenance verify file --provenance-path bare.jsonl --repo a/b --trust-config trust.json";

/// A workflow of slsa-github-generator that builds the tag `v1` of `a/b`.
struct Workflow(Arc<Instance>);

impl TokenSource for Workflow {
    fn token(&self) -> Result<IdentityToken, NoToken> {
        let claims = Claims::github_workflow("a/b", "release.yml", "refs/tags/v1").with("job_workflow_ref", BUILDER);
        IdentityToken::parse(&self.0.token(&claims), AUDIENCE, now()).map_err(|error| NoToken(error.to_string()))
    }
}

fn now() -> UnixTime {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    UnixTime(since.expect("after 1970").as_secs())
}

/// An instance, and a folder with `file`, `trust.json`, the provenance of `file` as a bundle (`bundle.json`), and as old
/// releases published it (`bare.jsonl`).
struct Release {
    sigstore: Arc<Instance>,
    sandbox: Sandbox,
}

impl Release {
    /// With an entry in the log of this version alone.
    fn new(version: RekorVersion) -> Self {
        let release = Self { sigstore: Arc::new(Instance::start()), sandbox: Sandbox::empty() };
        let Self { sigstore, sandbox } = &release;
        sandbox.write("file", "built\n");
        sandbox.write("trust.json", sigstore.trust_config_json(&SigningConfig::default()));
        let root = TrustedRoot::from_json(sigstore.trusted_root_json().as_bytes()).expect("a trusted root");
        let fulcio = Fulcio::new(sigstore.url(Service::Fulcio)).expect("a URL");
        let signer = SigstoreSigner::new(fulcio, Workflow(Arc::clone(sigstore)), root.clone(), now);
        let tsa = HttpTimestamper::new(sigstore.url(Service::Timestamps), root.timestamp_authorities().to_vec());
        let timestampers: [&dyn Timestamper; 1] = [&tsa.expect("a URL")];
        let service = if version == RekorVersion::V1 { Service::RekorV1 } else { Service::RekorV2 };
        let log = Rekor::new(sigstore.url(service), version).expect("a URL");
        let witnesses = Witnesses { timestampers: &timestampers, logs: &[&log], ..Witnesses::default() };
        let signed = sign_statement(statement().to_string().into_bytes(), &signer, witnesses).expect("signed");
        sandbox.write("bundle.json", signed.bundle.to_json());
        let bundle: Value = serde_json::from_slice(&signed.bundle.to_json()).expect("JSON");
        let certificate = bundle["verificationMaterial"]["certificate"]["rawBytes"].as_str().expect("a certificate");
        let mut envelope = bundle["dsseEnvelope"].clone();
        envelope["signatures"][0]["cert"] =
            format!("-----BEGIN CERTIFICATE-----\n{certificate}\n-----END CERTIFICATE-----\n").into();
        sandbox.write("bare.jsonl", envelope.to_string());
        release
    }

    /// As [`Self::new`], with the kind of entry that the first releases have.
    fn old() -> Self {
        let release = Self::new(RekorVersion::V2);
        release.sigstore.add_envelope(&release.bare());
        release
    }

    fn bare(&self) -> String {
        String::from_utf8(self.sandbox.read("bare.jsonl")).expect("UTF-8")
    }

    fn refused(&self, flags: &str, code: i32, kind: &str) -> String {
        let (found, document) = self.sandbox.json(&format!("{VERIFY} {flags}"));
        assert_eq!((found, &document["error"]["kind"]), (code, &kind.into()), "{document}");
        document["error"]["message"].as_str().expect("a message").to_owned()
    }
}

fn statement() -> Value {
    let (uri, digest) = ("git+https://github.com/a/b@refs/tags/v1", "0123456789abcdef0123456789abcdef01234567");
    json!({
        "_type": "https://in-toto.io/Statement/v0.1",
        "predicateType": "https://slsa.dev/provenance/v0.2",
        "subject": [{ "name": "file", "digest": { "sha256": HashAlgorithm::Sha256.digest(b"built\n").to_hex() } }],
        "predicate": {
            "builder": { "id": format!("https://github.com/{BUILDER}") },
            "buildType": "https://github.com/slsa-framework/slsa-github-generator/generic@v1",
            "invocation": {
                "configSource": {
                    "uri": uri, "digest": { "sha1": digest }, "entryPoint": ".github/workflows/release.yml",
                },
                "environment": { "github_event_name": "push", "github_ref": "refs/tags/v1", "github_sha1": digest },
            },
            "metadata": { "buildInvocationID": "30433642-1" },
            "materials": [{ "uri": uri, "digest": { "sha1": digest } }],
        },
    })
}

#[test]
fn an_envelope_holds_with_the_entry_that_the_log_has() {
    for release in [Release::new(RekorVersion::V1), Release::old()] {
        let Release { sigstore, sandbox } = &release;
        let requests = sigstore.requests(Service::RekorV1);
        release.refused("", 3, "no_log_entry");
        assert_eq!(sigstore.requests(Service::RekorV1), requests, "nobody is asked who was not named");
        let url = sigstore.url(Service::RekorV1);
        let run = sandbox.ok(&format!("{VERIFY} --online"));
        assert!(run.stdout.contains(&format!("fetched from {url}")), "{}", run.stdout);
        let (code, document) = sandbox.json(&format!("{VERIFY} --online --min-level 3 --source-tag v1"));
        let artifact = &document["result"]["artifacts"][0];
        assert_eq!((code, &artifact["level"], &artifact["log_entry"]), (0, &3.into(), &true.into()), "{document}");
        assert_eq!(artifact["log_entry_fetched_from"], url);
        release.refused("--online --source-tag v2", 1, "wrong_tag");
        // Another name for the same log.
        let other = url.replace("127.0.0.1", "localhost");
        sandbox.ok(&format!("{VERIFY} --online --rekor-url {other}"));
    }
}

#[test]
fn an_identity_that_is_named_is_looked_up_too() {
    let release = Release::old();
    let who = format!(
        "--trust-config trust.json --identity https://github.com/{BUILDER} \
         --identity-provider https://token.actions.githubusercontent.com"
    );
    let verify = format!("provenance verify file --provenance-path bare.jsonl {who}");
    release.sandbox.fails(&verify, 3, &["without a transparency log entry"]);
    release.sandbox.ok(&format!("{verify} --online"));
    let other = verify.replace("v1.9.0", "v1.9.1");
    release.sandbox.fails(&format!("{other} --online"), 1, &["v1.9.1"]);
}

#[test]
fn nobody_is_asked_about_what_brings_its_entry() {
    let release = Release::new(RekorVersion::V1);
    let requests = release.sigstore.requests(Service::RekorV1);
    let verify = VERIFY.replace("bare.jsonl", "bundle.json");
    let (code, document) = release.sandbox.json(&format!("{verify} --online"));
    assert_eq!((code, &document["result"]["artifacts"][0]["log_entry_fetched_from"]), (0, &Value::Null), "{document}");
    assert_eq!(release.sigstore.requests(Service::RekorV1), requests);
    release.sandbox.ok("keygen --private-key key.pem");
    let key = "provenance verify file --provenance-path bare.jsonl --key key.pub.pem --online";
    release.sandbox.fails(key, 2, &["a log is asked about the certificates of a Sigstore instance"]);
    release.sandbox.fails(&format!("{VERIFY} --rekor-url http://127.0.0.1:1"), 2, &["--online"]);
    release.sandbox.fails(&format!("{VERIFY} --online --rekor-url ftp://log.example"), 2, &["`http` or `https`"]);
}

#[test]
fn what_the_log_does_not_find_could_not_be_checked() {
    let release = Release::new(RekorVersion::V2);
    let message = release.refused("--online", 3, "no_log_entry");
    assert!(message.contains(release.sigstore.url(Service::RekorV1)), "{message}");
    for fault in [Fault::Status(404, "no such page".to_owned()), Fault::Oversize(64 << 20), Fault::Garbage] {
        release.sigstore.fail(Service::RekorV1, fault);
        release.refused("--online", 3, "log_unreadable");
    }
    release.sigstore.stop(Service::RekorV1);
    release.refused("--online", 3, "log_unreadable");
}

#[test]
fn a_log_that_lies_is_refused() {
    for release in [Release::new(RekorVersion::V1), Release::old()] {
        for (lie, kind) in [
            (Lie::SetAltered, "invalid_inclusion_promise"),
            (Lie::InclusionProofAltered, "invalid_inclusion_proof"),
            (Lie::CheckpointForged, "invalid_checkpoint"),
            (Lie::EntryOfAnotherCertificate, "invalid_log_entry"),
        ] {
            release.sigstore.lie(Service::RekorV1, lie);
            let message = release.refused("--online", 1, kind);
            assert!(message.contains("the entry that the log"), "{message}");
            release.sigstore.heal(Service::RekorV1);
        }
    }
    let release = Release::new(RekorVersion::V1);
    release.sigstore.lie(Service::RekorV1, Lie::EntryOfAnotherBody);
    release.refused("--online", 1, "invalid_log_entry");
}

#[test]
fn a_summary_and_a_signature_can_rest_on_what_was_fetched() {
    let release = Release::old();
    let sandbox = &release.sandbox;
    sandbox.ok("keygen --private-key key.pem");
    let summary = "vsa create file --provenance-path bare.jsonl --repo a/b --trust-config trust.json --sign key \
                   --private-key key.pem --verifier-id https://v.example --resource-uri https://r.example \
                   --policy-uri https://p.example --output vsa.json";
    sandbox.fails(summary, 3, &["--provenance-online"]);
    sandbox.ok(&format!("{summary} --provenance-online"));
    sandbox.ok("sign key file --private-key key.pem --signature file.sig");
    let verify = "verify key file --public-key key.pub.pem --signature file.sig --trust-config trust.json";
    let joined = format!("{verify} --provenance-path bare.jsonl --repo a/b");
    sandbox.fails(&joined, 3, &["without a transparency log entry"]);
    let run = sandbox.ok(&format!("{joined} --provenance-online"));
    assert!(run.stdout.contains("fetched from"), "{}", run.stdout);
    sandbox.fails(&format!("{verify} --provenance-online"), 2, &["--provenance-online is about provenance"]);
}
