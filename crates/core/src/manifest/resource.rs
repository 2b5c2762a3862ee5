//! One resource: a file, or a shard of one (OMS §6.3).

use std::ops::Range;

use model_hash::Digest;

use crate::model::{InvalidPath, ModelPath};

/// A resource descriptor (OMS §5.2.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resource {
    /// `path`, or `path:start:end`.
    name: String,
    path_length: usize,
    range: Option<(u64, u64)>,
    digest: Digest,
}

impl Resource {
    /// A whole file.
    #[must_use]
    pub fn file(path: &ModelPath, digest: Digest) -> Self {
        let name = path.as_str().to_owned();
        Self { path_length: name.len(), name, range: None, digest }
    }

    /// The bytes `range` of a file.
    #[must_use]
    pub fn shard(path: &ModelPath, range: Range<u64>, digest: Digest) -> Self {
        Self {
            name: format!("{path}:{}:{}", range.start, range.end),
            path_length: path.as_str().len(),
            range: Some((range.start, range.end)),
            digest,
        }
    }

    /// A shard, from its name.
    ///
    /// # Errors
    /// [`InvalidShardName`] if `name` is not `path:start:end`.
    pub fn from_shard_name(name: &str, digest: Digest) -> Result<Self, InvalidShardName> {
        let (path, range) = parse_shard_name(name)?;
        ModelPath::parse(path).map_err(InvalidShardName::Path)?;
        Ok(Self::from_checked(name, path.len(), Some(range), digest))
    }

    /// A resource whose path is not canonical but stands for the model itself; see `compat`.
    pub(crate) fn of_model_itself(name: &str, range: Option<(u64, u64)>, digest: Digest) -> Self {
        Self::from_checked(name, crate::compat::SINGLE_FILE_NAME.len(), range, digest)
    }

    fn from_checked(name: &str, path_length: usize, range: Option<(u64, u64)>, digest: Digest) -> Self {
        Self { name: name.to_owned(), path_length, range, digest }
    }

    /// The name in the manifest.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The file's path from the model root.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.name[..self.path_length]
    }

    /// The bytes that the digest covers, end exclusive; `None` for the whole file.
    #[must_use]
    pub fn range(&self) -> Option<Range<u64>> {
        self.range.map(|(start, end)| start..end)
    }

    /// The digest of those bytes.
    #[must_use]
    pub fn digest(&self) -> &Digest {
        &self.digest
    }
}

/// Splits `path:start:end` from the right: file names may contain `:` (OMS §6.3.2).
pub(crate) fn parse_shard_name(name: &str) -> Result<(&str, (u64, u64)), InvalidShardName> {
    let mut parts = name.rsplitn(3, ':');
    let (Some(end), Some(start), Some(path)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(InvalidShardName::Form);
    };
    let (Some(start), Some(end)) = (decimal(start), decimal(end)) else {
        return Err(InvalidShardName::Form);
    };
    if start >= end {
        return Err(InvalidShardName::EmptyRange { start, end });
    }
    Ok((path, (start, end)))
}

/// A number in the only form that a signer writes: no sign, no leading zero.
fn decimal(text: &str) -> Option<u64> {
    let canonical = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    if canonical { text.parse().ok() } else { None }
}

/// Why a name is not that of a shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidShardName {
    /// The name does not end in two decimal numbers.
    #[error("expected `path:start:end` with two decimal byte offsets")]
    Form,
    /// The range is empty or reversed.
    #[error("expected a start before its end, found {start} and {end}")]
    EmptyRange {
        /// First byte.
        start: u64,
        /// Last byte, exclusive.
        end: u64,
    },
    /// The path before the offsets is not canonical.
    #[error("{0}")]
    Path(InvalidPath),
}

#[cfg(test)]
mod tests {
    use super::*;
    use model_hash::HashAlgorithm;
    use proptest::prelude::*;

    fn digest() -> Digest {
        HashAlgorithm::Sha256.digest(b"")
    }

    #[test]
    fn shard_names_are_split_from_the_right() {
        let shard = Resource::from_shard_name("a:1:2:30:40", digest()).expect("valid");
        assert_eq!((shard.path(), shard.range()), ("a:1:2", Some(30..40)));
    }

    #[test]
    fn names_that_are_not_shards_are_rejected() {
        for name in
            ["a", "a:1", "a:0:x", "a:-1:2", "a:+1:2", "a:01:2", "a:0:02", "a: 0:2", "a:0:", "a:0:99999999999999999999"]
        {
            assert_eq!(Resource::from_shard_name(name, digest()), Err(InvalidShardName::Form), "{name}");
        }
        let reversed = InvalidShardName::EmptyRange { start: 4, end: 4 };
        assert_eq!(Resource::from_shard_name("a:4:4", digest()), Err(reversed));
        let escaping = InvalidShardName::Path(InvalidPath::ParentDirectory);
        assert_eq!(Resource::from_shard_name("../a:0:4", digest()), Err(escaping));
        assert_eq!(Resource::from_shard_name(":0:4", digest()), Err(InvalidShardName::Path(InvalidPath::Empty)));
    }

    proptest! {
        #[test]
        fn shard_name_round_trips(path in "[a-z:0-9]{1,8}(/[a-z:0-9]{1,8}){0,2}", start in any::<u64>(), length in 1u64..) {
            prop_assume!(start.checked_add(length).is_some());
            let path = ModelPath::parse(&path).expect("valid");
            let shard = Resource::shard(&path, start..start + length, digest());
            let parsed = Resource::from_shard_name(shard.name(), digest()).expect("round trip");
            prop_assert_eq!(&parsed, &shard);
            prop_assert_eq!(parsed.path(), path.as_str());
        }
    }
}
