//! What a trace says about what was declared.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use model_transparency::provenance::training::{Undeclared, is_secret};
use model_transparency_observe::git::{self, Source};
use model_transparency_observe::run::Trace;
use model_transparency_observe::snapshot::Snapshot;

use super::inputs::Material;
use super::outputs::Output;
use crate::output::count;

/// How many files of a kind are listed.
const MOST_LISTED: usize = 1_000;

/// Where an operating system has its programs and libraries.
const SYSTEM: [&str; 10] =
    ["/usr", "/lib", "/lib32", "/lib64", "/bin", "/sbin", "/etc", "/var/lib", "/var/cache", "/nix/store"];

/// What is known of a run, to compare a trace with.
pub(super) struct Known<'a> {
    pub(super) outputs: &'a [Output],
    /// What there was of the outputs before the run.
    pub(super) before: &'a Snapshot,
    /// Files that are named otherwise: logs, metrics, the list of packages, the provenance.
    pub(super) files: Vec<PathBuf>,
    pub(super) source: Option<&'a Source>,
    /// The Python interpreter.
    pub(super) python: Option<&'a Path>,
}

/// Compares what was seen with what was declared: inputs that were read as a whole are traced, and what else happened is listed.
pub(super) fn compare(
    trace: &Trace,
    materials: &mut [Material],
    known: &Known<'_>,
    gaps: &mut Vec<String>,
) -> Undeclared {
    for material in materials.iter_mut() {
        material.compare(trace, gaps);
    }
    let places = Places::new(materials, known, gaps);
    let shown = Shown::new();
    let (mut system_files, mut shared_memory, mut undeclared) = (0, 0, Undeclared::default());
    let (mut read, mut written, mut executed) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for (path, used) in &trace.files {
        if used.executed {
            executed.insert(shown.path(path));
        }
        if places.is_declared_output(path) {
            // What stood there before and was read is what it began from: a checkpoint, an older model.
            if used.read && known.before.has(path) && !places.is_declared_input(path) {
                read.insert(shown.path(path));
            }
            continue;
        }
        // What was made and is gone is how processes of one run share memory.
        if used.written && used.removed && path.starts_with("/dev/shm") {
            shared_memory += 1;
            continue;
        }
        if used.written || used.removed {
            written.insert(shown.path(path));
        }
        if used.read && !places.is_declared_input(path) {
            if places.is_of_the_system(path) {
                system_files += 1;
            } else {
                read.insert(shown.path(path));
            }
        }
    }
    if system_files > 0 {
        gaps.push(format!(
            "the run read {} of the operating system and of Python and its packages, which are not listed",
            count(system_files, "file")
        ));
    }
    if shared_memory > 0 {
        gaps.push(format!(
            "the run made and removed {} in /dev/shm, which are not listed",
            count(shared_memory, "file")
        ));
    }
    undeclared.read = listed(read, "read", gaps);
    undeclared.written = listed(written, "written", gaps);
    undeclared.executed = listed(executed, "executed", gaps);
    undeclared.network = listed(trace.network.iter().cloned().collect(), "network", gaps);
    undeclared
}

fn listed(mut all: BTreeSet<String>, what: &str, gaps: &mut Vec<String>) -> Vec<String> {
    let found = all.len();
    all.retain(|text| !is_secret(None, text));
    if all.len() < found {
        gaps.push(format!("`undeclared.{what}` leaves out {} that look like secrets", found - all.len()));
    }
    if all.len() > MOST_LISTED {
        gaps.push(format!("`undeclared.{what}` lists {MOST_LISTED} of {}", all.len()));
    }
    all.into_iter().take(MOST_LISTED).collect()
}

/// Where what is known is.
struct Places {
    inputs: Vec<PathBuf>,
    outputs: Vec<PathBuf>,
    /// Files that the commit and the patch are about.
    source: BTreeSet<PathBuf>,
    git: Option<PathBuf>,
    system: Vec<PathBuf>,
}

impl Places {
    fn new(materials: &[Material], known: &Known<'_>, gaps: &mut Vec<String>) -> Self {
        let inputs = materials.iter().filter_map(|material| material.files.as_ref());
        let mut inputs: Vec<PathBuf> = inputs.map(|files| files.location().to_owned()).collect();
        let mut outputs: Vec<PathBuf> = known.outputs.iter().map(|one| one.files.location().to_owned()).collect();
        let files = known.files.iter().map(|path| path.canonicalize().unwrap_or_else(|_| path.clone()));
        for file in files {
            inputs.push(file.clone());
            outputs.push(file);
        }
        let root = known.source.and_then(|source| source.root.canonicalize().ok());
        let source = root.as_deref().map_or_else(|| Ok(BTreeSet::new()), git::files).unwrap_or_else(|error| {
            gaps.push(format!("which files the repository has is not known: {error}"));
            BTreeSet::new()
        });
        let mut system: Vec<PathBuf> = SYSTEM.iter().map(PathBuf::from).collect();
        // An environment's interpreter is a link to that of the machine: both have packages.
        let interpreters = known.python.into_iter().flat_map(|path| [Some(path.to_owned()), path.canonicalize().ok()]);
        let prefixes = interpreters.flatten().filter_map(|path| Some(path.parent()?.parent()?.to_owned()));
        // One that is the whole machine, or a user's folder, is no environment.
        system.extend(prefixes.filter(|prefix| prefix.components().count() > 2 && prefix.join("lib").is_dir()));
        Self { inputs, outputs, source, git: root.map(|root| root.join(".git")), system }
    }

    fn is_declared_output(&self, path: &Path) -> bool {
        self.outputs.iter().any(|one| path.starts_with(one))
    }

    fn is_declared_input(&self, path: &Path) -> bool {
        let is_git = self.git.as_ref().is_some_and(|git| path.starts_with(git));
        is_git || self.source.contains(path) || self.inputs.iter().any(|one| path.starts_with(one))
    }

    fn is_of_the_system(&self, path: &Path) -> bool {
        self.system.iter().any(|one| path.starts_with(one))
    }
}

/// How paths are written for others: from the current directory, or from the user's own, whose name is nobody's business.
struct Shown {
    here: Option<PathBuf>,
    home: Option<PathBuf>,
}

impl Shown {
    fn new() -> Self {
        let home = std::env::var_os("HOME").map(PathBuf::from).and_then(|path| path.canonicalize().ok());
        // A user whose folder is `/` has none.
        Self { here: Path::new(".").canonicalize().ok(), home: home.filter(|home| home.parent().is_some()) }
    }

    fn path(&self, path: &Path) -> String {
        let from = |root: &Option<PathBuf>| root.as_deref().and_then(|root| path.strip_prefix(root).ok());
        match (from(&self.here), from(&self.home)) {
            (Some(inner), _) => inner.display().to_string(),
            (None, Some(inner)) => format!("~/{}", inner.display()),
            (None, None) => path.display().to_string(),
        }
    }
}
