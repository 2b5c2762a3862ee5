//! `monitor` against logs of both kinds: honest ones, ones that lie, and ones that are not there.

mod findings;
mod refusals;

use std::fs;

use fake_sigstore::{Claims, Instance, Options, Service, SigningConfig};
use serde_json::Value;

use super::support::{Run, Sandbox, run};

const LOGS: [Service; 2] = [Service::RekorV1, Service::RekorV2];
const ME: &str = "me@example.com";

/// A log among those of an instance, and a folder with `trust.json`.
struct Watched {
    sigstore: Instance,
    sandbox: Sandbox,
    log: Service,
}

impl Watched {
    fn new(log: Service) -> Self {
        Self::with_entries(log, 5)
    }

    fn with_entries(log: Service, entries: usize) -> Self {
        let sigstore = Instance::start_with(Options { entries, ..Options::default() });
        let watched = Self { sigstore, sandbox: Sandbox::empty(), log };
        watched.sandbox.write("trust.json", watched.sigstore.trust_config_json(&SigningConfig::default()));
        watched
    }

    /// One that has been seen as it is.
    fn seen(log: Service) -> Self {
        let watched = Self::new(log);
        watched.expect(0, "", &["seen for the first time"]);
        watched
    }

    fn add(&self, name: &str) -> u64 {
        self.sigstore.add_entry_of(self.log, &Claims::email(name))
    }

    fn words(&self, more: &str) -> String {
        let log = self.sigstore.url(self.log);
        let who = if more.contains("--identity") { String::new() } else { format!("--identity {ME}") };
        let state = if more.contains("--state-dir") { "" } else { "--state-dir state" };
        format!("monitor --trust-config trust.json {state} --rekor-url {log} {who} {more}")
    }

    fn run(&self, more: &str) -> Run {
        run(&mut self.sandbox.command(&self.words(more)))
    }

    /// Watches; the exit code and all that is said are as expected.
    #[track_caller]
    fn expect(&self, code: i32, more: &str, says: &[&str]) -> Run {
        let run = self.run(more);
        assert_eq!(run.code, Some(code), "{:?} {more}: {run:?}", self.log);
        for words in says {
            let said = run.stdout.contains(words) || run.stderr.contains(words);
            assert!(said, "{:?} {more}: expected `{words}` in {run:?}", self.log);
        }
        assert!(!run.stderr.contains("panicked"), "{run:?}");
        run
    }

    #[track_caller]
    fn json(&self, more: &str) -> (i32, Value) {
        self.sandbox.json(&self.words(more))
    }

    /// What is kept, by the ends of the names.
    fn kept(&self, end: &str) -> Vec<String> {
        let listing = self.sandbox.listing().into_iter().map(|(path, _)| path);
        let files = listing.filter(|path| path.is_file() && path.to_string_lossy().contains(end));
        files.filter_map(|path| fs::read_to_string(path).ok()).collect()
    }

    /// The one state.
    fn state(&self) -> String {
        let mut states = self.kept("state");
        states.retain(|state| state.starts_with('{'));
        assert_eq!(states.len(), 1);
        states.remove(0)
    }
}
