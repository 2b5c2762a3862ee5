//! One BLAKE3 input hashed by several workers.
//!
//! BLAKE3 is a left-balanced binary tree over chunks of 1,024 bytes. A run of chunks whose number is a power of two and
//! whose offset is a multiple of that number is a subtree of its own, so workers can hash such runs apart and the
//! results merge into the digest of the whole.

use blake3::hazmat::{ChainingValue, HasherExt, Mode, merge_subtrees_non_root, merge_subtrees_root};

/// Bytes of one subtree at least: a power of two, large enough that opening the file again does not show.
pub(crate) const SUBTREE_BYTES: u64 = 2 << 20;

/// Starts the subtree at byte `offset` of its input, a multiple of its length, which is [`SUBTREE_BYTES`] or twice, four
/// times, … as much.
pub(crate) fn start(offset: u64) -> blake3::Hasher {
    debug_assert!(offset.is_multiple_of(SUBTREE_BYTES));
    let mut hasher = blake3::Hasher::new();
    hasher.set_input_offset(offset);
    hasher
}

/// Ends a subtree that is not the whole input.
pub(crate) fn finish(hasher: &blake3::Hasher) -> ChainingValue {
    hasher.finalize_non_root()
}

/// Merges the subtrees of one input, in order, into its digest.
///
/// # Panics
/// If there are fewer than two subtrees: one subtree is the whole input and has no chaining value.
pub(crate) fn merge(subtrees: &[ChainingValue]) -> [u8; 32] {
    assert!(subtrees.len() >= 2, "an input of one subtree is hashed as a stream");
    let (left, right) = subtrees.split_at(left_length(subtrees.len()));
    *merge_subtrees_root(&merge_inner(left), &merge_inner(right), Mode::Hash).as_bytes()
}

fn merge_inner(subtrees: &[ChainingValue]) -> ChainingValue {
    if let [one] = subtrees {
        return *one;
    }
    let (left, right) = subtrees.split_at(left_length(subtrees.len()));
    merge_subtrees_non_root(&merge_inner(left), &merge_inner(right), Mode::Hash)
}

/// The largest power of two below `length`: every left subtree is complete.
const fn left_length(length: usize) -> usize {
    length.next_power_of_two() / 2
}
