//! The superblock, addresses and heaps of HDF5.

use super::super::Recognition;
use super::super::bytes::{Bytes, Stop};

const SIGNATURE: &[u8] = b"\x89HDF\r\n\x1a\n";
/// The longest value that is read whole: a configuration of a model.
const MOST_VALUE_BYTES: u64 = 64 << 20;
/// The most names of a group.
const MOST_HEAP_BYTES: u64 = 16 << 20;

/// Where the superblock is: at the beginning, or after a block of somebody else's of 512 bytes, 1,024, and so on.
pub(super) fn find(bytes: &Bytes) -> Result<Option<u64>, Stop> {
    let mut start = 0_u64;
    while start.checked_add(SIGNATURE.len() as u64).is_some_and(|end| end <= bytes.length()) {
        if bytes.read(start, SIGNATURE.len())? == SIGNATURE {
            return Ok(Some(start));
        }
        start = if start == 0 { 512 } else { start.saturating_mul(2) };
    }
    Ok(None)
}

/// A file whose superblock has been read.
pub(super) struct File<'a> {
    bytes: &'a Bytes<'a>,
    base: u64,
    offset_size: usize,
    length_size: usize,
}

impl<'a> File<'a> {
    /// The file, and where its root is.
    pub(super) fn open(bytes: &'a Bytes<'a>, base: u64, found: &mut Recognition) -> Result<(Self, u64), Stop> {
        let left = usize::try_from(bytes.length() - base).unwrap_or(usize::MAX);
        let head = bytes.read(base, left.min(128))?;
        let mut block = Block::new(&head);
        block.skip(SIGNATURE.len())?;
        let version = block.byte()?;
        found.details.push(("superblock", format!("version {version}")));
        match version {
            0 | 1 => block.skip(4)?,
            2 | 3 => {}
            _ => return Err(Stop::malformed(format!("a superblock of version {version}, expected 0 to 3"))),
        }
        let (offset_size, length_size) = (usize::from(block.byte()?), usize::from(block.byte()?));
        if !matches!((offset_size, length_size), (2 | 4 | 8, 2 | 4 | 8)) {
            let sizes = format!("addresses of {offset_size} bytes and lengths of {length_size}, expected 2, 4 or 8");
            return Err(Stop::malformed(sizes));
        }
        let file = Self { bytes, base, offset_size, length_size };
        let (end, driver, root);
        if version < 2 {
            // The reserved byte, sizes of trees, flags; version 1 has one more size.
            block.skip(if version == 0 { 9 } else { 13 })?;
            block.skip(2 * offset_size)?;
            end = block.number(offset_size)?;
            driver = file.defined(block.number(offset_size)?);
            block.skip(offset_size)?;
            root = block.number(offset_size)?;
        } else {
            block.skip(1 + 2 * offset_size)?;
            end = block.number(offset_size)?;
            driver = None;
            root = block.number(offset_size)?;
        }
        if driver.is_some() {
            found.problems.push("it is one of several files that make a whole".to_owned());
        }
        let length = bytes.length();
        if end > length {
            found.problems.push(format!("it ends at {length}, and says that it ends at {end}"));
        }
        Ok((file, root))
    }

    pub(super) const fn offset_size(&self) -> usize {
        self.offset_size
    }

    pub(super) const fn length_size(&self) -> usize {
        self.length_size
    }

    /// An address, or None for the one that stands for nothing.
    pub(super) const fn defined(&self, address: u64) -> Option<u64> {
        let nothing = if self.offset_size == 8 { u64::MAX } else { (1 << (8 * self.offset_size)) - 1 };
        if address == nothing { None } else { Some(address) }
    }

    pub(super) fn read(&self, address: u64, length: u64) -> Result<Vec<u8>, Stop> {
        let start = self.base.checked_add(address);
        match (start, usize::try_from(length)) {
            (Some(start), Ok(length)) => self.bytes.read(start, length),
            _ => Err(Stop::malformed(format!("{length} bytes are wanted at {address}, beyond any file"))),
        }
    }

    /// As many bytes as there are, up to `length`.
    pub(super) fn read_up_to(&self, address: u64, length: u64) -> Result<Vec<u8>, Stop> {
        let end = self.bytes.length().saturating_sub(self.base);
        self.read(address, length.min(end.saturating_sub(address)))
    }

    /// The names of a group, which its other parts point into.
    pub(super) fn local_heap(&self, address: u64) -> Result<Vec<u8>, Stop> {
        let header = self.read(address, 8 + 2 * self.length_size as u64 + self.offset_size as u64)?;
        let mut block = Block::new(&header);
        block.expect(b"HEAP")?;
        block.skip(4)?;
        let size = block.number(self.length_size)?;
        block.skip(self.length_size)?;
        let data = block.number(self.offset_size)?;
        if size > MOST_HEAP_BYTES {
            return Err(Stop::malformed(format!("{size} bytes of names, expected at most {MOST_HEAP_BYTES}")));
        }
        self.read(data, size)
    }

    /// An object of the heap for values whose length varies.
    pub(super) fn global_object(&self, address: u64, index: u64, length: u64) -> Result<Vec<u8>, Stop> {
        let header_size = 8 + self.length_size as u64;
        let header = self.read(address, header_size)?;
        let mut block = Block::new(&header);
        block.expect(b"GCOL")?;
        block.skip(4)?;
        let end = address.checked_add(block.number(self.length_size)?);
        let mut next = address.checked_add(header_size);
        // Indices have two bytes, so there is no more than this to pass over.
        for _ in 0..=u16::MAX {
            let (Some(start), Some(end)) = (next, end) else { break };
            if start.checked_add(header_size).is_none_or(|after| after > end) {
                break;
            }
            let object = self.read(start, header_size)?;
            let mut object = Block::new(&object);
            let found = object.number(2)?;
            object.skip(6)?;
            let size = object.number(self.length_size)?;
            let data = start + header_size;
            if found == index {
                if length > size || length > MOST_VALUE_BYTES || data.checked_add(size).is_none_or(|after| after > end)
                {
                    let most = size.min(MOST_VALUE_BYTES);
                    return Err(Stop::malformed(format!("a value of {length} bytes, expected at most {most}")));
                }
                return self.read(data, length);
            }
            if found == 0 {
                break;
            }
            next = size.checked_next_multiple_of(8).and_then(|size| data.checked_add(size));
        }
        Err(Stop::malformed(format!("there is no value {index} in the heap at {address}")))
    }
}

/// Bytes that were read, taken apart from the front.
pub(super) struct Block<'b> {
    left: &'b [u8],
}

impl<'b> Block<'b> {
    pub(super) const fn new(bytes: &'b [u8]) -> Self {
        Self { left: bytes }
    }

    pub(super) const fn left(&self) -> usize {
        self.left.len()
    }

    pub(super) fn take(&mut self, length: usize) -> Result<&'b [u8], Stop> {
        let Some((taken, left)) = self.left.split_at_checked(length) else {
            let found = self.left.len();
            return Err(Stop::malformed(format!("a structure of HDF5 wants {length} more bytes, and has {found}")));
        };
        self.left = left;
        Ok(taken)
    }

    pub(super) fn skip(&mut self, length: usize) -> Result<(), Stop> {
        self.take(length).map(drop)
    }

    pub(super) fn expect(&mut self, signature: &[u8]) -> Result<(), Stop> {
        if self.take(signature.len())? != signature {
            return Err(Stop::malformed(format!("no {} where one has to be", String::from_utf8_lossy(signature))));
        }
        Ok(())
    }

    pub(super) fn byte(&mut self) -> Result<u8, Stop> {
        Ok(self.take(1)?[0])
    }

    /// A number of up to eight bytes.
    pub(super) fn number(&mut self, size: usize) -> Result<u64, Stop> {
        Ok(self.take(size)?.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }
}
