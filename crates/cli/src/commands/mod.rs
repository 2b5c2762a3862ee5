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
    let subcommand_missing = match error.kind() {
        ErrorKind::InvalidSubcommand => error.get(ContextKind::InvalidSubcommand).is_some(),
        _ => return None,
    };
    // `sign MODEL` means keyless signing in other tools; here the method has to be said.
    let usage = match error.get(ContextKind::Usage) {
        Some(ContextValue::StyledStr(usage)) => usage.to_string(),
        _ => return None,
    };
    let verb = ["sign", "verify"].into_iter().find(|verb| usage.contains(&format!("model-signing {verb}")))?;
    subcommand_missing.then(|| format!("name the method: `model-signing {verb} key MODEL_PATH …`"))
}
