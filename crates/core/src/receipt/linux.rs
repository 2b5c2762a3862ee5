//! What Linux says of files, and how it is made to write them out.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::io;

use rustix::fs::{AtFlags, CWD, Mode, OFlags, StatxFlags, fstatfs, fsync, makedev, openat, statx, syncfs};

use super::{FileState, FileTime, ReceiptError, UnknownFileSystems};
use crate::model::{FilePlace, LocalModel, ModelSource};

/// Mounts that never have the number of another while the system runs (Linux 6.8).
const UNIQUE_MOUNT_ID: StatxFlags = StatxFlags::from_bits_retain(0x4000);

/// Files of a file system from which on all of it is written out at once: a call for each would take longer.
const MANY_FILES: usize = 64;

/// The state of every file of a model, if it can be looked at and is still the one that was listed.
pub(super) fn states(model: &LocalModel, unknown: UnknownFileSystems) -> Result<Vec<Option<FileState>>, ReceiptError> {
    let mut mounts = HashMap::new();
    (0..model.files().len()).map(|file| listed_state(model, file, unknown, &mut mounts)).collect()
}

/// The states of these files after what is dirty of them was written out.
pub(super) fn settled_states(
    model: &LocalModel,
    files: &[usize],
    unknown: UnknownFileSystems,
) -> Result<Vec<(usize, Option<FileState>)>, ReceiptError> {
    let mut mounts = HashMap::new();
    let mut by_mount: HashMap<u64, Vec<usize>> = HashMap::new();
    for &file in files {
        if let Some(state) = listed_state(model, file, unknown, &mut mounts)? {
            by_mount.entry(state.mount).or_default().push(file);
        }
    }
    let mut unsettled = HashSet::new();
    for (mount, files) in by_mount {
        if files.len() >= MANY_FILES
            && mounts.get(&mount) == Some(&Keeps::Times)
            && write_out_all(model.place(files[0])).is_ok()
        {
            continue;
        }
        unsettled.extend(files.into_iter().filter(|file| write_out(model.place(*file)).is_err()));
    }
    let settled = |file: &usize| {
        let state = if unsettled.contains(file) { None } else { listed_state(model, *file, unknown, &mut mounts)? };
        Ok((*file, state))
    };
    files.iter().map(settled).collect()
}

/// The state of a file if it is the one that was listed. What can't be looked at can't be read either, which will say so.
fn listed_state(
    model: &LocalModel,
    file: usize,
    unknown: UnknownFileSystems,
    mounts: &mut HashMap<u64, Keeps>,
) -> Result<Option<FileState>, ReceiptError> {
    let place = model.place(file);
    let path = || model.location().join(model.files()[file].path.as_str());
    let Ok(found) = state(place) else { return Ok(None) };
    let state = found.map_err(|missing| ReceiptError::NotTold { path: path(), missing })?;
    if let Entry::Vacant(mount) = mounts.entry(state.mount) {
        let Ok((keeps, name)) = file_system(place) else { return Ok(None) };
        let path = path();
        match keeps {
            Keeps::NoTimes => return Err(ReceiptError::NoTimes { path, file_system: name }),
            Keeps::Unknown if unknown == UnknownFileSystems::Refuse => {
                return Err(ReceiptError::UnknownFileSystem { path, file_system: name });
            }
            Keeps::Times | Keeps::Unknown => mount.insert(keeps),
        };
    }
    Ok(Some(state).filter(|state| model.is_listed(file, state.device, state.inode)))
}

/// What the kernel says of a file. The error is what it does not say.
fn state(place: FilePlace<'_>) -> io::Result<Result<FileState, &'static str>> {
    let mask = StatxFlags::BASIC_STATS | StatxFlags::MNT_ID | UNIQUE_MOUNT_ID;
    let flags = AtFlags::SYMLINK_NOFOLLOW | AtFlags::STATX_FORCE_SYNC;
    let found = match place.directory {
        Some(directory) => statx(directory, place.path, flags, mask)?,
        None => statx(CWD, place.path, flags, mask)?,
    };
    let told = StatxFlags::from_bits_retain(found.stx_mask);
    if !told.intersects(StatxFlags::MNT_ID | UNIQUE_MOUNT_ID) {
        return Ok(Err("the kernel does not say what mount it is on, as Linux does since 5.8"));
    }
    if !told.contains(StatxFlags::INO | StatxFlags::SIZE | StatxFlags::MTIME | StatxFlags::CTIME) {
        return Ok(Err("the file system does not say when it was changed"));
    }
    let time = |time: rustix::fs::StatxTimestamp| FileTime { seconds: time.tv_sec, nanoseconds: time.tv_nsec };
    Ok(Ok(FileState {
        device: makedev(found.stx_dev_major, found.stx_dev_minor),
        inode: found.stx_ino,
        mount: found.stx_mnt_id,
        length_bytes: found.stx_size,
        modified: time(found.stx_mtime),
        changed: time(found.stx_ctime),
    }))
}

/// Writes out what is dirty of a file, whoever made it so.
fn write_out(place: FilePlace<'_>) -> io::Result<()> {
    Ok(fsync(open(place, OFlags::RDONLY | OFlags::NONBLOCK)?)?)
}

/// Writes out what is dirty of the whole file system that a file is on.
fn write_out_all(place: FilePlace<'_>) -> io::Result<()> {
    Ok(syncfs(open(place, OFlags::RDONLY | OFlags::NONBLOCK)?)?)
}

fn open(place: FilePlace<'_>, flags: OFlags) -> io::Result<rustix::fd::OwnedFd> {
    let flags = flags | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    Ok(match place.directory {
        Some(directory) => openat(directory, place.path, flags, Mode::empty())?,
        None => openat(CWD, place.path, flags, Mode::empty())?,
    })
}

/// What a file system does when a file is changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Keeps {
    /// It keeps the time, or nothing on it can be changed.
    Times,
    /// It does not keep the time of all changes.
    NoTimes,
    /// Another machine or process is behind it, or it is not known here.
    Unknown,
}

/// The file system that a file is on: what it keeps, and its name.
fn file_system(place: FilePlace<'_>) -> io::Result<(Keeps, String)> {
    let found = fstatfs(open(place, OFlags::PATH)?)?;
    // The number has 32 bits, which some architectures extend by its sign.
    let magic = found.f_type as u32;
    let known = FILE_SYSTEMS.iter().find(|(number, ..)| *number == magic);
    Ok(known.map_or_else(
        || (Keeps::Unknown, format!("a file system of type {magic:#x}")),
        |(_, keeps, name)| (*keeps, (*name).to_owned()),
    ))
}

/// By the numbers in Linux's `magic.h`.
///
/// F2FS is not among those that keep times: it shows an atomic write when that is committed, with the time of the write.
/// What lies below an overlay can be changed beside it, and a volatile one writes nothing out.
const FILE_SYSTEMS: [(u32, Keeps, &str); 22] = [
    (0xef53, Keeps::Times, "ext4"),
    (0x5846_5342, Keeps::Times, "XFS"),
    (0x9123_683e, Keeps::Times, "Btrfs"),
    (0xe0f5_e1e2, Keeps::Times, "EROFS"),
    (0x7371_7368, Keeps::Times, "SquashFS"),
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
