//! Whose signature of provenance counts, where that is no matter of workflows on GitHub: a key, certificates, an identity.

use std::path::{Path, PathBuf};

use model_transparency::certificate::{Certificate, IdentityRule, RevocationList, UnixTime};
use model_transparency::key::PublicKey;
use model_transparency::log::LogKeys;
use model_transparency::provenance::{Named, ProvenanceTrust, Roots};
use model_transparency::sigstore::{SignerRule, SigstoreTrust, TrustedRoot};
use model_transparency::trust::{
    Anchors, CertificateTrust, LogTrust, TimestampAuthority, TimestampTrust, Trust, UnknownLogs,
};

use super::lookup::{InstanceLog, LookupArgs};
use super::policy::PolicyArgs;
use crate::args::{InstanceArgs, TimestampArgs, first_given};
use crate::commands::verify::rule;
use crate::failure::Failure;
use crate::inputs;
use crate::instance::resolve;
use crate::output::Console;

const HEADING: &str = "Provenance: who signed, if no workflow on GitHub did";

/// Who vouches for workflows on GitHub.
const GITHUB: &str = "https://token.actions.githubusercontent.com";

/// Who has to have signed the provenance.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct SignerArgs {
    /// The public key that signed, in PEM: of Tekton Chains, of cosign, or of this tool
    #[arg(long, help_heading = HEADING, value_name = "FILE", visible_alias = "public-key",
          conflicts_with_all = ["certificate_chain", "certificate", "identity", "identity_regexp", "identity_provider"])]
    key: Option<PathBuf>,

    /// Certificates that certify the signer, in PEM (repeatable)
    #[arg(long, help_heading = HEADING, value_name = "FILE")]
    certificate_chain: Vec<PathBuf>,

    /// The signer's certificate, in PEM: an envelope need not bring it, and a bundle has to bring this one
    #[arg(long, help_heading = HEADING, value_name = "FILE")]
    certificate: Option<PathBuf>,

    /// A list of revoked certificates (CRL), in PEM or DER (repeatable)
    #[arg(long, help_heading = HEADING, value_name = "FILE")]
    crl: Vec<PathBuf>,

    /// Whom the certificate has to name
    #[arg(long, help_heading = HEADING, value_name = "IDENTITY", conflicts_with = "identity_regexp",
          visible_aliases = ["certificate-identity", "cert-identity"])]
    identity: Option<String>,

    /// The same as a regular expression, which has to match the whole name
    #[arg(long, help_heading = HEADING, value_name = "REGEXP",
          aliases = ["certificate-identity-regexp", "cert-identity-regex"])]
    identity_regexp: Option<String>,

    /// Who has to vouch for it: the URL of the identity provider [default with a source: GitHub Actions]
    #[arg(long, help_heading = HEADING, value_name = "URL", conflicts_with = "certificate_chain",
          visible_aliases = ["certificate-oidc-issuer", "cert-oidc-issuer"])]
    identity_provider: Option<String>,
}

/// The same beside a command that has such flags of its own.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct ProvenanceSignerArgs {
    /// The public key that signed the provenance, in PEM
    #[arg(long, help_heading = HEADING, value_name = "FILE",
          conflicts_with_all = ["provenance_certificate_chain", "provenance_identity", "provenance_identity_provider"])]
    provenance_key: Option<PathBuf>,

    /// Certificates that certify the provenance's signer, in PEM (repeatable)
    #[arg(long, help_heading = HEADING, value_name = "FILE")]
    provenance_certificate_chain: Vec<PathBuf>,

    /// Whom the certificate that signed the provenance has to name
    #[arg(long, help_heading = HEADING, value_name = "IDENTITY")]
    provenance_identity: Option<String>,

    /// Who has to vouch for the provenance's signer: the URL of the identity provider
    #[arg(long, help_heading = HEADING, value_name = "URL", conflicts_with = "provenance_certificate_chain")]
    provenance_identity_provider: Option<String>,

    /// Ask the instance's log for the entry of provenance that came without one
    #[arg(long, help_heading = HEADING)]
    provenance_online: bool,
}

impl ProvenanceSignerArgs {
    /// The first flag that was given.
    pub(crate) fn first_flag(&self) -> Option<&'static str> {
        let flags = [
            ("--provenance-key", self.provenance_key.is_some()),
            ("--provenance-certificate-chain", !self.provenance_certificate_chain.is_empty()),
            ("--provenance-identity", self.provenance_identity.is_some()),
            ("--provenance-identity-provider", self.provenance_identity_provider.is_some()),
            ("--provenance-online", self.provenance_online),
        ];
        first_given(flags)
    }

    /// What an output must not overwrite.
    pub(crate) fn inputs(&self) -> impl Iterator<Item = (&str, &Path)> {
        let key = self.provenance_key.iter().map(|path| ("the public key", path.as_path()));
        let chain = &self.provenance_certificate_chain;
        key.chain(chain.iter().map(|path| ("the certificate", path.as_path())))
    }

    /// Whether the log is asked.
    pub(crate) fn lookup(&self) -> LookupArgs {
        LookupArgs::of_instance(self.provenance_online)
    }

    /// Under the names of `provenance verify`.
    pub(crate) fn as_signer(&self) -> SignerArgs {
        SignerArgs {
            key: self.provenance_key.clone(),
            certificate_chain: self.provenance_certificate_chain.clone(),
            identity: self.provenance_identity.clone(),
            identity_provider: self.provenance_identity_provider.clone(),
            ..SignerArgs::default()
        }
    }
}

/// Whose signature counts, read.
#[derive(Debug)]
pub(super) struct Signer {
    kind: Kind,
    authorities: Vec<TimestampAuthority>,
    logs: Option<LogKeys>,
    /// The log that may be asked, where it is an instance that vouches for the signer.
    instance_log: Option<InstanceLog>,
    now: UnixTime,
}

#[derive(Debug)]
enum Kind {
    /// A workflow's; whom its certificate has to name stands in the expectations.
    Workflow(Box<Roots>),
    Key(Box<PublicKey>),
    Certificates {
        anchors: Vec<Certificate>,
        identity: Option<IdentityRule>,
        revocation_lists: Vec<RevocationList>,
        certificates: Vec<Vec<u8>>,
    },
    Identity {
        root: Box<TrustedRoot>,
        identity: IdentityRule,
        provider: IdentityRule,
    },
}

impl SignerArgs {
    /// Whether somebody was named.
    pub(super) fn is_given(&self) -> bool {
        self.key.is_some()
            || !self.certificate_chain.is_empty()
            || self.identity.is_some()
            || self.identity_regexp.is_some()
            || self.identity_provider.is_some()
    }

    /// Without a source or a signer there is no verdict.
    pub(super) fn require(&self, policy: &PolicyArgs) -> Result<(), Failure> {
        // Clap's `requires` lets it pass beside a flag that conflicts with what is required.
        for (flag, is_given) in [("--certificate", self.certificate.is_some()), ("--crl", !self.crl.is_empty())] {
            if is_given && self.certificate_chain.is_empty() {
                return Err(Failure::usage(format!("{flag} is for certificates: give it with --certificate-chain")));
            }
        }
        if policy.names_source() || self.is_given() {
            return Ok(());
        }
        let message = "provenance needs an expectation, --source-uri, --repo or --owner, or whose signature counts (--key, \
                       --certificate-chain, --identity): anybody can make provenance of a build of their own";
        Err(Failure::usage(message))
    }

    /// Reads what is trusted, and says what a workflow's certificate has to name.
    pub(super) fn read(
        &self,
        policy: &PolicyArgs,
        instance: &InstanceArgs,
        console: &Console,
    ) -> Result<(Signer, Option<IdentityRule>), Failure> {
        self.require(policy)?;
        let identity = rule("--identity", self.identity.as_deref(), self.identity_regexp.as_deref())?;
        let is_named = self.key.is_some() || !self.certificate_chain.is_empty();
        let is_workflow = !is_named
            && policy.names_source()
            && self.identity_provider.as_deref().is_none_or(|provider| provider == GITHUB);
        if !is_workflow && let Some(flag) = policy.workflow_flag() {
            return Err(Failure::usage(format!("{flag} is about workflows on GitHub, and another signer was named")));
        }
        if is_workflow {
            policy.require_github()?;
            let resolved = resolve(instance, console)?;
            let (log, root) = (InstanceLog::of(&resolved), resolved.root);
            let github = (!instance.is_given()).then(TrustedRoot::github);
            let kind = Kind::Workflow(Box::new(Roots { sigstore: root, github }));
            return Ok((Signer::of(kind).with_log(log), identity));
        }
        let kind = if let Some(path) = &self.key {
            Kind::Key(Box::new(inputs::public_key(path)?))
        } else if !self.certificate_chain.is_empty() {
            let leaf = inputs::certificates("the certificate", self.certificate.as_slice())?;
            Kind::Certificates {
                anchors: inputs::certificates("the certificate", &self.certificate_chain)?,
                identity,
                revocation_lists: inputs::revocation_lists(&self.crl)?,
                certificates: leaf.iter().map(|certificate| certificate.der().to_vec()).collect(),
            }
        } else {
            let provider = rule("--identity-provider", self.identity_provider.as_deref(), None)?;
            match (identity, provider) {
                (Some(identity), Some(provider)) => {
                    let resolved = resolve(instance, console)?;
                    let (log, root) = (InstanceLog::of(&resolved), Box::new(resolved.root));
                    return Ok((Signer::of(Kind::Identity { root, identity, provider }).with_log(log), None));
                }
                (identity, _) => {
                    let missing = if identity.is_none() { "--identity NAME" } else { "--identity-provider URL" };
                    return Err(Failure::usage(format!(
                        "an identity needs {missing} too: anybody can sign with Sigstore"
                    )));
                }
            }
        };
        let mut signer = Signer::of(kind);
        signer.authorities = inputs::timestamp_authorities(&TimestampArgs::default(), instance, console)?;
        if instance.is_given() {
            signer.logs = Some(resolve(instance, console)?.root.log_keys());
        }
        Ok((signer, None))
    }
}

impl Signer {
    fn of(kind: Kind) -> Self {
        Self { kind, authorities: Vec::new(), logs: None, instance_log: None, now: inputs::now() }
    }

    fn with_log(self, log: InstanceLog) -> Self {
        Self { instance_log: Some(log), ..self }
    }

    /// The log of the instance that vouches for the signer, if one does.
    pub(super) fn instance_log(&self) -> Option<&InstanceLog> {
        self.instance_log.as_ref()
    }

    /// As what is trusted.
    pub(super) fn trust(&self) -> ProvenanceTrust<'_> {
        let (trust, certificates): (Trust<'_>, &[Vec<u8>]) = match &self.kind {
            Kind::Workflow(roots) => return ProvenanceTrust::GitHub(roots),
            Kind::Key(key) => (Trust::key(key), &[]),
            Kind::Certificates { anchors, identity, revocation_lists, certificates } => {
                let (anchors, identity) = (Anchors::Given(anchors), identity.as_ref());
                let trust = CertificateTrust { anchors, identity, revocation_lists, now: self.now };
                (Trust::certificates(trust), certificates)
            }
            Kind::Identity { root, identity, provider } => {
                let signer = SignerRule::Named { identity, issuer: provider };
                (Trust::sigstore(SigstoreTrust { root, signer, now: self.now }), &[])
            }
        };
        let mut trust = trust.with_timestamps(TimestampTrust { authorities: &self.authorities, required: false });
        if let Some(logs) = &self.logs {
            let unknown = UnknownLogs::Refuse;
            trust = trust.with_logs(LogTrust { logs, unknown, required: false, now: self.now });
        }
        ProvenanceTrust::Named(Named { trust, certificates })
    }
}
