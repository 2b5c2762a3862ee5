//! `inspect`: what a bundle says, unverified; what a model is, and what of it can run code.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use model_transparency::envelope::Bundle;
use model_transparency::format::{Part, recognise_model};
use model_transparency::model::{IgnoreRules, LocalModel, SymlinkPolicy};

use crate::failure::Failure;
use crate::output::{Answer, formats_answer, inspect_answer};

/// Show what a signature says or what a model is, without checking or loading any of it
///
/// Of a signature, that is who it says signed which files. Of a model, a file or a directory, it is the format, from the bytes
/// alone, and what can run code when somebody loads it: pickles that import more than tensors need, Lambda layers, programs.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The signature, or the model
    #[arg(value_name = "PATH")]
    path: PathBuf,
}

pub(crate) fn run(args: &Args) -> Result<Answer, Failure> {
    let path = &args.path;
    if let Ok(metadata) = fs::metadata(path) {
        // A signature can come from a pipe; no model does.
        if metadata.is_dir() || metadata.is_file() {
            let parts = parts(path)?;
            if metadata.is_dir() || parts.iter().any(says_something) {
                return Ok(formats_answer(path, &parts));
            }
        }
    }
    let bundle = Bundle::read(path)?;
    let statement = bundle.unverified_statement();
    Ok(inspect_answer(path, &bundle, &statement))
}

/// Looks at each file. The path itself may be a link, what is below it may not.
fn parts(path: &Path) -> Result<Vec<Part>, Failure> {
    let location = LocalModel::locate(path, SymlinkPolicy::Allow)?;
    let (ignore, nothing) = (IgnoreRules::none(), HashSet::new());
    let model = LocalModel::open(&location, &LocalModel::signing_rules(SymlinkPolicy::Deny, &ignore, &nothing))?;
    Ok(recognise_model(&model)?)
}

fn says_something(part: &Part) -> bool {
    let found = &part.recognition;
    found.format.is_some() || !found.code.is_empty() || !found.problems.is_empty()
}
