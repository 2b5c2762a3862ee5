//! `sign key`: with a private key in a file.

use std::path::{Path, PathBuf};

use model_transparency::sign::KeySigner;

use super::{Common, check, sign};
use crate::args::{Global, PasswordArgs};
use crate::failure::Failure;
use crate::inputs;
use crate::output::{Answer, Console};

/// Sign with a private key
///
/// ECDSA (P-256, P-384, P-521), RSA (2048 to 4096 bits) or Ed25519, in PEM. `keygen` makes one.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    common: Common,

    /// The private key, in PEM
    #[arg(long, value_name = "FILE")]
    private_key: PathBuf,

    #[command(flatten)]
    password: PasswordArgs,
}

impl Args {
    pub(crate) fn new(common: Common, private_key: PathBuf) -> Self {
        Self { common, private_key, password: PasswordArgs::default() }
    }
}

pub(crate) fn run(args: &Args, global: &Global, console: &Console) -> Result<Answer, Failure> {
    let key: (&str, &Path) = ("the private key", &args.private_key);
    check(&args.common, &args.password.inputs().chain([key]).collect::<Vec<_>>())?;
    let key = inputs::private_key(&args.private_key, &args.password, console)?;
    sign(&args.common, &KeySigner::new(&key), global, console)
}
