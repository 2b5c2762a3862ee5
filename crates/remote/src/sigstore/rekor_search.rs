//! Finding entries in a log (Rekor v1) by the hashes of what they are about.
//!
//! The index of a log is no part of it: it may be incomplete, and anybody can have an entry made that is found by the same
//! payload. What is found is believed by nobody here.

use model_transparency::envelope::LogEntryRecord;
use model_transparency::log::monitor::MAX_ENTRIES_ASKED;
use model_transparency::sign::{Role, ServiceError};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::InvalidEndpoint;
use crate::endpoint::Endpoint;
use crate::http::{Attempts, Patience, Redirects, with_json};
use crate::rekor_entries::{Entries, Entry, MAX_ENTRIES_BYTES, RETRIEVE, is_uuid};

const SEARCH: &str = "api/v1/index/retrieve";
/// About three thousand entries: whoever signs the same payload so often is not to be helped.
const MAX_FOUND_BYTES: usize = 256 << 10;

/// A log with version 1 of the interface that is asked for entries over HTTP or HTTPS.
#[derive(Debug)]
pub struct RekorSearch {
    endpoint: Endpoint,
}

impl RekorSearch {
    /// The log at `url`.
    ///
    /// # Errors
    /// [`InvalidEndpoint`] if there can't be one.
    pub fn new(url: &str) -> Result<Self, InvalidEndpoint> {
        Self::with_patience(url, Patience::default())
    }

    pub(crate) fn with_patience(url: &str, patience: Patience) -> Result<Self, InvalidEndpoint> {
        Ok(Self { endpoint: Endpoint::new(Role::TransparencyLog, url, Redirects::OfTheSame, patience)? })
    }

    /// Where it is, without what may be secret in that.
    #[must_use]
    pub fn url(&self) -> String {
        self.endpoint.shown_text()
    }

    /// The entries that the log finds by the first of these hashes (SHA-256 in hex) by which it finds any: the first ten.
    ///
    /// The log learns the hashes, nothing else: one request for each, and one for the entries.
    ///
    /// # Errors
    /// [`ServiceError`]: it gave no answer, or none that is of use.
    pub fn entries(&self, hashes: &[String]) -> Result<Vec<LogEntryRecord>, ServiceError> {
        for hash in hashes {
            let mut uuids: Vec<String> =
                self.ask(SEARCH, &json!({ "hash": format!("sha256:{hash}") }), MAX_FOUND_BYTES)?;
            uuids.dedup();
            uuids.truncate(MAX_ENTRIES_ASKED);
            if let Some(other) = uuids.iter().find(|uuid| !is_uuid(uuid)) {
                return Err(self.unexpected(&format!("expected UUIDs of entries, found one of {} bytes", other.len())));
            }
            if !uuids.is_empty() {
                return self.retrieve(&uuids);
            }
        }
        Ok(Vec::new())
    }

    fn retrieve(&self, uuids: &[String]) -> Result<Vec<LogEntryRecord>, ServiceError> {
        let answers: Vec<Entries> = self.ask(RETRIEVE, &json!({ "entryUUIDs": uuids }), MAX_ENTRIES_BYTES)?;
        let entries = answers.into_iter().flat_map(Entries::into_values).take(MAX_ENTRIES_ASKED);
        entries.map(Entry::into_record).collect::<Result<_, _>>().map_err(|reason| self.unexpected(&reason))
    }

    fn ask<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize, limit: usize) -> Result<T, ServiceError> {
        let http = self.endpoint.http();
        let asked = with_json(http.client().post(self.endpoint.at(path)), body);
        let answer = asked.and_then(|asked| http.send_for_json(asked, limit, Attempts::Several));
        answer.map_err(|failure| self.endpoint.unanswered(&failure))
    }

    fn unexpected(&self, reason: &str) -> ServiceError {
        self.endpoint.failed(format!("gave an answer that is not as expected: {reason}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{IMPATIENCE, Reply, Service};

    const UUID: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

    fn search(service: &Service) -> Result<Vec<LogEntryRecord>, ServiceError> {
        let hashes = ["exact".to_owned(), "payload".to_owned()];
        RekorSearch::with_patience(&service.url(), IMPATIENCE).expect("a URL").entries(&hashes)
    }

    #[test]
    fn the_next_hash_is_asked_for_when_the_one_before_finds_nothing() {
        let service = Service::start(|request| match (request.path(), request.body.contains("payload")) {
            ("/api/v1/index/retrieve", false) => Reply::ok("[]"),
            ("/api/v1/index/retrieve", true) => {
                Reply::ok(json!(vec![UUID.to_owned() + &"0".repeat(16); 2]).to_string())
            }
            _ => Reply::ok("[]"),
        });
        assert_eq!(search(&service).expect("it answers"), []);
        let bodies: Vec<String> = service.requests().into_iter().map(|request| request.body).collect();
        assert_eq!(bodies[..2], [r#"{"hash":"sha256:exact"}"#, r#"{"hash":"sha256:payload"}"#]);
        assert_eq!(bodies[2], format!(r#"{{"entryUUIDs":["{UUID}{}"]}}"#, "0".repeat(16)));
        assert_eq!(bodies.len(), 3);
    }

    #[test]
    fn ten_entries_are_asked_for_and_no_more_are_read() {
        let uuids: Vec<String> = (0..300).map(|number| format!("{number:064x}")).collect();
        let service = Service::start(move |request| match request.path() {
            "/api/v1/index/retrieve" => Reply::ok(json!(uuids).to_string()),
            _ => Reply::ok(" ".repeat(MAX_ENTRIES_BYTES + 1)),
        });
        let error = search(&service).expect_err("too much").to_string();
        assert!(error.contains("more than 33554432 bytes"), "{error}");
        let asked = &service.requests()[1].body;
        assert!(asked.contains(&format!("{:064x}", 9)) && !asked.contains(&format!("{:064x}", 10)), "{asked}");
    }

    #[test]
    fn what_is_no_answer_is_an_error() {
        for (found, entries, says) in [
            (r#"["../../etc"]"#.to_owned(), "[]", "found one of 9 bytes"),
            ("{}".to_owned(), "[]", "not as expected"),
            (format!("[\"{}\"]", "0".repeat(MAX_FOUND_BYTES)), "[]", "more than 262144 bytes"),
            (format!("[\"{UUID}\"]"), r#"[{"a":{}}]"#, "missing field"),
        ] {
            let service = Service::start(move |request| match request.path() {
                "/api/v1/index/retrieve" => Reply::ok(found.clone()),
                _ => Reply::ok(entries),
            });
            let error = search(&service).expect_err(says).to_string();
            assert!(error.contains(says), "{error}");
        }
        let service = Service::start(|_| Reply::new(503, ""));
        search(&service).expect_err("it is ill");
        assert_eq!(service.requests().len(), 3);
    }
}
