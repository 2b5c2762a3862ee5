//! Where bytes come from, and what can go wrong on the way.

use std::io;

/// Opens files by number. Everything that knows about paths, stores or networks is behind this.
pub trait Source: Sync {
    /// Opens `file` for reading. Called once or a few times for each
    /// segment, from any worker; the reader may go from one to another.
    ///
    /// # Errors
    /// Whatever keeps the file from being opened, or shows that it is no longer the file that was counted.
    fn open(&self, file: usize) -> Result<Box<dyn ReadAt + Send + '_>, ReadError>;
}

/// An open file, read at byte offsets.
pub trait ReadAt {
    /// Reads into `buffer` from byte `offset`, returning the number of bytes read; 0 only at the end of the file.
    ///
    /// # Errors
    /// The operating system's error.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;

    /// Called once after the last byte that was asked for has been read. `end` is where the file has to end, unless a
    /// read has seen it.
    ///
    /// # Errors
    /// An error here voids the digest: [`ReadError::Changed`] says that the bytes may be of two versions,
    /// [`ReadError::Grown`] that there are bytes beyond `end`.
    fn finish(&self, end: Option<u64>) -> Result<(), ReadError> {
        match end {
            Some(end) => nothing_beyond(self, end),
            None => Ok(()),
        }
    }
}

/// Checks that a file has no byte at `end`.
///
/// # Errors
/// [`ReadError::Grown`] if it has, or the operating system's error.
pub fn nothing_beyond<R: ReadAt + ?Sized>(file: &R, end: u64) -> Result<(), ReadError> {
    match read_some(file, &mut [0], end)? {
        0 => Ok(()),
        _ => Err(ReadError::Grown { expected_bytes: end }),
    }
}

/// Reads once, or again if that was interrupted.
pub(crate) fn read_some<R: ReadAt + ?Sized>(file: &R, buffer: &mut [u8], offset: u64) -> Result<usize, ReadError> {
    loop {
        match file.read_at(buffer, offset) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            other => return other.map_err(ReadError::Io),
        }
    }
}

impl ReadAt for &[u8] {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let start = usize::try_from(offset).map_or(self.len(), |start| start.min(self.len()));
        let length = buffer.len().min(self.len() - start);
        buffer[..length].copy_from_slice(&self[start..start + length]);
        Ok(length)
    }
}

/// A byte range of a file that gets one digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// The file, as [`Source::open`] numbers it.
    pub file: usize,
    /// First byte, inclusive.
    pub start: u64,
    /// Last byte, exclusive.
    pub end: u64,
    /// Whether `end` is the end of the file. Then a byte beyond it is an error: the file has grown.
    pub reaches_end: bool,
}

impl Segment {
    /// Length in bytes.
    #[must_use]
    pub const fn length_bytes(&self) -> u64 {
        self.end.saturating_sub(self.start)
    }
}

/// Why the bytes of one file could not be hashed.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The operating system refused.
    #[error("cannot be read: {0}")]
    Io(#[source] io::Error),
    /// The file ended early.
    #[error("shrank while it was being read: expected {expected_bytes} bytes, found {found_bytes}")]
    Truncated {
        /// Bytes that were expected.
        expected_bytes: u64,
        /// Offset at which the file ended.
        found_bytes: u64,
    },
    /// The file has bytes beyond its expected end.
    #[error("grew while it was being read: expected {expected_bytes} bytes, found more")]
    Grown {
        /// Bytes that were expected.
        expected_bytes: u64,
    },
    /// The file was replaced or written to after it was counted.
    #[error("changed while it was being read")]
    Changed,
    /// The caller asked to stop.
    #[error("was not read: cancelled")]
    Cancelled,
}

/// The first file that could not be hashed.
#[derive(Debug, thiserror::Error)]
#[error("file {file} {error}")]
pub struct HashError {
    /// The file, as [`Source::open`] numbers it.
    pub file: usize,
    /// What went wrong.
    #[source]
    pub error: ReadError,
}
