use proptest::prelude::*;

use super::*;
use crate::HashAlgorithm;

fn bytes(length: usize, seed: usize) -> Vec<u8> {
    (0..length).map(|i| (i.wrapping_mul(31) ^ (i >> 8) ^ seed.wrapping_mul(97)) as u8).collect()
}

/// Hashes each of `streams`, all whole blocks at once and then the padding.
fn hash_all(plan: &Plan, streams: &[Vec<u8>]) -> Vec<[u8; 32]> {
    let mut states = vec![State::INITIAL; streams.len()];
    let mut lasts = vec![[[0; BLOCK_BYTES]; 2]; streams.len()];
    let mut lanes = Vec::new();
    for (state, stream) in states.iter_mut().zip(streams) {
        lanes.push(Lane { state, blocks: stream.as_chunks::<BLOCK_BYTES>().0 });
    }
    for group in lanes.chunks_mut(MAX_WIDTH) {
        compress_all(plan, group);
    }
    let mut lanes = Vec::new();
    for ((state, stream), last) in states.iter_mut().zip(streams).zip(&mut lasts) {
        let (_, rest) = stream.as_chunks::<BLOCK_BYTES>();
        let blocks = padding(rest, stream.len() as u64, last);
        lanes.push(Lane { state, blocks: &last[..blocks] });
    }
    compress_all(plan, &mut lanes);
    states.into_iter().map(State::digest).collect()
}

fn assert_right(plan: &Plan, what: impl std::fmt::Debug, streams: &[Vec<u8>]) {
    let digests = hash_all(plan, streams);
    for (stream, digest) in streams.iter().zip(digests) {
        let length = stream.len();
        assert_eq!(HashAlgorithm::Sha256.digest(stream).as_bytes(), digest, "{what:?}, {length} of {}", streams.len());
    }
}

fn plans() -> Vec<(Option<Sha256Kernel>, Plan)> {
    let only = Sha256Kernel::available().map(Some);
    only.chain([None]).map(|kernel| (kernel, Plan::new(kernel))).collect()
}

#[test]
fn every_kernel_equals_the_plain_library_with_every_number_of_streams() {
    for (kernel, plan) in plans() {
        for count in 1..=20 {
            let streams: Vec<_> = (0..count).map(|seed| bytes(64 * 9 + 5, seed)).collect();
            assert_right(&plan, kernel, &streams);
        }
    }
}

#[test]
fn every_kernel_equals_the_plain_library_around_blocks() {
    let lengths = [0, 1, 54, 55, 56, 57, 63, 64, 65, 118, 119, 120, 121, 127, 128, 129, 191, 192, 1_023, 1_024, 4_097];
    for (kernel, plan) in plans() {
        // Each in each lane, beside others that end sooner and later.
        for turn in 0..lengths.len() {
            let mut lengths = lengths;
            lengths.rotate_left(turn);
            for count in [1, 2, 3, 6, 8, 15, 16, 17] {
                let streams: Vec<_> =
                    lengths.iter().take(count).enumerate().map(|(seed, length)| bytes(*length, seed)).collect();
                assert_right(&plan, kernel, &streams);
            }
        }
    }
}

#[test]
fn a_stream_longer_than_its_lengths_lower_half_is_padded_with_all_of_it() {
    let mut last = [[0xff; BLOCK_BYTES]; 2];
    assert_eq!(padding(&[], 1 << 40, &mut last), 1);
    assert_eq!(last[0][56..], [0, 0, 8, 0, 0, 0, 0, 0]);
    assert_eq!(padding(&[7; 56], 56, &mut last), 2);
    assert_eq!((last[0][55], last[0][56], last[0][57], last[1][62], last[1][63]), (7, 0x80, 0, 1, 0xc0));
}

#[test]
fn names_are_read_as_they_are_written() {
    for kernel in Sha256Kernel::ALL {
        assert_eq!(kernel.to_string().parse(), Ok(kernel));
    }
    let error = "mmx".parse::<Sha256Kernel>().expect_err("unknown");
    assert!(error.to_string().contains("avx512, avx512vl, avx2, sha-ni, armv8-sha2, portable"), "{error}");
}

#[test]
fn a_plan_takes_no_more_streams_than_there_are_and_is_never_slower_with_more() {
    for (kernel, plan) in plans() {
        for streams in 1..=MAX_WIDTH {
            let choice = plan.choice(streams);
            assert!((1..=streams).contains(&choice.lanes), "{kernel:?}: {choice:?}");
            assert!(kernel.is_none_or(|kernel| kernel == choice.kernel), "{choice:?}");
            assert!(streams == 1 || choice.rate >= plan.choice(streams - 1).rate, "{kernel:?}, {streams}");
        }
        assert!((1..=MAX_WIDTH).contains(&plan.width()));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]
    #[test]
    fn uneven_streams_equal_the_plain_library(lengths in proptest::collection::vec(0usize..3_000, 1..33), seed: usize) {
        let streams: Vec<_> = lengths.iter().enumerate().map(|(i, length)| bytes(*length, seed ^ i)).collect();
        for (kernel, plan) in plans() {
            assert_right(&plan, kernel, &streams);
        }
    }
}
