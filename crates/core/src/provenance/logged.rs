//! An envelope that stands alone, and the entry of a log (Rekor v1) that was looked up for it.
//!
//! Where the entry comes from is no matter: nothing is believed here. Together the two are what [`check_document`] verifies.
//!
//! [`check_document`]: super::check_document

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::ProvenanceError;
use super::collection::Document;
use super::dsse::{Envelope, EnvelopeSignature};
use crate::certificate::Certificate;
use crate::envelope::{LogEntryRecord, PAYLOAD_TYPE};
use crate::log::{EntryKind, LogEntry};
use crate::sigstore::{Attestation, LoggedText, SignerRule, SigstoreError, TrustedRoot, verify_logged_text};

/// An envelope whose entry is to be found. Nothing of it is verified.
#[derive(Debug)]
pub struct UnloggedEnvelope {
    text: Vec<u8>,
    payload: Vec<u8>,
    signature: Vec<u8>,
    /// DER, if the envelope brings it.
    certificate: Option<Vec<u8>>,
}

/// An envelope and its entry where no bundle can have both. Nothing of it is verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoggedDocument {
    text: Vec<u8>,
    payload: Vec<u8>,
    signature: Vec<u8>,
    certificate: Vec<u8>,
    entry: LogEntry,
}

impl UnloggedEnvelope {
    /// Reads an envelope with one signature, which may bring its certificate, or have it beside it (PEM).
    ///
    /// # Errors
    /// [`ProvenanceError`]: why a log can't have an entry of it.
    pub fn read(envelope: &[u8], certificate_chain_pem: Option<&[u8]>) -> Result<Self, ProvenanceError> {
        // What is around it in a file of several is no part of what the log got.
        let text = envelope.trim_ascii().to_vec();
        let Envelope { payload, signatures } = Envelope::parse(&text)?;
        let found = signatures.len();
        let Ok([EnvelopeSignature { signature, certificates, .. }]) = <[_; 1]>::try_from(signatures) else {
            let reason = format!("expected an envelope with one signature, found {found}");
            return Err(SigstoreError::Malformed { reason }.into());
        };
        let brought = certificates.into_iter().next();
        let beside = || {
            let chain = Certificate::from_file(certificate_chain_pem?);
            chain.ok()?.first().map(|leaf| leaf.der().to_vec())
        };
        Ok(Self { text, payload, signature, certificate: brought.or_else(beside) })
    }

    /// The SHA-256 by which a log finds it, in hex: of the whole envelope, which is exact, and of the payload, which some
    /// kinds of entry are found by alone.
    #[must_use]
    pub fn search_hashes(&self) -> [String; 2] {
        [&self.text, &self.payload].map(|bytes| base16ct::lower::encode_string(digest(&SHA256, bytes).as_ref()))
    }

    /// The envelope with an entry of it. The certificate is the envelope's or the entry's; both have to be the same where
    /// both are there.
    ///
    /// # Errors
    /// [`ProvenanceError`]: why they do not go together.
    pub fn with_entry(&self, record: &LogEntryRecord) -> Result<Document, ProvenanceError> {
        let other = |reason: &str| SigstoreError::OtherEntry { reason: reason.to_owned() };
        let json = record.to_json();
        let entry = LogEntry::from_json(json.to_string().as_bytes()).map_err(SigstoreError::from)?;
        let stated = entry.stated_certificate().map_err(SigstoreError::from)?;
        let certificate = stated.ok_or_else(|| other("it does not name one certificate"))?;
        if self.certificate.as_ref().is_some_and(|brought| *brought != certificate) {
            return Err(other("it names another certificate than the envelope").into());
        }
        if entry.kind() == EntryKind::IntotoV001 {
            let Self { text, payload, signature, .. } = self;
            let (text, payload, signature) = (text.clone(), payload.clone(), signature.clone());
            return Ok(Document::Logged(Box::new(LoggedDocument { text, payload, signature, certificate, entry })));
        }
        let bundle = json!({
            "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
            "verificationMaterial": {
                "certificate": { "rawBytes": STANDARD.encode(&certificate) },
                "tlogEntries": [json],
            },
            "dsseEnvelope": {
                "payload": STANDARD.encode(&self.payload),
                "payloadType": PAYLOAD_TYPE,
                "signatures": [{ "sig": STANDARD.encode(&self.signature) }],
            },
        });
        Ok(Document::Bundle(bundle.to_string().into_bytes()))
    }
}

impl LoggedDocument {
    pub(super) fn verify(&self, root: &TrustedRoot, signer: SignerRule<'_>) -> Result<Attestation, SigstoreError> {
        let Self { text, payload, signature, certificate, entry } = self;
        verify_logged_text(LoggedText { text, payload, signature, certificate, entry }, root, signer)
    }
}
