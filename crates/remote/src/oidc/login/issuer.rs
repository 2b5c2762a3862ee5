//! What an issuer says about itself (OpenID Connect Discovery §4), and its token endpoint.

use reqwest::Url;
use reqwest::header::{ACCEPT, CONTENT_TYPE};
use serde::Deserialize;
use url::form_urlencoded;
use zeroize::Zeroizing;

use super::{Grant, LoginError};
use crate::http::{Attempts, Http, Patience, Redirects, is_here, shown};
use crate::oidc::{MAX_ANSWER_BYTES, read_secret};

const MAX_METADATA_BYTES: usize = 256 << 10;

/// An issuer that was asked about itself.
pub(super) struct Issuer {
    patience: Patience,
    name: String,
    authorization_endpoint: Url,
    token_endpoint: Url,
    secret_in: SecretIn,
}

/// Where the token endpoint looks for a client's secret (RFC 6749 §2.3.1).
#[derive(Clone, Copy)]
enum SecretIn {
    Header,
    Form,
}

#[derive(Deserialize)]
struct Metadata {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
}

impl Issuer {
    pub(super) fn discover(issuer: &str, patience: Patience) -> Result<Self, LoginError> {
        let failed = |reason| LoginError::Discovery { issuer: issuer.to_owned(), reason };
        let base = issuer.trim_end_matches('/');
        let url = secure_url("issuer", &format!("{base}/.well-known/openid-configuration"))?;
        let http = Http::new(&url, Redirects::Refused, patience).map_err(failed)?;
        let metadata: Metadata = http
            .send_for_json(http.client().get(url), MAX_METADATA_BYTES, Attempts::Several)
            .map_err(|failure| failed(failure.to_string()))?;
        // §4.3. Who types the URL does not see whether a `/` ends it.
        if metadata.issuer.trim_end_matches('/') != base {
            return Err(LoginError::AnotherIssuer { expected: issuer.to_owned(), found: metadata.issuer });
        }
        Ok(Self {
            patience,
            authorization_endpoint: secure_url(
                "the issuer's authorization endpoint",
                &metadata.authorization_endpoint,
            )?,
            token_endpoint: secure_url("the issuer's token endpoint", &metadata.token_endpoint)?,
            secret_in: SecretIn::of(metadata.token_endpoint_auth_methods_supported.as_deref()),
            name: metadata.issuer,
        })
    }

    /// As it names itself, in tokens too.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn authorization_endpoint(&self) -> &Url {
        &self.authorization_endpoint
    }

    /// The identity token for a code. It is asked for once: a code that comes again may be taken for stolen.
    pub(super) fn exchange(
        &self,
        grant: &Grant,
        verifier: &str,
        client_id: &str,
        client_secret: Option<&Zeroizing<String>>,
    ) -> Result<Zeroizing<String>, LoginError> {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("grant_type", "authorization_code")
            .append_pair("code", &grant.code)
            .append_pair("redirect_uri", &grant.redirect_uri)
            .append_pair("code_verifier", verifier);
        let http =
            Http::new(&self.token_endpoint, Redirects::Refused, self.patience).map_err(|reason| self.failed(reason))?;
        let mut request = http.client().post(self.token_endpoint.clone());
        match (client_secret, self.secret_in) {
            (None, _) => {
                form.append_pair("client_id", client_id);
            }
            (Some(secret), SecretIn::Form) => {
                form.append_pair("client_id", client_id).append_pair("client_secret", secret);
            }
            (Some(secret), SecretIn::Header) => {
                request = request.basic_auth(encoded(client_id).as_str(), Some(encoded(secret).as_str()));
            }
        }
        let request = request
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(ACCEPT, "application/json")
            .body(form.finish());
        let answer =
            http.send(request, MAX_ANSWER_BYTES, Attempts::One).map_err(|failure| self.failed(failure.to_string()))?;
        self.read(answer)
    }

    fn read(&self, answer: Vec<u8>) -> Result<Zeroizing<String>, LoginError> {
        #[derive(Deserialize)]
        struct Answer {
            id_token: Option<String>,
            error: Option<String>,
            error_description: Option<String>,
        }
        let answer: Answer = read_secret(answer, "JSON with a text as `id_token`").map_err(|e| self.failed(e))?;
        match (answer.id_token.map(Zeroizing::new), answer.error) {
            (Some(token), None) => Ok(token),
            (_, Some(error)) => {
                Err(self.failed(format!("answered: {}", both(&error, answer.error_description.as_deref()))))
            }
            (None, None) => Err(self.failed("gave no identity token (`id_token`)".to_owned())),
        }
    }

    fn failed(&self, reason: String) -> LoginError {
        LoginError::Exchange { endpoint: self.token_endpoint.to_string(), reason }
    }
}

impl SecretIn {
    /// As the issuer says, and in the header if it says nothing.
    fn of(methods: Option<&[String]>) -> Self {
        let supports = |method: &str| methods.is_some_and(|methods| methods.iter().any(|found| found == method));
        if supports("client_secret_post") && !supports("client_secret_basic") { Self::Form } else { Self::Header }
    }
}

/// An error of OAuth and its description, if there is one.
pub(super) fn both(error: &str, description: Option<&str>) -> String {
    shown(&description.map_or_else(|| error.to_owned(), |description| format!("{error}: {description}")))
}

/// A URL that only its owner answers at, without a secret in it: of `https`, or of `http` on this machine.
pub(super) fn secure_url(what: &'static str, text: &str) -> Result<Url, LoginError> {
    let found = |found: &str| LoginError::Url { what, found: found.to_owned() };
    let mut url = Url::parse(text).map_err(|_| found(text))?;
    if !url.username().is_empty() || url.password().is_some() {
        // A URL that has them can lose them.
        let _ = url.set_username("").and_then(|()| url.set_password(None));
        return Err(LoginError::Secret { what, found: url.to_string() });
    }
    let is_secure = match url.scheme() {
        "https" => url.has_host(),
        "http" => is_here(&url),
        _ => false,
    };
    if is_secure { Ok(url) } else { Err(found(text)) }
}

fn encoded(text: &str) -> Zeroizing<String> {
    Zeroizing::new(form_urlencoded::byte_serialize(text.as_bytes()).collect())
}
