//! The command line.

mod default_method;
mod global;
mod hyphens;
mod identity;
mod if_named;
mod instance;
mod model;
mod password;
mod receipt;
mod repository;
mod services;
mod signing;
mod timestamps;
#[cfg(feature = "pkcs11")]
mod token;

use clap::{Parser, Subcommand};

use crate::commands::{
    completions, digest, inspect, keygen, monitor, provenance, quickstart, sign, trust, verify, vsa,
};
use crate::failure::Failure;
use crate::output::{Answer, Console};

pub(crate) use default_method::with_default_method;
pub(crate) use global::{Format, Global, LogLevel};
pub(crate) use hyphens::{asks_for_json, with_hyphens};
pub(crate) use identity::{IdentityArgs, Secret};
pub(crate) use if_named::{IfNamed, describing};
pub(crate) use instance::InstanceArgs;
pub(crate) use model::{HashArg, HashingArgs, ModelArgs, ScopeArgs};
pub(crate) use password::PasswordArgs;
pub(crate) use receipt::{RECEIPTS, ReceiptArgs};
pub(crate) use repository::{RepositoryArgs, RootArgs, mirror};
pub(crate) use services::{LogArgs, RekorVersionArg, ServiceArgs};
pub(crate) use signing::{OptionalSigningArgs, SignWithArgs, SigningArgs, SigningMethod};
pub(crate) use timestamps::{StampArgs, TimestampArgs};
#[cfg(feature = "pkcs11")]
pub(crate) use token::TokenArgs;

/// Sign and verify machine-learning models.
///
/// A signature says who made a model and that not a byte of it has changed. The format is OpenSSF Model Signing v1.0.
#[derive(Debug, Parser)]
#[command(
    name = "model-signing",
    version,
    propagate_version = true,
    arg_required_else_help = true,
    subcommand_required = true,
    after_help = "Exit codes: 0 done or verified; 1 rejected (the model, the bundle or another input was read and is \
                  not acceptable); 2 wrong usage; 3 could not check (a file is missing or unreadable, the output can't \
                  be written).\n\nTo begin: model-signing quickstart"
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Sign(IfNamed<sign::Args>),
    Verify(IfNamed<verify::Args>),
    Digest(IfNamed<digest::Args>),
    Inspect(IfNamed<inspect::Args>),
    Monitor(IfNamed<monitor::Args>),
    Provenance(IfNamed<provenance::Args>),
    Trust(IfNamed<trust::Args>),
    Vsa(IfNamed<vsa::Args>),
    Keygen(IfNamed<keygen::Args>),
    Quickstart(IfNamed<quickstart::Args>),
    Completions(IfNamed<completions::Args>),
}

/// The first of these flags that was given.
pub(crate) fn first_given(flags: impl IntoIterator<Item = (&'static str, bool)>) -> Option<&'static str> {
    flags.into_iter().find_map(|(flag, is_given)| is_given.then_some(flag))
}

impl Command {
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Sign(_) => "sign",
            Self::Verify(_) => "verify",
            Self::Digest(_) => "digest",
            Self::Inspect(_) => "inspect",
            Self::Monitor(_) => "monitor",
            Self::Provenance(args) => args.name(),
            Self::Trust(_) => "trust",
            Self::Vsa(_) => "vsa",
            Self::Keygen(_) => "keygen",
            Self::Quickstart(_) => "quickstart",
            Self::Completions(_) => "completions",
        }
    }

    pub(crate) fn run(&self, global: &Global, console: &Console) -> Result<Answer, Failure> {
        match self {
            Self::Sign(args) => sign::run(args, global, console),
            Self::Verify(args) => verify::run(args, global, console),
            Self::Digest(args) => digest::run(args, global, console),
            Self::Inspect(args) => inspect::run(args),
            Self::Monitor(args) => monitor::once(args, console),
            Self::Provenance(args) => provenance::run(args, global, console),
            Self::Trust(args) => trust::run(args, console),
            Self::Vsa(args) => vsa::run(args, global, console),
            Self::Keygen(args) => keygen::run(args, console),
            Self::Quickstart(args) => quickstart::run(args, global, console),
            Self::Completions(args) => Ok(completions::run(args)),
        }
    }
}
