//! Identity tokens: who signs with Sigstore, as an OpenID Connect issuer has it.
//!
//! [`ambient`] asks the continuous integration or the cloud that the process runs in, [`Login`] the person before it;
//! [`IdentityToken::parse`] reads a token that was given. Its signature is not looked at: that is for the certificate
//! authority, which gets it. Environment, clock, browser and terminal are the caller's.

mod ambient;
mod login;
#[cfg(test)]
mod testing;
mod token;

use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

pub use ambient::{AmbientError, Provider, Surroundings, ambient};
pub use login::{Login, LoginError, Opened, Prompt, Way};
pub use token::{IdentityToken, InvalidToken, without_tokens};

/// The audience of tokens for Sigstore, and the name of those who ask its issuer for one.
pub const AUDIENCE: &str = "sigstore";

/// The size of answers that have a token in them.
const MAX_ANSWER_BYTES: usize = 256 << 10;

/// What an answer with a secret says. Unlike others it is not quoted where it is not as expected.
fn read_secret<T: DeserializeOwned>(answer: Vec<u8>, expected: &'static str) -> Result<T, String> {
    let answer = Zeroizing::new(answer);
    serde_json::from_slice(&answer).map_err(|_| format!("gave an answer that is not as expected: expected {expected}"))
}
