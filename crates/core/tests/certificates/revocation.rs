//! Lists of revoked certificates.

use model_transparency::certificate::{InvalidCrl, RevocationError, RevocationList, UsageError};
use model_transparency::verify::SignatureError;
use rcgen::{CrlIssuingDistributionPoint, KeyUsagePurpose, SerialNumber, date_time_ymd};

use crate::bundles::{Verifier, bundle};
use crate::pki::{Authority, Chain, PLAIN, chain};

/// The serial numbers of intermediate and leaf are 7 and 8.
fn numbered() -> Chain {
    chain(
        PLAIN,
        |params| params.serial_number = Some(SerialNumber::from(7)),
        |params| params.serial_number = Some(SerialNumber::from(8)),
    )
}

fn verify(pki: &Chain, lists: Vec<RevocationList>) -> Result<(Vec<String>, Vec<String>), RevocationError> {
    let bundle = bundle(&pki.leaf.key, &[&pki.leaf.certificate, &pki.intermediate.certificate]);
    match (Verifier { lists, ..Verifier::new(std::slice::from_ref(&pki.root.certificate)) }).verify(&bundle) {
        Ok(evidence) => {
            let revocation = evidence.certificate.expect("of the certificate method").revocation;
            Ok((revocation.checked.into_iter().map(|(subject, _)| subject).collect(), revocation.unchecked))
        }
        Err(SignatureError::Revocation(error)) => Err(error),
        Err(other) => panic!("{other}"),
    }
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn what_no_list_covers_is_said() {
    let pki = numbered();
    let (of_root, of_intermediate) = (|| pki.root.list(&[1], |_| ()), || pki.intermediate.list(&[1], |_| ()));
    assert_eq!(verify(&pki, vec![]), Ok((names(&[]), names(&["CN=Leaf", "CN=Intermediate"]))));
    assert_eq!(verify(&pki, vec![of_intermediate()]), Ok((names(&["CN=Leaf"]), names(&["CN=Intermediate"]))));
    let both = vec![of_root(), of_intermediate()];
    assert_eq!(verify(&pki, both), Ok((names(&["CN=Leaf", "CN=Intermediate"]), names(&[]))));
    let error = verify(&pki, vec![of_root()]).expect_err("a list, and none for the leaf");
    assert_eq!(error, RevocationError::NotCovered { issuer: "CN=Intermediate".to_owned() });
}

#[test]
fn a_revoked_certificate_is_refused_wherever_it_stands() {
    let pki = numbered();
    let of_intermediate = || pki.intermediate.list(&[], |_| ());
    for (case, lists, revoked) in [
        ("leaf", vec![pki.intermediate.list(&[9, 8], |_| ())], "CN=Leaf"),
        ("leaf, in one list of two", vec![of_intermediate(), pki.intermediate.list(&[8], |_| ())], "CN=Leaf"),
        ("intermediate", vec![of_intermediate(), pki.root.list(&[7], |_| ())], "CN=Intermediate"),
    ] {
        let error = verify(&pki, lists).expect_err(case);
        let RevocationError::Revoked { subject, since, reason, .. } = error else { panic!("{case}: {error}") };
        assert_eq!(subject, revoked, "{case}");
        assert_eq!((since.to_string().as_str(), reason.as_str()), ("2026-06-01T00:00:00Z", "KeyCompromise"));
    }
    // The number counts with its issuer alone.
    verify(&pki, vec![of_intermediate(), pki.root.list(&[8], |_| ())]).expect("another issuer's number");
}

#[test]
fn a_list_that_cannot_be_relied_on_is_an_error() {
    let pki = numbered();
    let stale = pki.intermediate.list(&[], |list| list.next_update = date_time_ymd(2026, 6, 20));
    let error = verify(&pki, vec![stale]).expect_err("stale");
    assert!(matches!(error, RevocationError::Stale { .. }), "{error}");
    let early = pki.intermediate.list(&[], |list| list.this_update = date_time_ymd(2026, 7, 10));
    let error = verify(&pki, vec![early]).expect_err("from the future");
    assert!(matches!(error, RevocationError::Stale { .. }), "{error}");
    let forged = Authority::root("Intermediate", PLAIN).list(&[], |_| ());
    let error = verify(&pki, vec![forged]).expect_err("another key");
    assert!(matches!(error, RevocationError::Signature { .. }), "{error}");

    let pki = chain(PLAIN, |params| params.key_usages = vec![KeyUsagePurpose::KeyCertSign], PLAIN);
    let error = verify(&pki, vec![pki.intermediate.list(&[], |_| ())]).expect_err("no right to");
    assert!(matches!(error, RevocationError::Issuer { error: UsageError::NoCrlSigning, .. }), "{error}");
}

#[test]
fn partial_lists_and_noise_are_not_lists() {
    let root = Authority::root("Root", PLAIN);
    let partial = root.list_der(&[], |list| {
        list.issuing_distribution_point = Some(CrlIssuingDistributionPoint {
            distribution_point: rcgen::CrlDistributionPoint { uris: vec!["http://example.com/crl".to_owned()] },
            scope: None,
        });
    });
    let error = RevocationList::parse(&partial).expect_err("partial");
    assert_eq!(error, InvalidCrl::Extension { oid: "2.5.29.28".to_owned() });
    let sound = root.list_der(&[1, 2, 3], |_| ());
    for length in 0..sound.len() {
        RevocationList::parse(&sound[..length]).expect_err("cut short");
    }
    RevocationList::parse(&[&sound[..], b"\0"].concat()).expect_err("something behind it");
    let error =
        RevocationList::parse(b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").expect_err("no");
    assert_eq!(error, InvalidCrl::WrongKind { found: "CERTIFICATE".to_owned() });
    RevocationList::parse(b"noise").expect_err("noise");
}
