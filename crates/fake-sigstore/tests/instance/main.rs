//! The fake Sigstore instance against `sigstore-verify`: what it makes is verified, and none of its lies is.

mod client;
mod faults;
mod fulcio;
mod lies;
mod oidc;
mod reading;
mod signing;
