//! Eight streams, one in each 32-bit lane of 256-bit registers, with the rotations and logic of AVX-512VL.

use std::arch::x86_64::{__m256i, _mm256_ror_epi32, _mm256_ternarylogic_epi32};

use super::rounds::{compress_block, sigmas, sixteen_rounds};
use super::ymm::{self, add, eight_streams, shift, splat};

eight_streams!("avx2,avx512f,avx512vl");

#[inline]
#[target_feature(enable = "avx2,avx512f,avx512vl")]
fn exclusive_or(a: __m256i, b: __m256i, c: __m256i) -> __m256i {
    _mm256_ternarylogic_epi32::<0x96>(a, b, c)
}

#[inline]
#[target_feature(enable = "avx2,avx512f,avx512vl")]
fn choose(e: __m256i, f: __m256i, g: __m256i) -> __m256i {
    _mm256_ternarylogic_epi32::<0xca>(e, f, g)
}

#[inline]
#[target_feature(enable = "avx2,avx512f,avx512vl")]
fn majority(a: __m256i, b: __m256i, c: __m256i) -> __m256i {
    _mm256_ternarylogic_epi32::<0xe8>(a, b, c)
}

/// Rotates right by `RIGHT`; the instruction needs no `LEFT`.
#[inline]
#[target_feature(enable = "avx2,avx512f,avx512vl")]
fn rotate<const RIGHT: i32, const LEFT: i32>(word: __m256i) -> __m256i {
    _mm256_ror_epi32::<RIGHT>(word)
}

sigmas!("avx2,avx512f,avx512vl", __m256i);
