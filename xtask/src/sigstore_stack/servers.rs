//! The servers of a stack: how each is started, and when it is ready.

use std::ffi::OsString;
use std::fmt;
use std::fs::{self, File};
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::http;

/// How long a server may take to start on a busy machine.
const STARTUP: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(50);
/// How much of a log explains why a server did not start.
const LOG_TAIL_LINES: usize = 20;

/// A part of the stack that can be stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Service {
    /// The OIDC issuers.
    Issuers,
    /// Fulcio, which certifies identities.
    Fulcio,
    /// `TesseraCT`, the log of certificates.
    CtLog,
    /// Rekor v2, the log of signatures.
    Rekor,
    /// The timestamp authority.
    Tsa,
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Issuers => "issuers",
            Self::Fulcio => "fulcio",
            Self::CtLog => "ct-log",
            Self::Rekor => "rekor",
            Self::Tsa => "tsa",
        })
    }
}

/// A server that runs as a process of its own. It ends when this is dropped.
pub(super) struct Server {
    pub(super) service: Service,
    pub(super) port: u16,
    child: Child,
    log: PathBuf,
    /// Answers 200 when the server is ready.
    probe: &'static str,
}

/// How to start a server.
pub(super) struct Start<'a> {
    pub(super) service: Service,
    pub(super) program: &'a Path,
    pub(super) arguments: Vec<OsString>,
    pub(super) port: u16,
    pub(super) probe: &'static str,
}

impl Start<'_> {
    /// Starts the server, with its log in the folder `logs`.
    pub(super) fn spawn(self, logs: &Path) -> Result<Server> {
        let log = logs.join(format!("{}.log", self.service));
        let output = File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
        let mut command = Command::new(self.program);
        command.args(self.arguments).stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output);
        let child = command.spawn().with_context(|| format!("cannot start {}", self.service))?;
        Ok(Server { service: self.service, port: self.port, child, log, probe: self.probe })
    }
}

impl Server {
    /// Waits until the server answers.
    ///
    /// # Errors
    /// If it ends or takes too long; the error shows the end of its log.
    pub(super) fn wait(&mut self) -> Result<()> {
        let started = Instant::now();
        loop {
            let answer = http::get(self.port, self.probe);
            if matches!(answer, Ok((200, _))) {
                return Ok(());
            }
            let problem = match (self.child.try_wait()?, answer) {
                (Some(status), _) => format!("ended ({status})"),
                (None, _) if started.elapsed() < STARTUP => {
                    thread::sleep(POLL);
                    continue;
                }
                (None, Ok((status, _))) => format!("answers {status}"),
                (None, Err(error)) => format!("does not answer ({error:#})"),
            };
            bail!("{} {problem}; the end of {}:\n{}", self.service, self.log.display(), tail(&self.log));
        }
    }

    /// The process.
    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Nothing that it stores is needed any more. It may have ended already.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Finds ports of loopback that nobody uses.
pub(super) fn free_ports<const N: usize>() -> Result<[u16; N]> {
    // All are held until the last is found: each is another.
    let mut listeners = Vec::with_capacity(N);
    let mut ports = [0; N];
    for port in &mut ports {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no free port")?;
        *port = listener.local_addr()?.port();
        listeners.push(listener);
    }
    Ok(ports)
}

/// The last lines of a log.
pub(super) fn tail(log: &Path) -> String {
    let bytes = fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let lines = text.lines().collect::<Vec<_>>();
    lines[lines.len().saturating_sub(LOG_TAIL_LINES)..].join("\n")
}
