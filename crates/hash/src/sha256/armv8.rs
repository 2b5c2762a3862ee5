//! One to four streams interleaved through the SHA-2 instructions of Armv8.

use std::arch::aarch64::{
    uint32x4_t, vaddq_u32, vdupq_n_u32, vld1q_u8, vld1q_u32, vreinterpretq_u32_u8, vrev32q_u8, vsha256h2q_u32,
    vsha256hq_u32, vsha256su0q_u32, vsha256su1q_u32, vst1q_u32,
};

use super::lanes;
use super::rounds::K;
use super::{Block, Lane};

/// Takes the first `blocks` blocks of `N` lanes.
///
/// # Panics
/// If there are not `N` lanes.
#[target_feature(enable = "neon,sha2")]
pub(super) fn compress<const N: usize>(lanes: &mut [Lane<'_>], blocks: usize) {
    let data: [&[Block]; N] = lanes::data(lanes, blocks);
    let zero = vdupq_n_u32(0);
    let (mut abcd, mut efgh) = ([zero; N], [zero; N]);
    for (stream, lane) in lanes.iter().enumerate() {
        let halves = lane.state.0.as_chunks::<4>().0;
        (abcd[stream], efgh[stream]) = (load_words(&halves[0]), load_words(&halves[1]));
    }
    for block in 0..blocks {
        let (abcd_before, efgh_before) = (abcd, efgh);
        let mut words = [[zero; 4]; N];
        for (words, stream) in words.iter_mut().zip(&data) {
            for (word, bytes) in words.iter_mut().zip(stream[block].as_chunks::<16>().0) {
                *word = load_big_endian(bytes);
            }
        }
        for (sixteen, constants) in K.as_chunks::<16>().0.iter().enumerate() {
            for stream in 0..N {
                let words = &mut words[stream];
                if sixteen > 0 {
                    schedule(words);
                }
                for (word, constants) in words.iter().zip(constants.as_chunks::<4>().0) {
                    let sum = vaddq_u32(*word, load_words(constants));
                    let before = abcd[stream];
                    abcd[stream] = vsha256hq_u32(before, efgh[stream], sum);
                    efgh[stream] = vsha256h2q_u32(efgh[stream], before, sum);
                }
            }
        }
        for stream in 0..N {
            abcd[stream] = vaddq_u32(abcd[stream], abcd_before[stream]);
            efgh[stream] = vaddq_u32(efgh[stream], efgh_before[stream]);
        }
    }
    for (stream, lane) in lanes.iter_mut().enumerate() {
        let halves = lane.state.0.as_chunks_mut::<4>().0;
        store_words(abcd[stream], &mut halves[0]);
        store_words(efgh[stream], &mut halves[1]);
        lane.blocks = &lane.blocks[blocks..];
    }
}

/// The next sixteen words of the message schedule.
#[inline]
#[target_feature(enable = "neon,sha2")]
fn schedule(words: &mut [uint32x4_t; 4]) {
    for t in 0..4 {
        let begun = vsha256su0q_u32(words[t], words[(t + 1) % 4]);
        words[t] = vsha256su1q_u32(begun, words[(t + 2) % 4], words[(t + 3) % 4]);
    }
}

#[inline]
#[target_feature(enable = "neon")]
fn load_words(words: &[u32; 4]) -> uint32x4_t {
    // SAFETY: the array has the four words that are loaded.
    unsafe { vld1q_u32(words.as_ptr()) }
}

#[inline]
#[target_feature(enable = "neon")]
fn store_words(value: uint32x4_t, words: &mut [u32; 4]) {
    // SAFETY: the array has the four words that are stored.
    unsafe { vst1q_u32(words.as_mut_ptr(), value) }
}

/// Words are big-endian (FIPS 180-4, 3.1).
#[inline]
#[target_feature(enable = "neon")]
fn load_big_endian(bytes: &[u8; 16]) -> uint32x4_t {
    // SAFETY: the array has the sixteen bytes that are loaded.
    vreinterpretq_u32_u8(vrev32q_u8(unsafe { vld1q_u8(bytes.as_ptr()) }))
}
