//! tar archives, which are told apart and not looked at.
//!
//! PyTorch reads them before it looks for its old pickles, whatever else the file is.

/// How long a header is.
pub(super) const BLOCK_BYTES: usize = 512;
/// Where a header has its checksum, and what newer ones are known by.
const CHECKSUM: std::ops::Range<usize> = 148..156;
const MAGIC: std::ops::Range<usize> = 257..262;

/// Whether a file that begins with `block` is one: by the magic bytes, or as before there were any, by the checksum.
pub(super) fn begins(block: &[u8]) -> bool {
    let Some(block) = block.first_chunk::<BLOCK_BYTES>() else { return false };
    block[MAGIC] == *b"ustar" || stated(block).is_some_and(|stated| sums(block).contains(&stated))
}

/// The sums of bytes and of signed bytes, with spaces where the checksum stands.
fn sums(block: &[u8; BLOCK_BYTES]) -> [i64; 2] {
    let spaces = i64::from(b' ') * 8;
    let others = block.iter().enumerate().filter(|(at, _)| !CHECKSUM.contains(at)).map(|(_, byte)| *byte);
    [
        spaces + others.clone().map(i64::from).sum::<i64>(),
        spaces + others.map(|byte| i64::from(byte.cast_signed())).sum::<i64>(),
    ]
}

/// The checksum as it stands there: in octal digits, or after a byte that no text has.
fn stated(block: &[u8; BLOCK_BYTES]) -> Option<i64> {
    let field = &block[CHECKSUM];
    if let Some((0x80, number)) = field.split_first() {
        return Some(number.iter().fold(0, |sum, byte| (sum << 8) | i64::from(*byte)));
    }
    let text = field.split(|byte| *byte == 0).next().unwrap_or_default();
    let text = std::str::from_utf8(text).ok()?.trim().trim_start_matches('+').trim_start_matches("0o").replace('_', "");
    i64::from_str_radix(&text, 8).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A header with this checksum.
    fn block(checksum: &[u8]) -> [u8; BLOCK_BYTES] {
        let mut block = [0; BLOCK_BYTES];
        block[..4].copy_from_slice(b"a\xffbc");
        block[CHECKSUM][..checksum.len()].copy_from_slice(checksum);
        block
    }

    #[test]
    fn headers_are_known_by_their_checksum() {
        let [plain, signed] = sums(&block(b""));
        assert_eq!(plain - signed, 256);
        for sum in [plain, signed] {
            for text in [format!("{sum:06o}\0 "), format!("{sum:o}"), format!(" {sum:o} "), format!("0o{sum:o}\0")] {
                assert!(begins(&block(text.as_bytes())), "{text:?}");
            }
        }
        let wide = u16::try_from(plain).expect("small").to_be_bytes();
        assert!(begins(&block(&[0x80, 0, 0, 0, 0, 0, wide[0], wide[1]])));
        let mut magic = block(b"");
        magic[MAGIC].copy_from_slice(b"ustar");
        assert!(begins(&magic));
    }

    #[test]
    fn other_blocks_are_something_else() {
        for other in [[0; BLOCK_BYTES], [b' '; BLOCK_BYTES], [0xff; BLOCK_BYTES], [b'0'; BLOCK_BYTES], block(b"7")] {
            assert!(!begins(&other));
        }
        let [plain, _] = sums(&block(b""));
        let whole = block(format!("{plain:06o}\0 ").as_bytes());
        assert!(!begins(&whole[..BLOCK_BYTES - 1]) && !begins(b""));
    }
}
