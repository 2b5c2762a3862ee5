//! The state of a file: if two are equal, no write to it was begun in between.

use serde::{Deserialize, Serialize};

/// What the file system says of a file without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileState {
    /// The number of the device.
    pub device: u64,
    /// The number of the volume (Btrfs: subvolume), where the device's is used again; else 0.
    pub volume: u64,
    /// The number of the file on it.
    pub inode: u64,
    /// The mount that it was found on, as the kernel numbers them (`stx_mnt_id`).
    pub mount: u64,
    /// Its length in bytes.
    pub length_bytes: u64,
    /// When its bytes were changed (mtime); whoever owns it can set this.
    pub modified: FileTime,
    /// When its bytes or anything else of it were changed (ctime); the kernel alone sets this.
    pub changed: FileTime,
}

/// A time of a file system: since the Unix epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct FileTime {
    /// Seconds.
    pub seconds: i64,
    /// Nanoseconds of the second.
    pub nanoseconds: u32,
}

impl FileState {
    /// Whether another change after `begun` would show: its time would be another.
    ///
    /// The clock of `begun` is the one that changes are stamped with, so a time before it is never given again. A file
    /// system that keeps whole seconds gives a time for up to a second after it has passed.
    pub(super) fn shows_changes_after(&self, begun: FileTime) -> bool {
        if self.changed.nanoseconds == 0 && LAST_SECONDS.contains(&self.changed.seconds) {
            return false;
        }
        let granule = if self.changed.nanoseconds == 0 { WHOLE_SECONDS } else { 0 };
        let last = FileTime { seconds: self.changed.seconds.saturating_add(granule), ..self.changed };
        last < begun
    }
}

/// Where the clocks of file systems with 32 and 34 bits for seconds stop: each later change has this time.
const LAST_SECONDS: [i64; 2] = [(1 << 31) - 1, (1 << 34) - (1 << 31) - 1];

/// Seconds for which a time without nanoseconds may be given: two, as the coarsest file systems have it.
const WHOLE_SECONDS: i64 = 2;
