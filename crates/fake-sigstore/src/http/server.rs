//! A server on the loopback interface: a thread that accepts, and one for each connection.

use std::collections::HashMap;
use std::io::{self, BufReader, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::{Request, Response};
use crate::desk::{Desk, Fault};

/// How often a thread that waits looks whether it should end.
const TICK: Duration = Duration::from_millis(10);

/// Answers requests.
pub(crate) trait Handler: Send + Sync {
    fn answer(&self, request: &Request) -> Response;
}

/// A server that can be stopped and started again at the same address. It ends when it is dropped.
pub(crate) struct Server {
    address: SocketAddr,
    handler: Arc<dyn Handler>,
    desk: Arc<Desk>,
    running: Mutex<Option<Running>>,
}

struct Running {
    shared: Arc<Shared>,
    thread: JoinHandle<()>,
}

struct Shared {
    handler: Arc<dyn Handler>,
    desk: Arc<Desk>,
    ends: AtomicBool,
    connections: Mutex<HashMap<u64, TcpStream>>,
}

/// What happens to a connection after a request.
enum Next {
    Request,
    Close,
}

/// A port of the loopback interface that nobody has.
pub(crate) fn bind() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port on the loopback interface");
    let address = listener.local_addr().expect("bound");
    (listener, address)
}

impl Server {
    pub(crate) fn start(listener: TcpListener, handler: Arc<dyn Handler>, desk: Arc<Desk>) -> Self {
        let address = listener.local_addr().expect("bound");
        let server = Self { address, handler, desk, running: Mutex::new(None) };
        server.run(listener);
        server
    }

    /// Refuses connections from now on, and ends those that there are.
    pub(crate) fn stop(&self) {
        let Some(Running { shared, thread }) = lock(&self.running).take() else { return };
        shared.ends.store(true, Ordering::Relaxed);
        // It may wait for a connection.
        let _ = TcpStream::connect(self.address);
        let result = thread.join();
        for stream in lock(&shared.connections).values() {
            let _ = stream.shutdown(Shutdown::Both);
        }
        // A second panic while a test fails would hide the first.
        if let Err(panic) = result
            && !thread::panicking()
        {
            std::panic::resume_unwind(panic);
        }
    }

    /// Accepts connections again after [`Self::stop`].
    pub(crate) fn restart(&self) {
        if lock(&self.running).is_none() {
            self.run(TcpListener::bind(self.address).expect("the port is still free"));
        }
    }

    fn run(&self, listener: TcpListener) {
        let shared = Arc::new(Shared {
            handler: Arc::clone(&self.handler),
            desk: Arc::clone(&self.desk),
            ends: AtomicBool::new(false),
            connections: Mutex::default(),
        });
        let accepting = Arc::clone(&shared);
        let thread = thread::spawn(move || accept(&listener, &accepting));
        *lock(&self.running) = Some(Running { shared, thread });
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    for (number, stream) in (0..).zip(listener.incoming()) {
        if shared.ends.load(Ordering::Relaxed) {
            break;
        }
        let Ok(stream) = stream else { continue };
        let Ok(copy) = stream.try_clone() else { continue };
        lock(&shared.connections).insert(number, copy);
        let shared = Arc::clone(shared);
        thread::spawn(move || {
            // A client may go at any time.
            let _ = shared.serve(&stream);
            // The copy keeps the connection open otherwise.
            let _ = stream.shutdown(Shutdown::Both);
            lock(&shared.connections).remove(&number);
        });
    }
}

impl Shared {
    fn serve(&self, stream: &TcpStream) -> io::Result<()> {
        stream.set_nodelay(true)?;
        let mut reader = BufReader::new(stream);
        let mut writer = stream;
        while let Some(request) = Request::read(&mut reader, &mut writer)? {
            let next = match request {
                Ok(request) => self.respond(&request, &mut writer)?,
                Err(status) => write(&mut writer, &self.desk.service().error(status, "malformed request"), true)?,
            };
            if matches!(next, Next::Close) || self.ends.load(Ordering::Relaxed) {
                break;
            }
        }
        Ok(())
    }

    fn respond(&self, request: &Request, writer: &mut impl Write) -> io::Result<Next> {
        self.desk.see(request);
        let closes = request.wants_close();
        let Some(fault) = self.desk.next_fault() else {
            return write(writer, &self.handler.answer(request), closes);
        };
        match fault {
            Fault::Closes => Ok(Next::Close),
            Fault::Status(status, message) => write(writer, &self.desk.service().error(status, &message), closes),
            Fault::Replies(status, media_type, body) => {
                write(writer, &Response::new(status, &media_type, body), closes)
            }
            Fault::Garbage => {
                let Response { status, headers, .. } = self.handler.answer(request);
                write(writer, &Response { status, headers, body: b"\xffthis is no answer\0".to_vec() }, closes)
            }
            Fault::Oversize(bytes) => {
                let response = Response { body: Vec::new(), ..self.handler.answer(request) };
                writer.write_all(&response.head(bytes, true))?;
                io::copy(&mut io::repeat(b' ').take(bytes as u64), writer)?;
                Ok(Next::Close)
            }
            Fault::Truncates => {
                let response = self.handler.answer(request);
                writer.write_all(&response.head(response.body.len(), true))?;
                writer.write_all(&response.body[..response.body.len() / 2])?;
                Ok(Next::Close)
            }
            Fault::Delays(time) => {
                let response = self.handler.answer(request);
                if self.wait(time) { Ok(Next::Close) } else { write(writer, &response, closes) }
            }
            Fault::Drips(time) => {
                let response = self.handler.answer(request);
                writer.write_all(&response.head(response.body.len(), true))?;
                for byte in response.body {
                    if self.wait(time) {
                        break;
                    }
                    writer.write_all(&[byte])?;
                }
                Ok(Next::Close)
            }
            Fault::Hangs => {
                while !self.wait(TICK) {}
                Ok(Next::Close)
            }
            Fault::Redirects(target) => {
                write(writer, &Response::new(302, "text/plain", "").with("Location", target), closes)
            }
        }
    }

    /// Waits, or returns true if the server ends in the meantime.
    fn wait(&self, time: Duration) -> bool {
        let mut left = time;
        while !left.is_zero() && !self.ends.load(Ordering::Relaxed) {
            thread::sleep(left.min(TICK));
            left = left.saturating_sub(TICK);
        }
        self.ends.load(Ordering::Relaxed)
    }
}

fn write(writer: &mut impl Write, response: &Response, closes: bool) -> io::Result<Next> {
    let mut bytes = response.head(response.body.len(), closes);
    bytes.extend_from_slice(&response.body);
    writer.write_all(&bytes)?;
    Ok(if closes { Next::Close } else { Next::Request })
}

/// A lock whose holder panicked is still good for another answer.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
