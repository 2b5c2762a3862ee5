//! The `model-signing` command: parse, call, print.
//!
//! Everything a verdict rests on is in `model-transparency`. This crate owns the terminal, the environment and the
//! current directory; nothing else may touch them.

mod args;
mod browser;
mod cache;
mod commands;
mod exit;
mod failure;
mod identity;
mod inputs;
mod instance;
mod output;
mod receipts;
mod secrets;
mod signature_file;
mod state;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{CommandFactory, FromArgMatches};
use model_transparency_remote::oidc::without_tokens;

use args::{Cli, Command};
use exit::Exit;
use failure::Failure;
use output::Console;

/// Runs the command that the process was started with.
#[must_use]
pub fn main() -> ExitCode {
    run(std::env::args_os().collect()).into()
}

/// Runs one command in this process without printing how it ended: for adapters and benchmarks.
///
/// # Errors
/// The exit code, and the message that would have been printed.
pub fn execute(arguments: Vec<OsString>) -> Result<(), (u8, String)> {
    let cli = parse(&words(arguments)).map_err(|error| (Exit::Usage.code(), error.to_string()))?;
    let console = Console::new(args::Format::Human, args::LogLevel::Error);
    let outcome = cli.command.run(&cli.global, &console);
    outcome.map(drop).map_err(|failure| (failure.exit.code(), output::failure_text(&failure)))
}

/// The whole command line, for man pages and completions.
#[must_use]
pub fn command() -> clap::Command {
    Cli::command()
}

/// The arguments as clap is to read them.
fn words(arguments: Vec<OsString>) -> Vec<OsString> {
    args::with_default_method(args::with_hyphens(arguments), |verb, word| {
        word == "help" || word.to_str().is_some_and(|word| commands::is_method(verb, word))
    })
}

/// Reads the command line, of which only what it names is described; but what clap answers instead knows all of it.
fn parse(arguments: &[OsString]) -> Result<Cli, clap::Error> {
    let read = |command: clap::Command| Cli::from_arg_matches(&command.try_get_matches_from(arguments)?);
    read(args::describing(arguments, Cli::command)).or_else(|_| read(Cli::command()))
}

fn run(arguments: Vec<OsString>) -> Exit {
    let arguments = words(arguments);
    let wants_json = args::asks_for_json(&arguments);
    let cli = match parse(&arguments) {
        Ok(cli) => cli,
        Err(error) => return usage(&error, wants_json),
    };
    let console = Console::new(cli.global.format, cli.global.log_level);
    if let Command::Monitor(args) = &cli.command {
        return commands::monitor::run(args, &console);
    }
    let name = cli.command.name();
    console.finish(name, cli.command.run(&cli.global, &console))
}

/// Help, version and wrong usage.
fn usage(error: &clap::Error, wants_json: bool) -> Exit {
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => Console::plain(&error.render()),
        _ if wants_json => {
            let console = Console::new(args::Format::Json, args::LogLevel::Error);
            console.finish("usage", Err(Failure::usage(without_tokens(error.render().to_string().trim()))))
        }
        _ => {
            output::print_usage_error(error, commands::usage_hint(error));
            Exit::Usage
        }
    }
}
