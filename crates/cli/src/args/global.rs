//! Options of every command.

use std::num::NonZeroUsize;

use clap::{Args, ValueEnum};
use model_transparency::hash::{Options, Sha256Kernel, UnknownKernel};

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

    /// Hash SHA-256 with this kernel alone, for tests and measurements [default: the best for as many files as there are]
    #[arg(
        long,
        global = true,
        hide = true,
        env = "MODEL_SIGNING_SHA256_KERNEL",
        value_parser = kernel,
        value_name = "KERNEL"
    )]
    pub(crate) sha256_kernel: Option<Sha256Kernel>,
}

impl Global {
    /// How to hash.
    pub(crate) fn hashing(&self) -> Options<'static> {
        let options = Options::default();
        Options { jobs: self.jobs.unwrap_or(options.jobs), kernel: self.sha256_kernel, ..options }
    }
}

/// A kernel that this machine can run.
fn kernel(name: &str) -> Result<Sha256Kernel, String> {
    let kernel: Sha256Kernel = name.parse().map_err(|error: UnknownKernel| error.to_string())?;
    if kernel.is_available() {
        return Ok(kernel);
    }
    let available: Vec<_> = Sha256Kernel::available().map(Sha256Kernel::name).collect();
    Err(format!("this machine can run {}, not `{kernel}`", available.join(", ")))
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
