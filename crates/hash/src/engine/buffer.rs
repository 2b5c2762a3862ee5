//! Memory that files are read into.

use crate::sha256::{BLOCK_BYTES, Block};

/// What pages of files begin at a multiple of.
const PAGE_BYTES: usize = 4096;

/// Memory that begins where a page does.
///
/// Files are kept in pages. A processor copies slowly to where a page's place in memory is a little further, as an
/// allocator has it, than what is copied: some take it that what is written now is read next. Blocks that lie across lines
/// of the cache are read slowly, too.
#[derive(Default)]
pub(super) struct Buffer {
    bytes: Vec<u8>,
    start: usize,
}

impl Buffer {
    /// Room for so many blocks.
    pub(super) fn new(blocks: usize) -> Self {
        let mut buffer = Self::default();
        buffer.require(blocks);
        buffer
    }

    /// Makes room for so many blocks; what was there is lost.
    pub(super) fn require(&mut self, blocks: usize) {
        let needed = blocks * BLOCK_BYTES;
        if self.bytes.len() < self.start + needed {
            self.bytes = vec![0; needed + PAGE_BYTES];
            // In what can't be told a whole page is left out.
            self.start = self.bytes.as_ptr().align_offset(PAGE_BYTES).min(PAGE_BYTES);
        }
    }

    /// All of it.
    pub(super) fn blocks(&mut self) -> &mut [Block] {
        self.bytes[self.start..].as_chunks_mut().0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_has_room_and_begins_with_a_page() {
        let mut buffer = Buffer::default();
        assert!(buffer.blocks().is_empty());
        for blocks in [1, 3, 4_098, 5] {
            buffer.require(blocks);
            assert!(buffer.blocks().len() >= blocks);
            assert_eq!(buffer.blocks().as_ptr().align_offset(PAGE_BYTES), 0);
        }
    }
}
