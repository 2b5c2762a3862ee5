//! One stream after the other, by AWS-LC: its own instructions for whatever machine this is.

use super::Lane;

/// Takes the first `blocks` blocks of every lane.
pub(super) fn compress(lanes: &mut [Lane<'_>], blocks: usize) {
    for lane in lanes {
        let (now, later) = lane.blocks.split_at(blocks);
        // SAFETY: the state has eight words, and the data has `blocks` blocks of 64 bytes.
        unsafe { aws_lc_sys::SHA256_TransformBlocks(lane.state.0.as_mut_ptr(), now.as_ptr().cast(), blocks) };
        lane.blocks = later;
    }
}
