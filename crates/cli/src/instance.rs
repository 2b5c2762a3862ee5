//! Finding what a command needs of a Sigstore instance: in a file, in the cache, or built in. Nobody is asked.

use std::fmt;
use std::path::{Path, PathBuf};

use model_transparency::certificate::UnixTime;
use model_transparency::sigstore::{Instance, MAX_TRUST_CONFIG_BYTES, SigningConfig, TrustConfig, TrustedRoot};
use model_transparency::trust::{MAX_TRUSTED_ROOT_BYTES, TimestampAuthority};
use model_transparency_remote::tuf::{Publication, TufRepository};

use crate::args::InstanceArgs;
use crate::cache;
use crate::failure::Failure;
use crate::inputs::{now, read_limited};
use crate::output::Console;

/// How old the knowledge of a public instance may be without a word about it.
const MAX_SILENT_AGE_SECONDS: u64 = 180 * 24 * 60 * 60;

/// An instance, as a command uses it.
#[derive(Debug)]
pub(crate) struct ResolvedInstance {
    /// Whose certificates, logs and timestamps count.
    pub(crate) root: TrustedRoot,
    /// The services to sign with, if they are known.
    pub(crate) signing: Option<SigningConfig>,
    /// Where both come from.
    pub(crate) source: Source,
}

/// Where the knowledge of an instance comes from. `Display` names it for messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// `--trust-config`
    TrustConfig(PathBuf),
    /// `--trusted-root`
    TrustedRoot(PathBuf),
    /// What the tool was built with.
    Embedded(Instance),
    /// What a public instance published, as the cache has it.
    Cached(Instance, UnixTime),
    /// What the TUF repository of another one published, as the cache has it.
    Mirror(String, UnixTime),
}

impl Source {
    /// Of what time it is, where that is known.
    pub(crate) fn date(&self) -> Option<UnixTime> {
        match self {
            Self::TrustConfig(_) | Self::TrustedRoot(_) => None,
            Self::Embedded(_) => Some(Instance::embedded_since()),
            Self::Cached(_, date) | Self::Mirror(_, date) => Some(*date),
        }
    }

    /// The public instance that it is about.
    pub(crate) fn public(&self) -> Option<Instance> {
        match self {
            Self::Embedded(instance) | Self::Cached(instance, _) => Some(*instance),
            Self::TrustConfig(_) | Self::TrustedRoot(_) | Self::Mirror(..) => None,
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TrustConfig(path) => write!(f, "the trust configuration `{}`", path.display()),
            Self::TrustedRoot(path) => write!(f, "the trusted root `{}`", path.display()),
            Self::Embedded(instance) => write!(f, "{instance} as of {}, built in", Instance::EMBEDDED_SINCE),
            Self::Cached(instance, date) => write!(f, "{instance} as of {date}"),
            Self::Mirror(repository, date) => write!(f, "the instance of `{repository}` as of {date}"),
        }
    }
}

/// Finds the instance that is meant. Opens no connection.
pub(crate) fn resolve(args: &InstanceArgs, console: &Console) -> Result<ResolvedInstance, Failure> {
    if let Some(path) = &args.trust_config {
        let TrustConfig { root, signing } = trust_config(path)?;
        return Ok(ResolvedInstance { root, signing, source: Source::TrustConfig(path.clone()) });
    }
    if let Some(path) = &args.trusted_root {
        let json = read_trusted_root(path)?;
        let root = TrustedRoot::from_json(&json).map_err(|error| invalid_root(path, &error.to_string()))?;
        return Ok(ResolvedInstance { root, signing: None, source: Source::TrustedRoot(path.clone()) });
    }
    let instance = args.public();
    let found = newest(instance, cache::read(&TufRepository::public(instance)), console);
    note_age(&found.source, console);
    Ok(found)
}

/// The instance of a TUF repository, as the cache has it.
pub(crate) fn mirrored(repository: &TufRepository) -> Result<(ResolvedInstance, Publication), Failure> {
    let publication = cache::read(repository)?.ok_or_else(|| nothing_kept(repository))?;
    let source = Source::Mirror(publication.repository().to_owned(), publication.refreshed());
    Ok((published(&publication, source), publication))
}

/// The copy in the cache that there is none of.
pub(crate) fn nothing_kept(repository: &TufRepository) -> Failure {
    Failure::could_not_check("not_in_cache", format!("the cache has no copy of what `{repository}` published")).with_hint(
        "`model-signing trust update --mirror URL --root FILE` fetches it; `model-signing trust import FILE` takes it from \
         another machine",
    )
}

/// The timestamp authorities of the instance that was named; none if none was.
///
/// For methods that need no more of an instance: a trusted root may have nothing else.
pub(crate) fn timestamp_authorities(
    args: &InstanceArgs,
    console: &Console,
) -> Result<Vec<TimestampAuthority>, Failure> {
    if !args.is_given() {
        return Ok(Vec::new());
    }
    let Some(path) = &args.trusted_root else {
        let instance = resolve(args, console)?;
        let authorities = instance.root.timestamp_authorities().to_vec();
        return some(authorities)
            .map_err(|reason| Failure::rejected("invalid_trusted_root", format!("{}: {reason}", instance.source)));
    };
    let invalid = |reason: String| invalid_root(path, &reason);
    let authorities = TimestampAuthority::from_trusted_root(&read_trusted_root(path)?);
    some(authorities.map_err(|error| invalid(error.to_string()))?).map_err(invalid)
}

fn some(authorities: Vec<TimestampAuthority>) -> Result<Vec<TimestampAuthority>, String> {
    if authorities.is_empty() { Err("expected timestamp authorities, found none".to_owned()) } else { Ok(authorities) }
}

/// Reads a trust configuration.
pub(crate) fn trust_config(path: &Path) -> Result<TrustConfig, Failure> {
    const WHAT: &str = "the trust configuration";
    let json = read_limited(WHAT, path, MAX_TRUST_CONFIG_BYTES as u64 + 1)?;
    TrustConfig::from_json(&json)
        .map_err(|error| Failure::rejected("invalid_trust_config", format!("{WHAT} `{}`: {error}", path.display())))
}

const TRUSTED_ROOT: &str = "the trusted root";

fn read_trusted_root(path: &Path) -> Result<Vec<u8>, Failure> {
    Ok(read_limited(TRUSTED_ROOT, path, MAX_TRUSTED_ROOT_BYTES as u64 + 1)?.to_vec())
}

fn invalid_root(path: &Path, reason: &str) -> Failure {
    Failure::rejected("invalid_trusted_root", format!("{TRUSTED_ROOT} `{}`: {reason}", path.display()))
}

/// The newer one of what is built in and what is kept.
///
/// A copy that can't be believed is passed over with a warning, not refused: whoever can break it can as well take it
/// away, and what is built in is good on its own.
fn newest(instance: Instance, kept: Result<Option<Publication>, Failure>, console: &Console) -> ResolvedInstance {
    match kept {
        Ok(Some(publication)) if publication.refreshed() > Instance::embedded_since() => {
            published(&publication, Source::Cached(instance, publication.refreshed()))
        }
        Ok(_) => embedded(instance),
        Err(failure) => {
            console.warn(&format!("{}; what is built in is used", failure.message));
            embedded(instance)
        }
    }
}

fn published(publication: &Publication, source: Source) -> ResolvedInstance {
    let TrustConfig { root, signing } = publication.config().clone();
    ResolvedInstance { root, signing, source }
}

pub(crate) fn embedded(instance: Instance) -> ResolvedInstance {
    ResolvedInstance {
        root: TrustedRoot::embedded(instance),
        signing: Some(SigningConfig::embedded(instance)),
        source: Source::Embedded(instance),
    }
}

fn note_age(source: &Source, console: &Console) {
    let Some(date) = source.date() else { return };
    if is_old(date, now()) {
        console.note(&format!("{source}, is what the tool knows; `model-signing trust update` asks for what is new"));
    }
}

fn is_old(date: UnixTime, now: UnixTime) -> bool {
    now.0.saturating_sub(date.0) > MAX_SILENT_AGE_SECONDS
}

#[cfg(test)]
#[expect(dead_code, reason = "the tests of the command use the rest")]
#[path = "../tests/cli/trust/repository.rs"]
mod repository;

#[cfg(test)]
mod tests {
    use super::repository::Repository;
    use super::*;
    use crate::args::{Format, LogLevel};

    #[test]
    fn what_is_kept_counts_where_it_can_be_believed() {
        let console = Console::new(Format::Json, LogLevel::Error);
        let found = newest(Instance::Staging, Ok(None), &console);
        assert_eq!(found.source, Source::Embedded(Instance::Staging));
        let found = newest(Instance::Production, Err(Failure::rejected("invalid", "it is broken")), &console);
        assert_eq!(found.source, Source::Embedded(Instance::Production));
    }

    #[test]
    fn what_is_kept_counts_where_it_is_newer_than_what_is_built_in() {
        let console = Console::new(Format::Json, LogLevel::Error);
        let staging = Instance::Staging;
        let published = Repository::start(staging.trusted_root_json(), staging.signing_config_json());
        let repository = TufRepository::private(&published.url(), Some(published.root(1))).expect("a repository");
        let since = Instance::embedded_since();
        for (time, is_newer) in [(since.0 - 1, false), (since.0, false), (since.0 + 1, true)] {
            let time = UnixTime(time);
            let publication = Publication::fetch(&repository, None, time).expect("it is honest");
            let found = newest(staging, Ok(Some(publication)), &console);
            let expected = if is_newer { Source::Cached(staging, time) } else { Source::Embedded(staging) };
            assert_eq!(found.source, expected);
            assert!(found.signing.is_some_and(|signing| !signing.services().is_empty()));
        }
    }

    #[test]
    fn old_knowledge_is_half_a_year_old() {
        let day = 24 * 60 * 60;
        let since = Instance::embedded_since();
        assert!(!is_old(since, UnixTime(since.0 + 180 * day)));
        assert!(is_old(since, UnixTime(since.0 + 180 * day + 1)));
        assert!(!is_old(since, UnixTime(0)));
    }
}
