//! Running a command as if nobody looked, and looking.
//!
//! Without a trace, processes that outlive the command go on; they are counted. A traced process can't outlive its tracer:
//! the calls that are looked at would fail from then on. What still runs a moment after the command has ended is killed,
//! and that is a gap.

#[cfg(target_os = "linux")]
mod adopting;
mod fragment;
#[cfg(unix)]
mod plain;
#[cfg(unix)]
mod signals;
#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod trace;

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::process::ExitStatus;

pub use fragment::InvalidFragment;

/// How many files of a trace are remembered.
const MOST_FILES: usize = 1_000_000;
/// How many addresses.
const MOST_ADDRESSES: usize = 10_000;
/// How many different gaps.
const MOST_GAPS: usize = 1_000;

/// How closely a command is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Observation {
    /// It is started and awaited.
    None,
    /// Every process of it is traced: files, programs, network (Linux).
    Trace,
}

/// What a command did.
#[derive(Debug)]
pub struct Outcome {
    /// How it ended.
    pub status: ExitStatus,
    /// Processes of it that still ran when it had ended (Linux; elsewhere they are not seen). With a trace, they were killed.
    pub still_running: usize,
    /// What was seen of it. None without [`Observation::Trace`].
    pub trace: Option<Trace>,
}

/// What was seen of a process tree.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trace {
    /// The files, by their absolute paths as the kernel resolves them.
    pub files: BTreeMap<PathBuf, FileUse>,
    /// Where it connected, sent to or listened, whether or not that worked: `connect 192.0.2.1:443`, `connect
    /// unix:/run/x.sock`. Each once.
    pub network: BTreeSet<String>,
    /// How many processes there were.
    pub processes: usize,
    /// What can't have been seen, a sentence each; empty if nothing is known to have escaped.
    pub gaps: BTreeSet<String>,
}

/// What was done to a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FileUse {
    /// Opened for reading.
    pub read: bool,
    /// Opened for writing, or made, or another file was renamed to it.
    pub written: bool,
    /// Executed as a program.
    pub executed: bool,
    /// Deleted, or renamed to another name.
    pub removed: bool,
}

/// Why a command was not run, or not seen.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// It could not be started.
    #[error("`{program}` cannot be started: {source}")]
    Start {
        /// The program.
        program: String,
        /// Why.
        source: io::Error,
    },
    /// It could not be traced.
    #[error("`{program}` cannot be traced: {source}; a container may have to be allowed to (SYS_PTRACE)")]
    Trace {
        /// The program.
        program: String,
        /// Why.
        source: io::Error,
    },
    /// This system has no way to trace.
    #[error("tracing needs Linux on x86-64 or Arm64")]
    NoTracing,
}

/// Runs a command to its end with this process's streams, directory and environment; passes signals on to it.
///
/// On Linux this process becomes the parent of what the command leaves behind, and awaits whatever child of it ends
/// meanwhile: nothing else in it may start processes until this returns.
///
/// # Errors
/// It could not be started, or not traced. How it ended is no error.
pub fn run(command: &[OsString], observation: Observation) -> Result<Outcome, RunError> {
    match observation {
        Observation::None => run_plain(command),
        Observation::Trace => run_traced(command),
    }
}

#[cfg(unix)]
fn run_plain(command: &[OsString]) -> Result<Outcome, RunError> {
    plain::run(command)
}

#[cfg(not(unix))]
fn run_plain(command: &[OsString]) -> Result<Outcome, RunError> {
    let status = start(command)?.wait().map_err(|source| not_started(command, source))?;
    Ok(Outcome { status, still_running: 0, trace: None })
}

#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
fn run_traced(command: &[OsString]) -> Result<Outcome, RunError> {
    trace::run(command)
}

#[cfg(not(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64"))))]
fn run_traced(_: &[OsString]) -> Result<Outcome, RunError> {
    Err(RunError::NoTracing)
}

/// The command, not yet started.
fn prepared(command: &[OsString]) -> Result<std::process::Command, RunError> {
    let Some((program, arguments)) = command.split_first() else {
        let source = io::Error::new(io::ErrorKind::InvalidInput, "expected a program, found nothing");
        return Err(RunError::Start { program: String::new(), source });
    };
    let mut command = std::process::Command::new(program);
    command.args(arguments);
    Ok(command)
}

fn start(command: &[OsString]) -> Result<std::process::Child, RunError> {
    prepared(command)?.spawn().map_err(|source| not_started(command, source))
}

fn not_started(command: &[OsString], source: io::Error) -> RunError {
    RunError::Start { program: program(command), source }
}

fn program(command: &[OsString]) -> String {
    command.first().map_or_else(String::new, |program| program.to_string_lossy().into_owned())
}

impl Trace {
    /// Adds what another one saw.
    pub fn merge(&mut self, other: Self) {
        for (path, used) in other.files {
            self.add_file(path, |file| file.add(used));
        }
        other.network.into_iter().for_each(|address| self.add_address(address));
        other.gaps.into_iter().for_each(|gap| self.add_gap(gap));
        self.processes = self.processes.saturating_add(other.processes);
    }

    /// Remembers a file, as long as there are not too many.
    fn add_file(&mut self, path: PathBuf, change: impl FnOnce(&mut FileUse)) {
        if let Some(file) = self.files.get_mut(&path) {
            change(file);
        } else if self.files.len() < MOST_FILES {
            change(self.files.entry(path).or_default());
        } else {
            self.add_gap(format!("only the first {MOST_FILES} files are remembered"));
        }
    }

    fn add_address(&mut self, address: String) {
        if self.network.len() < MOST_ADDRESSES || self.network.contains(&address) {
            self.network.insert(address);
        } else {
            self.add_gap(format!("only the first {MOST_ADDRESSES} addresses are remembered"));
        }
    }

    fn add_gap(&mut self, gap: String) {
        if self.gaps.len() < MOST_GAPS || self.gaps.contains(&gap) {
            self.gaps.insert(gap);
        } else {
            self.gaps.insert(format!("only the first {MOST_GAPS} gaps are named"));
        }
    }
}

impl FileUse {
    fn add(&mut self, other: Self) {
        self.read |= other.read;
        self.written |= other.written;
        self.executed |= other.executed;
        self.removed |= other.removed;
    }
}
