//! Identity tokens: who signs with Sigstore, as an OpenID Connect issuer has it.
//!
//! [`IdentityToken::parse`] reads a token that was given. Its signature is not looked at: that is for the certificate
//! authority, which gets it. Environment, clock, browser and terminal are the caller's.

#[cfg(test)]
mod testing;
mod token;

pub use token::{IdentityToken, InvalidToken};

/// The audience of tokens for Sigstore, and the name of those who ask its issuer for one.
pub const AUDIENCE: &str = "sigstore";
