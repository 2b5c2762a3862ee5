//! The services, each of which answers requests and lies if it is told to.

pub(crate) mod fulcio;
pub(crate) mod oidc;
pub(crate) mod principal;
pub(crate) mod rekor_v1;
pub(crate) mod rekor_v2;
pub(crate) mod sct;
pub(crate) mod timestamps;
