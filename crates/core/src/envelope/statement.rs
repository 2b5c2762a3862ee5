//! The in-toto statement that carries a manifest (OMS §5, §6.5, §6.6).

use std::borrow::Cow;
use std::num::NonZeroU64;

use model_hash::{Digest, HashAlgorithm, InvalidDigest};
use serde::{Deserialize, Serialize};

use super::json::{self, InvalidJson, Object};
use crate::compat;
use crate::manifest::{InvalidManifest, InvalidShardName, Manifest, Parameters, Resource, Serialization};
use crate::model::{InvalidPath, ModelPath, SymlinkPolicy};

/// `_type` of an in-toto statement v1.
const STATEMENT_TYPE: &str = "https://in-toto.io/Statement/v1";
/// `predicateType` of OMS v1.0.
const PREDICATE_TYPE: &str = "https://model_signing/signature/v1.0";
/// `predicateType` of any OMS v1, before its minor number.
const PREDICATE_TYPE_V1: &str = "https://model_signing/signature/v1.";

/// What was signed: a model's name and its manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    model_name: String,
    manifest: Manifest,
    format: FormatVersion,
}

/// The version of the format that a statement is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FormatVersion {
    /// OMS v1, with its minor number.
    V1 {
        /// 0 for v1.0.
        minor: u32,
    },
    /// The format of the reference implementation v0.2.0, with the files as subjects.
    V0_2,
}

impl std::fmt::Display for FormatVersion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::V1 { minor } => write!(f, "OMS v1.{minor}"),
            Self::V0_2 => f.write_str("model_signing v0.2.0 (before OMS)"),
        }
    }
}

/// What a resource takes in JSON besides its name, with a digest of 32 bytes.
const RESOURCE_BYTES: usize = 112;

impl Statement {
    /// A statement of OMS v1.0.
    #[must_use]
    pub fn new(model_name: String, manifest: Manifest) -> Self {
        Self { model_name, manifest, format: FormatVersion::V1 { minor: 0 } }
    }

    /// `subject[0].name`: informational, no check relies on it.
    #[must_use]
    pub fn model_name(&self) -> &str {
        &self.model_name
    }

    /// The resources and how they were made.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The version of the format.
    #[must_use]
    pub fn format(&self) -> FormatVersion {
        self.format
    }

    /// The payload of the envelope: compact JSON.
    pub(crate) fn to_payload(&self) -> Vec<u8> {
        let parameters = self.manifest.parameters();
        let wire = StatementOut {
            statement_type: STATEMENT_TYPE,
            subject: [SubjectOut {
                name: &self.model_name,
                digest: DigestSetOut { sha256: self.manifest.root_digest().to_hex() },
            }],
            predicate_type: PREDICATE_TYPE,
            predicate: PredicateOut {
                resources: ResourcesOut(self.manifest.resources()),
                serialization: SerializationOut {
                    method: parameters.serialization.method(),
                    hash_type: parameters.hash.identifier(),
                    shard_size: match parameters.serialization {
                        Serialization::Files => None,
                        Serialization::Shards { size_bytes } => Some(size_bytes),
                    },
                    allow_symlinks: parameters.symlinks == SymlinkPolicy::Allow,
                    ignore_paths: &parameters.ignore_paths,
                },
            },
        };
        // About what each resource takes; growing would copy all of it several times.
        let resources = self.manifest.resources();
        let about = resources.iter().map(|resource| resource.name().len() + RESOURCE_BYTES).sum::<usize>() + 1_024;
        let mut payload = Vec::with_capacity(about);
        serde_json::to_writer(&mut payload, &wire).expect("text, numbers and booleans always serialise");
        payload
    }

    /// Parses a payload and checks that it is consistent (OMS §8.3).
    ///
    /// # Errors
    /// [`InvalidStatement`]: what is wrong, and where.
    pub(crate) fn from_payload(payload: &[u8]) -> Result<Self, InvalidStatement> {
        json::with_unique_members(payload, || Self::from_unique_members(payload))
    }

    fn from_unique_members(payload: &[u8]) -> Result<Self, InvalidStatement> {
        let header: Header = json::parse_object(payload, |_| {})?;
        if header.statement_type != STATEMENT_TYPE {
            return Err(InvalidStatement::StatementType { found: header.statement_type });
        }
        if header.predicate_type == compat::PREDICATE_TYPE_V0_2 {
            return compat::statement_v0_2(payload);
        }
        let minor = minor_version(&header.predicate_type)
            .ok_or(InvalidStatement::PredicateType { found: header.predicate_type })?;
        let mut ignored = Vec::new();
        let wire: StatementIn = json::parse_object(payload, |path| {
            if !is_open(&path) {
                ignored.push(path);
            }
        })?;
        // A later minor version may have added members that an older verifier can do without; v1.0 has none.
        if minor == 0
            && let Some(path) = ignored.into_iter().next()
        {
            return Err(InvalidStatement::UnknownMember { path });
        }
        wire.check(minor)
    }

    pub(crate) fn of_v0_2(manifest: Manifest) -> Self {
        Self { model_name: "(not recorded)".to_owned(), manifest, format: FormatVersion::V0_2 }
    }
}

/// `N` of `https://model_signing/signature/v1.N`.
fn minor_version(predicate_type: &str) -> Option<u32> {
    let minor = predicate_type.strip_prefix(PREDICATE_TYPE_V1)?;
    let canonical = minor.bytes().all(|byte| byte.is_ascii_digit()) && (minor == "0" || !minor.starts_with('0'));
    if canonical { minor.parse().ok() } else { None }
}

/// Whether unknown members are allowed at `path` in every version: in resource descriptors (§5.2.1) and subjects.
fn is_open(path: &str) -> bool {
    path.starts_with("predicate.resources.") || path.starts_with("subject.")
}

#[derive(Deserialize)]
struct Header {
    #[serde(rename = "_type")]
    statement_type: String,
    #[serde(rename = "predicateType")]
    predicate_type: String,
}

#[derive(Deserialize)]
struct StatementIn<'a> {
    #[serde(rename = "_type")]
    _statement_type: String,
    #[serde(rename = "predicateType")]
    _predicate_type: String,
    subject: Vec<Object<SubjectIn>>,
    #[serde(borrow)]
    predicate: Option<Object<PredicateIn<'a>>>,
}

#[derive(Deserialize)]
struct SubjectIn {
    name: String,
    digest: std::collections::BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct PredicateIn<'a> {
    #[serde(borrow)]
    resources: Vec<Object<ResourceIn<'a>>>,
    serialization: Object<SerializationIn>,
}

#[derive(Deserialize)]
struct ResourceIn<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(borrow)]
    digest: Cow<'a, str>,
    #[serde(borrow)]
    algorithm: Cow<'a, str>,
}

#[derive(Deserialize)]
struct SerializationIn {
    method: String,
    hash_type: String,
    shard_size: Option<serde_json::Number>,
    allow_symlinks: bool,
    #[serde(default)]
    ignore_paths: Vec<String>,
}

impl StatementIn<'_> {
    fn check(self, minor: u32) -> Result<Statement, InvalidStatement> {
        let Some(Object(predicate)) = self.predicate else {
            return Err(InvalidStatement::NoPredicate);
        };
        let [Object(subject)] = self.subject.as_slice() else {
            return Err(InvalidStatement::SubjectCount { found: self.subject.len() });
        };
        if subject.name.is_empty() {
            return Err(InvalidStatement::SubjectName);
        }
        let Some(stated) = subject.digest.get("sha256") else {
            return Err(InvalidStatement::NoRootDigest);
        };
        let stated = Digest::from_hex(HashAlgorithm::Sha256, stated).map_err(InvalidStatement::RootDigestForm)?;
        let manifest = predicate.check()?;
        let computed = manifest.root_digest();
        if computed != stated {
            return Err(InvalidStatement::RootDigest { stated: stated.to_hex(), computed: computed.to_hex() });
        }
        Ok(Statement { model_name: subject.name.clone(), manifest, format: FormatVersion::V1 { minor } })
    }
}

impl PredicateIn<'_> {
    fn check(self) -> Result<Manifest, InvalidStatement> {
        let parameters = self.serialization.0.check()?;
        let names_itself = |Object(resource): &Object<ResourceIn<'_>>| {
            compat::names_single_file(&resource.name, parameters.serialization)
        };
        let single = self.resources.iter().all(names_itself);
        let resources: Result<Vec<Resource>, InvalidStatement> =
            self.resources.into_iter().map(|Object(resource)| resource.check(&parameters, single)).collect();
        Ok(Manifest::new(resources?, parameters)?)
    }
}

impl SerializationIn {
    fn check(self) -> Result<Parameters, InvalidStatement> {
        let Some(hash) = HashAlgorithm::from_identifier(&self.hash_type) else {
            return Err(InvalidStatement::UnknownHash { found: self.hash_type });
        };
        let serialization = match (self.method.as_str(), self.shard_size) {
            ("files", None) => Serialization::Files,
            ("files", Some(_)) => return Err(InvalidStatement::UnexpectedShardSize),
            ("shards", None) => return Err(InvalidStatement::NoShardSize),
            ("shards", Some(size)) => {
                let size_bytes =
                    shard_size_bytes(&size).ok_or(InvalidStatement::ShardSize { found: size.to_string() })?;
                Serialization::Shards { size_bytes }
            }
            _ => return Err(InvalidStatement::UnknownMethod { found: self.method }),
        };
        let symlinks = if self.allow_symlinks { SymlinkPolicy::Allow } else { SymlinkPolicy::Deny };
        Ok(Parameters { serialization, hash, symlinks, ignore_paths: self.ignore_paths })
    }
}

fn shard_size_bytes(size: &serde_json::Number) -> Option<NonZeroU64> {
    size.as_u64().or_else(|| compat::shard_size_as_float(size)).and_then(NonZeroU64::new)
}

impl ResourceIn<'_> {
    fn check(self, parameters: &Parameters, single: bool) -> Result<Resource, InvalidStatement> {
        let Self { name, digest, algorithm } = self;
        let owned = || name.clone().into_owned();
        if algorithm != parameters.hash.identifier() && !compat::is_shard_algorithm(&algorithm, parameters) {
            let expected = parameters.hash;
            return Err(InvalidManifest::Algorithm { name: owned(), expected, found: algorithm.into_owned() }.into());
        }
        let digest = match Digest::from_hex(parameters.hash, &digest) {
            Ok(digest) => digest,
            Err(error) => return Err(InvalidStatement::ResourceDigest { name: owned(), error }),
        };
        if single && let Some(resource) = compat::resource_of_single_file(&name, &digest, parameters.serialization) {
            return Ok(resource);
        }
        match parameters.serialization {
            Serialization::Files => match ModelPath::parse(&name) {
                Ok(path) => Ok(Resource::file(&path, digest)),
                Err(error) => Err(InvalidStatement::ResourceName { name: owned(), error }),
            },
            Serialization::Shards { .. } => Resource::from_shard_name(&name, digest)
                .map_err(|error| InvalidStatement::ShardName { name: owned(), error }),
        }
    }
}

#[derive(Serialize)]
struct StatementOut<'a> {
    #[serde(rename = "_type")]
    statement_type: &'a str,
    subject: [SubjectOut<'a>; 1],
    #[serde(rename = "predicateType")]
    predicate_type: &'a str,
    predicate: PredicateOut<'a>,
}

#[derive(Serialize)]
struct SubjectOut<'a> {
    name: &'a str,
    digest: DigestSetOut,
}

#[derive(Serialize)]
struct DigestSetOut {
    sha256: String,
}

#[derive(Serialize)]
struct PredicateOut<'a> {
    resources: ResourcesOut<'a>,
    serialization: SerializationOut<'a>,
}

/// The descriptors, made one at a time while they are written: a model may have a million files.
struct ResourcesOut<'a>(&'a [Resource]);

impl Serialize for ResourcesOut<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(|resource| ResourceOut {
            name: resource.name(),
            digest: resource.digest().to_hex(),
            algorithm: resource.digest().algorithm().identifier(),
        }))
    }
}

#[derive(Serialize)]
struct ResourceOut<'a> {
    name: &'a str,
    digest: String,
    algorithm: &'a str,
}

#[derive(Serialize)]
struct SerializationOut<'a> {
    method: &'a str,
    hash_type: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    shard_size: Option<NonZeroU64>,
    allow_symlinks: bool,
    ignore_paths: &'a [String],
}

/// Why a signed payload is not a statement about a model.
#[derive(Debug, thiserror::Error)]
pub enum InvalidStatement {
    /// The payload is not the JSON that was expected.
    #[error("the signed statement is {0}")]
    Json(#[from] InvalidJson),
    /// `_type` is not that of in-toto v1.
    #[error("the signed statement's `_type`: expected `{STATEMENT_TYPE}`, found `{found}`")]
    StatementType {
        /// What was found.
        found: String,
    },
    /// `predicateType` is not one of OMS v1.
    #[error("the signed statement's `predicateType`: expected `{PREDICATE_TYPE}`, found `{found}`")]
    PredicateType {
        /// What was found.
        found: String,
    },
    /// A member that OMS v1.0 does not have.
    #[error("the signed statement has the member `{path}`, which OMS v1.0 does not know")]
    UnknownMember {
        /// Where it is.
        path: String,
    },
    /// There is no `predicate`.
    #[error("the signed statement has no `predicate`")]
    NoPredicate,
    /// Not exactly one subject (OMS §6.5).
    #[error("the signed statement's `subject`: expected exactly one entry, found {found}")]
    SubjectCount {
        /// The number of subjects.
        found: usize,
    },
    /// The subject's name is empty (OMS §6.5).
    #[error("the signed statement's `subject` has an empty name")]
    SubjectName,
    /// The subject has no `sha256` digest (OMS §6.5.1).
    #[error("the signed statement's `subject` has no `sha256` digest")]
    NoRootDigest,
    /// The subject's digest is not one.
    #[error("the signed statement's root digest: {0}")]
    RootDigestForm(#[source] InvalidDigest),
    /// The subject's digest is not that of the resources.
    #[error("the signed statement's root digest: expected {computed} from its resources, found {stated}")]
    RootDigest {
        /// The digest in the subject.
        stated: String,
        /// The digest computed over the resources.
        computed: String,
    },
    /// `method` is neither `files` nor `shards`.
    #[error("the signed statement's `method`: expected `files` or `shards`, found `{found}`")]
    UnknownMethod {
        /// What was found.
        found: String,
    },
    /// `hash_type` is not in the OMS algorithm registry.
    #[error("the signed statement's `hash_type`: expected `sha256`, `blake2b` or `blake3`, found `{found}`")]
    UnknownHash {
        /// What was found.
        found: String,
    },
    /// `shards` without `shard_size`.
    #[error("the signed statement's `method` is `shards`, and it has no `shard_size`")]
    NoShardSize,
    /// `files` with `shard_size`.
    #[error("the signed statement's `method` is `files`, and it has a `shard_size` all the same")]
    UnexpectedShardSize,
    /// `shard_size` is not a positive integer.
    #[error("the signed statement's `shard_size`: expected a positive integer, found {found}")]
    ShardSize {
        /// What was found.
        found: String,
    },
    /// A resource's digest is not one.
    #[error("resource `{name}`: {error}")]
    ResourceDigest {
        /// The resource.
        name: String,
        /// What is wrong.
        error: InvalidDigest,
    },
    /// A resource's name is not canonical (OMS §6.1.2).
    #[error("resource `{name}`: {error}")]
    ResourceName {
        /// The resource.
        name: String,
        /// The rule it breaks.
        error: InvalidPath,
    },
    /// A resource's name is not that of a shard (OMS §6.3.2).
    #[error("shard `{name}`: {error}")]
    ShardName {
        /// The resource.
        name: String,
        /// What is wrong.
        error: InvalidShardName,
    },
    /// The resources do not make a manifest.
    #[error(transparent)]
    Manifest(#[from] InvalidManifest),
    /// A v0.2.0 statement says that its digests are not of whole files.
    #[error("subject `{name}`: expected the hash algorithm `file-sha256` of the v0.2.0 format, found `{found}`")]
    AlgorithmV0_2 {
        /// The subject.
        name: String,
        /// What was found.
        found: String,
    },
    /// The signature covers the encoding of v0.2.0, and the statement is not one of v0.2.0.
    #[error(
        "the signature covers the malformed encoding of model_signing v0.2.0, which its own statements alone may use"
    )]
    EncodingV0_2,
}
