//! Which paths are outside the signing scope (OMS §6.2).

use std::collections::BTreeSet;

use super::path::{ModelPath, ancestors};

/// The entries that are excluded by default, at the top level of the model only (OMS §6.2.1).
pub const DEFAULT_IGNORED: [&str; 4] = [".git", ".gitattributes", ".github", ".gitignore"];

/// A set of exact paths; each excludes itself and everything below it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IgnoreRules {
    entries: BTreeSet<String>,
}

impl IgnoreRules {
    /// No path is ignored.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// The default exclusions.
    #[must_use]
    pub fn defaults() -> Self {
        Self { entries: DEFAULT_IGNORED.map(str::to_owned).into() }
    }

    /// The entries of a bundle. Those that are empty, `.`, absolute, globs or contain `..` match nothing and are left
    /// out.
    #[must_use]
    pub fn recorded<'a>(entries: impl IntoIterator<Item = &'a str>) -> Self {
        Self { entries: entries.into_iter().filter_map(|entry| canonical_entry(entry).ok()).collect() }
    }

    /// Adds one path from the model root.
    ///
    /// # Errors
    /// [`InvalidIgnorePath`] if OMS §6.2.1 does not allow the entry; it could then not be recorded in a bundle.
    pub fn insert(&mut self, entry: &str) -> Result<(), InvalidIgnorePath> {
        self.entries.insert(canonical_entry(entry)?);
        Ok(())
    }

    /// Adds one path from the model root that is not going to be recorded, glob characters and all.
    pub fn insert_unrecorded(&mut self, path: &ModelPath) {
        self.entries.insert(path.as_str().to_owned());
    }

    /// Adds every entry of `other`.
    pub fn extend(&mut self, other: &Self) {
        self.entries.extend(other.entries.iter().cloned());
    }

    /// Whether `path` or a directory above it is ignored.
    #[must_use]
    pub fn covers(&self, path: &str) -> bool {
        !self.entries.is_empty()
            && (self.entries.contains(path) || ancestors(path).any(|above| self.entries.contains(above)))
    }

    /// The entries, sorted by code point.
    pub fn entries(&self) -> impl Iterator<Item = &str> {
        self.entries.iter().map(String::as_str)
    }
}

/// Why a path can't be an entry of `serialization.ignore_paths` (OMS §6.2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidIgnorePath {
    /// The entry would ignore the whole model.
    #[error("it is the model itself")]
    Everything,
    /// The entry starts with `/`.
    #[error("it is absolute")]
    Absolute,
    /// The entry has a `..` component.
    #[error("it has a `..` component")]
    ParentDirectory,
    /// The entry has one of the characters `*`, `?`, `[`, which entries must not have.
    #[error("it has one of the characters `*`, `?` or `[`, and patterns are not supported")]
    Glob,
}

/// `./a//b/` becomes `a/b`; older tools wrote such entries.
fn canonical_entry(entry: &str) -> Result<String, InvalidIgnorePath> {
    if entry.starts_with('/') {
        return Err(InvalidIgnorePath::Absolute);
    }
    if entry.contains(['*', '?', '[']) {
        return Err(InvalidIgnorePath::Glob);
    }
    let components: Vec<&str> = entry.split('/').filter(|component| !matches!(*component, "" | ".")).collect();
    if components.contains(&"..") {
        return Err(InvalidIgnorePath::ParentDirectory);
    }
    if components.is_empty() {
        return Err(InvalidIgnorePath::Everything);
    }
    Ok(components.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_covers_itself_and_what_is_below_it_only() {
        let mut rules = IgnoreRules::none();
        rules.insert("cache").expect("valid");
        rules.insert("sub/tmp").expect("valid");
        for path in ["cache", "cache/x", "cache/x/y", "sub/tmp", "sub/tmp/x"] {
            assert!(rules.covers(path), "{path}");
        }
        for path in ["sub/cache", "cache2", "cach", "sub", "sub/tmp2", "Cache"] {
            assert!(!rules.covers(path), "{path}");
        }
    }

    #[test]
    fn defaults_cover_the_top_level_only() {
        let rules = IgnoreRules::defaults();
        assert!(rules.covers(".git/config"));
        assert!(rules.covers(".gitignore"));
        assert!(!rules.covers("sub/.git"));
        assert!(!rules.covers(".gitmodules"));
    }

    #[test]
    fn recorded_entries_that_mean_too_much_match_nothing() {
        let rules = IgnoreRules::recorded(["", ".", "./", "/", "/a", "..", "a/..", "../a", "*", "a*", "?", "[a]"]);
        assert_eq!(rules.entries().count(), 0);
        assert!(!rules.covers("a"));
    }

    #[test]
    fn recorded_entries_are_normalised() {
        let rules = IgnoreRules::recorded(["./cache/", "a//b"]);
        assert!(rules.entries().eq(["a/b", "cache"]));
    }
}
