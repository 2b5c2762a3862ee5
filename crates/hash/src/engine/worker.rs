//! What a worker does in its turn.

use std::ops::Range;

use super::buffer::Buffer;
use super::pool::{Pool, Stream, Work};
use super::relay::{Chunk, Relay};
use super::streams::{Piece, ROOM_BLOCKS, Streams};
use super::{ALONE_BYTES, Failure, Options, buffer_bytes, read_exactly, read_to_end};
use crate::sha256::BLOCK_BYTES;
use crate::{Digest, ReadError, Segment, Source};

pub(super) struct Worker<'w, 's, A: Streams> {
    pub(super) algorithm: &'s A,
    pub(super) segments: &'s [Segment],
    pub(super) source: &'s dyn Source,
    pub(super) options: &'w Options<'w>,
    pub(super) pool: &'w Pool<'s, A>,
    buffer: Buffer,
    digests: Vec<(usize, Digest)>,
}

/// Ends everybody's work when a worker panics: the others wait for what it has.
struct Stopping<'w, 's, A: Streams>(&'w Pool<'s, A>);

impl<A: Streams> Drop for Stopping<'_, '_, A> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.stop();
        }
    }
}

impl<'w, 's, A: Streams> Worker<'w, 's, A> {
    pub(super) fn new(
        algorithm: &'s A,
        segments: &'s [Segment],
        source: &'s dyn Source,
        options: &'w Options<'w>,
        pool: &'w Pool<'s, A>,
    ) -> Self {
        Self { algorithm, segments, source, options, pool, buffer: Buffer::default(), digests: Vec::new() }
    }

    /// Works until there is nothing left to do. Returns the digests by segment.
    pub(super) fn work(mut self) -> Vec<(usize, Digest)> {
        let _stopping = Stopping(self.pool);
        let (mut back, mut ended, mut bytes) = (Vec::new(), 0, 0);
        loop {
            let work = self.pool.next(std::mem::take(&mut back), ended, bytes);
            (ended, bytes) = (0, 0);
            let done = match work {
                Work::Nothing => return self.digests,
                Work::Turn { streams, buffers } => self.turn(streams, buffers).map(|turn| (back, ended, bytes) = turn),
                Work::Alone { stream, relay } => {
                    ended = 1;
                    let done = self.alone(stream, &relay);
                    self.pool.end_alone(&relay);
                    done
                }
                Work::Small(batch) => {
                    self.pool.fill_relays();
                    self.small(batch)
                }
                Work::Help(relay) => {
                    relay.fill_to_end(|| !self.pool.has_idle());
                    Ok(())
                }
            };
            if let Err(failure) = done {
                self.pool.fail(failure);
                return self.digests;
            }
        }
    }

    /// Hashes some buffers of each stream. Returns those that have not ended, how many have, and the bytes.
    #[expect(clippy::type_complexity, reason = "what `Pool::next` takes")]
    fn turn(
        &mut self,
        mut streams: Vec<Stream<'s, A::State>>,
        buffers: usize,
    ) -> Result<(Vec<Stream<'s, A::State>>, usize, u64), Failure> {
        let (mut ended, mut bytes) = (0, 0);
        for _ in 0..buffers {
            if streams.is_empty() {
                break;
            }
            self.pool.fill_relays();
            let room = buffer_bytes(streams.len()) / BLOCK_BYTES + ROOM_BLOCKS;
            self.buffer.require(room * streams.len());
            let mut pieces = Vec::with_capacity(streams.len());
            let mut hashed = 0;
            for (stream, buffer) in streams.iter_mut().zip(self.buffer.blocks().chunks_exact_mut(room)) {
                let segment = &self.segments[stream.segment];
                let most = (room - ROOM_BLOCKS) * BLOCK_BYTES;
                let length = usize::try_from(stream.left_bytes()).map_or(most, |left| left.min(most));
                let failed = |error| Failure { segment: stream.segment, error };
                self.options.check_cancelled().map_err(failed)?;
                let reader = match &mut stream.reader {
                    Some(reader) => reader,
                    unopened => unopened.insert(self.source.open(segment.file).map_err(failed)?),
                };
                let bytes = &mut buffer.as_flattened_mut()[..length];
                read_exactly(&**reader, bytes, stream.offset, segment.end).map_err(failed)?;
                stream.offset += length as u64;
                hashed += length as u64;
                let ends = (stream.offset == stream.end).then_some(segment.length_bytes());
                pieces.push(Piece { state: &mut stream.state, buffer, length, ends });
            }
            self.algorithm.append(&mut pieces);
            self.options.count(hashed);
            bytes += hashed;
            for index in (0..streams.len()).rev() {
                if streams[index].left_bytes() == 0 {
                    ended += 1;
                    self.end(streams.swap_remove(index))?;
                }
            }
        }
        Ok((streams, ended, bytes))
    }

    /// Hashes the rest of a stream that other workers read where they can.
    fn alone(&mut self, mut stream: Stream<'s, A::State>, relay: &Relay<'s>) -> Result<(), Failure> {
        let segment = stream.segment;
        let failed = |error| Failure { segment, error };
        while !self.pool.is_stopped() {
            self.options.check_cancelled().map_err(failed)?;
            let Some(Chunk { mut buffer, length }) = relay.next().map_err(failed)? else {
                stream.reader = relay.close();
                return self.end(stream);
            };
            stream.offset += length as u64;
            let ends = (stream.offset == stream.end).then_some(self.segments[segment].length_bytes());
            self.algorithm.append(&mut [Piece { state: &mut stream.state, buffer: buffer.blocks(), length, ends }]);
            self.options.count(length as u64);
            relay.give_back(buffer);
        }
        // Somebody else's failure has ended it.
        Ok(())
    }

    fn end(&mut self, stream: Stream<'s, A::State>) -> Result<(), Failure> {
        let Stream { segment, reader, state, end, .. } = stream;
        if let Some(reader) = reader {
            let is_end = self.segments[segment].reaches_end.then_some(end);
            reader.finish(is_end).map_err(|error| Failure { segment, error })?;
        }
        self.digests.push((segment, self.algorithm.digest(state)));
        Ok(())
    }

    /// Reads small segments whole, and hashes them together.
    fn small(&mut self, batch: Range<usize>) -> Result<(), Failure> {
        let batch = &self.pool.small[batch];
        let room = |segment: &Segment| {
            usize::try_from(segment.length_bytes()).unwrap_or(usize::MAX) / BLOCK_BYTES + ROOM_BLOCKS
        };
        let blocks = batch.iter().map(|index| room(&self.segments[*index])).sum::<usize>();
        self.buffer.require(blocks);
        let mut states: Vec<_> = batch.iter().map(|_| self.algorithm.start()).collect();
        let mut pieces = Vec::with_capacity(batch.len());
        let mut free = self.buffer.blocks();
        let mut hashed = 0;
        for (index, state) in batch.iter().zip(&mut states) {
            let segment = &self.segments[*index];
            let (buffer, others) = std::mem::take(&mut free).split_at_mut(room(segment));
            free = others;
            let length_bytes = segment.length_bytes();
            let length = usize::try_from(length_bytes).unwrap_or(usize::MAX);
            let read = |bytes: &mut [u8]| -> Result<(), ReadError> {
                self.options.check_cancelled()?;
                let reader = self.source.open(segment.file)?;
                if segment.reaches_end {
                    read_to_end(&*reader, &mut bytes[..=length], segment.start)?;
                } else {
                    read_exactly(&*reader, &mut bytes[..length], segment.start, segment.end)?;
                }
                reader.finish(None)
            };
            read(buffer.as_flattened_mut()).map_err(|error| Failure { segment: *index, error })?;
            hashed += length_bytes;
            pieces.push(Piece { state, buffer, length, ends: Some(length_bytes) });
        }
        self.algorithm.append(&mut pieces);
        self.options.count(hashed);
        let digests = batch.iter().zip(states).map(|(index, state)| (*index, self.algorithm.digest(state)));
        self.digests.extend(digests);
        Ok(())
    }
}

const _: () = assert!(ALONE_BYTES.is_multiple_of(BLOCK_BYTES));
