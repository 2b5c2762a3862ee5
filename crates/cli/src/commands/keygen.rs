//! `keygen`: makes a key pair.

use std::path::{Path, PathBuf};

use clap::ValueEnum;
use model_transparency::key::{KeyAlgorithm, PublicKey, generate};
use model_transparency::output::{Access, Existing, write};
use serde_json::json;

use crate::args::PasswordArgs;
use crate::failure::Failure;
use crate::output::{Answer, Console, Fields, GOOD};
use crate::secrets;

/// Make a key pair
///
/// The private key is encrypted if a password is given, and only its owner can read it. No file is overwritten.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The kind of key
    #[arg(long, value_enum, default_value_t = Algorithm::P256, value_name = "ALGORITHM")]
    algorithm: Algorithm,

    /// Where to write the private key
    #[arg(long, value_name = "FILE", default_value = "signing-key.pem")]
    private_key: PathBuf,

    /// Where to write the public key [default: beside the private key, ending in .pub.pem]
    #[arg(long, value_name = "FILE")]
    public_key: Option<PathBuf>,

    #[command(flatten)]
    password: PasswordArgs,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Algorithm {
    P256,
    P384,
    P521,
    Ed25519,
    #[value(name = "rsa-3072")]
    Rsa3072,
    #[value(name = "rsa-4096")]
    Rsa4096,
}

impl From<Algorithm> for KeyAlgorithm {
    fn from(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::P256 => Self::EcdsaP256,
            Algorithm::P384 => Self::EcdsaP384,
            Algorithm::P521 => Self::EcdsaP521,
            Algorithm::Ed25519 => Self::Ed25519,
            Algorithm::Rsa3072 => Self::Rsa { bits: 3072 },
            Algorithm::Rsa4096 => Self::Rsa { bits: 4096 },
        }
    }
}

pub(crate) fn run(args: &Args, console: &Console) -> Result<Answer, Failure> {
    let password = secrets::given(&args.password, console)?;
    let public_path = args.public_key.clone().unwrap_or_else(|| args.private_key.with_extension("pub.pem"));
    let password = password.as_ref().map(|password| password.as_slice());
    let public = make_pair(args.algorithm.into(), password, &args.private_key, &public_path)?;

    let encryption = if password.is_some() { "encrypted with the password" } else { "not encrypted" };
    let mut fields = Fields::default();
    fields.add("private key", format!("{} ({encryption}; keep it secret)", args.private_key.display()));
    fields.add("public key", format!("{} (give it to whoever verifies)", public_path.display()));
    fields.add("fingerprint", public.hint());
    let json = json!({
        "algorithm": public.algorithm().to_string(),
        "private_key": args.private_key.display().to_string(),
        "public_key": public_path.display().to_string(),
        "encrypted": password.is_some(),
        "key_hint": public.hint(),
    });
    let human = format!("{GOOD}Made an {} key pair{GOOD:#}\n{}", public.algorithm(), fields.into_text());
    Ok(Answer { human, json })
}

/// Makes a key pair and writes both files, or neither.
pub(crate) fn make_pair(
    algorithm: KeyAlgorithm,
    password: Option<&[u8]>,
    private_path: &Path,
    public_path: &Path,
) -> Result<PublicKey, Failure> {
    let exists = |path: &&Path| path.symlink_metadata().is_ok();
    if let Some(path) = [private_path, public_path].iter().find(|path| exists(path)) {
        return Err(Failure::could_not_check(
            "exists",
            format!("`{}` exists already, and is not overwritten", path.display()),
        ));
    }
    let (private_pem, public) = generate(algorithm, password)?;
    write(private_path, private_pem.as_bytes(), Access::Owner, Existing::Refuse)?;
    if let Err(error) = write(public_path, public.to_pem().as_bytes(), Access::Everyone, Existing::Refuse) {
        // Half a pair is of no use and would be in the way of the next attempt.
        let _ = std::fs::remove_file(private_path);
        return Err(error.into());
    }
    Ok(public)
}
