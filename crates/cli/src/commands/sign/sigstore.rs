//! `sign sigstore`: with a certificate that says who signs, for this signature alone.

use std::path::Path;
use std::sync::Arc;

use model_transparency::sigstore::{NoServices, ServiceKind, Services, SigningConfig};
use model_transparency_remote::sigstore::{Fulcio, SigstoreSigner};

use super::reuse::Believed;
use super::witnesses::{Asked, invalid_endpoint, listed_version};
use super::{Meanwhile, Target, check_target, write_signature};
use crate::args::{Global, IdentityArgs, InstanceArgs, ServiceArgs};
use crate::failure::Failure;
use crate::identity::{Provider, Tokens};
use crate::inputs::now;
use crate::instance::{self, ResolvedInstance};
use crate::output::{Answer, Console};

/// Sign as who you are, without a key to keep (the default method)
///
/// An identity provider says who signs, a Sigstore instance certifies a key that lives for this signature, and a
/// transparency log makes the signature public, with the name of who signed. Without a token a browser is opened.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    target: Target,

    #[command(flatten)]
    identity: IdentityArgs,

    #[command(flatten)]
    instance: InstanceArgs,

    #[command(flatten)]
    services: ServiceArgs,
}

pub(crate) fn run(args: &Args, global: &Global, console: &Console) -> Result<Answer, Failure> {
    let inputs: Vec<(&str, &Path)> = args.identity.inputs().chain(args.instance.inputs()).collect();
    check_target(&args.target, &inputs)?;
    let Prepared { signer, asked, needs_patience } = prepare(&args.identity, &args.services, &args.instance, console)?;
    let begin = || {
        if needs_patience {
            // The person acts while the model is hashed, which ends if they decline. Nobody waits for them if it fails.
            signer.prepare();
        }
    };
    let believed = Believed { instance: &args.instance, timestamp_certificates: &[] };
    let meanwhile = Meanwhile { begin: &begin, has_failed: signer.has_failed(), failure: &|| signer.failure() };
    write_signature(&args.target, believed, signer.as_ref(), &asked, Some(&meanwhile), global, console)
}

/// Somebody who can sign with an instance.
pub(super) struct Prepared {
    pub(super) signer: Arc<SigstoreSigner<Tokens>>,
    pub(super) asked: Asked,
    /// Whether a person has to log in first.
    needs_patience: bool,
}

/// Finds the instance's services and an identity token, or where to get one.
pub(super) fn prepare(
    identity: &IdentityArgs,
    given: &ServiceArgs,
    instance_args: &InstanceArgs,
    console: &Console,
) -> Result<Prepared, Failure> {
    let instance = instance::resolve(instance_args, console)?;
    let services = services(given, &instance)?;
    let asked = Asked::of(&services, &instance.root)?;
    let fulcio =
        Fulcio::new(&services.fulcio).map_err(|error| invalid_endpoint("the certificate authority", &error))?;
    if !fulcio.is_confidential() {
        console.warn(&format!(
            "the identity token is sent to {} unencrypted: whoever sees it can sign in its name",
            fulcio.url()
        ));
    }
    let urls = [fulcio.url()].into_iter().chain(asked.urls()).collect::<Vec<_>>().join(", ");
    console.debug(&format!("signing with {}: {urls}", instance.source));
    let is_public = instance_args.trust_config.is_none() && instance_args.trusted_root.is_none();
    let provider = Provider { issuer: services.oidc.as_deref(), is_public };
    let tokens = Tokens::find(identity, &provider, console)?;
    let needs_patience = tokens.need_patience();
    let signer = Arc::new(SigstoreSigner::new(fulcio, tokens, instance.root, now));
    Ok(Prepared { signer, asked, needs_patience })
}

/// The services to sign with: those that were given, and the instance's where none are.
fn services(args: &ServiceArgs, instance: &ResolvedInstance) -> Result<Services, Failure> {
    let version = args.rekor_version.map(|version| version.major());
    let listed = match &instance.signing {
        Some(signing) => signing.clone(),
        None if args.fulcio_url.is_some() && !args.rekor_url.is_empty() => SigningConfig::empty(),
        None => {
            return Err(Failure::usage(format!("{} does not say where to sign", instance.source))
                .with_hint("give --fulcio-url and --rekor-url too, or --trust-config with a signing configuration"));
        }
    };
    let log = |url: &String| (url.clone(), version.unwrap_or_else(|| listed_version(instance, url)));
    let other = |url: &String| (url.clone(), 1);
    let given: [(ServiceKind, Vec<(String, u32)>); 4] = [
        (ServiceKind::Fulcio, args.fulcio_url.iter().map(other).collect()),
        (ServiceKind::Oidc, args.oidc_issuer.iter().map(other).collect()),
        (ServiceKind::Rekor, args.rekor_url.iter().map(log).collect()),
        (ServiceKind::Tsa, args.tsa_url.iter().map(other).collect()),
    ];
    let given = given.into_iter().filter(|(_, places)| !places.is_empty());
    let config = given.fold(listed, |config, (kind, places)| config.with(kind, places));
    config.select(now(), version).map_err(|error| match error {
        NoServices::NothingDates { .. } => {
            Failure::usage("nothing would say when the model was signed: logs of version 2 do not")
                .with_hint("give a timestamp authority with --tsa-url URL")
        }
        error => Failure::could_not_check("no_services", format!("{}: {error}", instance.source)),
    })
}
