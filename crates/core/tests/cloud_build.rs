//! Provenance that Google Cloud Build signed, verified with the keys that the library was built with.
//!
//! It is found through `MODEL_SIGNING_VECTORS`, absolute or relative to the workspace.

mod forge;

use std::fs;

use forge::vectors;
use model_transparency::key::PublicKey;
use model_transparency::provenance::cloud_build::{
    Builder, CheckError, CloudBuildKeys, EntryError, Expected, ImageDigest, InvalidExpectation, Mismatch, Predicate,
    RefusedSignature, SignatureError, Skipped, Source, VerifiedProvenance, VerifyError, VersionedTag, verify,
};
use serde_json::Value;

const V0_3_IMAGE: &str = "sha256:f472ca4b68898c951ac3b476cba919d0d56fca4ced631fabcead51e4b2b690e7";
const V0_3_SOURCE: &str = "github.com/laurentsimon/gcb-tests";
const V1_IMAGE: &str = "sha256:7e9b6e7ba2842c91cf49f3e214d04a7a496f8214356f41d81a6e6dcad11f11e3";
const V1_SOURCE: &str = "github.com/khalkie/gcb-prod-prov";

/// What the vector `name` gives; `None` where there are no vectors.
fn read(name: &str) -> Option<Result<VerifiedProvenance, VerifyError>> {
    let file = fs::read(vectors("slsa", name)?.join(name)).expect(name);
    Some(verify(&file, &CloudBuildKeys::embedded()))
}

fn expected(image: &str, source: &str) -> Result<Expected, InvalidExpectation> {
    Expected::new(ImageDigest::parse(image)?, source)
}

fn mismatch(verified: &VerifiedProvenance, expected: &Expected) -> Mismatch {
    match verified.check(expected) {
        Err(CheckError::NoneMatches { mut mismatches }) => mismatches.remove(0).reason,
        other => panic!("{other:?}"),
    }
}

#[test]
fn provenance_of_builder_v0_3_verifies() -> Result<(), InvalidExpectation> {
    let Some(outcome) = read("google-cloud-build-v0.3/gcloud-container-github.json") else { return Ok(()) };
    let verified = outcome.expect("verifies");
    assert!(verified.skipped().is_empty());
    let sound = || expected(V0_3_IMAGE, V0_3_SOURCE);
    let asked = sound()?.builder("https://cloudbuild.googleapis.com/GoogleHostedWorker@v0.3")?.tag("v39");
    let entry = verified.check(&asked.versioned_tag(VersionedTag::parse("v39")?)).expect("matches");
    assert!(entry.keyid().contains("/us-west2/"));
    let facts = entry.facts();
    assert_eq!((facts.predicate, facts.builder), (Predicate::V0_1, Builder::V0_3));
    assert_eq!(facts.build_type, "https://cloudbuild.googleapis.com/CloudBuildYaml@v0.1");
    let commit = "01ce393d04eb6df2a7b2b3e95d4126e687afb7ae".to_owned();
    assert_eq!(facts.source, Source::Git { repository: format!("https://{V0_3_SOURCE}"), commit });
    assert_eq!(facts.trigger_name.as_deref(), Some("Tag"));

    assert!(matches!(mismatch(&verified, &expected(V0_3_IMAGE, V1_SOURCE)?), Mismatch::Source { .. }));
    let v0_2 = sound()?.builder("https://cloudbuild.googleapis.com/GoogleHostedWorker@v0.2")?;
    assert!(matches!(mismatch(&verified, &v0_2), Mismatch::Builder { found: Builder::V0_3, .. }));
    assert!(matches!(mismatch(&verified, &sound()?.tag("v40")), Mismatch::Tag { .. }));
    assert!(matches!(mismatch(&verified, &sound()?.branch("main")), Mismatch::NoBranch { .. }));
    assert!(matches!(verified.check(&expected(V1_IMAGE, V0_3_SOURCE)?), Err(CheckError::Summary { .. })));
    Ok(())
}

#[test]
fn provenance_of_slsa_v1_verifies_and_the_broken_entry_beside_it_is_skipped() -> Result<(), InvalidExpectation> {
    let Some(outcome) = read("google-cloud-build-v1.0/v1.0-gcloud-container-github-v1.0-valid.json") else {
        return Ok(());
    };
    let verified = outcome.expect("verifies");
    assert!(matches!(
        verified.skipped(),
        [Skipped { index: 1, reason: EntryError::NoValidSignature { refused } }] if refused.len() == 2
    ));
    let asked = expected(V1_IMAGE, V1_SOURCE)?.builder("https://cloudbuild.googleapis.com/GoogleHostedWorker")?;
    let entry = verified.check(&asked.branch("main")).expect("matches");
    let facts = entry.facts();
    assert_eq!((facts.predicate, facts.builder), (Predicate::V1, Builder::Unversioned));
    assert_eq!(facts.source_ref.as_deref(), Some("refs/heads/main"));
    let commit = "2ce3f90facdb51aeb950d5bc641e981be61fdf48".to_owned();
    assert_eq!(facts.source, Source::Git { repository: format!("https://{V1_SOURCE}"), commit });
    assert_eq!(facts.trigger_name.as_deref(), Some("sample-trigger-1"));
    assert_eq!(facts.subjects.len(), 2);

    let dev = expected(V1_IMAGE, V1_SOURCE)?.branch("dev");
    assert!(matches!(mismatch(&verified, &dev), Mismatch::Branch { .. }));
    let tag = expected(V1_IMAGE, V1_SOURCE)?.tag("v1");
    assert!(matches!(mismatch(&verified, &tag), Mismatch::NoTag { .. }));
    Ok(())
}

/// Every refused signature of every entry of the vector `name`, none of which verifies.
fn refused(name: &str) -> Option<Vec<RefusedSignature>> {
    let Err(VerifyError::NoneVerifies { skipped }) = read(name)? else { panic!("{name}: not refused as expected") };
    let signatures = skipped.into_iter().flat_map(|entry| match entry.reason {
        EntryError::NoValidSignature { refused } => refused,
        other => panic!("{name}: {other}"),
    });
    Some(signatures.collect())
}

#[test]
fn the_name_of_an_unknown_region_is_refused() {
    let Some(refused) = refused("google-cloud-build-v0.3/gcloud-container-invalid-signature-region.json") else {
        return;
    };
    assert!(matches!(refused.as_slice(), [RefusedSignature { keyid, reason: SignatureError::UnknownKey }]
        if keyid.contains("/invalid-region/")));
}

#[test]
fn another_payload_under_the_signature_is_refused() {
    let Some(refused) = refused("google-cloud-build-v0.3/gcloud-container-mismatch-payload-digest.json") else {
        return;
    };
    assert!(matches!(refused.as_slice(), [RefusedSignature { reason: SignatureError::DoesNotVerify, .. }]));
}

#[test]
fn two_broken_entries_are_refused() {
    let Some(refused) = refused("google-cloud-build-v1.0/v1.0-gcloud-container-github-both-invalid-sig.json") else {
        return;
    };
    assert_eq!(refused.len(), 3);
    assert!(refused.iter().all(|signature| matches!(signature.reason, SignatureError::DoesNotVerify)));
}

#[test]
fn the_embedded_keys_are_those_that_google_publishes() {
    let Some(folder) = vectors("slsa/google-cloud-build-keys", "google-cloud-build-keys") else { return };
    let embedded = include_str!("../src/provenance/cloud_build/keys.json");
    let embedded: Value = serde_json::from_str(embedded).expect("JSON");
    let mut compared = 0;
    for file in fs::read_dir(folder).expect("a directory") {
        let path = file.expect("an entry").path();
        let name = path.file_name().and_then(|name| name.to_str()).expect("text").trim_end_matches(".pub.pem");
        let key = match name {
            // The same key as `global-pae-provenanceSigner_1`, under a name that no signature has.
            "global-pae" => "global/keyRings/attestor/cryptoKeys/provenanceSigner/".to_owned(),
            "global-pae-provenanceSigner_1" => "global/keyRings/attestor/cryptoKeys/provenanceSigner/".to_owned(),
            "global-pae-google-hosted-worker_1" => {
                "global/keyRings/attestor/cryptoKeys/google-hosted-worker/".to_owned()
            }
            region => format!("{region}/keyRings/attestor/cryptoKeys/builtByGCB/"),
        };
        let keyid = format!("projects/verified-builder/locations/{key}cryptoKeyVersions/1");
        let records = embedded["keys"].as_array().expect("a list");
        let record = records.iter().find(|record| record["keyid"] == keyid.as_str()).expect(&keyid);
        let pem = record["publicKey"].as_str().expect("text");
        let published = PublicKey::from_pem(&fs::read(&path).expect("a file")).expect("a key");
        assert_eq!(PublicKey::from_pem(pem.as_bytes()).expect("a key"), published, "{name}");
        compared += 1;
    }
    assert!(compared >= 8);
}
