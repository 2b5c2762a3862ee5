//! Lists of revoked certificates.

use model_transparency::certificate::{
    Certificate, InvalidCrl, Purpose, Revocation, RevocationError, RevocationList, UnixTime, UsageError, validate,
};
use model_transparency::verify::{Evidence, SignatureError};
use rcgen::{CrlIssuingDistributionPoint, KeyUsagePurpose, SerialNumber, date_time_ymd};

use crate::bundles::{Verifier, bundle};
use crate::pki::{Authority, Chain, NOW, PLAIN, chain};

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
fn what_is_trusted_can_be_revoked_all_the_same() {
    let pki = numbered();
    let certificates = [&pki.leaf.certificate, &pki.intermediate.certificate];
    let bundle = bundle(&pki.leaf.key, &certificates);
    let (leaf, intermediate, root) =
        (pki.leaf.certificate.clone(), pki.intermediate.certificate.clone(), pki.root.certificate.clone());
    let fresh = || pki.intermediate.list(&[], |_| ());
    let verify = |anchors: &[Certificate], lists| {
        let revocation = |evidence: Evidence| evidence.certificate.expect("of the certificate method").revocation;
        (Verifier { lists, ..Verifier::new(anchors) }).verify(&bundle).map(revocation)
    };
    // The issuer of what is trusted is found among what is trusted, and in the bundle.
    for anchors in [vec![intermediate.clone(), root.clone()], vec![intermediate.clone(), root.clone(), leaf.clone()]] {
        let error = verify(&anchors, vec![pki.intermediate.list(&[8], |_| ())]).expect_err("the leaf");
        assert!(matches!(error, SignatureError::Revocation(RevocationError::Revoked { .. })), "{error}");
    }
    let anchors = [intermediate.clone(), root];
    let error = verify(&anchors, vec![fresh(), pki.root.list(&[7], |_| ())]).expect_err("the intermediate");
    assert!(matches!(error, SignatureError::Revocation(RevocationError::Revoked { .. })), "{error}");
    // Where nobody can say who signed the list, that is said.
    let revocation =
        verify(std::slice::from_ref(&intermediate), vec![fresh(), pki.root.list(&[7], |_| ())]).expect("trusted");
    assert_eq!(revocation.unchecked, ["CN=Intermediate"]);
    let revocation = verify(std::slice::from_ref(&leaf), vec![]).expect("trusted");
    assert_eq!(revocation.unchecked, ["CN=Leaf"]);
    let error = verify(&[leaf], vec![pki.root.list(&[], |_| ())]).expect_err("no list of its issuer");
    assert!(matches!(error, SignatureError::Revocation(RevocationError::NotCovered { .. })), "{error}");
}

#[test]
fn a_list_of_another_key_of_the_issuer_does_not_count() {
    let pki = numbered();
    let renewed = pki.root.authority("Intermediate", PLAIN);
    let both = || vec![renewed.list(&[], |_| ()), pki.intermediate.list(&[], |_| ())];
    assert_eq!(verify(&pki, both()), Ok((names(&["CN=Leaf"]), names(&["CN=Intermediate"]))));
    let mut revoked = both();
    revoked.push(pki.intermediate.list(&[8], |_| ()));
    assert!(matches!(verify(&pki, revoked), Err(RevocationError::Revoked { .. })));
}

#[test]
fn a_list_from_after_a_certificate_expired_says_nothing_of_it() {
    // The leaf has expired, and a timestamp would vouch for it; its issuer need not list it any more.
    let pki = chain(PLAIN, PLAIN, |params| {
        params.not_after = date_time_ymd(2026, 6, 1);
        params.serial_number = Some(SerialNumber::from(8));
    });
    let then = UnixTime(NOW.0 - 60 * 86_400);
    let intermediates = [pki.intermediate.certificate.clone()];
    let anchors = [pki.root.certificate.clone()];
    let path =
        validate(&pki.leaf.certificate, &intermediates, &anchors, Purpose::SignModels, then).expect("valid then");
    let error = Revocation::check(&path, &[pki.intermediate.list(&[], |_| ())], &[], NOW).expect_err("pruned, perhaps");
    assert!(matches!(error, RevocationError::NotCovered { .. }), "{error}");
    let error = Revocation::check(&path, &[pki.intermediate.list(&[8], |_| ())], &[], NOW).expect_err("still listed");
    assert!(matches!(error, RevocationError::Revoked { .. }), "{error}");
    let before = pki.intermediate.list(&[], |list| list.this_update = date_time_ymd(2026, 5, 1));
    Revocation::check(&path, &[before], &[], NOW).expect("of a time at which it was still listed");
}

#[test]
fn every_list_of_a_file_counts() {
    let pki = numbered();
    let pem = |der: Vec<u8>| pem::encode(&pem::Pem::new("X509 CRL", der));
    let text = pem(pki.intermediate.list_der(&[], |_| ())) + &pem(pki.root.list_der(&[7], |_| ()));
    let lists = RevocationList::from_file(text.as_bytes()).expect("two lists");
    assert_eq!(lists.len(), 2);
    assert!(matches!(verify(&pki, lists), Err(RevocationError::Revoked { .. })));
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
    let error = RevocationList::from_file(&partial).expect_err("partial");
    assert_eq!(error, InvalidCrl::Extension { oid: "2.5.29.28".to_owned() });
    let sound = root.list_der(&[1, 2, 3], |_| ());
    for length in 0..sound.len() {
        RevocationList::from_file(&sound[..length]).expect_err("cut short");
    }
    RevocationList::from_file(&[&sound[..], b"\0"].concat()).expect_err("something behind it");
    let error =
        RevocationList::from_file(b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").expect_err("no");
    assert_eq!(error, InvalidCrl::WrongKind { found: "CERTIFICATE".to_owned() });
    RevocationList::from_file(b"noise").expect_err("noise");
}
