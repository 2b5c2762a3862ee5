//! Tokens of nobody.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use model_transparency::certificate::UnixTime;
use serde_json::{Value, json};

use super::AUDIENCE;

pub(super) const NOW: UnixTime = UnixTime(1_800_000_000);

/// Claims that are in order, with `changes`.
pub(super) fn claims(changes: Value) -> Value {
    let mut claims = json!({
        "iss": "https://issuer.example",
        "sub": "subject",
        "aud": AUDIENCE,
        "iat": NOW.0 - 10,
        "nbf": NOW.0 - 10,
        "exp": NOW.0 + 600,
    });
    if let (Some(claims), Value::Object(changes)) = (claims.as_object_mut(), changes) {
        claims.extend(changes);
    }
    claims
}

/// A token that says so. Its signature is none.
pub(super) fn token(claims: &Value) -> String {
    let part = |value: &str| URL_SAFE_NO_PAD.encode(value);
    format!("{}.{}.{}", part(r#"{"alg":"ES256"}"#), part(&claims.to_string()), part("signature"))
}
