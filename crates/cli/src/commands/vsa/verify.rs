//! `vsa verify`: a summary, with what is trusted to be the verifier's.

use std::path::{Path, PathBuf};

use clap::ValueEnum;
use model_transparency::key::SignatureHash;
use model_transparency::provenance::vsa::{
    Expectations, MAX_ENVELOPE_BYTES, TrustedKey, VerifiedSummary, VerifierTrust, verify_summary,
};
use model_transparency::sigstore::SignerRule;
use model_transparency::trust::TimestampTrust;

use crate::args::{InstanceArgs, TimestampArgs, first_given};
use crate::commands::verify::{AuthorityArgs, about_instance, rule};
use crate::failure::Failure;
use crate::inputs;
use crate::instance::resolve;
use crate::output::{Answer, Console, Shown, vsa_answer};

const KEY: &str = "Verifier with a key";
const AUTHORITIES: &str = "Verifier with a certificate";
const IDENTITY: &str = "Verifier with an identity (Sigstore)";

/// Verify a Verification Summary Attestation (VSA)
///
/// Checks that the verifier signed the summary, that it is of your artifact under the name that you expect, that the
/// artifact passed, and that it was found at the levels you ask for. A level of a SLSA track implies those below it.
/// Nothing is asked over the network. The flags for a key are those of `slsa-verifier verify-vsa`.
///
/// The verifier is known by a key (--public-key-path), by a certificate (--certificate-chain, --certificate-identity) or by
/// an identity for which Sigstore vouches (--identity, --identity-provider): exactly one of these has to be given.
///
/// The artifact itself is not read: its digests are what you give.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A digest of the artifact; repeat it for more, each of which must be a subject of the summary
    #[arg(long, required = true, value_name = "ALGORITHM:VALUE")]
    subject_digest: Vec<String>,

    /// The summary: a DSSE envelope, or a Sigstore bundle with one
    #[arg(long, value_name = "FILE", visible_aliases = ["provenance-path", "bundle"])]
    attestation_path: PathBuf,

    /// Who must have verified: `verifier.id` of the summary, exactly
    #[arg(long, value_name = "URI")]
    verifier_id: String,

    /// What the artifact must be: `resourceUri` of the summary, exactly
    #[arg(long, value_name = "URI")]
    resource_uri: String,

    /// A level that the artifact must be at (SLSA_BUILD_LEVEL_2), or a property it must have; repeat it for more
    #[arg(long, value_name = "LEVEL")]
    verified_level: Vec<String>,

    /// Print the signed statement and nothing else
    #[arg(long)]
    print_attestation: bool,

    #[command(flatten, next_help_heading = KEY)]
    key: KeyArgs,

    #[command(flatten, next_help_heading = AUTHORITIES)]
    authorities: AuthorityArgs,

    #[command(flatten, next_help_heading = AUTHORITIES)]
    timestamps: TimestampArgs,

    #[command(flatten, next_help_heading = IDENTITY)]
    identity: SignerArgs,

    #[command(flatten)]
    instance: InstanceArgs,
}

/// The key of the verifier.
#[derive(Debug, clap::Args)]
struct KeyArgs {
    /// The verifier's public key, in PEM
    #[arg(long, value_name = "FILE", visible_alias = "key")]
    public_key_path: Option<PathBuf>,

    /// Pass over signatures that name another key [default: try each, since the name is not signed]
    #[arg(long, value_name = "ID", requires = "public_key_path")]
    public_key_id: Option<String>,

    /// The hash that the key signs, not for Ed25519 [default: SHA-256, for P-384 SHA-384, for P-521 SHA-512]
    #[arg(long, value_enum, ignore_case = true, value_name = "ALGORITHM", requires = "public_key_path")]
    public_key_signing_hash_algo: Option<HashArg>,
}

/// The identity of the verifier.
#[derive(Debug, clap::Args)]
struct SignerArgs {
    /// Who has to have signed: an e-mail address, or the URI of a workflow
    #[arg(long, value_name = "IDENTITY", conflicts_with = "identity_regexp")]
    identity: Option<String>,

    /// The same as a regular expression, which has to match the whole name
    #[arg(long, value_name = "REGEXP")]
    identity_regexp: Option<String>,

    /// Who has to vouch for the signer: the URL of the identity provider
    #[arg(long, value_name = "URL", conflicts_with = "identity_provider_regexp")]
    identity_provider: Option<String>,

    /// The same as a regular expression, which has to match the whole URL
    #[arg(long, value_name = "REGEXP")]
    identity_provider_regexp: Option<String>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum HashArg {
    Sha256,
    Sha384,
    Sha512,
}

impl From<HashArg> for SignatureHash {
    fn from(hash: HashArg) -> Self {
        match hash {
            HashArg::Sha256 => Self::Sha256,
            HashArg::Sha384 => Self::Sha384,
            HashArg::Sha512 => Self::Sha512,
        }
    }
}

pub(crate) fn run(args: &Args, console: &Console) -> Result<Answer, Failure> {
    let expected =
        Expectations::new(&args.subject_digest, &args.verifier_id, &args.resource_uri, &args.verified_level)?;
    let summary = match args.verifier()? {
        Verifier::Key(path) => by_key(args, path, &expected)?,
        Verifier::Certificate => by_certificate(args, &expected, console)?,
        Verifier::Identity => by_identity(args, &expected, console)?,
    };
    let shown = if args.print_attestation { Shown::Attestation } else { Shown::Verdict };
    if args.print_attestation {
        console.note("the summary is verified");
    }
    Ok(vsa_answer(&args.attestation_path, &expected, &summary, shown))
}

/// By what the verifier is known.
enum Verifier<'a> {
    Key(&'a PathBuf),
    Certificate,
    Identity,
}

fn by_key(args: &Args, path: &Path, expected: &Expectations) -> Result<VerifiedSummary, Failure> {
    let key = inputs::public_key(path)?;
    let hash = args.key.public_key_signing_hash_algo.map(SignatureHash::from);
    let trusted = TrustedKey::new(&key, args.key.public_key_id.as_deref(), hash)?;
    args.verify(VerifierTrust::Key(trusted), expected)
}

fn by_certificate(args: &Args, expected: &Expectations, console: &Console) -> Result<VerifiedSummary, Failure> {
    let authorities = args.authorities.read("vsa verify", console)?;
    let dating = inputs::timestamp_authorities(&args.timestamps, &args.instance, console)?;
    let timestamps = TimestampTrust { authorities: &dating, required: args.timestamps.require_timestamp };
    args.verify(VerifierTrust::Certificates(authorities.trust(), timestamps), expected)
}

fn by_identity(args: &Args, expected: &Expectations, console: &Console) -> Result<VerifiedSummary, Failure> {
    let SignerArgs { identity, identity_regexp, identity_provider, identity_provider_regexp } = &args.identity;
    let identity = rule("--identity", identity.as_deref(), identity_regexp.as_deref())?;
    let issuer = rule("--identity-provider", identity_provider.as_deref(), identity_provider_regexp.as_deref())?;
    let (Some(identity), Some(issuer)) = (&identity, &issuer) else {
        let missing = if identity.is_none() { "--identity NAME" } else { "--identity-provider URL" };
        return Err(Failure::usage(format!("vsa verify needs {missing}: anybody can sign with Sigstore")));
    };
    let instance = resolve(&args.instance, console)?;
    console.debug(&format!("verifying with {}", instance.source));
    let trust = VerifierTrust::Sigstore { root: &instance.root, signer: SignerRule::Named { identity, issuer } };
    args.verify(trust, expected).map_err(|failure| about_instance(failure, None, &instance))
}

impl Args {
    /// The one kind of trust that was given.
    fn verifier(&self) -> Result<Verifier<'_>, Failure> {
        let dating = [
            ("--tsa-certificate-chain", !self.timestamps.tsa_certificate_chain.is_empty()),
            ("--require-timestamp", self.timestamps.require_timestamp),
        ];
        let dating = first_given(dating);
        let instance = self.instance.is_given().then_some("an instance of Sigstore");
        let certificate = self.authorities.given();
        let identity = self.identity.given();
        match (&self.key.public_key_path, certificate, identity) {
            (Some(path), None, None) => match dating.or(instance) {
                Some(flag) => Err(Failure::usage(format!("{flag} is not for a summary of a key"))),
                None => Ok(Verifier::Key(path)),
            },
            (None, Some(_), None) => Ok(Verifier::Certificate),
            (None, None, Some(_)) => match dating {
                Some(flag) => Err(Failure::usage(format!("{flag} is not for a summary of an identity"))
                    .with_hint("whose timestamps count is in the instance's trusted root: --trusted-root FILE")),
                None => Ok(Verifier::Identity),
            },
            (None, None, None) => Err(Failure::usage(
                "vsa verify needs to know the verifier: expected --public-key-path, --certificate-chain or --identity",
            )),
            (key, certificate, identity) => {
                let flags = [key.as_ref().map(|_| "--public-key-path"), certificate, identity];
                let flags: Vec<&str> = flags.into_iter().flatten().collect();
                Err(Failure::usage(format!("expected one way to know the verifier, found {}", flags.join(" and "))))
            }
        }
    }

    fn verify(&self, trust: VerifierTrust<'_>, expected: &Expectations) -> Result<VerifiedSummary, Failure> {
        let path = &self.attestation_path;
        let attestation = inputs::read_limited("the attestation", path, MAX_ENVELOPE_BYTES + 1)?;
        let has_timestamp_trust =
            matches!(trust, VerifierTrust::Certificates(_, trust) if !trust.authorities.is_empty());
        verify_summary(&attestation, trust, expected)
            .map_err(|error| Failure::summary(path, error, !has_timestamp_trust))
    }
}

impl SignerArgs {
    fn given(&self) -> Option<&'static str> {
        let flags = [
            ("--identity", self.identity.is_some()),
            ("--identity-regexp", self.identity_regexp.is_some()),
            ("--identity-provider", self.identity_provider.is_some()),
            ("--identity-provider-regexp", self.identity_provider_regexp.is_some()),
        ];
        first_given(flags)
    }
}
