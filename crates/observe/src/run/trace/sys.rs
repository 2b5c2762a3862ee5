//! The calls to the kernel that no library has in a safe form.
#![expect(unsafe_code, reason = "ptrace, wait and seccomp, each behind a function that is safe to call")]

use std::io::{self, PipeReader, PipeWriter, Read as _, Write as _};
use std::os::fd::{FromRawFd as _, OwnedFd, RawFd};
use std::os::unix::process::CommandExt as _;
use std::process::Command;
use std::ptr::null_mut;

/// What happened to a process or thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// It has ended, with this status of `wait`.
    Ended { status: i32 },
    /// It waits to be told to go on.
    Stopped(Stop),
}

/// Why it waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// A call that matters begins.
    Call,
    /// A call has ended whose end was asked for.
    CallEnded,
    /// It has started another process.
    NewProcess,
    /// It has started another thread, or what is close to one.
    NewThread,
    /// A program runs from now on.
    Exec,
    /// It was stopped with its group, until it is told to continue.
    Group,
    /// Something that does not matter.
    Other,
    /// This signal is about to reach it.
    Signal(i32),
}

/// How it goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Resume {
    Run,
    /// Until the call that it is in has ended.
    ToEndOfCall,
    /// It stays stopped, and what continues it is seen.
    StayStopped,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Patience {
    Endless,
    None,
}

/// A call that begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct CallInfo {
    /// As `AUDIT_ARCH_…`.
    pub(super) architecture: u32,
    pub(super) number: u64,
    pub(super) arguments: [u64; 6],
}

const OPTIONS: i32 = libc::PTRACE_O_TRACESECCOMP
    | libc::PTRACE_O_TRACESYSGOOD
    | libc::PTRACE_O_TRACECLONE
    | libc::PTRACE_O_TRACEFORK
    | libc::PTRACE_O_TRACEVFORK
    | libc::PTRACE_O_TRACEEXEC
    // Without a tracer the calls that are looked at would fail: it is better to end.
    | libc::PTRACE_O_EXITKILL;

/// `struct ptrace_syscall_info`, of which the longest form has 88 bytes.
const INFO_BYTES: usize = 88;
const GET_SYSCALL_INFO: libc::c_uint = 0x420e;
const INFO_EXIT: u8 = 2;
const INFO_SECCOMP: u8 = 3;

/// Has the child tell its number, wait until it is told to go on, and install the filter, before it runs the program.
/// `go` is the end of the pipe by which this process tells it: the child's own would keep it waiting for ever.
pub(super) fn before_exec(
    command: &mut Command,
    mut tell: PipeWriter,
    mut wait: PipeReader,
    go: RawFd,
    filter: Vec<libc::sock_filter>,
) {
    let prepare = move || {
        // SAFETY: in the child nothing else knows of this descriptor, and it is not used again.
        unsafe { libc::close(go) };
        // SAFETY: `getpid` has no conditions.
        let pid = unsafe { libc::getpid() };
        tell.write_all(&pid.to_ne_bytes())?;
        let mut byte = [0];
        wait.read_exact(&mut byte)?;
        install(&filter)
    };
    // SAFETY: between fork and exec only calls to the kernel are made: nothing is allocated or locked, and the errors that
    // are passed on have no heap memory (`read_exact` has a constant one, the others are numbers).
    unsafe { command.pre_exec(prepare) };
}

/// Has the kernel stop this thread, and those that come of it, where the filter says so.
fn install(filter: &[libc::sock_filter]) -> io::Result<()> {
    let length = u16::try_from(filter.len()).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
    let program = libc::sock_fprog { len: length, filter: filter.as_ptr().cast_mut() };
    // SAFETY: the arguments are numbers.
    if unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: `program` points to `length` instructions that live until the call returns; the kernel only reads them.
    let installed = unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, 0, &raw const program) };
    if installed == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Traces a process from now on.
pub(super) fn seize(pid: i32) -> io::Result<()> {
    // SAFETY: the request takes numbers alone.
    check(unsafe { libc::ptrace(libc::PTRACE_SEIZE, pid, null_mut::<libc::c_void>(), OPTIONS as libc::c_long) })
}

/// Lets it go on. A process that was killed meanwhile is no error.
pub(super) fn resume(pid: i32, how: Resume, signal: i32) -> io::Result<()> {
    let request = match how {
        Resume::Run => libc::PTRACE_CONT,
        Resume::ToEndOfCall => libc::PTRACE_SYSCALL,
        Resume::StayStopped => libc::PTRACE_LISTEN,
    };
    // SAFETY: the requests take numbers alone.
    let resumed = check(unsafe { libc::ptrace(request, pid, null_mut::<libc::c_void>(), libc::c_long::from(signal)) });
    match resumed {
        Err(error) if error.raw_os_error() == Some(libc::ESRCH) => Ok(()),
        other => other,
    }
}

/// What the event is about: the number of a new process, or the former one of a thread.
pub(super) fn message(pid: i32) -> Option<i32> {
    let mut message: libc::c_ulong = 0;
    // SAFETY: the kernel writes one `unsigned long` to `message`, which is one.
    check(unsafe { libc::ptrace(libc::PTRACE_GETEVENTMSG, pid, null_mut::<libc::c_void>(), &raw mut message) }).ok()?;
    i32::try_from(message).ok()
}

/// The call that begins. None if the process was killed meanwhile.
///
/// # Errors
/// The kernel does not say (it does since Linux 5.3), or may not.
pub(super) fn call(pid: i32) -> io::Result<Option<CallInfo>> {
    let Some(info) = info(pid)? else { return Ok(None) };
    let mut arguments = [0; 6];
    for (index, argument) in arguments.iter_mut().enumerate() {
        *argument = word(&info, 32 + 8 * index);
    }
    let architecture = u32::from_ne_bytes([info[4], info[5], info[6], info[7]]);
    Ok((info[0] == INFO_SECCOMP).then_some(CallInfo { architecture, number: word(&info, 24), arguments }))
}

/// What the call that has ended returned: a negative number is an error. None if the process was killed meanwhile.
///
/// # Errors
/// As [`call`].
pub(super) fn result(pid: i32) -> io::Result<Option<i64>> {
    let Some(info) = info(pid)? else { return Ok(None) };
    Ok((info[0] == INFO_EXIT).then_some(word(&info, 24).cast_signed()))
}

fn word(info: &[u8; INFO_BYTES], at: usize) -> u64 {
    let mut word = [0; 8];
    word.copy_from_slice(&info[at..at + 8]);
    u64::from_ne_bytes(word)
}

fn info(pid: i32) -> io::Result<Option<[u8; INFO_BYTES]>> {
    let mut info = [0_u8; INFO_BYTES];
    // SAFETY: the kernel writes at most as many bytes as the third argument says to `info`, which has these.
    let length = unsafe { libc::ptrace(GET_SYSCALL_INFO, pid, INFO_BYTES, info.as_mut_ptr()) };
    if length > 0 {
        return Ok(Some(info));
    }
    let error = io::Error::last_os_error();
    if error.raw_os_error() == Some(libc::ESRCH) { Ok(None) } else { Err(error) }
}

/// What has become of a child.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Peek {
    Nothing,
    Stopped,
    Ended,
}

/// Waits until this child is stopped or has ended; its status stays there.
pub(super) fn peek(pid: i32) -> io::Result<Peek> {
    // SAFETY: zeroes are a valid `siginfo_t`, and the kernel writes one.
    let (found, info) = unsafe {
        let mut info: libc::siginfo_t = std::mem::zeroed();
        let options = libc::WEXITED | libc::WSTOPPED | libc::WNOWAIT | libc::__WALL;
        (libc::waitid(libc::P_PID, pid.unsigned_abs(), &raw mut info, options), info)
    };
    if found != 0 {
        let error = io::Error::last_os_error();
        return match error.raw_os_error() {
            Some(libc::EINTR) => Ok(Peek::Nothing),
            // Who started it has taken its status already.
            Some(libc::ECHILD) => Ok(Peek::Ended),
            _ => Err(error),
        };
    }
    let has_ended = matches!(info.si_code, libc::CLD_EXITED | libc::CLD_KILLED | libc::CLD_DUMPED);
    Ok(if has_ended { Peek::Ended } else { Peek::Stopped })
}

/// The next thing that happens to any process. None if there is none, or nothing has happened yet.
pub(super) fn wait(patience: Patience) -> io::Result<Option<(i32, Change)>> {
    let options = libc::__WALL | if patience == Patience::None { libc::WNOHANG } else { 0 };
    loop {
        let mut status = 0;
        // SAFETY: the kernel writes one `int` to `status`, which is one.
        let pid = unsafe { libc::waitpid(-1, &raw mut status, options) };
        match pid {
            0 => return Ok(None),
            1.. => return Ok(Some((pid, change(status)))),
            _ => {
                let error = io::Error::last_os_error();
                match error.raw_os_error() {
                    Some(libc::EINTR) => {}
                    Some(libc::ECHILD) => return Ok(None),
                    _ => return Err(error),
                }
            }
        }
    }
}

/// Another descriptor of what `number` is of, which this program was started with.
pub(super) fn duplicate(number: RawFd) -> Option<OwnedFd> {
    // SAFETY: the arguments are numbers.
    let copy = unsafe { libc::fcntl(number, libc::F_DUPFD_CLOEXEC, 3) };
    // SAFETY: it is new, and nothing else's.
    (copy >= 0).then(|| unsafe { OwnedFd::from_raw_fd(copy) })
}

/// Ends a process.
pub(super) fn kill(pid: i32) {
    // SAFETY: the arguments are numbers. It may have ended.
    unsafe { libc::kill(pid, libc::SIGKILL) };
}

fn change(status: i32) -> Change {
    if !libc::WIFSTOPPED(status) {
        return Change::Ended { status };
    }
    let (signal, event) = (libc::WSTOPSIG(status), status >> 16);
    Change::Stopped(match event {
        libc::PTRACE_EVENT_SECCOMP => Stop::Call,
        libc::PTRACE_EVENT_FORK | libc::PTRACE_EVENT_VFORK => Stop::NewProcess,
        libc::PTRACE_EVENT_CLONE => Stop::NewThread,
        libc::PTRACE_EVENT_EXEC => Stop::Exec,
        libc::PTRACE_EVENT_STOP if signal == libc::SIGTRAP => Stop::Other,
        libc::PTRACE_EVENT_STOP => Stop::Group,
        0 if signal == libc::SIGTRAP | 0x80 => Stop::CallEnded,
        0 => Stop::Signal(signal),
        _ => Stop::Other,
    })
}

fn check(result: libc::c_long) -> io::Result<()> {
    if result == -1 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
