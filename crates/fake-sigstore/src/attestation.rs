//! Attestations made without a request to anybody, and certificates that say whatever a test wants.

use der::Decode;
use serde_json::{Value, json};
use x509_cert::Certificate;
use x509_cert::ext::Extension;

use crate::certificate::{extension, raw_extension};
use crate::claims::Claims;
use crate::encoding::{base64, certificate_pem, from_base64, from_hex};
use crate::key::{Key, KeyKind};
use crate::log_entry::pae;
use crate::services::principal::{Principal, SUBJECT_ALTERNATIVE_NAME, alternative_names};

const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";
/// Below it are Fulcio's extensions.
const FULCIO: &str = "1.3.6.1.4.1.57264.1";
/// The first extension whose text is DER.
const FIRST_UTF8: u8 = 8;

/// What a certificate says of its holder: names, and Fulcio's extensions.
#[derive(Clone, Debug)]
pub struct Identity {
    extensions: Vec<Extension>,
}

impl Identity {
    /// What Fulcio certifies of somebody of these claims.
    ///
    /// # Panics
    /// If it would refuse them.
    pub fn of(claims: &Claims) -> Self {
        let claims = claims.at(0, "https://issuer.example.com");
        Self { extensions: Principal::of(&claims).expect("a principal").extensions() }
    }

    /// What a certificate of any instance says, DER.
    ///
    /// # Panics
    /// If it is none.
    pub fn in_certificate(der: &[u8]) -> Self {
        let certificate = Certificate::from_der(der).expect("a certificate");
        let mut extensions = certificate.tbs_certificate.extensions.expect("extensions");
        extensions.retain(|extension| is_name(extension) || number(extension).is_some());
        Self { extensions }
    }

    /// Only these names, each a URI.
    #[must_use]
    pub fn named(mut self, uris: &[&str]) -> Self {
        self.extensions.retain(|extension| !is_name(extension));
        if !uris.is_empty() {
            self.extensions.push(alternative_names(uris));
        }
        self
    }

    /// Sets the extension with this number, whichever it is.
    #[must_use]
    pub fn with(mut self, number: u8, text: &str) -> Self {
        let oid = format!("{FULCIO}.{number}");
        let new = match number {
            FIRST_UTF8.. => extension(&oid, false, &text.to_owned()),
            _ => raw_extension(&oid, false, text.as_bytes().to_vec()),
        };
        match self.extensions.iter_mut().find(|extension| self::number(extension) == Some(number)) {
            Some(old) => *old = new,
            None => self.extensions.push(new),
        }
        self
    }

    /// Removes the extension with this number.
    #[must_use]
    pub fn without(mut self, number: u8) -> Self {
        self.extensions.retain(|extension| self::number(extension) != Some(number));
        self
    }

    /// The text of the extension with this number.
    pub fn text(&self, number: u8) -> Option<String> {
        let value =
            self.extensions.iter().find(|extension| self::number(extension) == Some(number))?.extn_value.as_bytes();
        match number {
            FIRST_UTF8.. => String::from_der(value).ok(),
            _ => String::from_utf8(value.to_vec()).ok(),
        }
    }

    /// The numbers of the extensions that there are, in their order.
    pub fn numbers(&self) -> Vec<u8> {
        self.extensions.iter().filter_map(number).collect()
    }

    pub(crate) fn extensions(&self) -> &[Extension] {
        &self.extensions
    }
}

fn is_name(extension: &Extension) -> bool {
    extension.extn_id.to_string() == SUBJECT_ALTERNATIVE_NAME
}

fn number(extension: &Extension) -> Option<u8> {
    extension.extn_id.to_string().strip_prefix(FULCIO)?.strip_prefix('.')?.parse().ok()
}

/// Somebody with a key, and a certificate of the instance.
pub struct Attester {
    key: Key,
    certificate: Vec<u8>,
}

impl Attester {
    pub(crate) fn new(certify: impl FnOnce(&[u8]) -> Vec<u8>) -> Self {
        let key = Key::generate(KeyKind::EcdsaP256);
        let certificate = certify(key.spki());
        Self { key, certificate }
    }

    /// The bundle of a statement, v0.3. `log` gives the answer of a log with version 1 to an entry.
    pub(crate) fn bundle(&self, statement: &[u8], log: impl FnOnce(&Value) -> Value) -> Value {
        let envelope = json!({
            "payload": base64(statement),
            "payloadType": PAYLOAD_TYPE,
            "signatures": [{ "sig": base64(&self.key.sign(&pae(PAYLOAD_TYPE, statement))) }],
        });
        let entry = log(&json!({ "apiVersion": "0.0.1", "kind": "dsse", "spec": { "proposedContent": {
            "envelope": envelope.to_string(),
            "verifiers": [base64(certificate_pem(&self.certificate).as_bytes())],
        } } }));
        json!({
            "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
            "verificationMaterial": {
                "certificate": { "rawBytes": base64(&self.certificate) },
                "tlogEntries": [bundled(&entry)],
            },
            "dsseEnvelope": envelope,
        })
    }
}

/// The entry in an answer of a log with version 1, as a bundle has it.
///
/// # Panics
/// If there is none.
#[must_use]
pub fn bundled(answer: &Value) -> Value {
    let entry = answer.as_object().and_then(|entries| entries.values().next()).expect("an entry");
    let recoded = |hex: &Value| base64(&hex.as_str().and_then(from_hex).expect("hex"));
    let number = |value: &Value| value.as_u64().expect("a number").to_string();
    let proof = &entry["verification"]["inclusionProof"];
    let body = entry["body"].as_str().and_then(from_base64).expect("base64");
    let body: Value = serde_json::from_slice(&body).expect("JSON");
    json!({
        "logIndex": number(&entry["logIndex"]),
        "logId": { "keyId": recoded(&entry["logID"]) },
        "kindVersion": { "kind": body["kind"], "version": body["apiVersion"] },
        "integratedTime": number(&entry["integratedTime"]),
        "inclusionPromise": { "signedEntryTimestamp": entry["verification"]["signedEntryTimestamp"] },
        "inclusionProof": {
            "logIndex": number(&proof["logIndex"]),
            "rootHash": recoded(&proof["rootHash"]),
            "treeSize": number(&proof["treeSize"]),
            "hashes": proof["hashes"].as_array().expect("hashes").iter().map(recoded).collect::<Vec<_>>(),
            "checkpoint": { "envelope": proof["checkpoint"] },
        },
        "canonicalizedBody": entry["body"],
    })
}
