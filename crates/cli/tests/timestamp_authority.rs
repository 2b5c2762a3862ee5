//! The timestamp authority that tests use: what it replies, `openssl ts -verify` accepts, and its lies are refused.

#[expect(dead_code, reason = "the tests of the command use the rest")]
mod tsa;

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tsa::code_signing::{self, CodeSigningChain, Validities};
use tsa::{Behaviour, Certificates, KeyKind, Options, TimestampAuthority, Validity, has_openssl, openssl};

/// A client, and what it asked for last.
struct Client {
    folder: tempfile::TempDir,
}

impl Client {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a temporary folder") }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn openssl(&self, arguments: &str) -> Result<String, String> {
        openssl(self.path(), arguments)
    }

    /// A request for a timestamp of a message, with a nonce and for certificates.
    fn query(&self, message: &str, hash: &str) -> Vec<u8> {
        fs::write(self.path().join("message"), message).expect("written");
        self.openssl(&format!("ts -query -data message -{hash} -cert -out query.tsq")).expect("a request");
        fs::read(self.path().join("query.tsq")).expect("a request")
    }

    /// Whether a body is the reply to the last request, and by whom.
    fn verify(&self, authority: &TimestampAuthority, reply: &[u8]) -> Result<String, String> {
        fs::write(self.path().join("reply.tsr"), reply).expect("written");
        fs::write(self.path().join("root.pem"), authority.root_pem()).expect("written");
        fs::write(self.path().join("chain.pem"), authority.chain_pem()).expect("written");
        self.openssl("ts -verify -queryfile query.tsq -in reply.tsr -CAfile root.pem -untrusted chain.pem")
    }
}

/// How a server answered.
struct Answer {
    status: u16,
    content_length: usize,
    body: Vec<u8>,
}

/// Posts a request and reads until the end of the connection, or until nothing comes.
fn post(authority: &TimestampAuthority, content_type: &str, body: &[u8]) -> std::io::Result<Answer> {
    let url = authority.url();
    let (host, path) = url.strip_prefix("http://").and_then(|rest| rest.split_once('/')).expect("an address");
    let mut stream = TcpStream::connect(host)?;
    stream.set_read_timeout(Some(Duration::from_millis(500)))?;
    let head = format!("POST /{path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: {content_type}\r\n");
    stream.write_all(format!("{head}Content-Length: {}\r\n\r\n", body.len()).as_bytes())?;
    stream.write_all(body)?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n").expect("a head") + 4;
    let head = String::from_utf8_lossy(&answer[..end]).into_owned();
    let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: ")).expect("a length");
    Ok(Answer {
        status: head[9..12].parse().expect("a status"),
        content_length: length.parse().expect("a number"),
        body: answer.split_off(end),
    })
}

fn ask(authority: &TimestampAuthority, query: &[u8]) -> std::io::Result<Answer> {
    post(authority, "application/timestamp-query", query)
}

fn behaving(behaviour: Behaviour) -> TimestampAuthority {
    TimestampAuthority::start(Options { behaviour, ..Options::default() })
}

#[test]
fn replies_are_accepted_by_openssl() {
    if !has_openssl("replies_are_accepted_by_openssl") {
        return;
    }
    for key in KeyKind::ALL {
        for (certificates, fraction_digits, accuracy, hash) in [
            (Certificates::Chain, 0, None, "sha256"),
            (Certificates::Signer, 3, Some("secs:1, millisecs:500"), "sha512"),
        ] {
            let options = Options { key, certificates, fraction_digits, accuracy, ..Options::default() };
            let (authority, client) = (TimestampAuthority::start(options), Client::new());
            let query = client.query("a message", hash);
            let answer = ask(&authority, &query).expect("an answer");
            assert_eq!(answer.status, 200, "{key:?}");
            client.verify(&authority, &answer.body).unwrap_or_else(|error| panic!("{key:?}, {hash}: {error}"));
            assert_eq!(authority.requests_seen(), [query]);

            let text = client.openssl("ts -reply -in reply.tsr -text").expect("a reply");
            assert!(text.contains("Status: Granted."), "{text}");
            let has_accuracy = text.contains("Accuracy: 0x01 seconds, 0x01F4 millis");
            assert_eq!(has_accuracy, accuracy.is_some(), "{text}");
            client.openssl("ts -reply -in reply.tsr -token_out -out token.der").expect("a token");
            let sent = client.openssl("pkcs7 -inform DER -in token.der -print_certs -noout").expect("certificates");
            let count = if certificates == Certificates::Chain { 2 } else { 1 };
            assert_eq!(sent.matches("subject=").count(), count, "{sent}");
        }
    }
}

#[test]
fn fractions_of_a_second_are_told_when_the_clock_has_them() {
    if !has_openssl("fractions_of_a_second_are_told_when_the_clock_has_them") {
        return;
    }
    let (authority, client) =
        (TimestampAuthority::start(Options { fraction_digits: 3, ..Options::default() }), Client::new());
    let query = client.query("a message", "sha256");
    // A fraction of nothing is not written (RFC 3161 §2.4.2), which happens once in a thousand times.
    let has_fraction = (0..3).any(|_| {
        let reply = ask(&authority, &query).expect("an answer").body;
        client.verify(&authority, &reply).expect("a reply");
        let text = client.openssl("ts -reply -in reply.tsr -text").expect("a reply");
        text.lines().any(|line| line.starts_with("Time stamp: ") && line.contains('.'))
    });
    assert!(has_fraction);
}

#[test]
fn lies_are_refused_by_openssl() {
    if !has_openssl("lies_are_refused_by_openssl") {
        return;
    }
    let rows = [
        (Behaviour::Rejects, "status code"),
        (Behaviour::Garbage, "asn1 encoding routines"),
        (Behaviour::AnotherDigest, "message imprint mismatch"),
        (Behaviour::AnotherNonce, "nonce mismatch"),
        (Behaviour::Truncated, "asn1 encoding routines"),
    ];
    for (behaviour, reason) in rows {
        let (authority, client) = (behaving(behaviour), Client::new());
        let answer = ask(&authority, &client.query("a message", "sha384")).expect("an answer");
        assert_eq!((answer.status, answer.content_length), (200, answer.body.len()));
        let error = client.verify(&authority, &answer.body).expect_err(reason);
        assert!(error.contains(reason), "expected {reason}: {error}");
    }
}

#[test]
fn a_replay_answers_the_first_request_only() {
    if !has_openssl("a_replay_answers_the_first_request_only") {
        return;
    }
    let (authority, client) = (behaving(Behaviour::Replays), Client::new());
    let first = ask(&authority, &client.query("first", "sha256")).expect("an answer");
    client.verify(&authority, &first.body).expect("a reply");
    let second = ask(&authority, &client.query("second", "sha256")).expect("an answer");
    client.verify(&authority, &second.body).expect_err("another digest");
    assert_eq!(first.body, second.body);
    assert_eq!(authority.requests_seen().len(), 2);
}

#[test]
fn connections_go_wrong_as_told() {
    if !has_openssl("connections_go_wrong_as_told") {
        return;
    }
    let client = Client::new();
    let query = client.query("a message", "sha256");

    let answer = ask(&behaving(Behaviour::Status(500)), &query).expect("an answer");
    assert_eq!((answer.status, answer.body.len()), (500, 0));
    let answer = ask(&behaving(Behaviour::Oversize(3 << 20)), &query).expect("an answer");
    assert_eq!((answer.status, answer.body.len()), (200, 3 << 20));
    let answer = ask(&behaving(Behaviour::ClosesEarly), &query).expect("an answer");
    assert_eq!(answer.body.len(), answer.content_length / 2);

    let authority = behaving(Behaviour::Delays(100));
    let started = Instant::now();
    let answer = ask(&authority, &query).expect("an answer");
    assert!(started.elapsed() >= Duration::from_millis(100));
    client.verify(&authority, &answer.body).expect("a reply");

    let authority = behaving(Behaviour::Drips(1));
    let answer = ask(&authority, &query).expect("an answer");
    client.verify(&authority, &answer.body).expect("a reply");
}

#[test]
fn an_authority_that_hangs_ends_with_its_test() {
    if !has_openssl("an_authority_that_hangs_ends_with_its_test") {
        return;
    }
    let (authority, client) = (behaving(Behaviour::Hangs), Client::new());
    assert!(ask(&authority, &client.query("a message", "sha256")).is_err());
    assert_eq!(authority.requests_seen().len(), 1);
    let started = Instant::now();
    drop(authority);
    assert!(started.elapsed() < Duration::from_secs(5));
}

#[test]
fn what_asks_for_no_timestamp_is_refused() {
    if !has_openssl("what_asks_for_no_timestamp_is_refused") {
        return;
    }
    let authority = behaving(Behaviour::Honest);
    assert_eq!(post(&authority, "application/octet-stream", b"query").expect("an answer").status, 415);
    assert!(authority.requests_seen().is_empty());
}

#[test]
fn an_authority_can_be_expired() {
    if !has_openssl("an_authority_can_be_expired") {
        return;
    }
    let options = Options { validity: Validity::days(-30, -1), ..Options::default() };
    let (authority, client) = (TimestampAuthority::start(options), Client::new());
    let answer = ask(&authority, &client.query("a message", "sha256")).expect("an answer");
    let error = client.verify(&authority, &answer.body).expect_err("expired");
    assert!(error.contains("certificate has expired"), "{error}");
}

#[test]
fn code_signing_chains_are_valid_when_told() {
    if !has_openssl("code_signing_chains_are_valid_when_told") {
        return;
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
    let verify = |chain: &CodeSigningChain, days_ago: u64| {
        let folder = chain.certificate().parent().expect("a folder").to_owned();
        let time = now - days_ago * 24 * 60 * 60;
        openssl(&folder, &format!("verify -attime {time} -CAfile root.pem -untrusted chain.pem signer.pem"))
    };
    let chain = code_signing::issue(KeyKind::P256, Validities::of_signer(Validity::days(-20, -10)));
    verify(&chain, 15).expect("valid");
    verify(&chain, 21).expect_err("not yet valid");
    verify(&chain, 9).expect_err("expired");
    for file in [chain.root(), chain.chain(), chain.certificate(), chain.private_key()] {
        assert!(file.is_file(), "{}", file.display());
    }

    let (years, expired) = (Validity::days(-3650, 3650), Validity::seconds(-60, -1));
    for validities in [
        Validities { root: expired, intermediate: years, signer: years },
        Validities { root: years, intermediate: expired, signer: years },
    ] {
        let chain = code_signing::issue(KeyKind::P384, validities);
        let error = verify(&chain, 0).expect_err("expired");
        assert!(error.contains("certificate has expired"), "{error}");
    }
}
