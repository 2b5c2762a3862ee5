//! Running two commands in alternation, and what they took.

use std::io::Read;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use wait4::Wait4;

use super::models::{Case, Model};
use crate::process;

/// One operation on one model, by the tools.
pub(crate) struct Comparison {
    pub(crate) model: &'static Model,
    pub(crate) case: &'static Case,
    pub(crate) operation: &'static str,
    pub(crate) ours: Samples,
    pub(crate) theirs: Samples,
    /// Ours with one thread.
    pub(crate) one_core: Option<Samples>,
    /// The tool in Go.
    pub(crate) go: Option<Samples>,
    /// What hashing the model takes at least, on this machine in this run.
    /// Where nothing is hashed there is no such time.
    pub(crate) least: Option<Duration>,
    pub(crate) signature_bytes: u64,
}

impl Comparison {
    /// How many times faster ours is.
    pub(crate) fn ratio(&self) -> f64 {
        ratio(&self.ours, &self.theirs)
    }

    /// How near ours is to what the machine allows.
    pub(crate) fn of_bound(&self) -> Option<f64> {
        self.least.map(|least| least.as_secs_f64() / self.ours.median().as_secs_f64())
    }
}

/// The ratio of the medians: how many times faster ours is.
pub(crate) fn ratio(ours: &Samples, theirs: &Samples) -> f64 {
    theirs.median().as_secs_f64() / ours.median().as_secs_f64()
}

/// What the runs of one command took.
#[derive(Clone, Default)]
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

    pub(super) fn run(&mut self, command: &mut Command) -> Result<()> {
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

/// Runs two commands by turns.
pub(crate) fn alternate(commands: [Command; 2], runs: u32) -> Result<[Samples; 2]> {
    let mut samples = by_turns(commands.into(), runs)?.into_iter();
    Ok([(); 2].map(|()| samples.next().expect("each command has its samples")))
}

/// Runs the commands by turns, so that whatever slows the machine down slows all. The first run of each fills the page
/// cache and is not counted.
pub(crate) fn by_turns(mut commands: Vec<Command>, runs: u32) -> Result<Vec<Samples>> {
    for command in &mut commands {
        Samples::default().run(command)?;
    }
    let mut samples: Vec<_> = commands.iter().map(|_| Samples::default()).collect();
    for _ in 0..runs {
        for (command, samples) in commands.iter_mut().zip(&mut samples) {
            samples.run(command)?;
        }
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
