//! Which logs are watched, and reading one of them.

use std::num::NonZeroU64;
use std::path::{Path, PathBuf};

use model_transparency::log::monitor::{
    ExpectedEntries, FollowError, FollowedLog, LogState, Round, SeenTree, Since, Watch, follow_api, follow_tiles,
};
use model_transparency::log::{LogId, LogKey, MAX_CHECKPOINT_BYTES};
use model_transparency::sign::ServiceError;
use model_transparency_remote::log_reader::{LogReader, OpenLogError};

use super::files::{NewState, StateFolder};
use crate::failure::Failure;
use crate::inputs::{now, read_limited};
use crate::instance::ResolvedInstance;
use crate::output::{LogProblem, LogReport};

/// How many entries of a log of tiles are read at a time.
const MAX_TILED_ENTRIES: u64 = 1_000_000;
/// How many of one that gives ten at once.
const MAX_API_ENTRIES: u64 = 100_000;

const UNREADABLE: &str = "log_unreadable";

/// A log that is watched.
pub(super) struct WatchedLog {
    url: String,
    keys: Vec<LogKey>,
    id: LogId,
    max_entries: Option<NonZeroU64>,
    /// From where on to read, until something was read.
    since: Option<Since>,
}

/// The logs of an instance: those at `urls`, or all that are in use or were watched.
pub(super) fn chosen(
    instance: &ResolvedInstance,
    urls: &[String],
    max_entries: Option<NonZeroU64>,
    states: &StateFolder,
) -> Result<Vec<WatchedLog>, Failure> {
    let mut logs: Vec<WatchedLog> = Vec::new();
    let all = instance.root.log_keys();
    for key in all.iter() {
        let url = key.base_url().trim_end_matches('/');
        match logs.iter_mut().find(|log| log.url == url) {
            Some(log) => log.keys.push(key.clone()),
            None => logs.push(WatchedLog {
                url: url.to_owned(),
                keys: vec![key.clone()],
                id: key.id(),
                max_entries,
                since: None,
            }),
        }
    }
    let known: Vec<String> = logs.iter().map(|log| format!("`{}`", log.url)).collect();
    let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
    if urls.is_empty() {
        let now = now();
        // One that is not in use any more may have taken an entry since it was read.
        logs.retain(|log| log.keys.iter().any(|key| key.is_trusted_at(now)) || states.path(log.id).exists());
        if logs.is_empty() {
            let message = format!("{} has no log that is in use, found {known}", instance.source);
            return Err(Failure::rejected("no_log", message));
        }
        return Ok(logs);
    }
    if let Some(unknown) = urls.iter().find(|url| logs.iter().all(|log| log.url != url.trim_end_matches('/'))) {
        let message = format!("--rekor-url: {} has no log `{unknown}`, found {known}", instance.source);
        return Err(Failure::usage(message).with_hint("--trust-config FILE and --trusted-root FILE name its instance"));
    }
    logs.retain(|log| urls.iter().any(|url| log.url == url.trim_end_matches('/')));
    Ok(logs)
}

/// Sets from where on to read: from the same index on in every log, or for the log that signed a checkpoint.
pub(super) fn set_since(logs: &mut [WatchedLog], since: &str) -> Result<(), Failure> {
    if !since.is_empty() && since.bytes().all(|byte| byte.is_ascii_digit()) {
        let index = since.parse().map_err(|_| Failure::usage(format!("--since: the index {since} is too large")))?;
        logs.iter_mut().for_each(|log| log.since = Some(Since::Index(index)));
        return Ok(());
    }
    const WHAT: &str = "the checkpoint";
    let path = Path::new(since);
    let invalid =
        |reason: String| Failure::rejected("invalid_checkpoint", format!("{WHAT} `{}`: {reason}", path.display()));
    let bytes = read_limited(WHAT, path, MAX_CHECKPOINT_BYTES as u64 + 1)?;
    let note = std::str::from_utf8(&bytes).map_err(|_| invalid("expected text in UTF-8".to_owned()))?;
    let mut refused = "it is of no log that is watched".to_owned();
    for log in logs {
        match SeenTree::parse(note, &log.followed(0)) {
            Ok(tree) => {
                log.since = Some(Since::Checkpoint(Box::new(tree)));
                return Ok(());
            }
            Err(error) => refused = error.to_string(),
        }
    }
    Err(invalid(refused))
}

impl WatchedLog {
    /// Reads what is new, and gives what to keep once it has been told.
    pub(super) fn read(
        &mut self,
        watch: &Watch,
        expected: &ExpectedEntries,
        states: &StateFolder,
    ) -> (LogReport, Option<NewState>) {
        let mut report = LogReport::new(&self.url, states.path(self.id));
        match self.round(watch, states) {
            Ok(round) => {
                let evidence = |note: &str| states.keep_evidence(self.id, note);
                report.problem = round.error.as_ref().map(|error| problem(&self.url, error, evidence));
                report.add(&round, expected);
                if round.is_new_state {
                    self.since = None;
                }
                (report, round.state.filter(|_| round.is_new_state).map(|state| states.keep(self.id, state)))
            }
            Err(failure) => {
                report.problem = Some(LogProblem::Unread(self.with_hint(failure, states)));
                (report, None)
            }
        }
    }

    fn round(&self, watch: &Watch, states: &StateFolder) -> Result<Round<ServiceError>, Failure> {
        let state: Option<LogState> = states.read(self.id, &self.followed(0))?;
        let (state, since) = (state.as_ref(), self.since.as_ref());
        let reader = LogReader::open(&self.url).map_err(|error| match error {
            OpenLogError::Url(error) => Failure::rejected("invalid_trusted_root", format!("`{}`: {error}", self.url)),
            OpenLogError::Service(error) => unreadable(error.to_string()),
        })?;
        Ok(match reader {
            LogReader::Tiles(tiles) => follow_tiles(tiles, &self.followed(MAX_TILED_ENTRIES), state, since, watch),
            LogReader::Api(api) => follow_api(api, &self.followed(MAX_API_ENTRIES), state, since, watch),
        })
    }

    /// What to do about a log that is gone because its time is over.
    fn with_hint(&self, failure: Failure, states: &StateFolder) -> Failure {
        let now = now();
        if failure.kind != UNREADABLE || self.keys.iter().any(|key| key.is_trusted_at(now)) {
            return failure;
        }
        let state = states.path(self.id);
        failure.with_hint(format!("the log is not in use any more: without `{}` it is not watched", state.display()))
    }

    fn followed(&self, max_entries: u64) -> FollowedLog<'_> {
        let max_entries = self.max_entries.map_or(max_entries, NonZeroU64::get);
        FollowedLog { keys: &self.keys, now: now(), max_entries }
    }
}

fn problem(
    url: &str,
    error: &FollowError<ServiceError>,
    keep: impl FnOnce(&str) -> Result<PathBuf, Failure>,
) -> LogProblem {
    match error {
        FollowError::Source(error) => LogProblem::Unread(unreadable(error.to_string())),
        FollowError::Malformed(reason) => {
            let message = format!("the transparency log `{url}` gave an answer that is not as expected: {reason}");
            LogProblem::Unread(unreadable(message))
        }
        FollowError::Since { .. } => LogProblem::Unread(Failure::usage(format!("--since: `{url}`: {error}"))),
        FollowError::Inconsistent { reason, evidence } => LogProblem::Inconsistent {
            message: format!("the transparency log `{url}` is not to be believed: {reason}"),
            evidence: evidence.as_deref().map(keep),
        },
    }
}

fn unreadable(message: String) -> Failure {
    Failure::could_not_check(UNREADABLE, message)
}
