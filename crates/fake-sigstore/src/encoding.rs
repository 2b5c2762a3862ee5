//! How bytes, times and JSON are written.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::Value;

pub(crate) fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

pub(crate) fn from_base64(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text).ok()
}

/// Without padding, as in a JSON Web Token (RFC 7515 §2).
pub(crate) fn base64_url(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

pub(crate) fn from_base64_url(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    base16ct::lower::encode_string(bytes)
}

pub(crate) fn from_hex(text: &str) -> Option<Vec<u8>> {
    base16ct::mixed::decode_vec(text).ok()
}

pub(crate) fn certificate_pem(der: &[u8]) -> String {
    pem("CERTIFICATE", der)
}

pub(crate) fn public_key_pem(spki: &[u8]) -> String {
    pem("PUBLIC KEY", spki)
}

fn pem(label: &str, der: &[u8]) -> String {
    let config = pem::EncodeConfig::new().set_line_ending(pem::LineEnding::LF);
    pem::encode_config(&pem::Pem::new(label, der), config)
}

/// A time in seconds since 1970, as protobuf writes it in JSON.
pub(crate) fn rfc3339(seconds: i64) -> String {
    date_time(seconds).to_string()
}

/// # Panics
/// For a time before 1970 or after 9999.
pub(crate) fn date_time(seconds: i64) -> der::DateTime {
    let seconds = u64::try_from(seconds).expect("a time after 1970");
    der::DateTime::from_unix_duration(std::time::Duration::from_secs(seconds)).expect("a time before the year 10000")
}

/// JSON as RFC 8785 has it. No number is anything but an integer.
///
/// Not `serde_json`'s own order, which another crate of the build can change.
pub(crate) fn canonical(value: &Value) -> String {
    let list = |items: Vec<String>| items.join(",");
    match value {
        Value::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            members.sort_by_cached_key(|(name, _)| name.encode_utf16().collect::<Vec<_>>());
            let member =
                |(name, value): (&String, &Value)| format!("{}:{}", Value::String(name.clone()), canonical(value));
            format!("{{{}}}", list(members.into_iter().map(member).collect()))
        }
        Value::Array(items) => format!("[{}]", list(items.iter().map(canonical).collect())),
        scalar => scalar.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn canonical_json_sorts_members_at_every_depth() {
        let value = serde_json::json!({ "b": [{ "z": 1, "y": null }], "B": "\u{1}\n/é", "a": {} });
        assert_eq!(canonical(&value), "{\"B\":\"\\u0001\\n/é\",\"a\":{},\"b\":[{\"y\":null,\"z\":1}]}");
    }
}
