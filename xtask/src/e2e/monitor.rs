//! `monitor`: who signs as us, and whether the log is still what it was.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;

use anyhow::{Context, Result, ensure};

use super::Scene;
use super::report::Report;
use super::sandbox::{SIGN, Said, Sandbox, TRUST};
use crate::outcome::Outcome;
use crate::sigstore_stack::{Claims, PERSON, Realm, Request, Response, Server, Stack};
use crate::tool::Tool;

/// Who is watched.
const WATCHED: &str = "watched@example.com";
/// The trust configuration with the log where it can be read.
const READABLE: &str = "readable.json";

/// Watches both logs, and has one fork.
pub(super) fn run(scene: &mut Scene) -> Result<Outcome> {
    let mut report = Report::new("Monitor");
    let (ours, folder) = (scene.ours.clone(), scene.folder.clone());
    let help = Sandbox::new(&folder, "monitor", &scene.stack)?.run(&ours, "--help")?.stdout();
    if !help.contains("\n  monitor ") {
        for name in ["everything that was signed here", "ours among others", "a log that shrinks", "a log that forks"] {
            report.skip(name, "this command has no `monitor`");
        }
        return Ok(report.close());
    }
    let watch = Watch::new(&ours, Sandbox::new(&folder, "monitor", &scene.stack)?, &scene.stack)?;
    report.check("everything that was signed here", watch.finds_all());

    let watch = Watch::new(&ours, Sandbox::new(&folder, "monitor another", &scene.other)?, &scene.other)?;
    report.check("ours among others", watch.finds_ours());
    let Watch { sandbox, server, .. } = watch;
    let seen = sandbox.folder;
    scene.other.fork_log(&scene.programs)?;
    let sandbox = Sandbox { folder: seen, ..Sandbox::new(&folder, "forked", &scene.other)? };
    let watch = Watch { ours: &ours, sandbox, server };
    report.check("a log that shrinks", watch.refuses_after(1, "has shrunk"));
    report.check("a log that forks", watch.refuses_after(7, "is forked"));
    Ok(report.close())
}

/// A log that is watched.
struct Watch<'a> {
    ours: &'a Tool,
    sandbox: Sandbox<'a>,
    /// Shows the log.
    server: Server,
}

impl<'a> Watch<'a> {
    fn new(ours: &'a Tool, sandbox: Sandbox<'a>, stack: &Stack) -> Result<Self> {
        let log = stack.log_folder().to_owned();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no port")?;
        let server = Server::start(listener, move |request| show(&log, request))?;
        let mut trust = sandbox.json(TRUST)?;
        trust["trustedRoot"]["tlogs"][0]["baseUrl"] = format!("http://127.0.0.1:{}", server.port).into();
        sandbox.write(READABLE, trust.to_string())?;
        Ok(Self { ours, sandbox, server })
    }

    fn run(&self, words: &str) -> Result<Said> {
        self.sandbox.run(self.ours, &format!("monitor --trust-config {READABLE} --state-dir state {words}"))
    }

    fn sign(&self, name: &str) -> Result<()> {
        self.sandbox.token(Realm::People, &Claims::person(name))?;
        self.sandbox.run(self.ours, SIGN)?.succeeds()
    }

    /// From the beginning of the log, which is signed with Ed25519 and has entries of both tools.
    fn finds_all(&self) -> Result<()> {
        let said = self.run(&format!("--since 0 --identity {PERSON}"))?;
        said.fails(1, &["not expected"])?;
        let said = self.run("--since 0 --identity-regexp https://github.com/example/model/.*")?;
        said.fails(1, &["not expected"])?;
        self.run("--since 0 --identity nobody@example.com")?.succeeds()
    }

    fn finds_ours(&self) -> Result<()> {
        let watch = format!("--identity {WATCHED}");
        self.sign(WATCHED)?;
        self.sign(PERSON)?;
        let first = self.run(&watch)?;
        first.succeeds()?;
        ensure!(first.stdout().contains("seen for the first time"), "{}", first.stdout());
        for name in [PERSON, WATCHED, PERSON] {
            self.sign(name)?;
        }
        let found = self.run(&watch)?;
        found.fails(1, &["an entry that is not expected"])?;
        ensure!(found.stdout().contains("1 unexpected entry"), "{}", found.stdout());
        self.run(&watch)?.succeeds()?;

        self.sandbox.write("known", "127.0.0.1 0\n127.0.0.1 3\n")?;
        self.run(&format!("{watch} --since 0 --expect known"))?.succeeds()
    }

    /// Something is signed, and the log is not what it was.
    fn refuses_after(&self, signatures: usize, says: &str) -> Result<()> {
        for _ in 0..signatures {
            self.sign(PERSON)?;
        }
        self.run(&format!("--identity {WATCHED}"))?.fails(1, &[says])
    }
}

/// Answers as the server that a public instance has for reading.
fn show(log: &Path, request: &Request) -> Response {
    let path = request.path.strip_prefix("/api/v2/").filter(|path| !path.split('/').any(|part| part == ".."));
    match path.map(|path| fs::read(log.join(path))) {
        Some(Ok(bytes)) => Response::new(200, "application/octet-stream", bytes),
        _ => Response::new(404, "text/plain", "not found\n"),
    }
}
