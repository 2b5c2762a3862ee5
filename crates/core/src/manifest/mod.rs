//! What a model consists of, as the OMS predicate states it (§5, §6.3 to §6.5).

mod difference;
mod hashing;
mod parameters;
mod resource;

use model_hash::{HashAlgorithm, Stream};

use crate::model::SymlinkPolicy;

pub use difference::{Changed, Difference};
pub use hashing::{HashModelError, UnhashedFile};
pub(crate) use hashing::{Piece, hash_resources};
pub use parameters::{Parameters, Serialization};
pub(crate) use resource::parse_shard_name;
pub use resource::{InvalidShardName, Resource};

/// The resources of a model and how they were made.
///
/// Every manifest is complete and consistent: at least one resource, no name twice, every digest of the manifest's
/// algorithm, and with shard serialization the shards of each file follow each other without gap or overlap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    resources: Vec<Resource>,
    parameters: Parameters,
}

impl Manifest {
    /// Puts a manifest together, keeping the order of `resources`.
    ///
    /// # Errors
    /// [`InvalidManifest`], naming the resource and the rule that it breaks.
    pub fn new(resources: Vec<Resource>, parameters: Parameters) -> Result<Self, InvalidManifest> {
        if resources.is_empty() {
            return Err(InvalidManifest::Empty);
        }
        for resource in &resources {
            if resource.digest().algorithm() != parameters.hash {
                return Err(InvalidManifest::Algorithm {
                    name: resource.name().to_owned(),
                    expected: parameters.hash,
                    found: resource.digest().algorithm().identifier().to_owned(),
                });
            }
        }
        let mut names: Vec<&str> = resources.iter().map(Resource::name).collect();
        names.sort_unstable();
        if let Some(pair) = names.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(InvalidManifest::DuplicateName { name: pair[0].to_owned() });
        }
        if let Serialization::Shards { size_bytes } = parameters.serialization {
            check_shards(&resources, size_bytes.get())?;
        }
        Ok(Self { resources, parameters })
    }

    /// The resources, in the order that the root digest is computed in.
    #[must_use]
    pub fn resources(&self) -> &[Resource] {
        &self.resources
    }

    /// How the resources were made.
    #[must_use]
    pub fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// The root digest (OMS §6.5.1): SHA-256 over the raw digests in order, whatever algorithm made them. It does not
    /// bind names.
    #[must_use]
    pub fn root_digest(&self) -> model_hash::Digest {
        let mut stream = Stream::new(HashAlgorithm::Sha256);
        for resource in &self.resources {
            stream.update(resource.digest().as_bytes());
        }
        stream.finish()
    }

    /// The number of files that the resources cover.
    #[must_use]
    pub fn file_count(&self) -> usize {
        self.resources.iter().filter(|resource| resource.range().is_none_or(|range| range.start == 0)).count()
    }

    /// The length of all files in bytes, if the resources state one that can be: shards do, whole files do not.
    #[must_use]
    pub fn stated_length_bytes(&self) -> Option<u64> {
        let mut lengths = self.resources.iter().map(|resource| resource.range().map(|range| range.end - range.start));
        lengths.try_fold(0u64, |sum, length| sum.checked_add(length?))
    }

    /// Whether the model was signed as a single file: one resource, which older tools name `.`.
    #[must_use]
    pub fn names_the_model_itself(&self) -> bool {
        self.resources.iter().all(|resource| resource.path() == crate::compat::SINGLE_FILE_NAME)
    }
}

impl Parameters {
    /// What a signer uses when it is told nothing.
    #[must_use]
    pub fn new(symlinks: SymlinkPolicy) -> Self {
        Self { serialization: Serialization::Files, hash: HashAlgorithm::Sha256, symlinks, ignore_paths: Vec::new() }
    }
}

/// Checks that the shards of every file cover it from byte 0, each but the last `size_bytes` long (OMS §6.3.2).
fn check_shards(resources: &[Resource], size_bytes: u64) -> Result<(), InvalidManifest> {
    let mut shards: Vec<(&str, std::ops::Range<u64>, &Resource)> =
        resources.iter().map(|resource| (resource.path(), resource.range().unwrap_or(0..0), resource)).collect();
    shards.sort_unstable_by(|a, b| (a.0, a.1.start, a.1.end).cmp(&(b.0, b.1.start, b.1.end)));
    for file in shards.chunk_by(|a, b| a.0 == b.0) {
        let mut expected_start = 0;
        for (position, (_, range, resource)) in file.iter().enumerate() {
            let name = || resource.name().to_owned();
            if range.start < expected_start {
                return Err(InvalidManifest::ShardOverlap { name: name(), expected_start, found_start: range.start });
            }
            if range.start > expected_start {
                return Err(InvalidManifest::ShardGap { name: name(), expected_start, found_start: range.start });
            }
            let length = range.end - range.start;
            let last = position + 1 == file.len();
            if length > size_bytes || (!last && length != size_bytes) {
                return Err(InvalidManifest::ShardLength { name: name(), expected: size_bytes, found: length });
            }
            expected_start = range.end;
        }
    }
    Ok(())
}

/// Why resources do not make a manifest.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidManifest {
    /// There is no resource (OMS §5.2.1).
    #[error("the manifest lists no resource, expected at least one")]
    Empty,
    /// Two resources have the same name.
    #[error("resource `{name}` is listed twice")]
    DuplicateName {
        /// The name.
        name: String,
    },
    /// A resource's algorithm is not that of the manifest.
    #[error("resource `{name}`: expected the algorithm `{expected}` of the manifest, found `{found}`")]
    Algorithm {
        /// The resource.
        name: String,
        /// What `serialization.hash_type` says.
        expected: HashAlgorithm,
        /// What the resource says.
        found: String,
    },
    /// A shard starts before the one before it ends.
    #[error(
        "shard `{name}` overlaps the one before it: expected it to start at byte {expected_start}, found {found_start}"
    )]
    ShardOverlap {
        /// The shard.
        name: String,
        /// Where the shard before it ends.
        expected_start: u64,
        /// Where it starts.
        found_start: u64,
    },
    /// Bytes between two shards, or before the first, are covered by none.
    #[error("there is a gap before shard `{name}`: expected it to start at byte {expected_start}, found {found_start}")]
    ShardGap {
        /// The shard.
        name: String,
        /// Where the shard before it ends.
        expected_start: u64,
        /// Where it starts.
        found_start: u64,
    },
    /// A shard is longer than the shard size, or shorter without being the last of its file.
    #[error("shard `{name}`: expected {expected} bytes, the shard size, found {found}")]
    ShardLength {
        /// The shard.
        name: String,
        /// The shard size in bytes.
        expected: u64,
        /// The shard's length in bytes.
        found: u64,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ModelPath;
    use std::num::NonZeroU64;

    fn shards(size: u64) -> Parameters {
        let size_bytes = NonZeroU64::new(size).expect("not zero");
        Parameters { serialization: Serialization::Shards { size_bytes }, ..Parameters::new(SymlinkPolicy::Deny) }
    }

    fn file(path: &str, content: &[u8]) -> Resource {
        Resource::file(&ModelPath::parse(path).expect("valid"), HashAlgorithm::Sha256.digest(content))
    }

    fn shard(path: &str, start: u64, end: u64) -> Resource {
        let path = ModelPath::parse(path).expect("valid");
        Resource::shard(&path, start..end, HashAlgorithm::Sha256.digest(b""))
    }

    #[test]
    fn a_manifest_needs_a_resource_and_unique_names() {
        let parameters = Parameters::new(SymlinkPolicy::Deny);
        assert_eq!(Manifest::new(vec![], parameters.clone()), Err(InvalidManifest::Empty));
        let twice = vec![file("a", b"1"), file("b", b"2"), file("a", b"3")];
        assert_eq!(Manifest::new(twice, parameters), Err(InvalidManifest::DuplicateName { name: "a".into() }));
    }

    #[test]
    fn every_digest_has_the_algorithm_of_the_manifest() {
        let resource = Resource::file(&ModelPath::parse("a").expect("valid"), HashAlgorithm::Blake3.digest(b""));
        let error = Manifest::new(vec![resource], Parameters::new(SymlinkPolicy::Deny)).expect_err("mixed");
        assert!(matches!(error, InvalidManifest::Algorithm { .. }));
    }

    #[test]
    fn shards_follow_each_other_in_any_order() {
        let resources = vec![shard("a", 8, 10), shard("b", 0, 1), shard("a", 0, 4), shard("a", 4, 8)];
        let manifest = Manifest::new(resources, shards(4)).expect("complete");
        assert_eq!(manifest.file_count(), 2);
        assert_eq!(manifest.stated_length_bytes(), Some(11));
    }

    #[test]
    fn lengths_that_no_disk_holds_are_not_added_up() {
        let resources = vec![shard("a", 0, u64::MAX), shard("b", 0, u64::MAX)];
        let manifest = Manifest::new(resources, shards(u64::MAX)).expect("complete");
        assert_eq!(manifest.stated_length_bytes(), None);
    }

    #[test]
    fn shard_gaps_overlaps_and_lengths_are_rejected() {
        let gap = Manifest::new(vec![shard("a", 0, 4), shard("a", 5, 9)], shards(4));
        assert!(matches!(gap, Err(InvalidManifest::ShardGap { expected_start: 4, found_start: 5, .. })));
        let late = Manifest::new(vec![shard("a", 4, 8)], shards(4));
        assert!(matches!(late, Err(InvalidManifest::ShardGap { expected_start: 0, found_start: 4, .. })));
        let overlap = Manifest::new(vec![shard("a", 0, 4), shard("a", 3, 7)], shards(4));
        assert!(matches!(overlap, Err(InvalidManifest::ShardOverlap { expected_start: 4, found_start: 3, .. })));
        let long = Manifest::new(vec![shard("a", 0, 5)], shards(4));
        assert!(matches!(long, Err(InvalidManifest::ShardLength { expected: 4, found: 5, .. })));
        let short = Manifest::new(vec![shard("a", 0, 3), shard("a", 3, 7)], shards(4));
        assert!(matches!(short, Err(InvalidManifest::ShardLength { found: 3, .. })));
    }

    #[test]
    fn the_root_digest_is_over_raw_digests_in_the_order_given() {
        let resources = vec![file("b", b"2"), file("a", b"1")];
        let mut concatenated = Vec::new();
        for resource in &resources {
            concatenated.extend_from_slice(resource.digest().as_bytes());
        }
        let manifest = Manifest::new(resources, Parameters::new(SymlinkPolicy::Deny)).expect("valid");
        assert_eq!(manifest.root_digest(), HashAlgorithm::Sha256.digest(&concatenated));
    }
}
