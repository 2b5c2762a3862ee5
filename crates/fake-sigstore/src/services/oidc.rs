//! The OpenID Connect issuer: the code flow with PKCE, without asking anybody anything.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use serde_json::json;
use url::Url;

use crate::claims::{Claims, TokenKey};
use crate::desk::{Desk, Lie};
use crate::encoding::{base64_url, from_base64, hex};
use crate::http::{Handler, Request, Response, find, lock};
use crate::key::{random, sha256};

/// RFC 6749's redirect for who has no browser: the code is on the page.
const OUT_OF_BAND: &str = "urn:ietf:wg:oauth:2.0:oob";

/// Issues tokens about whoever is signed in.
pub(crate) struct Oidc {
    pub(crate) tokens: Arc<TokenKey>,
    /// The issuer's URL, which has a path: the endpoints are below it.
    pub(crate) issuer: String,
    desk: Arc<Desk>,
    state: Mutex<State>,
}

struct State {
    user: Claims,
    /// Who may ask, with their secrets; who has an empty one is public.
    clients: HashMap<String, String>,
    codes: HashMap<String, Grant>,
}

/// What a code stands for.
struct Grant {
    client: String,
    redirect: String,
    challenge: String,
    nonce: Option<String>,
}

impl Oidc {
    pub(crate) fn new(desk: Arc<Desk>, issuer: String) -> Self {
        let state = State {
            user: Claims::email("signer@example.com"),
            clients: HashMap::from([("sigstore".to_owned(), String::new())]),
            codes: HashMap::new(),
        };
        Self { tokens: Arc::new(TokenKey::generate()), issuer, desk, state: Mutex::new(state) }
    }

    pub(crate) fn token(&self, claims: &Claims) -> String {
        self.tokens.sign(&claims.at(self.desk.now(), &self.issuer))
    }

    pub(crate) fn sign_in(&self, user: Claims) {
        lock(&self.state).user = user;
    }

    pub(crate) fn register(&self, client: &str, secret: &str) {
        lock(&self.state).clients.insert(client.to_owned(), secret.to_owned());
    }

    fn configuration(&self) -> Response {
        let at = |path: &str| format!("{}{path}", self.issuer);
        let body = json!({
            "issuer": self.issuer,
            "authorization_endpoint": at("/auth"),
            "token_endpoint": at("/token"),
            "jwks_uri": at("/keys"),
            "response_types_supported": ["code"],
            "grant_types_supported": ["authorization_code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["ES256"],
            "code_challenge_methods_supported": ["S256"],
            "scopes_supported": ["openid", "email"],
            "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
            "claims_supported": ["iss", "sub", "aud", "iat", "exp", "email", "email_verified", "nonce"],
        });
        Response::json(200, &body)
    }

    /// Redirects at once, with a code (RFC 6749 §4.1.2).
    fn authorize(&self, request: &Request) -> Result<Response, &'static str> {
        let parameter = |name: &str| request.parameter(name).map(str::to_owned);
        let client = parameter("client_id").ok_or("no client_id")?;
        let redirect = parameter("redirect_uri").ok_or("no redirect_uri")?;
        let mut state = lock(&self.state);
        if !state.clients.contains_key(&client) {
            return Err("no such client");
        }
        if request.parameter("response_type") != Some("code") {
            return Err("response_type is not code");
        }
        if !request.parameter("scope").is_some_and(|scope| scope.split(' ').any(|scope| scope == "openid")) {
            return Err("scope has no openid");
        }
        if request.parameter("code_challenge_method") != Some("S256") {
            return Err("code_challenge_method is not S256");
        }
        let challenge = parameter("code_challenge").ok_or("no code_challenge")?;
        let code = hex(&random::<16>());
        let grant = Grant { client, redirect: redirect.clone(), challenge, nonce: parameter("nonce") };
        state.codes.insert(code.clone(), grant);
        if redirect == OUT_OF_BAND {
            return Ok(Response::new(200, "text/html", format!("<p>Your code: <code>{code}</code></p>")));
        }
        let mut target = Url::parse(&redirect).map_err(|_| "redirect_uri is no URL")?;
        let is_denied = self.desk.lies(Lie::AccessDenied);
        let answer = if is_denied { ("error", "access_denied") } else { ("code", code.as_str()) };
        target.query_pairs_mut().append_pair(answer.0, answer.1);
        if let Some(mut state) = parameter("state") {
            if self.desk.lies(Lie::AnotherState) {
                state = "another".to_owned();
            }
            target.query_pairs_mut().append_pair("state", &state);
        }
        Ok(Response::new(303, "text/html", "").with("Location", target))
    }

    /// Gives a token for a code (RFC 6749 §4.1.3, RFC 7636 §4.6).
    fn exchange(&self, request: &Request) -> Result<Response, (u16, &'static str, &'static str)> {
        let form = request.form();
        let field = |name: &str| find(&form, name).map(str::to_owned);
        let (client, secret) = basic(request)
            .or_else(|| Some((field("client_id")?, field("client_secret").unwrap_or_default())))
            .ok_or((401, "invalid_client", "no client"))?;
        let mut state = lock(&self.state);
        if state.clients.get(&client) != Some(&secret) {
            return Err((401, "invalid_client", "no such client, or another secret"));
        }
        if field("grant_type").as_deref() != Some("authorization_code") {
            return Err((400, "unsupported_grant_type", "grant_type is not authorization_code"));
        }
        // A code counts once.
        let grant = field("code").and_then(|code| state.codes.remove(&code)).ok_or((
            400,
            "invalid_grant",
            "no such code, or it was used",
        ))?;
        if grant.client != client || field("redirect_uri").as_deref() != Some(grant.redirect.as_str()) {
            return Err((400, "invalid_grant", "the code is of another client or redirect_uri"));
        }
        let verifier = field("code_verifier").unwrap_or_default();
        if base64_url(&sha256(verifier.as_bytes())) != grant.challenge {
            return Err((400, "invalid_grant", "code_verifier is not what the challenge is of"));
        }
        let mut claims = state.user.clone();
        if client != "sigstore" {
            claims = claims.audience(&client);
        }
        if let Some(nonce) = grant.nonce {
            let nonce = if self.desk.lies(Lie::AnotherNonce) { "another".to_owned() } else { nonce };
            claims = claims.with("nonce", nonce);
        }
        drop(state);
        let token = self.token(&claims);
        let body = json!({ "access_token": token, "id_token": token, "token_type": "bearer", "expires_in": 3600 });
        Ok(Response::json(200, &body).with("Cache-Control", "no-store"))
    }
}

/// RFC 6749 §2.3.1: the name and the secret are encoded like a form.
fn basic(request: &Request) -> Option<(String, String)> {
    let credentials = request.header("authorization")?.strip_prefix("Basic ")?;
    let credentials = String::from_utf8(from_base64(credentials)?).ok()?;
    let (client, secret) = credentials.split_once(':')?;
    let decode = |text: &str| {
        let form = format!("value={text}");
        url::form_urlencoded::parse(form.as_bytes()).next().map(|(_, value)| value.into_owned())
    };
    Some((decode(client)?, decode(secret)?))
}

impl Handler for Oidc {
    fn answer(&self, request: &Request) -> Response {
        match (request.method.as_str(), request.path.as_str()) {
            ("GET", "/auth/.well-known/openid-configuration") => self.configuration(),
            ("GET", "/auth/keys") => Response::json(200, &json!({ "keys": [self.tokens.jwk()] })),
            ("GET", "/auth/auth") => {
                self.authorize(request).unwrap_or_else(|message| self.desk.service().error(400, message))
            }
            ("POST", "/auth/token") => self.exchange(request).unwrap_or_else(|(status, error, message)| {
                Response::json(status, &json!({ "error": error, "error_description": message }))
            }),
            _ => self.desk.service().error(404, "Not Found"),
        }
    }
}
