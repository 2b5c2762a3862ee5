//! `vsa`: what others verified of an artifact. A file for each subcommand.

mod verify;

use clap::Subcommand;

use crate::failure::Failure;
use crate::output::{Answer, Console};

/// Rely on what others verified: SLSA Verification Summary Attestations
///
/// A verifier that you trust looked at an artifact and its provenance, and says under its key which levels it found.
#[derive(Debug, clap::Args)]
#[command(arg_required_else_help = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Verify(verify::Args),
}

pub(crate) fn run(args: &Args, console: &Console) -> Result<Answer, Failure> {
    match &args.command {
        Command::Verify(args) => verify::run(args, console),
    }
}
