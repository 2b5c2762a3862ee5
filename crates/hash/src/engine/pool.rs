//! Who hashes what next.
//!
//! A worker takes a turn with some streams, a few buffers long, and puts them back. So no stream belongs to a worker, and
//! those with the most left can always go first: all end at about the same time, and lanes stay full until then. Where there
//! are many more streams than lanes a worker keeps those that it has begun: what is read from a disk is read in long runs.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering as Memory};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use super::relay::Relay;
use super::streams::Streams;
use super::{Failure, LARGE_BYTES};
use crate::{ReadAt, Segment};

/// As long as this much is left for each worker, turns are long.
const LONG_TURNS_BYTES: u64 = 64 << 20;
const LONG_TURN: usize = 4;
/// What is left of a stream that is worth having others read it.
const RELAY_BYTES: u64 = 8 << 20;
/// Files of small segments that are hashed together, and bytes that are enough if there is a file for each lane.
const LEAST_BATCH_FILES: usize = 8;
const MOST_BATCH_FILES: usize = 128;
const BATCH_BYTES: u64 = 256 << 10;
const MOST_BATCH_BYTES: u64 = 1 << 20;
/// Batches for each worker, so that all end at about the same time.
const BATCHES_PER_WORKER: usize = 4;
/// How much slower a choice may be than the one that seems best, if it is the faster one for all streams together: what is
/// expected of a stream that always has as many beside it is too much.
const TOLERANCE: f64 = 1.06;

/// A segment that is being hashed.
pub(super) struct Stream<'s, S> {
    pub(super) segment: usize,
    /// None before its first turn.
    pub(super) reader: Option<Box<dyn ReadAt + Send + 's>>,
    pub(super) state: S,
    /// The next byte, in the file.
    pub(super) offset: u64,
    pub(super) end: u64,
}

impl<S> Stream<'_, S> {
    pub(super) fn left_bytes(&self) -> u64 {
        self.end - self.offset
    }
}

/// Ordered by what is left.
struct Idle<'s, S>(Stream<'s, S>);

impl<S> Ord for Idle<'_, S> {
    fn cmp(&self, other: &Self) -> Ordering {
        let key = |idle: &Self| (idle.0.left_bytes(), std::cmp::Reverse(idle.0.segment));
        key(self).cmp(&key(other))
    }
}

impl<S> PartialOrd for Idle<'_, S> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<S> PartialEq for Idle<'_, S> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl<S> Eq for Idle<'_, S> {}

/// What a worker does next.
pub(super) enum Work<'s, S> {
    /// Some streams, for so many buffers of each.
    Turn {
        streams: Vec<Stream<'s, S>>,
        buffers: usize,
    },
    /// One stream to its end, which others read where they can.
    Alone {
        stream: Stream<'s, S>,
        relay: Arc<Relay<'s>>,
    },
    /// Small segments, by their places in [`Pool::small`].
    Small(Range<usize>),
    /// Read for another worker.
    Help(Arc<Relay<'s>>),
    Nothing,
}

pub(super) struct Pool<'s, A: Streams> {
    algorithm: &'s A,
    workers: usize,
    /// Streams that may be open.
    open_limit: usize,
    segments: &'s [Segment],
    /// Segments that are read in turns, longest first.
    large: Vec<usize>,
    /// Segments that are read whole, in their order.
    pub(super) small: Vec<usize>,
    batches: Vec<Range<usize>>,
    shared: Mutex<Shared<'s, A::State>>,
    changed: Condvar,
    /// Streams that a worker hashes to their end.
    relays: Mutex<Vec<Arc<Relay<'s>>>>,
    /// Their number.
    alone: AtomicUsize,
    has_idle: AtomicBool,
    /// [`Shared::left_bytes`], for whoever has no lock.
    left_bytes: AtomicU64,
    stopped: AtomicBool,
}

struct Shared<'s, S> {
    idle: BinaryHeap<Idle<'s, S>>,
    next_large: usize,
    next_batch: usize,
    /// Streams that workers have.
    in_hands: usize,
    /// Of large segments, but those that a worker hashes to their end.
    left_bytes: u64,
    waiting: usize,
    failure: Option<Failure>,
}

impl<'s, A: Streams> Pool<'s, A> {
    pub(super) fn new(algorithm: &'s A, segments: &'s [Segment], jobs: usize, open_limit: usize) -> Self {
        let (mut large, mut small) = (Vec::new(), Vec::new());
        let mut left_bytes = 0u64;
        for (index, segment) in segments.iter().enumerate() {
            if segment.length_bytes() > LARGE_BYTES {
                large.push(index);
                left_bytes = left_bytes.saturating_add(segment.length_bytes());
            } else {
                small.push(index);
            }
        }
        large.sort_by_key(|index| std::cmp::Reverse(segments[*index].length_bytes()));
        // Two can work on a large one.
        let most_workers = (2 * large.len()).saturating_add(small.len().div_ceil(LEAST_BATCH_FILES));
        let workers = jobs.min(most_workers).min(open_limit).max(1);
        let batches = batches(segments, &small, workers, algorithm.width());
        let shared = Shared {
            idle: BinaryHeap::new(),
            next_large: 0,
            next_batch: 0,
            in_hands: 0,
            left_bytes,
            waiting: 0,
            failure: None,
        };
        let (shared, changed) = (Mutex::new(shared), Condvar::new());
        Self {
            algorithm,
            workers,
            open_limit,
            segments,
            large,
            small,
            batches,
            shared,
            changed,
            relays: Mutex::default(),
            alone: AtomicUsize::new(0),
            has_idle: AtomicBool::new(false),
            left_bytes: AtomicU64::new(left_bytes),
            stopped: AtomicBool::new(false),
        }
    }

    pub(super) fn workers(&self) -> usize {
        self.workers
    }

    /// Takes back what is left of the last turn, in which `ended` streams ended and `bytes` were hashed, and gives the next.
    pub(super) fn next(&self, back: Vec<Stream<'s, A::State>>, ended: usize, bytes: u64) -> Work<'s, A::State> {
        let mut shared = self.lock();
        shared.in_hands -= back.len() + ended;
        shared.left_bytes = shared.left_bytes.saturating_sub(bytes);
        self.left_bytes.store(shared.left_bytes, Memory::Relaxed);
        shared.idle.extend(back.into_iter().map(Idle));
        loop {
            if self.is_stopped() {
                return Work::Nothing;
            }
            if !shared.idle.is_empty() || shared.next_large < self.large.len() {
                let work = self.turn(&mut shared);
                self.wake_for_idle(&shared);
                return work;
            }
            if let Some(batch) = self.batches.get(shared.next_batch) {
                shared.next_batch += 1;
                return Work::Small(batch.clone());
            }
            if shared.in_hands == 0 {
                self.changed.notify_all();
                return Work::Nothing;
            }
            if let Some(relay) = self.relays().iter().find(|relay| relay.begin_to_fill()) {
                return Work::Help(Arc::clone(relay));
            }
            shared.waiting += 1;
            shared = self.changed.wait(shared).unwrap_or_else(PoisonError::into_inner);
            shared.waiting -= 1;
        }
    }

    /// Ends the work of all. The failure of the first segment counts.
    pub(super) fn fail(&self, failure: Failure) {
        let mut shared = self.lock();
        if shared.failure.as_ref().is_none_or(|first| failure.is_told_before(first)) {
            shared.failure = Some(failure);
        }
        drop(shared);
        self.stop();
    }

    /// Ends the work of all.
    pub(super) fn stop(&self) {
        self.stopped.store(true, Memory::Relaxed);
        self.relays().iter().for_each(|relay| relay.abandon());
        // Nobody is between looking at that and waiting.
        let _shared = self.lock();
        self.changed.notify_all();
    }

    pub(super) fn into_failure(self) -> Option<Failure> {
        self.shared.into_inner().unwrap_or_else(PoisonError::into_inner).failure
    }

    /// Whether the work of all was ended.
    pub(super) fn is_stopped(&self) -> bool {
        self.stopped.load(Memory::Relaxed)
    }

    /// Whether there are streams that nobody hashes just now.
    pub(super) fn has_idle(&self) -> bool {
        self.has_idle.load(Memory::Relaxed)
    }

    /// Reads ahead for the workers that hash one stream alone, unless others do, or that stream ends before the others: then
    /// it is better hashed a little slower.
    pub(super) fn fill_relays(&self) {
        if self.alone.load(Memory::Relaxed) == 0 {
            return;
        }
        let share = self.left_bytes.load(Memory::Relaxed) / self.free_workers() as u64;
        let needs = |relay: &&Arc<Relay<'s>>| !relay.has_reader() && relay.left_bytes() >= share;
        let relays: Vec<_> = self.relays().iter().filter(needs).map(Arc::clone).collect();
        for relay in relays {
            relay.fill();
        }
    }

    /// Nobody hashes this stream any more.
    pub(super) fn end_alone(&self, ended: &Arc<Relay<'s>>) {
        ended.close();
        self.relays().retain(|relay| !Arc::ptr_eq(relay, ended));
        self.alone.fetch_sub(1, Memory::Relaxed);
    }

    fn relays(&self) -> MutexGuard<'_, Vec<Arc<Relay<'s>>>> {
        self.relays.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock(&self) -> MutexGuard<'_, Shared<'s, A::State>> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wake_for_idle(&self, shared: &Shared<'s, A::State>) {
        self.has_idle.store(!shared.idle.is_empty(), Memory::Relaxed);
        if shared.waiting > 0 && !shared.idle.is_empty() {
            self.changed.notify_one();
        }
    }

    fn turn(&self, shared: &mut Shared<'s, A::State>) -> Work<'s, A::State> {
        let unopened = self.large.len() - shared.next_large;
        let count =
            shared.idle.len() + unopened + shared.in_hands - self.alone.load(Memory::Relaxed).min(shared.in_hands);
        let are_few = count <= self.open_limit.min(2 * self.workers * self.algorithm.width());
        let next_bytes = |shared: &Shared<'s, A::State>| {
            self.large.get(shared.next_large).map_or(0, |index| self.segments[*index].length_bytes())
        };
        let most_left = |shared: &Shared<'s, A::State>| shared.idle.peek().map_or(0, |idle| idle.0.left_bytes());
        let lanes = self.lanes(count, most_left(shared).max(next_bytes(shared)), shared.left_bytes);
        let mut streams = Vec::with_capacity(lanes);
        while streams.len() < lanes {
            let takes_open = if are_few { most_left(shared) >= next_bytes(shared) } else { !shared.idle.is_empty() };
            if takes_open {
                let Some(Idle(stream)) = shared.idle.pop() else { break };
                streams.push(stream);
            } else {
                let segment = self.large[shared.next_large];
                shared.next_large += 1;
                let Segment { start, end, .. } = self.segments[segment];
                let state = self.algorithm.start();
                streams.push(Stream { segment, reader: None, state, offset: start, end });
            }
        }
        shared.in_hands += streams.len();
        if let Some(relay) = self.have_read(shared, &mut streams)
            && let Some(stream) = streams.pop()
        {
            return Work::Alone { stream, relay };
        }
        let are_long = shared.left_bytes / self.workers as u64 > LONG_TURNS_BYTES;
        Work::Turn { streams, buffers: if are_long { LONG_TURN } else { 1 } }
    }

    /// Has others read what a worker is to hash that has one stream, if that decides when all is done: even alone on a core
    /// it ends no sooner than the rest can on the others.
    fn have_read(
        &self,
        shared: &mut Shared<'s, A::State>,
        streams: &mut [Stream<'s, A::State>],
    ) -> Option<Arc<Relay<'s>>> {
        let [stream] = streams else { return None };
        let (left_bytes, workers) = (stream.left_bytes(), self.free_workers());
        let decides = left_bytes.saturating_mul(workers as u64) >= shared.left_bytes;
        if workers < 2 || left_bytes < RELAY_BYTES || !decides {
            return None;
        }
        let reader = stream.reader.take()?;
        let relay = Arc::new(Relay::new(reader, stream.offset..stream.end));
        shared.left_bytes = shared.left_bytes.saturating_sub(left_bytes);
        self.left_bytes.store(shared.left_bytes, Memory::Relaxed);
        self.relays().push(Arc::clone(&relay));
        self.alone.fetch_add(1, Memory::Relaxed);
        if shared.waiting > 0 {
            self.changed.notify_one();
        }
        Some(relay)
    }

    /// Workers that do not hash one stream to its end.
    fn free_workers(&self) -> usize {
        self.workers.saturating_sub(self.alone.load(Memory::Relaxed)).max(1)
    }

    /// With how many streams a worker's turn is best, if all workers did likewise: the stream with the most left, which can't
    /// be shared, should end when the rest does.
    fn lanes(&self, count: usize, longest_bytes: u64, left_bytes: u64) -> usize {
        let workers = self.free_workers();
        let most = count.div_ceil(workers).min(self.algorithm.width()).min(self.open_limit / self.workers).max(1);
        let seconds = |lanes: usize| {
            let speed = self.algorithm.speed(lanes);
            let alone = longest_bytes as f64 * lanes as f64 / speed.rate;
            alone.max(left_bytes as f64 / (workers as f64 * speed.rate))
        };
        let choices = || (1..=most).filter(|lanes| self.algorithm.speed(*lanes).lanes == *lanes);
        let best = choices().map(seconds).fold(f64::INFINITY, f64::min);
        choices().filter(|lanes| seconds(*lanes) <= best * TOLERANCE).max().unwrap_or(1)
    }
}

/// Runs of small segments.
fn batches(segments: &[Segment], small: &[usize], workers: usize, width: usize) -> Vec<Range<usize>> {
    let share = small.len().div_ceil(workers * BATCHES_PER_WORKER);
    let most_files = share.clamp(LEAST_BATCH_FILES, MOST_BATCH_FILES);
    let mut batches = Vec::new();
    let (mut start, mut bytes) = (0, 0);
    for (place, index) in small.iter().enumerate() {
        let length = segments[*index].length_bytes();
        let files = place - start;
        let is_enough = files >= width && bytes + length > BATCH_BYTES;
        if files >= most_files || is_enough || (files > 0 && bytes + length > MOST_BATCH_BYTES) {
            batches.push(start..place);
            (start, bytes) = (place, 0);
        }
        bytes += length;
    }
    if start < small.len() {
        batches.push(start..small.len());
    }
    batches
}
