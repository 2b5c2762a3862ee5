//! Finding a token's module, the library that its maker delivers, and loading it.

use std::fs;
use std::path::{Path, PathBuf};

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Function, Info, Pkcs11};
use cryptoki::error::{Error, RvError};

use super::uri::{Library, ModuleLocation};
use super::{describe, listed};

/// Where modules are put. Only the system's folders: what is loaded runs with every right of the user.
const FOLDERS: &[&str] = if cfg!(target_os = "macos") {
    &[
        "/usr/local/lib/pkcs11",
        "/opt/homebrew/lib/pkcs11",
        "/usr/local/lib/softhsm",
        "/opt/homebrew/lib/softhsm",
        "/usr/local/lib",
        "/opt/homebrew/lib",
    ]
} else if cfg!(unix) {
    &[
        // Fedora, openSUSE; Arch; Debian.
        "/usr/lib64/pkcs11",
        "/usr/lib/pkcs11",
        "/usr/lib/x86_64-linux-gnu/pkcs11",
        "/usr/lib/aarch64-linux-gnu/pkcs11",
        "/usr/lib/softhsm",
        "/usr/lib64/softhsm",
        "/usr/lib/x86_64-linux-gnu/softhsm",
        "/usr/lib/aarch64-linux-gnu/softhsm",
        // p11-kit-proxy, and makers' packages.
        "/usr/lib64",
        "/usr/lib/x86_64-linux-gnu",
        "/usr/lib/aarch64-linux-gnu",
    ]
} else {
    &[]
};

/// A module that is loaded and initialised, until it is dropped.
pub(super) struct Module {
    context: Pkcs11,
    path: PathBuf,
    /// Whether this is who initialised it: else somebody else in the process still uses it.
    finalize: bool,
}

impl Module {
    /// Finds and loads the module, and checks that it is the one that `library` describes.
    pub(super) fn load(location: &ModuleLocation, library: &Library) -> Result<Self, ModuleError> {
        let path = find(location)?;
        let failed = |error: Error| ModuleError::Unusable { path: path.clone(), reason: describe(&error) };
        let context = Pkcs11::new(&path).map_err(failed)?;
        let finalize = match context.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)) {
            Ok(()) => true,
            Err(Error::Pkcs11(RvError::CryptokiAlreadyInitialized, Function::Initialize)) => false,
            Err(error) => return Err(failed(error)),
        };
        let module = Self { context, path, finalize };
        let failed = |error: Error| ModuleError::Unusable { path: module.path.clone(), reason: describe(&error) };
        let info = module.context.get_library_info().map_err(failed)?;
        check(library, &info, &module.path)?;
        Ok(module)
    }

    pub(super) fn context(&self) -> &Pkcs11 {
        &self.context
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Module {
    fn drop(&mut self) {
        if self.finalize {
            // There is nobody left to tell.
            let _ = self.context.clone().finalize();
        }
    }
}

fn check(library: &Library, info: &Info, path: &Path) -> Result<(), ModuleError> {
    let version = info.library_version();
    let version = format!("{}.{}", version.major(), version.minor());
    let expected_version = library.version.map(|(major, minor)| format!("{major}.{minor}"));
    for (attribute, expected, found) in [
        ("library-manufacturer", &library.manufacturer, info.manufacturer_id()),
        ("library-description", &library.description, info.library_description()),
        ("library-version", &expected_version, &version),
    ] {
        if let Some(expected) = expected.as_ref().filter(|expected| *expected != found) {
            return Err(ModuleError::Other {
                path: path.to_owned(),
                attribute,
                expected: expected.clone(),
                found: found.to_owned(),
            });
        }
    }
    Ok(())
}

/// Finds the module's file. The path is absolute: the URI's is, and so are the folders.
fn find(location: &ModuleLocation) -> Result<PathBuf, ModuleError> {
    match location {
        ModuleLocation::At { path, name } => {
            let unreadable =
                |error: std::io::Error| ModuleError::Unusable { path: path.clone(), reason: error.to_string() };
            if !fs::metadata(path).map_err(unreadable)?.is_dir() {
                return Ok(path.clone());
            }
            let name = name.as_deref().ok_or_else(|| ModuleError::Folder { path: path.clone() })?;
            search(name, std::slice::from_ref(path))
        }
        ModuleLocation::Named(name) => {
            let folders: Vec<PathBuf> = FOLDERS.iter().map(PathBuf::from).collect();
            search(name, &folders)
        }
    }
}

fn search(name: &str, folders: &[PathBuf]) -> Result<PathBuf, ModuleError> {
    let found = folders.iter().find_map(|folder| search_folder(name, folder));
    found.ok_or_else(|| ModuleError::NotFound { name: name.to_owned(), folders: folders.to_vec() })
}

/// The module with this name in a folder; of several, the one with the shortest name: `p11.so` before `p11.so.1.2`.
fn search_folder(name: &str, folder: &Path) -> Option<PathBuf> {
    let entries = fs::read_dir(folder).ok()?;
    let candidates = entries.filter_map(|entry| {
        let file = entry.ok()?.file_name().into_string().ok()?;
        (is_module(name, &file) && folder.join(&file).is_file()).then_some(file)
    });
    let best = candidates.min_by_key(|file| (file.len(), file.clone()))?;
    Some(folder.join(best))
}

/// Whether a file is the module with this name: `p11`, `p11.so`, `libp11.so.1`, in any case; not `p11.la`.
fn is_module(name: &str, file: &str) -> bool {
    let (name, file) = (name.to_lowercase(), file.to_lowercase());
    let rest = file.strip_prefix(&name).or_else(|| file.strip_prefix("lib")?.strip_prefix(&name));
    rest.is_some_and(|rest| rest.is_empty() || ["so", "dylib", "dll"].iter().any(|suffix| is_suffix(rest, suffix)))
}

/// Whether `rest` is `.SUFFIX`, perhaps between version numbers.
fn is_suffix(rest: &str, suffix: &str) -> bool {
    let is_version = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let parts: Vec<&str> = rest.strip_prefix('.').unwrap_or_default().split('.').collect();
    parts.contains(&suffix) && parts.iter().all(|part| *part == suffix || is_version(part))
}

/// Why there is no module.
#[derive(Debug, thiserror::Error)]
pub enum ModuleError {
    /// No folder has a module of this name.
    #[error("no module named `{name}` was found in {}", paths(folders))]
    NotFound {
        /// The name that was looked for.
        name: String,
        /// Where it was looked for.
        folders: Vec<PathBuf>,
    },
    /// The path is a folder, and no name says which module in it.
    #[error("`module-path` `{}` is a folder: expected a file, or `module-name` to say which", path.display())]
    Folder {
        /// The path.
        path: PathBuf,
    },
    /// The file is not a module, or it does not work.
    #[error("the module `{}` cannot be used: {reason}", path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
        /// What the operating system or the module says.
        reason: String,
    },
    /// The module is not the one that was described.
    #[error("the module `{}`: expected `{attribute}` to be `{expected}`, found `{found}`", path.display())]
    Other {
        /// The file.
        path: PathBuf,
        /// What differs.
        attribute: &'static str,
        /// What the URI says.
        expected: String,
        /// What the module says.
        found: String,
    },
}

fn paths(folders: &[PathBuf]) -> String {
    let quoted: Vec<String> = folders.iter().map(|folder| format!("`{}`", folder.display())).collect();
    listed(&quoted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_are_told_from_other_files_by_their_names() {
        for file in [
            "softhsm2",
            "softhsm2.so",
            "libsofthsm2.so",
            "libsofthsm2.so.2",
            "LibSoftHSM2.DLL",
            "softhsm2.dylib",
            "libsofthsm2.2.dylib",
            "softhsm2.so.2.6.1",
        ] {
            assert!(is_module("SoftHSM2", file), "{file}");
        }
        for file in
            ["softhsm2.la", "softhsm2.a", "softhsm2.module", "softhsm22.so", "mysofthsm2.so", "softhsm2.", "lib", ""]
        {
            assert!(!is_module("SoftHSM2", file), "{file}");
        }
    }

    #[test]
    fn a_folder_is_searched_for_the_name() {
        let folder = tempfile::tempdir().expect("a folder");
        for file in ["libp11.so.1.2", "libp11.so.1", "libp11.la", "p12.so"] {
            fs::write(folder.path().join(file), "").expect("written");
        }
        fs::create_dir(folder.path().join("p11.so")).expect("a folder");
        let at =
            |name: Option<&str>| ModuleLocation::At { path: folder.path().to_owned(), name: name.map(str::to_owned) };
        assert_eq!(find(&at(Some("P11"))).expect("found"), folder.path().join("libp11.so.1"));
        assert!(matches!(find(&at(None)), Err(ModuleError::Folder { .. })));
        let Err(error @ ModuleError::NotFound { .. }) = find(&at(Some("p13"))) else { panic!("it is not there") };
        assert!(error.to_string().contains(&folder.path().display().to_string()), "{error}");
        let file = ModuleLocation::At { path: folder.path().join("p12.so"), name: Some("p11".to_owned()) };
        assert_eq!(find(&file).expect("found"), folder.path().join("p12.so"));
    }

    #[test]
    fn what_is_not_a_module_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("p11.so");
        fs::write(&path, "not a library").expect("written");
        for path in [path, folder.path().join("none.so")] {
            let loaded = Module::load(&ModuleLocation::At { path, name: None }, &Library::default());
            assert!(matches!(loaded, Err(ModuleError::Unusable { .. })));
        }
    }
}
