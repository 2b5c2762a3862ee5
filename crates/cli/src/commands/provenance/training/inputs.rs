//! What goes into a training run: listed, hashed, and looked at again afterwards.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use model_transparency::hash::Options;
use model_transparency::manifest::{Manifest, Parameters};
use model_transparency::model::{LocalModel, ModelSource, SymlinkPolicy};
use model_transparency::provenance::ModelDigests;
use model_transparency::provenance::training::{DirectoryParameters, Evidence, InputRole, TrainingInput};
use model_transparency_observe::run::{FileUse, Trace};
use model_transparency_observe::snapshot::Snapshot;
use serde_json::{Map, Value, json};

use super::args::{Declared, TrainingArgs};
use crate::args::{Global, ModelArgs, ScopeArgs};
use crate::commands::digest::{List, list};
use crate::commands::verify;
use crate::failure::Failure;
use crate::output::{Console, count};
use crate::signature_file::DEFAULT_NAME;

/// Files that belong together: a file, or a directory with what is in scope of it.
pub(in crate::commands::provenance) struct Files {
    path: PathBuf,
    scope: ScopeArgs,
    list: List,
}

/// What a run did to an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Touch {
    /// Something was written to it, or beside what belongs to it: if a file of it changed, that is known otherwise.
    Written,
    /// For a while something else may have been in its place.
    Replaced,
}

/// What was hashed.
#[derive(Clone, Debug)]
pub(in crate::commands::provenance) struct Digests {
    pub(in crate::commands::provenance) digest: BTreeMap<String, String>,
    /// Of a directory.
    pub(in crate::commands::provenance) directory: Option<(Manifest, DirectoryParameters)>,
}

impl Files {
    /// Lists them. What is at `beside` is no part of a directory.
    pub(in crate::commands::provenance) fn list(
        path: &Path,
        scope: ScopeArgs,
        beside: &Path,
        console: &Console,
    ) -> Result<Self, Failure> {
        let model = ModelArgs { path: path.to_owned(), scope };
        let list = list(&model, beside, NonZeroUsize::MIN, console)?;
        Ok(Self { path: model.path, scope: model.scope, list })
    }

    pub(super) fn is_single_file(&self) -> bool {
        self.list.model.is_single_file()
    }

    pub(super) fn length_bytes(&self) -> u64 {
        self.list.length_bytes()
    }

    pub(super) fn model(&self) -> &LocalModel {
        &self.list.model
    }

    /// Where they are, links resolved.
    pub(super) fn location(&self) -> &Path {
        self.list.model.location()
    }

    fn paths(&self) -> Vec<PathBuf> {
        if self.is_single_file() {
            return vec![self.location().to_owned()];
        }
        self.list.model.files().iter().map(|file| self.location().join(file.path.as_str())).collect()
    }

    /// Each as the kernel resolves its path.
    fn resolved_paths(&self) -> BTreeSet<PathBuf> {
        let has_links = self.scope.symlinks() == SymlinkPolicy::Allow;
        let resolved = |path: PathBuf| if has_links { path.canonicalize().unwrap_or(path) } else { path };
        self.paths().into_iter().map(resolved).collect()
    }

    /// What became of them by a write or removal at `path`; `files` are their own paths.
    fn touch(&self, files: &BTreeSet<PathBuf>, named_at: Option<&Path>, path: &Path, used: FileUse) -> Option<Touch> {
        if files.contains(path) {
            return Some(if used.removed { Touch::Replaced } else { Touch::Written });
        }
        // A folder that they are in, or a link to it.
        let holds_some = files.range(path.to_owned()..).next().is_some_and(|file| file.starts_with(path));
        if holds_some || named_at.is_some_and(|place| place.starts_with(path)) {
            return Some(Touch::Replaced);
        }
        let inner = path.strip_prefix(self.location()).ok().filter(|_| !self.is_single_file())?;
        let is_ignored = inner.to_str().is_some_and(|inner| self.list.recorded.covers(inner));
        (!is_ignored).then_some(Touch::Written)
    }

    /// Where they are by the name that was given, which may be a link.
    fn named_at(&self) -> Option<PathBuf> {
        let path = std::path::absolute(&self.path).ok()?;
        Some(path.parent()?.canonicalize().ok()?.join(path.file_name()?))
    }

    /// What they look like now.
    pub(super) fn snapshot(&self) -> Snapshot {
        Snapshot::of(self.paths())
    }

    /// What they look like now, new ones too. None if they can't be listed any more.
    pub(super) fn snapshot_anew(&self, beside: &Path) -> Option<Snapshot> {
        let quiet = Console::new(crate::args::Format::Json, crate::args::LogLevel::Error);
        Self::list(&self.path, self.scope.clone(), beside, &quiet).ok().map(|files| files.snapshot())
    }

    /// Hashes them with a progress bar, `jobs` at a time.
    pub(in crate::commands::provenance) fn hash(&self, global: &Global, console: &Console) -> Result<Digests, Failure> {
        let total_bytes = self.length_bytes();
        console.hashing(global, || total_bytes, |options| self.hash_with(options))
    }

    /// The same without one, until `cancelled`.
    pub(super) fn hash_quietly(&self, global: &Global, cancelled: &AtomicBool) -> Result<Digests, Failure> {
        self.hash_with(&Options { cancelled: Some(cancelled), ..global.hashing() })
    }

    fn hash_with(&self, options: &Options<'_>) -> Result<Digests, Failure> {
        let ignore_paths = self.list.recorded.entries().map(str::to_owned).collect();
        let parameters = Parameters { ignore_paths, ..Parameters::new(self.scope.symlinks()) };
        let manifest = Manifest::of(&self.list.model, parameters, options)?;
        if self.is_single_file() {
            let sha256 = manifest.resources().first().map(|file| file.digest().to_hex()).unwrap_or_default();
            return Ok(Digests { digest: BTreeMap::from([("sha256".to_owned(), sha256)]), directory: None });
        }
        let whole = ModelDigests::whole_of(&manifest).whole().clone();
        let directory = DirectoryParameters::of(&manifest).map(|parameters| (manifest, parameters));
        Ok(Digests { digest: whole, directory })
    }
}

/// The annotation with the signature of a base model.
const OMS_BUNDLE: &str = "omsBundle";

/// An input, and what is here of it.
pub(super) struct Material {
    pub(super) declared: Declared,
    pub(super) files: Option<Files>,
    /// What the files looked like before.
    before: Snapshot,
    digests: Option<Digests>,
    annotations: Map<String, Value>,
    pub(super) evidence: Evidence,
}

impl Material {
    fn new(declared: Declared, files: Option<Files>) -> Self {
        let before = files.as_ref().map(Files::snapshot).unwrap_or_default();
        Self { declared, files, before, digests: None, annotations: Map::new(), evidence: Evidence::Declared }
    }

    /// As others read it.
    pub(super) fn into_input(self) -> TrainingInput {
        let mut annotations = self.annotations;
        if let Some((_, parameters)) = self.digests.as_ref().and_then(|digests| digests.directory.as_ref()) {
            annotations.insert("omsParameters".to_owned(), parameters.to_json());
        }
        let stated = self.declared.sha256.map(|sha256| BTreeMap::from([("sha256".to_owned(), sha256)]));
        let digest = self.digests.map(|digests| digests.digest).or(stated).unwrap_or_default();
        TrainingInput {
            role: self.declared.role,
            uri: self.declared.uri,
            name: None,
            digest,
            evidence: self.evidence,
            annotations,
        }
    }

    /// Takes what was hashed; refuses another digest than was stated.
    pub(super) fn take(&mut self, digests: Digests) -> Result<(), Failure> {
        let found = &digests.digest["sha256"];
        if let Some(stated) = self.declared.sha256.as_ref().filter(|stated| *stated != found) {
            let path = self.declared.path.as_deref().unwrap_or(Path::new(""));
            return Err(Failure::rejected(
                "wrong_input",
                format!("`{}`, {}: expected sha256:{stated}, found sha256:{found}", path.display(), self.declared.uri),
            ));
        }
        (self.digests, self.evidence) = (Some(digests), Evidence::Hashed);
        Ok(())
    }

    /// What was hashed is perhaps not what the run read: it is no more than declared, by its address, and neither its digest
    /// nor its signature counts.
    fn mark_changed(&mut self) {
        (self.digests, self.declared.sha256, self.evidence) = (None, None, Evidence::Declared);
        self.annotations.remove(OMS_BUNDLE);
        self.annotations.insert("changed".to_owned(), true.into());
    }

    /// Looks whether it is still what it was.
    pub(super) fn look_again(&mut self, beside: &Path, gaps: &mut Vec<String>, console: &Console) {
        let Some(files) = &self.files else { return };
        let changed = match files.snapshot_anew(beside) {
            Some(after) => self.before.differences(&after).len(),
            None => self.before.files().count(),
        };
        if changed > 0 {
            let files = count(changed, "file");
            let gap = format!("{} changed while the run ran and has no digest: {files} of it", self.declared.uri);
            console.warn(&gap);
            gaps.push(gap);
            self.mark_changed();
        }
    }

    /// Compares it with what the run was seen doing: it is traced if every file of it was read, and nothing was written there,
    /// moved or removed. What was read while something else had its place has no digest.
    pub(super) fn compare(&mut self, trace: &Trace, gaps: &mut Vec<String>) {
        let Some(files) = self.files.as_ref().filter(|_| self.evidence == Evidence::Hashed) else { return };
        let uri = self.declared.uri.clone();
        let paths = files.resolved_paths();
        let all = paths.len();
        let read = paths.iter().filter(|path| trace.files.get(*path).is_some_and(|used| used.read)).count();
        match read {
            0 => gaps.push(format!("{uri} was declared, and the run was not seen reading it")),
            _ if read < all => gaps.push(format!("the run was seen reading {read} of {} of {uri}", count(all, "file"))),
            _ => {}
        }
        let named_at = files.named_at();
        let (mut replaced, mut written) = (0, 0);
        for (path, used) in trace.files.iter().filter(|(_, used)| used.written || used.removed) {
            match files.touch(&paths, named_at.as_deref(), path, *used) {
                Some(Touch::Replaced) => replaced += 1,
                Some(Touch::Written) => written += 1,
                None => {}
            }
        }
        if replaced > 0 {
            let what = "was moved, removed or replaced while the run ran and has no digest";
            gaps.push(format!("{uri} {what}: {}", count(replaced, "path")));
            self.mark_changed();
            return;
        }
        if written > 0 {
            gaps.push(format!("the run wrote to {uri}, or beside what was hashed of it: {}", count(written, "path")));
        } else if read == all && all > 0 {
            self.evidence = Evidence::Traced;
        }
    }

    /// It could not be hashed: nobody looked whether it is what was stated.
    pub(super) fn give_up(&mut self, failure: &Failure, gaps: &mut Vec<String>, console: &Console) {
        self.declared.sha256 = None;
        let gap = format!("{} has no digest: {}", self.declared.uri, failure.message);
        console.warn(&gap);
        gaps.push(gap);
    }
}

/// Lists every input that is here.
pub(super) fn materials(args: &TrainingArgs, console: &Console) -> Result<Vec<Material>, Failure> {
    let mut materials = Vec::new();
    for declared in args.declared()? {
        let files = match &declared.path {
            Some(path) => {
                let listed = Files::list(path, args.scope_of(path), args.destination(), console);
                Some(listed.map_err(|failure| named(failure, &declared))?)
            }
            None => None,
        };
        materials.push(Material::new(declared, files));
    }
    for path in &args.config {
        let uri = path.display().to_string();
        let files = Files::list(path, args.scope.clone(), args.destination(), console)?;
        if !files.is_single_file() {
            return Err(Failure::usage(format!("--config: expected a file, found the directory `{uri}`")));
        }
        let declared = Declared { role: InputRole::Config, uri, path: Some(path.clone()), sha256: None };
        materials.push(Material::new(declared, Some(files)));
    }
    materials.extend(args.image()?.map(|image| Material::new(image, None)));
    Ok(materials)
}

fn named(failure: Failure, declared: &Declared) -> Failure {
    let message = format!("{}: {}", declared.uri, failure.message);
    let failure = Failure { message, ..failure };
    if failure.kind == "model_not_found" {
        failure
            .with_hint("URI=PATH is split at the last `=`; an address that has one, and is nowhere here, ends with `=`")
    } else {
        failure
    }
}

/// Finds the signatures of base models, and verifies them if somebody has to have signed.
pub(super) fn check_base_models(
    args: &TrainingArgs,
    materials: &mut [Material],
    global: &Global,
    console: &Console,
) -> Result<(), Failure> {
    let has_policy = args.base_model_public_key.is_some() || args.base_model_identity.is_some();
    let mut checked = 0;
    for material in materials.iter_mut().filter(|one| one.declared.role == InputRole::BaseModel) {
        let Some(path) = material.files.as_ref().map(|files| files.path.clone()) else { continue };
        let Some(signature) = signature_of(&path) else {
            if has_policy {
                return Err(Failure::could_not_check(
                    "signature_not_found",
                    format!("{}: no signature was found in `{}` or beside it", material.declared.uri, path.display()),
                ));
            }
            continue;
        };
        checked += 1;
        let bundle = Files::list(&signature, args.scope_of(&path), args.destination(), console)?;
        let sha256 = bundle.hash_quietly(global, &AtomicBool::new(false))?.digest;
        if has_policy {
            verify_base_model(args, &path, &signature, global, console)
                .map_err(|failure| named(failure, &material.declared))?;
        }
        let bundle = json!({ "digest": sha256, "verified": has_policy });
        material.annotations.insert(OMS_BUNDLE.to_owned(), bundle);
    }
    if has_policy && checked == 0 {
        return Err(Failure::usage("who has to have signed is said, and no base model is here: --base-model URI=PATH"));
    }
    Ok(())
}

fn verify_base_model(
    args: &TrainingArgs,
    model: &Path,
    signature: &Path,
    global: &Global,
    console: &Console,
) -> Result<(), Failure> {
    let model = ModelArgs { path: model.to_owned(), scope: args.scope_of(model) };
    if let Some(key) = &args.base_model_public_key {
        return verify::key(model, signature, key, global, console).map(drop);
    }
    let (Some(identity), Some(issuer)) = (&args.base_model_identity, &args.base_model_identity_provider) else {
        return Ok(());
    };
    verify::identity(model, signature, (identity, issuer), &args.instance, global, console).map(drop)
}

/// The signature of a model, where one would look for it.
fn signature_of(model: &Path) -> Option<PathBuf> {
    let model = model.canonicalize().ok()?;
    let mut beside = model.file_name()?.to_owned();
    beside.push(".sig");
    [model.join(DEFAULT_NAME), model.with_file_name(beside)].into_iter().find(|path| path.is_file())
}
