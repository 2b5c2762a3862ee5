//! Logins at an issuer on loopback, which is honest or not, by a person who does as the test says.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Instant;

use serde_json::{Value, json};

use super::*;
use crate::oidc::testing::{NOW, claims, token};
use crate::testing::{IMPATIENCE, Reply, Request, Service};

/// What the issuer does otherwise than an honest one.
#[derive(Clone, Default)]
struct Misbehaviour {
    /// Members of its metadata.
    metadata: Option<Value>,
    /// Claims of its tokens.
    claims: Option<Value>,
    /// The answer instead of a token.
    reply: Option<Reply>,
}

/// An issuer that a browser is sent to.
struct World {
    service: Service,
    /// Where the browser was last.
    visited: Arc<Mutex<Option<Url>>>,
}

impl World {
    fn new(misbehaviour: Misbehaviour) -> Self {
        let visited = Arc::new(Mutex::new(None));
        let last = Arc::clone(&visited);
        let service = Service::start(move |request| {
            let issuer = format!("http://{}/issuer", request.header("host").unwrap_or_default());
            match request.path() {
                "/issuer/.well-known/openid-configuration" => {
                    let mut metadata = json!({
                        "issuer": issuer,
                        "authorization_endpoint": format!("{issuer}/auth?tenant=1"),
                        "token_endpoint": format!("{issuer}/token"),
                    });
                    extend(&mut metadata, misbehaviour.metadata.as_ref());
                    Reply::ok(metadata.to_string())
                }
                "/issuer/token" => misbehaviour.reply.clone().unwrap_or_else(|| {
                    let asked = last.lock().expect("no panic").clone();
                    give(request, &issuer, asked.as_ref(), misbehaviour.claims.as_ref())
                }),
                _ => Reply::new(404, ""),
            }
        });
        Self { service, visited }
    }

    fn issuer(&self) -> String {
        format!("{}/issuer", self.service.url())
    }

    fn login(&self, secret: Option<&str>) -> Login {
        let login = Login::new(&self.issuer(), "client one", secret).expect("a login");
        Login { patience: IMPATIENCE, time_to_log_in: Duration::from_secs(5), ..login }
    }

    /// The result for a person who brings `answer` to the port; `STATE` in it is the state that was asked for.
    fn browse(&self, answer: &str) -> Result<IdentityToken, LoginError> {
        self.login(None).token(Way::Browser, &Person::new(self, Opened::Browser, answer), &|| NOW)
    }

    fn token_request(&self) -> Request {
        let requests = self.service.requests();
        requests.into_iter().find(|request| request.path() == "/issuer/token").expect("a code was exchanged")
    }
}

fn extend(object: &mut Value, changes: Option<&Value>) {
    if let (Some(object), Some(Value::Object(changes))) = (object.as_object_mut(), changes) {
        object.extend(changes.clone());
    }
}

/// A token for the code `good`, if all of it belongs to the URL that the browser `asked`.
fn give(request: &Request, issuer: &str, asked: Option<&Url>, changes: Option<&Value>) -> Reply {
    let asked = |name: &str| {
        let pairs = asked.map(Url::query_pairs);
        pairs.and_then(|mut pairs| pairs.find(|(found, _)| found == name)).map(|(_, value)| value.into_owned())
    };
    let challenge =
        request.field("code_verifier").map(|verifier| URL_SAFE_NO_PAD.encode(digest(&SHA256, verifier.as_bytes())));
    let is_asked = asked("code_challenge_method").as_deref() == Some("S256")
        && asked("code_challenge") == challenge
        && asked("redirect_uri") == request.field("redirect_uri")
        && asked("response_type").as_deref() == Some("code")
        && asked("tenant").as_deref() == Some("1")
        && asked("scope").as_deref() == Some("openid email");
    if !is_asked || request.field("code").as_deref() != Some("good") {
        return Reply::new(400, r#"{"error":"invalid_grant","error_description":"no such code"}"#);
    }
    let mut claims = claims(json!({ "iss": issuer, "aud": "client one", "nonce": asked("nonce") }));
    extend(&mut claims, changes);
    Reply::ok(json!({ "access_token": "opaque", "token_type": "bearer", "id_token": token(&claims) }).to_string())
}

struct Person<'a> {
    world: &'a World,
    opened: Opened,
    answer: String,
}

impl<'a> Person<'a> {
    fn new(world: &'a World, opened: Opened, answer: &str) -> Self {
        Self { world, opened, answer: answer.to_owned() }
    }

    fn visit(&self, url: &str) -> Url {
        let url = Url::parse(url).expect("a URL");
        *self.world.visited.lock().expect("no panic") = Some(url.clone());
        url
    }
}

impl Prompt for Person<'_> {
    fn open(&self, url: &str) -> Opened {
        let url = self.visit(url);
        let find = |name: &str| url.query_pairs().find(|(found, _)| found == name).map(|(_, value)| value.into_owned());
        let redirect = Url::parse(&find("redirect_uri").expect("a redirect URI")).expect("a URL");
        assert_eq!((redirect.scheme(), redirect.host_str(), redirect.path()), ("http", Some("localhost"), PATH));
        let port = redirect.port().expect("a port");
        let state = find("state").expect("a state");
        let answers: Vec<String> = self.answer.split(' ').map(|it| it.replace("STATE", &state)).collect();
        if self.opened == Opened::Browser {
            thread::spawn(move || answers.iter().for_each(|target| drop(bring(port, target))));
        }
        self.opened
    }

    fn code(&self, url: &str) -> io::Result<String> {
        self.visit(url);
        match self.answer.as_str() {
            "nobody" => Err(io::Error::other("there is nobody")),
            answer => Ok(answer.to_owned()),
        }
    }
}

const PATH: &str = "/auth/callback";

/// What the redirect server answers.
fn bring(port: u16, target: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    write!(stream, "GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

const GOOD: &str = "/auth/callback?code=good&state=STATE";

#[test]
fn a_login_gives_a_token() {
    let world = World::new(Misbehaviour::default());
    let token = world.browse(GOOD).expect("a token");
    assert_eq!((token.issuer(), token.challenge()), (world.issuer().as_str(), "subject"));
    let request = world.token_request();
    assert_eq!(request.field("client_id").as_deref(), Some("client one"));
    assert_eq!(request.field("grant_type").as_deref(), Some("authorization_code"));
    assert_eq!((request.header("authorization"), request.field("client_secret")), (None, None));
}

#[test]
fn a_login_is_not_disturbed_by_what_else_a_browser_wants() {
    let world = World::new(Misbehaviour::default());
    let elsewhere = format!("/favicon.ico / /auth/callback /auth/callback/x?code=bad&state=STATE {GOOD}");
    world.browse(&elsewhere).expect("a token");
}

#[test]
fn a_login_at_an_issuer_whose_url_ends_otherwise_is_the_same() {
    let world = World::new(Misbehaviour::default());
    let login = Login { issuer: format!("{}/", world.issuer()), ..world.login(None) };
    login.token(Way::Browser, &Person::new(&world, Opened::Browser, GOOD), &|| NOW).expect("a token");
}

#[test]
fn a_code_can_be_typed() {
    for (way, opened) in [(Way::OutOfBand, Opened::Browser), (Way::Browser, Opened::Nothing)] {
        let world = World::new(Misbehaviour::default());
        let token = |answer: &str| world.login(None).token(way, &Person::new(&world, opened, answer), &|| NOW);
        token(" good\n").expect("a token");
        assert_eq!(world.token_request().field("redirect_uri").as_deref(), Some(OUT_OF_BAND));
        assert_eq!(token(" ").err(), Some(LoginError::NoCode("nothing was typed".to_owned())));
        assert_eq!(token("nobody").err(), Some(LoginError::NoCode("there is nobody".to_owned())));
        let error = token("bad").expect_err("no such code").to_string();
        assert!(error.ends_with("/token` answered 400 Bad Request: invalid_grant: no such code"), "{error}");
    }
}

#[test]
fn a_secret_goes_where_the_issuer_looks_for_it() {
    let methods = |methods: &[&str]| json!({ "token_endpoint_auth_methods_supported": methods });
    for (metadata, is_in_header) in [
        (json!({}), true),
        (methods(&["client_secret_post", "client_secret_basic"]), true),
        (methods(&["client_secret_post"]), false),
    ] {
        let world = World::new(Misbehaviour { metadata: Some(metadata), ..Misbehaviour::default() });
        let login = world.login(Some("a:b&c"));
        login.token(Way::OutOfBand, &Person::new(&world, Opened::Nothing, "good"), &|| NOW).expect("a token");
        let request = world.token_request();
        let header = request.header("authorization").map(str::to_owned);
        // `client+one:a%3Ab%26c`
        assert_eq!(header, is_in_header.then(|| "Basic Y2xpZW50K29uZTphJTNBYiUyNmM=".to_owned()));
        assert_eq!(request.field("client_secret"), (!is_in_header).then(|| "a:b&c".to_owned()));
        assert!(!world.visited.lock().expect("no panic").as_ref().expect("a visit").as_str().contains("secret"));
    }
}

#[test]
fn an_answer_that_is_not_to_this_login_is_refused() {
    let twice = |name: &str| LoginError::NoCode(format!("`{name}` stands twice in the answer"));
    let none = || LoginError::NoCode("there is none in the answer".to_owned());
    let refused = |says: &str| LoginError::Refused(says.to_owned());
    for (answer, error) in [
        ("?code=good&state=other", LoginError::State),
        ("?code=good&state=", LoginError::State),
        ("?code=good", LoginError::State),
        ("?code=good&state=STATE&state=STATE", twice("state")),
        ("?code=good&code=bad&state=STATE", twice("code")),
        ("?state=STATE", none()),
        ("?state=STATE&code=", none()),
        ("?error=access_denied&state=STATE", refused("access_denied")),
        ("?error=access_denied&error_description=not+you", refused("access_denied: not you")),
        ("?error=access_denied&state=other", LoginError::State),
    ] {
        let world = World::new(Misbehaviour::default());
        assert_eq!(world.browse(&format!("{PATH}{answer}")).err(), Some(error), "{answer}");
    }
    let world = World::new(Misbehaviour::default());
    let error = world.browse(&format!("{GOOD}&iss=https://other.example")).err();
    let found = "https://other.example".to_owned();
    assert_eq!(error, Some(LoginError::AnotherIssuer { expected: world.issuer(), found }));
}

#[test]
fn an_issuer_that_misbehaves_is_refused() {
    let reply = |reply| Misbehaviour { reply: Some(reply), ..Misbehaviour::default() };
    let metadata = |metadata| Misbehaviour { metadata: Some(metadata), ..Misbehaviour::default() };
    let claims = |claims| Misbehaviour { claims: Some(claims), ..Misbehaviour::default() };
    for (misbehaviour, says) in [
        (metadata(json!({ "issuer": "https://other.example" })), "found `https://other.example`"),
        (metadata(json!({ "token_endpoint": null })), "not as expected: invalid type: null"),
        (
            metadata(json!({ "token_endpoint": "http://other.example/token" })),
            "expected a URL of `https` as the issuer's token endpoint, found `http://other.example/token`",
        ),
        (
            metadata(json!({ "authorization_endpoint": "file:///etc/passwd" })),
            "expected a URL of `https` as the issuer's authorization endpoint, found `file:///etc/passwd`",
        ),
        (metadata(json!({ "more": "x".repeat(1 << 20) })), "gave an answer of more than 262144 bytes"),
        (claims(json!({ "nonce": "other" })), "another `nonce`"),
        (claims(json!({ "nonce": null })), "another `nonce`"),
        (claims(json!({ "iss": "https://other.example" })), "found `https://other.example`"),
        (claims(json!({ "aud": "other" })), "expected the audience `client one`, found `other`"),
        (claims(json!({ "exp": 1 })), "expired at"),
        (reply(Reply::ok(r#"{"error":"slow_down"}"#)), "/token` answered: slow_down"),
        (reply(Reply::ok(r#"{"access_token":"x"}"#)), "/token` gave no identity token (`id_token`)"),
        (reply(Reply::ok("\"secret\"")), "/token` gave an answer that is not as expected: expected JSON"),
        (reply(Reply::ok("x".repeat(1 << 20))), "/token` gave an answer that is not as expected"),
        (reply(Reply::new(500, "")), "/token` answered 500"),
        (reply(Reply { drips: Some(Duration::from_millis(300)), ..Reply::ok("x".repeat(60)) }), "broke off"),
    ] {
        let world = World::new(misbehaviour);
        let error = world.browse(GOOD).expect_err("it is not honest").to_string();
        assert!(error.contains(says) && !error.contains("secret"), "{error}");
        let exchanges = world.service.requests().iter().filter(|request| request.path() == "/issuer/token").count();
        assert!(exchanges <= 1, "a code is used once");
    }
}

#[test]
fn an_issuer_that_cannot_be_asked_is_an_error() {
    for url in ["http://issuer.example", "issuer.example", "ftp://localhost/", "http://127.0.0.1.example", ""] {
        let error = Login::new(url, "client", None).err();
        assert_eq!(error, Some(LoginError::Url { what: "issuer", found: url.to_owned() }));
    }
    let world = World::new(Misbehaviour::default());
    let login = Login { issuer: format!("{}/elsewhere", world.service.url()), ..world.login(None) };
    let error = login.token(Way::OutOfBand, &Person::new(&world, Opened::Nothing, "good"), &|| NOW);
    assert!(error.expect_err("nothing is there").to_string().contains("/elsewhere` answered 404"));
}

#[test]
fn a_login_is_waited_for_as_long_as_it_may_take() {
    let world = World::new(Misbehaviour::default());
    let login = Login { time_to_log_in: Duration::from_secs(1), ..world.login(None) };
    let started = Instant::now();
    let error = login.token(Way::Browser, &Person::new(&world, Opened::Browser, "/favicon.ico"), &|| NOW);
    assert_eq!(error.err(), Some(LoginError::Late { seconds: 1 }));
    assert!(started.elapsed() < Duration::from_secs(10));
}

#[test]
fn a_connection_that_asks_for_nothing_does_not_keep_the_server() {
    let server = RedirectServer::start().expect("a port");
    let port = Url::parse(&server.uri()).expect("a URL").port().expect("a port");
    let waits = thread::spawn(move || server.wait("state", "issuer", Duration::from_secs(30)));
    let silent = TcpStream::connect(("127.0.0.1", port)).expect("a connection");
    let mut endless = TcpStream::connect(("127.0.0.1", port)).expect("a connection");
    // It may be cut off while it sends.
    let _ = endless.write_all(&[b'x'; 1 << 16]);
    let answer = bring(port, "/auth/callback?code=good&state=state").expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 200") && !answer.contains("good"), "{answer}");
    assert_eq!(waits.join().expect("no panic").map(|code| code.to_string()), Ok("good".to_owned()));
    drop(silent);
}

#[test]
fn a_login_can_go_on_in_another_thread() {
    fn goes_anywhere<T: Send + Sync>() {}
    goes_anywhere::<Login>();
    goes_anywhere::<IdentityToken>();
    goes_anywhere::<LoginError>();
}
