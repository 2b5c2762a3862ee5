//! Options of every command.

use std::num::NonZeroUsize;

use clap::{Args, ValueEnum};

/// Options of every command.
#[derive(Clone, Copy, Debug, Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Global {
    /// How to print the result: for people, or one JSON document on standard output (on failure too)
    #[arg(long, global = true, value_enum, default_value_t = Format::Human, value_name = "FORMAT")]
    pub(crate) format: Format,

    /// What to print on standard error besides errors
    #[arg(
        long,
        global = true,
        value_enum,
        ignore_case = true,
        default_value_t = LogLevel::Info,
        env = "MODEL_SIGNING_LOG_LEVEL",
        hide_env_values = true,
        value_name = "LEVEL"
    )]
    pub(crate) log_level: LogLevel,

    /// Hash with at most N threads [default: as many as the process may use cores]
    #[arg(long, global = true, value_name = "N")]
    pub(crate) jobs: Option<NonZeroUsize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    Human,
    Json,
}

/// The names of the Python tool's levels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum LogLevel {
    /// Also what was done and how long it took
    Debug,
    /// Warnings and notes
    Info,
    /// Warnings
    #[value(alias = "warn")]
    Warning,
    /// Errors alone
    #[value(alias = "critical")]
    Error,
}
