//! Fulcio issues what it should and to whom it should.

use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};
use der::asn1::{BitString, ObjectIdentifier, SetOfVec};
use der::{Decode, Encode, EncodePem};
use fake_sigstore::{Claims, Instance, Service};
use serde_json::{Value, json};
use sigstore_verify::VerificationPolicy;
use x509_cert::Certificate;
use x509_cert::request::{CertReq, CertReqInfo, Version};
use x509_cert::spki::{AlgorithmIdentifierOwned, SubjectPublicKeyInfoOwned};

use super::client::{SIGNER, Signer, base64, get, request, timestamp, verify_as};

const WORKFLOW_SUBJECT: &str = "repo:owner/name:ref:refs/heads/main";

fn workflow() -> Claims {
    Claims::github_workflow("owner/name", "release.yml", "refs/heads/main")
}

/// Signs with what Fulcio issues for these claims, and verifies it.
fn verify_signature_of(claims: &Claims, proves: &str, identity: &str, issuer: Option<&str>) {
    let sigstore = Instance::start();
    let signer = Signer::with(&sigstore, &sigstore.token(claims), proves).expect("a certificate");
    let signed = signer.sign();
    let entries = vec![signer.log_v1(&sigstore, &signed), signer.log_v2(&sigstore, &signed)];
    let bundle = signer.bundle(&signed, entries, vec![timestamp(&sigstore, &signed.signature)]);
    let issuer = issuer.unwrap_or(sigstore.url(Service::Oidc));
    verify_as(&sigstore, &bundle, VerificationPolicy::new(identity, issuer)).expect("verified");
}

#[test]
fn mailboxes_names_and_workflows_are_certified() {
    verify_signature_of(&Claims::email(SIGNER), SIGNER, SIGNER, None);
    let name = "https://example.com/robot";
    verify_signature_of(&Claims::subject(name), name, name, None);
    let job = "https://github.com/owner/name/.github/workflows/release.yml@refs/heads/main";
    let github = "https://token.actions.githubusercontent.com";
    verify_signature_of(&workflow(), WORKFLOW_SUBJECT, job, Some(github));
    // Like a token of Sigstore's own issuer, which says where the user signed in.
    let federated =
        Claims::email(SIGNER).with("federated_claims", json!({ "connector_id": "https://accounts.example.com" }));
    verify_signature_of(&federated, SIGNER, SIGNER, Some("https://accounts.example.com"));
}

#[test]
fn extensions_are_those_of_fulcio() {
    let sigstore = Instance::start();
    let signer = Signer::with(&sigstore, &sigstore.token(&workflow()), WORKFLOW_SUBJECT).expect("a certificate");
    let certificate = Certificate::from_der(&signer.certificate).expect("a certificate").tbs_certificate;
    let extensions = certificate.extensions.expect("extensions");
    let value = |oid: &str| {
        let oid = ObjectIdentifier::new_unwrap(oid);
        let extension = extensions.iter().find(|extension| extension.extn_id == oid).expect("an extension");
        (extension.critical, extension.extn_value.as_bytes())
    };
    let raw = |number: u8| String::from_utf8(value(&format!("1.3.6.1.4.1.57264.1.{number}")).1.to_vec()).expect("text");
    let utf8 = |number: u8| String::from_der(value(&format!("1.3.6.1.4.1.57264.1.{number}")).1).expect("UTF8String");
    let issuer = "https://token.actions.githubusercontent.com";
    assert_eq!((raw(1).as_str(), utf8(8).as_str()), (issuer, issuer));
    assert_eq!([2, 4, 5, 6].map(raw), ["push", "release.yml", "owner/name", "refs/heads/main"]);
    assert_eq!(utf8(12), "https://github.com/owner/name");
    assert_eq!(utf8(16), "https://github.com/owner");
    assert_eq!(utf8(21), "https://github.com/owner/name/actions/runs/30433642/attempts/1");
    assert_eq!([20, 22, 24].map(utf8), ["push", "public", WORKFLOW_SUBJECT]);
    assert!(certificate.subject.is_empty());
    // The alternative name; the purpose is not critical.
    assert_eq!([value("2.5.29.17").0, value("2.5.29.37").0], [true, false]);
    let lifetime =
        certificate.validity.not_after.to_unix_duration() - certificate.validity.not_before.to_unix_duration();
    assert_eq!(lifetime.as_secs(), 600);
}

#[test]
fn tokens_that_do_not_count_are_refused() {
    let (sigstore, other) = (Instance::start(), Instance::start());
    let email = || Claims::email(SIGNER);
    let rows = [
        ("expired", sigstore.token(&email().expires_in(-1))),
        ("not valid yet", sigstore.token(&email().not_before_in(60))),
        ("for somebody else", sigstore.token(&email().audience("another"))),
        ("for nobody", sigstore.token(&email().with("aud", Value::Null))),
        ("of another issuer", other.token(&email())),
        ("of a mailbox that is not verified", sigstore.token(&email().with("email_verified", false))),
        ("of a name that is no URI", sigstore.token(&Claims::subject("robot"))),
        ("of a workflow without a claim", sigstore.token(&workflow().with("sha", Value::Null))),
        ("no token", "token".to_owned()),
    ];
    for (what, token) in rows {
        let refusal = Signer::with(&sigstore, &token, SIGNER).err().unwrap_or_else(|| panic!("{what}"));
        let message = "There was an error processing the identity token";
        assert_eq!(refusal.json(), json!({ "code": 3, "message": message, "details": [] }), "{what}");
        assert_eq!(refusal.status, 400);
    }
    let list = sigstore.token(&email().with("aud", json!(["another", "sigstore"])));
    Signer::with(&sigstore, &list, SIGNER).expect("one audience of two");
}

#[test]
fn who_does_not_prove_to_have_the_key_is_refused() {
    let sigstore = Instance::start();
    let refusal =
        Signer::with(&sigstore, &sigstore.token(&Claims::email(SIGNER)), "somebody else").err().expect("refused");
    let message = "The signature supplied in the request could not be verified";
    assert_eq!((refusal.status, refusal.json()["message"].as_str()), (400, Some(message)));
}

#[test]
fn certificates_can_be_requested_as_in_pkcs_10() {
    let sigstore = Instance::start();
    let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).expect("a key");
    let spki = AsDer::<PublicKeyX509Der>::as_der(key.public_key()).expect("DER");
    let ask = |signed: &[u8], info: CertReqInfo| {
        let oid = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.2");
        let signature = key.sign(&SystemRandom::new(), signed).expect("a signature");
        let pem = CertReq {
            info,
            algorithm: AlgorithmIdentifierOwned { oid, parameters: None },
            signature: BitString::from_bytes(signature.as_ref()).expect("short"),
        }
        .to_pem(der::pem::LineEnding::LF)
        .expect("PEM");
        let body = json!({ "certificateSigningRequest": base64(pem.as_bytes()) }).to_string();
        let url = format!("{}/api/v2/signingCert", sigstore.url(Service::Fulcio));
        let token = format!("Authorization: Bearer {}\r\n", sigstore.token(&Claims::email(SIGNER)));
        request("POST", &url, &token, body.as_bytes()).expect("an answer")
    };
    let info = || CertReqInfo {
        version: Version::V1,
        subject: Default::default(),
        public_key: SubjectPublicKeyInfoOwned::from_der(spki.as_ref()).expect("a key"),
        attributes: SetOfVec::default(),
    };
    let answer = ask(&info().to_der().expect("DER"), info());
    assert_eq!(answer.status, 200, "{}", answer.text());
    let chain = &answer.json()["signedCertificateEmbeddedSct"]["chain"]["certificates"];
    let leaf = pem::parse(chain[0].as_str().expect("a certificate")).expect("PEM");
    let leaf = Certificate::from_der(leaf.contents()).expect("a certificate");
    assert_eq!(leaf.tbs_certificate.subject_public_key_info, info().public_key);
    assert_eq!(ask(b"something else", info()).status, 400);
}

#[test]
fn authorities_and_issuers_are_told() {
    let sigstore = Instance::start();
    let at = |path: &str| get(&format!("{}/api/v2/{path}", sigstore.url(Service::Fulcio))).json();
    assert_eq!(at("trustBundle")["chains"][0]["certificates"].as_array().map(Vec::len), Some(2));
    assert_eq!(at("configuration")["issuers"][0]["issuerUrl"], sigstore.url(Service::Oidc));
}
