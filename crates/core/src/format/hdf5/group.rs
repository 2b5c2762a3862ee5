//! Groups of HDF5: the names of objects, in both ways of keeping them.

use std::collections::HashSet;

use super::super::bytes::Stop;
use super::dense;
use super::object::{LINK, LINK_INFO, Object, SYMBOL_TABLE, dense_data, terminated};
use super::structure::{Block, File};

/// More members than any group of a model has.
const MOST_LINKS: usize = 1 << 18;

/// A member of a group.
pub(super) struct Link {
    pub(super) name: Vec<u8>,
    pub(super) target: Target,
}

pub(super) enum Target {
    /// An object of this file, by its address.
    Here(u64),
    /// A path within this file.
    ByName,
    /// An object of the file of this name.
    File(Vec<u8>),
    /// A kind of link that programs may define for themselves.
    Foreign(u64),
}

impl Object {
    /// The members of this group.
    pub(super) fn links(&self, file: &File) -> Result<Vec<Link>, Stop> {
        let mut links = Vec::new();
        for message in &self.messages {
            let mut block = Block::new(&message.data);
            match message.kind {
                LINK => links.push(Link::read(file, &message.data)?),
                SYMBOL_TABLE => {
                    let tree = block.number(file.offset_size())?;
                    let names = file.local_heap(block.number(file.offset_size())?)?;
                    symbols(file, tree, &names, &mut links)?;
                }
                LINK_INFO => {
                    block.skip(1)?;
                    let skipped = if block.byte()? & 1 == 0 { 0 } else { 8 };
                    block.skip(skipped)?;
                    for data in dense_data(file, &mut block, dense::LINKS)? {
                        links.push(Link::read(file, &data)?);
                    }
                }
                _ => {}
            }
        }
        Ok(links)
    }
}

impl Link {
    fn read(file: &File, data: &[u8]) -> Result<Self, Stop> {
        let mut block = Block::new(data);
        let version = block.byte()?;
        if version != 1 {
            return Err(Stop::malformed(format!("a link of version {version}, expected 1")));
        }
        let flags = block.byte()?;
        let kind = if flags & 0x08 == 0 { 0 } else { block.number(1)? };
        block.skip(if flags & 0x04 == 0 { 0 } else { 8 })?;
        block.skip(if flags & 0x10 == 0 { 0 } else { 1 })?;
        let length = block.number(1 << (flags & 3))?;
        let name = block.take(usize::try_from(length).unwrap_or(usize::MAX))?.to_vec();
        let target = match kind {
            0 => Target::Here(block.number(file.offset_size())?),
            1 => Target::ByName,
            64 => {
                let length = block.number(2)?;
                let value = block.take(usize::try_from(length).unwrap_or(usize::MAX))?;
                // Flags, the name of the file, the path in it.
                Target::File(terminated(value.get(1..).unwrap_or_default()).to_vec())
            }
            _ => Target::Foreign(kind),
        };
        Ok(Self { name, target })
    }
}

/// The members that a tree of the older kind leads to.
fn symbols(file: &File, tree: u64, names: &[u8], links: &mut Vec<Link>) -> Result<(), Stop> {
    let mut seen = HashSet::new();
    let mut next = vec![(tree, None)];
    while let Some((address, level)) = next.pop() {
        if !seen.insert(address) {
            return Err(Stop::malformed(format!("the tree of a group comes back to {address}")));
        }
        if level == Some(0) {
            symbol_node(file, address, names, links)?;
            continue;
        }
        let header_size = 8 + 2 * file.offset_size() as u64;
        let header = file.read(address, header_size)?;
        let mut block = Block::new(&header);
        block.expect(b"TREE")?;
        let kind = block.byte()?;
        let own_level = block.byte()?;
        if kind != 0 || level.is_some_and(|level| level != own_level + 1) {
            return Err(Stop::malformed(format!("the tree of a group has something else at {address}")));
        }
        let count = block.number(2)?;
        let (key, child) = (file.length_size(), file.offset_size());
        let entries = file.read(address.saturating_add(header_size), count * (key + child) as u64)?;
        let mut block = Block::new(&entries);
        for _ in 0..count {
            block.skip(key)?;
            next.push((block.number(child)?, Some(own_level)));
        }
    }
    Ok(())
}

fn symbol_node(file: &File, address: u64, names: &[u8], links: &mut Vec<Link>) -> Result<(), Stop> {
    let header = file.read(address, 8)?;
    let mut block = Block::new(&header);
    block.expect(b"SNOD")?;
    block.skip(2)?;
    let count = block.number(2)?;
    let offset = file.offset_size();
    let entries = file.read(address.saturating_add(8), count * (2 * offset + 24) as u64)?;
    let mut block = Block::new(&entries);
    for _ in 0..count {
        let name = name_at(names, block.number(offset)?)?.to_vec();
        let object = block.number(offset)?;
        // The entry of a soft link has no object.
        let is_soft = block.number(4)? == 2;
        block.skip(20)?;
        let target = if is_soft { Target::ByName } else { Target::Here(object) };
        links.push(Link { name, target });
        if links.len() > MOST_LINKS {
            return Err(Stop::malformed(format!("a group of more than {MOST_LINKS} members")));
        }
    }
    Ok(())
}

/// The name at `start` of a group's heap.
pub(super) fn name_at(names: &[u8], start: u64) -> Result<&[u8], Stop> {
    let name = usize::try_from(start).ok().and_then(|start| names.get(start..));
    let name = name.ok_or_else(|| Stop::malformed(format!("a name at {start} of a heap that ends before it")))?;
    Ok(terminated(name))
}
