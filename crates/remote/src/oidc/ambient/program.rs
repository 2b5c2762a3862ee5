//! Programs that get tokens.

use std::env;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use zeroize::Zeroizing;

use super::{AmbientError, Provider, Surroundings};
use crate::http::excerpt;

/// Longer than an attempt at a service: it makes several of its own.
const ATTEMPTS: u32 = 2;
const MAX_OUTPUT_BYTES: u64 = 64 << 10;
const TICK: Duration = Duration::from_millis(20);
/// How long its output may stay open after its end.
const AFTERWARDS: Duration = Duration::from_secs(1);

/// A program of a provider.
#[derive(Clone, Copy)]
pub(super) struct Program {
    pub(super) provider: Provider,
    pub(super) name: &'static str,
}

/// What `program`, which has to be in `PATH`, writes to its output.
pub(super) fn run(
    program: Program,
    arguments: &[&str],
    surroundings: &Surroundings<'_>,
) -> Result<Zeroizing<String>, AmbientError> {
    let Program { provider, name } = program;
    let path = surroundings.variable("PATH").unwrap_or_default();
    let found = find(name, &path).ok_or(AmbientError::NoProgram { provider, program: name })?;
    output(&found, arguments, surroundings.patience.attempt * ATTEMPTS).map_err(|reason| AmbientError::Refused {
        provider,
        asked: format!("the program `{name}`"),
        reason,
    })
}

/// A program in one of the folders of `path`. One that is relative counts for nothing: the model may be there.
fn find(name: &str, path: &str) -> Option<PathBuf> {
    let name = format!("{name}{}", env::consts::EXE_SUFFIX);
    env::split_paths(path).filter(|folder| folder.is_absolute()).map(|folder| folder.join(&name)).find(|it| can_run(it))
}

#[cfg(unix)]
fn can_run(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    file.metadata().is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
fn can_run(file: &Path) -> bool {
    file.is_file()
}

fn output(program: &Path, arguments: &[&str], limit: Duration) -> Result<Zeroizing<String>, String> {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|error| format!("can't be run: {error}"))?;
    let said = child.stdout.take().map(collect);
    let complained = child.stderr.take().map(collect);
    let status = wait(&mut child, limit).map_err(|error| format!("can't be waited for: {error}"))?;
    let received = |stream: Option<Receiver<_>>| stream.and_then(|it| it.recv_timeout(AFTERWARDS).ok());
    let Some(status) = status else {
        return Err(format!("gave no answer in {} s", limit.as_secs()));
    };
    if !status.success() {
        return Err(format!("failed ({status}){}", excerpt(&received(complained).unwrap_or_default())));
    }
    let said = received(said).ok_or("did not close its output")?;
    let text = std::str::from_utf8(&said).map_err(|_| "wrote something that is no text")?;
    Ok(Zeroizing::new(text.trim().to_owned()))
}

/// Reads a stream in a thread of its own, so that it can't fill up.
fn collect(stream: impl Read + Send + 'static) -> Receiver<Zeroizing<Vec<u8>>> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut bytes = Zeroizing::new(Vec::new());
        // What could be read is what there is; nobody may be waiting any more.
        let _ = stream.take(MAX_OUTPUT_BYTES).read_to_end(&mut bytes);
        let _ = sender.send(bytes);
    });
    receiver
}

/// How it ended, or nothing if it had to be ended.
fn wait(child: &mut Child, limit: Duration) -> io::Result<Option<ExitStatus>> {
    let started = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if started.elapsed() > limit {
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
        sleep(TICK);
    }
}
