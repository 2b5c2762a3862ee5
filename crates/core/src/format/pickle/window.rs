//! A file read forwards, a piece at a time, with what is skipped left unread.

use super::super::bytes::{Bytes, Stop};
use super::super::cursor::shown;
use super::machine::Value;

/// The first piece is small, because most files that are no pickle say so in their first bytes.
const FIRST_PIECE_BYTES: u64 = 1 << 9;
const MOST_PIECE_BYTES: u64 = 1 << 16;
/// Python makes no number of a longer text, but for zeros and spaces in it.
const MOST_NUMBER_BYTES: usize = 1 << 13;

pub(super) struct Window<'a, 'b> {
    bytes: &'b Bytes<'a>,
    piece: Vec<u8>,
    /// Where the piece begins in the file.
    start: u64,
    position: u64,
    /// How much the next piece is.
    piece_bytes: u64,
    /// Something was not read because that would cost more than it deserves.
    pub(super) is_spent: bool,
    /// More was asked for than there is.
    pub(super) is_short: bool,
}

impl<'a, 'b> Window<'a, 'b> {
    pub(super) fn new(bytes: &'b Bytes<'a>, start: u64) -> Self {
        let piece_bytes = FIRST_PIECE_BYTES;
        Self { bytes, piece: Vec::new(), start, position: start, piece_bytes, is_spent: false, is_short: false }
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
            let part = self.bytes.part(self.position, self.position.saturating_add(self.piece_bytes));
            if part.length() == 0 {
                self.is_short = true;
                return Err(Stop::malformed("more is expected, found the end"));
            }
            self.piece = part.read(0, usize::try_from(part.length()).unwrap_or_default()).inspect_err(|_| {
                self.is_spent = true;
            })?;
            self.start = self.position;
            self.piece_bytes = (2 * self.piece_bytes).min(MOST_PIECE_BYTES);
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
            self.is_short = true;
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
        let length = usize::try_from(length).ok().filter(|length| *length <= MOST_NUMBER_BYTES);
        let Some(length) = length else {
            self.is_spent = true;
            return Err(Stop::malformed(format!("a number of at most {MOST_NUMBER_BYTES} characters is expected")));
        };
        let text = self.bytes.read(at, length).inspect_err(|_| self.is_spent = true)?;
        python_number(&text).ok_or_else(|| Stop::malformed(format!("a number is expected, found `{}`", shown(&text))))
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
            self.bytes.read(at, usize::from(length)).inspect_err(|_| self.is_spent = true)?
        };
        if is_escaped && bytes.contains(&b'\\') {
            return Ok(None);
        }
        Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
    }
}

/// The number that Python's `int` makes of a text, which may have spaces around it, a sign, and underscores within.
fn python_number(text: &[u8]) -> Option<u64> {
    // For the unpickler in C, a text ends before its first zero.
    let text = text.split(|byte| *byte == 0).next().unwrap_or_default();
    let is_space = |character: char| matches!(character, ' ' | '\t'..='\r' | '\x1c'..='\x1f');
    let text = std::str::from_utf8(text).ok()?.trim_matches(is_space);
    let (is_negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if digits.split('_').any(|part| part.is_empty() || !part.bytes().all(|byte| byte.is_ascii_digit())) {
        return None;
    }
    digits.replace('_', "").parse().ok().filter(|number| !is_negative || *number == 0)
}

#[cfg(test)]
mod tests {
    use super::python_number;

    #[test]
    fn numbers_are_those_of_python() {
        for (text, number) in [
            ("0", Some(0)),
            (" 7", Some(7)),
            ("\t12 \r", Some(12)),
            ("+3", Some(3)),
            ("-0", Some(0)),
            ("1_000", Some(1000)),
            ("0000000000000000000000000000000042", Some(42)),
            ("5\0and more", Some(5)),
            ("", None),
            (" ", None),
            ("+", None),
            ("+-1", None),
            ("-1", None),
            ("_1", None),
            ("1_", None),
            ("1__0", None),
            ("1 0", None),
            ("0x1", None),
            ("99999999999999999999", None),
        ] {
            assert_eq!(python_number(text.as_bytes()), number, "{text:?}");
        }
    }
}
