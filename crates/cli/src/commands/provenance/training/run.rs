//! `provenance run`: runs a training command, looks at what goes into it and comes out, and says so.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::process::ExitStatus;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::SystemTime;

use clap::ValueEnum;
use model_transparency::certificate::UnixTime;
use model_transparency::output::{Access, Existing, write};
use model_transparency::provenance::training::{
    ObservationMethod, TrainingEnvironment, TrainingObservation, TrainingRun,
};
use model_transparency_observe::git::Source;
use model_transparency_observe::run::{self as observe, Observation, RunError, Trace};
use model_transparency_observe::snapshot::Snapshot;
use serde_json::json;

use super::args::{TrainingArgs, check_paths, without_secret};
use super::inputs::{Digests, Material, check_base_models, materials};
use super::observed::{Known, compare};
use super::outputs::{Output, Patterns, byproduct, byproducts};
use super::ranks::{Fragments, Place, leave, place};
use super::source;
use super::surroundings::Surroundings;
use super::writing::{Unsigned, absolute, finish, signer, tool, words_without_secrets};
use crate::args::Global;
use crate::commands::sign::StatementSigner;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::inputs::now;
use crate::output::{Answer, Console, Trained, count, training_answer};
use crate::signature_file::check_output;

/// What is hashed before the command starts, if nobody says when: more is hashed beside it.
const MOST_BEFORE_BYTES: u64 = 1 << 30;

/// Run a training command, and write down how the model was made
///
/// The command runs as it would without this tool: its output, its exit code, and signals to it. Inputs are hashed before it
/// or beside it, models afterwards. If it fails, nothing is written. The provenance (SLSA) says how it was made and what
/// could not be seen of that; it is signed if `--sign` says how. If signing fails, it is kept unsigned, in a file whose name
/// ends in `.unsigned`.
#[derive(Debug, clap::Args)]
// That of the flattened arguments has the name of this struct.
#[group(skip)]
pub(crate) struct Args {
    /// The models that come of it: a file or a directory, or a pattern (repeatable)
    #[arg(long, required = true, value_name = "GLOB")]
    output: Vec<String>,

    #[command(flatten)]
    training: TrainingArgs,

    /// Write this environment variable down too (repeatable)
    #[arg(long, help_heading = OBSERVATION, value_name = "NAME")]
    env_allow: Vec<String>,

    /// Watch every process of the command: files, programs, network (Linux)
    ///
    /// What was read, written, run or connected to and not declared is listed.
    #[arg(long, help_heading = OBSERVATION)]
    trace: bool,

    /// Write everything that was seen to this file, which the provenance names
    #[arg(long, help_heading = OBSERVATION, value_name = "FILE", requires = "trace")]
    trace_output: Option<PathBuf>,

    /// Where the processes of a distributed training leave what they saw, for that of rank 0: a folder that all can reach
    #[arg(long, help_heading = OBSERVATION, value_name = "DIR", requires = "trace")]
    rank_fragments: Option<PathBuf>,

    /// When inputs are hashed; by default before the command up to 1 GiB, and beside it if there is more
    #[arg(long, help_heading = OBSERVATION, value_enum, value_name = "WHEN", default_value_t = HashInputs::Auto,
          hide_default_value = true)]
    hash_inputs: HashInputs,

    /// The command with its arguments
    #[arg(last = true, required = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

const OBSERVATION: &str = "How it is looked at";

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum HashInputs {
    /// By how much there is
    Auto,
    /// Before the command
    Before,
    /// While it runs
    WhileRunning,
}

/// What is known before the command runs.
struct Prepared<'a> {
    args: &'a Args,
    /// The command as it may be written down.
    command: Vec<String>,
    patterns: Patterns<'a>,
    gaps: Vec<String>,
    surroundings: Surroundings,
    materials: Vec<Material>,
    excluded: Vec<PathBuf>,
    source: Option<Source>,
    /// What there was of the outputs.
    before: Snapshot,
    /// When the command began.
    began: SystemTime,
    /// What other ranks leave.
    fragments: Option<Fragments<'a>>,
    signer: Option<StatementSigner>,
}

/// What is known of a run that ended well.
struct Ended {
    started: UnixTime,
    finished: UnixTime,
    trace: Option<Trace>,
}

pub(crate) fn run(args: &Args, global: &Global, console: &Console) -> Result<Answer, Failure> {
    let mut prepared = Prepared::new(args, console)?;
    match place(prepared.surroundings.ranks.as_ref()) {
        Place::Alone => {}
        Place::First => {
            let folder = args.rank_fragments.as_deref().zip(prepared.surroundings.ranks.as_ref());
            let fragments = folder.map(|(folder, ranks)| Fragments::new(folder, ranks.world_size));
            prepared.fragments = fragments.transpose()?;
        }
        Place::Other { rank } => return other_rank(args, rank, console),
    }
    prepared.signer = signer(&args.training, console)?;
    check_base_models(&args.training, &mut prepared.materials, global, console)?;
    let ended = prepared.run(global, console)?;
    prepared.attest(ended, global, console)
}

/// A process that trains with others, and that another one writes the provenance of.
fn other_rank(args: &Args, rank: u64, console: &Console) -> Result<Answer, Failure> {
    console.note(&format!("this is rank {rank}: that of rank 0 writes the provenance"));
    let outcome = observe::run(&args.command, args.observation()).map_err(not_run)?;
    succeeded(outcome.status)?;
    let fragment = match (&args.rank_fragments, outcome.trace) {
        (Some(folder), Some(trace)) => Some(leave(folder, rank, &trace)?),
        _ => None,
    };
    let json = json!({ "rank": rank, "provenance": null, "fragment": fragment.map(|path| path.display().to_string()) });
    Ok(Answer { human: String::new(), json })
}

impl Args {
    fn observation(&self) -> Observation {
        if self.trace { Observation::Trace } else { Observation::None }
    }

    fn words_of_system(&self) -> Vec<&OsStr> {
        self.command.iter().map(OsString::as_os_str).collect()
    }

    /// The command in words that JSON has, without secrets.
    fn words(&self) -> Result<Vec<String>, Failure> {
        let word = |word: &OsString| {
            word.to_str().map(str::to_owned).ok_or_else(|| {
                Failure::usage(format!("the command: expected words in UTF-8, found `{}`", word.to_string_lossy()))
            })
        };
        let words: Vec<String> = self.command.iter().map(word).collect::<Result<_, _>>()?;
        let (words, unused) = words_without_secrets(&words, &self.training.redact)?;
        self.training.check_redacted(unused, self.env_allow.iter().map(String::as_str))?;
        Ok(words)
    }
}

impl<'a> Prepared<'a> {
    fn new(args: &'a Args, console: &Console) -> Result<Self, Failure> {
        let training = &args.training;
        training.check()?;
        if let Some(path) = &args.trace_output {
            check_output("--trace-output", path, &[("the provenance", training.destination())])?;
        }
        let command = args.words()?;
        let patterns = Patterns::parse(&args.output)?;
        args.output.iter().try_for_each(|text| without_secret("--output", text).map(drop))?;
        check_paths("--trace-output", args.trace_output.as_slice())?;
        let mut gaps = Vec::new();
        let surroundings =
            Surroundings::observe(&args.words_of_system(), training, &args.env_allow, &mut gaps, console)?;
        let materials = materials(training, console)?;
        let there = patterns.find(training.destination())?.models;
        let mut before = Snapshot::default();
        there.iter().for_each(|one| before.extend(one.snapshot(training)));
        let inputs = materials.iter().filter_map(|material| material.declared.path.clone());
        let outputs = there.into_iter().map(|one| one.path);
        let files = training.metrics.iter().chain(&training.log).chain(&args.trace_output).cloned();
        let mut excluded: Vec<PathBuf> = inputs.chain(outputs).chain(files).map(|path| absolute(&path)).collect();
        excluded.push(absolute(training.destination()));
        let source = source::observe(&excluded, &mut gaps, console);
        Ok(Self {
            args,
            command,
            patterns,
            gaps,
            surroundings,
            materials,
            excluded,
            source,
            before,
            began: SystemTime::now(),
            fragments: None,
            signer: None,
        })
    }

    /// Hashes the inputs and runs the command, one after the other or together.
    fn run(&mut self, global: &Global, console: &Console) -> Result<Ended, Failure> {
        let total_bytes: u64 =
            self.materials.iter().filter_map(|one| one.files.as_ref()).map(super::inputs::Files::length_bytes).sum();
        let is_before = match self.args.hash_inputs {
            HashInputs::Auto => total_bytes <= MOST_BEFORE_BYTES,
            HashInputs::Before => true,
            HashInputs::WhileRunning => false,
        };
        let command = &self.args.command;
        let observation = self.args.observation();
        let (started, outcome) = if is_before {
            for material in &mut self.materials {
                let Some(files) = &material.files else { continue };
                let digests = files.hash(global, console)?;
                material.take(digests)?;
            }
            let started = now();
            self.began = SystemTime::now();
            (started, observe::run(command, observation).map_err(not_run)?)
        } else {
            let cancelled = AtomicBool::new(false);
            self.began = SystemTime::now();
            let materials = &self.materials;
            let started = now();
            let (outcome, hashed) = std::thread::scope(|scope| {
                let hash =
                    |material: &Material| material.files.as_ref().map(|files| files.hash_quietly(global, &cancelled));
                let hashing = scope.spawn(move || materials.iter().map(hash).collect::<Vec<_>>());
                let outcome = observe::run(command, observation);
                if !outcome.as_ref().is_ok_and(|outcome| outcome.status.success()) {
                    cancelled.store(true, Ordering::Relaxed);
                } else if !hashing.is_finished() {
                    console.note("the command has ended; its inputs are still being hashed");
                }
                (outcome, hashing.join())
            });
            let outcome = outcome.map_err(not_run)?;
            succeeded(outcome.status)?;
            let hashed =
                hashed.map_err(|_| Failure::could_not_check("unreadable", "the inputs could not be hashed"))?;
            self.take(hashed, console)?;
            (started, outcome)
        };
        succeeded(outcome.status)?;
        let finished = now();
        if outcome.still_running > 0 {
            let gap = match outcome.still_running {
                1 => "a process of the command still ran when it had ended".to_owned(),
                number => format!("{number} processes of the command still ran when it had ended"),
            };
            console.warn(&gap);
            self.gaps.push(gap);
        }
        Ok(Ended { started, finished, trace: outcome.trace })
    }

    /// Takes what was hashed beside the command: what changed meanwhile has no digest, and the training is done.
    fn take(&mut self, hashed: Vec<Option<Result<Digests, Failure>>>, console: &Console) -> Result<(), Failure> {
        for (material, hashed) in self.materials.iter_mut().zip(hashed) {
            match hashed {
                Some(Ok(digests)) => material.take(digests)?,
                Some(Err(failure)) => material.give_up(&failure, &mut self.gaps, console),
                None => {}
            }
        }
        Ok(())
    }

    /// Hashes what came of it, and writes the provenance.
    fn attest(mut self, ended: Ended, global: &Global, console: &Console) -> Result<Answer, Failure> {
        let (args, training) = (self.args, &self.args.training);
        let Ended { started, finished, trace } = ended;
        let outputs = self.outputs(global, console)?;
        self.surroundings.look_again(&args.words_of_system(), training, &mut self.gaps, console);
        for material in &mut self.materials {
            material.look_again(training.destination(), &mut self.gaps, console);
        }
        self.excluded.extend(outputs.iter().map(|output| absolute(&output.path)));
        if let Some(before) = &self.source {
            source::look_again(before, &self.excluded, &mut self.gaps, console);
        }
        let mut byproducts = byproducts(training, global, console)?;
        if let Some(lock) = &self.surroundings.lock {
            byproducts.push(byproduct("lock", lock, training, global, console)?);
        }
        let trace = self.merge(trace, console)?;
        if let Some((path, trace)) = args.trace_output.as_deref().zip(trace.as_ref()) {
            write(path, &trace.to_json(), Access::Everyone, Existing::Replace)?;
            byproducts.push(byproduct("trace", path, training, global, console)?);
        }
        let observation = self.observation(trace.as_ref(), &outputs);
        let entry_point = training
            .entry_point
            .clone()
            .or_else(|| self.source.as_ref().and_then(|source| source::entry_point(&self.command, &source.root)));
        let Surroundings { members, packages, ci, .. } = self.surroundings;
        let mut gaps = observation.gaps;
        let source = source::describe(self.source.as_ref(), ci.as_ref(), entry_point, &mut gaps, console);
        let observation = TrainingObservation { complete: gaps.is_empty(), gaps, ..observation };
        let run = TrainingRun {
            models: outputs.iter().map(|output| output.model.clone()).collect(),
            source,
            command: self.command,
            parameters: training.parameters()?,
            inputs: self.materials.into_iter().map(Material::into_input).chain(packages).collect(),
            outputs: args.output.clone(),
            environment: TrainingEnvironment { members },
            observation,
            byproducts,
            invocation: ci.and_then(|ci| ci.invocation_uri),
            started: Some(started),
            finished: Some(finished),
            builder_version: [tool()].into(),
        };
        // What was seen of a long training can't be seen again.
        let signed = finish(&run, &outputs, training, self.signer.as_ref(), Unsigned::Keep, console)?;
        let recognised: Vec<_> = outputs.iter().map(|output| &output.recognition).collect();
        let trained =
            Trained { path: training.destination(), run: &run, recognised: &recognised, signed: signed.as_ref() };
        Ok(to_people(training_answer(&trained), console))
    }

    /// The models, each of which the run has to have written.
    fn outputs(&mut self, global: &Global, console: &Console) -> Result<Vec<Output>, Failure> {
        let training = &self.args.training;
        let found = self.patterns.find(training.destination())?;
        if let Some(pattern) = found.missing {
            return Err(Failure::could_not_check(
                "no_output",
                format!("the command has ended, and there is nothing that --output `{pattern}` names: no provenance was written"),
            )
            .with_hint("`provenance generate` describes a run that is over"));
        }
        let mut outputs = Vec::new();
        for matched in &found.models {
            let output = Output::read(&matched.path, training, global, console)?;
            let (all, old) = output.files.snapshot().unchanged_since(&self.before);
            if all > 0 && old == all {
                return Err(Failure::rejected(
                    "old_output",
                    format!(
                        "`{}` is as it was before the command: expected what it writes, and no provenance was written",
                        matched.path.display()
                    ),
                )
                .with_hint("does --output name what the command writes?"));
            }
            if old > 0 {
                let gap = format!("{old} of {} in `{}` are older than the run", count(all, "file"), output.model.name);
                console.warn(&gap);
                self.gaps.push(gap);
            }
            let earlier = output.files.snapshot().older_than(self.began, &self.before).len();
            if earlier > 0 {
                let gap = format!(
                    "{earlier} of {} of `{}` were perhaps not written by the run: they are dated before it, or had another \
                     name before it",
                    count(all, "file"),
                    output.model.name
                );
                console.warn(&gap);
                self.gaps.push(gap);
            }
            outputs.push(output);
        }
        Ok(outputs)
    }

    /// Adds what the other ranks saw.
    fn merge(&mut self, trace: Option<Trace>, console: &Console) -> Result<Option<Trace>, Failure> {
        let Some(mut trace) = trace else {
            if let Some(ranks) = self.surroundings.ranks.as_ref().filter(|ranks| ranks.world_size > 1) {
                let others = ranks.world_size - 1;
                self.gaps.push(format!("what the other {others} of {} ranks did is not known", ranks.world_size));
            }
            return Ok(None);
        };
        if let Some(ranks) = self.surroundings.ranks.as_ref().filter(|ranks| ranks.world_size > 1) {
            let missing = match &self.fragments {
                Some(fragments) => fragments.gather(&mut trace, console)?,
                None => (1..ranks.world_size).collect(),
            };
            if !missing.is_empty() {
                let of = format!("{} of {} ranks", missing.len(), ranks.world_size);
                self.gaps.push(format!("what {of} did is not known: they left no fragment"));
            }
        }
        Ok(Some(trace))
    }

    /// What was seen, and what can't have been.
    fn observation(&mut self, trace: Option<&Trace>, outputs: &[Output]) -> TrainingObservation {
        let mut gaps = std::mem::take(&mut self.gaps);
        let Some(trace) = trace else {
            gaps.push(
                "the run was not traced: what it read, wrote, ran and connected to beside what is declared is not known"
                    .to_owned(),
            );
            return TrainingObservation { method: ObservationMethod::Hashed, complete: false, gaps, undeclared: None };
        };
        gaps.extend(trace.gaps.iter().cloned());
        let training = &self.args.training;
        let files = training.metrics.iter().chain(&training.log).chain(&self.surroundings.lock);
        let files: Vec<PathBuf> = files.cloned().collect();
        let python = self.surroundings.interpreter();
        let known = Known { outputs, before: &self.before, files, source: self.source.as_ref(), python };
        let undeclared = compare(trace, &mut self.materials, &known, &mut gaps);
        TrainingObservation { method: ObservationMethod::Traced, complete: false, gaps, undeclared: Some(undeclared) }
    }
}

/// Standard output is the command's: people read the result beside it.
pub(super) fn to_people(answer: Answer, console: &Console) -> Answer {
    if console.is_for_programs() {
        return answer;
    }
    console.ask(&answer.human);
    Answer { human: String::new(), ..answer }
}

/// A command that fails is what the process ends as.
fn succeeded(status: ExitStatus) -> Result<(), Failure> {
    if status.success() {
        return Ok(());
    }
    #[cfg(unix)]
    let signal = std::os::unix::process::ExitStatusExt::signal(&status);
    #[cfg(not(unix))]
    let signal: Option<i32> = None;
    let (code, how) = match (status.code(), signal) {
        (Some(code), _) => (code, format!("exited with {code}")),
        // As a shell does.
        (None, Some(signal)) => (128 + signal, format!("was killed by signal {signal}")),
        (None, None) => (1, "failed".to_owned()),
    };
    let code = u8::try_from(code).ok().filter(|code| *code != 0).unwrap_or(1);
    Err(Failure::new(Exit::Command(code), "command_failed", format!("the command {how}: no provenance was written")))
}

fn not_run(error: RunError) -> Failure {
    let message = error.to_string();
    match error {
        RunError::NoTracing => Failure::usage(message),
        _ => Failure::could_not_check("not_run", message),
    }
}
