//! Identity tokens with any claims.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Result;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};

use super::super::keys::TokenKey;

/// The audience that Fulcio wants.
pub(crate) const AUDIENCE: &str = "sigstore";
/// How long a token is valid if its claims do not say.
const VALID_SECONDS: i64 = 600;

/// What a token says. What it does not say about issuer, audience and time is added when it is minted.
#[derive(Clone, Debug)]
pub(crate) struct Claims(Map<String, Value>);

impl Claims {
    /// Of a person with an address that the issuer has verified.
    pub(crate) fn person(email: &str) -> Self {
        // A subject that is no address: who signs the wrong claim as a proof of possession is found out.
        let subject = format!("subject of {email}");
        Self(Map::new()).with("sub", subject).with("email", email).with("email_verified", true)
    }

    /// Of a workflow, `build.yml`, that runs on a branch of a repository (`owner/name`), as GitHub describes it.
    pub(crate) fn workflow(repository: &str, branch: &str) -> Self {
        let reference = format!("refs/heads/{branch}");
        let workflow = format!("{repository}/.github/workflows/build.yml@{reference}");
        let commit = "9f2c1e6b7a8d4f5031c2b3a495867d0e1f2a3b4c";
        Self(Map::new())
            .with("sub", format!("repo:{repository}:ref:{reference}"))
            .with("job_workflow_ref", workflow.as_str())
            .with("job_workflow_sha", commit)
            .with("workflow_ref", workflow)
            .with("workflow_sha", commit)
            .with("workflow", "build")
            .with("sha", commit)
            .with("ref", reference)
            .with("event_name", "push")
            .with("repository", repository)
            .with("repository_id", "1001")
            .with("repository_owner", repository.split('/').next())
            .with("repository_owner_id", "1002")
            .with("repository_visibility", "public")
            .with("runner_environment", "github-hosted")
            .with("run_id", "1003")
            .with("run_attempt", "1")
    }

    /// Says something, or something else than before.
    pub(crate) fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.0.insert(name.to_owned(), value.into());
        self
    }

    /// Says nothing about it; nothing is added either.
    pub(crate) fn without(self, name: &str) -> Self {
        self.with(name, Value::Null)
    }

    /// Expires so many seconds from now; in the past if negative.
    pub(crate) fn expires_in(self, seconds: i64) -> Self {
        self.with("exp", now() + seconds)
    }
}

/// Mints the tokens of one issuer.
#[derive(Clone)]
pub(crate) struct Issuer {
    /// What `iss` says, and what certificates name as the issuer.
    pub(crate) url: String,
    key: Arc<TokenKey>,
}

impl Issuer {
    /// The issuer of this URL.
    pub(in super::super) fn new(url: String, key: Arc<TokenKey>) -> Self {
        Self { url, key }
    }

    /// Mints a token (RFC 7519).
    pub(crate) fn token(&self, claims: &Claims) -> Result<String> {
        let now = now();
        let mut claims = claims.0.clone();
        let defaults = [
            ("iss", json!(self.url)),
            ("aud", json!(AUDIENCE)),
            ("iat", json!(now)),
            ("exp", json!(now + VALID_SECONDS)),
        ];
        for (name, value) in defaults {
            claims.entry(name).or_insert(value);
        }
        claims.retain(|_, value| !value.is_null());

        let header = json!({ "alg": "ES256", "typ": "JWT", "kid": key_id(&self.key) });
        let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", encode(&header), encode(&Value::Object(claims)));
        let signature = self.key.sign(signed.as_bytes())?;
        Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }
}

/// The public key as a set of one (RFC 7517).
pub(super) fn key_set(key: &TokenKey) -> Value {
    let (x, y) = key.coordinates();
    json!({ "keys": [{
        "kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": key_id(key),
        "x": URL_SAFE_NO_PAD.encode(x), "y": URL_SAFE_NO_PAD.encode(y),
    }] })
}

fn key_id(key: &TokenKey) -> String {
    let (x, _) = key.coordinates();
    URL_SAFE_NO_PAD.encode(&x[..8])
}

fn now() -> i64 {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).expect("now is after 1970");
    i64::try_from(elapsed.as_secs()).expect("now fits 64 bits")
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};

    use super::*;

    #[test]
    fn a_token_says_what_was_asked_and_its_signature_holds() {
        let folder = tempfile::tempdir().expect("a folder");
        let key = Arc::new(TokenKey::generate(&folder.path().join("key")).expect("a key"));
        let issuer = Issuer::new("http://127.0.0.1:1/people".to_owned(), Arc::clone(&key));
        let claims = Claims::person("a@example.com").without("email_verified").with("aud", "b").expires_in(-5);
        let token = issuer.token(&claims).expect("a token");

        let (signed, signature) = token.rsplit_once('.').expect("three parts");
        let decode = |text: &str| URL_SAFE_NO_PAD.decode(text).expect("base64");
        let said: Value = serde_json::from_slice(&decode(signed.split('.').nth(1).expect("a payload"))).expect("JSON");
        assert_eq!(said["iss"], issuer.url);
        assert_eq!(said["email"], "a@example.com");
        assert_eq!(said["aud"], "b");
        assert!(said.get("email_verified").is_none());
        assert!(said["exp"].as_i64() < said["iat"].as_i64());

        let published = &key_set(&key)["keys"][0];
        let coordinate = |name: &str| decode(published[name].as_str().expect("a text"));
        let point = [vec![4], coordinate("x"), coordinate("y")].concat();
        let public_key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point);
        public_key.verify(signed.as_bytes(), &decode(signature)).expect("the signature holds");
    }
}
