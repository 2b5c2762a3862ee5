//! The identity of the job or the machine that the process runs in.
//!
//! Each provider is found by what it puts in the environment. One that is found and gives no token is an error: the next
//! one would be somebody else.

mod google;
mod program;
mod services;

use std::fmt;
use std::path::{Path, PathBuf};

use model_transparency::certificate::UnixTime;
use zeroize::Zeroizing;

use super::{IdentityToken, InvalidToken};
use crate::http::Patience;

/// Asks the provider that the process runs in for a token for `audience`. The first of [`Provider::ALL`] that is found
/// is asked, and no other.
///
/// # Errors
/// [`AmbientError`]: [`AmbientError::Nowhere`] if none is found.
pub fn ambient(audience: &str, surroundings: &Surroundings<'_>) -> Result<IdentityToken, AmbientError> {
    for provider in Provider::ALL {
        let text = match provider {
            Provider::GitHubActions => services::github(audience, surroundings),
            Provider::GoogleCloud => google::token(audience, surroundings),
            Provider::Buildkite => services::buildkite(audience, surroundings),
            Provider::GitLab => services::gitlab(audience, surroundings),
            Provider::CircleCi => services::circleci(audience, surroundings),
        };
        if let Some(text) = text? {
            return IdentityToken::parse(&text, audience, (surroundings.clock)())
                .map_err(|source| AmbientError::Token { provider, source });
        }
    }
    Err(AmbientError::Nowhere)
}

/// A token before it is read, or nothing if the provider is not there.
type Found = Result<Option<Zeroizing<String>>, AmbientError>;

/// Who gives identities to what runs there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Provider {
    /// GitHub Actions.
    GitHubActions,
    /// Google Cloud: a service account by name, or that of the machine.
    GoogleCloud,
    /// Buildkite.
    Buildkite,
    /// GitLab CI/CD.
    GitLab,
    /// CircleCI.
    CircleCi,
}

impl Provider {
    /// All of them, in the order in which they are looked for.
    pub const ALL: [Self; 5] = [Self::GitHubActions, Self::GoogleCloud, Self::Buildkite, Self::GitLab, Self::CircleCi];

    /// What it is found by.
    fn sign(self) -> &'static str {
        match self {
            Self::GitHubActions => "`GITHUB_ACTIONS`",
            Self::GoogleCloud => "`GOOGLE_SERVICE_ACCOUNT_NAME`, or a machine of Google's",
            Self::Buildkite => "`BUILDKITE`",
            Self::GitLab => "`GITLAB_CI`",
            Self::CircleCi => "`CIRCLECI`",
        }
    }
}

impl fmt::Display for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::GitHubActions => "GitHub Actions",
            Self::GoogleCloud => "Google Cloud",
            Self::Buildkite => "Buildkite",
            Self::GitLab => "GitLab",
            Self::CircleCi => "CircleCI",
        })
    }
}

/// Where providers are looked for.
pub struct Surroundings<'a> {
    variable: &'a dyn Fn(&str) -> Option<String>,
    clock: &'a dyn Fn() -> UnixTime,
    /// Where the firmware says whose machine it is.
    product_name: PathBuf,
    /// Where a token of another service account is asked for.
    credentials: String,
    patience: Patience,
}

impl<'a> Surroundings<'a> {
    /// The machine that this runs on, with an environment whose variables `variable` looks up, and the time of `clock`.
    #[must_use]
    pub fn new(variable: &'a dyn Fn(&str) -> Option<String>, clock: &'a dyn Fn() -> UnixTime) -> Self {
        Self {
            variable,
            clock,
            product_name: Path::new("/sys/class/dmi/id/product_name").to_owned(),
            credentials: "https://iamcredentials.googleapis.com".to_owned(),
            patience: Patience::default(),
        }
    }

    /// A variable. An empty one is none.
    fn variable(&self, name: &str) -> Option<String> {
        (self.variable)(name).filter(|value| !value.is_empty())
    }
}

/// Why there is no token from where the process runs.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AmbientError {
    /// It runs in no place that is known.
    #[error("found no provider of identities: looked for {}", looked_for())]
    Nowhere,
    /// The workflow does not let its job ask.
    #[error(
        "GitHub Actions gives this job no identity token (`{variable}` is not set): expected \
         `permissions: id-token: write` in the workflow, which one from a fork can't have"
    )]
    NoPermission {
        /// What is not set.
        variable: &'static str,
    },
    /// The job has no token for this audience.
    #[error("GitLab gives this job no identity token: expected `{variable}` under `id_tokens`, with `aud: {audience}`")]
    NoVariable {
        /// What is not set.
        variable: String,
        /// Whom it should be for.
        audience: String,
    },
    /// The provider's own program, which gets tokens, is missing.
    #[error("{provider}: expected the program `{program}` in `PATH`, found none")]
    NoProgram {
        /// Whose.
        provider: Provider,
        /// Its name.
        program: &'static str,
    },
    /// The provider gave no token.
    #[error("{provider}: {asked} {reason}")]
    Refused {
        /// Who.
        provider: Provider,
        /// What was asked: a program or a service.
        asked: String,
        /// What came of it.
        reason: String,
    },
    /// The token can't be used.
    #[error("{provider} gave an identity token that is invalid: {source}")]
    Token {
        /// Who.
        provider: Provider,
        /// What is wrong.
        source: InvalidToken,
    },
}

fn looked_for() -> String {
    let places: Vec<String> =
        Provider::ALL.iter().map(|provider| format!("{provider} ({})", provider.sign())).collect();
    places.join(", ")
}

#[cfg(test)]
mod tests;
