//! What is not in the page cache: ours beside the pace at which the disk itself is read.

use std::fs::File;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::bound;
use super::measure::Samples;

/// A model that was read from the disk.
pub(super) struct Cold {
    pub(super) model: &'static str,
    pub(super) bytes: u64,
    /// What reading all files one after the other took, and what signing took, by turns.
    pub(super) pairs: Vec<(Duration, Duration)>,
}

impl Cold {
    /// How much of the disk's pace each run of ours had, in ascending order.
    pub(super) fn shares(&self) -> Vec<f64> {
        let mut shares: Vec<f64> =
            self.pairs.iter().map(|(disk, ours)| disk.as_secs_f64() / ours.as_secs_f64()).collect();
        shares.sort_by(f64::total_cmp);
        shares
    }
}

/// Reads the files and runs the command, each from the disk, so many times by turns.
pub(super) fn measure(
    model: &'static str,
    files: &[PathBuf],
    command: impl Fn() -> Command,
    runs: u32,
) -> Result<Cold> {
    let mut bytes = 0;
    let mut pairs = Vec::new();
    for _ in 0..runs {
        evict(files)?;
        let started = Instant::now();
        bytes = bound::read_all(files)?;
        let disk = started.elapsed();
        evict(files)?;
        let mut ours = Samples::default();
        ours.run(&mut command())?;
        pairs.push((disk, ours.median()));
    }
    Ok(Cold { model, bytes, pairs })
}

/// Has the page cache forget the files.
fn evict(files: &[PathBuf]) -> Result<()> {
    for path in files {
        let evicted = File::open(path).and_then(|file| {
            file.sync_all()?;
            forget(&file)
        });
        evicted.with_context(|| format!("cannot evict {}", path.display()))?;
    }
    Ok(())
}

#[cfg(target_os = "linux")]
fn forget(file: &File) -> std::io::Result<()> {
    Ok(rustix::fs::fadvise(file, 0, None, rustix::fs::Advice::DontNeed)?)
}

#[cfg(not(target_os = "linux"))]
fn forget(_: &File) -> std::io::Result<()> {
    Err(std::io::ErrorKind::Unsupported.into())
}
