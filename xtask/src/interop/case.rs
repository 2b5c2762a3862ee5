//! The models that are exchanged with the reference tool, and how each is tampered with.

use std::fs;
use std::io;
use std::path::Path;

use crate::tool::Symlinks;

/// A model and what is expected of it. Paths are relative to the folder that the tools run in; the model is in it.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) model: &'static str,
    pub(crate) signature: &'static str,
    entries: &'static [Entry],
    /// What is not part of the model: given when signing, not again when verifying.
    pub(crate) ignored: &'static [&'static str],
    /// A file that appears in an ignored folder after signing.
    pub(crate) arrives_later: Option<&'static str>,
    pub(crate) symlinks: Symlinks,
    pub(crate) order: Order,
    pub(crate) reference_verifies_ours: bool,
    /// The file whose content [`Tampering::Changed`] changes.
    changed: &'static str,
    missing: Option<&'static str>,
    extra: Option<&'static str>,
}

/// Whether the reference tool orders the files of the model as the specification does (OMS §5.2.1).
///
/// It compares names component by component, so that `a/x` comes before `a-b`; the root digest depends on it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    Agrees,
    Differs,
}

enum Entry {
    File(&'static str, &'static str),
    /// A symlink, and its target relative to the folder of the link.
    Link(&'static str, &'static str),
}

/// What an attacker does to a model after it was signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tampering {
    Changed,
    Missing,
    Extra,
}

use Entry::{File, Link};

/// The model of the methods whose keys matter more than what they sign.
pub(crate) const NESTED: Case = Case {
    name: "nested directory",
    model: "model",
    signature: "model.sig",
    entries: &[
        File("model/config.json", "{\"layers\": 2}\n"),
        File("model/.hidden", "a dotfile is part of the model\n"),
        File("model/a/x", "in the folder a\n"),
        File("model/a-b", "beside the folder a\n"),
        File("model/a.b/x", "in the folder a.b\n"),
        File("model/deep/er/and/deeper/weights.bin", "far down\n"),
    ],
    ignored: &[],
    arrives_later: None,
    symlinks: Symlinks::Refused,
    order: Order::Differs,
    reference_verifies_ours: true,
    changed: "model/deep/er/and/deeper/weights.bin",
    missing: Some("model/a/x"),
    extra: Some("model/deep/er/extra.bin"),
};

/// Every case that this system can make: on Windows, a symlink needs a privilege.
pub(crate) fn cases() -> impl Iterator<Item = &'static Case> {
    CASES.iter().filter(|case| cfg!(unix) || case.symlinks == Symlinks::Refused)
}

const CASES: &[Case] = &[
    NESTED,
    Case {
        name: "single file",
        model: "weights.bin",
        entries: &[File("weights.bin", "all there is\n")],
        order: Order::Agrees,
        // It gives a single file the name `.` and accepts no other.
        reference_verifies_ours: false,
        changed: "weights.bin",
        missing: None,
        extra: None,
        ..NESTED
    },
    Case {
        name: "empty file",
        entries: &[File("model/empty", ""), File("model/weights.bin", "not empty\n")],
        order: Order::Agrees,
        changed: "model/empty",
        missing: Some("model/empty"),
        extra: Some("model/another"),
        ..NESTED
    },
    Case {
        name: "Unicode and spaces",
        entries: &[
            File("model/two words.bin", "a space\n"),
            File("model/größe/模型 1.bin", "beyond Latin\n"),
            // These two swap places where names are compared as UTF-16.
            File("model/\u{fb00}.bin", "the last plane-0 letters\n"),
            File("model/\u{1f9e0}.bin", "beyond plane 0\n"),
        ],
        order: Order::Agrees,
        changed: "model/größe/模型 1.bin",
        missing: Some("model/\u{1f9e0}.bin"),
        extra: Some("model/größe/模型 2.bin"),
        ..NESTED
    },
    Case {
        name: "ignored paths",
        entries: &[
            File("model/weights.bin", "signed\n"),
            File("model/cache/state", "ignored with its folder\n"),
            File("model/notes.txt", "ignored by name\n"),
            File("model/.git/HEAD", "ignored by default\n"),
            File("model/.gitignore", "ignored by default\n"),
            File("model/sub/.gitignore", "signed: the defaults hold at the top only\n"),
        ],
        ignored: &["model/cache", "model/notes.txt"],
        arrives_later: Some("model/cache/later"),
        order: Order::Agrees,
        changed: "model/sub/.gitignore",
        missing: Some("model/weights.bin"),
        extra: Some("model/sub/cache"),
        ..NESTED
    },
    Case {
        name: "signature inside",
        signature: "model/model.sig",
        entries: &[File("model/weights.bin", "signed\n"), File("model/sub/model.bin", "signed too\n")],
        order: Order::Agrees,
        changed: "model/weights.bin",
        missing: Some("model/sub/model.bin"),
        extra: Some("model/other.sig"),
        ..NESTED
    },
    Case {
        name: "symlinks allowed",
        entries: &[
            File("outside.bin", "a file beside the model\n"),
            File("model/blobs/1", "a file in the model\n"),
            Link("model/weights.bin", "blobs/1"),
            Link("model/outside.bin", "../outside.bin"),
            // Links to folders are not descended.
            Link("model/latest", "blobs"),
        ],
        symlinks: Symlinks::Allowed,
        order: Order::Agrees,
        changed: "outside.bin",
        missing: Some("model/weights.bin"),
        extra: Some("model/blobs/2"),
        ..NESTED
    },
];

impl Case {
    /// Writes the model into `folder`, or restores it there.
    pub(crate) fn write(&self, folder: &Path) -> io::Result<()> {
        for entry in self.entries {
            match entry {
                File(path, content) => write(&folder.join(path), content.as_bytes())?,
                Link(path, target) => {
                    let path = folder.join(path);
                    if path.symlink_metadata().is_err() {
                        symlink(Path::new(target), &path)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Adds the file that ignored folders must be free to receive.
    pub(crate) fn write_later(&self, folder: &Path) -> io::Result<()> {
        self.arrives_later.map_or(Ok(()), |path| write(&folder.join(path), b"after signing\n"))
    }

    /// Whether the model can be tampered with in this way: a single file cannot have an extra one.
    pub(crate) fn allows(&self, tampering: Tampering) -> bool {
        self.target(tampering).is_some()
    }

    /// Tampers with the model in `folder`.
    pub(crate) fn tamper(&self, tampering: Tampering, folder: &Path) -> io::Result<()> {
        let Some(path) = self.target(tampering) else { return Ok(()) };
        let path = folder.join(path);
        match tampering {
            Tampering::Changed => {
                let mut bytes = fs::read(&path)?;
                match bytes.last_mut() {
                    Some(byte) => *byte ^= 1,
                    None => bytes.push(0),
                }
                fs::write(path, bytes)
            }
            Tampering::Missing => fs::remove_file(path),
            Tampering::Extra => write(&path, b"not signed\n"),
        }
    }

    /// Undoes [`Self::tamper`].
    pub(crate) fn restore(&self, tampering: Tampering, folder: &Path) -> io::Result<()> {
        match self.target(tampering) {
            Some(path) if tampering == Tampering::Extra => fs::remove_file(folder.join(path)),
            _ => self.write(folder),
        }
    }

    fn target(&self, tampering: Tampering) -> Option<&'static str> {
        match tampering {
            Tampering::Changed => Some(self.changed),
            Tampering::Missing => self.missing,
            Tampering::Extra => self.extra,
        }
    }
}

impl Tampering {
    pub(crate) const ALL: [Self; 3] = [Self::Changed, Self::Missing, Self::Extra];

    /// Whether the reference tool refused the model for this reason alone, by what it wrote.
    pub(crate) fn is_what_reference_saw(self, said: &str) -> bool {
        let seen: Vec<_> = Self::ALL.into_iter().filter(|kind| said.contains(kind.reference_words())).collect();
        said.contains("Signature mismatch: [") && seen == [self]
    }

    /// What the reference tool calls it when it refuses a model. The rest of its message is the `repr` of a list,
    /// whose quotes depend on the bytes of the digests.
    fn reference_words(self) -> &'static str {
        match self {
            Self::Changed => "Hash mismatch for ",
            Self::Missing => "Missing files in model ",
            Self::Extra => "Extra files found in model ",
        }
    }
}

fn write(path: &Path, content: &[u8]) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(path, content)
}

#[cfg(unix)]
fn symlink(target: &Path, link: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(target, link)
}

#[cfg(not(unix))]
fn symlink(_: &Path, _: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every file and link below the folder, with its content.
    fn contents(case: &Case, folder: &Path) -> Vec<(String, Option<Vec<u8>>)> {
        let extra = case.extra.map(|path| Entry::File(path, ""));
        let entries = case.entries.iter().chain(&extra);
        let paths = entries.map(|entry| match entry {
            File(path, _) | Link(path, _) => *path,
        });
        paths.map(|path| (path.to_owned(), fs::read(folder.join(path)).ok())).collect()
    }

    #[test]
    fn every_tampering_changes_the_model_and_can_be_undone() {
        for case in cases() {
            let folder = tempfile::tempdir().expect("a temporary folder can be made");
            case.write(folder.path()).expect("the model can be written");
            let original = contents(case, folder.path());
            for tampering in Tampering::ALL.into_iter().filter(|tampering| case.allows(*tampering)) {
                case.tamper(tampering, folder.path()).expect("the model can be changed");
                assert_ne!(contents(case, folder.path()), original, "{}", case.name);
                case.restore(tampering, folder.path()).expect("the model can be restored");
                assert_eq!(contents(case, folder.path()), original, "{}", case.name);
            }
        }
    }

    #[test]
    fn reasons_of_the_reference_are_told_apart() {
        let changed = "Verification failed with error: Signature mismatch: ['Hash mismatch for \\'empty\\': …']";
        assert!(Tampering::Changed.is_what_reference_saw(changed));
        assert!(!Tampering::Missing.is_what_reference_saw(changed));
        let moved = "Signature mismatch: [\"Extra files found in model 'm': b\", \"Missing files in model 'm': a\"]";
        assert!(!Tampering::ALL.into_iter().any(|kind| kind.is_what_reference_saw(moved)));
        assert!(!Tampering::Changed.is_what_reference_saw("Verification failed with error: "));
    }

    #[test]
    fn order_says_where_component_order_differs() {
        for case in cases() {
            let mut names: Vec<&str> = case
                .entries
                .iter()
                .map(|entry| match entry {
                    File(path, _) | Link(path, _) => *path,
                })
                .filter(|path| path.starts_with(case.model))
                .collect();
            names.sort_unstable();
            let mut by_component = names.clone();
            by_component.sort_by_key(|name| name.split('/').collect::<Vec<_>>());
            assert_eq!(names == by_component, case.order == Order::Agrees, "{}", case.name);
        }
    }
}
