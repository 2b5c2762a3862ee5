//! Entries as the interface of Rekor v1 gives them, for those who sign, search and watch.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use model_transparency::envelope::LogEntryRecord;
use serde::Deserialize;
use serde_json::json;

/// Where entries are added and read.
pub(crate) const ENTRIES: &str = "api/v1/log/entries";
/// Where several are asked for.
pub(crate) const RETRIEVE: &str = "api/v1/log/entries/retrieve";
/// Ten entries. Some kinds keep what was signed with them, and are large.
pub(crate) const MAX_ENTRIES_BYTES: usize = 32 << 20;

/// Entries by their UUIDs; each answer has one.
pub(crate) type Entries = BTreeMap<String, Entry>;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Entry {
    /// Base64.
    pub(crate) body: String,
    pub(crate) integrated_time: u64,
    /// Hex.
    #[serde(rename = "logID")]
    pub(crate) log_id: String,
    pub(crate) log_index: u64,
    pub(crate) verification: Verification,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Verification {
    pub(crate) inclusion_proof: Proof,
    /// Base64.
    pub(crate) signed_entry_timestamp: Option<String>,
}

/// Hashes are in hex.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Proof {
    pub(crate) checkpoint: String,
    pub(crate) hashes: Vec<String>,
    pub(crate) log_index: u64,
    root_hash: String,
    tree_size: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Kind {
    kind: String,
    api_version: String,
}

impl Entry {
    /// The entry as a bundle has it.
    pub(crate) fn into_record(self) -> Result<LogEntryRecord, String> {
        let Self { body, integrated_time, log_id, log_index, verification } = self;
        let decoded = STANDARD.decode(&body).map_err(|error| format!("`body`: {error}"))?;
        let Kind { kind, api_version } =
            serde_json::from_slice(&decoded).map_err(|error| format!("`body`: {error}"))?;
        let Verification { inclusion_proof: proof, signed_entry_timestamp } = verification;
        let promise = signed_entry_timestamp.ok_or("expected `signedEntryTimestamp`, found none")?;
        let hashes: Vec<String> = proof.hashes.iter().map(|hash| base64_of_hex(hash)).collect::<Result<_, _>>()?;
        let record = json!({
            "logIndex": log_index.to_string(),
            "logId": { "keyId": base64_of_hex(&log_id)? },
            "kindVersion": { "kind": kind, "version": api_version },
            "integratedTime": integrated_time.to_string(),
            "inclusionPromise": { "signedEntryTimestamp": promise },
            "inclusionProof": {
                "logIndex": proof.log_index.to_string(),
                "rootHash": base64_of_hex(&proof.root_hash)?,
                "treeSize": proof.tree_size.to_string(),
                "hashes": hashes,
                "checkpoint": { "envelope": proof.checkpoint },
            },
            "canonicalizedBody": body,
        });
        LogEntryRecord::from_json(record.to_string().as_bytes()).map_err(|error| error.to_string())
    }
}

fn base64_of_hex(hex: &str) -> Result<String, String> {
    let bytes = base16ct::mixed::decode_vec(hex).map_err(|error| format!("expected hex: {error}"))?;
    Ok(STANDARD.encode(bytes))
}

/// Whether a text is what Rekor calls an entry.
pub(crate) fn is_uuid(text: &str) -> bool {
    matches!(text.len(), 64 | 80) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}
