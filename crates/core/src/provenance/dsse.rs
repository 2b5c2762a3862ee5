//! A DSSE envelope that stands alone (DSSE 1.0, "JSON envelope"), with an in-toto statement in it.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::certificate::{Certificate, InvalidCertificate};
use crate::envelope::{self, InvalidJson, Object, PAYLOAD_TYPE};

/// The largest envelope that is read: 16 MiB.
pub const MAX_ENVELOPE_BYTES: u64 = 16 << 20;

/// The most signatures in an envelope.
const MAX_SIGNATURES: usize = 16;

/// A parsed envelope. Its payload stays in this folder until a signature over it holds.
#[derive(Debug)]
pub(super) struct Envelope {
    pub(super) payload: Vec<u8>,
    /// At least one.
    pub(super) signatures: Vec<EnvelopeSignature>,
}

/// One of an envelope's signatures.
#[derive(Debug)]
pub(super) struct EnvelopeSignature {
    /// What it says of its key, **unverified**: not even the signature covers it.
    pub(super) key_id: Option<String>,
    pub(super) signature: Vec<u8>,
    /// The certificates that it brings, DER, the leaf first, **unverified**: `cert` is no member of DSSE's, and what many
    /// signers write (PEM).
    pub(super) certificates: Vec<Vec<u8>>,
}

impl Envelope {
    /// Parses an envelope. Members that are not known are passed over, as DSSE has it.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, InvalidEnvelope> {
        if bytes.len() as u64 > MAX_ENVELOPE_BYTES {
            return Err(InvalidEnvelope::TooLarge);
        }
        envelope::require_unique_members(bytes)?;
        Self::of(envelope::parse_object(bytes, |_| {})?)
    }

    /// The envelope in a Sigstore bundle of any version; whatever else is there is passed over.
    pub(super) fn in_bundle(bytes: &[u8]) -> Result<Self, InvalidEnvelope> {
        envelope::require_unique_members(bytes)?;
        let bundle: BundleIn<'_> = envelope::parse_object(bytes, |_| {})?;
        let Object(wire) = bundle.dsse_envelope.ok_or(InvalidEnvelope::NoAttestation)?;
        Self::of(wire)
    }

    fn of(wire: EnvelopeIn<'_>) -> Result<Self, InvalidEnvelope> {
        if wire.payload_type != PAYLOAD_TYPE {
            return Err(InvalidEnvelope::PayloadType { found: wire.payload_type });
        }
        match wire.signatures.len() {
            0 => return Err(InvalidEnvelope::NoSignature),
            found if found > MAX_SIGNATURES => return Err(InvalidEnvelope::TooManySignatures { found }),
            _ => {}
        }
        let mut signatures = Vec::new();
        for Object(SignatureIn { sig, keyid, cert }) in wire.signatures {
            let key_id = keyid.filter(|id| !id.is_empty());
            let certificates = cert.filter(|pem| !pem.is_empty()).map(|pem| certificates_der(pem.as_bytes()));
            let certificates = certificates.transpose()?.unwrap_or_default();
            let signature = base64("signatures[].sig", &sig)?;
            signatures.push(EnvelopeSignature { key_id, signature, certificates });
        }
        Ok(Self { payload: base64("payload", &wire.payload)?, signatures })
    }

    /// The bytes that its signatures cover.
    pub(super) fn signed_bytes(&self) -> Vec<u8> {
        envelope::pae(&self.payload)
    }
}

/// Whether a document says that it is a Sigstore bundle.
pub(super) fn is_bundle(bytes: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Named {
        #[serde(rename = "mediaType")]
        _media_type: IgnoredAny,
    }
    serde_json::from_slice::<Named>(bytes).is_ok()
}

/// Either alphabet: DSSE has its readers take both.
fn base64(member: &'static str, text: &str) -> Result<Vec<u8>, InvalidEnvelope> {
    let engine = if text.contains(['-', '_']) { URL_SAFE } else { STANDARD };
    match engine.decode(text) {
        Ok(bytes) if bytes.is_empty() => Err(InvalidEnvelope::Empty { member }),
        Ok(bytes) => Ok(bytes),
        Err(error) => Err(InvalidEnvelope::Base64 { member, error }),
    }
}

/// The certificates of a PEM text, DER.
pub(super) fn certificates_der(pem: &[u8]) -> Result<Vec<Vec<u8>>, InvalidCertificate> {
    Ok(Certificate::from_file(pem)?.iter().map(|certificate| certificate.der().to_vec()).collect())
}

#[derive(Deserialize)]
struct BundleIn<'a> {
    #[serde(rename = "dsseEnvelope", borrow)]
    dsse_envelope: Option<Object<EnvelopeIn<'a>>>,
}

#[derive(Deserialize)]
struct EnvelopeIn<'a> {
    #[serde(borrow)]
    payload: Cow<'a, str>,
    #[serde(rename = "payloadType")]
    payload_type: String,
    signatures: Vec<Object<SignatureIn>>,
}

#[derive(Deserialize)]
struct SignatureIn {
    sig: String,
    keyid: Option<String>,
    cert: Option<String>,
}

/// Why a document is not an envelope with a statement in it.
#[derive(Debug, thiserror::Error)]
pub enum InvalidEnvelope {
    /// It is too long.
    #[error("expected an attestation of at most {MAX_ENVELOPE_BYTES} bytes, found a longer one")]
    TooLarge,
    /// It is not the JSON of an envelope.
    #[error("expected a DSSE envelope or a Sigstore bundle: {0}")]
    Json(#[from] InvalidJson),
    /// It is a bundle without an envelope.
    #[error("`dsseEnvelope`: expected an attestation, found a bundle of something else")]
    NoAttestation,
    /// What is in it is no in-toto statement.
    #[error("`payloadType`: expected `{PAYLOAD_TYPE}`, found `{found}`")]
    PayloadType {
        /// What was found.
        found: String,
    },
    /// Nobody signed it.
    #[error("`signatures`: expected at least one, found none")]
    NoSignature,
    /// It has more signatures than anybody needs.
    #[error("`signatures`: expected at most {MAX_SIGNATURES}, found {found}")]
    TooManySignatures {
        /// How many there are.
        found: usize,
    },
    /// A member is not Base64.
    #[error("`{member}`: expected Base64: {error}")]
    Base64 {
        /// The member.
        member: &'static str,
        /// What is wrong with it.
        #[source]
        error: base64::DecodeError,
    },
    /// A certificate beside a signature can't be read.
    #[error("`signatures[].cert`: {0}")]
    Certificate(#[from] InvalidCertificate),
    /// A member has nothing in it.
    #[error("`{member}`: expected some bytes, found none")]
    Empty {
        /// The member.
        member: &'static str,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    fn envelope(payload: &str, payload_type: &str, signatures: &str) -> Result<Envelope, InvalidEnvelope> {
        let text = format!(r#"{{"payload":"{payload}","payloadType":"{payload_type}","signatures":{signatures}}}"#);
        Envelope::parse(text.as_bytes())
    }

    #[test]
    fn both_alphabets_and_unknown_members_are_accepted() {
        let signatures =
            r#"[{"sig":"-_8=","keyid":""},{"sig":"+/8=","keyid":"k","x":1},{"sig":"AA==","keyid":null,"cert":""}]"#;
        let found = envelope("e30=", PAYLOAD_TYPE, signatures).expect("valid");
        let ids: Vec<Option<&str>> = found.signatures.iter().map(|one| one.key_id.as_deref()).collect();
        assert_eq!(ids, [None, Some("k"), None]);
        assert_eq!(found.signatures[0].signature, found.signatures[1].signature);
        assert_eq!(found.signed_bytes(), b"DSSEv1 28 application/vnd.in-toto+json 2 {}");
    }

    #[test]
    fn every_malformation_has_its_error() {
        let one = r#"[{"sig":"AA=="}]"#;
        assert!(
            matches!(envelope("e30=", "text/plain", one), Err(InvalidEnvelope::PayloadType { found }) if found == "text/plain")
        );
        assert!(matches!(envelope("e30=", PAYLOAD_TYPE, "[]"), Err(InvalidEnvelope::NoSignature)));
        let many = format!("[{}]", [r#"{"sig":"AA=="}"#; MAX_SIGNATURES + 1].join(","));
        assert!(matches!(envelope("e30=", PAYLOAD_TYPE, &many), Err(InvalidEnvelope::TooManySignatures { found: 17 })));
        for (payload, signatures) in [("e30", one), ("!", one), ("e30=", r#"[{"sig":"-/8="}]"#)] {
            assert!(matches!(envelope(payload, PAYLOAD_TYPE, signatures), Err(InvalidEnvelope::Base64 { .. })));
        }
        for (payload, signatures) in [("", one), ("e30=", r#"[{"sig":""}]"#)] {
            assert!(matches!(envelope(payload, PAYLOAD_TYPE, signatures), Err(InvalidEnvelope::Empty { .. })));
        }
        for text in ["", "{}", "[]", "null", "\u{0}", r#"{"payload":"e30=","payload":"e30="}"#] {
            assert!(matches!(Envelope::parse(text.as_bytes()), Err(InvalidEnvelope::Json(_))), "{text}");
        }
        let certificate = r#"[{"sig":"AA==","cert":"x"}]"#;
        assert!(matches!(envelope("e30=", PAYLOAD_TYPE, certificate), Err(InvalidEnvelope::Certificate(_))));
        let long = vec![b' '; usize::try_from(MAX_ENVELOPE_BYTES).expect("fits") + 1];
        assert!(matches!(Envelope::parse(&long), Err(InvalidEnvelope::TooLarge)));
    }
}
