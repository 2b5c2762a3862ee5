//! What the command leaves behind.

use rustix::io::Result;
use rustix::process::{getpid, set_child_subreaper};

/// As long as this lives, what the command leaves behind becomes this process's child, not the machine's: a supervisor
/// that ends whatever is left to it does not.
pub(super) struct Adopting;

impl Adopting {
    pub(super) fn new() -> Result<Self> {
        set_child_subreaper(Some(getpid())).map(|()| Self)
    }
}

impl Drop for Adopting {
    fn drop(&mut self) {
        // What is there already stays this process's.
        let _ = set_child_subreaper(None);
    }
}
