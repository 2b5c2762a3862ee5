//! `verify`: one file for each method; what they share is here.

mod certificate;
mod key;
mod sigstore;

use std::cell::OnceCell;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use clap::{ArgAction, Subcommand};
use model_transparency::envelope::Bundle;
use model_transparency::log::LogKeys;
use model_transparency::model::{Finding, LocalModel, ModelSource, SymlinkPolicy, Unlisted};
use model_transparency::provenance::{Artifact, Match, ModelDigests};
use model_transparency::receipt::ReceiptedModel;
use model_transparency::trust::{LogTrust, SignerTrust, TimestampTrust, Trust, UnknownLogs};
use model_transparency::verify::{CompareError, CompareOptions, Verdict, check_signature, compare};

use super::provenance::{Found, PolicyArgs, Provenance, ProvenanceSignerArgs, Question, artifact};
use crate::args::{Global, IfNamed, InstanceArgs, ModelArgs, RECEIPTS, ReceiptArgs, TimestampArgs};
use crate::failure::Failure;
use crate::inputs::{Exclusions, exclusions, now, timestamp_authorities};
use crate::instance::resolve;
use crate::output::{Answer, Console, Joined, verify_answer};
use crate::receipts::KeptReceipt;
use crate::signature_file;

pub(crate) use certificate::AuthorityArgs;
pub(crate) use sigstore::{about_instance, rule};

/// Verify a model
///
/// Checks the signature, then that every file is as it was signed and that there is no other. How files were hashed is
/// read from the signed statement. Without a method, `sigstore` is meant: `verify MODEL --identity …` is
/// `verify sigstore MODEL --identity …`.
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
}

/// Whether `word` names a way to verify.
pub(crate) fn is_method(word: &str) -> bool {
    Method::has_subcommand(word)
}

pub(crate) fn run(args: &Args, global: &Global, console: &Console) -> Result<Answer, Failure> {
    match &args.method {
        Method::Sigstore(args) => sigstore::run(args, global, console),
        Method::Key(args) => key::run(args, global, console),
        Method::Certificate(args) => certificate::run(args, global, console),
    }
}

/// What every method verifies.
#[derive(Debug, clap::Args)]
pub(crate) struct Common {
    #[command(flatten)]
    model: ModelArgs,

    /// The signature [default: model.sig here, in the model or beside it, or MODEL.sig beside it]
    #[arg(long, value_name = "SIGNATURE_PATH")]
    signature: Option<PathBuf>,

    /// Accept files that are not in the signature [default: false]
    #[arg(
        long,
        value_name = "BOOL",
        num_args = 0..=1,
        require_equals = true,
        default_value_t = false,
        default_missing_value = "true",
        hide_default_value = true,
        hide_possible_values = true,
        action = ArgAction::Set,
        overrides_with = "no_ignore_unsigned_files"
    )]
    ignore_unsigned_files: bool,

    /// Do not accept them
    #[arg(long, overrides_with = "ignore_unsigned_files")]
    no_ignore_unsigned_files: bool,

    /// Refuse a signature without an entry in a transparency log that holds, as the sigstore method does always
    #[arg(long, help_heading = "Transparency log")]
    require_log: bool,

    /// Keep a receipt of what was verified, and next time read only the files that were changed since. The signature is
    /// verified each time
    #[arg(long, help_heading = RECEIPTS)]
    receipt: bool,

    #[command(flatten)]
    receipt_rules: ReceiptArgs,

    #[command(flatten)]
    timestamps: TimestampArgs,

    #[command(flatten)]
    instance: InstanceArgs,

    #[command(flatten)]
    provenance: Box<JoinedArgs>,
}

/// Provenance that is verified beside the signature.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct JoinedArgs {
    /// SLSA provenance of the model, which has to hold too and to be of what was signed
    #[arg(long, value_name = "FILE", help_heading = "Provenance")]
    provenance_path: Option<PathBuf>,

    #[command(flatten)]
    policy: PolicyArgs,

    #[command(flatten)]
    signer: ProvenanceSignerArgs,
}

impl JoinedArgs {
    /// Reads and judges the provenance, if there is one to be.
    fn read(&self, instance: &InstanceArgs, console: &Console) -> Result<Option<Provenance>, Failure> {
        let Some(path) = &self.provenance_path else {
            return match self.policy.first_flag().or_else(|| self.signer.first_flag()) {
                Some(flag) => {
                    Err(Failure::usage(format!("{flag} is about provenance: give it with --provenance-path")))
                }
                None => Ok(None),
            };
        };
        let (signer, lookup) = (&self.signer.as_signer(), &self.signer.lookup());
        let question = Question { path, policy: &self.policy, signer, lookup, instance };
        Provenance::read(&question, console).map(Some)
    }
}

impl Common {
    fn new(model: ModelArgs, signature: &Path, instance: InstanceArgs) -> Self {
        Self {
            model,
            signature: Some(signature.to_owned()),
            ignore_unsigned_files: false,
            no_ignore_unsigned_files: false,
            require_log: false,
            receipt: false,
            receipt_rules: ReceiptArgs::default(),
            timestamps: TimestampArgs::default(),
            instance,
            provenance: Box::default(),
        }
    }

    fn unsigned(&self) -> Unlisted {
        if self.ignore_unsigned_files && !self.no_ignore_unsigned_files { Unlisted::Tolerate } else { Unlisted::Report }
    }
}

/// Verifies with a key and every other default.
pub(crate) fn key(
    model: ModelArgs,
    signature: &Path,
    public_key: &Path,
    global: &Global,
    console: &Console,
) -> Result<Answer, Failure> {
    let common = Common::new(model, signature, InstanceArgs::default());
    key::run(&key::Args::new(common, public_key.to_owned()), global, console)
}

/// Verifies with a name and who vouches for it, and every other default.
pub(crate) fn identity(
    model: ModelArgs,
    signature: &Path,
    (identity, identity_provider): (&str, &str),
    instance: &InstanceArgs,
    global: &Global,
    console: &Console,
) -> Result<Answer, Failure> {
    let common = Common::new(model, signature, instance.clone());
    sigstore::run(&sigstore::Args::new(common, identity, identity_provider), global, console)
}

/// A signature that was read, and where it is.
pub(crate) struct Signature {
    pub(crate) path: PathBuf,
    pub(crate) bundle: Bundle,
}

/// Reads the signature that is to be verified, finding it first if it was not named.
pub(crate) fn open(common: &Common, console: &Console) -> Result<Signature, Failure> {
    if let Some(flag) = common.receipt_rules.first_flag().filter(|_| !common.receipt) {
        return Err(Failure::usage(format!("{flag} is about receipts: give it with --receipt")));
    }
    LocalModel::locate(&common.model.path, SymlinkPolicy::Allow)?;
    let path = match &common.signature {
        Some(path) => path.clone(),
        None => signature_file::find(&common.model.path, console)?,
    };
    let bundle = Bundle::read(&path)?;
    Ok(Signature { path, bundle })
}

/// Checks the signature against `signer`, then the model against what was signed.
pub(crate) fn verify(
    common: &Common,
    Signature { path: signature, bundle }: Signature,
    signer: SignerTrust<'_>,
    global: &Global,
    console: &Console,
) -> Result<Answer, Failure> {
    let model = &common.model;
    let location = LocalModel::locate(&model.path, SymlinkPolicy::Allow)?;
    let provenance = common.provenance.read(&common.instance, console)?;
    let authorities = match signer {
        // Its trusted root says whose timestamps count.
        SignerTrust::Sigstore(_) => Vec::new(),
        SignerTrust::Key(_) | SignerTrust::Certificates(_) => {
            let nobody = InstanceArgs::default();
            let instance = if is_for_logs_alone(common, &bundle) { &nobody } else { &common.instance };
            timestamp_authorities(&common.timestamps, instance, console)?
        }
    };
    let timestamps = TimestampTrust { authorities: &authorities, required: common.timestamps.require_timestamp };
    let logs = match signer {
        SignerTrust::Sigstore(_) => None,
        SignerTrust::Key(_) | SignerTrust::Certificates(_) => log_keys(common, &bundle, console)?,
    };
    let logs = logs.as_ref().map(|logs| LogTrust {
        logs,
        // A log that somebody named an instance for has to be one of it.
        unknown: if is_strict(common) { UnknownLogs::Refuse } else { UnknownLogs::PassOver },
        required: common.require_log,
        now: now(),
    });
    let verified = check_signature(&bundle, Trust { signer, timestamps, logs })
        .map_err(|error| Failure::signature(error, !bundle.timestamps().is_empty() && authorities.is_empty()))?;
    let statement = verified.statement()?;
    drop(bundle);
    if let Some(hint) = &statement.evidence().misleading_hint {
        console.warn(&format!("the bundle says that key {hint} signed it, but the key given did"));
    }
    let Exclusions { all, .. } =
        exclusions(&location, model.scope.ignores_git_paths(), &model.scope.ignore_paths, Some(&signature), console)?;

    let open = || KeptReceipt::open(&common.receipt_rules, &location, console);
    let mut kept = common.receipt.then(open).transpose()?;
    if let Some(kept) = &mut kept {
        kept.believe_only(Some(statement.get().manifest()));
    }
    let source = OnceCell::new();
    let total_bytes = AtomicU64::new(0);
    let verdict = console.hashing(
        global,
        || total_bytes.load(Ordering::Relaxed),
        |hashing| {
            let options = CompareOptions {
                ignore: &all,
                unsigned: common.unsigned(),
                widen_symlinks: model.scope.symlinks() == SymlinkPolicy::Allow,
                hashing: *hashing,
            };
            compare(statement, &options, |rules| -> Result<&ReceiptedModel, CompareError> {
                let model = LocalModel::open(&model.path, rules)?;
                let model = match &mut kept {
                    Some(kept) => {
                        let is_file = model.is_single_file();
                        kept.beside(model, |file| is_file || rules.listed.contains(file.path.as_str()))?
                    }
                    None => ReceiptedModel::without_receipt(model),
                };
                total_bytes.store(model.unread_bytes(), Ordering::Relaxed);
                Ok(source.get_or_init(|| model))
            })
        },
    );
    let verdict = verdict.map_err(|error| match error {
        CompareError::Mismatch { .. } | CompareError::SignedAsSingleFile if common.signature.is_none() => {
            let hint = format!(
                "`{}` was found, not given: is it this model's? --signature FILE names another",
                signature.display()
            );
            Failure::from(error).with_hint(hint)
        }
        error => error.into(),
    })?;
    warn_of_links(&verdict.findings, console);
    let policy = &common.provenance.policy;
    let found = match &provenance {
        Some(provenance) => Some(of_the_same(provenance, common, &verdict, &signature, global, console)?),
        None => None,
    };
    let renew = |model: &ReceiptedModel| model.renew(verdict.statement.manifest());
    let renewed = source.get().map(renew).transpose()?.flatten();
    if let Some((kept, renewed)) = kept.zip(renewed.as_ref()) {
        kept.keep(renewed, console);
    }
    let path = common.provenance.provenance_path.as_deref();
    let joined = path.zip(found.as_ref()).map(|(path, found)| Joined { path, found, policy });
    Ok(verify_answer(&model.path, &signature, &verdict, renewed.as_ref(), joined.as_ref()))
}

/// What of the provenance is of the model that was signed.
fn of_the_same<'a>(
    provenance: &'a Provenance,
    common: &Common,
    verdict: &Verdict,
    signature: &Path,
    global: &Global,
    console: &Console,
) -> Result<Found<'a>, Failure> {
    let path = &common.model.path;
    let coverage = common.provenance.policy.coverage();
    let named = |failure: Failure| {
        let message = format!("the model is as signed, and its provenance is not as expected: {}", failure.message);
        Failure { message, ..failure }
    };
    let algorithms = provenance.algorithms();
    let manifest = verdict.statement.manifest();
    let is_file = path.is_file();
    // What was signed is known by its digests already; only of others is the model read again.
    if let Some(model) =
        ModelDigests::of(manifest).filter(|_| !is_file && algorithms.iter().all(|one| *one == "sha256"))
    {
        return provenance.find(&Artifact::Model(model), coverage).map_err(named);
    }
    if !is_file {
        let has_names =
            |found: &Match| matches!(found, Match::Directory { subject, .. } if subject.digest.contains_key("dirHash"));
        let whole = ModelDigests::whole_of(manifest);
        let knows_names = whole.whole().contains_key("dirHash");
        match provenance.find(&Artifact::Model(whole), coverage) {
            Ok(found) if knows_names || !has_names(found.provenance.found()) => return Ok(found),
            _ => {}
        }
        let model = artifact::signed(path, verdict, &algorithms, global, console)?;
        let as_signed = Artifact::Model(model.clone().with_root_of(manifest));
        return provenance
            .find(&as_signed, coverage)
            .or_else(|_| provenance.find(&Artifact::Model(model), coverage))
            .map_err(named);
    }
    let scope = &common.model.scope;
    let artifact = artifact::read_path(path, &algorithms, scope, signature, global, console)?;
    provenance.find(&artifact.artifact, coverage).map_err(named)
}

/// The logs of the instance, if there is something to check with them.
fn log_keys(common: &Common, bundle: &Bundle, console: &Console) -> Result<Option<LogKeys>, Failure> {
    if bundle.log_entries().is_empty() && !common.require_log {
        return Ok(None);
    }
    Ok(Some(resolve(&common.instance, console)?.root.log_keys()))
}

/// Whether an instance that was named is there for its logs: it need not have a timestamp authority.
fn is_for_logs_alone(common: &Common, bundle: &Bundle) -> bool {
    let has_log = common.require_log || !bundle.log_entries().is_empty();
    bundle.timestamps().is_empty() && has_log && !common.timestamps.require_timestamp
}

fn is_strict(common: &Common) -> bool {
    common.require_log || common.instance.is_given()
}

/// Names the links that led out of the model or were not descended.
pub(crate) fn warn_of_links(findings: &[Finding], console: &Console) {
    for finding in findings {
        match finding {
            Finding::FollowedOutside { path, target } => {
                console.warn(&format!("`{path}` is a link to a file outside the model, `{}`", target.display()));
            }
            Finding::DirectoryLinkSkipped { path } => {
                console.warn(&format!("`{path}` is a link to a directory of the model, which is listed there alone"));
            }
            Finding::Problem { .. } => {}
        }
    }
}
