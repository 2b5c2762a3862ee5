//! Versions that tags are compared with.

use super::InvalidExpectation;

/// A version such as `v1`, `v1.2` or `v1.2.3-rc.1`, of which a tag has at least as much.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VersionedTag {
    text: String,
    version: Version,
}

impl VersionedTag {
    /// Parses a semantic version with `v` before it; minor and patch number may be left out.
    ///
    /// # Errors
    /// [`InvalidExpectation::VersionedTag`] for any other text.
    pub fn parse(text: &str) -> Result<Self, InvalidExpectation> {
        match Version::parse(text) {
            Some(version) => Ok(Self { text: text.to_owned(), version }),
            None => Err(InvalidExpectation::VersionedTag { found: text.to_owned() }),
        }
    }

    /// The version as it was given.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether `tag` is this version, in every part that this version has. A tag's missing parts are 0.
    pub(super) fn covers(&self, tag: &str) -> bool {
        let Some(tag) = Version::parse(tag) else { return false };
        let zero = || "0".to_owned();
        let Version { major, minor, patch, prerelease } = &self.version;
        *major == tag.major
            && minor.as_ref().is_none_or(|minor| *minor == tag.minor.unwrap_or_else(zero))
            && patch
                .as_ref()
                .is_none_or(|patch| *patch == tag.patch.unwrap_or_else(zero) && *prerelease == tag.prerelease)
    }
}

/// Numbers stay text: they may be longer than any integer type.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Version {
    major: String,
    minor: Option<String>,
    patch: Option<String>,
    prerelease: Option<String>,
}

impl Version {
    fn parse(text: &str) -> Option<Self> {
        let text = text.strip_prefix('v')?;
        let (text, build) = match text.split_once('+') {
            Some((text, build)) => (text, Some(build)),
            None => (text, None),
        };
        let (numbers, prerelease) = match text.split_once('-') {
            Some((numbers, prerelease)) => (numbers, Some(prerelease)),
            None => (text, None),
        };
        let number = |text: &str| {
            let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            digits && (text == "0" || !text.starts_with('0'))
        };
        let word =
            |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        let padded = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit()) && !number(text);
        let numbers: Vec<&str> = numbers.split('.').collect();
        let sound = numbers.len() <= 3
            && numbers.iter().all(|text| number(text))
            && prerelease.is_none_or(|text| text.split('.').all(|part| word(part) && !padded(part)))
            && build.is_none_or(|text| text.split('.').all(word))
            && (numbers.len() == 3 || (prerelease.is_none() && build.is_none()));
        let part = |index: usize| numbers.get(index).map(|text| (*text).to_owned());
        if !sound {
            return None;
        }
        Some(Self { major: part(0)?, minor: part(1), patch: part(2), prerelease: prerelease.map(str::to_owned) })
    }
}
