//! Flax's trees of arrays, as `flax.serialization` writes them: MessagePack, with kinds of value of its own for arrays.
//!
//! MessagePack has no magic bytes. A file counts if it is one map from texts, whole to its last byte, of nothing but what
//! Flax writes, with an array in it; one that is cut counts from its first array on.

use std::collections::BTreeSet;

use super::bytes::{Bytes, Stop};
use super::cursor::{Cursor, shown, unless_malformed, until};
use super::{Format, Recognition};

/// Deeper than any tree of parameters.
const MOST_NESTED: usize = 128;
/// The longest name.
const MOST_NAME_BYTES: usize = 4096;
/// More kinds of numbers than there are.
const MOST_TYPES: usize = 64;

/// Flax's kinds of value.
const ARRAY: u8 = 1;
const COMPLEX: u8 = 2;
const SCALAR: u8 = 3;

/// Reads the whole tree but what is in the arrays.
pub(super) fn read(bytes: &Bytes) -> Result<Option<Recognition>, Stop> {
    if !matches!(bytes.head(1)?.first(), Some(0x81..=0x8f | 0xde | 0xdf)) {
        return Ok(None);
    }
    let mut tree = Tree { cursor: Cursor::new(bytes, 0), types: BTreeSet::new(), arrays: 0, is_foreign: false };
    let outcome = tree.read();
    if tree.arrays == 0 || tree.is_foreign {
        unless_malformed(outcome)?;
        return Ok(None);
    }
    let mut found = Recognition { format: Some(Format::FlaxMsgpack), ..Recognition::default() };
    found.details.push(("arrays", tree.arrays.to_string()));
    found.details.push(("types", tree.types.into_iter().collect::<Vec<_>>().join(", ")));
    until(found, outcome)
}

struct Tree<'a> {
    cursor: Cursor<'a>,
    types: BTreeSet<String>,
    arrays: u64,
    /// It has what Flax does not write.
    is_foreign: bool,
}

/// A collection that is not at its end: how many values are left, and whether names stand before them.
struct Open {
    left: u64,
    is_map: bool,
}

impl Tree<'_> {
    fn read(&mut self) -> Result<(), Stop> {
        let mut open: Vec<Open> = Vec::new();
        loop {
            if let Some(begun) = self.value()? {
                if open.len() == MOST_NESTED {
                    return Err(Stop::malformed(format!("values are nested more than {MOST_NESTED} deep")));
                }
                open.push(begun);
            }
            while open.last().is_some_and(|collection| collection.left == 0) {
                open.pop();
            }
            let Some(collection) = open.last_mut() else { break };
            collection.left -= 1;
            if collection.is_map {
                self.name()?;
            }
        }
        if !self.cursor.at_end() {
            let end = self.cursor.position();
            return Err(Stop::malformed(format!("the tree ends at {end}, and the file goes on")));
        }
        Ok(())
    }

    fn value(&mut self) -> Result<Option<Open>, Stop> {
        let first = self.cursor.byte()?;
        let fixed = match first {
            0x00..=0x7f | 0xc0 | 0xc2 | 0xc3 | 0xe0..=0xff => 0,
            0x80..=0x8f => return Ok(Some(Open { left: u64::from(first & 15), is_map: true })),
            0xde | 0xdf => return Ok(Some(Open { left: self.length(first - 0xdd)?, is_map: true })),
            0x90..=0x9f => return Ok(Some(Open { left: u64::from(first & 15), is_map: false })),
            0xdc | 0xdd => return Ok(Some(Open { left: self.length(first - 0xdb)?, is_map: false })),
            0xa0..=0xbf => u64::from(first & 31),
            0xc4..=0xc6 => self.length(first - 0xc4)?,
            0xd9..=0xdb => self.length(first - 0xd9)?,
            0xcc | 0xd0 => 1,
            0xcd | 0xd1 => 2,
            0xca | 0xce | 0xd2 => 4,
            0xcb | 0xcf | 0xd3 => 8,
            0xd4..=0xd8 => return self.extension(1 << (first - 0xd4)),
            0xc7..=0xc9 => {
                let length = self.length(first - 0xc7)?;
                return self.extension(length);
            }
            0xc1 => return Err(self.foreign("a byte that MessagePack does not use")),
        };
        self.cursor.skip(fixed)?;
        Ok(None)
    }

    fn extension(&mut self, length: u64) -> Result<Option<Open>, Stop> {
        let kind = self.cursor.byte()?;
        let start = self.cursor.position();
        match kind {
            ARRAY | SCALAR => self.array(length)?,
            COMPLEX => {}
            _ => return Err(self.foreign("a kind of value that Flax does not have")),
        }
        self.cursor.seek(start);
        self.cursor.skip(length)?;
        Ok(None)
    }

    /// An array is a shape, the name of a type, and bytes.
    fn array(&mut self, length: u64) -> Result<(), Stop> {
        let start = self.cursor.position();
        if self.cursor.byte()? != 0x93 {
            return Err(self.foreign("an array without shape, type and bytes"));
        }
        match self.value()? {
            Some(Open { left, is_map: false }) if left <= 64 => {
                for _ in 0..left {
                    if self.value()?.is_some() {
                        return Err(self.foreign("a shape that is not of numbers"));
                    }
                }
            }
            _ => return Err(self.foreign("a shape that is not a list")),
        }
        let name = self.text()?;
        let first = self.cursor.byte()?;
        let size = match first {
            0xc4..=0xc6 => self.length(first - 0xc4)?,
            _ => return Err(self.foreign("an array without bytes")),
        };
        // From here on it is Flax's, even if it is cut.
        self.arrays += 1;
        if self.types.len() < MOST_TYPES {
            self.types.insert(shown(&name));
        }
        let end = self.cursor.position().checked_add(size);
        if end != start.checked_add(length) {
            return Err(Stop::malformed(format!("the array at {start} is not as long as what it is in")));
        }
        Ok(())
    }

    fn name(&mut self) -> Result<(), Stop> {
        self.text().map(drop)
    }

    fn text(&mut self) -> Result<Vec<u8>, Stop> {
        let first = self.cursor.byte()?;
        let length = match first {
            0xa0..=0xbf => u64::from(first & 31),
            0xd9..=0xdb => self.length(first - 0xd9)?,
            _ => return Err(self.foreign("a name that is not a text")),
        };
        self.cursor.take(length, MOST_NAME_BYTES)
    }

    /// A length of 1, 2 or 4 bytes, by its power of two.
    fn length(&mut self, power: u8) -> Result<u64, Stop> {
        Ok(match power {
            0 => self.cursor.byte()?.into(),
            1 => u16::from_be_bytes(self.cursor.array()?).into(),
            _ => u32::from_be_bytes(self.cursor.array()?).into(),
        })
    }

    fn foreign(&mut self, what: &str) -> Stop {
        self.is_foreign = true;
        Stop::malformed(format!("{what}, at {}", self.cursor.position()))
    }
}

#[cfg(test)]
mod tests {
    use super::super::cursor::testing::{is_never_whole_when_cut, look, problem, withstands_damage};
    use super::*;

    const PARAMS: &[u8] = include_bytes!("../../../../testdata/formats/flax_params.msgpack");
    const STATE: &[u8] = include_bytes!("../../../../testdata/formats/flax_state.msgpack");
    /// An array without elements: its shape, type and bytes.
    const EMPTY: &[u8] = b"\xc7\x08\x01\x93\x91\x00\xa2i1\xc4\x00";

    #[test]
    fn trees_of_flax_are_read() {
        for (bytes, arrays, types) in [(PARAMS, "2", "float32"), (STATE, "4", "bfloat16, float32")] {
            let found = look(read, bytes).expect("a tree");
            assert_eq!((found.format, &found.problems[..]), (Some(Format::FlaxMsgpack), &[][..]));
            assert_eq!(found.details, [("arrays", arrays.to_owned()), ("types", types.to_owned())]);
        }
    }

    #[test]
    fn what_is_cut_or_damaged_is_noticed() {
        for bytes in [PARAMS, STATE] {
            is_never_whole_when_cut(read, bytes);
            withstands_damage(read, bytes);
        }
    }

    #[test]
    fn other_message_pack_is_something_else() {
        for bytes in [
            &b"\x81\xa1a\x01"[..],                                       // no array
            b"\x81\x01\x02",                                             // a key that is a number
            b"\x81\xa1a\xd4\x05\x00",                                    // another kind of value
            b"\x82\xa1a\xc7\x08\x01\x93\x91\x00\xa2i1\xc4\x00\xa1b\xc1", // an array, then what is not MessagePack
            b"\x80\x04\x95",                                             // a pickle
            b"{\"a\": 1}",
            b"",
        ] {
            assert_eq!(look(read, bytes), None, "{bytes:?}");
        }
        assert!(look(read, &[b"\x81\xa1a", EMPTY].concat()).is_some());
    }

    #[test]
    fn what_contradicts_itself_is_a_problem() {
        let deep = [&b"\x82\xa1a"[..], EMPTY, b"\xa1b", &[0x91; 200], b"\0"].concat();
        let long = [&b"\x82\xa1a"[..], EMPTY, b"\xa1b\xc6\xff\xff\xff\xff"].concat();
        for (bytes, expected) in [
            ([&b"\x81\xa1a"[..], EMPTY, b"\0"].concat(), "the tree ends at 14, and the file goes on"),
            (deep, "nested more than 128 deep"),
            (long, "4294967295 bytes are wanted"),
            (b"\x81\xa1a\xc7\x08\x01\x93\x91\x00\xa2i1\xc4\x09".to_vec(), "is not as long as what it is in"),
        ] {
            let found = problem(read, &bytes);
            assert!(found.contains(expected), "{found}: {expected}");
        }
    }
}
