//! GGUF, the format of llama.cpp: keys with values, then where the tensors are, then the tensors.

use std::collections::HashSet;

use super::bytes::{Bytes, Stop};
use super::cursor::{Cursor, shown, until};
use super::{CodeOnLoad, Format, Recognition};

/// More tensors or keys than any model has.
const MOST_ENTRIES: u64 = 1 << 20;
/// The longest name or key.
const MOST_NAME_BYTES: usize = 65_535;
/// The longest value that is looked into.
const MOST_VALUE_BYTES: usize = 1 << 20;
/// Arrays in arrays, beyond which nobody goes.
const MOST_NESTED_ARRAYS: u32 = 4;

/// What a template for chats has no use for, and an escape from Jinja's sandbox has.
const PYTHON_INTERNALS: [&str; 6] =
    ["__class__", "__globals__", "__subclasses__", "__builtins__", "__import__", "__init__"];

/// Looks for the magic bytes, then reads all but the tensors themselves.
pub(super) fn read(bytes: &Bytes) -> Result<Option<Recognition>, Stop> {
    if bytes.head(4)? != b"GGUF" {
        return Ok(None);
    }
    let mut found = Recognition { format: Some(Format::Gguf), ..Recognition::default() };
    let outcome = Reader::begin(bytes, &mut found).and_then(|mut reader| reader.read(&mut found));
    until(found, outcome)
}

struct Reader<'a> {
    cursor: Cursor<'a>,
    length_bytes: u64,
    version: u32,
    big_endian: bool,
    alignment: u64,
}

/// A value of a key, as far as anything here needs it.
enum Value {
    Number(u64),
    Text(Vec<u8>),
    Other,
}

impl<'a> Reader<'a> {
    fn begin(bytes: &'a Bytes<'a>, found: &mut Recognition) -> Result<Self, Stop> {
        let mut cursor = Cursor::new(bytes, 4);
        let version: [u8; 4] = cursor.array()?;
        let (version, big_endian) = match (u32::from_le_bytes(version), u32::from_be_bytes(version)) {
            (version @ 1..=3, _) => (version, false),
            (_, version @ 1..=3) => (version, true),
            (version, _) => return Err(Stop::malformed(format!("GGUF version {version}, expected 1 to 3"))),
        };
        found.details.push(("version", version.to_string()));
        found.details.push(("byte order", if big_endian { "big" } else { "little" }.to_owned()));
        Ok(Self { cursor, length_bytes: bytes.length(), version, big_endian, alignment: 32 })
    }

    fn read(&mut self, found: &mut Recognition) -> Result<(), Stop> {
        let tensors = self.count("tensors")?;
        let keys = self.count("keys")?;
        found.details.push(("tensors", tensors.to_string()));
        self.keys(keys, found)?;
        self.tensors(tensors, found)
    }

    fn keys(&mut self, count: u64, found: &mut Recognition) -> Result<(), Stop> {
        let mut seen = HashSet::new();
        for _ in 0..count {
            let key = self.text(MOST_NAME_BYTES)?;
            let kind = self.u32()?;
            let detail = match &key[..] {
                b"general.architecture" => Some("architecture"),
                b"general.name" => Some("name"),
                b"general.file_type" => Some("file type"),
                b"general.quantization_version" => Some("quantization version"),
                _ => None,
            };
            let is_template = key.starts_with(b"tokenizer.chat_template");
            if !is_template && detail.is_none() && key != b"general.alignment" {
                self.skip_value(kind, 0)?;
            } else {
                match (self.value(kind)?, detail) {
                    (Value::Text(text), _) if is_template => look_at_template(&key, &text, found),
                    (Value::Text(text), Some(detail)) => found.details.push((detail, shown(&text))),
                    (Value::Number(number), Some(detail)) => found.details.push((detail, number.to_string())),
                    (Value::Number(number), None) if number.is_power_of_two() => self.alignment = number,
                    (_, None) if key == b"general.alignment" => {
                        return Err(Stop::malformed("`general.alignment` is not a power of two"));
                    }
                    _ => {}
                }
            }
            let name = shown(&key);
            if !seen.insert(key) {
                found.problems.push(format!("the key `{name}` stands twice"));
            }
        }
        Ok(())
    }

    fn tensors(&mut self, count: u64, found: &mut Recognition) -> Result<(), Stop> {
        let mut seen = HashSet::new();
        let mut places = Vec::new();
        for _ in 0..count {
            let name = self.text(MOST_NAME_BYTES)?;
            let dimensions = self.u32()?;
            if dimensions > 8 {
                let name = shown(&name);
                return Err(Stop::malformed(format!(
                    "tensor `{name}` has {dimensions} dimensions, expected at most 8"
                )));
            }
            let mut elements = Some(1_u64);
            for _ in 0..dimensions {
                let size = self.size()?;
                elements = elements.and_then(|elements| elements.checked_mul(size));
            }
            let kind = self.u32()?;
            let offset = self.u64()?;
            let length = match block(kind) {
                Some((block, bytes)) => elements.map(|all| all.div_ceil(block)).and_then(|all| all.checked_mul(bytes)),
                // Of a kind that is newer than this reader: where it begins is all that can be checked.
                None => Some(0),
            };
            let shown_name = shown(&name);
            match length.and_then(|length| offset.checked_add(length)) {
                Some(end) => places.push((offset, end)),
                None => return Err(Stop::malformed(format!("tensor `{shown_name}` is larger than any file"))),
            }
            if !offset.is_multiple_of(self.alignment) {
                found.problems.push(format!("tensor `{shown_name}` begins at {offset}, which is not aligned"));
            }
            if !seen.insert(name) {
                found.problems.push(format!("the tensor `{shown_name}` stands twice"));
            }
            if found.problems.len() > 32 {
                return Err(Stop::malformed("there are more problems than these"));
            }
        }
        self.place(places)
    }

    /// Whether the tensors are within the file, each in a place of its own.
    fn place(&self, mut places: Vec<(u64, u64)>) -> Result<(), Stop> {
        if places.is_empty() {
            return Ok(());
        }
        places.sort_unstable();
        let start = self.cursor.position().checked_next_multiple_of(self.alignment);
        let left = start.and_then(|start| self.length_bytes.checked_sub(start)).unwrap_or(0);
        let mut before = 0;
        for (start, end) in places {
            if end > left {
                return Err(Stop::malformed(format!(
                    "a tensor ends at {end} of the data, the file has {left} bytes of it"
                )));
            }
            if start < before {
                return Err(Stop::malformed(format!(
                    "two tensors share the bytes from {start} to {before} of the data"
                )));
            }
            before = end;
        }
        Ok(())
    }

    fn value(&mut self, kind: u32) -> Result<Value, Stop> {
        Ok(match kind {
            0 | 7 => Value::Number(self.cursor.byte()?.into()),
            4 => Value::Number(self.u32()?.into()),
            10 => Value::Number(self.u64()?),
            8 => Value::Text(self.text(MOST_VALUE_BYTES)?),
            _ => {
                self.skip_value(kind, 0)?;
                Value::Other
            }
        })
    }

    fn skip_value(&mut self, kind: u32, depth: u32) -> Result<(), Stop> {
        if let Some(size) = size_of(kind) {
            return self.cursor.skip(size);
        }
        match kind {
            8 => {
                let length = self.size()?;
                self.cursor.skip(length)
            }
            9 if depth < MOST_NESTED_ARRAYS => {
                let kind = self.u32()?;
                let count = self.size()?;
                if let Some(size) = size_of(kind) {
                    let length = count.checked_mul(size);
                    return self.cursor.skip(length.unwrap_or(u64::MAX));
                }
                // Each takes bytes of the file, so the file's length bounds this.
                for _ in 0..count {
                    self.skip_value(kind, depth + 1)?;
                }
                Ok(())
            }
            9 => Err(Stop::malformed("arrays are nested too deeply")),
            _ => Err(Stop::malformed(format!("a value of type {kind}, expected 0 to 12"))),
        }
    }

    fn count(&mut self, what: &str) -> Result<u64, Stop> {
        match self.size()? {
            count @ 0..=MOST_ENTRIES => Ok(count),
            count => Err(Stop::malformed(format!("{count} {what}, expected at most {MOST_ENTRIES}"))),
        }
    }

    fn text(&mut self, most: usize) -> Result<Vec<u8>, Stop> {
        let length = self.size()?;
        self.cursor.take(length, most)
    }

    /// A length or count: four bytes in version 1, eight since.
    fn size(&mut self) -> Result<u64, Stop> {
        if self.version == 1 { self.u32().map(u64::from) } else { self.u64() }
    }

    fn u32(&mut self) -> Result<u32, Stop> {
        let bytes = self.cursor.array()?;
        Ok(if self.big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) })
    }

    fn u64(&mut self) -> Result<u64, Stop> {
        let bytes = self.cursor.array()?;
        Ok(if self.big_endian { u64::from_be_bytes(bytes) } else { u64::from_le_bytes(bytes) })
    }
}

/// Says that there is a template. Rendering one runs no code of its maker's unless it breaks out of the sandbox, which it
/// does by way of Python's internals.
fn look_at_template(key: &[u8], text: &[u8], found: &mut Recognition) {
    found.details.push(("chat template", format!("{} bytes of Jinja", text.len())));
    let text = String::from_utf8_lossy(text);
    for name in PYTHON_INTERNALS {
        if text.contains(name) {
            found.code.push(CodeOnLoad::Operation(format!("{} that reaches for `{name}`", shown(key))));
        }
    }
}

/// The bytes of a value of this type, where that is always the same.
const fn size_of(kind: u32) -> Option<u64> {
    Some(match kind {
        0 | 1 | 7 => 1,
        2 | 3 => 2,
        4..=6 => 4,
        10..=12 => 8,
        _ => return None,
    })
}

/// How many elements of a tensor's type make a block, and how many bytes that takes.
const fn block(kind: u32) -> Option<(u64, u64)> {
    Some(match kind {
        0 | 26 => (1, 4),
        1 | 25 | 30 => (1, 2),
        24 => (1, 1),
        27 | 28 => (1, 8),
        2 | 20 => (32, 18),
        3 => (32, 20),
        6 => (32, 22),
        7 => (32, 24),
        8 => (32, 34),
        9 => (32, 36),
        39 => (32, 17),
        10 => (256, 84),
        11 | 21 => (256, 110),
        12 => (256, 144),
        13 => (256, 176),
        14 => (256, 210),
        15 => (256, 292),
        16 | 35 => (256, 66),
        17 => (256, 74),
        18 => (256, 98),
        19 => (256, 50),
        22 => (256, 82),
        23 => (256, 136),
        29 => (256, 56),
        34 => (256, 54),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::super::cursor::testing::{is_never_whole_when_cut, look, problem, withstands_damage};
    use super::*;

    const LITTLE: &[u8] = include_bytes!("../../../../testdata/formats/gguf_v3.gguf");
    const BIG: &[u8] = include_bytes!("../../../../testdata/formats/gguf_v3_big_endian.gguf");
    const TEMPLATE: &[u8] = include_bytes!("../../../../testdata/formats/gguf_chat_template.gguf");
    const ESCAPES: &[u8] = include_bytes!("../../../../testdata/formats/gguf_chat_template_escapes.gguf");

    /// The beginning of a file with these counts.
    fn begun(tensors: u64, keys: u64) -> Vec<u8> {
        [&b"GGUF\x03\0\0\0"[..], &tensors.to_le_bytes(), &keys.to_le_bytes()].concat()
    }

    fn text(text: &[u8]) -> Vec<u8> {
        [&(text.len() as u64).to_le_bytes()[..], text].concat()
    }

    /// A tensor of `size` elements of F32.
    fn tensor(name: &[u8], size: u64, offset: u64) -> Vec<u8> {
        [&text(name)[..], &1_u32.to_le_bytes(), &size.to_le_bytes(), &0_u32.to_le_bytes(), &offset.to_le_bytes()]
            .concat()
    }

    #[test]
    fn both_byte_orders_are_read() {
        for (bytes, order) in [(LITTLE, "little"), (BIG, "big")] {
            let found = look(read, bytes).expect("GGUF");
            assert_eq!((found.format, &found.problems[..], &found.code[..]), (Some(Format::Gguf), &[][..], &[][..]));
            for detail in
                [("version", "3"), ("byte order", order), ("tensors", "2"), ("architecture", "llama"), ("name", "tiny")]
            {
                assert!(found.details.contains(&(detail.0, detail.1.to_owned())), "{detail:?} in {found:?}");
            }
        }
    }

    #[test]
    fn a_template_that_escapes_is_code_and_another_is_not() {
        let found = look(read, TEMPLATE).expect("GGUF");
        assert!(found.details.iter().any(|(name, _)| *name == "chat template"), "{found:?}");
        assert_eq!(found.code, []);
        let code = look(read, ESCAPES).expect("GGUF").code;
        assert!(
            code.contains(&CodeOnLoad::Operation("tokenizer.chat_template that reaches for `__class__`".to_owned()))
        );
    }

    #[test]
    fn what_is_cut_or_damaged_is_noticed() {
        for bytes in [LITTLE, BIG, ESCAPES] {
            // The last tensor has 68 bytes, and is filled up to 96.
            is_never_whole_when_cut(read, &bytes[..bytes.len() - 28]);
            withstands_damage(read, bytes);
        }
    }

    #[test]
    fn other_bytes_are_something_else() {
        assert_eq!(look(read, b"GGML"), None);
        assert_eq!(look(read, b""), None);
    }

    #[test]
    fn what_contradicts_itself_is_a_problem() {
        let key = |name: &[u8], kind: u32, value: &[u8]| [&text(name)[..], &kind.to_le_bytes(), value].concat();
        let nested = [9_u32.to_le_bytes(); 8].map(|kind| [&kind[..], &1_u64.to_le_bytes()].concat()).concat();
        let with_data = |tensors: Vec<u8>, count: u64| {
            let mut file = [begun(count, 0), tensors].concat();
            file.resize(file.len().next_multiple_of(32) + 64, 0);
            file
        };
        for (file, expected) in [
            (b"GGUF\x09\0\0\0".to_vec(), "GGUF version 9"),
            (begun(u64::MAX, 0), "18446744073709551615 tensors"),
            (begun(0, 1 << 60), "1152921504606846976 keys"),
            ([begun(0, 1), text(&[b'k'; 70_000])].concat(), "at most 65535"),
            ([begun(0, 1), (1_u64 << 60).to_le_bytes().to_vec()].concat(), "1152921504606846976 bytes are wanted"),
            ([begun(0, 1), key(b"k", 13, b"")].concat(), "a value of type 13"),
            ([begun(0, 1), key(b"k", 9, &nested)].concat(), "nested too deeply"),
            ([begun(0, 1), key(b"k", 9, &[&4_u32.to_le_bytes()[..], &[0xff; 8]].concat())].concat(), "are wanted"),
            ([begun(0, 2), key(b"k", 0, b"1"), key(b"k", 0, b"1")].concat(), "`k` stands twice"),
            ([begun(0, 1), key(b"general.alignment", 4, &[3, 0, 0, 0])].concat(), "not a power of two"),
            (with_data(tensor(b"t", 1 << 62, 0), 1), "`t` is larger than any file"),
            (with_data(tensor(b"t", 17, 0), 1), "a tensor ends at 68 of the data, the file has 64"),
            (with_data(tensor(b"t", 1, 7), 1), "`t` begins at 7"),
            (with_data([tensor(b"t", 1, 0), tensor(b"t", 1, 32)].concat(), 2), "tensor `t` stands twice"),
            (with_data([tensor(b"a", 9, 0), tensor(b"b", 1, 32)].concat(), 2), "share the bytes"),
            ([begun(1, 0), text(b"t"), 9_u32.to_le_bytes().to_vec()].concat(), "`t` has 9 dimensions"),
        ] {
            let found = problem(read, &file);
            assert!(found.contains(expected), "{found}: {expected}");
        }
    }
}
