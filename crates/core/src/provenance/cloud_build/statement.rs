//! What a signed statement says, in the three shapes that Cloud Build has written: builder v0.2 and v0.3 with SLSA
//! provenance v0.1, and the builder without a version with SLSA provenance v1.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::super::Level;
use super::keys::Predicate;
use crate::envelope::{InvalidJson, require_unique_members};

/// `_type` of an in-toto statement.
const STATEMENT_TYPES: [&str; 2] = ["https://in-toto.io/Statement/v0.1", "https://in-toto.io/Statement/v1"];
/// The builder's name, before its version.
const BUILDER: &str = "https://cloudbuild.googleapis.com/GoogleHostedWorker";
/// `recipe.type` of the builder v0.3, before its version.
const RECIPE_TYPES_V0_3: [&str; 2] =
    ["https://cloudbuild.googleapis.com/CloudBuildYaml@", "https://cloudbuild.googleapis.com/CloudBuildSteps@"];
/// `recipe.arguments.@type`.
const ARGUMENTS_TYPE: &str = "type.googleapis.com/google.devtools.cloudbuild.v1.Build";
/// `buildType` in v1.
const BUILD_TYPE_V1: &str = "https://cloud.google.com/build/gcb-buildtypes/google-worker/v1";

/// What a statement says, in one shape for every format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// The format of the statement.
    pub predicate: Predicate,
    /// Who built.
    pub builder: Builder,
    /// What kind of build it was: `recipe.type` in v0.1.
    pub build_type: String,
    /// What was built.
    pub source: Source,
    /// The git reference that the build's configuration was read at, such as `refs/heads/main`. v0.1 does not say it.
    pub source_ref: Option<String>,
    /// The branch that set off the build. Never one where the source is not in version control: whoever starts such a
    /// build can name any.
    pub branch: Option<String>,
    /// The tag that set off the build, as for `branch`.
    pub tag: Option<String>,
    /// What came out. There is at least one.
    pub subjects: Vec<Subject>,
    /// The name of the trigger.
    pub trigger_name: Option<String>,
    /// The trigger's resource name. v0.1 does not say it.
    pub trigger_uri: Option<String>,
}

/// The builders that are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Builder {
    /// `GoogleHostedWorker@v0.2`, in SLSA provenance v0.1.
    V0_2,
    /// `GoogleHostedWorker@v0.3`, in SLSA provenance v0.1.
    V0_3,
    /// `GoogleHostedWorker`, in SLSA provenance v1.
    Unversioned,
}

impl Builder {
    /// The builder's name, without a version.
    #[must_use]
    pub fn name(self) -> &'static str {
        BUILDER
    }

    /// The builder's version, if it has one.
    #[must_use]
    pub fn version(self) -> Option<&'static str> {
        match self {
            Self::V0_2 => Some("v0.2"),
            Self::V0_3 => Some("v0.3"),
            Self::Unversioned => None,
        }
    }

    /// The level of its builds, which no document says: Google states level 3 of the builders since v0.3, and of the one
    /// before it nothing is known here.
    #[must_use]
    pub fn level(self) -> Level {
        match self {
            Self::V0_2 => Level { number: Some(1), reason: "a recognised builder, of which no more is known" },
            Self::V0_3 | Self::Unversioned => Level {
                number: Some(3),
                reason: "a recognised builder, which wrote the provenance apart from the build",
            },
        }
    }

    fn of(predicate: Predicate, id: &str) -> Option<Self> {
        let known = match predicate {
            Predicate::V0_1 => [Self::V0_2, Self::V0_3].as_slice(),
            Predicate::V1 => [Self::Unversioned].as_slice(),
        };
        known.iter().copied().find(|builder| builder.to_string() == id)
    }
}

impl std::fmt::Display for Builder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())?;
        match self.version() {
            Some(version) => write!(f, "@{version}"),
            None => Ok(()),
        }
    }
}

/// Where the source came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A git repository.
    Git {
        /// Its address, `https://…`, without `git+`.
        repository: String,
        /// The commit, lowercase hex.
        commit: String,
    },
    /// An archive that somebody uploaded.
    Storage {
        /// Its address, `gs://…`, without the generation.
        object: String,
        /// Which version of the object it was.
        generation: String,
    },
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Git { repository, .. } => f.write_str(repository),
            Self::Storage { object, generation } => write!(f, "{object}#{generation}"),
        }
    }
}

/// Something that the build made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// The image's name, perhaps with a tag.
    pub name: String,
    /// Algorithm to hex; `sha256` is always there.
    pub digest: BTreeMap<String, String>,
}

/// Parses `payload` as the format that its key signs.
pub(super) fn parse(payload: &[u8], predicate: Predicate) -> Result<(Value, Facts), InvalidStatement> {
    require_unique_members(payload)?;
    let statement: Value = serde_json::from_slice(payload).map_err(InvalidJson::from)?;
    let statement_type = text(&statement, &["_type"])?;
    if !STATEMENT_TYPES.contains(&statement_type) {
        return Err(InvalidStatement::StatementType { found: statement_type.to_owned() });
    }
    let predicate_type = text(&statement, &["predicateType"])?;
    if predicate_type != predicate.uri() {
        return Err(InvalidStatement::PredicateType { expected: predicate, found: predicate_type.to_owned() });
    }
    let facts = match predicate {
        Predicate::V0_1 => facts_v0_1(&statement),
        Predicate::V1 => facts_v1(&statement),
    }?;
    Ok((statement, facts))
}

fn facts_v0_1(statement: &Value) -> Result<Facts, InvalidStatement> {
    let builder = known_builder(Predicate::V0_1, text(statement, &["predicate", "builder", "id"])?)?;
    let build_type = text(statement, &["predicate", "recipe", "type"])?;
    let known = match builder {
        Builder::V0_2 => build_type == builder.to_string(),
        Builder::V0_3 => RECIPE_TYPES_V0_3
            .iter()
            .any(|known| build_type.strip_prefix(known).is_some_and(|version| !version.is_empty())),
        Builder::Unversioned => false,
    };
    if !known {
        return Err(InvalidStatement::BuildType { builder, found: build_type.to_owned() });
    }
    let arguments = ["predicate", "recipe", "arguments"];
    let arguments_type = text(statement, &["predicate", "recipe", "arguments", "@type"])?;
    if arguments_type != ARGUMENTS_TYPE {
        return Err(InvalidStatement::ArgumentsType { found: arguments_type.to_owned() });
    }
    let source = source_v0_1(builder, list(statement, &["predicate", "materials"])?)?;
    let substitutions = Substitutions::at(statement, &[arguments.as_slice(), &["substitutions"]].concat())?;
    substitutions.require_commit(&source)?;
    let (branch, tag) = substitutions.branch_and_tag(&source)?;
    Ok(Facts {
        predicate: Predicate::V0_1,
        builder,
        build_type: build_type.to_owned(),
        source,
        source_ref: None,
        branch,
        tag,
        subjects: subjects(statement)?,
        trigger_name: substitutions.text("TRIGGER_NAME")?,
        trigger_uri: None,
    })
}

/// The first material is the source. v0.2 has the commit in its address, v0.3 as its digest.
fn source_v0_1(builder: Builder, materials: &[Value]) -> Result<Source, InvalidStatement> {
    let Some((first, others)) = materials.split_first() else {
        return Err(InvalidStatement::NoSource { path: "predicate.materials" });
    };
    let written = text(first, &["uri"])?;
    let malformed = || InvalidStatement::Source { found: written.to_owned() };
    if written.starts_with("gs://") {
        let (object, generation) = written.split_once('#').ok_or_else(malformed)?;
        if object == "gs://" || generation.is_empty() || !generation.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(malformed());
        }
        return Ok(Source::Storage { object: object.to_owned(), generation: generation.to_owned() });
    }
    let (address, commit) = if builder == Builder::V0_2 {
        written.rsplit_once("/commit/").ok_or_else(malformed)?
    } else {
        (written, text(first, &["digest", "sha1"])?)
    };
    let source = git_source(address, commit)?;
    for other in others {
        // The same repository at another commit: which one was built can't be told.
        if other != first && without_git(text(other, &["uri"])?) == without_git(written) {
            return Err(InvalidStatement::SeveralSources { found: written.to_owned() });
        }
    }
    Ok(source)
}

fn facts_v1(statement: &Value) -> Result<Facts, InvalidStatement> {
    let builder = known_builder(Predicate::V1, text(statement, &["predicate", "runDetails", "builder", "id"])?)?;
    let build_type = text(statement, &["predicate", "buildDefinition", "buildType"])?;
    if build_type != BUILD_TYPE_V1 {
        return Err(InvalidStatement::BuildType { builder, found: build_type.to_owned() });
    }
    let definition = "predicate.buildDefinition.externalParameters.buildConfigSource";
    let config = ["predicate", "buildDefinition", "externalParameters", "buildConfigSource"];
    if member(statement, &config).is_none() {
        return Err(InvalidStatement::NoSource { path: definition });
    }
    let repository = text(statement, &[config.as_slice(), &["repository"]].concat())?;
    let source_ref = text(statement, &[config.as_slice(), &["ref"]].concat())?;
    if source_ref.is_empty() || source_ref.contains('@') {
        return Err(InvalidStatement::Source { found: format!("{repository}@{source_ref}") });
    }
    let dependencies = list(statement, &["predicate", "buildDefinition", "resolvedDependencies"])?;
    let source = source_v1(repository, source_ref, dependencies)?;
    let internal = ["predicate", "buildDefinition", "internalParameters"];
    let substitutions = Substitutions::at(statement, &[internal.as_slice(), &["systemSubstitutions"]].concat())?;
    substitutions.require_commit(&source)?;
    let (branch, tag) = substitutions.branch_and_tag(&source)?;
    Ok(Facts {
        predicate: Predicate::V1,
        builder,
        build_type: build_type.to_owned(),
        source,
        source_ref: Some(source_ref.to_owned()),
        branch,
        tag,
        subjects: subjects(statement)?,
        trigger_name: substitutions.text("TRIGGER_NAME")?,
        trigger_uri: optional_text(statement, &[internal.as_slice(), &["triggerUri"]].concat())?,
    })
}

/// The one dependency that is `repository` has the commit, and is at the same reference.
fn source_v1(repository: &str, source_ref: &str, dependencies: &[Value]) -> Result<Source, InvalidStatement> {
    let address = without_git(repository);
    let expected = format!("{address}@{source_ref}");
    let mut found = None;
    for dependency in dependencies {
        let Some(uri) = optional_text(dependency, &["uri"])? else { continue };
        let uri = without_git(&uri).to_owned();
        if uri.strip_prefix(address).is_none_or(|rest| !rest.starts_with('@')) {
            continue;
        }
        if uri != expected {
            return Err(InvalidStatement::Disagrees { what: "resolvedDependencies", expected, found: uri });
        }
        if found.replace(text(dependency, &["digest", "gitCommit"])?).is_some() {
            return Err(InvalidStatement::SeveralSources { found: expected });
        }
    }
    match found {
        Some(commit) => git_source(repository, commit),
        None => Err(InvalidStatement::NotResolved { expected }),
    }
}

fn known_builder(predicate: Predicate, id: &str) -> Result<Builder, InvalidStatement> {
    Builder::of(predicate, id).ok_or_else(|| InvalidStatement::Builder { predicate, found: id.to_owned() })
}

fn git_source(address: &str, commit: &str) -> Result<Source, InvalidStatement> {
    let repository = without_git(address);
    let path = repository.strip_prefix("https://");
    if path.is_none_or(|path| path.is_empty() || path.contains(['@', '#', '?'])) {
        return Err(InvalidStatement::Source { found: address.to_owned() });
    }
    let hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    if !matches!(commit.len(), 40 | 64) || !commit.bytes().all(hex) {
        return Err(InvalidStatement::Commit { found: commit.to_owned() });
    }
    Ok(Source::Git { repository: repository.to_owned(), commit: commit.to_owned() })
}

/// The service wrote addresses without `git+` at first, and with it later under the same version.
fn without_git(address: &str) -> &str {
    address.strip_prefix("git+").unwrap_or(address)
}

fn subjects(statement: &Value) -> Result<Vec<Subject>, InvalidStatement> {
    let written = list(statement, &["subject"])?;
    if written.is_empty() {
        return Err(InvalidStatement::NoSubject);
    }
    let subject = |value: &Value| {
        let name = text(value, &["name"])?.to_owned();
        let Some(Value::Object(members)) = value.get("digest") else {
            return Err(shape(&["subject", "digest"], "an object", value.get("digest")));
        };
        let mut digest = BTreeMap::new();
        for (algorithm, hex) in members {
            let Value::String(hex) = hex else {
                return Err(shape(&["subject", "digest", algorithm], "a text", Some(hex)));
            };
            digest.insert(algorithm.clone(), hex.clone());
        }
        if !digest.contains_key("sha256") {
            return Err(InvalidStatement::SubjectDigest { name });
        }
        Ok(Subject { name, digest })
    };
    written.iter().map(subject).collect()
}

/// What the service filled in for the build, or nothing.
struct Substitutions<'a>(Option<&'a Map<String, Value>>);

impl<'a> Substitutions<'a> {
    fn at(statement: &'a Value, path: &[&str]) -> Result<Self, InvalidStatement> {
        match member(statement, path) {
            None => Ok(Self(None)),
            Some(Value::Object(members)) => Ok(Self(Some(members))),
            Some(other) => Err(shape(path, "an object", Some(other))),
        }
    }

    fn text(&self, name: &str) -> Result<Option<String>, InvalidStatement> {
        match self.0.and_then(|members| members.get(name)) {
            None => Ok(None),
            Some(Value::String(value)) => Ok(Some(value.clone())),
            Some(other) => Err(shape(&["substitutions", name], "a text", Some(other))),
        }
    }

    fn require_commit(&self, source: &Source) -> Result<(), InvalidStatement> {
        let Source::Git { commit, .. } = source else { return Ok(()) };
        for what in ["COMMIT_SHA", "REVISION_ID"] {
            if let Some(found) = self.text(what)?
                && found != *commit
            {
                return Err(InvalidStatement::Disagrees { what, expected: commit.clone(), found });
            }
        }
        Ok(())
    }

    fn branch_and_tag(&self, source: &Source) -> Result<(Option<String>, Option<String>), InvalidStatement> {
        let named = (self.text("BRANCH_NAME")?, self.text("TAG_NAME")?);
        Ok(match source {
            Source::Git { .. } => named,
            Source::Storage { .. } => (None, None),
        })
    }
}

fn member<'v>(value: &'v Value, path: &[&str]) -> Option<&'v Value> {
    path.iter().try_fold(value, |value, name| value.as_object()?.get(*name))
}

fn text<'v>(value: &'v Value, path: &[&str]) -> Result<&'v str, InvalidStatement> {
    let found = member(value, path);
    found.and_then(Value::as_str).ok_or_else(|| shape(path, "a text", found))
}

fn optional_text(value: &Value, path: &[&str]) -> Result<Option<String>, InvalidStatement> {
    if member(value, path).is_none() { Ok(None) } else { text(value, path).map(|text| Some(text.to_owned())) }
}

fn list<'v>(value: &'v Value, path: &[&str]) -> Result<&'v [Value], InvalidStatement> {
    let found = member(value, path);
    found.and_then(Value::as_array).map(Vec::as_slice).ok_or_else(|| shape(path, "a list", found))
}

fn shape(path: &[&str], expected: &'static str, found: Option<&Value>) -> InvalidStatement {
    let found = match found {
        None => "nothing",
        Some(Value::Null) => "null",
        Some(Value::Bool(_)) => "a boolean",
        Some(Value::Number(_)) => "a number",
        Some(Value::String(_)) => "a text",
        Some(Value::Array(_)) => "a list",
        Some(Value::Object(_)) => "an object",
    };
    InvalidStatement::Shape { path: path.join("."), expected, found }
}

/// Why a signed statement is not one that is understood.
#[derive(Debug, thiserror::Error)]
pub enum InvalidStatement {
    /// The payload is not JSON, or has a member twice.
    #[error(transparent)]
    Json(#[from] InvalidJson),
    /// A member is absent or of another kind.
    #[error("`{path}`: expected {expected}, found {found}")]
    Shape {
        /// Where it is.
        path: String,
        /// What is needed.
        expected: &'static str,
        /// What there is.
        found: &'static str,
    },
    /// The payload is not an in-toto statement.
    #[error("`_type`: expected one of {STATEMENT_TYPES:?}, found `{found}`")]
    StatementType {
        /// What there is.
        found: String,
    },
    /// The statement is not in the format that its key signs.
    #[error("`predicateType`: expected `{expected}`, found `{found}`")]
    PredicateType {
        /// What the key signs.
        expected: Predicate,
        /// What there is.
        found: String,
    },
    /// The builder is not known in this format.
    #[error("expected a known builder of {predicate}, found `{found}`")]
    Builder {
        /// The format.
        predicate: Predicate,
        /// What there is.
        found: String,
    },
    /// The builder does not make builds of this type.
    #[error("expected a build type of `{builder}`, found `{found}`")]
    BuildType {
        /// The builder.
        builder: Builder,
        /// What there is.
        found: String,
    },
    /// The arguments are not those of a build.
    #[error("`predicate.recipe.arguments.@type`: expected `{ARGUMENTS_TYPE}`, found `{found}`")]
    ArgumentsType {
        /// What there is.
        found: String,
    },
    /// The statement does not name the source.
    #[error("`{path}`: expected the source, found nothing")]
    NoSource {
        /// Where it would be.
        path: &'static str,
    },
    /// The source's address is of a form that is not known.
    #[error("expected the source as `https://…` with a commit or `gs://…#GENERATION`, found `{found}`")]
    Source {
        /// What there is.
        found: String,
    },
    /// The commit is not one.
    #[error("expected a commit of 40 or 64 lowercase hex digits, found `{found}`")]
    Commit {
        /// What there is.
        found: String,
    },
    /// The source is there more than once.
    #[error("expected the source once, found `{found}` more than once")]
    SeveralSources {
        /// The source.
        found: String,
    },
    /// The source is not among what was fetched.
    #[error("`resolvedDependencies`: expected `{expected}`, found nothing of that name")]
    NotResolved {
        /// The source.
        expected: String,
    },
    /// Two places of the statement contradict each other.
    #[error("`{what}`: expected `{expected}`, which the source is, found `{found}`")]
    Disagrees {
        /// The place that is other than the source.
        what: &'static str,
        /// What the source is.
        expected: String,
        /// What there is.
        found: String,
    },
    /// The build made nothing.
    #[error("`subject`: expected at least one, found none")]
    NoSubject,
    /// A subject has no SHA-256 digest.
    #[error("subject `{name}`: expected a `sha256` digest, found none")]
    SubjectDigest {
        /// The subject.
        name: String,
    },
}
