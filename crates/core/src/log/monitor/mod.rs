//! Watching logs: what is new in a log since the last time, whether it is still the same log, and who is named in it.
//!
//! Nothing here asks a log or keeps a file: a source gives the bytes, [`LogState`] is what to keep until the next time.
//! Everything that a source gives is held against a checkpoint that the log signed, and that against the one before: an
//! entry can't be invented, left out, or taken back without a word.

mod api;
mod expected;
mod follow;
mod state;
mod tiled;
mod watch;

#[cfg(test)]
mod tests;

pub use api::{ApiEntry, ApiLog, MAX_ENTRIES_ASKED, follow_api};
pub use expected::{ExpectedEntries, InvalidExpectedEntries, MAX_EXPECTED_BYTES};
pub use follow::{Finding, FollowError, FollowedLog, Inconsistency, Round, Since};
pub use state::{InvalidLogState, LogState, MAX_STATE_BYTES, SeenTree};
pub use tiled::{TiledLog, follow_tiles};
pub use watch::{Sighting, Watch};
