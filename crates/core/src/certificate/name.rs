//! Distinguished names: whether two are the same (RFC 5280 §7.1).

use x509_cert::der::asn1::{Any, ObjectIdentifier};
use x509_cert::der::{Tag, Tagged};
use x509_cert::name::Name;

/// A name in the form in which names are compared: made once, since a search for a path compares many.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct NormalName(Vec<Part>);

/// The attributes of one level, in an order that says nothing.
type Part = Vec<(ObjectIdentifier, Value)>;

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Value {
    /// A text in any of the encodings of texts: case and the amount of white space make no difference.
    Text(String),
    Other(Tag, Vec<u8>),
}

impl NormalName {
    pub(super) fn of(name: &Name) -> Self {
        let value = |value: &Any| match text(value) {
            Some(text) => Value::Text(text.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase()),
            None => Value::Other(value.tag(), value.value().to_vec()),
        };
        let parts = name.0.iter().map(|part| {
            let mut part: Part = part.0.iter().map(|attribute| (attribute.oid, value(&attribute.value))).collect();
            part.sort_unstable();
            part
        });
        Self(parts.collect())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the name lies in the subtree of `base`: begins with all of it (RFC 5280 §4.2.1.10).
    pub(super) fn starts_with(&self, base: &Self) -> bool {
        self.0.starts_with(&base.0)
    }
}

/// The text of a value, if it is one.
pub(super) fn text(value: &Any) -> Option<String> {
    let bytes = value.value();
    match value.tag() {
        Tag::Utf8String | Tag::PrintableString | Tag::Ia5String | Tag::VisibleString | Tag::NumericString => {
            String::from_utf8(bytes.to_vec()).ok()
        }
        Tag::TeletexString => Some(bytes.iter().map(|byte| char::from(*byte)).collect()),
        Tag::BmpString if bytes.len().is_multiple_of(2) => {
            let units: Vec<u16> = bytes.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]])).collect();
            String::from_utf16(&units).ok()
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::str::FromStr;

    use super::*;

    fn name(text: &str) -> NormalName {
        NormalName::of(&Name::from_str(text).expect("a name"))
    }

    #[test]
    fn case_and_space_make_no_difference_and_order_does() {
        assert!(name("CN=An  example,O=Acme") == name("CN=an Example,O=ACME"));
        assert!(name("CN=a+O=b") == name("O=b+CN=a"));
        for (a, b) in [("CN=a,O=b", "O=b,CN=a"), ("CN=a", "OU=a"), ("CN=a b", "CN=ab"), ("CN=a", "CN=a+O=b")] {
            assert!(name(a) != name(b), "{a} and {b}");
        }
    }

    #[test]
    fn a_subtree_is_a_beginning() {
        assert!(name("CN=leaf,O=Acme,C=US").starts_with(&name("O=acme,C=US")));
        assert!(!name("O=Acme,C=US").starts_with(&name("CN=leaf,O=Acme,C=US")));
        assert!(!name("CN=leaf,O=Acme,C=US").starts_with(&name("CN=leaf")));
    }
}
