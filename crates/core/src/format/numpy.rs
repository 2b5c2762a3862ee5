//! NumPy's arrays: a header that is a literal of Python, and numbers or a pickle.

mod literal;

use super::bytes::{Bytes, Stop};
use super::findings::Findings;
use super::{Format, Recognition, pickle};
use literal::Literal;

pub(super) const MAGIC: &[u8] = b"\x93NUMPY";
/// A longer header is refused; NumPy itself takes 10,000 bytes.
const MOST_HEADER_BYTES: u64 = 1 << 16;
/// Structures in structures, in a data type.
const MOST_DEPTH: usize = 16;

/// What an array's elements are.
#[derive(Debug, PartialEq, Eq)]
enum Elements {
    /// Numbers or texts of so many bytes each.
    Plain(u64),
    /// Objects of Python, in a pickle.
    Objects,
}

/// Reads an array. None if it is none.
pub(super) fn read(bytes: &Bytes<'_>) -> Result<Option<Recognition>, Stop> {
    if bytes.head(MAGIC.len())? != MAGIC {
        return Ok(None);
    }
    let mut findings = Findings::default();
    if let Err(stop) = read_array(bytes, &mut findings) {
        findings.problem(format!("the array: {}", stop.text()?));
    }
    Ok(Some(findings.into_recognition(Some(Format::Npy))))
}

fn read_array(bytes: &Bytes<'_>, findings: &mut Findings) -> Result<(), Stop> {
    let version = bytes.read(6, 2)?;
    let width = match version.as_slice() {
        [1, 0] => 2,
        [2 | 3, 0] => 4,
        _ => {
            return Err(Stop::malformed(format!(
                "version 1.0 to 3.0 is expected, found {}.{}",
                version[0], version[1]
            )));
        }
    };
    findings.detail("version", format!("{}.{}", version[0], version[1]));
    let length = bytes.read(8, width)?.iter().rev().fold(0, |sum, byte| (sum << 8) | u64::from(*byte));
    if length > MOST_HEADER_BYTES {
        return Err(Stop::malformed(format!(
            "a header of at most {MOST_HEADER_BYTES} bytes is expected, found {length}"
        )));
    }
    let start = 8 + width as u64;
    let header = bytes.read(start, usize::try_from(length).unwrap_or_default())?;
    let header = literal::parse(&header)?;
    let field = |name: &str| {
        header.member(name).ok_or_else(|| Stop::malformed(format!("`{name}` is expected in the header, found none")))
    };
    let (dtype, shape) = (field("descr")?, field("shape")?);
    field("fortran_order")?;
    findings.detail("data type", dtype.to_string());
    findings.detail("shape", shape.to_string());
    let data = start + length;
    let found = bytes.length() - data.min(bytes.length());
    match elements(dtype, 0)? {
        Elements::Plain(size) => {
            let expected = count(shape)?.checked_mul(u128::from(size));
            if expected != Some(u128::from(found)) {
                let expected = expected.map_or_else(|| "too many".to_owned(), |expected| expected.to_string());
                return Err(Stop::malformed(format!("{expected} bytes of elements are expected, found {found}")));
            }
        }
        Elements::Objects => {
            let scan = pickle::scan(bytes, data, findings)?;
            if let Some(stopped) = scan.stopped {
                return Err(Stop::malformed(stopped));
            }
            if let Some(end) = scan.end.filter(|end| *end < bytes.length()) {
                let behind = bytes.length() - end;
                return Err(Stop::malformed(format!("{behind} bytes stand behind the pickle's end")));
            }
        }
    }
    Ok(())
}

/// The product of a shape.
fn count(shape: &Literal) -> Result<u128, Stop> {
    let wrong = || Stop::malformed(format!("a shape is expected, found {shape}"));
    let Literal::Sequence(lengths) = shape else { return Err(wrong()) };
    let mut product = 1_u128;
    for length in lengths {
        let Literal::Number(length) = length else { return Err(wrong()) };
        product = product.checked_mul(u128::from(*length)).ok_or_else(wrong)?;
    }
    Ok(product)
}

/// What a data type's description says.
fn elements(descr: &Literal, depth: usize) -> Result<Elements, Stop> {
    let wrong = || Stop::malformed(format!("a data type is expected, found {descr}"));
    if depth == MOST_DEPTH {
        return Err(wrong());
    }
    match descr {
        Literal::Text(text) => simple(text).ok_or_else(wrong),
        // A structure: (name, data type) or (name, data type, shape) each.
        Literal::Sequence(fields) => {
            let mut size = 0_u64;
            let mut objects = false;
            for field in fields {
                let Literal::Sequence(field) = field else { return Err(wrong()) };
                let (inner, times) = match field.as_slice() {
                    [_, inner] => (inner, 1),
                    [_, inner, shape] => (inner, count(shape)?),
                    _ => return Err(wrong()),
                };
                match elements(inner, depth + 1)? {
                    Elements::Objects => objects = true,
                    Elements::Plain(bytes) => {
                        let bytes = u128::from(bytes).checked_mul(times).and_then(|bytes| u64::try_from(bytes).ok());
                        size = bytes.and_then(|bytes| size.checked_add(bytes)).ok_or_else(wrong)?;
                    }
                }
            }
            Ok(if objects { Elements::Objects } else { Elements::Plain(size) })
        }
        _ => Err(wrong()),
    }
}

/// `<f4`, `|O`, `<U7`, `<M8[ns]`.
fn simple(text: &str) -> Option<Elements> {
    let text = text.trim_start_matches(['<', '>', '|', '=']);
    let kind = text.chars().next()?;
    let rest = &text[kind.len_utf8()..];
    let digits = rest.split('[').next()?;
    let size = if digits.is_empty() { None } else { Some(digits.parse::<u64>().ok()?) };
    match kind {
        'O' => Some(Elements::Objects),
        '?' if rest.is_empty() => Some(Elements::Plain(1)),
        'b' | 'i' | 'u' | 'f' | 'c' | 'S' | 'a' | 'V' if rest == digits => size.map(Elements::Plain),
        'U' if rest == digits => size?.checked_mul(4).map(Elements::Plain),
        'M' | 'm' => size.map(Elements::Plain),
        _ => None,
    }
}
