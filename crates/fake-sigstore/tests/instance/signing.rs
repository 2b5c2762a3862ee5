//! What honest services make is verified.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use fake_sigstore::{Claims, Identity, Instance, KeyKind, Options, Service};
use sigstore_verify::VerificationPolicy;

use super::client::{Signer, sign_v1, sign_v2, statement, timestamp, verify, verify_as};

#[test]
fn signatures_in_the_first_log_are_verified() {
    let sigstore = Instance::start();
    verify(&sigstore, &sign_v1(&sigstore)).expect("verified");
}

#[test]
fn signatures_in_the_log_of_tiles_are_verified() {
    for rekor_v2_key in [KeyKind::Ed25519, KeyKind::EcdsaP256] {
        let sigstore = Instance::start_with(Options { rekor_v2_key, ..Options::default() });
        verify(&sigstore, &sign_v2(&sigstore)).expect("verified");
    }
}

#[test]
fn one_bundle_can_have_both_logs_and_two_timestamps() {
    let sigstore = Instance::start();
    let signer = Signer::new(&sigstore);
    let signed = signer.sign();
    let entries = vec![signer.log_v1(&sigstore, &signed), signer.log_v2(&sigstore, &signed)];
    let timestamps = [(); 2].map(|()| timestamp(&sigstore, &signed.signature)).to_vec();
    verify(&sigstore, &signer.bundle(&signed, entries, timestamps)).expect("verified");
    let requests = Service::ALL.map(|service| sigstore.requests(service));
    assert_eq!(requests, [0, 1, 1, 1, 2]);
}

#[test]
fn instances_do_not_trust_each_other() {
    let [one, other] = [(); 2].map(|()| Instance::start());
    for bundle in [sign_v1(&one), sign_v2(&one)] {
        verify(&one, &bundle).expect("verified");
        verify(&other, &bundle).expect_err("of another instance");
    }
}

#[test]
fn attestations_of_any_certificate_are_verified() {
    let sigstore = Instance::start();
    let claims = Claims::github_workflow("owner/name", "release.yml", "refs/tags/v1");
    let identity = Identity::of(&claims);
    let (workflow, runner) = ("https://github.com/owner/name/.github/workflows/release.yml@refs/tags/v1", 11);
    assert_eq!(identity.text(9).as_deref(), Some(workflow));
    assert_eq!(identity.text(2).as_deref(), Some("push"));
    let statement = statement().to_string();
    for identity in [identity.clone(), identity.with(runner, "self-hosted").without(9).named(&[workflow])] {
        let bundle = sigstore.attest(&sigstore.certify(&identity), statement.as_bytes());
        verify_as(&sigstore, &bundle, VerificationPolicy::any_identity()).expect("verified");
        let raw = bundle["verificationMaterial"]["certificate"]["rawBytes"].as_str().expect("base64");
        let found = Identity::in_certificate(&STANDARD.decode(raw).expect("base64"));
        assert_eq!(found.numbers(), identity.numbers());
        assert_eq!(found.text(runner), identity.text(runner));
    }
    assert_eq!(sigstore.requests(Service::RekorV1), 0);
}
