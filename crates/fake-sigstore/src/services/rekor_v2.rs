//! The transparency log made of tiles, with version 2 of the interface.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::checkpoint::Notary;
use crate::desk::{Desk, Lie};
use crate::encoding::base64;
use crate::http::{Handler, Request, Response, lock};
use crate::key::{Key, KeyKind};
use crate::log_entry;
use crate::merkle::{TILE_WIDTH, Tree};

/// A log whose checkpoint is there as soon as an entry is.
pub(crate) struct RekorV2 {
    pub(crate) notary: Notary,
    desk: Arc<Desk>,
    bodies: Mutex<Vec<Vec<u8>>>,
    /// The entry with which the log begins where it is forked.
    first_of_fork: Vec<u8>,
}

impl RekorV2 {
    pub(crate) fn new(desk: Arc<Desk>, host: String, key: KeyKind, entries: usize) -> Self {
        let [key, stranger] = [(); 2].map(|()| Key::generate(key));
        let body = || log_entry::v2(&log_entry::of_a_stranger(2)).expect("an entry");
        Self {
            notary: Notary { name: host, key, stranger },
            desk,
            bodies: Mutex::new(std::iter::repeat_with(body).take(entries).collect()),
            first_of_fork: body(),
        }
    }

    /// Adds an entry and gives its index, unless it can't be one.
    pub(crate) fn add(&self, request: &Value) -> Option<u64> {
        let body = log_entry::v2(request)?;
        let mut bodies = lock(&self.bodies);
        bodies.push(body);
        Some(bodies.len() as u64 - 1)
    }

    /// Adds an entry of somebody else.
    pub(crate) fn add_stranger(&self) {
        self.add(&log_entry::of_a_stranger(2)).expect("an entry");
    }

    /// Loses the newest entries.
    pub(crate) fn forget(&self, entries: usize) {
        let mut bodies = lock(&self.bodies);
        let left = bodies.len().saturating_sub(entries);
        bodies.truncate(left);
    }

    pub(crate) fn size(&self) -> u64 {
        lock(&self.bodies).len() as u64
    }

    /// What is in the log, in whichever history is told.
    fn history(&self) -> Vec<Vec<u8>> {
        let mut bodies = lock(&self.bodies).clone();
        if self.desk.lies(Lie::Forked)
            && let Some(first) = bodies.first_mut()
        {
            first.clone_from(&self.first_of_fork);
        }
        bodies
    }

    fn checkpoint(&self, tree: &Tree) -> String {
        self.notary.checkpoint(&self.notary.name, tree, &self.desk)
    }

    fn create(&self, request: &Request) -> Response {
        let refuse = |status, message: &str| self.desk.service().error(status, message);
        let Some(proposed) = request.json() else { return refuse(400, "invalid request") };
        if proposed.get("hashedRekordRequestV002").is_none() {
            return refuse(400, "invalid type, must be hashedrekord");
        }
        let Some(body) = log_entry::v2(&proposed) else { return refuse(400, "invalid hashedrekord request") };
        let index = {
            let mut bodies = lock(&self.bodies);
            if let Some(index) = bodies.iter().position(|kept| *kept == body) {
                let message = format!("an equivalent entry already exists in the transparency log with index {index}");
                return refuse(409, &message).with("X-Log-Index", index.to_string());
            }
            bodies.push(body);
            bodies.len() - 1
        };
        Response::json(201, &self.show(index))
    }

    /// A `TransparencyLogEntry`, as protobuf has it in JSON.
    fn show(&self, index: usize) -> Value {
        let bodies = self.history();
        let tree = Tree::of(bodies.iter().map(Vec::as_slice));
        let index = if self.desk.lies(Lie::EntryOfAnotherBody) { 0 } else { index };
        let mut proof = tree.inclusion(index as u64);
        if self.desk.lies(Lie::InclusionProofAltered) {
            proof.first_mut().expect("more than one entry")[0] ^= 1;
        }
        let shown = if self.desk.lies(Lie::LogIndexOff) { index.checked_sub(1).unwrap_or(1) } else { index };
        let shown = shown.to_string();
        let proof: Vec<_> = proof.iter().map(|hash| base64(hash)).collect();
        json!({
            "logIndex": shown,
            "logId": { "keyId": base64(&self.notary.key_id()) },
            "kindVersion": { "kind": "hashedrekord", "version": "0.0.2" },
            "integratedTime": "0",
            "inclusionPromise": null,
            "inclusionProof": {
                "logIndex": shown,
                "rootHash": base64(&tree.root()),
                "treeSize": tree.size().to_string(),
                "hashes": proof,
                "checkpoint": { "envelope": self.checkpoint(&tree) },
            },
            "canonicalizedBody": base64(&bodies[index]),
        })
    }

    /// A tile of hashes or of entries, at its path after `tile/`.
    fn tile(&self, path: &str) -> Option<Vec<u8>> {
        let (level, rest) = path.split_once('/')?;
        let (index, width) = tile_coordinates(rest)?;
        let bodies = self.history();
        if level == "entries" {
            let first = usize::try_from(index.checked_mul(TILE_WIDTH)?).ok()?;
            let entries = bodies.get(first..first.checked_add(usize::try_from(width).ok()?)?)?;
            let entry = |body: &Vec<u8>| [&u16::try_from(body.len()).expect("short").to_be_bytes(), &body[..]].concat();
            return Some(entries.iter().flat_map(entry).collect());
        }
        let tree = Tree::of(bodies.iter().map(Vec::as_slice));
        Some(tree.tile(level.parse().ok()?, index, width)?.concat())
    }
}

/// The index and the width in `x001/x234/067` or `x001/x234/067.p/9` (C2SP tlog-tiles).
fn tile_coordinates(path: &str) -> Option<(u64, u64)> {
    let (path, width) = match path.split_once(".p/") {
        Some((path, width)) => (path, width.parse().ok().filter(|width| (1..TILE_WIDTH).contains(width))?),
        None => (path, TILE_WIDTH),
    };
    let parts: Vec<_> = path.split('/').collect();
    let (last, first) = parts.split_last()?;
    let digits = |part: &str| (part.len() == 3 && part.bytes().all(|byte| byte.is_ascii_digit())).then(|| part.parse());
    let mut index = 0_u64;
    for part in first.iter().map(|part| part.strip_prefix('x')).chain([Some(*last)]) {
        index = index.checked_mul(1000)?.checked_add(digits(part?)?.ok()?)?;
    }
    Some((index, width))
}

impl Handler for RekorV2 {
    fn answer(&self, request: &Request) -> Response {
        let not_found = || self.desk.service().error(404, "Not Found");
        // What reads a log may be told of its root or of the interface's.
        let path = request.path.strip_prefix("/api/v2").unwrap_or(&request.path);
        match (request.method.as_str(), path) {
            ("POST", "/log/entries") if request.path.starts_with("/api/v2/") => self.create(request),
            ("GET", "/checkpoint") => {
                let bodies = self.history();
                let note = self.checkpoint(&Tree::of(bodies.iter().map(Vec::as_slice)));
                Response::new(200, "text/plain; charset=utf-8", note)
            }
            ("GET", _) => match path.strip_prefix("/tile/").and_then(|path| self.tile(path)) {
                Some(tile) => Response::new(200, "application/octet-stream", tile),
                None => not_found(),
            },
            _ => not_found(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::tile_coordinates;

    #[test]
    fn paths_of_tiles_are_read_as_specified() {
        assert_eq!(tile_coordinates("000"), Some((0, 256)));
        assert_eq!(tile_coordinates("x001/x234/067"), Some((1_234_067, 256)));
        assert_eq!(tile_coordinates("x001/234.p/9"), Some((1234, 9)));
        for path in
            ["", "1", "0000", "x001", "001/234", "001.p/0", "001.p/256", "001.p/", "+01", "x999/".repeat(9).as_str()]
        {
            assert_eq!(tile_coordinates(path), None, "{path}");
        }
    }
}
