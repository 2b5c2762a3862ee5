//! The commands: folders and files are the command tree.

pub(crate) mod completions;
pub(crate) mod digest;
pub(crate) mod inspect;
pub(crate) mod keygen;
pub(crate) mod quickstart;
pub(crate) mod sign;
pub(crate) mod verify;

use clap::error::{ContextKind, ContextValue, ErrorKind};

/// What to add to clap's account of a wrong command line.
pub(crate) fn usage_hint(error: &clap::Error) -> Option<String> {
    if error.kind() != ErrorKind::InvalidSubcommand {
        return None;
    }
    // `sign MODEL` means keyless signing in other tools; here the method has to be said.
    let Some(ContextValue::StyledStr(usage)) = error.get(ContextKind::Usage) else { return None };
    let usage = usage.to_string();
    let verb = usage.split_whitespace().find(|word| matches!(*word, "sign" | "verify"))?;
    Some(format!("name the method: `model-signing {verb} key MODEL_PATH …`"))
}
