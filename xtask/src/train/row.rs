//! One model: trained, attested, signed, verified, changed, recognised.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::Value;

use super::Format;
use super::Framework;
use super::environments::Environment;
use super::peers::{Asked, Peers};
use crate::table::{Cell, Row};
use crate::tool::Tool;
use crate::workspace::Workspace;
use crate::{process, tool};

/// What the provenance calls the data.
const DATASET: &str = "https://www.cs.toronto.edu/~kriz/cifar.html";
const STEPS: &str = "20";

/// What all rows share: tools, data and keys.
pub(super) struct Run<'a> {
    ours: &'a Tool,
    peers: &'a Peers,
    scripts: PathBuf,
    folder: &'a Path,
    data: PathBuf,
    private_key: PathBuf,
    public_key: PathBuf,
}

/// The files of a row.
struct Files {
    model: PathBuf,
    provenance: PathBuf,
    signature: PathBuf,
}

impl<'a> Run<'a> {
    /// Makes keys, and data in CIFAR10's layout.
    pub(super) fn prepare(
        workspace: &Workspace,
        ours: &'a Tool,
        peers: &'a Peers,
        environment: &Environment,
        folder: &'a Path,
    ) -> Result<Self> {
        let run = Self {
            ours,
            peers,
            scripts: workspace.root.join("examples").join("slsa-for-ml"),
            folder,
            data: folder.join("data"),
            private_key: folder.join("key.pem"),
            public_key: folder.join("key.pub.pem"),
        };
        let mut command = Command::new(&environment.python);
        environment.apply(&mut command);
        process::stdout(command.arg(run.scripts.join("cifar10.py")).arg(&run.data))?;
        succeeds(&mut ours.keygen("p256", &run.private_key, &run.public_key))?;
        Ok(run)
    }

    /// Makes every check; those that need what an earlier one could not make are left out.
    pub(super) fn row(&self, format: &Format, environment: &Environment) -> Row<7> {
        let files = Files {
            model: self.folder.join(format.model).join(format.model),
            provenance: self.folder.join(format!("{}.provenance.json", format.model)),
            signature: self.folder.join(format!("{}.sig", format.model)),
        };
        let made = self.make(format, environment, &files);
        if made.is_err() {
            let missing = || Cell::NotApplicable;
            let cells = [made.into(), missing(), missing(), missing(), missing(), missing(), missing()];
            return Row { name: format.model, cells };
        }
        let signed = self.sign(&files);
        let verified = self.verify(&files);
        let recognised = self.recognise(format, &files);
        let optional = |result: Option<Result<()>>| result.map_or(Cell::NotApplicable, Cell::from);
        let cosign = optional(self.ask_cosign(&files));
        let in_toto = optional(self.peers.in_toto(&files.provenance));
        // Last: the model is another one afterwards.
        let refused = self.refuse_changed(&files);
        let cells = [made.into(), signed.into(), verified.into(), refused.into(), recognised.into(), cosign, in_toto];
        Row { name: format.model, cells }
    }

    /// Trains under observation; the provenance has to name what the training was told.
    fn make(&self, format: &Format, environment: &Environment, files: &Files) -> Result<()> {
        let script = match format.framework {
            Framework::Tensorflow => "train_tensorflow.py",
            Framework::Pytorch => "train_pytorch.py",
        };
        let mut command = self.ours.command(["provenance", "run"]);
        environment.apply(&mut command);
        command.current_dir(self.folder);
        command.arg("--dataset").arg(format!("{DATASET}=data")).args(["--param", &format!("steps={STEPS}")]);
        command.arg("--output").arg(format!("{0}/{0}", format.model)).arg("-o").arg(&files.provenance);
        command.args(["--sign", "key", "--private-key"]).arg(&self.private_key).arg("--");
        command.arg(&environment.python).arg(self.scripts.join(script)).args(["--model", format.model]);
        command.args(["--data", "data", "--out", format.model, "--steps", STEPS]);
        succeeds(&mut command)?;

        let statement = statement(&files.provenance)?;
        let external = &statement["predicate"]["buildDefinition"]["externalParameters"];
        ensure!(mentions(&external["datasets"], DATASET), "the provenance does not name the dataset {DATASET}");
        ensure!(mentions_file(&external["command"], script), "the provenance does not name the command {script}");
        Ok(())
    }

    fn sign(&self, files: &Files) -> Result<()> {
        let mut command = self.ours.command(["sign", "key"]);
        command.arg(&files.model).arg("--private-key").arg(&self.private_key).arg("--signature").arg(&files.signature);
        succeeds(&mut command)
    }

    fn verify(&self, files: &Files) -> Result<()> {
        succeeds(&mut self.verify_signature(files))?;
        succeeds(&mut self.verify_provenance(files))
    }

    fn verify_signature(&self, files: &Files) -> Command {
        let mut command = self.ours.command(["verify", "key"]);
        command.arg(&files.model).arg("--public-key").arg(&self.public_key).arg("--signature").arg(&files.signature);
        command
    }

    fn verify_provenance(&self, files: &Files) -> Command {
        let mut command = self.ours.command(["provenance", "verify"]);
        command.arg(&files.model).arg("--provenance-path").arg(&files.provenance).arg("--key").arg(&self.public_key);
        command.args(["--expect-dataset", DATASET, "--expect-param", &format!("steps={STEPS}")]);
        command
    }

    /// Exit code 1 is a refusal; any other would be a command that could not check.
    fn refuse_changed(&self, files: &Files) -> Result<()> {
        change(&largest_file(&files.model)?)?;
        for mut command in [self.verify_signature(files), self.verify_provenance(files)] {
            let output = process::output(&mut command)?;
            let described = process::describe(&command);
            ensure!(output.status.code() == Some(1), "`{described}`: expected 1, found {}", tool::explain(&output));
        }
        // A directory is a digest to cosign: it does not look at the files.
        if files.model.is_file() && matches!(self.ask_cosign(files), Some(Ok(()))) {
            bail!("cosign accepts the changed model");
        }
        Ok(())
    }

    fn recognise(&self, format: &Format, files: &Files) -> Result<()> {
        let mut command = self.ours.command(["inspect", "--format", "json"]);
        let document = process::stdout(command.arg(&files.model))?;
        let document: Value = serde_json::from_str(&document).context("`inspect` prints no JSON")?;
        ensure!(mentions(&document, format.id), "expected the format {}, found {document}", format.id);
        Ok(())
    }

    fn ask_cosign(&self, files: &Files) -> Option<Result<()>> {
        let digest = statement(&files.provenance).and_then(|statement| {
            let digest = statement["subject"][0]["digest"]["sha256"].as_str();
            digest.map(str::to_owned).context("the first subject has no SHA-256")
        });
        let asked = |digest: &str| {
            self.peers.cosign(Asked {
                bundle: &files.provenance,
                public_key: &self.public_key,
                model: &files.model,
                digest,
            })
        };
        match digest {
            Ok(digest) => asked(&digest),
            Err(error) => Some(Err(error)),
        }
    }
}

fn succeeds(command: &mut Command) -> Result<()> {
    process::stdout(command).map(|_| ())
}

/// The statement in a bundle.
fn statement(bundle: &Path) -> Result<Value> {
    let text = fs::read(bundle).with_context(|| format!("cannot read {}", bundle.display()))?;
    let bundle: Value = serde_json::from_slice(&text).context("the provenance is no JSON")?;
    let payload = bundle["dsseEnvelope"]["payload"].as_str().context("the bundle has no envelope")?;
    Ok(serde_json::from_slice(&BASE64.decode(payload)?)?)
}

/// Whether some text in the value is this one.
fn mentions(value: &Value, text: &str) -> bool {
    any_text(value, &|found| found == text)
}

/// Whether some text in the value is a path to this file.
fn mentions_file(value: &Value, name: &str) -> bool {
    any_text(value, &|found| Path::new(found).file_name().is_some_and(|found| found == name))
}

fn any_text(value: &Value, holds: &dyn Fn(&str) -> bool) -> bool {
    match value {
        Value::String(found) => holds(found),
        Value::Array(values) => values.iter().any(|value| any_text(value, holds)),
        Value::Object(members) => members.values().any(|value| any_text(value, holds)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// The model's weights: the file itself, or the largest one below a directory.
fn largest_file(model: &Path) -> Result<PathBuf> {
    let mut largest = (0, None);
    let mut pending = vec![model.to_owned()];
    while let Some(path) = pending.pop() {
        let metadata = fs::metadata(&path).with_context(|| format!("cannot read {}", path.display()))?;
        if metadata.is_dir() {
            for entry in fs::read_dir(&path)? {
                pending.push(entry?.path());
            }
        } else if metadata.len() >= largest.0 {
            largest = (metadata.len(), Some(path));
        }
    }
    largest.1.with_context(|| format!("there is no file in {}", model.display()))
}

/// Changes one bit in the middle.
fn change(file: &Path) -> Result<()> {
    let mut bytes = fs::read(file)?;
    let middle = bytes.len() / 2;
    let byte = bytes.get_mut(middle).with_context(|| format!("{} is empty", file.display()))?;
    *byte ^= 1;
    fs::write(file, bytes).with_context(|| format!("cannot write {}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_one_bit_of_the_largest_file() {
        let folder = tempfile::tempdir().expect("a folder");
        fs::create_dir(folder.path().join("variables")).expect("written");
        fs::write(folder.path().join("small"), [0; 3]).expect("written");
        fs::write(folder.path().join("variables").join("large"), [0; 9]).expect("written");
        change(&largest_file(folder.path()).expect("a file")).expect("changed");
        assert_eq!(fs::read(folder.path().join("small")).expect("read"), [0; 3]);
        assert_eq!(fs::read(folder.path().join("variables").join("large")).expect("read"), [0, 0, 0, 0, 1, 0, 0, 0, 0]);
    }

    #[test]
    fn a_format_has_to_be_mentioned_whole() {
        let document = serde_json::json!({ "files": [{ "format": "keras" }], "count": 1 });
        assert!(mentions(&document, "keras"));
        assert!(!mentions(&document, "ker"));
    }
}
