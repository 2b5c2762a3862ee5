//! `sign pkcs11-certificate`: with a private key in a PKCS#11 token and the certificate of its public key.

use super::certificate::CertificateArgs;
use super::{Common, check, sign};
use crate::args::{Global, TokenArgs};
use crate::failure::Failure;
use crate::inputs;
use crate::output::{Answer, Console};

/// Sign with a private key in a PKCS#11 token and its certificate
///
/// As `sign certificate`, with a key that stays in its token, as in `sign pkcs11-key`. `verify certificate` is for both.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    common: Common,

    #[command(flatten)]
    token: TokenArgs,

    #[command(flatten)]
    certificates: CertificateArgs,
}

pub(crate) fn run(args: &Args, global: &Global, console: &Console) -> Result<Answer, Failure> {
    let inputs: Vec<_> = args.certificates.inputs().into_iter().chain(args.token.inputs()).collect();
    check(&args.common, &inputs)?;
    let certificates = args.certificates.read()?;
    let key = inputs::pkcs11_key(&args.token, console)?;
    sign(&args.common, &certificates.signer(&key)?, global, console)
}
