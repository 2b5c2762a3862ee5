//! What provenance says of a build on GitHub: SLSA provenance v0.2 and v1, brought to one form.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::builders::Family;
use super::facts::{Facts, SourceFacts};
use super::git::{GitSource, Repository};
use super::predicate::{Invocation, PredicateV1, PredicateV02, RunDetails, V1, V02, read};
use super::statement::Statement;
use super::{InvalidProvenance, ProvenanceError};
use crate::envelope::Object;

/// The variable with what GitHub sent with the event, where the builder recorded it.
const EVENT_PAYLOAD: &str = "GITHUB_EVENT_PAYLOAD";

/// How an artifact was built, as the provenance says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Build {
    /// `predicateType`.
    pub predicate_type: String,
    /// `builder.id`.
    pub builder_id: String,
    /// `buildType`.
    pub build_type: String,
    /// What triggered the build.
    pub trigger: GitSource,
    /// What was built.
    pub source: GitSource,
    /// The commit of it, if it is given as SHA-1.
    pub commit: Option<String>,
    /// The workflow's file in the triggering repository.
    pub workflow_path: Option<String>,
    /// The event (`push`), where it is recorded.
    pub event: Option<String>,
    /// `metadata.invocationId`, where it is recorded.
    pub invocation: Option<String>,
    /// The variables of the job, by their names in upper case.
    pub(super) environment: Map<String, Value>,
}

impl Build {
    /// Reads the predicate by the rules of the family of builders that signed it.
    pub(super) fn of(statement: &Statement, family: Family) -> Result<Self, ProvenanceError> {
        let build = match statement.predicate_type.as_str() {
            V02 if family == Family::Generator => Self::v02(statement)?,
            V1 if family != Family::Generator => Self::v1(statement, family)?,
            found => {
                let expected = if family == Family::Generator { V02 } else { V1 };
                return Err(InvalidProvenance::PredicateType {
                    expected: format!("`{expected}`"),
                    found: found.to_owned(),
                }
                .into());
            }
        };
        // What triggered the build is at a reference; what was built is of the same repository, and at the same reference
        // unless a delegated build says that it is of a commit.
        let is_of_commit = family == Family::Delegator && build.source.reference.is_none();
        let is_same = build.trigger.repository == build.source.repository
            && build.trigger.reference.is_some()
            && (is_of_commit || build.trigger.reference == build.source.reference);
        if is_same {
            Ok(build)
        } else {
            let (trigger, source_uri) = (build.trigger.to_string(), build.source.to_string());
            Err(ProvenanceError::Trigger { trigger, source_uri })
        }
    }

    /// The same as facts of any producer's provenance.
    pub(super) fn into_facts(self, statement: &Statement) -> Result<Facts, InvalidProvenance> {
        let facts = Facts::of(statement)?;
        let GitSource { repository, reference } = self.source;
        let source = SourceFacts { uri: repository.url(), reference, commit: self.commit };
        Ok(Facts { sources: vec![source], event: self.event, entry_point: self.workflow_path, ..facts })
    }

    fn v02(statement: &Statement) -> Result<Self, InvalidProvenance> {
        let predicate: PredicateV02 = read(&statement.predicate)?;
        let Invocation { config_source: Object(config), environment, .. } = predicate.invocation.0;
        let source = predicate.materials.into_iter().next();
        let Object(source) = source.ok_or(missing("materials", "the source"))?;
        let commit = commit(&source.digest);
        if config.digest != source.digest {
            return Err(missing("invocation.configSource.digest", "the digest of the first material"));
        }
        let environment: Map<String, Value> =
            environment.into_iter().map(|(name, value)| (name.to_ascii_uppercase(), value)).collect();
        Ok(Self {
            predicate_type: V02.to_owned(),
            builder_id: predicate.builder.0.id,
            build_type: predicate.build_type,
            trigger: git("invocation.configSource.uri", &config.uri)?,
            source: git("materials[0].uri", &source.uri)?,
            commit,
            workflow_path: config.entry_point,
            event: text(&environment, "GITHUB_EVENT_NAME"),
            invocation: predicate.metadata.and_then(|Object(metadata)| metadata.invocation),
            environment,
        })
    }

    fn v1(statement: &Statement, family: Family) -> Result<Self, InvalidProvenance> {
        let predicate: PredicateV1 = read(&statement.predicate)?;
        let Object(definition) = predicate.build_definition;
        let RunDetails { builder, metadata } = predicate.run_details.0;
        require_known(&definition.external_parameters, family.external_parameters())?;
        let source = definition.resolved_dependencies.into_iter().next();
        let Object(source) = source.ok_or(missing("resolvedDependencies", "the source"))?;
        let (trigger, workflow_path, environment, event) = match family {
            Family::Attest => {
                let (trigger, path) = workflow(&definition.external_parameters)?;
                let github = definition.internal_parameters.get("github");
                let mut github = match github {
                    Some(Value::Object(github)) => github.clone(),
                    Some(_) => return Err(missing("internalParameters.github", "an object")),
                    None => Map::new(),
                };
                // Of what started it the certificate names the event alone, and the job wrote the rest.
                github.remove(EVENT_PAYLOAD);
                let event = text(&github, "event_name");
                (trigger, path, github, event)
            }
            Family::Generator | Family::ContainerBased | Family::Delegator => {
                let environment = definition.internal_parameters;
                let at = text(&environment, "GITHUB_WORKFLOW_REF");
                let at = at.ok_or(missing("internalParameters.GITHUB_WORKFLOW_REF", "a text"))?;
                let (trigger, path) = workflow_reference(&at)
                    .ok_or(missing("internalParameters.GITHUB_WORKFLOW_REF", "`OWNER/NAME/PATH@REFERENCE`"))?;
                let event = text(&environment, "GITHUB_EVENT_NAME");
                (trigger, path, environment, event)
            }
        };
        Ok(Self {
            predicate_type: V1.to_owned(),
            builder_id: builder.0.id,
            build_type: definition.build_type,
            trigger,
            source: git("resolvedDependencies[0].uri", &source.uri)?,
            commit: commit(&source.digest),
            workflow_path: Some(workflow_path),
            event,
            invocation: metadata.0.invocation,
            environment,
        })
    }

    /// A variable of the job, if it is a text or a whole number.
    pub(super) fn variable(&self, name: &str) -> Option<String> {
        text(&self.environment, name)
    }

    /// The branch that was built, or that the tag that was built was made from. Of a tag only the event says that, where
    /// the builder recorded it.
    #[must_use]
    pub fn branch(&self) -> Option<String> {
        let reference = self.reference()?;
        if let Some(branch) = reference.strip_prefix("refs/heads/") {
            return Some(branch.to_owned());
        }
        reference.strip_prefix("refs/tags/")?;
        let payload = self.environment.get(EVENT_PAYLOAD)?;
        match self.event.as_deref()? {
            "push" => payload.get("base_ref")?.as_str()?.strip_prefix("refs/heads/").map(str::to_owned),
            "release" => payload.get("release")?.get("target_commitish")?.as_str().map(str::to_owned),
            _ => None,
        }
    }

    /// The tag that was built.
    #[must_use]
    pub fn tag(&self) -> Option<&str> {
        self.reference()?.strip_prefix("refs/tags/")
    }

    /// An input of a workflow that was started by hand.
    #[must_use]
    pub fn input(&self, name: &str) -> Option<&str> {
        if self.event.as_deref() != Some("workflow_dispatch") {
            return None;
        }
        self.environment.get(EVENT_PAYLOAD)?.get("inputs")?.get(name)?.as_str()
    }

    /// The reference of the source; a delegated build of a commit has none.
    fn reference(&self) -> Option<&str> {
        self.source.reference.as_deref()
    }
}

const fn missing(member: &'static str, expected: &'static str) -> InvalidProvenance {
    InvalidProvenance::Member { member, expected }
}

fn git(member: &'static str, uri: &str) -> Result<GitSource, InvalidProvenance> {
    GitSource::parse(uri).ok_or(missing(member, "`git+https://github.com/OWNER/NAME@REFERENCE`"))
}

fn commit(digest: &BTreeMap<String, String>) -> Option<String> {
    digest.get("gitCommit").or_else(|| digest.get("sha1")).cloned()
}

fn text(environment: &Map<String, Value>, name: &str) -> Option<String> {
    match environment.get(name)? {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) if number.is_u64() => Some(number.to_string()),
        _ => None,
    }
}

fn require_known(parameters: &Map<String, Value>, known: &[&str]) -> Result<(), InvalidProvenance> {
    let unknown = parameters.keys().find(|name| !known.contains(&name.as_str()));
    unknown.map_or(Ok(()), |name| Err(InvalidProvenance::UnknownParameter { name: name.clone() }))
}

/// `externalParameters.workflow`: the repository at a reference, and the file.
fn workflow(parameters: &Map<String, Value>) -> Result<(GitSource, String), InvalidProvenance> {
    let workflow = parameters.get("workflow").and_then(Value::as_object);
    let workflow = workflow.ok_or(missing("externalParameters.workflow", "an object"))?;
    if let Some(name) = workflow.keys().find(|name| !["ref", "repository", "path"].contains(&name.as_str())) {
        return Err(InvalidProvenance::UnknownParameter { name: format!("workflow.{name}") });
    }
    let member = |name: &str| workflow.get(name).and_then(Value::as_str);
    let repository = member("repository").and_then(Repository::from_url);
    let repository =
        repository.ok_or(missing("externalParameters.workflow.repository", "`https://github.com/OWNER/NAME`"))?;
    let reference = member("ref").ok_or(missing("externalParameters.workflow.ref", "a text"))?.to_owned();
    let path = member("path").ok_or(missing("externalParameters.workflow.path", "a text"))?.to_owned();
    Ok((GitSource { repository, reference: Some(reference) }, path))
}

/// `OWNER/NAME/PATH@REFERENCE`.
fn workflow_reference(text: &str) -> Option<(GitSource, String)> {
    let (path, reference) = text.split_once('@')?;
    let mut parts = path.splitn(3, '/');
    let (owner, name, file) = (parts.next()?, parts.next()?, parts.next()?);
    let repository = Repository::from_url(&format!("https://github.com/{owner}/{name}"))?;
    Some((GitSource { repository, reference: Some(reference.to_owned()) }, file.to_owned()))
}
