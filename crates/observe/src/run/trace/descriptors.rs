//! Files that the command has open from its beginning.

use std::fs;

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
        let is_file = fs::metadata(entry.path()).is_ok_and(|metadata| metadata.is_file());
        // Those of this program itself are closed.
        if flags & libc::O_CLOEXEC != 0 || !is_file {
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
