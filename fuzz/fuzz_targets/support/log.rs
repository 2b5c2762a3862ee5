//! A log with one entry, and a key that lives as long as the process.

use model_transparency::key::{KeyAlgorithm, PrivateKey, PrivateKeyPem, SigningKey as _, generate};
use model_transparency::log::{LogId, LogKey, LogKeys, TreeHash};

pub const ORIGIN: &str = "log.example";

pub struct Log {
    private: PrivateKey,
    pub keys: LogKeys,
    pub id: LogId,
}

impl Log {
    pub fn new() -> Self {
        let (pem, _) = generate(KeyAlgorithm::Ed25519, None).expect("a key");
        let private = PrivateKeyPem::parse(pem.as_bytes()).and_then(|pem| pem.into_key(None)).expect("a key");
        let id = LogId::of_note(ORIGIN, private.public_key());
        let keys = LogKeys::new(vec![LogKey::new(private.public_key().clone(), id, "https://log.example")]);
        Self { private, keys, id }
    }

    /// The checkpoint of the tree that has this entry alone.
    pub fn checkpoint(&self, entry: &[u8]) -> String {
        let root = base64(TreeHash::of_leaf(entry).as_bytes());
        let text = format!("{ORIGIN}\n1\n{root}\n");
        let signature = self.private.sign(text.as_bytes()).expect("own keys sign");
        let line = base64(&[&self.id.as_bytes()[..4], &signature].concat());
        format!("{text}\n\u{2014} {ORIGIN} {line}\n")
    }
}

pub fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for part in bytes.chunks(3) {
        let bits = part.iter().chain([&0, &0]).take(3).fold(0, |bits, byte| bits << 8 | usize::from(*byte));
        for digit in 0..4 {
            let is_padding = digit > part.len();
            text.push(if is_padding { '=' } else { char::from(DIGITS[bits >> (18 - 6 * digit) & 63]) });
        }
    }
    text
}
