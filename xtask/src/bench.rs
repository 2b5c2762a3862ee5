//! `cargo xtask bench`: signs and verifies beside the reference tool, on models of the sizes that the project is
//! judged by.

mod bound;
mod cold;
mod machine;
mod measure;
mod models;
mod picture;
mod report;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use clap::Args;

pub(crate) use self::machine::{Facts, facts};
use self::measure::{Comparison, by_turns};
pub(crate) use self::measure::{Samples, alternate, ratio};
use self::models::{BY_RECEIPT, Case, MODELS, Model, Scale};
pub(crate) use self::report::times;
use crate::process;
use crate::reference::Reference;
use crate::tool::{Method, Subject, Symlinks, Tool};
use crate::workspace::Workspace;

/// How to measure.
#[derive(Args)]
pub(crate) struct Options {
    /// Also measures the model of 14.4 GB.
    #[arg(long)]
    large: bool,
    /// How often each command runs, besides a first run that is not counted; depends on the model by default.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    runs: Option<u32>,
    /// Writes the result to docs/benchmarks.md.
    #[arg(long)]
    write: bool,
    /// The `model-signing` that is written in Go, to measure too.
    #[arg(long, value_name = "PATH")]
    go_tool: Option<PathBuf>,
    /// The interpreter that makes the virtual environment of the reference tool.
    #[arg(long)]
    python: Option<PathBuf>,
}

/// Measures, prints the table and says which targets are reached. A missed target is no error: time depends on the
/// machine.
pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    let theirs = Reference::install(workspace, options.python.as_deref())?;
    let ours = Tool::new("ours", workspace.build_release()?);
    let go = options.go_tool.as_ref().map(|program| Tool::new("go", program.clone()).with_hyphens());
    let facts = machine::facts(workspace, &ours, Some(&theirs))?;

    let folder = tempfile::tempdir()?;
    let keys = Keys::generate(&ours, folder.path())?;
    let mut comparisons = Vec::new();
    for model in MODELS.iter().filter(|model| options.large || model.scale == Scale::Default) {
        let path = workspace.target.join("bench-models").join(model.folder);
        model.write(&path)?;
        if machine::available_memory_bytes().is_some_and(|available| available < model.total_bytes()) {
            println!("the page cache cannot hold {}: these times measure the disk", model.name);
        }
        let runs = options.runs.unwrap_or(model.runs);
        let tools = Tools { ours: &ours, theirs: &theirs, go: go.as_ref(), keys: &keys };
        for case in model.cases {
            comparisons.extend(tools.measure(model, case, &path, runs)?);
        }
    }

    let mut from_disk = Vec::new();
    for model in MODELS.iter().filter(|model| cfg!(target_os = "linux") && model.is_read_cold) {
        let path = workspace.target.join("bench-models").join(model.folder);
        println!("==> {} from the disk", model.name);
        let signature = folder.path().join("cold.sig");
        let sign = || {
            let subject = Subject { model: &path, signature: &signature, symlinks: Symlinks::Refused };
            ours.sign(subject, &Method::private_key(&keys.private), &[])
        };
        from_disk.push(cold::measure(model.name, &model.paths(&path), sign, options.runs.unwrap_or(model.runs))?);
    }

    let report = report::markdown(&comparisons, &from_disk, &facts);
    println!("\n{report}");
    if options.write {
        let path = workspace.root.join("docs").join("benchmarks.md");
        fs::create_dir_all(workspace.root.join("docs"))?;
        fs::write(&path, report).with_context(|| format!("cannot write {}", path.display()))?;
        fs::write(path.with_extension("svg"), picture::svg(&comparisons))?;
        println!("written to docs/benchmarks.md and docs/benchmarks.svg");
    }
    Ok(())
}

/// The key pair that both tools use.
struct Keys {
    private: PathBuf,
    public: PathBuf,
}

impl Keys {
    fn generate(ours: &Tool, folder: &Path) -> Result<Self> {
        let keys = Self { private: folder.join("key.pem"), public: folder.join("key.pub") };
        process::stdout(&mut ours.keygen("p256", &keys.private, &keys.public))?;
        Ok(keys)
    }
}

/// Signs in shards, which the reference has in its library alone.
const SHARDED: &str = "\
import sys
from model_signing import hashing, signing
model, signature, key, shard_bytes = sys.argv[1:]
shards = hashing.Config().use_shard_serialization(shard_size=int(shard_bytes))
config = signing.Config().use_elliptic_key_signer(private_key=key).set_hashing_config(shards)
config.sign(model, signature)
";

/// Who is measured.
struct Tools<'a> {
    ours: &'a Tool,
    theirs: &'a Reference,
    go: Option<&'a Tool>,
    keys: &'a Keys,
}

impl Tools<'_> {
    /// Compares signing, and verifying where the others can; each tool verifies what it signed.
    fn measure(&self, model: &'static Model, case: &'static Case, path: &Path, runs: u32) -> Result<Vec<Comparison>> {
        let folder = tempfile::tempdir()?;
        let signature = |tool: &str| folder.path().join(tool);
        println!("==> {}, {runs} runs each", report::name(model, case));
        let least = bound::least_time(&model.paths(path), &model.segments(case.shard_bytes))?;

        let shards = case.shard_bytes.map(|bytes| bytes.to_string());
        let method = Method::private_key(&self.keys.private);
        let sign = |tool: &Tool| {
            let to = signature(tool.name);
            tool.sign(Subject { model: path, signature: &to, symlinks: Symlinks::Refused }, &method, &[])
        };
        let ours = || {
            let mut command = sign(self.ours);
            command.args(shards.iter().flat_map(|bytes| ["--shard-size", bytes]));
            command
        };
        let theirs = match &shards {
            None => sign(&self.theirs.tool),
            Some(bytes) => {
                let mut command = self.theirs.python_command();
                command.args(["-c", SHARDED]).arg(path).arg(signature("theirs")).arg(&self.keys.private).arg(bytes);
                command
            }
        };
        // The tool in Go has no shards.
        let go = self.go.filter(|_| shards.is_none());
        let signing = Commands { ours: [ours(), ours()], theirs, go: go.map(sign), by_receipt: None };
        let mut comparisons = signing.compare(model, case, "sign", runs, least)?;
        if shards.is_none() {
            let method = Method::public_key(&self.keys.public);
            let verify = |tool: &Tool| {
                let from = signature(tool.name);
                tool.verify(Subject { model: path, signature: &from, symlinks: Symlinks::Refused }, &method)
            };
            let ours = [verify(self.ours), verify(self.ours)];
            let mut by_receipt = verify(&self.ours.with_variable("XDG_STATE_HOME", folder.path().join("state")));
            by_receipt.arg("--receipt");
            let by_receipt = Some(by_receipt).filter(|_| cfg!(target_os = "linux") && model.scale == Scale::Large);
            let verifying = Commands { ours, theirs: verify(&self.theirs.tool), go: go.map(verify), by_receipt };
            comparisons.extend(verifying.compare(model, case, "verify", runs, least)?);
        }
        let signature_bytes = fs::metadata(signature("ours")).context("no signature was written")?.len();
        comparisons.iter_mut().for_each(|comparison| comparison.signature_bytes = signature_bytes);
        Ok(comparisons)
    }
}

/// The same of each tool.
struct Commands {
    /// The second is run with one thread.
    ours: [Command; 2],
    theirs: Command,
    go: Option<Command>,
    /// Ours, which keeps a receipt in the run that is not counted.
    by_receipt: Option<Command>,
}

impl Commands {
    fn compare(
        self,
        model: &'static Model,
        case: &'static Case,
        operation: &'static str,
        runs: u32,
        least: std::time::Duration,
    ) -> Result<Vec<Comparison>> {
        let [ours, mut one_core] = self.ours;
        one_core.args(["--jobs", "1"]);
        let mut commands = vec![ours, self.theirs];
        let has_one_core = case.of_one_core.is_some();
        commands.extend(has_one_core.then_some(one_core));
        let has_go = self.go.is_some();
        commands.extend(self.go);
        commands.extend(self.by_receipt);
        let mut samples = by_turns(commands, runs)?.into_iter();
        let mut next = || samples.next().unwrap_or_default();
        let (ours, theirs) = (next(), next());
        let one_core = has_one_core.then(&mut next);
        let go = has_go.then(&mut next);
        let by_receipt = samples.next().map(|ours| Comparison {
            model,
            case: &BY_RECEIPT,
            operation: "verify by receipt",
            ours,
            theirs: theirs.clone(),
            one_core: None,
            go: go.clone(),
            least: None,
            signature_bytes: 0,
        });
        let least = Some(least);
        let all = Comparison { model, case, operation, ours, theirs, one_core, go, least, signature_bytes: 0 };
        Ok([Some(all), by_receipt].into_iter().flatten().collect())
    }
}
