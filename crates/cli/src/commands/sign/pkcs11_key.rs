//! `sign pkcs11-key`: with a private key in a PKCS#11 token.

use model_transparency::sign::KeySigner;

use super::{Common, check, sign};
use crate::args::{Global, TokenArgs};
use crate::failure::Failure;
use crate::inputs;
use crate::output::{Answer, Console};

/// Sign with a private key in a PKCS#11 token
///
/// ECDSA (P-256, P-384, P-521) or RSA (2048 to 4096 bits), in a hardware security module, a smart card or SoftHSM. The
/// key stays there; `verify key` takes its public key.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    common: Common,

    #[command(flatten)]
    token: TokenArgs,
}

pub(crate) fn run(args: &Args, global: &Global, console: &Console) -> Result<Answer, Failure> {
    check(&args.common, &args.token.inputs().collect::<Vec<_>>())?;
    let key = inputs::pkcs11_key(&args.token, console)?;
    sign(&args.common, &KeySigner::new(&key), global, console)
}
