//! `verify key`: with a public key.

use std::path::PathBuf;

use model_transparency::trust::SignerTrust;

use super::{Common, open, verify};
use crate::args::Global;
use crate::failure::Failure;
use crate::inputs;
use crate::output::{Answer, Console};

/// Verify with the signer's public key
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    common: Common,

    /// The public key, in PEM
    #[arg(long, value_name = "FILE")]
    public_key: PathBuf,
}

impl Args {
    pub(crate) fn new(common: Common, public_key: PathBuf) -> Self {
        Self { common, public_key }
    }
}

pub(crate) fn run(args: &Args, global: &Global, console: &Console) -> Result<Answer, Failure> {
    let key = inputs::public_key(&args.public_key)?;
    let signature = open(&args.common, console)?;
    verify(&args.common, signature, SignerTrust::Key(&key), global, console)
}
