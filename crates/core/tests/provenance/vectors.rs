//! Public provenance, as the authority of these tests certifies its signers.

use std::fs;
use std::path::PathBuf;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use fake_sigstore::Identity;
use model_transparency::provenance::{
    Artifact, ArtifactDigests, Expectations, Repository, SignerExpectation, SourceExpectation,
};
use serde_json::Value;

use crate::authority::Provenance;
use crate::forge;
use crate::statements::signer;

const EXAMPLE: &str = "slsa-framework/example-package";
const DELEGATED: &str = "https://github.com/slsa-framework/example-trw/.github/workflows/builder_high-perms_slsa3.yml";
const REUSED: &str = "github/artifact-attestations-workflows/.github/workflows/attest.yml";

/// The bundle `name`; `None` where there are no vectors.
pub(crate) fn bundle(name: &str, test: &str) -> Option<Value> {
    Some(serde_json::from_slice(&fs::read(folder(test)?.join(name)).expect(name)).expect(name))
}

fn folder(test: &str) -> Option<PathBuf> {
    forge::vectors("slsa", test)
}

/// The artifact `name`, with the bundle of `name` and `suffix`.
fn of(name: &str, bundle: &str, repository: &str, signer: SignerExpectation, test: &str) -> Option<Provenance> {
    let content = self::bundle(bundle, test)?;
    let bytes = |text: &Value| STANDARD.decode(text.as_str().expect(bundle)).expect(bundle);
    let material = &content["verificationMaterial"];
    let certificate = [&material["certificate"], &material["x509CertificateChain"]["certificates"][0]];
    let certificate = certificate.into_iter().find(|certificate| !certificate.is_null()).expect(bundle);
    let artifact = fs::read(folder(test)?.join(name)).expect(name);
    Some(Provenance {
        signer: Identity::in_certificate(&bytes(&certificate["rawBytes"])),
        statement: serde_json::from_slice(&bytes(&content["dsseEnvelope"]["payload"])).expect(bundle),
        artifact: Artifact::Digests(ArtifactDigests::of(&artifact[..], &["sha512"].into()).expect("readable")),
        expected: Expectations {
            source: Some(SourceExpectation::Repository(Repository::parse(repository).expect(repository))),
            signer,
            ..Expectations::default()
        },
    })
}

/// Of every kind, with its name; nothing where there are no vectors.
pub(crate) fn every_kind(test: &str) -> Vec<(&'static str, Provenance)> {
    let binary = |folder: &'static str, suffix: &str, builder: Option<&str>| {
        let name = format!("{folder}/binary-linux-amd64-push-v14.2");
        Some((folder, of(&name, &format!("{name}{suffix}"), EXAMPLE, signer(builder, None), test)?))
    };
    let attested = |name: &str, bundle: &'static str, repository: &str, workflow: Option<&str>| {
        Some((bundle, of(name, bundle, repository, signer(None, workflow), test)?))
    };
    let reused = "github-attest/reusable-workflow-attestation.sigstore.json";
    let wheel = "github-attest/github_provenance_demo-0.0.12-py3-none-any-bundle.jsonl";
    let module = "github-attest-bcr/MODULE.bazel.intoto.jsonl";
    let found = || {
        Some(vec![
            binary("github-generic-v2.1.0", ".intoto.jsonl", None)?,
            binary("github-container-based-v2.1.0", ".intoto.build.slsa", None)?,
            binary("github-delegator-v1.10.0", ".build.slsa", Some(DELEGATED))?,
            attested(&wheel.replace("-bundle.jsonl", ".whl"), wheel, "actions/attest-demo", None)?,
            attested("github-attest/reusable-workflow-artifact", reused, "malancas/attest-demo", Some(REUSED))?,
            attested("github-attest-bcr/MODULE.bazel", module, "aspect-build/rules_lint", None)?,
        ])
    };
    found().unwrap_or_default()
}
