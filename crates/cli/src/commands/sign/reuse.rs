//! `sign --reuse`: digests of files that did not change, from an older signature of the model.

use std::path::{Path, PathBuf};

use model_transparency::envelope::{Bundle, Statement};
use model_transparency::manifest::Parameters;
use model_transparency::model::{LocalModel, ModelSource};
use model_transparency::sigstore::{SignerRule, SigstoreTrust};
use model_transparency::trust::{Anchors, CertificateTrust, SignerTrust, TimestampTrust, Trust};
use model_transparency::verify::check_signature;

use crate::args::{HashingArgs, InstanceArgs, RECEIPTS, ReceiptArgs, TimestampArgs, first_given};
use crate::commands::verify::rule;
use crate::failure::Failure;
use crate::inputs::{self, Inside, inside, now};
use crate::instance::resolve;
use crate::output::{Console, hashing as hashing_text};

/// What of an older signature is used, and whose it has to be.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct ReuseArgs {
    /// An older signature of the model: what it says of files is taken from it, if their receipt says that they were not
    /// changed. Keeps a receipt too
    #[arg(long, help_heading = RECEIPTS, value_name = "SIGNATURE_PATH")]
    reuse: Option<PathBuf>,

    /// The public key that verifies the older signature, in PEM [default: the key or certificate that signs now]
    #[arg(long, help_heading = RECEIPTS, value_name = "FILE",
          conflicts_with_all = ["reuse_certificate_chain", "reuse_identity", "reuse_identity_provider"])]
    reuse_public_key: Option<PathBuf>,

    /// Certificates that certify whoever made the older signature, in PEM (repeatable)
    #[arg(long, help_heading = RECEIPTS, value_name = "FILE", conflicts_with = "reuse_identity_provider")]
    reuse_certificate_chain: Vec<PathBuf>,

    /// Whom the certificate of the older signature has to name
    #[arg(long, help_heading = RECEIPTS, value_name = "IDENTITY")]
    reuse_identity: Option<String>,

    /// Who has to vouch for whoever made the older signature: the URL of the identity provider
    #[arg(long, help_heading = RECEIPTS, value_name = "URL", requires = "reuse_identity")]
    reuse_identity_provider: Option<String>,

    /// Keep a receipt of what is hashed, for `verify --receipt` and the next `sign --reuse`
    #[arg(long, help_heading = RECEIPTS)]
    receipt: bool,

    #[command(flatten)]
    pub(super) rules: ReceiptArgs,
}

/// Who is believed about an older signature, besides its signer.
#[derive(Clone, Copy)]
pub(super) struct Believed<'a> {
    /// Where identities are certified, and whose timestamps count.
    pub(super) instance: &'a InstanceArgs,
    /// Those of other authorities whose timestamps count.
    pub(super) timestamp_certificates: &'a [PathBuf],
}

impl ReuseArgs {
    /// Says that the older signature is part of the model, if it is.
    pub(super) fn warn(&self, model: &LocalModel, console: &Console) {
        if let Some(old) = &self.reuse
            && let Inside::Yes(inner) = inside(model.location(), old)
            && model.files().iter().any(|file| file.path.as_str() == inner)
        {
            console.warn(&format!(
                "`{}` is in the model, and is signed with it: --ignore-paths leaves it out",
                old.display()
            ));
        }
    }

    /// Refuses flags that mean nothing without others.
    pub(super) fn check(&self) -> Result<(), Failure> {
        let about_reuse = [
            ("--reuse-public-key", self.reuse_public_key.is_some()),
            ("--reuse-certificate-chain", !self.reuse_certificate_chain.is_empty()),
            ("--reuse-identity", self.reuse_identity.is_some()),
        ];
        if self.reuse.is_none()
            && let Some(flag) = first_given(about_reuse)
        {
            return Err(Failure::usage(format!("{flag} is about an older signature: give it with --reuse FILE")));
        }
        if !self.keeps_receipt()
            && let Some(flag) = self.rules.first_flag()
        {
            return Err(Failure::usage(format!("{flag} is about receipts: give it with --receipt or --reuse FILE")));
        }
        Ok(())
    }

    /// Whether what is hashed is to be remembered.
    pub(super) fn keeps_receipt(&self) -> bool {
        self.reuse.is_some() || self.receipt
    }

    /// The older signature's file.
    pub(super) fn signature(&self) -> Option<&Path> {
        self.reuse.as_deref()
    }

    /// What the older signature says, if there is one. Without flags that name somebody else, whoever is trusted to sign
    /// now (`own`) has to have made it.
    pub(super) fn read(
        &self,
        own: Trust<'_>,
        believed: Believed<'_>,
        hashing: &HashingArgs,
        console: &Console,
    ) -> Result<Option<Statement>, Failure> {
        let Some(path) = &self.reuse else { return Ok(None) };
        let statement = self.verify(path, own, believed, console)?;
        let found = statement.manifest().parameters();
        let new = Parameters { serialization: hashing.serialization(), hash: hashing.hash.into(), ..found.clone() };
        if new != *found {
            return Err(Failure::usage(format!(
                "nothing of it could be used: `{}` is of {}, and the new signature is to be of {}",
                path.display(),
                hashing_text(found),
                hashing_text(&new)
            )));
        }
        Ok(Some(statement))
    }

    fn verify(
        &self,
        path: &Path,
        own: Trust<'_>,
        Believed { instance, timestamp_certificates }: Believed<'_>,
        console: &Console,
    ) -> Result<Statement, Failure> {
        let bundle = Bundle::read(path)?;
        let stamps =
            TimestampArgs { tsa_certificate_chain: timestamp_certificates.to_vec(), ..TimestampArgs::default() };
        let authorities = inputs::timestamp_authorities(&stamps, instance, console)?;
        let timestamps = TimestampTrust { authorities: &authorities, required: false };
        let identity = rule("--reuse-identity", self.reuse_identity.as_deref(), None)?;
        let provider = rule("--reuse-identity-provider", self.reuse_identity_provider.as_deref(), None)?;
        let check = |trust: Trust<'_>| {
            let statement = check_signature(&bundle, trust)
                .map_err(|error| Failure::signature(error, !bundle.timestamps().is_empty() && authorities.is_empty()))
                .and_then(|verified| Ok(verified.statement()?));
            statement.map(|verified| verified.get().clone()).map_err(|failure| {
                let message = format!("the older signature `{}`: {}", path.display(), failure.message);
                Failure { message, hint: None, ..failure }
                    .with_hint("--reuse-public-key, --reuse-certificate-chain or --reuse-identity says who made it")
            })
        };
        if let Some(key) = &self.reuse_public_key {
            let key = inputs::public_key(key)?;
            return check(Trust::key(&key).with_timestamps(timestamps));
        }
        if !self.reuse_certificate_chain.is_empty() {
            let anchors = inputs::certificates("the certificate", &self.reuse_certificate_chain)?;
            let (anchors, identity) = (Anchors::Given(&anchors), identity.as_ref());
            let trust = CertificateTrust { anchors, identity, revocation_lists: &[], now: now() };
            return check(Trust::certificates(trust).with_timestamps(timestamps));
        }
        match (&identity, &provider, own.signer) {
            (Some(identity), Some(issuer), _) => {
                let root = resolve(instance, console)?.root;
                let signer = SignerRule::Named { identity, issuer };
                check(Trust::sigstore(SigstoreTrust { root: &root, signer, now: now() }))
            }
            // Whoever signs now is known when they have signed.
            (None, _, SignerTrust::Key(_) | SignerTrust::Certificates(_)) => check(own.with_timestamps(timestamps)),
            (identity, ..) => {
                let missing =
                    if identity.is_none() { "--reuse-identity NAME" } else { "--reuse-identity-provider URL" };
                Err(Failure::usage(format!("--reuse needs {missing}: anybody can sign with Sigstore")))
            }
        }
    }
}
