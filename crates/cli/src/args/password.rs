//! Where the password of a private key comes from.

use std::path::{Path, PathBuf};

use clap::Args;

/// The password of a private key. Without any of these, `MODEL_SIGNING_PASSWORD`, then a prompt.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct PasswordArgs {
    /// A file with the password of the private key in its first line [else: MODEL_SIGNING_PASSWORD, or a prompt]
    #[arg(long, value_name = "FILE", conflicts_with = "password")]
    pub(crate) password_file: Option<PathBuf>,

    /// The password itself, which other users of this machine can see: use --password-file
    #[arg(long, value_name = "PASSWORD")]
    pub(crate) password: Option<String>,
}

impl PasswordArgs {
    /// What an output must not overwrite.
    pub(crate) fn inputs(&self) -> impl Iterator<Item = (&str, &Path)> {
        self.password_file.iter().map(|path| ("the password file", path.as_path()))
    }
}
