//! `cargo xtask bench`: signs and verifies beside the reference tool, on models of the sizes that the project is
//! judged by.

mod machine;
mod measure;
mod models;
mod report;

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use clap::Args;

pub(crate) use self::machine::{Facts, facts};
use self::measure::{Comparison, compare};
pub(crate) use self::measure::{Samples, alternate, ratio};
use self::models::{MODELS, Model, Scale};
pub(crate) use self::report::times;
use crate::process;
use crate::reference::Reference;
use crate::tool::{Method, Subject, Symlinks, Tool};
use crate::workspace::Workspace;

/// How to measure.
#[derive(Args)]
pub(crate) struct Options {
    /// Also measures the model of 14.4 GB.
    #[arg(long)]
    large: bool,
    /// How often each command runs, besides a first run that is not counted; depends on the model by default.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    runs: Option<u32>,
    /// Writes the result to docs/benchmarks.md.
    #[arg(long)]
    write: bool,
    /// The interpreter that makes the virtual environment of the reference tool.
    #[arg(long)]
    python: Option<std::path::PathBuf>,
}

/// Measures, prints the table and says which targets are reached. A missed target is no error: time depends on the
/// machine.
pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    let theirs = Reference::install(workspace, options.python.as_deref())?;
    let ours = Tool::new("ours", workspace.build_release()?);
    let facts = machine::facts(workspace, &ours, Some(&theirs))?;

    let folder = tempfile::tempdir()?;
    let keys = Keys::generate(&ours, folder.path())?;
    let mut comparisons = Vec::new();
    for model in MODELS.iter().filter(|model| options.large || model.scale == Scale::Default) {
        let path = workspace.target.join("bench-models").join(model.folder);
        model.write(&path)?;
        if machine::available_memory_bytes().is_some_and(|available| available < model.total_bytes()) {
            println!("the page cache cannot hold {}: these times measure the disk", model.name);
        }
        let runs = options.runs.unwrap_or(model.runs);
        comparisons.extend(measure_model(model, &path, [&ours, &theirs.tool], &keys, runs)?);
    }

    let report = report::markdown(&comparisons, &facts);
    println!("\n{report}");
    if options.write {
        let path = workspace.root.join("docs").join("benchmarks.md");
        fs::create_dir_all(workspace.root.join("docs"))?;
        fs::write(&path, report).with_context(|| format!("cannot write {}", path.display()))?;
        println!("written to docs/benchmarks.md");
    }
    Ok(())
}

/// The key pair that both tools use.
struct Keys {
    private: std::path::PathBuf,
    public: std::path::PathBuf,
}

impl Keys {
    fn generate(ours: &Tool, folder: &Path) -> Result<Self> {
        let keys = Self { private: folder.join("key.pem"), public: folder.join("key.pub") };
        process::stdout(&mut ours.keygen("p256", &keys.private, &keys.public))?;
        Ok(keys)
    }
}

/// Compares signing, then verifying; each tool verifies what it signed.
fn measure_model(
    model: &'static Model,
    path: &Path,
    tools: [&Tool; 2],
    keys: &Keys,
    runs: u32,
) -> Result<[Comparison; 2]> {
    let folder = tempfile::tempdir()?;
    let signatures = tools.map(|tool| folder.path().join(tool.name));
    let subject = |which: usize| Subject { model: path, signature: &signatures[which], symlinks: Symlinks::Refused };
    let sign = [0, 1].map(|which| tools[which].sign(subject(which), &Method::private_key(&keys.private), &[]));
    let verify = [0, 1].map(|which| tools[which].verify(subject(which), &Method::public_key(&keys.public)));
    println!("==> {}, {runs} runs each", model.name);
    Ok([compare(model, "sign", sign, runs)?, compare(model, "verify", verify, runs)?])
}
