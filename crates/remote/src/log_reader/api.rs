//! A log by the interface of Rekor v1.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use model_transparency::log::monitor::{ApiEntry, ApiLog, MAX_ENTRIES_ASKED};
use model_transparency::log::{LogId, TreeHash};
use model_transparency::sign::ServiceError;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use super::{is_nothing, newest};
use crate::endpoint::Endpoint;
use crate::http::{Attempts, Failure, with_json};
use crate::rekor_entries::{Entries, Entry, MAX_ENTRIES_BYTES, RETRIEVE, Verification};

/// A checkpoint for each shard.
const MAX_HEADS_BYTES: usize = 1 << 20;
/// Two hashes for each level.
const MAX_PROOF_BYTES: usize = 64 << 10;

/// The interface of Rekor v1.
#[derive(Debug)]
pub struct RekorApi {
    endpoint: Endpoint,
}

impl RekorApi {
    pub(super) fn new(endpoint: Endpoint) -> Self {
        Self { endpoint }
    }

    fn read<T: DeserializeOwned>(
        &self,
        request: Result<reqwest::blocking::RequestBuilder, Failure>,
        limit: usize,
    ) -> Result<T, ServiceError> {
        let answer = request.and_then(|request| self.endpoint.http().send_for_json(request, limit, Attempts::Several));
        answer.map_err(|failure| self.endpoint.unanswered(&failure))
    }

    fn unexpected(&self, reason: &str) -> ServiceError {
        self.endpoint.failed(format!("gave an answer that is not as expected: {reason}"))
    }
}

impl ApiLog for RekorApi {
    type Error = ServiceError;

    fn checkpoints(&mut self) -> Result<Vec<String>, ServiceError> {
        let request = newest(&self.endpoint, "api/v1/log");
        let answer = self.endpoint.http().send_for_json(request, MAX_HEADS_BYTES, Attempts::Several);
        let Heads { signed_tree_head, inactive_shards } = answer.map_err(|failure| match is_nothing(&failure) {
            true => self.endpoint.failed(format!("has neither tiles nor the interface of Rekor v1: it {failure}")),
            false => self.endpoint.unanswered(&failure),
        })?;
        let before = inactive_shards.unwrap_or_default().into_iter().map(|shard| shard.signed_tree_head);
        Ok(before.chain([signed_tree_head]).collect())
    }

    fn consistency(&mut self, tree: u64, old: u64, new: u64) -> Result<Vec<TreeHash>, ServiceError> {
        let mut url = self.endpoint.at("api/v1/log/proof");
        let query = [("firstSize", old), ("lastSize", new), ("treeID", tree)];
        url.query_pairs_mut().extend_pairs(query.map(|(name, value)| (name, value.to_string())));
        let proof: Consistency = self.read(Ok(self.endpoint.http().client().get(url)), MAX_PROOF_BYTES)?;
        let hashes = proof.hashes.unwrap_or_default();
        hashes.iter().map(|hash| tree_hash(hash)).collect::<Result<_, _>>().map_err(|reason| self.unexpected(reason))
    }

    fn entries(&mut self, first: u64, count: usize) -> Result<Vec<ApiEntry>, ServiceError> {
        let indices: Vec<u64> = (first..).take(count.min(MAX_ENTRIES_ASKED)).collect();
        let url = self.endpoint.at(RETRIEVE);
        let request = with_json(self.endpoint.http().client().post(url), &json!({ "logIndexes": indices }));
        let answers: Vec<Entries> = self.read(request, MAX_ENTRIES_BYTES)?;
        let entries = answers.into_iter().flat_map(Entries::into_values).take(MAX_ENTRIES_ASKED + 1);
        entries.map(read).collect::<Result<_, _>>().map_err(|reason| self.unexpected(reason))
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Heads {
    signed_tree_head: String,
    inactive_shards: Option<Vec<Head>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Head {
    signed_tree_head: String,
}

#[derive(Deserialize)]
struct Consistency {
    hashes: Option<Vec<String>>,
}

fn read(entry: Entry) -> Result<ApiEntry, &'static str> {
    let Verification { inclusion_proof: proof, signed_entry_timestamp } = entry.verification;
    let base64 = |text: &str| STANDARD.decode(text).map_err(|_| "expected Base64");
    Ok(ApiEntry {
        body: base64(&entry.body)?,
        log_index: entry.log_index,
        log_id: LogId::from_bytes(bytes_of_hex(&entry.log_id)?),
        integrated_time: entry.integrated_time,
        promise: signed_entry_timestamp.as_deref().map(base64).transpose()?,
        tree_index: proof.log_index,
        hashes: proof.hashes.iter().map(|hash| tree_hash(hash)).collect::<Result<_, _>>()?,
        checkpoint: proof.checkpoint,
    })
}

fn tree_hash(hex: &str) -> Result<TreeHash, &'static str> {
    bytes_of_hex(hex).map(TreeHash::from_bytes)
}

fn bytes_of_hex(hex: &str) -> Result<[u8; 32], &'static str> {
    let bytes = base16ct::mixed::decode_vec(hex).map_err(|_| "expected hex")?;
    bytes.try_into().map_err(|_| "expected a hash of 32 bytes")
}
