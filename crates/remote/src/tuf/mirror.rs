//! A TUF repository over HTTP.

use reqwest::StatusCode;
use sigstore_tuf::transport::FetchFuture;
use sigstore_tuf::{Error, Repository};
use url::Url;

use crate::http::{Attempts, Http, Patience, Redirects};

/// A repository that is asked over HTTP or HTTPS. It learns the address of who asks, and no more.
pub(super) struct Mirror {
    http: Http,
    base: Url,
}

impl Mirror {
    /// # Errors
    /// Why this machine can't make connections.
    pub(super) fn new(mut base: Url) -> Result<Self, String> {
        if !base.path().ends_with('/') {
            base.set_path(&format!("{}/", base.path()));
        }
        Ok(Self { http: Http::new(&base, Redirects::OfTheSame, Patience::default())?, base })
    }

    fn fetch(&self, path: &str, limit: u64) -> Result<Option<Vec<u8>>, Error> {
        let failed = |reason: String| Error::transport(format!("was asked for `{path}` and {reason}"));
        let url = self.base.join(path).map_err(|error| failed(error.to_string()))?;
        if !url.as_str().starts_with(self.base.as_str()) {
            return Err(Error::Malformed(format!("`{path}` is outside the repository")));
        }
        let limit = usize::try_from(limit).unwrap_or(usize::MAX - 1);
        match self.http.send(self.http.client().get(url), limit + 1, Attempts::Several) {
            Ok(bytes) if bytes.len() > limit => {
                Err(Error::IntegrityMismatch(format!("`{path}`: expected at most {limit} bytes, found more")))
            }
            Ok(bytes) => Ok(Some(bytes)),
            // Stores of objects answer the one or the other for what they do not have.
            Err(failure) if matches!(failure.status, Some(StatusCode::NOT_FOUND | StatusCode::FORBIDDEN)) => Ok(None),
            Err(failure) => Err(failed(failure.to_string())),
        }
    }
}

impl Repository for Mirror {
    fn fetch_metadata<'a>(&'a self, name: &'a str, max_length: u64) -> FetchFuture<'a> {
        Box::pin(std::future::ready(self.fetch(name, max_length)))
    }

    fn fetch_target<'a>(&'a self, path: &'a str, max_length: u64) -> FetchFuture<'a> {
        Box::pin(std::future::ready(self.fetch(&format!("targets/{path}"), max_length)))
    }
}
