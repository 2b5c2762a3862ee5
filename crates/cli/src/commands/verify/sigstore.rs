//! `verify sigstore`: with a name that an identity provider vouches for. The method that `verify MODEL` means.

use model_transparency::certificate::IdentityRule;
use model_transparency::envelope::Material;
use model_transparency::sigstore::{Instance, SignerCertificate, SignerRule, SigstoreTrust, TrustedRoot};
use model_transparency::trust::SignerTrust;

use super::{Common, open, verify};
use crate::args::Global;
use crate::failure::Failure;
use crate::inputs;
use crate::instance::{ResolvedInstance, Source, resolve};
use crate::output::{Answer, Console};

/// Verify with the signer's identity, as Sigstore recorded it
///
/// The signature names a certificate that the Sigstore instance issued for a moment, to somebody for whom an identity
/// provider vouched, and an entry in a public log. Nothing is asked over the network: what the tool knows of the instance
/// was built in, or fetched by `model-signing trust update`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    common: Common,

    /// Who has to have signed: an e-mail address, or the URI of a workflow
    #[arg(long, value_name = "IDENTITY", alias = "certificate-identity", conflicts_with = "identity_regexp")]
    identity: Option<String>,

    /// The same as a regular expression, which has to match the whole name
    #[arg(long, value_name = "REGEXP", alias = "certificate-identity-regexp")]
    identity_regexp: Option<String>,

    /// Who has to vouch for the signer: the URL of the identity provider (the issuer of its tokens)
    #[arg(long, value_name = "URL", alias = "certificate-oidc-issuer", conflicts_with = "identity_provider_regexp")]
    identity_provider: Option<String>,

    /// The same as a regular expression, which has to match the whole URL
    #[arg(long, value_name = "REGEXP", alias = "certificate-oidc-issuer-regexp")]
    identity_provider_regexp: Option<String>,
}

impl Args {
    pub(crate) fn new(common: Common, identity: &str, identity_provider: &str) -> Self {
        let (identity, identity_provider) = (Some(identity.to_owned()), Some(identity_provider.to_owned()));
        Self { common, identity, identity_regexp: None, identity_provider, identity_provider_regexp: None }
    }
}

pub(crate) fn run(args: &Args, global: &Global, console: &Console) -> Result<Answer, Failure> {
    let common = &args.common;
    if !common.timestamps.tsa_certificate_chain.is_empty() {
        return Err(Failure::usage("--tsa-certificate-chain is not for the sigstore method")
            .with_hint("whose timestamps count is in the instance's trusted root: --trusted-root FILE"));
    }
    let identity = rule("--identity", args.identity.as_deref(), args.identity_regexp.as_deref())?;
    let issuer =
        rule("--identity-provider", args.identity_provider.as_deref(), args.identity_provider_regexp.as_deref())?;
    let (Some(identity), Some(issuer)) = (&identity, &issuer) else {
        let missing = if identity.is_none() { "--identity NAME" } else { "--identity-provider URL" };
        return Err(Failure::usage(format!("verify needs {missing}: anybody can sign with Sigstore")).with_hint(
            "`model-signing inspect SIGNATURE` shows whom a signature names; `verify key` is for a public key",
        ));
    };
    let instance = resolve(&common.instance, console)?;
    let signature = open(common, console)?;
    console.debug(&format!("verifying with {}", instance.source));
    let certificate = match signature.bundle.material() {
        Material::Certificate(der) => SignerCertificate::from_der(der).ok(),
        Material::PublicKey { .. } | Material::CertificateChain(_) => None,
    };
    let trust =
        SigstoreTrust { root: &instance.root, signer: SignerRule::Named { identity, issuer }, now: inputs::now() };
    let outcome = verify(common, signature, SignerTrust::Sigstore(trust), global, console);
    outcome.map_err(|failure| about_instance(failure, certificate.as_ref(), &instance))
}

/// The rule of a flag and its form as a pattern; they exclude each other.
pub(crate) fn rule(flag: &str, exact: Option<&str>, pattern: Option<&str>) -> Result<Option<IdentityRule>, Failure> {
    match (exact, pattern) {
        (Some(""), _) => Err(Failure::usage(format!("{flag} is empty, expected a name"))),
        (Some(text), _) => Ok(Some(IdentityRule::Exact(text.to_owned()))),
        (None, Some(pattern)) => {
            IdentityRule::pattern(pattern).map(Some).map_err(|error| Failure::usage(format!("{flag}-regexp: {error}")))
        }
        (None, None) => Ok(None),
    }
}

/// What to do about a signature of another instance, or of a log that is newer than what is known here.
pub(crate) fn about_instance(
    failure: Failure,
    certificate: Option<&SignerCertificate>,
    instance: &ResolvedInstance,
) -> Failure {
    if !matches!(failure.kind, "other_instance" | "unknown_log" | "invalid_checkpoint" | "invalid_sct") {
        return failure;
    }
    if failure.kind == "other_instance"
        && let Some(certificate) = certificate
    {
        let issued = |public| TrustedRoot::embedded(public).may_have_issued(&certificate.certificate);
        if issued(Instance::Staging) {
            return failure.with_hint(
                "it says that it is of Sigstore's staging instance, where anybody can get anything certified: \
                 --use-staging is for trying things out",
            );
        }
        if issued(Instance::Production) {
            let hint =
                "it is of Sigstore's public-good instance: leave out --use-staging, --trust-config, --trusted-root";
            return failure.with_hint(hint);
        }
    }
    match (&instance.source, instance.source.date()) {
        (Source::TrustConfig(_) | Source::TrustedRoot(_) | Source::Mirror(..), _) | (_, None) => failure,
        (source, Some(_)) => failure.with_hint(format!(
            "it was verified with {source}: `model-signing trust update` fetches what is new; --trust-config FILE is for \
             another instance"
        )),
    }
}
