//! Sixteen streams, one in each 32-bit lane of the AVX-512 registers.

use std::arch::x86_64::{
    __m512i, _mm512_add_epi32, _mm512_loadu_si512, _mm512_ror_epi32, _mm512_set1_epi32, _mm512_set4_epi32,
    _mm512_setzero_si512, _mm512_shuffle_epi8, _mm512_shuffle_i32x4, _mm512_srli_epi32, _mm512_storeu_si512,
    _mm512_ternarylogic_epi32, _mm512_unpackhi_epi32, _mm512_unpackhi_epi64, _mm512_unpacklo_epi32,
    _mm512_unpacklo_epi64,
};

use super::lanes;
use super::rounds::{compress_block, sigmas, sixteen_rounds};
use super::transposed::{self, Transposed};
use super::{Block, Lane};

/// Streams side by side.
pub(super) const WIDTH: usize = 16;

/// Takes the first `blocks` blocks of up to [`WIDTH`] lanes.
#[target_feature(enable = "avx512f,avx512bw")]
pub(super) fn compress(lanes: &mut [Lane<'_>], blocks: usize) {
    let data: [&[Block]; WIDTH] = lanes::data(lanes, blocks);
    let mut states: Transposed<WIDTH> = transposed::states(lanes);
    let mut state = [_mm512_setzero_si512(); 8];
    for (word, values) in state.iter_mut().zip(&states.0) {
        *word = load(values);
    }
    for block in 0..blocks {
        let mut words = [_mm512_setzero_si512(); 16];
        for (word, stream) in words.iter_mut().zip(&data) {
            *word = big_endian(load(&stream[block]));
        }
        transpose(&mut words);
        compress_block!(state, words);
    }
    for (word, values) in state.iter().zip(&mut states.0) {
        store(*word, values);
    }
    transposed::put_states(lanes, &states, blocks);
}

/// 64 bytes, wherever they are.
#[inline]
#[target_feature(enable = "avx512f")]
fn load<T: transposed::Bytes<64>>(from: &T) -> __m512i {
    // SAFETY: `Bytes<64>` is implemented for arrays of numbers of 64 bytes, and the load needs no alignment.
    unsafe { _mm512_loadu_si512(std::ptr::from_ref(from).cast()) }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn store(value: __m512i, to: &mut [u32; WIDTH]) {
    // SAFETY: the array has 64 bytes, and the store needs no alignment.
    unsafe { _mm512_storeu_si512(to.as_mut_ptr().cast(), value) }
}

/// Every four bytes in reverse: words are big-endian (FIPS 180-4, 3.1).
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn big_endian(bytes: __m512i) -> __m512i {
    _mm512_shuffle_epi8(bytes, _mm512_set4_epi32(0x0c0d_0e0f, 0x0809_0a0b, 0x0405_0607, 0x0001_0203))
}

/// Sixteen rows of sixteen words to sixteen columns.
#[inline]
#[target_feature(enable = "avx512f")]
fn transpose(rows: &mut [__m512i; 16]) {
    let mut quarters = [_mm512_setzero_si512(); 16];
    for (rows, quarters) in rows.chunks_exact(4).zip(quarters.chunks_exact_mut(4)) {
        let (low01, high01) = (_mm512_unpacklo_epi32(rows[0], rows[1]), _mm512_unpackhi_epi32(rows[0], rows[1]));
        let (low23, high23) = (_mm512_unpacklo_epi32(rows[2], rows[3]), _mm512_unpackhi_epi32(rows[2], rows[3]));
        quarters[0] = _mm512_unpacklo_epi64(low01, low23);
        quarters[1] = _mm512_unpackhi_epi64(low01, low23);
        quarters[2] = _mm512_unpacklo_epi64(high01, high23);
        quarters[3] = _mm512_unpackhi_epi64(high01, high23);
    }
    // Each 128 bits hold four rows' word of one number: `k`, `4 + k`, `8 + k` and `12 + k` from the lowest.
    for k in 0..4 {
        let first_low = _mm512_shuffle_i32x4::<0x44>(quarters[k], quarters[4 + k]);
        let first_high = _mm512_shuffle_i32x4::<0xee>(quarters[k], quarters[4 + k]);
        let last_low = _mm512_shuffle_i32x4::<0x44>(quarters[8 + k], quarters[12 + k]);
        let last_high = _mm512_shuffle_i32x4::<0xee>(quarters[8 + k], quarters[12 + k]);
        rows[k] = _mm512_shuffle_i32x4::<0x88>(first_low, last_low);
        rows[4 + k] = _mm512_shuffle_i32x4::<0xdd>(first_low, last_low);
        rows[8 + k] = _mm512_shuffle_i32x4::<0x88>(first_high, last_high);
        rows[12 + k] = _mm512_shuffle_i32x4::<0xdd>(first_high, last_high);
    }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn splat(word: u32) -> __m512i {
    _mm512_set1_epi32(word.cast_signed())
}

#[inline]
#[target_feature(enable = "avx512f")]
fn add(a: __m512i, b: __m512i) -> __m512i {
    _mm512_add_epi32(a, b)
}

#[inline]
#[target_feature(enable = "avx512f")]
fn exclusive_or(a: __m512i, b: __m512i, c: __m512i) -> __m512i {
    _mm512_ternarylogic_epi32::<0x96>(a, b, c)
}

#[inline]
#[target_feature(enable = "avx512f")]
fn choose(e: __m512i, f: __m512i, g: __m512i) -> __m512i {
    _mm512_ternarylogic_epi32::<0xca>(e, f, g)
}

#[inline]
#[target_feature(enable = "avx512f")]
fn majority(a: __m512i, b: __m512i, c: __m512i) -> __m512i {
    _mm512_ternarylogic_epi32::<0xe8>(a, b, c)
}

/// Rotates right by `RIGHT`; the instruction needs no `LEFT`.
#[inline]
#[target_feature(enable = "avx512f")]
fn rotate<const RIGHT: i32, const LEFT: i32>(word: __m512i) -> __m512i {
    _mm512_ror_epi32::<RIGHT>(word)
}

#[inline]
#[target_feature(enable = "avx512f")]
fn shift<const BITS: u32>(word: __m512i) -> __m512i {
    _mm512_srli_epi32::<BITS>(word)
}

sigmas!("avx512f", __m512i);
