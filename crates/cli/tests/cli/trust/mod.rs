//! `trust` against a TUF repository in this process: honest, lying, out of date or gone.

mod export;
mod repository;
mod show;
mod silence;
mod update;

use std::process::Command;

use fake_sigstore::{Instance, SigningConfig};
use serde_json::Value;

use super::support::{Run, Sandbox, run};
use repository::Repository;

/// Where the copies are.
const CACHE: &str = "cache";

/// A machine with a cache, on which `root.json` is the first root of the repository.
struct Machine {
    sandbox: Sandbox,
    url: String,
}

impl Machine {
    fn new(repository: &Repository) -> Self {
        let sandbox = Sandbox::with_model().with_variable("XDG_CACHE_HOME", CACHE);
        sandbox.write("root.json", repository.root(1));
        Self { sandbox, url: repository.url() }
    }

    /// `words`, with the URL of the repository where they say `URL`.
    fn command(&self, words: &str) -> Command {
        self.sandbox.command(&self.with_url(words))
    }

    fn with_url(&self, words: &str) -> String {
        words.replace("URL", &self.url)
    }

    #[track_caller]
    fn ok(&self, words: &str) -> Run {
        self.sandbox.ok(&self.with_url(words))
    }

    /// Fails as is said, and leaves every file as it was.
    #[track_caller]
    fn fails(&self, words: &str, code: i32, says: &[&str]) -> Run {
        self.sandbox.fails(&self.with_url(words), code, says)
    }

    fn json(&self, words: &str) -> Value {
        let run = run(self.command(words).args(["--format", "json"]));
        serde_json::from_str(&run.stdout).expect("one JSON document")
    }

    /// The one copy that is kept.
    fn copy(&self) -> Vec<u8> {
        let is_copy = |path: &std::path::PathBuf| path.ends_with("published.json");
        let path = self.sandbox.listing().into_iter().map(|(path, _)| path).find(is_copy).expect("a copy");
        std::fs::read(path).expect("readable")
    }
}

/// What an instance of this process has for a repository.
fn published(sigstore: &Instance) -> Repository {
    Repository::start(&sigstore.trusted_root_json(), &sigstore.signing_config_json(&SigningConfig::default()))
}

/// A repository of what Sigstore's staging instance has.
fn repository() -> Repository {
    let staging = model_transparency::sigstore::Instance::Staging;
    Repository::start(staging.trusted_root_json(), staging.signing_config_json())
}
