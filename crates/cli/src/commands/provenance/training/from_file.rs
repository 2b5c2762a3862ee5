//! What `provenance generate` reads from a file: the same as its flags, and what only whoever ran the training can know.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::failure::Failure;
use crate::inputs::read_limited;

/// The longest file that is read.
const MAX_FILE_BYTES: u64 = 4 << 20;
const WHAT: &str = "the description";

/// A training run in a file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub(super) struct Described {
    pub(super) models: Vec<PathBuf>,
    pub(super) source: SourceDescribed,
    pub(super) command: Vec<String>,
    pub(super) parameters: Map<String, Value>,
    pub(super) datasets: Vec<String>,
    pub(super) base_models: Vec<String>,
    pub(super) config: Vec<PathBuf>,
    pub(super) image: Option<String>,
    pub(super) outputs: Vec<String>,
    pub(super) metrics: Vec<PathBuf>,
    pub(super) logs: Vec<PathBuf>,
    pub(super) lock: Option<PathBuf>,
    pub(super) started_on: Option<String>,
    pub(super) finished_on: Option<String>,
    pub(super) invocation_id: Option<String>,
    python: Option<String>,
    frameworks: BTreeMap<String, String>,
    accelerators: Vec<AcceleratorDescribed>,
    world_size: Option<u64>,
    seeds: BTreeMap<String, u64>,
    environment: BTreeMap<String, String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub(super) struct SourceDescribed {
    pub(super) repository: Option<String>,
    #[serde(rename = "ref")]
    pub(super) reference: Option<String>,
    pub(super) commit: Option<String>,
    pub(super) entry_point: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct AcceleratorDescribed {
    vendor: String,
    model: String,
    count: u32,
    driver: Option<String>,
    runtime: Option<String>,
}

impl Described {
    /// Reads JSON from a file whose name ends so, and TOML from any other.
    pub(super) fn read(path: &Path) -> Result<Self, Failure> {
        let bytes = read_limited(WHAT, path, MAX_FILE_BYTES + 1)?;
        let wrong = |problem: String| {
            Failure::rejected("invalid_description", format!("{WHAT} `{}`: {problem}", path.display()))
        };
        if bytes.len() as u64 > MAX_FILE_BYTES {
            return Err(wrong(format!("expected at most {} MiB", MAX_FILE_BYTES >> 20)));
        }
        let text = std::str::from_utf8(&bytes).map_err(|error| wrong(format!("expected UTF-8: {error}")))?;
        if path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("json")) {
            return serde_json::from_str(text).map_err(|error| wrong(error.to_string()));
        }
        toml::from_str(text).map_err(|error| wrong(error.to_string().trim().to_owned()))
    }

    /// The names of what has a value that could be a secret.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.parameters.keys().chain(self.environment.keys()).map(String::as_str)
    }

    /// Members of `internalParameters`. `check` is asked for every value that could be a secret.
    pub(super) fn members(
        &self,
        check: impl Fn(&str, &str) -> Result<String, Failure>,
    ) -> Result<Map<String, Value>, Failure> {
        let mut members = Map::new();
        let mut add = |name: &str, value: Value| drop(members.insert(name.to_owned(), value));
        if let Some(version) = &self.python {
            add("python", json!({ "version": version }));
        }
        if !self.frameworks.is_empty() {
            add("frameworks", json!(self.frameworks));
        }
        if !self.accelerators.is_empty() {
            add("accelerators", self.accelerators.iter().map(AcceleratorDescribed::to_json).collect());
        }
        if let Some(world_size) = self.world_size {
            add("worldSize", world_size.into());
        }
        if !self.seeds.is_empty() {
            add("seeds", json!(self.seeds));
        }
        let mut environment = Map::new();
        for (name, value) in &self.environment {
            environment.insert(name.clone(), check(name, value)?.into());
        }
        if !environment.is_empty() {
            add("environment", environment.into());
        }
        Ok(members)
    }
}

impl AcceleratorDescribed {
    fn to_json(&self) -> Value {
        let mut json = json!({ "vendor": self.vendor, "model": self.model, "count": self.count });
        for (name, value) in [("driver", &self.driver), ("runtime", &self.runtime)] {
            if let Some(value) = value {
                json[name] = value.as_str().into();
            }
        }
        json
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(name: &str, text: &str) -> Result<Described, Failure> {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join(name), text).expect("written");
        Described::read(&folder.path().join(name))
    }

    #[test]
    fn toml_and_json_say_the_same() {
        let toml = read(
            "run.toml",
            "datasets = [\"https://data.example/d@sha256:00\"]\nworld-size = 8\n[source]\nref = \"refs/heads/main\"\n\
             [parameters]\nlr = 0.1\nepochs = 3\n[[accelerators]]\nvendor = \"NVIDIA\"\nmodel = \"H100\"\ncount = 8\n",
        );
        let json = read(
            "run.json",
            r#"{"datasets": ["https://data.example/d@sha256:00"], "world-size": 8, "source": {"ref": "refs/heads/main"},
                "parameters": {"lr": 0.1, "epochs": 3},
                "accelerators": [{"vendor": "NVIDIA", "model": "H100", "count": 8}]}"#,
        );
        let (toml, json) = (toml.expect("TOML"), json.expect("JSON"));
        assert_eq!(format!("{toml:?}"), format!("{json:?}"));
        let members = toml.members(|_, value| Ok(value.to_owned())).expect("no secret");
        assert_eq!(members["worldSize"], 8);
        assert_eq!(members["accelerators"], json!([{ "vendor": "NVIDIA", "model": "H100", "count": 8 }]));
    }

    #[test]
    fn what_is_not_known_is_refused() {
        for (name, text, expected) in [
            ("run.toml", "dataset = [\"x\"]", "unknown field `dataset`"),
            ("run.json", "{\"source\": {\"branch\": \"main\"}}", "unknown field `branch`"),
            ("run.json", "{\"world-size\": -1}", "invalid value"),
            ("run.toml", "= 1", "TOML parse error"),
        ] {
            let failure = read(name, text).expect_err(text);
            assert_eq!(failure.kind, "invalid_description");
            assert!(failure.message.contains(expected), "{}", failure.message);
        }
        let long = format!("command = [\"{}\"]", "x".repeat(5 << 20));
        assert!(read("run.toml", &long).expect_err("long").message.contains("at most 4 MiB"));
    }
}
