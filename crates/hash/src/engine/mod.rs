//! Many segments, spread over the cores and over the lanes of each.

mod buffer;
mod pool;
mod relay;
mod streams;
mod tree;
mod worker;

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use self::pool::Pool;
use self::streams::{Blake2b, Sha256, Streams};
use self::worker::Worker;
use crate::sha256::Plan;
use crate::source::read_some;
use crate::{Digest, HashAlgorithm, HashError, ReadAt, ReadError, Segment, Sha256Kernel, Source};

/// Segments up to this length are read whole, several into one buffer.
const LARGE_BYTES: u64 = 64 << 10;
/// What a worker reads at a time of all its streams together: fits in a core's own cache beside the hash states.
const TURN_BYTES: usize = 512 << 10;
/// Of each of many streams.
const LEAST_BYTES: usize = 32 << 10;
/// Of a stream that a worker hashes alone.
const ALONE_BYTES: usize = 256 << 10;
/// Below this many bytes in all, starting threads costs more than they save.
const SPAWN_THRESHOLD_BYTES: u64 = 1 << 20;
/// What opening and closing a file costs, in bytes that could be hashed in that time.
const OPEN_COST_BYTES: u64 = 16 << 10;
/// Files that are open at once at most: half of what a process usually may have.
const OPEN_LIMIT: usize = 512;

/// How to hash: on how many cores, and who watches.
#[derive(Clone, Copy, Debug)]
pub struct Options<'a> {
    /// Workers at most, each with up to 16 open files and buffers of up to 1 MiB, and 2 MiB more where others read for it.
    pub jobs: NonZeroUsize,
    /// The SHA-256 kernel to use; without one, the best for as many streams as there are.
    pub kernel: Option<Sha256Kernel>,
    /// Counts the bytes hashed so far, for whoever draws a progress bar.
    pub progress_bytes: Option<&'a AtomicU64>,
    /// Setting this to `true` ends the work at the next buffer with [`ReadError::Cancelled`].
    pub cancelled: Option<&'a AtomicBool>,
}

impl Default for Options<'_> {
    /// As many workers as the process may use cores (CPU affinity and cgroup limits counted).
    fn default() -> Self {
        let jobs = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
        Self { jobs, kernel: None, progress_bytes: None, cancelled: None }
    }
}

impl Options<'_> {
    fn check_cancelled(&self) -> Result<(), ReadError> {
        let cancelled = self.cancelled.is_some_and(|cancelled| cancelled.load(Ordering::Relaxed));
        if cancelled { Err(ReadError::Cancelled) } else { Ok(()) }
    }

    fn count(&self, bytes: u64) {
        if let Some(progress) = self.progress_bytes {
            progress.fetch_add(bytes, Ordering::Relaxed);
        }
    }
}

/// A segment that could not be hashed.
struct Failure {
    segment: usize,
    error: ReadError,
}

impl Failure {
    /// Whether this is what is told, of both: the first segment's, and rather why something can't be read than that nobody
    /// wants it read any more.
    fn is_told_before(&self, other: &Self) -> bool {
        let key = |failure: &Self| (matches!(failure.error, ReadError::Cancelled), failure.segment);
        key(self) < key(other)
    }
}

/// Hashes every segment, returning the digests in the order of `segments`.
///
/// Memory is bounded by the buffers of the workers and the digests, whatever the segments' size. SHA-256 and BLAKE2b take
/// several segments at once on each core; a BLAKE3 segment is itself spread over the workers.
///
/// # Errors
/// The error of the lowest-numbered segment that is known to have failed, [`ReadError::Cancelled`] only if nothing else has.
/// The others are then not hashed.
///
/// # Panics
/// If [`Options::kernel`] is one that this machine cannot run: see [`Sha256Kernel::is_available`].
pub fn hash_segments(
    algorithm: HashAlgorithm,
    segments: &[Segment],
    source: &dyn Source,
    options: &Options<'_>,
) -> Result<Vec<Digest>, HashError> {
    let digests = match algorithm {
        HashAlgorithm::Sha256 => in_lanes(&Sha256(Plan::new(options.kernel)), segments, source, options),
        HashAlgorithm::Blake2b => in_lanes(&Blake2b, segments, source, options),
        HashAlgorithm::Blake3 => tree::hash(segments, source, options),
    };
    digests.map_err(|failure| HashError { file: segments[failure.segment].file, error: failure.error })
}

fn in_lanes<A: Streams>(
    algorithm: &A,
    segments: &[Segment],
    source: &dyn Source,
    options: &Options<'_>,
) -> Result<Vec<Digest>, Failure> {
    let jobs = jobs(segments.iter().map(Segment::length_bytes), options);
    let pool = Pool::new(algorithm, segments, jobs, open_limit());
    let outcomes = on_workers(pool.workers(), || Worker::new(algorithm, segments, source, options, &pool).work());
    if let Some(failure) = pool.into_failure() {
        return Err(failure);
    }
    let mut digests: Vec<Option<Digest>> = vec![None; segments.len()];
    for (segment, digest) in outcomes.into_iter().flatten() {
        digests[segment] = Some(digest);
    }
    Ok(digests.into_iter().map(|digest| digest.expect("no worker failed, so every segment has its digest")).collect())
}

/// How many workers may be worth starting.
fn jobs(lengths: impl Iterator<Item = u64>, options: &Options<'_>) -> usize {
    let cost = lengths.map(|length| length.saturating_add(OPEN_COST_BYTES)).fold(0, u64::saturating_add);
    if cost < SPAWN_THRESHOLD_BYTES { 1 } else { options.jobs.get() }
}

/// How many files this may have open: half of what the process may.
fn open_limit() -> usize {
    #[cfg(unix)]
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    #[cfg(not(unix))]
    let limit: Option<u64> = None;
    let half = limit.map_or(OPEN_LIMIT, |limit| usize::try_from(limit / 2).unwrap_or(OPEN_LIMIT));
    half.clamp(1, OPEN_LIMIT)
}

/// Runs `work` on so many threads, of which this is one. Where there can't be so many, there are fewer.
///
/// # Panics
/// If one of them does, once all have ended.
pub fn on_workers<T: Send>(workers: usize, work: impl Fn() -> T + Sync) -> Vec<T> {
    std::thread::scope(|scope| {
        let start = |_| std::thread::Builder::new().spawn_scoped(scope, &work).ok();
        let others: Vec<_> = (1..workers).map_while(start).collect();
        let mut outcomes = vec![work()];
        for other in others {
            outcomes.push(other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        }
        outcomes
    })
}

/// Bytes that are read at a time of each of so many streams.
fn buffer_bytes(streams: usize) -> usize {
    if streams <= 1 { ALONE_BYTES } else { (TURN_BYTES / streams).clamp(LEAST_BYTES, ALONE_BYTES) / 4096 * 4096 }
}

/// Fills `buffer` from byte `offset` of a file of which `end` is expected to be reached.
fn read_exactly(reader: &dyn ReadAt, buffer: &mut [u8], offset: u64, end: u64) -> Result<(), ReadError> {
    let mut filled = 0;
    while filled < buffer.len() {
        let found_bytes = offset + filled as u64;
        match read_some(reader, &mut buffer[filled..], found_bytes)? {
            0 => return Err(ReadError::Truncated { expected_bytes: end, found_bytes }),
            length => filled += length,
        }
    }
    Ok(())
}

/// Reads a whole segment, which `buffer` has one byte more than. That byte is there only if the file has grown; a read that
/// ends before it has seen the end.
fn read_to_end(reader: &dyn ReadAt, buffer: &mut [u8], offset: u64) -> Result<(), ReadError> {
    let expected = buffer.len() - 1;
    let expected_bytes = offset + expected as u64;
    let mut filled = 0;
    loop {
        let found_bytes = offset + filled as u64;
        let length = read_some(reader, &mut buffer[filled..], found_bytes)?;
        filled += length;
        if filled > expected {
            return Err(ReadError::Grown { expected_bytes });
        }
        // One byte more was asked for than there should be: this read has seen the end.
        if filled == expected {
            return Ok(());
        }
        if length == 0 {
            return Err(ReadError::Truncated { expected_bytes, found_bytes });
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::atomic::AtomicUsize;

    use super::*;
    use proptest::prelude::*;

    struct Memory(Vec<Vec<u8>>);

    impl Source for Memory {
        fn open(&self, file: usize) -> Result<Box<dyn ReadAt + Send + '_>, ReadError> {
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
        Options { jobs: NonZeroUsize::new(jobs).expect("not zero"), ..Options::default() }
    }

    /// Around a block, a chunk, a buffer, the thread threshold, one and several BLAKE3 subtrees.
    fn boundary_lengths() -> Vec<usize> {
        let mut lengths = vec![0];
        for boundary in [1, 64, 128, 1_024, 32 << 10, 64 << 10, ALONE_BYTES, 1 << 20, 2 << 20, 4 << 20, 6 << 20] {
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
    fn a_byte_beyond_a_small_file_is_seen_and_no_byte_of_another_segment_is() {
        let files = Memory(vec![bytes(1_000)]);
        for algorithm in HashAlgorithm::ALL {
            for length in [0, 1, 64, 999] {
                let grown = hash_segments(algorithm, &[whole(0, length)], &files, &options(1)).expect_err("grown");
                let expected = length as u64;
                assert!(
                    matches!(grown.error, ReadError::Grown { expected_bytes } if expected_bytes == expected),
                    "{grown}"
                );
                let part = Segment { reaches_end: false, ..whole(0, length) };
                let digests = hash_segments(algorithm, &[part], &files, &options(1)).expect("hashes");
                assert_eq!(digests[0], algorithm.digest(&files.0[0][..length]));
            }
        }
    }

    #[test]
    fn any_number_of_jobs_is_taken() {
        let files = Memory(vec![bytes(3 << 20)]);
        let options = Options { jobs: NonZeroUsize::MAX, ..Options::default() };
        for algorithm in HashAlgorithm::ALL {
            let digests = hash_segments(algorithm, &[whole(0, 3 << 20)], &files, &options).expect("hashes");
            assert_eq!(digests[0], algorithm.digest(&files.0[0]));
        }
    }

    #[test]
    fn what_cannot_be_read_is_told_rather_than_that_it_was_cancelled() {
        let failure = |segment, error| Failure { segment, error };
        let broken = || ReadError::Io(io::ErrorKind::InvalidData.into());
        assert!(failure(5, broken()).is_told_before(&failure(0, ReadError::Cancelled)));
        assert!(failure(1, broken()).is_told_before(&failure(2, broken())));
        assert!(!failure(2, ReadError::Cancelled).is_told_before(&failure(2, ReadError::Cancelled)));
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
        fn open(&self, _: usize) -> Result<Box<dyn ReadAt + Send + '_>, ReadError> {
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

    /// A file of zeroes that can't be read at some byte.
    struct Broken {
        length: u64,
        at: u64,
    }

    impl ReadAt for &Broken {
        fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
            let length = buffer.len().min(usize::try_from(self.length - offset).expect("short"));
            if (offset..offset + length as u64).contains(&self.at) {
                return Err(io::ErrorKind::InvalidData.into());
            }
            buffer[..length].fill(0);
            Ok(length)
        }
    }

    impl Source for Broken {
        fn open(&self, _: usize) -> Result<Box<dyn ReadAt + Send + '_>, ReadError> {
            Ok(Box::new(self))
        }
    }

    #[test]
    fn a_long_stream_that_others_read_is_hashed_and_its_errors_are_told() {
        let length = 40u64 << 20;
        let segment = Segment { file: 0, start: 0, end: length, reaches_end: false };
        for jobs in [2, 5] {
            let whole = Broken { length, at: length };
            let digest = hash_segments(HashAlgorithm::Sha256, &[segment], &whole, &options(jobs)).expect("hashes");
            assert_eq!(digest[0], HashAlgorithm::Sha256.digest(&vec![0; 40 << 20]));
            let broken = Broken { length, at: length - 1 };
            let error = hash_segments(HashAlgorithm::Sha256, &[segment], &broken, &options(jobs)).expect_err("broken");
            assert!(matches!(error.error, ReadError::Io(_)), "{error}");
        }
    }

    /// Files that are long runs of their number, one of which can't be read at some place.
    struct Runs {
        broken: Option<(usize, u64)>,
    }

    struct Run<'a>(usize, &'a Runs);

    impl ReadAt for Run<'_> {
        fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
            let range = offset..offset + buffer.len() as u64;
            if self.1.broken.is_some_and(|(file, at)| file == self.0 && range.contains(&at)) {
                return Err(io::ErrorKind::InvalidData.into());
            }
            buffer.fill(self.0 as u8);
            Ok(buffer.len())
        }
    }

    impl Source for Runs {
        fn open(&self, file: usize) -> Result<Box<dyn ReadAt + Send + '_>, ReadError> {
            Ok(Box::new(Run(file, self)))
        }
    }

    #[test]
    fn a_long_stream_is_read_by_workers_that_have_streams_of_their_own() {
        let lengths = || [40 << 20].into_iter().chain((1..=12).map(|i| i * 300_000)).chain([5_000; 200]);
        let segment =
            |(file, length): (usize, usize)| Segment { file, start: 0, end: length as u64, reaches_end: false };
        let segments: Vec<_> = lengths().enumerate().map(segment).collect();
        for algorithm in [HashAlgorithm::Sha256, HashAlgorithm::Blake2b] {
            let expected: Vec<_> =
                lengths().enumerate().map(|(file, length)| algorithm.digest(&vec![file as u8; length])).collect();
            for jobs in [2, 3, 8] {
                let digests = hash_segments(algorithm, &segments, &Runs { broken: None }, &options(jobs));
                assert_eq!(digests.expect("hashes"), expected, "{algorithm}, {jobs} jobs");
                // In the long one, at its end, in one beside it, and in a small one.
                for broken in [(0, 30 << 20), (0, (40 << 20) - 1), (3, 500_000), (100, 10)] {
                    let runs = Runs { broken: Some(broken) };
                    let error = hash_segments(algorithm, &segments, &runs, &options(jobs)).expect_err("broken");
                    assert!(matches!(error.error, ReadError::Io(_)), "{error}");
                    assert_eq!(error.file, broken.0, "{algorithm}, {jobs} jobs");
                }
            }
        }
    }

    #[test]
    fn cancelling_ends_what_others_read_too() {
        struct Cancelling<'a>(&'a AtomicBool);
        impl ReadAt for &Cancelling<'_> {
            fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
                self.0.fetch_or(offset > 20 << 20, Ordering::Relaxed);
                Ok(buffer.len())
            }
        }
        impl Source for Cancelling<'_> {
            fn open(&self, _: usize) -> Result<Box<dyn ReadAt + Send + '_>, ReadError> {
                Ok(Box::new(self))
            }
        }
        let cancelled = AtomicBool::new(false);
        let segment = Segment { file: 0, start: 0, end: 1 << 60, reaches_end: false };
        let options = Options { cancelled: Some(&cancelled), ..options(3) };
        let error = hash_segments(HashAlgorithm::Sha256, &[segment], &Cancelling(&cancelled), &options);
        assert!(matches!(error, Err(HashError { error: ReadError::Cancelled, .. })));
    }

    /// More than can be open at once, and more than the lanes of all workers; short ones between.
    #[test]
    fn more_streams_than_are_open_at_once_are_all_hashed() {
        let lengths = (0..OPEN_LIMIT + 100).map(|i| if i % 7 == 0 { i } else { (66 << 10) + i * 13 });
        let files = Memory(lengths.map(bytes).collect());
        let segments: Vec<_> = files.0.iter().enumerate().map(|(i, file)| whole(i, file.len())).collect();
        for algorithm in [HashAlgorithm::Sha256, HashAlgorithm::Blake2b] {
            let digests = hash_segments(algorithm, &segments, &files, &options(3)).expect("hashes");
            for (file, digest) in files.0.iter().zip(digests) {
                assert_eq!(digest, algorithm.digest(file), "{algorithm}, {} bytes", file.len());
            }
        }
    }

    #[test]
    fn every_kernel_of_this_machine_hashes_alike() {
        let files = Memory([0, 5, 70_000, 300_000, 1 << 20, 100, 900_000, 65_536, 65_537].map(bytes).to_vec());
        let segments: Vec<_> = files.0.iter().enumerate().map(|(i, file)| whole(i, file.len())).collect();
        for kernel in Sha256Kernel::available() {
            let options = Options { kernel: Some(kernel), ..options(2) };
            let digests = hash_segments(HashAlgorithm::Sha256, &segments, &files, &options).expect("hashes");
            for (file, digest) in files.0.iter().zip(digests) {
                assert_eq!(digest, HashAlgorithm::Sha256.digest(file), "{kernel}, {} bytes", file.len());
            }
        }
    }

    #[test]
    fn a_worker_that_panics_ends_the_others() {
        struct Panicking;
        impl Source for Panicking {
            fn open(&self, file: usize) -> Result<Box<dyn ReadAt + Send + '_>, ReadError> {
                assert_ne!(file, 3, "the fourth is not there");
                Ok(Box::new(&Broken { length: 1 << 40, at: 1 << 40 }))
            }
        }
        let segments: Vec<_> =
            (0..8).map(|file| Segment { file, start: 0, end: 1 << 40, reaches_end: false }).collect();
        let options = options(4);
        let work = || hash_segments(HashAlgorithm::Sha256, &segments, &Panicking, &options);
        assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)).is_err());
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
