//! Entries of transparency logs about a signature.

use super::SignatureError;
use crate::envelope::Bundle;
use crate::log::{LogEntry, LogEntryError, LoggedEnvelope, LoggedSigner, VerifiedLogEntry};
use crate::trust::{LogTrust, UnknownLogs};

/// The entries that hold, and how many were not checked.
#[derive(Debug, Default)]
pub(super) struct Checked {
    pub(super) entries: Vec<VerifiedLogEntry>,
    pub(super) unchecked: usize,
}

/// Checks every entry of a log that is trusted: one that does not hold is an error, not a missing one.
pub(super) fn check_log_entries(
    bundle: &Bundle,
    signer: LoggedSigner<'_>,
    trust: Option<LogTrust<'_>>,
) -> Result<Checked, SignatureError> {
    let records = bundle.log_entries();
    let Some(trust) = trust else { return Ok(Checked { unchecked: records.len(), ..Checked::default() }) };
    if trust.required && records.is_empty() {
        return Err(SignatureError::NoLogEntry);
    }
    let envelope = LoggedEnvelope { payload: bundle.payload(), signature: bundle.signature(), signer, text: None };
    let mut checked = Checked::default();
    for (index, record) in records.iter().enumerate() {
        let json = record.to_json().to_string();
        let verified =
            LogEntry::from_json(json.as_bytes()).and_then(|entry| entry.verify(&envelope, trust.logs, trust.now));
        match (verified, trust.unknown) {
            (Ok(entry), _) => checked.entries.push(entry),
            (Err(LogEntryError::UnknownLog { .. }), UnknownLogs::PassOver) => checked.unchecked += 1,
            (Err(error), _) => return Err(SignatureError::LogEntry { index, error }),
        }
    }
    if trust.required && checked.entries.is_empty() {
        return Err(SignatureError::NoLogEntry);
    }
    Ok(checked)
}
