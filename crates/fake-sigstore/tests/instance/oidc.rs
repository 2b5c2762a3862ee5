//! The code flow, as a browser and a client go through it.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use fake_sigstore::{Claims, Instance, Lie, Service};
use serde_json::Value;
use url::Url;

use super::client::{Answer, SIGNER, Signer, base64, get, request, sha256};

const REDIRECT: &str = "http://localhost:1234/auth/callback";
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

/// Changes the parameters of a request for authorization.
type Change = fn(&mut Vec<(&str, String)>);

/// Where the issuer redirects to, after the parameters were changed.
fn authorize(sigstore: &Instance, client: &str, change: Change) -> Answer {
    let issuer = sigstore.url(Service::Oidc);
    let configuration = get(&format!("{issuer}/.well-known/openid-configuration")).json();
    assert_eq!(configuration["issuer"], issuer);
    let mut url = Url::parse(configuration["authorization_endpoint"].as_str().expect("a URL")).expect("a URL");
    let mut parameters = vec![
        ("response_type", "code".to_owned()),
        ("client_id", client.to_owned()),
        ("scope", "openid email".to_owned()),
        ("redirect_uri", REDIRECT.to_owned()),
        ("code_challenge", URL_SAFE_NO_PAD.encode(sha256(VERIFIER.as_bytes()))),
        ("code_challenge_method", "S256".to_owned()),
        ("state", "a state".to_owned()),
        ("nonce", "a nonce".to_owned()),
    ];
    change(&mut parameters);
    url.query_pairs_mut().extend_pairs(parameters);
    get(url.as_str())
}

/// A parameter of the URL that an answer redirects to.
fn redirected(answer: &Answer, name: &str) -> Option<String> {
    let target = Url::parse(answer.header("Location").unwrap_or_else(|| panic!("{}", answer.text()))).expect("a URL");
    assert!(target.as_str().starts_with(REDIRECT));
    target.query_pairs().find(|(parameter, _)| parameter == name).map(|(_, value)| value.into_owned())
}

fn code(sigstore: &Instance, client: &str) -> String {
    redirected(&authorize(sigstore, client, |_| {}), "code").expect("a code")
}

fn exchange(sigstore: &Instance, credentials: &str, code: &str, redirect: &str, verifier: &str) -> Answer {
    let body = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("grant_type", "authorization_code")
        .append_pair("code", code)
        .append_pair("redirect_uri", redirect)
        .append_pair("code_verifier", verifier)
        .finish();
    let headers = format!(
        "Content-Type: application/x-www-form-urlencoded\r\nAuthorization: Basic {}\r\n",
        base64(credentials.as_bytes())
    );
    let url = format!("{}/token", sigstore.url(Service::Oidc));
    request("POST", &url, &headers, body.as_bytes()).expect("an answer")
}

fn claims(answer: &Answer) -> Value {
    let token = answer.json()["id_token"].as_str().expect("a token").to_owned();
    let claims = token.split('.').nth(1).expect("claims");
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).expect("base64")).expect("JSON")
}

#[test]
fn a_code_becomes_a_token_that_fulcio_takes() {
    let sigstore = Instance::start();
    let answer = authorize(&sigstore, "sigstore", |_| {});
    assert_eq!(redirected(&answer, "state").as_deref(), Some("a state"));
    let code = redirected(&answer, "code").expect("a code");
    let answer = exchange(&sigstore, "sigstore:", &code, REDIRECT, VERIFIER);
    assert_eq!(answer.status, 200, "{}", answer.text());
    let claims = claims(&answer);
    assert_eq!([&claims["email"], &claims["aud"], &claims["nonce"]], [SIGNER, "sigstore", "a nonce"]);
    let token = answer.json()["id_token"].as_str().expect("a token").to_owned();
    Signer::with(&sigstore, &token, SIGNER).expect("a certificate");
    // It counts once.
    let again = exchange(&sigstore, "sigstore:", &code, REDIRECT, VERIFIER);
    assert_eq!((again.status, again.json()["error"].as_str()), (400, Some("invalid_grant")));
}

#[test]
fn the_user_is_whoever_signed_in() {
    let sigstore = Instance::start();
    sigstore.sign_in(Claims::email("another@example.com"));
    let answer = exchange(&sigstore, "sigstore:", &code(&sigstore, "sigstore"), REDIRECT, VERIFIER);
    assert_eq!(claims(&answer)["email"], "another@example.com");
}

#[test]
fn clients_need_their_secret_and_the_verifier() {
    let sigstore = Instance::start();
    sigstore.register_client("client", "a secret: +/");
    let (right, client) = ("client:a+secret%3A+%2B%2F", "client");
    let answer = exchange(&sigstore, right, &code(&sigstore, client), REDIRECT, VERIFIER);
    assert_eq!(claims(&answer)["aud"], client);
    let rows = [
        ("client:another", REDIRECT, VERIFIER, 401, "invalid_client"),
        ("client:", REDIRECT, VERIFIER, 401, "invalid_client"),
        ("sigstore:", REDIRECT, VERIFIER, 400, "invalid_grant"),
        (right, "http://localhost:1/", VERIFIER, 400, "invalid_grant"),
        (right, REDIRECT, "another", 400, "invalid_grant"),
        (right, REDIRECT, "", 400, "invalid_grant"),
    ];
    for (credentials, redirect, verifier, status, error) in rows {
        let answer = exchange(&sigstore, credentials, &code(&sigstore, client), redirect, verifier);
        assert_eq!((answer.status, answer.json()["error"].as_str()), (status, Some(error)), "{credentials}");
    }
}

#[test]
fn who_asks_wrongly_gets_no_code() {
    let sigstore = Instance::start();
    let rows: [Change; 4] = [
        |parameters| parameters.retain(|(name, _)| *name != "code_challenge"),
        |parameters| parameters.retain(|(name, _)| *name != "code_challenge_method"),
        |parameters| parameters.retain(|(name, _)| *name != "scope"),
        |parameters| parameters[0].1 = "token".to_owned(),
    ];
    for change in rows {
        assert_eq!(authorize(&sigstore, "sigstore", change).status, 400);
    }
    assert_eq!(authorize(&sigstore, "unknown", |_| {}).status, 400);
}

#[test]
fn without_a_browser_the_code_is_on_the_page() {
    let sigstore = Instance::start();
    let out_of_band = "urn:ietf:wg:oauth:2.0:oob";
    let page = authorize(&sigstore, "sigstore", |parameters| parameters[3].1 = "urn:ietf:wg:oauth:2.0:oob".to_owned());
    let page = page.text();
    let (_, code) = page.split_once("<code>").expect("a code");
    let (code, _) = code.split_once("</code>").expect("a code");
    assert_eq!(exchange(&sigstore, "sigstore:", code, out_of_band, VERIFIER).status, 200);
}

#[test]
fn the_issuer_lies_about_what_it_was_given() {
    let sigstore = Instance::start();
    sigstore.lie(Service::Oidc, Lie::AnotherState);
    assert_eq!(redirected(&authorize(&sigstore, "sigstore", |_| {}), "state").as_deref(), Some("another"));
    sigstore.lie(Service::Oidc, Lie::AnotherNonce);
    let answer = exchange(&sigstore, "sigstore:", &code(&sigstore, "sigstore"), REDIRECT, VERIFIER);
    assert_eq!(claims(&answer)["nonce"], "another");
    sigstore.lie(Service::Oidc, Lie::AccessDenied);
    let answer = authorize(&sigstore, "sigstore", |_| {});
    assert_eq!(redirected(&answer, "error").as_deref(), Some("access_denied"));
    assert_eq!(redirected(&answer, "code"), None);
}

#[test]
fn the_key_is_published() {
    let sigstore = Instance::start();
    let keys = get(&format!("{}/keys", sigstore.url(Service::Oidc))).json();
    let token = sigstore.token(&Claims::email(SIGNER));
    let (signed, signature) = token.rsplit_once('.').expect("a token");
    let coordinate = |name: &str| URL_SAFE_NO_PAD.decode(keys["keys"][0][name].as_str().expect(name)).expect("base64");
    let point = [vec![4], coordinate("x"), coordinate("y")].concat();
    aws_lc_rs::signature::UnparsedPublicKey::new(&aws_lc_rs::signature::ECDSA_P256_SHA256_FIXED, point)
        .verify(signed.as_bytes(), &URL_SAFE_NO_PAD.decode(signature).expect("base64"))
        .expect("signed");
}
