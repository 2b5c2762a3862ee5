//! Signals to this process are for the command.

use std::io;
use std::process::Child;

use rustix::process::{Pid, Signal, kill_process};
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2};
use signal_hook::iterator::SignalsInfo;
use signal_hook::iterator::exfiltrator::origin::WithOrigin;
use signal_hook::low_level::siginfo::Cause;

/// Passes signals on until it is dropped.
pub(super) struct Passing {
    handle: signal_hook::iterator::Handle,
    thread: Option<std::thread::JoinHandle<()>>,
}

/// Signals that were caught since, for a process that is not there yet.
pub(super) struct Caught(SignalsInfo<WithOrigin>);

impl Caught {
    /// From now on signals do not end this process.
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self(SignalsInfo::<WithOrigin>::new([SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2])?))
    }

    /// Passes them on to this process.
    pub(super) fn pass_to(self, pid: u32) -> Passing {
        let Self(mut signals) = self;
        let handle = signals.handle();
        let to = i32::try_from(pid).ok().and_then(Pid::from_raw);
        let thread = std::thread::spawn(move || {
            for origin in signals.forever() {
                // A key that was pressed has reached the command already: it is in the same group.
                let is_from_terminal = origin.cause == Cause::Kernel && matches!(origin.signal, SIGINT | SIGQUIT);
                if let Some((pid, signal)) = to.zip(Signal::from_named_raw(origin.signal))
                    && !is_from_terminal
                {
                    // It may have ended just now.
                    let _ = kill_process(pid, signal);
                }
            }
        });
        Passing { handle, thread: Some(thread) }
    }
}

impl Drop for Passing {
    fn drop(&mut self) {
        self.handle.close();
        if let Some(thread) = self.thread.take() {
            // It has nothing to say.
            let _ = thread.join();
        }
    }
}

/// The process that a child is.
pub(super) fn pid(child: &Child) -> Option<Pid> {
    i32::try_from(child.id()).ok().and_then(Pid::from_raw)
}
