//! `sign sigstore` against an instance in this process: each service honest, lying, ill or gone.

mod hostile;
mod identities;
mod kept_keys;
#[cfg(unix)]
mod logins;
mod refusals;
mod signing;

use std::io::{Read, Write};
use std::net::TcpStream;

use fake_sigstore::{Claims, Instance, Service, SigningConfig};
use serde_json::Value;

use super::support::{Run, Sandbox};

const SIGNER: &str = "signer@example.com";
const SIGN: &str = "sign model --trust-config trust.json --identity-token-file token";

/// An instance, and a folder with a model, `trust.json`, and a `token` of [`SIGNER`].
struct Stack {
    sigstore: Instance,
    sandbox: Sandbox,
}

impl Stack {
    fn new(config: &SigningConfig) -> Self {
        let stack = Self { sigstore: Instance::start(), sandbox: Sandbox::with_model() };
        stack.sandbox.write("trust.json", stack.sigstore.trust_config_json(config));
        stack.sandbox.write("token", stack.sigstore.token(&Claims::email(SIGNER)));
        stack
    }

    /// Signs, which has to succeed, and verifies, which has to as well.
    #[track_caller]
    fn signs(&self, words: &str) -> Run {
        let run = self.sandbox.ok(words);
        self.verifies(SIGNER);
        run
    }

    #[track_caller]
    fn verifies(&self, identity: &str) -> Run {
        let issuer = self.sigstore.url(Service::Oidc);
        self.sandbox
            .ok(&format!("verify model --trust-config trust.json --identity {identity} --identity-provider {issuer}"))
    }

    /// The bundle that was signed.
    fn bundle(&self) -> Value {
        serde_json::from_slice(&self.sandbox.read("model.sig")).expect("JSON")
    }

    /// How often each service was asked, in the order of [`Service::ALL`].
    fn requests(&self) -> [usize; 5] {
        Service::ALL.map(|service| self.sigstore.requests(service))
    }
}

/// The kinds of the entries in a bundle.
fn kinds(bundle: &Value) -> Vec<String> {
    let entries = bundle["verificationMaterial"]["tlogEntries"].as_array().expect("a list");
    let kind = |entry: &Value| {
        let part = |name: &str| entry["kindVersion"][name].as_str().expect("a text").to_owned();
        format!("{} {}", part("kind"), part("version"))
    };
    entries.iter().map(kind).collect()
}

fn timestamps(bundle: &Value) -> usize {
    let timestamps = &bundle["verificationMaterial"]["timestampVerificationData"]["rfc3161Timestamps"];
    timestamps.as_array().map_or(0, Vec::len)
}

/// GET as a browser does it: one redirection is followed. The last answer.
fn browse(url: &str) -> String {
    let answer = get(url);
    let location = answer.lines().find_map(|line| line.strip_prefix("Location: ").or(line.strip_prefix("location: ")));
    location.map_or_else(|| answer.clone(), |location| get(location.trim()))
}

fn get(url: &str) -> String {
    let rest = url.strip_prefix("http://").expect("a URL of http");
    let (host, path) = rest.split_once('/').expect("a path");
    let mut stream = TcpStream::connect(host).expect("it listens");
    write!(stream, "GET /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer
}
