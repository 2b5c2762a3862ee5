//! Logs for tests: trees in memory, and checkpoints that are signed.

use std::collections::HashMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::{EntryBundle, LogId, LogKey, Tile, TileSource, TreeHash};
use crate::key::{KeyAlgorithm, PrivateKey, PrivateKeyPem, SigningKey as _, generate};

/// A log's key.
pub(super) struct TestLog {
    pub(super) private: PrivateKey,
    pub(super) public: LogKey,
}

impl TestLog {
    /// A log with a new key.
    pub(super) fn new(algorithm: KeyAlgorithm, name: &str) -> Self {
        let private = new_key(algorithm);
        let id = LogId::of_note(name, private.public_key());
        let public = LogKey::new(private.public_key().clone(), id, format!("https://{name}"));
        Self { private, public }
    }

    /// What names the key in a checkpoint.
    pub(super) fn hint(&self) -> [u8; 4] {
        *self.public.id().as_bytes().first_chunk().expect("32 bytes")
    }

    /// A line of signature over the text of a note.
    pub(super) fn signature_line(&self, name: &str, text: &str) -> String {
        let signature = self.private.sign(text.as_bytes()).expect("own keys sign");
        format!("\u{2014} {name} {}\n", STANDARD.encode([&self.hint()[..], &signature].concat()))
    }

    /// A checkpoint.
    pub(super) fn checkpoint(&self, origin: &str, size: u64, root: TreeHash) -> String {
        let text = note(origin, size, root);
        let name = origin.split(" - ").next().unwrap_or_default();
        format!("{text}\n{}", self.signature_line(name, &text))
    }
}

/// A new key.
pub(super) fn new_key(algorithm: KeyAlgorithm) -> PrivateKey {
    let (pem, _) = generate(algorithm, None).expect("keys can be made");
    PrivateKeyPem::parse(pem.as_bytes()).and_then(|pem| pem.into_key(None)).expect("own keys can be read")
}

/// The text of a checkpoint.
pub(super) fn note(origin: &str, size: u64, root: TreeHash) -> String {
    format!("{origin}\n{size}\n{}\n", STANDARD.encode(root.as_bytes()))
}

/// So many entries, each different.
pub(super) fn entries(count: usize) -> Vec<Vec<u8>> {
    (0..count).map(|index| format!("entry {index}").into_bytes()).collect()
}

/// The root of these leaves, as RFC 6962 §2.1 defines it.
pub(super) fn merkle_root(leaves: &[TreeHash]) -> TreeHash {
    match leaves {
        [] => TreeHash::of_empty_tree(),
        [leaf] => *leaf,
        _ => {
            let (left, right) = leaves.split_at(split(leaves.len()));
            TreeHash::of_children(merkle_root(left), merkle_root(right))
        }
    }
}

/// The proof that the leaf at `index` is there (RFC 6962 §2.1.1).
pub(super) fn prove_inclusion(index: usize, leaves: &[TreeHash]) -> Vec<TreeHash> {
    if leaves.len() == 1 {
        return Vec::new();
    }
    let (left, right) = leaves.split_at(split(leaves.len()));
    let (mut proof, other) = match index.checked_sub(left.len()) {
        None => (prove_inclusion(index, left), right),
        Some(index) => (prove_inclusion(index, right), left),
    };
    proof.push(merkle_root(other));
    proof
}

/// The proof that the first `old` leaves are the beginning (RFC 6962 §2.1.2).
pub(super) fn prove_consistency(old: usize, leaves: &[TreeHash]) -> Vec<TreeHash> {
    fn subproof(old: usize, leaves: &[TreeHash], is_whole: bool) -> Vec<TreeHash> {
        if old == leaves.len() {
            return if is_whole { Vec::new() } else { vec![merkle_root(leaves)] };
        }
        let (left, right) = leaves.split_at(split(leaves.len()));
        let (mut proof, other) = match old.checked_sub(left.len()) {
            None | Some(0) => (subproof(old, left, is_whole), right),
            Some(rest) => (subproof(rest, right, false), left),
        };
        proof.push(merkle_root(other));
        proof
    }
    if old == 0 { Vec::new() } else { subproof(old, leaves, true) }
}

/// The largest power of two that is smaller.
fn split(count: usize) -> usize {
    (count.div_ceil(2)).next_power_of_two()
}

/// A log's tiles, as it would serve them for trees of any size up to its own.
pub(super) struct MemoryTiles {
    entries: Vec<Vec<u8>>,
    /// The nodes at every eighth level.
    levels: Vec<Vec<TreeHash>>,
    /// What it serves instead, by path.
    pub(super) instead: HashMap<String, Vec<u8>>,
    /// Whether it has given up its partial tiles.
    pub(super) only_full: bool,
    /// The paths that were asked for.
    pub(super) asked: Vec<String>,
}

impl MemoryTiles {
    pub(super) fn new(entries: Vec<Vec<u8>>) -> Self {
        let mut levels = vec![entries.iter().map(|entry| TreeHash::of_leaf(entry)).collect::<Vec<_>>()];
        while let Some(last) = levels.last().filter(|last| last.len() >= 256) {
            levels.push(last.chunks_exact(256).map(merkle_root).collect());
        }
        Self { entries, levels, instead: HashMap::new(), only_full: false, asked: Vec::new() }
    }

    pub(super) fn root_of(&self, size: usize) -> TreeHash {
        merkle_root(&self.levels[0][..size])
    }

    fn range<T>(&self, items: &[T], index: u64, width: u16) -> std::ops::Range<usize> {
        let start = usize::try_from(index).expect("small") * 256;
        let is_whole = start + 256 <= items.len();
        start..start + if self.only_full && is_whole { 256 } else { usize::from(width) }
    }
}

impl TileSource for MemoryTiles {
    type Error = String;

    fn tile(&mut self, tile: Tile) -> Result<Vec<u8>, String> {
        self.asked.push(tile.path());
        if let Some(instead) = self.instead.get(&tile.path()) {
            return Ok(instead.clone());
        }
        let nodes = self.levels.get(usize::from(tile.level())).ok_or("no such level")?;
        let nodes = nodes.get(self.range(nodes, tile.index(), tile.width())).ok_or("no such tile")?;
        Ok(nodes.iter().flat_map(|node| *node.as_bytes()).collect())
    }

    fn entries(&mut self, bundle: EntryBundle) -> Result<Vec<u8>, String> {
        self.asked.push(bundle.path());
        if let Some(instead) = self.instead.get(&bundle.path()) {
            return Ok(instead.clone());
        }
        let range = self.range(&self.entries, bundle.index(), bundle.width());
        let entries = self.entries.get(range).ok_or("no such bundle")?;
        Ok(bundle_of(entries))
    }
}

/// Entries as a bundle has them.
pub(super) fn bundle_of(entries: &[Vec<u8>]) -> Vec<u8> {
    let framed = |entry: &Vec<u8>| {
        let length = u16::try_from(entry.len()).expect("a short entry");
        [&length.to_be_bytes()[..], entry].concat()
    };
    entries.iter().flat_map(framed).collect()
}
