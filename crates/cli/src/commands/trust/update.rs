//! `trust update`: asks a TUF repository for what is new.

use model_transparency_remote::tuf::{FetchError, Publication};

use crate::args::{RepositoryArgs, RootArgs};
use crate::cache;
use crate::failure::Failure;
use crate::inputs::now;
use crate::instance::nothing_kept;
use crate::output::{Answer, Console, kept_answer};

/// Ask Sigstore whom to trust now, and keep the answer
///
/// The TUF repository of the instance is asked, and no one else. Its answer has to be signed by those whom the root
/// names that the tool was built with (or --root FILE), be in date, and be no older than the last one. Otherwise nothing
/// changes. Where it is kept: `$XDG_CACHE_HOME/model-signing/trust`, or `~/.cache/model-signing/trust`.
///
/// For an instance of your own name its repository, and the first time its root metadata: --mirror URL --root FILE. Then
/// `trust export --mirror URL -o FILE` makes the file for --trust-config.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    repository: RepositoryArgs,

    #[command(flatten)]
    root: RootArgs,
}

pub(crate) fn run(args: &Args, console: &Console) -> Result<Answer, Failure> {
    let repository = args.repository.repository(&args.root)?;
    let place = cache::place(&repository)?;
    let before = cache::read_for_replacement(&repository, console);
    let publication = Publication::fetch(&repository, before.as_ref(), now()).map_err(|error| match error {
        FetchError::NoRoot => nothing_kept(&repository).with_hint("--root FILE names the root metadata to begin from"),
        error => error.into(),
    })?;
    cache::keep(&place, &publication)?;
    Ok(kept_answer("Updated", &repository, &publication, before.as_ref(), &place))
}
