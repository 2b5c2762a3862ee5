//! The result as Markdown, for the terminal and for docs/benchmarks.md.

use std::fmt::Write;
use std::time::Duration;

use super::machine::Facts;
use super::measure::{Comparison, Samples};

/// What no size may exceed.
const PEAK_LIMIT_BYTES: u64 = 64_000_000;

const HOW: &str = "\
Signing and verifying with a P-256 key, beside the Python reference tool.

Each time is that of a whole command: starting the process, hashing every file, making or checking the signature. The
two tools run by turns, so that whatever slows the machine down slows both; the first run of each is not counted, and
leaves the files in the page cache. The ratio is that of the medians. Peak memory is the largest resident set of any
run. Both tools hash with SHA-256 and run with their defaults; the files hold pseudo-random bytes.
";

const AGAIN: &str = "\
`cargo xtask bench` measures again, `--large` adds the largest model (14.4 GB of disk, and as much memory for the page
cache), and `--write` replaces this file.
";

/// The whole report.
pub(crate) fn markdown(comparisons: &[Comparison], facts: &Facts) -> String {
    let mut text = format!("# Benchmarks\n\n{HOW}\n{}\n## Targets\n\n", table(comparisons));
    for comparison in comparisons {
        text.push_str(&targets(comparison));
    }
    text.push_str("\n## Machine\n\n| | |\n|---|---|\n");
    for (label, value) in facts {
        text.push_str(&format!("| {label} | {value} |\n"));
    }
    text.push_str(&format!("\n## Again\n\n{AGAIN}"));
    text
}

fn table(comparisons: &[Comparison]) -> String {
    let mut text = String::from(
        "| model | operation | ours, median (range) | theirs, median (range) | times faster | peak memory, ours | theirs |\n\
         |---|---|--:|--:|--:|--:|--:|\n",
    );
    for comparison in comparisons {
        let Comparison { model, operation, ours, theirs } = comparison;
        let cells = [
            model.name.to_owned(),
            (*operation).to_owned(),
            times(ours),
            times(theirs),
            format!("{:.2}", comparison.ratio()),
            ours.peak_bytes().map_or_else(|| "unknown".to_owned(), megabytes),
            theirs.peak_bytes().map_or_else(|| "unknown".to_owned(), megabytes),
        ];
        text.push_str(&format!("| {} |\n", cells.join(" | ")));
    }
    text
}

/// One line: each target of the model, and whether it is reached.
fn targets(comparison: &Comparison) -> String {
    let Comparison { model, operation, ours, .. } = comparison;
    let mut line = format!("- {}, {operation}:", model.name);
    let mut add = |what: String, reached: bool| {
        let verdict = if reached { "reached" } else { "**missed**" };
        let separator = if line.ends_with(':') { "" } else { ";" };
        // Writing to a string cannot fail.
        let _ = write!(line, "{separator} {what} {verdict}");
    };
    add(format!("at least {} times as fast", model.ratio), comparison.ratio() >= model.ratio);
    if let Some(limit) = model.limit {
        add(format!("under {}", time(limit)), ours.median() < limit);
    }
    if let Some(peak) = ours.peak_bytes() {
        add(format!("under {} of memory", megabytes(PEAK_LIMIT_BYTES)), peak < PEAK_LIMIT_BYTES);
    }
    line + "\n"
}

/// The median, and from what to what the runs took.
pub(crate) fn times(samples: &Samples) -> String {
    format!("{} ({} to {})", time(samples.median()), time(samples.min()), time(samples.max()))
}

fn time(duration: Duration) -> String {
    let milliseconds = duration.as_secs_f64() * 1e3;
    match milliseconds {
        ..100.0 => format!("{milliseconds:.1} ms"),
        ..1000.0 => format!("{milliseconds:.0} ms"),
        _ => format!("{:.2} s", milliseconds / 1e3),
    }
}

fn megabytes(bytes: u64) -> String {
    format!("{:.0} MB", bytes as f64 / 1e6)
}

/// A number of bytes in gigabytes.
pub(crate) fn gigabytes(bytes: u64) -> String {
    format!("{:.1} GB", bytes as f64 / 1e9)
}
