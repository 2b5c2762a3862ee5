//! Where programs keep their state (XDG Base Directory, or Windows').

use std::env;
use std::ffi::OsString;
use std::path::PathBuf;

use crate::failure::Failure;

/// The folder for state of this kind.
pub(crate) fn folder(kind: &str) -> Result<PathBuf, Failure> {
    let absolute = |path: OsString| Some(PathBuf::from(path)).filter(|path| path.is_absolute());
    let state = env::var_os("XDG_STATE_HOME").and_then(absolute);
    let local = || env::var_os("LOCALAPPDATA").filter(|_| cfg!(windows)).and_then(absolute);
    let home = || env::var_os("HOME").and_then(absolute).map(|home| home.join(".local/state"));
    let base = state
        .or_else(local)
        .or_else(home)
        .ok_or_else(|| Failure::usage("there is no folder to keep state in: neither XDG_STATE_HOME nor HOME is set"))?;
    Ok(base.join("model-signing").join(kind))
}
