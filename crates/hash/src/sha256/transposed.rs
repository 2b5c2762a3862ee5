//! States of several streams, a word of each side by side: what a kernel with a stream in each lane of a vector has.

use super::{Block, Lane, State};

/// Arrays of plain numbers of `N` bytes.
///
/// # Safety
/// Each implementing type has `N` bytes, all of them initialised.
pub(super) unsafe trait Bytes<const N: usize> {}

// SAFETY: arrays have no padding.
unsafe impl Bytes<64> for Block {}
// SAFETY: as above.
unsafe impl Bytes<64> for [u32; 16] {}
// SAFETY: as above.
unsafe impl Bytes<32> for [u8; 32] {}
// SAFETY: as above.
unsafe impl Bytes<32> for [u32; 8] {}

/// A state's eight words, each of `N` streams.
pub(super) struct Transposed<const N: usize>(pub(super) [[u32; N]; 8]);

pub(super) fn states<const N: usize>(lanes: &[Lane<'_>]) -> Transposed<N> {
    let mut transposed = Transposed([[0; N]; 8]);
    for (lane, Lane { state, .. }) in lanes.iter().enumerate() {
        for (word, value) in state.0.iter().enumerate() {
            transposed.0[word][lane] = *value;
        }
    }
    transposed
}

/// Puts back what [`states`] took, and has each lane go on `blocks` blocks later.
pub(super) fn put_states<const N: usize>(lanes: &mut [Lane<'_>], transposed: &Transposed<N>, blocks: usize) {
    for (lane, Lane { state, blocks: data }) in lanes.iter_mut().enumerate() {
        **state = State(std::array::from_fn(|word| transposed.0[word][lane]));
        *data = &data[blocks..];
    }
}
