//! Builds the Go program.

use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::go::{self, Build, Source};

/// The newest version.
const SLSA_VERIFIER: Source = Source {
    name: "slsa-verifier",
    package: "github.com/slsa-framework/slsa-verifier/v2/cli/slsa-verifier",
    version: VERSION,
    build: Build::Required { module: "github.com/slsa-framework/slsa-verifier/v2" },
};

pub(super) const VERSION: &str = "v2.7.1";

/// Builds it, unless it is in the user's cache folder.
///
/// # Errors
/// If there is no Go, or the build fails.
pub(crate) fn install() -> Result<PathBuf> {
    let go = go::version().context("slsa-verifier is built with Go")?;
    SLSA_VERIFIER.install(&go::cache("slsa-verifier")?, &go)
}
