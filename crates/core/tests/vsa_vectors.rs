//! A public verification summary, as slsa-verifier has it among its tests.
//!
//! It is found through `MODEL_SIGNING_VECTORS`, absolute or relative to the workspace.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use model_transparency::key::{PublicKey, SignatureHash};
use model_transparency::provenance::vsa::{Expectations, TrustedKey, VsaError, verify_summary};

const KEY_ID: &str = "keystore://76574:prod:vsa_signing_public_key";
const DIGEST: &str = "gce_image_id:8970095005306000053";
const VERIFIER: &str = "https://bcid.corp.google.com/verifier/bcid_package_enforcer/v0.1";
const RESOURCE: &str = "gce_image://gke-node-images:gke-12615-gke1418000-cos-101-17162-463-29-c-cgpv1-pre";

/// The folder of the vectors; without it, says that `test` proves nothing.
fn vectors(test: &str) -> Option<PathBuf> {
    let found = std::env::var_os("MODEL_SIGNING_VECTORS")
        .map(|vectors| Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(vectors).join("slsa/vsa"))
        .filter(|folder| folder.is_dir());
    if found.is_none() {
        let _ = writeln!(std::io::stderr(), "skipped {test}: no `slsa/vsa` in MODEL_SIGNING_VECTORS");
    }
    found
}

#[test]
fn the_public_summary_holds_for_what_it_says_alone() {
    let Some(folder) = vectors("the_public_summary_holds_for_what_it_says_alone") else { return };
    let envelope = fs::read(folder.join("gke-gce-pre.bcid-vsa.jsonl")).expect("readable");
    let key = fs::read(folder.join("vsa_signing_public_key.pem")).expect("readable");
    let key = PublicKey::from_pem(&key).expect("a key");
    let expected = |digest: &str, verifier, resource, level: &str| {
        Expectations::new(&[digest.to_owned()], verifier, resource, &[level.to_owned()]).expect("valid")
    };
    for (id, hash) in [(None, None), (Some(KEY_ID), Some(SignatureHash::Sha256))] {
        let trusted = TrustedKey::new(&key, id, hash).expect("a key");
        for level in ["BCID_L1", "SLSA_BUILD_LEVEL_2", "SLSA_BUILD_LEVEL_1"] {
            let summary = verify_summary(&envelope, &trusted, &expected(DIGEST, VERIFIER, RESOURCE, level));
            assert_eq!(summary.expect("it holds").time_verified(), Some("2024-06-12T07:24:34.351608Z"));
        }
        let refused = |digest, verifier, resource, level| {
            verify_summary(&envelope, &trusted, &expected(digest, verifier, resource, level)).expect_err("refused")
        };
        let level = "SLSA_BUILD_LEVEL_3";
        assert!(matches!(refused(DIGEST, VERIFIER, RESOURCE, level), VsaError::Level { .. }));
        assert!(matches!(refused("sha256:00", VERIFIER, RESOURCE, level), VsaError::Subject { .. }));
        assert!(matches!(refused(DIGEST, RESOURCE, RESOURCE, level), VsaError::Verifier { .. }));
        assert!(matches!(refused(DIGEST, VERIFIER, VERIFIER, level), VsaError::Resource { .. }));
    }
    let trusted = TrustedKey::new(&key, None, None).expect("a key");
    let expected = expected(DIGEST, VERIFIER, RESOURCE, "BCID_L1");
    for index in 0..envelope.len() {
        let mut altered = envelope.clone();
        altered[index] ^= 1;
        if let Ok(summary) = verify_summary(&altered, &trusted, &expected) {
            // The key's name is not signed, nor is a member that nobody reads.
            let original = verify_summary(&envelope, &trusted, &expected).expect("it holds");
            assert_eq!(summary, original, "byte {index}");
        }
    }
}
