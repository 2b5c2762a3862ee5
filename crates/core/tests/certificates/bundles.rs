//! Bundles of the method, and the verdict on each.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use model_transparency::certificate::{Certificate, IdentityRule, PathError, RevocationList, UnixTime};
use model_transparency::envelope::{Bundle, InvalidBundle};
use model_transparency::key::{KeyAlgorithm, PrivateKey, SigningKey as _};
use model_transparency::timestamp::TimestampError;
use model_transparency::trust::{
    Anchors, CertificateTrust, SignerTrust, TimestampAuthority, TimestampTrust, Trust, public_authorities,
};
use model_transparency::verify::{Evidence, SignatureError, check_signature};
use rcgen::{DnType, SanType};
use serde_json::{Value, json};

use crate::forge::{KEY, PAYLOAD_TYPE, pae, statement};
use crate::pki::{Authority, NEXT_YEAR, NOW, PLAIN, chain, self_signed};

/// A bundle of a sound statement, signed by `key`, with these certificates.
pub(crate) fn bundle(key: &PrivateKey, certificates: &[&Certificate]) -> Value {
    let ders: Vec<&[u8]> = certificates.iter().map(|certificate| certificate.der()).collect();
    bundle_of(key, &ders)
}

fn bundle_of(key: &PrivateKey, certificates: &[&[u8]]) -> Value {
    let payload = statement().to_string();
    let signature = key.sign(&pae(payload.as_bytes())).expect("own keys sign");
    let raw: Vec<Value> = certificates.iter().map(|der| json!({ "rawBytes": STANDARD.encode(der) })).collect();
    json!({
        "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
        "verificationMaterial": { "x509CertificateChain": { "certificates": raw }, "tlogEntries": [] },
        "dsseEnvelope": {
            "payload": STANDARD.encode(payload),
            "payloadType": PAYLOAD_TYPE,
            "signatures": [{ "sig": STANDARD.encode(signature), "keyid": null }],
        },
    })
}

/// What a verifier brings along.
pub(crate) struct Verifier<'a> {
    pub(crate) anchors: &'a [Certificate],
    pub(crate) identity: Option<IdentityRule>,
    pub(crate) lists: Vec<RevocationList>,
    pub(crate) now: UnixTime,
}

impl<'a> Verifier<'a> {
    pub(crate) fn new(anchors: &'a [Certificate]) -> Self {
        Self { anchors, identity: None, lists: Vec::new(), now: NOW }
    }

    fn trust(&self) -> CertificateTrust<'_> {
        CertificateTrust {
            anchors: Anchors::Given(self.anchors),
            identity: self.identity.as_ref(),
            revocation_lists: &self.lists,
            now: self.now,
        }
    }

    pub(crate) fn verify(&self, bundle: &Value) -> Result<Evidence, SignatureError> {
        verify_with(bundle, Trust::certificates(self.trust()))
    }
}

fn verify_with(bundle: &Value, trust: Trust<'_>) -> Result<Evidence, SignatureError> {
    let bundle = Bundle::parse(bundle.to_string().as_bytes()).expect("a bundle");
    let verified = check_signature(&bundle, trust)?;
    let evidence = verified.evidence().clone();
    verified.statement().expect("a sound statement");
    Ok(evidence)
}

#[test]
fn a_chain_leads_to_any_certificate_that_is_given() {
    let pki = chain(PLAIN, PLAIN, PLAIN);
    let other = Authority::root("Root", PLAIN);
    let [root, intermediate, leaf] =
        [&pki.root.certificate, &pki.intermediate.certificate, &pki.leaf.certificate].map(Clone::clone);
    let full = bundle(&pki.leaf.key, &[&leaf, &intermediate, &root]);
    for (anchor, issuers) in [(&root, 2), (&intermediate, 1), (&leaf, 0)] {
        let anchors = [other.certificate.clone(), anchor.clone()];
        let evidence = Verifier::new(&anchors).verify(&full).expect("trusted");
        let certificate = evidence.certificate.expect("of the certificate method");
        assert_eq!(certificate.path.anchor(), anchor);
        assert_eq!(certificate.path.certificates().len(), issuers);
        assert_eq!(certificate.path.leaf(), &leaf);
        assert_eq!((certificate.path.time(), certificate.anchor_is_public), (NOW, false));
        assert_eq!(evidence.key_hint, pki.leaf.key.public_key().hint());
    }
    // Whatever order they are in, and whatever stands between them; the leaf is first.
    let mixed = bundle(&pki.leaf.key, &[&leaf, &root, &other.certificate, &intermediate, &intermediate]);
    Verifier::new(std::slice::from_ref(&root)).verify(&mixed).expect("trusted");
    let swapped = bundle(&pki.leaf.key, &[&intermediate, &leaf]);
    assert!(Verifier::new(std::slice::from_ref(&root)).verify(&swapped).is_err(), "an issuer is not the signer");

    let error =
        Verifier::new(std::slice::from_ref(&other.certificate)).verify(&full).expect_err("another root of that name");
    assert!(matches!(error, SignatureError::Path(PathError::Signature { .. })), "{error}");
    let error = Verifier::new(&[root]).verify(&bundle(&pki.leaf.key, &[&leaf])).expect_err("a gap");
    let SignatureError::Path(PathError::NoPath { subject, issuer }) = error else { panic!("{error}") };
    assert_eq!((subject.as_str(), issuer.as_str()), ("CN=Leaf", "CN=Intermediate"));
    let error = Verifier::new(&[]).verify(&full).expect_err("nobody is trusted");
    assert!(matches!(error, SignatureError::Path(PathError::NotTrusted { .. })), "{error}");
}

#[test]
fn every_kind_of_key_signs_and_certifies() {
    let kinds = [
        KeyAlgorithm::EcdsaP256,
        KeyAlgorithm::EcdsaP384,
        KeyAlgorithm::EcdsaP521,
        KeyAlgorithm::Rsa { bits: 2048 },
        KeyAlgorithm::Ed25519,
    ];
    for kind in kinds {
        let root = Authority::root_of(kind, "Root", PLAIN);
        let leaf = root.leaf_of(kind, "Leaf", PLAIN);
        let sound = bundle(&leaf.key, &[&leaf.certificate]);
        let anchors = [root.certificate.clone()];
        let evidence = Verifier::new(&anchors).verify(&sound).unwrap_or_else(|error| panic!("{kind}: {error}"));
        assert_eq!(evidence.key_algorithm, kind);

        let mut changed = sound.clone();
        changed["dsseEnvelope"]["payload"] = STANDARD.encode(statement().to_string() + " ").into();
        let error = Verifier::new(&anchors).verify(&changed).expect_err("changed");
        assert!(matches!(error, SignatureError::DoesNotVerify { .. }), "{kind}: {error}");
        let error = Verifier::new(&anchors).verify(&bundle(&KEY, &[&leaf.certificate])).expect_err("another key");
        assert!(matches!(error, SignatureError::DoesNotVerify { .. }), "{kind}: {error}");
    }
}

#[test]
fn the_identity_is_a_whole_name_of_the_leaf() {
    let pki = chain(PLAIN, PLAIN, |params| {
        params.distinguished_name.push(DnType::OrganizationName, "Acme");
        params.subject_alt_names = vec![
            SanType::Rfc822Name("models@acme.example".try_into().expect("ASCII")),
            SanType::URI("https://acme.example/models".try_into().expect("ASCII")),
            SanType::DnsName("build.acme.example".try_into().expect("ASCII")),
            SanType::IpAddress([192, 0, 2, 7].into()),
        ];
    });
    let bundle = bundle(&pki.leaf.key, &[&pki.leaf.certificate, &pki.intermediate.certificate]);
    let anchors = [pki.root.certificate];
    let verify = |identity: IdentityRule| {
        let verifier = Verifier { identity: Some(identity), ..Verifier::new(&anchors) };
        verifier.verify(&bundle).map(|evidence| evidence.certificate.and_then(|certificate| certificate.identity))
    };
    for name in
        ["models@acme.example", "https://acme.example/models", "build.acme.example", "192.0.2.7", "O=Acme,CN=Leaf"]
    {
        assert_eq!(verify(IdentityRule::Exact(name.to_owned())), Ok(Some(name.to_owned())), "{name}");
    }
    for name in ["", "models", "models@acme.example ", "Models@acme.example", "acme.example", "CN=Leaf", "CN=Root"] {
        let error = verify(IdentityRule::Exact(name.to_owned())).expect_err(name);
        let SignatureError::Identity { found, .. } = error else { panic!("{name}: {error}") };
        assert_eq!(found.len(), 5);
    }
    for (pattern, matches) in [
        (r".*@acme\.example", true),
        (".*CN=Leaf", true),
        (".*Leaf", false),
        (r"https://acme\.example/.*", true),
        ("nobody|models@acme.example", true),
        ("models", false),
        (r"acme\.example", false),
        ("^models", false),
        ("", false),
    ] {
        let outcome = verify(IdentityRule::pattern(pattern).expect("a pattern"));
        assert_eq!(outcome.is_ok(), matches, "{pattern}: {outcome:?}");
    }
}

#[test]
fn what_stands_in_a_name_is_not_another_name() {
    let verify = |pki: &crate::pki::Chain, name: &str| {
        let bundle = bundle(&pki.leaf.key, &[&pki.leaf.certificate, &pki.intermediate.certificate]);
        let anchors = std::slice::from_ref(&pki.root.certificate);
        let verifier = Verifier { identity: Some(IdentityRule::Exact(name.to_owned())), ..Verifier::new(anchors) };
        verifier.verify(&bundle).map(drop)
    };
    let tricky = chain(PLAIN, PLAIN, |params| params.distinguished_name.push(DnType::CommonName, "Leaf,O=Acme"));
    verify(&tricky, r"CN=Leaf\,O=Acme").expect("as RFC 4514 writes it");
    let error = verify(&tricky, "CN=Leaf,O=Acme").expect_err("one name, not two");
    assert!(matches!(error, SignatureError::Identity { .. }), "{error}");
    let tricky = chain(PLAIN, PLAIN, |params| {
        params.distinguished_name.push(DnType::CommonName, "Leaf+O=Acme");
        params.distinguished_name.push(DnType::OrganizationName, "a\nb\0c");
    });
    for name in ["CN=Leaf+O=Acme", "CN=Leaf", "O=a"] {
        assert!(verify(&tricky, name).is_err(), "{name}");
    }
}

#[test]
fn a_name_of_one_kind_is_not_one_of_another() {
    let verify = |pki: &crate::pki::Chain, name: &str| {
        let bundle = bundle(&pki.leaf.key, &[&pki.leaf.certificate, &pki.intermediate.certificate]);
        let anchors = std::slice::from_ref(&pki.root.certificate);
        let verifier = Verifier { identity: Some(IdentityRule::Exact(name.to_owned())), ..Verifier::new(anchors) };
        verifier.verify(&bundle).map(drop)
    };
    // An issuer of hosts alone can't write the name of a person, of a page or of a subject where a host belongs.
    let hosts = chain(PLAIN, PLAIN, |params| {
        let names = ["alice@acme.example", "https://acme.example/", "O=Acme", "192.0.2.7", "a b", ""];
        params.subject_alt_names =
            names.map(|name| SanType::DnsName(name.try_into().expect("ASCII"))).into_iter().collect();
    });
    for name in ["alice@acme.example", "https://acme.example/", "O=Acme", "192.0.2.7", "a b", ""] {
        let error = verify(&hosts, name).expect_err(name);
        let SignatureError::Identity { found, .. } = error else { panic!("{name}: {error}") };
        assert_eq!(found, ["CN=Leaf"], "{name}");
    }
    let others = chain(PLAIN, PLAIN, |params| {
        let text = |name: &str| name.try_into().expect("ASCII");
        params.subject_alt_names = vec![
            SanType::URI(text("alice@acme.example")),
            SanType::URI(text("O=Acme")),
            SanType::Rfc822Name(text("build.acme.example")),
            SanType::Rfc822Name(text("https://acme.example/@acme.example")),
            SanType::Rfc822Name(text("O=Acme@acme.example")),
        ];
    });
    for name in ["alice@acme.example", "O=Acme", "build.acme.example", "https://acme.example/@acme.example"] {
        assert!(verify(&others, name).is_err(), "{name}");
    }
}

#[test]
fn the_public_authorities_are_trusted_for_a_name_alone() {
    let public = public_authorities();
    let pki = chain(PLAIN, PLAIN, PLAIN);
    let bundle = bundle(&pki.leaf.key, &[&pki.leaf.certificate, &pki.intermediate.certificate]);
    let rule = IdentityRule::Exact("CN=Leaf".to_owned());
    let trust = |anchors, identity| {
        Trust::certificates(CertificateTrust { anchors, identity, revocation_lists: &[], now: NOW })
    };
    let error = verify_with(&bundle, trust(Anchors::Public(&public), None)).expect_err("anybody");
    assert_eq!(error, SignatureError::IdentityNeeded);
    let error = verify_with(&bundle, trust(Anchors::Public(&public), Some(&rule))).expect_err("not theirs");
    assert!(matches!(error, SignatureError::Path(PathError::NoPath { .. })), "{error}");
    let own = [pki.root.certificate.clone()];
    let evidence = verify_with(&bundle, trust(Anchors::Public(&own), Some(&rule))).expect("certified");
    assert!(evidence.certificate.expect("of the certificate method").anchor_is_public);
}

#[test]
fn certificates_that_cannot_be_read_are_refused() {
    let leaf = self_signed("Leaf", PLAIN);
    let sound = leaf.certificate.der();
    let mut trailing = sound.to_vec();
    trailing.push(0);
    let cut = &sound[..sound.len() - 1];
    let anchors = [leaf.certificate.clone()];
    for (case, ders, at) in [
        ("noise", vec![&b"noise"[..]], 0),
        ("cut short", vec![cut], 0),
        ("something behind it", vec![&trailing], 0),
        ("a broken issuer", vec![sound, cut], 1),
        ("too large", vec![sound, &[0; (64 << 10) + 1]], 1),
    ] {
        let error = Verifier::new(&anchors).verify(&bundle_of(&leaf.key, &ders)).expect_err(case);
        assert!(matches!(error, SignatureError::Certificate { index, .. } if index == at), "{case}: {error}");
    }
    let many = bundle(&leaf.key, &vec![&leaf.certificate; 33]);
    let error = Bundle::parse(many.to_string().as_bytes()).expect_err("too many");
    assert!(matches!(error, InvalidBundle::TooManyCertificates { found: 33 }), "{error}");
    let none = bundle(&leaf.key, &[]);
    let error = Bundle::parse(none.to_string().as_bytes()).expect_err("none");
    assert!(matches!(error, InvalidBundle::EmptyMember { .. }), "{error}");
}

#[test]
fn timestamps_are_held_to_what_they_say_once_somebody_is_trusted_for_them() {
    let pki = chain(PLAIN, PLAIN, PLAIN);
    let anchors = [pki.root.certificate.clone()];
    let verifier = Verifier::new(&anchors);
    let authorities = [TimestampAuthority::new(vec![pki.root.certificate.clone()])];
    let sound = bundle(&pki.leaf.key, &[&pki.leaf.certificate, &pki.intermediate.certificate]);
    let mut stamped = sound.clone();
    stamped["verificationMaterial"]["timestampVerificationData"] =
        json!({ "rfc3161Timestamps": [{ "signedTimestamp": "bm9pc2U=" }] });
    let signer = SignerTrust::Certificates(verifier.trust());
    let trust =
        |authorities, required| Trust { signer, timestamps: TimestampTrust { authorities, required }, logs: None };

    let evidence = verify_with(&stamped, trust(&[], false)).expect("timestamps are not looked at");
    assert_eq!((evidence.unchecked_timestamps, evidence.timestamps.len()), (1, 0));
    let error = verify_with(&stamped, trust(&authorities, false)).expect_err("noise");
    assert!(matches!(error, SignatureError::Timestamp { index: 0, error: TimestampError::Malformed(_) }), "{error}");
    assert!(verify_with(&stamped, trust(&[], true)).is_err(), "required, and nobody is trusted");
    verify_with(&sound, trust(&authorities, false)).expect("without a timestamp");
    for authorities in [&authorities[..], &[]] {
        let error = verify_with(&sound, trust(authorities, true)).expect_err("required");
        assert_eq!(error, SignatureError::NoTimestamp);
    }
    // The same for keys.
    let key = pki.leaf.key.public_key();
    let timestamps = TimestampTrust { authorities: &authorities, required: true };
    let error =
        verify_with(&crate::forge::bundle_by(&pki.leaf.key, b"{}"), Trust::key(key).with_timestamps(timestamps))
            .expect_err("required");
    assert_eq!(error, SignatureError::NoTimestamp);

    let mut many = sound;
    many["verificationMaterial"]["timestampVerificationData"] =
        json!({ "rfc3161Timestamps": vec![json!({ "signedTimestamp": "bm9pc2U=" }); 17] });
    let error = Bundle::parse(many.to_string().as_bytes()).expect_err("too many");
    assert!(matches!(error, InvalidBundle::TooManyTimestamps { found: 17 }), "{error}");
}

#[test]
fn time_is_an_argument() {
    let pki = chain(PLAIN, PLAIN, PLAIN);
    let anchors = [pki.root.certificate];
    let bundle = bundle(&pki.leaf.key, &[&pki.leaf.certificate, &pki.intermediate.certificate]);
    let error = Verifier { now: NEXT_YEAR, ..Verifier::new(&anchors) }.verify(&bundle).expect_err("expired");
    let SignatureError::Path(PathError::OutOfValidity { not_before, not_after, time, .. }) = error else {
        panic!("{error}")
    };
    assert_eq!((not_before.to_string().as_str(), time), ("2026-01-01T00:00:00Z", NEXT_YEAR));
    for (now, valid) in [(not_before, true), (not_after, true)] {
        assert_eq!(Verifier { now, ..Verifier::new(&anchors) }.verify(&bundle).is_ok(), valid, "{now}");
    }
    for now in [UnixTime(not_before.0 - 1), UnixTime(not_after.0 + 1), UnixTime(0), UnixTime(u64::MAX)] {
        assert!(Verifier { now, ..Verifier::new(&anchors) }.verify(&bundle).is_err(), "{now}");
    }
}
