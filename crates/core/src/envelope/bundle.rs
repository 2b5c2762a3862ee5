//! The Sigstore bundle around the envelope (OMS §4, §8.1).

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use super::json::{self, InvalidJson, Object};
use super::log_entry::LogEntryRecord;
use super::pae::PAYLOAD_TYPE;
use super::statement::{InvalidStatement, Statement};

/// The largest bundle that is read: 256 MiB, about a million files.
pub const MAX_BUNDLE_BYTES: u64 = 256 << 20;

/// The most certificates in a bundle.
const MAX_CERTIFICATES: usize = 32;
/// The most transparency log entries in a bundle.
const MAX_LOG_ENTRIES: usize = 16;
/// The most timestamps in a bundle.
const MAX_TIMESTAMPS: usize = 16;

const MEDIA_TYPE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";
/// The form of the same version that some clients write.
const MEDIA_TYPE_PARAMETER: &str = "application/vnd.dev.sigstore.bundle+json;version=0.3";
/// Those before it.
const OLDER_MEDIA_TYPES: [&str; 2] =
    ["application/vnd.dev.sigstore.bundle+json;version=0.1", "application/vnd.dev.sigstore.bundle+json;version=0.2"];

/// A parsed bundle. Its payload stays out of reach until a signature over it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bundle {
    material: Material,
    /// Shared with what is verified of it, not copied.
    payload: Arc<Vec<u8>>,
    signature: Vec<u8>,
    log_entries: Vec<LogEntryRecord>,
    timestamps: Vec<Vec<u8>>,
}

/// Who can have written a bundle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Writer {
    /// A tool that signs models.
    Ours,
    /// Any that signs attestations.
    Anybody,
}

/// What the bundle offers for checking its signature (OMS §4.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Material {
    /// The `key` method. The hint is the hex SHA-256 of the public key's PEM; bundles before v1.1.0 have none.
    PublicKey {
        /// `publicKey.hint`.
        hint: Option<String>,
    },
    /// The `certificate` method: DER certificates, the leaf first.
    CertificateChain(Vec<Vec<u8>>),
    /// The `sigstore` method: one DER certificate.
    Certificate(Vec<u8>),
}

impl Material {
    /// The signing method that has this material.
    #[must_use]
    pub const fn method(&self) -> &'static str {
        match self {
            Self::PublicKey { .. } => "key",
            Self::CertificateChain(_) => "certificate",
            Self::Certificate(_) => "sigstore",
        }
    }
}

impl Bundle {
    /// Puts a bundle together.
    #[must_use]
    pub(crate) fn new(
        payload: Vec<u8>,
        signature: Vec<u8>,
        material: Material,
        log_entries: Vec<LogEntryRecord>,
        timestamps: Vec<Vec<u8>>,
    ) -> Self {
        Self { material, payload: Arc::new(payload), signature, log_entries, timestamps }
    }

    /// Reads the file at `path`, at most [`MAX_BUNDLE_BYTES`] of it, and parses it.
    ///
    /// # Errors
    /// [`ReadBundleError`], naming the file.
    pub fn read(path: &Path) -> Result<Self, ReadBundleError> {
        let failed = |source| ReadBundleError::Io { path: path.to_owned(), source };
        let file = File::open(path).map_err(failed)?;
        let metadata = file.metadata().map_err(failed)?;
        if metadata.is_dir() {
            return Err(failed(io::ErrorKind::IsADirectory.into()));
        }
        let mut bytes = Vec::new();
        if metadata.len() <= MAX_BUNDLE_BYTES {
            file.take(MAX_BUNDLE_BYTES + 1).read_to_end(&mut bytes).map_err(failed)?;
        }
        let found = metadata.len().max(bytes.len() as u64);
        if found > MAX_BUNDLE_BYTES {
            return Err(ReadBundleError::Invalid { path: path.to_owned(), error: InvalidBundle::TooLarge { found } });
        }
        Self::parse(&bytes).map_err(|error| ReadBundleError::Invalid { path: path.to_owned(), error })
    }

    /// Parses a bundle (OMS §8.1).
    ///
    /// # Errors
    /// [`InvalidBundle`]: what is wrong, and where.
    pub fn parse(bytes: &[u8]) -> Result<Self, InvalidBundle> {
        Self::parse_of(bytes, Writer::Ours)
    }

    /// Parses a bundle (v0.1 to v0.3) that another tool may have written of something else than a model: members that are
    /// not known are passed over.
    pub(crate) fn parse_of_any_tool(bytes: &[u8]) -> Result<Self, InvalidBundle> {
        Self::parse_of(bytes, Writer::Anybody)
    }

    fn parse_of(bytes: &[u8], writer: Writer) -> Result<Self, InvalidBundle> {
        json::with_unique_members(bytes, || Self::of_unique_members(bytes, writer))
    }

    fn of_unique_members(bytes: &[u8], writer: Writer) -> Result<Self, InvalidBundle> {
        let mut unknown = None;
        let wire: BundleIn<'_> = json::parse_object(bytes, |path| {
            if !path.starts_with("verificationMaterial.") {
                unknown.get_or_insert(path);
            }
        })?;
        let is_older = || OLDER_MEDIA_TYPES.contains(&wire.media_type.as_str());
        match wire.media_type.as_str() {
            MEDIA_TYPE | MEDIA_TYPE_PARAMETER => {}
            _ if writer == Writer::Anybody && is_older() => {}
            _ => return Err(InvalidBundle::MediaType { found: wire.media_type }),
        }
        if writer == Writer::Ours
            && let Some(path) = unknown
        {
            return Err(InvalidBundle::UnknownMember { path });
        }
        let Object(envelope) = wire.dsse_envelope.ok_or(InvalidBundle::NoEnvelope)?;
        let Object(verification) = wire.verification_material.ok_or(InvalidBundle::NoVerificationMaterial)?;
        if envelope.payload_type != PAYLOAD_TYPE {
            return Err(InvalidBundle::PayloadType { found: envelope.payload_type });
        }
        let [Object(signature)] = envelope.signatures.as_slice() else {
            return Err(InvalidBundle::SignatureCount { found: envelope.signatures.len() });
        };
        let log_entries = verification.tlog_entries.unwrap_or_default();
        if log_entries.len() > MAX_LOG_ENTRIES {
            return Err(InvalidBundle::TooManyLogEntries { found: log_entries.len() });
        }
        Ok(Self {
            payload: Arc::new(base64_member("dsseEnvelope.payload", &envelope.payload)?),
            signature: base64_member("dsseEnvelope.signatures[0].sig", &signature.sig)?,
            log_entries: log_entries.into_iter().map(|Object(entry)| entry).collect(),
            timestamps: verification.timestamps.unwrap_or_default().0.check()?,
            material: verification.content.check()?,
        })
    }

    /// The bundle as JSON, compact.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        let wire = BundleOut {
            media_type: MEDIA_TYPE,
            verification_material: MaterialOut::of(&self.material, &self.log_entries, &self.timestamps),
            content: ContentOut::DsseEnvelope(self.envelope()),
        };
        // Growing would copy all of it several times.
        let mut json = Vec::with_capacity(self.payload.len().div_ceil(3) * 4 + 4_096);
        serde_json::to_writer(&mut json, &wire).expect("text always serialises");
        json
    }

    /// The DSSE envelope alone as JSON, for tools that read no bundles. What else is in the bundle is lost.
    #[must_use]
    pub fn to_envelope_json(&self) -> Vec<u8> {
        serde_json::to_vec(&self.envelope()).expect("text always serialises")
    }

    fn envelope(&self) -> EnvelopeOut<'static> {
        EnvelopeOut {
            payload: STANDARD.encode(self.payload.as_slice()),
            payload_type: PAYLOAD_TYPE,
            signatures: [SignatureOut { sig: STANDARD.encode(&self.signature), keyid: "" }],
        }
    }

    /// The same bundle, in which a certificate that stands alone is a chain of one.
    pub(crate) fn with_certificate_chain(self) -> Self {
        match self.material {
            Material::Certificate(leaf) => Self { material: Material::CertificateChain(vec![leaf]), ..self },
            Material::PublicKey { .. } | Material::CertificateChain(_) => self,
        }
    }

    /// What the bundle offers for checking its signature.
    #[must_use]
    pub fn material(&self) -> &Material {
        &self.material
    }

    /// The transparency log entries it carries, **unverified**.
    #[must_use]
    pub fn log_entries(&self) -> &[LogEntryRecord] {
        &self.log_entries
    }

    /// The RFC 3161 timestamps it carries, **unverified**.
    #[must_use]
    pub fn timestamps(&self) -> &[Vec<u8>] {
        &self.timestamps
    }

    /// What the bundle claims, **unverified**: for showing to a person, never for deciding.
    ///
    /// # Errors
    /// [`InvalidStatement`], as verification would find it.
    pub fn unverified_statement(&self) -> Result<Statement, InvalidStatement> {
        Statement::from_payload(&self.payload)
    }

    pub(crate) fn payload(&self) -> &Arc<Vec<u8>> {
        &self.payload
    }

    pub(crate) fn signature(&self) -> &[u8] {
        &self.signature
    }
}

/// A bundle of a bare signature over what has this SHA-256, as JSON.
pub(crate) fn artifact_bundle(
    sha256: &[u8],
    signature: &[u8],
    material: &Material,
    log_entries: &[LogEntryRecord],
    timestamps: &[Vec<u8>],
) -> Vec<u8> {
    let wire = BundleOut {
        media_type: MEDIA_TYPE,
        verification_material: MaterialOut::of(material, log_entries, timestamps),
        content: ContentOut::MessageSignature(MessageSignatureOut {
            message_digest: MessageDigestOut { algorithm: "SHA2_256", digest: STANDARD.encode(sha256) },
            signature: STANDARD.encode(signature),
        }),
    };
    serde_json::to_vec(&wire).expect("text always serialises")
}

fn base64_member(member: &'static str, text: &str) -> Result<Vec<u8>, InvalidBundle> {
    match STANDARD.decode(text) {
        Ok(bytes) if bytes.is_empty() => Err(InvalidBundle::EmptyMember { member }),
        Ok(bytes) => Ok(bytes),
        Err(error) => Err(InvalidBundle::Base64 { member, error }),
    }
}

#[derive(Deserialize)]
struct BundleIn<'a> {
    #[serde(rename = "mediaType", default)]
    media_type: String,
    #[serde(rename = "verificationMaterial")]
    verification_material: Option<Object<MaterialIn>>,
    #[serde(rename = "dsseEnvelope", borrow)]
    dsse_envelope: Option<Object<EnvelopeIn<'a>>>,
}

#[derive(Deserialize)]
struct MaterialIn {
    #[serde(flatten)]
    content: ContentIn,
    #[serde(rename = "tlogEntries")]
    tlog_entries: Option<Vec<Object<LogEntryRecord>>>,
    #[serde(rename = "timestampVerificationData")]
    timestamps: Option<Object<TimestampsIn>>,
}

#[derive(Deserialize)]
struct ContentIn {
    #[serde(rename = "publicKey")]
    public_key: Option<Object<PublicKeyIn>>,
    #[serde(rename = "x509CertificateChain")]
    certificate_chain: Option<Object<CertificateChainIn>>,
    certificate: Option<Object<CertificateIn>>,
}

#[derive(Deserialize)]
struct PublicKeyIn {
    hint: Option<String>,
    #[serde(rename = "rawBytes")]
    raw_bytes: Option<String>,
}

#[derive(Deserialize)]
struct CertificateChainIn {
    certificates: Vec<Object<CertificateIn>>,
}

#[derive(Deserialize)]
struct CertificateIn {
    #[serde(rename = "rawBytes")]
    raw_bytes: String,
}

#[derive(Default, Deserialize)]
struct TimestampsIn {
    #[serde(rename = "rfc3161Timestamps")]
    rfc3161_timestamps: Option<Vec<Object<TimestampIn>>>,
}

#[derive(Deserialize)]
struct TimestampIn {
    #[serde(rename = "signedTimestamp")]
    signed_timestamp: String,
}

impl TimestampsIn {
    fn check(self) -> Result<Vec<Vec<u8>>, InvalidBundle> {
        let timestamps = self.rfc3161_timestamps.unwrap_or_default();
        if timestamps.len() > MAX_TIMESTAMPS {
            return Err(InvalidBundle::TooManyTimestamps { found: timestamps.len() });
        }
        let member = "verificationMaterial.timestampVerificationData.rfc3161Timestamps[].signedTimestamp";
        timestamps.iter().map(|Object(timestamp)| base64_member(member, &timestamp.signed_timestamp)).collect()
    }
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
    /// Absent, `null` or a text; not used (OMS §4.1).
    #[serde(rename = "keyid")]
    _keyid: Option<String>,
}

impl ContentIn {
    fn check(self) -> Result<Material, InvalidBundle> {
        match (self.public_key, self.certificate_chain, self.certificate) {
            (Some(Object(key)), None, None) => match (key.hint, key.raw_bytes) {
                (None, None) => Err(InvalidBundle::NoKeyHint),
                (hint, _) => Ok(Material::PublicKey { hint: hint.filter(|hint| !hint.is_empty()) }),
            },
            (None, Some(Object(chain)), None) => {
                if chain.certificates.is_empty() {
                    return Err(InvalidBundle::EmptyMember { member: "verificationMaterial.x509CertificateChain" });
                }
                if chain.certificates.len() > MAX_CERTIFICATES {
                    return Err(InvalidBundle::TooManyCertificates { found: chain.certificates.len() });
                }
                let member = "verificationMaterial.x509CertificateChain.certificates[].rawBytes";
                let chain: Result<_, _> = chain
                    .certificates
                    .iter()
                    .map(|Object(certificate)| base64_member(member, &certificate.raw_bytes))
                    .collect();
                Ok(Material::CertificateChain(chain?))
            }
            (None, None, Some(Object(certificate))) => {
                let member = "verificationMaterial.certificate.rawBytes";
                Ok(Material::Certificate(base64_member(member, &certificate.raw_bytes)?))
            }
            (None, None, None) => Err(InvalidBundle::NoVerificationMaterial),
            _ => Err(InvalidBundle::SeveralMaterials),
        }
    }
}

#[derive(Serialize)]
struct BundleOut<'a> {
    #[serde(rename = "mediaType")]
    media_type: &'a str,
    #[serde(rename = "verificationMaterial")]
    verification_material: MaterialOut<'a>,
    #[serde(flatten)]
    content: ContentOut<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
enum ContentOut<'a> {
    DsseEnvelope(EnvelopeOut<'a>),
    MessageSignature(MessageSignatureOut),
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct MessageSignatureOut {
    message_digest: MessageDigestOut,
    signature: String,
}

#[derive(Serialize)]
struct MessageDigestOut {
    algorithm: &'static str,
    digest: String,
}

#[derive(Serialize)]
struct MaterialOut<'a> {
    #[serde(rename = "publicKey", skip_serializing_if = "Option::is_none")]
    public_key: Option<PublicKeyOut<'a>>,
    #[serde(rename = "x509CertificateChain", skip_serializing_if = "Option::is_none")]
    certificate_chain: Option<CertificateChainOut>,
    #[serde(skip_serializing_if = "Option::is_none")]
    certificate: Option<CertificateOut>,
    /// Always written: the Python tool needs the member.
    #[serde(rename = "tlogEntries")]
    tlog_entries: &'a [LogEntryRecord],
    #[serde(rename = "timestampVerificationData", skip_serializing_if = "Option::is_none")]
    timestamps: Option<TimestampsOut>,
}

#[derive(Serialize)]
struct TimestampsOut {
    #[serde(rename = "rfc3161Timestamps")]
    rfc3161_timestamps: Vec<TimestampOut>,
}

#[derive(Serialize)]
struct TimestampOut {
    #[serde(rename = "signedTimestamp")]
    signed_timestamp: String,
}

#[derive(Serialize)]
struct PublicKeyOut<'a> {
    hint: &'a str,
}

#[derive(Serialize)]
struct CertificateChainOut {
    certificates: Vec<CertificateOut>,
}

#[derive(Serialize)]
struct CertificateOut {
    #[serde(rename = "rawBytes")]
    raw_bytes: String,
}

impl CertificateOut {
    fn of(der: &Vec<u8>) -> Self {
        Self { raw_bytes: STANDARD.encode(der) }
    }
}

impl<'a> MaterialOut<'a> {
    fn of(material: &'a Material, log_entries: &'a [LogEntryRecord], timestamps: &[Vec<u8>]) -> Self {
        let out = |bytes: &Vec<u8>| TimestampOut { signed_timestamp: STANDARD.encode(bytes) };
        let timestamps = (!timestamps.is_empty())
            .then(|| TimestampsOut { rfc3161_timestamps: timestamps.iter().map(out).collect() });
        let empty = Self {
            public_key: None,
            certificate_chain: None,
            certificate: None,
            tlog_entries: log_entries,
            timestamps,
        };
        match material {
            Material::PublicKey { hint } => {
                Self { public_key: Some(PublicKeyOut { hint: hint.as_deref().unwrap_or_default() }), ..empty }
            }
            Material::CertificateChain(chain) => {
                let certificates = chain.iter().map(CertificateOut::of).collect();
                Self { certificate_chain: Some(CertificateChainOut { certificates }), ..empty }
            }
            Material::Certificate(certificate) => Self { certificate: Some(CertificateOut::of(certificate)), ..empty },
        }
    }
}

#[derive(Serialize)]
struct EnvelopeOut<'a> {
    payload: String,
    #[serde(rename = "payloadType")]
    payload_type: &'a str,
    signatures: [SignatureOut<'a>; 1],
}

#[derive(Serialize)]
struct SignatureOut<'a> {
    sig: String,
    keyid: &'a str,
}

/// Why a file has no bundle in it.
#[derive(Debug, thiserror::Error)]
pub enum ReadBundleError {
    /// The operating system refused.
    #[error("`{}` cannot be read: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The operating system's error.
        source: io::Error,
    },
    /// The file was read and is not a bundle.
    #[error("`{}` is not a signature bundle: {error}", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        #[source]
        error: InvalidBundle,
    },
}

/// Why a document is not a bundle.
#[derive(Debug, thiserror::Error)]
pub enum InvalidBundle {
    /// It is larger than any bundle that is read.
    #[error("expected at most {MAX_BUNDLE_BYTES} bytes, found {found}")]
    TooLarge {
        /// Its length in bytes, or that of the part that was read.
        found: u64,
    },
    /// It is not the JSON that was expected.
    #[error(transparent)]
    Json(#[from] InvalidJson),
    /// `mediaType` is not that of a Sigstore bundle v0.3.
    #[error("`mediaType`: expected `{MEDIA_TYPE}`, found `{found}`")]
    MediaType {
        /// What was found; empty if there is none.
        found: String,
    },
    /// A member that a bundle does not have.
    #[error("it has the member `{path}`, which OMS v1.0 bundles do not have")]
    UnknownMember {
        /// Where it is.
        path: String,
    },
    /// There is no `dsseEnvelope`.
    #[error("it has no `dsseEnvelope`")]
    NoEnvelope,
    /// `payloadType` is not that of an in-toto statement.
    #[error("`dsseEnvelope.payloadType`: expected `{PAYLOAD_TYPE}`, found `{found}`")]
    PayloadType {
        /// What was found.
        found: String,
    },
    /// Not exactly one signature.
    #[error("`dsseEnvelope.signatures`: expected exactly one, found {found}")]
    SignatureCount {
        /// The number of signatures.
        found: usize,
    },
    /// There is neither `publicKey` nor `x509CertificateChain` nor `certificate`.
    #[error(
        "`verificationMaterial`: expected `publicKey`, `x509CertificateChain` or `certificate`, found none of them"
    )]
    NoVerificationMaterial,
    /// More than one of these.
    #[error(
        "`verificationMaterial`: expected one of `publicKey`, `x509CertificateChain`, `certificate`, found several"
    )]
    SeveralMaterials,
    /// `publicKey` has neither `hint` nor `rawBytes`.
    #[error("`verificationMaterial.publicKey`: expected `hint` or `rawBytes`, found neither")]
    NoKeyHint,
    /// There are more certificates than any path needs.
    #[error(
        "`verificationMaterial.x509CertificateChain`: expected at most {MAX_CERTIFICATES} certificates, found {found}"
    )]
    TooManyCertificates {
        /// The number of certificates.
        found: usize,
    },
    /// There are more log entries than are looked at.
    #[error("`verificationMaterial.tlogEntries`: expected at most {MAX_LOG_ENTRIES}, found {found}")]
    TooManyLogEntries {
        /// The number of log entries.
        found: usize,
    },
    /// There are more timestamps than are looked at.
    #[error("`verificationMaterial.timestampVerificationData`: expected at most {MAX_TIMESTAMPS}, found {found}")]
    TooManyTimestamps {
        /// The number of timestamps.
        found: usize,
    },
    /// A member that must not be empty is.
    #[error("`{member}` is empty")]
    EmptyMember {
        /// Where it is.
        member: &'static str,
    },
    /// A member is not Base64.
    #[error("`{member}` is not Base64: {error}")]
    Base64 {
        /// Where it is.
        member: &'static str,
        /// What is wrong.
        error: base64::DecodeError,
    },
}
