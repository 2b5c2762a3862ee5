//! Names of files, from the kernel and from the memory of a process.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::fs::{FileExt as _, FileTypeExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

/// The longest path that the kernel takes, with the zero at its end.
const PATH_BYTES: usize = 4_096;
/// What the kernel adds to the name of a file that has none any more.
const GONE: &[u8] = b" (deleted)";
/// Where nothing is a file of the run.
const NO_FILES: [&str; 2] = ["/proc", "/sys"];

/// The memory of a process.
pub(super) struct Memory(Option<File>);

impl Memory {
    pub(super) fn of(pid: i32) -> Self {
        Self(File::open(format!("/proc/{pid}/mem")).ok())
    }

    pub(super) fn is_readable(&self) -> bool {
        self.0.is_some()
    }

    /// The bytes at an address: fewer than were asked for where the memory ends.
    pub(super) fn bytes(&self, at: u64, length: usize) -> Option<Vec<u8>> {
        let mut bytes = vec![0; length];
        let read = self.0.as_ref()?.read_at(&mut bytes, at).ok()?;
        bytes.truncate(read);
        Some(bytes)
    }

    pub(super) fn word(&self, at: u64) -> Option<u64> {
        Some(u64::from_ne_bytes(self.bytes(at, 8)?.try_into().ok()?))
    }

    /// A text that ends with a zero.
    pub(super) fn text(&self, at: u64) -> Option<PathBuf> {
        // A page at a time: what follows may not be readable.
        let page = PATH_BYTES as u64;
        let mut text = Vec::new();
        let mut from = at;
        while text.len() <= PATH_BYTES {
            let length = page - from % page;
            let bytes = self.bytes(from, usize::try_from(length).ok()?)?;
            if let Some(end) = bytes.iter().position(|byte| *byte == 0) {
                text.extend(&bytes[..end]);
                return Some(OsString::from_vec(text).into());
            }
            if bytes.is_empty() {
                return None;
            }
            from = from.checked_add(bytes.len() as u64)?;
            text.extend(bytes);
        }
        None
    }
}

/// A path as a call names it.
pub(super) struct NamedPath {
    directory: u64,
    path: Option<PathBuf>,
}

impl NamedPath {
    pub(super) fn new(directory: u64, path: Option<PathBuf>) -> Self {
        Self { directory, path }
    }

    /// What it names for the process: the last part may be a link, or gone by now. `follows` if a link is followed.
    ///
    /// # Errors
    /// The path could not be read, or not be resolved.
    pub(super) fn resolved(&self, pid: i32, follows: bool) -> io::Result<Option<PathBuf>> {
        let path = self.path.as_deref().ok_or(io::ErrorKind::InvalidInput)?;
        let base = match (self.directory as u32).cast_signed() {
            libc::AT_FDCWD => format!("/proc/{pid}/cwd"),
            descriptor => format!("/proc/{pid}/fd/{descriptor}"),
        };
        let whole = if path.as_os_str().is_empty() {
            // The descriptor itself (`AT_EMPTY_PATH`).
            fs::read_link(base)?
        } else if path.is_absolute() {
            of_process(pid, path)
        } else {
            fs::read_link(base)?.join(path)
        };
        let found = match (whole.parent(), whole.file_name()) {
            _ if follows => fs::canonicalize(&whole)?,
            (Some(parent), Some(name)) => fs::canonicalize(parent)?.join(name),
            _ => fs::canonicalize(&whole)?,
        };
        Ok(is_of_the_run(&found).then_some(found))
    }
}

/// A path that begins with what is each process's own, as the tracer can follow it.
fn of_process(pid: i32, path: &Path) -> PathBuf {
    let inner = |prefix: &str| path.strip_prefix(prefix).ok();
    if let Some(rest) = inner("/proc/self") {
        Path::new(&format!("/proc/{pid}")).join(rest)
    } else if let Some(rest) = inner("/proc/thread-self") {
        Path::new(&format!("/proc/{pid}/task/{pid}")).join(rest)
    } else if let Some(rest) = inner("/dev/fd") {
        Path::new(&format!("/proc/{pid}/fd")).join(rest)
    } else {
        path.to_owned()
    }
}

/// What a new descriptor is of.
pub(super) enum Opened {
    /// A file or a block device.
    File(PathBuf),
    /// A pipe with a name.
    Pipe(PathBuf),
    /// A directory, a terminal and the like.
    NoFile,
}

/// What a new descriptor is of.
///
/// # Errors
/// The process can't be looked into, or has closed it.
pub(super) fn of_descriptor(pid: i32, descriptor: i64, is_known: impl Fn(&Path) -> bool) -> io::Result<Opened> {
    let link = format!("/proc/{pid}/fd/{descriptor}");
    let Some(path) = plain(fs::read_link(&link)?) else { return Ok(Opened::NoFile) };
    if is_known(&path) {
        return Ok(Opened::File(path));
    }
    let kind = fs::metadata(link)?.file_type();
    Ok(if kind.is_file() || kind.is_block_device() {
        Opened::File(path)
    } else if kind.is_fifo() {
        Opened::Pipe(path)
    } else {
        Opened::NoFile
    })
}

/// Whether a process or thread is there.
pub(super) fn is_there(pid: i32) -> bool {
    Path::new(&format!("/proc/{pid}")).exists()
}

/// A path of the kernel's, if it is one of a file.
pub(super) fn plain(path: PathBuf) -> Option<PathBuf> {
    let path = match path.as_os_str().as_bytes().strip_suffix(GONE) {
        // A file may be called like that.
        Some(name) if fs::symlink_metadata(&path).is_err() => PathBuf::from(OsString::from_vec(name.to_vec())),
        _ => path,
    };
    // Pipes, sockets and the like are called `pipe:[1]`.
    (path.is_absolute() && is_of_the_run(&path)).then_some(path)
}

fn is_of_the_run(path: &Path) -> bool {
    !NO_FILES.iter().any(|folder| path.starts_with(folder))
}

/// How a descriptor may be used: for reading, for writing.
pub(super) fn access(pid: i32, descriptor: i64) -> (bool, bool) {
    flags(&format!("/proc/{pid}/fdinfo/{descriptor}")).map_or((true, true), modes)
}

/// The flags of a descriptor, from its `fdinfo`.
pub(super) fn flags(fdinfo: &str) -> Option<i32> {
    let text = fs::read_to_string(fdinfo).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("flags:"))?;
    i32::from_str_radix(line.trim(), 8).ok()
}

pub(super) fn modes(flags: i32) -> (bool, bool) {
    if flags & libc::O_PATH != 0 {
        return (false, false);
    }
    let mode = flags & libc::O_ACCMODE;
    (mode != libc::O_WRONLY, mode != libc::O_RDONLY)
}

/// The program that a process runs.
pub(super) fn program(pid: i32) -> Option<PathBuf> {
    let path = fs::read_link(format!("/proc/{pid}/exe")).ok()?;
    match path.as_os_str().as_bytes().strip_suffix(GONE) {
        // One that was made in memory has no other name.
        Some(name) => Some(PathBuf::from(OsString::from_vec(name.to_vec()))),
        None => Some(path),
    }
}

/// Whether a program's file gives it another user or group.
pub(super) fn is_privileged(program: &Path) -> bool {
    fs::metadata(program).is_ok_and(|metadata| metadata.mode() & (libc::S_ISUID | libc::S_ISGID) != 0)
}

/// The process that a thread is of.
pub(super) fn process_of(thread: i32) -> Option<i32> {
    let text = fs::read_to_string(format!("/proc/{thread}/status")).ok()?;
    text.lines().find_map(|line| line.strip_prefix("Tgid:"))?.trim().parse().ok()
}
