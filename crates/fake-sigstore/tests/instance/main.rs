//! The fake Sigstore instance against `sigstore-verify`: what it makes is verified, and none of its lies is.

mod client;
mod signing;
