//! A model's bytes to resources (OMS §6.3).

use std::ops::Range;

use model_hash::{Digest, Options, ReadAt, ReadError, Segment, Source, hash_segments};

use super::{InvalidManifest, Manifest, Parameters, Resource, Serialization};
use crate::model::ModelSource;

impl Manifest {
    /// Hashes every file of `source` and lists the resources in the order of OMS §5.2.1: by code point of the name.
    ///
    /// # Errors
    /// [`HashModelError`]: a file can't be read, or there is nothing, or too much, to list.
    pub fn of(source: &dyn ModelSource, parameters: Parameters, options: &Options<'_>) -> Result<Self, HashModelError> {
        let found = count(source, parameters.serialization);
        if found > MAX_RESOURCES {
            return Err(HashModelError::TooMany { found });
        }
        let mut pieces = Vec::with_capacity(source.files().len());
        for (index, file) in source.files().iter().enumerate() {
            match parameters.serialization {
                Serialization::Files => pieces.push(Piece { file: index, range: None }),
                Serialization::Shards { size_bytes } => {
                    let mut start = 0;
                    while start < file.length_bytes {
                        let end = start.saturating_add(size_bytes.get()).min(file.length_bytes);
                        pieces.push(Piece { file: index, range: Some(start..end) });
                        start = end;
                    }
                }
            }
        }
        let digests = digests(source, &parameters, &pieces, options)?;
        let mut resources: Vec<Resource> = pieces
            .into_iter()
            .zip(digests)
            .map(|(piece, digest)| {
                let path = &source.files()[piece.file].path;
                match piece.range {
                    None => Resource::file(path, digest),
                    Some(range) => Resource::shard(path, range, digest),
                }
            })
            .collect();
        resources.sort_unstable_by(|a, b| a.name().cmp(b.name()));
        Self::new(resources, parameters).map_err(HashModelError::Manifest)
    }
}

/// The most resources that are listed; their bundle is larger than any that is read.
const MAX_RESOURCES: u64 = 2_000_000;

/// The number of resources of a model, without making them.
fn count(source: &dyn ModelSource, serialization: Serialization) -> u64 {
    let lengths = source.files().iter().map(|file| file.length_bytes);
    match serialization {
        Serialization::Files => lengths.map(|_| 1).sum(),
        Serialization::Shards { size_bytes } => {
            lengths.map(|length| length.div_ceil(size_bytes.get())).fold(0, u64::saturating_add)
        }
    }
}

/// A file of a source, or some bytes of it.
#[derive(Clone)]
pub(crate) struct Piece {
    pub(crate) file: usize,
    pub(crate) range: Option<Range<u64>>,
}

/// The digests of the pieces, in their order: those that are known, and the others by reading.
fn digests(
    source: &dyn ModelSource,
    parameters: &Parameters,
    pieces: &[Piece],
    options: &Options<'_>,
) -> Result<Vec<Digest>, UnhashedFile> {
    let known = |piece: &Piece| source.known_digest(piece.file, piece.range.as_ref(), parameters.hash);
    let unknown: Vec<Piece> = pieces.iter().filter(|piece| known(piece).is_none()).cloned().collect();
    if unknown.len() == pieces.len() {
        return hash_resources(source, parameters, pieces, options);
    }
    let mut hashed = hash_resources(source, parameters, &unknown, options)?.into_iter();
    Ok(pieces.iter().filter_map(|piece| known(piece).cloned().or_else(|| hashed.next())).collect())
}

/// Hashes the pieces, in their order.
pub(crate) fn hash_resources(
    source: &dyn ModelSource,
    parameters: &Parameters,
    pieces: &[Piece],
    options: &Options<'_>,
) -> Result<Vec<Digest>, UnhashedFile> {
    let segments: Vec<Segment> = pieces
        .iter()
        .map(|piece| {
            let length = source.files()[piece.file].length_bytes;
            let range = piece.range.clone().unwrap_or(0..length);
            Segment { file: piece.file, start: range.start, end: range.end, reaches_end: range.end == length }
        })
        .collect();
    hash_segments(parameters.hash, &segments, &Files(source), options)
        .map_err(|error| UnhashedFile { path: source.files()[error.file].path.to_string(), error: error.error })
}

/// A model's files as the hash crate sees them: numbers.
struct Files<'a>(&'a dyn ModelSource);

impl Source for Files<'_> {
    fn open(&self, file: usize) -> Result<Box<dyn ReadAt + Send + '_>, ReadError> {
        self.0.open(file)
    }
}

/// A file that could not be hashed.
#[derive(Debug, thiserror::Error)]
#[error("`{path}` {error}")]
pub struct UnhashedFile {
    /// The file, from the model root.
    pub path: String,
    /// What went wrong.
    pub error: ReadError,
}

/// Why a model has no manifest.
#[derive(Debug, thiserror::Error)]
pub enum HashModelError {
    /// A file could not be hashed.
    #[error(transparent)]
    File(#[from] UnhashedFile),
    /// The model has more files or shards than a bundle can list.
    #[error("the model has {found} files or shards, expected at most {MAX_RESOURCES}")]
    TooMany {
        /// How many it has.
        found: u64,
    },
    /// What was hashed does not make a manifest: there was nothing to list.
    #[error("{0}")]
    Manifest(InvalidManifest),
}
