//! The formats around the manifest: in-toto statement, DSSE envelope, Sigstore bundle (OMS §4, §6.6 to §6.8).
//!
//! The JSON shapes are private; each is parsed once into a domain type that can't be wrong.

mod bundle;
mod json;
mod log_entry;
mod pae;
mod statement;

pub(crate) use bundle::artifact_bundle;
pub use bundle::{Bundle, InvalidBundle, MAX_BUNDLE_BYTES, Material, ReadBundleError};
pub use json::InvalidJson;
pub(crate) use json::{Object, parse_object, require_unique_members};
pub use log_entry::LogEntryRecord;
pub(crate) use pae::{PAYLOAD_TYPE, pae, pae_prefix};
pub use statement::{FormatVersion, InvalidStatement, Statement};
