//! Eight streams, one in each 32-bit lane of 256-bit registers, with the rotations and logic of AVX-512VL.

use std::arch::x86_64::{__m256i, _mm256_ror_epi32, _mm256_srli_epi32, _mm256_ternarylogic_epi32};

use super::rounds::{compress_block, sixteen_rounds};
use super::ymm::{self, add, eight_streams, splat};

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

#[inline]
#[target_feature(enable = "avx2,avx512f,avx512vl")]
fn big_sigma0(a: __m256i) -> __m256i {
    exclusive_or(_mm256_ror_epi32::<2>(a), _mm256_ror_epi32::<13>(a), _mm256_ror_epi32::<22>(a))
}

#[inline]
#[target_feature(enable = "avx2,avx512f,avx512vl")]
fn big_sigma1(e: __m256i) -> __m256i {
    exclusive_or(_mm256_ror_epi32::<6>(e), _mm256_ror_epi32::<11>(e), _mm256_ror_epi32::<25>(e))
}

#[inline]
#[target_feature(enable = "avx2,avx512f,avx512vl")]
fn small_sigma0(word: __m256i) -> __m256i {
    exclusive_or(_mm256_ror_epi32::<7>(word), _mm256_ror_epi32::<18>(word), _mm256_srli_epi32::<3>(word))
}

#[inline]
#[target_feature(enable = "avx2,avx512f,avx512vl")]
fn small_sigma1(word: __m256i) -> __m256i {
    exclusive_or(_mm256_ror_epi32::<17>(word), _mm256_ror_epi32::<19>(word), _mm256_srli_epi32::<10>(word))
}
