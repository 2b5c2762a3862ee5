//! A Sigstore instance as a value: whose certificates, logs and timestamps count.

use std::fmt;
use std::sync::Arc;

use sigstore_verify::Verifier;
use sigstore_verify::trust_root::{SigstoreInstance, TrustedRoot as Document};
use sigstore_verify::types::TimeRange;

use super::verification::unix;

use crate::certificate::{Certificate, UnixTime};
use crate::log::LogKeys;
use crate::trust::{InvalidTrustedRoot, TimestampAuthority};

/// A public Sigstore instance, whose trusted root the tool was built with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Instance {
    /// The public-good instance (`sigstore.dev`).
    Production,
    /// The instance for trying things out (`sigstage.dev`).
    Staging,
}

impl Instance {
    /// The day of the trusted root and the signing configuration that the tool was built with (ISO 8601).
    ///
    /// The crate that has them was released on 2026-10-23 and renewed them after its release before, which was on this
    /// day: they are of this day or later.
    pub const EMBEDDED_SINCE: &'static str = "2026-10-13";

    /// The beginning of [`Self::EMBEDDED_SINCE`].
    #[must_use]
    pub fn embedded_since() -> UnixTime {
        UnixTime::parse(&format!("{}T00:00:00Z", Self::EMBEDDED_SINCE)).expect("the day is tested")
    }

    /// The trusted root that the tool was built with, as JSON.
    #[must_use]
    pub fn trusted_root_json(self) -> &'static str {
        self.embedded().embedded_trusted_root_json()
    }

    /// The signing configuration that the tool was built with, as JSON.
    #[must_use]
    pub fn signing_config_json(self) -> &'static str {
        self.embedded().embedded_signing_config_json().expect("both instances have one")
    }

    const fn embedded(self) -> SigstoreInstance {
        match self {
            Self::Production => SigstoreInstance::PublicGood,
            Self::Staging => SigstoreInstance::Staging,
        }
    }
}

impl fmt::Display for Instance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Production => "Sigstore's public-good instance",
            Self::Staging => "Sigstore's staging instance",
        })
    }
}

/// A trusted root (`trusted_root.json`), checked: certificate authorities, transparency logs, logs of certificates and
/// timestamp authorities, each with the period in which it counts.
#[derive(Clone)]
pub struct TrustedRoot {
    inner: Arc<Inner>,
}

struct Inner {
    document: Document,
    verifier: Verifier,
    authorities: Vec<Certificate>,
    timestamp_authorities: Vec<TimestampAuthority>,
}

impl TrustedRoot {
    /// Reads a trusted root (`application/vnd.dev.sigstore.trustedroot+json`, any version of 0.1 or 0.2).
    ///
    /// # Errors
    /// [`InvalidTrustedRoot`]: what is wrong. One entry that can't be used makes the whole unusable.
    pub fn from_json(json: &[u8]) -> Result<Self, InvalidTrustedRoot> {
        // Checks size and media type too.
        let timestamp_authorities = TimestampAuthority::from_trusted_root(json)?;
        let document: Document = serde_json::from_slice(json)?;
        let verifier =
            Verifier::new(&document).map_err(|error| InvalidTrustedRoot::Unusable { reason: error.to_string() })?;
        let chains = document.certificate_authorities.iter().map(|authority| &authority.cert_chain.certificates);
        let authorities = chains.flatten().map(|certificate| Certificate::from_der(certificate.raw_bytes.as_bytes()));
        let authorities = authorities.collect::<Result<_, _>>();
        let authorities = authorities
            .map_err(|error| InvalidTrustedRoot::Unusable { reason: format!("`certificateAuthorities`: {error}") })?;
        Ok(Self { inner: Arc::new(Inner { document, verifier, authorities, timestamp_authorities }) })
    }

    /// The trusted root of an instance, as the tool was built with it.
    #[must_use]
    pub fn embedded(instance: Instance) -> Self {
        Self::from_json(instance.trusted_root_json().as_bytes()).expect("the embedded roots are tested")
    }

    /// The trusted root of GitHub's own instance, as the tool was built with it: it certifies the workflows of private
    /// repositories, and has timestamps, but no log.
    #[must_use]
    pub fn github() -> Self {
        Self::from_json(SigstoreInstance::GitHub.embedded_trusted_root_json().as_bytes())
            .expect("the embedded roots are tested")
    }

    /// The authorities whose timestamps count.
    #[must_use]
    pub fn timestamp_authorities(&self) -> &[TimestampAuthority] {
        &self.inner.timestamp_authorities
    }

    /// Whether one of its certificate authorities, by name and by key, says that it issued `certificate`. The signature is
    /// another matter.
    #[must_use]
    pub fn may_have_issued(&self, certificate: &Certificate) -> bool {
        self.inner.authorities.iter().any(|authority| authority.may_have_issued(certificate))
    }

    /// Whether one of its certificate authorities signed `certificate`. What it may be used for, and when, is another matter.
    pub(crate) fn has_issued(&self, certificate: &Certificate) -> bool {
        let issued =
            |authority: &Certificate| authority.may_have_issued(certificate) && certificate.is_signed_by(authority);
        self.inner.authorities.iter().any(issued)
    }

    /// The certificates of the authorities that count at this time.
    pub(crate) fn authorities_at(&self, time: UnixTime) -> Vec<Certificate> {
        let is_in = |period: &TimeRange| unix(period.start) <= time && period.end.is_none_or(|end| time <= unix(end));
        let authorities = self.document().certificate_authorities.iter();
        let authorities = authorities.filter(|authority| authority.valid_for.as_ref().is_none_or(is_in));
        let certificates = authorities.flat_map(|authority| &authority.cert_chain.certificates);
        certificates.filter_map(|certificate| Certificate::from_der(certificate.raw_bytes.as_bytes()).ok()).collect()
    }

    /// The transparency logs whose signatures count.
    #[must_use]
    pub fn log_keys(&self) -> LogKeys {
        LogKeys::of(self.document())
    }

    pub(crate) fn document(&self) -> &Document {
        &self.inner.document
    }

    pub(crate) fn verifier(&self) -> &Verifier {
        &self.inner.verifier
    }
}

impl fmt::Debug for TrustedRoot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Document { certificate_authorities, tlogs, ctlogs, timestamp_authorities, .. } = self.document();
        f.debug_struct("TrustedRoot")
            .field("certificate_authorities", &certificate_authorities.len())
            .field("tlogs", &tlogs.len())
            .field("ctlogs", &ctlogs.len())
            .field("timestamp_authorities", &timestamp_authorities.len())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sigstore::SigningConfig;

    #[test]
    fn embedded_roots_are_usable() {
        for instance in [Instance::Production, Instance::Staging] {
            let root = TrustedRoot::embedded(instance);
            assert!(!root.timestamp_authorities().is_empty(), "{instance}");
            assert!(!SigningConfig::embedded(instance).services().is_empty(), "{instance}");
        }
        let github = TrustedRoot::github();
        assert!(!github.timestamp_authorities().is_empty());
        assert!(github.document().tlogs.is_empty() && github.document().ctlogs.is_empty());
        assert_eq!(Instance::embedded_since().to_string(), "2026-10-13T00:00:00Z");
    }
}
