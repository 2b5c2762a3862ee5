//! Asking a transparency log for the entry of an envelope that was published without it.

use model_transparency::provenance::{
    Document, Expectations, JudgedProvenance, ProvenanceError, ProvenanceTrust, UnloggedEnvelope, check_document, judge,
};
use model_transparency::sigstore::{Service, ServiceKind};
use model_transparency_remote::sigstore::RekorSearch;

use crate::failure::Failure;
use crate::instance::ResolvedInstance;

const HEADING: &str = "Provenance: what only the log knows";
/// How many envelopes of a file are looked up, with three requests each.
const MAX_LOOKUPS: usize = 16;

/// Whether the log is asked, and which one.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct LookupArgs {
    /// Ask the log for the entry of a DSSE envelope that came without one, as slsa-github-generator's did up to v2.0.0
    ///
    /// The log learns the hashes of the envelope and of what it says. Nobody is asked about bundles, which have their
    /// entries with them.
    #[arg(long, help_heading = HEADING)]
    online: bool,

    /// The log to ask (Rekor, version 1) [default: the instance's]
    #[arg(long, help_heading = HEADING, value_name = "URL", requires = "online")]
    rekor_url: Option<String>,
}

/// A log that is asked.
pub(super) struct Lookup {
    log: RekorSearch,
    left: usize,
}

impl LookupArgs {
    /// The log of the instance is asked, or nobody.
    pub(super) fn of_instance(online: bool) -> Self {
        Self { online, rekor_url: None }
    }

    /// The log to ask, if one is to be; `of_instance` is that of the instance whose certificates count, if they do.
    /// Opens no connection.
    pub(super) fn open(&self, of_instance: Option<&InstanceLog>) -> Result<Option<Lookup>, Failure> {
        if !self.online {
            return Ok(None);
        }
        let Some(InstanceLog(of_instance)) = of_instance else {
            let message =
                "a log is asked about the certificates of a Sigstore instance, and a key or certificates were named";
            return Err(Failure::usage(message));
        };
        let url = self.rekor_url.as_ref().or(of_instance.as_ref());
        let url = url.ok_or_else(|| Failure::usage("the instance names no log to ask: --rekor-url names one"))?;
        let log = RekorSearch::new(url).map_err(|error| Failure::usage(format!("the log `{url}`: {error}")))?;
        Ok(Some(Lookup { log, left: MAX_LOOKUPS }))
    }
}

/// The log that an instance has for lookups, if it names one.
#[derive(Debug)]
pub(super) struct InstanceLog(Option<String>);

impl InstanceLog {
    /// The one with version 1 in the signing configuration, whenever it is signed with; else the trusted root's first.
    pub(super) fn of(instance: &ResolvedInstance) -> Self {
        let services = || instance.signing.iter().flat_map(|config| config.services());
        let mut logs = services().filter(|service| service.kind == ServiceKind::Rekor);
        let is_v1 = |service: &&Service| service.version == 1;
        let listed = logs.find(is_v1).map(|service| service.url.clone());
        Self(listed.or_else(|| instance.root.log_keys().iter().next().map(|log| log.base_url().to_owned())))
    }
}

impl Lookup {
    /// Where the log is.
    pub(super) fn url(&self) -> String {
        self.log.url()
    }

    /// Judges an envelope by the first of its entries with which it holds.
    pub(super) fn judge(
        &mut self,
        envelope: &[u8],
        certificate_chain_pem: Option<&[u8]>,
        trust: ProvenanceTrust<'_>,
        expected: &Expectations,
    ) -> Result<JudgedProvenance, Failure> {
        let unlogged = UnloggedEnvelope::read(envelope, certificate_chain_pem)?;
        let url = self.url();
        let not_found = |reason: &str| Failure::could_not_check("no_log_entry", reason);
        self.left = self.left.checked_sub(1).ok_or_else(|| {
            not_found(&format!("the log is asked about {MAX_LOOKUPS} envelopes of a file, and this is one more"))
        })?;
        let entries = self.log.entries(&unlogged.search_hashes());
        let entries = entries.map_err(|error| Failure::could_not_check("log_unreadable", error.to_string()))?;
        let check = |document: Document| check_document(&document, trust);
        let mut refused: Option<ProvenanceError> = None;
        for entry in &entries {
            match unlogged.with_entry(entry).and_then(check) {
                // What it says is the same with every entry.
                Ok(signed) => return judge(signed, expected).map_err(Failure::from),
                Err(error) => refused = refused.or(Some(error)),
            }
        }
        let Some(error) = refused else {
            return Err(not_found(&format!(
                "the transparency log `{url}` finds no entry of this envelope, and only the log says that the certificate was \
                 valid when it was signed"
            )));
        };
        let failure = Failure::from(error);
        Err(Failure { message: format!("the entry that the log `{url}` gave: {}", failure.message), ..failure })
    }
}
