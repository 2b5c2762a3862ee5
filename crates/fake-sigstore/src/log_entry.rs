//! What logs keep of a signature: a body in canonical JSON, and the words to search for it.

use serde_json::{Value, json};
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;

use crate::client_key::{Hash, Verifier};
use crate::encoding::{base64, canonical, from_base64, from_hex, hex, public_key_pem};
use crate::key::{Key, KeyKind, random, sha256};

/// An entry that was checked.
pub(crate) struct Entry {
    pub(crate) kind: &'static str,
    pub(crate) body: Vec<u8>,
    /// In lower case: digests with their algorithm, and the names in the certificate.
    pub(crate) search_words: Vec<String>,
}

/// Rekor v1: an entry of a kind that it knows.
pub(crate) fn v1(proposed: &Value) -> Result<Entry, &'static str> {
    let spec = proposed.get("spec").ok_or("spec in body is required")?;
    match (text(proposed, "/kind"), text(proposed, "/apiVersion")) {
        (Some("hashedrekord"), Some("0.0.1")) => hashedrekord_v1(spec),
        (Some("dsse"), Some("0.0.1")) => dsse_v1(spec),
        _ => Err("entry kind is not supported"),
    }
}

fn hashedrekord_v1(spec: &Value) -> Result<Entry, &'static str> {
    let algorithm = text(spec, "/data/hash/algorithm").ok_or("missing hash")?;
    let hash = match algorithm {
        "sha256" => Hash::Sha256,
        "sha384" => Hash::Sha384,
        "sha512" => Hash::Sha512,
        _ => return Err("invalid hash algorithm"),
    };
    let digest = text(spec, "/data/hash/value").and_then(from_hex).ok_or("missing hash value")?;
    let signature = text(spec, "/signature/content").and_then(from_base64).ok_or("missing signature")?;
    let verifier = text(spec, "/signature/publicKey/content").and_then(from_base64).ok_or("missing public key")?;
    let verifier = Verifier::from_pem(&verifier).ok_or("the public key can't be read")?;
    if !verifier.key.verifies_digest(hash, &digest, &signature) {
        return Err("verifying signature: invalid signature");
    }
    let pem = verifier.to_pem();
    let body = json!({
        "apiVersion": "0.0.1",
        "kind": "hashedrekord",
        "spec": {
            "data": { "hash": { "algorithm": algorithm, "value": hex(&digest) } },
            "signature": {
                "content": base64(&signature),
                "publicKey": { "content": base64(pem.as_bytes()) },
            },
        },
    });
    let mut search_words = vec![format!("{algorithm}:{}", hex(&digest)), hex(&sha256(pem.as_bytes()))];
    search_words.extend(names(&verifier));
    Ok(Entry { kind: "hashedrekord", body: canonical(&body).into_bytes(), search_words })
}

fn dsse_v1(spec: &Value) -> Result<Entry, &'static str> {
    let envelope_text = text(spec, "/proposedContent/envelope").ok_or("proposed content envelope is missing")?;
    let envelope: Value = serde_json::from_str(envelope_text).map_err(|_| "the envelope is no JSON")?;
    let verifiers = spec.pointer("/proposedContent/verifiers").and_then(Value::as_array).ok_or("no verifiers")?;
    let verifiers: Vec<_> = verifiers
        .iter()
        .map(|verifier| Verifier::from_pem(&from_base64(verifier.as_str()?)?))
        .collect::<Option<_>>()
        .ok_or("could not parse public key as x509")?;
    let payload = text(&envelope, "/payload").and_then(from_base64).ok_or("the payload is no base64")?;
    let message = pae(text(&envelope, "/payloadType").ok_or("no payload type")?, &payload);
    let signatures = envelope.get("signatures").and_then(Value::as_array).filter(|list| !list.is_empty());
    let mut signatures: Vec<_> = signatures
        .ok_or("DSSE envelope must contain 1 or more signatures")?
        .iter()
        .map(|signature| {
            let signature = text(signature, "/sig")?;
            let bytes = from_base64(signature)?;
            // Rekor hashes with SHA-256, whatever the key.
            let verifier =
                verifiers.iter().find(|verifier| verifier.key.verifies_with(Hash::Sha256, &message, &bytes))?;
            Some((signature, verifier))
        })
        .collect::<Option<_>>()
        .ok_or("all signatures must have a key that verifies it")?;
    signatures.sort_by_key(|(signature, _)| *signature);

    let (envelope_hash, payload_hash) = (hex(&sha256(envelope_text.as_bytes())), hex(&sha256(&payload)));
    let mut search_words = vec![format!("sha256:{envelope_hash}"), format!("sha256:{payload_hash}")];
    let mut entries = Vec::new();
    for (signature, verifier) in signatures {
        let pem = verifier.to_pem();
        search_words.push(format!("sha256:{}", hex(&sha256(pem.as_bytes()))));
        search_words.extend(names(verifier));
        entries.push(json!({ "signature": signature, "verifier": base64(pem.as_bytes()) }));
    }
    search_words.extend(subjects(&payload));
    let body = json!({
        "apiVersion": "0.0.1",
        "kind": "dsse",
        "spec": {
            "envelopeHash": { "algorithm": "sha256", "value": envelope_hash },
            "payloadHash": { "algorithm": "sha256", "value": payload_hash },
            "signatures": entries,
        },
    });
    Ok(Entry { kind: "dsse", body: canonical(&body).into_bytes(), search_words })
}

/// Rekor v2 has one kind.
pub(crate) fn v2(request: &Value) -> Option<Vec<u8>> {
    let request = request.get("hashedRekordRequestV002")?;
    let digest = text(request, "/digest").and_then(from_base64)?;
    let signature = text(request, "/signature/content").and_then(from_base64)?;
    let details = text(request, "/signature/verifier/keyDetails")?;
    let (hash, hash_name) = match details {
        "PKIX_ECDSA_P256_SHA_256"
        | "PKIX_RSA_PKCS1V15_2048_SHA256"
        | "PKIX_RSA_PKCS1V15_3072_SHA256"
        | "PKIX_RSA_PKCS1V15_4096_SHA256" => (Hash::Sha256, "SHA2_256"),
        "PKIX_ECDSA_P384_SHA_384" => (Hash::Sha384, "SHA2_384"),
        "PKIX_ECDSA_P521_SHA_512" => (Hash::Sha512, "SHA2_512"),
        _ => return None,
    };
    let raw = |pointer: &str| text(request, pointer).and_then(from_base64);
    let (member, raw) = match raw("/signature/verifier/x509Certificate/rawBytes") {
        Some(certificate) => ("x509Certificate", certificate),
        None => ("publicKey", raw("/signature/verifier/publicKey/rawBytes")?),
    };
    let verifier = match member {
        "publicKey" => Verifier::from_spki(&raw)?,
        _ => Verifier::from_certificate(&raw)?,
    };
    if digest.len() != hash.length() || !verifier.key.verifies_digest(hash, &digest, &signature) {
        return None;
    }
    let body = json!({
        "apiVersion": "0.0.2",
        "kind": "hashedrekord",
        "spec": { "hashedRekordV002": {
            "data": { "algorithm": hash_name, "digest": base64(&digest) },
            "signature": {
                "content": base64(&signature),
                "verifier": { "keyDetails": details, member: { "rawBytes": base64(&raw) } },
            },
        } },
    });
    Some(canonical(&body).into_bytes())
}

/// A request of somebody with a key of their own, for a log of this version.
pub(crate) fn of_a_stranger(version: u8) -> Value {
    let key = Key::generate(KeyKind::EcdsaP256);
    let artifact = random::<32>();
    let (signature, digest) = (key.sign(&artifact), sha256(&artifact));
    signed_by(version, &digest, &signature, &Verifier::from_spki(key.spki()).expect("a key"))
}

/// As [`of_a_stranger`], about an envelope, for a log of version 1.
pub(crate) fn envelope_of_a_stranger() -> Value {
    let key = Key::generate(KeyKind::EcdsaP256);
    let (payload_type, payload) = ("text/plain", random::<32>());
    let signature = base64(&key.sign(&pae(payload_type, &payload)));
    let envelope =
        json!({ "payload": base64(&payload), "payloadType": payload_type, "signatures": [{ "sig": signature }] });
    let verifier = base64(public_key_pem(key.spki()).as_bytes());
    json!({ "apiVersion": "0.0.1", "kind": "dsse", "spec": {
        "proposedContent": { "envelope": envelope.to_string(), "verifiers": [verifier] },
    } })
}

/// A request for a log of this version about a signature of ECDSA on P-256.
pub(crate) fn signed_by(version: u8, digest: &[u8; 32], signature: &[u8], verifier: &Verifier) -> Value {
    if version == 1 {
        let pem = base64(verifier.to_pem().as_bytes());
        return json!({ "apiVersion": "0.0.1", "kind": "hashedrekord", "spec": {
            "data": { "hash": { "algorithm": "sha256", "value": hex(digest) } },
            "signature": { "content": base64(signature), "publicKey": { "content": pem } },
        } });
    }
    let (member, der) = match &verifier.certificate {
        Some(certificate) => ("x509Certificate", der::Encode::to_der(certificate).expect("DER")),
        None => ("publicKey", verifier.key.spki().to_vec()),
    };
    json!({ "hashedRekordRequestV002": { "digest": base64(digest), "signature": {
        "content": base64(signature),
        "verifier": { "keyDetails": "PKIX_ECDSA_P256_SHA_256", member: { "rawBytes": base64(&der) } },
    } } })
}

/// What a DSSE signature is of.
pub(crate) fn pae(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let head = format!("DSSEv1 {} {payload_type} {} ", payload_type.len(), payload.len());
    [head.as_bytes(), payload].concat()
}

/// The alternative names in a certificate.
fn names(verifier: &Verifier) -> Vec<String> {
    let names = verifier.certificate.as_ref().and_then(|certificate| {
        let (_, names) = certificate.tbs_certificate.get::<SubjectAltName>().ok()??;
        Some(names.0)
    });
    names
        .unwrap_or_default()
        .into_iter()
        .filter_map(|name| match name {
            GeneralName::Rfc822Name(text) | GeneralName::UniformResourceIdentifier(text) => {
                Some(text.as_str().to_ascii_lowercase())
            }
            _ => None,
        })
        .collect()
}

/// The digests of an in-toto statement's subjects.
fn subjects(payload: &[u8]) -> Vec<String> {
    let statement: Value = serde_json::from_slice(payload).unwrap_or_default();
    let subjects = statement.get("subject").and_then(Value::as_array);
    let digests = subjects.into_iter().flatten().filter_map(|subject| subject.get("digest")?.as_object());
    let words = digests.flatten().filter_map(|(algorithm, value)| Some(format!("{algorithm}:{}", value.as_str()?)));
    words.map(|word| word.to_ascii_lowercase()).collect()
}

fn text<'a>(value: &'a Value, pointer: &str) -> Option<&'a str> {
    value.pointer(pointer)?.as_str()
}
