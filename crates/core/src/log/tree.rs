//! A log read by its tiles, every one held against a checkpoint.

use super::tiles::nodes;
use super::{EntryBundle, Tile, TileError, TileSource, TreeHash, VerifiedCheckpoint};

/// An entry and its index.
pub type IndexedEntry = (u64, Vec<u8>);

/// The tree that a checkpoint is of, behind a source that may return anything.
///
/// What it returns follows from the checkpoint's root: no entry can be made up, changed or left out.
#[derive(Debug)]
pub struct TiledTree<S> {
    source: S,
    size: u64,
    levels: Vec<Level>,
}

#[derive(Debug, Default)]
struct Level {
    /// The tile at the right edge, which no tile above covers; empty if there is none.
    edge: Vec<TreeHash>,
    /// The full tile that was read last.
    last: Option<(u64, Vec<TreeHash>)>,
}

impl<S: TileSource> TiledTree<S> {
    /// Reads the right edge of the tree, from which its root follows.
    ///
    /// # Errors
    /// [`TreeError`]: what can't be read, or that it is another tree's.
    pub fn open(mut source: S, checkpoint: &VerifiedCheckpoint) -> Result<Self, TreeError<S::Error>> {
        let size = checkpoint.size();
        let mut levels = Vec::new();
        while let Some(nodes) = u8::try_from(levels.len()).ok().map(|level| nodes(size, level)).filter(|n| *n > 0) {
            let level = u8::try_from(levels.len()).unwrap_or(u8::MAX);
            let edge = match Tile::of(size, level, nodes / EntryBundle::FULL) {
                Some(tile) => tile.parse(&source.tile(tile).map_err(TreeError::Source)?)?,
                None => Vec::new(),
            };
            levels.push(Level { edge, last: None });
        }
        let mut tree = Self { source, size, levels };
        if tree.root_at(size)? == checkpoint.root() { Ok(tree) } else { Err(TreeError::Root) }
    }

    /// The root that the tree had when it had `size` entries.
    ///
    /// # Errors
    /// [`TreeError::Shorter`] if it never had as many; else what can't be read, or does not belong to the tree.
    pub fn root_at(&mut self, size: u64) -> Result<TreeHash, TreeError<S::Error>> {
        if size > self.size {
            return Err(TreeError::Shorter { size: self.size, expected: size });
        }
        let mut root = None;
        for height in (0..u64::BITS).filter(|height| (size >> height) & 1 == 1) {
            let left = self.node(height, (size >> height) - 1)?;
            root = Some(root.map_or(left, |right| TreeHash::of_children(left, right)));
        }
        Ok(root.unwrap_or_else(TreeHash::of_empty_tree))
    }

    /// The entries of a bundle, each with its index.
    ///
    /// # Errors
    /// [`TreeError`]: what can't be read, or does not belong to the tree. [`TreeError::Shorter`] if there is no such bundle.
    pub fn entries(&mut self, bundle: u64) -> Result<Vec<IndexedEntry>, TreeError<S::Error>> {
        let Some(bundle) = EntryBundle::of(self.size, bundle) else {
            let expected = bundle.saturating_mul(EntryBundle::FULL).saturating_add(1);
            return Err(TreeError::Shorter { size: self.size, expected });
        };
        let hashes = self.tile(0, bundle.index())?.to_vec();
        let bytes = self.source.entries(bundle).map_err(TreeError::Source)?;
        let entries = (bundle.index() * EntryBundle::FULL..).zip(bundle.parse(&bytes)?.into_iter().zip(hashes));
        let check = |(index, (entry, hash)): (u64, (&[u8], TreeHash))| {
            let holds = TreeHash::of_leaf(entry) == hash;
            holds.then(|| (index, entry.to_vec())).ok_or(TreeError::Entry { index })
        };
        entries.map(check).collect()
    }

    /// The number of entries.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The node with this index at this height, below which the tree is complete.
    fn node(&mut self, height: u32, index: u64) -> Result<TreeHash, TreeError<S::Error>> {
        let (level, within) = (height / 8, height % 8);
        let first = index << within;
        let offset = usize::try_from(first % EntryBundle::FULL).unwrap_or_default();
        let level = u8::try_from(level).unwrap_or(u8::MAX);
        let tile = self.tile(level, first / EntryBundle::FULL)?;
        Ok(root_of(&tile[offset..offset + (1 << within)]))
    }

    /// The hashes of a tile that is in the tree.
    fn tile(&mut self, level: u8, index: u64) -> Result<&[TreeHash], TreeError<S::Error>> {
        let at = usize::from(level);
        if index == nodes(self.size, level) / EntryBundle::FULL {
            return Ok(&self.levels[at].edge);
        }
        if self.levels[at].last.as_ref().is_none_or(|(last, _)| *last != index) {
            // Its root stands in the tile above, which is in the tree.
            let offset = usize::try_from(index % EntryBundle::FULL).unwrap_or_default();
            let expected = self.tile(level + 1, index / EntryBundle::FULL)?[offset];
            let tile = Tile::of(self.size, level, index).ok_or(TreeError::Root)?;
            let hashes = tile.parse(&self.source.tile(tile).map_err(TreeError::Source)?)?;
            if root_of(&hashes) != expected {
                return Err(TreeError::Tile { path: tile.path() });
            }
            self.levels[at].last = Some((index, hashes));
        }
        Ok(self.levels[at].last.as_ref().map_or(&[], |(_, hashes)| hashes))
    }
}

/// The root above so many nodes that the tree above them is complete.
fn root_of(nodes: &[TreeHash]) -> TreeHash {
    match nodes {
        [] => TreeHash::of_empty_tree(),
        [node] => *node,
        _ => {
            let (left, right) = nodes.split_at(nodes.len() / 2);
            TreeHash::of_children(root_of(left), root_of(right))
        }
    }
}

/// Why a log's tiles give nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TreeError<E> {
    /// A tile could not be read.
    #[error("{0}")]
    Source(E),
    /// A tile or a bundle is not one.
    #[error(transparent)]
    Malformed(#[from] TileError),
    /// The tiles at the right edge give another root than the checkpoint has.
    #[error("the tiles of the log give another root than its checkpoint has")]
    Root,
    /// A tile is not that of the tree.
    #[error("`{path}` does not belong to the tree of the checkpoint")]
    Tile {
        /// Where it is.
        path: String,
    },
    /// An entry is not that of the tree.
    #[error("entry {index} is not the one in the tree of the checkpoint")]
    Entry {
        /// Its index.
        index: u64,
    },
    /// The tree has fewer entries.
    #[error("expected {expected} entries or more, found {size}")]
    Shorter {
        /// The number of entries.
        size: u64,
        /// The number that there should be.
        expected: u64,
    },
}

#[cfg(test)]
mod tests {
    use super::super::Checkpoint;
    use super::super::testing::{MemoryTiles, TestLog, bundle_of, entries};
    use super::*;
    use crate::certificate::UnixTime;
    use crate::key::KeyAlgorithm;

    /// The checkpoint of such a tree.
    fn checkpoint(size: usize, root: TreeHash) -> VerifiedCheckpoint {
        let log = TestLog::new(KeyAlgorithm::Ed25519, "log.example");
        let text = log.checkpoint("log.example", size as u64, root);
        Checkpoint::parse(&text).and_then(|note| note.verify([&log.public], UnixTime(0))).expect("signed")
    }

    fn open(tiles: MemoryTiles, size: usize) -> Result<TiledTree<MemoryTiles>, TreeError<String>> {
        let root = tiles.root_of(size);
        TiledTree::open(tiles, &checkpoint(size, root))
    }

    #[test]
    fn trees_of_all_shapes_are_read() {
        for size in [0, 1, 2, 3, 5, 255, 256, 257, 511, 512, 513, 65_535, 65_536, 65_537, 66_000] {
            let log = entries(size);
            let mut tree = open(MemoryTiles::new(log.clone()), size).expect("it is the log's");
            let bundles = [0, 1, 2, 254, 255, 256, 257];
            for bundle in bundles.into_iter().filter(|bundle| bundle * 256 < size) {
                let found = tree.entries(bundle as u64).expect("it is the log's");
                let expected = log[bundle * 256..size.min(bundle * 256 + 256)].iter().cloned();
                assert!(found.into_iter().eq((bundle as u64 * 256..).zip(expected)), "{size} {bundle}");
            }
            let none = tree.entries(size.div_ceil(256) as u64);
            assert!(matches!(none, Err(TreeError::Shorter { .. })), "{size}");
            assert!(matches!(tree.root_at(size as u64 + 1), Err(TreeError::Shorter { .. })), "{size}");
        }
    }

    #[test]
    fn the_past_follows_from_the_present() {
        let tiles = MemoryTiles::new(entries(66_000));
        let pasts = [0, 1, 2, 255, 256, 257, 1_000, 65_535, 65_536, 65_537, 65_999, 66_000];
        let roots = pasts.map(|past| tiles.root_of(past));
        let mut tree = open(tiles, 66_000).expect("it is the log's");
        for (past, root) in pasts.into_iter().zip(roots) {
            assert_eq!(tree.root_at(past as u64), Ok(root), "{past}");
        }
        assert!(tree.source.asked.len() < 40, "{}", tree.source.asked.len());
    }

    #[test]
    fn a_log_that_has_grown_serves_the_tree_that_it_was() {
        let mut tiles = MemoryTiles::new(entries(1_024));
        tiles.only_full = true;
        let mut tree = open(tiles, 700).expect("it is the log's");
        assert_eq!(tree.entries(2).expect("it is the log's").len(), 700 - 512);
    }

    #[test]
    fn every_tile_is_held_against_the_root() {
        let size = 66_000;
        let honest = MemoryTiles::new(entries(size));
        let root = honest.root_of(size);
        let mut tree = TiledTree::open(honest, &checkpoint(size, root)).expect("it is the log's");
        tree.entries(3).expect("it is the log's");
        let asked = tree.source.asked.clone();
        assert!(asked.iter().any(|path| path == "tile/0/003") && asked.iter().any(|path| path == "tile/1/000"));
        for path in asked {
            let mut tiles = MemoryTiles::new(entries(size));
            let is_bundle = path.starts_with("tile/entries/");
            let changed = if is_bundle {
                let mut others = entries(1_024).split_off(768);
                others[255] = b"invented".to_vec();
                bundle_of(&others)
            } else {
                let width = path.split(".p/").nth(1).map_or(256, |width| width.parse().expect("a number"));
                vec![1; width * 32]
            };
            tiles.instead.insert(path.clone(), changed);
            let refused = TiledTree::open(tiles, &checkpoint(size, root)).and_then(|mut tree| tree.entries(3));
            match refused.expect_err(&path) {
                TreeError::Root => assert!(path.contains(".p/"), "{path}"),
                TreeError::Tile { path: found } => assert_eq!(found, path),
                TreeError::Entry { index } => assert!(is_bundle && index == 1_023, "{path}"),
                other => panic!("{path}: {other:?}"),
            }
        }
        // An entry that is left out.
        let mut tiles = MemoryTiles::new(entries(size));
        tiles.instead.insert("tile/entries/003".to_owned(), bundle_of(&entries(255)));
        let refused = TiledTree::open(tiles, &checkpoint(size, root)).and_then(|mut tree| tree.entries(3));
        assert!(matches!(refused, Err(TreeError::Malformed(TileError::Length { expected: 256, found: 255, .. }))));
    }

    #[test]
    fn another_root_is_another_tree() {
        let tiles = MemoryTiles::new(entries(300));
        let other = checkpoint(300, TreeHash::from_bytes([1; 32]));
        assert_eq!(TiledTree::open(tiles, &other).map(drop), Err(TreeError::Root));
        let tiles = MemoryTiles::new(Vec::new());
        let other = checkpoint(0, TreeHash::from_bytes([1; 32]));
        assert_eq!(TiledTree::open(tiles, &other).map(drop), Err(TreeError::Root));
        // More than there is.
        let tiles = MemoryTiles::new(entries(300));
        let more = checkpoint(400, TreeHash::from_bytes([1; 32]));
        assert!(matches!(TiledTree::open(tiles, &more), Err(TreeError::Source(_))));
    }
}
