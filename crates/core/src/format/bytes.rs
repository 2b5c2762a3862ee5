//! A file of a stranger's, read within bounds.

use std::cell::Cell;
use std::rc::Rc;

use model_hash::{ReadAt, ReadError};

/// The most bytes that looking at one file reads, all ranges together, what is inflated among it.
const MOST_BYTES: u64 = 256 << 20;

/// A file or a part of one, with a budget for reading it.
#[derive(Clone)]
pub(super) struct Bytes<'a> {
    file: &'a dyn ReadAt,
    start: u64,
    length_bytes: u64,
    left: Rc<Cell<u64>>,
}

/// Why a reader did not go on. The texts become [`super::Recognition::problems`].
#[derive(Debug, thiserror::Error)]
pub(super) enum Stop {
    /// The file could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The file is not what its beginning says, is cut, or asks for more than it deserves.
    #[error("{0}")]
    Malformed(String),
}

impl Stop {
    pub(super) fn malformed(text: impl Into<String>) -> Self {
        Self::Malformed(text.into())
    }

    /// The text of what is malformed; an error of the file itself stays one.
    pub(super) fn text(self) -> Result<String, Self> {
        match self {
            Self::Read(_) => Err(self),
            Self::Malformed(text) => Ok(text),
        }
    }
}

impl<'a> Bytes<'a> {
    pub(super) fn new(file: &'a dyn ReadAt, length_bytes: u64) -> Self {
        Self { file, start: 0, length_bytes, left: Rc::new(Cell::new(MOST_BYTES)) }
    }

    /// Other bytes, that were inflated from these: one budget for both.
    pub(super) fn derived<'b>(&self, content: &'b &'b [u8]) -> Bytes<'b> {
        Bytes { file: content, start: 0, length_bytes: content.len() as u64, left: Rc::clone(&self.left) }
    }

    /// The part of these bytes from `start` to `end`, or to the end of them all.
    pub(super) fn part(&self, start: u64, end: u64) -> Self {
        let end = end.min(self.length_bytes);
        let start = start.min(end);
        Self { start: self.start + start, length_bytes: end - start, ..self.clone() }
    }

    pub(super) const fn length(&self) -> u64 {
        self.length_bytes
    }

    /// Takes `length` bytes off the budget.
    pub(super) fn spend(&self, length: u64) -> Result<(), Stop> {
        let Some(left) = self.left.get().checked_sub(length) else {
            return Err(Stop::malformed(format!("more than {} MiB would have to be read", MOST_BYTES >> 20)));
        };
        self.left.set(left);
        Ok(())
    }

    /// The `length` bytes from `start`.
    pub(super) fn read(&self, start: u64, length: usize) -> Result<Vec<u8>, Stop> {
        let end = start.checked_add(length as u64).filter(|end| *end <= self.length_bytes);
        if end.is_none() {
            let (wanted, found) = (length, self.length_bytes);
            return Err(Stop::malformed(format!("{wanted} bytes are wanted at {start}, the file has {found} in all")));
        }
        self.spend(length as u64)?;
        let mut bytes = vec![0; length];
        let mut filled = 0;
        while filled < length {
            let offset = self.start + start + filled as u64;
            match self.file.read_at(&mut bytes[filled..], offset).map_err(ReadError::Io)? {
                0 => {
                    let (expected_bytes, found_bytes) = (self.start + self.length_bytes, offset);
                    return Err(ReadError::Truncated { expected_bytes, found_bytes }.into());
                }
                read => filled += read,
            }
        }
        Ok(bytes)
    }

    /// At most the first `length` bytes.
    pub(super) fn head(&self, length: usize) -> Result<Vec<u8>, Stop> {
        self.read(0, length.min(usize::try_from(self.length_bytes).unwrap_or(usize::MAX)))
    }
}
