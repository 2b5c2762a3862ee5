//! Reading transparency logs: tiles of Rekor v2, and the interface of Rekor v1.
//!
//! What comes back is converted and bounded here, and believed nowhere: [`model_transparency::log::monitor`] holds it
//! against what the log signed.

mod api;
mod tiles;

#[cfg(test)]
mod tests;

use model_transparency::sign::{Role, ServiceError};
use reqwest::StatusCode;
use reqwest::blocking::RequestBuilder;
use reqwest::header::CACHE_CONTROL;

pub use api::RekorApi;
pub use tiles::HttpTiles;

use crate::InvalidEndpoint;
use crate::endpoint::Endpoint;
use crate::http::{Attempts, Failure, Patience, Redirects};

/// A log that is read, in the way in which it can be.
#[derive(Debug)]
pub enum LogReader {
    /// By its tiles (C2SP tlog-tiles).
    Tiles(HttpTiles),
    /// By the interface of Rekor v1.
    Api(RekorApi),
}

impl LogReader {
    /// Asks the log at `url` which way it is read.
    ///
    /// # Errors
    /// [`OpenLogError`]: there can't be one, or it does not answer.
    pub fn open(url: &str) -> Result<Self, OpenLogError> {
        Self::with_patience(url, Patience::default())
    }

    fn with_patience(url: &str, patience: Patience) -> Result<Self, OpenLogError> {
        let endpoint = Endpoint::new(Role::TransparencyLog, url, Redirects::OfTheSame, patience)?;
        Ok(match tiles::find(&endpoint)? {
            Some(prefix) => Self::Tiles(HttpTiles::new(endpoint, prefix)),
            None => Self::Api(RekorApi::new(endpoint)),
        })
    }
}

/// Why a log can't be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenLogError {
    /// There can be none at its URL.
    #[error(transparent)]
    Url(#[from] InvalidEndpoint),
    /// It does not answer.
    #[error(transparent)]
    Service(#[from] ServiceError),
}

/// A request for what changes: a cache on the way would show a log that has shrunk.
fn newest(endpoint: &Endpoint, path: &str) -> RequestBuilder {
    endpoint.http().client().get(endpoint.at(path)).header(CACHE_CONTROL, "no-cache")
}

/// What is at a part of a log, if something is; at most `limit` bytes.
fn get(endpoint: &Endpoint, path: &str, limit: usize) -> Result<Option<Vec<u8>>, ServiceError> {
    let http = endpoint.http();
    let request = match path.ends_with(tiles::CHECKPOINT) {
        true => newest(endpoint, path),
        false => http.client().get(endpoint.at(path)),
    };
    match http.send(request, limit + 1, Attempts::Several) {
        Ok(bytes) if bytes.len() > limit => {
            Err(endpoint.failed(format!("gave an answer of more than {limit} bytes for `{path}`")))
        }
        Ok(bytes) => Ok(Some(bytes)),
        Err(failure) if is_nothing(&failure) => Ok(None),
        Err(failure) => Err(endpoint.failed(format!("{failure} (asked for `{path}`)"))),
    }
}

/// Whether there is nothing. A store of objects says so in one way or another.
fn is_nothing(failure: &Failure) -> bool {
    use StatusCode as Status;
    // Rekor v2 itself has the calls that read, and answers that they are not implemented.
    let nothing =
        [Status::NOT_FOUND, Status::GONE, Status::FORBIDDEN, Status::METHOD_NOT_ALLOWED, Status::NOT_IMPLEMENTED];
    failure.status.is_some_and(|status| nothing.contains(&status))
}
