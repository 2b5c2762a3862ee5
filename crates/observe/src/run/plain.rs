//! Running a command without looking at what it does.

use std::ffi::OsString;
use std::io;

#[cfg(target_os = "linux")]
use super::adopting::Adopting;
use super::signals::{Caught, pid};
use super::{Outcome, RunError, not_started, start};

/// Runs it to its end.
pub(super) fn run(command: &[OsString]) -> Result<Outcome, RunError> {
    let failed = |source| not_started(command, source);
    let caught = Caught::new().map_err(failed)?;
    #[cfg(target_os = "linux")]
    let _adopting = Adopting::new().map_err(|error| failed(error.into()))?;
    #[cfg(target_os = "linux")]
    let before = linux::descendants();
    let mut child = start(command)?;
    let passing = caught.pass_to(child.id());
    let Some(pid) = pid(&child) else {
        return Err(failed(io::Error::other("the process has no number")));
    };
    #[cfg(target_os = "linux")]
    linux::await_end(pid).map_err(|error| failed(error.into()))?;
    #[cfg(not(target_os = "linux"))]
    wait_without_reaping(pid).map_err(failed)?;
    // From here on the number may be another's.
    drop(passing);
    let status = child.wait().map_err(failed)?;
    #[cfg(target_os = "linux")]
    let still_running = linux::descendants().difference(&before).count();
    #[cfg(not(target_os = "linux"))]
    let still_running = 0;
    Ok(Outcome { status, still_running, trace: None })
}

#[cfg(not(target_os = "linux"))]
fn wait_without_reaping(pid: rustix::process::Pid) -> io::Result<()> {
    use rustix::process::{WaitId, WaitIdOptions, waitid};
    loop {
        match waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT) {
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
            Ok(_) => return Ok(()),
        }
    }
}

#[cfg(target_os = "linux")]
mod linux {
    use std::collections::BTreeSet;

    use rustix::io::{Errno, Result};
    use rustix::process::{Pid, WaitId, WaitIdOptions, WaitOptions, getpid, waitid, waitpid};

    /// Waits until this child has ended, which is not reaped; those that it left behind are, as they end.
    pub(super) fn await_end(child: Pid) -> Result<()> {
        loop {
            match waitid(WaitId::All, WaitIdOptions::EXITED | WaitIdOptions::NOWAIT) {
                Err(Errno::INTR) => {}
                Err(error) => return Err(error),
                Ok(None) => {}
                Ok(Some(_)) => {
                    // Which one it was, `waitid` does not say.
                    let ended = waitid(
                        WaitId::Pid(child),
                        WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG,
                    )?;
                    if ended.is_some() {
                        return Ok(());
                    }
                    reap_others(child)?;
                }
            }
        }
    }

    /// Reaps children that have ended, but for `child`.
    fn reap_others(child: Pid) -> Result<()> {
        for pid in children() {
            if pid != child {
                // It may still run.
                let _ = waitpid(Some(pid), WaitOptions::NOHANG);
            }
        }
        Ok(())
    }

    /// The processes that run and come of this one.
    pub(super) fn descendants() -> BTreeSet<i32> {
        let parents: Vec<(i32, i32)> = processes();
        let mut family = vec![getpid().as_raw_nonzero().get()];
        let mut found = BTreeSet::new();
        while let Some(parent) = family.pop() {
            for (pid, _) in parents.iter().filter(|(_, of)| *of == parent) {
                if found.insert(*pid) {
                    family.push(*pid);
                }
            }
        }
        found
    }

    fn children() -> Vec<Pid> {
        let own = getpid().as_raw_nonzero().get();
        let mut children = Vec::new();
        for (pid, parent) in all_processes() {
            if parent == own {
                children.extend(Pid::from_raw(pid));
            }
        }
        children
    }

    /// Every process that runs, with its parent.
    fn processes() -> Vec<(i32, i32)> {
        listed(|state| !matches!(state, "Z" | "X"))
    }

    /// The same with those that have ended and are not reaped.
    fn all_processes() -> Vec<(i32, i32)> {
        listed(|_| true)
    }

    fn listed(counts: impl Fn(&str) -> bool) -> Vec<(i32, i32)> {
        let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
        let numbers = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
        numbers
            .filter_map(|pid| {
                let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
                // The name stands in parentheses and may have any character in it.
                let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
                let (state, parent) = (fields.next()?, fields.next()?.parse().ok()?);
                counts(state).then_some((pid, parent))
            })
            .collect()
    }
}
