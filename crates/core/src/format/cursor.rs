//! Reading a file from front to back, in small steps and without keeping it.

use model_hash::ReadError;

use super::Recognition;
use super::bytes::{Bytes, Stop};

/// What is fetched at once. Small, because whoever skips a tensor throws the rest away, and the budget counts it.
const WINDOW_BYTES: u64 = 4096;

/// The most characters of a text from the file that a detail or problem shows.
const SHOWN_CHARACTERS: usize = 200;

/// A place in a file that moves on with what is read.
pub(super) struct Cursor<'a> {
    bytes: &'a Bytes<'a>,
    position: u64,
    window_start: u64,
    window: Vec<u8>,
}

impl<'a> Cursor<'a> {
    pub(super) const fn new(bytes: &'a Bytes<'a>, position: u64) -> Self {
        Self { bytes, position, window_start: 0, window: Vec::new() }
    }

    pub(super) const fn position(&self) -> u64 {
        self.position
    }

    /// Goes to `position`, which may be behind the end: the next read says so.
    pub(super) const fn seek(&mut self, position: u64) {
        self.position = position;
    }

    pub(super) const fn at_end(&self) -> bool {
        self.position >= self.bytes.length()
    }

    /// Passes over `length` bytes, all of which the file has to have.
    pub(super) fn skip(&mut self, length: u64) -> Result<(), Stop> {
        match self.position.checked_add(length).filter(|end| *end <= self.bytes.length()) {
            Some(end) => self.position = end,
            None => return Err(self.ends_early(length)),
        }
        Ok(())
    }

    /// The next `length` bytes, of which there have to be at most `most`.
    pub(super) fn take(&mut self, length: u64, most: usize) -> Result<Vec<u8>, Stop> {
        let start = self.position;
        self.skip(length)?;
        match usize::try_from(length) {
            Ok(length) if length <= most => {
                let in_window = start
                    .checked_sub(self.window_start)
                    .and_then(|from| usize::try_from(from).ok())
                    .and_then(|from| self.window.get(from..from.checked_add(length)?));
                match in_window {
                    Some(found) => Ok(found.to_vec()),
                    None => self.bytes.read(start, length),
                }
            }
            _ => Err(Stop::malformed(format!("{length} bytes at {start} where at most {most} make sense"))),
        }
    }

    /// The next `N` bytes.
    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], Stop> {
        let length = N as u64;
        let start = self.position;
        let end = start.checked_add(length).filter(|end| *end <= self.bytes.length());
        let Some(end) = end else { return Err(self.ends_early(length)) };
        if start < self.window_start || end > self.window_start + self.window.len() as u64 {
            let most = WINDOW_BYTES.max(length).min(self.bytes.length() - start);
            let most = usize::try_from(most).map_err(|_| self.ends_early(most))?;
            self.window = self.bytes.read(start, most)?;
            self.window_start = start;
        }
        // Below the window's length, which is in memory.
        let from = usize::try_from(start - self.window_start).map_err(|_| self.ends_early(length))?;
        let found = self.window.get(from..from + N).and_then(|found| found.try_into().ok());
        self.position = end;
        found.ok_or_else(|| self.ends_early(length))
    }

    pub(super) fn byte(&mut self) -> Result<u8, Stop> {
        Ok(self.array::<1>()?[0])
    }

    fn ends_early(&self, wanted: u64) -> Stop {
        let (start, found) = (self.position, self.bytes.length());
        Stop::malformed(format!("{wanted} bytes are wanted at {start}, the file has {found} in all"))
    }
}

/// What was found until `outcome`, which becomes a problem unless the file can't be read at all.
pub(super) fn until(mut found: Recognition, outcome: Result<(), Stop>) -> Result<Option<Recognition>, Stop> {
    match outcome {
        Ok(()) => {}
        Err(Stop::Malformed(problem)) => found.problems.push(problem),
        Err(Stop::Read(error)) => return Err(error.into()),
    }
    found.code.sort();
    found.code.dedup();
    Ok(Some(found))
}

/// `outcome`, or None where the bytes are not what was looked for.
pub(super) fn unless_malformed<T>(outcome: Result<T, Stop>) -> Result<Option<T>, ReadError> {
    match outcome {
        Ok(value) => Ok(Some(value)),
        Err(Stop::Malformed(_)) => Ok(None),
        Err(Stop::Read(error)) => Err(error),
    }
}

/// A text of the file's, cut where it gets long.
pub(super) fn shown(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(&text[..text.len().min(4 * SHOWN_CHARACTERS)]);
    match text.char_indices().nth(SHOWN_CHARACTERS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.into_owned(),
    }
}

/// What the tests of the readers share.
#[cfg(test)]
pub(super) mod testing {
    use super::{Bytes, Recognition, Stop};

    pub(in super::super) type Read = fn(&Bytes) -> Result<Option<Recognition>, Stop>;

    /// What a reader makes of bytes. A problem before the format was clear stands alone.
    pub(in super::super) fn look(read: Read, bytes: &[u8]) -> Option<Recognition> {
        match read(&Bytes::new(&bytes, bytes.len() as u64)) {
            Ok(found) => found,
            Err(stop) => Some(Recognition { problems: vec![stop.to_string()], ..Recognition::default() }),
        }
    }

    /// The one problem that there is.
    pub(in super::super) fn problem(read: Read, bytes: &[u8]) -> String {
        let found = look(read, bytes).expect("the format is clear");
        assert_eq!(found.problems.len(), 1, "{found:?}");
        found.problems.into_iter().next().expect("one problem")
    }

    /// A file that is cut anywhere is another format, or has a problem.
    pub(in super::super) fn is_never_whole_when_cut(read: Read, bytes: &[u8]) {
        for length in 0..bytes.len() {
            if let Some(found) = look(read, &bytes[..length]) {
                assert!(!found.problems.is_empty(), "cut at {length}: {found:?}");
            }
        }
    }

    /// No damage to a byte makes the reader panic, or go on for long.
    pub(in super::super) fn withstands_damage(read: Read, bytes: &[u8]) {
        let mut damaged = bytes.to_vec();
        for place in 0..bytes.len() {
            for value in [0, 0x80, 0xff, bytes[place].wrapping_add(1)] {
                damaged[place] = value;
                look(read, &damaged);
            }
            damaged[place] = bytes[place];
        }
    }
}
