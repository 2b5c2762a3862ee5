//! Entries that are known.

use super::Finding;

/// The largest list that is read, in bytes.
pub const MAX_EXPECTED_BYTES: usize = 16 << 20;

/// Entries that may be there: by the hash of the entry, or by log and index.
#[derive(Clone, Debug, Default)]
pub struct ExpectedEntries {
    hashes: Vec<String>,
    places: Vec<(String, u64)>,
}

impl ExpectedEntries {
    /// Reads a list: on each line `ORIGIN INDEX`, or the entry's hash in hex, or its UUID in Rekor v1. What follows `#` is a
    /// comment.
    ///
    /// # Errors
    /// [`InvalidExpectedEntries`]: which line is neither.
    pub fn parse(text: &str) -> Result<Self, InvalidExpectedEntries> {
        let mut expected = Self::default();
        for (number, line) in (1..).zip(text.lines()) {
            let line = line.split('#').next().unwrap_or_default().trim();
            if line.is_empty() {
                continue;
            }
            let place = line.rsplit_once(char::is_whitespace);
            if let Some((origin, index)) = place.and_then(|(origin, index)| Some((origin, index.parse().ok()?))) {
                expected.places.push((origin.trim_end().to_owned(), index));
            } else if matches!(line.len(), 64 | 80) && line.bytes().all(|byte| byte.is_ascii_hexdigit()) {
                // A UUID is the number of the tree and the hash.
                expected.hashes.push(line[line.len() - 64..].to_ascii_lowercase());
            } else {
                return Err(InvalidExpectedEntries { line: number });
            }
        }
        expected.hashes.sort_unstable();
        expected.places.sort_unstable();
        Ok(expected)
    }

    /// Whether this entry is one of them.
    #[must_use]
    pub fn has(&self, finding: &Finding) -> bool {
        let names = [finding.origin.as_str(), super::follow::log_name(&finding.origin)];
        let is_place = |name: &str| {
            let place = |(origin, index): &(String, u64)| (origin.as_str(), *index).cmp(&(name, finding.index));
            self.places.binary_search_by(place).is_ok()
        };
        self.hashes.binary_search(&finding.entry_hash.to_string()).is_ok() || names.into_iter().any(is_place)
    }
}

/// A line is no entry.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: expected `ORIGIN INDEX` or the hash of an entry in hex")]
pub struct InvalidExpectedEntries {
    /// Which line, from 1.
    pub line: usize,
}
