//! What provenance is asked about: a digest, a file, or a model that is a directory.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::fs::Metadata;
use std::io::{self, Read};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use model_transparency::hash::{ReadAt, ReadError};
use model_transparency::manifest::{Manifest, Parameters, Resource};
use model_transparency::model::{IgnoreRules, LocalModel, ModelPath, ModelSource, SymlinkPolicy, Unlisted, WalkRules};
use model_transparency::provenance::{Artifact, ArtifactDigests, ModelDigests};
use model_transparency::verify::Verdict;

use crate::args::{Global, HashArg, HashingArgs, ModelArgs, ScopeArgs};
use crate::commands::digest::list;
use crate::failure::Failure;
use crate::output::Console;

/// What was read.
pub(crate) struct ReadArtifact {
    pub(crate) artifact: Artifact,
    /// Of a directory, what was left out.
    pub(crate) ignored: Vec<String>,
}

impl ReadArtifact {
    fn of(digests: ArtifactDigests) -> Self {
        Self { artifact: Artifact::Digests(digests), ignored: Vec::new() }
    }
}

/// The digest that `artifact` is, if it is one: `sha256:HEX`, `NAME@sha256:HEX`.
///
/// What files there are does not matter: whoever may put one here would choose what is verified. A file that is called so
/// is `./sha256:HEX`, which is the name of no image.
pub(crate) fn digest(artifact: &str) -> Option<Result<ArtifactDigests, Failure>> {
    let digest = artifact.rsplit_once('@').map_or(artifact, |(_, digest)| digest);
    let (algorithm, hex) = digest.split_once(':')?;
    if !matches!(algorithm, "sha256" | "sha384" | "sha512") || artifact.starts_with(['.', '/']) {
        return None;
    }
    let mut digests = ArtifactDigests::default();
    Some(if digests.add(algorithm, hex) {
        Ok(digests)
    } else {
        Err(Failure::usage(format!("expected a digest as `{algorithm}:` and hex digits, found `{artifact}`")))
    })
}

/// Refuses what is not there, before anything takes long.
pub(super) fn require(artifact: &str) -> Result<(), Failure> {
    match digest(artifact) {
        Some(found) => found.map(drop),
        None => stat(Path::new(artifact)).map(drop),
    }
}

/// What is at `path`: a file or a directory. Anything else could be read for ever.
fn stat(path: &Path) -> Result<Metadata, Failure> {
    let metadata = path.metadata().map_err(|error| Failure::unreadable("the file", path, &error))?;
    if !metadata.is_dir() {
        LocalModel::locate(path, SymlinkPolicy::Allow)?;
    }
    Ok(metadata)
}

/// Reads the artifact, with `algorithms` beside SHA-256. What is at `beside` is no part of a directory.
pub(super) fn read(
    artifact: &str,
    algorithms: &BTreeSet<&str>,
    scope: &ScopeArgs,
    beside: &Path,
    global: &Global,
    console: &Console,
) -> Result<ReadArtifact, Failure> {
    match digest(artifact) {
        Some(digests) => digests.map(ReadArtifact::of),
        None => read_path(Path::new(artifact), algorithms, scope, beside, global, console),
    }
}

/// The same of what is at a path, whatever it is called.
pub(crate) fn read_path(
    path: &Path,
    algorithms: &BTreeSet<&str>,
    scope: &ScopeArgs,
    beside: &Path,
    global: &Global,
    console: &Console,
) -> Result<ReadArtifact, Failure> {
    if stat(path)?.is_dir() {
        let model = ModelArgs { path: path.to_owned(), scope: scope.clone() };
        return directory(&model, algorithms, beside, global, console);
    }
    let (everything, nothing) = (IgnoreRules::default(), HashSet::new());
    let model = LocalModel::open(path, &LocalModel::signing_rules(SymlinkPolicy::Allow, &everything, &nothing))?;
    let total_bytes = model.unread_bytes();
    let digests =
        console.hashing(global, || total_bytes, |options| hash(&model, 0, algorithms, options.progress_bytes));
    digests.map(ReadArtifact::of).map_err(|error| unreadable(&path.display().to_string(), &error))
}

/// Hashes a file, unless it changes meanwhile.
fn hash(
    model: &LocalModel,
    file: usize,
    algorithms: &BTreeSet<&str>,
    count: Option<&AtomicU64>,
) -> Result<ArtifactDigests, ReadError> {
    let file = model.open(file)?;
    let inner = Sequential { file: file.as_ref(), offset: 0 };
    let digests = ArtifactDigests::of(Counted { inner, count }, algorithms).map_err(ReadError::Io)?;
    file.finish(None)?;
    Ok(digests)
}

fn unreadable(path: &str, error: &ReadError) -> Failure {
    Failure::could_not_check("unreadable", format!("`{path}`: {error}"))
}

fn directory(
    model: &ModelArgs,
    algorithms: &BTreeSet<&str>,
    beside: &Path,
    global: &Global,
    console: &Console,
) -> Result<ReadArtifact, Failure> {
    let list = list(model, beside, global.hashing().jobs, console)?;
    let hashing = HashingArgs { hash: HashArg::Sha256, shard_size: None };
    let manifest = list.hash(model, &hashing, global, console, None)?;
    let digests = with_algorithms(&list.model, &manifest, algorithms)?;
    let ignored = list.recorded.entries().map(str::to_owned).collect();
    Ok(ReadArtifact { artifact: Artifact::Model(digests), ignored })
}

/// Reads the directory that a signature holds for: what it covers, whatever is left out now, and files that are empty and
/// that shards do not list.
pub(crate) fn signed(
    path: &Path,
    verdict: &Verdict,
    algorithms: &BTreeSet<&str>,
    global: &Global,
    console: &Console,
) -> Result<ModelDigests, Failure> {
    let signed = verdict.statement.manifest();
    let listed: HashSet<&str> = signed.resources().iter().map(Resource::path).collect();
    let mut ignore = verdict.ignored.clone();
    for path in &verdict.unsigned {
        ModelPath::parse(path).iter().for_each(|path| ignore.insert_unrecorded(path));
    }
    let symlinks = if verdict.symlinks_widened { SymlinkPolicy::Allow } else { signed.parameters().symlinks };
    let rules = WalkRules {
        symlinks,
        ignore: &ignore,
        listed: &listed,
        unlisted: Unlisted::Tolerate,
        jobs: global.hashing().jobs,
    };
    let model = LocalModel::open(path, &rules)?;
    let total_bytes = model.unread_bytes();
    let manifest =
        console.hashing(global, || total_bytes, |options| Manifest::of(&model, Parameters::new(symlinks), options))?;
    with_algorithms(&model, &manifest, algorithms)
}

/// The digests of a model that was hashed, with those of `algorithms` beside them.
fn with_algorithms(
    model: &LocalModel,
    manifest: &Manifest,
    algorithms: &BTreeSet<&str>,
) -> Result<ModelDigests, Failure> {
    let mut digests = ModelDigests::of(manifest).ok_or_else(|| Failure::usage("expected a model of whole files"))?;
    if algorithms.iter().any(|algorithm| *algorithm != "sha256") {
        let paths: HashMap<String, usize> =
            model.files().iter().enumerate().map(|(index, file)| (file.path.to_string(), index)).collect();
        for (path, index) in paths {
            let more = hash(model, index, algorithms, None).map_err(|error| unreadable(&path, &error))?;
            digests.add(&path, more);
        }
    }
    Ok(digests)
}

/// Counts what is read, for a progress bar.
struct Counted<'a, R> {
    inner: R,
    count: Option<&'a AtomicU64>,
}

impl<R: Read> Read for Counted<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.inner.read(buffer)?;
        if let Some(count) = self.count {
            count.fetch_add(length as u64, Ordering::Relaxed);
        }
        Ok(length)
    }
}

/// A file from its beginning to its end.
struct Sequential<'a> {
    file: &'a dyn ReadAt,
    offset: u64,
}

impl Read for Sequential<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.file.read_at(buffer, self.offset)?;
        self.offset += length as u64;
        Ok(length)
    }
}
