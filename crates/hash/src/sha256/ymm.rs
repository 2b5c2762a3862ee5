//! What the kernels that have eight streams in 256-bit registers do alike.

use std::arch::x86_64::{
    __m256i, _mm_set_epi32, _mm256_add_epi32, _mm256_broadcastsi128_si256, _mm256_loadu_si256,
    _mm256_permute2x128_si256, _mm256_set1_epi32, _mm256_setzero_si256, _mm256_shuffle_epi8, _mm256_srli_epi32,
    _mm256_storeu_si256, _mm256_unpackhi_epi32, _mm256_unpackhi_epi64, _mm256_unpacklo_epi32, _mm256_unpacklo_epi64,
};

use super::transposed;

/// Streams side by side.
pub(super) const WIDTH: usize = 8;

/// Defines `compress` for these instructions, by the operations of the module that expands this.
macro_rules! eight_streams {
    ($features:literal) => {
        /// Takes the first `blocks` blocks of up to [`WIDTH`] lanes.
        #[target_feature(enable = $features)]
        pub(super) fn compress(lanes: &mut [$crate::sha256::Lane<'_>], blocks: usize) {
            let data: [&[$crate::sha256::Block]; ymm::WIDTH] = $crate::sha256::lanes::data(lanes, blocks);
            let mut states: $crate::sha256::transposed::Transposed<{ ymm::WIDTH }> =
                $crate::sha256::transposed::states(lanes);
            let mut state = [std::arch::x86_64::_mm256_setzero_si256(); 8];
            for (word, values) in state.iter_mut().zip(&states.0) {
                *word = ymm::load(values);
            }
            for block in 0..blocks {
                let mut words = [std::arch::x86_64::_mm256_setzero_si256(); 16];
                for (half, words) in words.chunks_exact_mut(8).enumerate() {
                    for (word, stream) in words.iter_mut().zip(&data) {
                        *word = ymm::big_endian(ymm::load(&stream[block].as_chunks::<32>().0[half]));
                    }
                    ymm::transpose(words);
                }
                compress_block!(state, words);
            }
            for (word, values) in state.iter().zip(&mut states.0) {
                ymm::store(*word, values);
            }
            $crate::sha256::transposed::put_states(lanes, &states, blocks);
        }
    };
}

pub(super) use eight_streams;

/// 32 bytes, wherever they are.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn load<T: transposed::Bytes<32>>(from: &T) -> __m256i {
    // SAFETY: `Bytes<32>` is implemented for arrays of numbers of 32 bytes, and the load needs no alignment.
    unsafe { _mm256_loadu_si256(std::ptr::from_ref(from).cast()) }
}

#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn store(value: __m256i, to: &mut [u32; WIDTH]) {
    // SAFETY: the array has 32 bytes, and the store needs no alignment.
    unsafe { _mm256_storeu_si256(to.as_mut_ptr().cast(), value) }
}

/// Every four bytes in reverse: words are big-endian (FIPS 180-4, 3.1).
#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn big_endian(bytes: __m256i) -> __m256i {
    let order = _mm256_broadcastsi128_si256(_mm_set_epi32(0x0c0d_0e0f, 0x0809_0a0b, 0x0405_0607, 0x0001_0203));
    _mm256_shuffle_epi8(bytes, order)
}

/// Eight rows of eight words to eight columns.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn transpose(rows: &mut [__m256i]) {
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
pub(super) fn splat(word: u32) -> __m256i {
    _mm256_set1_epi32(word.cast_signed())
}

#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn add(a: __m256i, b: __m256i) -> __m256i {
    _mm256_add_epi32(a, b)
}

#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn shift<const BITS: i32>(word: __m256i) -> __m256i {
    _mm256_srli_epi32::<BITS>(word)
}
