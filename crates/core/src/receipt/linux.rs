//! What Linux says of files, and how a file is made to show the next change.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::io;
use std::path::PathBuf;

use model_hash::is_open_for_writing;
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{
    AtFlags, CWD, Mode, OFlags, Statx, StatxFlags, fstatfs, fstatvfs, fsync, makedev, openat, statx, syncfs,
};

use super::{FileState, FileTime, ReceiptError, UnknownFileSystems};
use crate::model::{FilePlace, LocalModel, ModelSource};

/// Mounts that never have the number of another while the system runs (Linux 6.8).
const UNIQUE_MOUNT_ID: StatxFlags = StatxFlags::from_bits_retain(0x4000);

/// Files of a file system from which on all of it is written out at once: a call for each would take longer.
const MANY_FILES: usize = 64;

/// What is known of the mounts that files are on.
pub(super) struct System<'a> {
    model: &'a LocalModel,
    unknown: UnknownFileSystems,
    /// By the number of the mount.
    mounts: HashMap<u64, FileSystem>,
}

impl<'a> System<'a> {
    /// The system that the model is on.
    pub(super) fn new(model: &'a LocalModel, unknown: UnknownFileSystems) -> Self {
        Self { model, unknown, mounts: HashMap::new() }
    }

    /// The state of a file, if it can be looked at and is still the one that was listed: what can't be looked at can't be
    /// read either, which will say so.
    pub(super) fn state(&mut self, file: usize) -> Result<Option<FileState>, ReceiptError> {
        let place = self.model.place(file);
        let Ok(found) = look(place.directory.map_or(CWD, AsFd::as_fd), place.path, AtFlags::SYMLINK_NOFOLLOW) else {
            return Ok(None);
        };
        let mut state = state(&found).map_err(|missing| self.not_told(file, missing))?;
        let Some(file_system) = self.file_system(file, state.mount)? else { return Ok(None) };
        if file_system.has_volumes {
            // What is looked at has to be one thing, not the path twice.
            let Ok((found, volume)) = open(place, OFlags::PATH)
                .and_then(|opened| Ok((look(opened.as_fd(), "", AtFlags::EMPTY_PATH)?, fstatvfs(&opened)?.f_fsid)))
            else {
                return Ok(None);
            };
            let again = self::state(&found).map_err(|missing| self.not_told(file, missing))?;
            state = FileState { volume, ..again };
        }
        Ok(Some(state).filter(|state| self.model.is_listed(file, state.device, state.inode)))
    }

    /// Sees to it that the next change of these files will show: nobody is in the middle of one, and no page of them can
    /// be written to without the kernel. Those of which that can't be said are not among what is returned.
    pub(super) fn settle(&mut self, files: &[(usize, FileState)]) -> Result<Vec<usize>, ReceiptError> {
        let mut quiet = Vec::with_capacity(files.len());
        for (file, state) in files {
            if self.is_quiet(*file, state.mount)? {
                quiet.push((*file, *state));
            }
        }
        self.write_out(&quiet)
    }

    /// Writes out what is dirty of these files, whoever made it so, and returns those of which that is done.
    pub(super) fn write_out(&mut self, files: &[(usize, FileState)]) -> Result<Vec<usize>, ReceiptError> {
        let mut by_mount: HashMap<u64, Vec<usize>> = HashMap::new();
        for (file, state) in files {
            by_mount.entry(state.mount).or_default().push(*file);
        }
        let mut written = Vec::with_capacity(files.len());
        for (mount, files) in by_mount {
            let keeps = self.file_system(files[0], mount)?.map(|found| found.keeps);
            let open = |file| open(self.model.place(file), OFlags::RDONLY | OFlags::NONBLOCK);
            let is_done = match keeps {
                Some(Keeps::Everything) => true,
                Some(Keeps::Times) if files.len() >= MANY_FILES => {
                    open(files[0]).is_ok_and(|file| syncfs(file).is_ok())
                }
                _ => false,
            };
            written
                .extend(files.into_iter().filter(|file| is_done || open(*file).is_ok_and(|file| fsync(file).is_ok())));
        }
        Ok(written)
    }

    /// Whether nobody has the file open for writing.
    ///
    /// The kernel notes the time of a write when it begins, and whoever writes can make it last.
    fn is_quiet(&mut self, file: usize, mount: u64) -> Result<bool, ReceiptError> {
        match self.file_system(file, mount)?.map(|found| found.keeps) {
            Some(Keeps::Times) => {}
            // Nobody can write to the one, and the other is believed.
            Some(Keeps::Everything | Keeps::Unknown) => return Ok(true),
            Some(Keeps::NoTimes) | None => return Ok(false),
        }
        let Ok(opened) = open(self.model.place(file), OFlags::RDONLY | OFlags::NONBLOCK) else { return Ok(false) };
        match is_open_for_writing(opened.as_fd()) {
            Ok(is_open) => Ok(!is_open),
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                let found = look(opened.as_fd(), "", AtFlags::EMPTY_PATH);
                if found.is_ok_and(|found| only_root_writes(&found)) {
                    return Ok(true);
                }
                Err(self.not_told(file, "it belongs to another user, who alone can say that nobody is writing to it"))
            }
            Err(_) => Err(self.not_told(file, "the kernel does not say whether somebody is writing to it")),
        }
    }

    /// What is behind the mount that a file is on, if it can be looked at.
    fn file_system(&mut self, file: usize, mount: u64) -> Result<Option<FileSystem>, ReceiptError> {
        let found = match self.mounts.entry(mount) {
            Entry::Occupied(known) => return Ok(Some(*known.get())),
            Entry::Vacant(unknown) => match FileSystem::of(self.model.place(file)) {
                Ok(found) => *unknown.insert(found),
                Err(_) => return Ok(None),
            },
        };
        match found.keeps {
            Keeps::NoTimes => Err(ReceiptError::NoTimes { path: self.path(file), file_system: found.name() }),
            Keeps::Unknown if self.unknown == UnknownFileSystems::Refuse => {
                Err(ReceiptError::UnknownFileSystem { path: self.path(file), file_system: found.name() })
            }
            Keeps::Times | Keeps::Everything | Keeps::Unknown => Ok(Some(found)),
        }
    }

    fn not_told(&self, file: usize, missing: &'static str) -> ReceiptError {
        ReceiptError::NotTold { path: self.path(file), missing }
    }

    fn path(&self, file: usize) -> PathBuf {
        if self.model.is_single_file() {
            return self.model.location().to_owned();
        }
        self.model.location().join(self.model.files()[file].path.as_str())
    }
}

fn look(directory: impl AsFd, path: impl rustix::path::Arg, flags: AtFlags) -> rustix::io::Result<Statx> {
    let mask = StatxFlags::BASIC_STATS | StatxFlags::MNT_ID | UNIQUE_MOUNT_ID;
    statx(directory, path, flags | AtFlags::STATX_FORCE_SYNC, mask)
}

/// What the kernel says of a file. The error is what it does not say.
fn state(found: &Statx) -> Result<FileState, &'static str> {
    let told = StatxFlags::from_bits_retain(found.stx_mask);
    if !told.intersects(StatxFlags::MNT_ID | UNIQUE_MOUNT_ID) {
        return Err("the kernel does not say what mount it is on, as Linux does since 5.8");
    }
    if !told.contains(StatxFlags::INO | StatxFlags::SIZE | StatxFlags::MTIME | StatxFlags::CTIME) {
        return Err("the file system does not say when it was changed");
    }
    let time = |time: rustix::fs::StatxTimestamp| FileTime { seconds: time.tv_sec, nanoseconds: time.tv_nsec };
    Ok(FileState {
        device: makedev(found.stx_dev_major, found.stx_dev_minor),
        volume: 0,
        inode: found.stx_ino,
        mount: found.stx_mnt_id,
        length_bytes: found.stx_size,
        modified: time(found.stx_mtime),
        changed: time(found.stx_ctime),
    })
}

/// Whether the file is root's and nobody else may write to it. An access control list shows in what a group may.
fn only_root_writes(found: &Statx) -> bool {
    let others = Mode::WGRP | Mode::WOTH;
    found.stx_uid == 0 && !Mode::from_raw_mode(found.stx_mode.into()).intersects(others)
}

fn open(place: FilePlace<'_>, flags: OFlags) -> rustix::io::Result<OwnedFd> {
    let directory = place.directory.map_or(CWD, AsFd::as_fd);
    openat(directory, place.path, flags | OFlags::CLOEXEC | OFlags::NOFOLLOW, Mode::empty())
}

/// What a file system does when a file is changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Keeps {
    /// Nothing on it is ever changed.
    Everything,
    /// It notes the time.
    Times,
    /// It does not note the time of all changes.
    NoTimes,
    /// Another machine or process is behind it, or it is not known here.
    Unknown,
}

/// A file system that files are on.
#[derive(Clone, Copy)]
struct FileSystem {
    magic: u32,
    keeps: Keeps,
    /// It is several, whose files have the numbers of others', and the numbers of those that were removed are used again.
    has_volumes: bool,
}

impl FileSystem {
    fn of(place: FilePlace<'_>) -> rustix::io::Result<Self> {
        let found = fstatfs(open(place, OFlags::PATH)?)?;
        // The number has 32 bits, which some architectures extend by its sign.
        let magic = found.f_type as u32;
        let keeps = KNOWN.iter().find(|(number, ..)| *number == magic).map_or(Keeps::Unknown, |(_, keeps, _)| *keeps);
        Ok(Self { magic, keeps, has_volumes: magic == BTRFS })
    }

    fn name(self) -> String {
        let known = KNOWN.iter().find(|(number, ..)| *number == self.magic);
        known.map_or_else(|| format!("a file system of type {:#x}", self.magic), |(.., name)| (*name).to_owned())
    }
}

const BTRFS: u32 = 0x9123_683e;

/// By the numbers in Linux's `magic.h`.
///
/// F2FS is not among those that note times: it shows an atomic write when that is committed, with the time of the write.
/// What lies below an overlay can be changed beside it, and a volatile one writes nothing out.
const KNOWN: [(u32, Keeps, &str); 22] = [
    (0xef53, Keeps::Times, "ext4"),
    (0x5846_5342, Keeps::Times, "XFS"),
    (BTRFS, Keeps::Times, "Btrfs"),
    (0xe0f5_e1e2, Keeps::Everything, "EROFS"),
    (0x7371_7368, Keeps::Everything, "SquashFS"),
    (0x0102_1994, Keeps::NoTimes, "tmpfs"),
    (0x8584_58f6, Keeps::NoTimes, "ramfs"),
    (0x9584_58f6, Keeps::NoTimes, "hugetlbfs"),
    (0x4d44, Keeps::NoTimes, "FAT"),
    (0x2011_bab0, Keeps::NoTimes, "exFAT"),
    (0x9fa0, Keeps::NoTimes, "proc"),
    (0x6265_6572, Keeps::NoTimes, "sysfs"),
    (0x6969, Keeps::Unknown, "NFS"),
    (0xff53_4d42, Keeps::Unknown, "SMB"),
    (0xfe53_4d42, Keeps::Unknown, "SMB"),
    (0x0102_1997, Keeps::Unknown, "9P"),
    (0x6573_5546, Keeps::Unknown, "FUSE"),
    (0x794c_7630, Keeps::Unknown, "an overlay"),
    (0x00c3_6400, Keeps::Unknown, "Ceph"),
    (0x0bd0_0bd0, Keeps::Unknown, "Lustre"),
    (0x2fc1_2fc1, Keeps::Unknown, "ZFS"),
    (0xf2f5_2010, Keeps::Unknown, "F2FS"),
];
