//! `cargo xtask train`: the models of `examples/slsa-for-ml`, trained for a few steps in each format, with provenance and a
//! signature, both of which refuse the model once it is changed.
//!
//! The provenance is also read by others: cosign, and in-toto's own protobuf. slsa-verifier can't be asked: it takes what
//! GitHub's and Google's builders sign, and has no way to name a key.

mod environments;
mod peers;
mod row;

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};

use self::environments::Environment;
use self::peers::Peers;
use self::row::Run;
use crate::outcome::Outcome;
use crate::table::Table;
use crate::tool::Tool;
use crate::workspace::Workspace;

/// What to train.
#[derive(Args)]
pub(crate) struct Options {
    /// Only this model, named as the training scripts name it (may be given several times).
    #[arg(long = "format", value_name = "NAME")]
    formats: Vec<String>,
    /// Which models, if none is named.
    #[arg(long, value_enum, default_value_t = Rows::All)]
    rows: Rows,
    /// Where PyTorch comes from; PyPI's has CUDA libraries with it, 5.4 GB.
    #[arg(long, value_enum, default_value_t = Torch::Debian)]
    torch: Torch,
    /// The interpreter that makes the virtual environments.
    #[arg(long)]
    python: Option<PathBuf>,
    /// The command to test; by default it is built in release mode.
    #[arg(long)]
    tool: Option<PathBuf>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Rows {
    All,
    /// One of each framework; cosign is asked only where it is built already, which takes minutes.
    Ci,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Torch {
    Debian,
    Pypi,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Framework {
    Tensorflow,
    Pytorch,
}

/// A row: what the training script calls the model, and what it is.
struct Format {
    /// The value of the scripts' `--model`.
    model: &'static str,
    framework: Framework,
    /// What `inspect` has to call it.
    id: &'static str,
}

const FORMATS: [Format; 8] = [
    Format::tensorflow("tensorflow_model.keras", "keras"),
    Format::tensorflow("tensorflow_hdf5_model.h5", "hdf5-keras-model"),
    Format::tensorflow("tensorflow_hdf5.weights.h5", "hdf5-keras-weights"),
    Format::tensorflow("saved_model", "tensorflow-saved-model"),
    Format::pytorch("pytorch_model.pth", "pytorch-state-dict"),
    Format::pytorch("pytorch_full_model.pth", "pytorch-model"),
    Format::pytorch("pytorch_jitted_model.pt", "torchscript"),
    Format::pytorch("model.safetensors", "safetensors"),
];

/// The two rows of CI.
const CI: [&str; 2] = ["tensorflow_model.keras", "pytorch_model.pth"];

const TABLE: Table<7> = Table {
    first: "model",
    columns: [
        "provenance made",
        "signed",
        "verified",
        "tampering refused",
        "format recognised",
        "cosign",
        "in-toto's protobuf",
    ],
};

impl Format {
    const fn tensorflow(model: &'static str, id: &'static str) -> Self {
        Self { model, framework: Framework::Tensorflow, id }
    }

    const fn pytorch(model: &'static str, id: &'static str) -> Self {
        Self { model, framework: Framework::Pytorch, id }
    }
}

impl Framework {
    fn name(self) -> &'static str {
        match self {
            Self::Tensorflow => "TensorFlow",
            Self::Pytorch => "PyTorch",
        }
    }
}

impl Options {
    /// What CI runs.
    pub(crate) fn ci() -> Self {
        Self { formats: Vec::new(), rows: Rows::Ci, torch: Torch::Debian, python: None, tool: None }
    }

    fn chosen(&self) -> Result<Vec<&'static Format>> {
        let is_chosen = |format: &&Format| match (self.formats.is_empty(), self.rows) {
            (false, _) => self.formats.iter().any(|name| name == format.model),
            (true, Rows::All) => true,
            (true, Rows::Ci) => CI.contains(&format.model),
        };
        let known = |name: &String| FORMATS.iter().any(|format| format.model == name);
        match self.formats.iter().find(|name| !known(name)) {
            Some(name) => {
                bail!("there is no model `{name}`; expected one of {}", FORMATS.map(|format| format.model).join(", "))
            }
            None => Ok(FORMATS.iter().filter(is_chosen).collect()),
        }
    }
}

/// Trains, and prints the table. A framework that can't be had is skipped, with a count of its models.
pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<Outcome> {
    let formats = options.chosen()?;
    let mut outcome = Outcome::default();
    let mut environments: BTreeMap<Framework, Environment> = BTreeMap::new();
    for framework in [Framework::Tensorflow, Framework::Pytorch] {
        let count = formats.iter().filter(|format| format.framework == framework).count();
        if count == 0 {
            continue;
        }
        match environments::install(workspace, framework, options) {
            Ok(environment) => {
                environments.insert(framework, environment);
            }
            Err(error) => {
                println!("==> {} is skipped: it can't be installed here: {error:#}", framework.name());
                outcome.skipped += count as u64;
            }
        }
    }
    let Some(any) = environments.values().next() else { return Ok(outcome) };

    let program = options.tool.as_deref().map_or_else(|| workspace.build_release(), |path| Ok(path.canonicalize()?))?;
    let ours = Tool::new("ours", program);
    let peers = Peers::install(workspace, options, &mut outcome);
    let folder = tempfile::tempdir()?;
    let run = Run::prepare(workspace, &ours, &peers, any, folder.path()).context("cannot prepare the training")?;
    let mut rows = Vec::new();
    for format in formats {
        if let Some(environment) = environments.get(&format.framework) {
            println!("==> {}", format.model);
            rows.push(run.row(format, environment));
        }
    }
    let versions = environments.values().map(|environment| environment.version.as_str()).collect::<Vec<_>>().join(", ");
    outcome += TABLE.print(&format!("training with {versions}"), &rows);
    println!("\n–: the program is not here, or an earlier step failed.");
    Ok(outcome)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ci_trains_one_model_of_each_framework() {
        let frameworks: Vec<_> =
            Options::ci().chosen().expect("known").iter().map(|format| format.framework.name()).collect();
        assert_eq!(frameworks, ["TensorFlow", "PyTorch"]);
    }

    #[test]
    fn a_model_that_no_script_writes_is_refused_by_its_name() {
        let options = Options { formats: vec!["model.gguf".to_owned()], ..Options::ci() };
        let error = options.chosen().err().expect("refused").to_string();
        assert!(
            error.starts_with("there is no model `model.gguf`; expected one of tensorflow_model.keras, "),
            "{error}"
        );
    }
}
