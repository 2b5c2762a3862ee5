//! §8.4 and §8.5: the model is what the statement lists.

use std::collections::{HashMap, HashSet};

use model_hash::Options;

use super::{Evidence, Verified};
use crate::compat::SINGLE_FILE_NAME;
use crate::envelope::Statement;
use crate::manifest::{Changed, Difference, Manifest, Piece, Resource, UnhashedFile, hash_resources};
use crate::model::{Finding, IgnoreRules, ModelError, ModelSource, SymlinkPolicy, Unlisted, WalkRules};
use crate::receipt::ReceiptError;

/// What the caller of a verification decides; all else is in the signed statement.
#[derive(Clone, Copy, Debug)]
pub struct CompareOptions<'a> {
    /// Paths whose presence is excused besides those that the statement records: the signature file, the user's.
    pub ignore: &'a IgnoreRules,
    /// Whether files that are not listed are excused (OMS §8.5).
    pub unsigned: Unlisted,
    /// Follow symbolic links even where the statement says that none were followed.
    pub widen_symlinks: bool,
    /// How to hash.
    pub hashing: Options<'a>,
}

/// What was verified, and what was not.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// Who signed.
    pub evidence: Evidence,
    /// What was signed.
    pub statement: Statement,
    /// The number of files that are as signed.
    pub files: usize,
    /// How many of them were not hashed: the source knew their digests ([`ModelSource::known_digest`]).
    pub known_files: usize,
    /// Their length in bytes.
    pub length_bytes: u64,
    /// What was excused from being listed: recorded and given.
    pub ignored: IgnoreRules,
    /// Files that are not signed and were excused, as §8.5 allows.
    pub unsigned: Vec<String>,
    /// Files of no bytes, which shards do not list (OMS §6.3.2).
    pub empty_unlisted: usize,
    /// Symbolic links were followed although the statement says that the signer did not.
    pub symlinks_widened: bool,
    /// Links that were followed or not descended.
    pub findings: Vec<Finding>,
}

/// Compares a model with the statement about it (OMS §8.4, §8.5). `open` lists the model by the rules it is given.
///
/// # Errors
/// [`CompareError::Mismatch`] with everything that differs; the others if that can't be told.
pub fn compare<S: ModelSource, E: Into<CompareError>>(
    statement: Verified<Statement>,
    options: &CompareOptions<'_>,
    open: impl FnOnce(&WalkRules<'_>) -> Result<S, E>,
) -> Result<Verdict, CompareError> {
    let Verified { value: statement, evidence } = statement;
    let manifest = statement.manifest();
    let parameters = manifest.parameters();

    // §8.4 steps 1 to 5: the parameters are those that were signed.
    let mut ignored = IgnoreRules::recorded(parameters.ignore_paths.iter().map(String::as_str));
    ignored.extend(options.ignore);
    let symlinks_widened = options.widen_symlinks && parameters.symlinks == SymlinkPolicy::Deny;
    let symlinks = if symlinks_widened { SymlinkPolicy::Allow } else { parameters.symlinks };

    // §8.4 step 6: enumerate. Ignoring a path excuses what is not listed, so listed files are found all the same.
    let listed: HashSet<&str> = manifest.resources().iter().map(Resource::path).collect();
    let (unlisted, jobs) = (options.unsigned, options.hashing.jobs);
    let rules = WalkRules { symlinks, ignore: &ignored, listed: &listed, unlisted, jobs };
    let model = open(&rules).map_err(Into::into)?;
    if manifest.names_the_model_itself() && !model.is_single_file() {
        return Err(CompareError::SignedAsSingleFile);
    }

    // §8.4 steps 7 and 8: every listed resource is hashed and compared.
    let mut found = Found::match_up(manifest, &model);
    found.hash(manifest, &model, &options.hashing)?;

    // §8.4 step 9 and §8.5: nothing else is there.
    let lists_empty_files = matches!(parameters.serialization, crate::manifest::Serialization::Files);
    let (mut unsigned, mut empty_unlisted) = (Vec::new(), 0);
    for (index, file) in model.files().iter().enumerate() {
        if found.is_listed[index] {
            continue;
        }
        if file.length_bytes == 0 && !lists_empty_files {
            empty_unlisted += 1;
        } else {
            unsigned.push(file.path.to_string());
        }
    }
    let mut difference = found.difference;
    if options.unsigned == Unlisted::Report {
        difference.extra = std::mem::take(&mut unsigned);
    }
    if !difference.is_empty() {
        difference.missing.sort_unstable();
        difference.changed.sort_by(|a, b| a.path().cmp(b.path()));
        let signed_as = statement.model_name().to_owned();
        return Err(CompareError::Mismatch { difference: Box::new(difference), signed_as });
    }
    let (files, known_files, length_bytes) = (found.files, found.known_files, found.length_bytes);
    let findings = model.findings().to_vec();
    Ok(Verdict {
        evidence,
        statement,
        files,
        known_files,
        length_bytes,
        ignored,
        unsigned,
        empty_unlisted,
        symlinks_widened,
        findings,
    })
}

/// The listed resources beside what is there.
struct Found<'a> {
    /// Resources whose file is there with a length that can be right, and that file.
    present: Vec<(&'a Resource, usize)>,
    /// By file of the model: whether the manifest lists it.
    is_listed: Vec<bool>,
    files: usize,
    known_files: usize,
    length_bytes: u64,
    difference: Difference,
}

impl<'a> Found<'a> {
    fn match_up(manifest: &'a Manifest, model: &dyn ModelSource) -> Self {
        let files = model.files();
        let mut found = Self {
            present: Vec::with_capacity(manifest.resources().len()),
            is_listed: vec![false; files.len()],
            files: 0,
            known_files: 0,
            length_bytes: 0,
            difference: Difference::default(),
        };
        let signed_lengths = signed_lengths(manifest);
        let problems: HashMap<&str, _> = model
            .findings()
            .iter()
            .filter_map(|finding| match finding {
                Finding::Problem { path, problem } => Some((path.as_str(), problem)),
                Finding::FollowedOutside { .. } | Finding::DirectoryLinkSkipped { .. } => None,
            })
            .collect();
        found.difference.unacceptable =
            problems.iter().map(|(path, problem)| ((*path).to_owned(), (*problem).clone())).collect();
        found.difference.unacceptable.sort_by(|a, b| a.0.cmp(&b.0));

        let mut reported = HashSet::new();
        // Nearly always both are in the same order.
        let mut next = 0;
        for resource in manifest.resources() {
            let path = resource.path();
            let is_next = |at: &usize| files.get(*at).is_some_and(|file| file.path.as_str() == path);
            let index = if path == SINGLE_FILE_NAME {
                Some(0)
            } else if is_next(&next) {
                Some(next)
            } else {
                files.binary_search_by(|file| file.path.as_str().cmp(path)).ok()
            };
            next = index.map_or(next, |index| index + 1);
            let Some(index) = index else {
                if !problems.contains_key(path) && reported.insert(path) {
                    found.difference.missing.push(path.to_owned());
                }
                continue;
            };
            let found_bytes = files[index].length_bytes;
            if !std::mem::replace(&mut found.is_listed[index], true) {
                found.files += 1;
                found.length_bytes += found_bytes;
            }
            match signed_lengths.get(path) {
                Some(&expected_bytes) if expected_bytes != found_bytes => {
                    if reported.insert(path) {
                        let path = path.to_owned();
                        found.difference.changed.push(Changed::Length { path, expected_bytes, found_bytes });
                    }
                }
                _ => found.present.push((resource, index)),
            }
        }
        found
    }

    fn hash(
        &mut self,
        manifest: &Manifest,
        model: &dyn ModelSource,
        options: &Options<'_>,
    ) -> Result<(), UnhashedFile> {
        // What is known to be otherwise is read all the same.
        let algorithm = manifest.parameters().hash;
        let is_known = |resource: &Resource, file| {
            model.known_digest(file, resource.range().as_ref(), algorithm) == Some(resource.digest())
        };
        let (known, unknown): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.present).into_iter().partition(|(resource, file)| is_known(resource, *file));
        self.known_files = known.iter().map(|(_, file)| file).collect::<HashSet<_>>().len();
        self.present = unknown;
        let pieces: Vec<Piece> =
            self.present.iter().map(|(resource, file)| Piece { file: *file, range: resource.range() }).collect();
        let digests = hash_resources(model, manifest.parameters(), &pieces, options)?;
        for ((resource, _), digest) in self.present.iter().zip(digests) {
            if digest != *resource.digest() {
                self.difference.changed.push(Changed::Digest {
                    path: resource.path().to_owned(),
                    range: resource.range(),
                    expected: resource.digest().clone(),
                    found: digest,
                });
            }
        }
        Ok(())
    }
}

/// The length of each file in bytes, where the manifest is one of shards.
fn signed_lengths(manifest: &Manifest) -> HashMap<&str, u64> {
    let mut lengths = HashMap::new();
    for resource in manifest.resources() {
        if let Some(range) = resource.range() {
            let length: &mut u64 = lengths.entry(resource.path()).or_default();
            *length = range.end.max(*length);
        }
    }
    lengths
}

/// Why a model is not verified.
#[derive(Debug, thiserror::Error)]
pub enum CompareError {
    /// The model is not what was signed.
    #[error("the model is not what was signed")]
    Mismatch {
        /// Everything that differs.
        difference: Box<Difference>,
        /// The name that the model was signed under.
        signed_as: String,
    },
    /// The statement is about a single file, and the model is a directory.
    #[error("a single file was signed, expected a file, found a directory")]
    SignedAsSingleFile,
    /// The model can't be listed.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// There can be no receipt of it.
    #[error(transparent)]
    Receipt(#[from] ReceiptError),
    /// A file can't be hashed.
    #[error(transparent)]
    File(#[from] UnhashedFile),
}
