//! Files that the command has open from its beginning.

use std::fs;
use std::os::unix::fs::FileTypeExt as _;
use std::path::Path;

use super::paths::{flags, modes, plain};
use crate::run::Trace;

/// Notes the files that this process was started with and hands on: its streams, and whatever else is open.
pub(super) fn inherited(trace: &mut Trace) {
    let Ok(entries) = fs::read_dir("/proc/self/fd") else {
        trace.add_gap("which files the command had open from its beginning is not known".to_owned());
        return;
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let Some(flags) = name.to_str().and_then(|number| flags(&format!("/proc/self/fdinfo/{number}"))) else {
            continue;
        };
        // Those of this program itself are closed.
        if flags & libc::O_CLOEXEC != 0 {
            continue;
        }
        let Ok(kind) = fs::metadata(entry.path()).map(|metadata| metadata.file_type()) else { continue };
        if kind.is_fifo() || kind.is_socket() {
            let (reads, _) = modes(flags);
            // What is for the command's messages may be both ways, as terminals are.
            if reads && !matches!(name.to_str(), Some("1" | "2")) && may_bring_something(&entry.path()) {
                trace.add_gap(format!(
                    "the command had a pipe or socket open from its beginning (descriptor {}): what came by it is not known",
                    name.display()
                ));
            }
            continue;
        }
        if !kind.is_file() && !kind.is_block_device() {
            continue;
        }
        if let Some(path) = fs::read_link(entry.path()).ok().and_then(plain) {
            let (reads, writes) = modes(flags);
            trace.add_file(path, |file| {
                file.read |= reads;
                file.written |= writes;
            });
        }
    }
}

/// Whether something can come by a pipe: one whose other end is closed, and that is empty, brings nothing.
fn may_bring_something(descriptor: &Path) -> bool {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let Some(number) = descriptor.file_name().and_then(|name| name.to_str()?.parse::<i32>().ok()) else { return true };
    // Another opening of the same pipe would count as an end of it: the descriptor itself is asked.
    let Some(held) = super::sys::duplicate(number) else { return true };
    let mut ends = [PollFd::new(&held, PollFlags::IN)];
    let asked = poll(&mut ends, Some(&Timespec { tv_sec: 0, tv_nsec: 0 }));
    let found = ends[0].revents();
    asked.is_err() || found.contains(PollFlags::IN) || !found.contains(PollFlags::HUP)
}
