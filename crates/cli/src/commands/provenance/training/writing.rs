//! Making the statement, signing it if that is asked for, and writing it.

use std::path::{Path, PathBuf};

use model_transparency::output::{Access, Existing, write};
use model_transparency::provenance::training::{InvalidTrainingRun, SuspectedSecret, TrainingRun, redact_command};

use super::args::TrainingArgs;
use super::outputs::Output;
use crate::commands::sign::{NewStatement, StatementSigner};
use crate::failure::Failure;
use crate::output::Console;

/// The tool as `builder.version` has it.
pub(super) fn tool() -> (String, String) {
    ("model-signing".to_owned(), env!("CARGO_PKG_VERSION").to_owned())
}

/// Somebody to sign, if that is asked for: whatever could fail has failed before the training.
pub(super) fn signer(args: &TrainingArgs, console: &Console) -> Result<Option<StatementSigner>, Failure> {
    let Some(method) = args.signing.method else { return Ok(None) };
    StatementSigner::prepare(method, &args.signing.with, &args.instance, console).map(Some)
}

/// What becomes of a statement that could not be signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unsigned {
    /// It is kept beside where the bundle would be, under a name that nobody takes for it.
    Keep,
    Drop,
}

/// Writes the provenance, unless a model is no longer what it says.
pub(super) fn finish(
    run: &TrainingRun,
    outputs: &[Output],
    args: &TrainingArgs,
    signer: Option<&StatementSigner>,
    unsigned: Unsigned,
    console: &Console,
) -> Result<Option<NewStatement>, Failure> {
    let statement = run.to_statement().map_err(invalid)?;
    let signed = signer.map(|signer| signer.sign(statement.clone(), console)).transpose();
    for output in outputs {
        output.check_unchanged(args)?;
    }
    let signed = signed.or_else(|failure| {
        if unsigned == Unsigned::Drop {
            return Err(failure);
        }
        let kept = kept(args.destination());
        write(&kept, &statement, Access::Everyone, Existing::Replace)?;
        let hint = failure.hint.clone().map(|hint| format!("{hint}; ")).unwrap_or_default();
        Err(failure.with_hint(format!("{hint}the provenance is kept, unsigned, in `{}`", kept.display())))
    })?;
    let bytes = signed.as_ref().map_or(statement, |signed| signed.bundle.to_json());
    write(args.destination(), &bytes, Access::Everyone, Existing::Replace)?;
    Ok(signed)
}

/// Where a statement is kept that could not be signed.
fn kept(destination: &Path) -> PathBuf {
    let mut name = destination.as_os_str().to_owned();
    name.push(".unsigned");
    PathBuf::from(name)
}

fn invalid(error: InvalidTrainingRun) -> Failure {
    Failure::usage(error.to_string())
}

/// What a path is to a list of excluded ones: relative paths are from here.
pub(super) fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// The words of a command as they may be written down, and which of `redact` names nothing of it.
pub(super) fn words_without_secrets(
    words: &[String],
    redact: &[String],
) -> Result<(Vec<String>, Vec<String>), Failure> {
    redact_command(words, redact).map_err(|suspected| {
        let place = |one: &SuspectedSecret| match &one.name {
            Some(name) => format!("word {} (the value of `{name}`)", one.position),
            None => format!("word {}", one.position),
        };
        let flag = |one: &SuspectedSecret| {
            let name = one.name.clone().unwrap_or_else(|| one.position.to_string());
            format!("--redact {name}")
        };
        let list = |texts: Vec<String>, between: &str| texts.join(between);
        Failure::usage(format!(
            "the command holds what looks like a secret, and provenance is read by others: {}",
            list(suspected.iter().map(place).collect(), ", ")
        ))
        .with_hint(format!(
            "`{}` leaves it out of the provenance, and the command gets it all the same",
            list(suspected.iter().map(flag).collect(), " ")
        ))
    })
}
