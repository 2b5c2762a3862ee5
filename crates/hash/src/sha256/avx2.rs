//! Eight streams, one in each 32-bit lane of the AVX2 registers.

use std::arch::x86_64::{
    __m256i, _mm_set_epi32, _mm256_add_epi32, _mm256_and_si256, _mm256_broadcastsi128_si256, _mm256_loadu_si256,
    _mm256_or_si256, _mm256_permute2x128_si256, _mm256_set1_epi32, _mm256_setzero_si256, _mm256_shuffle_epi8,
    _mm256_slli_epi32, _mm256_srli_epi32, _mm256_storeu_si256, _mm256_unpackhi_epi32, _mm256_unpackhi_epi64,
    _mm256_unpacklo_epi32, _mm256_unpacklo_epi64, _mm256_xor_si256,
};

use super::lanes;
use super::rounds::{compress_block, sixteen_rounds};
use super::transposed::{self, Transposed};
use super::{Block, Lane};

/// Streams side by side.
pub(super) const WIDTH: usize = 8;

/// Takes the first `blocks` blocks of up to [`WIDTH`] lanes.
#[target_feature(enable = "avx2")]
pub(super) fn compress(lanes: &mut [Lane<'_>], blocks: usize) {
    let data: [&[Block]; WIDTH] = lanes::data(lanes, blocks);
    let mut states: Transposed<WIDTH> = transposed::states(lanes);
    let mut state = [_mm256_setzero_si256(); 8];
    for (word, values) in state.iter_mut().zip(&states.0) {
        *word = load(values);
    }
    for block in 0..blocks {
        let mut words = [_mm256_setzero_si256(); 16];
        for (half, words) in words.chunks_exact_mut(8).enumerate() {
            for (word, stream) in words.iter_mut().zip(&data) {
                *word = big_endian(load(&stream[block].as_chunks::<32>().0[half]));
            }
            transpose(words);
        }
        compress_block!(state, words);
    }
    for (word, values) in state.iter().zip(&mut states.0) {
        store(*word, values);
    }
    transposed::put_states(lanes, &states, blocks);
}

/// 32 bytes, wherever they are.
#[inline]
#[target_feature(enable = "avx2")]
fn load<T: transposed::Bytes<32>>(from: &T) -> __m256i {
    // SAFETY: `Bytes<32>` is implemented for arrays of numbers of 32 bytes, and the load needs no alignment.
    unsafe { _mm256_loadu_si256(std::ptr::from_ref(from).cast()) }
}

#[inline]
#[target_feature(enable = "avx2")]
fn store(value: __m256i, to: &mut [u32; WIDTH]) {
    // SAFETY: the array has 32 bytes, and the store needs no alignment.
    unsafe { _mm256_storeu_si256(to.as_mut_ptr().cast(), value) }
}

/// Every four bytes in reverse: words are big-endian (FIPS 180-4, 3.1).
#[inline]
#[target_feature(enable = "avx2")]
fn big_endian(bytes: __m256i) -> __m256i {
    let order = _mm256_broadcastsi128_si256(_mm_set_epi32(0x0c0d_0e0f, 0x0809_0a0b, 0x0405_0607, 0x0001_0203));
    _mm256_shuffle_epi8(bytes, order)
}

/// Eight rows of eight words to eight columns.
#[inline]
#[target_feature(enable = "avx2")]
fn transpose(rows: &mut [__m256i]) {
    let mut halves = [_mm256_setzero_si256(); 8];
    for (rows, halves) in rows.chunks_exact(4).zip(halves.chunks_exact_mut(4)) {
        let (low01, high01) = (_mm256_unpacklo_epi32(rows[0], rows[1]), _mm256_unpackhi_epi32(rows[0], rows[1]));
        let (low23, high23) = (_mm256_unpacklo_epi32(rows[2], rows[3]), _mm256_unpackhi_epi32(rows[2], rows[3]));
        halves[0] = _mm256_unpacklo_epi64(low01, low23);
        halves[1] = _mm256_unpackhi_epi64(low01, low23);
        halves[2] = _mm256_unpacklo_epi64(high01, high23);
        halves[3] = _mm256_unpackhi_epi64(high01, high23);
    }
    // Each 128 bits hold four rows' word of one number: `k` in the lower, `4 + k` in the higher.
    for k in 0..4 {
        rows[k] = _mm256_permute2x128_si256::<0x20>(halves[k], halves[4 + k]);
        rows[4 + k] = _mm256_permute2x128_si256::<0x31>(halves[k], halves[4 + k]);
    }
}

#[inline]
#[target_feature(enable = "avx2")]
fn splat(word: u32) -> __m256i {
    _mm256_set1_epi32(word.cast_signed())
}

#[inline]
#[target_feature(enable = "avx2")]
fn add(a: __m256i, b: __m256i) -> __m256i {
    _mm256_add_epi32(a, b)
}

#[inline]
#[target_feature(enable = "avx2")]
fn exclusive_or(a: __m256i, b: __m256i, c: __m256i) -> __m256i {
    _mm256_xor_si256(_mm256_xor_si256(a, b), c)
}

#[inline]
#[target_feature(enable = "avx2")]
fn choose(e: __m256i, f: __m256i, g: __m256i) -> __m256i {
    _mm256_xor_si256(g, _mm256_and_si256(e, _mm256_xor_si256(f, g)))
}

#[inline]
#[target_feature(enable = "avx2")]
fn majority(a: __m256i, b: __m256i, c: __m256i) -> __m256i {
    _mm256_or_si256(_mm256_and_si256(a, b), _mm256_and_si256(c, _mm256_or_si256(a, b)))
}

/// Rotates right by `RIGHT`, which is 32 less `LEFT`.
#[inline]
#[target_feature(enable = "avx2")]
fn rotate<const RIGHT: i32, const LEFT: i32>(word: __m256i) -> __m256i {
    _mm256_or_si256(_mm256_srli_epi32::<RIGHT>(word), _mm256_slli_epi32::<LEFT>(word))
}

#[inline]
#[target_feature(enable = "avx2")]
fn big_sigma0(a: __m256i) -> __m256i {
    exclusive_or(rotate::<2, 30>(a), rotate::<13, 19>(a), rotate::<22, 10>(a))
}

#[inline]
#[target_feature(enable = "avx2")]
fn big_sigma1(e: __m256i) -> __m256i {
    exclusive_or(rotate::<6, 26>(e), rotate::<11, 21>(e), rotate::<25, 7>(e))
}

#[inline]
#[target_feature(enable = "avx2")]
fn small_sigma0(word: __m256i) -> __m256i {
    exclusive_or(rotate::<7, 25>(word), rotate::<18, 14>(word), _mm256_srli_epi32::<3>(word))
}

#[inline]
#[target_feature(enable = "avx2")]
fn small_sigma1(word: __m256i) -> __m256i {
    exclusive_or(rotate::<17, 15>(word), rotate::<19, 13>(word), _mm256_srli_epi32::<10>(word))
}
