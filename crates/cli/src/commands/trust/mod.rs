//! `trust`: what is known of a Sigstore instance. A file for each subcommand.

mod export;
mod import;
mod show;
mod update;

use clap::Subcommand;

use crate::failure::Failure;
use crate::output::{Answer, Console};

/// Show and renew what is known of Sigstore: whom to trust, and where to sign
///
/// The tool was built with what it has to know of Sigstore's public instances. They publish what changes, signed, in
/// repositories of The Update Framework (TUF). Only `trust update` asks them; what it gets is kept in the user's cache,
/// and every other command goes by it.
#[derive(Debug, clap::Args)]
#[command(arg_required_else_help = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Show(show::Args),
    Update(update::Args),
    Export(export::Args),
    Import(import::Args),
}

pub(crate) fn run(args: &Args, console: &Console) -> Result<Answer, Failure> {
    match &args.command {
        Command::Show(args) => show::run(args, console),
        Command::Update(args) => update::run(args, console),
        Command::Export(args) => export::run(args, console),
        Command::Import(args) => import::run(args, console),
    }
}
