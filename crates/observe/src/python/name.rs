//! Names and versions of distributions, and what the names of their files say.

use std::collections::BTreeSet;
use std::str::FromStr;

use pep440_rs::Version;

/// The form in which names are compared (PyPA, "Package name normalization"). None if it is no name.
pub(super) fn normalised(name: &str) -> Option<String> {
    let ends = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let bytes = name.as_bytes();
    if !ends(bytes.first()) || !ends(bytes.last()) || !bytes.iter().copied().all(inner) {
        return None;
    }
    let parts = name.split(['-', '_', '.']).filter(|part| !part.is_empty());
    Some(parts.map(str::to_ascii_lowercase).collect::<Vec<_>>().join("-"))
}

/// Whether two versions are the same (`1.0` and `1.0.0`), where both are versions at all.
pub(super) fn same_version(one: &str, other: &str) -> bool {
    one == other || Version::from_str(one).is_ok_and(|one| Version::from_str(other).is_ok_and(|other| one == other))
}

/// Whether `installed` is what `==listed` asks for: without a local part (`+cu124`) in the list, any will do.
pub(super) fn satisfies(installed: &str, listed: &str) -> bool {
    if same_version(installed, listed) {
        return true;
    }
    match (Version::from_str(installed), Version::from_str(listed)) {
        (Ok(installed), Ok(listed)) => !listed.is_local() && installed.without_local() == listed,
        _ => false,
    }
}

/// What the name of a file says: a wheel, or an archive of sources.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum FileName<'a> {
    Wheel { version: &'a str, tags: Tags<'a> },
    Sources { version: &'a str },
}

/// The tags in a wheel's name: every combination of the three sets.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Tags<'a> {
    python: BTreeSet<&'a str>,
    abi: BTreeSet<&'a str>,
    platform: BTreeSet<&'a str>,
}

impl<'a> FileName<'a> {
    /// Reads a file name of the package `name`, which is normalised.
    pub(super) fn parse(file: &'a str, name: &str) -> Option<Self> {
        if let Some(stem) = file.strip_suffix(".whl") {
            let parts: Vec<&str> = stem.split('-').collect();
            let (wheel_name, version, tags) = match parts.as_slice() {
                [name, version, python, abi, platform] | [name, version, _, python, abi, platform] => {
                    (*name, *version, Tags { python: set(python), abi: set(abi), platform: set(platform) })
                }
                _ => return None,
            };
            return (normalised(wheel_name)? == name).then_some(Self::Wheel { version, tags });
        }
        let stem = [".tar.gz", ".zip", ".tar.bz2", ".tar.xz", ".tgz"].iter().find_map(|end| file.strip_suffix(end))?;
        // Older archives have dashes in their names, and versions never have.
        let (archive_name, version) = stem.rsplit_once('-')?;
        (normalised(archive_name)? == name).then_some(Self::Sources { version })
    }

    /// The version in it.
    pub(super) fn version(&self) -> &'a str {
        match self {
            Self::Wheel { version, .. } | Self::Sources { version } => version,
        }
    }
}

impl Tags<'_> {
    fn has(&self, tag: &str) -> bool {
        let mut parts = tag.splitn(3, '-');
        match (parts.next(), parts.next(), parts.next()) {
            (Some(python), Some(abi), Some(platform)) => {
                self.python.contains(python) && self.abi.contains(abi) && self.platform.contains(platform)
            }
            _ => false,
        }
    }

    /// Whether these are exactly the tags.
    pub(super) fn are(&self, tags: &[String]) -> bool {
        let distinct: BTreeSet<&str> = tags.iter().map(String::as_str).collect();
        let combinations = self.python.len().saturating_mul(self.abi.len()).saturating_mul(self.platform.len());
        combinations == distinct.len() && distinct.iter().all(|tag| self.has(tag))
    }

    /// Whether one of the tags is among these.
    pub(super) fn have_one_of(&self, tags: &[String]) -> bool {
        tags.iter().any(|tag| self.has(tag))
    }
}

fn set(compressed: &str) -> BTreeSet<&str> {
    compressed.split('.').collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(all: &[&str]) -> Vec<String> {
        all.iter().map(|&tag| tag.to_owned()).collect()
    }

    #[test]
    fn names_are_compared_in_one_form() {
        for name in ["Typing.Extensions", "typing_extensions", "typing--extensions", "TYPING-._EXTENSIONS"] {
            assert_eq!(normalised(name).as_deref(), Some("typing-extensions"), "{name}");
        }
        for name in ["", "-x", "x-", "~umpy", "a b", "naïve", "a/b", "."] {
            assert_eq!(normalised(name), None, "{name}");
        }
    }

    #[test]
    fn a_local_part_is_ignored_where_the_list_has_none() {
        assert!(satisfies("2.4.0+cu121", "2.4.0") && satisfies("2.4", "2.4.0") && satisfies("1.0.post1", "1.0-1"));
        assert!(!satisfies("2.4.0", "2.4.0+cu121") && !satisfies("2.4.0+cpu", "2.4.0+cu121"));
        assert!(!satisfies("2.4.1", "2.4.0") && !satisfies("nonsense", "2.4.0") && satisfies("nonsense", "nonsense"));
    }

    #[test]
    fn the_name_of_a_wheel_tells_its_tags() {
        let found = FileName::parse("six-1.17.0-py2.py3-none-any.whl", "six").expect("a wheel");
        let FileName::Wheel { version, tags: found } = found else { panic!("not a wheel") };
        assert_eq!(version, "1.17.0");
        assert!(found.are(&tags(&["py2-none-any", "py3-none-any"])));
        assert!(!found.are(&tags(&["py3-none-any", "py3-none-any"])));
        assert!(!found.are(&tags(&["py3-none-any"])) && found.have_one_of(&tags(&["py3-none-any"])));
        assert!(!found.have_one_of(&tags(&["cp311-cp311-linux_x86_64", "py3", ""])));
        assert!(FileName::parse("six-1.17.0-1-py2.py3-none-any.whl", "six").is_some(), "a build number");
    }

    #[test]
    fn the_name_of_an_archive_tells_its_version() {
        let found = FileName::parse("typing-extensions-4.16.0.tar.gz", "typing-extensions").expect("an archive");
        assert_eq!(found, FileName::Sources { version: "4.16.0" });
        assert_eq!(found.version(), "4.16.0");
        for other in ["six-1.17.0.exe", "six.whl", "five-1.17.0.tar.gz", "six.tar.gz", "five-1-py3-none-any.whl", ""] {
            assert_eq!(FileName::parse(other, "six"), None, "{other}");
        }
    }
}
