//! One worker reads what another hashes, where a stream alone decides when all is done.

use std::ops::Range;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

use super::streams::ROOM_BLOCKS;
use super::{ALONE_BYTES, read_exactly};
use crate::sha256::{BLOCK_BYTES, Block};
use crate::{ReadAt, ReadError};

/// Buffers between the two.
const BUFFERS: usize = 4;
/// How long somebody waits for what is read before they look whether it is still wanted.
const PATIENCE: Duration = Duration::from_millis(20);

/// What was read, or the reader when all was.
pub(super) enum Read<'s> {
    /// So many bytes in the buffer.
    Bytes {
        buffer: Vec<Block>,
        length: usize,
    },
    End(Box<dyn ReadAt + Send + 's>),
}

/// What came from the other worker.
pub(super) enum Next<'s> {
    Read(Result<Read<'s>, ReadError>),
    NotYet,
    /// The work of all has been ended.
    Nothing,
}

/// What is to be read for another worker.
pub(super) struct Relay<'s> {
    reader: Box<dyn ReadAt + Send + 's>,
    range: Range<u64>,
    empty: Receiver<Vec<Block>>,
    full: SyncSender<Result<Read<'s>, ReadError>>,
}

/// What another worker reads.
pub(super) struct Relayed<'s> {
    empty: SyncSender<Vec<Block>>,
    full: Receiver<Result<Read<'s>, ReadError>>,
}

pub(super) fn new(reader: Box<dyn ReadAt + Send + '_>, range: Range<u64>) -> (Relay<'_>, Relayed<'_>) {
    let (give_empty, empty) = sync_channel(BUFFERS);
    let (full, take_full) = sync_channel(BUFFERS + 1);
    (Relay { reader, range, empty, full }, Relayed { empty: give_empty, full: take_full })
}

impl Relay<'_> {
    /// Reads until all is read or nobody wants it any more.
    pub(super) fn read(self) {
        let Self { reader, range, empty, full } = self;
        let mut offset = range.start;
        while offset < range.end {
            let Ok(mut buffer) = empty.recv() else { return };
            let length = usize::try_from(range.end - offset).map_or(ALONE_BYTES, |left| left.min(ALONE_BYTES));
            let read = read_exactly(&*reader, &mut buffer.as_flattened_mut()[..length], offset, range.end);
            let failed = read.is_err();
            if full.send(read.map(|()| Read::Bytes { buffer, length })).is_err() || failed {
                return;
            }
            offset += length as u64;
        }
        // Whoever left wants no reader either.
        let _ = full.send(Ok(Read::End(reader)));
    }
}

impl<'s> Relayed<'s> {
    /// Lets the other worker begin.
    pub(super) fn begin(&self) {
        for _ in 0..BUFFERS {
            self.give_back(vec![[0; BLOCK_BYTES]; ALONE_BYTES / BLOCK_BYTES + ROOM_BLOCKS]);
        }
    }

    pub(super) fn next(&self) -> Next<'s> {
        match self.full.recv_timeout(PATIENCE) {
            Ok(read) => Next::Read(read),
            Err(RecvTimeoutError::Timeout) => Next::NotYet,
            Err(RecvTimeoutError::Disconnected) => Next::Nothing,
        }
    }

    pub(super) fn give_back(&self, buffer: Vec<Block>) {
        // Whoever has read everything wants none.
        let _ = self.empty.send(buffer);
    }
}
