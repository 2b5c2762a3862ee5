//! A whole Sigstore instance in one process, for tests: an OpenID Connect issuer, Fulcio with its certificate
//! transparency log, Rekor in both versions, a timestamp authority, and the configuration that makes clients use them.
//!
//! Everything is spoken over plain HTTP on the loopback interface, each service on a port of its own, and is what a
//! client of the real one takes and verifies. It checks what it gets as the real one does, counts its requests, and
//! misbehaves when it is told to: [`Fault`] is about connections, [`Lie`] about what is said.
//!
//! ```
//! use fake_sigstore::{Claims, Instance, Lie, Service, SigningConfig};
//!
//! let sigstore = Instance::start();
//! let token = sigstore.token(&Claims::email("signer@example.com"));
//! let config = sigstore.trust_config_json(&SigningConfig::default());
//! // A client signs with the token and the configuration.
//! # let _ = (token, config);
//! assert_eq!(sigstore.requests(Service::Fulcio), 0);
//! sigstore.lie(Service::Fulcio, Lie::SctOfAnotherKey);
//! ```
//!
//! It knows nothing of what it tests. Nothing here is secure: a token of whichever issuer is believed if this instance
//! signed it.

mod attestation;
mod certificate;
mod checkpoint;
mod claims;
mod client_key;
mod config;
mod desk;
mod encoding;
mod http;
mod instance;
mod key;
mod log_entry;
mod merkle;
mod service;
mod services;

pub use attestation::{Attester, Identity, bundled};
pub use claims::Claims;
pub use config::{Logs, Selector, SigningConfig};
pub use desk::{Fault, Lie, Seen};
pub use instance::{Instance, Options};
pub use key::KeyKind;
pub use service::Service;
