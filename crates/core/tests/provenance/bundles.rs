//! Every member of a public bundle is changed, taken away and written twice in turn.

use std::collections::BTreeSet;

use model_transparency::provenance::{Document, ProvenanceTrust, Roots, check_document};
use model_transparency::sigstore::{Instance, TrustedRoot};
use serde_json::Value;

use crate::members::{changed, members, twice, without};
use crate::vectors;

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
    let (sigstore, github) = (TrustedRoot::embedded(Instance::Production), Some(TrustedRoot::github()));
    let roots = Roots { sigstore, github };
    let mut surprises = BTreeSet::new();
    for name in [
        "github-generic-v2.1.0/binary-linux-amd64-push-v14.2.intoto.jsonl",
        "github-container-based-v2.1.0/binary-linux-amd64-push-v14.2.intoto.build.slsa",
        "github-delegator-v1.10.0/binary-linux-amd64-push-v14.2.build.slsa",
        "github-attest/github_provenance_demo-0.0.12-py3-none-any-bundle.jsonl",
        "github-attest/reusable-workflow-attestation.sigstore.json",
    ] {
        let Some(bundle) = vectors::bundle(name, "each_member_of_a_bundle_counts") else { return };
        let document = |bundle: &str| Document::Bundle(bundle.as_bytes().to_vec());
        let check = |bundle: &str| check_document(&document(bundle), ProvenanceTrust::GitHub(&roots));
        let holds = |bundle: &Value| check(&bundle.to_string()).is_ok();
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
            if twice(&bundle, path).is_some_and(|bundle| check(&bundle).is_ok()) {
                surprises.insert(format!("{name}: twice: {path}"));
            }
        }
    }
    assert!(surprises.is_empty(), "{surprises:#?}");
}
