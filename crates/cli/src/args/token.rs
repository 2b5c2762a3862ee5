//! A key in a PKCS#11 token, and where its PIN comes from.

use std::fmt;
use std::path::{Path, PathBuf};

use clap::Args;

/// A key in a PKCS#11 token. Its PIN is in the URI, in the file, in `MODEL_SIGNING_PIN`, or asked for.
#[derive(Debug, Args)]
pub(crate) struct TokenArgs {
    /// The private key (RFC 7512): `pkcs11:token=LABEL;object=LABEL?module-path=/path/to/module.so`, with `id=%01` for
    /// `object` if need be, and `module-name=NAME` for a module in the usual folders
    #[arg(long, value_name = "PKCS11_URI")]
    pub(crate) pkcs11_uri: UriText,

    /// A file with the token's PIN in its first line [else: pin-source in the URI, MODEL_SIGNING_PIN, or a prompt]
    #[arg(long, value_name = "FILE")]
    pub(crate) pin_file: Option<PathBuf>,
}

impl TokenArgs {
    /// What an output must not overwrite.
    pub(crate) fn inputs(&self) -> impl Iterator<Item = (&str, &Path)> {
        self.pin_file.iter().map(|path| ("the PIN file", path.as_path()))
    }
}

/// A URI as it was given. It is parsed later, because clap repeats what it can't parse, and it may hold a PIN.
#[derive(Clone)]
pub(crate) struct UriText(pub(crate) String);

impl From<String> for UriText {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Debug for UriText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UriText(…)")
    }
}
