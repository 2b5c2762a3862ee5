//! What clients are given: the documents of `protobuf-specs` as JSON.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::authority::{ORGANIZATION, ROOT_NAME};
use super::keys::LogKey;
use super::stack::Urls;

/// Since when everything of a stack is valid: before any stack was made.
const START: &str = "2025-01-01T00:00:00Z";
const OPERATOR: &str = "model-signing.xtask";

/// The documents of a stack.
#[derive(Clone, Debug)]
pub(crate) struct Files {
    /// `TrustedRoot` v0.1.
    pub(crate) trusted_root: PathBuf,
    /// `SigningConfig` v0.2.
    pub(crate) signing_config: PathBuf,
    /// `ClientTrustConfig` v0.1: both in one.
    pub(crate) trust_config: PathBuf,
}

/// What is trusted.
pub(super) struct Anchors<'a> {
    /// Fulcio's certificates (DER), the root last.
    pub(super) fulcio: &'a [Vec<u8>],
    pub(super) ct_log: &'a LogKey,
    pub(super) rekor: &'a LogKey,
    /// The origin of Rekor's checkpoints.
    pub(super) rekor_origin: &'a str,
    /// The timestamp authority's certificates (DER), the root last.
    pub(super) tsa: &'a [Vec<u8>],
}

impl Files {
    /// Where the documents of a stack in `folder` are.
    pub(super) fn of(folder: &Path) -> Self {
        Self {
            trusted_root: folder.join("trusted_root.json"),
            signing_config: folder.join("signing_config.json"),
            trust_config: folder.join("trust_config.json"),
        }
    }

    /// Writes all of them.
    pub(super) fn write(&self, anchors: &Anchors<'_>, urls: &Urls) -> Result<()> {
        let trusted_root = trusted_root(anchors, urls);
        let signing_config = signing_config(urls);
        let trust_config = json!({
            "mediaType": "application/vnd.dev.sigstore.clienttrustconfig.v0.1+json",
            "trustedRoot": trusted_root,
            "signingConfig": signing_config,
        });
        write(&self.trusted_root, &trusted_root)?;
        write(&self.signing_config, &signing_config)?;
        write(&self.trust_config, &trust_config)
    }
}

fn trusted_root(anchors: &Anchors<'_>, urls: &Urls) -> Value {
    json!({
        "mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
        "tlogs": [log(&urls.rekor, anchors.rekor, &anchors.rekor.checkpoint_log_id(anchors.rekor_origin))],
        "certificateAuthorities": [authority(&urls.fulcio, ORGANIZATION, ROOT_NAME, anchors.fulcio)],
        "ctlogs": [log(&urls.ct_log, anchors.ct_log, &anchors.ct_log.certificate_log_id())],
        // The names that the authority's in-memory signer gives its root.
        "timestampAuthorities": [authority(&urls.tsa, "local", "Test TSA Root", anchors.tsa)],
    })
}

fn signing_config(urls: &Urls) -> Value {
    let service = |url: &str, version: u32| json!([{ "url": url, "majorApiVersion": version, "validFor": { "start": START }, "operator": OPERATOR }]);
    json!({
        "mediaType": "application/vnd.dev.sigstore.signingconfig.v0.2+json",
        "caUrls": service(&urls.fulcio, 1),
        "oidcUrls": service(&urls.people, 1),
        "rekorTlogUrls": service(&urls.rekor, 2),
        "rekorTlogConfig": { "selector": "ANY" },
        "tsaUrls": service(&urls.tsa, 1),
        "tsaConfig": { "selector": "ANY" },
    })
}

fn log(url: &str, key: &LogKey, id: &[u8]) -> Value {
    json!({
        "baseUrl": url,
        "hashAlgorithm": "SHA2_256",
        "publicKey": {
            "rawBytes": STANDARD.encode(&key.der),
            "keyDetails": key.details(),
            "validFor": { "start": START },
        },
        "logId": { "keyId": STANDARD.encode(id) },
    })
}

fn authority(url: &str, organization: &str, name: &str, certificates: &[Vec<u8>]) -> Value {
    let certificates = certificates.iter().map(|der| json!({ "rawBytes": STANDARD.encode(der) })).collect::<Vec<_>>();
    json!({
        "subject": { "organization": organization, "commonName": name },
        "uri": url,
        "certChain": { "certificates": certificates },
        "validFor": { "start": START },
    })
}

fn write(path: &Path, document: &Value) -> Result<()> {
    fs::write(path, format!("{document:#}\n")).with_context(|| format!("cannot write {}", path.display()))
}
