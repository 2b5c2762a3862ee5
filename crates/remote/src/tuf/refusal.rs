//! What an updater found wrong, for people: what was expected, and what was found.

use sigstore_tuf::Error;

use super::{FetchError, TufRepository};
use crate::http::chain;

pub(super) fn of(error: &Error, repository: &TufRepository) -> FetchError {
    let repository = repository.to_string();
    match error {
        Error::Transport { message, .. } => FetchError::NotFetched { repository, reason: lost(message) },
        Error::Io { .. } => FetchError::NotFetched { repository, reason: format!("was not asked: {}", chain(error)) },
        _ => FetchError::Refused { repository, reason: reason(error) },
    }
}

/// Why the metadata is not believed.
pub(super) fn reason(error: &Error) -> String {
    match error {
        Error::Rollback { role, trusted, new } => {
            format!("{role}: expected version {trusted} or later, found {new}, which is older than what is known")
        }
        Error::Expired { role, expires } => {
            format!("{role}: expected metadata that is valid now, found some that expired at {expires}")
        }
        Error::ThresholdNotMet { role, found, threshold } => {
            format!("{role}: expected {threshold} valid signatures, found {found}")
        }
        Error::BadRootVersion { trusted, new } => format!("root: expected version {}, found {new}", trusted + 1),
        Error::TargetNotFound(name) => format!("targets: expected `{name}`, found no such file listed"),
        Error::Transport { message, .. } => lost(message),
        _ => chain(error),
    }
}

/// The updater's account of a missing file reads on from the name of what it is missing in.
fn lost(message: &str) -> String {
    match message.strip_suffix(" not found") {
        Some(name) => format!("has no `{}`", name.trim_start_matches("target ")),
        None => message.to_owned(),
    }
}
