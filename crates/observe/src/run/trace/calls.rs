//! Which calls matter, and what each means.

use super::address;
use super::paths::{Memory, NamedPath};
use super::sys::CallInfo;

/// This architecture, as `AUDIT_ARCH_…`.
#[cfg(target_arch = "x86_64")]
pub(super) const ARCHITECTURE: u32 = 0xc000_003e;
#[cfg(target_arch = "aarch64")]
pub(super) const ARCHITECTURE: u32 = 0xc000_00b7;

/// The calls that stop a process, but for `sendto`, which does if it has an address.
pub(super) fn looked_at() -> impl Iterator<Item = i64> {
    ON_ALL.into_iter().chain(BEFORE_AT.iter().copied())
}

/// Those that every architecture has.
const ON_ALL: [i64; 29] = [
    libc::SYS_openat,
    libc::SYS_openat2,
    libc::SYS_open_by_handle_at,
    libc::SYS_renameat,
    libc::SYS_renameat2,
    libc::SYS_unlinkat,
    libc::SYS_linkat,
    libc::SYS_symlinkat,
    libc::SYS_truncate,
    libc::SYS_connect,
    libc::SYS_bind,
    libc::SYS_sendmsg,
    libc::SYS_sendmmsg,
    libc::SYS_io_uring_setup,
    libc::SYS_ptrace,
    libc::SYS_process_vm_writev,
    libc::SYS_pidfd_getfd,
    libc::SYS_mount,
    libc::SYS_move_mount,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_setns,
    libc::SYS_open_tree,
    libc::SYS_fsmount,
    libc::SYS_umount2,
    libc::SYS_listen,
    libc::SYS_mknodat,
    libc::SYS_process_vm_readv,
    libc::SYS_seccomp,
];

/// Those that name a file without a directory.
#[cfg(target_arch = "x86_64")]
const BEFORE_AT: &[i64] = &[
    libc::SYS_open,
    libc::SYS_creat,
    libc::SYS_rename,
    libc::SYS_unlink,
    libc::SYS_link,
    libc::SYS_symlink,
    libc::SYS_mknod,
];
#[cfg(target_arch = "aarch64")]
const BEFORE_AT: &[i64] = &[];

/// What a call is.
pub(super) enum Call {
    /// Nothing that matters.
    Ignore,
    /// It could not be looked at.
    Unseen,
    /// Something after which not everything is seen.
    Gap(&'static str),
    /// It names these addresses.
    Network(Vec<String>),
    /// What it is, its end tells.
    Await(Pending),
}

/// A call that has begun.
pub(super) enum Pending {
    /// It opens a file.
    Open { reads: bool, writes: bool },
    /// It opens a file; how, the descriptor says.
    OpenAsDescribed,
    /// What the path names is made, and not followed if it is a link.
    Made(NamedPath),
    /// What the path leads to is changed.
    Changed(NamedPath),
    /// A file gets another name.
    Linked { from: NamedPath, follows: bool, to: NamedPath },
    /// It is removed.
    Removed(NamedPath),
    /// It is removed, and another takes its place.
    Renamed { from: NamedPath, to: NamedPath, exchanges: bool },
}

const SET_MODE_FILTER: u64 = libc::SECCOMP_SET_MODE_FILTER as u64;
const NEW_LISTENER: u64 = libc::SECCOMP_FILTER_FLAG_NEW_LISTENER;

/// Where paths without a directory begin.
const HERE: u64 = libc::AT_FDCWD as i64 as u64;

/// What a thread is about to do.
pub(super) fn understand(pid: i32, info: &CallInfo) -> Call {
    if info.architecture != ARCHITECTURE {
        return Call::Gap("a program for another processor ran, whose calls were not looked at");
    }
    let [a, b, c, d, e, _] = info.arguments;
    let memory = Memory::of(pid);
    let path = |directory: u64, at: u64| NamedPath::new(directory, memory.text(at));
    let Ok(number) = i64::try_from(info.number) else { return Call::Ignore };
    match number {
        libc::SYS_openat => opens(c),
        libc::SYS_openat2 => memory.word(c).map_or(Call::Await(Pending::OpenAsDescribed), opens),
        libc::SYS_open_by_handle_at => Call::Await(Pending::OpenAsDescribed),
        libc::SYS_renameat => renames(path(a, b), path(c, d), 0),
        libc::SYS_renameat2 => renames(path(a, b), path(c, d), e),
        libc::SYS_unlinkat if c & libc::AT_REMOVEDIR as u64 == 0 => Call::Await(Pending::Removed(path(a, b))),
        libc::SYS_linkat => {
            let follows = e & libc::AT_SYMLINK_FOLLOW as u64 != 0;
            Call::Await(Pending::Linked { from: path(a, b), follows, to: path(c, d) })
        }
        libc::SYS_symlinkat => Call::Await(Pending::Made(path(b, c))),
        libc::SYS_mknodat if is_file(c) => Call::Await(Pending::Made(path(a, b))),
        libc::SYS_truncate => Call::Await(Pending::Changed(path(HERE, a))),
        libc::SYS_listen => Call::Network(vec!["listen".to_owned()]),
        libc::SYS_connect | libc::SYS_bind | libc::SYS_sendmsg | libc::SYS_sendmmsg if !memory.is_readable() => {
            Call::Unseen
        }
        libc::SYS_connect => network("connect", address::read(&memory, b, c)),
        libc::SYS_bind => network("bind", address::read(&memory, b, c)),
        libc::SYS_sendto => network("send", address::read(&memory, e, info.arguments[5])),
        libc::SYS_sendmsg => network("send", address::of_message(&memory, b)),
        libc::SYS_sendmmsg => {
            Call::Network(address::of_messages(&memory, b, c).into_iter().map(|to| format!("send {to}")).collect())
        }
        libc::SYS_io_uring_setup => Call::Gap("io_uring was used: files that were opened with it were not seen"),
        libc::SYS_ptrace => Call::Gap("a process of the run traced others, or tried to"),
        libc::SYS_process_vm_writev => Call::Gap("a process of the run wrote to the memory of another"),
        libc::SYS_process_vm_readv => Call::Gap("a process of the run read the memory of another"),
        libc::SYS_seccomp if a == SET_MODE_FILTER && b & NEW_LISTENER != 0 => {
            Call::Gap("a process of the run had its calls decided by another (seccomp): those were not seen")
        }
        libc::SYS_pidfd_getfd => Call::Gap("a process of the run took an open file from another"),
        libc::SYS_mount
        | libc::SYS_umount2
        | libc::SYS_move_mount
        | libc::SYS_open_tree
        | libc::SYS_fsmount
        | libc::SYS_pivot_root
        | libc::SYS_chroot
        | libc::SYS_setns => {
            Call::Gap("a process of the run changed what paths mean for it (mount, chroot, namespaces)")
        }
        #[cfg(target_arch = "x86_64")]
        libc::SYS_open => opens(b),
        #[cfg(target_arch = "x86_64")]
        libc::SYS_creat => Call::Await(Pending::Open { reads: false, writes: true }),
        #[cfg(target_arch = "x86_64")]
        libc::SYS_rename => renames(path(HERE, a), path(HERE, b), 0),
        #[cfg(target_arch = "x86_64")]
        libc::SYS_unlink => Call::Await(Pending::Removed(path(HERE, a))),
        #[cfg(target_arch = "x86_64")]
        libc::SYS_link => Call::Await(Pending::Linked { from: path(HERE, a), follows: false, to: path(HERE, b) }),
        #[cfg(target_arch = "x86_64")]
        libc::SYS_symlink => Call::Await(Pending::Made(path(HERE, b))),
        #[cfg(target_arch = "x86_64")]
        libc::SYS_mknod if is_file(b) => Call::Await(Pending::Made(path(HERE, a))),
        // Those of the other interface (x32) have a bit of their own.
        number if number >= 0x4000_0000 => {
            Call::Gap("a program of another interface (x32) ran, whose calls were not looked at")
        }
        _ => Call::Ignore,
    }
}

fn opens(flags: u64) -> Call {
    let flags = i32::try_from(flags & 0xffff_ffff).unwrap_or_else(|_| (flags as u32).cast_signed());
    if flags & (libc::O_PATH | libc::O_DIRECTORY) != 0 && flags & libc::O_TMPFILE != libc::O_TMPFILE {
        return Call::Ignore;
    }
    let mode = flags & libc::O_ACCMODE;
    let makes = flags & (libc::O_CREAT | libc::O_EXCL) == libc::O_CREAT | libc::O_EXCL;
    let writes = mode != libc::O_RDONLY || makes || flags & libc::O_TRUNC != 0;
    Call::Await(Pending::Open { reads: mode != libc::O_WRONLY, writes })
}

/// Whether `mknod` makes a file with this mode.
fn is_file(mode: u64) -> bool {
    matches!(mode as u32 & libc::S_IFMT, 0 | libc::S_IFREG)
}

fn renames(from: NamedPath, to: NamedPath, flags: u64) -> Call {
    let exchanges = flags & u64::from(libc::RENAME_EXCHANGE) != 0;
    Call::Await(Pending::Renamed { from, to, exchanges })
}

fn network(what: &str, address: Option<String>) -> Call {
    address.map_or(Call::Ignore, |address| Call::Network(vec![format!("{what} {address}")]))
}
