//! Whatever leaves the process: services on the network, keys in devices.
//!
//! `model-transparency` defines the seams and checks whatever comes back; what is here implements them. Nothing here
//! prints, asks or decides what a signature is worth.
//!
//! | to | see | feature |
//! |---|---|---|
//! | have a signature dated by an RFC 3161 authority | [`timestamp::HttpTimestamper`] | `http` |
//! | sign as who somebody is, with a certificate of a Sigstore instance | [`sigstore::SigstoreSigner`] | `http` |
//! | have a signature made public by a transparency log | [`sigstore::Rekor`] | `http` |
//! | find the entries of a signature in a transparency log | [`sigstore::RekorSearch`] | `http` |
//! | read a transparency log | [`log_reader::LogReader`] | `http` |
//! | get a token of an identity, for Sigstore | [`oidc::ambient`], [`oidc::Login`], [`oidc::IdentityToken`] | `http` |
//! | learn whom a Sigstore instance trusts | [`tuf::Publication::fetch`] | `http` |
//! | sign with a key in a PKCS#11 token | [`pkcs11::Token::open`], then [`pkcs11::Token::into_key`] | `pkcs11` |

#[cfg(feature = "http")]
mod endpoint;
#[cfg(feature = "http")]
mod http;
#[cfg(feature = "http")]
pub mod log_reader;
#[cfg(feature = "http")]
pub mod oidc;
#[cfg(feature = "pkcs11")]
pub mod pkcs11;
#[cfg(feature = "http")]
mod rekor_entries;
#[cfg(feature = "http")]
pub mod sigstore;
#[cfg(all(test, feature = "http"))]
mod testing;
#[cfg(feature = "http")]
pub mod timestamp;

#[cfg(feature = "http")]
pub use endpoint::InvalidEndpoint;
#[cfg(feature = "http")]
pub mod tuf;
