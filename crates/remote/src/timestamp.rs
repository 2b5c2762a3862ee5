//! A timestamp authority over HTTP (RFC 3161 §3.4).

use model_transparency::sign::{Role, ServiceError, Timestamper};
use model_transparency::timestamp::{MAX_TIMESTAMP_BYTES, TimestampRequest};
use model_transparency::trust::TimestampAuthority;
use reqwest::header::{ACCEPT, CONTENT_TYPE};

use crate::InvalidEndpoint;
use crate::endpoint::Endpoint;
use crate::http::{Attempts, Patience, Redirects};

const QUERY: &str = "application/timestamp-query";
const REPLY: &str = "application/timestamp-reply";

/// A timestamp authority that is asked over HTTP or HTTPS. It learns the SHA-256 of the signature, and no more.
#[derive(Debug)]
pub struct HttpTimestamper {
    endpoint: Endpoint,
    authorities: Vec<TimestampAuthority>,
}

impl HttpTimestamper {
    /// An authority at `url`, whose answers have to be vouched for by one of `authorities`, if there are any.
    ///
    /// # Errors
    /// [`InvalidEndpoint`] if there can't be one.
    pub fn new(url: &str, authorities: Vec<TimestampAuthority>) -> Result<Self, InvalidEndpoint> {
        let endpoint = Endpoint::new(Role::TimestampAuthority, url, Redirects::OfTheSame, Patience::default())?;
        Ok(Self { endpoint, authorities })
    }

    /// Where it is, without what may be secret in that.
    #[must_use]
    pub fn url(&self) -> String {
        self.endpoint.shown_text()
    }
}

impl Timestamper for HttpTimestamper {
    fn stamp(&self, signature: &[u8]) -> Result<Vec<u8>, ServiceError> {
        let Self { endpoint, .. } = self;
        let mut nonce = [0; 8];
        aws_lc_rs::rand::fill(&mut nonce)
            .map_err(|_| endpoint.failed("was not asked: the operating system has no randomness"))?;
        let unusable = |error| endpoint.failed(format!("was not asked: {error}"));
        let request = TimestampRequest::new(signature, nonce).map_err(unusable)?;
        let query = request.to_der().map_err(unusable)?;
        let http = endpoint.http();
        let asked = http.client().post(endpoint.url()).header(CONTENT_TYPE, QUERY).header(ACCEPT, REPLY);
        let reply = http
            .send(asked.body(query), MAX_TIMESTAMP_BYTES + 1, Attempts::Several)
            .map_err(|failure| endpoint.unanswered(&failure))?;
        let unusable = |error| endpoint.failed(format!("gave no timestamp that can be used: {error}"));
        request.accept(&reply).map_err(unusable)?;
        Ok(reply)
    }

    fn authorities(&self) -> &[TimestampAuthority] {
        &self.authorities
    }
}
