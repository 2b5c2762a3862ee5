//! Every lie that a bundle can show is refused, for the reason that it has.

use fake_sigstore::{Instance, Lie, Service};
use serde_json::Value;
use sigstore_verify::VerificationPolicy;

use super::client::{Signer, log_url, post, sign_v1, sign_v2, timestamp, verify, verify_as};

/// Makes a bundle.
type Sign = fn(&Instance) -> Value;

/// Signs while a service lies, and gives the reason why the signature is refused.
fn refusal(service: Service, lie: Lie, sign: Sign) -> String {
    let sigstore = Instance::start();
    sigstore.lie(service, lie);
    let bundle = sign(&sigstore);
    let reason = verify(&sigstore, &bundle).expect_err(&format!("{lie:?} of {service:?}"));
    sigstore.heal(service);
    verify(&sigstore, &sign(&sigstore)).expect("honest again");
    reason
}

fn assert_refused(service: Service, sign: Sign, rows: &[(Lie, &str)]) {
    for (lie, reason) in rows {
        let refusal = refusal(service, *lie, sign);
        assert!(refusal.contains(reason), "{lie:?}: {refusal}");
    }
}

#[test]
fn certificates_that_are_lies_are_refused() {
    let rows = [
        (Lie::NoSct, "missing SCT extension"),
        (Lie::SctOfAnotherKey, "SCT signature verification failed"),
        (Lie::CertificateOfAnotherIdentity, "mallory@example.com"),
        (Lie::CertificateOfAnotherAuthority, "certificate chain validation failed"),
        (Lie::CertificateOfAnotherIssuer, "https://issuer.example.com"),
    ];
    assert_refused(Service::Fulcio, sign_v1, &rows);
    assert_refused(Service::Fulcio, sign_v2, &rows);
}

#[test]
fn a_certificate_of_another_key_is_refused_by_the_logs_already() {
    let sigstore = Instance::start();
    sigstore.lie(Service::Fulcio, Lie::CertificateOfAnotherKey);
    let signer = Signer::new(&sigstore);
    let signed = signer.sign();
    let v1 = post(&log_url(&sigstore, Service::RekorV1), &signer.dsse_entry(&signed));
    assert_eq!((v1.status, v1.json()["code"].as_u64()), (400, Some(400)));
    let v2 = post(&log_url(&sigstore, Service::RekorV2), &signer.hashedrekord_request(&signed));
    assert_eq!((v2.status, v2.json()["code"].as_u64()), (400, Some(3)));

    let unlogged = signer.bundle(&signed, Vec::new(), vec![timestamp(&sigstore, &signed.signature)]);
    let policy = VerificationPolicy::any_identity().skip_tlog_unsafe();
    let refusal = verify_as(&sigstore, &unlogged, policy).expect_err("of another key");
    assert!(refusal.contains("DSSE signature verification failed"), "{refusal}");
}

#[test]
fn entries_of_the_first_log_that_are_lies_are_refused() {
    let rows = [
        (Lie::InclusionProofAltered, "inclusion proof"),
        (Lie::CheckpointAltered, "heckpoint"),
        (Lie::CheckpointOfAnotherKey, "No matching Rekor key found"),
        (Lie::CheckpointForged, "No valid Rekor signature found"),
        (Lie::SetAltered, "SET verification failed"),
        (Lie::EntryOfAnotherBody, "DSSE payload hash mismatch"),
        (Lie::LogIndexOff, "SET verification failed"),
    ];
    assert_refused(Service::RekorV1, sign_v1, &rows);
}

#[test]
fn entries_of_the_log_of_tiles_that_are_lies_are_refused() {
    let rows = [
        (Lie::InclusionProofAltered, "inclusion proof"),
        (Lie::CheckpointAltered, "inclusion proof"),
        (Lie::CheckpointOfAnotherKey, "No matching Rekor key found"),
        (Lie::CheckpointForged, "No valid Rekor signature found"),
        (Lie::EntryOfAnotherBody, "artifact hash mismatch"),
        (Lie::LogIndexOff, "inclusion proof"),
    ];
    assert_refused(Service::RekorV2, sign_v2, &rows);
}

#[test]
fn timestamps_that_are_lies_are_refused() {
    let rows = [
        (Lie::TimestampOfAnotherSignature, "hash mismatch"),
        (Lie::TimestampOfAnotherKey, "TSA timestamp verification failed"),
        (Lie::TimestampRejected, "not granted"),
    ];
    assert_refused(Service::Timestamps, sign_v2, &rows);
}

#[test]
fn a_lie_about_the_nonce_is_in_the_reply_alone() {
    let sigstore = Instance::start();
    let nonce = [0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x08];
    let has_nonce = |reply: &[u8]| reply.windows(nonce.len()).any(|bytes| bytes == nonce);
    assert!(has_nonce(&timestamp(&sigstore, b"signature")));
    sigstore.lie(Service::Timestamps, Lie::TimestampOfAnotherNonce);
    assert!(!has_nonce(&timestamp(&sigstore, b"signature")));
    verify(&sigstore, &sign_v2(&sigstore)).expect("a timestamp all the same");
}

#[test]
fn clocks_that_are_wrong_are_refused() {
    let half_an_hour = 30 * 60;
    let rows: [(Service, i64, Sign, &str); 5] = [
        (Service::Fulcio, -half_an_hour, sign_v1, "certificate"),
        (Service::Fulcio, half_an_hour, sign_v2, "certificate"),
        (Service::RekorV1, half_an_hour, sign_v1, "in the future"),
        (Service::RekorV1, -half_an_hour, sign_v1, "certificate"),
        (Service::Timestamps, half_an_hour, sign_v2, "certificate"),
    ];
    for (service, offset_seconds, sign, reason) in rows {
        let sigstore = Instance::start();
        sigstore.set_clock(service, offset_seconds);
        let refusal = verify(&sigstore, &sign(&sigstore)).expect_err("another time");
        assert!(refusal.contains(reason), "{service:?}: {refusal}");
    }
}

#[test]
fn a_fork_looks_like_any_log() {
    let sigstore = Instance::start();
    for log in [Service::RekorV1, Service::RekorV2] {
        sigstore.lie(log, Lie::Forked);
    }
    for bundle in [sign_v1(&sigstore), sign_v2(&sigstore)] {
        verify(&sigstore, &bundle).expect("verified");
    }
}

#[test]
#[should_panic = "is nothing that Timestamps can say"]
fn a_service_tells_its_own_lies_alone() {
    Instance::start().lie(Service::Timestamps, Lie::Forked);
}
