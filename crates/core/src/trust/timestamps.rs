//! Who is believed about times.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use crate::certificate::{Certificate, InvalidCertificate, UnixTime};

/// The largest trusted root that is read, in bytes.
pub const MAX_TRUSTED_ROOT_BYTES: usize = 4 << 20;

/// A timestamp authority (RFC 3161) that is trusted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimestampAuthority {
    certificates: Vec<Certificate>,
    from: Option<UnixTime>,
    until: Option<UnixTime>,
}

impl TimestampAuthority {
    /// An authority whose timestamps lead to one of these certificates. Any of them may be its own, or an issuer's.
    #[must_use]
    pub fn new(certificates: Vec<Certificate>) -> Self {
        Self { certificates, from: None, until: None }
    }

    /// The certificates that a path from its timestamps may end in.
    #[must_use]
    pub fn certificates(&self) -> &[Certificate] {
        &self.certificates
    }

    /// Whether its timestamps count that state this time.
    #[must_use]
    pub fn is_trusted_at(&self, time: UnixTime) -> bool {
        self.from.is_none_or(|from| from <= time) && self.until.is_none_or(|until| time <= until)
    }

    /// The timestamp authorities of a Sigstore trusted root (`trusted_root.json`).
    ///
    /// An authority there is one chain, its own certificate first, and a period. Only timestamps of that certificate
    /// count, as in Sigstore's clients.
    ///
    /// # Errors
    /// [`InvalidTrustedRoot`]: what is wrong, and where.
    pub fn from_trusted_root(json: &[u8]) -> Result<Vec<Self>, InvalidTrustedRoot> {
        if json.len() > MAX_TRUSTED_ROOT_BYTES {
            return Err(InvalidTrustedRoot::TooLarge);
        }
        let root: TrustedRootIn = serde_json::from_slice(json)?;
        if !root.media_type.starts_with("application/vnd.dev.sigstore.trustedroot") {
            return Err(InvalidTrustedRoot::MediaType { found: root.media_type });
        }
        root.timestamp_authorities.into_iter().enumerate().map(|(index, authority)| authority.check(index)).collect()
    }
}

#[derive(Deserialize)]
struct TrustedRootIn {
    #[serde(rename = "mediaType", default)]
    media_type: String,
    #[serde(rename = "timestampAuthorities", default)]
    timestamp_authorities: Vec<AuthorityIn>,
}

#[derive(Deserialize)]
struct AuthorityIn {
    #[serde(rename = "certChain")]
    chain: ChainIn,
    #[serde(rename = "validFor", default)]
    period: PeriodIn,
}

#[derive(Deserialize)]
struct ChainIn {
    certificates: Vec<CertificateIn>,
}

#[derive(Deserialize)]
struct CertificateIn {
    #[serde(rename = "rawBytes")]
    raw_bytes: String,
}

#[derive(Default, Deserialize)]
struct PeriodIn {
    start: Option<String>,
    end: Option<String>,
}

impl AuthorityIn {
    fn check(self, index: usize) -> Result<TimestampAuthority, InvalidTrustedRoot> {
        let malformed = |what: &'static str, found: String| InvalidTrustedRoot::Authority { index, what, found };
        let Some(first) = self.chain.certificates.first() else {
            return Err(malformed("a certificate", "none".to_owned()));
        };
        let der = STANDARD.decode(&first.raw_bytes).map_err(|error| malformed("Base64", error.to_string()))?;
        let certificate = Certificate::from_der(&der)
            .map_err(|error: InvalidCertificate| malformed("a certificate", error.to_string()))?;
        let time = |text: Option<String>| {
            let parse = |text: String| UnixTime::parse(&text).ok_or_else(|| malformed("a time (RFC 3339, UTC)", text));
            text.map(parse).transpose()
        };
        let (from, until) = (time(self.period.start)?, time(self.period.end)?);
        Ok(TimestampAuthority { certificates: vec![certificate], from, until })
    }
}

/// Why a document is not a Sigstore trusted root whose timestamp authorities can be used.
#[derive(Debug, thiserror::Error)]
pub enum InvalidTrustedRoot {
    /// It is larger than any that is read.
    #[error("expected at most {MAX_TRUSTED_ROOT_BYTES} bytes")]
    TooLarge,
    /// It is not the JSON that was expected.
    #[error("not a trusted root: {0}")]
    Json(#[from] serde_json::Error),
    /// It is another kind of document.
    #[error("`mediaType`: expected `application/vnd.dev.sigstore.trustedroot…`, found `{found}`")]
    MediaType {
        /// What was found; empty if there is none.
        found: String,
    },
    /// Something in it can't be used.
    #[error("{reason}")]
    Unusable {
        /// What is wrong.
        reason: String,
    },
    /// An authority can't be used.
    #[error("`timestampAuthorities[{index}]`: expected {what}, found {found}")]
    Authority {
        /// Which one.
        index: usize,
        /// What was expected.
        what: &'static str,
        /// What was found.
        found: String,
    },
}
