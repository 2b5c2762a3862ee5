//! Signing a statement, in commands that do more than that.

use std::sync::Arc;

use model_transparency::certificate::UnixTime;
use model_transparency::envelope::{Bundle, LogEntryRecord};
use model_transparency::key::SigningKey;
use model_transparency::sign::{KeySigner, SignedStatement, sign_statement};
use model_transparency::verify::Evidence;
use model_transparency_remote::sigstore::SigstoreSigner;

use super::certificate::{CertificateArgs, Certificates};
use super::witnesses::Asked;
use super::{sigstore, timestamps, warn_of_short_key};
#[cfg(feature = "pkcs11")]
use crate::args::TokenArgs;
use crate::args::{InstanceArgs, SignWithArgs, SigningMethod};
use crate::failure::Failure;
use crate::identity::Tokens;
use crate::inputs;
use crate::output::Console;

/// Somebody who can sign a statement: whatever could fail before there is one has not.
pub(crate) struct StatementSigner {
    material: Material,
    asked: Asked,
}

enum Material {
    Key(Box<dyn SigningKey>),
    Certificate(Box<dyn SigningKey>, Box<Certificates>),
    Sigstore(Arc<SigstoreSigner<Tokens>>),
}

/// A statement that was signed, and what there is to say of that.
pub(crate) struct NewStatement {
    pub(crate) bundle: Bundle,
    pub(crate) evidence: Evidence,
    /// The times that the timestamps in the bundle state.
    pub(crate) timestamps: Vec<UnixTime>,
    /// The entries in transparency logs, each with where its log is.
    pub(crate) log_entries: Vec<(String, LogEntryRecord)>,
}

impl StatementSigner {
    /// Reads keys, certificates and tokens, asking for what is missing, and finds the services.
    pub(crate) fn prepare(
        method: SigningMethod,
        args: &SignWithArgs,
        instance: &InstanceArgs,
        console: &Console,
    ) -> Result<Self, Failure> {
        args.check(method)?;
        let material = match method {
            SigningMethod::Sigstore => {
                let prepared = sigstore::prepare(&args.identity, &args.services, instance, console)?;
                return Ok(Self { material: Material::Sigstore(prepared.signer), asked: prepared.asked });
            }
            SigningMethod::Key => Material::Key(key_file(args, console)?),
            SigningMethod::Certificate => {
                let certificates = certificates(args)?;
                Material::with_certificate(key_file(args, console)?, certificates)?
            }
            #[cfg(feature = "pkcs11")]
            SigningMethod::Pkcs11Key => Material::Key(token(args, console)?),
            #[cfg(feature = "pkcs11")]
            SigningMethod::Pkcs11Certificate => {
                let certificates = certificates(args)?;
                Material::with_certificate(token(args, console)?, certificates)?
            }
        };
        let (services, chain) = (&args.services, &args.tsa_certificate_chain);
        let asked =
            Asked::by_name(&services.tsa_url, chain, &services.rekor_url, services.rekor_version, instance, console)?;
        Ok(Self { material, asked })
    }

    /// Signs an in-toto statement. What comes back is verified.
    pub(crate) fn sign(&self, statement: Vec<u8>, console: &Console) -> Result<NewStatement, Failure> {
        let SignedStatement { bundle, evidence } = self.asked.ask(|witnesses| {
            Ok::<_, Failure>(match &self.material {
                Material::Key(key) => sign_statement(statement, &KeySigner::new(key.as_ref()), witnesses)?,
                Material::Certificate(key, certificates) => {
                    sign_statement(statement, &Certificates::clone(certificates).signer(key.as_ref())?, witnesses)?
                }
                Material::Sigstore(signer) => sign_statement(statement, signer.as_ref(), witnesses)?,
            })
        })?;
        warn_of_short_key(&evidence, console);
        let (timestamps, log_entries) = (timestamps(&bundle), self.asked.log_entries(&bundle));
        Ok(NewStatement { bundle, evidence, timestamps, log_entries })
    }
}

impl Material {
    fn with_certificate(key: Box<dyn SigningKey>, certificates: Certificates) -> Result<Self, Failure> {
        // A certificate of another key is found out about before any long work.
        certificates.clone().signer(key.as_ref())?;
        Ok(Self::Certificate(key, Box::new(certificates)))
    }
}

/// What `SignWithArgs::check` has found to be there.
fn given<T: Clone>(flag: &str, value: Option<&T>) -> Result<T, Failure> {
    value.cloned().ok_or_else(|| Failure::usage(format!("signing needs {flag}")))
}

fn key_file(args: &SignWithArgs, console: &Console) -> Result<Box<dyn SigningKey>, Failure> {
    let path = given("--private-key", args.private_key.as_ref())?;
    Ok(Box::new(inputs::private_key(&path, &args.password, console)?))
}

#[cfg(feature = "pkcs11")]
fn token(args: &SignWithArgs, console: &Console) -> Result<Box<dyn SigningKey>, Failure> {
    let pkcs11_uri = given("--pkcs11-uri", args.pkcs11_uri.as_ref())?;
    let token = TokenArgs { pkcs11_uri, pin_file: args.pin_file.clone() };
    Ok(Box::new(inputs::pkcs11_key(&token, console)?))
}

fn certificates(args: &SignWithArgs) -> Result<Certificates, Failure> {
    let certificate = given("--signing-certificate", args.signing_certificate.as_ref())?;
    CertificateArgs::new(certificate, args.certificate_chain.clone()).read()
}
