//! Continuous integration.

use reqwest::Url;
use serde::Deserialize;
use zeroize::Zeroizing;

use super::program::{self, Program};
use super::{AmbientError, Found, Provider, Surroundings};
use crate::http::{Attempts, Http, Redirects};
use crate::oidc::{MAX_ANSWER_BYTES, read_secret};

/// A job's own service gives tokens, if the workflow has `id-token: write`.
pub(super) fn github(audience: &str, surroundings: &Surroundings<'_>) -> Found {
    #[derive(Deserialize)]
    struct Answer {
        value: String,
    }
    if surroundings.variable("GITHUB_ACTIONS").is_none() {
        return Ok(None);
    }
    let permitted = |variable| surroundings.variable(variable).ok_or(AmbientError::NoPermission { variable });
    let bearer = Zeroizing::new(permitted("ACTIONS_ID_TOKEN_REQUEST_TOKEN")?);
    let url = permitted("ACTIONS_ID_TOKEN_REQUEST_URL")?;
    let refused = |reason| AmbientError::Refused {
        provider: Provider::GitHubActions,
        asked: "the service at `ACTIONS_ID_TOKEN_REQUEST_URL`".to_owned(),
        reason,
    };
    let url = Url::parse(&url).map_err(|error| refused(format!("was not asked: {error}")))?;
    let http = Http::new(&url, Redirects::Refused, surroundings.patience).map_err(refused)?;
    let request = http.client().get(with_audience(url, audience)).bearer_auth(bearer.as_str());
    let answer = http.send(request, MAX_ANSWER_BYTES, Attempts::Several).map_err(|error| refused(error.to_string()))?;
    let answer: Answer = read_secret(answer, "JSON with a text as `value`").map_err(refused)?;
    Ok(Some(Zeroizing::new(answer.value)))
}

/// `url`, which has parameters of its own, with the audience among them.
fn with_audience(mut url: Url, audience: &str) -> Url {
    let others: Vec<_> = url.query_pairs().into_owned().filter(|(name, _)| name != "audience").collect();
    url.query_pairs_mut().clear().extend_pairs(others).append_pair("audience", audience);
    url
}

/// The job's token is in a variable that its audience names.
pub(super) fn gitlab(audience: &str, surroundings: &Surroundings<'_>) -> Found {
    if surroundings.variable("GITLAB_CI").is_none() {
        return Ok(None);
    }
    let variable = gitlab_variable(audience);
    match surroundings.variable(&variable) {
        Some(token) => Ok(Some(Zeroizing::new(token))),
        None => Err(AmbientError::NoVariable { variable, audience: audience.to_owned() }),
    }
}

/// `SIGSTORE_ID_TOKEN` for `sigstore`: the audience in capitals, with `_` for what no variable's name can have.
pub(super) fn gitlab_variable(audience: &str) -> String {
    let capital = |(index, c): (usize, char)| match c {
        'A'..='Z' | '_' => c,
        '0'..='9' if index > 0 => c,
        _ => '_',
    };
    let name: String = audience.to_uppercase().chars().enumerate().map(capital).collect();
    format!("{name}_ID_TOKEN")
}

/// The agent gets the job's token.
pub(super) fn buildkite(audience: &str, surroundings: &Surroundings<'_>) -> Found {
    if surroundings.variable("BUILDKITE").is_none() {
        return Ok(None);
    }
    let agent = Program { provider: Provider::Buildkite, name: "buildkite-agent" };
    program::run(agent, &["oidc", "request-token", "--audience", audience], surroundings).map(Some)
}

/// The tool in the job gets a token, here one of the issuer for all organizations: Fulcio knows it.
pub(super) fn circleci(audience: &str, surroundings: &Surroundings<'_>) -> Found {
    if surroundings.variable("CIRCLECI").is_none() {
        return Ok(None);
    }
    let tool = Program { provider: Provider::CircleCi, name: "circleci" };
    let claims = serde_json::json!({ "aud": audience }).to_string();
    program::run(tool, &["run", "oidc", "get", "--claims", &claims, "--root-issuer"], surroundings).map(Some)
}
