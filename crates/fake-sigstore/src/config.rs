//! What clients are configured with: the trusted root and the signing configuration.

use serde_json::{Value, json};

use crate::encoding::{base64, rfc3339};
use crate::key::Key;

/// Which logs and how many services a client is told to use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SigningConfig {
    /// The logs that there are.
    pub logs: Logs,
    /// How many of them are used.
    pub log_selector: Selector,
    /// How many timestamp authorities are used; with none there is none.
    pub timestamp_selector: Option<Selector>,
}

/// The logs in a signing configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Logs {
    /// The one with version 1 of the interface.
    V1,
    /// The one with version 2.
    V2,
    /// Both, of one operator: a client takes the higher version that it knows.
    Both,
    /// Both, of two operators: a client can take both.
    OfTwoOperators,
}

/// How many of the services a client is to use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Selector {
    /// Every one.
    All,
    /// Any one.
    Any,
    /// This many.
    Exact(u32),
    /// It is not said, which no client should take.
    Undefined,
}

impl Default for SigningConfig {
    /// Both logs of one operator and the timestamp authority, any of each.
    fn default() -> Self {
        Self { logs: Logs::Both, log_selector: Selector::Any, timestamp_selector: Some(Selector::Any) }
    }
}

impl SigningConfig {
    /// These logs, and the timestamp authority.
    pub fn of(logs: Logs) -> Self {
        Self { logs, ..Self::default() }
    }
}

impl Selector {
    fn json(self) -> Value {
        match self {
            Self::All => json!({ "selector": "ALL" }),
            Self::Any => json!({ "selector": "ANY" }),
            Self::Exact(count) => json!({ "selector": "EXACT", "count": count }),
            Self::Undefined => json!({ "selector": "SERVICE_SELECTOR_UNDEFINED" }),
        }
    }
}

/// Where the services are.
pub(crate) struct Urls {
    pub(crate) oidc: String,
    pub(crate) fulcio: String,
    pub(crate) rekor_v1: String,
    pub(crate) rekor_v2: String,
    pub(crate) timestamps: String,
}

/// A log in a trusted root.
pub(crate) struct TrustedLog<'a> {
    pub(crate) url: &'a str,
    pub(crate) key: &'a Key,
    pub(crate) id: [u8; 32],
}

/// An authority in a trusted root, with its certificates from the lowest to the root.
pub(crate) struct TrustedAuthority<'a> {
    pub(crate) url: &'a str,
    pub(crate) name: &'a str,
    pub(crate) certificates: [&'a [u8]; 2],
}

/// `SigningConfig` v0.2.
pub(crate) fn signing_config(urls: &Urls, config: &SigningConfig, since: i64) -> Value {
    let service = |url: &str, version: u8, operator: &str| {
        json!({
            "url": url,
            "majorApiVersion": version,
            "validFor": { "start": rfc3339(since) },
            "operator": operator,
        })
    };
    let (one, other) = ("fake.example.com", "other.example.com");
    let (v1, v2) = (service(&urls.rekor_v1, 1, one), service(&urls.rekor_v2, 2, one));
    let logs = match config.logs {
        Logs::V1 => vec![v1],
        Logs::V2 => vec![v2],
        Logs::Both => vec![v2, v1],
        Logs::OfTwoOperators => vec![v2, service(&urls.rekor_v1, 1, other)],
    };
    let timestamps: Vec<_> = config.timestamp_selector.iter().map(|_| service(&urls.timestamps, 1, one)).collect();
    json!({
        "mediaType": "application/vnd.dev.sigstore.signingconfig.v0.2+json",
        "caUrls": [service(&urls.fulcio, 1, one)],
        "oidcUrls": [service(&urls.oidc, 1, one)],
        "rekorTlogUrls": logs,
        "rekorTlogConfig": config.log_selector.json(),
        "tsaUrls": timestamps,
        "tsaConfig": config.timestamp_selector.unwrap_or(Selector::Any).json(),
    })
}

/// `TrustedRoot` v0.1.
pub(crate) fn trusted_root(
    logs: &[TrustedLog<'_>],
    ct_log: &TrustedLog<'_>,
    fulcio: &TrustedAuthority<'_>,
    timestamps: &TrustedAuthority<'_>,
    since: i64,
) -> Value {
    let valid_for = json!({ "start": rfc3339(since) });
    let log = |log: &TrustedLog<'_>| {
        json!({
            "baseUrl": log.url,
            "hashAlgorithm": "SHA2_256",
            "publicKey": {
                "rawBytes": base64(log.key.spki()),
                "keyDetails": log.key.details(),
                "validFor": valid_for,
            },
            "logId": { "keyId": base64(&log.id) },
        })
    };
    let authority = |authority: &TrustedAuthority<'_>| {
        let certificates = authority.certificates.map(|der| json!({ "rawBytes": base64(der) }));
        json!({
            "subject": { "organization": "fake-sigstore", "commonName": authority.name },
            "uri": authority.url,
            "certChain": { "certificates": certificates },
            "validFor": valid_for,
        })
    };
    json!({
        "mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
        "tlogs": logs.iter().map(log).collect::<Vec<_>>(),
        "certificateAuthorities": [authority(fulcio)],
        "ctlogs": [log(ct_log)],
        "timestampAuthorities": [authority(timestamps)],
    })
}

/// `ClientTrustConfig` v0.1.
pub(crate) fn trust_config(trusted_root: &Value, signing_config: &Value) -> Value {
    json!({
        "mediaType": "application/vnd.dev.sigstore.clienttrustconfig.v0.1+json",
        "trustedRoot": trusted_root,
        "signingConfig": signing_config,
    })
}
