//! Whether a file is open for writing, which Linux says to whoever asks for a lease on it.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

/// Whether anybody has the file open for writing, or mapped so, and may be in the middle of a write. `file` is open for
/// reading alone.
///
/// # Errors
/// [`io::ErrorKind::PermissionDenied`] if the file is another user's; others if the file system has no leases.
pub fn is_open_for_writing(file: BorrowedFd<'_>) -> io::Result<bool> {
    // Whoever opens it while the lease is held waits for its end, and this process is told by a signal: one that is
    // ignored unless somebody asks for it.
    fcntl(file, F_SETSIG, libc::SIGURG)?;
    match fcntl(file, libc::F_SETLEASE, libc::F_RDLCK) {
        Ok(()) => fcntl(file, libc::F_SETLEASE, libc::F_UNLCK).map(|()| false),
        Err(error) if error.raw_os_error() == Some(libc::EAGAIN) => Ok(true),
        Err(error) => Err(error),
    }
}

/// The command that chooses the signal (`fcntl.h`), which the `libc` crate has not.
const F_SETSIG: libc::c_int = 10;

#[expect(unsafe_code, reason = "no safe library has leases")]
fn fcntl(file: BorrowedFd<'_>, command: libc::c_int, argument: libc::c_int) -> io::Result<()> {
    // SAFETY: the descriptor is open, and these commands take a number: no memory is read or written.
    match unsafe { libc::fcntl(file.as_raw_fd(), command, argument) } {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{File, OpenOptions};
    use std::os::fd::AsFd;

    use super::*;

    #[test]
    fn a_writer_is_seen_as_long_as_it_is_there() {
        // The folder of the build: that for temporary files is in memory on many machines.
        let test = std::env::current_exe().expect("this test");
        let folder = tempfile::tempdir_in(test.parent().expect("a folder")).expect("a folder");
        let path = folder.path().join("file");
        let writer = File::create(&path).expect("created");
        let file = File::open(&path).expect("open");
        let asked = || is_open_for_writing(file.as_fd()).expect("a lease");
        assert!(asked());
        drop(writer);
        assert!(!asked());
        let appender = OpenOptions::new().append(true).open(&path).expect("open");
        assert!(asked());
        drop(appender);
        let reader = File::open(&path).expect("open");
        assert!(!asked());
        drop(reader);
    }
}
