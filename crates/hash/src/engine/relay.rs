//! Other workers read what one hashes, where a stream alone decides when all is done.
//!
//! Whoever has a moment fills the buffers that are empty; the one who hashes reads for itself when nothing is there. So it
//! never waits for anybody who has other work.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::Duration;

use super::buffer::Buffer;
use super::streams::ROOM_BLOCKS;
use super::{ALONE_BYTES, read_exactly};
use crate::sha256::BLOCK_BYTES;
use crate::{ReadAt, ReadError};

/// Buffers between the two.
const BUFFERS: usize = 8;
/// How long whoever reads all of it waits while somebody else reads.
const A_MOMENT: Duration = Duration::from_millis(1);
/// Empty ones for which whoever reads all of it is woken: that takes longer than to read a few.
const WORTH_WAKING: usize = 4;
/// How often the one who hashes looks for what is being read just now, before they sleep: about a millisecond.
const LOOKS: usize = 500;
/// How long somebody waits before they look whether what they do is still wanted.
const PATIENCE: Duration = Duration::from_millis(20);

/// What was read.
pub(super) struct Chunk {
    pub(super) buffer: Buffer,
    pub(super) length: usize,
}

/// How it went to fill buffers.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Filled {
    /// There may be more to do later.
    SoFar,
    /// Somebody else reads just now.
    ByAnother,
    /// All was read, or nobody wants more.
    ForGood,
}

/// The rest of a stream.
pub(super) struct Relay<'s> {
    end: u64,
    /// What nobody has read yet.
    left_bytes: AtomicU64,
    /// Whoever has this reads; the buffers that are full are in the order of the file.
    reading: Mutex<Reading<'s>>,
    buffers: Mutex<Buffers>,
    changed: Condvar,
    /// Somebody who has nothing else to do reads all of it.
    has_reader: AtomicBool,
}

struct Reading<'s> {
    /// None once it was taken back.
    reader: Option<Box<dyn ReadAt + Send + 's>>,
    offset: u64,
}

#[derive(Default)]
struct Buffers {
    full: VecDeque<Chunk>,
    empty: VecDeque<Buffer>,
    failure: Option<ReadError>,
    /// Nobody wants more.
    closed: bool,
}

impl<'s> Relay<'s> {
    pub(super) fn new(reader: Box<dyn ReadAt + Send + 's>, range: Range<u64>) -> Self {
        let empty = (0..BUFFERS).map(|_| new_buffer()).collect();
        Self {
            end: range.end,
            left_bytes: AtomicU64::new(range.end - range.start),
            reading: Mutex::new(Reading { reader: Some(reader), offset: range.start }),
            buffers: Mutex::new(Buffers { empty, ..Buffers::default() }),
            changed: Condvar::new(),
            has_reader: AtomicBool::new(false),
        }
    }

    /// Fills the buffers that are empty, unless somebody else does.
    pub(super) fn fill(&self) -> Filled {
        let mut reading = match self.reading.try_lock() {
            Ok(reading) => reading,
            Err(TryLockError::WouldBlock) => return Filled::ByAnother,
            Err(TryLockError::Poisoned(_)) => return Filled::ForGood,
        };
        for _ in 0..BUFFERS {
            let mut buffers = self.lock();
            if buffers.closed || buffers.failure.is_some() || reading.offset == self.end {
                return Filled::ForGood;
            }
            let Some(mut buffer) = buffers.empty.pop_front() else { return Filled::SoFar };
            drop(buffers);
            let read = self.read(&mut reading, &mut buffer);
            let mut buffers = self.lock();
            match read {
                // The one who hashes took the reader back.
                Ok(0) => return Filled::ForGood,
                Ok(length) => buffers.full.push_back(Chunk { buffer, length }),
                Err(error) => buffers.failure = Some(error),
            }
            self.changed.notify_all();
        }
        Filled::SoFar
    }

    /// Reads all of it, for as long as there `is_nothing_else` to do. Only one does.
    pub(super) fn fill_to_end(&self, is_nothing_else: impl Fn() -> bool) {
        while is_nothing_else() {
            let patience = match self.fill() {
                Filled::SoFar => PATIENCE,
                Filled::ByAnother => A_MOMENT,
                // Nobody need begin again.
                Filled::ForGood => return,
            };
            let buffers = self.lock();
            if (buffers.empty.len() < WORTH_WAKING || patience == A_MOMENT) && !buffers.closed {
                drop(self.changed.wait_timeout(buffers, patience).unwrap_or_else(PoisonError::into_inner));
            }
        }
        self.has_reader.store(false, Ordering::Relaxed);
    }

    /// Whether nobody reads all of it yet; then the caller does.
    pub(super) fn begin_to_fill(&self) -> bool {
        !self.has_reader.swap(true, Ordering::Relaxed)
    }

    pub(super) fn left_bytes(&self) -> u64 {
        self.left_bytes.load(Ordering::Relaxed)
    }

    pub(super) fn has_reader(&self) -> bool {
        self.has_reader.load(Ordering::Relaxed)
    }

    /// The next bytes, for the one who hashes; none at the end.
    pub(super) fn next(&self) -> Result<Option<Chunk>, ReadError> {
        let is_there = |buffers: &mut Buffers| match buffers.full.pop_front() {
            Some(chunk) => Some(Ok(chunk)),
            None => buffers.failure.take().map(Err),
        };
        let mut looks = 0;
        loop {
            if let Some(chunk) = is_there(&mut self.lock()) {
                return chunk.map(Some);
            }
            looks += 1;
            match self.reading.try_lock() {
                Ok(mut reading) => {
                    // Whoever had it may have left something since.
                    let mut buffers = self.lock();
                    if let Some(chunk) = is_there(&mut buffers) {
                        return chunk.map(Some);
                    }
                    let mut buffer = buffers.empty.pop_front().unwrap_or_else(new_buffer);
                    drop(buffers);
                    let length = self.read(&mut reading, &mut buffer)?;
                    return Ok((length > 0).then_some(Chunk { buffer, length }));
                }
                Err(TryLockError::WouldBlock) if looks < LOOKS => {
                    (0..32).for_each(|_| std::hint::spin_loop());
                }
                Err(TryLockError::WouldBlock) => {
                    let buffers = self.lock();
                    if buffers.full.is_empty() && buffers.failure.is_none() {
                        drop(self.changed.wait_timeout(buffers, PATIENCE).unwrap_or_else(PoisonError::into_inner));
                    }
                }
                // Whoever read has panicked, and ended everybody's work.
                Err(TryLockError::Poisoned(_)) => return Err(ReadError::Cancelled),
            }
        }
    }

    pub(super) fn give_back(&self, buffer: Buffer) {
        let mut buffers = self.lock();
        if buffers.empty.len() < BUFFERS {
            buffers.empty.push_back(buffer);
        }
        let is_worth = buffers.empty.len() == WORTH_WAKING;
        drop(buffers);
        if is_worth && self.has_reader() {
            self.changed.notify_all();
        }
    }

    /// Nobody wants more.
    pub(super) fn abandon(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }

    /// Ends the reading, and gives the reader back.
    pub(super) fn close(&self) -> Option<Box<dyn ReadAt + Send + 's>> {
        self.abandon();
        self.reading.lock().unwrap_or_else(PoisonError::into_inner).reader.take()
    }

    /// Reads the next bytes; 0 at the end.
    fn read(&self, reading: &mut Reading<'s>, buffer: &mut Buffer) -> Result<usize, ReadError> {
        let Some(reader) = &reading.reader else { return Ok(0) };
        let length = usize::try_from(self.end - reading.offset).map_or(ALONE_BYTES, |left| left.min(ALONE_BYTES));
        read_exactly(&**reader, &mut buffer.blocks().as_flattened_mut()[..length], reading.offset, self.end)?;
        reading.offset += length as u64;
        self.left_bytes.store(self.end - reading.offset, Ordering::Relaxed);
        Ok(length)
    }

    fn lock(&self) -> MutexGuard<'_, Buffers> {
        self.buffers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn new_buffer() -> Buffer {
    Buffer::new(ALONE_BYTES / BLOCK_BYTES + ROOM_BLOCKS)
}
