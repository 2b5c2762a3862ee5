//! Finding what a command needs of a Sigstore instance: in a file, in the cache, or built in. Nobody is asked.

use std::fmt;
use std::path::{Path, PathBuf};

use model_transparency::certificate::UnixTime;
use model_transparency::sigstore::{Instance, MAX_TRUST_CONFIG_BYTES, SigningConfig, TrustConfig, TrustedRoot};
use model_transparency::trust::{MAX_TRUSTED_ROOT_BYTES, TimestampAuthority};

use crate::args::InstanceArgs;
use crate::failure::Failure;
use crate::inputs::{now, read_limited};
use crate::output::Console;

/// How old what is built in may be without a word about it.
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
}

impl Source {
    /// Of what time it is, where that is known.
    pub(crate) fn date(&self) -> Option<UnixTime> {
        match self {
            Self::TrustConfig(_) | Self::TrustedRoot(_) => None,
            Self::Embedded(_) => Some(Instance::embedded_since()),
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TrustConfig(path) => write!(f, "the trust configuration `{}`", path.display()),
            Self::TrustedRoot(path) => write!(f, "the trusted root `{}`", path.display()),
            Self::Embedded(instance) => write!(f, "{instance} as of {}, built in", Instance::EMBEDDED_SINCE),
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
    Ok(embedded(args.public(), console))
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

fn embedded(instance: Instance, console: &Console) -> ResolvedInstance {
    let since = Instance::embedded_since();
    if now().0.saturating_sub(since.0) > MAX_SILENT_AGE_SECONDS {
        console.note(&format!(
            "{instance} is known as of {}, when this tool was built; `model-signing trust update` asks for what is new",
            Instance::EMBEDDED_SINCE
        ));
    }
    ResolvedInstance {
        root: TrustedRoot::embedded(instance),
        signing: Some(SigningConfig::embedded(instance)),
        source: Source::Embedded(instance),
    }
}
