//! OpenSSF Model Signing (OMS) v1.0: the format, signing and verification.
//!
//! Nothing in this crate uses the network, the environment, the clock or the terminal. Trust is an argument, and
//! [`verify`] is a function of (model, bundle, trust).
//!
//! | to | see |
//! |---|---|
//! | list a model's files | [`model::LocalModel`] |
//! | hash them | [`manifest::Manifest::of`] |
//! | sign | [`sign::sign_model`] with a [`sign::Signer`] |
//! | verify | [`verify::check_signature`], then [`verify::Verified::statement`], then [`verify::compare`] |

pub mod certificate;
mod compat;
pub mod envelope;
pub mod format;
pub mod key;
pub mod log;
pub mod manifest;
pub mod model;
pub mod output;
pub mod provenance;
pub mod receipt;
pub mod sign;
pub mod sigstore;
pub mod timestamp;
pub mod trust;
pub mod verify;

pub use model_hash as hash;
