//! Who signs with Sigstore, and how that is shown.

use std::fmt;
use std::path::{Path, PathBuf};

use clap::Args;

const HEADING: &str = "Identity";

/// Who signs: a token that is there, or where to get one.
#[derive(Clone, Debug, Args)]
pub(crate) struct IdentityArgs {
    /// Sign as the job or the machine that this runs on: GitHub Actions, GitLab, Google Cloud, Buildkite, CircleCI
    #[arg(long, help_heading = HEADING)]
    pub(crate) use_ambient_credentials: bool,

    /// A file with an identity token (OpenID Connect), which is read when it is needed [else: SIGSTORE_ID_TOKEN]
    #[arg(long, help_heading = HEADING, value_name = "FILE", conflicts_with = "identity_token")]
    pub(crate) identity_token_file: Option<PathBuf>,

    /// The token itself, which other users of this machine can see: use --identity-token-file
    #[arg(long, help_heading = HEADING, value_name = "TOKEN")]
    pub(crate) identity_token: Option<Secret>,

    /// Open no browser: show where to log in, and ask for the code that is shown there
    #[arg(long, help_heading = HEADING)]
    pub(crate) oauth_force_oob: bool,

    /// As which client to log in; tokens have to be for it [default: sigstore]
    #[arg(long, help_heading = HEADING, value_name = "ID")]
    pub(crate) client_id: Option<String>,

    /// The client's secret, if it has one; other users of this machine can see it
    #[arg(long, help_heading = HEADING, value_name = "SECRET")]
    pub(crate) client_secret: Option<Secret>,
}

impl IdentityArgs {
    /// What an output must not overwrite.
    pub(crate) fn inputs(&self) -> impl Iterator<Item = (&str, &Path)> {
        self.identity_token_file.iter().map(|path| ("the identity token", path.as_path()))
    }
}

/// A secret that was given on the command line.
#[derive(Clone)]
pub(crate) struct Secret(pub(crate) String);

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}
