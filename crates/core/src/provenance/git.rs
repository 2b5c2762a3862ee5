//! Repositories on GitHub, references to them, and versions.

use std::fmt;

const PREFIX: &str = "https://github.com/";

/// A repository on GitHub.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repository {
    owner: String,
    name: String,
}

impl Repository {
    /// Reads `OWNER/NAME`, `github.com/OWNER/NAME`, `https://github.com/OWNER/NAME` or `git+https://github.com/OWNER/NAME`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.strip_prefix("git+").unwrap_or(text);
        let text = text.strip_prefix("https://").unwrap_or(text);
        let text = text.strip_prefix("github.com/").unwrap_or(text);
        Self::from_path(text)
    }

    /// The repository of an HTTPS URL, which has to be there.
    pub(super) fn from_url(url: &str) -> Option<Self> {
        Self::from_path(url.strip_prefix(PREFIX)?)
    }

    fn from_path(path: &str) -> Option<Self> {
        let (owner, name) = path.split_once('/')?;
        let is_plain = |part: &str| {
            let plain = |character: char| character.is_ascii_alphanumeric() || matches!(character, '-' | '_' | '.');
            !matches!(part, "" | "." | "..") && part.chars().all(plain)
        };
        // Accounts have no dots: what has one there is another host.
        (is_plain(owner) && !owner.contains('.') && is_plain(name))
            .then(|| Self { owner: owner.to_owned(), name: name.to_owned() })
    }

    /// The account it belongs to.
    #[must_use]
    pub fn owner(&self) -> &str {
        &self.owner
    }

    /// Its address, HTTPS.
    #[must_use]
    pub fn url(&self) -> String {
        format!("{PREFIX}{}/{}", self.owner, self.name)
    }
}

impl fmt::Display for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.owner, self.name)
    }
}

/// A repository, and what of it (`refs/heads/main`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GitSource {
    /// The repository.
    pub repository: Repository,
    /// The Git reference. A delegated build of a commit has none.
    pub reference: Option<String>,
}

impl GitSource {
    /// Reads `git+https://github.com/OWNER/NAME@refs/…`.
    pub(super) fn parse(uri: &str) -> Option<Self> {
        let rest = uri.strip_prefix("git+")?;
        let (url, reference) = match rest.split_once('@') {
            Some((_, "")) => return None,
            Some((url, reference)) => (url, Some(reference.to_owned())),
            None => (rest, None),
        };
        Some(Self { repository: Repository::from_url(url)?, reference })
    }
}

impl fmt::Display for GitSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.repository.fmt(f)?;
        self.reference.iter().try_for_each(|reference| write!(f, "@{reference}"))
    }
}

/// A workflow on GitHub: `https://github.com/OWNER/NAME/PATH`, and at which reference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Workflow {
    /// Without the reference.
    pub(super) uri: String,
    pub(super) repository: Repository,
    pub(super) reference: String,
}

impl Workflow {
    /// Reads `https://github.com/OWNER/NAME/PATH@REFERENCE`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (uri, reference) = text.split_once('@')?;
        let path = uri.strip_prefix(PREFIX)?;
        let mut parts = path.splitn(3, '/');
        let (owner, name, file) = (parts.next()?, parts.next()?, parts.next()?);
        if file.is_empty() || reference.is_empty() || reference.contains('@') {
            return None;
        }
        let repository = Repository::from_path(&format!("{owner}/{name}"))?;
        Some(Self { uri: uri.to_owned(), repository, reference: reference.to_owned() })
    }

    /// Whether it is of a release: a tag `vX.Y.Z` and no more.
    pub(super) fn is_release(&self) -> bool {
        self.is_release_of(None)
    }

    /// Whether it is of a release for a language: a tag `vX.Y.Z-LANGUAGE`.
    pub(super) fn is_release_for(&self, language: &str) -> bool {
        self.is_release_of(Some(language))
    }

    fn is_release_of(&self, pre_release: Option<&str>) -> bool {
        self.reference.strip_prefix("refs/tags/").and_then(Version::parse).is_some_and(|version| {
            version.minor.is_some()
                && version.patch.is_some()
                && version.pre_release == pre_release
                && !version.has_build
        })
    }

    /// Whether somebody means it who writes `URI`, `URI@REFERENCE` or `URI@TAG`.
    pub(super) fn is_meant_by(&self, expected: &str) -> bool {
        let (uri, reference) = expected.split_once('@').map_or((expected, None), |(uri, at)| (uri, Some(at)));
        let fits = |at: &str| self.reference == at || self.reference.strip_prefix("refs/tags/") == Some(at);
        self.uri == uri && reference.is_none_or(fits)
    }
}

impl fmt::Display for Workflow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.uri, self.reference)
    }
}

/// A version as tags write it: `v1`, `v1.2`, `v1.2.3`, `v1.2.3-rc.1+build` (Semantic Versioning 2.0 with a `v`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Version<'a> {
    major: &'a str,
    minor: Option<&'a str>,
    patch: Option<&'a str>,
    pre_release: Option<&'a str>,
    has_build: bool,
}

impl<'a> Version<'a> {
    pub(super) fn parse(tag: &'a str) -> Option<Self> {
        let text = tag.strip_prefix('v')?;
        let (text, build) = text.split_once('+').map_or((text, None), |(text, build)| (text, Some(build)));
        let (core, pre_release) = text.split_once('-').map_or((text, None), |(core, rest)| (core, Some(rest)));
        let mut numbers = core.split('.');
        let (major, minor, patch) = (numbers.next()?, numbers.next(), numbers.next());
        let is_number = |text: &str| {
            !text.is_empty()
                && text.bytes().all(|byte| byte.is_ascii_digit())
                && (text.len() == 1 || !text.starts_with('0'))
        };
        let numbered = [Some(major), minor, patch].into_iter().flatten().all(is_number) && numbers.next().is_none();
        let is_word = |text: &str| {
            let part = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
            text.split('.').all(part)
        };
        let worded = pre_release.is_none_or(is_word) && build.is_none_or(is_word);
        let whole = patch.is_some() || (pre_release.is_none() && build.is_none());
        (numbered && worded && whole).then_some(Self { major, minor, patch, pre_release, has_build: build.is_some() })
    }

    /// Whether somebody means `self` who writes `expected`: what it leaves out may be anything.
    pub(super) fn is_meant_by(&self, expected: &Self) -> bool {
        let is =
            |expected: Option<&str>, found: Option<&str>| expected.is_none() || expected == Some(found.unwrap_or("0"));
        self.major == expected.major
            && is(expected.minor, self.minor)
            && is(expected.patch, self.patch)
            && (expected.patch.is_none() || self.pre_release == expected.pre_release)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repository_is_read_in_each_form_and_nothing_else() {
        for text in ["a/b", "github.com/a/b", "https://github.com/a/b", "git+https://github.com/a/b"] {
            assert_eq!(
                Repository::parse(text).map(|found| found.url()).as_deref(),
                Some("https://github.com/a/b"),
                "{text}"
            );
        }
        for text in [
            "",
            "a",
            "a/",
            "/b",
            "a/b/c",
            "a/..",
            "https://gitlab.com/a/b",
            "https://git.example.com/b",
            "git.example.com/b",
            "a/b@main",
            "a/b?x",
            "http://github.com/a/b",
        ] {
            assert_eq!(Repository::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_workflow_is_of_a_release_only_at_a_whole_version() {
        let at = |reference: &str| {
            let text = format!("https://github.com/o/r/.github/workflows/w.yml@{reference}");
            Workflow::parse(&text).expect("a workflow").is_release()
        };
        assert!(at("refs/tags/v1.10.0"));
        for reference in [
            "refs/heads/v1.10.0",
            "refs/tags/v1.10",
            "refs/tags/v1",
            "refs/tags/1.2.3",
            "refs/tags/v1.2.3-rc1",
            "refs/tags/v1.2.3+b",
            "v1.2.3",
            "refs/tags/v01.2.3",
        ] {
            assert!(!at(reference), "{reference}");
        }
        for text in [
            "https://github.com/o/r@refs/heads/main",
            "https://github.com/o/r/w",
            "https://example.com/o/r/w@x",
            "https://github.com/o/r/w@x@y",
        ] {
            assert_eq!(Workflow::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_version_is_meant_by_its_beginning() {
        let means = |expected: &str, tag: &str| {
            Version::parse(tag).expect(tag).is_meant_by(&Version::parse(expected).expect(expected))
        };
        for (expected, tag) in
            [("v1", "v1.2.3"), ("v1.2", "v1.2.3"), ("v1.2.3", "v1.2.3+b"), ("v1.0.0", "v1"), ("v14", "v14.2")]
        {
            assert!(means(expected, tag), "{expected} {tag}");
        }
        for (expected, tag) in
            [("v2", "v1.2.3"), ("v1.3", "v1.2.3"), ("v1.2.4", "v1.2.3"), ("v1.2.3", "v1.2.3-rc1"), ("v1", "v14.2")]
        {
            assert!(!means(expected, tag), "{expected} {tag}");
        }
    }
}
