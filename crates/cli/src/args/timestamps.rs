//! Whose timestamps are believed, and which are asked for.

use std::path::PathBuf;

use clap::Args;

const HEADING: &str = "Timestamps";

/// Timestamps when signing.
#[derive(Debug, Default, Args)]
pub(crate) struct StampArgs {
    /// A timestamp authority (RFC 3161) to ask for the time of the signature, whose SHA-256 is sent to it
    ///
    /// For HTTPS the system's certificates are trusted; SSL_CERT_FILE names others.
    #[arg(long, help_heading = HEADING, value_name = "URL")]
    pub(crate) tsa_url: Option<String>,

    /// Its certificates, in PEM: the new timestamp has to lead to one of them (repeatable)
    #[arg(long, help_heading = HEADING, value_name = "FILE", requires = "tsa_url")]
    pub(crate) tsa_certificate_chain: Vec<PathBuf>,
}

/// Timestamps when verifying.
#[derive(Debug, Default, Args)]
pub(crate) struct TimestampArgs {
    /// Certificates of timestamp authorities (RFC 3161), in PEM: each timestamp in the signature has to lead to one of
    /// them, and certificates count as of that time (repeatable)
    #[arg(long, help_heading = HEADING, value_name = "FILE")]
    pub(crate) tsa_certificate_chain: Vec<PathBuf>,

    /// Refuse a signature without a timestamp
    #[arg(long, help_heading = HEADING)]
    pub(crate) require_timestamp: bool,
}
