//! The keys of logs, as a trusted root names them.

use std::fmt;

use aws_lc_rs::digest::{SHA256, digest};
use sigstore_verify::trust_root::TrustedRoot as Document;

use crate::certificate::UnixTime;
use crate::key::{KeyAlgorithm, PublicKey, SignatureScheme};

/// What the kind of key is called in a signed note's key identifier, before the key (C2SP signed-note).
const NOTE_ED25519: u8 = 1;

/// What names a log in its entries, and by its first four bytes in its checkpoints.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct LogId([u8; 32]);

impl LogId {
    /// The identifier of a Rekor v1 log, and of any log with an ECDSA key: the SHA-256 of the key.
    #[must_use]
    pub fn of_key(key: &PublicKey) -> Self {
        Self::hash(&[key.spki_der()])
    }

    /// The identifier that a signed note of this origin has for the key (C2SP signed-note). Without a rule for this kind of
    /// key it is that of the key alone.
    #[must_use]
    pub fn of_note(origin: &str, key: &PublicKey) -> Self {
        match key.algorithm() {
            KeyAlgorithm::Ed25519 => Self::hash(&[origin.as_bytes(), b"\n", &[NOTE_ED25519], key.raw_bytes()]),
            KeyAlgorithm::EcdsaP256 | KeyAlgorithm::EcdsaP384 | KeyAlgorithm::EcdsaP521 | KeyAlgorithm::Rsa { .. } => {
                Self::of_key(key)
            }
        }
    }

    /// An identifier of its bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    fn hash(parts: &[&[u8]]) -> Self {
        Self(digest(&SHA256, &parts.concat()).as_ref().try_into().expect("SHA-256 has 32 bytes"))
    }

    fn has_hint(&self, hint: [u8; 4]) -> bool {
        self.0.starts_with(&hint)
    }
}

impl fmt::Display for LogId {
    /// In hex.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&base16ct::lower::encode_string(&self.0))
    }
}

impl fmt::Debug for LogId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LogId({self})")
    }
}

/// A log that is trusted: its key, and when that counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogKey {
    key: PublicKey,
    id: LogId,
    base_url: String,
    from: Option<UnixTime>,
    until: Option<UnixTime>,
}

impl LogKey {
    /// A log with this key at this address, trusted at all times.
    #[must_use]
    pub fn new(key: PublicKey, id: LogId, base_url: impl Into<String>) -> Self {
        Self { key, id, base_url: base_url.into(), from: None, until: None }
    }

    /// The same, trusted in a period alone, both ends included.
    #[must_use]
    pub fn with_period(self, from: Option<UnixTime>, until: Option<UnixTime>) -> Self {
        Self { from, until, ..self }
    }

    /// What names the log in its entries.
    #[must_use]
    pub fn id(&self) -> LogId {
        self.id
    }

    /// The log's key.
    #[must_use]
    pub fn key(&self) -> &PublicKey {
        &self.key
    }

    /// Where the log is.
    #[must_use]
    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    /// Whether what the log signs at this time counts.
    #[must_use]
    pub fn is_trusted_at(&self, time: UnixTime) -> bool {
        self.has_started_by(time) && self.until.is_none_or(|until| time <= until)
    }

    /// Whether its period has begun: what it signed in it counts later too.
    #[must_use]
    pub fn has_started_by(&self, time: UnixTime) -> bool {
        self.from.is_none_or(|from| from <= time)
    }

    /// Whether a signature line of a checkpoint with this name and key identifier may be of this log.
    pub(super) fn has_hint(&self, name: &str, hint: [u8; 4]) -> bool {
        self.id.has_hint(hint) || LogId::of_note(name, &self.key).has_hint(hint)
    }

    /// Whether the log's key made `signature` over `message`.
    pub(super) fn has_signed(&self, message: &[u8], signature: &[u8]) -> bool {
        self.key.verify(message, signature).is_some_and(|scheme| scheme != SignatureScheme::Ed25519ph)
    }
}

/// The logs that are trusted.
#[derive(Clone, Debug, Default)]
pub struct LogKeys {
    keys: Vec<LogKey>,
}

impl LogKeys {
    /// These logs.
    #[must_use]
    pub fn new(keys: Vec<LogKey>) -> Self {
        Self { keys }
    }

    /// Every log, in the order of the trusted root.
    pub fn iter(&self) -> impl Iterator<Item = &LogKey> {
        self.keys.iter()
    }

    /// Those that this names; more than one if a root lists a key for several periods.
    pub fn with_id(&self, id: LogId) -> impl Iterator<Item = &LogKey> {
        self.keys.iter().filter(move |key| key.id == id)
    }

    /// The logs of a trusted root. One with a key that can't be used here is left out: no signature of it would hold.
    pub(crate) fn of(document: &Document) -> Self {
        let keys = document.tlogs.iter().filter_map(|log| {
            let key = PublicKey::from_spki(log.public_key.raw_bytes.as_bytes()).ok()?;
            let id = LogId(log.log_id.key_id.as_bytes().try_into().ok()?);
            let seconds = |second: i64| UnixTime(u64::try_from(second).unwrap_or_default());
            let period = log.public_key.valid_for;
            let from = period.map(|period| seconds(period.start.as_second()));
            let until = period.and_then(|period| period.end).map(|end| seconds(end.as_second()));
            Some(LogKey::new(key, id, log.base_url.clone()).with_period(from, until))
        });
        Self::new(keys.collect())
    }
}

#[cfg(test)]
mod tests {
    use crate::sigstore::{Instance, TrustedRoot};

    use super::*;

    #[test]
    fn public_logs_are_named_by_their_keys() {
        for instance in [Instance::Production, Instance::Staging] {
            let keys = TrustedRoot::embedded(instance).log_keys();
            assert!(keys.iter().count() >= 2, "{instance}");
            for log in keys.iter() {
                let host = log.base_url().trim_start_matches("https://");
                // Rekor v2 has Ed25519 keys in both public instances, and v1 has ECDSA.
                assert_eq!(log.id(), LogId::of_note(host, log.key()), "{host}");
                assert!(log.has_hint(host, log.id().as_bytes()[..4].try_into().expect("four bytes")));
                assert!(!log.has_hint("elsewhere.example", [0; 4]));
            }
        }
    }

    #[test]
    fn periods_include_both_ends() {
        let keys = TrustedRoot::embedded(Instance::Production).log_keys();
        let log = keys.iter().next().expect("there is one").clone();
        let log = log.with_period(Some(UnixTime(10)), Some(UnixTime(20)));
        let trusted: Vec<u64> = (8..23).filter(|time| log.is_trusted_at(UnixTime(*time))).collect();
        assert_eq!(trusted, (10..=20).collect::<Vec<_>>());
        assert!(log.has_started_by(UnixTime(30)) && !log.has_started_by(UnixTime(9)));
    }
}
