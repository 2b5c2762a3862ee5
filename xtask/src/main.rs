//! What a contributor does more than once: `cargo xtask <task>`.
//!
//! One file per task. Tasks that check something return an [`outcome::Outcome`], whose counts are the last line.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a developer's tool that prints")]

mod arm;
mod bench;
mod check;
mod ci;
mod debian;
mod deploy;
mod e2e;
mod fuzz;
mod go;
mod interop;
mod man;
mod outcome;
mod process;
mod python;
mod reference;
mod sigstore_stack;
mod slsa_verifier;
mod table;
mod tool;
mod tracing;
mod train;
mod workspace;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

use crate::workspace::Workspace;

/// What a contributor does more than once.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Format, lints, tests, documentation, licences: what CI runs on every platform.
    Check,
    /// Signs and verifies in both directions with the Python reference tool.
    Interop {
        /// The interpreter that makes the virtual environment.
        #[arg(long)]
        python: Option<PathBuf>,
    },
    /// Times signing and verifying beside the Python reference tool.
    Bench(bench::Options),
    /// Times a data loader with and without `provenance run --trace` (Linux).
    BenchTracing(tracing::Options),
    /// Writes man pages and shell completions.
    Man {
        /// Where to write them; `man` in the target directory by default.
        #[arg(long)]
        out: Option<PathBuf>,
    },
    /// Runs the fuzz targets.
    Fuzz {
        /// How long each target runs.
        #[arg(long, default_value_t = 60)]
        seconds: u64,
        /// Which targets; all by default.
        targets: Vec<String>,
    },
    /// Signs with Sigstore on Sigstore's own servers, and in both directions with the Python reference tool.
    E2e(e2e::Options),
    /// Sigstore's own servers on loopback: Fulcio, its log, Rekor v2, a timestamp authority, a stub OIDC provider.
    SigstoreStack {
        #[command(subcommand)]
        action: sigstore_stack::Action,
    },
    /// Verdicts and speed beside the Go program slsa-verifier, on public provenance and what is altered in it.
    SlsaVerifier(slsa_verifier::Options),
    /// Trains the models of examples/slsa-for-ml in every format: provenance, signatures, and what refuses a changed model.
    Train(train::Options),
    /// What deploy/ and the workflows have for other platforms, held against those platforms' rules.
    Deploy {
        /// The interpreter that makes the virtual environments.
        #[arg(long)]
        python: Option<PathBuf>,
    },
    /// The tests of model-hash on Arm, in an emulator.
    Arm,
    /// Opens a page on loopback as a browser does: what e2e names in `BROWSER`.
    #[command(hide = true)]
    Browse { url: String },
    /// Everything that CI runs on Linux: check, arm, interop, e2e, slsa-verifier, two rows of train, deploy, and a short run of each fuzz target.
    Ci,
}

fn main() -> ExitCode {
    run(Arguments::parse().task).unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}

fn run(task: Task) -> Result<ExitCode> {
    // Not every task is started in the workspace.
    let workspace = Workspace::find;
    let outcome = match task {
        Task::Check => check::run(&workspace()?, check::SoftHsm::IfInstalled)?,
        Task::Interop { python } => interop::run(&workspace()?, python.as_deref())?,
        Task::Fuzz { seconds, targets } => fuzz::run(&workspace()?, seconds, targets)?,
        Task::E2e(options) => e2e::run(&workspace()?, &options)?,
        Task::SlsaVerifier(options) => slsa_verifier::run(&workspace()?, &options)?,
        Task::Train(options) => train::run(&workspace()?, &options)?,
        Task::Deploy { python } => deploy::run(&workspace()?, python.as_deref())?,
        Task::Arm => arm::run(&workspace()?)?,
        Task::Ci => ci::run(&workspace()?)?,
        Task::Bench(options) => return bench::run(&workspace()?, &options).map(|()| ExitCode::SUCCESS),
        Task::BenchTracing(options) => return tracing::run(&workspace()?, &options).map(|()| ExitCode::SUCCESS),
        Task::SigstoreStack { action } => {
            return sigstore_stack::run(&workspace()?, action).map(|()| ExitCode::SUCCESS);
        }
        Task::Browse { url } => {
            println!("{}", sigstore_stack::browse(&url)?);
            return Ok(ExitCode::SUCCESS);
        }
        Task::Man { out } => return man::run(&workspace()?, out).map(|()| ExitCode::SUCCESS),
    };
    println!("\n{outcome}");
    Ok(if outcome.is_success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
