//! The port on this machine to which the browser brings the code (RFC 8252 §7.3).

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::thread::sleep;
use std::time::{Duration, Instant};

use url::form_urlencoded;
use zeroize::Zeroizing;

use super::LoginError;
use super::issuer::both;

const PATH: &str = "/auth/callback";
const MAX_REQUEST_BYTES: usize = 16 << 10;
/// How long one connection may take: browsers open some that they do not use.
const TIME_TO_ASK: Duration = Duration::from_secs(2);
const TICK: Duration = Duration::from_millis(20);

pub(super) struct RedirectServer {
    listener: TcpListener,
    address: SocketAddr,
}

impl RedirectServer {
    pub(super) fn start() -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        Ok(Self { address: listener.local_addr()?, listener })
    }

    /// `localhost` by name, which is what issuers have on their lists. Somebody else may listen on its other address:
    /// a code is of no use without the verifier.
    pub(super) fn uri(&self) -> String {
        format!("http://localhost:{}{PATH}", self.address.port())
    }

    /// The code of the first answer. It has to have `state`, and may name no issuer but `issuer` (RFC 9207).
    pub(super) fn wait(&self, state: &str, issuer: &str, limit: Duration) -> Result<Zeroizing<String>, LoginError> {
        let started = Instant::now();
        while started.elapsed() < limit {
            match self.listener.accept() {
                Ok((stream, _)) => {
                    // Whoever connects may go, or be nobody that was waited for.
                    if let Ok(Some(answer)) = serve(stream, state, issuer) {
                        return answer;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => sleep(TICK),
                Err(error) if is_of_the_connection(&error) => {}
                Err(error) => return Err(LoginError::Listen(error.to_string())),
            }
        }
        Err(LoginError::Late { seconds: limit.as_secs() })
    }
}

fn is_of_the_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::Interrupted
    )
}

type Answer = Result<Zeroizing<String>, LoginError>;

/// Answers a connection: the answer to the login if it brought one, and nothing if it wanted something else.
fn serve(mut stream: TcpStream, state: &str, issuer: &str) -> io::Result<Option<Answer>> {
    // Some systems hand it on from the listener.
    stream.set_nonblocking(false)?;
    let request = read(&mut stream)?;
    let line = request.split(|byte| *byte == b'\r').next().unwrap_or_default();
    let target = std::str::from_utf8(line).ok().and_then(|line| line.strip_prefix("GET ")?.split(' ').next());
    let query = target.and_then(|target| target.strip_prefix(PATH)?.strip_prefix('?'));
    let Some(query) = query else {
        write_page(&mut stream, "404 Not Found", "There is nothing here.")?;
        return Ok(None);
    };
    let answer = read_answer(query, state, issuer);
    // The code counts, whether the page arrives or not.
    let _ = match answer {
        Ok(_) => write_page(&mut stream, "200 OK", "You are logged in. You can close this page."),
        Err(_) => write_page(&mut stream, "400 Bad Request", "The login failed. The terminal says why."),
    };
    Ok(Some(answer))
}

/// The head of a request. Its end, its size and its time are limited.
fn read(stream: &mut TcpStream) -> io::Result<Zeroizing<Vec<u8>>> {
    let until = Instant::now() + TIME_TO_ASK;
    let mut request = Zeroizing::new(vec![0; MAX_REQUEST_BYTES]);
    let mut length = 0;
    while !request[..length].ends_with(b"\r\n\r\n") {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() || length == request.len() {
            return Err(io::ErrorKind::InvalidData.into());
        }
        stream.set_read_timeout(Some(left))?;
        match stream.read(&mut request[length..])? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            more => length += more,
        }
    }
    request.truncate(length);
    Ok(request)
}

/// RFC 6749 §4.1.2: the code, or an error. No parameter may stand twice.
fn read_answer(query: &str, state: &str, issuer: &str) -> Answer {
    let parameters: Vec<_> = form_urlencoded::parse(query.as_bytes()).collect();
    let parameter = |name: &str| {
        let mut values = parameters.iter().filter(|(found, _)| found == name).map(|(_, value)| value.as_ref());
        match (values.next(), values.next()) {
            (value, None) => Ok(value),
            _ => Err(LoginError::NoCode(format!("`{name}` stands twice in the answer"))),
        }
    };
    let error = parameter("error")?;
    match parameter("state")? {
        Some(found) => {
            let is_equal = aws_lc_rs::constant_time::verify_slices_are_equal(found.as_bytes(), state.as_bytes());
            is_equal.map_err(|_| LoginError::State)?;
        }
        // Some issuers send errors without it. All that an error can do is end the login.
        None if error.is_some() => {}
        None => return Err(LoginError::State),
    }
    if let Some(found) = parameter("iss")?.filter(|found| *found != issuer) {
        return Err(LoginError::AnotherIssuer { expected: issuer.to_owned(), found: found.to_owned() });
    }
    if let Some(error) = error {
        return Err(LoginError::Refused(both(error, parameter("error_description")?)));
    }
    let code = parameter("code")?.filter(|code| !code.is_empty());
    let code = code.ok_or_else(|| LoginError::NoCode("there is none in the answer".to_owned()))?;
    Ok(Zeroizing::new(code.to_owned()))
}

/// Nothing of the request is on the page.
fn write_page(stream: &mut TcpStream, status: &str, says: &str) -> io::Result<()> {
    stream.set_write_timeout(Some(TIME_TO_ASK))?;
    let page = format!(
        "<!DOCTYPE html><html lang=\"en\"><meta charset=\"utf-8\"><title>model-signing</title><p>{says}</p></html>\n"
    );
    write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {}\r\n\
         Cache-Control: no-store\r\nReferrer-Policy: no-referrer\r\nContent-Security-Policy: default-src 'none'\r\n\
         Connection: close\r\n\r\n{page}",
        page.len()
    )
}
