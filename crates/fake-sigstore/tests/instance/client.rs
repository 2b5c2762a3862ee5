//! A client that signs, as simple as can be.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use fake_sigstore::{Claims, Instance, Service, bundled};
use serde_json::{Value, json};
use sigstore_verify::trust_root::TrustedRoot;
use sigstore_verify::types::{Bundle, Sha256Hash};
use sigstore_verify::{VerificationPolicy, Verifier};

/// Who signs, unless a test says otherwise.
pub(crate) const SIGNER: &str = "signer@example.com";
/// What is signed.
pub(crate) const ARTIFACT: &[u8] = b"an artifact";

/// What a service answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The header of this name, which is spelt as the service spells it.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }
}

pub(crate) fn get(url: &str) -> Answer {
    request("GET", url, "", b"").expect("an answer")
}

pub(crate) fn post(url: &str, body: &Value) -> Answer {
    request("POST", url, "Content-Type: application/json\r\n", body.to_string().as_bytes()).expect("an answer")
}

/// One request on a connection of its own. Each header ends with a line break.
pub(crate) fn request(method: &str, url: &str, headers: &str, body: &[u8]) -> io::Result<Answer> {
    let (host, path) = url.strip_prefix("http://").and_then(|url| url.split_once('/')).expect("a URL with a path");
    let mut stream = TcpStream::connect(host)?;
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    let length = body.len();
    let head = format!(
        "{method} /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n"
    );
    stream.write_all(head.as_bytes())?;
    stream.write_all(body)?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let end = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n").ok_or(io::ErrorKind::UnexpectedEof)?;
    let head = String::from_utf8_lossy(&answer[..end]).into_owned();
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    Ok(Answer { status, head, body: answer.split_off(end + 4) })
}

/// A key and a certificate for it.
pub(crate) struct Signer {
    key: EcdsaKeyPair,
    pub(crate) certificate: Vec<u8>,
}

/// A signed statement in a DSSE envelope.
pub(crate) struct Signed {
    envelope: Value,
    pub(crate) signature: Vec<u8>,
    pub(crate) pae: Vec<u8>,
}

impl Signer {
    pub(crate) fn new(sigstore: &Instance) -> Self {
        Self::with(sigstore, &sigstore.token(&Claims::email(SIGNER)), SIGNER).expect("a certificate")
    }

    /// Asks for a certificate; `proves` is what the key signs.
    pub(crate) fn with(sigstore: &Instance, token: &str, proves: &str) -> Result<Self, Answer> {
        let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).expect("a key");
        let url = format!("{}/api/v2/signingCert", sigstore.url(Service::Fulcio));
        let answer = post(&url, &certificate_request(&key, token, proves));
        if answer.status != 200 {
            return Err(answer);
        }
        let chain = answer.json()["signedCertificateEmbeddedSct"]["chain"]["certificates"].clone();
        let leaf = pem::parse(chain[0].as_str().expect("a certificate")).expect("PEM");
        assert_eq!(chain.as_array().map(Vec::len), Some(3));
        Ok(Self { key, certificate: leaf.into_contents() })
    }

    pub(crate) fn sign(&self) -> Signed {
        let (kind, payload) = ("application/vnd.in-toto+json", statement().to_string());
        let pae = format!("DSSEv1 {} {kind} {} {payload}", kind.len(), payload.len()).into_bytes();
        let signature = self.key.sign(&SystemRandom::new(), &pae).expect("a signature").as_ref().to_vec();
        let envelope = json!({
            "payload": base64(payload.as_bytes()),
            "payloadType": kind,
            "signatures": [{ "sig": base64(&signature) }],
        });
        Signed { envelope, signature, pae }
    }

    pub(crate) fn certificate_pem(&self) -> String {
        pem::encode(&pem::Pem::new("CERTIFICATE", self.certificate.clone()))
    }

    /// Logs with version 1: the entry as a bundle has it.
    pub(crate) fn log_v1(&self, sigstore: &Instance, signed: &Signed) -> Value {
        let answer = post(&log_url(sigstore, Service::RekorV1), &self.dsse_entry(signed));
        assert_eq!(answer.status, 201, "{}", answer.text());
        bundled(&answer.json())
    }

    pub(crate) fn dsse_entry(&self, signed: &Signed) -> Value {
        json!({ "apiVersion": "0.0.1", "kind": "dsse", "spec": { "proposedContent": {
            "envelope": signed.envelope.to_string(),
            "verifiers": [base64(self.certificate_pem().as_bytes())],
        } } })
    }

    /// Logs with version 2: the entry is as a bundle has it.
    pub(crate) fn log_v2(&self, sigstore: &Instance, signed: &Signed) -> Value {
        let answer = post(&log_url(sigstore, Service::RekorV2), &self.hashedrekord_request(signed));
        assert_eq!(answer.status, 201, "{}", answer.text());
        answer.json()
    }

    pub(crate) fn hashedrekord_request(&self, signed: &Signed) -> Value {
        json!({ "hashedRekordRequestV002": {
            "digest": base64(&sha256(&signed.pae)),
            "signature": { "content": base64(&signed.signature), "verifier": {
                "keyDetails": "PKIX_ECDSA_P256_SHA_256",
                "x509Certificate": { "rawBytes": base64(&self.certificate) },
            } },
        } })
    }

    pub(crate) fn bundle(&self, signed: &Signed, entries: Vec<Value>, timestamps: Vec<Vec<u8>>) -> Value {
        let timestamps: Vec<_> = timestamps.iter().map(|der| json!({ "signedTimestamp": base64(der) })).collect();
        json!({
            "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
            "verificationMaterial": {
                "certificate": { "rawBytes": base64(&self.certificate) },
                "tlogEntries": entries,
                "timestampVerificationData": { "rfc3161Timestamps": timestamps },
            },
            "dsseEnvelope": signed.envelope,
        })
    }
}

/// A statement about the artifact.
pub(crate) fn statement() -> Value {
    json!({
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{ "name": "artifact", "digest": { "sha256": hex(&sha256(ARTIFACT)) } }],
        "predicateType": "https://example.com/predicate/v1",
        "predicate": {},
    })
}

fn certificate_request(key: &EcdsaKeyPair, token: &str, proves: &str) -> Value {
    let spki = AsDer::<PublicKeyX509Der>::as_der(key.public_key()).expect("DER");
    let proof = key.sign(&SystemRandom::new(), proves.as_bytes()).expect("a signature");
    json!({
        "credentials": { "oidcIdentityToken": token },
        "publicKeyRequest": {
            "publicKey": {
                "algorithm": "ECDSA",
                "content": pem::encode(&pem::Pem::new("PUBLIC KEY", spki.as_ref())),
            },
            "proofOfPossession": base64(proof.as_ref()),
        },
    })
}

/// Asks for a timestamp of a signature, with a nonce and certificates: the reply.
pub(crate) fn timestamp(sigstore: &Instance, signature: &[u8]) -> Vec<u8> {
    let head = [0x30, 0x43, 0x02, 0x01, 0x01, 0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65];
    let imprint = [0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20];
    let (nonce, certificates) = ([0x02, 0x08, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x08], [0x01, 0x01, 0xff]);
    let query = [&head[..], &imprint, &sha256(signature), &nonce, &certificates].concat();
    let kind = "Content-Type: application/timestamp-query\r\n";
    let answer = request("POST", sigstore.url(Service::Timestamps), kind, &query).expect("an answer");
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.body
}

/// Signs and logs with version 1, without a timestamp: the signed entry timestamp has the time.
pub(crate) fn sign_v1(sigstore: &Instance) -> Value {
    let signer = Signer::new(sigstore);
    let signed = signer.sign();
    let entry = signer.log_v1(sigstore, &signed);
    signer.bundle(&signed, vec![entry], Vec::new())
}

/// Signs and logs with version 2, with a timestamp.
pub(crate) fn sign_v2(sigstore: &Instance) -> Value {
    let signer = Signer::new(sigstore);
    let signed = signer.sign();
    let entry = signer.log_v2(sigstore, &signed);
    signer.bundle(&signed, vec![entry], vec![timestamp(sigstore, &signed.signature)])
}

/// Verifies a bundle, and that the user of this instance made it.
pub(crate) fn verify(sigstore: &Instance, bundle: &Value) -> Result<(), String> {
    verify_as(sigstore, bundle, VerificationPolicy::new(SIGNER, sigstore.url(Service::Oidc)))
}

pub(crate) fn verify_as(sigstore: &Instance, bundle: &Value, policy: VerificationPolicy) -> Result<(), String> {
    let root = TrustedRoot::from_json(&sigstore.trusted_root_json()).expect("a trusted root");
    let verifier = Verifier::new(&root).expect("a trusted root that can be used");
    let bundle = Bundle::from_json(&bundle.to_string()).map_err(|error| error.to_string())?;
    let digest = Sha256Hash::new(sha256(ARTIFACT));
    verifier.verify(digest, &bundle, &policy).map(|_| ()).map_err(|error| error.to_string())
}

pub(crate) fn log_url(sigstore: &Instance, log: Service) -> String {
    let version = if log == Service::RekorV1 { 1 } else { 2 };
    format!("{}/api/v{version}/log/entries", sigstore.url(log))
}

pub(crate) fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    base16ct::lower::encode_string(bytes)
}

pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    digest(&SHA256, bytes).as_ref().try_into().expect("32 bytes")
}
