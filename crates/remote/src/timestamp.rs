//! A timestamp authority over HTTP (RFC 3161 §3.4).

use std::fmt;
use std::io::{self, Read};
use std::thread::sleep;
use std::time::{Duration, Instant};

use model_transparency::sign::{StampError, Timestamper};
use model_transparency::timestamp::{MAX_TIMESTAMP_BYTES, TimestampRequest};
use model_transparency::trust::TimestampAuthority;
use reqwest::blocking::{Client, Response};
use reqwest::header::{ACCEPT, CONTENT_TYPE};
use reqwest::{Certificate, StatusCode, Url, redirect};

const QUERY: &str = "application/timestamp-query";
const REPLY: &str = "application/timestamp-reply";
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long one attempt may take.
const TIMEOUT: Duration = Duration::from_secs(30);
/// The pauses before the second attempt and the third.
const PAUSES: [Duration; 2] = [Duration::from_millis(500), Duration::from_secs(2)];
const MAX_REDIRECTS: usize = 3;
/// How much of an error page is shown.
const MAX_SHOWN_BYTES: usize = 200;

/// A timestamp authority that is asked over HTTP or HTTPS. It learns the SHA-256 of the signature, and no more.
pub struct HttpTimestamper {
    url: Url,
    client: Client,
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
        // Beside the system's, so that an image without any can ask too.
        let roots = webpki_root_certs::TLS_SERVER_ROOT_CERTS.iter().filter_map(|der| Certificate::from_der(der).ok());
        let client = Client::builder()
            .user_agent(concat!("model-signing/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(TIMEOUT)
            .redirect(redirect::Policy::custom(follow))
            .tls_certs_merge(roots)
            .build()
            .map_err(|error| InvalidAuthority::Client(chain(&error)))?;
        Ok(Self { url, client, authorities })
    }

    /// One attempt.
    fn ask(&self, query: &[u8]) -> Result<Vec<u8>, Attempt> {
        let started = Instant::now();
        let request = self.client.post(self.url.clone()).header(CONTENT_TYPE, QUERY).header(ACCEPT, REPLY);
        let response = request.body(query.to_vec()).send().map_err(|error| {
            // Without the URL, which may have a password in it.
            let error = error.without_url();
            let lost = error.is_connect() || error.is_timeout() || error.is_request();
            let reason = format!("can't be reached: {}", chain(&error));
            if lost { Attempt::Lost(reason) } else { Attempt::Refused(reason) }
        })?;
        let status = response.status();
        if !status.is_success() {
            let reason = format!("answered {status}{}", page(response, started));
            let passing = status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS;
            return Err(if passing { Attempt::Lost(reason) } else { Attempt::Refused(reason) });
        }
        read(response, MAX_TIMESTAMP_BYTES + 1, started)
            .map_err(|error| Attempt::Lost(format!("broke off its answer: {error}")))
    }

    fn failed(&self, reason: String) -> StampError {
        StampError { authority: self.shown().to_string(), reason }
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

/// How an attempt failed: in passing, or for good.
enum Attempt {
    Lost(String),
    Refused(String),
}

impl Timestamper for HttpTimestamper {
    fn stamp(&self, signature: &[u8]) -> Result<Vec<u8>, StampError> {
        let mut nonce = [0; 8];
        aws_lc_rs::rand::fill(&mut nonce)
            .map_err(|_| self.failed("was not asked: the operating system has no randomness".to_owned()))?;
        let unusable = |error| self.failed(format!("was not asked: {error}"));
        let request = TimestampRequest::new(signature, nonce).map_err(unusable)?;
        let query = request.to_der().map_err(unusable)?;
        let mut pauses = PAUSES.iter();
        let reply = loop {
            match (self.ask(&query), pauses.next()) {
                (Ok(reply), _) => break reply,
                (Err(Attempt::Lost(_)), Some(pause)) => sleep(*pause),
                (Err(Attempt::Lost(reason) | Attempt::Refused(reason)), _) => return Err(self.failed(reason)),
            }
        };
        request.accept(&reply).map_err(|error| self.failed(format!("gave no timestamp that can be used: {error}")))?;
        Ok(reply)
    }

    fn authorities(&self) -> &[TimestampAuthority] {
        &self.authorities
    }
}

/// Follows what asks for the same again elsewhere. The other redirections would make a GET of it.
fn follow(attempt: redirect::Attempt<'_>) -> redirect::Action {
    let asks_again = matches!(attempt.status(), StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT);
    if asks_again && attempt.previous().len() <= MAX_REDIRECTS { attempt.follow() } else { attempt.stop() }
}

/// The beginning of an error page, if it is text.
fn page(response: Response, started: Instant) -> String {
    let bytes = read(response, MAX_SHOWN_BYTES, started).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if text.is_empty() { text } else { format!(": {text}") }
}

/// At most `limit` bytes of an answer. The client's time limit is for each read; this one is for all.
fn read(mut response: Response, limit: usize, started: Instant) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; limit];
    let mut length = 0;
    while length < limit {
        if started.elapsed() > TIMEOUT {
            return Err(io::ErrorKind::TimedOut.into());
        }
        match response.read(&mut bytes[length..])? {
            0 => break,
            more => length += more,
        }
    }
    bytes.truncate(length);
    Ok(bytes)
}

/// An error and its causes.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    text
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
