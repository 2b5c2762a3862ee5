//! `completions`: a script for the shell.

use clap::ValueEnum;
use clap_complete::Shell;
use serde_json::json;

use crate::output::Answer;

/// Print a completion script for a shell
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

pub(crate) fn run(args: &Args) -> Answer {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut crate::command(), "model-signing", &mut script);
    let human = String::from_utf8_lossy(&script).into_owned();
    let shell = args.shell.to_possible_value().map(|value| value.get_name().to_owned());
    let json = json!({ "shell": shell, "script": human });
    Answer { human, json }
}
