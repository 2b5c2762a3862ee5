//! Distinguished names: whether two are the same (RFC 5280 §7.1).

use x509_cert::attr::AttributeTypeAndValue;
use x509_cert::der::asn1::Any;
use x509_cert::der::{Tag, Tagged};
use x509_cert::name::{Name, RelativeDistinguishedName};

/// Whether two names are the same.
pub(super) fn names_match(a: &Name, b: &Name) -> bool {
    a.0.len() == b.0.len() && starts_with(a, b)
}

/// Whether `name` lies in the subtree of `base`: begins with all of it (RFC 5280 §4.2.1.10).
pub(super) fn starts_with(name: &Name, base: &Name) -> bool {
    base.0.len() <= name.0.len() && base.0.iter().zip(&name.0).all(|(a, b)| parts_match(a, b))
}

fn parts_match(a: &RelativeDistinguishedName, b: &RelativeDistinguishedName) -> bool {
    let within = |a: &RelativeDistinguishedName, b: &RelativeDistinguishedName| {
        a.0.iter().all(|one| b.0.iter().any(|other| attributes_match(one, other)))
    };
    a.0.len() == b.0.len() && within(a, b) && within(b, a)
}

fn attributes_match(a: &AttributeTypeAndValue, b: &AttributeTypeAndValue) -> bool {
    a.oid == b.oid
        && (a.value == b.value
            || match (text(&a.value), text(&b.value)) {
                (Some(a), Some(b)) => normalized(&a) == normalized(&b),
                _ => false,
            })
}

/// The text of a value, if it is one.
pub(super) fn text(value: &Any) -> Option<String> {
    let bytes = value.value();
    match value.tag() {
        Tag::Utf8String | Tag::PrintableString | Tag::Ia5String => String::from_utf8(bytes.to_vec()).ok(),
        Tag::TeletexString => Some(bytes.iter().map(|byte| char::from(*byte)).collect()),
        Tag::BmpString if bytes.len().is_multiple_of(2) => {
            let units: Vec<u16> = bytes.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]])).collect();
            String::from_utf16(&units).ok()
        }
        _ => None,
    }
}

/// Case and the amount of white space make no difference.
fn normalized(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase()
}

#[cfg(test)]
mod tests {
    use std::str::FromStr;

    use super::*;

    fn name(text: &str) -> Name {
        Name::from_str(text).expect("a name")
    }

    #[test]
    fn case_and_space_make_no_difference_and_order_does() {
        assert!(names_match(&name("CN=An  example,O=Acme"), &name("CN=an Example,O=ACME")));
        assert!(!names_match(&name("CN=a,O=b"), &name("O=b,CN=a")));
        assert!(!names_match(&name("CN=a"), &name("OU=a")));
        assert!(!names_match(&name("CN=a b"), &name("CN=ab")));
    }

    #[test]
    fn a_subtree_is_a_beginning() {
        assert!(starts_with(&name("CN=leaf,O=Acme,C=US"), &name("O=acme,C=US")));
        assert!(!starts_with(&name("O=Acme,C=US"), &name("CN=leaf,O=Acme,C=US")));
        assert!(!starts_with(&name("CN=leaf,O=Acme,C=US"), &name("CN=leaf")));
    }
}
