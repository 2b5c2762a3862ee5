//! Whether files are still what they were, without reading them.

use std::collections::BTreeMap;
#[cfg(unix)]
use std::collections::BTreeSet;
use std::fs::Metadata;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// How far the times of a file system may be behind the clock.
const CLOCK_TICK: Duration = Duration::from_millis(100);

/// What files looked like at some moment.
///
/// A change that leaves length, times and inode alike is not seen. On Unix no call sets a file's time of change; it stays the
/// same for a second write within one tick of the kernel's clock (some milliseconds), for one by a shared mapping of a page
/// that was written to already, and where the clock is set back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot(BTreeMap<PathBuf, Option<Stamp>>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    length_bytes: u64,
    modified: Option<SystemTime>,
    created: Option<SystemTime>,
    /// Device, inode, and time of change in nanoseconds.
    #[cfg(unix)]
    inode: (u64, u64, i128),
}

impl Snapshot {
    /// Looks at these files, links followed.
    pub fn of(paths: impl IntoIterator<Item = PathBuf>) -> Self {
        let stamp = |path: &Path| path.metadata().ok().map(|metadata| Stamp::of(&metadata));
        Self(paths.into_iter().map(|path| (path.clone(), stamp(&path))).collect())
    }

    /// Adds what another one saw.
    pub fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// The files of either that are not alike in both, sorted.
    pub fn differences<'a>(&'a self, later: &'a Self) -> Vec<&'a Path> {
        let changed = self.0.iter().filter(|(path, stamp)| later.0.get(*path).copied().flatten() != **stamp);
        let new = later.0.iter().filter(|(path, stamp)| stamp.is_some() && !self.0.contains_key(*path));
        let mut paths: Vec<&Path> = changed.chain(new).map(|(path, _)| path.as_path()).collect();
        paths.sort_unstable();
        paths.dedup();
        paths
    }

    /// How many files there are, and how many of them were there in `before` and are alike.
    #[must_use]
    pub fn unchanged_since(&self, before: &Self) -> (usize, usize) {
        let there = || self.0.iter().filter(|(_, stamp)| stamp.is_some());
        let alike = there().filter(|(path, stamp)| before.0.get(*path) == Some(stamp));
        (there().count(), alike.count())
    }

    /// Files that are not as in `before`, and yet were made before `moment`: they have an earlier time of modification, or
    /// their path is new and they are not: they had another name. Sorted.
    #[must_use]
    pub fn older_than(&self, moment: SystemTime, before: &Self) -> Vec<&Path> {
        let moment = moment.checked_sub(CLOCK_TICK).unwrap_or(moment);
        let is_earlier = |time: Option<SystemTime>| time.is_some_and(|time| time < moment);
        #[cfg(unix)]
        let known: BTreeSet<(u64, u64)> = before.0.values().flatten().map(Stamp::file).collect();
        let had_another_name = |stamp: &Stamp| match stamp.created {
            Some(created) => created < moment,
            // An inode may be that of a removed file.
            #[cfg(unix)]
            None => known.contains(&stamp.file()),
            #[cfg(not(unix))]
            None => false,
        };
        let is_old = |(path, stamp): &(&PathBuf, &Stamp)| {
            before.0.get(*path).copied().flatten() != Some(**stamp)
                && (is_earlier(stamp.modified) || (!before.has(path) && had_another_name(stamp)))
        };
        let there = self.0.iter().filter_map(|(path, stamp)| Some((path, stamp.as_ref()?)));
        there.filter(is_old).map(|(path, _)| path.as_path()).collect()
    }

    /// Whether this file is there.
    #[must_use]
    pub fn has(&self, path: &Path) -> bool {
        matches!(self.0.get(path), Some(Some(_)))
    }

    /// The files that are there.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        self.0.iter().filter(|(_, stamp)| stamp.is_some()).map(|(path, _)| path.as_path())
    }
}

impl Stamp {
    /// Which file it is, whatever its name.
    #[cfg(unix)]
    fn file(&self) -> (u64, u64) {
        (self.inode.0, self.inode.1)
    }

    fn of(metadata: &Metadata) -> Self {
        #[cfg(unix)]
        use std::os::unix::fs::MetadataExt as _;
        Self {
            length_bytes: metadata.len(),
            modified: metadata.modified().ok(),
            created: metadata.created().ok(),
            #[cfg(unix)]
            inode: (
                metadata.dev(),
                metadata.ino(),
                i128::from(metadata.ctime()) * 1_000_000_000 + i128::from(metadata.ctime_nsec()),
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_replaced_removed_or_new_differs() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name);
        for name in ["same", "written", "replaced", "removed"] {
            std::fs::write(path(name), name).expect("written");
        }
        let all = || ["same", "written", "replaced", "removed", "new", "never"].map(path);
        let before = Snapshot::of(all());
        std::fs::write(path("written"), "writteN").expect("written");
        std::fs::write(path("other"), "replaced").expect("written");
        std::fs::rename(path("other"), path("replaced")).expect("renamed");
        std::fs::remove_file(path("removed")).expect("removed");
        std::fs::write(path("new"), "").expect("written");
        let after = Snapshot::of(all());
        assert_eq!(before.differences(&after), [path("new"), path("removed"), path("replaced"), path("written")]);
        assert_eq!(after.differences(&after), Vec::<&Path>::new());
        assert_eq!(after.files().count(), 4);
        assert_eq!(after.unchanged_since(&before), (4, 1));
    }

    #[cfg(unix)]
    #[test]
    fn what_was_there_under_another_name_is_older() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name);
        let long_ago = SystemTime::UNIX_EPOCH + Duration::from_secs(1_577_836_800);
        for name in ["same", "written", "renamed", "touched", "elsewhere"] {
            std::fs::write(path(name), name).expect("written");
        }
        let dated = |name: &str, time: SystemTime| {
            let file = std::fs::File::options().write(true).open(path(name)).expect("a file");
            file.set_modified(time).expect("set");
        };
        dated("elsewhere", long_ago);
        let all = || ["same", "written", "renamed", "touched", "a", "b", "c", "new", "back"].map(path);
        let before = Snapshot::of(all());
        std::thread::sleep(2 * CLOCK_TICK);
        let moment = SystemTime::now();
        std::fs::rename(path("renamed"), path("a")).expect("renamed");
        std::fs::rename(path("touched"), path("b")).expect("renamed");
        dated("b", moment + CLOCK_TICK);
        std::fs::rename(path("elsewhere"), path("c")).expect("renamed");
        std::fs::write(path("written"), "again").expect("written");
        for name in ["new", "back"] {
            std::fs::write(path(name), name).expect("written");
        }
        dated("back", long_ago);
        assert_eq!(Snapshot::of(all()).older_than(moment, &before), ["a", "b", "back", "c"].map(path));
    }

    #[cfg(unix)]
    #[test]
    fn times_that_are_set_back_hide_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("data");
        std::fs::write(&path, "one").expect("written");
        let modified = path.metadata().and_then(|metadata| metadata.modified()).expect("a time");
        let before = Snapshot::of([path.clone()]);
        // A kernel's clock ticks every few milliseconds.
        std::thread::sleep(std::time::Duration::from_millis(30));
        std::fs::write(&path, "two").expect("written");
        let file = std::fs::File::options().write(true).open(&path).expect("a file");
        file.set_modified(modified).expect("set");
        assert_eq!(before.differences(&Snapshot::of([path.clone()])), [path]);
    }
}
