//! Trust as values: what a verdict rests on.

use crate::key::PublicKey;

/// What is trusted to have signed a model.
#[derive(Clone, Copy, Debug)]
pub enum Trust<'a> {
    /// A public key, because the user gave it.
    Key(&'a PublicKey),
}

impl Trust<'_> {
    /// The signing method that this trust is for.
    #[must_use]
    pub const fn method(&self) -> &'static str {
        match self {
            Self::Key(_) => "key",
        }
    }
}
