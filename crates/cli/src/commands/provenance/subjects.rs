//! `provenance subjects`: the digests of models as the generators of other platforms take them.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use clap::ValueEnum;
use model_transparency::output::{Access, Existing, write};
use serde_json::json;

use super::training::{Files, name};
use crate::args::{Global, ScopeArgs};
use crate::failure::Failure;
use crate::output::{Answer, Console, GOOD, count};
use crate::signature_file::check_output;

/// How many subjects `actions/attest` takes.
const MOST_ATTESTED: usize = 1_024;
/// How long a word of a command line, or a variable, may be on Linux.
const MOST_WORD_BYTES: usize = 128 << 10;

/// Print the digests of models for a generator of provenance: of slsa-github-generator, or of actions/attest
///
/// Base64 of lines `SHA256  NAME`, as its input `base64-subjects` is. For a directory the digest is the OMS root digest,
/// which `provenance verify` compares.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The models: files or directories
    #[arg(value_name = "MODEL", required = true)]
    models: Vec<PathBuf>,

    /// What of a directory is listed
    #[arg(long, value_enum, value_name = "WHAT", default_value_t = Directories::Root)]
    directories: Directories,

    /// Write to this file, for `base64-subjects-as-file`: a command line holds few subjects
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,

    /// The lines themselves, for `subject-checksums` of actions/attest
    #[arg(long)]
    checksums: bool,

    #[command(flatten)]
    scope: ScopeArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Directories {
    /// The root digest, which is one subject
    Root,
    /// Every file
    Files,
}

pub(crate) fn run(args: &Args, global: &Global, console: &Console) -> Result<Answer, Failure> {
    if let Some(output) = &args.output {
        let inputs: Vec<_> = args.models.iter().map(|model| ("the model", model.as_path())).collect();
        check_output("--output", output, &inputs)?;
    }
    let mut subjects: Vec<(String, String)> = Vec::new();
    for path in &args.models {
        add(path, args, &mut subjects, global, console)?;
    }
    let mut names = BTreeSet::new();
    if let Some((twice, _)) = subjects.iter().find(|(name, _)| !names.insert(name)) {
        return Err(Failure::rejected(
            "same_name",
            format!("expected every subject to have a name of its own, found `{twice}` twice"),
        )
        .with_hint("name the models from one directory"));
    }
    let mut lines = String::new();
    for (name, sha256) in &subjects {
        if name.is_empty() || name.contains(['\n', '\r']) {
            let message =
                format!("`{name}`: a list of subjects has one in each line: expected a name without line breaks");
            return Err(Failure::rejected("unlistable_name", message));
        }
        // Writing to a `String` can't fail.
        let _ = writeln!(lines, "{sha256}  {name}");
    }
    let text = if args.checksums { lines } else { BASE64.encode(lines) + "\n" };
    if args.checksums && subjects.len() > MOST_ATTESTED {
        let many = subjects.len();
        console
            .warn(&format!("actions/attest takes {MOST_ATTESTED} subjects, and these are {many}: --directories root"));
    }
    if args.output.is_none() && !args.checksums && text.len() > MOST_WORD_BYTES {
        console.warn("this is too long for a command line: --output FILE, and `base64-subjects-as-file`");
    }
    let listed: Vec<_> =
        subjects.iter().map(|(name, sha256)| json!({ "name": name, "digest": { "sha256": sha256 } })).collect();
    let output = args.output.as_ref().map(|path| path.display().to_string());
    let json = json!({ "subjects": listed, "text": text.trim_end(), "output": output });
    let human = match &args.output {
        Some(path) => {
            write(path, text.as_bytes(), Access::Everyone, Existing::Replace)?;
            format!(
                "{GOOD}{} written{GOOD:#} to {}\n",
                count(subjects.len(), "subject"),
                crate::output::escape(&path.display().to_string())
            )
        }
        None => text,
    };
    Ok(Answer { human, json })
}

fn add(
    path: &Path,
    args: &Args,
    subjects: &mut Vec<(String, String)>,
    global: &Global,
    console: &Console,
) -> Result<(), Failure> {
    let beside = args.output.as_deref().unwrap_or(Path::new(""));
    let files = Files::list(path, args.scope.clone(), beside, console)?;
    let digests = files.hash(global, console)?;
    let name = name(path);
    match (&digests.directory, args.directories) {
        (Some((manifest, _)), Directories::Files) => subjects.extend(
            manifest.resources().iter().map(|file| (format!("{name}/{}", file.name()), file.digest().to_hex())),
        ),
        _ => subjects.push((name, digests.digest["sha256"].clone())),
    }
    Ok(())
}
