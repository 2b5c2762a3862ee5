//! Service accounts of Google Cloud.

use std::fs;

use reqwest::blocking::RequestBuilder;
use serde::Deserialize;
use zeroize::Zeroizing;

use super::{AmbientError, Found, Provider, Surroundings};
use crate::http::{Attempts, Failure, Http, Redirects, with_json};
use crate::oidc::{MAX_ANSWER_BYTES, read_secret};

/// The metadata service, which a machine asks about itself.
const METADATA: &str = "metadata.google.internal";
const ACCOUNT: &str = "computeMetadata/v1/instance/service-accounts/default";
const SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";
const MACHINES: [&str; 2] = ["Google", "Google Compute Engine"];

/// The token of the account that `GOOGLE_SERVICE_ACCOUNT_NAME` names, for which the machine's own account speaks; or of
/// the machine's own.
pub(super) fn token(audience: &str, surroundings: &Surroundings<'_>) -> Found {
    if let Some(account) = surroundings.variable("GOOGLE_SERVICE_ACCOUNT_NAME") {
        return of_another(&account, audience, surroundings).map(Some);
    }
    let name = fs::read_to_string(&surroundings.product_name).unwrap_or_default();
    if !MACHINES.contains(&name.trim()) {
        return Ok(None);
    }
    // `full` has the address of the account in it, which is what is certified.
    let token = ask_machine("identity", &[("audience", audience), ("format", "full")], surroundings)?;
    String::from_utf8(token)
        .map(|token| Some(Zeroizing::new(token)))
        .map_err(|_| metadata_refused("gave an answer that is no text".to_owned()))
}

fn of_another(
    account: &str,
    audience: &str,
    surroundings: &Surroundings<'_>,
) -> Result<Zeroizing<String>, AmbientError> {
    #[derive(Deserialize)]
    struct Access {
        access_token: String,
    }
    #[derive(Deserialize)]
    struct Answer {
        token: String,
    }
    let access = ask_machine("token", &[("scopes", SCOPE)], surroundings)?;
    let access: Access = read_secret(access, "JSON with a text as `access_token`").map_err(metadata_refused)?;
    let access = Zeroizing::new(access.access_token);

    let refused = |reason| refused("the service of credentials", reason);
    // Encoded, so that the name is one part of the path.
    let mut url = reqwest::Url::parse(&surroundings.credentials).map_err(|error| refused(error.to_string()))?;
    if let Ok(mut path) = url.path_segments_mut() {
        let last = format!("{account}:generateIdToken");
        path.pop_if_empty().extend(["v1", "projects", "-", "serviceAccounts", &last]);
    }
    let http = Http::new(&url, Redirects::Refused, surroundings.patience).map_err(refused)?;
    let body = serde_json::json!({ "audience": audience, "includeEmail": true });
    let failed = |failure: Failure| refused(failure.to_string());
    let request = with_json(http.client().post(url).bearer_auth(access.as_str()), &body).map_err(failed)?;
    let answer = http.send(request, MAX_ANSWER_BYTES, Attempts::Several).map_err(failed)?;
    let answer: Answer = read_secret(answer, "JSON with a text as `token`").map_err(refused)?;
    Ok(Zeroizing::new(answer.token))
}

/// What the metadata service says about the machine's own account.
fn ask_machine(
    what: &str,
    parameters: &[(&str, &str)],
    surroundings: &Surroundings<'_>,
) -> Result<Vec<u8>, AmbientError> {
    // Google's own libraries look here too.
    let host = surroundings.variable("GCE_METADATA_HOST").unwrap_or_else(|| METADATA.to_owned());
    let mut url = reqwest::Url::parse(&format!("http://{host}/{ACCOUNT}/{what}"))
        .map_err(|error| metadata_refused(format!("was not asked: {error}")))?;
    url.query_pairs_mut().extend_pairs(parameters);
    let http = Http::direct(surroundings.patience).map_err(metadata_refused)?;
    let request: RequestBuilder = http.client().get(url).header("Metadata-Flavor", "Google");
    http.send(request, MAX_ANSWER_BYTES, Attempts::Several).map_err(|failure| metadata_refused(failure.to_string()))
}

fn metadata_refused(reason: String) -> AmbientError {
    refused("the metadata service", reason)
}

fn refused(asked: &str, reason: String) -> AmbientError {
    AmbientError::Refused { provider: Provider::GoogleCloud, asked: asked.to_owned(), reason }
}
