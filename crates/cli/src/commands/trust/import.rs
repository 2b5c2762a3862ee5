//! `trust import`: keeps what another machine fetched.

use std::path::PathBuf;

use model_transparency_remote::tuf::Publication;

use crate::args::{RepositoryArgs, RootArgs};
use crate::cache;
use crate::failure::Failure;
use crate::output::{Answer, Console, kept_answer};

/// Keep what `trust export` wrote on another machine
///
/// The file is proven as an answer of the network is: by the signed metadata in it, from the root that the tool was built
/// with. Whoever brings it is trusted for one thing, that it is not older than need be: the metadata counts as of the time
/// when it was fetched, since a machine without a network can't ask for a later one. One that is older than what is kept
/// is refused.
///
/// For an instance of your own name its repository, and the first time its root metadata: --mirror URL --root FILE.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// What `trust export` wrote
    #[arg(value_name = "FILE")]
    file: PathBuf,

    #[command(flatten)]
    repository: RepositoryArgs,

    #[command(flatten)]
    root: RootArgs,

    /// Keep it even if it is older than what is kept
    #[arg(long)]
    force: bool,
}

pub(crate) fn run(args: &Args, console: &Console) -> Result<Answer, Failure> {
    const WHAT: &str = "the file";
    let mut repository = args.repository.repository(&args.root)?;
    let place = cache::place(&repository)?;
    let before = cache::read_for_replacement(&repository, console);
    if repository.instance().is_none() && args.root.root.is_none() {
        let Some(before) = &before else {
            return Err(Failure::usage(format!("nothing is known of `{repository}` yet"))
                .with_hint("--root FILE names the root metadata that proves the file"));
        };
        repository = repository.after(before);
    }
    let publication = cache::publication(WHAT, &args.file, &repository)?;
    if let Some(before) = &before
        && is_older(&publication, before)
        && !args.force
    {
        let message = format!(
            "{WHAT} `{}`: expected what is no older than the copy of {} ({}), found one of {} ({})",
            args.file.display(),
            before.refreshed(),
            before.versions(),
            publication.refreshed(),
            publication.versions(),
        );
        return Err(Failure::rejected("older", message).with_hint("--force keeps it all the same"));
    }
    cache::keep(&place, &publication)?;
    Ok(kept_answer("Imported", &repository, &publication, before.as_ref(), &place))
}

/// By the versions that were signed; when they were asked for says less.
fn is_older(publication: &Publication, before: &Publication) -> bool {
    (publication.versions(), publication.refreshed()) < (before.versions(), before.refreshed())
}
