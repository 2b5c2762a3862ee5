//! Values as protobuf's JSON writes them.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::de::{Deserialize, Deserializer, Error, Visitor};

/// Bytes in Base64.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Bytes(pub(super) Vec<u8>);

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        STANDARD.decode(text).map(Self).map_err(|error| D::Error::custom(format_args!("expected Base64: {error}")))
    }
}

/// A number that is not negative, written as one or as a text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Int64(pub(super) u64);

impl<'de> Deserialize<'de> for Int64 {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NumberVisitor;

        impl Visitor<'_> for NumberVisitor {
            type Value = Int64;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number that is not negative")
            }

            fn visit_u64<E: Error>(self, number: u64) -> Result<Int64, E> {
                let is_small = i64::try_from(number).is_ok();
                is_small.then_some(Int64(number)).ok_or_else(|| E::custom("the number is too large"))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Int64, E> {
                let is_plain = text.bytes().all(|byte| byte.is_ascii_digit());
                let number = text.parse().ok().filter(|_| is_plain);
                self.visit_u64(number.ok_or_else(|| E::custom("expected a number that is not negative"))?)
            }
        }

        deserializer.deserialize_any(NumberVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_bytes_are_read_in_one_way() {
        let number = |text: &str| serde_json::from_str::<Int64>(text).map(|number| number.0).ok();
        assert_eq!(number("7"), Some(7));
        assert_eq!(number("\"7\""), Some(7));
        assert_eq!(number("9223372036854775807"), Some(i64::MAX as u64));
        for bad in ["-1", "\"-1\"", "\"+1\"", "\"\"", "9223372036854775808", "1.5", "null", "\" 1\""] {
            assert_eq!(number(bad), None, "{bad}");
        }
        assert_eq!(serde_json::from_str::<Bytes>("\"AQI=\"").expect("Base64"), Bytes(vec![1, 2]));
        serde_json::from_str::<Bytes>("\"AQI\"").expect_err("no padding");
    }
}
