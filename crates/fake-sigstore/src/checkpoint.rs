//! Signed checkpoints: C2SP tlog-checkpoint and signed-note, as Rekor has them.

use crate::desk::{Desk, Lie};
use crate::encoding::base64;
use crate::key::{Key, KeyKind, sha256};
use crate::merkle::Tree;

/// Who signs checkpoints.
pub(crate) struct Notary {
    /// The name beside the signature.
    pub(crate) name: String,
    pub(crate) key: Key,
    /// A key that is not the log's.
    pub(crate) stranger: Key,
}

impl Notary {
    /// A note about this tree, with `origin` as its first line, or what `desk` makes of it.
    pub(crate) fn checkpoint(&self, origin: &str, tree: &Tree, desk: &Desk) -> String {
        let body = |root: &[u8]| format!("{origin}\n{}\n{}\n", tree.size(), base64(root));
        let mut root = tree.root();
        let signed = body(&root);
        let (signer, hint) = if desk.lies(Lie::CheckpointOfAnotherKey) {
            (&self.stranger, key_id(&self.name, &self.stranger))
        } else if desk.lies(Lie::CheckpointForged) {
            (&self.stranger, key_id(&self.name, &self.key))
        } else {
            (&self.key, key_id(&self.name, &self.key))
        };
        if desk.lies(Lie::CheckpointAltered) {
            root[0] ^= 1;
        }
        let signature = [&hint[..4], &signer.sign(signed.as_bytes())].concat();
        format!("{}\n\u{2014} {} {}\n", body(&root), self.name, base64(&signature))
    }

    /// The identifier of the key, whose first four bytes are the hint.
    pub(crate) fn key_id(&self) -> [u8; 32] {
        key_id(&self.name, &self.key)
    }
}

fn key_id(name: &str, key: &Key) -> [u8; 32] {
    match key.kind() {
        // ECDSA keys are an exception in C2SP signed-note: their name is no part of it.
        KeyKind::EcdsaP256 | KeyKind::EcdsaP384 => key.id(),
        KeyKind::Ed25519 => sha256(&[name.as_bytes(), b"\n\x01", key.public_bytes()].concat()),
    }
}
