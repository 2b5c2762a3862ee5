//! What is refused before it is parsed: the parser sorts each SET, in time that grows with the square of its members.

/// The most members of a SET. Attributes of a CMS signature are the largest that there are, some ten.
const MAX_MEMBERS: usize = 256;
const MAX_DEPTH: usize = 32;

const SET: u8 = 0x31;
const CONSTRUCTED: u8 = 0x20;
const CONTEXT_SPECIFIC: u8 = 0x80;
const CLASS: u8 = 0xc0;

/// Which values can be sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sets {
    /// Those with the tag of one.
    Tagged,
    /// Those with a tag of their own (`[0] IMPLICIT`), too.
    Implicit,
}

/// Whether `der` is well nested and no set in it has more members than are sorted.
pub(crate) fn has_small_sets(der: &[u8], sets: Sets) -> bool {
    members(der, sets, MAX_DEPTH).is_some()
}

/// The number of values in `der`, one after the other.
fn members(mut der: &[u8], sets: Sets, depth: usize) -> Option<usize> {
    let mut count = 0;
    while !der.is_empty() {
        let (tag, content, rest) = first(der)?;
        if tag & CONSTRUCTED != 0 {
            let inner = members(content, sets, depth.checked_sub(1)?)?;
            let is_set = tag == SET || (sets == Sets::Implicit && tag & CLASS == CONTEXT_SPECIFIC);
            if is_set && inner > MAX_MEMBERS {
                return None;
            }
        }
        count += 1;
        der = rest;
    }
    Some(count)
}

/// The tag and the content of the first value, and what comes after it.
fn first(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = der.split_first()?;
    let (&short, rest) = rest.split_first()?;
    let (length, rest) = match short {
        0..=0x7f => (usize::from(short), rest),
        // At most four bytes of length: more is larger than anything that is read.
        0x81..=0x84 => {
            let (bytes, rest) = rest.split_at_checked(usize::from(short & 0x7f))?;
            (bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)), rest)
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((tag, content, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A value with this tag.
    fn value(tag: u8, content: &[u8]) -> Vec<u8> {
        let length = u16::try_from(content.len()).expect("short").to_be_bytes();
        [&[tag, 0x82], &length[..], content].concat()
    }

    #[test]
    fn sets_are_small_wherever_they_are() {
        let many = b"\x05\0".repeat(MAX_MEMBERS + 1);
        let few = b"\x05\0".repeat(MAX_MEMBERS);
        for sets in [Sets::Tagged, Sets::Implicit] {
            assert!(has_small_sets(&value(0x30, &many), sets), "a sequence may be long");
            assert!(has_small_sets(&value(0x30, &value(SET, &few)), sets));
            assert!(!has_small_sets(&value(0x30, &value(0x30, &value(SET, &many))), sets));
        }
        assert!(has_small_sets(&value(0xa0, &many), Sets::Tagged));
        assert!(!has_small_sets(&value(0xa0, &many), Sets::Implicit));
    }

    #[test]
    fn what_is_not_well_nested_is_refused() {
        let mut deep = value(0x05, b"");
        for _ in 0..MAX_DEPTH {
            deep = value(0x30, &deep);
        }
        assert!(has_small_sets(&deep, Sets::Tagged));
        assert!(!has_small_sets(&value(0x30, &deep), Sets::Tagged));
        for broken in [&b"\x30"[..], b"\x30\x01", b"\x30\x80\0\0", b"\x30\x85\0\0\0\0\0", b"\x04\x84\xff\xff\xff\xff"] {
            assert!(!has_small_sets(broken, Sets::Tagged), "{broken:?}");
        }
    }
}
