//! What an instance consists of, and how each part says that it refuses.

use serde_json::json;

use crate::http::Response;

/// A part of an instance, with a port of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Service {
    /// The OpenID Connect issuer.
    Oidc,
    /// The certificate authority.
    Fulcio,
    /// The transparency log with version 1 of the interface.
    RekorV1,
    /// The transparency log made of tiles, with version 2.
    RekorV2,
    /// The timestamp authority (RFC 3161).
    Timestamps,
}

impl Service {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Oidc, Self::Fulcio, Self::RekorV1, Self::RekorV2, Self::Timestamps];

    /// An error in the form in which the real service has it.
    pub(crate) fn error(self, status: u16, message: &str) -> Response {
        let body = match self {
            Self::Oidc => json!({ "error": oauth_error(status), "error_description": message }),
            Self::Fulcio | Self::RekorV2 => {
                json!({ "code": grpc_code(status), "message": message, "details": [] })
            }
            Self::RekorV1 | Self::Timestamps => json!({ "code": status, "message": message }),
        };
        Response::json(status, &body)
    }
}

/// The code that grpc-gateway turns into this status.
fn grpc_code(status: u16) -> u8 {
    match status {
        400 => 3,
        401 => 16,
        403 => 7,
        404 => 5,
        409 => 6,
        429 => 8,
        501 => 12,
        503 => 14,
        504 => 4,
        500..=599 => 13,
        _ => 2,
    }
}

/// RFC 6749 §5.2.
fn oauth_error(status: u16) -> &'static str {
    match status {
        401 => "invalid_client",
        403 => "access_denied",
        400..=499 => "invalid_request",
        503 => "temporarily_unavailable",
        _ => "server_error",
    }
}
