//! Signing with certificates: what no verifier could accept is not signed.

use std::collections::HashSet;

use model_transparency::certificate::{Certificate, PathError, UnixTime, UsageError};
use model_transparency::envelope::{Bundle, Material};
use model_transparency::hash::Options;
use model_transparency::key::{KeyAlgorithm, SigningKey as _};
use model_transparency::manifest::{Manifest, Parameters};
use model_transparency::model::{IgnoreRules, LocalModel, SymlinkPolicy};
use model_transparency::sign::{
    CertificateSigner, KeySigner, NewSignature, Role, ServiceError, SignError, Timestamper, UnsuitableCertificate,
    Witnesses, sign_model,
};
use model_transparency::timestamp::TimestampError;
use model_transparency::trust::TimestampAuthority;
use rcgen::{ExtendedKeyUsagePurpose, date_time_ymd};

use crate::bundles::Verifier;
use crate::forge::{KEY, write_model};
use crate::pki::{Authority, Leaf, NEXT_YEAR, NOW, PLAIN, chain, self_signed};

fn manifest() -> Manifest {
    let scratch = tempfile::tempdir().expect("a temporary directory");
    write_model(scratch.path());
    let (ignore, nothing) = (IgnoreRules::defaults(), HashSet::new());
    let rules = LocalModel::signing_rules(SymlinkPolicy::Deny, &ignore, &nothing);
    let model = LocalModel::open(scratch.path(), &rules).expect("listed");
    Manifest::of(&model, Parameters::new(SymlinkPolicy::Deny), &Options::default()).expect("hashed")
}

fn signer<'a>(leaf: &'a Leaf, issuers: &[&Certificate]) -> Result<CertificateSigner<'a>, UnsuitableCertificate> {
    signer_at(leaf, issuers, NOW)
}

fn signer_at<'a>(
    leaf: &'a Leaf,
    issuers: &[&Certificate],
    now: UnixTime,
) -> Result<CertificateSigner<'a>, UnsuitableCertificate> {
    let issuers = issuers.iter().map(|certificate| (*certificate).clone()).collect();
    CertificateSigner::new(&leaf.key, leaf.certificate.clone(), issuers, now)
}

#[test]
fn the_chain_is_in_the_bundle_leaf_first_and_nothing_twice() {
    let pki = chain(PLAIN, PLAIN, PLAIN);
    let (leaf, intermediate, root) = (&pki.leaf.certificate, &pki.intermediate.certificate, &pki.root.certificate);
    for issuers in [vec![intermediate], vec![intermediate, root], vec![intermediate, root, leaf, intermediate], vec![]]
    {
        let signer = signer(&pki.leaf, &issuers).expect("suitable");
        let NewSignature { bundle, evidence, .. } =
            sign_model("model", manifest(), &signer, Witnesses::default()).expect("signed");
        let mut expected = vec![leaf.der().to_vec()];
        expected.extend(issuers.iter().take(2).map(|certificate| certificate.der().to_vec()));
        assert_eq!(*bundle.material(), Material::CertificateChain(expected));
        assert_eq!(evidence.certificate.expect("of the certificate method").path.leaf(), leaf);
        let json = serde_json::from_slice(&bundle.to_json()).expect("JSON");
        let verdict = Verifier::new(std::slice::from_ref(root)).verify(&json);
        assert_eq!(verdict.is_ok(), !issuers.is_empty(), "{verdict:?}");
    }
    let own = self_signed("Leaf", PLAIN);
    let signer = signer(&own, &[]).expect("its own issuer");
    sign_model("model", manifest(), &signer, Witnesses::default()).expect("signed");
}

#[test]
fn a_certificate_that_does_not_fit_is_refused() {
    let pki = chain(PLAIN, PLAIN, PLAIN);
    let intermediate = &pki.intermediate.certificate;
    let error = CertificateSigner::new(&*KEY, pki.leaf.certificate.clone(), Vec::new(), NOW).err().expect("refused");
    assert!(
        matches!(&error, UnsuitableCertificate::OtherKey { expected, .. }
        if *expected == KEY.public_key().hint()),
        "{error}"
    );
    let other = Authority::root("Other", PLAIN);
    let error = signer(&pki.leaf, &[&other.certificate]).err().expect("refused");
    assert!(matches!(error, UnsuitableCertificate::Path(PathError::NoPath { .. })), "{error}");
    let error = signer_at(&pki.leaf, &[intermediate], NEXT_YEAR).err().expect("refused");
    assert!(matches!(error, UnsuitableCertificate::Path(PathError::OutOfValidity { .. })), "{error}");
    let silent = pki.intermediate.leaf("Leaf", |params| {
        params.key_usages.clear();
        params.extended_key_usages.clear();
    });
    for issuers in [vec![intermediate], vec![]] {
        let error = signer(&silent, &issuers).err().expect("refused");
        assert!(
            matches!(error, UnsuitableCertificate::Path(PathError::Usage { error: UsageError::Unstated, .. })),
            "{error}"
        );
    }
    let server = pki.intermediate.leaf("Leaf", |params| {
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    });
    assert!(signer(&server, &[intermediate]).is_err());
    let future = pki.intermediate.leaf("Leaf", |params| params.not_before = date_time_ymd(2026, 12, 1));
    assert!(signer(&future, &[intermediate]).is_err());
    let p521 = pki.intermediate.leaf_of(KeyAlgorithm::EcdsaP521, "Leaf", PLAIN);
    assert!(signer(&p521, &[intermediate]).is_ok());
}

/// An authority that says what it was made with.
struct Stamper {
    answer: Result<Vec<u8>, ServiceError>,
    authorities: Vec<TimestampAuthority>,
}

impl Timestamper for Stamper {
    fn stamp(&self, _: &[u8]) -> Result<Vec<u8>, ServiceError> {
        self.answer.clone()
    }

    fn authorities(&self) -> &[TimestampAuthority] {
        &self.authorities
    }
}

#[test]
fn without_the_timestamp_that_was_asked_for_there_is_no_signature() {
    let root = Authority::root("Root", PLAIN);
    let trusted = vec![TimestampAuthority::new(vec![root.certificate])];
    let sign = |answer, authorities| -> Result<Bundle, SignError> {
        let stamper = Stamper { answer, authorities };
        let witnesses = Witnesses { timestampers: &[&stamper], ..Witnesses::default() };
        sign_model("model", manifest(), &KeySigner::new(&*KEY), witnesses).map(|signed| signed.bundle)
    };
    let lost = ServiceError {
        role: Role::TimestampAuthority,
        url: "https://tsa.example/".to_owned(),
        reason: "can't be reached".to_owned(),
    };
    let error = sign(Err(lost.clone()), Vec::new()).expect_err("lost");
    assert!(matches!(&error, SignError::Service(error) if *error == lost), "{error}");
    for authorities in [Vec::new(), trusted] {
        let error = sign(Ok(b"noise".to_vec()), authorities.clone()).expect_err("noise");
        assert!(matches!(error, SignError::Timestamp(TimestampError::Malformed(_))), "{error}");
        let error = sign(Ok(vec![0x30; (128 << 10) + 1]), authorities).expect_err("too large");
        assert!(matches!(error, SignError::Timestamp(TimestampError::TooLarge { .. })), "{error}");
    }
}
