//! What Sigstore instances publish in their TUF repositories: whom to trust, and the services to sign with.
//!
//! A [`Publication`] is both together with the signed metadata that proves it, in one document. Whoever reads one
//! checks it again from the root of the repository, so that neither a cache nor the way of a file to another machine
//! has to be trusted. Where documents are kept is for those who call.

mod document;
mod files;
mod mirror;
mod refusal;

use std::fmt;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use model_transparency::certificate::UnixTime;
use model_transparency::sigstore::{Instance, InvalidTrustConfig, TrustConfig};
use sigstore_trust_root::SigstoreInstance;
use sigstore_tuf::{Error, Repository, Updater, UpdaterConfig};
use url::Url;

use files::Files;
use mirror::Mirror;

pub use document::{InvalidPublication, trust_config_json};

const TRUSTED_ROOT: &str = "trusted_root.json";
const SIGNING_CONFIG: &str = "signing_config.v0.2.json";
/// The largest file that a repository may publish, in bytes, and the largest of its metadata.
const MAX_FILE_BYTES: u64 = 2 << 20;
/// Characters of a host in the name of a folder.
const MAX_HOST_CHARACTERS: usize = 64;

/// A TUF repository, and the root that what is in it has to be signed under.
#[derive(Clone, Debug)]
pub struct TufRepository {
    url: Url,
    instance: Option<Instance>,
    root: Option<Vec<u8>>,
}

impl TufRepository {
    /// The repository of a public instance, with the root that this crate was built with.
    #[must_use]
    pub fn public(instance: Instance) -> Self {
        let sigstore = match instance {
            Instance::Production => SigstoreInstance::PublicGood,
            Instance::Staging => SigstoreInstance::Staging,
        };
        let url = Url::parse(sigstore.tuf_url()).expect("the addresses are tested");
        Self { url, instance: Some(instance), root: Some(sigstore.tuf_root().to_vec()) }
    }

    /// The repository at `url`, with the root metadata to begin from. Without one, what was published before is begun
    /// from.
    ///
    /// # Errors
    /// [`InvalidRepository`] if there can't be one.
    pub fn private(url: &str, root: Option<Vec<u8>>) -> Result<Self, InvalidRepository> {
        let mut url = Url::parse(url).map_err(|error| InvalidRepository::Url(error.to_string()))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(InvalidRepository::Scheme { found: url.scheme().to_owned() });
        }
        url.set_query(None);
        url.set_fragment(None);
        Ok(Self { url, instance: None, root })
    }

    /// The same, to begin from the root of what it published before.
    #[must_use]
    pub fn after(self, publication: &Publication) -> Self {
        Self { root: publication.files.get(files::ROOT).or(self.root), ..self }
    }

    /// The public instance that it is of.
    #[must_use]
    pub const fn instance(&self) -> Option<Instance> {
        self.instance
    }

    /// A name for a folder of its own: letters, digits, dots and hyphens.
    #[must_use]
    pub fn folder_name(&self) -> String {
        match self.instance {
            Some(Instance::Production) => "production".to_owned(),
            Some(Instance::Staging) => "staging".to_owned(),
            None => {
                let host = self.url.host_str().unwrap_or_default().chars();
                let host: String = host
                    .filter(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-'))
                    .take(MAX_HOST_CHARACTERS)
                    .collect();
                let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, self.to_string().as_bytes());
                format!("{host}-{}", base16ct::lower::encode_string(&digest.as_ref()[..8]))
            }
        }
    }
}

impl fmt::Display for TufRepository {
    /// Its URL, without a password, and without a slash at the end.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = self.url.clone();
        // A URL that can have no password has none.
        let _ = shown.set_password(None);
        let _ = shown.set_username("");
        f.write_str(shown.as_str().trim_end_matches('/'))
    }
}

/// What a repository published, proven. See the module.
#[derive(Clone, Debug)]
pub struct Publication {
    repository: String,
    refreshed: UnixTime,
    versions: Versions,
    files: Files,
    config: TrustConfig,
}

/// The versions of a repository's metadata. The greater one is the later one: a new root may count anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Versions {
    /// Of `root.json`.
    pub root: u64,
    /// Of `timestamp.json`.
    pub timestamp: u64,
}

impl fmt::Display for Versions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "root {}, timestamp {}", self.root, self.timestamp)
    }
}

impl Publication {
    /// Asks `repository` for what it publishes at `now`. What it published before is a bound: nothing may be older.
    ///
    /// # Errors
    /// [`FetchError`]; nothing has changed then.
    pub fn fetch(repository: &TufRepository, before: Option<&Self>, now: UnixTime) -> Result<Self, FetchError> {
        let root = match (&repository.root, before) {
            (Some(root), _) => root.clone(),
            (None, Some(before)) => before.files.get(files::ROOT).ok_or(FetchError::NoRoot)?,
            (None, None) => return Err(FetchError::NoRoot),
        };
        let mirror = Mirror::new(repository.url.clone()).map_err(FetchError::Client)?;
        let files = before.map(|before| before.files.detached()).unwrap_or_default();
        let versions = prove(mirror, &root, &files, now).map_err(|error| refusal::of(&error, repository))?;
        files.prune(versions.root);
        let document = document::render(&repository.to_string(), now, &files).map_err(FetchError::Unusable)?;
        let config = TrustConfig::from_json(&document).map_err(FetchError::Unusable)?;
        Ok(Self { repository: repository.to_string(), refreshed: now, versions, files, config })
    }

    /// Whose it is: the URL of the repository.
    #[must_use]
    pub fn repository(&self) -> &str {
        &self.repository
    }

    /// When the repository was asked. It is never later than the metadata may be believed.
    #[must_use]
    pub const fn refreshed(&self) -> UnixTime {
        self.refreshed
    }

    /// The versions of the metadata.
    #[must_use]
    pub const fn versions(&self) -> Versions {
        self.versions
    }

    /// Whether the other one has the same trusted root and the same services.
    #[must_use]
    pub fn publishes_the_same_as(&self, other: &Self) -> bool {
        [TRUSTED_ROOT, SIGNING_CONFIG]
            .map(files::target)
            .iter()
            .all(|name| self.files.get(name) == other.files.get(name))
    }

    /// What was published.
    #[must_use]
    pub const fn config(&self) -> &TrustConfig {
        &self.config
    }
}

/// Proves `files` and what `source` has more of them, from `root` on, as of `at`.
fn prove(source: impl Repository + 'static, root: &[u8], files: &Files, at: UnixTime) -> Result<Versions, Error> {
    let at = i64::try_from(at.0).ok().and_then(|seconds| jiff::Timestamp::from_second(seconds).ok());
    let at = at.ok_or_else(|| Error::Malformed("the time is out of bounds".to_owned()))?;
    let mut config = UpdaterConfig::default();
    config.snapshot_max_length = MAX_FILE_BYTES;
    config.targets_max_length = MAX_FILE_BYTES;
    config.target_max_length = MAX_FILE_BYTES;
    let mut updater = Updater::new(source, root)?.with_config(config).with_store(files.clone());
    at_once(async {
        updater.refresh(at).await?;
        updater.get_target(TRUSTED_ROOT, at).await?;
        match updater.get_target(SIGNING_CONFIG, at).await {
            Err(Error::TargetNotFound(_)) => files.remove(&files::target(SIGNING_CONFIG)),
            other => drop(other?),
        }
        let trusted = updater.trusted();
        let timestamp = trusted.timestamp().ok_or(Error::NotRefreshed)?;
        Ok(Versions { root: trusted.root().version, timestamp: timestamp.version })
    })
}

/// Runs what waits for nothing: both sources have their answer when they are asked.
fn at_once<T>(future: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => result,
        Poll::Pending => Err(Error::transport("a source had to be waited for")),
    }
}

/// Why a repository has nothing new that can be used.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// Nobody said what the metadata has to be signed under.
    #[error("nothing is known of the repository: expected its root metadata")]
    NoRoot,
    /// This machine can't make connections.
    #[error("no connection can be made: {0}")]
    Client(String),
    /// The repository can't be reached, or it is not there.
    #[error("the TUF repository `{repository}` {reason}")]
    NotFetched {
        /// Its URL.
        repository: String,
        /// What happened.
        reason: String,
    },
    /// What the repository has is not what its keys vouch for, or it is out of date.
    #[error("the TUF repository `{repository}` is not believed: {reason}")]
    Refused {
        /// Its URL.
        repository: String,
        /// What was expected, and what was found.
        reason: String,
    },
    /// What the keys vouch for can't be used.
    #[error("what the repository publishes can't be used: {0}")]
    Unusable(#[source] InvalidTrustConfig),
}

/// Why there can be no repository at a place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRepository {
    /// It is not a URL.
    #[error("expected a URL: {0}")]
    Url(String),
    /// It is a URL of another kind.
    #[error("expected a URL of `http` or `https`, found one of `{found}`")]
    Scheme {
        /// What was found.
        found: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn public_repositories_have_a_root_that_signs_itself() {
        for (instance, name) in [(Instance::Production, "production"), (Instance::Staging, "staging")] {
            let repository = TufRepository::public(instance);
            assert_eq!(repository.folder_name(), name);
            assert!(repository.to_string().starts_with("https://tuf-repo-cdn."), "{repository}");
            let root = repository.root.expect("a root");
            sigstore_tuf::TrustedMetadataSet::from_root(&root).expect("it signs itself");
        }
    }

    #[test]
    fn a_private_repository_has_a_folder_of_its_own_and_no_password() {
        let folder = |url| TufRepository::private(url, None).expect("a repository").folder_name();
        assert_eq!(folder("https://tuf.example/a"), folder("https://tuf.example/a/"));
        assert_ne!(folder("https://tuf.example/a"), folder("https://tuf.example/b"));
        assert!(folder("https://tuf.example/a").starts_with("tuf.example-"));
        assert!(folder("http://[::1]:80/../..").chars().all(|c| c.is_ascii_alphanumeric() || c == '-'));
        let repository = TufRepository::private("https://user:secret@tuf.example/?token=secret#secret", None);
        assert_eq!(repository.expect("a repository").to_string(), "https://tuf.example");
        assert!(matches!(TufRepository::private("nowhere", None), Err(InvalidRepository::Url(_))));
        assert!(matches!(TufRepository::private("ftp://x", None), Err(InvalidRepository::Scheme { .. })));
    }
}
