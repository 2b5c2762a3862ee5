//! `monitor`: who signs as somebody, says a transparency log.

mod files;
mod logs;

use std::num::NonZeroU64;
use std::path::PathBuf;
use std::thread::sleep;
use std::time::Duration;

use model_transparency::log::monitor::{ExpectedEntries, MAX_EXPECTED_BYTES, Watch};

use super::verify::rule;
use crate::args::InstanceArgs;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::inputs::read_limited;
use crate::instance::resolve;
use crate::output::{Answer, Console, Layout, LogProblem, LogReport, monitor_answer};

use files::StateFolder;
use logs::WatchedLog;

/// Watch transparency logs for an identity: what was signed in its name
///
/// Each run reads what is new in the logs, checks that nothing was taken back or changed of what was there before, and
/// reports the entries whose certificate names the identity. The first run begins at the end of each log. Exit codes: 0
/// nothing unexpected; 1 an entry that is not expected, or a log that is not to be believed; 3 a log could not be read.
#[derive(Debug, clap::Args)]
#[command(group(clap::ArgGroup::new("who").required(true).args(["identity", "identity_regexp"])))]
pub(crate) struct Args {
    /// Whose name to look for: an e-mail address, or the URI of a workflow
    #[arg(long, value_name = "IDENTITY", alias = "certificate-identity")]
    identity: Option<String>,

    /// The same as a regular expression, which has to match the whole name
    #[arg(long, value_name = "REGEXP", alias = "certificate-identity-regexp")]
    identity_regexp: Option<String>,

    /// Only if this identity provider vouches for the name: its URL (the issuer of its tokens)
    #[arg(long, value_name = "URL", alias = "certificate-oidc-issuer", conflicts_with = "identity_provider_regexp")]
    identity_provider: Option<String>,

    /// The same as a regular expression, which has to match the whole URL
    #[arg(long, value_name = "REGEXP", alias = "certificate-oidc-issuer-regexp")]
    identity_provider_regexp: Option<String>,

    /// Entries that are known: lines of `ORIGIN INDEX`, or of an entry's hash in hex
    #[arg(long, value_name = "FILE")]
    expect: Option<PathBuf>,

    /// Read from here on: the index of an entry, or a file with a checkpoint of the log [default: where the last run ended]
    #[arg(long, value_name = "SIZE_OR_FILE")]
    since: Option<String>,

    /// Go on until interrupted, reading what is new every SECONDS
    #[arg(long, value_name = "SECONDS")]
    interval: Option<NonZeroU64>,

    /// Read at most N entries of each log at a time, and the rest the next time [default: 1000000; of Rekor v1 100000]
    #[arg(long, value_name = "N")]
    max_entries: Option<NonZeroU64>,

    /// Where to keep what was seen of the logs [default: model-signing/monitor in the user's folder for state]
    #[arg(long, value_name = "DIR")]
    state_dir: Option<PathBuf>,

    /// A log, one of the instance's (repeatable) [default: those that are in use]
    #[arg(long, value_name = "URL")]
    rekor_url: Vec<String>,

    #[command(flatten)]
    instance: InstanceArgs,
}

/// Watches, and prints what is found before it is remembered as told.
pub(crate) fn run(args: &Args, console: &Console) -> Exit {
    let mut monitor = match Monitor::new(args, console) {
        Ok(monitor) => monitor,
        Err(failure) => return console.finish("monitor", Err(failure)),
    };
    let Some(interval) = args.interval else {
        return monitor.round(console).tell(console, Layout::Document);
    };
    loop {
        let console = console.renewed();
        monitor.round(&console).tell(&console, Layout::Line);
        sleep(Duration::from_secs(interval.get()));
    }
}

/// Watches once, printing nothing.
pub(crate) fn once(args: &Args, console: &Console) -> Result<Answer, Failure> {
    let round = Monitor::new(args, console)?.round(console);
    round.states.iter().try_for_each(files::NewState::write)?;
    round.outcome
}

struct Monitor {
    watch: Watch,
    expected: ExpectedEntries,
    logs: Vec<WatchedLog>,
    states: StateFolder,
}

/// What came of looking once.
struct Round {
    outcome: Result<Answer, Failure>,
    /// What is to be kept once it has been told.
    states: Vec<files::NewState>,
    /// Whether there is something that a person wants to hear every time.
    is_news: bool,
}

impl Monitor {
    fn new(args: &Args, console: &Console) -> Result<Self, Failure> {
        let identity = rule("--identity", args.identity.as_deref(), args.identity_regexp.as_deref())?;
        let provider =
            rule("--identity-provider", args.identity_provider.as_deref(), args.identity_provider_regexp.as_deref())?;
        let identity = identity.ok_or_else(|| Failure::usage("expected --identity or --identity-regexp"))?;
        let expected = args.expect.as_deref().map(expected).transpose()?.unwrap_or_default();
        let instance = resolve(&args.instance, console)?;
        console.debug(&format!("watching the logs of {}", instance.source));
        let watch = Watch::new(identity, provider, instance.root.clone());
        let states = StateFolder::find(args.state_dir.as_deref(), &watch)?;
        let mut logs = logs::chosen(&instance, &args.rekor_url, args.max_entries, &states)?;
        if let Some(since) = &args.since {
            logs::set_since(&mut logs, since)?;
        }
        states.make()?;
        Ok(Self { watch, expected, logs, states })
    }

    fn round(&mut self, console: &Console) -> Round {
        let (mut reports, mut states) = (Vec::new(), Vec::new());
        for log in &mut self.logs {
            let (report, state) = log.read(&self.watch, &self.expected, &self.states);
            reports.push(report);
            states.extend(state);
        }
        let is_news = reports.iter().any(LogReport::is_news);
        let answer = monitor_answer(&self.watch, &reports);
        Round { outcome: outcome(answer, &reports, &self.watch, console), states, is_news }
    }
}

impl Round {
    /// Prints what was found, then keeps what was seen: what nobody could be told is found again.
    fn tell(self, console: &Console, layout: Layout) -> Exit {
        let is_quiet = layout == Layout::Line && !self.is_news && self.outcome.is_ok();
        let exit = if is_quiet && !console.is_for_programs() {
            Exit::Done
        } else {
            match console.print("monitor", &self.outcome, layout) {
                Ok(exit) => exit,
                Err(exit) => return exit,
            }
        };
        match self.states.iter().try_for_each(files::NewState::write) {
            Ok(()) => exit,
            Err(failure) => {
                console.complain(&failure);
                if exit == Exit::Done { failure.exit } else { exit }
            }
        }
    }
}

/// The verdict: the worst that was found, the rest as warnings.
fn outcome(answer: Answer, reports: &[LogReport], watch: &Watch, console: &Console) -> Result<Answer, Failure> {
    let mut failures: Vec<Failure> = Vec::new();
    let problems = reports.iter().filter_map(|report| report.problem.as_ref());
    failures.extend(problems.map(LogProblem::failure));
    let unexpected: usize = reports.iter().map(|report| report.unexpected().count()).sum();
    if unexpected > 0 {
        let (entries, name) =
            if unexpected == 1 { ("an entry that is", "names") } else { ("entries that are", "name") };
        let message = format!("{entries} not expected {name} {watch}: {unexpected} in all");
        let hint = "if you know them, list them in a file and name it with --expect FILE";
        failures.push(Failure::rejected("unexpected_entries", message).with_hint(hint));
    }
    // A lie before a finding, and both before what could not be read.
    failures.sort_by_key(|failure| (failure.exit != Exit::Rejected, failure.kind == "unexpected_entries"));
    let mut failures = failures.into_iter();
    let Some(worst) = failures.next() else { return Ok(answer) };
    for other in failures {
        console.warn(&other.message);
    }
    Err(worst.with_answer(answer))
}

/// Reads the list of entries that are known.
fn expected(path: &std::path::Path) -> Result<ExpectedEntries, Failure> {
    const WHAT: &str = "the list of expected entries";
    let invalid = |reason: String| Failure::usage(format!("--expect: {WHAT} `{}`: {reason}", path.display()));
    let bytes = read_limited(WHAT, path, MAX_EXPECTED_BYTES as u64 + 1)?;
    if bytes.len() > MAX_EXPECTED_BYTES {
        return Err(invalid(format!("expected at most {MAX_EXPECTED_BYTES} bytes")));
    }
    let text = std::str::from_utf8(&bytes).map_err(|_| invalid("expected text in UTF-8".to_owned()))?;
    ExpectedEntries::parse(text).map_err(|error| invalid(error.to_string()))
}
