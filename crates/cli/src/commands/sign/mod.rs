//! `sign`: one file for each method; what they share is here.

mod certificate;
mod key;
#[cfg(feature = "pkcs11")]
mod pkcs11_certificate;
#[cfg(feature = "pkcs11")]
mod pkcs11_key;

use std::path::{Path, PathBuf};

use clap::Subcommand;
use model_transparency::certificate::UnixTime;
use model_transparency::envelope::Bundle;
use model_transparency::hash::HashAlgorithm;
use model_transparency::key::KeyAlgorithm;
use model_transparency::manifest::Serialization;
use model_transparency::model::{LocalModel, ModelSource, SymlinkPolicy};
use model_transparency::output::{Access, Existing};
use model_transparency::sign::{NewSignature, Signer, Timestamper, Witnesses, sign_model};
use model_transparency::timestamp::Timestamp;

use super::digest::list;
use crate::args::{Global, HashingArgs, ModelArgs, StampArgs};
use crate::failure::Failure;
use crate::inputs::timestamper;
use crate::output::{Answer, Console, Signed, sign_answer};
use crate::signature_file::{self, DEFAULT_NAME};

/// Sign a model
///
/// Hashes every file of the model and writes a signature over the list: an OpenSSF Model Signing v1.0 bundle.
#[derive(Debug, clap::Args)]
#[command(arg_required_else_help = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    method: Method,
}

#[derive(Debug, Subcommand)]
enum Method {
    Key(key::Args),
    Certificate(certificate::Args),
    #[cfg(feature = "pkcs11")]
    Pkcs11Key(pkcs11_key::Args),
    #[cfg(feature = "pkcs11")]
    Pkcs11Certificate(pkcs11_certificate::Args),
}

pub(crate) fn run(args: &Args, global: &Global, console: &Console) -> Result<Answer, Failure> {
    match &args.method {
        Method::Key(args) => key::run(args, global, console),
        Method::Certificate(args) => certificate::run(args, global, console),
        #[cfg(feature = "pkcs11")]
        Method::Pkcs11Key(args) => pkcs11_key::run(args, global, console),
        #[cfg(feature = "pkcs11")]
        Method::Pkcs11Certificate(args) => pkcs11_certificate::run(args, global, console),
    }
}

/// What every method signs.
#[derive(Debug, clap::Args)]
pub(crate) struct Common {
    #[command(flatten)]
    pub(crate) model: ModelArgs,

    /// Where to write the signature
    #[arg(long, value_name = "SIGNATURE_PATH", default_value = DEFAULT_NAME)]
    pub(crate) signature: PathBuf,

    #[command(flatten)]
    pub(crate) hashing: HashingArgs,

    #[command(flatten)]
    pub(crate) stamp: StampArgs,
}

/// Signs with a key and every default; for `quickstart`.
pub(crate) fn key(
    model: &Path,
    signature: &Path,
    private_key: &Path,
    global: &Global,
    console: &Console,
) -> Result<Answer, Failure> {
    let common = Common {
        model: ModelArgs::new(model.to_owned()),
        signature: signature.to_owned(),
        hashing: HashingArgs { hash: crate::args::HashArg::Sha256, shard_size: None },
        stamp: StampArgs::default(),
    };
    key::run(&key::Args::new(common, private_key.to_owned()), global, console)
}

/// Refuses early, before anything long or secret, what could only fail later.
///
/// `inputs` are what the signature must not overwrite: each with what it is.
pub(crate) fn check(common: &Common, inputs: &[(&str, &Path)]) -> Result<(), Failure> {
    let location = LocalModel::locate(&common.model.path, common.model.symlinks())?;
    let authorities = common.stamp.tsa_certificate_chain.iter();
    let authorities = authorities.map(|path| ("the timestamp authority's certificate", path.as_path()));
    let inputs: Vec<_> = inputs.iter().copied().chain(authorities).collect();
    signature_file::check_target(&common.signature, &location, &inputs)
}

/// Hashes the model, has it signed, and writes the signature.
pub(crate) fn sign(
    common: &Common,
    signer: &dyn Signer,
    global: &Global,
    console: &Console,
) -> Result<Answer, Failure> {
    let timestamper = timestamper(&common.stamp)?;
    let list = list(&common.model, &common.signature, console)?;
    warn(common, &list.model, console);
    let manifest = list.hash(&common.model, &common.hashing, global, console)?;
    let (name, length_bytes) = (list.model.name().to_owned(), list.length_bytes());
    // A model of many files takes much memory, and so does its bundle.
    drop(list);
    let timestampers: Vec<&dyn Timestamper> = timestamper.iter().map(|timestamper| timestamper as _).collect();
    let witnesses = Witnesses { timestampers: &timestampers, logs: &[] };
    let NewSignature { bundle, statement, evidence } = sign_model(&name, manifest, signer, witnesses)?;
    if evidence.key_algorithm == (KeyAlgorithm::Rsa { bits: 2048 }) {
        console.warn("an RSA key of 2048 bits is the shortest that is accepted; use 3072 or more, or ECDSA");
    }
    let json = bundle.to_json();
    let timestamps = timestamps(&bundle);
    drop(bundle);
    model_transparency::output::write(&common.signature, &json, Access::Everyone, Existing::Replace)?;
    let signed = Signed { statement: &statement, evidence: &evidence, timestamps: &timestamps, length_bytes };
    Ok(sign_answer(&common.model.path, &common.signature, &signed))
}

/// The times that the new signature's timestamps state.
fn timestamps(bundle: &Bundle) -> Vec<UnixTime> {
    let parsed = bundle.timestamps().iter().filter_map(|bytes| Timestamp::parse(bytes).ok());
    parsed.map(|timestamp| timestamp.stated_time()).collect()
}

fn warn(common: &Common, model: &LocalModel, console: &Console) {
    if HashAlgorithm::from(common.hashing.hash) != HashAlgorithm::Sha256 {
        console.warn("the Python command line can't verify a signature made with --hash");
    }
    if let Serialization::Shards { .. } = common.hashing.serialization() {
        console.warn("the Python command line can't verify a signature made with --shard-size");
        let empty = model.files().iter().filter(|file| file.length_bytes == 0);
        for file in empty {
            console.warn(&format!("`{}` is empty, and shards do not list empty files: it is not protected", file.path));
        }
    }
    if model.is_single_file() {
        console.note("the Python tool can't verify a single file by its name, which OMS §6.1.2 asks for");
    }
    if common.model.symlinks() == SymlinkPolicy::Allow {
        console.note("a later version of OMS is expected to drop symbolic links");
    }
}
