//! SHA-256 of many streams at once (FIPS 180-4).
//!
//! A stream of SHA-256 is bound by how long each round takes to follow the one before it. Other streams' rounds fit in
//! between, or beside: each kernel is a way of doing that, one file for each instruction set.

#[cfg(any(target_arch = "aarch64", target_arch = "x86_64"))]
mod lanes;
#[expect(unsafe_code, reason = "AWS-LC is C")]
mod portable;
#[cfg(any(target_arch = "aarch64", target_arch = "x86_64"))]
mod rounds;

#[cfg(target_arch = "aarch64")]
#[expect(unsafe_code, reason = "vectors are loaded and stored")]
mod armv8;
#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
#[expect(unsafe_code, reason = "vectors are loaded and stored")]
mod avx512;
#[cfg(target_arch = "x86_64")]
mod avx512vl;
#[cfg(target_arch = "x86_64")]
#[expect(unsafe_code, reason = "vectors are loaded and stored")]
mod sha_ni;
#[cfg(target_arch = "x86_64")]
#[expect(unsafe_code, reason = "says of which types vectors are loaded")]
mod transposed;
#[cfg(target_arch = "x86_64")]
#[expect(unsafe_code, reason = "vectors are loaded and stored")]
mod ymm;

mod plan;
#[cfg(test)]
mod tests;

use std::cmp::Reverse;
use std::fmt;
use std::str::FromStr;

pub(crate) use plan::Plan;

/// Bytes that the compression function takes at a time.
pub(crate) const BLOCK_BYTES: usize = 64;
/// Streams that a kernel takes at once, at most.
pub(crate) const MAX_WIDTH: usize = 16;

/// What the compression function takes at a time.
pub(crate) type Block = [u8; BLOCK_BYTES];

/// The intermediate hash value (FIPS 180-4, 6.2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct State([u32; 8]);

impl State {
    /// The initial hash value (FIPS 180-4, 5.3.3).
    pub(crate) const INITIAL: Self =
        Self([0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19]);

    /// The digest, once the padding was taken too.
    pub(crate) fn digest(self) -> [u8; 32] {
        let mut digest = [0; 32];
        for (bytes, word) in digest.as_chunks_mut::<4>().0.iter_mut().zip(self.0) {
            *bytes = word.to_be_bytes();
        }
        digest
    }
}

/// A stream's state, and the blocks that it takes next.
pub(crate) struct Lane<'a> {
    pub(crate) state: &'a mut State,
    pub(crate) blocks: &'a [Block],
}

/// The last blocks of a stream of `length_bytes`, which ends in `rest`: what is left of it, a one, zeroes, and the length in
/// bits (FIPS 180-4, 5.1.1). Returns how many of the blocks count.
///
/// # Panics
/// If `rest` is a block or longer.
pub(crate) fn padding(rest: &[u8], length_bytes: u64, last: &mut [Block; 2]) -> usize {
    assert!(rest.len() < BLOCK_BYTES, "whole blocks are taken first");
    let blocks = if rest.len() < BLOCK_BYTES - 8 { 1 } else { 2 };
    let bytes = &mut last.as_flattened_mut()[..blocks * BLOCK_BYTES];
    bytes.fill(0);
    bytes[..rest.len()].copy_from_slice(rest);
    bytes[rest.len()] = 0x80;
    let end = bytes.len();
    bytes[end - 8..].copy_from_slice(&length_bytes.wrapping_mul(8).to_be_bytes());
    blocks
}

/// A way to hash several SHA-256 streams at once, named for the instructions that it needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Sha256Kernel {
    /// Sixteen streams in AVX-512 registers.
    Avx512,
    /// Eight streams in 256-bit registers with the instructions of AVX-512VL.
    Avx512Vl,
    /// Eight streams in AVX2 registers.
    Avx2,
    /// Up to six streams interleaved through the SHA extensions of x86.
    ShaNi,
    /// Up to four streams interleaved through the SHA-2 instructions of Armv8.
    Armv8Sha2,
    /// One stream after the other, by AWS-LC.
    Portable,
}

impl Sha256Kernel {
    /// Every kernel, whether or not this machine can run it.
    pub const ALL: [Self; 6] = [Self::Avx512, Self::Avx512Vl, Self::Avx2, Self::ShaNi, Self::Armv8Sha2, Self::Portable];

    /// The name by which it is asked for.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Avx512 => "avx512",
            Self::Avx512Vl => "avx512vl",
            Self::Avx2 => "avx2",
            Self::ShaNi => "sha-ni",
            Self::Armv8Sha2 => "armv8-sha2",
            Self::Portable => "portable",
        }
    }

    /// Those that this machine can run.
    pub fn available() -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().filter(|kernel| kernel.is_available())
    }

    /// Whether this machine can run it.
    #[must_use]
    pub fn is_available(self) -> bool {
        #[cfg(target_arch = "x86_64")]
        let has = match self {
            Self::Avx512 => is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512bw"),
            Self::Avx512Vl => {
                is_x86_feature_detected!("avx512f")
                    && is_x86_feature_detected!("avx512vl")
                    && is_x86_feature_detected!("avx2")
            }
            Self::Avx2 => is_x86_feature_detected!("avx2"),
            Self::ShaNi => {
                is_x86_feature_detected!("sha")
                    && is_x86_feature_detected!("sse4.1")
                    && is_x86_feature_detected!("ssse3")
            }
            Self::Armv8Sha2 => false,
            Self::Portable => true,
        };
        #[cfg(target_arch = "aarch64")]
        let has = match self {
            Self::Armv8Sha2 => {
                std::arch::is_aarch64_feature_detected!("neon") && std::arch::is_aarch64_feature_detected!("sha2")
            }
            other => other == Self::Portable,
        };
        #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
        let has = self == Self::Portable;
        has
    }

    /// Streams that it takes at once, at most.
    pub(crate) const fn width(self) -> usize {
        match self {
            Self::Avx512 => 16,
            Self::Avx512Vl | Self::Avx2 => 8,
            Self::ShaNi => 6,
            Self::Armv8Sha2 => 4,
            Self::Portable => 1,
        }
    }

    /// Takes the first `blocks` blocks of every lane.
    ///
    /// # Panics
    /// If this machine cannot run it, there are no lanes or more than its width, or one has fewer blocks.
    #[expect(unsafe_code, reason = "what is compiled for instructions that not every machine has is called")]
    fn compress(self, lanes: &mut [Lane<'_>], blocks: usize) {
        // The answers are cached: asking costs a load.
        assert!(self.is_available(), "{self} cannot be run here");
        match self {
            // SAFETY: here and below, the features that the kernel is compiled for are those that were asked for above.
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => unsafe { avx512::compress(lanes, blocks) },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: as above.
            Self::Avx512Vl => unsafe { avx512vl::compress(lanes, blocks) },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: as above.
            Self::Avx2 => unsafe { avx2::compress(lanes, blocks) },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: as above.
            Self::ShaNi => unsafe {
                match lanes.len() {
                    1 => sha_ni::compress::<1>(lanes, blocks),
                    2 => sha_ni::compress::<2>(lanes, blocks),
                    3 => sha_ni::compress::<3>(lanes, blocks),
                    4 => sha_ni::compress::<4>(lanes, blocks),
                    5 => sha_ni::compress::<5>(lanes, blocks),
                    _ => sha_ni::compress::<6>(lanes, blocks),
                }
            },
            #[cfg(target_arch = "aarch64")]
            // SAFETY: as above.
            Self::Armv8Sha2 => unsafe {
                match lanes.len() {
                    1 => armv8::compress::<1>(lanes, blocks),
                    2 => armv8::compress::<2>(lanes, blocks),
                    3 => armv8::compress::<3>(lanes, blocks),
                    _ => armv8::compress::<4>(lanes, blocks),
                }
            },
            Self::Portable => portable::compress(lanes, blocks),
            _ => unreachable!("other machines' kernels are never available"),
        }
    }
}

impl fmt::Display for Sha256Kernel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A name that is no kernel's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected the name of a SHA-256 kernel ({}), found `{found}`", names())]
pub struct UnknownKernel {
    /// The name.
    pub found: String,
}

fn names() -> String {
    Sha256Kernel::ALL.map(Sha256Kernel::name).join(", ")
}

impl FromStr for Sha256Kernel {
    type Err = UnknownKernel;

    fn from_str(name: &str) -> Result<Self, UnknownKernel> {
        Self::ALL
            .into_iter()
            .find(|kernel| kernel.name() == name)
            .ok_or_else(|| UnknownKernel { found: name.to_owned() })
    }
}

/// Takes all blocks of all lanes, with the kernels that are best for as many as are left.
pub(crate) fn compress_all(plan: &Plan, lanes: &mut [Lane<'_>]) {
    let mut lanes = lanes;
    loop {
        lanes.sort_unstable_by_key(|lane| Reverse(lane.blocks.len()));
        let live = lanes.partition_point(|lane| !lane.blocks.is_empty());
        lanes = &mut lanes[..live];
        if lanes.is_empty() {
            return;
        }
        let choice = plan.choice(live);
        let group = &mut lanes[..choice.lanes];
        let blocks = group[choice.lanes - 1].blocks.len();
        choice.kernel.compress(group, blocks);
    }
}
