//! What a run calls its source, and what can be it.

use std::collections::BTreeSet;

use serde_json::Value;

use super::super::{Dependency, SourceFacts};
use super::remarks;

/// Whether a dependency is a Git repository, as far as Chains shows it. It lists what a task calls its input by the
/// address that the task wrote, with or without `git+`; images have SHA-256 digests.
pub(super) fn is_git(dependency: &Dependency) -> bool {
    dependency.uri.starts_with("git+") || ["gitCommit", "sha1"].iter().any(|name| dependency.digest.contains_key(*name))
}

/// What the run itself has in `CHAINS-GIT_URL` and `CHAINS-GIT_COMMIT`. Chains takes the last that it finds: of the
/// parameters' defaults, the parameters and the results.
#[derive(Default)]
pub(super) struct Hint {
    url: Option<String>,
    commit: Option<String>,
}

impl Hint {
    pub(super) fn take(&mut self, name: &str, value: &Value) {
        let member = match name {
            "CHAINS-GIT_URL" => &mut self.url,
            "CHAINS-GIT_COMMIT" => &mut self.commit,
            _ => return,
        };
        *member = value.as_str().map(str::to_owned);
    }

    fn source(self) -> Option<SourceFacts> {
        let (mut url, commit) = (self.url?, self.commit?);
        if url.is_empty() || commit.is_empty() {
            return None;
        }
        // As Chains writes it.
        if !url.ends_with(".git") {
            url.push_str(".git");
        }
        Some(SourceFacts::of(&url, &[("sha1".to_owned(), commit)].into()))
    }
}

/// All that can be the source, each once, and what there is to say of it.
pub(super) fn sources(
    mut inputs: Vec<SourceFacts>,
    definitions: &BTreeSet<SourceFacts>,
    hint: Hint,
) -> (Vec<SourceFacts>, Vec<String>) {
    inputs.extend(hint.source().filter(|source| definitions.contains(source)));
    let (mut seen, mut sources, mut not_commits) = (BTreeSet::new(), Vec::new(), Vec::new());
    for mut source in inputs {
        if let Some(text) = source.commit.take_if(|commit| !is_commit(commit)) {
            not_commits.push(text);
        }
        if seen.insert(source.clone()) {
            sources.push(source);
        }
    }
    let mut remarks = Vec::new();
    match sources.len() {
        0 if definitions.is_empty() => remarks.push(remarks::NO_SOURCE.to_owned()),
        0 => remarks.push(remarks::NO_SOURCE_BESIDE_DEFINITION.to_owned()),
        1 => remarks.push(remarks::SOURCE.to_owned()),
        _ => remarks.extend([remarks::SOURCE, remarks::SOURCES].map(str::to_owned)),
    }
    if !not_commits.is_empty() {
        remarks.push(remarks::not_commits(&not_commits));
    }
    (sources, remarks)
}

/// Chains takes any text for a commit.
fn is_commit(text: &str) -> bool {
    [40, 64].contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}
