//! Which Sigstore instance is meant.

use std::path::PathBuf;

use clap::Args;
use model_transparency::sigstore::Instance;

const HEADING: &str = "Sigstore instance";

/// A Sigstore instance; without any of these the public-good one.
#[derive(Clone, Debug, Default, Args)]
#[group(id = "instance", multiple = false)]
pub(crate) struct InstanceArgs {
    /// Sigstore's staging instance, for trying things out; anybody can get anything certified there
    #[arg(long, help_heading = HEADING)]
    pub(crate) use_staging: bool,

    /// An instance of your own: its trust configuration (JSON), with its trusted root and its services
    #[arg(long, help_heading = HEADING, value_name = "FILE")]
    pub(crate) trust_config: Option<PathBuf>,

    /// An instance of your own: its trusted root (JSON), which does not say where to sign
    ///
    /// With every method the timestamp authorities of an instance that is named here are trusted.
    #[arg(long, help_heading = HEADING, value_name = "FILE", alias = "custom-trusted-root")]
    pub(crate) trusted_root: Option<PathBuf>,
}

impl InstanceArgs {
    /// The public instance that is meant, if no file is given.
    pub(crate) fn public(&self) -> Instance {
        if self.use_staging { Instance::Staging } else { Instance::Production }
    }

    /// Whether one was named.
    pub(crate) fn is_given(&self) -> bool {
        self.use_staging || self.trust_config.is_some() || self.trusted_root.is_some()
    }

    /// What an output must not overwrite.
    pub(crate) fn inputs(&self) -> impl Iterator<Item = (&str, &std::path::Path)> {
        let config = self.trust_config.iter().map(|path| ("the trust configuration", path.as_path()));
        config.chain(self.trusted_root.iter().map(|path| ("the trusted root", path.as_path())))
    }
}
