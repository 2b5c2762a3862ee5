//! `provenance`: how a model was made. A file for each subcommand.

pub(crate) mod artifact;
mod check;
mod cloud_build;
mod lookup;
mod policy;
mod signer;
mod subjects;
mod training;
mod verify;

use clap::Subcommand;

use crate::args::Global;
use crate::failure::Failure;
use crate::output::{Answer, Console};

/// Say how a model was made, and check it
///
/// Provenance (SLSA) is signed by the service that built a model or a file, or by whoever trained it: which source, which
/// builder, what started it, what went into it.
#[derive(Debug, clap::Args)]
#[command(arg_required_else_help = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Verify(Box<verify::Args>),
    Run(Box<training::run::Args>),
    Generate(Box<training::generate::Args>),
    Subjects(subjects::Args),
}

impl Args {
    /// What the JSON document calls it.
    pub(crate) fn name(&self) -> &'static str {
        match self.command {
            Command::Verify(_) => "provenance",
            Command::Run(_) => "provenance run",
            Command::Generate(_) => "provenance generate",
            Command::Subjects(_) => "provenance subjects",
        }
    }
}

pub(crate) use check::{Found, Provenance, Question};
pub(crate) use policy::PolicyArgs;
pub(crate) use signer::ProvenanceSignerArgs;
pub(crate) use verify::{Checked, Outcome, ProvenanceArgs, Request, verify};

pub(crate) fn run(args: &Args, global: &Global, console: &Console) -> Result<Answer, Failure> {
    match &args.command {
        Command::Verify(args) => verify::run(args, global, console),
        Command::Run(args) => training::run::run(args, global, console),
        Command::Generate(args) => training::generate::run(args.as_ref().clone(), global, console),
        Command::Subjects(args) => subjects::run(args, global, console),
    }
}
