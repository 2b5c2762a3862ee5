//! `cargo xtask bench-tracing`: how much longer a data loader takes when `provenance run --trace` watches it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use clap::Args;

use crate::bench::{Facts, alternate, facts, ratio, times};
use crate::tool::Tool;
use crate::workspace::Workspace;
use crate::{process, python};

const LOADER: &str = include_str!("tracing/loader.py");
const REQUIREMENTS: &str = include_str!("../tracing-requirements.txt");

const HOW: &str = "\
A Python program decodes JPEGs with Pillow in two worker processes, scales them to 224 by 224 and then writes a model: once as
it is, and once below `model-signing provenance run --trace`, which also hashes the model and writes the provenance. Times
are those of the whole commands, by turns, after a run of each that is not counted and leaves the files in the page cache. The
overhead is the ratio of the medians, less one.

Tracing costs for each file that is opened, whatever its length: the process stops twice. Pictures as long as
those of the usual data sets hide that; the shorter the files and the less is done with them, the more it shows.
";

/// How to measure.
#[derive(Args)]
pub(crate) struct Options {
    /// How many files there are.
    #[arg(long, default_value_t = 20_000)]
    files: u32,
    /// How often each command runs, besides a first run that is not counted.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    runs: u32,
    /// Writes the result to docs/tracing.md.
    #[arg(long)]
    write: bool,
    /// The interpreter that makes the virtual environment.
    #[arg(long)]
    python: Option<PathBuf>,
}

/// What a loader does with its files.
struct Load {
    name: &'static str,
    file_bytes: u32,
    action: &'static str,
    /// What the project promises, in percent.
    limit: Option<f64>,
}

const LOADS: [Load; 3] = [
    Load { name: "100 KB, decoded", file_bytes: 100_000, action: "decode", limit: Some(10.0) },
    Load { name: "4 KB, decoded", file_bytes: 4_000, action: "decode", limit: None },
    Load { name: "4 KB, read and nothing else", file_bytes: 4_000, action: "read", limit: None },
];

/// Measures and prints the table. A missed promise is no error: time depends on the machine.
pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    let folder = workspace.target.join("bench-tracing");
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let python = python::require_venv(options.python.as_deref(), &folder.join("venv"), REQUIREMENTS)?;
    let tool = workspace.build_release()?;
    let loader = folder.join("loader.py");
    fs::write(&loader, LOADER)?;

    let mut rows = String::new();
    for load in &LOADS {
        println!("==> {} files of {}, {} runs each", options.files, load.name, options.runs);
        let data = folder.join(format!("{}-of-{}", options.files, load.file_bytes));
        if !data.is_dir() {
            make(&python, &loader, &data, options.files, load.file_bytes)?;
        }
        let model = folder.join("model.bin");
        let words = |command: &mut Command| {
            command.arg(&python).arg(&loader).arg(load.action).arg(&data).arg(&model);
        };
        let mut plain = Command::new("env");
        words(&mut plain);
        let mut traced = Command::new(&tool);
        traced.args(["provenance", "run", "--trace", "-o"]).arg(folder.join("provenance.json"));
        traced.arg("--output").arg("model.bin").arg("--").current_dir(&folder);
        words(&mut traced);
        let [traced, plain] = alternate([traced, plain], options.runs)?;
        let overhead = (ratio(&plain, &traced) - 1.0) * 100.0;
        let judged = match load.limit {
            Some(limit) if overhead < limit => format!("{overhead:.1} % (promised: below {limit} %)"),
            Some(limit) => format!("{overhead:.1} % (MISSED: promised below {limit} %)"),
            None => format!("{overhead:.1} %"),
        };
        rows.push_str(&format!("| {} | {} | {} | {judged} |\n", load.name, times(&plain), times(&traced)));
    }
    let report = report(&rows, options, &facts(workspace, &Tool::new("ours", tool), None)?);
    println!("\n{report}");
    if options.write {
        let path = workspace.root.join("docs").join("tracing.md");
        fs::write(&path, report).with_context(|| format!("cannot write {}", path.display()))?;
        println!("written to docs/tracing.md");
    }
    Ok(())
}

/// Makes the files in a folder that has its name only when they are all there.
fn make(python: &Path, loader: &Path, data: &Path, files: u32, file_bytes: u32) -> Result<()> {
    let unfinished = data.with_extension("unfinished");
    if unfinished.exists() {
        fs::remove_dir_all(&unfinished)?;
    }
    let numbers = [files.to_string(), file_bytes.to_string()];
    process::stdout(Command::new(python).arg(loader).arg("make").arg(&unfinished).args(numbers))?;
    fs::rename(&unfinished, data).with_context(|| format!("cannot make {}", data.display()))
}

fn report(rows: &str, options: &Options, facts: &Facts) -> String {
    let mut text = format!(
        "# What tracing costs\n\n{HOW}\n\
         | {} files | as it is, median (range) | traced, median (range) | overhead |\n|---|--:|--:|--:|\n{rows}\n\
         ## Machine\n\n| | |\n|---|---|\n",
        options.files
    );
    for (label, value) in facts {
        text.push_str(&format!("| {label} | {value} |\n"));
    }
    text.push_str("\n## Again\n\n`cargo xtask bench-tracing` measures again, and `--write` replaces this file.\n");
    text
}
