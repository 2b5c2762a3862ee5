//! `trust export`: one file with all that is known of an instance.

use std::path::PathBuf;

use model_transparency::output::{Access, Existing, write};
use model_transparency_remote::tuf::trust_config_json;

use crate::args::{InstanceArgs, RepositoryArgs, RootArgs};
use crate::cache;
use crate::failure::Failure;
use crate::instance::{Source, mirrored, resolve};
use crate::output::{Answer, Console, exported_answer};

/// Write what is known of Sigstore to one file, for a machine without a network
///
/// There `trust import FILE` keeps it, or --trust-config FILE uses it for one command. What `trust update` fetched has the
/// signed metadata with it that proves it. Nothing is asked over the network.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    repository: RepositoryArgs,

    /// Where to write it
    #[arg(long, short, value_name = "FILE")]
    output: PathBuf,
}

pub(crate) fn run(args: &Args, console: &Console) -> Result<Answer, Failure> {
    let repository = args.repository.repository(&RootArgs::default())?;
    let (source, json, is_proven) = match repository.instance() {
        None => {
            let (instance, publication) = mirrored(&repository)?;
            (instance.source, publication.to_json(), true)
        }
        Some(public) => {
            let named = InstanceArgs { use_staging: args.repository.use_staging, ..InstanceArgs::default() };
            let source = resolve(&named, console)?.source;
            match (&source, cache::read(&repository)) {
                (Source::Cached(..), Ok(Some(publication))) => (source, publication.to_json(), true),
                _ => (Source::Embedded(public), trust_config_json(public), false),
            }
        }
    };
    write(&args.output, &json, Access::Everyone, Existing::Replace)?;
    if !is_proven {
        console.note(
            "this is what the tool was built with, so `trust import` has no use for it; `trust update` fetches what is new",
        );
    }
    Ok(exported_answer(&source, &args.output, is_proven))
}
