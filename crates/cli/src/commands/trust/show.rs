//! `trust show`: whom an instance has one trust, and the services to sign with.

use crate::args::{InstanceArgs, RootArgs, mirror};
use crate::failure::Failure;
use crate::instance::{mirrored, resolve};
use crate::output::{Answer, Console, trust_answer};

/// Show whom the tool trusts: certificate authorities, logs, timestamp authorities, and the services to sign with
///
/// Nothing is asked over the network.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    instance: InstanceArgs,

    /// An instance of your own: the URL of its TUF repository, as `trust update` knows it
    #[arg(long, help_heading = "Sigstore instance", value_name = "URL", conflicts_with = "instance")]
    mirror: Option<String>,
}

pub(crate) fn run(args: &Args, console: &Console) -> Result<Answer, Failure> {
    let instance = match &args.mirror {
        Some(url) => mirrored(&mirror(url, &RootArgs::default())?)?.0,
        None => resolve(&args.instance, console)?,
    };
    Ok(trust_answer(&instance))
}
