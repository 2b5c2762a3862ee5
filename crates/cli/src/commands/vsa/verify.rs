//! `vsa verify`: a summary, with the verifier's public key.

use std::path::PathBuf;

use clap::ValueEnum;
use model_transparency::key::SignatureHash;
use model_transparency::provenance::vsa::{Expectations, MAX_ENVELOPE_BYTES, TrustedKey, verify_summary};

use crate::failure::Failure;
use crate::inputs;
use crate::output::{Answer, Console, Shown, vsa_answer};

/// Verify a Verification Summary Attestation (VSA) with the verifier's public key
///
/// Checks that the verifier's key signed the summary, that it is of your artifact under the name that you expect, that the
/// artifact passed, and that it was found at the levels you ask for. A level of a SLSA track implies those below it.
/// The flags are those of `slsa-verifier verify-vsa`. Nothing is asked over the network.
///
/// The artifact itself is not read: its digests are what you give.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A digest of the artifact; repeat it for more, each of which must be a subject of the summary
    #[arg(long, required = true, value_name = "ALGORITHM:VALUE")]
    subject_digest: Vec<String>,

    /// The summary: a DSSE envelope
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

    /// The verifier's public key, in PEM
    #[arg(long, value_name = "FILE", visible_alias = "key")]
    public_key_path: PathBuf,

    /// Pass over signatures that name another key [default: try each, since the name is not signed]
    #[arg(long, value_name = "ID")]
    public_key_id: Option<String>,

    /// The hash that the key signs, not for Ed25519 [default: SHA-256, for P-384 SHA-384, for P-521 SHA-512]
    #[arg(long, value_enum, ignore_case = true, value_name = "ALGORITHM")]
    public_key_signing_hash_algo: Option<HashArg>,

    /// Print the signed statement and nothing else
    #[arg(long)]
    print_attestation: bool,
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
    let key = inputs::public_key(&args.public_key_path)?;
    let hash = args.public_key_signing_hash_algo.map(SignatureHash::from);
    let trusted = TrustedKey::new(&key, args.public_key_id.as_deref(), hash)?;
    let path = &args.attestation_path;
    let envelope = inputs::read_limited("the attestation", path, MAX_ENVELOPE_BYTES + 1)?;
    let summary = verify_summary(&envelope, &trusted, &expected).map_err(|error| Failure::summary(path, &error))?;
    let shown = if args.print_attestation { Shown::Attestation } else { Shown::Verdict };
    if args.print_attestation {
        console.note("the summary is verified");
    }
    Ok(vsa_answer(path, &trusted, &expected, &summary, shown))
}
