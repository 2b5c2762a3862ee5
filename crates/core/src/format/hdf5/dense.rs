//! Dense storage of HDF5: members and attributes of which there are many, in a heap with a tree of where each is.

use std::collections::HashSet;

use super::super::bytes::Stop;
use super::structure::{Block, File};

/// More members or attributes than any object of a model has.
const MOST_RECORDS: usize = 1 << 18;
/// Trees and blocks that are deeper have more in them than any file.
const MOST_NESTED: u64 = 24;

/// Kinds of trees.
pub(super) const LINKS: u8 = 5;
pub(super) const ATTRIBUTES: u8 = 8;

/// Every link or attribute that a heap has, by the tree that lists them.
pub(super) fn all(file: &File, heap: u64, tree: u64, kind: u8) -> Result<Vec<Vec<u8>>, Stop> {
    let heap = Heap::read(file, heap)?;
    let ids = ids(file, tree, kind, heap.id_size)?;
    ids.iter().map(|id| heap.object(file, id)).collect()
}

/// What the nodes of a tree have in common.
struct Tree {
    kind: u8,
    node_size: u64,
    record_size: usize,
    id_size: usize,
}

fn ids(file: &File, address: u64, kind: u8, id_size: usize) -> Result<Vec<Vec<u8>>, Stop> {
    let header = file.read_up_to(address, 64)?;
    let mut block = Block::new(&header);
    block.expect(b"BTHD")?;
    block.expect(&[0, kind])?;
    let node_size = block.number(4)?;
    let record_size = usize::try_from(block.number(2)?).unwrap_or(usize::MAX);
    let depth = block.number(2)?;
    block.skip(2)?;
    let root = file.defined(block.number(file.offset_size())?);
    let count = block.number(2)?;
    if record_size < id_size + 4 || node_size < 10 + record_size as u64 || depth > MOST_NESTED {
        return Err(Stop::malformed(format!("the tree at {address} can't be one of members")));
    }
    let tree = Tree { kind, node_size, record_size, id_size };
    let (mut ids, mut seen) = (Vec::new(), HashSet::new());
    let mut next: Vec<_> = root.map(|root| (root, count, depth)).into_iter().collect();
    while let Some((address, count, depth)) = next.pop() {
        if !seen.insert(address) {
            return Err(Stop::malformed(format!("the tree of a group comes back to {address}")));
        }
        tree.node(file, address, count, depth, &mut ids, &mut next)?;
        if ids.len() > MOST_RECORDS {
            return Err(Stop::malformed(format!("more than {MOST_RECORDS} members or attributes")));
        }
    }
    Ok(ids)
}

impl Tree {
    fn node(
        &self,
        file: &File,
        address: u64,
        count: u64,
        depth: u64,
        ids: &mut Vec<Vec<u8>>,
        next: &mut Vec<(u64, u64, u64)>,
    ) -> Result<(), Stop> {
        let node = file.read_up_to(address, self.node_size)?;
        let mut block = Block::new(&node);
        block.expect(if depth == 0 { b"BTLF" } else { b"BTIN" })?;
        block.expect(&[0, self.kind])?;
        for _ in 0..count {
            let mut record = Block::new(block.take(self.record_size)?);
            // Of a link the hash of its name goes first; after the place of an attribute stand flags.
            if self.kind == LINKS {
                record.skip(4)?;
            }
            let id = record.take(self.id_size)?.to_vec();
            if self.kind == ATTRIBUTES && record.byte()? & super::object::SHARED != 0 {
                return Err(Stop::malformed("an attribute that is kept elsewhere was not read"));
            }
            ids.push(id);
        }
        if depth > 0 {
            let (count_size, total_size) = self.pointer_sizes(file, depth);
            for _ in 0..=count {
                let address = block.number(file.offset_size())?;
                let count = block.number(count_size)?;
                block.skip(total_size)?;
                next.push((address, count, depth - 1));
            }
        }
        Ok(())
    }

    /// How many bytes say how many records a child has, and all below it.
    fn pointer_sizes(&self, file: &File, depth: u64) -> (usize, usize) {
        let record = self.record_size as u64;
        let of_leaf = self.node_size.saturating_sub(10) / record;
        let count_size = size_of_number(of_leaf);
        let (mut all, mut total_size) = (of_leaf, 0);
        for _ in 1..depth {
            let pointer = (file.offset_size() + count_size + total_size) as u64;
            let own = self.node_size.saturating_sub(10 + pointer) / (record + pointer);
            all = (own + 1).saturating_mul(all).saturating_add(own);
            total_size = size_of_number(all);
        }
        (count_size, total_size)
    }
}

/// A heap whose blocks double in size, row by row.
struct Heap {
    id_size: usize,
    offset_size: usize,
    length_size: usize,
    width: u64,
    first_size: u64,
    most_direct_size: u64,
    root: u64,
    rows: u64,
}

impl Heap {
    fn read(file: &File, address: u64) -> Result<Self, Stop> {
        let (length, offset) = (file.length_size(), file.offset_size());
        let header = file.read_up_to(address, 256)?;
        let mut block = Block::new(&header);
        block.expect(b"FRHP\0")?;
        let id_size = usize::try_from(block.number(2)?).unwrap_or(usize::MAX);
        if block.number(2)? != 0 {
            return Err(Stop::malformed("members or attributes that are compressed were not read"));
        }
        block.skip(1)?;
        let most_object_size = block.number(4)?;
        block.skip(10 * length + 2 * offset)?;
        let width = block.number(2)?;
        let first_size = block.number(length)?;
        let most_direct_size = block.number(length)?;
        let bits = block.number(2)?;
        block.skip(2)?;
        let root = block.number(offset)?;
        let rows = block.number(2)?;
        let heap = Self {
            id_size,
            offset_size: usize::try_from(bits.div_ceil(8)).unwrap_or(usize::MAX),
            length_size: size_of_number(most_object_size.min(most_direct_size)),
            width,
            first_size,
            most_direct_size,
            root,
            rows,
        };
        let sizes = [width, first_size, most_direct_size];
        if sizes.iter().any(|size| !size.is_power_of_two()) || bits > 64 || first_size > most_direct_size || rows > 64 {
            return Err(Stop::malformed(format!("the heap at {address} has sizes that no heap has")));
        }
        Ok(heap)
    }

    fn object(&self, file: &File, id: &[u8]) -> Result<Vec<u8>, Stop> {
        let mut block = Block::new(id);
        let flags = block.byte()?;
        match flags >> 4 & 3 {
            0 => {}
            2 if self.id_size <= 17 => return Ok(block.take(usize::from(flags & 15) + 1)?.to_vec()),
            _ => return Err(Stop::malformed("a member or attribute that is too large for its heap was not read")),
        }
        let offset = block.number(self.offset_size)?;
        let length = block.number(self.length_size)?;
        let address = if self.rows == 0 { self.root.checked_add(offset) } else { self.place(file, offset)? };
        match address {
            Some(address) => file.read(address, length),
            None => Err(Stop::malformed("a member or attribute beyond any file")),
        }
    }

    /// The address of what is at `offset` of the heap.
    fn place(&self, file: &File, mut offset: u64) -> Result<Option<u64>, Stop> {
        let direct_rows = u64::from(self.most_direct_size.ilog2() - self.first_size.ilog2()) + 2;
        let (mut address, mut rows) = (self.root, self.rows);
        for _ in 0..MOST_NESTED {
            // In the row the blocks have the size that all before it have together.
            let in_first_sizes = offset / self.first_size / self.width;
            let row = if in_first_sizes == 0 { 0 } else { u64::from(in_first_sizes.ilog2()) + 1 };
            if row >= rows {
                return Err(Stop::malformed("a member or attribute beyond its heap"));
            }
            let (size, start) = match row {
                0 => (Some(self.first_size), Some(0)),
                _ => {
                    let size = self.first_size.checked_mul(1_u64.checked_shl(row as u32 - 1).unwrap_or(0));
                    (size, size.and_then(|size| size.checked_mul(self.width)))
                }
            };
            let (Some(size @ 1..), Some(start)) = (size, start) else { return Ok(None) };
            let column = (offset - start) / size;
            let entry = row * self.width + column;
            let head_size = 5 + (file.offset_size() + self.offset_size) as u64;
            Block::new(&file.read(address, 4)?).expect(b"FHIB")?;
            let entry = address.checked_add(head_size + entry * file.offset_size() as u64);
            let Some(entry) = entry else { return Ok(None) };
            address = Block::new(&file.read(entry, file.offset_size() as u64)?).number(file.offset_size())?;
            offset -= start + column * size;
            if row < direct_rows {
                return Ok(address.checked_add(offset));
            }
            let below = size.ilog2().saturating_sub(self.first_size.ilog2() + self.width.ilog2());
            rows = u64::from(below) + 1;
        }
        Err(Stop::malformed("a heap of blocks that are nested too deeply"))
    }
}

/// The bytes that a number up to `most` takes.
const fn size_of_number(most: u64) -> usize {
    match most.checked_ilog2() {
        Some(bits) => bits as usize / 8 + 1,
        None => 1,
    }
}
