//! `cargo xtask e2e`: signing with Sigstore, on Sigstore's own servers, and with the Python reference tool.
//!
//! A file for each question. The servers are those of [`sigstore_stack`]: nothing here leaves loopback but what installs
//! them.

mod altered;
mod exchange;
mod identities;
mod kept_keys;
mod monitor;
mod outages;
mod report;
mod sandbox;
mod tokens;

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::Result;
use clap::Args;

use crate::outcome::Outcome;
use crate::reference::Reference;
use crate::sigstore_stack::{self, LogAlgorithm, Programs, Stack};
use crate::tool::Tool;
use crate::workspace::Workspace;

/// With what.
#[derive(Args, Default)]
pub(crate) struct Options {
    /// The interpreter that makes the virtual environment of the reference tool.
    #[arg(long)]
    python: Option<PathBuf>,
    /// The command to test; by default it is built in release mode.
    #[arg(long)]
    tool: Option<PathBuf>,
}

/// What is tested, and where.
struct Scene {
    ours: Tool,
    theirs: Tool,
    /// The instance that signatures are made with. Its logs sign as the public ones do.
    stack: Stack,
    /// Another, which is nothing to the first.
    other: Stack,
    /// What stacks are made of.
    programs: Programs,
    /// Where sandboxes are made.
    folder: PathBuf,
}

/// Runs every part and prints what it found.
pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<Outcome> {
    let programs = timed("Sigstore's servers", sigstore_stack::install)?;
    let theirs = Reference::install(workspace, options.python.as_deref())?;
    let program = options.tool.as_deref().map_or_else(|| workspace.build_release(), |path| Ok(path.canonicalize()?))?;
    let ours = Tool::new("ours", program);
    println!("\nours: {}; theirs: {}, {}", ours.version()?, theirs.tool.version()?, theirs.python_version);

    let folder = tempfile::tempdir()?;
    let start =
        |name: &str, rekor| Stack::start(&programs, &folder.path().join(name), sigstore_stack::Options { rekor });
    let (stack, other) =
        timed("two stacks", || Ok((start("stack", LogAlgorithm::Ed25519)?, start("other", LogAlgorithm::EcdsaP256)?)))?;
    let mut scene = Scene { ours, theirs: theirs.tool, stack, other, programs, folder: folder.path().to_owned() };

    let started = Instant::now();
    let mut outcome = part(exchange::run(&scene));
    outcome += part(identities::run(&scene));
    outcome += part(tokens::run(&scene));
    outcome += part(altered::run(&scene));
    outcome += part(kept_keys::run(&scene));
    // The last two leave a log that is forked, and nothing that runs.
    outcome += part(monitor::run(&mut scene));
    outcome += part(outages::run(&mut scene));
    println!("\nchecks: {:.1} s", started.elapsed().as_secs_f64());
    Ok(outcome)
}

/// What keeps one part from running does not keep others.
fn part(found: Result<Outcome>) -> Outcome {
    found.unwrap_or_else(|error| Outcome { problems: vec![format!("{error:#}")], ..Outcome::default() })
}

fn timed<T>(what: &str, job: impl FnOnce() -> Result<T>) -> Result<T> {
    let started = Instant::now();
    let done = job()?;
    println!("==> {what}: ready after {:.1} s", started.elapsed().as_secs_f64());
    Ok(done)
}

impl Scene {
    fn folder(&self) -> &Path {
        &self.folder
    }
}
