//! The tree of RFC 6962 §2.1.

use crate::key::sha256;

pub(crate) type Hash = [u8; 32];

/// How many hashes a whole tile has (C2SP tlog-tiles).
pub(crate) const TILE_WIDTH: u64 = 256;

/// A tree over the hashes of its leaves.
#[derive(Clone, Default)]
pub(crate) struct Tree {
    leaves: Vec<Hash>,
}

impl Tree {
    pub(crate) fn of<'a>(bodies: impl IntoIterator<Item = &'a [u8]>) -> Self {
        Self { leaves: bodies.into_iter().map(leaf_hash).collect() }
    }

    pub(crate) fn size(&self) -> u64 {
        self.leaves.len() as u64
    }

    pub(crate) fn root(&self) -> Hash {
        root(&self.leaves)
    }

    /// The hashes that lead from this leaf to the root (§2.1.1).
    pub(crate) fn inclusion(&self, index: u64) -> Vec<Hash> {
        inclusion(usize::try_from(index).expect("small"), &self.leaves)
    }

    /// The hashes that prove a smaller tree to be the beginning of a larger one (§2.1.2); none for impossible sizes.
    pub(crate) fn consistency(&self, first: u64, last: u64) -> Option<Vec<Hash>> {
        let (first, last) = (usize::try_from(first).ok()?, usize::try_from(last).ok()?);
        let leaves = self.leaves.get(..last)?;
        match first {
            0 => None,
            _ if first > last => None,
            _ if first == last => Some(Vec::new()),
            _ => Some(subproof(first, leaves, true)),
        }
    }

    /// The hashes of a tile: each is the root of a whole subtree of `256^level` leaves.
    ///
    /// None if the log has not so many hashes there, or fewer than `width` is 1.
    pub(crate) fn tile(&self, level: u32, index: u64, width: u64) -> Option<Vec<Hash>> {
        let leaves_per_hash = TILE_WIDTH.checked_pow(level)?;
        let first = index.checked_mul(TILE_WIDTH)?;
        (first..first.checked_add(width)?)
            .map(|hash| {
                let from = usize::try_from(hash.checked_mul(leaves_per_hash)?).ok()?;
                let to = from.checked_add(usize::try_from(leaves_per_hash).ok()?)?;
                self.leaves.get(from..to).map(root)
            })
            .collect()
    }
}

pub(crate) fn leaf_hash(body: &[u8]) -> Hash {
    sha256(&[&[0], body].concat())
}

fn node_hash(left: &Hash, right: &Hash) -> Hash {
    sha256(&[&[1], &left[..], right].concat())
}

fn root(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => sha256(&[]),
        [leaf] => *leaf,
        _ => {
            let (left, right) = leaves.split_at(split(leaves.len()));
            node_hash(&root(left), &root(right))
        }
    }
}

/// The largest power of two below `size`, which is at least two.
fn split(size: usize) -> usize {
    1 << (size - 1).ilog2()
}

fn inclusion(index: usize, leaves: &[Hash]) -> Vec<Hash> {
    if leaves.len() == 1 {
        return Vec::new();
    }
    let middle = split(leaves.len());
    let (left, right) = leaves.split_at(middle);
    let (mut proof, sibling) = if index < middle {
        (inclusion(index, left), root(right))
    } else {
        (inclusion(index - middle, right), root(left))
    };
    proof.push(sibling);
    proof
}

fn subproof(first: usize, leaves: &[Hash], is_known: bool) -> Vec<Hash> {
    if first == leaves.len() {
        return if is_known { Vec::new() } else { vec![root(leaves)] };
    }
    let middle = split(leaves.len());
    let (left, right) = leaves.split_at(middle);
    let (mut proof, sibling) = if first <= middle {
        (subproof(first, left, is_known), root(right))
    } else {
        (subproof(first - middle, right, false), root(left))
    };
    proof.push(sibling);
    proof
}

#[cfg(test)]
mod tests {
    use sigstore_merkle::{verify_consistency_proof, verify_inclusion_proof};
    use sigstore_verify::types::Sha256Hash;

    use super::*;

    fn tree(size: u64) -> Tree {
        let bodies: Vec<Vec<u8>> = (0..size).map(|index| index.to_be_bytes().to_vec()).collect();
        Tree::of(bodies.iter().map(Vec::as_slice))
    }

    fn root_at(tree: &Tree, size: u64) -> Hash {
        root(&tree.leaves[..usize::try_from(size).expect("small")])
    }

    fn hashes(hashes: Vec<Hash>) -> Vec<Sha256Hash> {
        hashes.into_iter().map(Sha256Hash::new).collect()
    }

    #[test]
    fn proofs_hold_for_every_leaf_and_size() {
        let sizes = [1, 2, 3, 4, 5, 7, 8, 9, 31, 32, 33];
        let largest = tree(33);
        for size in sizes {
            let tree = tree(size);
            assert_eq!(root_at(&largest, size), tree.root());
            for index in 0..size {
                let leaf = Sha256Hash::new(leaf_hash(&index.to_be_bytes()));
                let proof = hashes(tree.inclusion(index));
                verify_inclusion_proof(&leaf, index, size, &proof, &Sha256Hash::new(tree.root())).expect("included");
            }
            for first in 1..=size {
                let proof = hashes(largest.consistency(first, size).expect("sizes in order"));
                let roots = [first, size].map(|size| Sha256Hash::new(root_at(&largest, size)));
                verify_consistency_proof(first, size, &proof, &roots[0], &roots[1]).expect("consistent");
            }
        }
        assert_eq!(largest.consistency(2, 1), None);
        assert_eq!(largest.consistency(1, 34), None);
    }

    #[test]
    fn tiles_hold_what_there_is() {
        let tree = tree(600);
        assert_eq!(tree.tile(0, 2, 88).expect("the last leaves").len(), 88);
        assert_eq!(tree.tile(0, 2, 89), None);
        let roots = tree.tile(1, 0, 2).expect("two whole tiles below");
        assert_eq!(root(&tree.tile(0, 1, TILE_WIDTH).expect("a whole tile")), roots[1]);
        assert_eq!(tree.tile(1, 0, 3), None);
    }
}
