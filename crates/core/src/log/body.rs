//! What a log's entry says was signed, and with what.

use std::borrow::Cow;
use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::LogEntryError;
use super::wire::Bytes;
use crate::certificate::Certificate;
use crate::envelope::{PAYLOAD_TYPE, pae, parse_object, require_unique_members};
use crate::key::PublicKey;

/// The kind and the version of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryKind {
    /// `dsse` 0.0.1, of Rekor v1: an envelope by the hash of its payload.
    DsseV001,
    /// `dsse` 0.0.2, of Rekor v2: the same.
    DsseV002,
    /// `hashedrekord` 0.0.2, of Rekor v2: whatever was signed by its hash; of an envelope that of its encoding.
    HashedRekordV002,
    /// `intoto` 0.0.1, of Rekor v1: an envelope by the hash of its JSON as the log got it. The signature is in that alone.
    IntotoV001,
    /// `intoto` 0.0.2, of Rekor v1: an envelope by the hash of its payload.
    IntotoV002,
}

impl EntryKind {
    const ALL: [Self; 5] = [Self::DsseV001, Self::DsseV002, Self::HashedRekordV002, Self::IntotoV001, Self::IntotoV002];

    /// The kind of entries over envelopes that is called so.
    pub(super) fn find(kind: &str, version: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.names() == (kind, version))
    }

    /// Whether it is one of Rekor v2, which gives no promises and no times.
    #[must_use]
    pub const fn is_rekor_v2(self) -> bool {
        matches!(self, Self::DsseV002 | Self::HashedRekordV002)
    }

    const fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::DsseV001 => ("dsse", "0.0.1"),
            Self::DsseV002 => ("dsse", "0.0.2"),
            Self::HashedRekordV002 => ("hashedrekord", "0.0.2"),
            Self::IntotoV001 => ("intoto", "0.0.1"),
            Self::IntotoV002 => ("intoto", "0.0.2"),
        }
    }
}

impl fmt::Display for EntryKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, version) = self.names();
        write!(f, "{kind}/{version}")
    }
}

/// The envelope that an entry has to be about: an in-toto statement in DSSE with one signature, which verifies.
#[derive(Clone, Copy, Debug)]
pub struct LoggedEnvelope<'a> {
    /// The payload.
    pub payload: &'a [u8],
    /// The signature over it.
    pub signature: &'a [u8],
    /// What it verified with.
    pub signer: LoggedSigner<'a>,
    /// The envelope's JSON, byte for byte as it was published, if there is such a thing: entries of `intoto` 0.0.1 are
    /// about it, and say nothing without it.
    pub text: Option<&'a [u8]>,
}

/// What a signature verified with.
#[derive(Clone, Copy, Debug)]
pub enum LoggedSigner<'a> {
    /// A key that is trusted as such.
    Key(&'a PublicKey),
    /// The key of this certificate, DER.
    Certificate(&'a [u8]),
}

/// The body of an entry, read.
pub(super) struct EntryBody {
    kind: EntryKind,
    digest: LoggedDigest,
    signatures: Vec<LoggedSignature>,
}

struct LoggedDigest {
    algorithm: String,
    value: Vec<u8>,
}

struct LoggedSignature {
    /// None where the digest is of the signature too.
    signature: Option<Vec<u8>>,
    verifier: Verifier,
}

/// What an entry says that a signature verifies with.
enum Verifier {
    Key(PublicKey),
    Certificate(Vec<u8>),
}

impl EntryBody {
    /// Reads a body that has to be of this kind.
    pub(super) fn parse(kind: EntryKind, bytes: &[u8]) -> Result<Self, LogEntryError> {
        require_unique_members(bytes).map_err(malformed)?;
        let body: BodyIn = parse_object(bytes, |_| {}).map_err(malformed)?;
        let (expected_kind, expected_version) = kind.names();
        if (body.kind.as_str(), body.api_version.as_str()) != (expected_kind, expected_version) {
            let found = format!("{}/{}", body.kind, body.api_version);
            return Err(malformed(format_args!("expected a body of kind {kind}, found {found}")));
        }
        let (digest, signatures) = match kind {
            EntryKind::DsseV001 => read_dsse_v1(body.spec)?,
            EntryKind::DsseV002 => read_dsse_v2(body.spec)?,
            EntryKind::HashedRekordV002 => read_hashedrekord_v2(body.spec)?,
            EntryKind::IntotoV001 => read_intoto_v1(body.spec)?,
            EntryKind::IntotoV002 => read_intoto(body.spec)?,
        };
        Ok(Self { kind, digest, signatures })
    }

    /// The one certificate that the entry names, DER.
    pub(super) fn certificate(self) -> Option<Vec<u8>> {
        let [LoggedSignature { verifier: Verifier::Certificate(der), .. }] =
            <[_; 1]>::try_from(self.signatures).ok()?
        else {
            return None;
        };
        Some(der)
    }

    /// Checks that the entry is about this envelope.
    pub(super) fn require_of(&self, envelope: &LoggedEnvelope<'_>) -> Result<(), LogEntryError> {
        let logged: Cow<'_, [u8]> = match self.kind {
            EntryKind::HashedRekordV002 => pae(envelope.payload).into(),
            EntryKind::DsseV001 | EntryKind::DsseV002 | EntryKind::IntotoV002 => envelope.payload.into(),
            EntryKind::IntotoV001 => {
                envelope.text.ok_or_else(|| LogEntryError::Kind { found: self.kind.to_string() })?.into()
            }
        };
        if self.digest.value != self.digest.of(&logged)? {
            return Err(LogEntryError::OtherPayload);
        }
        let [logged] = self.signatures.as_slice() else {
            return Err(malformed(format_args!("expected one signature, found {}", self.signatures.len())));
        };
        if logged.signature.as_ref().is_some_and(|signature| signature != envelope.signature) {
            return Err(LogEntryError::OtherSignature);
        }
        let is_signer = match (&logged.verifier, envelope.signer) {
            (Verifier::Key(logged), LoggedSigner::Key(key)) => logged == key,
            (Verifier::Certificate(logged), LoggedSigner::Certificate(der)) => logged == der,
            (Verifier::Key(_), LoggedSigner::Certificate(_)) | (Verifier::Certificate(_), LoggedSigner::Key(_)) => {
                false
            }
        };
        if is_signer { Ok(()) } else { Err(LogEntryError::OtherSigner) }
    }
}

impl LoggedDigest {
    /// The digest of `message` with the same algorithm.
    fn of(&self, message: &[u8]) -> Result<Vec<u8>, LogEntryError> {
        use aws_lc_rs::digest::{SHA256, SHA384, SHA512, digest};

        let algorithm = match self.algorithm.as_str() {
            "sha256" | "SHA2_256" => &SHA256,
            "sha384" | "SHA2_384" => &SHA384,
            "sha512" | "SHA2_512" => &SHA512,
            other => return Err(malformed(format_args!("expected SHA-256, SHA-384 or SHA-512, found `{other}`"))),
        };
        Ok(digest(algorithm, message).as_ref().to_vec())
    }
}

type Read = Result<(LoggedDigest, Vec<LoggedSignature>), LogEntryError>;

#[derive(Deserialize)]
struct BodyIn {
    #[serde(rename = "apiVersion")]
    api_version: String,
    kind: String,
    spec: Value,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct DsseV1In {
    payload_hash: HexDigestIn,
    signatures: Vec<DsseV1SignatureIn>,
}

#[derive(Deserialize)]
struct DsseV1SignatureIn {
    signature: Bytes,
    verifier: Bytes,
}

#[derive(Deserialize)]
struct HexDigestIn {
    algorithm: String,
    value: String,
}

fn read_dsse_v1(spec: Value) -> Read {
    let dsse: DsseV1In = shape(spec)?;
    Ok((dsse.payload_hash.read()?, dsse.signatures.into_iter().map(DsseV1SignatureIn::read).collect::<Result<_, _>>()?))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct IntotoV1In {
    content: IntotoV1ContentIn,
    public_key: Bytes,
}

/// There is a `payloadHash` too in all but the oldest.
#[derive(Deserialize)]
struct IntotoV1ContentIn {
    hash: HexDigestIn,
}

fn read_intoto_v1(spec: Value) -> Read {
    let IntotoV1In { content, public_key } = shape(spec)?;
    let signature = LoggedSignature { signature: None, verifier: Verifier::of_pem(&public_key.0)? };
    Ok((content.hash.read()?, vec![signature]))
}

#[derive(Deserialize)]
struct IntotoIn {
    content: IntotoContentIn,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct IntotoContentIn {
    envelope: IntotoEnvelopeIn,
    payload_hash: HexDigestIn,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct IntotoEnvelopeIn {
    payload_type: String,
    signatures: Vec<IntotoSignatureIn>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct IntotoSignatureIn {
    sig: Bytes,
    public_key: Bytes,
}

fn read_intoto(spec: Value) -> Read {
    let IntotoIn { content: IntotoContentIn { envelope, payload_hash } } = shape(spec)?;
    if envelope.payload_type != PAYLOAD_TYPE {
        return Err(malformed(format_args!("expected the payload type `{PAYLOAD_TYPE}`")));
    }
    Ok((payload_hash.read()?, envelope.signatures.into_iter().map(IntotoSignatureIn::read).collect::<Result<_, _>>()?))
}

#[derive(Deserialize)]
struct DigestIn {
    algorithm: String,
    digest: Bytes,
}

#[derive(Deserialize)]
struct SignatureIn {
    content: Bytes,
    verifier: VerifierIn,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct VerifierIn {
    public_key: Option<RawIn>,
    x509_certificate: Option<RawIn>,
}

#[derive(Deserialize)]
struct RawIn {
    #[serde(rename = "rawBytes")]
    raw_bytes: Bytes,
}

#[derive(Deserialize)]
struct DsseV2In {
    #[serde(rename = "dsseV002")]
    dsse: DsseV2DataIn,
}

#[derive(Deserialize)]
struct DsseV2DataIn {
    #[serde(rename = "payloadHash")]
    payload_hash: DigestIn,
    signatures: Vec<SignatureIn>,
}

fn read_dsse_v2(spec: Value) -> Read {
    let DsseV2In { dsse } = shape(spec)?;
    Ok((dsse.payload_hash.read(), dsse.signatures.into_iter().map(SignatureIn::read).collect::<Result<_, _>>()?))
}

#[derive(Deserialize)]
struct HashedRekordV2In {
    #[serde(rename = "hashedRekordV002")]
    record: HashedRekordV2DataIn,
}

#[derive(Deserialize)]
struct HashedRekordV2DataIn {
    data: DigestIn,
    signature: SignatureIn,
}

fn read_hashedrekord_v2(spec: Value) -> Read {
    let HashedRekordV2In { record } = shape(spec)?;
    Ok((record.data.read(), vec![record.signature.read()?]))
}

impl DsseV1SignatureIn {
    fn read(self) -> Result<LoggedSignature, LogEntryError> {
        Ok(LoggedSignature { signature: Some(self.signature.0), verifier: Verifier::of_pem(&self.verifier.0)? })
    }
}

impl IntotoSignatureIn {
    fn read(self) -> Result<LoggedSignature, LogEntryError> {
        // The log keeps the signature as the envelope has it: in Base64, and that once more.
        let signature = STANDARD.decode(&self.sig.0).map_err(malformed)?;
        Ok(LoggedSignature { signature: Some(signature), verifier: Verifier::of_pem(&self.public_key.0)? })
    }
}

impl HexDigestIn {
    fn read(self) -> Result<LoggedDigest, LogEntryError> {
        let value =
            base16ct::lower::decode_vec(&self.value).map_err(|_| malformed("a digest is not lower-case hex"))?;
        Ok(LoggedDigest { algorithm: self.algorithm, value })
    }
}

impl DigestIn {
    fn read(self) -> LoggedDigest {
        LoggedDigest { algorithm: self.algorithm, value: self.digest.0 }
    }
}

impl SignatureIn {
    fn read(self) -> Result<LoggedSignature, LogEntryError> {
        let verifier = match (self.verifier.public_key, self.verifier.x509_certificate) {
            (Some(key), None) => Verifier::Key(PublicKey::from_spki(&key.raw_bytes.0).map_err(malformed)?),
            (None, Some(certificate)) => Verifier::Certificate(certificate.raw_bytes.0),
            (Some(_), Some(_)) | (None, None) => return Err(malformed("expected a public key or a certificate")),
        };
        Ok(LoggedSignature { signature: Some(self.content.0), verifier })
    }
}

impl Verifier {
    /// A public key or a certificate in PEM.
    fn of_pem(pem: &[u8]) -> Result<Self, LogEntryError> {
        let Ok(certificates) = Certificate::from_file(pem) else {
            return PublicKey::from_pem(pem).map(Self::Key).map_err(malformed);
        };
        match certificates.as_slice() {
            [only] => Ok(Self::Certificate(only.der().to_vec())),
            several => Err(malformed(format_args!("expected one certificate, found {}", several.len()))),
        }
    }
}

fn shape<T: DeserializeOwned>(spec: Value) -> Result<T, LogEntryError> {
    serde_json::from_value(spec).map_err(malformed)
}

fn malformed(reason: impl fmt::Display) -> LogEntryError {
    LogEntryError::Malformed { reason: format!("its body: {reason}") }
}

#[cfg(test)]
mod tests {
    use model_hash::HashAlgorithm;

    use super::*;

    #[test]
    fn digests_are_those_of_the_hash_crate() {
        let digest = LoggedDigest { algorithm: "sha256".to_owned(), value: Vec::new() };
        let expected = HashAlgorithm::Sha256.digest(b"payload").to_hex();
        let found = digest.of(b"payload").expect("known");
        assert_eq!(base16ct::lower::encode_string(&found), expected);
        for (algorithm, length) in [("SHA2_256", 32), ("SHA2_384", 48), ("SHA2_512", 64), ("sha512", 64)] {
            let digest = LoggedDigest { algorithm: algorithm.to_owned(), value: Vec::new() };
            assert_eq!(digest.of(b"").map(|digest| digest.len()), Ok(length), "{algorithm}");
        }
        let weak = LoggedDigest { algorithm: "sha1".to_owned(), value: Vec::new() };
        assert!(matches!(weak.of(b""), Err(LogEntryError::Malformed { .. })));
    }
}
