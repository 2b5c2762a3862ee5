//! What a command runs on: machine, accelerators, Python with its packages, the CI job, its place among others.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use model_transparency::provenance::training::{Evidence, InputRole, TrainingInput, is_secret, without_user};
use model_transparency_observe::accelerators::{Accelerator, accelerators};
use model_transparency_observe::ci::{Ci, ci};
use model_transparency_observe::host::{Ranks, host, ranks, seeds};
use model_transparency_observe::python::{self, Lock, Python, PythonError};
use serde_json::{Map, Value, json};

use super::args::TrainingArgs;
use crate::failure::Failure;
use crate::output::{Console, count};

/// How many names a gap has in it.
const MOST_NAMED: usize = 10;

/// What was found out before the command ran, and, of Python, afterwards.
pub(super) struct Surroundings {
    /// Members of `internalParameters`.
    pub(super) members: Map<String, Value>,
    /// The Python packages.
    pub(super) packages: Vec<TrainingInput>,
    /// The list that their digests are from.
    pub(super) lock: Option<PathBuf>,
    pub(super) ci: Option<Ci>,
    pub(super) ranks: Option<Ranks>,
    /// What the interpreter says of itself.
    python: Option<Python>,
}

impl Surroundings {
    /// The Python interpreter.
    pub(super) fn interpreter(&self) -> Option<&Path> {
        self.python.as_ref().map(|python| python.executable.as_path())
    }

    /// Looks around. `allowed` are the names of variables that may be written down.
    pub(super) fn observe(
        command: &[&OsStr],
        args: &TrainingArgs,
        allowed: &[String],
        gaps: &mut Vec<String>,
        console: &Console,
    ) -> Result<Self, Failure> {
        let environment: BTreeMap<String, String> = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        let mut members = Map::new();
        members.insert("host".to_owned(), machine());
        let (ci, ranks) = (ci(&environment).map(|ci| without_secrets(ci, gaps)), ranks(&environment));
        if let Some(ci) = &ci {
            members.insert(
                "ci".to_owned(),
                without_nulls(json!({ "platform": ci.platform, "definition": ci.definition })),
            );
        }
        if let Some(ranks) = &ranks {
            members.insert("worldSize".to_owned(), ranks.world_size.into());
            members.extend(ranks.rank.map(|rank| ("rank".to_owned(), rank.into())));
        }
        let seeds = seeds(&environment);
        if !seeds.is_empty() {
            members.insert("seeds".to_owned(), json!(seeds));
        }
        let accelerators = accelerators();
        gaps.extend(accelerators.gaps);
        if !accelerators.found.is_empty() {
            members.insert("accelerators".to_owned(), accelerators.found.iter().map(accelerator).collect());
        }
        let mut variables = Map::new();
        for name in allowed {
            match environment.get(name) {
                Some(value) => {
                    variables.insert(name.clone(), args.unless_secret("--env-allow", name, value)?.into());
                }
                None => console.warn(&format!("--env-allow {name}: there is no such variable")),
            }
        }
        if !variables.is_empty() {
            members.insert("environment".to_owned(), variables.into());
        }
        let python = python_of(command).inspect_err(|error| console.warn(&error.to_string())).ok().flatten();
        if let Some(path) = lock_path(args)
            && (python.is_some() || args.lock.is_some())
        {
            if args.lock.is_none() {
                console.note(&format!("using the list of packages `{}`", path.display()));
            }
            python::lock(&path).map_err(|error| match error {
                PythonError::Read { .. } => Failure::could_not_check("unreadable", error.to_string()),
                _ => Failure::rejected("invalid_lock", error.to_string()),
            })?;
        }
        Ok(Self { members, packages: Vec::new(), lock: None, ci, ranks, python })
    }

    /// Says what Python and what packages the command ran with. Some commands make their environment first, and what is
    /// installed afterwards is what they ran with; that it was otherwise before is a gap.
    pub(super) fn look_again(
        &mut self,
        command: &[&OsStr],
        args: &TrainingArgs,
        gaps: &mut Vec<String>,
        console: &Console,
    ) {
        let before = self.python.take();
        let Some(found) = python_of(command).ok().flatten() else {
            let gap = match before {
                Some(_) => "Python did not say what was installed when the command had ended",
                None => "no Python interpreter of the command is known, and so neither its packages nor its frameworks",
            };
            gaps.push(gap.to_owned());
            return;
        };
        if before.is_some_and(|before| before != found) {
            let gap = "what is installed in the Python environment changed while the command ran".to_owned();
            console.warn(&gap);
            gaps.push(gap);
        }
        self.members
            .insert("python".to_owned(), json!({ "version": found.version, "implementation": found.implementation }));
        let frameworks: BTreeMap<_, _> = found.frameworks().into_iter().map(|one| (&one.name, &one.version)).collect();
        if !frameworks.is_empty() {
            self.members.insert("frameworks".to_owned(), json!(frameworks));
        }
        let lock = lock_path(args).and_then(|path| match python::lock(&path) {
            Ok(lock) => Some((path, lock)),
            Err(error) => {
                console.warn(&error.to_string());
                gaps.push("the list of packages could not be read when the command had ended".to_owned());
                None
            }
        });
        match lock {
            Some((path, lock)) => {
                self.compare(&found, &path, &lock, gaps, console);
                self.lock = Some(path);
            }
            None => {
                let installed: BTreeMap<_, _> = found.packages.iter().map(|one| (&one.name, &one.version)).collect();
                self.members.insert("packages".to_owned(), json!(installed));
                gaps.push("no list of packages with hashes: what is installed is known by name and version".to_owned());
            }
        }
        self.python = Some(found);
    }

    /// Compares what is installed with the list of packages.
    fn compare(&mut self, found: &Python, path: &Path, lock: &Lock, gaps: &mut Vec<String>, console: &Console) {
        let compared = lock.compare(&found.packages);
        if !compared.unlisted.is_empty() {
            let gap = format!(
                "{} installed as the list `{}` does not have it: {}",
                count(compared.unlisted.len(), "package"),
                path.display(),
                some_of(&compared.unlisted)
            );
            console.warn(&gap);
            gaps.push(gap);
        }
        let without: Vec<String> =
            compared.packages.iter().filter(|one| one.sha256.is_none()).map(|one| one.name.clone()).collect();
        if !without.is_empty() {
            gaps.push(format!(
                "the list `{}` has several files of {}, or none for this machine: which one was installed is not known",
                path.display(),
                some_of(&without)
            ));
        }
        self.packages = compared
            .packages
            .into_iter()
            .map(|package| TrainingInput {
                role: InputRole::Package,
                uri: format!("pkg:pypi/{}@{}", package.name, package.version),
                name: package.file,
                digest: package.sha256.map(|sha256| ("sha256".to_owned(), sha256)).into_iter().collect(),
                // That the installed files are from there nobody has looked.
                evidence: Evidence::Declared,
                annotations: Map::new(),
            })
            .collect();
    }
}

/// What the interpreter of a command says of itself. None if there is no telling which one it is.
fn python_of(command: &[&OsStr]) -> Result<Option<Python>, PythonError> {
    let here = Path::new(".");
    python::interpreter(command, here).map(|interpreter| python::installed(&interpreter, here)).transpose()
}

/// The list of packages that is named, or that is there.
fn lock_path(args: &TrainingArgs) -> Option<PathBuf> {
    args.lock.clone().or_else(|| python::find_lock(Path::new(".")))
}

fn some_of(names: &[String]) -> String {
    let more = names.len().saturating_sub(MOST_NAMED);
    let named = names.iter().take(MOST_NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
    if more == 0 { named } else { format!("{named} and {more} more") }
}

fn machine() -> Value {
    let host = host();
    without_nulls(json!({
        "system": host.system,
        "architecture": host.architecture,
        "kernel": host.kernel,
        "distribution": host.distribution,
        "cpuModel": host.cpu_model,
        "cpuCount": host.cpu_count,
        "memoryBytes": host.memory_bytes,
    }))
}

fn accelerator(one: &Accelerator) -> Value {
    without_nulls(json!({
        "vendor": one.vendor,
        "model": one.model,
        "count": one.count,
        "driver": one.driver,
        "runtime": one.runtime,
    }))
}

/// What a job says of itself, but for what nobody may read.
fn without_secrets(mut ci: Ci, gaps: &mut Vec<String>) -> Ci {
    for (what, text) in [
        ("page", &mut ci.invocation_uri),
        ("repository", &mut ci.repository),
        ("reference", &mut ci.reference),
        ("commit", &mut ci.commit),
        ("definition", &mut ci.definition),
    ] {
        *text = text.take().and_then(|text| unless_secret(&format!("the {what} of the CI job"), &text, gaps));
    }
    ci
}

/// A text that was found, without what identifies a user in URLs; none, and a gap, if it holds a secret.
pub(super) fn unless_secret(what: &str, text: &str, gaps: &mut Vec<String>) -> Option<String> {
    let text = without_user(text);
    if is_secret(None, &text) {
        gaps.push(format!("{what} holds what looks like a secret, and is left out"));
        return None;
    }
    Some(text)
}

/// What is not known is left out.
fn without_nulls(mut value: Value) -> Value {
    if let Value::Object(members) = &mut value {
        members.retain(|_, member| !member.is_null());
    }
    value
}
