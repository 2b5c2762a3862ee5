//! Tracing a process tree: `ptrace` behind a seccomp filter, so that only calls that matter stop (Linux).
//!
//! A file's name is what the kernel says of the new descriptor, after the call: links, a current directory that changes and
//! threads that overwrite a path do not matter. Of calls that leave no descriptor (rename, unlink) the path is read from the
//! process when they begin, and resolved when they have ended. What another thread changes between a call's end and the look at
//! it, nobody sees. The filter needs `no_new_privs`: a set-user-ID program runs without its privileges.

mod address;
mod calls;
mod descriptors;
mod filter;
mod paths;
mod sys;

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::os::fd::AsRawFd as _;
use std::os::unix::process::ExitStatusExt as _;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use self::calls::{Call, Pending};
use self::paths::{NamedPath, Opened};
use self::sys::{Change, Resume, Stop};
use super::adopting::Adopting;
use super::signals::Caught;
use super::{FileUse, Outcome, RunError, Trace, not_started, prepared, program};

/// How long what the command left behind may take to end.
const GRACE: Duration = Duration::from_secs(2);
const TICK: Duration = Duration::from_millis(10);

/// Runs a command to its end, and looks at every process of it.
pub(super) fn run(command: &[OsString]) -> Result<Outcome, RunError> {
    let failed = |source| RunError::Trace { program: program(command), source };
    let caught = Caught::new().map_err(failed)?;
    let _adopting = Adopting::new().map_err(|error| failed(error.into()))?;
    let mut tracer = Tracer::default();
    descriptors::inherited(&mut tracer.trace);
    // The child says which process it is, and waits until it is traced.
    let (mut told, tell) = io::pipe().map_err(failed)?;
    let (wait, go) = io::pipe().map_err(failed)?;
    let mut prepared = prepared(command)?;
    sys::before_exec(&mut prepared, tell, wait, go.as_raw_fd(), filter::program());
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
        tracer.announced.insert(pid);
        tracer.trace.processes = 1;
        let passing = caught.pass_to(pid.unsigned_abs());
        let mut go = go;
        // A process that was killed just now reads nothing.
        let _ = go.write_all(&[1]);
        drop(go);
        let status = match tracer.follow(pid) {
            Ok(Some(status)) => status,
            Ok(None) => return Err(not_started(command, ended(starting))),
            Err(error) => {
                // What can't be followed does not go on unseen.
                tracer.kill_all(&mut BTreeSet::new());
                return Err(failed(error));
            }
        };
        // From here on the number may be another's.
        drop(passing);
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
    /// Those of them that the one which started them has told of.
    announced: HashSet<i32>,
    /// Those that had ended when they were not told of yet.
    ended_early: HashSet<i32>,
    /// Calls that have begun, by thread.
    pending: HashMap<i32, Pending>,
    /// What has happened and was not handled yet.
    happened: VecDeque<(i32, Change)>,
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
            let Some((pid, change)) = self.next(sys::Patience::Endless)? else {
                return Err(io::Error::other("the command's end was not seen"));
            };
            if let Some(status) = self.handle(pid, change)?
                && pid == main
            {
                return Ok(Some(status));
            }
        }
    }

    /// The next thing that happened. Processes take turns: the kernel has the same ones first whenever it is asked, and where
    /// many are busy the others would never go on.
    fn next(&mut self, patience: sys::Patience) -> io::Result<Option<(i32, Change)>> {
        if let Some(next) = self.happened.pop_front() {
            return Ok(Some(next));
        }
        let mut next = sys::wait(patience)?;
        // Each stops once until it is told to go on: this ends. Before the program runs there is one process.
        while self.has_begun
            && let Some((pid, change)) = next
        {
            // What was killed, or replaced by a thread of it that runs a program, has left the stop before.
            self.happened.retain(|(other, change)| *other != pid || matches!(change, Change::Ended { .. }));
            self.happened.push_back((pid, change));
            next = sys::wait(sys::Patience::None)?;
        }
        Ok(next.or_else(|| self.happened.pop_front()))
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
        let mut next_kill = GRACE;
        while !self.living.is_empty() && started.elapsed() < GRACE * 5 {
            // What is busy has always something to tell: it is not waited for either.
            if started.elapsed() >= next_kill {
                self.kill_all(&mut killed);
                next_kill = started.elapsed() + TICK * 10;
            }
            match self.next(sys::Patience::None)? {
                Some((pid, change)) => drop(self.handle(pid, change)?),
                None => std::thread::sleep(TICK),
            }
        }
        if !self.living.is_empty() {
            self.trace
                .add_gap("processes that outlived the command could not be ended: what they do is not seen".to_owned());
        }
        if !killed.is_empty() {
            self.trace.add_gap("processes that outlived the command were killed with its trace".to_owned());
        }
        Ok(killed.len())
    }

    /// Ends every process. `killed` are those that were.
    fn kill_all(&self, killed: &mut BTreeSet<i32>) {
        for pid in &self.living {
            killed.insert(paths::process_of(*pid).unwrap_or(*pid));
            sys::kill(*pid);
        }
    }

    /// Handles what happened to a process. Returns how it ended, if it has.
    fn handle(&mut self, pid: i32, change: Change) -> io::Result<Option<ExitStatus>> {
        let (resume, signal) = match change {
            Change::Ended { status } => {
                self.living.remove(&pid);
                self.pending.remove(&pid);
                if !self.announced.remove(&pid) {
                    self.ended_early.insert(pid);
                }
                return Ok(Some(ExitStatus::from_raw(status)));
            }
            Change::Stopped(stop) => {
                self.living.insert(pid);
                match stop {
                    Stop::Call => (self.begins(pid)?, 0),
                    Stop::CallEnded => {
                        self.ends(pid)?;
                        (Resume::Run, 0)
                    }
                    Stop::NewProcess => {
                        self.born(pid, true);
                        (Resume::Run, 0)
                    }
                    Stop::NewThread => {
                        self.born(pid, false);
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
    fn born(&mut self, pid: i32, is_process: bool) {
        let Some(child) = sys::message(pid) else { return };
        // A child may be seen, and even end, before who started it is.
        let has_ended = self.ended_early.remove(&child);
        if !has_ended {
            self.living.insert(child);
            self.announced.insert(child);
        }
        if is_process || paths::process_of(child) == Some(child) {
            self.trace.processes = self.trace.processes.saturating_add(1);
        }
    }

    /// A program runs from now on.
    fn executed(&mut self, pid: i32) {
        self.has_begun = true;
        // The thread that called it has the number of its process now.
        if let Some(former) = sys::message(pid).filter(|former| *former != pid) {
            self.living.remove(&former);
            self.announced.remove(&former);
            self.pending.remove(&former);
        }
        self.pending.remove(&pid);
        if let Some(path) = paths::program(pid) {
            if paths::is_privileged(&path) {
                self.trace.add_gap(format!("{} ran without the privileges that its file gives", path.display()));
            }
            self.trace.add_file(path, |file| file.executed = true);
        } else {
            self.unseen(pid);
        }
    }

    /// Something of this process could not be looked at. That it was killed meanwhile is nothing.
    fn unseen(&mut self, pid: i32) {
        if paths::is_there(pid) {
            self.trace.add_gap(
                "a process of the run could not be looked into: a file or address of it is missing".to_owned(),
            );
        }
    }

    /// A call begins that matters.
    fn begins(&mut self, pid: i32) -> io::Result<Resume> {
        let Some(info) = sys::call(pid)? else { return Ok(Resume::Run) };
        match calls::understand(pid, &info) {
            Call::Ignore => {}
            Call::Unseen => self.unseen(pid),
            Call::Gap(gap) => self.trace.add_gap(gap.to_owned()),
            Call::Network(addresses) => addresses.into_iter().for_each(|address| self.trace.add_address(address)),
            Call::Await(pending) => {
                self.pending.insert(pid, pending);
                return Ok(Resume::ToEndOfCall);
            }
        }
        Ok(Resume::Run)
    }

    /// A call has ended.
    fn ends(&mut self, pid: i32) -> io::Result<()> {
        let Some(pending) = self.pending.remove(&pid) else { return Ok(()) };
        let Some(result) = sys::result(pid)?.filter(|result| *result >= 0) else { return Ok(()) };
        let changed = |file: &mut FileUse| file.written = true;
        match pending {
            Pending::Open { reads, writes } => self.opened(pid, result, reads, writes),
            Pending::OpenAsDescribed => {
                let (reads, writes) = paths::access(pid, result);
                self.opened(pid, result, reads, writes);
            }
            Pending::Made(path) => self.named(pid, &path, false, changed),
            Pending::Changed(path) => self.named(pid, &path, true, changed),
            Pending::Linked { from, follows, to } => {
                self.named(pid, &from, follows, |file| file.read = true);
                self.named(pid, &to, false, changed);
            }
            Pending::Removed(path) => self.named(pid, &path, false, |file| file.removed = true),
            Pending::Renamed { from, to, exchanges } => {
                self.named(pid, &from, false, |file| {
                    file.removed = true;
                    file.written |= exchanges;
                });
                self.named(pid, &to, false, changed);
            }
        }
        Ok(())
    }

    /// Something was done to the file of this name.
    fn named(&mut self, pid: i32, path: &NamedPath, follows: bool, change: impl FnOnce(&mut FileUse)) {
        match path.resolved(pid, follows) {
            Ok(Some(path)) => self.trace.add_file(path, change),
            Ok(None) => {}
            Err(_) => self.unseen(pid),
        }
    }

    fn opened(&mut self, pid: i32, descriptor: i64, reads: bool, writes: bool) {
        match paths::of_descriptor(pid, descriptor, |path| self.trace.files.contains_key(path)) {
            Ok(Opened::File(path)) => self.trace.add_file(path, |file| {
                file.read |= reads;
                file.written |= writes;
            }),
            Ok(Opened::Pipe(path)) => {
                self.trace.add_gap(format!("`{}` is a pipe: what came by it is not known", path.display()));
            }
            Ok(Opened::NoFile) => {}
            Err(_) => self.unseen(pid),
        }
    }
}
