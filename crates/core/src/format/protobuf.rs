//! Protobuf messages, field by field, without a schema and without keeping them.

use super::bytes::Stop;
use super::cursor::Cursor;

/// What a field has. Groups, which nobody writes any more, are refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Value {
    Number(u64),
    /// A text, bytes, a message, or packed numbers: from where to where in the file.
    Range {
        start: u64,
        end: u64,
    },
    /// Four or eight bytes.
    Fixed,
}

/// A field of a message.
#[derive(Clone, Copy, Debug)]
pub(super) struct Field {
    pub(super) number: u32,
    pub(super) value: Value,
}

/// The fields of the message from `cursor` to `end`.
pub(super) struct Fields {
    next: u64,
    end: u64,
}

impl Fields {
    pub(super) const fn new(start: u64, end: u64) -> Self {
        Self { next: start, end }
    }

    /// The next field. What is in it may be read with the same cursor before the next call.
    pub(super) fn next(&mut self, cursor: &mut Cursor) -> Result<Option<Field>, Stop> {
        if self.next >= self.end {
            return Ok(None);
        }
        cursor.seek(self.next);
        let start = self.next;
        let tag = varint(cursor)?;
        let number = u32::try_from(tag >> 3).ok().filter(|number| (1..1 << 29).contains(number));
        let Some(number) = number else { return Err(Stop::malformed(format!("no field of protobuf at {start}"))) };
        let value = match tag & 7 {
            0 => Value::Number(varint(cursor)?),
            1 => {
                cursor.skip(8)?;
                Value::Fixed
            }
            2 => {
                let length = varint(cursor)?;
                let start = cursor.position();
                let end = start.checked_add(length).filter(|end| *end <= self.end);
                let Some(end) = end else {
                    let all = self.end;
                    let problem = format!("field {number} of {length} bytes at {start}, its message ends at {all}");
                    return Err(Stop::malformed(problem));
                };
                cursor.seek(end);
                Value::Range { start, end }
            }
            5 => {
                cursor.skip(4)?;
                Value::Fixed
            }
            _ => return Err(Stop::malformed(format!("no field of protobuf at {start}"))),
        };
        if cursor.position() > self.end {
            return Err(Stop::malformed(format!("field {number} at {start} goes beyond its message")));
        }
        self.next = cursor.position();
        Ok(Some(Field { number, value }))
    }
}

impl Value {
    /// The fields of the message that this is.
    pub(super) const fn message(self) -> Option<Fields> {
        match self {
            Self::Range { start, end } => Some(Fields::new(start, end)),
            Self::Number(_) | Self::Fixed => None,
        }
    }

    /// The text that this is, of at most `most` bytes.
    pub(super) fn text(self, cursor: &mut Cursor, most: usize) -> Result<Option<Vec<u8>>, Stop> {
        let Self::Range { start, end } = self else { return Ok(None) };
        cursor.seek(start);
        cursor.take(end - start, most).map(Some)
    }
}

fn varint(cursor: &mut Cursor) -> Result<u64, Stop> {
    let start = cursor.position();
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let byte = cursor.byte()?;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Ok(value);
        }
    }
    Err(Stop::malformed(format!("a number of more than ten bytes at {start}")))
}

/// Messages for the tests of the readers.
#[cfg(test)]
pub(super) mod testing {
    pub(in super::super) fn varint(mut value: u64) -> Vec<u8> {
        let mut bytes = Vec::new();
        while value >= 0x80 {
            bytes.push(0x80 | (value & 0x7f) as u8);
            value >>= 7;
        }
        bytes.push(value as u8);
        bytes
    }

    pub(in super::super) fn number(number: u64, value: u64) -> Vec<u8> {
        [varint(number << 3), varint(value)].concat()
    }

    pub(in super::super) fn field(number: u64, value: &[u8]) -> Vec<u8> {
        [varint(number << 3 | 2), varint(value.len() as u64), value.to_vec()].concat()
    }
}
