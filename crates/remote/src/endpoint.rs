//! A service at a URL, and how its failures are told.

use std::fmt;

use model_transparency::sign::{Role, ServiceError};
use reqwest::Url;

use crate::http::{Failure, Http, Patience, Redirects, is_here};

/// A service at a URL.
pub(crate) struct Endpoint {
    role: Role,
    url: Url,
    http: Http,
}

impl Endpoint {
    /// The service at `url`.
    ///
    /// # Errors
    /// [`InvalidEndpoint`] if there can't be one.
    pub(crate) fn new(
        role: Role,
        url: &str,
        redirects: Redirects,
        patience: Patience,
    ) -> Result<Self, InvalidEndpoint> {
        let url = Url::parse(url).map_err(|error| InvalidEndpoint::Url(error.to_string()))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(InvalidEndpoint::Scheme { found: url.scheme().to_owned() });
        }
        let http = Http::new(&url, redirects, patience).map_err(InvalidEndpoint::Client)?;
        Ok(Self { role, url, http })
    }

    pub(crate) fn http(&self) -> &Http {
        &self.http
    }

    /// Where it is.
    pub(crate) fn url(&self) -> Url {
        self.url.clone()
    }

    /// Where a part of it is; `path` begins without a slash.
    pub(crate) fn at(&self, path: &str) -> Url {
        let mut url = self.url.clone();
        url.set_path(&format!("{}/{path}", self.url.path().trim_end_matches('/')));
        url
    }

    /// Whether it is asked over HTTPS, or is on this machine.
    pub(crate) fn is_confidential(&self) -> bool {
        self.url.scheme() == "https" || is_here(&self.url)
    }

    /// The URL without what may be secret in it.
    pub(crate) fn shown(&self) -> Url {
        let mut shown = self.url.clone();
        // A URL that can have no password has none.
        let _ = shown.set_password(None);
        let _ = shown.set_username("");
        shown.set_query(None);
        shown.set_fragment(None);
        shown
    }

    /// [`Self::shown`] as a text, without a slash at its end.
    pub(crate) fn shown_text(&self) -> String {
        self.shown().as_str().trim_end_matches('/').to_owned()
    }

    /// What went wrong with it; `reason` reads on from its name.
    pub(crate) fn failed(&self, reason: impl Into<String>) -> ServiceError {
        ServiceError { role: self.role, url: self.shown_text(), reason: reason.into() }
    }

    /// Why it gave no answer.
    pub(crate) fn unanswered(&self, failure: &Failure) -> ServiceError {
        self.failed(failure.to_string())
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.role, self.shown())
    }
}

/// Why there can be no service at a place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidEndpoint {
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
