//! `inspect`: what a bundle says, unverified.

use std::path::PathBuf;

use model_transparency::envelope::Bundle;

use crate::failure::Failure;
use crate::output::{Answer, inspect_answer};

/// Show what a signature says, without checking any of it
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The signature
    #[arg(value_name = "SIGNATURE_PATH")]
    signature: PathBuf,
}

pub(crate) fn run(args: &Args) -> Result<Answer, Failure> {
    let bundle = Bundle::read(&args.signature)?;
    let statement = bundle.unverified_statement();
    Ok(inspect_answer(&args.signature, &bundle, &statement))
}
