//! `digest`: the root digest of a model, without signing it.

use std::collections::HashSet;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use model_transparency::hash::Options;
use model_transparency::manifest::{Manifest, Parameters};
use model_transparency::model::{Finding, IgnoreRules, LocalModel, ModelSource};
use model_transparency::receipt::{ReceiptError, ReceiptedModel};

use super::verify::warn_of_links;
use crate::args::{Global, HashingArgs, ModelArgs};
use crate::failure::Failure;
use crate::inputs::{Exclusions, exclusions};
use crate::output::{Answer, Console, digest_answer};
use crate::signature_file::DEFAULT_NAME;

/// Print the root digest of a model: the one that `sign` puts in the signature
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    model: ModelArgs,

    /// The signature file, which is not part of the model where it is inside
    #[arg(long, value_name = "SIGNATURE_PATH", default_value = DEFAULT_NAME)]
    signature: PathBuf,

    #[command(flatten)]
    hashing: HashingArgs,

    /// List the digest of every file (or shard) too
    #[arg(long)]
    per_file: bool,
}

pub(crate) fn run(args: &Args, global: &Global, console: &Console) -> Result<Answer, Failure> {
    let list = list(&args.model, &args.signature, global.hashing().jobs, console)?;
    let manifest = list.hash(&args.model, &args.hashing, global, console, None)?;
    Ok(digest_answer(list.model.name(), &manifest, args.per_file))
}

/// A model that can be signed.
pub(crate) struct List<M = LocalModel> {
    pub(crate) model: M,
    /// What was left out of it.
    pub(crate) recorded: IgnoreRules,
}

impl List {
    /// The same list of a model of which some files need not be read.
    pub(crate) fn map(
        self,
        beside: impl FnOnce(LocalModel) -> Result<ReceiptedModel, ReceiptError>,
    ) -> Result<List<ReceiptedModel>, ReceiptError> {
        Ok(List { model: beside(self.model)?, recorded: self.recorded })
    }
}

impl<M: ModelSource> List<M> {
    /// The length of all files in bytes.
    pub(crate) fn length_bytes(&self) -> u64 {
        self.model.files().iter().map(|file| file.length_bytes).sum()
    }

    /// Hashes every file whose digest is not known.
    pub(crate) fn hash(
        &self,
        model: &ModelArgs,
        hashing: &HashingArgs,
        global: &Global,
        console: &Console,
        cancelled: Option<&AtomicBool>,
    ) -> Result<Manifest, Failure> {
        let parameters = Parameters {
            serialization: hashing.serialization(),
            hash: hashing.hash.into(),
            symlinks: model.scope.symlinks(),
            ignore_paths: self.recorded.entries().map(str::to_owned).collect(),
        };
        let total_bytes = self.model.unread_bytes();
        let work = |options: &Options<'_>| Manifest::of(&self.model, parameters, &Options { cancelled, ..*options });
        Ok(console.hashing(global, || total_bytes, work)?)
    }
}

/// Lists a model as a signer does: everything counts that is not left out, and anything else is an error.
pub(crate) fn list(args: &ModelArgs, signature: &Path, jobs: NonZeroUsize, console: &Console) -> Result<List, Failure> {
    let location = LocalModel::locate(&args.path, args.scope.symlinks())?;
    let Exclusions { all, recorded } =
        exclusions(&location, args.scope.ignores_git_paths(), &args.scope.ignore_paths, Some(signature), console)?;
    let nothing = HashSet::new();
    let rules = LocalModel::signing_rules(args.scope.symlinks(), &all, &nothing).with_jobs(jobs);
    let model = LocalModel::open(&args.path, &rules)?;
    let problems = |finding: &Finding| match finding {
        Finding::Problem { path, problem } => Some((path.clone(), problem.clone())),
        Finding::FollowedOutside { .. } | Finding::DirectoryLinkSkipped { .. } => None,
    };
    let problems: Vec<_> = model.findings().iter().filter_map(problems).collect();
    if !problems.is_empty() {
        return Err(Failure::unacceptable(problems));
    }
    warn_of_links(model.findings(), console);
    Ok(List { model, recorded })
}
