//! A publication as a document: a trust configuration as other clients read it, with the proof in a member of its own.

use std::collections::BTreeMap;

use model_transparency::certificate::UnixTime;
use model_transparency::sigstore::{Instance, InvalidTrustConfig, TrustConfig};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::files::{self, Files};
use super::{Publication, SIGNING_CONFIG, TRUSTED_ROOT, TufRepository, prove, refusal};

const MEDIA_TYPE: &str = "application/vnd.dev.sigstore.clienttrustconfig.v0.1+json";

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    media_type: String,
    trusted_root: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    signing_config: Option<Value>,
    #[serde(rename = "published", skip_serializing_if = "Option::is_none")]
    proof: Option<Proof>,
}

#[derive(Serialize, Deserialize)]
struct Proof {
    /// The URL of the repository.
    by: String,
    /// When it was asked.
    refreshed: String,
    /// Metadata and targets, by the names that an updater gives them.
    files: BTreeMap<String, String>,
}

impl Document {
    fn to_json(&self) -> Vec<u8> {
        let mut bytes = serde_json::to_vec_pretty(self).expect("text and JSON always serialise");
        bytes.push(b'\n');
        bytes
    }
}

/// The document of `files`.
pub(super) fn render(repository: &str, refreshed: UnixTime, files: &Files) -> Result<Vec<u8>, InvalidTrustConfig> {
    let document = Document {
        media_type: MEDIA_TYPE.to_owned(),
        trusted_root: target(files, TRUSTED_ROOT)?.unwrap_or_default(),
        signing_config: target(files, SIGNING_CONFIG)?,
        proof: Some(Proof { by: repository.to_owned(), refreshed: refreshed.to_string(), files: files.texts() }),
    };
    Ok(document.to_json())
}

/// What this crate was built with as such a document, which has no proof.
#[must_use]
pub fn trust_config_json(instance: Instance) -> Vec<u8> {
    let parse = |json| serde_json::from_str(json).expect("what is built in is tested");
    let document = Document {
        media_type: MEDIA_TYPE.to_owned(),
        trusted_root: parse(instance.trusted_root_json()),
        signing_config: Some(parse(instance.signing_config_json())),
        proof: None,
    };
    document.to_json()
}

fn target(files: &Files, name: &str) -> Result<Option<Value>, InvalidTrustConfig> {
    let Some(bytes) = files.get(&files::target(name)) else { return Ok(None) };
    serde_json::from_slice(&bytes).map(Some).map_err(|error| InvalidTrustConfig::Json(error.into()))
}

impl Publication {
    /// The document: a trust configuration (`application/vnd.dev.sigstore.clienttrustconfig.v0.1+json`) with the proof
    /// in the member `published`, which other clients have no use for.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        render(&self.repository, self.refreshed, &self.files).expect("it was rendered before")
    }

    /// Reads such a document and proves it, from the root of `repository` on, as of the time when it was made.
    ///
    /// Who wrote it need not be trusted: at most it is of a time at which this was current, and names a time for that
    /// which the metadata bounds. For a private repository without a root, the document's own root is begun from, and
    /// then who wrote it is trusted.
    ///
    /// # Errors
    /// [`InvalidPublication`]: what is wrong.
    pub fn from_json(json: &[u8], repository: &TufRepository) -> Result<Self, InvalidPublication> {
        let config = TrustConfig::from_json(json)?;
        let document: Document =
            serde_json::from_slice(json).map_err(|error| InvalidTrustConfig::Json(error.into()))?;
        let Proof { by, refreshed, files } = document.proof.ok_or(InvalidPublication::NoProof)?;
        if by != repository.to_string() {
            return Err(InvalidPublication::OtherRepository { expected: repository.to_string(), found: by });
        }
        let refreshed = UnixTime::parse(&refreshed).ok_or(InvalidPublication::Time { found: refreshed })?;
        let files = Files::new(files.into_iter().map(|(name, text)| (name, text.into_bytes())).collect());
        let own = || files.get(files::ROOT).ok_or(InvalidPublication::NoProof);
        let root = repository.root.clone().map_or_else(own, Ok)?;
        let versions = prove(files.detached(), &root, &files, refreshed)
            .map_err(|error| InvalidPublication::Unproven { reason: refusal::reason(&error) })?;
        let proven = [
            ("trustedRoot", target(&files, TRUSTED_ROOT)?, Some(document.trusted_root)),
            ("signingConfig", target(&files, SIGNING_CONFIG)?, document.signing_config),
        ];
        if let Some((member, ..)) = proven.iter().find(|(_, proven, stated)| proven != stated) {
            return Err(InvalidPublication::Differs { member });
        }
        Ok(Self { repository: by, refreshed, versions, files, config })
    }
}

/// Why a document is not what a repository published.
#[derive(Debug, thiserror::Error)]
pub enum InvalidPublication {
    /// It is not a trust configuration that can be used.
    #[error(transparent)]
    Config(#[from] InvalidTrustConfig),
    /// It is one, and nothing shows who published it.
    #[error("`published`: expected the signed metadata of a TUF repository, found none")]
    NoProof,
    /// It is another repository's.
    #[error("`published.by`: expected `{expected}`, found `{found}`")]
    OtherRepository {
        /// Whose it should be.
        expected: String,
        /// Whose it says it is.
        found: String,
    },
    /// When it was published is no time.
    #[error("`published.refreshed`: expected a time (RFC 3339, UTC), found `{found}`")]
    Time {
        /// What was found.
        found: String,
    },
    /// The metadata does not prove it.
    #[error("`published`: the signed metadata is not believed: {reason}")]
    Unproven {
        /// What was expected, and what was found.
        reason: String,
    },
    /// What others would read is not what is proven.
    #[error("`{member}` is not what the signed metadata in `published` is about")]
    Differs {
        /// Where.
        member: &'static str,
    },
}
