//! `sign certificate`: with a private key in a file and the certificate of its public key.

use std::path::{Path, PathBuf};

use model_transparency::certificate::Certificate;
use model_transparency::key::SigningKey;
use model_transparency::sign::CertificateSigner;

use super::{Common, check, sign};
use crate::args::{Global, PasswordArgs};
use crate::failure::Failure;
use crate::inputs;
use crate::output::{Answer, Console};

/// Sign with a private key and its certificate
///
/// The certificate, and those that lead from it to one that verifiers trust, become part of the signature.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    common: Common,

    /// The private key, in PEM
    #[arg(long, value_name = "FILE")]
    private_key: PathBuf,

    #[command(flatten)]
    certificates: CertificateArgs,

    #[command(flatten)]
    password: PasswordArgs,
}

/// The certificates of a signer.
#[derive(Debug, clap::Args)]
pub(crate) struct CertificateArgs {
    /// The certificate of the private key, in PEM
    #[arg(long, value_name = "FILE")]
    signing_certificate: PathBuf,

    /// Certificates that lead from it to one that verifiers trust, in PEM (repeatable)
    #[arg(long, value_name = "FILE")]
    certificate_chain: Vec<PathBuf>,
}

impl CertificateArgs {
    pub(crate) fn new(signing_certificate: PathBuf, certificate_chain: Vec<PathBuf>) -> Self {
        Self { signing_certificate, certificate_chain }
    }

    /// What the signature must not overwrite.
    pub(crate) fn inputs(&self) -> Vec<(&str, &Path)> {
        let chain = self.certificate_chain.iter().map(|path| ("a certificate of the chain", path.as_path()));
        [("the signing certificate", self.signing_certificate.as_path())].into_iter().chain(chain).collect()
    }

    /// Reads them. Further certificates in the file of the signing certificate are of the chain.
    pub(crate) fn read(&self) -> Result<Certificates, Failure> {
        let path = std::slice::from_ref(&self.signing_certificate);
        let mut issuers = inputs::certificates("the signing certificate", path)?;
        let leaf = issuers.remove(0);
        issuers.extend(inputs::certificates("the certificate chain", &self.certificate_chain)?);
        Ok(Certificates { leaf, issuers })
    }
}

/// A signer's certificates, read.
#[derive(Clone)]
pub(crate) struct Certificates {
    leaf: Certificate,
    issuers: Vec<Certificate>,
}

impl Certificates {
    /// A signer with this key and these certificates.
    pub(crate) fn signer(self, key: &dyn SigningKey) -> Result<CertificateSigner<'_>, Failure> {
        Ok(CertificateSigner::new(key, self.leaf, self.issuers, inputs::now())?)
    }
}

pub(crate) fn run(args: &Args, global: &Global, console: &Console) -> Result<Answer, Failure> {
    let mut inputs = args.certificates.inputs();
    inputs.push(("the private key", &args.private_key));
    inputs.extend(args.password.inputs());
    check(&args.common, &inputs)?;
    let certificates = args.certificates.read()?;
    let key = inputs::private_key(&args.private_key, &args.password, console)?;
    sign(&args.common, &certificates.signer(&key)?, global, console)
}
