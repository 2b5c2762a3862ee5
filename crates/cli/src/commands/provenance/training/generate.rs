//! `provenance generate`: provenance of a training run that happened elsewhere, as whoever ran it says.

use std::path::PathBuf;

use model_transparency::certificate::UnixTime;
use model_transparency::provenance::training::{
    Evidence, ObservationMethod, TrainingEnvironment, TrainingObservation, TrainingRun, TrainingSource,
};
use serde_json::{Map, Value};

use super::args::{TrainingArgs, check_paths, without_secret};
use super::from_file::Described;
use super::inputs::{Material, check_base_models, materials};
use super::outputs::{Output, byproduct, byproducts};
use super::writing::{Unsigned, finish, signer, tool, words_without_secrets};
use crate::args::Global;
use crate::failure::Failure;
use crate::output::{Answer, Console, Trained, training_answer};

const ELSEWHERE: &str = "The run";

/// Write down how models were made that were trained elsewhere
///
/// The models, and inputs that are here, are hashed. Everything else is as you say, with these flags or in a file, and the
/// provenance says that. `provenance run` looks itself.
#[derive(Clone, Debug, clap::Args)]
// That of the flattened arguments has the name of this struct.
#[group(skip)]
pub(crate) struct Args {
    /// The models: files or directories
    #[arg(value_name = "MODEL", required_unless_present = "from")]
    models: Vec<PathBuf>,

    /// A file (TOML, or JSON if its name ends so) that says the same as these flags, and more; a flag goes before it
    #[arg(long, help_heading = ELSEWHERE, value_name = "FILE")]
    from: Option<PathBuf>,

    /// The repository that the program is from
    #[arg(long, help_heading = ELSEWHERE, value_name = "URL")]
    source_repository: Option<String>,

    /// The Git reference
    #[arg(long, help_heading = ELSEWHERE, value_name = "REF")]
    source_ref: Option<String>,

    /// The commit
    #[arg(long, help_heading = ELSEWHERE, value_name = "HEX")]
    source_commit: Option<String>,

    /// When it began (RFC 3339, UTC)
    #[arg(long, help_heading = ELSEWHERE, value_name = "TIME")]
    started_on: Option<String>,

    /// When it ended (RFC 3339, UTC)
    #[arg(long, help_heading = ELSEWHERE, value_name = "TIME")]
    finished_on: Option<String>,

    /// Where the run can be seen, such as the job of a CI system
    #[arg(long, help_heading = ELSEWHERE, value_name = "URI")]
    invocation_id: Option<String>,

    #[command(flatten)]
    training: TrainingArgs,

    /// The command that trained it, with its arguments; it is not run
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<String>,
}

pub(crate) fn run(mut args: Args, global: &Global, console: &Console) -> Result<Answer, Failure> {
    let described = args.from.as_deref().map(Described::read).transpose()?.unwrap_or_default();
    let members = described.members(|name, value| args.training.unless_secret("--from", name, value))?;
    let named: Vec<String> = described.names().map(str::to_owned).collect();
    let (parameters, patterns) = args.absorb(described)?;
    let training = &args.training;
    training.check()?;
    if args.models.is_empty() {
        return Err(Failure::usage("expected at least one model: MODEL, or `models` in the file"));
    }
    let (started, finished) =
        (time("--started-on", args.started_on.as_deref())?, time("--finished-on", args.finished_on.as_deref())?);
    if started.zip(finished).is_some_and(|(started, finished)| started.0 > finished.0) {
        return Err(Failure::usage("the run ended before it began: see --started-on and --finished-on"));
    }
    let commit = args.source_commit.as_deref().map(commit).transpose()?;
    let (command, unused) = words_without_secrets(&args.command, &training.redact)?;
    training.check_redacted(unused, named.iter().map(String::as_str))?;
    let plain = |flag: &str, text: Option<&str>| text.map(|text| without_secret(flag, text)).transpose();
    let repository = plain("--source-repository", args.source_repository.as_deref())?;
    let invocation = plain("--invocation-id", args.invocation_id.as_deref())?;
    check_paths("MODEL", &args.models)?;
    patterns.iter().try_for_each(|pattern| without_secret("--from", pattern).map(drop))?;
    members.values().try_for_each(check_value)?;
    let mut materials = materials(training, console)?;
    let signer = signer(training, console)?;
    check_base_models(training, &mut materials, global, console)?;
    for material in &mut materials {
        let Some(files) = &material.files else { continue };
        let digests = files.hash(global, console)?;
        material.take(digests)?;
    }
    let outputs: Vec<Output> =
        args.models.iter().map(|path| Output::read(path, training, global, console)).collect::<Result<_, _>>()?;
    let mut byproducts = byproducts(training, global, console)?;
    if let Some(lock) = &training.lock {
        byproducts.push(byproduct("lock", lock, training, global, console)?);
    }
    let mut gaps = vec![
        "nobody looked at the run: everything but the digests of what is here is as whoever writes this says"
            .to_owned(),
    ];
    for material in &mut materials {
        material.look_again(training.destination(), &mut gaps, console);
    }
    let source = TrainingSource {
        repository,
        reference: plain("--source-ref", args.source_ref.as_deref())?,
        entry_point: training.entry_point.clone(),
        commit,
        changes: None,
        evidence: Evidence::Declared,
    };
    let run = TrainingRun {
        models: outputs.iter().map(|output| output.model.clone()).collect(),
        source: (source != TrainingSource::default()).then_some(source),
        command,
        parameters,
        inputs: materials.into_iter().map(Material::into_input).collect(),
        outputs: patterns,
        environment: TrainingEnvironment { members },
        observation: TrainingObservation {
            method: ObservationMethod::Declared,
            complete: false,
            gaps,
            undeclared: None,
        },
        byproducts,
        invocation,
        started,
        finished,
        builder_version: [tool()].into(),
    };
    let signed = finish(&run, &outputs, training, signer.as_ref(), Unsigned::Drop, console)?;
    let recognised: Vec<_> = outputs.iter().map(|output| &output.recognition).collect();
    let trained = Trained { path: training.destination(), run: &run, recognised: &recognised, signed: signed.as_ref() };
    Ok(training_answer(&trained))
}

impl Args {
    /// Takes what the file says and no flag does; lists are joined. Returns the parameters and the outputs.
    fn absorb(&mut self, described: Described) -> Result<(Map<String, Value>, Vec<String>), Failure> {
        let training = &mut self.training;
        let mut parameters = Map::new();
        for (name, value) in described.parameters {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            let checked = training.unless_secret("--from", &name, &text)?;
            // A number that may be written down stays one.
            let value = if checked == text && !value.is_string() { value } else { checked.into() };
            parameters.insert(name, value);
        }
        parameters.extend(training.parameters()?);
        self.models.extend(described.models);
        training.dataset.extend(described.datasets);
        training.base_model.extend(described.base_models);
        training.config.extend(described.config);
        training.metrics.extend(described.metrics);
        training.log.extend(described.logs);
        let source = described.source;
        for (flag, file) in [
            (&mut training.image, described.image),
            (&mut training.entry_point, source.entry_point),
            (&mut self.source_repository, source.repository),
            (&mut self.source_ref, source.reference),
            (&mut self.source_commit, source.commit),
            (&mut self.started_on, described.started_on),
            (&mut self.finished_on, described.finished_on),
            (&mut self.invocation_id, described.invocation_id),
        ] {
            *flag = flag.take().or(file);
        }
        training.lock = training.lock.take().or(described.lock);
        if self.command.is_empty() {
            self.command = described.command;
        }
        Ok((parameters, described.outputs))
    }
}

/// Refuses what holds a secret, wherever it is in there.
fn check_value(value: &Value) -> Result<(), Failure> {
    match value {
        Value::String(text) => without_secret("--from", text).map(drop),
        Value::Array(values) => values.iter().try_for_each(check_value),
        Value::Object(members) => members.values().try_for_each(check_value),
        Value::Null | Value::Bool(_) | Value::Number(_) => Ok(()),
    }
}

fn time(flag: &str, text: Option<&str>) -> Result<Option<UnixTime>, Failure> {
    let wrong = |text: &str| {
        Failure::usage(format!("{flag}: expected a time such as 2026-01-31T12:00:00Z (RFC 3339, UTC), found `{text}`"))
    };
    text.map(|text| UnixTime::parse(text).ok_or_else(|| wrong(text))).transpose()
}

fn commit(text: &str) -> Result<String, Failure> {
    let is_commit = matches!(text.len(), 40 | 64) && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_commit {
        return Ok(text.to_ascii_lowercase());
    }
    Err(Failure::usage(format!("--source-commit: expected 40 or 64 hex digits, found `{text}`")))
}
