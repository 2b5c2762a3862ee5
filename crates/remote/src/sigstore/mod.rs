//! A Sigstore instance's services: certificates for a moment (Fulcio), and logs of signatures (Rekor).
//!
//! What comes back is converted here and believed nowhere: the whole bundle is verified once it stands.

mod fulcio;
mod rekor;
mod rekor_search;
mod rekor_v1;
mod rekor_v2;
mod signer;

pub use fulcio::Fulcio;
pub use rekor::{Rekor, RekorVersion};
pub use rekor_search::RekorSearch;
pub use signer::{NoToken, SigstoreSigner, TokenSource};
