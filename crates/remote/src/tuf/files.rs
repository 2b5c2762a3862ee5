//! The files of a repository in memory: what an updater keeps, and the source of an updater that nobody is asked for.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sigstore_tuf::transport::FetchFuture;
use sigstore_tuf::{Error, MetadataStore, Repository};

pub(super) const ROOT: &str = "root.json";
const ROOT_HISTORY: &str = "root_history/";

/// Files by the names that an updater gives them. A clone is the same set.
#[derive(Clone, Debug, Default)]
pub(super) struct Files(Arc<Mutex<BTreeMap<String, Vec<u8>>>>);

/// The name of a target.
pub(super) fn target(name: &str) -> String {
    format!("targets/{name}")
}

impl Files {
    pub(super) fn new(files: BTreeMap<String, Vec<u8>>) -> Self {
        Self(Arc::new(Mutex::new(files)))
    }

    pub(super) fn get(&self, name: &str) -> Option<Vec<u8>> {
        self.locked().get(name).cloned()
    }

    pub(super) fn remove(&self, name: &str) {
        self.locked().remove(name);
    }

    /// The same files, in a set of their own.
    pub(super) fn detached(&self) -> Self {
        Self::new(self.locked().clone())
    }

    /// Every file as text, by name. What an updater keeps is JSON, so nothing is lost.
    pub(super) fn texts(&self) -> BTreeMap<String, String> {
        let text = |bytes: &Vec<u8>| String::from_utf8_lossy(bytes).into_owned();
        self.locked().iter().map(|(name, bytes)| (name.clone(), text(bytes))).collect()
    }

    /// Leaves out what nobody needs again: second copies, and roots that are not of the chain to the one of `version`.
    pub(super) fn prune(&self, version: u64) {
        self.locked().retain(|name, _| match name.strip_prefix(ROOT_HISTORY) {
            Some(root) => versioned(root).is_some_and(|(found, _)| found <= version),
            None => versioned(name).is_none(),
        });
    }

    fn locked(&self) -> MutexGuard<'_, BTreeMap<String, Vec<u8>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn bounded(&self, name: &str, limit: u64) -> Result<Option<Vec<u8>>, Error> {
        match self.get(name) {
            Some(bytes) if bytes.len() as u64 > limit => Err(Error::IntegrityMismatch(format!(
                "`{name}`: expected at most {limit} bytes, found {}",
                bytes.len()
            ))),
            found => Ok(found),
        }
    }
}

/// `12` and `snapshot.json` of `12.snapshot.json`.
fn versioned(name: &str) -> Option<(u64, &str)> {
    let (version, name) = name.split_once('.')?;
    Some((version.parse().ok()?, name))
}

impl MetadataStore for Files {
    fn load(&self, name: &str) -> Result<Option<Vec<u8>>, Error> {
        Ok(self.get(name))
    }

    fn store(&self, name: &str, bytes: &[u8]) -> Result<(), Error> {
        self.locked().insert(name.to_owned(), bytes.to_vec());
        Ok(())
    }
}

impl Repository for Files {
    fn fetch_metadata<'a>(&'a self, name: &'a str, max_length: u64) -> FetchFuture<'a> {
        let found = match versioned(name) {
            Some((_, ROOT)) => self.bounded(&format!("{ROOT_HISTORY}{name}"), max_length),
            Some((_, name)) => self.bounded(name, max_length),
            None => self.bounded(name, max_length),
        };
        Box::pin(std::future::ready(found))
    }

    /// An updater takes the targets that are as they should be from its store, and never comes here for them.
    fn fetch_target<'a>(&'a self, _path: &'a str, _max_length: u64) -> FetchFuture<'a> {
        Box::pin(std::future::ready(Ok(None)))
    }
}
