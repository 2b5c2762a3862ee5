//! What provenance says of a build, whoever made it: SLSA provenance v0.2 and v1 brought to one form. Nothing here decides.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::InvalidProvenance;
use super::predicate::{Invocation, PredicateV1, PredicateV02, RunDetails, V1, V02, read};
use super::statement::Statement;
use crate::envelope::Object;

/// How an artifact was built, as its provenance says it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// `predicateType`.
    pub predicate_type: String,
    /// `builder.id`.
    pub builder_id: String,
    /// `buildType`.
    pub build_type: String,
    /// What was built, where the provenance says it: more than one where it does not say which of them it was.
    pub sources: Vec<SourceFacts>,
    /// Where the definition of the build is from, such as a pipeline: not necessarily of what was built.
    pub definition: Option<SourceFacts>,
    /// The event that triggered the build (`push`), where it is recorded.
    pub event: Option<String>,
    /// What was run of the source: a workflow, a pipeline, a script.
    pub entry_point: Option<String>,
    /// The run: `metadata.invocationId`.
    pub invocation: Option<String>,
    /// The external parameters by their names: what whoever started the build could choose.
    pub parameters: Map<String, Value>,
    /// What went into the build, the source among it.
    pub dependencies: Vec<Dependency>,
    /// What a reader of the verdict has to know of provenance of this kind, a sentence each.
    pub remarks: Vec<String>,
}

/// The source of a build.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct SourceFacts {
    /// Where it is, without `git+` and without the reference.
    pub uri: String,
    /// The Git reference (`refs/heads/main`).
    pub reference: Option<String>,
    /// The commit, in hex.
    pub commit: Option<String>,
}

/// Something that went into a build (in-toto, *ResourceDescriptor*).
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Dependency {
    /// Its name.
    #[serde(default)]
    pub name: String,
    /// Where it is.
    #[serde(default)]
    pub uri: String,
    /// Its digests by algorithm.
    #[serde(default)]
    pub digest: BTreeMap<String, String>,
    /// What else is said of it.
    #[serde(default)]
    pub annotations: Map<String, Value>,
}

impl Facts {
    /// Reads SLSA provenance of any build type.
    ///
    /// Sources are the configuration's (v0.2), or the dependencies that are in Git (v1).
    pub(super) fn of(statement: &Statement) -> Result<Self, InvalidProvenance> {
        match statement.predicate_type.as_str() {
            V02 => Self::v02(statement),
            V1 => Self::v1(statement),
            found => Err(InvalidProvenance::PredicateType {
                expected: format!("`{V02}` or `{V1}`"),
                found: found.to_owned(),
            }),
        }
    }

    fn v02(statement: &Statement) -> Result<Self, InvalidProvenance> {
        let predicate: PredicateV02 = read(&statement.predicate)?;
        let Invocation { config_source: Object(config), parameters, .. } = predicate.invocation.0;
        let dependencies = unwrap(predicate.materials);
        let configured = (!config.uri.is_empty()).then(|| SourceFacts::of(&config.uri, &config.digest));
        let sources = configured.clone().map_or_else(|| SourceFacts::among(&dependencies), |source| vec![source]);
        Ok(Self {
            predicate_type: V02.to_owned(),
            builder_id: predicate.builder.0.id,
            build_type: predicate.build_type,
            sources,
            definition: configured,
            entry_point: config.entry_point.filter(|entry| !entry.is_empty()),
            invocation: predicate.metadata.and_then(|Object(metadata)| metadata.invocation),
            parameters: match parameters {
                Value::Object(parameters) => parameters,
                _ => Map::new(),
            },
            dependencies,
            ..Self::default()
        })
    }

    fn v1(statement: &Statement) -> Result<Self, InvalidProvenance> {
        let predicate: PredicateV1 = read(&statement.predicate)?;
        let Object(definition) = predicate.build_definition;
        let RunDetails { builder, metadata } = predicate.run_details.0;
        let dependencies = unwrap(definition.resolved_dependencies);
        let parameter = |name: &str| definition.external_parameters.get(name).and_then(Value::as_str);
        let mut sources = SourceFacts::among(&dependencies);
        // GitLab's runner names the source apart, and its commit as if it were a SHA-256.
        if let Some(uri) = parameter("source").filter(|_| sources.is_empty()) {
            let same = dependencies.iter().find(|dependency| dependency.uri == uri);
            let commit = same.and_then(|same| same.digest.values().find(|hex| hex.len() == 40)).cloned();
            sources.push(SourceFacts { commit, ..SourceFacts::of(uri, &BTreeMap::new()) });
        }
        Ok(Self {
            predicate_type: V1.to_owned(),
            builder_id: builder.0.id,
            build_type: definition.build_type,
            sources,
            entry_point: parameter("entryPoint").map(str::to_owned),
            invocation: metadata.0.invocation,
            parameters: definition.external_parameters,
            dependencies,
            ..Self::default()
        })
    }
}

impl Facts {
    /// The source, if the provenance says which it is.
    #[must_use]
    pub fn source(&self) -> Option<&SourceFacts> {
        match self.sources.as_slice() {
            [source] => Some(source),
            _ => None,
        }
    }
}

impl Dependency {
    /// It as a source.
    pub(super) fn as_source(&self) -> SourceFacts {
        SourceFacts::of(&self.uri, &self.digest)
    }
}

impl SourceFacts {
    /// A source at an address such as `git+https://HOST/PATH@refs/heads/main` or `git+https://HOST/PATH.git`.
    pub(super) fn of(uri: &str, digest: &BTreeMap<String, String>) -> Self {
        let address = uri.strip_prefix("git+").unwrap_or(uri);
        // An `@` before the path is of the user's name.
        let path = address.find("://").and_then(|at| address[at + 3..].find('/').map(|slash| at + 3 + slash));
        // A branch may have an `@` in its name, and so may a folder.
        let at = path.and_then(|path| {
            let rest = &address[path..];
            rest.find("@refs/").or_else(|| rest.rfind('@')).map(|at| path + at)
        });
        let (address, reference) = match at {
            Some(at) => (&address[..at], Some(address[at + 1..].to_owned()).filter(|text| !text.is_empty())),
            None => (address, None),
        };
        // A repository may use SHA-256; of anything else that would be the digest of a file.
        let sha256 = || digest.get("sha256").filter(|_| uri.starts_with("git+"));
        let commit = digest.get("gitCommit").or_else(|| digest.get("sha1")).or_else(sha256).cloned();
        Self { uri: address.to_owned(), reference, commit }
    }

    /// The address without a `.git` at its end, which some producers add and others don't.
    #[must_use]
    pub fn repository(&self) -> &str {
        self.uri.strip_suffix(".git").unwrap_or(&self.uri)
    }

    /// The dependencies that are in Git.
    fn among(dependencies: &[Dependency]) -> Vec<Self> {
        let is_git = |one: &&Dependency| one.uri.starts_with("git+") || one.digest.contains_key("gitCommit");
        dependencies.iter().filter(is_git).map(Dependency::as_source).collect()
    }
}

fn unwrap<T>(objects: Vec<Object<T>>) -> Vec<T> {
    objects.into_iter().map(|Object(one)| one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(uri: &str, digest: &[(&str, &str)]) -> (String, Option<String>, Option<String>) {
        let digest = digest.iter().map(|(name, hex)| ((*name).to_owned(), (*hex).to_owned())).collect();
        let SourceFacts { uri, reference, commit } = SourceFacts::of(uri, &digest);
        (uri, reference, commit)
    }

    #[test]
    fn a_source_is_an_address_a_reference_and_a_commit() {
        let some = |text: &str| Some(text.to_owned());
        for (uri, address, reference) in [
            ("git+https://example.com/o/r@refs/heads/main", "https://example.com/o/r", some("refs/heads/main")),
            ("git+https://example.com/o/r@refs/heads/a@b", "https://example.com/o/r", some("refs/heads/a@b")),
            ("git+https://example.com/o/r.git", "https://example.com/o/r.git", None),
            ("https://example.com/o/r@v1", "https://example.com/o/r", some("v1")),
            ("git+ssh://git@example.com/o/r.git@main", "ssh://git@example.com/o/r.git", some("main")),
            ("git+git@example.com:o/r.git", "git@example.com:o/r.git", None),
            ("git+https://user@example.com", "https://user@example.com", None),
            ("git+https://example.com/o@p/r@main", "https://example.com/o@p/r", some("main")),
            ("git+https://example.com/o/r@", "https://example.com/o/r", None),
            ("git+", "", None),
            ("://", "://", None),
            ("", "", None),
        ] {
            assert_eq!(source(uri, &[]), (address.to_owned(), reference, None), "{uri}");
        }
    }

    #[test]
    fn a_commit_is_what_git_would_call_one() {
        let commit = |uri: &str, digest: &[(&str, &str)]| source(uri, digest).2;
        let both = [("sha1", "b"), ("gitCommit", "a"), ("sha256", "c")];
        assert_eq!(commit("https://example.com/r", &both).as_deref(), Some("a"));
        assert_eq!(commit("https://example.com/r", &both[..1]).as_deref(), Some("b"));
        assert_eq!(commit("git+https://example.com/r", &both[2..]).as_deref(), Some("c"));
        assert_eq!(commit("https://example.com/r.tar", &both[2..]), None);
    }

    #[test]
    fn the_repository_is_the_same_with_and_without_git_at_its_end() {
        for uri in ["git+https://example.com/o/r.git@main", "git+https://example.com/o/r"] {
            assert_eq!(SourceFacts::of(uri, &BTreeMap::new()).repository(), "https://example.com/o/r");
        }
    }
}
