//! Verification summaries: a public one, and what it might say under a key that is made here.

use std::path::Path;

use anyhow::{Context, Result, anyhow};
use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_ASN1_SIGNING,
    ECDSA_P521_SHA512_ASN1_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256,
    RsaKeyPair,
};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use pem::Pem;
use serde_json::{Value, json};

use super::case::{Alteration, Asked, Case, DOCUMENT, KEY, Verb, Verdict, accepted, at, decode, refused, url_safe};
use super::read;

const FILE: &str = "vsa/gke-gce-pre.bcid-vsa.jsonl";
const KEY_FILE: &str = "vsa/vsa_signing_public_key.pem";
/// Another P-256 key.
const OTHER_KEY_FILE: &str = "google-cloud-build-keys/us-west2.pub.pem";
const KEY_ID: &str = "keystore://76574:prod:vsa_signing_public_key";
const DIGEST: &str = "gce_image_id:8970095005306000053";
const VERIFIER: &str = "https://bcid.corp.google.com/verifier/bcid_package_enforcer/v0.1";
const RESOURCE: &str = "gce_image://gke-node-images:gke-12615-gke1418000-cos-101-17162-463-29-c-cgpv1-pre";
const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";

/// What is asked of the public summary, and done to its envelope.
const PUBLIC: &[Alteration] = &[
    accepted("nothing", |_| Ok(())),
    accepted("--print-attestation", |it| it.switch("--print-attestation")),
    // The key.
    accepted("no key ID expected", |it| it.remove("--public-key-id")),
    refused("another key ID expected", |it| it.set("--public-key-id", "keystore://76574:prod:other")),
    refused("an empty key ID expected", |it| it.set("--public-key-id", "")),
    refused("another key", |it| {
        it.key.clone_from(&it.other);
        Ok(())
    }),
    refused("a key that is none", |it| {
        it.key = "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n".to_owned();
        Ok(())
    }),
    refused("no key", |it| it.remove("--public-key-path")),
    accepted("the hash of the key", |it| it.add("--public-key-signing-hash-algo", "SHA256")),
    // The artifact.
    accepted("the digest twice", |it| it.add("--subject-digest", DIGEST)),
    refused("another digest", |it| it.set("--subject-digest", "gce_image_id:8970095005306000054")),
    refused("another digest too", |it| it.add("--subject-digest", "sha256:00")),
    refused("the digest under another algorithm", |it| it.set("--subject-digest", "sha256:8970095005306000053")),
    refused("the digest without its algorithm", |it| it.set("--subject-digest", "8970095005306000053")),
    refused("the algorithm without a digest", |it| it.set("--subject-digest", "gce_image_id:")),
    refused("no digest", |it| it.remove("--subject-digest")),
    // Who verified what.
    refused("another verifier", |it| it.set("--verifier-id", "https://example.com/verifier")),
    refused("a verifier that it begins with", |it| it.set("--verifier-id", &VERIFIER[..VERIFIER.len() - 1])),
    refused("the verifier with a slash", |it| it.set("--verifier-id", &format!("{VERIFIER}/"))),
    refused("an empty verifier", |it| it.set("--verifier-id", "")),
    refused("no verifier", |it| it.remove("--verifier-id")),
    refused("another resource", |it| it.set("--resource-uri", "gce_image://other")),
    refused("a resource that it begins with", |it| it.set("--resource-uri", &RESOURCE[..RESOURCE.len() - 1])),
    refused("the resource in capitals", |it| it.set("--resource-uri", &RESOURCE.to_uppercase())),
    refused("an empty resource", |it| it.set("--resource-uri", "")),
    refused("no resource", |it| it.remove("--resource-uri")),
    // Levels.
    accepted("the level", |it| it.add("--verified-level", "SLSA_BUILD_LEVEL_2")),
    accepted("a level below", |it| it.add("--verified-level", "SLSA_BUILD_LEVEL_1")),
    accepted("level 0", |it| it.add("--verified-level", "SLSA_BUILD_LEVEL_0")),
    accepted("the level of the verifier's own", |it| it.add("--verified-level", "BCID_L1")),
    accepted("both levels", |it| {
        it.add("--verified-level", "SLSA_BUILD_LEVEL_2")?;
        it.add("--verified-level", "BCID_L1")
    }),
    refused("a level above", |it| it.add("--verified-level", "SLSA_BUILD_LEVEL_3")),
    refused("a level above, and one below", |it| {
        it.add("--verified-level", "SLSA_BUILD_LEVEL_1")?;
        it.add("--verified-level", "SLSA_BUILD_LEVEL_3")
    }),
    refused("a level of another track", |it| it.add("--verified-level", "SLSA_SOURCE_LEVEL_1")),
    refused("another level of a verifier's own", |it| it.add("--verified-level", "BCID_L2")),
    refused("a level of a verifier's own in small letters", |it| it.add("--verified-level", "bcid_l1")),
    refused("an unevaluated level", |it| it.add("--verified-level", "SLSA_BUILD_LEVEL_UNEVALUATED")),
    refused("a level without a number", |it| it.add("--verified-level", "SLSA_BUILD_LEVEL_")),
    refused("a level without a track", |it| it.add("--verified-level", "SLSA_LEVEL_2")),
    refused("a level with a sign", |it| it.add("--verified-level", "SLSA_BUILD_LEVEL_+2")),
    refused("a level below 0", |it| it.add("--verified-level", "SLSA_BUILD_LEVEL_-1")),
    refused("a level with a zero before it", |it| it.add("--verified-level", "SLSA_BUILD_LEVEL_02")),
    refused("an empty level", |it| it.add("--verified-level", "")),
    // The envelope.
    refused("a byte of the payload", |it| it.flip("/payload", 40)),
    refused("a byte of the signature", |it| it.flip("/signatures/0/sig", 20)),
    refused("a byte after the signature", |it| {
        it.rewrite("/signatures/0/sig", |text| {
            let mut bytes = decode(text)?;
            bytes.push(0);
            Ok(BASE64_STANDARD.encode(bytes))
        })
    }),
    refused("an empty signature", |it| it.put("/signatures/0/sig", "")),
    refused("no signature", |it| it.put("/signatures", json!([]))),
    refused("an empty payload", |it| it.put("/payload", "")),
    refused("another payload type", |it| it.put("/payloadType", "application/json")),
    refused("another key ID in the envelope", |it| it.put("/signatures/0/keyid", "other")),
    accepted("no key ID in the envelope", |it| it.cut("/signatures/0/keyid")),
    accepted("an empty key ID in the envelope", |it| it.put("/signatures/0/keyid", "")),
    accepted("a signature of another key before it", |it| add_signature(it, json!({"keyid": "other", "sig": "AAAA"}))),
    accepted("a signature that does not hold before it", |it| {
        add_signature(it, json!({"keyid": KEY_ID, "sig": "AAAA"}))
    }),
    refused("a signature that is not base64 before it", |it| add_signature(it, json!({"keyid": "other", "sig": "{}"}))),
    accepted("the signature in the other alphabet", |it| it.rewrite("/signatures/0/sig", url_safe)),
    refused("the payload with a line break", |it| it.rewrite("/payload", |text| Ok(format!("{text}\n")))),
    accepted("an unknown member of the envelope", |it| it.replace("{", r#"{"unknown":1,"#)),
    refused("a member of the envelope twice", |it| it.replace("{", &format!(r#"{{"payloadType":"{PAYLOAD_TYPE}","#))),
    refused("a member's name of the envelope in capitals", |it| it.replace(r#""payloadType""#, r#""PAYLOADTYPE""#)),
    refused("two envelopes", |it| {
        it.document = format!("{0}\n{0}", it.document.trim_end());
        Ok(())
    }),
    refused("an empty file", |it| {
        it.document.clear();
        Ok(())
    }),
];

/// What a summary says, under a key of ours.
const SIGNED_HERE: &[Alteration] = &[
    accepted("the same statement", |it| sign(it, |_| Ok(()))),
    accepted("a fixed-size signature", |it| sign_with(it, &Key::Ecdsa(&ECDSA_P256_SHA256_FIXED_SIGNING), |_| Ok(()))),
    accepted("a P-384 key", |it| sign_with(it, &Key::Ecdsa(&ECDSA_P384_SHA384_ASN1_SIGNING), |_| Ok(()))),
    accepted("a P-521 key", |it| sign_with(it, &Key::Ecdsa(&ECDSA_P521_SHA512_ASN1_SIGNING), |_| Ok(()))),
    accepted("an RSA key", |it| sign_with(it, &Key::Rsa, |_| Ok(()))),
    accepted("an Ed25519 key", |it| sign_with(it, &Key::Ed25519, |_| Ok(()))),
    refused("a failed verification", |it| sign(it, |it| put(it, "/predicate/verificationResult", json!("FAILED")))),
    refused("a result in small letters", |it| sign(it, |it| put(it, "/predicate/verificationResult", json!("passed")))),
    refused("no result", |it| sign(it, |it| cut(it, "/predicate", "verificationResult"))),
    refused("no levels", |it| sign(it, |it| cut(it, "/predicate", "verifiedLevels"))),
    accepted("an empty list of levels", |it| sign(it, |it| put(it, "/predicate/verifiedLevels", json!([])))),
    refused("a level that is none", |it| {
        sign(it, |it| put(it, "/predicate/verifiedLevels", json!(["SLSA_BUILD_LEVEL_three"])))
    }),
    accepted("an unevaluated level", |it| {
        sign(it, |it| put(it, "/predicate/verifiedLevels", json!(["SLSA_BUILD_LEVEL_UNEVALUATED"])))
    }),
    refused("no verifier", |it| sign(it, |it| cut(it, "/predicate", "verifier"))),
    accepted("versions of the verifier", |it| {
        sign(it, |it| put(it, "/predicate/verifier", json!({"id": VERIFIER, "version": {"a": "1"}})))
    }),
    refused("no resource", |it| sign(it, |it| cut(it, "/predicate", "resourceUri"))),
    refused("no subjects", |it| sign(it, |it| put(it, "/subject", json!([])))),
    accepted("another subject before it", |it| {
        sign(it, |it| {
            let subjects = at(it, "/subject")?.as_array_mut().context("a list")?;
            subjects.insert(0, json!({"name": "other", "digest": {"sha256": "00"}}));
            Ok(())
        })
    }),
    accepted("a subject without a name", |it| sign(it, |it| cut(it, "/subject/0", "name"))),
    refused("a digest that is a number", |it| {
        sign(it, |it| put(it, "/subject/0/digest/gce_image_id", json!(8_970_095_005_306_000_053_u64)))
    }),
    accepted("a statement of v0.1", |it| sign(it, |it| put(it, "/_type", json!("https://in-toto.io/Statement/v0.1")))),
    refused("another statement type", |it| sign(it, |it| put(it, "/_type", json!("https://in-toto.io/Statement/v2")))),
    refused("provenance", |it| sign(it, |it| put(it, "/predicateType", json!("https://slsa.dev/provenance/v1")))),
    refused("a summary of v0.2", |it| {
        sign(it, |it| put(it, "/predicateType", json!("https://slsa.dev/verification_summary/v0.2")))
    }),
    accepted("no time", |it| sign(it, |it| cut(it, "/predicate", "timeVerified"))),
    refused("a time that is none", |it| sign(it, |it| put(it, "/predicate/timeVerified", json!("yesterday")))),
    refused("a time that is a number", |it| sign(it, |it| put(it, "/predicate/timeVerified", json!(1)))),
    accepted("no policy", |it| sign(it, |it| cut(it, "/predicate", "policy"))),
    accepted("dependencies' levels", |it| {
        sign(it, |it| {
            at(it, "/predicate")?["dependencyLevels"] = json!({"SLSA_BUILD_LEVEL_1": 3});
            Ok(())
        })
    }),
    accepted("input attestations", |it| {
        sign(it, |it| {
            at(it, "/predicate")?["inputAttestations"] = json!([{"uri": "https://example.com", "digest": {}}]);
            Ok(())
        })
    }),
    accepted("an unknown member", |it| {
        sign(it, |it| {
            at(it, "/predicate")?["unknown"] = json!(1);
            Ok(())
        })
    }),
    accepted("an unknown member that is null", |it| {
        sign(it, |it| {
            at(it, "/predicate")?["unknown"] = Value::Null;
            Ok(())
        })
    }),
    accepted("the payload in the other alphabet", |it| {
        sign(it, |it| {
            at(it, "/predicate")?["unknown"] = json!("???");
            Ok(())
        })?;
        it.rewrite("/payload", url_safe)
    }),
    refused("a member's name in capitals", |it| {
        sign_text(it, |text| Ok(text.replace(r#""verificationResult""#, r#""VERIFICATIONRESULT""#)))
    }),
    refused("a result twice, the last one right", |it| {
        const RESULT: &str = r#""verificationResult""#;
        sign_text(it, |text| Ok(text.replacen(RESULT, &format!(r#"{RESULT}:"FAILED",{RESULT}"#), 1)))
    }),
    refused("text after the statement", |it| sign_text(it, |text| Ok(format!("{text}{{}}")))),
    refused("a list", |it| sign_text(it, |text| Ok(format!("[{text}]")))),
];

/// Every summary.
pub(super) fn cases(vectors: &Path) -> Result<Vec<Case>> {
    let public = asked(vectors)?;
    let mut signed_here = public.clone();
    signed_here.remove("--public-key-id")?;
    let mut cases = Vec::new();
    for (base, asked, alterations) in [("VSA", &public, PUBLIC), ("VSA with our key", &signed_here, SIGNED_HERE)] {
        for alteration in alterations {
            cases.push(Case::altered(base, Verb::Summary, asked, alteration)?);
        }
    }
    Ok(cases)
}

/// What is timed.
pub(super) fn timed(vectors: &Path) -> Result<Case> {
    Ok(Case::new("timed", Verb::Summary, Verdict::Accepted, asked(vectors)?))
}

/// The public summary, and what makes it pass.
fn asked(vectors: &Path) -> Result<Asked> {
    let mut asked = Asked {
        document: read(vectors, FILE)?,
        key: read(vectors, KEY_FILE)?,
        other: read(vectors, OTHER_KEY_FILE)?,
        ..Asked::default()
    };
    asked.add("--attestation-path", DOCUMENT)?;
    asked.add("--subject-digest", DIGEST)?;
    asked.add("--verifier-id", VERIFIER)?;
    asked.add("--resource-uri", RESOURCE)?;
    asked.add("--public-key-path", KEY)?;
    asked.add("--public-key-id", KEY_ID)?;
    Ok(asked)
}

fn add_signature(asked: &mut Asked, signature: Value) -> Result<()> {
    asked.edit(|envelope| {
        at(envelope, "/signatures")?.as_array_mut().context("a list")?.insert(0, signature);
        Ok(())
    })
}

fn put(statement: &mut Value, pointer: &str, value: Value) -> Result<()> {
    *at(statement, pointer)? = value;
    Ok(())
}

fn cut(statement: &mut Value, parent: &str, member: &str) -> Result<()> {
    let removed = at(statement, parent)?.as_object_mut().context("an object")?.remove(member);
    removed.map(|_| ()).with_context(|| format!("no {member}"))
}

/// A kind of key.
enum Key {
    Ecdsa(&'static EcdsaSigningAlgorithm),
    Ed25519,
    Rsa,
}

/// Signs the statement, altered, with a new P-256 key.
fn sign(asked: &mut Asked, change: impl FnOnce(&mut Value) -> Result<()>) -> Result<()> {
    sign_with(asked, &Key::Ecdsa(&ECDSA_P256_SHA256_ASN1_SIGNING), change)
}

fn sign_with(asked: &mut Asked, key: &Key, change: impl FnOnce(&mut Value) -> Result<()>) -> Result<()> {
    sign_bytes(asked, key, |text| {
        let mut statement = serde_json::from_str(text)?;
        change(&mut statement)?;
        Ok(statement.to_string())
    })
}

/// Signs what is not the JSON that a [`Value`] can be.
fn sign_text(asked: &mut Asked, change: impl FnOnce(&str) -> Result<String>) -> Result<()> {
    sign_bytes(asked, &Key::Ecdsa(&ECDSA_P256_SHA256_ASN1_SIGNING), change)
}

fn sign_bytes(asked: &mut Asked, key: &Key, change: impl FnOnce(&str) -> Result<String>) -> Result<()> {
    let envelope: Value = serde_json::from_str(&asked.document)?;
    let found = String::from_utf8(decode(envelope["payload"].as_str().context("a payload")?)?)?;
    let payload = change(&found)?;
    // DSSE's pre-authentication encoding.
    let message = format!("DSSEv1 {} {PAYLOAD_TYPE} {} {payload}", PAYLOAD_TYPE.len(), payload.len());
    let (signature, public) = key.sign(message.as_bytes())?;
    let encode = |bytes: &[u8]| BASE64_STANDARD.encode(bytes);
    asked.document = json!({
        "payloadType": PAYLOAD_TYPE,
        "payload": encode(payload.as_bytes()),
        "signatures": [{"sig": encode(&signature)}],
    })
    .to_string();
    asked.key = pem::encode(&Pem::new("PUBLIC KEY", public));
    Ok(())
}

impl Key {
    /// Signs with a new key; returns the signature and the key as DER.
    fn sign(&self, message: &[u8]) -> Result<(Vec<u8>, Vec<u8>)> {
        let random = SystemRandom::new();
        let failed = |_| anyhow!("cannot sign");
        Ok(match self {
            Self::Ecdsa(algorithm) => {
                let pair = EcdsaKeyPair::generate(algorithm).map_err(failed)?;
                (pair.sign(&random, message).map_err(failed)?.as_ref().to_vec(), der(pair.public_key())?)
            }
            Self::Ed25519 => {
                let pair = Ed25519KeyPair::generate().map_err(failed)?;
                (pair.sign(message).as_ref().to_vec(), der(pair.public_key())?)
            }
            Self::Rsa => {
                let pair = RsaKeyPair::generate(KeySize::Rsa2048).map_err(failed)?;
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature).map_err(failed)?;
                (signature, der(pair.public_key())?)
            }
        })
    }
}

fn der(key: &impl AsDer<PublicKeyX509Der<'static>>) -> Result<Vec<u8>> {
    Ok(key.as_der().map_err(|_| anyhow!("cannot write a public key"))?.as_ref().to_vec())
}
