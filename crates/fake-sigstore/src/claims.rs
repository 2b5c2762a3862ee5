//! What a token says about somebody, and tokens (RFC 7519).

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use serde_json::{Map, Value, json};

use crate::encoding::{base64_url, from_base64_url, hex};
use crate::key::{Key, random};

/// What a token says. Times are relative to the issuer's clock.
#[derive(Clone, Debug)]
pub struct Claims {
    members: Map<String, Value>,
    not_before_in_seconds: Option<i64>,
    expires_in_seconds: i64,
}

impl Claims {
    /// Somebody with a mailbox that is theirs.
    pub fn email(address: &str) -> Self {
        let subject = base64_url(format!("subject of {address}").as_bytes());
        Self::subject(&subject).with("email", address).with("email_verified", true)
    }

    /// Somebody with a name alone: a URI, so that Fulcio can certify it.
    pub fn subject(subject: &str) -> Self {
        let members = Map::from_iter([("sub".to_owned(), json!(subject)), ("aud".to_owned(), json!("sigstore"))]);
        Self { members, not_before_in_seconds: None, expires_in_seconds: 60 * 60 }
    }

    /// A workflow on GitHub: `owner/name`, `release.yml`, `refs/tags/v1`.
    ///
    /// The issuer is GitHub's, whose tokens this instance issues too.
    pub fn github_workflow(repository: &str, workflow: &str, git_ref: &str) -> Self {
        let (owner, _) = repository.split_once('/').expect("owner/name");
        let workflow_ref = format!("{repository}/.github/workflows/{workflow}@{git_ref}");
        let commit = "0123456789abcdef0123456789abcdef01234567";
        Self::subject(&format!("repo:{repository}:ref:{git_ref}"))
            .with("iss", "https://token.actions.githubusercontent.com")
            .with("event_name", "push")
            .with("job_workflow_ref", workflow_ref.as_str())
            .with("job_workflow_sha", commit)
            .with("ref", git_ref)
            .with("repository", repository)
            .with("repository_id", "1296269")
            .with("repository_owner", owner)
            .with("repository_owner_id", "583231")
            .with("repository_visibility", "public")
            .with("run_attempt", "1")
            .with("run_id", "30433642")
            .with("runner_environment", "github-hosted")
            .with("sha", commit)
            .with("workflow", workflow)
            .with("workflow_ref", workflow_ref.as_str())
            .with("workflow_sha", commit)
    }

    /// A job on GitLab: `group/project`, `.gitlab-ci.yml`, `main`.
    ///
    /// The issuer is GitLab's, whose tokens this instance issues too.
    pub fn gitlab_job(project: &str, config: &str, branch: &str) -> Self {
        let (namespace, _) = project.rsplit_once('/').expect("group/project");
        let commit = "0123456789abcdef0123456789abcdef01234567";
        Self::subject(&format!("project_path:{project}:ref_type:branch:ref:{branch}"))
            .with("iss", "https://gitlab.com")
            .with("ci_config_ref_uri", format!("gitlab.com/{project}//{config}@refs/heads/{branch}"))
            .with("ci_config_sha", commit)
            .with("job_id", "302")
            .with("namespace_id", "72")
            .with("namespace_path", namespace)
            .with("pipeline_source", "push")
            .with("project_id", "20")
            .with("project_path", project)
            .with("project_visibility", "public")
            .with("ref", branch)
            .with("ref_type", "branch")
            .with("runner_environment", "gitlab-hosted")
            .with("sha", commit)
    }

    /// Sets a claim, whichever it is, or removes it with [`Value::Null`].
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.members.insert(name.to_owned(), value.into());
        self
    }

    /// Whom the token is for; `sigstore` otherwise.
    #[must_use]
    pub fn audience(self, audience: &str) -> Self {
        self.with("aud", audience)
    }

    /// When it expires, in seconds from now; an hour otherwise.
    #[must_use]
    pub fn expires_in(mut self, seconds: i64) -> Self {
        self.expires_in_seconds = seconds;
        self
    }

    /// When it begins to be valid, in seconds from now; it does not say otherwise.
    #[must_use]
    pub fn not_before_in(mut self, seconds: i64) -> Self {
        self.not_before_in_seconds = Some(seconds);
        self
    }

    /// The claims as they stand in a token that is issued now.
    pub(crate) fn at(&self, now: i64, issuer: &str) -> Map<String, Value> {
        let mut members = Map::from_iter([
            ("iss".to_owned(), json!(issuer)),
            ("iat".to_owned(), json!(now)),
            ("exp".to_owned(), json!(now + self.expires_in_seconds)),
        ]);
        members.extend(self.not_before_in_seconds.map(|seconds| ("nbf".to_owned(), json!(now + seconds))));
        members.extend(self.members.clone());
        members.retain(|_, value| !value.is_null());
        members
    }
}

/// A key that signs tokens.
pub(crate) struct TokenKey {
    key: Key,
    name: String,
}

impl TokenKey {
    pub(crate) fn generate() -> Self {
        Self { key: Key::generate_for_tokens(), name: hex(&random::<8>()) }
    }

    pub(crate) fn sign(&self, claims: &Map<String, Value>) -> String {
        let header = json!({ "alg": "ES256", "kid": self.name, "typ": "JWT" });
        let part = |json: String| base64_url(json.as_bytes());
        let signed = format!("{}.{}", part(header.to_string()), part(Value::Object(claims.clone()).to_string()));
        let signature = base64_url(&self.key.sign(signed.as_bytes()));
        format!("{signed}.{signature}")
    }

    /// The claims of a token that this key signed.
    pub(crate) fn verify(&self, token: &str) -> Option<Map<String, Value>> {
        let (signed, signature) = token.rsplit_once('.')?;
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, self.key.public_bytes())
            .verify(signed.as_bytes(), &from_base64_url(signature)?)
            .ok()?;
        let (_, claims) = signed.split_once('.')?;
        serde_json::from_slice(&from_base64_url(claims)?).ok()
    }

    /// The public key (RFC 7517).
    pub(crate) fn jwk(&self) -> Value {
        let point = &self.key.public_bytes()[1..];
        let [x, y] = [&point[..32], &point[32..]].map(base64_url);
        json!({ "kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": self.name, "x": x, "y": y })
    }
}
