//! The PEM blocks of a key file.

use pem::Pem;

use super::InvalidKey;

/// The largest key file that is read. An encrypted RSA 4096 key takes 4 KB.
pub(super) const MAX_KEY_BYTES: usize = 1 << 20;

/// Every PEM block of a key file.
pub(super) fn key_blocks(text: &[u8]) -> Result<Vec<Pem>, InvalidKey> {
    if text.len() > MAX_KEY_BYTES { Err(InvalidKey::TooLarge) } else { blocks(text) }
}

/// Every PEM block in `text`, whatever stands between them.
pub(crate) fn blocks(text: &[u8]) -> Result<Vec<Pem>, InvalidKey> {
    let blocks = pem::parse_many(text).map_err(InvalidKey::Pem)?;
    // The library passes over a block that was cut short.
    let begun = text.split(|byte| *byte == b'\n').filter(|line| line.starts_with(b"-----BEGIN ")).count();
    if begun > blocks.len() {
        return Err(InvalidKey::Unfinished);
    }
    if blocks.is_empty() {
        return Err(InvalidKey::NotPem);
    }
    Ok(blocks)
}

/// The one block that `wanted` accepts; without one, an error that says what is there.
pub(super) fn only(blocks: Vec<Pem>, expected: &'static str, wanted: impl Fn(&Pem) -> bool) -> Result<Pem, InvalidKey> {
    let (mut wanted_blocks, others): (Vec<Pem>, Vec<Pem>) = blocks.into_iter().partition(wanted);
    match (wanted_blocks.len(), others.first()) {
        (1, _) => Ok(wanted_blocks.remove(0)),
        (0, Some(other)) => Err(InvalidKey::WrongKind { expected, found: describe(other.tag()) }),
        (0, None) => Err(InvalidKey::NotPem),
        (found, _) => Err(InvalidKey::Several { expected, found }),
    }
}

/// A block's label in words.
fn describe(label: &str) -> String {
    match label {
        "PUBLIC KEY" | "RSA PUBLIC KEY" => "a public key".to_owned(),
        "PRIVATE KEY" | "ENCRYPTED PRIVATE KEY" | "EC PRIVATE KEY" | "RSA PRIVATE KEY" => {
            "a private key (`openssl pkey -pubout` writes its public key)".to_owned()
        }
        "CERTIFICATE" => "a certificate".to_owned(),
        _ => format!("a PEM block `{label}`"),
    }
}
