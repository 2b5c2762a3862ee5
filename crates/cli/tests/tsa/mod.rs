//! A timestamp authority (RFC 3161) on the loopback interface: `openssl ts` behind a small HTTP server, honest or not.
//!
//! And chains for signing code that are valid when a test says. It uses the standard library, `tempfile` and the
//! `openssl` command line, and knows nothing of what it tests.

pub(crate) mod code_signing;
mod openssl;
mod query;
mod server;

use std::fs;
use std::path::Path;

use self::openssl::{Issuer, Pki, Usage};
pub(crate) use self::openssl::{KeyKind, Validity, has_openssl, openssl};
use self::server::Server;

/// How an authority is set up and how it behaves.
#[derive(Clone, Copy)]
pub(crate) struct Options {
    pub(crate) key: KeyKind,
    /// When its certificate is valid; those above it are for years.
    pub(crate) validity: Validity,
    pub(crate) certificates: Certificates,
    /// How many digits its clock has after the second: 0 to 6.
    pub(crate) fraction_digits: u8,
    /// How good the clock is, as `openssl` reads it: `secs:1, millisecs:500` for example.
    pub(crate) accuracy: Option<&'static str>,
    pub(crate) behaviour: Behaviour,
}

/// What an honest reply carries to a client that asks for certificates.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Certificates {
    /// The authority's certificate and the one above it.
    Chain,
    /// The authority's certificate alone.
    Signer,
}

/// What the authority answers.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Behaviour {
    /// What it is asked for.
    Honest,
    /// This HTTP status and no timestamp.
    Status(u16),
    /// A reply that rejects the request.
    Rejects,
    /// Bytes that are no reply.
    Garbage,
    /// A timestamp of another digest, with the nonce of the request.
    AnotherDigest,
    /// A timestamp with another nonce.
    AnotherNonce,
    /// The reply to the first request, whatever is asked later.
    Replays,
    /// The first half of a reply, as if that were all.
    Truncated,
    /// The first half of a reply, then the end of the connection.
    ClosesEarly,
    /// The whole reply, after this many milliseconds.
    Delays(u64),
    /// The whole reply, with this many milliseconds before each byte.
    Drips(u64),
    /// Nothing, and the connection stays open.
    Hangs,
    /// This many bytes.
    Oversize(usize),
}

impl Default for Options {
    /// An honest authority with a key on P-256, a valid certificate and whole seconds, which sends its chain.
    fn default() -> Self {
        Self {
            key: KeyKind::P256,
            validity: Validity::days(-1, 365),
            certificates: Certificates::Chain,
            fraction_digits: 0,
            accuracy: None,
            behaviour: Behaviour::Honest,
        }
    }
}

/// A running authority. It ends when it is dropped.
pub(crate) struct TimestampAuthority {
    // Before the folder that it answers from.
    server: Server,
    folder: tempfile::TempDir,
}

impl TimestampAuthority {
    /// Makes the authority's certificates and starts to answer.
    pub(crate) fn start(options: Options) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let pki = Pki::new(folder.path());
        let years = Validity::days(-3650, 3650);
        pki.issue("root", KeyKind::P256, Usage::Authority, years, Issuer::Itself);
        pki.issue("intermediate", KeyKind::P256, Usage::Authority, years, Issuer::Named("root"));
        pki.issue("authority", options.key, Usage::TimeStamping, options.validity, Issuer::Named("intermediate"));
        write_configuration(folder.path(), &options);
        let server = Server::start(folder.path().to_owned(), options.behaviour);
        Self { server, folder }
    }

    /// Where it is asked for timestamps.
    pub(crate) fn url(&self) -> String {
        format!("http://{}/timestamp", self.server.address())
    }

    /// The certificate to trust.
    pub(crate) fn root_pem(&self) -> String {
        self.pem("root")
    }

    /// The authority's certificate and the one above it, without the root.
    pub(crate) fn chain_pem(&self) -> String {
        self.pem("authority") + &self.pem("intermediate")
    }

    /// Revokes its certificate, and gives the list (PEM) of who issued it.
    pub(crate) fn revoke(&self) -> String {
        let folder = self.folder.path();
        let configuration = "[ca]\ndefault_ca = list\n[list]\ndatabase = revoked.txt\ndefault_md = sha256\n\
                             default_crl_days = 1\ncrlnumber = list-number\n";
        for (name, content) in [("revoked.cnf", configuration), ("revoked.txt", ""), ("list-number", "01\n")] {
            fs::write(folder.join(name), content).expect("written");
        }
        let issuer = "ca -config revoked.cnf -keyfile intermediate.key -cert intermediate.pem";
        openssl(folder, &format!("{issuer} -revoke authority.pem")).expect("revoked");
        openssl(folder, &format!("{issuer} -gencrl")).expect("a list")
    }

    /// The requests (`TimeStampReq`, DER) in the order in which they came.
    pub(crate) fn requests_seen(&self) -> Vec<Vec<u8>> {
        self.server.requests_seen()
    }

    fn pem(&self, name: &str) -> String {
        fs::read_to_string(self.folder.path().join(format!("{name}.pem"))).expect("a certificate")
    }
}

/// Writes `ts.cnf` with the sections `honest` and `rejecting`.
fn write_configuration(folder: &Path, options: &Options) {
    let mut common = format!(
        "serial = serial\n\
         crypto_device = builtin\n\
         signer_cert = authority.pem\n\
         signer_key = authority.key\n\
         signer_digest = {}\n\
         default_policy = 1.3.6.1.4.1.57264.2\n\
         clock_precision_digits = {}\n\
         ess_cert_id_chain = no\n\
         ess_cert_id_alg = sha256\n",
        options.key.hash(),
        options.fraction_digits,
    );
    if options.certificates == Certificates::Chain {
        common.push_str("certs = intermediate.pem\n");
    }
    if let Some(accuracy) = options.accuracy {
        common.push_str(&format!("accuracy = {accuracy}\n"));
    }
    // No client asks for a timestamp of SHA-1.
    let text = format!("[honest]\n{common}digests = sha256, sha384, sha512\n[rejecting]\n{common}digests = sha1\n");
    fs::write(folder.join("ts.cnf"), text).expect("written");
}
