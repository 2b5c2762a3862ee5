//! What every certificate of a path has to say.

use model_transparency::certificate::{PathError, UsageError};
use model_transparency::verify::SignatureError;
use rcgen::{
    BasicConstraints, CustomExtension, ExtendedKeyUsagePurpose, GeneralSubtree, IsCa, KeyUsagePurpose, NameConstraints,
    SanType, date_time_ymd,
};

use crate::bundles::{Verifier, bundle};
use crate::pki::{Authority, Chain, Change, PLAIN, chain, self_signed};

fn verify(pki: &Chain) -> Result<(), PathError> {
    let bundle = bundle(&pki.leaf.key, &[&pki.leaf.certificate, &pki.intermediate.certificate]);
    match Verifier::new(std::slice::from_ref(&pki.root.certificate)).verify(&bundle) {
        Ok(_) => Ok(()),
        Err(SignatureError::Path(error)) => Err(error),
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn a_leaf_says_that_it_may_sign() {
    use ExtendedKeyUsagePurpose::{Any, ClientAuth, CodeSigning};
    use KeyUsagePurpose::{ContentCommitment, DigitalSignature, KeyCertSign, KeyEncipherment};
    let cases: [(&str, Change, Result<(), UsageError>); 10] = [
        ("both", PLAIN, Ok(())),
        ("KeyUsage alone", |params| params.extended_key_usages.clear(), Ok(())),
        ("ExtendedKeyUsage alone", |params| params.key_usages.clear(), Ok(())),
        ("any purpose", |params| params.extended_key_usages = vec![Any], Ok(())),
        ("one purpose of two", |params| params.extended_key_usages = vec![ClientAuth, CodeSigning], Ok(())),
        (
            "neither",
            |params| {
                params.key_usages.clear();
                params.extended_key_usages.clear();
            },
            Err(UsageError::Unstated),
        ),
        (
            "no signatures",
            |params| params.key_usages = vec![KeyEncipherment, ContentCommitment],
            Err(UsageError::NoDigitalSignature),
        ),
        (
            "another purpose",
            |params| params.extended_key_usages = vec![ClientAuth],
            Err(UsageError::OtherPurpose { purpose: model_transparency::certificate::Purpose::SignModels }),
        ),
        (
            "an issuer that is none",
            |params| params.key_usages = vec![DigitalSignature, KeyCertSign],
            Err(UsageError::NoAuthority),
        ),
        (
            "an issuer that is one",
            |params| {
                params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
                params.key_usages = vec![DigitalSignature, KeyCertSign];
            },
            Ok(()),
        ),
    ];
    for (case, change, expected) in cases {
        let found = verify(&chain(PLAIN, PLAIN, change)).map_err(|error| match error {
            PathError::Usage { subject, error } if subject == "CN=Leaf" => error,
            other => panic!("{case}: {other}"),
        });
        assert_eq!(found, expected, "{case}");
    }
}

#[test]
fn a_leaf_that_is_trusted_itself_need_not_say_what_for() {
    let cases: [(&str, Change, bool); 4] = [
        ("both", PLAIN, true),
        (
            "neither",
            |params| {
                params.key_usages.clear();
                params.extended_key_usages.clear();
            },
            true,
        ),
        ("no signatures", |params| params.key_usages = vec![KeyUsagePurpose::KeyEncipherment], false),
        ("another purpose", |params| params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth], false),
    ];
    for (case, change, accepted) in cases {
        let leaf = self_signed("Leaf", change);
        let outcome =
            Verifier::new(std::slice::from_ref(&leaf.certificate)).verify(&bundle(&leaf.key, &[&leaf.certificate]));
        assert_eq!(outcome.is_ok(), accepted, "{case}: {outcome:?}");
    }
}

#[test]
fn an_issuer_is_held_to_what_it_says() {
    type Expected = fn(&PathError) -> bool;
    let cases: [(&str, Change, Expected); 9] = [
        (
            "not an authority",
            |params| params.is_ca = IsCa::ExplicitNoCa,
            |error| matches!(error, PathError::Usage { error: UsageError::NoAuthority, .. }),
        ),
        (
            "says nothing of authority",
            |params| params.is_ca = IsCa::NoCa,
            |error| matches!(error, PathError::Usage { error: UsageError::NoAuthority, .. }),
        ),
        (
            "may not certify",
            |params| params.key_usages = vec![KeyUsagePurpose::CrlSign],
            |error| matches!(error, PathError::Usage { error: UsageError::NoCertificateSigning, .. }),
        ),
        (
            "certifies servers",
            |params| params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth],
            |error| matches!(error, PathError::Usage { error: UsageError::OtherPurpose { .. }, .. }),
        ),
        (
            "expired",
            |params| params.not_after = date_time_ymd(2026, 6, 1),
            |error| matches!(error, PathError::OutOfValidity { .. }),
        ),
        (
            "not yet valid",
            |params| params.not_before = date_time_ymd(2026, 8, 1),
            |error| matches!(error, PathError::OutOfValidity { .. }),
        ),
        (
            "demands something unknown",
            |params| {
                let mut extension = CustomExtension::from_oid_content(&[1, 3, 6, 1, 4, 1, 99999, 1], vec![5, 0]);
                extension.set_criticality(true);
                params.custom_extensions.push(extension);
            },
            |error| matches!(error, PathError::CriticalExtension { oid, .. } if oid == "1.3.6.1.4.1.99999.1"),
        ),
        (
            "excludes the name",
            |params| {
                params.name_constraints = Some(NameConstraints {
                    permitted_subtrees: Vec::new(),
                    excluded_subtrees: vec![GeneralSubtree::DnsName("leaf.example".to_owned())],
                });
            },
            |error| matches!(error, PathError::NameConstraints { subject } if subject == "CN=Leaf"),
        ),
        (
            "permits other names",
            |params| {
                params.name_constraints = Some(NameConstraints {
                    permitted_subtrees: vec![GeneralSubtree::DnsName("other.example".to_owned())],
                    excluded_subtrees: Vec::new(),
                });
            },
            |error| matches!(error, PathError::NameConstraints { subject } if subject == "CN=Leaf"),
        ),
    ];
    let named: Change =
        |params| params.subject_alt_names = vec![SanType::DnsName("leaf.example".try_into().expect("ASCII"))];
    for (case, change, expected) in cases {
        // The trusted certificate is held to it too.
        for pki in [chain(PLAIN, change, named), chain(change, PLAIN, named)] {
            let error = verify(&pki).expect_err(case);
            assert!(expected(&error), "{case}: {error:?}");
        }
    }
}

#[test]
fn a_path_is_no_longer_than_its_issuers_allow() {
    verify(&chain(|params| params.is_ca = IsCa::Ca(BasicConstraints::Constrained(1)), PLAIN, PLAIN)).expect("one");
    let none: Change = |params| params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    verify(&chain(PLAIN, none, PLAIN)).expect("none below the intermediate");
    assert_eq!(verify(&chain(none, PLAIN, PLAIN)), Err(PathError::TooLong));
}

#[test]
fn an_issuer_may_renew_its_key_under_its_name() {
    // As key rollover does it: a new key, certified by the old one of the same name.
    let old = Authority::root("Acme", PLAIN);
    let new = old.authority("Acme", PLAIN);
    let leaf = new.leaf("Leaf", PLAIN);
    let anchors = [old.certificate];
    Verifier::new(&anchors).verify(&bundle(&leaf.key, &[&leaf.certificate, &new.certificate])).expect("renewed");
    // And as the reference's test chains have it: the leaf has the name of its issuer.
    let leaf = new.leaf("Acme", |params| params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained));
    let anchors = [new.certificate];
    Verifier::new(&anchors).verify(&bundle(&leaf.key, &[&leaf.certificate])).expect("of the same name");
}

#[test]
fn many_candidates_are_given_up_on() {
    // Six issuers of one name, each certified by all others: the paths through them are many, and none leads anywhere.
    let issuers: Vec<Authority> = (0..6).map(|_| Authority::root("Acme", PLAIN)).collect();
    let leaf = issuers[0].leaf("Leaf", PLAIN);
    let mut certificates = vec![leaf.certificate.clone()];
    for (index, issuer) in issuers.iter().enumerate() {
        let others = issuers.iter().enumerate().filter(|(other, _)| *other != index);
        certificates.extend(others.map(|(_, other)| issuer.cross_certify(other)));
    }
    let bundle = bundle(&leaf.key, &certificates.iter().collect::<Vec<_>>());
    let elsewhere = [Authority::root("Acme", PLAIN).certificate];
    let error = Verifier::new(&elsewhere).verify(&bundle).expect_err("nobody is trusted");
    assert_eq!(error, SignatureError::Path(PathError::TooManyCandidates));
    let anchors = [issuers[5].certificate.clone()];
    Verifier::new(&anchors).verify(&bundle).expect("there is a path, and it is found");
}
