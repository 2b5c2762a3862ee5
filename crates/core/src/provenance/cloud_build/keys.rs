//! The keys that Google Cloud Build signs provenance with.

use serde::Deserialize;

use crate::envelope::{InvalidJson, Object, parse_object, require_unique_members};
use crate::key::{InvalidKey, KeyAlgorithm, PublicKey};

/// The keys as Google publishes them: one for each region, and two global ones.
const EMBEDDED: &str = include_str!("keys.json");
/// The longest key file that is read, in bytes.
pub const MAX_KEYS_BYTES: usize = 1 << 20;

/// The keys that are trusted to sign for Cloud Build, each under the name that signatures call it by.
#[derive(Clone, Debug)]
pub struct CloudBuildKeys(Vec<TrustedKey>);

#[derive(Clone, Debug)]
pub(super) struct TrustedKey {
    pub(super) keyid: String,
    pub(super) form: SignatureForm,
    pub(super) predicate: Predicate,
    pub(super) key: PublicKey,
}

/// What a signature covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SignatureForm {
    /// The payload itself: what Cloud Build signed before it used DSSE as specified.
    Raw,
    /// The DSSE pre-authentication encoding of the payload.
    Pae,
}

/// The provenance format that a statement is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum Predicate {
    /// SLSA provenance v0.1.
    #[serde(rename = "https://slsa.dev/provenance/v0.1")]
    V0_1,
    /// SLSA provenance v1.
    #[serde(rename = "https://slsa.dev/provenance/v1")]
    V1,
}

impl Predicate {
    /// The predicate type as it stands in a statement.
    #[must_use]
    pub fn uri(self) -> &'static str {
        match self {
            Self::V0_1 => "https://slsa.dev/provenance/v0.1",
            Self::V1 => "https://slsa.dev/provenance/v1",
        }
    }
}

impl std::fmt::Display for Predicate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.uri())
    }
}

impl CloudBuildKeys {
    /// Parses `{"keys": [{"keyid", "form", "predicateType", "publicKey"}]}`: `form` is `raw` or `pae`, `publicKey` a PEM
    /// text with an ECDSA P-256 key.
    ///
    /// # Errors
    /// [`InvalidKeys`]: what is wrong, and with which key.
    pub fn from_json(json: &[u8]) -> Result<Self, InvalidKeys> {
        if json.len() > MAX_KEYS_BYTES {
            return Err(InvalidKeys::TooLarge { found: json.len() });
        }
        require_unique_members(json)?;
        let mut unknown = None;
        let file: KeysIn = parse_object(json, |path| {
            unknown.get_or_insert(path);
        })?;
        if let Some(path) = unknown {
            return Err(InvalidKeys::UnknownMember { path });
        }
        let mut keys: Vec<TrustedKey> = Vec::new();
        for Object(KeyIn { keyid, form, predicate, public_key }) in file.keys {
            if keyid.is_empty() {
                return Err(InvalidKeys::NoName);
            }
            if keys.iter().any(|key| key.keyid == keyid) {
                return Err(InvalidKeys::Twice { keyid });
            }
            if form == SignatureForm::Raw && predicate != Predicate::V0_1 {
                return Err(InvalidKeys::RawForm { keyid, predicate });
            }
            let key = match PublicKey::from_pem(public_key.as_bytes()) {
                Ok(key) => key,
                Err(source) => return Err(InvalidKeys::Key { keyid, source }),
            };
            if key.algorithm() != KeyAlgorithm::EcdsaP256 {
                return Err(InvalidKeys::Algorithm { keyid, found: key.algorithm() });
            }
            keys.push(TrustedKey { keyid, form, predicate, key });
        }
        if keys.is_empty() {
            return Err(InvalidKeys::Empty);
        }
        Ok(Self(keys))
    }

    /// The keys that this library was built with.
    ///
    /// # Panics
    /// Never: a test reads them.
    #[must_use]
    pub fn embedded() -> Self {
        Self::from_json(EMBEDDED.as_bytes()).expect("the embedded keys are valid")
    }

    /// How many keys there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.len()
    }

    pub(super) fn named(&self, keyid: &str) -> Option<&TrustedKey> {
        self.0.iter().find(|key| key.keyid == keyid)
    }
}

#[derive(Deserialize)]
struct KeysIn {
    keys: Vec<Object<KeyIn>>,
}

#[derive(Deserialize)]
struct KeyIn {
    keyid: String,
    form: SignatureForm,
    #[serde(rename = "predicateType")]
    predicate: Predicate,
    #[serde(rename = "publicKey")]
    public_key: String,
}

/// Why a text is not a list of Cloud Build keys.
#[derive(Debug, thiserror::Error)]
pub enum InvalidKeys {
    /// The text is too long.
    #[error("the key file has {found} bytes, expected at most {MAX_KEYS_BYTES}")]
    TooLarge {
        /// How many bytes it has.
        found: usize,
    },
    /// The text is not the JSON that was expected.
    #[error(transparent)]
    Json(#[from] InvalidJson),
    /// There is a member that means nothing here.
    #[error("expected only the known members, found `{path}`")]
    UnknownMember {
        /// Where it is.
        path: String,
    },
    /// There is no key.
    #[error("expected at least one key, found none")]
    Empty,
    /// A key has no name.
    #[error("expected a `keyid`, found an empty text")]
    NoName,
    /// Two keys have one name.
    #[error("`{keyid}`: expected one key, found more than one")]
    Twice {
        /// The name.
        keyid: String,
    },
    /// The raw form is for v0.1 alone.
    #[error("`{keyid}`: expected the form `pae` for {predicate}, found `raw`")]
    RawForm {
        /// The key's name.
        keyid: String,
        /// What it is said to sign.
        predicate: Predicate,
    },
    /// A key can't be read.
    #[error("`{keyid}`: {source}")]
    Key {
        /// The key's name.
        keyid: String,
        /// What is wrong with it.
        source: InvalidKey,
    },
    /// A key is of another kind than Cloud Build uses.
    #[error("`{keyid}`: expected an ECDSA P-256 key, found {found}")]
    Algorithm {
        /// The key's name.
        keyid: String,
        /// What it is.
        found: KeyAlgorithm,
    },
}
