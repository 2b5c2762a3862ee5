//! Envelopes without their log entries, and the entries apart: public bundles taken to pieces and put together again.

mod forge;

use std::fs;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use forge::vectors;
use model_transparency::envelope::LogEntryRecord;
use model_transparency::provenance::{
    Document, ProvenanceError, ProvenanceTrust, Roots, UnloggedEnvelope, check_document,
};
use model_transparency::sigstore::{Instance, SigstoreError, TrustedRoot};
use serde_json::{Value, json};

/// One of each kind of entry; the first two of the same kind.
const BUNDLES: [&str; 3] = [
    "github-generic-v2.1.0/binary-linux-amd64-push-v14.2.intoto.jsonl",
    "github-generic-v2.1.0/binary-linux-amd64-workflow_dispatch.intoto.jsonl",
    "github-delegator-v1.10.0/binary-linux-amd64-push-v14.2.build.slsa",
];

/// An envelope as it was once published, and what the log has of it.
struct Pieces {
    envelope: Value,
    entry: Value,
}

impl Pieces {
    fn of(folder: &Path, name: &str) -> Self {
        let bundle: Value = serde_json::from_slice(&fs::read(folder.join(name)).expect(name)).expect("JSON");
        let material = &bundle["verificationMaterial"];
        let certificate = match material["certificate"]["rawBytes"].as_str() {
            Some(certificate) => certificate,
            None => material["x509CertificateChain"]["certificates"][0]["rawBytes"].as_str().expect("a certificate"),
        };
        let mut envelope = bundle["dsseEnvelope"].clone();
        envelope["signatures"][0]["cert"] = pem(certificate).into();
        Self { envelope, entry: material["tlogEntries"][0].clone() }
    }

    fn together(&self) -> Result<Document, ProvenanceError> {
        let envelope = UnloggedEnvelope::read(self.envelope.to_string().as_bytes(), None)?;
        envelope.with_entry(&LogEntryRecord::from_json(self.entry.to_string().as_bytes()).expect("an entry"))
    }

    fn verify(&self) -> Result<(), ProvenanceError> {
        let roots = Roots { sigstore: TrustedRoot::embedded(Instance::Production), github: None };
        check_document(&self.together()?, ProvenanceTrust::GitHub(&roots)).map(drop)
    }

    fn refusal(&self) -> SigstoreError {
        match self.verify() {
            Err(ProvenanceError::Signature(error)) => error,
            other => panic!("expected a signature that does not hold, found {other:?}"),
        }
    }
}

fn pem(certificate: &str) -> String {
    format!("-----BEGIN CERTIFICATE-----\n{certificate}\n-----END CERTIFICATE-----\n")
}

fn all(test: &str) -> Option<[Pieces; 3]> {
    let folder = vectors("slsa", test)?;
    Some(BUNDLES.map(|name| Pieces::of(&folder, name)))
}

#[test]
fn what_was_taken_to_pieces_holds_together() {
    let Some(all) = all("what_was_taken_to_pieces_holds_together") else { return };
    for mut pieces in all {
        pieces.verify().expect("with its certificate");
        // The first envelopes had none: the log has it.
        pieces.envelope["signatures"][0].as_object_mut().expect("an object").remove("cert");
        pieces.verify().expect("with that of the log");
    }
}

#[test]
fn what_does_not_belong_together_is_refused() {
    let Some([mut one, other, intoto]) = all("what_does_not_belong_together_is_refused") else { return };
    let right = one.entry.clone();
    for another in [&other.entry, &intoto.entry] {
        one.entry = another.clone();
        assert!(
            matches!(one.refusal(), SigstoreError::OtherEntry { reason } if reason.contains("another certificate"))
        );
    }
    one.envelope["signatures"][0].as_object_mut().expect("an object").remove("cert");
    assert!(matches!(one.refusal(), SigstoreError::Signature { .. } | SigstoreError::OtherEntry { .. }));
    one.entry = right.clone();
    one.entry["integratedTime"] = "1700000000".into();
    assert!(matches!(one.refusal(), SigstoreError::InclusionPromise { .. }));
    one.entry = right.clone();
    one.entry["inclusionProof"]["hashes"][0] = STANDARD.encode([7; 32]).into();
    assert!(matches!(one.refusal(), SigstoreError::InclusionProof { .. }));
    one.entry = right.clone();
    one.entry["kindVersion"]["kind"] = "hashedrekord".into();
    assert!(matches!(one.refusal(), SigstoreError::OtherEntry { reason } if reason.contains("hashedrekord/0.0.1")));
    one.entry = right;
    let signature = one.envelope["signatures"][0].clone();
    one.envelope["signatures"] = json!([signature, signature]);
    assert!(matches!(one.refusal(), SigstoreError::Malformed { reason } if reason.contains("one signature, found 2")));
}

#[test]
fn an_envelope_is_looked_up_as_it_was_published() {
    let Some([one, ..]) = all("an_envelope_is_looked_up_as_it_was_published") else { return };
    let hashes = |text: &str| UnloggedEnvelope::read(text.as_bytes(), None).expect("an envelope").search_hashes();
    let text = one.envelope.to_string();
    let [envelope, payload] = hashes(&text);
    assert_eq!(hashes(&format!("\n{text}\n")), [envelope.clone(), payload.clone()]);
    let spaced = hashes(&text.replacen('{', "{ ", 1));
    assert!(spaced[0] != envelope && spaced[1] == payload);
    let body = STANDARD.decode(one.entry["canonicalizedBody"].as_str().expect("text")).expect("Base64");
    let body: Value = serde_json::from_slice(&body).expect("JSON");
    assert_eq!(body["spec"]["payloadHash"]["value"], payload.as_str());
}
