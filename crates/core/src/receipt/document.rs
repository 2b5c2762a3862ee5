//! A receipt as bytes: one line with a MAC, then JSON.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::ops::Range;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hmac;
use model_hash::{Digest, HashAlgorithm};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{FileState, FileTime, Receipt, Record};
use crate::key::GenerateError;

/// The longest receipt that is read, in bytes: more than one of as many shards as a bundle can list.
pub const MAX_RECEIPT_BYTES: usize = 1 << 30;

/// The first line up to the MAC. It is part of what is authenticated.
const HEAD: &str = "model-signing receipt 1 hmac-sha256 ";
/// Hexadecimal digits of the MAC.
const MAC_DIGITS: usize = 64;

/// The key that a user's receipts are authenticated with (HMAC-SHA-256, RFC 2104).
pub struct ReceiptKey(hmac::Key);

impl ReceiptKey {
    /// The length of a key in bytes.
    pub const LENGTH_BYTES: usize = 32;

    /// A key of these random bytes.
    #[must_use]
    pub fn new(bytes: &[u8; Self::LENGTH_BYTES]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, bytes))
    }

    /// Random bytes for a new key.
    ///
    /// # Errors
    /// [`GenerateError`] if the operating system has no randomness.
    pub fn generate() -> Result<Zeroizing<[u8; Self::LENGTH_BYTES]>, GenerateError> {
        let mut bytes = Zeroizing::new([0; Self::LENGTH_BYTES]);
        aws_lc_rs::rand::fill(bytes.as_mut_slice()).map_err(|_| GenerateError::Library)?;
        Ok(bytes)
    }

    /// The MAC of a receipt of `model`.
    fn mac(&self, model: &[u8], json: &[u8]) -> hmac::Tag {
        let mut context = hmac::Context::with_key(&self.0);
        for part in [HEAD.as_bytes(), &(model.len() as u64).to_be_bytes(), model, json] {
            context.update(part);
        }
        context.sign()
    }
}

impl fmt::Debug for ReceiptKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ReceiptKey")
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document<'a> {
    boot: Cow<'a, str>,
    #[serde(borrow)]
    files: Vec<FileRecord<'a>>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileRecord<'a> {
    #[serde(borrow)]
    path: Cow<'a, str>,
    state: FileState,
    hashed: FileTime,
    #[serde(borrow)]
    algorithm: Cow<'a, str>,
    #[serde(borrow)]
    digests: Vec<DigestRecord<'a>>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct DigestRecord<'a> {
    #[serde(skip_serializing_if = "Option::is_none", default)]
    range_bytes: Option<(u64, u64)>,
    #[serde(borrow)]
    digest: Cow<'a, str>,
}

impl Receipt {
    /// Reads a receipt that was written for this key and `model`, which says whose it is.
    ///
    /// # Errors
    /// [`InvalidReceipt`]: nothing of it may be believed.
    pub fn parse(bytes: &[u8], model: &[u8], key: &ReceiptKey) -> Result<Self, InvalidReceipt> {
        if bytes.len() > MAX_RECEIPT_BYTES {
            return Err(InvalidReceipt::TooLarge);
        }
        let line = bytes.strip_prefix(HEAD.as_bytes()).ok_or(InvalidReceipt::Form)?;
        let (mac, json) = line.split_at_checked(MAC_DIGITS).ok_or(InvalidReceipt::Form)?;
        let json = json.strip_prefix(b"\n").ok_or(InvalidReceipt::Form)?;
        let mac = base16ct::lower::decode_vec(mac).map_err(|_| InvalidReceipt::Form)?;
        if verify_slices_are_equal(key.mac(model, json).as_ref(), &mac).is_err() {
            return Err(InvalidReceipt::OtherKey);
        }
        let document: Document<'_> = serde_json::from_slice(json).map_err(|_| InvalidReceipt::Form)?;
        let mut files = HashMap::with_capacity(document.files.len());
        for file in document.files {
            let path = file.path.clone().into_owned();
            files.insert(path, Record::read(file).ok_or(InvalidReceipt::Form)?);
        }
        Ok(Self { boot: document.boot.into_owned(), files })
    }

    /// The receipt as it is kept.
    #[must_use]
    pub fn to_bytes(&self, model: &[u8], key: &ReceiptKey) -> Vec<u8> {
        let mut files: Vec<_> = self.files.iter().map(|(path, record)| record.write(path)).collect();
        files.sort_unstable_by(|a, b| a.path.cmp(&b.path));
        let document = Document { boot: Cow::Borrowed(&self.boot), files };
        let mut bytes = format!("{HEAD}{:MAC_DIGITS$}\n", "").into_bytes();
        let json_at = bytes.len();
        serde_json::to_writer(&mut bytes, &document).expect("text and numbers are JSON");
        let mac = base16ct::lower::encode_string(key.mac(model, &bytes[json_at..]).as_ref());
        bytes[HEAD.len()..json_at - 1].copy_from_slice(mac.as_bytes());
        bytes
    }
}

impl Record {
    fn read(file: FileRecord<'_>) -> Option<Self> {
        let algorithm = HashAlgorithm::from_identifier(&file.algorithm)?;
        let digest = |found: &DigestRecord<'_>| {
            let range = found.range_bytes.map(|(start, end)| start..end);
            Some((range, Digest::from_hex(algorithm, &found.digest).ok()?))
        };
        let digests: Option<Vec<_>> = file.digests.iter().map(digest).collect();
        Some(Self::new(file.state, file.hashed, algorithm, digests?))
    }

    fn write<'a>(&'a self, path: &'a str) -> FileRecord<'a> {
        let digest = |(range, digest): &(Option<Range<u64>>, Digest)| DigestRecord {
            range_bytes: range.as_ref().map(|range| (range.start, range.end)),
            digest: digest.to_hex().into(),
        };
        FileRecord {
            path: path.into(),
            state: self.state,
            hashed: self.hashed,
            algorithm: self.algorithm.identifier().into(),
            digests: self.digests.iter().map(digest).collect(),
        }
    }
}

/// Why a receipt says nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidReceipt {
    /// It is not a receipt that this version writes.
    #[error("is not a receipt that this version of the tool writes")]
    Form,
    /// It was not written with this key for this model.
    #[error("was changed, or written with another key or for another model")]
    OtherKey,
    /// It is longer than any that is written.
    #[error("has more than {MAX_RECEIPT_BYTES} bytes, expected no more")]
    TooLarge,
}
