//! Tiles: where a log's hashes and entries are, and how they are written (C2SP tlog-tiles).

use super::TreeHash;

/// The number of hashes in a full tile, and of entries in a full bundle.
const FULL: u16 = 256;

/// The most bytes in a bundle of entries: 256 of the longest.
pub(super) const MAX_ENTRY_BUNDLE_BYTES: usize = FULL as usize * (2 + u16::MAX as usize);

/// What a log's tiles come from.
///
/// Nothing that it returns is believed: [`TiledTree`](super::TiledTree) holds it against a checkpoint. A log may drop a
/// partial tile once the full one is there; the full one may be returned in its place.
pub trait TileSource {
    /// Why there is no tile.
    type Error;

    /// The bytes of a tile.
    ///
    /// # Errors
    /// Whatever kept it from being read.
    fn tile(&mut self, tile: Tile) -> Result<Vec<u8>, Self::Error>;

    /// The bytes of a bundle of entries.
    ///
    /// # Errors
    /// Whatever kept it from being read.
    fn entries(&mut self, bundle: EntryBundle) -> Result<Vec<u8>, Self::Error>;
}

/// A tile: consecutive nodes at a level of the tree whose number is a multiple of eight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tile {
    level: u8,
    index: u64,
    width: u16,
}

impl Tile {
    /// The most bytes in a tile.
    pub const MAX_BYTES: usize = FULL as usize * 32;

    /// The tile with this index at this level of a tree of `size` entries, if there is one.
    #[must_use]
    pub fn of(size: u64, level: u8, index: u64) -> Option<Self> {
        let width = width(nodes(size, level), index)?;
        Some(Self { level, index, width })
    }

    /// Its level: each node of it is the root of 256 to that power of entries.
    #[must_use]
    pub const fn level(&self) -> u8 {
        self.level
    }

    /// Its index among those of its level.
    #[must_use]
    pub const fn index(&self) -> u64 {
        self.index
    }

    /// The number of hashes in it: 1 to 256.
    #[must_use]
    pub const fn width(&self) -> u16 {
        self.width
    }

    /// Whether it is as wide as a tile becomes.
    #[must_use]
    pub const fn is_full(&self) -> bool {
        self.width == FULL
    }

    /// The tile that this one becomes.
    #[must_use]
    pub const fn full(self) -> Self {
        Self { width: FULL, ..self }
    }

    /// Where it is, relative to the log's prefix.
    #[must_use]
    pub fn path(&self) -> String {
        format!("tile/{}/{}", self.level, numbered(self.index, self.width))
    }

    /// Its hashes; of a full tile those that it has.
    pub(super) fn parse(&self, bytes: &[u8]) -> Result<Vec<TreeHash>, TileError> {
        let width = usize::from(self.width);
        if bytes.len() != width * 32 && bytes.len() != Self::MAX_BYTES {
            return Err(TileError::Length { path: self.path(), expected: width * 32, found: bytes.len() });
        }
        let (hashes, _) = bytes.as_chunks();
        Ok(hashes[..width].iter().map(|hash| TreeHash::from_bytes(*hash)).collect())
    }
}

/// A bundle of entries: those whose hashes are in the tile of level 0 with the same index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EntryBundle {
    index: u64,
    width: u16,
}

impl EntryBundle {
    /// The most bytes in a bundle.
    pub const MAX_BYTES: usize = MAX_ENTRY_BUNDLE_BYTES;
    /// The number of entries in a full bundle.
    pub const FULL: u64 = FULL as u64;

    /// The bundle with this index in a tree of `size` entries, if there is one.
    #[must_use]
    pub fn of(size: u64, index: u64) -> Option<Self> {
        Some(Self { index, width: width(size, index)? })
    }

    /// Its index.
    #[must_use]
    pub const fn index(&self) -> u64 {
        self.index
    }

    /// The number of entries in it: 1 to 256.
    #[must_use]
    pub const fn width(&self) -> u16 {
        self.width
    }

    /// Whether it has as many entries as a bundle gets.
    #[must_use]
    pub const fn is_full(&self) -> bool {
        self.width == FULL
    }

    /// The bundle that this one becomes.
    #[must_use]
    pub const fn full(self) -> Self {
        Self { width: FULL, ..self }
    }

    /// Where it is, relative to the log's prefix.
    #[must_use]
    pub fn path(&self) -> String {
        format!("tile/entries/{}", numbered(self.index, self.width))
    }

    /// Its entries; of a full bundle those that it has.
    pub(super) fn parse<'b>(&self, bytes: &'b [u8]) -> Result<Vec<&'b [u8]>, TileError> {
        let (mut entries, mut rest) = (Vec::new(), bytes);
        while !rest.is_empty() {
            let entry = rest
                .split_first_chunk()
                .and_then(|(length, rest)| rest.split_at_checked(usize::from(u16::from_be_bytes(*length))));
            let (entry, after) = entry.ok_or_else(|| TileError::Entry { path: self.path(), number: entries.len() })?;
            entries.push(entry);
            rest = after;
            if entries.len() > usize::from(FULL) {
                break;
            }
        }
        let width = usize::from(self.width);
        if entries.len() != width && entries.len() != usize::from(FULL) {
            return Err(TileError::Length { path: self.path(), expected: width, found: entries.len() });
        }
        entries.truncate(width);
        Ok(entries)
    }
}

/// The number of nodes at a level of tiles in a tree of `size` entries.
pub(super) fn nodes(size: u64, level: u8) -> u64 {
    size.checked_shr(u32::from(level) * 8).unwrap_or_default()
}

/// The number of `count` items that the tile with this index has.
fn width(count: u64, index: u64) -> Option<u16> {
    let rest = count.checked_sub(index.checked_mul(u64::from(FULL))?)?;
    let width = u16::try_from(rest.min(u64::from(FULL))).ok()?;
    (width > 0).then_some(width)
}

/// An index in groups of three digits, with the width of what is partial.
fn numbered(index: u64, width: u16) -> String {
    let mut path = format!("{:03}", index % 1_000);
    let mut rest = index / 1_000;
    while rest > 0 {
        path = format!("x{:03}/{path}", rest % 1_000);
        rest /= 1_000;
    }
    if width < FULL { format!("{path}.p/{width}") } else { path }
}

/// Why bytes are not a tile or a bundle.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TileError {
    /// It has another length: bytes of a tile, entries of a bundle.
    #[error("`{path}`: expected {expected} {}, found {found}", if path.starts_with("tile/entries/") { "entries" } else { "bytes" })]
    Length {
        /// Where it is.
        path: String,
        /// The length that it has to have.
        expected: usize,
        /// The length that it has.
        found: usize,
    },
    /// An entry is longer than what is left.
    #[error("`{path}` ends within entry {number}")]
    Entry {
        /// Where it is.
        path: String,
        /// Which one, from 0.
        number: usize,
    },
}

#[cfg(test)]
mod tests {
    use super::super::testing::{bundle_of, entries};
    use super::*;

    #[test]
    fn tiles_are_those_of_the_tree() {
        // The example of the specification: 70,000 entries.
        let widths =
            |level: u8| (0..300).map_while(move |index| Tile::of(70_000, level, index)).map(|tile| tile.width());
        assert_eq!(widths(0).filter(|width| *width == 256).count(), 273);
        assert_eq!(widths(0).last(), Some(112));
        assert_eq!(widths(1).collect::<Vec<_>>(), [256, 17]);
        assert_eq!(widths(2).collect::<Vec<_>>(), [1]);
        assert_eq!(widths(3).count(), 0);
        assert_eq!(Tile::of(256, 0, 0).map(|tile| tile.is_full()), Some(true));
        assert_eq!(Tile::of(256, 1, 0).map(|tile| tile.width()), Some(1));
        for none in [Tile::of(0, 0, 0), Tile::of(256, 0, 1), Tile::of(u64::MAX, 255, 0), Tile::of(9, 0, u64::MAX)] {
            assert_eq!(none, None);
        }
        assert_eq!(EntryBundle::of(257, 1).map(|bundle| bundle.width()), Some(1));
    }

    #[test]
    fn paths_are_those_of_the_specification() {
        let path = |index: u64, width: u16| Tile { level: 0, index, width }.path();
        assert_eq!(path(1_234_067, 256), "tile/0/x001/x234/067");
        assert_eq!(path(0, 1), "tile/0/000.p/1");
        assert_eq!(path(1_000, 255), "tile/0/x001/000.p/255");
        assert_eq!(EntryBundle { index: 999, width: 256 }.path(), "tile/entries/999");
        assert_eq!(
            EntryBundle { index: u64::MAX, width: 2 }.path(),
            "tile/entries/x018/x446/x744/x073/x709/x551/615.p/2"
        );
    }

    #[test]
    fn tiles_have_the_length_that_they_say() {
        let tile = Tile::of(3, 0, 0).expect("there is one");
        let full: Vec<u8> = (0..Tile::MAX_BYTES).map(|at| u8::try_from(at / 32).unwrap_or_default()).collect();
        assert_eq!(tile.parse(&full[..96]), tile.parse(&full), "the full tile stands for the partial one");
        assert_eq!(tile.parse(&full).expect("full")[2], TreeHash::from_bytes([2; 32]));
        for bad in [0, 32, 64, 95, 97, 128, 8_191] {
            let error = TileError::Length { path: "tile/0/000.p/3".to_owned(), expected: 96, found: bad };
            assert_eq!(tile.parse(&full[..bad]), Err(error));
        }
    }

    #[test]
    fn bundles_have_the_entries_that_they_say() {
        let bundle = EntryBundle::of(3, 0).expect("there is one");
        let all = entries(257);
        assert_eq!(bundle.parse(&bundle_of(&all[..3])).expect("three"), all[..3]);
        assert_eq!(bundle.parse(&bundle_of(&all[..256])).expect("full"), all[..3]);
        for count in [0, 2, 4, 257] {
            let error = TileError::Length { path: "tile/entries/000.p/3".to_owned(), expected: 3, found: count };
            assert_eq!(bundle.parse(&bundle_of(&all[..count])), Err(error));
        }
        let bytes = bundle_of(&all[..3]);
        for cut in [1, 4, bytes.len() - 1] {
            assert!(matches!(bundle.parse(&bytes[..cut]), Err(TileError::Entry { .. })), "{cut}");
        }
    }
}
