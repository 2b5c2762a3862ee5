//! What was found in transparency logs.

use std::path::PathBuf;

use model_transparency::log::monitor::{ExpectedEntries, Finding, Round, SeenTree, Watch};
use serde_json::{Value, json};

use super::certificate::certificate_json;
use super::{Answer, BAD, CAUTION, Fields, GOOD, STRONG, escape};
use crate::failure::Failure;

/// What came of reading a log.
#[derive(Debug)]
pub(crate) struct LogReport {
    url: String,
    state: PathBuf,
    trees: Vec<SeenTree>,
    entries_read: u64,
    entries_left: u64,
    has_begun: bool,
    findings: Vec<(Finding, bool)>,
    /// Why it was not read to its end.
    pub(crate) problem: Option<LogProblem>,
}

/// Why a log was not read to its end.
#[derive(Debug)]
pub(crate) enum LogProblem {
    /// It could not be.
    Unread(Failure),
    /// It is not to be believed.
    Inconsistent {
        /// Why.
        message: String,
        /// Where what shows it was kept.
        evidence: Option<Result<PathBuf, Failure>>,
    },
}

impl LogProblem {
    /// The same as the end of a command.
    pub(crate) fn failure(&self) -> Failure {
        match self {
            Self::Unread(failure) => {
                let copy = Failure::new(failure.exit, failure.kind, failure.message.as_str());
                Failure { hint: failure.hint.clone(), ..copy }
            }
            Self::Inconsistent { message, evidence } => {
                let failure = Failure::rejected("inconsistent_log", message.as_str());
                match evidence {
                    Some(Ok(path)) => failure.with_hint(format!(
                        "what was seen of it before is kept, and what it signed now is in `{}`: show both to its operator",
                        path.display()
                    )),
                    Some(Err(error)) => failure.with_hint(format!("what it signed was not kept: {}", error.message)),
                    None => failure,
                }
            }
        }
    }
}

impl LogReport {
    pub(crate) fn new(url: &str, state: PathBuf) -> Self {
        Self {
            url: url.to_owned(),
            state,
            trees: Vec::new(),
            entries_read: 0,
            entries_left: 0,
            has_begun: false,
            findings: Vec::new(),
            problem: None,
        }
    }

    /// Adds what was read.
    pub(crate) fn add<E>(&mut self, round: &Round<E>, expected: &ExpectedEntries) {
        self.trees = round.state.iter().flat_map(|state| state.trees.clone()).collect();
        self.entries_read = round.entries_read;
        self.entries_left = round.entries_left;
        self.has_begun = round.has_begun;
        self.findings = round.findings.iter().map(|finding| (finding.clone(), expected.has(finding))).collect();
    }

    /// The findings that are not expected.
    pub(crate) fn unexpected(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|(_, is_expected)| !is_expected).map(|(finding, _)| finding)
    }

    /// Whether a person who waits wants to hear of it.
    pub(crate) fn is_news(&self) -> bool {
        self.has_begun || !self.findings.is_empty() || self.problem.is_some() || self.entries_left > 0
    }

    /// The number of entries in all trees.
    fn size(&self) -> u64 {
        self.trees.iter().map(|tree| tree.checkpoint.size()).fold(0, u64::saturating_add)
    }

    /// What was read, in a line.
    fn summary(&self) -> String {
        let entries = |count: u64, what: &str| match count {
            1 => format!("1 {what}entry"),
            _ => format!("{count} {what}entries"),
        };
        if self.has_begun {
            let size = self.size();
            return format!("seen for the first time, with {}: watched from there on", entries(size, ""));
        }
        let left = match self.entries_left {
            0 => String::new(),
            left => format!(", not at the end yet: {left} to read the next time"),
        };
        format!("{} of {} read{left}", entries(self.entries_read, "new "), self.size())
    }
}

/// The answer of `monitor`.
pub(crate) fn monitor_answer(watch: &Watch, reports: &[LogReport]) -> Answer {
    let unexpected: usize = reports.iter().map(|report| report.unexpected().count()).sum();
    let is_whole = reports.iter().all(|report| report.problem.is_none());
    let left: u64 = reports.iter().map(|report| report.entries_left).fold(0, u64::saturating_add);
    let watched = escape(&watch.to_string());
    let mut human = match (unexpected, is_whole, left) {
        (0, true, 0) if reports.iter().all(|report| report.has_begun) => {
            format!("{GOOD}Watching{GOOD:#} for {watched} from now on\n")
        }
        (0, true, 0) => format!("{GOOD}Nothing unexpected{GOOD:#} for {watched}\n"),
        (0, true, _) => format!("{CAUTION}Nothing unexpected so far{CAUTION:#} for {watched}\n"),
        (0, false, _) => String::new(),
        (1, _, _) => format!("{BAD}1 unexpected entry{BAD:#} for {watched}\n"),
        (count, _, _) => format!("{BAD}{count} unexpected entries{BAD:#} for {watched}\n"),
    };
    for report in reports.iter().filter(|report| report.problem.is_none() || !report.findings.is_empty()) {
        human.push_str(&format!("{STRONG}{}{STRONG:#}: {}\n", escape(&report.url), report.summary()));
        for (finding, is_expected) in &report.findings {
            human.push_str(&finding_text(finding, *is_expected));
        }
    }
    let findings = reports.iter().map(|report| report.findings.len()).sum::<usize>();
    let json = json!({
        "watched": watch.to_string(),
        "findings": findings,
        "unexpected": unexpected,
        "is_at_end": is_whole && left == 0,
        "logs": reports.iter().map(report_json).collect::<Vec<_>>(),
    });
    Answer { human, json }
}

fn finding_text(finding: &Finding, is_expected: bool) -> String {
    let Finding { origin, index, entry_hash, uuid, integrated_time, sighting } = finding;
    let mut fields = Fields::default();
    fields.add("entry", format!("{index} of {origin}, {}", if is_expected { "expected" } else { "not expected" }));
    match uuid {
        Some(uuid) => fields.add("", format!("uuid {uuid}")),
        None => fields.add("", format!("hash {entry_hash}")),
    }
    fields.add("identity", &sighting.identity);
    fields.add("provider", sighting.provider.as_deref().unwrap_or("(none)"));
    let taken = integrated_time.map_or_else(String::new, |time| format!(", in the log since {time}"));
    let certificate = &sighting.certificate;
    fields.add("certified at", format!("{}{taken}", certificate.not_before()));
    fields.add("certificate", format!("sha256 {}", certificate.fingerprint()));
    if !sighting.is_issued_by_instance {
        fields.add("", "not issued by this instance: anybody can make such a one, and no signature of it verifies");
    }
    fields.into_text()
}

fn report_json(report: &LogReport) -> Value {
    let problem = report.problem.as_ref().map(|problem| {
        let failure = problem.failure();
        let evidence = match problem {
            LogProblem::Inconsistent { evidence: Some(Ok(path)), .. } => Some(path.display().to_string()),
            LogProblem::Inconsistent { .. } | LogProblem::Unread(_) => None,
        };
        json!({ "kind": failure.kind, "message": failure.message, "evidence": evidence })
    });
    let tree = |tree: &SeenTree| {
        json!({
            "origin": tree.checkpoint.origin(),
            "size": tree.checkpoint.size(),
            "root": tree.checkpoint.root().to_string(),
            "next": tree.next,
        })
    };
    json!({
        "url": report.url,
        "state": report.state.display().to_string(),
        "trees": report.trees.iter().map(tree).collect::<Vec<_>>(),
        "has_begun": report.has_begun,
        "entries_read": report.entries_read,
        "entries_left": report.entries_left,
        "findings": report.findings.iter().map(finding_json).collect::<Vec<_>>(),
        "problem": problem,
    })
}

fn finding_json((finding, is_expected): &(Finding, bool)) -> Value {
    let Finding { origin, index, entry_hash, uuid, integrated_time, sighting } = finding;
    json!({
        "origin": origin,
        "index": index,
        "entry_hash": entry_hash.to_string(),
        "uuid": uuid,
        "integrated_time": integrated_time.map(|time| time.to_string()),
        "identity": sighting.identity,
        "identity_provider": sighting.provider,
        "issued_by_instance": sighting.is_issued_by_instance,
        "expected": is_expected,
        "certificate": certificate_json(&sighting.certificate),
    })
}
