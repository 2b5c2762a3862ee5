//! Asking a service over HTTP: limits of time and size, another attempt where that may help, and what it says when it
//! refuses. What the bytes mean is for those who ask.

use std::fmt;
use std::io::{self, Read};
use std::thread::sleep;
use std::time::{Duration, Instant};

use reqwest::blocking::{Client, ClientBuilder, RequestBuilder, Response};
use reqwest::header::{ACCEPT, CONTENT_TYPE, LOCATION};
use reqwest::{Certificate, StatusCode, Url, redirect};
use serde::Serialize;
use serde::de::DeserializeOwned;
use url::Host;

use crate::oidc::without_tokens;

const PAUSES: &[Duration] = &[Duration::from_millis(500), Duration::from_secs(2)];
const MAX_REDIRECTS: usize = 3;
/// How much of an error page is read.
const MAX_PAGE_BYTES: usize = 4096;
/// How much of it is shown.
const MAX_SHOWN_BYTES: usize = 200;
const JSON: &str = "application/json";

/// How long a service may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    pub(crate) connect: Duration,
    /// One attempt, from the request to the last byte of the answer.
    pub(crate) attempt: Duration,
    /// The pauses before the second attempt, the third and so on.
    pub(crate) pauses: &'static [Duration],
}

impl Default for Patience {
    fn default() -> Self {
        Self { connect: Duration::from_secs(10), attempt: Duration::from_secs(30), pauses: PAUSES }
    }
}

/// Where a service may send those who ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Redirects {
    /// Nowhere.
    Refused,
    /// To where the same request is answered. The other redirections would make a GET of it.
    OfTheSame,
}

/// Whether a request may be made again after it failed in passing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Attempts {
    /// Once: what is sent is used up by it.
    One,
    Several,
}

/// A client of services.
pub(crate) struct Http {
    client: Client,
    patience: Patience,
}

impl Http {
    /// A client of the service at `url`. If that is on this machine no proxy is asked: what is not encrypted for here
    /// would be readable there.
    ///
    /// # Errors
    /// Why this machine can't make connections.
    pub(crate) fn new(url: &Url, redirects: Redirects, patience: Patience) -> Result<Self, String> {
        let builder = Client::builder().redirect(match redirects {
            Redirects::Refused => redirect::Policy::none(),
            Redirects::OfTheSame => redirect::Policy::custom(follow),
        });
        Self::build(patience, if is_here(url) { builder.no_proxy() } else { builder })
    }

    /// A client that uses no proxy and follows no redirection, for what only this machine can reach.
    ///
    /// # Errors
    /// As [`Http::new`].
    pub(crate) fn direct(patience: Patience) -> Result<Self, String> {
        Self::build(patience, Client::builder().redirect(redirect::Policy::none()).no_proxy())
    }

    fn build(patience: Patience, builder: ClientBuilder) -> Result<Self, String> {
        // Beside the system's, so that an image without any can ask too.
        let roots = webpki_root_certs::TLS_SERVER_ROOT_CERTS.iter().filter_map(|der| Certificate::from_der(der).ok());
        let client = builder
            .user_agent(concat!("model-signing/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(patience.connect)
            .timeout(patience.attempt)
            .tls_certs_merge(roots)
            .build()
            .map_err(|error| chain(&error))?;
        Ok(Self { client, patience })
    }

    /// What requests begin with.
    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    /// At most `limit` bytes of the answer to `request`, if it is one of success.
    pub(crate) fn send(&self, request: RequestBuilder, limit: usize, attempts: Attempts) -> Result<Vec<u8>, Failure> {
        let mut pauses = self.patience.pauses.iter();
        loop {
            let (again, pause) = match attempts {
                Attempts::One => (None, None),
                Attempts::Several => (request.try_clone(), pauses.next()),
            };
            let (Some(attempt), Some(pause)) = (again, pause) else {
                return self.attempt(request, limit);
            };
            match self.attempt(attempt, limit) {
                Err(failure) if failure.is_passing => sleep(*pause),
                done => return done,
            }
        }
    }

    /// [`Http::send`] for JSON of at most `limit` bytes.
    pub(crate) fn send_for_json<T: DeserializeOwned>(
        &self,
        request: RequestBuilder,
        limit: usize,
        attempts: Attempts,
    ) -> Result<T, Failure> {
        let answer = self.send(request.header(ACCEPT, JSON), limit + 1, attempts)?;
        if answer.len() > limit {
            return Err(Failure::useless(format!("gave an answer of more than {limit} bytes")));
        }
        serde_json::from_slice(&answer).map_err(|error| {
            Failure::useless(format!("gave an answer that is not as expected{}", excerpt(error.to_string().as_bytes())))
        })
    }

    /// One attempt.
    fn attempt(&self, request: RequestBuilder, limit: usize) -> Result<Vec<u8>, Failure> {
        let started = Instant::now();
        let response = request.send().map_err(|error| {
            // Without the URL, which may have a password in it.
            let error = error.without_url();
            let is_passing = error.is_connect() || error.is_timeout() || error.is_request();
            Failure { status: None, location: None, reason: format!("can't be reached: {}", chain(&error)), is_passing }
        })?;
        let status = response.status();
        if !status.is_success() {
            let location = response.headers().get(LOCATION).and_then(|place| place.to_str().ok()).map(str::to_owned);
            let page = self.read(response, MAX_PAGE_BYTES, started).unwrap_or_default();
            let is_passing = status.is_server_error() && status != StatusCode::NOT_IMPLEMENTED
                || status == StatusCode::TOO_MANY_REQUESTS;
            return Err(Failure {
                status: Some(status),
                location,
                reason: format!("answered {status}{}", message(&page)),
                is_passing,
            });
        }
        self.read(response, limit, started).map_err(|error| Failure {
            status: None,
            location: None,
            reason: format!("broke off its answer: {error}"),
            is_passing: true,
        })
    }

    /// At most `limit` bytes of an answer. The client's time limit is for each read; this one is for all.
    fn read(&self, mut response: Response, limit: usize, started: Instant) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; limit];
        let mut length = 0;
        while length < limit {
            if started.elapsed() > self.patience.attempt {
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
}

/// Whether a URL is of this machine.
pub(crate) fn is_here(url: &Url) -> bool {
    url.host().is_some_and(|host| match host {
        Host::Domain(name) => name == "localhost",
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
    })
}

/// `request` with `body` as JSON.
pub(crate) fn with_json(request: RequestBuilder, body: &impl Serialize) -> Result<RequestBuilder, Failure> {
    let body = serde_json::to_vec(body).map_err(|error| Failure::useless(format!("was not asked: {error}")))?;
    Ok(request.header(CONTENT_TYPE, JSON).body(body))
}

/// Why there is no answer. It reads on from the name of the service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    /// What the service answered, if it did.
    pub(crate) status: Option<StatusCode>,
    /// Where it says that the answer is (`Location`).
    pub(crate) location: Option<String>,
    reason: String,
    is_passing: bool,
}

impl Failure {
    /// There is an answer, and nothing can be done with it.
    fn useless(reason: String) -> Self {
        Self { status: None, location: None, reason, is_passing: false }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

impl std::error::Error for Failure {}

fn follow(attempt: redirect::Attempt<'_>) -> redirect::Action {
    let asks_again = matches!(attempt.status(), StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT);
    if asks_again && attempt.previous().len() <= MAX_REDIRECTS { attempt.follow() } else { attempt.stop() }
}

/// What an error page says: its message if it is JSON that has one, or its beginning.
fn message(page: &[u8]) -> String {
    said(page).map_or_else(|| excerpt(page), |text| excerpt(text.as_bytes()))
}

/// The beginning of what somebody else wrote, in one line after `: `, or nothing.
pub(crate) fn excerpt(text: &[u8]) -> String {
    let text = shown(&String::from_utf8_lossy(text));
    if text.is_empty() { text } else { format!(": {text}") }
}

/// The beginning of what somebody else wrote, in one line. Tokens in it are left out: whoever was sent one may repeat it.
pub(crate) fn shown(text: &str) -> String {
    let mut text = without_tokens(&text.split_whitespace().collect::<Vec<_>>().join(" "));
    text.truncate(text.floor_char_boundary(MAX_SHOWN_BYTES));
    text
}

/// The message of Sigstore's services (`message`) and of OAuth's (RFC 6749 §5.2).
fn said(page: &[u8]) -> Option<String> {
    let page: serde_json::Value = serde_json::from_slice(page).ok()?;
    let member = |name| page.get(name).and_then(serde_json::Value::as_str);
    match (member("message"), member("error"), member("error_description")) {
        (Some(message), _, _) => Some(message.to_owned()),
        (None, Some(error), Some(description)) => Some(format!("{error}: {description}")),
        (None, error, description) => error.or(description).map(str::to_owned),
    }
}

/// An error and its causes.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::testing::{IMPATIENCE, Reply, Service};

    fn http() -> Http {
        Http::new(&parsed("http://127.0.0.1"), Redirects::OfTheSame, IMPATIENCE).expect("a client")
    }

    fn parsed(url: &str) -> Url {
        Url::parse(url).expect("a URL")
    }

    fn ask(service: &Service, attempts: Attempts) -> Result<Vec<u8>, Failure> {
        let http = http();
        http.send(http.client().post(service.url()).body("question"), 10, attempts)
    }

    #[test]
    fn a_service_that_is_ill_for_a_moment_is_asked_again() {
        let asked = AtomicUsize::new(0);
        let service = Service::start(move |_| match asked.fetch_add(1, Ordering::Relaxed) {
            0 => Reply::new(503, ""),
            1 => Reply::new(429, ""),
            _ => Reply::ok("answer"),
        });
        assert_eq!(ask(&service, Attempts::Several), Ok(b"answer".to_vec()));
        assert!(service.requests().iter().all(|request| request.body == "question"));
        assert_eq!(service.requests().len(), 3);
    }

    #[test]
    fn a_request_that_can_be_made_once_is_made_once() {
        let service = Service::start(|_| Reply::new(503, ""));
        let failure = ask(&service, Attempts::One).expect_err("it is ill");
        assert_eq!(failure.status, Some(StatusCode::SERVICE_UNAVAILABLE));
        assert_eq!(service.requests().len(), 1);
    }

    #[test]
    fn a_refusal_is_shown_and_final() {
        let long = format!("{}é", "x".repeat(MAX_SHOWN_BYTES - 1));
        for (page, says) in [
            ("", ""),
            ("<p>\n  no  such\tthing</p>", ": <p> no such thing</p>"),
            (r#"{"code":3,"message":"no such proof"}"#, ": no such proof"),
            (r#"{"error":"invalid_grant"}"#, ": invalid_grant"),
            (r#"{"error":"invalid_grant","error_description":"used"}"#, ": invalid_grant: used"),
            (r#"{"other":1}"#, r#": {"other":1}"#),
            (
                r#"{"message":"bad token 'eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln-_', or eyJ"}"#,
                ": bad token '…', or …",
            ),
            (&long, &format!(": {}", &long[..MAX_SHOWN_BYTES - 1])),
        ] {
            let answer = page.to_owned();
            let service = Service::start(move |_| Reply::new(400, answer.clone()));
            let failure = ask(&service, Attempts::Several).expect_err("it refuses");
            assert_eq!(failure.to_string(), format!("answered 400 Bad Request{says}"));
            assert_eq!(service.requests().len(), 1);
        }
    }

    #[test]
    fn an_answer_is_read_up_to_its_limit() {
        let service = Service::start(|_| Reply::ok("x".repeat(1 << 20)));
        assert_eq!(ask(&service, Attempts::One), Ok(vec![b'x'; 10]));
        let http = http();
        let failure = http.send_for_json::<String>(http.client().get(service.url()), 10, Attempts::Several);
        assert_eq!(failure.expect_err("too long").to_string(), "gave an answer of more than 10 bytes");
    }

    #[test]
    fn an_answer_in_drips_is_given_up() {
        let drips = Some(Duration::from_millis(400));
        let service = Service::start(move |_| Reply { drips, ..Reply::ok("x".repeat(60)) });
        let started = Instant::now();
        let failure = ask(&service, Attempts::One).expect_err("it takes too long");
        assert!(failure.to_string().starts_with("broke off its answer"), "{failure}");
        assert!(started.elapsed() < Duration::from_secs(4));
    }

    #[test]
    fn a_redirection_is_followed_only_where_the_same_is_asked() {
        let target = Service::start(|_| Reply::ok("answer"));
        for (status, redirects, is_followed) in
            [(307, Redirects::OfTheSame, true), (302, Redirects::OfTheSame, false), (307, Redirects::Refused, false)]
        {
            let location = target.url();
            let service = Service::start(move |_| Reply {
                headers: vec![("Location", location.clone())],
                ..Reply::new(status, "")
            });
            let http = Http::new(&parsed(&service.url()), redirects, IMPATIENCE).expect("a client");
            let answer = http.send(http.client().post(service.url()), 10, Attempts::One);
            assert_eq!(answer.is_ok(), is_followed, "{status} {redirects:?}");
        }
    }

    #[test]
    fn json_is_sent_and_read() {
        let service = Service::start(|request| Reply::ok(request.body.clone()));
        let http = http();
        let request = with_json(http.client().post(service.url()), &["value"]).expect("JSON");
        assert_eq!(http.send_for_json(request, 100, Attempts::One), Ok(["value".to_owned()]));
        assert_eq!(service.requests()[0].header("content-type"), Some(JSON));
        assert_eq!(service.requests()[0].header("accept"), Some(JSON));
        let request = http.client().get(service.url());
        let failure = http.send_for_json::<String>(request, 100, Attempts::One).expect_err("no JSON");
        assert!(failure.to_string().starts_with("gave an answer that is not as expected"), "{failure}");
    }

    #[test]
    fn an_answer_that_is_not_as_expected_is_not_repeated() {
        let token = format!("eyJhbGciOiJFUzI1NiJ9.{}.c2ln", "x".repeat(1000));
        let service = Service::start(move |_| Reply::ok(format!("\"{token} {}\"", "word ".repeat(1000))));
        let http = http();
        let failure = http.send_for_json::<u8>(http.client().get(service.url()), 10_000, Attempts::One);
        let says = failure.expect_err("no number").to_string();
        assert!(says.contains("invalid type: string \"… word word") && says.len() < 300, "{says}");
    }
}
