//! Whom to ask about a new signature: timestamp authorities and transparency logs.

use std::path::{Path, PathBuf};

use model_transparency::envelope::{Bundle, LogEntryRecord};
use model_transparency::log::LogKeys;
use model_transparency::sign::{Log, Timestamper, Witnesses};
use model_transparency::sigstore::{Service, ServiceKind, Services, TrustedRoot};
use model_transparency::trust::{LogTrust, TimestampAuthority, UnknownLogs};
use model_transparency_remote::InvalidEndpoint;
use model_transparency_remote::sigstore::{Rekor, RekorVersion};
use model_transparency_remote::timestamp::HttpTimestamper;

use super::reuse::Believed;
use crate::args::{InstanceArgs, LogArgs, RekorVersionArg, StampArgs};
use crate::failure::Failure;
use crate::inputs::{certificates, now};
use crate::instance::{self, ResolvedInstance};
use crate::output::Console;

const TSA_CERTIFICATE: &str = "the timestamp authority's certificate";

/// Whom to ask about the signature of a key that is kept.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct WitnessArgs {
    #[command(flatten)]
    stamp: StampArgs,

    #[command(flatten)]
    log: LogArgs,

    #[command(flatten)]
    instance: InstanceArgs,
}

/// Those who are asked.
#[derive(Debug, Default)]
pub(crate) struct Asked {
    timestampers: Vec<HttpTimestamper>,
    logs: Vec<Rekor>,
    /// Whose entries count; a signer that rests on an instance needs none.
    log_keys: Option<LogKeys>,
}

impl WitnessArgs {
    /// What the signature must not overwrite.
    pub(crate) fn inputs(&self) -> impl Iterator<Item = (&str, &Path)> {
        let authorities = self.stamp.tsa_certificate_chain.iter();
        authorities.map(|path| (TSA_CERTIFICATE, path.as_path())).chain(self.instance.inputs())
    }

    /// Who is believed about an older signature.
    pub(crate) fn believed(&self) -> Believed<'_> {
        Believed { instance: &self.instance, timestamp_certificates: &self.stamp.tsa_certificate_chain }
    }

    /// Finds those who are to be asked.
    pub(crate) fn find(&self, console: &Console) -> Result<Asked, Failure> {
        let version = self.log.rekor_version;
        let (authorities, chain) = (self.stamp.tsa_url.as_slice(), self.stamp.tsa_certificate_chain.as_slice());
        Asked::by_name(authorities, chain, self.log.rekor_url.as_slice(), version, &self.instance, console)
    }
}

/// The version of a log that an instance's signing configuration lists; else the one that most have.
pub(super) fn listed_version(instance: &ResolvedInstance, url: &str) -> u32 {
    let mut listed = instance.signing.iter().flat_map(|config| config.services());
    let same = |other: &str| other.trim_end_matches('/') == url.trim_end_matches('/');
    let is_it = |service: &Service| service.kind == ServiceKind::Rekor && same(&service.url);
    listed.find(|service| is_it(service)).map_or(1, |service| service.version)
}

impl Asked {
    /// Those who are named for the signature of a key that is kept.
    pub(super) fn by_name(
        authorities: &[String],
        authority_certificates: &[PathBuf],
        logs: &[String],
        version: Option<RekorVersionArg>,
        instance: &InstanceArgs,
        console: &Console,
    ) -> Result<Self, Failure> {
        let mut asked = Self::default();
        if !authorities.is_empty() {
            let mut trusted = instance::timestamp_authorities(instance, console)?;
            let certificates = certificates(TSA_CERTIFICATE, authority_certificates)?;
            if !certificates.is_empty() {
                trusted.push(TimestampAuthority::new(certificates));
            }
            for url in authorities {
                asked.add_timestamper("--tsa-url", url, trusted.clone())?;
            }
        }
        if !logs.is_empty() {
            let instance = instance::resolve(instance, console)?;
            for url in logs {
                let version = version.map_or_else(|| listed_version(&instance, url), RekorVersionArg::major);
                asked.add_log("--rekor-url", url, version)?;
            }
            asked.log_keys = Some(instance.root.log_keys());
        }
        Ok(asked)
    }

    /// The services of an instance.
    pub(super) fn of(services: &Services, root: &TrustedRoot) -> Result<Self, Failure> {
        let mut asked = Self::default();
        if !services.tsa.is_empty() && root.timestamp_authorities().is_empty() {
            // Else this would be found out when the log, which forgets nothing, has the signature.
            return Err(Failure::rejected(
                "invalid_trusted_root",
                "the trusted root has no timestamp authority, so no timestamp would hold: expected that of each in use",
            ));
        }
        for url in &services.tsa {
            asked.add_timestamper("the timestamp authority", url, root.timestamp_authorities().to_vec())?;
        }
        for log in &services.rekor {
            asked.add_log("the transparency log", &log.url, log.version)?;
        }
        Ok(asked)
    }

    /// Where they are.
    pub(super) fn urls(&self) -> impl Iterator<Item = String> {
        self.logs.iter().map(Rekor::url).chain(self.timestampers.iter().map(HttpTimestamper::url))
    }

    /// Has them asked by `sign`.
    pub(super) fn ask<T>(&self, sign: impl FnOnce(Witnesses<'_>) -> T) -> T {
        let timestampers: Vec<&dyn Timestamper> = self.timestampers.iter().map(|one| one as _).collect();
        let logs: Vec<&dyn Log> = self.logs.iter().map(|log| log as _).collect();
        sign(Witnesses { timestampers: &timestampers, logs: &logs, trusted_logs: self.trusted_logs() })
    }

    /// The entries of a new bundle, each with where its log is.
    pub(super) fn log_entries(&self, bundle: &Bundle) -> Vec<(String, LogEntryRecord)> {
        self.logs.iter().map(Rekor::url).zip(bundle.log_entries().to_vec()).collect()
    }

    /// Whose entries count.
    fn trusted_logs(&self) -> Option<LogTrust<'_>> {
        let trust = |logs| LogTrust { logs, unknown: UnknownLogs::Refuse, required: true, now: now() };
        self.log_keys.as_ref().map(trust)
    }

    fn add_timestamper(&mut self, what: &str, url: &str, trusted: Vec<TimestampAuthority>) -> Result<(), Failure> {
        self.timestampers.push(HttpTimestamper::new(url, trusted).map_err(|error| invalid_endpoint(what, &error))?);
        Ok(())
    }

    fn add_log(&mut self, what: &str, url: &str, version: u32) -> Result<(), Failure> {
        let unknown = || Failure::usage(format!("{what}: expected Rekor 1 or 2, found version {version}"));
        let version = RekorVersion::from_major(version).ok_or_else(unknown)?;
        self.logs.push(Rekor::new(url, version).map_err(|error| invalid_endpoint(what, &error))?);
        Ok(())
    }
}

/// A service that can't be asked; `what` names it or its option.
pub(super) fn invalid_endpoint(what: &str, error: &InvalidEndpoint) -> Failure {
    match error {
        InvalidEndpoint::Client(_) => Failure::could_not_check("not_signed", error.to_string()),
        InvalidEndpoint::Url(_) | InvalidEndpoint::Scheme { .. } => Failure::usage(format!("{what}: {error}")),
    }
}
