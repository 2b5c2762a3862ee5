//! A stack that outlives the command that starts it: `up`, `down`, and the process between them.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use super::install::Programs;
use super::issuer::Realm;
use super::issuer::token::Issuer;
use super::keys::TokenKey;
use super::servers::tail;
use super::stack::{Options, Stack, token_key_path};

const POLL: Duration = Duration::from_millis(100);
/// How long `down` waits for the stack to end.
const SHUTDOWN: Duration = Duration::from_secs(20);

/// What says that a stack runs in a folder, and where.
struct Status(PathBuf);

/// What asks the stack in a folder to end.
struct StopRequest(PathBuf);

/// Starts a stack in the background and returns when it is ready.
///
/// # Errors
/// If one runs there already, or it does not start.
pub(super) fn up(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let status = Status::of(folder);
    if status.is_alive() {
        bail!("a stack runs in {} already; end it with `cargo xtask sigstore-stack down`", folder.display());
    }
    status.remove();
    let log = folder.join("stack.log");
    let output = File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["sigstore-stack", "serve", "--folder"]).arg(folder);
    command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output);
    // A group of its own: what ends this command does not end the stack.
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    let mut child = command.spawn().context("cannot start the stack")?;
    while !status.is_alive() {
        if let Some(ended) = child.try_wait()? {
            bail!("the stack ended ({ended}):\n{}", tail(&log));
        }
        thread::sleep(POLL);
    }
    Ok(())
}

/// Runs a stack until `down` asks it to end.
pub(super) fn serve(programs: &Programs, folder: &Path) -> Result<()> {
    let stop = StopRequest::of(folder);
    stop.remove();
    let status = Status::of(folder);
    let stack = Stack::start(programs, folder, Options::default())?;
    status.write(&stack)?;
    while !stop.is_there() {
        thread::sleep(POLL);
    }
    drop(stack);
    status.remove();
    stop.remove();
    Ok(())
}

/// Ends the stack in a folder.
///
/// # Errors
/// If none runs there, or it does not end.
pub(super) fn down(folder: &Path) -> Result<()> {
    let status = Status::of(folder);
    if !status.is_alive() {
        bail!("no stack runs in {}", folder.display());
    }
    StopRequest::of(folder).write()?;
    let asked = Instant::now();
    while status.is_there() {
        if asked.elapsed() > SHUTDOWN {
            bail!("the stack does not end; its processes are in {}", status.0.display());
        }
        thread::sleep(POLL);
    }
    Ok(())
}

/// An issuer of the stack in a folder.
pub(super) fn issuer(folder: &Path, realm: Realm) -> Result<Issuer> {
    let port = Status::of(folder).issuers_port().with_context(|| format!("no stack runs in {}", folder.display()))?;
    let key = TokenKey::read(&token_key_path(folder))?;
    Ok(Issuer::new(realm.url(port), key.into()))
}

impl Status {
    fn of(folder: &Path) -> Self {
        Self(folder.join("stack.json"))
    }

    fn write(&self, stack: &Stack) -> Result<()> {
        let processes = stack.processes().map(|(service, id)| (service.to_string(), json!(id)));
        let issuers = Realm::ALL.map(|realm| stack.issuer(realm).url);
        let urls = &stack.urls;
        let document = json!({
            "issuersPort": stack.issuers().map(super::issuer::Issuers::port),
            "issuers": issuers,
            "urls": { "fulcio": urls.fulcio, "ct-log": urls.ct_log, "rekor": urls.rekor, "tsa": urls.tsa },
            "process": std::process::id(),
            "processes": processes.collect::<serde_json::Map<_, _>>(),
        });
        // Whoever waits for it reads it whole.
        let unfinished = self.0.with_extension("tmp");
        fs::write(&unfinished, format!("{document:#}\n"))?;
        fs::rename(&unfinished, &self.0).with_context(|| format!("cannot write {}", self.0.display()))
    }

    /// Whether a stack answers, and not only left its file.
    fn is_alive(&self) -> bool {
        self.issuers_port().is_some_and(|port| super::http::get(port, "/").is_ok())
    }

    fn issuers_port(&self) -> Option<u16> {
        let document: Value = serde_json::from_slice(&fs::read(&self.0).ok()?).ok()?;
        document["issuersPort"].as_u64()?.try_into().ok()
    }

    fn is_there(&self) -> bool {
        self.0.exists()
    }

    fn remove(&self) {
        fs::remove_file(&self.0).ok();
    }
}

impl StopRequest {
    fn of(folder: &Path) -> Self {
        Self(folder.join("stop"))
    }

    fn write(&self) -> Result<()> {
        fs::write(&self.0, "").with_context(|| format!("cannot write {}", self.0.display()))
    }

    fn is_there(&self) -> bool {
        self.0.exists()
    }

    fn remove(&self) {
        fs::remove_file(&self.0).ok();
    }
}
