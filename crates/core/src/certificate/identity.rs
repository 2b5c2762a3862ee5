//! Whom a certificate has to name.

use regex::Regex;

use super::Certificate;

/// The longest pattern that is compiled, in bytes.
const MAX_PATTERN_BYTES: usize = 4_096;

/// What one of the names in a certificate has to be: an alternative name, or the subject (RFC 4514).
#[derive(Clone, Debug)]
pub enum IdentityRule {
    /// Exactly this text.
    Exact(String),
    /// A text that matches as a whole; an alternative name unless the pattern has an `=`.
    Pattern(Regex),
}

impl IdentityRule {
    /// A rule of a regular expression, which has to match a whole name.
    ///
    /// # Errors
    /// [`InvalidIdentityRule`] if it is not one, or is too long.
    pub fn pattern(pattern: &str) -> Result<Self, InvalidIdentityRule> {
        if pattern.len() > MAX_PATTERN_BYTES {
            return Err(InvalidIdentityRule::TooLong { found: pattern.len() });
        }
        // Compiled on its own first: `a)(b` must not come to life between the brackets.
        // The library draws the place on lines of its own; the last line says what is wrong.
        let syntax = |error: regex::Error| {
            let text = error.to_string();
            InvalidIdentityRule::Syntax(
                text.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned(),
            )
        };
        Regex::new(pattern).map_err(syntax)?;
        let whole = Regex::new(&format!(r"\A(?:{pattern})\z"));
        whole.map(Self::Pattern).map_err(syntax)
    }

    /// The name in `certificate` that fits, if there is one.
    ///
    /// A pattern is meant for a subject, `CN=…,O=…`, if it has an `=` in it: `.*@example\.com` is about mailboxes, and not
    /// about somebody whose common name ends so.
    #[must_use]
    pub fn find(&self, certificate: &Certificate) -> Option<String> {
        let names = match self {
            Self::Pattern(pattern) if !pattern.as_str().contains('=') => certificate.alternative_names(),
            Self::Exact(_) | Self::Pattern(_) => certificate.names(),
        };
        names.into_iter().find(|name| self.fits(name))
    }

    /// Whether `name` is what is asked for.
    #[must_use]
    pub fn fits(&self, name: &str) -> bool {
        match self {
            Self::Exact(text) => name == text,
            Self::Pattern(pattern) => pattern.is_match(name),
        }
    }
}

impl std::fmt::Display for IdentityRule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Exact(text) => write!(f, "`{text}`"),
            Self::Pattern(pattern) => {
                let whole = pattern.as_str();
                let inner = whole.strip_prefix(r"\A(?:").and_then(|rest| rest.strip_suffix(r")\z"));
                write!(f, "a match of `{}`", inner.unwrap_or(whole))
            }
        }
    }
}

/// Why a text is not a rule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidIdentityRule {
    /// It is not a regular expression.
    #[error("not a regular expression: {0}")]
    Syntax(String),
    /// It is longer than any that is compiled.
    #[error("expected a regular expression of at most {MAX_PATTERN_BYTES} bytes, found {found}")]
    TooLong {
        /// Its length in bytes.
        found: usize,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_whole_names_only() {
        let IdentityRule::Pattern(pattern) = IdentityRule::pattern("a|b+").expect("valid") else { panic!("a pattern") };
        assert!(pattern.is_match("a") && pattern.is_match("bb"));
        assert!(!pattern.is_match("ab") && !pattern.is_match("a\n") && !pattern.is_match("xa"));
        for broken in ["(", "a)(b", "a{1000000000}", &"x".repeat(MAX_PATTERN_BYTES + 1)] {
            IdentityRule::pattern(broken).expect_err(broken);
        }
        let comment = IdentityRule::pattern("(?x) a # comment").map(|rule| rule.to_string());
        assert!(comment.is_err(), "a comment would swallow the end: {comment:?}");
    }
}
