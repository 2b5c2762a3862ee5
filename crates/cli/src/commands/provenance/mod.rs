//! `provenance`: how a model was made. A file for each subcommand.

pub(crate) mod artifact;
mod check;
mod cloud_build;
mod lookup;
mod policy;
mod signer;
mod verify;

use clap::Subcommand;

use crate::args::Global;
use crate::failure::Failure;
use crate::output::{Answer, Console};

/// Check how a model was made
///
/// Provenance (SLSA) is signed by the service that built a model or a file: which source, which builder, what started it.
#[derive(Debug, clap::Args)]
#[command(arg_required_else_help = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Verify(Box<verify::Args>),
}

pub(crate) use check::{Found, Provenance, Question};
pub(crate) use policy::PolicyArgs;
pub(crate) use signer::ProvenanceSignerArgs;
pub(crate) use verify::{Checked, Outcome, ProvenanceArgs, Request, verify};

pub(crate) fn run(args: &Args, global: &Global, console: &Console) -> Result<Answer, Failure> {
    match &args.command {
        Command::Verify(args) => verify::run(args, global, console),
    }
}
