//! What the machine itself allows: how fast a core hashes bytes that it has, and how fast it reads them.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use model_hash::{HashAlgorithm, Options, ReadAt, ReadError, Segment, Sha256Kernel, Source, hash_segments};

/// What a kernel hashes in a measurement.
const KERNEL_BYTES: u64 = 256 << 20;
/// Files that are measured together are read up to so much of; what they would say beyond it is the same.
const READ_BYTES: u64 = 2 << 30;
/// Streams that the widest kernel takes.
const MOST_STREAMS: usize = 16;
const BUFFER_BYTES: usize = 256 << 10;
const RUNS: usize = 5;

/// The least time that hashing segments of these lengths can take on all cores: their bytes by the rate of a core that
/// reads and hashes with as many streams as there are for it, or the longest of them in one stream, if that is more.
pub(super) fn least_time(files: &[PathBuf], segments: &[u64]) -> Result<Duration> {
    let cores = cores();
    let total_bytes: u64 = segments.iter().sum();
    let longest_bytes = segments.iter().max().copied().unwrap_or_default();
    let streams = streams_alive(total_bytes, longest_bytes, cores);
    let (kernel, read) = (kernel_rate(streams), read_rate(files, cores)?);
    let rate = cores as f64 / (1.0 / kernel + 1.0 / read);
    // Another core can read what one hashes.
    let alone = longest_bytes as f64 / kernel_rate(1);
    Ok(Duration::from_secs_f64(alone.max(total_bytes as f64 / rate)))
}

/// How many streams there are for each core for as long as the longest of all takes, if all end when it does.
fn streams_alive(total_bytes: u64, longest_bytes: u64, cores: usize) -> usize {
    let streams = total_bytes.div_ceil(longest_bytes.max(1) * cores as u64);
    usize::try_from(streams).map_or(MOST_STREAMS, |streams| streams.clamp(1, MOST_STREAMS))
}

pub(super) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, NonZeroUsize::get)
}

/// Bytes a second that the best kernel hashes on one core, of so many streams: nothing is read.
fn kernel_rate(streams: usize) -> f64 {
    struct Nothing;
    impl Source for Nothing {
        fn open(&self, _: usize) -> Result<Box<dyn ReadAt + Send + '_>, ReadError> {
            Ok(Box::new(Self))
        }
    }
    impl ReadAt for Nothing {
        fn read_at(&self, buffer: &mut [u8], _: u64) -> std::io::Result<usize> {
            Ok(buffer.len())
        }

        fn finish(&self, _: Option<u64>) -> Result<(), ReadError> {
            Ok(())
        }
    }
    let end = KERNEL_BYTES / streams as u64;
    let segments: Vec<_> = (0..streams).map(|file| Segment { file, start: 0, end, reaches_end: true }).collect();
    let rate = |kernel| {
        let options = Options { jobs: NonZeroUsize::MIN, kernel: Some(kernel), ..Options::default() };
        let least = fastest(|| {
            hash_segments(HashAlgorithm::Sha256, &segments, &Nothing, &options).expect("nothing is read");
        });
        (end * streams as u64) as f64 / least.as_secs_f64()
    };
    Sha256Kernel::available().map(rate).fold(0.0, f64::max)
}

/// Bytes a second that one of so many cores reads of the files, while all of them do.
fn read_rate(files: &[PathBuf], cores: usize) -> Result<f64> {
    let files = with_lengths(files)?;
    let total_bytes: u64 = files.iter().map(|(_, length)| *length).sum();
    let read_bytes = total_bytes.min(READ_BYTES);
    // Each reads its part of all files, as if they were one.
    let share = read_bytes.div_ceil(cores as u64);
    let mut failed = None;
    let least = fastest(|| {
        let read = std::thread::scope(|scope| {
            let readers: Vec<_> = (0..cores as u64)
                .map(|core| {
                    let files = &files;
                    scope.spawn(move || read_part(files, core * share, ((core + 1) * share).min(read_bytes)))
                })
                .collect();
            readers.into_iter().try_for_each(|reader| reader.join().expect("reading does not panic").map(drop))
        });
        failed = failed.take().or(read.err());
    });
    match failed {
        Some(error) => Err(error).context("cannot read the model"),
        None => Ok(read_bytes as f64 / least.as_secs_f64() / cores as f64),
    }
}

fn with_lengths(files: &[PathBuf]) -> Result<Vec<(&Path, u64)>> {
    let with_length = |path: &'_ PathBuf| -> Result<u64> {
        Ok(path.metadata().with_context(|| format!("cannot look at {}", path.display()))?.len())
    };
    files.iter().map(|path| Ok((path.as_path(), with_length(path)?))).collect()
}

/// Reads what lies between these offsets of all files, one after the other. Returns how many bytes that were.
fn read_part(files: &[(&Path, u64)], start: u64, end: u64) -> std::io::Result<u64> {
    let mut buffer = vec![0; BUFFER_BYTES];
    let (mut offset, mut read_bytes) = (0, 0);
    for (path, length) in files {
        let (from, to) = (start.max(offset), end.min(offset + length));
        if from < to {
            let mut file = File::open(path)?;
            file.seek(SeekFrom::Start(from - offset))?;
            let mut part = file.take(to - from);
            loop {
                match part.read(&mut buffer)? {
                    0 => break,
                    read => read_bytes += read as u64,
                }
            }
        }
        offset += length;
    }
    Ok(read_bytes)
}

/// Reads all files one after the other. Returns how many bytes that were.
pub(super) fn read_all(files: &[PathBuf]) -> Result<u64> {
    let files = with_lengths(files)?;
    let total_bytes = files.iter().map(|(_, length)| *length).sum();
    read_part(&files, 0, total_bytes).context("cannot read the model")
}

/// The fastest of a few runs: what the machine can do.
fn fastest(mut work: impl FnMut()) -> Duration {
    let run = |_| {
        let started = Instant::now();
        work();
        started.elapsed()
    };
    (0..RUNS).map(run).min().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_streams_are_alive_as_the_longest_allows() {
        assert_eq!(streams_alive(14_400, 9_900, 2), 1);
        assert_eq!(streams_alive(7 * 400, 400, 2), 4);
        assert_eq!(streams_alive(215, 20, 2), 6);
        assert_eq!(streams_alive(1_000_000, 4, 2), MOST_STREAMS);
        assert_eq!(streams_alive(0, 0, 2), 1);
    }

    #[test]
    fn a_part_is_read_whatever_files_it_lies_in() {
        let folder = tempfile::tempdir().expect("a folder");
        let paths = [3usize, 0, 700_000].map(|length| {
            let path = folder.path().join(length.to_string());
            std::fs::write(&path, vec![1; length]).expect("written");
            path
        });
        let files: Vec<_> = paths.iter().zip([3, 0, 700_000]).map(|(path, length)| (path.as_path(), length)).collect();
        for (start, end) in [(0, 3), (2, 5), (3, 300_000), (1, 700_003)] {
            assert_eq!(read_part(&files, start, end).expect("read"), end - start);
        }
        assert!(read_rate(&paths, 2).expect("read") > 0.0);
        assert!(read_rate(&[folder.path().join("none")], 2).is_err());
    }
}
