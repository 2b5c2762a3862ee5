//! Running two commands in alternation, and what they took.

use std::io::Read;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use wait4::Wait4;

use super::models::Model;
use crate::process;

/// One operation on one model, by both tools.
pub(crate) struct Comparison {
    pub(crate) model: &'static Model,
    pub(crate) operation: &'static str,
    pub(crate) ours: Samples,
    pub(crate) theirs: Samples,
}

impl Comparison {
    /// How many times faster ours is.
    pub(crate) fn ratio(&self) -> f64 {
        ratio(&self.ours, &self.theirs)
    }
}

/// The ratio of the medians: how many times faster ours is.
pub(crate) fn ratio(ours: &Samples, theirs: &Samples) -> f64 {
    theirs.median().as_secs_f64() / ours.median().as_secs_f64()
}

/// What the runs of one command took.
#[derive(Default)]
pub(crate) struct Samples {
    /// From before the process is started until it has ended.
    wall: Vec<Duration>,
    peak_bytes: u64,
}

impl Samples {
    /// The middle one, or the mean of the two in the middle.
    pub(crate) fn median(&self) -> Duration {
        let mut sorted = self.wall.clone();
        sorted.sort_unstable();
        match (sorted.len() / 2, sorted.len() % 2) {
            (0, 0) => Duration::ZERO,
            (middle, 0) => (sorted[middle - 1] + sorted[middle]) / 2,
            (middle, _) => sorted[middle],
        }
    }

    /// The fastest run.
    pub(crate) fn min(&self) -> Duration {
        self.wall.iter().min().copied().unwrap_or_default()
    }

    /// The slowest run.
    pub(crate) fn max(&self) -> Duration {
        self.wall.iter().max().copied().unwrap_or_default()
    }

    /// The largest resident set of any run; `None` where the system does not tell.
    ///
    /// Linux counts the pages of the parent until the new program starts, so this is never below what this program
    /// has used itself.
    pub(crate) fn peak_bytes(&self) -> Option<u64> {
        (self.peak_bytes > 0).then_some(self.peak_bytes)
    }

    fn run(&mut self, command: &mut Command) -> Result<()> {
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let context = process::describe(command);
        let start = Instant::now();
        let mut child = command.spawn().with_context(|| format!("cannot run `{context}`"))?;
        let mut said = String::new();
        let read = child.stderr.take().expect("stderr was set to a pipe").read_to_string(&mut said);
        let ended = child.wait4().with_context(|| format!("cannot wait for `{context}`"))?;
        let wall = start.elapsed();
        read.with_context(|| format!("cannot read what `{context}` says"))?;
        if !ended.status.success() {
            bail!("`{context}` failed ({}): {}", ended.status, said.trim());
        }
        self.wall.push(wall);
        self.peak_bytes = self.peak_bytes.max(ended.rusage.maxrss);
        Ok(())
    }
}

/// Times one operation on one model.
pub(crate) fn compare(
    model: &'static Model,
    operation: &'static str,
    commands: [Command; 2],
    runs: u32,
) -> Result<Comparison> {
    let [ours, theirs] = alternate(commands, runs)?;
    Ok(Comparison { model, operation, ours, theirs })
}

/// Runs ours and theirs by turns, so that whatever slows the machine down slows both. The first run of each fills
/// the page cache and is not counted.
pub(crate) fn alternate([mut ours, mut theirs]: [Command; 2], runs: u32) -> Result<[Samples; 2]> {
    Samples::default().run(&mut ours)?;
    Samples::default().run(&mut theirs)?;
    let mut samples = [Samples::default(), Samples::default()];
    for _ in 0..runs {
        samples[0].run(&mut ours)?;
        samples[1].run(&mut theirs)?;
    }
    Ok(samples)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn median(milliseconds: &[u64]) -> Duration {
        let wall = milliseconds.iter().copied().map(Duration::from_millis).collect();
        Samples { wall, peak_bytes: 0 }.median()
    }

    #[test]
    fn median_is_in_the_middle() {
        assert_eq!(median(&[]), Duration::ZERO);
        assert_eq!(median(&[7]), Duration::from_millis(7));
        assert_eq!(median(&[9, 1, 2]), Duration::from_millis(2));
        assert_eq!(median(&[9, 1, 2, 4]), Duration::from_millis(3));
    }
}
