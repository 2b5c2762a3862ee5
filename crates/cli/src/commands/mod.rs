//! The commands: folders and files are the command tree.

pub(crate) mod completions;
pub(crate) mod digest;
pub(crate) mod inspect;
pub(crate) mod keygen;
pub(crate) mod monitor;
pub(crate) mod provenance;
pub(crate) mod quickstart;
pub(crate) mod sign;
pub(crate) mod trust;
pub(crate) mod verify;
pub(crate) mod vsa;

use clap::error::{ContextKind, ContextValue, ErrorKind};

/// Whether `word` is a method of `verb`, which is `sign` or `verify`.
pub(crate) fn is_method(verb: &str, word: &str) -> bool {
    match verb {
        "sign" => sign::is_method(word),
        _ => verify::is_method(word),
    }
}

/// What to add to clap's account of a wrong command line.
pub(crate) fn usage_hint(error: &clap::Error) -> Option<String> {
    if error.kind() != ErrorKind::UnknownArgument {
        return None;
    }
    // Where no method is named `sigstore` is meant, and the option or the word may be another's.
    let Some(ContextValue::StyledStr(usage)) = error.get(ContextKind::Usage) else { return None };
    let usage = usage.to_string();
    let words: Vec<&str> = usage.split_whitespace().collect();
    let verb = words.windows(2).find(|pair| pair[1] == "sigstore").map(|pair| pair[0])?;
    Some(format!(
        "this is `{verb} sigstore`; for a key of your own name the method: `model-signing {verb} key MODEL_PATH …`"
    ))
}
