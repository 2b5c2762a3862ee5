//! Programs in Go, built once for each version and Go toolchain.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::process;

/// A program's source: a package of a module, at a version.
pub(crate) struct Source {
    pub(crate) name: &'static str,
    pub(crate) package: &'static str,
    pub(crate) version: &'static str,
    pub(crate) build: Build,
}

/// What is built.
pub(crate) enum Build {
    /// The package itself. Go names the binary after the last folder.
    Package { binary: &'static str },
    /// The package itself, as what a module of ours requires: `go install` asks which versions the module has, and not
    /// every proxy tells.
    Required { module: &'static str },
    /// A program of ours that uses the package.
    Program { source: &'static str },
}

/// Why nothing in Go can be built here, if so.
pub(crate) fn missing() -> Option<&'static str> {
    let has_go = process::succeeds_quietly(Command::new("go").arg("version"));
    (!has_go).then_some("there is no Go on the PATH")
}

/// The toolchain's version.
pub(crate) fn version() -> Result<String> {
    process::stdout(Command::new("go").args(["env", "GOVERSION"]))
}

impl Source {
    /// Builds the program in a folder of its own below `cache`, unless an earlier run did with this toolchain.
    ///
    /// # Errors
    /// If the build fails.
    pub(crate) fn install(&self, cache: &Path, go: &str) -> Result<PathBuf> {
        if let Some(program) = self.built(cache, go) {
            return Ok(program);
        }
        let (folder, program) = self.place(cache, go);
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

    /// The program, if an earlier run built it with this toolchain.
    pub(crate) fn built(&self, cache: &Path, go: &str) -> Option<PathBuf> {
        let (folder, program) = self.place(cache, go);
        self.is_built(&folder, &program).then_some(program)
    }

    /// Its folder, and the program in it.
    fn place(&self, cache: &Path, go: &str) -> (PathBuf, PathBuf) {
        let folder = cache.join(format!("{}-{}-{go}", self.name, self.version));
        let program = folder.join(format!("{}{}", self.name, env::consts::EXE_SUFFIX));
        (folder, program)
    }

    fn is_built(&self, folder: &Path, program: &Path) -> bool {
        let is_current = match self.build {
            Build::Package { .. } | Build::Required { .. } => true,
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
            Build::Required { module } => self.build_in_module(&mut go, folder, module, self.package)?,
            Build::Program { source } => {
                fs::write(folder.join("main.go"), source)?;
                self.build_in_module(&mut go, folder, self.package, ".")?
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

    /// Has `go` build `target` in a module that requires another; returns the binary that there will be.
    fn build_in_module(&self, go: &mut Command, folder: &Path, required: &str, target: &str) -> Result<PathBuf> {
        let module = format!("module {}\n\ngo 1.25\n\nrequire {required} {}\n", self.name, self.version);
        fs::write(folder.join("go.mod"), module)?;
        let binary = folder.join(format!("built{}", env::consts::EXE_SUFFIX));
        // What the module requires is required here too: `-mod=mod` writes it down, at the same versions.
        go.args(["build", "-mod=mod", "-trimpath", "-ldflags=-s -w", "-o"]).arg(&binary).arg(target);
        Ok(binary)
    }
}

/// The folder of the builds, below the XDG cache folder: every checkout of the workspace uses the same.
///
/// # Errors
/// If the user has no home folder.
pub(crate) fn cache(name: &str) -> Result<PathBuf> {
    let xdg = env::var_os("XDG_CACHE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    let cache = match xdg {
        Some(cache) => cache,
        None => env::home_dir().context("there is no home folder to keep Go programs in")?.join(".cache"),
    };
    Ok(cache.join("model-signing").join(name))
}
