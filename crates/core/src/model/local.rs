//! A model on a local disk, its root opened once and everything below opened relative to it.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::io;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use cap_fs_ext::{FollowSymlinks, OpenOptionsFollowExt, OpenOptionsMaybeDirExt};
use cap_std::ambient_authority;
use cap_std::fs::{Dir, File, Metadata, OpenOptions};
use model_hash::{ReadAt, ReadError, nothing_beyond};

use super::path::{ModelPath, display_os_name};
use super::walk::{self, Finding, Problem, SymlinkPolicy, Unlisted, WalkRules, Walked, special_kind};
use super::{ModelFile, ModelSource};

/// A directory or a single file on a local disk.
#[derive(Debug)]
pub struct LocalModel {
    name: String,
    single_file: bool,
    /// The model directory, or the directory that the single file is in.
    root: Dir,
    location: PathBuf,
    files: Vec<ModelFile>,
    locals: Vec<LocalFile>,
    findings: Vec<Finding>,
}

impl LocalModel {
    /// Lists the model at `path`.
    ///
    /// Problems (symbolic links where they are not allowed, special files, …) are listed in
    /// [`findings`](ModelSource::findings), not returned as an error: a verdict names them beside the files that differ.
    ///
    /// # Errors
    /// [`ModelError`] if `path` is not a model at all or something in it can't be listed.
    pub fn open(path: &Path, rules: &WalkRules<'_>) -> Result<Self, ModelError> {
        let (location, single_file) = locate(path, rules.symlinks)?;
        let name = model_name(path, &location);
        let unreadable = |source| ModelError::Unreadable { path: path.to_owned(), source };
        if single_file {
            return Self::open_file(path, &location, name);
        }
        let root = Dir::open_ambient_dir(&location, ambient_authority()).map_err(unreadable)?;
        let Walked { files, locals, findings } = walk::walk(&root, &location, rules)?;
        Ok(Self { name, single_file, root, location, files, locals, findings })
    }

    /// Where the model is: canonical, the file itself for a single file.
    #[must_use]
    pub fn location(&self) -> &Path {
        &self.location
    }

    /// The canonical location of a model before it is listed, for what must be known about it first.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn locate(path: &Path, symlinks: SymlinkPolicy) -> Result<PathBuf, ModelError> {
        locate(path, symlinks).map(|(location, _)| location)
    }

    /// The rules for listing a model that is about to be signed: everything that is not ignored counts. With one thread.
    #[must_use]
    pub fn signing_rules<'a>(
        symlinks: SymlinkPolicy,
        ignore: &'a super::IgnoreRules,
        nothing: &'a HashSet<&'a str>,
    ) -> WalkRules<'a> {
        WalkRules { symlinks, ignore, listed: nothing, unlisted: Unlisted::Report, jobs: NonZeroUsize::MIN }
    }

    /// Where a file of the model is.
    #[cfg(target_os = "linux")]
    pub(crate) fn place(&self, file: usize) -> FilePlace<'_> {
        match &self.locals[file].link_target {
            None => FilePlace { directory: Some(&self.root), path: Path::new(self.files[file].path.as_str()) },
            Some(target) => FilePlace { directory: None, path: target },
        }
    }

    /// Whether the file that was listed has these numbers.
    #[cfg(target_os = "linux")]
    pub(crate) fn is_listed(&self, file: usize, device: u64, inode: u64) -> bool {
        self.locals[file].stamp.identity == (device, inode)
    }

    fn open_file(path: &Path, location: &Path, name: String) -> Result<Self, ModelError> {
        let unreadable = |source| ModelError::Unreadable { path: path.to_owned(), source };
        // The name that the user gave: with links allowed, the link's and not its target's (§6.1.1).
        let given = path.file_name().or(location.file_name()).unwrap_or(OsStr::new(""));
        let Some(base) = given.to_str() else {
            return Err(ModelError::NotUtf8 { path: display_os_name(path.as_os_str()) });
        };
        let (Some(parent), Some(target)) = (location.parent(), location.file_name()) else {
            return Err(unreadable(io::ErrorKind::NotFound.into()));
        };
        let root = Dir::open_ambient_dir(parent, ambient_authority()).map_err(unreadable)?;
        let metadata = root.symlink_metadata(target).map_err(unreadable)?;
        let file = ModelFile { path: ModelPath::from_entries(base.to_owned()), length_bytes: metadata.len() };
        let local = LocalFile { stamp: Stamp::of(&metadata), link_target: Some(location.to_owned()) };
        Ok(Self {
            name,
            single_file: true,
            root,
            location: location.to_owned(),
            files: vec![file],
            locals: vec![local],
            findings: Vec::new(),
        })
    }
}

impl ModelSource for LocalModel {
    fn name(&self) -> &str {
        &self.name
    }

    fn is_single_file(&self) -> bool {
        self.single_file
    }

    fn files(&self) -> &[ModelFile] {
        &self.files
    }

    fn findings(&self) -> &[Finding] {
        &self.findings
    }

    fn open(&self, file: usize) -> Result<Box<dyn ReadAt + Send + '_>, ReadError> {
        let local = &self.locals[file];
        let file = match &local.link_target {
            None => open_beneath(&self.root, Path::new(self.files[file].path.as_str())),
            Some(target) => open_ambient(target),
        };
        let file = file.map_err(ReadError::Io)?;
        let open = OpenFile { file, stamp: &local.stamp };
        // A small file is soon read, and then looked at; a long one, or what a link leads to, is not read in vain.
        if local.link_target.is_some() || local.stamp.length_bytes > SMALL_BYTES {
            open.check_stamp()?;
        }
        Ok(Box::new(open))
    }
}

/// Where a file is: below an open directory, or anywhere.
#[cfg(target_os = "linux")]
#[derive(Clone, Copy)]
pub(crate) struct FilePlace<'a> {
    pub(crate) directory: Option<&'a Dir>,
    pub(crate) path: &'a Path,
}

/// What is known of a listed file beyond what every source knows.
#[derive(Debug)]
pub(super) struct LocalFile {
    pub(super) stamp: Stamp,
    /// Where to open the file when its own path is a link that was followed.
    pub(super) link_target: Option<PathBuf>,
}

/// What identifies one state of a file: a difference means that it was replaced or written to.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    length_bytes: u64,
    modified: Option<std::time::SystemTime>,
    #[cfg(unix)]
    identity: (u64, u64),
}

impl Stamp {
    pub(super) fn of(metadata: &Metadata) -> Self {
        Self {
            length_bytes: metadata.len(),
            modified: metadata.modified().ok().map(cap_std::time::SystemTime::into_std),
            #[cfg(unix)]
            identity: {
                use cap_std::fs::MetadataExt;
                (metadata.dev(), metadata.ino())
            },
        }
    }
}

/// Files up to this length are looked at once.
const SMALL_BYTES: u64 = 64 << 10;

struct OpenFile<'a> {
    file: File,
    stamp: &'a Stamp,
}

impl ReadAt for OpenFile<'_> {
    #[cfg(unix)]
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        cap_std::fs::FileExt::read_at(&self.file, buffer, offset)
    }

    #[cfg(windows)]
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        cap_std::fs::FileExt::seek_read(&self.file, buffer, offset)
    }

    fn finish(&self, end: Option<u64>) -> Result<(), ReadError> {
        // Not every file system says how long a file is.
        if let Some(end) = end {
            nothing_beyond(self, end)?;
        }
        self.check_stamp()
    }
}

impl OpenFile<'_> {
    /// Whether it is the file that was listed, as it was then.
    fn check_stamp(&self) -> Result<(), ReadError> {
        let metadata = self.file.metadata().map_err(ReadError::Io)?;
        let now = Stamp::of(&metadata);
        if now == *self.stamp {
            return Ok(());
        }
        let (expected_bytes, found_bytes) = (self.stamp.length_bytes, now.length_bytes);
        Err(match found_bytes.cmp(&expected_bytes) {
            std::cmp::Ordering::Less => ReadError::Truncated { expected_bytes, found_bytes },
            std::cmp::Ordering::Greater => ReadError::Grown { expected_bytes },
            std::cmp::Ordering::Equal => ReadError::Changed,
        })
    }
}

/// Opens a file that a walk has listed. If it has become a link or a FIFO since, that neither leads out nor blocks.
fn open_beneath(root: &Dir, path: &Path) -> io::Result<File> {
    root.open_with(path, OpenOptions::new().read(true).follow(FollowSymlinks::No).maybe_dir(false).nonblocking())
}

fn open_ambient(path: &Path) -> io::Result<File> {
    let mut options = std::fs::OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.custom_flags(NONBLOCK);
    }
    options.open(path).map(File::from_std)
}

/// Keeps `open` from waiting for a writer, should the path have become a FIFO. Regular files are not affected.
trait Nonblocking {
    fn nonblocking(&mut self) -> &mut Self;
}

impl Nonblocking for OpenOptions {
    #[cfg(unix)]
    fn nonblocking(&mut self) -> &mut Self {
        cap_std::fs::OpenOptionsExt::custom_flags(self, NONBLOCK)
    }

    #[cfg(not(unix))]
    fn nonblocking(&mut self) -> &mut Self {
        self
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
const NONBLOCK: i32 = 0o4000;
#[cfg(all(unix, not(any(target_os = "linux", target_os = "android"))))]
const NONBLOCK: i32 = 0x4;

/// Resolves a link to its final target.
pub(super) fn resolve_link(link: &Path) -> io::Result<(PathBuf, Metadata)> {
    let target = std::fs::canonicalize(link)?;
    let metadata = std::fs::metadata(&target)?;
    Ok((target, Metadata::from_just_metadata(metadata)))
}

/// The canonical location of `path` and whether it is a single file.
fn locate(path: &Path, symlinks: SymlinkPolicy) -> Result<(PathBuf, bool), ModelError> {
    let failed = |source: io::Error| {
        let path = path.to_owned();
        if source.kind() == io::ErrorKind::NotFound {
            ModelError::NotFound { path }
        } else {
            ModelError::Unreadable { path, source }
        }
    };
    // `link/` names the link too; `symlink_metadata` would follow it for the slash at its end.
    let bare: PathBuf = path.components().collect();
    let own = std::fs::symlink_metadata(&bare).map_err(failed)?;
    if own.is_symlink() && symlinks == SymlinkPolicy::Deny {
        return Err(ModelError::Unacceptable { path: path.to_owned(), problem: Problem::Symlink });
    }
    let location = std::fs::canonicalize(path).map_err(failed)?;
    let metadata = std::fs::metadata(&location).map_err(failed)?;
    if !metadata.is_dir() && !metadata.is_file() {
        let kind = special_kind(Metadata::from_just_metadata(metadata).file_type());
        return Err(ModelError::Unacceptable { path: path.to_owned(), problem: Problem::Special { kind } });
    }
    Ok((location, metadata.is_file()))
}

/// The basename of the path as given, else of where it leads (`.`, `..`), else `model`.
fn model_name(path: &Path, location: &Path) -> String {
    path.file_name()
        .or(location.file_name())
        .map_or_else(|| "model".to_owned(), |name| name.to_string_lossy().into_owned())
}

/// Why a path is not a model that can be listed.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// There is nothing at the path.
    #[error("no such model: `{}`", path.display())]
    NotFound {
        /// The path.
        path: PathBuf,
    },
    /// The operating system refused.
    #[error("`{}` cannot be read: {source}", path.display())]
    Unreadable {
        /// The path.
        path: PathBuf,
        /// The operating system's error.
        source: io::Error,
    },
    /// The path itself is something that can't be a model.
    #[error("`{}` {problem}", path.display())]
    Unacceptable {
        /// The path.
        path: PathBuf,
        /// What it is.
        problem: Problem,
    },
    /// A single file whose name is not UTF-8 (OMS §6.1.2(7)).
    #[error("`{path}` has a name that is not UTF-8")]
    NotUtf8 {
        /// The path, with `\xNN` where it is not UTF-8.
        path: String,
    },
}
