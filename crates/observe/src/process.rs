//! Asking another program, within bounds: how long it may take and how much it may say.

use std::io::Read;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

const CHUNK_BYTES: usize = 64 * 1024;
const MAX_STDERR_BYTES: usize = 64 * 1024;

/// How far a program may go.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// How long it may take.
    pub(crate) time: Duration,
    /// How many bytes it may write to its standard output.
    pub(crate) stdout_bytes: u64,
}

/// How a program ended, and the start of what it wrote to its standard error.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    pub(crate) stderr: String,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AskError {
    #[error("it cannot be started: {0}")]
    Start(std::io::Error),
    #[error("it takes longer than {0} seconds")]
    Time(u64),
    #[error("it says more than {0} bytes")]
    Length(u64),
    #[error("its output cannot be read: {0}")]
    Read(std::io::Error),
}

/// Runs `command` without input, and hands what it writes to `sink`, piece by piece.
pub(crate) fn ask(command: &mut Command, bounds: Bounds, mut sink: impl FnMut(&[u8])) -> Result<Ended, AskError> {
    let deadline = Instant::now() + bounds.time;
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(AskError::Start)?;
    let stdout = child.stdout.take().map(pieces);
    let stderr = child.stderr.take().map(complaints);
    let answer = listen(stdout, stderr, deadline, bounds, &mut sink).and_then(|stderr| {
        let status = await_end(&mut child, deadline, bounds)?;
        Ok(Ended { status, stderr: String::from_utf8_lossy(&stderr).into_owned() })
    });
    if answer.is_err() {
        // It may have ended by itself meanwhile.
        let _ = child.kill();
        let _ = child.wait();
    }
    answer
}

/// As [`ask`], all of what it writes at once.
pub(crate) fn ask_whole(command: &mut Command, bounds: Bounds) -> Result<(Ended, Vec<u8>), AskError> {
    let mut whole = Vec::new();
    let ended = ask(command, bounds, |piece| whole.extend_from_slice(piece))?;
    Ok((ended, whole))
}

type Pieces = Receiver<std::io::Result<Vec<u8>>>;

/// Reads a stream to its end in a thread of its own, which ends when nobody listens.
fn pieces(mut stream: impl Read + Send + 'static) -> Pieces {
    let (sender, receiver) = sync_channel(4);
    thread::spawn(move || {
        let mut buffer = vec![0; CHUNK_BYTES];
        loop {
            let read = match stream.read(&mut buffer) {
                Ok(0) => return,
                Ok(read) => Ok(buffer[..read].to_vec()),
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(error) => Err(error),
            };
            let failed = read.is_err();
            if sender.send(read).is_err() || failed {
                return;
            }
        }
    });
    receiver
}

/// Reads a stream to its end, so that it never blocks who writes to it, and keeps the start of it.
fn complaints(stream: impl Read + Send + 'static) -> Receiver<Vec<u8>> {
    let (sender, receiver) = sync_channel(1);
    let all = pieces(stream);
    thread::spawn(move || {
        let mut kept = Vec::new();
        for piece in all.iter().map_while(Result::ok) {
            kept.extend_from_slice(&piece[..piece.len().min(MAX_STDERR_BYTES - kept.len())]);
        }
        // Nobody listens any more if the time was up.
        let _ = sender.send(kept);
    });
    receiver
}

fn listen(
    stdout: Option<Pieces>,
    stderr: Option<Receiver<Vec<u8>>>,
    deadline: Instant,
    bounds: Bounds,
    sink: &mut impl FnMut(&[u8]),
) -> Result<Vec<u8>, AskError> {
    let mut length = 0;
    if let Some(stdout) = stdout {
        while let Some(piece) = next(&stdout, deadline, bounds)? {
            let piece = piece.map_err(AskError::Read)?;
            length += piece.len() as u64;
            if length > bounds.stdout_bytes {
                return Err(AskError::Length(bounds.stdout_bytes));
            }
            sink(&piece);
        }
    }
    match stderr {
        Some(stderr) => Ok(next(&stderr, deadline, bounds)?.unwrap_or_default()),
        None => Ok(Vec::new()),
    }
}

fn next<T>(receiver: &Receiver<T>, deadline: Instant, bounds: Bounds) -> Result<Option<T>, AskError> {
    match receiver.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
        Ok(value) => Ok(Some(value)),
        Err(RecvTimeoutError::Disconnected) => Ok(None),
        Err(RecvTimeoutError::Timeout) => Err(AskError::Time(bounds.time.as_secs())),
    }
}

fn await_end(child: &mut Child, deadline: Instant, bounds: Bounds) -> Result<ExitStatus, AskError> {
    loop {
        match child.try_wait().map_err(AskError::Read)? {
            Some(status) => return Ok(status),
            None if Instant::now() >= deadline => return Err(AskError::Time(bounds.time.as_secs())),
            None => thread::sleep(Duration::from_millis(5)),
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    fn shell(script: &str, time: Duration, stdout_bytes: u64) -> Result<(Ended, Vec<u8>), AskError> {
        ask_whole(Command::new("sh").args(["-c", script]), Bounds { time, stdout_bytes })
    }

    #[test]
    fn streams_and_status_are_told_apart() {
        let (ended, said) = shell("echo out; echo err >&2; exit 3", Duration::from_secs(60), 100).expect("an answer");
        assert_eq!((said.as_slice(), ended.stderr.as_str(), ended.status.code()), (&b"out\n"[..], "err\n", Some(3)));
    }

    #[test]
    fn too_much_output_is_refused() {
        let error = shell("yes", Duration::from_secs(60), 1000).expect_err("it says too much");
        assert!(matches!(error, AskError::Length(1000)), "{error}");
    }

    #[test]
    fn a_program_that_hangs_is_ended() {
        let error = shell("exec sleep 600", Duration::from_millis(50), 1000).expect_err("it hangs");
        assert!(matches!(error, AskError::Time(_)), "{error}");
        let error = shell("exec >&- 2>&-; sleep 600", Duration::from_millis(50), 1000).expect_err("it hangs silently");
        assert!(matches!(error, AskError::Time(_)), "{error}");
    }

    #[test]
    fn a_flood_of_complaints_is_cut_and_does_not_block() {
        let script = "i=0; while [ $i -lt 40 ]; do head -c 65536 /dev/zero >&2; i=$((i+1)); done; echo done";
        let (ended, said) = shell(script, Duration::from_secs(60), 100).expect("an answer");
        assert_eq!(said, b"done\n");
        assert_eq!(ended.stderr.len(), MAX_STDERR_BYTES);
    }

    #[test]
    fn what_is_not_there_cannot_be_started() {
        let bounds = Bounds { time: Duration::from_secs(60), stdout_bytes: 1 };
        let error = ask_whole(&mut Command::new("/nowhere/at/all"), bounds).expect_err("it is not there");
        assert!(matches!(error, AskError::Start(_)), "{error}");
    }
}
