//! What honest services make is verified.

use fake_sigstore::{Instance, KeyKind, Options, Service};

use super::client::{Signer, sign_v1, sign_v2, timestamp, verify};

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
