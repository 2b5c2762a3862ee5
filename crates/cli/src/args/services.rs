//! Which services are asked when signing.

use clap::{Args, ValueEnum};

const HEADING: &str = "Services";

/// The services to sign with; without these, those of the instance's signing configuration.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct ServiceArgs {
    /// The certificate authority (Fulcio)
    #[arg(long, help_heading = HEADING, value_name = "URL")]
    pub(crate) fulcio_url: Option<String>,

    /// The identity provider at which to log in
    #[arg(long, help_heading = HEADING, value_name = "URL")]
    pub(crate) oidc_issuer: Option<String>,

    /// A transparency log (Rekor) (repeatable)
    #[arg(long, help_heading = HEADING, value_name = "URL")]
    pub(crate) rekor_url: Vec<String>,

    /// A timestamp authority (RFC 3161) (repeatable)
    #[arg(long, help_heading = HEADING, value_name = "URL")]
    pub(crate) tsa_url: Vec<String>,

    /// Use logs of this version alone: 1 gets the list of files, 2 a digest
    #[arg(long, help_heading = HEADING, value_enum, value_name = "VERSION")]
    pub(crate) rekor_version: Option<RekorVersionArg>,
}

/// A log for signatures of a key that is kept.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct LogArgs {
    /// A transparency log (Rekor) to make the signature public in
    ///
    /// The new entry has to hold under the trusted root of the instance that is named, or of Sigstore's public one.
    #[arg(long, help_heading = HEADING, value_name = "URL")]
    pub(crate) rekor_url: Option<String>,

    /// The log's version: 1 gets the list of files, 2 a digest [default: as the signing configuration says, or 1]
    #[arg(long, help_heading = HEADING, value_enum, value_name = "VERSION", requires = "rekor_url")]
    pub(crate) rekor_version: Option<RekorVersionArg>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum RekorVersionArg {
    #[value(name = "1")]
    V1,
    #[value(name = "2")]
    V2,
}

impl RekorVersionArg {
    /// Its number.
    pub(crate) const fn major(self) -> u32 {
        match self {
            Self::V1 => 1,
            Self::V2 => 2,
        }
    }
}
