//! safetensors: the length of a header, the header in JSON, the tensors one after the other.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fmt;

use safetensors::tensor::TensorInfo;
use serde::de::{DeserializeSeed, Error as _, MapAccess, Visitor};

use super::bytes::{Bytes, Stop};
use super::cursor::{shown, until};
use super::{Format, Recognition};

/// The longest header that the reference reads.
const MOST_HEADER_BYTES: u64 = 100_000_000;
/// More tensors than any model has.
const MOST_TENSORS: usize = 1 << 20;

/// Looks for a header that is where it has to be, then holds every tensor's place against the file.
pub(super) fn read(bytes: &Bytes) -> Result<Option<Recognition>, Stop> {
    let head = bytes.head(10)?;
    let Some((length, [b'{', after])) = head.split_first_chunk::<8>() else { return Ok(None) };
    let length = u64::from_le_bytes(*length);
    // No other format begins with eight bytes that are this small a number, and then with JSON.
    if length > MOST_HEADER_BYTES || !(matches!(after, b'"' | b'}') || after.is_ascii_whitespace()) {
        return Ok(None);
    }
    let mut found = Recognition { format: Some(Format::Safetensors), ..Recognition::default() };
    let outcome = header(bytes, length, &mut found);
    until(found, outcome)
}

fn header(bytes: &Bytes, length: u64, found: &mut Recognition) -> Result<(), Stop> {
    let data_start = 8 + length;
    let Some(data) = bytes.length().checked_sub(data_start) else {
        let all = bytes.length();
        return Err(Stop::malformed(format!("the header ends at {data_start}, the file has {all} bytes in all")));
    };
    let length = usize::try_from(length).map_err(|_| Stop::malformed("the header is larger than memory"))?;
    let text = bytes.read(8, length)?;
    let mut header = Header::default();
    let mut json = serde_json::Deserializer::from_slice(&text);
    let outcome = (&mut header).deserialize(&mut json).and_then(|()| json.end());
    outcome.map_err(|error| Stop::malformed(format!("the header is not one of safetensors: {error}")))?;

    if let Some(format) = header.metadata.get("format") {
        found.details.push(("written for", shown(format.as_bytes())));
    }
    found.details.push(("tensors", header.places.len().to_string()));
    found.details.push(("types", header.types.into_iter().collect::<Vec<_>>().join(", ")));
    let others = header.metadata.keys().filter(|key| *key != "format").map(|key| shown(key.as_bytes()));
    let others = others.take(16).collect::<Vec<_>>();
    if !others.is_empty() {
        found.details.push(("metadata", others.join(", ")));
    }
    contiguous(header.places, data)
}

/// Whether the tensors fill the data, each in a place of its own.
fn contiguous(mut places: Vec<(u64, u64)>, data: u64) -> Result<(), Stop> {
    places.sort_unstable();
    let mut before = 0;
    for (start, end) in places {
        if start > before {
            return Err(Stop::malformed(format!("no tensor has the bytes from {before} to {start} of the data")));
        }
        if start < before {
            return Err(Stop::malformed(format!("two tensors share the bytes from {start} to {before} of the data")));
        }
        before = end;
    }
    if before != data {
        return Err(Stop::malformed(format!(
            "the tensors end at {before} of the data, the file has {data} bytes of it"
        )));
    }
    Ok(())
}

#[derive(Default)]
struct Header {
    metadata: BTreeMap<String, String>,
    types: BTreeSet<String>,
    places: Vec<(u64, u64)>,
    names: HashSet<String>,
}

impl<'de> DeserializeSeed<'de> for &mut Header {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for &mut Header {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of tensors")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        while let Some(name) = members.next_key::<String>()? {
            if name == "__metadata__" {
                self.metadata = members.next_value()?;
            } else {
                let tensor: TensorInfo = members.next_value()?;
                self.places.push(place(&name, &tensor).map_err(A::Error::custom)?);
                let kind = format!("{:?}", tensor.dtype);
                self.types.insert(kind);
            }
            let duplicate = format!("`{}` stands twice", shown(name.as_bytes()));
            if !self.names.insert(name) {
                return Err(A::Error::custom(duplicate));
            }
            if self.places.len() > MOST_TENSORS {
                return Err(A::Error::custom(format!("more than {MOST_TENSORS} tensors")));
            }
        }
        Ok(())
    }
}

/// Where a tensor begins and ends, if that is as long as its type and shape want.
fn place(name: &str, tensor: &TensorInfo) -> Result<(u64, u64), String> {
    let (start, end) = (tensor.data_offsets.0 as u64, tensor.data_offsets.1 as u64);
    let elements = tensor.shape.iter().try_fold(1_u64, |all, size| all.checked_mul(*size as u64));
    let bits = elements.and_then(|all| all.checked_mul(tensor.dtype.bitsize() as u64));
    match bits {
        Some(bits) if bits.is_multiple_of(8) && end.checked_sub(start) == Some(bits / 8) => Ok((start, end)),
        _ => {
            let (name, kind, shape) = (shown(name.as_bytes()), tensor.dtype, tensor.shape.len());
            Err(format!(
                "tensor `{name}` of {kind:?} in {shape} dimensions does not take the bytes from {start} to {end}"
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::cursor::testing::{is_never_whole_when_cut, look, problem, withstands_damage};
    use super::*;

    const TORCH: &[u8] = include_bytes!("../../../../testdata/formats/safetensors_torch.safetensors");
    const BFLOAT: &[u8] = include_bytes!("../../../../testdata/formats/safetensors_bfloat16.safetensors");
    const NUMPY: &[u8] = include_bytes!("../../../../testdata/formats/safetensors_numpy.safetensors");

    fn file(header: &str, data: usize) -> Vec<u8> {
        [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &vec![0; data]].concat()
    }

    #[test]
    fn what_the_frameworks_wrote_is_read() {
        for (bytes, tensors, types) in [(TORCH, "4", "F32"), (BFLOAT, "4", "BF16"), (NUMPY, "1", "F32")] {
            let found = look(read, bytes).expect("safetensors");
            assert_eq!((found.format, &found.problems[..]), (Some(Format::Safetensors), &[][..]));
            assert!(found.details.contains(&("tensors", tensors.to_owned())), "{found:?}");
            assert!(found.details.contains(&("types", types.to_owned())), "{found:?}");
        }
        let found = look(read, TORCH).expect("safetensors");
        assert!(found.details.contains(&("written for", "pt".to_owned())), "{found:?}");
    }

    #[test]
    fn what_is_cut_or_damaged_is_noticed() {
        for bytes in [TORCH, NUMPY] {
            is_never_whole_when_cut(read, bytes);
            withstands_damage(read, bytes);
        }
    }

    #[test]
    fn other_bytes_are_something_else() {
        for bytes in [&b""[..], b"{\"a\": 1}", b"abcdefgh{\"a\": 1}", &file("[]", 0), &file("{a}", 0)] {
            assert_eq!(look(read, bytes), None, "{bytes:?}");
        }
    }

    #[test]
    fn what_contradicts_itself_is_a_problem() {
        let one =
            |start: u64, end: u64| format!("{{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[{start},{end}]}}");
        let two = |first: String, second: String| format!("{{\"a\":{first},\"b\":{second}}}");
        let deep = format!("{{\"a\":{}}}", "[".repeat(10_000));
        for (header, data, expected) in [
            (two(one(0, 4), one(8, 12)), 12, "no tensor has the bytes from 4 to 8"),
            (two(one(0, 4), one(2, 6)), 6, "two tensors share the bytes from 2 to 4"),
            (two(one(0, 4), one(4, 8)), 9, "the tensors end at 8 of the data, the file has 9"),
            (two(one(0, 4), one(4, 8)), 7, "the tensors end at 8 of the data, the file has 7"),
            (two(one(0, 4), one(4, 9)), 9, "`b` of F32 in 1 dimensions does not take the bytes from 4 to 9"),
            (two(one(0, 4), one(9, 4)), 9, "`b` of F32"),
            (two(one(0, 4), one(0, 4)).replace("\"b\"", "\"a\""), 4, "`a` stands twice"),
            ("{\"__metadata__\":{},\"__metadata__\":{}}".to_owned(), 0, "`__metadata__` stands twice"),
            ("{\"a\":{\"dtype\":\"F99\",\"shape\":[],\"data_offsets\":[0,4]}}".to_owned(), 4, "F99"),
            (one(0, 4).replace('1', "4294967296,4294967296").replacen('{', "{\"a\":{", 1) + "}", 4, "2 dimensions"),
            ("{\"__metadata__\":{\"a\":1}}".to_owned(), 0, "the header is not one of safetensors"),
            ("{} {}".to_owned(), 0, "trailing"),
            (deep, 0, "the header is not one of safetensors"),
        ] {
            let found = problem(read, &file(&header, data));
            assert!(found.contains(expected), "{found}: {expected}");
        }
        let mut long = file("{}", 0);
        long[0] = 200;
        assert!(problem(read, &long).contains("the header ends at 208, the file has 10 bytes"));
    }
}
