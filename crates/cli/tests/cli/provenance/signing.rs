//! Statements that a test makes, and whoever signs them.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use fake_sigstore::{Claims, Instance, Service};
use model_transparency::certificate::UnixTime;
use model_transparency::hash::HashAlgorithm;
use model_transparency::key::{PrivateKey, PrivateKeyPem, SigningKey as _};
use model_transparency::sign::{KeySigner, Witnesses, sign_statement};
use model_transparency::sigstore::TrustedRoot;
use model_transparency_remote::oidc::{AUDIENCE, IdentityToken};
use model_transparency_remote::sigstore::{Fulcio, NoToken, Rekor, RekorVersion, SigstoreSigner, TokenSource};
use serde_json::{Value, json};

use super::super::support::Sandbox;

pub(super) const V02: &str = "https://slsa.dev/provenance/v0.2";
pub(super) const V1: &str = "https://slsa.dev/provenance/v1";

pub(super) fn sha256(content: impl AsRef<[u8]>) -> String {
    HashAlgorithm::Sha256.digest(content.as_ref()).to_hex()
}

pub(super) fn base64(bytes: impl AsRef<[u8]>) -> String {
    STANDARD.encode(bytes)
}

/// A subject with its SHA-256.
pub(super) fn subject(name: &str, content: impl AsRef<[u8]>) -> Value {
    json!({ "name": name, "digest": { "sha256": sha256(content) } })
}

pub(super) fn statement(subjects: &Value, predicate_type: &str, predicate: &Value) -> Value {
    json!({
        "_type": "https://in-toto.io/Statement/v1",
        "subject": subjects,
        "predicateType": predicate_type,
        "predicate": predicate,
    })
}

pub(super) fn private_key(sandbox: &Sandbox, path: &str) -> PrivateKey {
    PrivateKeyPem::parse(&sandbox.read(path)).and_then(|key| key.into_key(None)).expect("a key")
}

/// What a signature of this statement covers (DSSE).
pub(super) fn signed_bytes(statement: &Value) -> Vec<u8> {
    let payload = statement.to_string();
    format!("DSSEv1 28 application/vnd.in-toto+json {} {payload}", payload.len()).into_bytes()
}

/// An envelope around a signature that is there already.
pub(super) fn envelope_of(statement: &Value, signature: impl AsRef<[u8]>) -> Value {
    json!({
        "payloadType": "application/vnd.in-toto+json",
        "payload": base64(statement.to_string()),
        "signatures": [{ "keyid": "", "sig": base64(signature) }],
    })
}

/// An envelope that the key in a file signed.
pub(super) fn envelope(sandbox: &Sandbox, key: &str, statement: &Value) -> Value {
    let signature = private_key(sandbox, key).sign(&signed_bytes(statement)).expect("signed");
    envelope_of(statement, signature)
}

/// Writes an envelope that `key.pem` signed.
pub(super) fn write(sandbox: &Sandbox, name: &str, statement: &Value) {
    sandbox.write(name, envelope(sandbox, "key.pem", statement).to_string());
}

/// A bundle that the key in a file signed.
pub(super) fn bundle(sandbox: &Sandbox, key: &str, statement: &Value) -> Vec<u8> {
    let key = private_key(sandbox, key);
    let signed = sign_statement(statement.to_string().into_bytes(), &KeySigner::new(&key), Witnesses::default());
    signed.expect("signed").bundle.to_json()
}

/// A bundle that somebody of these claims signed, with an entry in the log of an instance.
pub(super) fn bundle_of(sigstore: &Arc<Instance>, claims: Claims, statement: &Value) -> Vec<u8> {
    let root = TrustedRoot::from_json(sigstore.trusted_root_json().as_bytes()).expect("a trusted root");
    let fulcio = Fulcio::new(sigstore.url(Service::Fulcio)).expect("a URL");
    let log = Rekor::new(sigstore.url(Service::RekorV1), RekorVersion::V1).expect("a URL");
    let signer = SigstoreSigner::new(fulcio, Tokens { sigstore: Arc::clone(sigstore), claims }, root, now);
    let witnesses = Witnesses { logs: &[&log], ..Witnesses::default() };
    let signed = sign_statement(statement.to_string().into_bytes(), &signer, witnesses);
    signed.expect("signed").bundle.to_json()
}

fn now() -> UnixTime {
    UnixTime(SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs())
}

struct Tokens {
    sigstore: Arc<Instance>,
    claims: Claims,
}

impl TokenSource for Tokens {
    fn token(&self) -> Result<IdentityToken, NoToken> {
        let token = self.sigstore.token(&self.claims);
        IdentityToken::parse(&token, AUDIENCE, now()).map_err(|error| NoToken(error.to_string()))
    }
}
