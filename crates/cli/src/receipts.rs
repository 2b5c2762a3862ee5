//! Where receipts are kept, and the key that they are authenticated with.
//!
//! Both are in a folder of the user's that nobody else may write to. Whoever can write there is the user.

use std::fs::symlink_metadata;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use model_hash::HashAlgorithm;
use model_transparency::manifest::Manifest;
use model_transparency::model::{LocalModel, ModelFile};
use model_transparency::output::{Access, Existing, WriteError, write};
use model_transparency::receipt::{
    FileTime, MAX_RECEIPT_BYTES, Receipt, ReceiptError, ReceiptKey, ReceiptRules, ReceiptedModel, Renewed,
};

use crate::args::ReceiptArgs;
use crate::failure::Failure;
use crate::output::{Console, count};
use crate::state;

/// The receipt of a model: what there is of it, and where the next goes.
pub(crate) struct KeptReceipt {
    folder: PathBuf,
    /// What its model is known by: the bytes of its location.
    model: Vec<u8>,
    /// What it says, if there is one that can be believed.
    receipt: Option<Receipt>,
    /// When it counts.
    rules: ReceiptRules,
}

impl KeptReceipt {
    /// Takes the time, and reads the receipt of the model at this canonical location.
    pub(crate) fn open(args: &ReceiptArgs, location: &Path, console: &Console) -> Result<Self, Failure> {
        let rules = ReceiptRules {
            boot: system::boot()?,
            begun: system::clock(),
            max_age: args.max_age(),
            unknown_file_systems: args.unknown_file_systems(),
        };
        let model = location.as_os_str().as_encoded_bytes().to_vec();
        let mut kept = Self { folder: state::folder("receipts")?, model, receipt: None, rules };
        if system::is_private_folder(&kept.folder)? {
            let path = kept.path();
            kept.receipt = match read_key(&kept.folder)? {
                Some(key) => read(&path, &kept.model, &key).unwrap_or_else(|problem| {
                    console.warn(&format!("the receipt `{}` {problem}: every file is hashed", path.display()));
                    None
                }),
                None => None,
            };
        }
        Ok(kept)
    }

    fn path(&self) -> PathBuf {
        self.folder.join(format!("{}.receipt", HashAlgorithm::Sha256.digest(&self.model).to_hex()))
    }

    /// Forgets what the receipt says otherwise than `manifest`, or all of it without one.
    pub(crate) fn believe_only(&mut self, manifest: Option<&Manifest>) {
        match (&mut self.receipt, manifest) {
            (Some(receipt), Some(manifest)) => receipt.retain_agreeing(manifest),
            (receipt, _) => *receipt = None,
        }
    }

    /// The model beside its receipt, which is used up: those of its files that `is_listed`.
    pub(crate) fn beside(
        &mut self,
        model: LocalModel,
        is_listed: impl Fn(&ModelFile) -> bool,
    ) -> Result<ReceiptedModel, ReceiptError> {
        ReceiptedModel::new(model, self.receipt.take(), self.rules.clone(), is_listed)
    }

    /// Keeps what was hashed. That it can't be kept is no failure of what it is about.
    pub(crate) fn keep(&self, renewed: &Renewed, console: &Console) {
        let Renewed { receipt, left_out, .. } = renewed;
        if let Some(receipt) = receipt
            && let Err(failure) = self.write(receipt)
        {
            console.warn(&format!("there is no new receipt: {}", failure.message));
        }
        if let Some(first) = left_out.first() {
            let others = match left_out.len() {
                1 => String::new(),
                more => format!(" and {}", count(more - 1, "other file")),
            };
            console.note(&format!(
                "the receipt is without `{first}`{others}: open for writing, or changed just before or while being read"
            ));
        }
    }

    fn write(&self, receipt: &Receipt) -> Result<(), Failure> {
        system::make_private(&self.folder)?;
        let (path, receipt) = (self.path(), receipt.to_bytes(&self.model, &key(&self.folder)?));
        if symlink_metadata(&path).is_ok_and(|found| !found.is_file()) {
            return Err(Failure::could_not_check("unsafe_state", format!("`{}` is no regular file", path.display())));
        }
        Ok(write(&path, &receipt, Access::Owner, Existing::Replace)?)
    }
}

/// The receipt at `path`. An error says why it can't be believed.
fn read(path: &Path, model: &[u8], key: &ReceiptKey) -> Result<Option<Receipt>, String> {
    let file = match system::open_private(RECEIPT, path) {
        Ok(file) => file.map_err(|failure| failure.message)?,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(format!("cannot be read: {error}")),
    };
    let unreadable = |error: std::io::Error| format!("cannot be read: {error}");
    let mut bytes = Vec::new();
    if file.metadata().map_err(unreadable)?.len() <= MAX_RECEIPT_BYTES as u64 {
        file.take(MAX_RECEIPT_BYTES as u64 + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    }
    Receipt::parse(&bytes, model, key).map(Some).map_err(|error| error.to_string())
}

/// The name of the key's file.
const KEY: &str = "key";
const WHAT: &str = "the key of receipts";
const RECEIPT: &str = "the receipt";

/// The user's key, which is made if there is none.
fn key(folder: &Path) -> Result<ReceiptKey, Failure> {
    if let Some(key) = read_key(folder)? {
        return Ok(key);
    }
    match write(&folder.join(KEY), ReceiptKey::generate()?.as_slice(), Access::Owner, Existing::Refuse) {
        // Another run was faster.
        Ok(()) | Err(WriteError::Exists { .. }) => {}
        Err(error) => return Err(error.into()),
    }
    read_key(folder)?.ok_or_else(|| Failure::unreadable(WHAT, &folder.join(KEY), &ErrorKind::NotFound.into()))
}

fn read_key(folder: &Path) -> Result<Option<ReceiptKey>, Failure> {
    let path = &folder.join(KEY);
    let file = match system::open_private(WHAT, path) {
        Ok(file) => file?,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Failure::unreadable(WHAT, path, &error)),
    };
    let mut bytes = Vec::new();
    let limit = ReceiptKey::LENGTH_BYTES as u64 + 1;
    file.take(limit).read_to_end(&mut bytes).map_err(|error| Failure::unreadable(WHAT, path, &error))?;
    let bytes: [u8; ReceiptKey::LENGTH_BYTES] = bytes.as_slice().try_into().map_err(|_| {
        let message = format!("{WHAT} `{}` has {} bytes, expected {}", path.display(), bytes.len(), limit - 1);
        Failure::could_not_check("invalid_state", message).with_hint("remove it: every receipt is then void")
    })?;
    Ok(Some(ReceiptKey::new(&bytes)))
}

/// What a receipt needs of Linux.
#[cfg(target_os = "linux")]
mod system {
    use std::fs::{DirBuilder, File, Metadata, OpenOptions, symlink_metadata};
    use std::io;
    use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
    use std::path::Path;

    use rustix::process::geteuid;
    use rustix::time::{ClockId, clock_gettime};

    use super::{Failure, FileTime, WriteError};

    const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

    /// The clock that the kernel stamps files with.
    pub(super) fn clock() -> FileTime {
        let now = clock_gettime(ClockId::RealtimeCoarse);
        FileTime { seconds: now.tv_sec, nanoseconds: u32::try_from(now.tv_nsec).unwrap_or_default() }
    }

    /// This run of the operating system.
    pub(super) fn boot() -> Result<String, Failure> {
        let id = std::fs::read_to_string(BOOT_ID).map_err(|error| {
            Failure::unreadable("what tells this run of the system from others", BOOT_ID.as_ref(), &error)
        })?;
        Ok(id.trim().to_owned())
    }

    /// Makes the folder, if it is not there.
    pub(super) fn make_private(folder: &Path) -> Result<(), Failure> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .map_err(|source| WriteError::Io { path: folder.to_owned(), source })?;
        is_private_folder(folder).map(drop)
    }

    /// Whether the folder is there. It has to be one that nobody else may write to.
    pub(super) fn is_private_folder(folder: &Path) -> Result<bool, Failure> {
        const WHAT: &str = "the folder of receipts";
        match symlink_metadata(folder) {
            Ok(found) if found.is_dir() => is_private(WHAT, folder, &found, 0o022).map(|()| true),
            Ok(_) => {
                let message = format!("{WHAT} `{}` is no folder: expected one, and no link to one", folder.display());
                Err(Failure::could_not_check("unsafe_state", message))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(Failure::unreadable(WHAT, folder, &error)),
        }
    }

    /// Opens a file that nobody else may read or write.
    pub(super) fn open_private(what: &str, path: &Path) -> io::Result<Result<File, Failure>> {
        let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
        let flags = i32::try_from(flags.bits()).expect("flags are numbers of 31 bits");
        let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
        let found = file.metadata()?;
        if !found.is_file() {
            return Err(io::Error::other("it is no regular file"));
        }
        Ok(is_private(what, path, &found, 0o077).map(|()| file))
    }

    fn is_private(what: &str, path: &Path, found: &Metadata, forbidden: u32) -> Result<(), Failure> {
        let (user, mode) = (geteuid().as_raw(), found.mode() & 0o777);
        let problem = if found.uid() != user {
            format!("belongs to user {}, expected {user}", found.uid())
        } else if mode & forbidden != 0 {
            format!("has mode {mode:04o}, expected {:04o}", mode & !forbidden)
        } else {
            return Ok(());
        };
        Err(Failure::could_not_check("unsafe_state", format!("{what} `{}` {problem}", path.display()))
            .with_hint("remove it if you can't tell who else wrote to it: every receipt is then void"))
    }
}

/// Systems on which there are no receipts.
#[cfg(not(target_os = "linux"))]
mod system {
    use std::fs::File;
    use std::io;
    use std::path::Path;

    use super::{Failure, FileTime};

    pub(super) fn boot() -> Result<String, Failure> {
        Err(Failure::could_not_check(
            "no_receipt",
            "receipts are for Linux alone: what other systems keep of changes is not known",
        ))
    }

    pub(super) fn clock() -> FileTime {
        FileTime { seconds: 0, nanoseconds: 0 }
    }

    pub(super) fn make_private(_: &Path) -> Result<(), Failure> {
        boot().map(drop)
    }

    pub(super) fn is_private_folder(_: &Path) -> Result<bool, Failure> {
        boot().map(|_| false)
    }

    pub(super) fn open_private(_: &str, path: &Path) -> io::Result<Result<File, Failure>> {
        File::open(path).map(Ok)
    }
}
