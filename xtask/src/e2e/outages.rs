//! Services that are gone or ill: no signature, and it is said whose fault that is.

use std::net::{Ipv4Addr, TcpListener};

use anyhow::{Context, Result};

use super::Scene;
use super::report::Report;
use super::sandbox::{SIGN, Sandbox, TRUST};
use crate::outcome::Outcome;
use crate::sigstore_stack::{Claims, PERSON, Realm, Response, Server, Service, Stack};
use crate::tool::Tool;

const GONE: &str = "can't be reached";

/// Stops one after the other; nothing runs in the end.
pub(super) fn run(scene: &mut Scene) -> Result<Outcome> {
    let mut report = Report::new("Services that are gone or ill");
    let (folder, ours) = (scene.folder.clone(), scene.ours.clone());
    let check = |name: &'static str, stack: &Stack, says: &[&str]| {
        let sandbox = Sandbox::new(&folder, name, stack)?;
        does_not_sign(&ours, &sandbox, says)
    };
    let (stack, other) = (&mut scene.stack, &mut scene.other);

    report.check("Fulcio answers 500", ill_fulcio(&ours, &Sandbox::new(&folder, "ill", stack)?));
    stack.stop(Service::Fulcio);
    let says = ["the certificate authority", &stack.urls.fulcio, GONE];
    report.check("no Fulcio", check("no Fulcio", stack, &says));
    other.stop(Service::Rekor);
    let says = ["the transparency log", &other.urls.rekor, GONE];
    report.check("no Rekor", check("no Rekor", other, &says));
    other.stop(Service::Tsa);
    let says = ["the timestamp authority", &other.urls.tsa, GONE];
    report.check("no timestamp authority, no Rekor", check("nobody", other, &says));

    // Whoever has no token asks the issuer first.
    stack.stop(Service::Issuers);
    let sandbox = Sandbox::new(&folder, "no issuer", stack)?;
    let mut command = sandbox.command(&ours, "sign model --trust-config trust.json");
    command.env("BROWSER", "no-such-browser");
    let said = crate::process::output(&mut command).map(super::sandbox::Said::from);
    let says = ["the issuer", &stack.urls.people, GONE];
    report.check("no issuer", said.and_then(|said| said.fails(3, &says)).and_then(|()| sandbox.wrote_nothing()));
    Ok(report.close())
}

fn does_not_sign(ours: &Tool, sandbox: &Sandbox<'_>, says: &[&str]) -> Result<()> {
    sandbox.token(Realm::People, &Claims::person(PERSON))?;
    sandbox.does_not_sign(ours, SIGN, 3, says)
}

/// A Fulcio that answers, and is ill.
fn ill_fulcio(ours: &Tool, sandbox: &Sandbox<'_>) -> Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no port")?;
    let server = Server::start(listener, |_| Response::new(500, "text/plain", "very ill"))?;
    let url = format!("http://127.0.0.1:{}", server.port);
    let mut configuration = sandbox.json(TRUST)?;
    configuration["signingConfig"]["caUrls"][0]["url"] = url.as_str().into();
    sandbox.write(TRUST, configuration.to_string())?;
    does_not_sign(ours, sandbox, &["the certificate authority", &url, "answered 500", "very ill"])
}
