//! The accelerators of this machine.
//!
//! NVIDIA's are asked of the driver's library (NVML). What AMD's driver and the bus say is read from `/sys`, so AMD's and
//! Google's are found on Linux alone. Of others on the bus it is said that they are there.

mod amd;
mod bus;
#[cfg(any(target_os = "linux", windows))]
mod nvidia;
mod visible;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// Accelerators of one kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accelerator {
    /// Such as `NVIDIA`.
    pub vendor: String,
    /// Such as `NVIDIA H100 80GB HBM3`, or `NVIDIA H100 80GB HBM3 MIG 1g.10gb` for a part of one.
    pub model: String,
    /// How many of them the command can see. Of the parts of a GPU (MIG), how many there are: a process uses one.
    pub count: u32,
    /// The version of the driver.
    pub driver: Option<String>,
    /// The newest runtime that the driver offers, such as `CUDA 12.4`; the one that is installed, such as `ROCm 6.1.0`.
    pub runtime: Option<String>,
}

/// What there is, and what could not be asked: a sentence each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Accelerators {
    /// The accelerators, by kind.
    pub found: Vec<Accelerator>,
    /// What could not be asked, and why.
    pub gaps: Vec<String>,
}

/// Looks for accelerators that a command started here can see: what this process's environment hides
/// (`CUDA_VISIBLE_DEVICES` and the like) does not count.
#[must_use]
pub fn accelerators() -> Accelerators {
    let machine = Machine { root: PathBuf::from("/"), environment: environment() };
    let mut all = Accelerators::default();
    #[cfg(any(target_os = "linux", windows))]
    nvidia::look(&machine, &mut all);
    amd::look(&machine, &mut all);
    bus::look(&machine, &mut all);
    if cfg!(target_os = "macos") {
        all.gaps.push("Apple's GPUs are not looked for".to_owned());
    }
    all
}

/// The variables that are text.
fn environment() -> BTreeMap<String, String> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}

/// Where to look.
struct Machine {
    root: PathBuf,
    environment: BTreeMap<String, String>,
}

impl Machine {
    /// The value of a variable, which may be empty.
    fn variable(&self, name: &str) -> Option<&str> {
        self.environment.get(name).map(String::as_str)
    }

    fn has(&self, path: &str) -> bool {
        self.root.join(path).exists()
    }

    /// A short text that the kernel or a package wrote. None if it is empty.
    fn line(&self, path: impl AsRef<Path>) -> Option<String> {
        const MAX_BYTES: u64 = 64 * 1024;
        let mut bytes = Vec::new();
        File::open(self.root.join(path)).ok()?.take(MAX_BYTES).read_to_end(&mut bytes).ok()?;
        let text = String::from_utf8_lossy(&bytes).trim().to_owned();
        (!text.is_empty()).then_some(text)
    }

    /// The names in a folder of `/sys` or `/dev`, in their order; numbers by value.
    fn names(&self, path: &str) -> Vec<String> {
        const MAX_NAMES: usize = 16 * 1024;
        let entries = fs::read_dir(self.root.join(path)).into_iter().flatten().take(MAX_NAMES);
        let mut names: Vec<String> =
            entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect();
        names.sort_by_key(|name| (name.parse::<u64>().unwrap_or(u64::MAX), name.clone()));
        names
    }
}

impl Accelerators {
    /// Counts one more of its kind.
    fn count(&mut self, one: Accelerator) {
        let is_kind = |other: &&mut Accelerator| {
            (&other.vendor, &other.model, &other.driver, &other.runtime)
                == (&one.vendor, &one.model, &one.driver, &one.runtime)
        };
        match self.found.iter_mut().find(is_kind) {
            Some(kind) => kind.count = kind.count.saturating_add(one.count),
            None => self.found.push(one),
        }
    }
}

#[cfg(test)]
mod tests;
