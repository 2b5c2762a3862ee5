//! Builds the servers of the stack, once for each version and Go toolchain.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::process;

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

/// A server's source: a package of a module, at a version.
struct Source {
    name: &'static str,
    package: &'static str,
    version: &'static str,
    build: Build,
}

/// What is built.
enum Build {
    /// The package itself. Go names the binary after the last folder.
    Package { binary: &'static str },
    /// A program of ours that uses the package.
    Program { source: &'static str },
}

/// Builds what is not built yet.
///
/// The programs are in the user's cache folder: every checkout of the workspace uses the same.
///
/// # Errors
/// If there is no Go, or a build fails.
pub(crate) fn install() -> Result<Programs> {
    let go = process::stdout(Command::new("go").args(["env", "GOVERSION"])).context("the stack is built with Go")?;
    let cache = cache()?;
    Ok(Programs {
        fulcio: FULCIO.install(&cache, &go)?,
        ct_log: CT_LOG.install(&cache, &go)?,
        rekor: REKOR.install(&cache, &go)?,
        tsa: TSA.install(&cache, &go)?,
    })
}

impl Source {
    fn install(&self, cache: &Path, go: &str) -> Result<PathBuf> {
        let folder = cache.join(format!("{}-{}-{go}", self.name, self.version));
        let program = folder.join(format!("{}{}", self.name, env::consts::EXE_SUFFIX));
        if self.is_built(&folder, &program) {
            return Ok(program);
        }
        println!("==> building {}@{}", self.package, self.version);
        fs::create_dir_all(cache).with_context(|| format!("cannot make {}", cache.display()))?;
        // Built aside: another session may build the same, and one that is cut off leaves nothing that looks built.
        let building = tempfile::Builder::new().prefix(self.name).tempdir_in(cache)?;
        let built = self.build(building.path())?;
        fs::create_dir_all(&folder)?;
        if let Build::Program { source } = self.build {
            fs::write(folder.join("main.go"), source)?;
        }
        fs::rename(&built, &program).with_context(|| format!("cannot write {}", program.display()))?;
        Ok(program)
    }

    fn is_built(&self, folder: &Path, program: &Path) -> bool {
        let is_current = match self.build {
            Build::Package { .. } => true,
            Build::Program { source } => fs::read_to_string(folder.join("main.go")).is_ok_and(|built| built == source),
        };
        is_current && program.is_file()
    }

    /// Builds in an empty folder and returns the binary.
    fn build(&self, folder: &Path) -> Result<PathBuf> {
        let mut go = Command::new("go");
        let binary = match self.build {
            Build::Package { binary } => {
                go.env("GOBIN", folder).args(["install", "-trimpath", "-ldflags=-s -w"]);
                go.arg(format!("{}@{}", self.package, self.version));
                folder.join(format!("{binary}{}", env::consts::EXE_SUFFIX))
            }
            Build::Program { source } => {
                fs::write(folder.join("main.go"), source)?;
                let module = format!("module {}\n\ngo 1.25\n\nrequire {} {}\n", self.name, self.package, self.version);
                fs::write(folder.join("go.mod"), module)?;
                let binary = folder.join(format!("built{}", env::consts::EXE_SUFFIX));
                // What the module requires is required here too: `-mod=mod` writes it down, at the same versions.
                go.args(["build", "-mod=mod", "-trimpath", "-ldflags=-s -w", "-o"]).arg(&binary).arg(".");
                binary
            }
        };
        // Without C the binaries need no compiler, and no library of this machine.
        go.env("CGO_ENABLED", "0").env("GOWORK", "off").current_dir(folder);
        // What was downloaded stays in Go's cache: a second attempt goes on where a network failed the first.
        if process::passes(&mut go)? || process::passes(&mut go)? {
            return Ok(binary);
        }
        bail!("cannot build {}@{}", self.package, self.version)
    }
}

/// The folder of the builds, below the XDG cache folder.
fn cache() -> Result<PathBuf> {
    let xdg = env::var_os("XDG_CACHE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    let cache = match xdg {
        Some(cache) => cache,
        None => env::home_dir().context("there is no home folder to keep the stack's programs in")?.join(".cache"),
    };
    Ok(cache.join("model-signing").join("sigstore-stack"))
}
