//! Envelopes without a proof, and a log in this process that has their entries, or says so.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use fake_sigstore::{Claims, Fault, Instance, Lie, Service};
use model_transparency::certificate::UnixTime;
use model_transparency::envelope::LogEntryRecord;
use model_transparency::provenance::{
    Named, ProvenanceError, ProvenanceTrust, SignedStatement, UnloggedEnvelope, check_document,
};
use model_transparency::sign::{ServiceError, Timestamper, Witnesses, sign_statement};
use model_transparency::sigstore::{SignerRule, SigstoreError, SigstoreTrust, TrustedRoot};
use model_transparency::trust::Trust;
use model_transparency_remote::oidc::{AUDIENCE, IdentityToken};
use model_transparency_remote::sigstore::{
    Fulcio, NoToken, Rekor, RekorSearch, RekorVersion, SigstoreSigner, TokenSource,
};
use model_transparency_remote::timestamp::HttpTimestamper;
use serde_json::Value;

const STATEMENT: &str = r#"{"_type":"https://in-toto.io/Statement/v1","subject":[{"name":"a","digest":{"sha256":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}}],"predicateType":"https://example.com/p","predicate":{}}"#;

struct Tokens(Arc<Instance>);

impl TokenSource for Tokens {
    fn token(&self) -> Result<IdentityToken, NoToken> {
        let token = self.0.token(&Claims::email("signer@example.com"));
        IdentityToken::parse(&token, AUDIENCE, now()).map_err(|error| NoToken(error.to_string()))
    }
}

fn now() -> UnixTime {
    UnixTime(SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs())
}

fn root(sigstore: &Instance) -> TrustedRoot {
    TrustedRoot::from_json(sigstore.trusted_root_json().as_bytes()).expect("a trusted root")
}

/// An envelope with its certificate and nothing else, as it was once published. The log with `version` has an entry.
fn published(sigstore: &Arc<Instance>, version: RekorVersion) -> Value {
    let root = root(sigstore);
    let fulcio = Fulcio::new(sigstore.url(Service::Fulcio)).expect("a URL");
    let signer = SigstoreSigner::new(fulcio, Tokens(Arc::clone(sigstore)), root.clone(), now);
    let tsa = HttpTimestamper::new(sigstore.url(Service::Timestamps), root.timestamp_authorities().to_vec());
    let timestampers: [&dyn Timestamper; 1] = [&tsa.expect("a URL")];
    let service = if version == RekorVersion::V1 { Service::RekorV1 } else { Service::RekorV2 };
    let log = Rekor::new(sigstore.url(service), version).expect("a URL");
    let witnesses = Witnesses { timestampers: &timestampers, logs: &[&log], ..Witnesses::default() };
    let signed = sign_statement(STATEMENT.as_bytes().to_vec(), &signer, witnesses).expect("signed");
    let bundle: Value = serde_json::from_slice(&signed.bundle.to_json()).expect("JSON");
    let certificate = bundle["verificationMaterial"]["certificate"]["rawBytes"].as_str().expect("a certificate");
    let mut envelope = bundle["dsseEnvelope"].clone();
    envelope["signatures"][0]["cert"] =
        format!("-----BEGIN CERTIFICATE-----\n{certificate}\n-----END CERTIFICATE-----\n").into();
    envelope
}

/// What became of an envelope that was looked up.
#[derive(Debug)]
enum Outcome {
    Holds,
    NotFound,
    Refused(ProvenanceError),
    Unanswered(ServiceError),
}

fn look_up(sigstore: &Instance, envelope: &str) -> Outcome {
    let log = RekorSearch::new(sigstore.url(Service::RekorV1)).expect("a URL");
    let unlogged = UnloggedEnvelope::read(envelope.as_bytes(), None).expect("an envelope");
    let entries = match log.entries(&unlogged.search_hashes()) {
        Ok(entries) => entries,
        Err(error) => return Outcome::Unanswered(error),
    };
    let root = root(sigstore);
    let trust = Trust::sigstore(SigstoreTrust { root: &root, signer: SignerRule::Anybody, now: now() });
    let trust = ProvenanceTrust::Named(Named { trust, certificates: &[] });
    let check =
        |entry| -> Result<SignedStatement, ProvenanceError> { check_document(&unlogged.with_entry(entry)?, trust) };
    // Anybody may have an entry of the same payload made.
    let mut outcome = Outcome::NotFound;
    for entry in &entries {
        match check(entry) {
            Ok(_) => return Outcome::Holds,
            Err(error) => outcome = Outcome::Refused(error),
        }
    }
    outcome
}

#[test]
fn entries_of_both_kinds_are_found_and_hold() {
    let sigstore = Arc::new(Instance::start());
    // The log got the envelope without its certificate: the payload finds it.
    let dsse = published(&sigstore, RekorVersion::V1).to_string();
    let requests = sigstore.requests(Service::RekorV1);
    assert!(matches!(look_up(&sigstore, &dsse), Outcome::Holds));
    assert_eq!(sigstore.requests(Service::RekorV1) - requests, 3);

    let sigstore = Arc::new(Instance::start());
    let intoto = published(&sigstore, RekorVersion::V2).to_string();
    assert!(matches!(look_up(&sigstore, &intoto), Outcome::NotFound));
    sigstore.add_envelope(&intoto);
    let requests = sigstore.requests(Service::RekorV1);
    assert!(matches!(look_up(&sigstore, &intoto), Outcome::Holds));
    assert_eq!(sigstore.requests(Service::RekorV1) - requests, 2);
    assert!(matches!(look_up(&sigstore, &format!("{intoto}\n")), Outcome::Holds));
    // Of the same payload, and not what the log got.
    let other = look_up(&sigstore, &intoto.replacen('{', "{ ", 1));
    assert!(
        matches!(&other, Outcome::Refused(ProvenanceError::Signature(SigstoreError::OtherEntry { .. }))),
        "{other:?}"
    );
}

/// Every way in which a log can lie, about an entry of each kind; each is found out.
#[test]
fn a_log_that_lies_is_not_believed() {
    for version in [RekorVersion::V1, RekorVersion::V2] {
        let sigstore = Arc::new(Instance::start());
        let envelopes = [published(&sigstore, version).to_string(), published(&sigstore, version).to_string()];
        if version == RekorVersion::V2 {
            for envelope in &envelopes {
                sigstore.add_envelope(envelope);
            }
        }
        let envelope = &envelopes[1];
        assert!(matches!(look_up(&sigstore, envelope), Outcome::Holds));
        for lie in Lie::ALL.into_iter().filter(|lie| lie.is_of(Service::RekorV1) && *lie != Lie::Forked) {
            sigstore.lie(Service::RekorV1, lie);
            let outcome = look_up(&sigstore, envelope);
            assert!(matches!(outcome, Outcome::Refused(ProvenanceError::Signature(_))), "{lie:?}: {outcome:?}");
            sigstore.heal(Service::RekorV1);
        }
        assert!(matches!(look_up(&sigstore, envelope), Outcome::Holds));
    }
}

#[test]
fn an_entry_needs_both_a_proof_and_a_promise() {
    let sigstore = Arc::new(Instance::start());
    let envelope = published(&sigstore, RekorVersion::V2).to_string();
    sigstore.add_envelope(&envelope);
    let log = RekorSearch::new(sigstore.url(Service::RekorV1)).expect("a URL");
    let unlogged = UnloggedEnvelope::read(envelope.as_bytes(), None).expect("an envelope");
    let entry = log.entries(&unlogged.search_hashes()).expect("it answers")[0].to_json();
    let root = root(&sigstore);
    let trust = Trust::sigstore(SigstoreTrust { root: &root, signer: SignerRule::Anybody, now: now() });
    let trust = ProvenanceTrust::Named(Named { trust, certificates: &[] });
    let without = |member: &str| {
        let mut entry = entry.clone();
        entry.as_object_mut().expect("an object").remove(member);
        let entry = LogEntryRecord::from_json(entry.to_string().as_bytes()).expect("an entry");
        match check_document(&unlogged.with_entry(&entry).expect("of the envelope"), trust) {
            Err(ProvenanceError::Signature(error)) => error,
            other => panic!("without {member}: {other:?}"),
        }
    };
    assert_eq!(without("inclusionPromise"), SigstoreError::NoTime);
    assert!(matches!(without("inclusionProof"), SigstoreError::InclusionProof { .. }));
}

#[test]
fn an_entry_dates_a_certificate_only_while_it_was_valid() {
    let sigstore = Arc::new(Instance::start());
    let envelope = published(&sigstore, RekorVersion::V2).to_string();
    // Certificates are good for ten minutes. The log's clock is behind, so that nothing is in the future.
    sigstore.set_clock(Service::RekorV1, -3600);
    sigstore.add_envelope(&envelope);
    let outcome = look_up(&sigstore, &envelope);
    assert!(
        matches!(outcome, Outcome::Refused(ProvenanceError::Signature(SigstoreError::OutOfValidity { .. }))),
        "{outcome:?}"
    );
}

#[test]
fn a_signature_that_the_certificate_did_not_make_is_refused() {
    let sigstore = Arc::new(Instance::start());
    let envelope = published(&sigstore, RekorVersion::V2);
    sigstore.add_envelope(&envelope.to_string());
    let mut changed = envelope.clone();
    changed["payload"] = STANDARD.encode(STATEMENT.replace("example.com", "example.org")).into();
    assert!(matches!(look_up(&sigstore, &changed.to_string()), Outcome::NotFound));
    let mut changed = envelope;
    changed["signatures"][0]["sig"] = published(&sigstore, RekorVersion::V2)["signatures"][0]["sig"].clone();
    let outcome = look_up(&sigstore, &changed.to_string());
    assert!(
        matches!(outcome, Outcome::Refused(ProvenanceError::Signature(SigstoreError::Signature { .. }))),
        "{outcome:?}"
    );
}

#[test]
fn a_log_that_gives_no_answer_is_named() {
    let sigstore = Arc::new(Instance::start());
    let envelope = published(&sigstore, RekorVersion::V1).to_string();
    for fault in [
        Fault::Status(404, "no such page".to_owned()),
        Fault::Garbage,
        Fault::Oversize(64 << 20),
        Fault::Replies(200, "application/json".to_owned(), b"[\"a\"]".to_vec()),
    ] {
        sigstore.fail(Service::RekorV1, fault.clone());
        let outcome = look_up(&sigstore, &envelope);
        let Outcome::Unanswered(error) = outcome else { panic!("{fault:?}: {outcome:?}") };
        assert!(error.to_string().contains(sigstore.url(Service::RekorV1)), "{error}");
    }
    sigstore.heal(Service::RekorV1);
    sigstore.stop(Service::RekorV1);
    assert!(matches!(look_up(&sigstore, &envelope), Outcome::Unanswered(_)));
}
