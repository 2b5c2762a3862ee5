//! `sign`: one file for each method; what they share is here.

mod certificate;
mod key;
#[cfg(feature = "pkcs11")]
mod pkcs11_certificate;
#[cfg(feature = "pkcs11")]
mod pkcs11_key;
mod reuse;
mod sigstore;
mod statement;
mod witnesses;

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use clap::Subcommand;
use model_transparency::certificate::UnixTime;
use model_transparency::envelope::{Bundle, Statement};
use model_transparency::hash::HashAlgorithm;
use model_transparency::key::KeyAlgorithm;
use model_transparency::manifest::Serialization;
use model_transparency::model::{LocalModel, ModelSource, SymlinkPolicy};
use model_transparency::output::{Access, Existing};
use model_transparency::receipt::ReceiptedModel;
use model_transparency::sign::{NewSignature, SignError, Signer, sign_model};
use model_transparency::timestamp::Timestamp;
use model_transparency::verify::Evidence;

use super::digest::list;
use crate::args::{Global, HashingArgs, IfNamed, ModelArgs};
use crate::failure::Failure;
use crate::output::{Answer, Console, Signed, sign_answer};
use crate::receipts::KeptReceipt;
use crate::signature_file::{self, DEFAULT_NAME};
use reuse::{Believed, ReuseArgs};
pub(crate) use statement::{NewStatement, StatementSigner};
use witnesses::{Asked, WitnessArgs};

/// Sign a model
///
/// Hashes every file of the model and writes a signature over the list: an OpenSSF Model Signing v1.0 bundle. `sign
/// MODEL_PATH` is `sign sigstore MODEL_PATH`; a model that is called like a method is named with its folder, `./key`.
#[derive(Debug, clap::Args)]
#[command(arg_required_else_help = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    method: Method,
}

#[derive(Debug, Subcommand)]
enum Method {
    Sigstore(IfNamed<sigstore::Args>),
    Key(IfNamed<key::Args>),
    Certificate(IfNamed<certificate::Args>),
    #[cfg(feature = "pkcs11")]
    Pkcs11Key(IfNamed<pkcs11_key::Args>),
    #[cfg(feature = "pkcs11")]
    Pkcs11Certificate(IfNamed<pkcs11_certificate::Args>),
}

/// Whether `word` names a way to sign.
pub(crate) fn is_method(word: &str) -> bool {
    Method::has_subcommand(word)
}

pub(crate) fn run(args: &Args, global: &Global, console: &Console) -> Result<Answer, Failure> {
    match &args.method {
        Method::Sigstore(args) => sigstore::run(args, global, console),
        Method::Key(args) => key::run(args, global, console),
        Method::Certificate(args) => certificate::run(args, global, console),
        #[cfg(feature = "pkcs11")]
        Method::Pkcs11Key(args) => pkcs11_key::run(args, global, console),
        #[cfg(feature = "pkcs11")]
        Method::Pkcs11Certificate(args) => pkcs11_certificate::run(args, global, console),
    }
}

/// What is signed, and where the signature goes.
#[derive(Debug, clap::Args)]
pub(crate) struct Target {
    #[command(flatten)]
    pub(crate) model: ModelArgs,

    /// Where to write the signature
    #[arg(long, value_name = "SIGNATURE_PATH", default_value = DEFAULT_NAME)]
    pub(crate) signature: PathBuf,

    #[command(flatten)]
    pub(crate) hashing: HashingArgs,

    #[command(flatten)]
    pub(crate) reuse: ReuseArgs,
}

/// What every method with a key that is kept has.
#[derive(Debug, clap::Args)]
pub(crate) struct Common {
    #[command(flatten)]
    target: Target,

    #[command(flatten)]
    witnesses: WitnessArgs,
}

/// Signs with a key and every default; for `quickstart`.
pub(crate) fn key(
    model: &Path,
    signature: &Path,
    private_key: &Path,
    global: &Global,
    console: &Console,
) -> Result<Answer, Failure> {
    let target = Target {
        model: ModelArgs::new(model.to_owned()),
        signature: signature.to_owned(),
        hashing: HashingArgs { hash: crate::args::HashArg::Sha256, shard_size: None },
        reuse: ReuseArgs::default(),
    };
    let common = Common { target, witnesses: WitnessArgs::default() };
    key::run(&key::Args::new(common, private_key.to_owned()), global, console)
}

/// Refuses early, before anything long or secret, what could only fail later.
///
/// `inputs` are what the signature must not overwrite: each with what it is.
pub(crate) fn check(common: &Common, inputs: &[(&str, &Path)]) -> Result<(), Failure> {
    let inputs: Vec<_> = inputs.iter().copied().chain(common.witnesses.inputs()).collect();
    check_target(&common.target, &inputs)
}

/// [`check`] for a method that keeps no key.
fn check_target(target: &Target, inputs: &[(&str, &Path)]) -> Result<(), Failure> {
    target.reuse.check()?;
    let location = LocalModel::locate(&target.model.path, target.model.scope.symlinks())?;
    signature_file::check_target(&target.signature, &location, inputs)
}

/// Hashes the model, has it signed, and writes the signature.
pub(crate) fn sign(
    common: &Common,
    signer: &dyn Signer,
    global: &Global,
    console: &Console,
) -> Result<Answer, Failure> {
    let asked = common.witnesses.find(console)?;
    write_signature(&common.target, common.witnesses.believed(), signer, &asked, None, global, console)
}

/// What goes on while a model is hashed.
struct Meanwhile<'a> {
    /// Begins it, once it is known that the model can be hashed.
    begin: &'a dyn Fn(),
    /// Becomes true when it has failed.
    has_failed: &'a AtomicBool,
    /// Why it has failed, if it has.
    failure: &'a dyn Fn() -> Option<SignError>,
}

/// Hashes the model, has it signed before these witnesses, and writes the signature.
fn write_signature(
    target: &Target,
    believed: Believed<'_>,
    signer: &dyn Signer,
    asked: &Asked,
    meanwhile: Option<&Meanwhile<'_>>,
    global: &Global,
    console: &Console,
) -> Result<Answer, Failure> {
    let old = target.reuse.read(signer.trust(), believed, &target.hashing, console)?;
    let open = || {
        let location = LocalModel::locate(&target.model.path, target.model.scope.symlinks())?;
        KeptReceipt::open(&target.reuse.rules, &location, console)
    };
    let mut kept = target.reuse.keeps_receipt().then(open).transpose()?;
    let list = list(&target.model, &target.signature, global.hashing().jobs, console)?;
    warn(target, &list.model, console);
    target.reuse.warn(&list.model, console);
    let list = list.map(|model| match &mut kept {
        Some(kept) => {
            kept.believe_only(old.as_ref().map(Statement::manifest));
            // Shards do not list empty files (OMS §6.3.2).
            let has_empty = target.hashing.serialization() == Serialization::Files;
            kept.beside(model, |file| has_empty || file.length_bytes > 0)
        }
        None => Ok(ReceiptedModel::without_receipt(model)),
    })?;
    drop(old);
    if let Some(meanwhile) = meanwhile {
        (meanwhile.begin)();
    }
    let has_failed = meanwhile.map(|meanwhile| meanwhile.has_failed);
    let manifest = list.hash(&target.model, &target.hashing, global, console, has_failed);
    // This is why the hashing ended: whoever declined need not wait for the rest of the model.
    if let Some(failure) = meanwhile.and_then(|meanwhile| (meanwhile.failure)()) {
        return Err(failure.into());
    }
    let manifest = manifest?;
    let (name, length_bytes) = (list.model.name().to_owned(), list.length_bytes());
    let renewed = list.model.renew(&manifest)?;
    // A model of many files takes much memory, and so does its bundle.
    drop(list);
    let NewSignature { json, bundle, statement, evidence } =
        asked.ask(|witnesses| sign_model(&name, manifest, signer, witnesses))?;
    warn_of_short_key(&evidence, console);
    let timestamps = timestamps(&bundle);
    let log_entries = asked.log_entries(&bundle);
    drop(bundle);
    model_transparency::output::write(&target.signature, &json, Access::Everyone, Existing::Replace)?;
    if let Some((kept, renewed)) = kept.zip(renewed.as_ref()) {
        kept.keep(renewed, console);
    }
    let signed = Signed {
        statement: &statement,
        evidence: &evidence,
        timestamps: &timestamps,
        log_entries: &log_entries,
        length_bytes,
        renewed: renewed.as_ref().map(|renewed| (target.reuse.signature(), renewed)),
    };
    Ok(sign_answer(&target.model.path, &target.signature, &signed))
}

/// The times that the new signature's timestamps state.
fn timestamps(bundle: &Bundle) -> Vec<UnixTime> {
    let parsed = bundle.timestamps().iter().filter_map(|bytes| Timestamp::parse(bytes).ok());
    parsed.map(|timestamp| timestamp.stated_time()).collect()
}

fn warn_of_short_key(evidence: &Evidence, console: &Console) {
    if evidence.key_algorithm == (KeyAlgorithm::Rsa { bits: 2048 }) {
        console.warn("an RSA key of 2048 bits is the shortest that is accepted; use 3072 or more, or ECDSA");
    }
}

fn warn(target: &Target, model: &LocalModel, console: &Console) {
    if HashAlgorithm::from(target.hashing.hash) != HashAlgorithm::Sha256 {
        console.warn("the Python command line can't verify a signature made with --hash");
    }
    if let Serialization::Shards { .. } = target.hashing.serialization() {
        console.warn("the Python command line can't verify a signature made with --shard-size");
        let empty = model.files().iter().filter(|file| file.length_bytes == 0);
        for file in empty {
            console.warn(&format!("`{}` is empty, and shards do not list empty files: it is not protected", file.path));
        }
    }
    if model.is_single_file() {
        console.note("the Python tool can't verify a single file by its name, which OMS §6.1.2 asks for");
    }
    if target.model.scope.symlinks() == SymlinkPolicy::Allow {
        console.note("a later version of OMS is expected to drop symbolic links");
    }
}
