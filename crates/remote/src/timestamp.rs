//! A timestamp authority over HTTP (RFC 3161 §3.4).

use std::fmt;

use model_transparency::sign::{Service, ServiceError, Timestamper};
use model_transparency::timestamp::{MAX_TIMESTAMP_BYTES, TimestampRequest};
use model_transparency::trust::TimestampAuthority;
use reqwest::Url;
use reqwest::header::{ACCEPT, CONTENT_TYPE};

use crate::http::{Attempts, Http, Patience, Redirects};

const QUERY: &str = "application/timestamp-query";
const REPLY: &str = "application/timestamp-reply";

/// A timestamp authority that is asked over HTTP or HTTPS. It learns the SHA-256 of the signature, and no more.
pub struct HttpTimestamper {
    url: Url,
    http: Http,
    authorities: Vec<TimestampAuthority>,
}

impl HttpTimestamper {
    /// An authority at `url`, whose answers have to be vouched for by one of `authorities`, if there are any.
    ///
    /// # Errors
    /// [`InvalidAuthority`] if there can't be one.
    pub fn new(url: &str, authorities: Vec<TimestampAuthority>) -> Result<Self, InvalidAuthority> {
        let url = Url::parse(url).map_err(|error| InvalidAuthority::Url(error.to_string()))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(InvalidAuthority::Scheme { found: url.scheme().to_owned() });
        }
        let http = Http::new(Redirects::OfTheSame, Patience::default()).map_err(InvalidAuthority::Client)?;
        Ok(Self { url, http, authorities })
    }

    fn failed(&self, reason: String) -> ServiceError {
        ServiceError { service: Service::TimestampAuthority, url: self.shown().to_string(), reason }
    }

    /// The URL without what may be secret in it.
    fn shown(&self) -> Url {
        let mut shown = self.url.clone();
        // A URL that can have no password has none.
        let _ = shown.set_password(None);
        let _ = shown.set_username("");
        shown.set_query(None);
        shown.set_fragment(None);
        shown
    }
}

impl fmt::Debug for HttpTimestamper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HttpTimestamper({})", self.shown())
    }
}

impl Timestamper for HttpTimestamper {
    fn stamp(&self, signature: &[u8]) -> Result<Vec<u8>, ServiceError> {
        let mut nonce = [0; 8];
        aws_lc_rs::rand::fill(&mut nonce)
            .map_err(|_| self.failed("was not asked: the operating system has no randomness".to_owned()))?;
        let unusable = |error| self.failed(format!("was not asked: {error}"));
        let request = TimestampRequest::new(signature, nonce).map_err(unusable)?;
        let query = request.to_der().map_err(unusable)?;
        let asked = self.http.client().post(self.url.clone()).header(CONTENT_TYPE, QUERY).header(ACCEPT, REPLY);
        let reply = self
            .http
            .send(asked.body(query), MAX_TIMESTAMP_BYTES + 1, Attempts::Several)
            .map_err(|failure| self.failed(failure.to_string()))?;
        request.accept(&reply).map_err(|error| self.failed(format!("gave no timestamp that can be used: {error}")))?;
        Ok(reply)
    }

    fn authorities(&self) -> &[TimestampAuthority] {
        &self.authorities
    }
}

/// Why there can be no authority at a place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidAuthority {
    /// It is not a URL.
    #[error("expected a URL: {0}")]
    Url(String),
    /// It is a URL of another kind.
    #[error("expected a URL of `http` or `https`, found one of `{found}`")]
    Scheme {
        /// What was found.
        found: String,
    },
    /// This machine can't make connections.
    #[error("no connection can be made: {0}")]
    Client(String),
}
