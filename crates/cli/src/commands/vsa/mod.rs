//! `vsa`: what others verified of an artifact, and what was verified here, for others. A file for each subcommand.

mod create;
mod verify;

use clap::Subcommand;

use crate::args::Global;
use crate::failure::Failure;
use crate::output::{Answer, Console};

/// Rely on what others verified, and say what you verified: SLSA VSAs
///
/// A verifier that is trusted looked at an artifact and its provenance, and says in a signed summary (Verification Summary
/// Attestation) which levels it found.
#[derive(Debug, clap::Args)]
#[command(arg_required_else_help = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Create(Box<create::Args>),
    Verify(Box<verify::Args>),
}

pub(crate) fn run(args: &Args, global: &Global, console: &Console) -> Result<Answer, Failure> {
    match &args.command {
        Command::Create(args) => create::run(args, global, console),
        Command::Verify(args) => verify::run(args, console),
    }
}
