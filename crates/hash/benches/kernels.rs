//! Each SHA-256 kernel that this machine has, on one core, with each number of streams; and the other algorithms.
//!
//! The bytes are in memory and stay in the core's own cache. `cargo bench --package model-hash --bench kernels`

use divan::Bencher;
use divan::counter::BytesCount;
use model_hash::{HashAlgorithm, Options, ReadAt, ReadError, Segment, Sha256Kernel, Source, hash_segments};

/// Of all streams together.
const BYTES: u64 = 64 << 20;
const STREAMS: [u64; 9] = [1, 2, 3, 4, 6, 7, 8, 12, 16];

/// Every file is the same few bytes again and again: nothing is read but what a cache holds.
struct Endless(Vec<u8>);

impl Source for Endless {
    fn open(&self, _: usize) -> Result<Box<dyn ReadAt + Send + '_>, ReadError> {
        Ok(Box::new(Bytes(&self.0)))
    }
}

struct Bytes<'a>(&'a [u8]);

impl ReadAt for Bytes<'_> {
    fn read_at(&self, buffer: &mut [u8], _: u64) -> std::io::Result<usize> {
        let length = buffer.len().min(self.0.len());
        buffer[..length].copy_from_slice(&self.0[..length]);
        Ok(length)
    }

    fn finish(&self, _: Option<u64>) -> Result<(), ReadError> {
        Ok(())
    }
}

fn hash(bencher: Bencher<'_, '_>, algorithm: HashAlgorithm, kernel: Option<Sha256Kernel>, streams: u64) {
    let source = Endless((0..32u32 << 10).map(|byte| byte as u8).collect());
    let end = BYTES / streams;
    let segments: Vec<_> =
        (0..streams as usize).map(|file| Segment { file, start: 0, end, reaches_end: true }).collect();
    let options = Options { jobs: std::num::NonZeroUsize::MIN, kernel, ..Options::default() };
    bencher
        .counter(BytesCount::new(end * streams))
        .bench(|| hash_segments(algorithm, &segments, &source, &options).expect("bytes in memory"));
}

fn kernels() -> impl Iterator<Item = (Sha256Kernel, u64)> {
    Sha256Kernel::available().flat_map(|kernel| STREAMS.map(|streams| (kernel, streams)))
}

#[divan::bench(args = kernels().map(|(kernel, streams)| format!("{kernel} {streams}")))]
fn sha256(bencher: Bencher<'_, '_>, case: &str) {
    let (kernel, streams) = case.split_once(' ').expect("two words");
    let kernel = kernel.parse().expect("a kernel's name");
    hash(bencher, HashAlgorithm::Sha256, Some(kernel), streams.parse().expect("a number"));
}

#[divan::bench(args = STREAMS)]
fn sha256_best(bencher: Bencher<'_, '_>, streams: u64) {
    hash(bencher, HashAlgorithm::Sha256, None, streams);
}

#[divan::bench(args = STREAMS)]
fn blake2b(bencher: Bencher<'_, '_>, streams: u64) {
    hash(bencher, HashAlgorithm::Blake2b, None, streams);
}

#[divan::bench(args = STREAMS)]
fn blake3(bencher: Bencher<'_, '_>, streams: u64) {
    hash(bencher, HashAlgorithm::Blake3, None, streams);
}

fn main() {
    divan::main();
}
