//! `verify certificate`: with the authorities that certify the signer.

use std::path::PathBuf;

use model_transparency::certificate::{Certificate, IdentityRule, RevocationList};
use model_transparency::envelope::Material;
use model_transparency::trust::{Anchors, CertificateTrust, SignerTrust, public_authorities};

use super::{Common, open, rule, verify};
use crate::args::{Global, first_given};
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

    #[command(flatten)]
    authorities: AuthorityArgs,

    /// Print the fingerprints of the certificates that are trusted and of those in the signature
    #[arg(long)]
    log_fingerprints: bool,
}

/// Who is trusted to certify the signer, and whom.
#[derive(Debug, clap::Args)]
pub(crate) struct AuthorityArgs {
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
}

/// What [`AuthorityArgs`] name, read.
pub(crate) struct Authorities {
    certificates: Vec<Certificate>,
    are_public: bool,
    identity: Option<IdentityRule>,
    revocation_lists: Vec<RevocationList>,
}

impl AuthorityArgs {
    /// Whether any of them is given.
    pub(crate) fn given(&self) -> Option<&'static str> {
        let flags = [
            ("--certificate-chain", !self.certificate_chain.is_empty()),
            ("--certificate-identity", self.certificate_identity.is_some()),
            ("--certificate-identity-regexp", self.certificate_identity_regexp.is_some()),
            ("--crl", !self.crl.is_empty()),
        ];
        first_given(flags)
    }

    /// Reads them, for the command that is called `command`.
    pub(crate) fn read(&self, command: &str, console: &Console) -> Result<Authorities, Failure> {
        let identity = self.identity()?;
        let mut certificates = inputs::certificates("the certificate", &self.certificate_chain)?;
        let are_public = certificates.is_empty();
        if are_public {
            let Some(identity) = &identity else {
                let message = format!(
                    "{command} needs --certificate-chain FILE, or --certificate-identity NAME to have it certified by a \
                     public authority"
                );
                return Err(Failure::usage(message)
                    .with_hint("the public authorities certify anybody, so without a name they say nothing"));
            };
            certificates = public_authorities();
            console.note(&format!(
                "no --certificate-chain: the {} public certificate authorities are trusted to certify {identity}",
                certificates.len()
            ));
        }
        Ok(Authorities { certificates, are_public, identity, revocation_lists: inputs::revocation_lists(&self.crl)? })
    }

    fn identity(&self) -> Result<Option<IdentityRule>, Failure> {
        let (exact, pattern) = (self.certificate_identity.as_deref(), self.certificate_identity_regexp.as_deref());
        rule("--certificate-identity", exact, pattern)
    }
}

impl Authorities {
    /// Trust in them, as of now.
    pub(crate) fn trust(&self) -> CertificateTrust<'_> {
        let certificates = self.certificates.as_slice();
        CertificateTrust {
            anchors: if self.are_public { Anchors::Public(certificates) } else { Anchors::Given(certificates) },
            identity: self.identity.as_ref(),
            revocation_lists: &self.revocation_lists,
            now: inputs::now(),
        }
    }
}

pub(crate) fn run(args: &Args, global: &Global, console: &Console) -> Result<Answer, Failure> {
    let authorities = args.authorities.read("verify certificate", console)?;
    let signature = open(&args.common, console)?;
    let trust = authorities.trust();
    if args.log_fingerprints {
        log("trusted", trust.anchors.certificates(), console);
        if let Material::CertificateChain(chain) = signature.bundle.material() {
            let readable: Vec<_> = chain.iter().filter_map(|der| Certificate::from_der(der).ok()).collect();
            log("signature's", &readable, console);
        }
    }
    verify(&args.common, signature, SignerTrust::Certificates(trust), global, console)
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
