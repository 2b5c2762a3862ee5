//! Proofs about a log's tree (RFC 6962 §2.1.1 and §2.1.2).

use sigstore_verify::types::Sha256Hash;

use super::TreeHash;

/// The most hashes in a proof that can hold: two for every level of the largest tree.
pub(super) const MAX_PROOF_HASHES: usize = 128;

/// Checks that an entry with the hash `leaf` stands at `index` in the tree of `size` entries with this root.
///
/// # Errors
/// [`ProofError`]: why the proof does not hold.
pub fn verify_inclusion(
    leaf: TreeHash,
    index: u64,
    size: u64,
    root: TreeHash,
    proof: &[TreeHash],
) -> Result<(), ProofError> {
    let proof = hashes(proof)?;
    sigstore_merkle::verify_inclusion_proof(&leaf.into(), index, size, &proof, &root.into()).map_err(refused)
}

/// Checks that the tree of `old_size` entries with `old_root` is the beginning of the one of `new_size` with `new_root`.
///
/// # Errors
/// [`ProofError`]: why the proof does not hold.
pub fn verify_consistency(
    (old_size, old_root): (u64, TreeHash),
    (new_size, new_root): (u64, TreeHash),
    proof: &[TreeHash],
) -> Result<(), ProofError> {
    if old_size == 0 && old_root != TreeHash::of_empty_tree() {
        return Err(ProofError("a tree without entries has another root".to_owned()));
    }
    let proof = hashes(proof)?;
    sigstore_merkle::verify_consistency_proof(old_size, new_size, &proof, &old_root.into(), &new_root.into())
        .map_err(refused)
}

fn hashes(proof: &[TreeHash]) -> Result<Vec<Sha256Hash>, ProofError> {
    if proof.len() > MAX_PROOF_HASHES {
        return Err(ProofError(format!("expected at most {MAX_PROOF_HASHES} hashes, found {}", proof.len())));
    }
    Ok(proof.iter().map(|hash| (*hash).into()).collect())
}

fn refused(error: sigstore_merkle::Error) -> ProofError {
    ProofError(error.to_string())
}

/// Why a proof does not hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ProofError(String);

#[cfg(test)]
mod tests {
    use super::super::testing::{entries, merkle_root, prove_consistency, prove_inclusion};
    use super::*;

    const LARGEST: usize = 20;

    #[test]
    fn proofs_hold_for_what_they_prove_alone() {
        let entries = entries(LARGEST);
        let leaves: Vec<TreeHash> = entries.iter().map(|entry| TreeHash::of_leaf(entry)).collect();
        for size in 1..=LARGEST {
            let (tree, root) = (&leaves[..size], merkle_root(&leaves[..size]));
            for index in 0..size {
                let proof = prove_inclusion(index, tree);
                let check = |index: usize, size: usize, proof: &[TreeHash]| {
                    verify_inclusion(leaves[index], index as u64, size as u64, root, proof)
                };
                check(index, size, &proof).expect("it is there");
                for other in (0..size).filter(|other| *other != index) {
                    check(other, size, &proof).expect_err("another entry");
                    let moved = verify_inclusion(leaves[index], other as u64, size as u64, root, &proof);
                    moved.expect_err("another place");
                }
                check(index, size, &[proof.as_slice(), &[root]].concat()).expect_err("too long");
                for at in 0..proof.len() {
                    let mut changed = proof.clone();
                    changed[at] = TreeHash::from_bytes([1; 32]);
                    check(index, size, &changed).expect_err("another hash");
                    check(index, size, &proof[..at]).expect_err("too short");
                }
            }
        }
        verify_inclusion(leaves[0], 0, 0, leaves[0], &[]).expect_err("an empty tree");
        verify_inclusion(leaves[0], u64::MAX, u64::MAX, leaves[0], &[leaves[0]; 64]).expect_err("no tree");
        verify_inclusion(leaves[0], 0, u64::MAX, leaves[0], &vec![leaves[0]; 1_000]).expect_err("no tree");
    }

    #[test]
    fn a_tree_is_the_beginning_of_what_it_became() {
        let entries = entries(LARGEST);
        let leaves: Vec<TreeHash> = entries.iter().map(|entry| TreeHash::of_leaf(entry)).collect();
        for old in 0..=LARGEST {
            for new in old..=LARGEST {
                let (old_root, new_root) = (merkle_root(&leaves[..old]), merkle_root(&leaves[..new]));
                let proof = prove_consistency(old, &leaves[..new]);
                let check = |old_root, new_root, proof: &[TreeHash]| {
                    verify_consistency((old as u64, old_root), (new as u64, new_root), proof)
                };
                check(old_root, new_root, &proof).expect("it grew");
                let forked = TreeHash::from_bytes([1; 32]);
                check(forked, new_root, &proof).expect_err("another past");
                if old > 0 {
                    check(old_root, forked, &proof).expect_err("another present");
                }
                if old < new {
                    let shrunk = verify_consistency((new as u64, new_root), (old as u64, old_root), &proof);
                    shrunk.expect_err("a log does not shrink");
                }
            }
        }
    }
}
