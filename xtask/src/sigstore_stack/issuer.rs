//! A stub OIDC provider: discovery, keys, and the authorization code flow with PKCE (RFC 6749, RFC 7636), in which
//! everybody is logged in already.
//!
//! One server hosts several issuers, each below a path of its own: a [`Realm`].

pub(crate) mod token;

use std::collections::HashMap;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result};
use aws_lc_rs::rand;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use self::token::{AUDIENCE, Claims, Issuer, key_set};
use super::http::{self, Parameters, Request, Response};
use super::keys::{TokenKey, sha256};

/// Who logs in if neither the request (`login_hint`) nor the test says.
pub(crate) const PERSON: &str = "developer@example.com";
/// Where a person copies the code from the page (RFC 8252 calls it obsolete; clients offer it still).
const OUT_OF_BAND: &str = "urn:ietf:wg:oauth:2.0:oob";
/// What a workflow shows to be given its token.
const AMBIENT_CREDENTIAL: &str = "ambient";

/// An issuer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Realm {
    /// People, known by their address. The one that the signing configuration names.
    People,
    /// Other people: an issuer that vouches for addresses as well.
    Partners,
    /// Workflows, as GitHub describes them.
    Workflows,
}

impl Realm {
    /// All of them.
    pub(super) const ALL: [Self; 3] = [Self::People, Self::Partners, Self::Workflows];

    /// What Fulcio calls issuers of this kind.
    pub(super) fn fulcio_type(self) -> &'static str {
        match self {
            Self::People | Self::Partners => "email",
            Self::Workflows => "github-workflow",
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::People => "people",
            Self::Partners => "partners",
            Self::Workflows => "workflows",
        }
    }

    /// The issuer's URL on a server at this port.
    pub(super) fn url(self, port: u16) -> String {
        format!("http://127.0.0.1:{port}/{}", self.name())
    }
}

/// What happens when somebody is sent to log in.
#[derive(Clone, Debug)]
pub(crate) enum Login {
    /// Somebody with this address is logged in.
    As(String),
    /// Nobody logs in.
    Denied,
}

/// The running server.
pub(crate) struct Issuers {
    server: http::Server,
    state: Arc<State>,
}

struct State {
    port: u16,
    key: Arc<TokenKey>,
    login: Mutex<Login>,
    /// What each code that was given out may be exchanged for, once.
    grants: Mutex<HashMap<String, Grant>>,
}

struct Grant {
    claims: Claims,
    client_id: String,
    redirect_uri: String,
    challenge: String,
}

impl Issuers {
    /// Starts the server on a free port of loopback.
    pub(super) fn start(key: Arc<TokenKey>) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no port for the issuer")?;
        let state = Arc::new(State {
            port: listener.local_addr()?.port(),
            key,
            login: Mutex::new(Login::As(PERSON.to_owned())),
            grants: Mutex::default(),
        });
        let answering = Arc::clone(&state);
        let server = http::Server::start(listener, move |request| answering.answer(request))?;
        Ok(Self { server, state })
    }

    /// The port of all issuers.
    pub(super) fn port(&self) -> u16 {
        self.server.port
    }

    /// Decides what happens to who is sent to log in from now on.
    pub(crate) fn set_login(&self, login: Login) {
        *lock(&self.state.login) = login;
    }
}

/// The environment in which clients find the token of a workflow, as in GitHub's.
pub(crate) fn workflow_environment(workflows: &Issuer) -> [(&'static str, String); 3] {
    [
        ("GITHUB_ACTIONS", "true".to_owned()),
        ("ACTIONS_ID_TOKEN_REQUEST_URL", format!("{}/ambient?version=1", workflows.url)),
        ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", AMBIENT_CREDENTIAL.to_owned()),
    ]
}

impl State {
    fn answer(&self, request: &Request) -> Response {
        let found = Realm::ALL.into_iter().find_map(|realm| {
            let rest = request.path.strip_prefix('/')?.strip_prefix(realm.name())?;
            Some((realm, rest))
        });
        let Some((realm, rest)) = found else { return not_found() };
        match (request.method.as_str(), rest) {
            ("GET", "/.well-known/openid-configuration") => json_response(200, &self.configuration(realm)),
            ("GET", "/keys") => json_response(200, &key_set(&self.key)),
            ("GET", "/authorize") => self.authorize(&request.query),
            ("POST", "/token") => self.exchange(realm, request),
            ("GET", "/ambient") => self.ambient(realm, request),
            _ => not_found(),
        }
    }

    fn issuer(&self, realm: Realm) -> Issuer {
        Issuer::new(realm.url(self.port), Arc::clone(&self.key))
    }

    fn configuration(&self, realm: Realm) -> Value {
        let issuer = realm.url(self.port);
        json!({
            "issuer": issuer,
            "authorization_endpoint": format!("{issuer}/authorize"),
            "token_endpoint": format!("{issuer}/token"),
            "jwks_uri": format!("{issuer}/keys"),
            "response_types_supported": ["code"],
            "grant_types_supported": ["authorization_code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["ES256"],
            "code_challenge_methods_supported": ["S256"],
            "scopes_supported": ["openid", "email"],
            "token_endpoint_auth_methods_supported": ["none", "client_secret_basic", "client_secret_post"],
        })
    }

    /// The authorization endpoint: nobody is asked anything.
    fn authorize(&self, query: &Parameters) -> Response {
        let value = |name| query.value(name).unwrap_or_default();
        let redirect_uri = value("redirect_uri");
        if redirect_uri.is_empty() || value("client_id").is_empty() {
            return Response::new(400, "text/plain", "client_id and redirect_uri are missing\n");
        }
        let is_sound = value("response_type") == "code"
            && value("code_challenge_method") == "S256"
            && !value("code_challenge").is_empty()
            && value("scope").split(' ').any(|scope| scope == "openid");
        let login = match (query.value("login_hint"), &*lock(&self.login)) {
            (_, Login::Denied) => None,
            (Some(hint), Login::As(_)) => Some(hint.to_owned()),
            (None, Login::As(email)) => Some(email.clone()),
        };
        let (name, result) = match login {
            _ if !is_sound => ("error", "invalid_request".to_owned()),
            None => ("error", "access_denied".to_owned()),
            Some(email) => {
                let code = random_text();
                let mut claims = Claims::person(&email).with("aud", value("client_id"));
                if let Some(nonce) = query.value("nonce") {
                    claims = claims.with("nonce", nonce);
                }
                let grant = Grant {
                    claims,
                    client_id: value("client_id").to_owned(),
                    redirect_uri: redirect_uri.to_owned(),
                    challenge: value("code_challenge").to_owned(),
                };
                lock(&self.grants).insert(code.clone(), grant);
                ("code", code)
            }
        };
        if redirect_uri == OUT_OF_BAND {
            return Response::new(200, "text/plain", format!("{result}\n"));
        }
        let separator = if redirect_uri.contains('?') { '&' } else { '?' };
        let state = http::encode(value("state"));
        Response::redirect(&format!("{redirect_uri}{separator}{name}={result}&state={state}"))
    }

    /// The token endpoint.
    fn exchange(&self, realm: Realm, request: &Request) -> Response {
        let value = |name| request.form.value(name).unwrap_or_default();
        let failed = |error: &str| json_response(400, &json!({ "error": error }));
        if value("grant_type") != "authorization_code" {
            return failed("unsupported_grant_type");
        }
        let Some(grant) = lock(&self.grants).remove(value("code")) else { return failed("invalid_grant") };
        let challenge = URL_SAFE_NO_PAD.encode(sha256(value("code_verifier").as_bytes()));
        let client_id =
            request.form.value("client_id").map_or_else(|| basic_user(&request.authorization), str::to_owned);
        if challenge != grant.challenge || value("redirect_uri") != grant.redirect_uri || client_id != grant.client_id {
            return failed("invalid_grant");
        }
        match self.issuer(realm).token(&grant.claims) {
            // Clients differ in which of the two they use.
            Ok(token) => {
                let answer =
                    json!({ "access_token": token, "id_token": token, "token_type": "Bearer", "expires_in": 600 });
                json_response(200, &answer)
            }
            Err(error) => Response::new(500, "text/plain", format!("{error:#}\n")),
        }
    }

    /// Where a workflow gets its token, as GitHub has it.
    fn ambient(&self, realm: Realm, request: &Request) -> Response {
        let credential = request.authorization.split_once(' ').map(|(_, credential)| credential);
        if realm != Realm::Workflows || credential != Some(AMBIENT_CREDENTIAL) {
            return json_response(401, &json!({ "message": "not a workflow" }));
        }
        let claims = Claims::workflow("example/model", "main");
        let audience = request.query.value("audience").unwrap_or(AUDIENCE);
        match self.issuer(realm).token(&claims.with("aud", audience)) {
            Ok(token) => json_response(200, &json!({ "count": token.len(), "value": token })),
            Err(error) => Response::new(500, "text/plain", format!("{error:#}\n")),
        }
    }
}

/// The user of HTTP's basic authentication, or nothing.
fn basic_user(authorization: &str) -> String {
    let credentials = authorization.strip_prefix("Basic ").unwrap_or_default();
    let decoded = base64::engine::general_purpose::STANDARD.decode(credentials).unwrap_or_default();
    String::from_utf8_lossy(&decoded).split(':').next().unwrap_or_default().to_owned()
}

fn random_text() -> String {
    let mut bytes = [0; 16];
    rand::fill(&mut bytes).expect("the operating system has random numbers");
    URL_SAFE_NO_PAD.encode(bytes)
}

fn json_response(status: u16, value: &Value) -> Response {
    Response::new(status, "application/json", value.to_string())
}

fn not_found() -> Response {
    Response::new(404, "text/plain", "not found\n")
}

/// A value stays usable if the thread of another request panicked.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLIENT: &str = "sigstore";
    const VERIFIER: &str = "a verifier with enough characters to be one";
    const CALLBACK: &str = "http://localhost:1/callback?x=1";

    fn issuers(folder: &std::path::Path) -> State {
        let key = Arc::new(TokenKey::generate(&folder.join("key")).expect("a key"));
        State { port: 1, key, login: Mutex::new(Login::As(PERSON.to_owned())), grants: Mutex::default() }
    }

    fn authorization(redirect_uri: &str, verifier: &str) -> Request {
        let challenge = URL_SAFE_NO_PAD.encode(sha256(verifier.as_bytes()));
        let query = [
            ("response_type", "code"),
            ("client_id", CLIENT),
            ("redirect_uri", redirect_uri),
            ("scope", "openid email"),
            ("state", "a state"),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
        ];
        Request::get("/people/authorize", Parameters::from(query.as_slice()))
    }

    fn exchange(state: &State, code: &str, verifier: &str) -> Response {
        let form = [
            ("grant_type", "authorization_code"),
            ("client_id", CLIENT),
            ("redirect_uri", OUT_OF_BAND),
            ("code", code),
            ("code_verifier", verifier),
        ];
        state.answer(&Request::post("/people/token", Parameters::from(form.as_slice())))
    }

    #[test]
    fn a_code_is_worth_one_token_to_who_asked_for_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let state = issuers(folder.path());
        let code = |verifier| state.answer(&authorization(OUT_OF_BAND, verifier)).text().trim().to_owned();

        assert_eq!(exchange(&state, &code("another"), VERIFIER).status, 400);
        assert_eq!(exchange(&state, "guessed", VERIFIER).status, 400);
        let code = code(VERIFIER);
        let response = exchange(&state, &code, VERIFIER);
        assert_eq!(response.status, 200, "{}", response.text());
        assert!(response.text().contains("id_token"));
        assert_eq!(exchange(&state, &code, VERIFIER).status, 400);
    }

    #[test]
    fn a_browser_goes_back_with_the_state() {
        let folder = tempfile::tempdir().expect("a folder");
        let state = issuers(folder.path());
        let response = state.answer(&authorization(CALLBACK, VERIFIER));
        assert_eq!(response.status, 302);
        assert!(response.header.starts_with("Location: http://localhost:1/callback?x=1&code="), "{}", response.header);
        assert!(response.header.trim_end().ends_with("&state=a%20state"), "{}", response.header);

        *lock(&state.login) = Login::Denied;
        let response = state.answer(&authorization(CALLBACK, VERIFIER));
        assert!(response.header.contains("&error=access_denied&"), "{}", response.header);
    }
}
