//! Builds the servers of the stack, once for each version and Go toolchain.

use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::go::{self, Build, Source};

/// Where each server's source is. The newest versions that Go 1.26 builds.
const FULCIO: Source = Source {
    name: "fulcio",
    package: "github.com/sigstore/fulcio",
    version: "v1.8.8",
    build: Build::Package { binary: "fulcio" },
};
const CT_LOG: Source = Source {
    name: "tesseract",
    package: "github.com/transparency-dev/tesseract/cmd/tesseract/posix",
    version: "v0.1.1",
    build: Build::Package { binary: "posix" },
};
const REKOR: Source = Source {
    name: "rekor",
    package: "github.com/sigstore/rekor-tiles/v2/cmd/rekor-server/posix",
    version: "v2.3.0",
    build: Build::Package { binary: "posix" },
};
const TSA: Source = Source {
    name: "timestamp-authority",
    package: "github.com/sigstore/timestamp-authority/v2",
    version: "v2.1.3",
    build: Build::Program { source: include_str!("timestamp_server.go") },
};

/// The servers' programs.
pub(crate) struct Programs {
    pub(super) fulcio: PathBuf,
    pub(super) ct_log: PathBuf,
    pub(super) rekor: PathBuf,
    pub(super) tsa: PathBuf,
}

/// Builds what is not built yet.
///
/// The programs are in the user's cache folder: every checkout of the workspace uses the same.
///
/// # Errors
/// If there is no Go, or a build fails.
pub(crate) fn install() -> Result<Programs> {
    let go = go::version().context("the stack is built with Go")?;
    let cache = go::cache("sigstore-stack")?;
    Ok(Programs {
        fulcio: FULCIO.install(&cache, &go)?,
        ct_log: CT_LOG.install(&cache, &go)?,
        rekor: REKOR.install(&cache, &go)?,
        tsa: TSA.install(&cache, &go)?,
    })
}
