//! Canonical paths inside a model (OMS §6.1.2).

use std::ffi::OsStr;
use std::fmt;

/// The longest path that is accepted, in bytes: no operating system has longer ones.
const MAX_PATH_BYTES: usize = 32_767;

/// A canonical path from the model root: relative, `/` between components, none of them empty, `.` or `..`.
///
/// Its order is that of Unicode code points (OMS §5.2.1), which is the order of UTF-8 bytes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ModelPath(String);

impl ModelPath {
    /// Checks that `text` is canonical. Nothing is normalised: a signer MUST write canonical paths.
    ///
    /// # Errors
    /// [`InvalidPath`], naming the rule that is broken.
    pub fn parse(text: &str) -> Result<Self, InvalidPath> {
        if text.is_empty() {
            return Err(InvalidPath::Empty);
        }
        if text.len() > MAX_PATH_BYTES {
            return Err(InvalidPath::TooLong { found: text.len() });
        }
        if text.starts_with('/') {
            return Err(InvalidPath::Absolute);
        }
        if text.contains('\0') {
            return Err(InvalidPath::Nul);
        }
        for component in text.split('/') {
            match component {
                "" => return Err(InvalidPath::EmptyComponent),
                "." => return Err(InvalidPath::CurrentDirectory),
                ".." => return Err(InvalidPath::ParentDirectory),
                _ => {}
            }
        }
        Ok(Self(text.to_owned()))
    }

    /// The path as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The path of `name` in the directory `parent`; the model root has no path.
    pub(super) fn join(parent: &str, name: &str) -> String {
        if parent.is_empty() { name.to_owned() } else { format!("{parent}/{name}") }
    }

    /// Wraps a path put together from directory entries by [`Self::join`].
    pub(super) fn from_entries(path: String) -> Self {
        debug_assert!(Self::parse(&path).is_ok(), "directory entries have canonical names");
        Self(path)
    }
}

impl AsRef<str> for ModelPath {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

/// The directories above `path`, nearest first, without the model root.
pub(crate) fn ancestors(path: &str) -> impl Iterator<Item = &str> {
    path.rmatch_indices('/').map(|(index, _)| &path[..index])
}

impl fmt::Display for ModelPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The rule of OMS §6.1.2 that a path breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPath {
    /// The path is empty.
    #[error("the path is empty")]
    Empty,
    /// The path is longer than any file's.
    #[error("the path has {found} bytes, expected at most {MAX_PATH_BYTES}")]
    TooLong {
        /// Its length in bytes.
        found: usize,
    },
    /// The path starts with `/`.
    #[error("the path is absolute, expected one relative to the model root")]
    Absolute,
    /// Two separators follow each other, or the path ends in one.
    #[error("the path has an empty component (`//` or a `/` at its end)")]
    EmptyComponent,
    /// A component is `.`.
    #[error("the path has a `.` component")]
    CurrentDirectory,
    /// A component is `..`.
    #[error("the path has a `..` component")]
    ParentDirectory,
    /// The path contains a NUL character, which no file name can.
    #[error("the path has a NUL character")]
    Nul,
}

/// A name that need not be UTF-8, as text: bytes that are not UTF-8 become `\xNN`.
#[must_use]
pub fn display_os_name(name: &OsStr) -> String {
    let mut text = String::new();
    for chunk in name.as_encoded_bytes().utf8_chunks() {
        text.push_str(chunk.valid());
        for byte in chunk.invalid() {
            text.push_str(&format!("\\x{byte:02x}"));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn paths_that_are_not_canonical_are_rejected() {
        let attacks = [
            ("", InvalidPath::Empty),
            ("/etc/passwd", InvalidPath::Absolute),
            ("/", InvalidPath::Absolute),
            ("//server/share", InvalidPath::Absolute),
            ("..", InvalidPath::ParentDirectory),
            ("../x", InvalidPath::ParentDirectory),
            ("a/../../x", InvalidPath::ParentDirectory),
            ("a/..", InvalidPath::ParentDirectory),
            (".", InvalidPath::CurrentDirectory),
            ("./x", InvalidPath::CurrentDirectory),
            ("a/./x", InvalidPath::CurrentDirectory),
            ("a/.", InvalidPath::CurrentDirectory),
            ("a//x", InvalidPath::EmptyComponent),
            ("a/", InvalidPath::EmptyComponent),
            ("a\0b", InvalidPath::Nul),
            (&"a".repeat(32_768), InvalidPath::TooLong { found: 32_768 }),
        ];
        for (path, error) in attacks {
            assert_eq!(ModelPath::parse(path), Err(error), "{path:?}");
        }
    }

    #[test]
    fn unusual_names_are_accepted() {
        for path in ["a", "a/b", "...", "a/...b", "..a/b..", "a:b", "a b", "模型.bin", "a\\b", "C:", "-x", "\u{202e}"]
        {
            assert_eq!(ModelPath::parse(path).map(|path| path.to_string()), Ok(path.to_owned()));
        }
    }

    #[test]
    fn order_is_by_code_point_of_the_whole_name() {
        let mut names =
            ["a/x", "a-b", "a", "é", "z", "\u{10000}", "\u{ffff}"].map(|n| ModelPath::parse(n).expect("valid"));
        names.sort();
        assert_eq!(names.map(|n| n.to_string()), ["a", "a-b", "a/x", "z", "é", "\u{ffff}", "\u{10000}"]);
    }

    proptest! {
        // Where `\` separates, a name that has one is found in no directory.
        #[cfg(not(windows))]
        #[test]
        fn an_accepted_path_stays_below_its_root(text in "[a./\\\\\0:]{0,12}") {
            if let Ok(path) = ModelPath::parse(&text) {
                let components: Vec<_> = std::path::Path::new(path.as_str()).components().collect();
                prop_assert!(components.iter().all(|c| matches!(c, std::path::Component::Normal(_))));
                prop_assert_eq!(components.len(), path.as_str().split('/').count());
            }
        }

        #[test]
        fn ancestors_are_the_proper_prefixes(text in "[ab]{1,3}(/[ab]{1,3}){0,4}") {
            let above: Vec<&str> = ancestors(&text).collect();
            prop_assert_eq!(above.len(), text.matches('/').count());
            for ancestor in above {
                prop_assert!(text.starts_with(&format!("{ancestor}/")), "{} above {}", ancestor, text);
            }
        }
    }
}
