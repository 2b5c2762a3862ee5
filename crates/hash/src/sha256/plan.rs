//! Which kernel for how many streams.

use super::{MAX_WIDTH, Sha256Kernel};

/// What to do with some number of streams.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Choice {
    pub(crate) kernel: Sha256Kernel,
    /// How many of the streams to take at once.
    pub(crate) lanes: usize,
    /// How fast that is in all, where one stream alone is 1.
    pub(crate) rate: f64,
}

/// The best choice for each number of streams, from one to [`MAX_WIDTH`].
#[derive(Clone, Debug)]
pub(crate) struct Plan([Choice; MAX_WIDTH]);

impl Plan {
    /// For this machine, or for one kernel of it.
    pub(crate) fn new(only: Option<Sha256Kernel>) -> Self {
        let kernels: Vec<_> = match only {
            Some(kernel) => vec![kernel],
            None => Sha256Kernel::available().collect(),
        };
        // Asked once: in a virtual machine the host answers, which takes longer than all the rest.
        let is_amd = is_amd();
        Self(std::array::from_fn(|index| best(&kernels, index + 1, is_amd)))
    }

    pub(crate) fn choice(&self, streams: usize) -> Choice {
        self.0[streams.clamp(1, MAX_WIDTH) - 1]
    }

    /// The fewest streams that are as fast as any number of them.
    pub(crate) fn width(&self) -> usize {
        let best = self.0.iter().map(|choice| choice.rate).fold(0.0, f64::max);
        1 + self.0.iter().position(|choice| choice.rate >= best).unwrap_or(0)
    }
}

fn best(kernels: &[Sha256Kernel], streams: usize, is_amd: bool) -> Choice {
    let mut best = Choice { kernel: Sha256Kernel::Portable, lanes: 1, rate: 0.0 };
    for kernel in kernels {
        for lanes in 1..=streams.min(kernel.width()) {
            let rate = rate(*kernel, lanes, is_amd);
            if rate > best.rate {
                best = Choice { kernel: *kernel, lanes, rate };
            }
        }
    }
    best
}

/// How fast a kernel is with some number of streams, where one alone through SHA-NI is 1, as `cargo bench` measures it.
fn rate(kernel: Sha256Kernel, lanes: usize, is_amd: bool) -> f64 {
    // Lanes without a stream cost as much as others.
    let share = lanes as f64 / kernel.width() as f64;
    match kernel {
        Sha256Kernel::Avx512 => 2.05 * share,
        Sha256Kernel::Avx512Vl => 1.78 * share,
        Sha256Kernel::Avx2 => 0.95 * share,
        // AMD's processors begin a round while another is under way; Intel's gain less by that.
        Sha256Kernel::ShaNi if is_amd => [1.0, 1.72, 1.79, 1.79, 1.79, 1.8][lanes.clamp(1, 6) - 1],
        Sha256Kernel::ShaNi => [1.0, 1.15, 1.22, 1.24, 1.24, 1.25][lanes.clamp(1, 6) - 1],
        Sha256Kernel::Armv8Sha2 => [1.0, 1.8, 2.0, 2.05][lanes.clamp(1, 4) - 1],
        // Chosen where there are none of the instructions above, or too few streams for those that there are.
        Sha256Kernel::Portable => 0.25,
    }
}

#[cfg(target_arch = "x86_64")]
fn is_amd() -> bool {
    let leaf = std::arch::x86_64::__cpuid(0);
    [leaf.ebx, leaf.edx, leaf.ecx].map(u32::to_le_bytes).as_flattened() == b"AuthenticAMD"
}

#[cfg(not(target_arch = "x86_64"))]
const fn is_amd() -> bool {
    false
}
