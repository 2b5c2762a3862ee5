//! The only place that prints: results on standard output, everything else on standard error.

mod certificate;
mod cloud_build;
mod digest;
mod document;
mod failure;
mod formats;
mod inspect;
mod monitor;
mod progress;
mod provenance;
mod sigstore;
mod text;
mod training;
mod trust;
mod verify;
mod vsa;

use std::io::{self, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anstyle::{AnsiColor, Style};
use model_transparency_remote::oidc::without_tokens;

use crate::args::{Format, LogLevel};
use crate::exit::Exit;
use crate::failure::Failure;

pub(crate) use certificate::colons;
pub(crate) use cloud_build::cloud_build_answer;
pub(crate) use digest::digest_answer;
pub(crate) use failure::human as failure_text;
pub(crate) use formats::formats_answer;
pub(crate) use inspect::inspect_answer;
pub(crate) use monitor::{LogProblem, LogReport, monitor_answer};
use progress::Screen;
pub(crate) use provenance::{VerifiedArtifact, provenance_answer};
pub(crate) use text::{Fields, count, escape, size};
pub(crate) use training::{Trained, training_answer};
pub(crate) use trust::{exported_answer, kept_answer, trust_answer};
pub(crate) use verify::{Joined, Signed, hashing, sign_answer, verify_answer};
pub(crate) use vsa::{Shown, Written, created_answer, vsa_answer};

pub(crate) const GOOD: Style = AnsiColor::Green.on_default().bold();
pub(crate) const BAD: Style = AnsiColor::Red.on_default().bold();
pub(crate) const CAUTION: Style = AnsiColor::Yellow.on_default().bold();
pub(crate) const STRONG: Style = Style::new().bold();

/// What a command has to say when it has done what it was asked to.
#[derive(Debug)]
pub(crate) struct Answer {
    /// For people: lines, everything from outside already escaped.
    pub(crate) human: String,
    /// For programs: the member `result` of the document.
    pub(crate) json: serde_json::Value,
}

/// How a JSON document is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Layout {
    /// Over many lines: there is one.
    Document,
    /// In a line: others follow.
    Line,
}

/// Standard output and standard error, as the user wants them.
///
/// A clone has the same warnings and the same screen.
#[derive(Clone, Debug)]
pub(crate) struct Console {
    format: Format,
    level: LogLevel,
    warnings: Arc<Mutex<Vec<String>>>,
    screen: Arc<Mutex<Screen>>,
}

impl Console {
    pub(crate) fn new(format: Format, level: LogLevel) -> Self {
        Self { format, level, warnings: Arc::default(), screen: Arc::default() }
    }

    /// Says that something may not be what the user thinks.
    pub(crate) fn warn(&self, message: &str) {
        self.warnings().push(message.to_owned());
        self.status(LogLevel::Warning, CAUTION, "warning", message);
    }

    /// Says what the command chose on its own.
    pub(crate) fn note(&self, message: &str) {
        self.status(LogLevel::Info, STRONG, "note", message);
    }

    /// Says what somebody looking for a fault wants to know.
    pub(crate) fn debug(&self, message: &str) {
        self.status(LogLevel::Debug, STRONG, "debug", message);
    }

    /// Tells a person what to do, whatever the format: `text` is escaped already.
    pub(crate) fn ask(&self, text: &str) {
        self.screen().print(text);
    }

    /// Asks a person a question, and has `read` read the answer: `text` is escaped already.
    pub(crate) fn ask_for<T>(&self, text: &str, read: impl FnOnce() -> T) -> T {
        self.screen().ask(text);
        let answer = read();
        self.screen().answered();
        answer
    }

    fn warnings(&self) -> MutexGuard<'_, Vec<String>> {
        self.warnings.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn screen(&self) -> MutexGuard<'_, Screen> {
        self.screen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn status(&self, level: LogLevel, style: Style, label: &str, message: &str) {
        if self.format == Format::Human && self.level <= level {
            self.screen().print(&format!("{style}{label}{style:#}: {}\n", escape(message)));
        }
    }

    /// Prints how a command ended and gives the exit code.
    pub(crate) fn finish(&self, command: &'static str, outcome: Result<Answer, Failure>) -> Exit {
        self.print(command, &outcome, Layout::Document).unwrap_or_else(|exit| exit)
    }

    /// Prints how a command, or a round of one, ended and gives the exit code.
    ///
    /// # Errors
    /// The exit code if nobody may have read it.
    pub(crate) fn print(
        &self,
        command: &'static str,
        outcome: &Result<Answer, Failure>,
        layout: Layout,
    ) -> Result<Exit, Exit> {
        let exit = outcome.as_ref().map_or_else(|failure| failure.exit, |_| Exit::Done);
        let printed = match (self.format, outcome) {
            (Format::Human, Ok(answer)) => print(&answer.human),
            (Format::Human, Err(failure)) => {
                let printed = failure.answer.as_ref().map_or(Ok(()), |answer| print(&answer.human));
                self.complain(failure);
                printed
            }
            (Format::Json, _) => print(&document::render(command, exit, outcome, &self.warnings(), layout)),
        };
        match printed {
            // Whoever read the output has seen enough of it.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Err(exit),
            Err(error) => {
                print_error_text(&format!("{BAD}error{BAD:#}: standard output cannot be written: {error}\n"));
                Err(if exit == Exit::Done { Exit::CouldNotCheck } else { exit })
            }
            Ok(()) => Ok(exit),
        }
    }

    /// Says what went wrong, whatever the format.
    #[expect(clippy::unused_self, reason = "who has no console has nobody to tell")]
    pub(crate) fn complain(&self, failure: &Failure) {
        print_error_text(&failure::human(failure));
    }

    /// The same without warnings.
    pub(crate) fn renewed(&self) -> Self {
        Self::new(self.format, self.level)
    }

    /// Whether results are documents.
    pub(crate) fn is_for_programs(&self) -> bool {
        self.format == Format::Json
    }

    /// Prints help or the version.
    pub(crate) fn plain(text: &clap::builder::StyledStr) -> Exit {
        match print(&text.ansi().to_string()) {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Exit::CouldNotCheck,
            _ => Exit::Done,
        }
    }

    pub(crate) fn shows_progress(&self) -> bool {
        use io::IsTerminal;
        self.format == Format::Human && self.level <= LogLevel::Info && io::stderr().is_terminal()
    }
}

/// Prints clap's account of a wrong command line, but for a token that stands where it does not belong.
pub(crate) fn print_usage_error(error: &clap::Error, hint: Option<String>) {
    let mut text = without_tokens(&error.render().ansi().to_string());
    if let Some(hint) = hint {
        text.push_str(&format!("\n{CAUTION}hint{CAUTION:#}: {hint}\n"));
    }
    print_error_text(&text);
}

fn print(text: &str) -> io::Result<()> {
    let mut out = anstream::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// Standard error is the last place to complain at; if it is closed, so be it.
fn print_error_text(text: &str) {
    let _ = anstream::stderr().lock().write_all(text.as_bytes());
}
