//! As much HTTP as a stub issuer, a browser and a readiness probe need: one request a connection, on loopback.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};

/// How long a peer may take to say something.
const PATIENCE: Duration = Duration::from_secs(10);
/// More than any request to an issuer.
const LONGEST_BODY_BYTES: usize = 1 << 20;

/// A request.
pub(crate) struct Request {
    pub(super) method: String,
    pub(crate) path: String,
    /// The parameters of the query.
    pub(super) query: Parameters,
    /// The parameters of the body, if it is a form.
    pub(super) form: Parameters,
    /// The value of `Authorization`, or nothing.
    pub(super) authorization: String,
}

/// Names and values, as forms and queries have them.
#[derive(Default)]
pub(crate) struct Parameters(Vec<(String, String)>);

/// A response.
pub(crate) struct Response {
    pub(super) status: u16,
    /// Lines of the header, each with its line break.
    pub(super) header: String,
    body: Vec<u8>,
}

/// Answers requests on a port of its own until it is dropped.
pub(crate) struct Server {
    pub(crate) port: u16,
    stopped: Arc<AtomicBool>,
}

impl Server {
    /// Starts on a free port.
    pub(crate) fn start(
        listener: TcpListener,
        answer: impl Fn(&Request) -> Response + Send + Sync + 'static,
    ) -> Result<Self> {
        let port = listener.local_addr()?.port();
        let stopped = Arc::new(AtomicBool::new(false));
        let (answer, stop) = (Arc::new(answer), Arc::clone(&stopped));
        thread::spawn(move || {
            for connection in listener.incoming() {
                if stop.load(Ordering::SeqCst) {
                    break;
                }
                let (Ok(connection), answer) = (connection, Arc::clone(&answer)) else { continue };
                // A peer that goes away mid-request is its own problem.
                thread::spawn(move || converse(&connection, &*answer).ok());
            }
        });
        Ok(Self { port, stopped })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::SeqCst);
        // Wakes the thread up, which then closes the port.
        drop(TcpStream::connect(loopback(self.port)));
    }
}

#[cfg(test)]
impl Request {
    /// A request as a browser sends it.
    pub(super) fn get(path: &str, query: Parameters) -> Self {
        let (method, path) = ("GET".to_owned(), path.to_owned());
        Self { method, path, query, form: Parameters::default(), authorization: String::new() }
    }

    /// A request as a form sends it.
    pub(super) fn post(path: &str, form: Parameters) -> Self {
        let (method, path) = ("POST".to_owned(), path.to_owned());
        Self { method, path, query: Parameters::default(), form, authorization: String::new() }
    }
}

#[cfg(test)]
impl From<&[(&str, &str)]> for Parameters {
    fn from(pairs: &[(&str, &str)]) -> Self {
        Self(pairs.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect())
    }
}

impl Parameters {
    /// Reads `a=b&c=d`.
    fn parse(text: &str) -> Self {
        let pairs = text.split('&').filter(|pair| !pair.is_empty());
        Self(
            pairs
                .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
                .map(|(name, value)| (decode(name), decode(value)))
                .collect(),
        )
    }

    /// The first value of that name.
    pub(super) fn value(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }
}

impl Response {
    /// A response with a body of this type.
    pub(crate) fn new(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        Self { status, header: format!("Content-Type: {content_type}\r\n"), body: body.into() }
    }

    /// A redirection.
    pub(super) fn redirect(location: &str) -> Self {
        Self { status: 302, header: format!("Location: {location}\r\n"), body: Vec::new() }
    }

    /// The body as a text.
    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// Asks a server on loopback for a path and returns status and body.
pub(super) fn get(port: u16, path: &str) -> Result<(u16, String)> {
    ask(port, path).map(|response| (response.status, response.text()))
}

/// Opens a page on loopback as a browser does: goes where it is sent. The text that a person sees in the end.
pub(crate) fn browse(url: &str) -> Result<String> {
    const MOST_REDIRECTS: usize = 10;
    let mut url = url.to_owned();
    for _ in 0..MOST_REDIRECTS {
        let (port, path) = loopback_parts(&url).with_context(|| format!("`{url}` is not on loopback"))?;
        let response = ask(port, &path)?;
        let status = response.status;
        match response.header.lines().filter_map(|line| line.split_once(": ")).find(|(name, _)| is_location(name)) {
            Some((_, location)) if (300..400).contains(&status) => location.clone_into(&mut url),
            _ if status == 200 => return Ok(response.text()),
            _ => bail!("`{url}` answers {status}: {}", response.text()),
        }
    }
    bail!("`{url}` is one redirection too many")
}

fn is_location(name: &str) -> bool {
    name.eq_ignore_ascii_case("location")
}

/// The port, and the path with its query.
fn loopback_parts(url: &str) -> Option<(u16, String)> {
    let rest = url.strip_prefix("http://")?;
    let (authority, target) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    let (host, port) = authority.split_once(':')?;
    let path = if target.starts_with('/') { target.to_owned() } else { format!("/{target}") };
    matches!(host, "127.0.0.1" | "localhost").then_some((port.parse().ok()?, path))
}

fn ask(port: u16, path: &str) -> Result<Response> {
    let mut stream = TcpStream::connect_timeout(&loopback(port), PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    // With HTTP/1.0 the body ends where the connection does.
    write!(stream, "GET {path} HTTP/1.0\r\nHost: 127.0.0.1:{port}\r\n\r\n")?;
    let mut response = Vec::new();
    stream.read_to_end(&mut response)?;
    let end = response.windows(4).position(|bytes| bytes == b"\r\n\r\n").context("no HTTP response")?;
    let header = String::from_utf8_lossy(&response[..end]).into_owned();
    let status = header.split(' ').nth(1).and_then(|status| status.parse().ok()).context("no HTTP status")?;
    Ok(Response { status, header, body: response.split_off(end + 4) })
}

/// Writes a text so that it can stand in a query.
pub(super) fn encode(text: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes()
        .map(|byte| if is_plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let escaped = tail.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        match (first, escaped.and_then(|digits| u8::from_str_radix(digits, 16).ok())) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = &tail[2..];
                continue;
            }
            (b'+', _) => bytes.push(b' '),
            (byte, _) => bytes.push(*byte),
        }
        rest = tail;
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn loopback(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}

fn converse(mut connection: &TcpStream, answer: &impl Fn(&Request) -> Response) -> Result<()> {
    connection.set_read_timeout(Some(PATIENCE))?;
    let response = match read_request(connection) {
        Ok(request) => answer(&request),
        Err(error) => Response::new(400, "text/plain", format!("{error:#}\n")),
    };
    let Response { status, header, body } = response;
    write!(connection, "HTTP/1.1 {status} -\r\n{header}Content-Length: {}\r\nConnection: close\r\n\r\n", body.len())?;
    connection.write_all(&body)?;
    Ok(())
}

fn read_request(connection: &TcpStream) -> Result<Request> {
    let mut reader = BufReader::new(connection);
    let mut line = || -> Result<String> {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        Ok(line.trim_end().to_owned())
    };
    let start = line()?;
    let mut words = start.split(' ');
    let (Some(method), Some(target)) = (words.next(), words.next()) else { bail!("no request") };

    let (mut body_bytes, mut authorization) = (0, String::new());
    loop {
        let field = line()?;
        let Some((name, value)) = field.split_once(':') else { break };
        match name.to_ascii_lowercase().as_str() {
            "content-length" => body_bytes = value.trim().parse()?,
            "authorization" => value.trim().clone_into(&mut authorization),
            _ => {}
        }
    }
    if body_bytes > LONGEST_BODY_BYTES {
        bail!("the request is too long");
    }
    let mut body = vec![0; body_bytes];
    reader.read_exact(&mut body)?;

    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    Ok(Request {
        method: method.to_owned(),
        path: path.to_owned(),
        query: Parameters::parse(query),
        form: Parameters::parse(&String::from_utf8_lossy(&body)),
        authorization,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_is_browsed() {
        let found = |url| loopback_parts(url).map(|(port, path)| format!("{port} {path}"));
        assert_eq!(found("http://localhost:80/a?b=c").as_deref(), Some("80 /a?b=c"));
        assert_eq!(found("http://localhost:80?b=c/d").as_deref(), Some("80 /?b=c/d"));
        assert_eq!(found("http://127.0.0.1:8080").as_deref(), Some("8080 /"));
        for url in ["http://example.com:80/", "https://localhost:80/", "http://localhost/", "http://localhost:/"] {
            assert_eq!(loopback_parts(url), None, "{url}");
        }
    }

    #[test]
    fn parameters_survive_a_query() {
        let value = "http://localhost:1/?a=b&c=100% +é";
        let parameters = Parameters::parse(&format!("x=&redirect_uri={}", encode(value)));
        assert_eq!(parameters.value("redirect_uri"), Some(value));
        assert_eq!(parameters.value("x"), Some(""));
        assert_eq!(parameters.value("y"), None);
        assert_eq!(Parameters::parse("a=b+c%2").value("a"), Some("b c%2"));
    }
}
