//! Whose TUF repository is meant.

use std::path::PathBuf;

use clap::Args;
use model_transparency::sigstore::Instance;
use model_transparency_remote::tuf::TufRepository;

use crate::failure::Failure;
use crate::inputs::read_limited;

const HEADING: &str = "Sigstore instance";

/// No root metadata is larger, in bytes.
const MAX_ROOT_BYTES: usize = 512_000;

/// A Sigstore instance that publishes what it is; without any of these the public-good one.
#[derive(Debug, Default, Args)]
#[group(id = "repository", multiple = false)]
pub(crate) struct RepositoryArgs {
    /// Sigstore's staging instance, for trying things out
    #[arg(long, help_heading = HEADING)]
    pub(crate) use_staging: bool,

    /// An instance of your own: the URL of its TUF repository
    #[arg(long, help_heading = HEADING, value_name = "URL")]
    pub(crate) mirror: Option<String>,
}

/// What a repository of one's own is begun with.
#[derive(Debug, Default, Args)]
pub(crate) struct RootArgs {
    /// The root metadata to begin from (JSON), which came to you on a way that you trust; once is enough
    #[arg(long, help_heading = HEADING, value_name = "FILE", requires = "mirror")]
    pub(crate) root: Option<PathBuf>,
}

impl RepositoryArgs {
    /// The repository that is meant.
    pub(crate) fn repository(&self, root: &RootArgs) -> Result<TufRepository, Failure> {
        match &self.mirror {
            Some(url) => mirror(url, root),
            // clap does not ask for a flag that another one excludes.
            None if root.root.is_some() => {
                Err(Failure::usage("--root is for a repository of your own: give its URL with --mirror"))
            }
            None if self.use_staging => Ok(TufRepository::public(Instance::Staging)),
            None => Ok(TufRepository::public(Instance::Production)),
        }
    }
}

/// The repository at `url`.
pub(crate) fn mirror(url: &str, RootArgs { root }: &RootArgs) -> Result<TufRepository, Failure> {
    const WHAT: &str = "the root metadata";
    let root = match root {
        Some(path) => {
            let root = read_limited(WHAT, path, MAX_ROOT_BYTES as u64 + 1)?;
            if root.len() > MAX_ROOT_BYTES {
                let message =
                    format!("{WHAT} `{}`: expected at most {MAX_ROOT_BYTES} bytes, found more", path.display());
                return Err(Failure::rejected("invalid_root", message));
            }
            Some(root.to_vec())
        }
        None => None,
    };
    TufRepository::private(url, root).map_err(|error| Failure::usage(format!("--mirror: {error}")))
}
