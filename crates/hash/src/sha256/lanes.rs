//! What the kernels that need as many streams as they have lanes do alike.

use super::{Block, Lane};

/// The next `blocks` blocks of each lane. Where there are fewer lanes than `N`, the others do the first one's work again.
pub(super) fn data<'a, const N: usize>(lanes: &[Lane<'a>], blocks: usize) -> [&'a [Block]; N] {
    assert!((1..=N).contains(&lanes.len()), "a kernel of {N} lanes was given {}", lanes.len());
    std::array::from_fn(|lane| &lanes.get(lane).unwrap_or(&lanes[0]).blocks[..blocks])
}
