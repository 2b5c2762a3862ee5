//! Provenance of container images by Google Cloud Build, as
//! `gcloud artifacts docker images describe --show-provenance --format json` prints it. Nothing is fetched.
//!
//! [`verify`] keeps the entries that a trusted key signed; [`VerifiedProvenance::check`] compares them with what is
//! expected of an image.
//!
//! An entry has the signed statement and, for people, a copy of it as JSON. The copy is compared as JSON values and must
//! be equal, with two differences that the service makes in v0.1: the copy has the predicate under `slsaProvenance`
//! alone, where the statement has it under `predicate` and may repeat it under `slsaProvenance`; and
//! `recipe.definedInMaterial`, which the service writes as text where the format has a number, is not compared. In v1
//! there is no difference.

mod check;
mod keys;
mod statement;
#[cfg(test)]
mod tests;
mod text_copy;
mod versioned_tag;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use serde::Deserialize;
use serde_json::Value;

pub use check::{CheckError, EntryMismatch, Expected, ImageDigest, InvalidExpectation, Mismatch};
pub use keys::{CloudBuildKeys, InvalidKeys, MAX_KEYS_BYTES, Predicate, SignatureForm};
pub use statement::{Builder, Facts, InvalidStatement, Source, Subject};
pub use text_copy::TextCopyError;
pub use versioned_tag::VersionedTag;

use crate::envelope::{InvalidJson, Object, PAYLOAD_TYPE, pae, parse_object, require_unique_members};

/// The longest file that is read, in bytes.
pub const MAX_FILE_BYTES: usize = 16 << 20;
/// The most entries that a file may have.
pub const MAX_ENTRIES: usize = 256;
/// The most signatures that an entry may have.
pub const MAX_SIGNATURES: usize = 16;

/// The entries of a file that verify. There is at least one.
#[derive(Debug)]
pub struct VerifiedProvenance {
    summary: ImageSummary,
    entries: Vec<VerifiedEntry>,
    skipped: Vec<Skipped>,
}

impl VerifiedProvenance {
    /// The entries that verify, in the order of the file.
    #[must_use]
    pub fn entries(&self) -> &[VerifiedEntry] {
        &self.entries
    }

    /// The entries that do not, and why.
    #[must_use]
    pub fn skipped(&self) -> &[Skipped] {
        &self.skipped
    }
}

/// What the file says about the image. No signature covers it.
#[derive(Debug, Deserialize)]
struct ImageSummary {
    digest: String,
    fully_qualified_digest: String,
}

/// An entry whose signature holds, whose statement is understood and whose copy is equal to it.
#[derive(Debug)]
pub struct VerifiedEntry {
    index: usize,
    keyid: String,
    resource_uri: String,
    payload: Vec<u8>,
    facts: Facts,
}

impl VerifiedEntry {
    /// Which entry of the file it is, from 0.
    #[must_use]
    pub fn index(&self) -> usize {
        self.index
    }

    /// The name of the key that signed it.
    #[must_use]
    pub fn keyid(&self) -> &str {
        &self.keyid
    }

    /// The statement, byte for byte as it was signed.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// What the statement says.
    #[must_use]
    pub fn facts(&self) -> &Facts {
        &self.facts
    }
}

/// Verifies every entry of `file` with `keys`.
///
/// The key is the one that the signature names; it also says what the signature covers and which format it signs.
///
/// # Errors
/// [`VerifyError`]: the file can't be read, or no entry verifies.
pub fn verify(file: &[u8], keys: &CloudBuildKeys) -> Result<VerifiedProvenance, VerifyError> {
    if file.len() > MAX_FILE_BYTES {
        return Err(VerifyError::TooLarge { found: file.len() });
    }
    require_unique_members(file)?;
    let FileIn { image_summary: Object(summary), provenance_summary: Object(list) } = parse_object(file, |_| {})?;
    if list.provenance.is_empty() {
        return Err(VerifyError::NoEntries);
    }
    if list.provenance.len() > MAX_ENTRIES {
        return Err(VerifyError::TooManyEntries { found: list.provenance.len() });
    }
    let mut entries = Vec::new();
    let mut skipped = Vec::new();
    for (index, entry) in list.provenance.into_iter().enumerate() {
        match verify_entry(index, entry, keys) {
            Ok(entry) => entries.push(entry),
            Err(reason) => skipped.push(Skipped { index, reason }),
        }
    }
    if entries.is_empty() {
        return Err(VerifyError::NoneVerifies { skipped });
    }
    Ok(VerifiedProvenance { summary, entries, skipped })
}

fn verify_entry(index: usize, entry: Value, keys: &CloudBuildKeys) -> Result<VerifiedEntry, EntryError> {
    let Object(entry) = Object::<EntryIn>::deserialize(entry).map_err(InvalidJson::from)?;
    let Object(envelope) = entry.envelope;
    if entry.kind != "BUILD" {
        return Err(EntryError::Kind { found: entry.kind });
    }
    if envelope.payload_type != PAYLOAD_TYPE {
        return Err(EntryError::PayloadType { found: envelope.payload_type });
    }
    let payload = decode(&envelope.payload).map_err(EntryError::PayloadEncoding)?;
    if payload.is_empty() {
        return Err(EntryError::EmptyPayload);
    }
    let (keyid, predicate) = verify_signatures(&payload, &envelope.signatures, keys)?;
    let (statement, facts) = statement::parse(&payload, predicate)?;
    text_copy::require_equal_copy(&statement, predicate, &entry.build)?;
    Ok(VerifiedEntry { index, keyid, resource_uri: entry.resource_uri, payload, facts })
}

/// The name of the first key whose signature holds, and what that key signs.
fn verify_signatures(
    payload: &[u8],
    signatures: &[Object<SignatureIn>],
    keys: &CloudBuildKeys,
) -> Result<(String, Predicate), EntryError> {
    if signatures.is_empty() {
        return Err(EntryError::NoSignatures);
    }
    if signatures.len() > MAX_SIGNATURES {
        return Err(EntryError::TooManySignatures { found: signatures.len() });
    }
    let mut refused = Vec::new();
    for Object(signature) in signatures {
        match verify_signature(payload, signature, keys) {
            Ok(predicate) => return Ok((signature.keyid.clone(), predicate)),
            Err(reason) => refused.push(RefusedSignature { keyid: signature.keyid.clone(), reason }),
        }
    }
    Err(EntryError::NoValidSignature { refused })
}

fn verify_signature(
    payload: &[u8],
    signature: &SignatureIn,
    keys: &CloudBuildKeys,
) -> Result<Predicate, SignatureError> {
    let trusted = keys.named(&signature.keyid).ok_or(SignatureError::UnknownKey)?;
    let bytes = decode(&signature.sig).map_err(SignatureError::Encoding)?;
    let scheme = match trusted.form {
        SignatureForm::Raw => trusted.key.verify(payload, &bytes),
        SignatureForm::Pae => trusted.key.verify(&pae(payload), &bytes),
    };
    scheme.map(|_| trusted.predicate).ok_or(SignatureError::DoesNotVerify)
}

/// Base64 in either alphabet: the service uses both.
fn decode(text: &str) -> Result<Vec<u8>, base64::DecodeError> {
    if text.contains(['-', '_']) { URL_SAFE.decode(text) } else { STANDARD.decode(text) }
}

#[derive(Deserialize)]
struct FileIn {
    image_summary: Object<ImageSummary>,
    provenance_summary: Object<ProvenanceSummaryIn>,
}

#[derive(Deserialize)]
struct ProvenanceSummaryIn {
    provenance: Vec<Value>,
}

#[derive(Deserialize)]
struct EntryIn {
    kind: String,
    #[serde(rename = "resourceUri")]
    resource_uri: String,
    build: Value,
    envelope: Object<EnvelopeIn>,
}

#[derive(Deserialize)]
struct EnvelopeIn {
    payload: String,
    #[serde(rename = "payloadType")]
    payload_type: String,
    signatures: Vec<Object<SignatureIn>>,
}

#[derive(Deserialize)]
struct SignatureIn {
    /// Empty where there is none: no key has that name.
    #[serde(default)]
    keyid: String,
    sig: String,
}

/// An entry that does not verify.
#[derive(Debug, thiserror::Error)]
#[error("entry {index}: {reason}")]
pub struct Skipped {
    /// Which entry of the file it is, from 0.
    pub index: usize,
    /// Why it does not verify.
    #[source]
    pub reason: EntryError,
}

/// Why no entry of a file was verified.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// The file is too long.
    #[error("the provenance has {found} bytes, expected at most {MAX_FILE_BYTES}")]
    TooLarge {
        /// How many bytes it has.
        found: usize,
    },
    /// The file is not the JSON that was expected.
    #[error(transparent)]
    Json(#[from] InvalidJson),
    /// There is nothing to verify.
    #[error("expected provenance entries, found none")]
    NoEntries,
    /// There are too many entries.
    #[error("expected at most {MAX_ENTRIES} provenance entries, found {found}")]
    TooManyEntries {
        /// How many there are.
        found: usize,
    },
    /// No entry verifies.
    #[error("expected a provenance entry that verifies, found none: {}", join(skipped))]
    NoneVerifies {
        /// Every entry, and why it does not.
        skipped: Vec<Skipped>,
    },
}

/// Why an entry does not verify.
#[derive(Debug, thiserror::Error)]
pub enum EntryError {
    /// The entry is not the JSON that was expected.
    #[error(transparent)]
    Json(#[from] InvalidJson),
    /// The entry is about something else than a build.
    #[error("`kind`: expected `BUILD`, found `{found}`")]
    Kind {
        /// What there is.
        found: String,
    },
    /// The payload is not an in-toto statement.
    #[error("`payloadType`: expected `{PAYLOAD_TYPE}`, found `{found}`")]
    PayloadType {
        /// What there is.
        found: String,
    },
    /// The payload is not base64.
    #[error("`payload`: expected base64: {0}")]
    PayloadEncoding(#[source] base64::DecodeError),
    /// The payload has no bytes.
    #[error("`payload`: expected a statement, found nothing")]
    EmptyPayload,
    /// There is no signature.
    #[error("expected a signature, found none")]
    NoSignatures,
    /// There are too many signatures.
    #[error("expected at most {MAX_SIGNATURES} signatures, found {found}")]
    TooManySignatures {
        /// How many there are.
        found: usize,
    },
    /// No signature holds.
    #[error("expected a signature that holds, found none: {}", join(refused))]
    NoValidSignature {
        /// Every signature, and why it does not.
        refused: Vec<RefusedSignature>,
    },
    /// The signature holds, and the statement is not one that is understood.
    #[error("the signed statement: {0}")]
    Statement(#[from] InvalidStatement),
    /// The signature holds, and the copy for people says something else.
    #[error("the copy of the statement: {0}")]
    TextCopy(#[from] TextCopyError),
}

/// A signature that does not hold.
#[derive(Debug, thiserror::Error)]
#[error("key `{keyid}`: {reason}")]
pub struct RefusedSignature {
    /// The key that it names.
    pub keyid: String,
    /// Why it does not hold.
    #[source]
    pub reason: SignatureError,
}

/// Why a signature does not hold.
#[derive(Debug, thiserror::Error)]
pub enum SignatureError {
    /// The key that it names is not trusted.
    #[error("expected the name of a trusted key, found another")]
    UnknownKey,
    /// The signature is not base64.
    #[error("expected base64: {0}")]
    Encoding(#[source] base64::DecodeError),
    /// The key did not sign this payload.
    #[error("the signature does not verify")]
    DoesNotVerify,
}

fn join<T: std::fmt::Display>(reasons: &[T]) -> String {
    reasons.iter().map(T::to_string).collect::<Vec<_>>().join("; ")
}
