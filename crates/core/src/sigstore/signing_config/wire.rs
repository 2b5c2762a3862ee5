//! The JSON of a signing configuration.

use serde::Deserialize;

use super::{Selection, Service, ServiceKind, SigningConfig};
use crate::certificate::UnixTime;
use crate::envelope::{InvalidJson, require_unique_members};
use crate::sigstore::Instance;

/// The largest signing configuration that is read, in bytes.
pub const MAX_SIGNING_CONFIG_BYTES: usize = 1 << 20;

const MEDIA_TYPE: &str = "application/vnd.dev.sigstore.signingconfig.v0.2+json";
const MAX_URL_BYTES: usize = 2_048;
impl SigningConfig {
    /// The signing configuration of an instance, as the tool was built with it.
    #[must_use]
    pub fn embedded(instance: Instance) -> Self {
        Self::from_json(instance.signing_config_json().as_bytes()).expect("the embedded configurations are tested")
    }

    /// Reads a signing configuration (`application/vnd.dev.sigstore.signingconfig.v0.2+json`).
    ///
    /// # Errors
    /// [`InvalidSigningConfig`]: what is wrong, and where.
    pub fn from_json(json: &[u8]) -> Result<Self, InvalidSigningConfig> {
        if json.len() > MAX_SIGNING_CONFIG_BYTES {
            return Err(InvalidSigningConfig::TooLarge);
        }
        require_unique_members(json)?;
        let config: ConfigIn = serde_json::from_slice(json).map_err(InvalidJson::Shape)?;
        if config.media_type != MEDIA_TYPE {
            return Err(InvalidSigningConfig::MediaType { found: config.media_type });
        }
        let lists = [
            (ServiceKind::Fulcio, "caUrls", config.ca_urls),
            (ServiceKind::Oidc, "oidcUrls", config.oidc_urls),
            (ServiceKind::Rekor, "rekorTlogUrls", config.rekor_tlog_urls),
            (ServiceKind::Tsa, "tsaUrls", config.tsa_urls),
        ];
        let mut services = Vec::new();
        for (kind, list, entries) in lists {
            for (index, entry) in entries.into_iter().enumerate() {
                services.push(entry.check(kind, list, index)?);
            }
        }
        Ok(Self {
            services,
            rekor: selection("rekorTlogConfig", config.rekor_tlog_config)?,
            tsa: selection("tsaConfig", config.tsa_config)?,
        })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ConfigIn {
    #[serde(default)]
    media_type: String,
    #[serde(default)]
    ca_urls: Vec<ServiceIn>,
    #[serde(default)]
    oidc_urls: Vec<ServiceIn>,
    #[serde(default)]
    rekor_tlog_urls: Vec<ServiceIn>,
    #[serde(default)]
    tsa_urls: Vec<ServiceIn>,
    rekor_tlog_config: Option<SelectionIn>,
    tsa_config: Option<SelectionIn>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ServiceIn {
    url: String,
    major_api_version: u32,
    valid_for: Option<PeriodIn>,
    #[serde(default)]
    operator: String,
}

#[derive(Deserialize)]
struct PeriodIn {
    start: Option<String>,
    end: Option<String>,
}

#[derive(Deserialize)]
struct SelectionIn {
    #[serde(default)]
    selector: String,
    count: Option<u32>,
}

impl ServiceIn {
    fn check(self, kind: ServiceKind, list: &'static str, index: usize) -> Result<Service, InvalidSigningConfig> {
        let unusable = |expected, found| InvalidSigningConfig::Service { list, index, expected, found };
        let is_url = (self.url.starts_with("https://") || self.url.starts_with("http://"))
            && self.url.len() <= MAX_URL_BYTES
            && self.url.bytes().all(|byte| byte.is_ascii_graphic());
        if !is_url {
            return Err(unusable("a URL of `https` or `http`", self.url));
        }
        let time = |text: Option<String>| {
            let parse = |text: String| UnixTime::parse(&text).ok_or_else(|| unusable("a time (RFC 3339, UTC)", text));
            text.map(parse).transpose()
        };
        let (from, until) = match self.valid_for {
            Some(period) => (time(period.start)?, time(period.end)?),
            None => (None, None),
        };
        Ok(Service { kind, url: self.url, version: self.major_api_version, operator: self.operator, from, until })
    }
}

fn selection(member: &'static str, config: Option<SelectionIn>) -> Result<Selection, InvalidSigningConfig> {
    let Some(SelectionIn { selector, count }) = config else { return Ok(Selection::All) };
    match selector.as_str() {
        "ALL" => Ok(Selection::All),
        "ANY" => Ok(Selection::Any),
        "EXACT" => Ok(Selection::Exact(count.map_or(1, |count| count.max(1)) as usize)),
        _ => Err(InvalidSigningConfig::Selector { member, found: selector }),
    }
}

/// Why a document is not a signing configuration that can be used.
#[derive(Debug, thiserror::Error)]
pub enum InvalidSigningConfig {
    /// It is larger than any that is read.
    #[error("expected at most {MAX_SIGNING_CONFIG_BYTES} bytes")]
    TooLarge,
    /// It is not the JSON that was expected.
    #[error("not a signing configuration: {0}")]
    Json(#[from] InvalidJson),
    /// It is another kind of document, or another version.
    #[error("`mediaType`: expected `{MEDIA_TYPE}`, found `{found}`")]
    MediaType {
        /// What was found; empty if there is none.
        found: String,
    },
    /// A service can't be used, whenever it is.
    #[error("`{list}[{index}]`: expected {expected}, found `{found}`")]
    Service {
        /// The list that it is in.
        list: &'static str,
        /// Which one.
        index: usize,
        /// What was expected.
        expected: &'static str,
        /// What was found.
        found: String,
    },
    /// It is not said how many services to use.
    #[error("`{member}.selector`: expected `ALL`, `ANY` or `EXACT`, found `{found}`")]
    Selector {
        /// For which services.
        member: &'static str,
        /// What was found; empty if there is none.
        found: String,
    },
}
