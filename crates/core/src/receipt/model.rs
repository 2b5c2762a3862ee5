//! A model beside its receipt.

use std::collections::HashMap;
use std::ops::Range;

use model_hash::{Digest, HashAlgorithm, ReadAt, ReadError};

use super::system::System;
use super::{FileState, FileTime, Receipt, ReceiptError, ReceiptRules, Record};
use crate::compat::SINGLE_FILE_NAME;
use crate::manifest::{Manifest, Resource};
use crate::model::{Finding, LocalModel, ModelFile, ModelSource};

/// A local model of which some files need not be read.
#[derive(Debug)]
pub struct ReceiptedModel {
    model: LocalModel,
    /// Without them there is no receipt, and nothing of `files`.
    rules: Option<ReceiptRules>,
    /// By file of the model.
    files: Vec<Standing>,
    /// The receipt has files that are no longer in the model, or not as they were.
    is_outdated: bool,
}

/// How a file stands to the receipt.
#[derive(Debug)]
enum Standing {
    /// It is in the state that the receipt has.
    Unchanged(Record),
    /// It has to be read, and was in this state before that, if the next change of it will show.
    Unknown(Why, Option<FileState>),
    /// It is not listed by a manifest, and nobody asks for its digest.
    Unlisted,
}

/// Why a file has to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Why {
    NoRecord,
    Changed,
    Expired,
}

/// How many files have to be read, and why, and how many not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reuse {
    /// Files that are as the receipt has them.
    pub unchanged: usize,
    /// When the first of these was hashed.
    pub since: Option<FileTime>,
    /// Files that the receipt has not, or not with the digests that were expected.
    pub without_record: usize,
    /// Files that the receipt has in another state.
    pub changed: usize,
    /// Files whose record is older than is believed, or of a time to come.
    pub expired: usize,
}

/// A receipt of what was hashed just now.
#[derive(Debug)]
pub struct Renewed {
    /// The receipt to keep, if it is another than before.
    pub receipt: Option<Receipt>,
    /// How the files stood to the receipt before.
    pub reuse: Reuse,
    /// Files that it is without: they are open for writing, or were changed while they were read, or so shortly before
    /// that another change need not show.
    pub left_out: Vec<String>,
}

impl Receipt {
    /// Forgets every file whose digests are not those of `manifest`.
    pub fn retain_agreeing(&mut self, manifest: &Manifest) {
        let expected = Resources::of(manifest);
        self.files.retain(|path, record| expected.of_file(path).is_some_and(|resources| record.agrees_with(resources)));
    }
}

impl ReceiptedModel {
    /// A model all of whose files are read.
    #[must_use]
    pub fn without_receipt(model: LocalModel) -> Self {
        Self { model, rules: None, files: Vec::new(), is_outdated: false }
    }

    /// Looks at the files of a model that was listed after `rules.begun`, those that `is_listed`, and settles what will
    /// have to be read.
    ///
    /// # Errors
    /// [`ReceiptError`]: a file is where no receipt can be trusted.
    pub fn new(
        model: LocalModel,
        receipt: Option<Receipt>,
        rules: ReceiptRules,
        is_listed: impl Fn(&ModelFile) -> bool,
    ) -> Result<Self, ReceiptError> {
        let mut receipt = receipt.filter(|receipt| receipt.boot == rules.boot).map_or_else(HashMap::new, |it| it.files);
        let mut system = System::new(&model, rules.unknown_file_systems);
        let mut files = Vec::with_capacity(model.files().len());
        for (index, file) in model.files().iter().enumerate() {
            if !is_listed(file) {
                files.push(Standing::Unlisted);
                continue;
            }
            let state = system.state(index)?;
            files.push(match receipt.remove(file.path.as_str()) {
                None => Standing::Unknown(Why::NoRecord, state),
                Some(record) if Some(record.state) != state => Standing::Unknown(Why::Changed, state),
                Some(record) if rules.is_expired(record.hashed) => Standing::Unknown(Why::Expired, state),
                Some(record) => Standing::Unchanged(record),
            });
        }
        let mut settled = HashMap::new();
        for index in system.settle(&unknown(&files))? {
            settled.insert(index, system.state(index)?);
        }
        for (index, standing) in files.iter_mut().enumerate() {
            if let Standing::Unknown(_, state) = standing {
                *state = settled.remove(&index).flatten();
            }
        }
        Ok(Self { model, rules: Some(rules), files, is_outdated: !receipt.is_empty() })
    }

    /// How its files stand to the receipt.
    fn reuse(&self) -> Reuse {
        let mut reuse = Reuse::default();
        for standing in &self.files {
            match standing {
                Standing::Unchanged(record) => {
                    reuse.unchanged += 1;
                    reuse.since = Some(reuse.since.map_or(record.hashed, |since| since.min(record.hashed)));
                }
                Standing::Unlisted => {}
                Standing::Unknown(Why::NoRecord, _) => reuse.without_record += 1,
                Standing::Unknown(Why::Changed, _) => reuse.changed += 1,
                Standing::Unknown(Why::Expired, _) => reuse.expired += 1,
            }
        }
        reuse
    }

    /// A receipt of the model, all of whose files that `manifest` lists were found to be as it says; none of a model
    /// without one.
    ///
    /// # Errors
    /// [`ReceiptError`]: a file is where no receipt can be trusted.
    pub fn renew(&self, manifest: &Manifest) -> Result<Option<Renewed>, ReceiptError> {
        let Some(rules) = &self.rules else { return Ok(None) };
        let reuse = self.reuse();
        let has_news = self.files.iter().any(|standing| matches!(standing, Standing::Unknown(..)));
        if !has_news && !self.is_outdated {
            return Ok(Some(Renewed { receipt: None, reuse, left_out: Vec::new() }));
        }
        let mut system = System::new(&self.model, rules.unknown_file_systems);
        let mut again = HashMap::new();
        for index in system.write_out(&unknown(&self.files))? {
            again.extend(system.state(index)?.map(|state| (index, state)));
        }
        let resources = Resources::of(manifest);
        let (mut files, mut left_out) = (HashMap::new(), Vec::new());
        for (index, (file, standing)) in self.model.files().iter().zip(&self.files).enumerate() {
            let Some(resources) = resources.of_file(file.path.as_str()) else { continue };
            let path = file.path.to_string();
            match standing {
                Standing::Unchanged(record) if record.agrees_with(resources) => {
                    files.insert(path, record.clone());
                }
                Standing::Unchanged(_) => left_out.push(path),
                Standing::Unlisted => {}
                Standing::Unknown(_, before) => match (before, again.remove(&index)) {
                    (Some(before), Some(after)) if *before == after && after.shows_changes_after(rules.begun) => {
                        let digests = resources.iter().map(|resource| (resource.range(), resource.digest().clone()));
                        let algorithm = manifest.parameters().hash;
                        files.insert(path, Record::new(after, rules.begun, algorithm, digests.collect()));
                    }
                    _ => left_out.push(path),
                },
            }
        }
        Ok(Some(Renewed { receipt: Some(Receipt { boot: rules.boot.clone(), files }), reuse, left_out }))
    }
}

/// The files that have to be read, and have a state.
fn unknown(files: &[Standing]) -> Vec<(usize, FileState)> {
    let state = |(index, standing): (usize, &Standing)| match standing {
        Standing::Unknown(_, state) => state.map(|state| (index, state)),
        Standing::Unchanged(_) | Standing::Unlisted => None,
    };
    files.iter().enumerate().filter_map(state).collect()
}

/// The resources of each file of a manifest.
struct Resources<'a> {
    by_path: HashMap<&'a str, Vec<&'a Resource>>,
    /// There is one file, which has no name.
    is_the_model_itself: bool,
}

impl<'a> Resources<'a> {
    fn of(manifest: &'a Manifest) -> Self {
        let mut by_path: HashMap<&str, Vec<&Resource>> = HashMap::new();
        for resource in manifest.resources() {
            by_path.entry(resource.path()).or_default().push(resource);
        }
        Self { by_path, is_the_model_itself: manifest.names_the_model_itself() }
    }

    fn of_file(&self, path: &str) -> Option<&[&'a Resource]> {
        let name = if self.is_the_model_itself { SINGLE_FILE_NAME } else { path };
        self.by_path.get(name).map(Vec::as_slice)
    }
}

impl ReceiptRules {
    /// Whether what was hashed then no longer counts, or can't have been hashed then.
    fn is_expired(&self, hashed: FileTime) -> bool {
        if hashed > self.begun {
            return true;
        }
        let Some(max_age) = self.max_age else { return false };
        let seconds = i64::try_from(max_age.as_secs()).unwrap_or(i64::MAX);
        hashed < FileTime { seconds: self.begun.seconds.saturating_sub(seconds), ..self.begun }
    }
}

impl ModelSource for ReceiptedModel {
    fn name(&self) -> &str {
        self.model.name()
    }

    fn is_single_file(&self) -> bool {
        self.model.is_single_file()
    }

    fn files(&self) -> &[ModelFile] {
        self.model.files()
    }

    fn findings(&self) -> &[Finding] {
        self.model.findings()
    }

    fn open(&self, file: usize) -> Result<Box<dyn ReadAt + Send + '_>, ReadError> {
        self.model.open(file)
    }

    fn known_digest(&self, file: usize, range: Option<&Range<u64>>, algorithm: HashAlgorithm) -> Option<&Digest> {
        match self.files.get(file) {
            Some(Standing::Unchanged(record)) if record.algorithm == algorithm => record.digest(range),
            _ => None,
        }
    }

    fn unread_bytes(&self) -> u64 {
        let is_unknown = |file| !matches!(self.files.get(file), Some(Standing::Unchanged(_) | Standing::Unlisted));
        let files = self.model.files().iter().enumerate();
        files.filter(|(index, _)| is_unknown(*index)).map(|(_, file)| file.length_bytes).sum()
    }
}
