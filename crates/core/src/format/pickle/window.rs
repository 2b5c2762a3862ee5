//! A file read forwards, a piece at a time, with what is skipped left unread.

use super::super::bytes::{Bytes, Stop};
use super::machine::Value;

const PIECE_BYTES: u64 = 1 << 16;

pub(super) struct Window<'a, 'b> {
    bytes: &'b Bytes<'a>,
    piece: Vec<u8>,
    /// Where the piece begins in the file.
    start: u64,
    position: u64,
}

impl<'a, 'b> Window<'a, 'b> {
    pub(super) fn new(bytes: &'b Bytes<'a>, start: u64) -> Self {
        Self { bytes, piece: Vec::new(), start, position: start }
    }

    pub(super) const fn position(&self) -> u64 {
        self.position
    }

    pub(super) fn left(&self) -> u64 {
        self.bytes.length().saturating_sub(self.position)
    }

    /// What of the piece is ahead; never empty.
    fn ahead(&mut self) -> Result<&[u8], Stop> {
        let end = self.start + self.piece.len() as u64;
        if self.position < self.start || self.position >= end {
            let part = self.bytes.part(self.position, self.position.saturating_add(PIECE_BYTES));
            if part.length() == 0 {
                return Err(Stop::malformed("more is expected, found the end"));
            }
            self.piece = part.read(0, usize::try_from(part.length()).unwrap_or_default())?;
            self.start = self.position;
        }
        let ahead = usize::try_from(self.position - self.start).unwrap_or_default();
        Ok(&self.piece[ahead..])
    }

    pub(super) fn byte(&mut self) -> Result<u8, Stop> {
        let byte = self.ahead()?[0];
        self.position += 1;
        Ok(byte)
    }

    /// A number of `width` bytes, the lowest first.
    pub(super) fn number(&mut self, width: u32) -> Result<u64, Stop> {
        let mut number = 0;
        for index in 0..width {
            number |= u64::from(self.byte()?) << (8 * index);
        }
        Ok(number)
    }

    pub(super) fn skip(&mut self, length: u64) -> Result<(), Stop> {
        let left = self.left();
        if length > left {
            return Err(Stop::malformed(format!("{length} bytes are expected, found {left}")));
        }
        self.position += length;
        Ok(())
    }

    /// The rest of the line: where it begins and its length, without the end of the line.
    pub(super) fn line(&mut self) -> Result<(u64, u64), Stop> {
        let start = self.position;
        loop {
            let ahead = self.ahead()?;
            match ahead.iter().position(|byte| *byte == b'\n') {
                Some(at) => {
                    self.position += at as u64 + 1;
                    return Ok((start, self.position - 1 - start));
                }
                None => self.position += ahead.len() as u64,
            }
        }
    }

    /// The number that the rest of the line is.
    pub(super) fn line_number(&mut self) -> Result<u64, Stop> {
        let (at, length) = self.line()?;
        let text = self.text(Value::text(at, length))?.unwrap_or_default();
        // As Python's `int`, which takes spaces, a sign and underscores; those have no business here.
        text.parse().map_err(|_| Stop::malformed(format!("a number is expected, found `{text}`")))
    }

    /// A text that stands in the file. None if it is none, is too long for a name, or is written in escapes.
    pub(super) fn text(&mut self, value: Value) -> Result<Option<String>, Stop> {
        let Value::Text { at, length, is_escaped } = value else { return Ok(None) };
        if Value::is_too_long(length) {
            return Ok(None);
        }
        let inside = at >= self.start && at + u64::from(length) <= self.start + self.piece.len() as u64;
        let bytes = if inside {
            let from = usize::try_from(at - self.start).unwrap_or_default();
            self.piece[from..from + usize::from(length)].to_vec()
        } else {
            self.bytes.read(at, usize::from(length))?
        };
        if is_escaped && bytes.contains(&b'\\') {
            return Ok(None);
        }
        Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
    }
}
