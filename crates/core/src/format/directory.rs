//! The formats of a whole model: of each of its files, and of a directory that is one thing.

use std::collections::{BTreeSet, HashSet};
use std::path::Path;

use model_hash::ReadError;

use super::findings::Findings;
use super::{Format, Recognition, recognise, recognise_keras_metadata};
use crate::model::{Finding, IgnoreRules, LocalModel, ModelError, ModelSource, SymlinkPolicy};

/// The file that makes a directory a SavedModel.
const GRAPH: &str = "saved_model.pb";
/// Other files that TensorFlow takes for one, the second before all others.
const OTHER_GRAPHS: [&str; 2] = ["saved_model.pbtxt", "saved_model.cpb"];
/// The file of a SavedModel from which Keras makes the layers again.
const KERAS_METADATA: &str = "keras_metadata.pb";

/// A file of a model, or a directory in it that is one thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Where it is, from the model's root; `.` for a model that is one thing itself.
    pub path: String,
    /// What it is.
    pub recognition: Recognition,
}

/// Why a model could not be looked at.
#[derive(Debug, thiserror::Error)]
pub enum RecogniseError {
    /// It is no file or directory that can be listed.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// A file of it can't be read.
    #[error("`{path}` {source}")]
    Read {
        /// The file, from the model's root.
        path: String,
        /// Why.
        source: ReadError,
    },
}

/// Looks at every file of a model. A SavedModel is one part, with all that is in its directory. Sorted by path.
///
/// What is no file (symbolic links, devices) is not opened: it is a part whose problem says so.
///
/// # Errors
/// [`RecogniseError::Read`] for a file that can't be read. What is in it is never an error.
pub fn recognise_model(model: &dyn ModelSource) -> Result<Vec<Part>, RecogniseError> {
    let graphs: BTreeSet<&str> = model.files().iter().filter_map(|file| graph_directory(file.path.as_str())).collect();
    let mut parts: Vec<Part> = Vec::new();
    let mut directories: Vec<(&str, Findings)> = Vec::new();
    for (index, file) in model.files().iter().enumerate() {
        let path = file.path.as_str();
        let recognition = recognise_file(model, index)?;
        let Some(directory) = graphs.iter().copied().find(|directory| below(path, directory).is_some()) else {
            parts.push(Part { path: path.to_owned(), recognition });
            continue;
        };
        let known = directories.iter().position(|(known, _)| *known == directory);
        let place = known.unwrap_or(directories.len());
        if known.is_none() {
            directories.push((directory, Findings::default()));
        }
        let findings = &mut directories[place].1;
        if below(path, directory) == Some(GRAPH) {
            recognition.details.iter().for_each(|(name, value)| findings.detail(name, value.clone()));
            if recognition.format != Some(Format::SavedModel) {
                findings.problem(format!("`{GRAPH}` is no graph of TensorFlow"));
            }
        }
        let name = below(path, directory).unwrap_or(path).to_owned();
        findings.add(&format!("`{name}`"), recognition);
    }
    for (directory, findings) in directories {
        let path = if directory.is_empty() { "." } else { directory }.to_owned();
        parts.push(Part { path, recognition: findings.into_recognition(Some(Format::SavedModel)) });
    }
    for finding in model.findings() {
        if let Finding::Problem { path, problem } = finding {
            let problems = vec![format!("it {problem}, and was not looked at")];
            parts.push(Part { path: path.clone(), recognition: Recognition { problems, ..Recognition::default() } });
        }
    }
    parts.sort_by(|one, other| one.path.cmp(&other.path));
    Ok(parts)
}

/// Looks at a file, or at a directory as one thing: the format is that of a SavedModel, or none.
///
/// # Errors
/// [`RecogniseError`] for what can't be listed or read.
pub fn recognise_path(path: &Path) -> Result<Recognition, RecogniseError> {
    let (ignore, nothing) = (IgnoreRules::none(), HashSet::new());
    let model = LocalModel::open(path, &LocalModel::signing_rules(SymlinkPolicy::Deny, &ignore, &nothing))?;
    recognise_whole(&model)
}

/// Looks at a model as one thing: the format is that of its only file or of a SavedModel, or none; what loading runs and
/// what is wrong is that of every file.
///
/// # Errors
/// [`RecogniseError::Read`] for a file that can't be read. What is in it is never an error.
pub fn recognise_whole(model: &dyn ModelSource) -> Result<Recognition, RecogniseError> {
    let mut parts = recognise_model(model)?;
    if let (true, Some(part)) = (parts.len() == 1, parts.pop_if(|part| model.is_single_file() || part.path == ".")) {
        return Ok(part.recognition);
    }
    let mut findings = Findings::default();
    let format = parts.iter().find(|part| part.path == ".").and_then(|part| part.recognition.format);
    for part in parts {
        if part.path == "." {
            part.recognition.details.iter().for_each(|(name, value)| findings.detail(name, value.clone()));
        }
        findings.add(&format!("`{}`", part.path), part.recognition);
    }
    Ok(findings.into_recognition(format))
}

fn recognise_file(model: &dyn ModelSource, index: usize) -> Result<Recognition, RecogniseError> {
    let file = &model.files()[index];
    let open = model.open(index);
    let looked = open.and_then(|open| {
        let mut recognition = recognise(&*open, file.length_bytes)?;
        let name = file.path.as_str().rsplit('/').next().unwrap_or_default();
        if name == KERAS_METADATA {
            let described = recognise_keras_metadata(&*open, file.length_bytes)?;
            recognition.code.extend(described.code);
            recognition.problems.extend(described.problems);
        } else if OTHER_GRAPHS.contains(&name) {
            recognition.problems.push("it is a graph of TensorFlow that was not looked at".to_owned());
        }
        open.finish(None)?;
        Ok(recognition)
    });
    looked.map_err(|source| RecogniseError::Read { path: file.path.as_str().to_owned(), source })
}

/// The directory that a file makes a SavedModel; the root is empty.
fn graph_directory(path: &str) -> Option<&str> {
    let directory = path.strip_suffix(GRAPH)?;
    directory.strip_suffix('/').or(directory.is_empty().then_some(""))
}

/// The rest of a path in a directory.
fn below<'p>(path: &'p str, directory: &str) -> Option<&'p str> {
    if directory.is_empty() { Some(path) } else { path.strip_prefix(directory)?.strip_prefix('/') }
}
