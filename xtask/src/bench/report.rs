//! The result as Markdown, for the terminal and for docs/benchmarks.md.

use std::fmt::Write;
use std::time::Duration;

use super::cold::Cold;
use super::machine::Facts;
use super::measure::{Comparison, Samples, ratio};
use super::models::{Case, Model};

/// What no size may exceed, besides a few times what the signature has.
const PEAK_LIMIT_BYTES: u64 = 32_000_000;
const PEAK_LIMIT_SIGNATURES: u64 = 4;

const HOW: &str = "\
Signing and verifying with a P-256 key, beside the Python reference tool.

Each time is that of a whole command: starting the process, hashing every file, making or checking the signature. The
tools run by turns, so that whatever slows the machine down slows both; the first run of each is not counted, and
leaves the files in the page cache. The ratio is that of the medians. Peak memory is the largest resident set of any
run. All tools hash with SHA-256 and run with their defaults; the files hold pseudo-random bytes. In shards the reference
signs by its library alone, and its command can't verify.

The bound is what hashing takes at least on this machine in this run: with `k`, what the best kernel hashes a second on one
core of as many streams as the shape keeps alive for it (all bytes by those of the longest file or shard, by the cores;
nothing is read), and `r`, what one core reads a second of the same files while
all do, it is the bytes by `cores / (1/k + 1/r)`; or the longest file or shard by what one stream is hashed a second, if
that takes longer. Starting the process, listing the files and signing are not in it.

By receipt means that the model was verified before and not changed since (docs/receipts.md): nothing but the signature and
the list of files is read. The others read the model again.
";

const COLD: &str = "\
Signing a model whose files are not in the page cache, beside reading the same files one after the other in the same
minute, by turns. There is no mark to pass: such disks swing by a factor of four.
";

const PICTURE: &str = "![throughput against size](benchmarks.svg)";

const AGAIN: &str = "\
`cargo xtask bench` measures again, `--large` adds the largest model (14.4 GB of disk, and as much memory for the page
cache), `--go-tool PATH` the tool in Go, and `--write` replaces this file.
";

/// The whole report.
pub(crate) fn markdown(comparisons: &[Comparison], from_disk: &[Cold], facts: &Facts) -> String {
    let mut text = format!("# Benchmarks\n\n{HOW}\n{PICTURE}\n\n{}\n## Targets\n\n", table(comparisons));
    for comparison in comparisons {
        text.push_str(&targets(comparison));
    }
    if !from_disk.is_empty() {
        text.push_str(&format!("\n## From the disk\n\n{COLD}\n{}", cold_table(from_disk)));
    }
    text.push_str("\n## Machine\n\n| | |\n|---|---|\n");
    for (label, value) in facts {
        text.push_str(&format!("| {label} | {value} |\n"));
    }
    text.push_str(&format!("\n## Again\n\n{AGAIN}"));
    text
}

fn cold_table(from_disk: &[Cold]) -> String {
    let mut text =
        "| model | the disk, median (range) | ours | of the disk's pace, median (range) |\n|---|--:|--:|--:|\n"
            .to_owned();
    for cold in from_disk {
        let rate = |time: &Duration| cold.bytes as f64 / time.as_secs_f64() / 1e6;
        let rates = |pick: fn(&(Duration, Duration)) -> &Duration| {
            let mut rates: Vec<f64> = cold.pairs.iter().map(|pair| rate(pick(pair))).collect();
            rates.sort_by(f64::total_cmp);
            spread(&rates, |rate| format!("{rate:.0} MB/s"))
        };
        let shares = spread(&cold.shares(), |share| format!("{:.0} %", share * 100.0));
        text.push_str(&format!(
            "| {} | {} | {} | {shares} |\n",
            cold.model,
            rates(|pair| &pair.0),
            rates(|pair| &pair.1)
        ));
    }
    text
}

/// The middle one of some that ascend, and the first and the last.
fn spread(ascending: &[f64], show: impl Fn(f64) -> String) -> String {
    let at = |index: usize| ascending.get(index).map(|value| show(*value)).unwrap_or_default();
    format!("{} ({} to {})", at(ascending.len() / 2), at(0), at(ascending.len().saturating_sub(1)))
}

fn table(comparisons: &[Comparison]) -> String {
    let has_go = comparisons.iter().any(|comparison| comparison.go.is_some());
    let (go_head, go_line) = if has_go { (" Go | times faster |", "--:|--:|") } else { ("", "") };
    let mut text = format!(
        "| model | operation | ours, median (range) | Python, median (range) | times faster |{go_head} bound | of the bound | \
         one core | peak memory, ours | Python |\n|---|---|--:|--:|--:|{go_line}--:|--:|--:|--:|--:|\n",
    );
    for comparison in comparisons {
        let Comparison { model, case, operation, ours, theirs, .. } = comparison;
        let mut cells = vec![
            name(model, case),
            (*operation).to_owned(),
            times(ours),
            times(theirs),
            format!("{:.2}", comparison.ratio()),
        ];
        match &comparison.go {
            Some(go) => cells.extend([times(go), format!("{:.2}", ratio(ours, go))]),
            None if has_go => cells.extend([String::new(), String::new()]),
            None => {}
        }
        cells.extend([
            comparison.least.map(time).unwrap_or_default(),
            comparison.of_bound().map(|share| format!("{:.0} %", share * 100.0)).unwrap_or_default(),
            comparison.one_core.as_ref().map(|samples| time(samples.median())).unwrap_or_default(),
            ours.peak_bytes().map_or_else(|| "unknown".to_owned(), megabytes),
            theirs.peak_bytes().map_or_else(|| "unknown".to_owned(), megabytes),
        ]);
        text.push_str(&format!("| {} |\n", cells.join(" | ")));
    }
    text
}

/// A model, and how it is signed.
pub(super) fn name(model: &Model, case: &Case) -> String {
    let shards = |bytes: u64| match bytes {
        1_000_000_000.. => format!("{}, shards of {} GB", model.name, bytes / 1_000_000_000),
        _ => format!("{}, shards of {} MiB", model.name, bytes >> 20),
    };
    case.shard_bytes.map_or_else(|| model.name.to_owned(), shards)
}

/// One line: each target of the model, and whether it is reached.
fn targets(comparison: &Comparison) -> String {
    let Comparison { model, case, operation, ours, .. } = comparison;
    let mut line = format!("- {}, {operation}:", name(model, case));
    let mut add = |what: String, reached: bool| {
        let verdict = if reached { "reached" } else { "**missed**" };
        let separator = if line.ends_with(':') { "" } else { ";" };
        // Writing to a string cannot fail.
        let _ = write!(line, "{separator} {what} {verdict}");
    };
    add(format!("at least {} times as fast", case.ratio), comparison.ratio() >= case.ratio);
    if let Some((share, found)) = case.of_bound.zip(comparison.of_bound()) {
        add(format!("{:.0} % of the bound", share * 100.0), found >= share);
    }
    if let Some((least, one_core)) = case.of_one_core.zip(comparison.one_core.as_ref())
        && super::bound::cores() == 2
    {
        add(format!("{least} times one core"), ratio(ours, one_core) >= least);
    }
    if let Some(limit) = case.limit {
        add(format!("under {}", time(limit)), ours.median() < limit);
    }
    if let Some(peak) = ours.peak_bytes() {
        let limit_bytes = PEAK_LIMIT_BYTES + PEAK_LIMIT_SIGNATURES * comparison.signature_bytes;
        add(format!("under {} of memory", megabytes(limit_bytes)), peak < limit_bytes);
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
