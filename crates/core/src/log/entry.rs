//! Entries of logs as bundles carry them (`verificationMaterial.tlogEntries`).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use super::body::EntryBody;
use super::proof::MAX_PROOF_HASHES;
use super::wire::{Bytes, Int64};
use super::{
    Checkpoint, CheckpointError, EntryKind, LogId, LogKey, LogKeys, LoggedEnvelope, ProofError, TreeHash,
    VerifiedCheckpoint, verify_inclusion,
};
use crate::certificate::UnixTime;
use crate::envelope::{Object, parse_object, require_unique_members};

/// The largest entry that is read, in bytes of JSON. Entries about envelopes take 5 to 15 KB.
pub const MAX_LOG_ENTRY_BYTES: usize = 1 << 20;

/// How far the clock here may be behind that of a log.
const MAX_CLOCK_SKEW_SECONDS: u64 = 600;

/// An entry of a transparency log. Nothing of it is verified.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Object<EntryIn>")]
pub struct LogEntry {
    log_index: u64,
    log_id: LogId,
    kind: EntryKind,
    integrated_time: u64,
    promise: Option<Vec<u8>>,
    proof: Option<Proof>,
    body: Vec<u8>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Proof {
    index: u64,
    size: u64,
    root: Vec<u8>,
    hashes: Vec<TreeHash>,
    checkpoint: String,
}

/// An entry that is in a log, or that the log promised to take, and which is about the envelope it was asked about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedLogEntry {
    /// The kind of entry.
    pub kind: EntryKind,
    /// The index of the entry, if the log vouches for it: that of Rekor v1 counts across its trees, and only a promise has
    /// it.
    pub log_index: Option<u64>,
    /// What names the log.
    pub log_id: LogId,
    /// Where the log is, as the trusted root has it.
    pub log_url: String,
    /// The time at which the log took the entry, if it has signed that.
    pub integrated_time: Option<UnixTime>,
    /// The proof that the log has the entry; without it there is the log's promise alone.
    pub inclusion: Option<VerifiedInclusion>,
}

/// That an entry is in a tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedInclusion {
    /// Its index in this tree.
    pub tree_index: u64,
    /// The tree.
    pub checkpoint: VerifiedCheckpoint,
}

impl LogEntry {
    /// Reads an entry, an element of `tlogEntries`.
    ///
    /// # Errors
    /// [`LogEntryError`]: what is wrong with it.
    pub fn from_json(json: &[u8]) -> Result<Self, LogEntryError> {
        if json.len() > MAX_LOG_ENTRY_BYTES {
            return Err(LogEntryError::TooLarge { found: json.len() });
        }
        require_unique_members(json).map_err(malformed)?;
        let entry: EntryIn = parse_object(json, |_| {}).map_err(malformed)?;
        Object(entry).try_into()
    }

    /// The index that it says it has, **unverified**.
    #[must_use]
    pub fn stated_log_index(&self) -> u64 {
        self.log_index
    }

    /// What kind of entry it says it is.
    #[must_use]
    pub fn kind(&self) -> EntryKind {
        self.kind
    }

    /// The time at which it says that the log took it, **unverified**.
    pub(crate) fn stated_time(&self) -> UnixTime {
        UnixTime(self.integrated_time)
    }

    /// The certificate of the signer that it names, DER, **unverified**; none if it names a key, or several.
    pub(crate) fn stated_certificate(&self) -> Result<Option<Vec<u8>>, LogEntryError> {
        Ok(EntryBody::parse(self.kind, &self.body)?.certificate())
    }

    /// Checks that a trusted log vouches for the entry, and that it is about `envelope`.
    ///
    /// The log's promise (signed entry timestamp) and its proof of inclusion have to hold where they are there, and one of
    /// them has to be there. The log's key counts if its period has begun by `now`; at the time that it signed, if it did.
    ///
    /// # Errors
    /// [`LogEntryError`]: why it is not to be believed.
    pub fn verify(
        &self,
        envelope: &LoggedEnvelope<'_>,
        logs: &LogKeys,
        now: UnixTime,
    ) -> Result<VerifiedLogEntry, LogEntryError> {
        let log_id = self.log_id;
        let logs: Vec<&LogKey> = logs.with_id(log_id).collect();
        let Some(log) = logs.first() else { return Err(LogEntryError::UnknownLog { log_id }) };
        let inclusion = self.proof.as_ref().map(|proof| self.check_proof(proof, &logs, now)).transpose()?;
        let promise = self.promise.as_ref().map(|promise| self.check_promise(promise, &logs, now)).transpose()?;
        if inclusion.is_none() && promise.is_none() {
            return Err(LogEntryError::Unproven);
        }
        EntryBody::parse(self.kind, &self.body)?.require_of(envelope)?;
        Ok(VerifiedLogEntry {
            kind: self.kind,
            log_index: (promise.is_some() || self.kind.is_rekor_v2()).then_some(self.log_index),
            log_id,
            log_url: log.base_url().to_owned(),
            integrated_time: promise,
            inclusion,
        })
    }

    fn check_proof(&self, proof: &Proof, logs: &[&LogKey], now: UnixTime) -> Result<VerifiedInclusion, LogEntryError> {
        let checkpoint = Checkpoint::parse(&proof.checkpoint)?.verify(logs.iter().copied(), now)?;
        // Rekor v1 numbers entries across its trees, and in each; v2 has one number, and repeats it here or not.
        let tree_index = if self.kind.is_rekor_v2() { self.log_index } else { proof.index };
        let agrees = proof.size == checkpoint.size() && proof.root == checkpoint.root().as_bytes();
        if !self.kind.is_rekor_v2() && !agrees {
            return Err(LogEntryError::OtherCheckpoint);
        }
        let leaf = TreeHash::of_leaf(&self.body);
        verify_inclusion(leaf, tree_index, checkpoint.size(), checkpoint.root(), &proof.hashes)?;
        Ok(VerifiedInclusion { tree_index, checkpoint })
    }

    /// The time at which the log took the entry, which it signed.
    fn check_promise(&self, signature: &[u8], logs: &[&LogKey], now: UnixTime) -> Result<UnixTime, LogEntryError> {
        let time = UnixTime(self.integrated_time);
        let has_promised =
            |log: &LogKey| has_promised(log, &self.body, self.integrated_time, self.log_id, self.log_index, signature);
        let mut signers = logs.iter().filter(|log| has_promised(log)).peekable();
        if signers.peek().is_none() {
            return Err(LogEntryError::Promise);
        }
        if time.0 > now.0.saturating_add(MAX_CLOCK_SKEW_SECONDS) {
            return Err(LogEntryError::Future { time, now });
        }
        if !signers.any(|log| log.is_trusted_at(time)) {
            return Err(LogEntryError::OutsidePeriod { time });
        }
        Ok(time)
    }
}

/// Whether a log signed that it took an entry (signed entry timestamp of Rekor v1).
pub(super) fn has_promised(
    log: &LogKey,
    body: &[u8],
    integrated_time: u64,
    log_id: LogId,
    log_index: u64,
    signature: &[u8],
) -> bool {
    // RFC 8785, of values that need no escapes.
    let signed = format!(
        r#"{{"body":"{}","integratedTime":{integrated_time},"logID":"{log_id}","logIndex":{log_index}}}"#,
        STANDARD.encode(body),
    );
    log.has_signed(signed.as_bytes(), signature)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct EntryIn {
    log_index: Option<Int64>,
    log_id: Object<LogIdIn>,
    kind_version: Object<KindIn>,
    integrated_time: Option<Int64>,
    inclusion_promise: Option<Object<PromiseIn>>,
    inclusion_proof: Option<Object<ProofIn>>,
    canonicalized_body: Bytes,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LogIdIn {
    key_id: Bytes,
}

#[derive(Deserialize)]
struct KindIn {
    kind: String,
    version: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PromiseIn {
    signed_entry_timestamp: Bytes,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ProofIn {
    log_index: Option<Int64>,
    root_hash: Option<Bytes>,
    tree_size: Option<Int64>,
    hashes: Option<Vec<Bytes>>,
    checkpoint: Option<Object<CheckpointIn>>,
}

#[derive(Deserialize)]
struct CheckpointIn {
    envelope: String,
}

impl TryFrom<Object<EntryIn>> for LogEntry {
    type Error = LogEntryError;

    fn try_from(Object(entry): Object<EntryIn>) -> Result<Self, LogEntryError> {
        let KindIn { kind, version } = entry.kind_version.0;
        let kind = EntryKind::find(&kind, &version)
            .ok_or_else(|| LogEntryError::Kind { found: format!("{kind}/{version}") })?;
        let id = entry.log_id.0.key_id.0;
        let id = id.try_into().map_err(|_| malformed("`logId.keyId` does not have 32 bytes"))?;
        Ok(Self {
            log_index: entry.log_index.unwrap_or_default().0,
            log_id: LogId::from_bytes(id),
            kind,
            integrated_time: entry.integrated_time.unwrap_or_default().0,
            promise: entry.inclusion_promise.map(|Object(promise)| promise.signed_entry_timestamp.0),
            proof: entry.inclusion_proof.map(|Object(proof)| proof.read()).transpose()?,
            body: entry.canonicalized_body.0,
        })
    }
}

impl ProofIn {
    fn read(self) -> Result<Proof, LogEntryError> {
        let hashes = self.hashes.unwrap_or_default();
        if hashes.len() > MAX_PROOF_HASHES {
            return Err(malformed(format_args!("expected at most {MAX_PROOF_HASHES} hashes in the proof")));
        }
        let hash = |bytes: Bytes| bytes.0.try_into().map(TreeHash::from_bytes);
        let hashes: Result<Vec<_>, _> = hashes.into_iter().map(hash).collect();
        Ok(Proof {
            index: self.log_index.unwrap_or_default().0,
            size: self.tree_size.unwrap_or_default().0,
            root: self.root_hash.unwrap_or_default().0,
            hashes: hashes.map_err(|_| malformed("a hash in the proof does not have 32 bytes"))?,
            checkpoint: self.checkpoint.map(|Object(checkpoint)| checkpoint.envelope).unwrap_or_default(),
        })
    }
}

fn malformed(reason: impl std::fmt::Display) -> LogEntryError {
    LogEntryError::Malformed { reason: reason.to_string() }
}

/// Why an entry of a log is not to be believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LogEntryError {
    /// It is larger than any that is read.
    #[error("expected a log entry of at most {MAX_LOG_ENTRY_BYTES} bytes, found {found}")]
    TooLarge {
        /// Its length in bytes.
        found: usize,
    },
    /// It is not an entry.
    #[error("it is not a log entry: {reason}")]
    Malformed {
        /// What is wrong.
        reason: String,
    },
    /// It is of a kind that can't be about an envelope, or that is not known.
    #[error("expected an entry of kind dsse, hashedrekord/0.0.2 or intoto/0.0.2, found {found}")]
    Kind {
        /// The kind and the version.
        found: String,
    },
    /// It is of a log that is not trusted.
    #[error("it is of the log {log_id}, which is not trusted")]
    UnknownLog {
        /// What names the log.
        log_id: LogId,
    },
    /// The log neither proves nor promises that it has the entry.
    #[error("it has neither an inclusion proof nor a promise of its log")]
    Unproven,
    /// The checkpoint of the proof is not the log's.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The proof is for another tree than its checkpoint.
    #[error("its proof is for another tree than the checkpoint with it")]
    OtherCheckpoint,
    /// The entry is not in the tree of the checkpoint.
    #[error("its inclusion proof does not hold: {0}")]
    Inclusion(#[from] ProofError),
    /// The log did not promise to take the entry.
    #[error("the signature of the log's promise (signed entry timestamp) does not hold")]
    Promise,
    /// The log took it at a time that has not come yet.
    #[error("the log took it at {time}, which is in the future: it is {now}")]
    Future {
        /// The time.
        time: UnixTime,
        /// The time of the verification.
        now: UnixTime,
    },
    /// The log took it when its key did not count.
    #[error("the log took it at {time}, outside the period in which its key is trusted")]
    OutsidePeriod {
        /// The time.
        time: UnixTime,
    },
    /// The entry is about another payload.
    #[error("it is about another payload")]
    OtherPayload,
    /// The entry is about another signature.
    #[error("it is about another signature")]
    OtherSignature,
    /// The entry names another key or certificate.
    #[error("it names another key or certificate than the one that the signature verifies with")]
    OtherSigner,
}
