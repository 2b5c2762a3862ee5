//! One to six streams interleaved through the SHA extensions of x86: while one stream's rounds wait for each other, another's run.

use std::arch::x86_64::{
    __m128i, _mm_add_epi32, _mm_alignr_epi8, _mm_blend_epi16, _mm_loadu_si128, _mm_set_epi64x, _mm_setzero_si128,
    _mm_sha256msg1_epu32, _mm_sha256msg2_epu32, _mm_sha256rnds2_epu32, _mm_shuffle_epi8, _mm_shuffle_epi32,
    _mm_storeu_si128,
};

use super::lanes;
use super::rounds::K;
use super::{Block, Lane, State};

/// Takes the first `blocks` blocks of `N` lanes.
///
/// # Panics
/// If there are not `N` lanes.
#[target_feature(enable = "sha,sse4.1,ssse3")]
pub(super) fn compress<const N: usize>(lanes: &mut [Lane<'_>], blocks: usize) {
    let data: [&[Block]; N] = lanes::data(lanes, blocks);
    let zero = _mm_setzero_si128();
    // Words a, b, e, f and c, d, g, h, as the instructions have them.
    let (mut abef, mut cdgh) = ([zero; N], [zero; N]);
    for (stream, lane) in lanes.iter().enumerate() {
        (abef[stream], cdgh[stream]) = load_state(lane.state);
    }
    let constants = round_constants();
    for block in 0..blocks {
        let (abef_before, cdgh_before) = (abef, cdgh);
        let mut words = [[zero; 4]; N];
        for (words, stream) in words.iter_mut().zip(&data) {
            for (word, bytes) in words.iter_mut().zip(stream[block].as_chunks::<16>().0) {
                *word = big_endian(load(bytes));
            }
        }
        for (sixteen, constants) in constants.iter().enumerate() {
            for stream in 0..N {
                let words = &mut words[stream];
                let (mut abef_now, mut cdgh_now) = (abef[stream], cdgh[stream]);
                if sixteen > 0 {
                    schedule(words);
                }
                for (word, constant) in words.iter().zip(constants) {
                    let sum = _mm_add_epi32(*word, *constant);
                    cdgh_now = _mm_sha256rnds2_epu32(cdgh_now, abef_now, sum);
                    abef_now = _mm_sha256rnds2_epu32(abef_now, cdgh_now, _mm_shuffle_epi32::<0x0e>(sum));
                }
                (abef[stream], cdgh[stream]) = (abef_now, cdgh_now);
            }
        }
        for stream in 0..N {
            abef[stream] = _mm_add_epi32(abef[stream], abef_before[stream]);
            cdgh[stream] = _mm_add_epi32(cdgh[stream], cdgh_before[stream]);
        }
    }
    for (stream, lane) in lanes.iter_mut().enumerate() {
        store_state(abef[stream], cdgh[stream], lane.state);
        lane.blocks = &lane.blocks[blocks..];
    }
}

/// The next sixteen words of the message schedule.
#[inline]
#[target_feature(enable = "sha,sse4.1,ssse3")]
fn schedule(words: &mut [__m128i; 4]) {
    for t in 0..4 {
        let (next, before_last, last) = (words[(t + 1) % 4], words[(t + 2) % 4], words[(t + 3) % 4]);
        let begun = _mm_sha256msg1_epu32(words[t], next);
        let sum = _mm_add_epi32(begun, _mm_alignr_epi8::<4>(last, before_last));
        words[t] = _mm_sha256msg2_epu32(sum, last);
    }
}

#[inline]
#[target_feature(enable = "sse2")]
fn round_constants() -> [[__m128i; 4]; 4] {
    let mut constants = [[_mm_setzero_si128(); 4]; 4];
    for (constant, words) in constants.as_flattened_mut().iter_mut().zip(K.as_chunks::<4>().0) {
        // SAFETY: the array has 16 bytes, and the load needs no alignment.
        *constant = unsafe { _mm_loadu_si128(words.as_ptr().cast()) };
    }
    constants
}

#[inline]
#[target_feature(enable = "sse2")]
fn load(bytes: &[u8; 16]) -> __m128i {
    // SAFETY: the array has 16 bytes, and the load needs no alignment.
    unsafe { _mm_loadu_si128(bytes.as_ptr().cast()) }
}

/// Every four bytes in reverse: words are big-endian (FIPS 180-4, 3.1).
#[inline]
#[target_feature(enable = "ssse3")]
fn big_endian(bytes: __m128i) -> __m128i {
    _mm_shuffle_epi8(bytes, _mm_set_epi64x(0x0c0d_0e0f_0809_0a0b, 0x0405_0607_0001_0203))
}

#[inline]
#[target_feature(enable = "sse4.1,ssse3")]
fn load_state(state: &State) -> (__m128i, __m128i) {
    // SAFETY: each half of the state has 16 bytes, and the loads need no alignment.
    let (abcd, efgh) = unsafe {
        let (first, second) = state.0.split_at(4);
        (_mm_loadu_si128(first.as_ptr().cast()), _mm_loadu_si128(second.as_ptr().cast()))
    };
    let badc = _mm_shuffle_epi32::<0xb1>(abcd);
    let hgfe = _mm_shuffle_epi32::<0x1b>(efgh);
    (_mm_alignr_epi8::<8>(badc, hgfe), _mm_blend_epi16::<0xf0>(hgfe, badc))
}

#[inline]
#[target_feature(enable = "sse4.1,ssse3")]
fn store_state(abef: __m128i, cdgh: __m128i, state: &mut State) {
    let feba = _mm_shuffle_epi32::<0x1b>(abef);
    let dchg = _mm_shuffle_epi32::<0xb1>(cdgh);
    let abcd = _mm_blend_epi16::<0xf0>(feba, dchg);
    let efgh = _mm_alignr_epi8::<8>(dchg, feba);
    let (first, second) = state.0.split_at_mut(4);
    // SAFETY: each half of the state has 16 bytes, and the stores need no alignment.
    unsafe {
        _mm_storeu_si128(first.as_mut_ptr().cast(), abcd);
        _mm_storeu_si128(second.as_mut_ptr().cast(), efgh);
    }
}
