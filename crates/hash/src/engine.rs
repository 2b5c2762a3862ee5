//! Many segments, spread over the cores, longest first.

use std::cmp::Reverse;
use std::io;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use blake3::hazmat::ChainingValue;

use crate::subtree::{self, SUBTREE_BYTES};
use crate::{Digest, HashAlgorithm, HashError, ReadAt, ReadError, Segment, Source, Stream};

/// Bytes that each worker reads at a time: fits in a core's own cache beside the hash state.
const BUFFER_BYTES: usize = 256 << 10;

/// Below this many bytes in all, starting threads costs more than they save.
const SPAWN_THRESHOLD_BYTES: u64 = 1 << 20;
/// What opening and closing a file costs, in bytes that could be hashed in that time.
const OPEN_COST_BYTES: u64 = 16 << 10;

/// How to hash: on how many cores, and who watches.
#[derive(Clone, Copy, Debug)]
pub struct Options<'a> {
    /// Workers at most, each with one buffer of 256 KiB and one open file.
    pub jobs: NonZeroUsize,
    /// Counts the bytes hashed so far, for whoever draws a progress bar.
    pub progress_bytes: Option<&'a AtomicU64>,
    /// Setting this to `true` ends the work at the next buffer with [`ReadError::Cancelled`].
    pub cancelled: Option<&'a AtomicBool>,
}

impl Default for Options<'_> {
    /// As many workers as the process may use cores (CPU affinity and cgroup limits counted).
    fn default() -> Self {
        let jobs = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
        Self { jobs, progress_bytes: None, cancelled: None }
    }
}

/// Hashes every segment, returning the digests in the order of `segments`.
///
/// Memory is bounded by the buffers of the workers and the digests, whatever the segments' size. A BLAKE3 segment is
/// itself spread over the workers.
///
/// # Errors
/// The error of the lowest-numbered segment that is known to have failed. The others are then not hashed.
pub fn hash_segments(
    algorithm: HashAlgorithm,
    segments: &[Segment],
    source: &dyn Source,
    options: &Options<'_>,
) -> Result<Vec<Digest>, HashError> {
    let units = plan(algorithm, segments);
    let queue = Queue {
        algorithm,
        segments,
        source,
        options,
        units: &units,
        next: AtomicUsize::new(0),
        failed: AtomicBool::new(false),
    };
    let cost_bytes = units.iter().map(|unit| unit.length.saturating_add(OPEN_COST_BYTES)).fold(0, u64::saturating_add);
    let workers = if cost_bytes < SPAWN_THRESHOLD_BYTES { 1 } else { options.jobs.get().min(units.len()) };

    let outcomes = std::thread::scope(|scope| {
        let others: Vec<_> = (1..workers).map(|_| scope.spawn(|| queue.work())).collect();
        let mut outcomes = vec![queue.work()];
        for other in others {
            outcomes.push(other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        }
        outcomes
    });
    collect(segments, &units, outcomes)
}

/// A piece of work for one worker.
#[derive(Clone, Copy)]
struct Unit {
    segment: usize,
    /// Offset within the segment.
    start: u64,
    length: u64,
    /// Whether the unit is a BLAKE3 subtree rather than the whole segment.
    subtree: bool,
}

enum Output {
    Whole(Digest),
    Subtree(ChainingValue),
}

/// Splits segments into units and orders them, longest first, so that no long one is left to the end.
fn plan(algorithm: HashAlgorithm, segments: &[Segment]) -> Vec<Unit> {
    let mut units = Vec::with_capacity(segments.len());
    for (index, segment) in segments.iter().enumerate() {
        let length = segment.length_bytes();
        if algorithm == HashAlgorithm::Blake3 && length > SUBTREE_BYTES {
            let mut start = 0;
            while start < length {
                let piece = SUBTREE_BYTES.min(length - start);
                units.push(Unit { segment: index, start, length: piece, subtree: true });
                start += piece;
            }
        } else {
            units.push(Unit { segment: index, start: 0, length, subtree: false });
        }
    }
    units.sort_by_key(|unit| Reverse(unit.length));
    units
}

struct Queue<'a> {
    algorithm: HashAlgorithm,
    segments: &'a [Segment],
    source: &'a dyn Source,
    options: &'a Options<'a>,
    units: &'a [Unit],
    next: AtomicUsize,
    failed: AtomicBool,
}

/// What one worker did: the outputs by unit, and the error that stopped it.
#[derive(Default)]
struct Outcome {
    outputs: Vec<(usize, Output)>,
    error: Option<(usize, ReadError)>,
}

impl Queue<'_> {
    fn work(&self) -> Outcome {
        let mut outcome = Outcome::default();
        let mut buffer = Vec::new();
        while !self.failed.load(Ordering::Relaxed) {
            let index = self.next.fetch_add(1, Ordering::Relaxed);
            let Some(unit) = self.units.get(index) else {
                break;
            };
            match self.hash_unit(unit, &mut buffer) {
                Ok(output) => outcome.outputs.push((index, output)),
                Err(error) => {
                    self.failed.store(true, Ordering::Relaxed);
                    outcome.error = Some((unit.segment, error));
                }
            }
        }
        outcome
    }

    fn hash_unit(&self, unit: &Unit, buffer: &mut Vec<u8>) -> Result<Output, ReadError> {
        let segment = &self.segments[unit.segment];
        let reader = self.source.open(segment.file)?;
        let start = segment.start + unit.start;
        let end = start + unit.length;
        let output = if unit.subtree {
            let mut hasher = subtree::start(unit.start);
            self.read(reader.as_ref(), segment, start, end, buffer, |bytes| {
                hasher.update(bytes);
            })?;
            Output::Subtree(subtree::finish(&hasher))
        } else {
            let mut stream = Stream::new(self.algorithm);
            self.read(reader.as_ref(), segment, start, end, buffer, |bytes| stream.update(bytes))?;
            Output::Whole(stream.finish())
        };
        if segment.reaches_end && end == segment.end && read_some(reader.as_ref(), &mut [0], end)? != 0 {
            return Err(ReadError::Grown { expected_bytes: segment.end });
        }
        reader.finish()?;
        Ok(output)
    }

    fn read(
        &self,
        reader: &dyn ReadAt,
        segment: &Segment,
        start: u64,
        end: u64,
        buffer: &mut Vec<u8>,
        mut update: impl FnMut(&[u8]),
    ) -> Result<(), ReadError> {
        let wanted = usize::try_from(end - start).map_or(BUFFER_BYTES, |length| length.min(BUFFER_BYTES));
        if buffer.len() < wanted {
            buffer.resize(wanted, 0);
        }
        let mut offset = start;
        while offset < end {
            if self.options.cancelled.is_some_and(|cancelled| cancelled.load(Ordering::Relaxed)) {
                return Err(ReadError::Cancelled);
            }
            let want = usize::try_from(end - offset).map_or(buffer.len(), |left| left.min(buffer.len()));
            let found = read_some(reader, &mut buffer[..want], offset)?;
            if found == 0 {
                return Err(ReadError::Truncated { expected_bytes: segment.end, found_bytes: offset });
            }
            update(&buffer[..found]);
            offset += found as u64;
            if let Some(progress) = self.options.progress_bytes {
                progress.fetch_add(found as u64, Ordering::Relaxed);
            }
        }
        Ok(())
    }
}

fn read_some(reader: &dyn ReadAt, buffer: &mut [u8], offset: u64) -> Result<usize, ReadError> {
    loop {
        match reader.read_at(buffer, offset) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            other => return other.map_err(ReadError::Io),
        }
    }
}

/// Puts the workers' outputs in the order of the segments.
fn collect(segments: &[Segment], units: &[Unit], outcomes: Vec<Outcome>) -> Result<Vec<Digest>, HashError> {
    let mut digests: Vec<Option<Digest>> = vec![None; segments.len()];
    let mut subtrees: Vec<(usize, u64, ChainingValue)> = Vec::new();
    let mut first_error: Option<(usize, ReadError)> = None;
    for outcome in outcomes {
        for (index, output) in outcome.outputs {
            let unit = &units[index];
            match output {
                Output::Whole(digest) => digests[unit.segment] = Some(digest),
                Output::Subtree(value) => subtrees.push((unit.segment, unit.start, value)),
            }
        }
        if let Some((segment, error)) = outcome.error
            && first_error.as_ref().is_none_or(|(first, _)| segment < *first)
        {
            first_error = Some((segment, error));
        }
    }
    if let Some((segment, error)) = first_error {
        return Err(HashError { file: segments[segment].file, error });
    }
    subtrees.sort_unstable_by_key(|(segment, start, _)| (*segment, *start));
    for group in subtrees.chunk_by(|a, b| a.0 == b.0) {
        let values: Vec<ChainingValue> = group.iter().map(|(_, _, value)| *value).collect();
        digests[group[0].0] = Some(Digest::Blake3(subtree::merge(&values)));
    }
    Ok(digests.into_iter().map(|digest| digest.expect("no worker failed, so every unit has its output")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    struct Memory(Vec<Vec<u8>>);

    impl Source for Memory {
        fn open(&self, file: usize) -> Result<Box<dyn ReadAt + '_>, ReadError> {
            Ok(Box::new(self.0[file].as_slice()))
        }
    }

    fn whole(file: usize, length: usize) -> Segment {
        Segment { file, start: 0, end: length as u64, reaches_end: true }
    }

    fn bytes(length: usize) -> Vec<u8> {
        (0..length).map(|i| (i % 251) as u8 ^ (i / 65_536) as u8).collect()
    }

    fn options(jobs: usize) -> Options<'static> {
        Options { jobs: NonZeroUsize::new(jobs).expect("not zero"), progress_bytes: None, cancelled: None }
    }

    /// Around a block, a chunk, a buffer, the thread threshold, one and several BLAKE3 subtrees.
    fn boundary_lengths() -> Vec<usize> {
        let mut lengths = vec![0];
        for boundary in [1, 64, 128, 1_024, BUFFER_BYTES, 1 << 20, 2 << 20, 4 << 20, 6 << 20] {
            lengths.extend([boundary - 1, boundary, boundary + 1]);
        }
        lengths
    }

    #[test]
    fn every_boundary_length_equals_the_plain_library() {
        let files = Memory(boundary_lengths().into_iter().map(bytes).collect());
        let segments: Vec<_> = files.0.iter().enumerate().map(|(i, file)| whole(i, file.len())).collect();
        for algorithm in HashAlgorithm::ALL {
            for jobs in [1, 2, 7] {
                let digests = hash_segments(algorithm, &segments, &files, &options(jobs)).expect("hashes");
                for (file, digest) in files.0.iter().zip(&digests) {
                    assert_eq!(*digest, algorithm.digest(file), "{algorithm}, {} bytes, {jobs} jobs", file.len());
                }
            }
        }
    }

    #[test]
    fn no_segments_give_no_digests() {
        let digests = hash_segments(HashAlgorithm::Sha256, &[], &Memory(vec![]), &options(2)).expect("hashes");
        assert!(digests.is_empty());
    }

    #[test]
    fn shrinking_and_growing_files_are_errors() {
        let files = Memory(vec![bytes(1_000), bytes(3 << 20)]);
        for algorithm in HashAlgorithm::ALL {
            let shrunk = hash_segments(algorithm, &[whole(0, 1_001)], &files, &options(1)).expect_err("shrunk");
            assert!(matches!(shrunk.error, ReadError::Truncated { expected_bytes: 1_001, found_bytes: 1_000 }));
            let grown = hash_segments(algorithm, &[whole(1, (3 << 20) - 1)], &files, &options(2)).expect_err("grown");
            assert!(matches!(grown.error, ReadError::Grown { .. }), "{grown}");
            assert_eq!(grown.file, 1);
        }
    }

    #[test]
    fn a_segment_inside_a_file_does_not_look_beyond_its_end() {
        let files = Memory(vec![bytes(100)]);
        let segment = Segment { file: 0, start: 10, end: 20, reaches_end: false };
        let digests = hash_segments(HashAlgorithm::Sha256, &[segment], &files, &options(1)).expect("hashes");
        assert_eq!(digests[0], HashAlgorithm::Sha256.digest(&files.0[0][10..20]));
    }

    #[test]
    fn cancelling_stops_the_work() {
        let cancelled = AtomicBool::new(true);
        let options = Options { cancelled: Some(&cancelled), ..options(2) };
        let error = hash_segments(HashAlgorithm::Sha256, &[whole(0, 10)], &Memory(vec![bytes(10)]), &options);
        assert!(matches!(error, Err(HashError { error: ReadError::Cancelled, .. })));
    }

    #[test]
    fn progress_counts_every_byte_once() {
        let progress = AtomicU64::new(0);
        let options = Options { progress_bytes: Some(&progress), ..options(3) };
        let files = Memory(vec![bytes(5 << 20), bytes(3)]);
        let segments = [whole(0, 5 << 20), whole(1, 3)];
        hash_segments(HashAlgorithm::Blake3, &segments, &files, &options).expect("hashes");
        assert_eq!(progress.load(Ordering::Relaxed), (5 << 20) + 3);
    }

    /// Returns at most three bytes a call and an interruption now and then, as a pipe or a network file might.
    struct Dribble<'a>(&'a [u8], AtomicUsize);

    impl ReadAt for &Dribble<'_> {
        fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
            if self.1.fetch_add(1, Ordering::Relaxed).is_multiple_of(5) {
                return Err(io::ErrorKind::Interrupted.into());
            }
            let length = buffer.len().min(3);
            self.0.read_at(&mut buffer[..length], offset)
        }
    }

    impl Source for Dribble<'_> {
        fn open(&self, _: usize) -> Result<Box<dyn ReadAt + '_>, ReadError> {
            Ok(Box::new(self))
        }
    }

    #[test]
    fn short_reads_and_interruptions_do_not_change_the_digest() {
        let content = bytes(5_000);
        let digests = hash_segments(
            HashAlgorithm::Sha256,
            &[whole(0, content.len())],
            &Dribble(&content, AtomicUsize::new(0)),
            &options(1),
        );
        assert_eq!(digests.expect("hashes")[0], HashAlgorithm::Sha256.digest(&content));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn any_partition_of_a_file_equals_the_plain_library(
            length in 0usize..40_000,
            cuts in proptest::collection::vec(0usize..40_000, 0..12),
            jobs in 1usize..5,
        ) {
            let file = bytes(length);
            let mut cuts: Vec<usize> = cuts.into_iter().filter(|cut| *cut < length).chain([0, length]).collect();
            cuts.sort_unstable();
            let segments: Vec<_> = cuts
                .windows(2)
                .map(|pair| Segment { file: 0, start: pair[0] as u64, end: pair[1] as u64, reaches_end: pair[1] == length })
                .collect();
            let files = Memory(vec![file]);
            for algorithm in HashAlgorithm::ALL {
                let digests = hash_segments(algorithm, &segments, &files, &options(jobs)).expect("hashes");
                for (segment, digest) in segments.iter().zip(digests) {
                    let part = &files.0[0][segment.start as usize..segment.end as usize];
                    prop_assert_eq!(digest, algorithm.digest(part));
                }
            }
        }
    }
}
