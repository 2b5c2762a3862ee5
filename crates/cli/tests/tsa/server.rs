//! HTTP/1.1, as much as a timestamp takes: one request, one reply, one connection at a time.

use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::Behaviour;
use super::openssl::openssl;
use super::query::{with_another_digest, with_another_nonce};

/// No request is longer.
const MAX_QUERY_BYTES: u64 = 64 * 1024;

/// How often a thread that waits looks whether it should end.
const TICK: Duration = Duration::from_millis(10);

/// A server in a thread of its own. It ends when it is dropped.
pub(super) struct Server {
    address: SocketAddr,
    state: Arc<State>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct State {
    ends: AtomicBool,
    queries: Mutex<Vec<Vec<u8>>>,
}

impl Server {
    /// Answers with the certificates and the configuration in `folder`.
    pub(super) fn start(folder: PathBuf, behaviour: Behaviour) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port on the loopback interface");
        let address = listener.local_addr().expect("bound");
        let state = Arc::new(State::default());
        let mut responder = Responder { folder, behaviour, state: Arc::clone(&state), first_reply: None };
        let thread = thread::spawn(move || {
            for stream in listener.incoming() {
                if responder.state.ends.load(Ordering::Relaxed) {
                    break;
                }
                // A client may go at any time.
                let _ = stream.and_then(|stream| responder.serve(stream));
            }
        });
        Self { address, state, thread: Some(thread) }
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(super) fn requests_seen(&self) -> Vec<Vec<u8>> {
        self.state.queries.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.state.ends.store(true, Ordering::Relaxed);
        // It may wait for a connection.
        let _ = TcpStream::connect(self.address);
        if let Some(Err(panic)) = self.thread.take().map(JoinHandle::join) {
            // A second panic while a test fails would hide the first.
            if !thread::panicking() {
                std::panic::resume_unwind(panic);
            }
        }
    }
}

struct Responder {
    folder: PathBuf,
    behaviour: Behaviour,
    state: Arc<State>,
    first_reply: Option<Vec<u8>>,
}

impl Responder {
    fn serve(&mut self, mut stream: TcpStream) -> io::Result<()> {
        // A client that sends too little does not keep the thread.
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        let query = match read_query(&stream)? {
            Ok(query) => query,
            Err(status) => return write_head(&mut stream, status, 0),
        };
        self.state.queries.lock().unwrap_or_else(PoisonError::into_inner).push(query.clone());
        match self.behaviour {
            Behaviour::Status(status) => write_head(&mut stream, status, 0),
            Behaviour::Garbage => write_reply(&mut stream, b"this is no timestamp"),
            Behaviour::Hangs => {
                self.wait_for_end();
                Ok(())
            }
            Behaviour::Oversize(bytes) => {
                write_head(&mut stream, 200, bytes)?;
                io::copy(&mut io::repeat(0x30).take(bytes as u64), &mut stream).map(|_| ())
            }
            Behaviour::Rejects => write_reply(&mut stream, &self.reply("rejecting", &query)),
            Behaviour::AnotherDigest => write_reply(&mut stream, &self.reply("honest", &with_another_digest(query))),
            Behaviour::AnotherNonce => write_reply(&mut stream, &self.reply("honest", &with_another_nonce(query))),
            Behaviour::Replays => {
                let reply = self.first_reply.take().unwrap_or_else(|| self.reply("honest", &query));
                write_reply(&mut stream, self.first_reply.insert(reply))
            }
            Behaviour::Honest => write_reply(&mut stream, &self.reply("honest", &query)),
            Behaviour::Truncated => {
                let reply = self.reply("honest", &query);
                write_reply(&mut stream, &reply[..reply.len() / 2])
            }
            Behaviour::ClosesEarly => {
                let reply = self.reply("honest", &query);
                write_head(&mut stream, 200, reply.len())?;
                stream.write_all(&reply[..reply.len() / 2])
            }
            Behaviour::Delays(milliseconds) => {
                let reply = self.reply("honest", &query);
                self.wait(Duration::from_millis(milliseconds));
                write_reply(&mut stream, &reply)
            }
            Behaviour::Drips(milliseconds) => {
                let reply = self.reply("honest", &query);
                write_head(&mut stream, 200, reply.len())?;
                for byte in reply {
                    if self.wait(Duration::from_millis(milliseconds)) {
                        break;
                    }
                    stream.write_all(&[byte])?;
                }
                Ok(())
            }
        }
    }

    /// What `openssl` replies, with the configuration in this section.
    fn reply(&self, section: &str, query: &[u8]) -> Vec<u8> {
        reply(&self.folder, section, query).unwrap_or_else(|error| panic!("no reply: {error}"))
    }

    fn wait_for_end(&self) {
        while !self.wait(TICK) {}
    }

    /// Waits, or returns true if the server ends in the meantime.
    fn wait(&self, time: Duration) -> bool {
        let mut left = time;
        while !left.is_zero() && !self.state.ends.load(Ordering::Relaxed) {
            thread::sleep(left.min(TICK));
            left = left.saturating_sub(TICK);
        }
        self.state.ends.load(Ordering::Relaxed)
    }
}

fn reply(folder: &Path, section: &str, query: &[u8]) -> Result<Vec<u8>, String> {
    fs::write(folder.join("query.tsq"), query).map_err(|error| error.to_string())?;
    openssl(folder, &format!("ts -reply -config ts.cnf -section {section} -queryfile query.tsq -out reply.tsr"))?;
    fs::read(folder.join("reply.tsr")).map_err(|error| error.to_string())
}

/// Reads a request: its body, or the status for one that asks for no timestamp (RFC 3161 §3.4).
fn read_query(stream: &TcpStream) -> io::Result<Result<Vec<u8>, u16>> {
    let mut reader = BufReader::new(stream).take(MAX_QUERY_BYTES);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    if !line.starts_with("POST ") {
        return Ok(Err(405));
    }
    let (mut length, mut is_query) = (None, false);
    loop {
        line.clear();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.split_once(':') else { break };
        match (name.to_ascii_lowercase().as_str(), value.trim()) {
            ("content-length", value) => length = value.parse().ok(),
            ("content-type", value) => is_query = value == "application/timestamp-query",
            _ => {}
        }
    }
    let Some(length) = length else { return Ok(Err(411)) };
    if !is_query {
        return Ok(Err(415));
    }
    if length > reader.limit() {
        return Ok(Err(413));
    }
    let mut body = Vec::new();
    reader.take(length).read_to_end(&mut body)?;
    if body.len() as u64 == length { Ok(Ok(body)) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}

fn write_reply(stream: &mut TcpStream, body: &[u8]) -> io::Result<()> {
    write_head(stream, 200, body.len())?;
    stream.write_all(body)
}

fn write_head(stream: &mut TcpStream, status: u16, length: usize) -> io::Result<()> {
    let kind = if status == 200 { "application/timestamp-reply" } else { "text/plain" };
    let head =
        format!("HTTP/1.1 {status} \r\nContent-Type: {kind}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
    stream.write_all(head.as_bytes())
}
