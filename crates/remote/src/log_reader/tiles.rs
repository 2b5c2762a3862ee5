//! A log by its tiles (C2SP tlog-tiles).

use model_transparency::log::monitor::TiledLog;
use model_transparency::log::{EntryBundle, MAX_CHECKPOINT_BYTES, Tile, TileSource};
use model_transparency::sign::ServiceError;

use super::get;
use crate::endpoint::Endpoint;

/// Where tiles may be: where the interface of Rekor v2 is, or at the log's root.
const PREFIXES: [&str; 2] = ["api/v2/", ""];
pub(super) const CHECKPOINT: &str = "checkpoint";

/// The tiles of a log.
#[derive(Debug)]
pub struct HttpTiles {
    endpoint: Endpoint,
    prefix: &'static str,
}

/// Below which path the log has its checkpoint, if it has one.
pub(super) fn find(endpoint: &Endpoint) -> Result<Option<&'static str>, ServiceError> {
    for prefix in PREFIXES {
        if get(endpoint, &format!("{prefix}{CHECKPOINT}"), MAX_CHECKPOINT_BYTES)?.is_some() {
            return Ok(Some(prefix));
        }
    }
    Ok(None)
}

impl HttpTiles {
    pub(super) fn new(endpoint: Endpoint, prefix: &'static str) -> Self {
        Self { endpoint, prefix }
    }

    /// What is at `path`, or where it is when it is full: the partial one may be gone by then.
    fn partial_or_full(&self, path: &str, full: Option<String>, limit: usize) -> Result<Vec<u8>, ServiceError> {
        let places = [Some(path.to_owned()), full];
        for place in places.into_iter().flatten() {
            if let Some(bytes) = get(&self.endpoint, &format!("{}{place}", self.prefix), limit)? {
                return Ok(bytes);
            }
        }
        Err(self.endpoint.failed(format!("does not have `{path}`")))
    }
}

impl TileSource for HttpTiles {
    type Error = ServiceError;

    fn tile(&mut self, tile: Tile) -> Result<Vec<u8>, ServiceError> {
        let full = (!tile.is_full()).then(|| tile.full().path());
        self.partial_or_full(&tile.path(), full, Tile::MAX_BYTES)
    }

    fn entries(&mut self, bundle: EntryBundle) -> Result<Vec<u8>, ServiceError> {
        let full = (!bundle.is_full()).then(|| bundle.full().path());
        self.partial_or_full(&bundle.path(), full, EntryBundle::MAX_BYTES)
    }
}

impl TiledLog for HttpTiles {
    fn checkpoint(&mut self) -> Result<String, ServiceError> {
        let bytes = self.partial_or_full(CHECKPOINT, None, MAX_CHECKPOINT_BYTES)?;
        String::from_utf8(bytes).map_err(|_| self.endpoint.failed("gave a checkpoint that is not text"))
    }
}
