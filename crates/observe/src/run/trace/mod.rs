//! Tracing a process tree: `ptrace` behind a seccomp filter, so that only calls that matter stop (Linux).
//!
//! A file's name is what the kernel says of the new descriptor, after the call: links, a current directory that changes and
//! threads that overwrite a path do not matter. Of calls that leave no descriptor (rename, unlink) the path is read from the
//! process when the call has ended. The filter needs `no_new_privs`: a set-user-ID program runs without its privileges.

mod address;
mod calls;
mod descriptors;
mod filter;
mod paths;
mod sys;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use self::calls::{Call, Pending};
use self::sys::{Change, Resume, Stop};
use super::signals::Caught;
use super::{Outcome, RunError, Trace, not_started, prepared, program};

/// How long what the command left behind may take to end.
const GRACE: Duration = Duration::from_secs(2);
const TICK: Duration = Duration::from_millis(10);

/// Runs a command to its end, and looks at every process of it.
pub(super) fn run(command: &[OsString]) -> Result<Outcome, RunError> {
    let failed = |source| RunError::Trace { program: program(command), source };
    let caught = Caught::new().map_err(failed)?;
    let mut tracer = Tracer::default();
    descriptors::inherited(&mut tracer.trace);
    // The child says which process it is, and waits until it is traced.
    let (mut told, tell) = io::pipe().map_err(failed)?;
    let (wait, go) = io::pipe().map_err(failed)?;
    let mut prepared = prepared(command)?;
    sys::before_exec(&mut prepared, tell, wait, filter::program());
    std::thread::scope(|scope| {
        // It returns when the program runs, which this thread has to allow.
        let starting = scope.spawn(move || prepared.spawn().map(drop));
        let mut number = [0; 4];
        // Without a process the pipe is closed.
        if told.read_exact(&mut number).is_err() {
            return Err(not_started(command, ended(starting)));
        }
        let pid = i32::from_ne_bytes(number);
        if let Err(error) = sys::seize(pid) {
            drop(go);
            ended(starting);
            return Err(failed(error));
        }
        tracer.living.insert(pid);
        tracer.trace.processes = 1;
        let _passing = caught.pass_to(pid.unsigned_abs());
        let mut go = go;
        // A process that was killed just now reads nothing.
        let _ = go.write_all(&[1]);
        drop(go);
        let status = match tracer.follow(pid).map_err(failed)? {
            Some(status) => status,
            None => return Err(not_started(command, ended(starting))),
        };
        let still_running = tracer.finish().map_err(failed)?;
        Ok(Outcome { status, still_running, trace: Some(tracer.trace) })
    })
}

/// Why a command was not started.
fn ended(starting: std::thread::ScopedJoinHandle<'_, io::Result<()>>) -> io::Error {
    match starting.join() {
        Ok(Err(error)) => error,
        Ok(Ok(())) | Err(_) => io::Error::other("it ended before it ran"),
    }
}

/// What is known of the processes.
#[derive(Default)]
struct Tracer {
    trace: Trace,
    /// Processes and threads that are traced, by their numbers.
    living: HashSet<i32>,
    /// Calls that have begun, by thread.
    pending: HashMap<i32, Pending>,
    /// Paths that are no files.
    no_files: HashSet<PathBuf>,
    /// Whether the program runs that was asked for.
    has_begun: bool,
}

impl Tracer {
    /// Follows the tree until the process `main` has ended. None if it never ran its program.
    fn follow(&mut self, main: i32) -> io::Result<Option<ExitStatus>> {
        loop {
            // Its status is for who starts it, until the program runs.
            if !self.has_begun && Self::ended_before_it_began(main)? {
                return Ok(None);
            }
            let Some((pid, change)) = sys::wait(sys::Patience::Endless)? else {
                return Err(io::Error::other("the command's end was not seen"));
            };
            if let Some(status) = self.handle(pid, change)?
                && pid == main
            {
                return Ok(Some(status));
            }
        }
    }

    /// Waits until something happens to the process that is to run the program. Its status is for who starts it.
    fn ended_before_it_began(main: i32) -> io::Result<bool> {
        loop {
            match sys::peek(main)? {
                sys::Peek::Nothing => {}
                sys::Peek::Stopped => return Ok(false),
                sys::Peek::Ended => return Ok(true),
            }
        }
    }

    /// Waits a moment for what the command left behind, and ends it. Returns how many processes that were.
    fn finish(&mut self) -> io::Result<usize> {
        let started = Instant::now();
        let mut killed = BTreeSet::new();
        while !self.living.is_empty() {
            match sys::wait(sys::Patience::None)? {
                Some((pid, change)) => drop(self.handle(pid, change)?),
                None if started.elapsed() < GRACE => std::thread::sleep(TICK),
                None => {
                    for pid in self.living.iter().copied().filter(|pid| !killed.contains(pid)).collect::<Vec<_>>() {
                        sys::kill(pid);
                        killed.insert(pid);
                    }
                    std::thread::sleep(TICK);
                }
            }
            if started.elapsed() > GRACE * 5 {
                break;
            }
        }
        let processes: BTreeSet<i32> = killed.iter().filter_map(|pid| paths::process_of(*pid).or(Some(*pid))).collect();
        if !processes.is_empty() {
            self.trace.add_gap("processes that outlived the command were killed with its trace".to_owned());
        }
        Ok(processes.len())
    }

    /// Handles what happened to a process. Returns how it ended, if it has.
    fn handle(&mut self, pid: i32, change: Change) -> io::Result<Option<ExitStatus>> {
        let (resume, signal) = match change {
            Change::Ended { status } => {
                self.living.remove(&pid);
                self.pending.remove(&pid);
                return Ok(Some(ExitStatus::from_raw(status)));
            }
            Change::Stopped(stop) => {
                self.living.insert(pid);
                match stop {
                    Stop::Call => (self.begins(pid), 0),
                    Stop::CallEnded => {
                        self.ends(pid);
                        (Resume::Run, 0)
                    }
                    Stop::New => {
                        self.born(pid);
                        (Resume::Run, 0)
                    }
                    Stop::Exec => {
                        self.executed(pid);
                        (Resume::Run, 0)
                    }
                    Stop::Group => (Resume::StayStopped, 0),
                    Stop::Other => (Resume::Run, 0),
                    Stop::Signal(signal) => (Resume::Run, signal),
                }
            }
        };
        sys::resume(pid, resume, signal)?;
        Ok(None)
    }

    /// A process or thread has started another.
    fn born(&mut self, pid: i32) {
        let Some(child) = sys::message(pid) else { return };
        self.living.insert(child);
        if paths::process_of(child) == Some(child) {
            self.trace.processes = self.trace.processes.saturating_add(1);
        }
    }

    /// A program runs from now on.
    fn executed(&mut self, pid: i32) {
        self.has_begun = true;
        // The thread that called it has the number of its process now.
        if let Some(former) = sys::message(pid).filter(|former| *former != pid) {
            self.living.remove(&former);
            self.pending.remove(&former);
        }
        self.pending.remove(&pid);
        if let Some(path) = paths::program(pid) {
            if paths::is_privileged(&path) {
                self.trace.add_gap(format!("{} ran without the privileges that its file gives", path.display()));
            }
            self.trace.add_file(path, |file| file.executed = true);
        }
    }

    /// A call begins that matters.
    fn begins(&mut self, pid: i32) -> Resume {
        let Some(info) = sys::call(pid) else { return Resume::Run };
        match calls::understand(pid, &info) {
            Call::Ignore => Resume::Run,
            Call::Gap(gap) => {
                self.trace.add_gap(gap.to_owned());
                Resume::Run
            }
            Call::Network(addresses) => {
                addresses.into_iter().for_each(|address| self.trace.add_address(address));
                Resume::Run
            }
            Call::Await(pending) => {
                self.pending.insert(pid, pending);
                Resume::ToEndOfCall
            }
        }
    }

    /// A call has ended.
    fn ends(&mut self, pid: i32) {
        let Some(pending) = self.pending.remove(&pid) else { return };
        let Some(result) = sys::result(pid).filter(|result| *result >= 0) else { return };
        match pending {
            Pending::Open { reads, writes } => self.opened(pid, result, reads, writes),
            Pending::OpenAsDescribed => {
                let (reads, writes) = paths::access(pid, result);
                self.opened(pid, result, reads, writes);
            }
            Pending::Changed(path) => {
                if let Some(path) = path.resolved(pid) {
                    self.trace.add_file(path, |file| file.written = true);
                }
            }
            Pending::Removed(path) => {
                if let Some(path) = path.resolved(pid) {
                    self.trace.add_file(path, |file| file.removed = true);
                }
            }
            Pending::Renamed { from, to, exchanges } => {
                if let Some(path) = from.resolved(pid) {
                    self.trace.add_file(path, |file| {
                        file.removed = true;
                        file.written |= exchanges;
                    });
                }
                if let Some(path) = to.resolved(pid) {
                    self.trace.add_file(path, |file| file.written = true);
                }
            }
        }
    }

    fn opened(&mut self, pid: i32, descriptor: i64, reads: bool, writes: bool) {
        let Some(path) = paths::of_descriptor(pid, descriptor) else { return };
        if self.no_files.contains(&path) {
            return;
        }
        if !self.trace.files.contains_key(&path) && !paths::is_file(pid, descriptor) {
            self.no_files.insert(path);
            return;
        }
        self.trace.add_file(path, |file| {
            file.read |= reads;
            file.written |= writes;
        });
    }
}
