//! `verify certificate`: with the authorities that certify the signer.

use std::path::PathBuf;

use model_transparency::certificate::{Certificate, IdentityRule};
use model_transparency::envelope::Material;
use model_transparency::trust::{Anchors, CertificateTrust, SignerTrust, public_authorities};

use super::{Common, open, verify};
use crate::args::Global;
use crate::failure::Failure;
use crate::inputs;
use crate::output::{Answer, Console, colons};

/// Verify with the certificates of those who certify the signer
///
/// The signature names a certificate; a path has to lead from it, through the certificates in the signature, to one of
/// those given here. Every certificate has to be valid now, or at the time of a timestamp that holds.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    common: Common,

    /// Certificates that are trusted, in PEM: roots, intermediates, or the signer's own (repeatable). Without any, the
    /// public certificate authorities are trusted to certify the identity that is asked for
    #[arg(long, value_name = "FILE")]
    certificate_chain: Vec<PathBuf>,

    /// What the signer's certificate has to name: an alternative name, or the whole subject (RFC 4514)
    #[arg(long, value_name = "NAME", conflicts_with = "certificate_identity_regexp")]
    certificate_identity: Option<String>,

    /// The same as a regular expression, which has to match the whole name; a subject only if there is an `=` in it
    #[arg(long, value_name = "REGEXP")]
    certificate_identity_regexp: Option<String>,

    /// A list of revoked certificates (CRL), in PEM or DER (repeatable)
    #[arg(long, value_name = "FILE")]
    crl: Vec<PathBuf>,

    /// Print the fingerprints of the certificates that are trusted and of those in the signature
    #[arg(long)]
    log_fingerprints: bool,
}

pub(crate) fn run(args: &Args, global: &Global, console: &Console) -> Result<Answer, Failure> {
    let identity = args.identity()?;
    let given = inputs::certificates("the certificate", &args.certificate_chain)?;
    let public;
    let anchors = match &identity {
        _ if !given.is_empty() => Anchors::Given(&given),
        Some(identity) => {
            public = public_authorities();
            console.note(&format!(
                "no --certificate-chain: the {} public certificate authorities are trusted to certify {identity}",
                public.len()
            ));
            Anchors::Public(&public)
        }
        None => {
            let message = "verify certificate needs --certificate-chain FILE, or --certificate-identity NAME to have it \
                           certified by a public authority";
            return Err(Failure::usage(message)
                .with_hint("the public authorities certify anybody, so without a name they say nothing"));
        }
    };
    let revocation_lists = inputs::revocation_lists(&args.crl)?;
    let signature = open(&args.common, console)?;
    if args.log_fingerprints {
        log("trusted", anchors.certificates(), console);
        if let Material::CertificateChain(chain) = signature.bundle.material() {
            let readable: Vec<_> = chain.iter().filter_map(|der| Certificate::from_der(der).ok()).collect();
            log("signature's", &readable, console);
        }
    }
    let trust = CertificateTrust {
        anchors,
        identity: identity.as_ref(),
        revocation_lists: &revocation_lists,
        now: inputs::now(),
    };
    verify(&args.common, signature, SignerTrust::Certificates(trust), global, console)
}

impl Args {
    fn identity(&self) -> Result<Option<IdentityRule>, Failure> {
        if let Some(name) = &self.certificate_identity {
            return if name.is_empty() {
                Err(Failure::usage("--certificate-identity is empty, expected a name"))
            } else {
                Ok(Some(IdentityRule::Exact(name.clone())))
            };
        }
        let pattern = self.certificate_identity_regexp.as_deref().map(IdentityRule::pattern).transpose();
        pattern.map_err(|error| Failure::usage(format!("--certificate-identity-regexp: {error}")))
    }
}

fn log(whose: &str, certificates: &[Certificate], console: &Console) {
    for certificate in certificates {
        console.note(&format!(
            "{whose} certificate: SHA-256 fingerprint {} ({})",
            colons(&certificate.fingerprint()),
            certificate.subject()
        ));
    }
}
