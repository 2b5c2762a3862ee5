//! All that a client needs of an instance in one document (`ClientTrustConfig`).

use serde::Deserialize;
use serde_json::Value;

use super::{InvalidSigningConfig, SigningConfig, TrustedRoot};
use crate::envelope::{InvalidJson, require_unique_members};
use crate::trust::InvalidTrustedRoot;

/// The largest trust configuration that is read, in bytes.
pub const MAX_TRUST_CONFIG_BYTES: usize = 8 << 20;

const MEDIA_TYPE: &str = "application/vnd.dev.sigstore.clienttrustconfig.v0.1+json";

/// What to verify with and what to sign with, of one instance.
#[derive(Clone, Debug)]
pub struct TrustConfig {
    /// Whose certificates, logs and timestamps count.
    pub root: TrustedRoot,
    /// The services to sign with; a document for verifiers may have none.
    pub signing: Option<SigningConfig>,
}

impl TrustConfig {
    /// Reads a trust configuration (`application/vnd.dev.sigstore.clienttrustconfig.v0.1+json`).
    ///
    /// # Errors
    /// [`InvalidTrustConfig`]: what is wrong, and in which part.
    pub fn from_json(json: &[u8]) -> Result<Self, InvalidTrustConfig> {
        if json.len() > MAX_TRUST_CONFIG_BYTES {
            return Err(InvalidTrustConfig::TooLarge);
        }
        require_unique_members(json)?;
        let config: ConfigIn = serde_json::from_slice(json).map_err(InvalidJson::Shape)?;
        if config.media_type != MEDIA_TYPE {
            return Err(InvalidTrustConfig::MediaType { found: config.media_type });
        }
        let root = config.trusted_root.ok_or(InvalidTrustConfig::NoTrustedRoot)?;
        let root = TrustedRoot::from_json(root.to_string().as_bytes())?;
        let signing = config.signing_config.map(|config| SigningConfig::from_json(config.to_string().as_bytes()));
        Ok(Self { root, signing: signing.transpose()? })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ConfigIn {
    #[serde(default)]
    media_type: String,
    trusted_root: Option<Value>,
    signing_config: Option<Value>,
}

/// Why a document is not a trust configuration that can be used.
#[derive(Debug, thiserror::Error)]
pub enum InvalidTrustConfig {
    /// It is larger than any that is read.
    #[error("expected at most {MAX_TRUST_CONFIG_BYTES} bytes")]
    TooLarge,
    /// It is not the JSON that was expected.
    #[error("not a trust configuration: {0}")]
    Json(#[from] InvalidJson),
    /// It is another kind of document, or another version.
    #[error("`mediaType`: expected `{MEDIA_TYPE}`, found `{found}`")]
    MediaType {
        /// What was found; empty if there is none.
        found: String,
    },
    /// It says nothing about whom to trust.
    #[error("`trustedRoot`: expected a trusted root, found none")]
    NoTrustedRoot,
    /// Its trusted root can't be used.
    #[error("`trustedRoot`: {0}")]
    TrustedRoot(#[from] InvalidTrustedRoot),
    /// Its signing configuration can't be used.
    #[error("`signingConfig`: {0}")]
    SigningConfig(#[from] InvalidSigningConfig),
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::sigstore::Instance;

    fn config() -> Value {
        let parse = |json: &str| serde_json::from_str::<Value>(json).expect("JSON");
        json!({
            "mediaType": MEDIA_TYPE,
            "trustedRoot": parse(Instance::Staging.trusted_root_json()),
            "signingConfig": parse(Instance::Staging.signing_config_json()),
        })
    }

    fn error(change: impl FnOnce(&mut Value)) -> String {
        let mut config = config();
        change(&mut config);
        TrustConfig::from_json(config.to_string().as_bytes()).expect_err("refused").to_string()
    }

    #[test]
    fn both_parts_are_read() {
        let read = TrustConfig::from_json(config().to_string().as_bytes()).expect("a trust configuration");
        assert!(!read.root.timestamp_authorities().is_empty());
        assert!(read.signing.is_some());

        let mut for_verifiers = config();
        for_verifiers.as_object_mut().expect("an object").remove("signingConfig");
        let read = TrustConfig::from_json(for_verifiers.to_string().as_bytes()).expect("a trust configuration");
        assert!(read.signing.is_none());
    }

    #[test]
    fn what_is_wrong_is_named() {
        assert!(error(|config| config["mediaType"] = "text/plain".into()).contains("found `text/plain`"));
        assert!(error(|config| config["trustedRoot"] = Value::Null).contains("found none"));
        assert!(error(|config| config["trustedRoot"]["mediaType"] = "x".into()).starts_with("`trustedRoot`: "));
        let selector = |config: &mut Value| config["signingConfig"]["tsaConfig"]["selector"] = "SOME".into();
        assert!(error(selector).starts_with("`signingConfig`: `tsaConfig.selector`"));
        let twice = format!(r#"{{"mediaType":"{MEDIA_TYPE}","mediaType":"{MEDIA_TYPE}"}}"#);
        assert!(matches!(TrustConfig::from_json(twice.as_bytes()), Err(InvalidTrustConfig::Json(_))));
        let large = vec![b' '; MAX_TRUST_CONFIG_BYTES + 1];
        assert!(matches!(TrustConfig::from_json(&large), Err(InvalidTrustConfig::TooLarge)));
    }
}
