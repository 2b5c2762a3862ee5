//! Objects of HDF5: the messages of their headers, of which some are attributes.

use super::super::Recognition;
use super::super::bytes::Stop;
use super::super::cursor::shown;
use super::dense;
use super::structure::{Block, File};

/// The most that one header has.
const MOST_HEADER_BYTES: u64 = 16 << 20;
/// The most parts that one header is in.
const MOST_PARTS: usize = 1024;

/// Kinds of messages.
pub(super) const LINK_INFO: u64 = 0x02;
pub(super) const LINK: u64 = 0x06;
pub(super) const SYMBOL_TABLE: u64 = 0x11;
const EXTERNAL_FILES: u64 = 0x07;
const LAYOUT: u64 = 0x08;
const ATTRIBUTE: u64 = 0x0c;
const CONTINUATION: u64 = 0x10;
const ATTRIBUTE_INFO: u64 = 0x15;

/// The flag of a message whose content is elsewhere.
pub(super) const SHARED: u8 = 2;

pub(super) struct Message {
    pub(super) kind: u64,
    flags: u8,
    pub(super) data: Vec<u8>,
}

/// A group, a dataset or a type.
pub(super) struct Object {
    pub(super) messages: Vec<Message>,
}

/// An attribute, with its value if that is a single text.
pub(super) struct Attribute {
    pub(super) name: Vec<u8>,
    pub(super) text: Option<Vec<u8>>,
}

impl Object {
    pub(super) fn read(file: &File, address: u64) -> Result<Self, Stop> {
        let head = file.read_up_to(address, 32)?;
        let mut object = Self { messages: Vec::new() };
        let mut parts = if head.starts_with(b"OHDR") {
            let mut block = Block::new(&head);
            block.skip(4)?;
            if block.byte()? != 2 {
                return Err(Stop::malformed(format!("the header of the object at {address} is not of version 2")));
            }
            let flags = block.byte()?;
            let times = if flags & 0x20 == 0 { 0 } else { 16 };
            let phases = if flags & 0x10 == 0 { 0 } else { 4 };
            block.skip(times + phases)?;
            let size_of_size = 1 << (flags & 3);
            let size = block.number(size_of_size)?;
            let start = address.checked_add(6 + (times + phases + size_of_size) as u64);
            vec![Part { start, size, flags: Some(flags) }]
        } else {
            let mut block = Block::new(&head);
            if block.byte()? != 1 {
                return Err(Stop::malformed(format!("there is no header of an object at {address}")));
            }
            block.skip(7)?;
            let size = block.number(4)?;
            vec![Part { start: address.checked_add(16), size, flags: None }]
        };
        let (mut read, mut bytes) = (0, 0_u64);
        while let Some(part) = parts.pop() {
            read += 1;
            bytes = bytes.saturating_add(part.size);
            if read > MOST_PARTS || bytes > MOST_HEADER_BYTES {
                return Err(Stop::malformed(format!("the header of the object at {address} is too large")));
            }
            object.part(file, &part, &mut parts)?;
        }
        Ok(object)
    }

    fn part(&mut self, file: &File, part: &Part, parts: &mut Vec<Part>) -> Result<(), Stop> {
        let Some(start) = part.start else { return Err(Stop::malformed("a header of an object is beyond any file")) };
        let bytes = file.read(start, part.size)?;
        let mut block = Block::new(&bytes);
        let head_size = match part.flags {
            None => 8,
            Some(flags) if flags & 4 == 0 => 4,
            Some(_) => 6,
        };
        while block.left() >= head_size {
            let (kind, size, flags);
            if part.flags.is_none() {
                (kind, size, flags) = (block.number(2)?, block.number(2)?, block.byte()?);
                block.skip(3)?;
            } else {
                (kind, size, flags) = (block.number(1)?, block.number(2)?, block.byte()?);
                block.skip(head_size - 4)?;
            }
            let size = usize::try_from(size).unwrap_or(usize::MAX);
            let data = block.take(size)?;
            if kind == CONTINUATION {
                let mut data = Block::new(data);
                let start = data.number(file.offset_size())?;
                let size = data.number(file.length_size())?;
                parts.push(Part::continuation(file, start, size, part.flags)?);
            } else if matches!(
                kind,
                LINK_INFO | LINK | SYMBOL_TABLE | EXTERNAL_FILES | LAYOUT | ATTRIBUTE | ATTRIBUTE_INFO
            ) {
                self.messages.push(Message { kind, flags, data: data.to_vec() });
            }
        }
        Ok(())
    }

    pub(super) fn has(&self, kind: u64) -> bool {
        self.messages.iter().any(|message| message.kind == kind)
    }

    pub(super) fn is_group(&self) -> bool {
        self.has(SYMBOL_TABLE) || self.has(LINK) || self.has(LINK_INFO)
    }

    pub(super) fn is_dataset(&self) -> bool {
        self.has(LAYOUT)
    }

    /// The attributes. Those that are not in the header itself are a problem.
    pub(super) fn attributes(&self, file: &File, found: &mut Recognition) -> Result<Vec<Attribute>, Stop> {
        let mut attributes = Vec::new();
        for message in &self.messages {
            match message.kind {
                ATTRIBUTE if message.flags & SHARED != 0 => {
                    found.problems.push("an attribute that is kept elsewhere was not read".to_owned());
                }
                ATTRIBUTE => attributes.push(Attribute::read(file, &message.data)?),
                ATTRIBUTE_INFO => {
                    let mut block = Block::new(&message.data);
                    block.skip(1)?;
                    let skipped = if block.byte()? & 1 == 0 { 0 } else { 2 };
                    block.skip(skipped)?;
                    for data in dense_data(file, &mut block, dense::ATTRIBUTES)? {
                        attributes.push(Attribute::read(file, &data)?);
                    }
                }
                _ => {}
            }
        }
        Ok(attributes)
    }

    /// Says which other files a dataset has its data in.
    pub(super) fn other_files(&self, file: &File, name: &str, found: &mut Recognition) -> Result<(), Stop> {
        for message in &self.messages {
            let mut block = Block::new(&message.data);
            match message.kind {
                LAYOUT => {
                    let version = block.byte()?;
                    if version >= 3 && block.byte()? == 3 {
                        found
                            .problems
                            .push(format!("`{name}` is put together from other datasets, maybe of other files"));
                    }
                }
                EXTERNAL_FILES => {
                    block.skip(6)?;
                    let count = block.number(2)?;
                    let heap = file.local_heap(block.number(file.offset_size())?)?;
                    for _ in 0..count {
                        let start = block.number(file.length_size())?;
                        block.skip(2 * file.length_size())?;
                        let other = shown(super::group::name_at(&heap, start)?);
                        found.problems.push(format!("`{name}` has its data in the file `{other}`"));
                        super::bounded(found)?;
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// A piece of a header; `flags` are those of the newer kind.
struct Part {
    start: Option<u64>,
    size: u64,
    flags: Option<u8>,
}

impl Part {
    fn continuation(file: &File, start: u64, size: u64, flags: Option<u8>) -> Result<Self, Stop> {
        if flags.is_none() {
            return Ok(Self { start: Some(start), size, flags });
        }
        // A signature before, a checksum after.
        let Some(inner) = size.checked_sub(8) else {
            return Err(Stop::malformed(format!("the part of a header at {start} is too short")));
        };
        Block::new(&file.read(start, 4)?).expect(b"OCHK")?;
        Ok(Self { start: start.checked_add(4), size: inner, flags })
    }
}

impl Attribute {
    fn read(file: &File, data: &[u8]) -> Result<Self, Stop> {
        let mut block = Block::new(data);
        let version = block.byte()?;
        if !(1..=3).contains(&version) {
            return Err(Stop::malformed(format!("an attribute of version {version}, expected 1 to 3")));
        }
        let flags = block.byte()?;
        let mut sizes = [0; 3];
        for size in &mut sizes {
            *size = usize::try_from(block.number(2)?).unwrap_or(usize::MAX);
        }
        if version == 3 {
            block.skip(1)?;
        }
        // Up to version 1 each part is filled up to eight bytes.
        let filled = |size: usize| if version == 1 { size.next_multiple_of(8) } else { size };
        let [name, kind, space] = sizes;
        let name = terminated(block.take(filled(name))?.get(..name).unwrap_or_default());
        let kind = block.take(filled(kind))?;
        let space = block.take(filled(space))?;
        // A type or shape that is shared is somewhere else.
        let is_shared = version > 1 && flags & 3 != 0;
        let text = if is_shared || !is_single(file, space)? { None } else { text(file, kind, &mut block)? };
        Ok(Self { name: name.to_vec(), text })
    }
}

/// The messages in dense storage, whose addresses come next in `block`. Often there is none.
pub(super) fn dense_data(file: &File, block: &mut Block, kind: u8) -> Result<Vec<Vec<u8>>, Stop> {
    let heap = file.defined(block.number(file.offset_size())?);
    let tree = file.defined(block.number(file.offset_size())?);
    match (heap, tree) {
        (Some(heap), Some(tree)) => dense::all(file, heap, tree, kind),
        (None, None) => Ok(Vec::new()),
        (Some(_), None) | (None, Some(_)) => Err(Stop::malformed("dense storage of which a part is missing")),
    }
}

/// Whether a shape is that of one value.
fn is_single(file: &File, space: &[u8]) -> Result<bool, Stop> {
    let mut block = Block::new(space);
    let version = block.byte()?;
    let rank = block.byte()?;
    block.skip(1)?;
    match version {
        1 => block.skip(5)?,
        // The type of the shape: 2 is that of nothing at all.
        2 if block.byte()? == 2 => return Ok(false),
        2 => {}
        _ => return Err(Stop::malformed(format!("a shape of version {version}, expected 1 or 2"))),
    }
    for _ in 0..rank {
        if block.number(file.length_size())? != 1 {
            return Ok(false);
        }
    }
    Ok(true)
}

fn text(file: &File, kind: &[u8], value: &mut Block) -> Result<Option<Vec<u8>>, Stop> {
    let mut block = Block::new(kind);
    let class = block.byte()? & 15;
    let bits = block.byte()?;
    block.skip(2)?;
    let size = usize::try_from(block.number(4)?).unwrap_or(usize::MAX);
    let text = match class {
        3 => value.take(size)?.to_vec(),
        9 if bits & 15 == 1 => {
            let length = value.number(4)?;
            let address = value.number(file.offset_size())?;
            let index = value.number(4)?;
            if length == 0 { Vec::new() } else { file.global_object(address, index, length)? }
        }
        _ => return Ok(None),
    };
    let end = text.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    Ok(Some(text[..end].to_vec()))
}

/// A text without the zero that ends it.
pub(super) fn terminated(text: &[u8]) -> &[u8] {
    text.split(|byte| *byte == 0).next().unwrap_or_default()
}
