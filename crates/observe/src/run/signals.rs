//! Signals to this process are for the command.

use std::io;
use std::process::Child;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use rustix::process::{Pid, Signal, kill_process};
use signal_hook::consts::{SIGCHLD, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2};
use signal_hook::iterator::SignalsInfo;
use signal_hook::iterator::exfiltrator::origin::WithOrigin;
use signal_hook::low_level::siginfo::Cause;

/// Those that are passed on.
const PASSED_ON: [i32; 6] = [SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2];

/// Passes signals on until it is dropped.
pub(super) struct Passing {
    handle: signal_hook::iterator::Handle,
    thread: Option<std::thread::JoinHandle<()>>,
    _afterwards: Afterwards,
}

/// Signals that were caught since, for a process that is not there yet.
pub(super) struct Caught {
    signals: SignalsInfo<WithOrigin>,
    afterwards: Afterwards,
}

/// Has signals end this process again, as they did before they were caught, when it is dropped.
struct Afterwards(&'static AtomicBool);

impl Afterwards {
    fn new(caught: impl Iterator<Item = i32>) -> io::Result<Self> {
        // A handler stays: there is one of each signal, whatever the number of runs.
        static NOBODY_LISTENS: OnceLock<Arc<AtomicBool>> = OnceLock::new();
        let nobody_listens = match NOBODY_LISTENS.get() {
            Some(known) => known,
            None => {
                let new = Arc::new(AtomicBool::new(false));
                for signal in caught {
                    signal_hook::flag::register_conditional_default(signal, Arc::clone(&new))?;
                }
                NOBODY_LISTENS.get_or_init(|| new)
            }
        };
        nobody_listens.store(false, Ordering::SeqCst);
        Ok(Self(nobody_listens))
    }
}

impl Drop for Afterwards {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

impl Caught {
    /// From now on signals do not end this process. Those that are ignored stay so, for the command too (`nohup`).
    pub(super) fn new() -> io::Result<Self> {
        let caught = PASSED_ON.into_iter().filter(|signal| !is_ignored(*signal));
        let afterwards = Afterwards::new(caught.clone())?;
        // Where children are not waited for, nobody learns how the command ended.
        if is_ignored(SIGCHLD) {
            signal_hook::flag::register(SIGCHLD, Arc::default())?;
        }
        Ok(Self { signals: SignalsInfo::<WithOrigin>::new(caught)?, afterwards })
    }

    /// Passes them on to this process.
    pub(super) fn pass_to(self, pid: u32) -> Passing {
        let Self { mut signals, afterwards } = self;
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
        Passing { handle, thread: Some(thread), _afterwards: afterwards }
    }
}

/// Whether whoever started this process had this signal ignored.
#[expect(unsafe_code, reason = "no library asks for a signal's disposition")]
fn is_ignored(signal: i32) -> bool {
    // SAFETY: zeroes are a valid `sigaction`, which the kernel fills; without a new one nothing is changed.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        libc::sigaction(signal, std::ptr::null(), &raw mut action) == 0 && action.sa_sigaction == libc::SIG_IGN
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
