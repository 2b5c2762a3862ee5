//! How one service behaves at the moment, and what it was asked.

use std::collections::{HashSet, VecDeque};
use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::http::{Request, lock};
use crate::service::Service;

/// What goes wrong with the connection or the answer, whatever was asked.
#[derive(Clone, Debug)]
pub enum Fault {
    /// The connection ends without an answer.
    Closes,
    /// This status, and this message in the form in which the service has its errors.
    Status(u16, String),
    /// This status, media type and body.
    Replies(u16, String, Vec<u8>),
    /// The status of the right answer, with bytes that are no answer.
    Garbage,
    /// The status of the right answer, with this many bytes.
    Oversize(usize),
    /// The first half of the right answer, then the end of the connection.
    Truncates,
    /// The right answer, after this time.
    Delays(Duration),
    /// The right answer, with this time before each byte of it.
    Drips(Duration),
    /// Nothing, and the connection stays open.
    Hangs,
    /// Elsewhere.
    Redirects(String),
}

/// A way in which the service that answers is not honest. Each is of certain services.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Lie {
    /// Fulcio: no signed certificate timestamp.
    NoSct,
    /// Fulcio: a signed certificate timestamp that a key signed which is not the log's.
    SctOfAnotherKey,
    /// Fulcio: a certificate for a key that nobody asked for.
    CertificateOfAnotherKey,
    /// Fulcio: a certificate for `mallory@example.com`.
    CertificateOfAnotherIdentity,
    /// Fulcio: a certificate by an authority of the same names that nobody trusts.
    CertificateOfAnotherAuthority,
    /// Fulcio: the token was issued by somebody else, the certificate says.
    CertificateOfAnotherIssuer,
    /// Rekor: one bit of the inclusion proof is another.
    InclusionProofAltered,
    /// Rekor: the checkpoint has another root hash than was signed.
    CheckpointAltered,
    /// Rekor: another key signed the checkpoint, and its hint is there.
    CheckpointOfAnotherKey,
    /// Rekor: another key signed the checkpoint, with the hint of the right one.
    CheckpointForged,
    /// Rekor v1: the signed entry timestamp is of another time.
    SetAltered,
    /// Rekor: the answer is all about an entry of the same kind that somebody else made.
    EntryOfAnotherBody,
    /// Rekor v1: entries of envelopes have always had another certificate; everything is consistent with that.
    EntryOfAnotherCertificate,
    /// Rekor: the index in the log is another: one too low, or 1 for 0.
    LogIndexOff,
    /// Rekor: the log's first entry has always been another; everything is consistent with that.
    Forked,
    /// Timestamps: of another signature, with the nonce of the request.
    TimestampOfAnotherSignature,
    /// Timestamps: with another nonce.
    TimestampOfAnotherNonce,
    /// Timestamps: another key signed it.
    TimestampOfAnotherKey,
    /// Timestamps: the request is rejected, with status 200.
    TimestampRejected,
    /// OpenID Connect: the redirect has another `state`.
    AnotherState,
    /// OpenID Connect: the token has another `nonce`.
    AnotherNonce,
    /// OpenID Connect: the user says no.
    AccessDenied,
}

impl Lie {
    /// Every one.
    pub const ALL: [Self; 22] = [
        Self::NoSct,
        Self::SctOfAnotherKey,
        Self::CertificateOfAnotherKey,
        Self::CertificateOfAnotherIdentity,
        Self::CertificateOfAnotherAuthority,
        Self::CertificateOfAnotherIssuer,
        Self::InclusionProofAltered,
        Self::CheckpointAltered,
        Self::CheckpointOfAnotherKey,
        Self::CheckpointForged,
        Self::SetAltered,
        Self::EntryOfAnotherBody,
        Self::EntryOfAnotherCertificate,
        Self::LogIndexOff,
        Self::Forked,
        Self::TimestampOfAnotherSignature,
        Self::TimestampOfAnotherNonce,
        Self::TimestampOfAnotherKey,
        Self::TimestampRejected,
        Self::AnotherState,
        Self::AnotherNonce,
        Self::AccessDenied,
    ];

    /// Whether the service can lie in this way.
    pub fn is_of(self, service: Service) -> bool {
        match self {
            Self::NoSct
            | Self::SctOfAnotherKey
            | Self::CertificateOfAnotherKey
            | Self::CertificateOfAnotherIdentity
            | Self::CertificateOfAnotherAuthority
            | Self::CertificateOfAnotherIssuer => service == Service::Fulcio,
            Self::InclusionProofAltered
            | Self::CheckpointAltered
            | Self::CheckpointOfAnotherKey
            | Self::CheckpointForged
            | Self::EntryOfAnotherBody
            | Self::LogIndexOff
            | Self::Forked => matches!(service, Service::RekorV1 | Service::RekorV2),
            Self::SetAltered | Self::EntryOfAnotherCertificate => service == Service::RekorV1,
            Self::TimestampOfAnotherSignature
            | Self::TimestampOfAnotherNonce
            | Self::TimestampOfAnotherKey
            | Self::TimestampRejected => service == Service::Timestamps,
            Self::AnotherState | Self::AnotherNonce | Self::AccessDenied => service == Service::Oidc,
        }
    }
}

/// A request that a service got.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The method, in capitals.
    pub method: String,
    /// The path, without the query.
    pub path: String,
    /// The headers in order, their names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

/// The behaviour and the memory of one service.
pub(crate) struct Desk {
    service: Service,
    faults: Mutex<Faults>,
    lies: Mutex<HashSet<Lie>>,
    clock_offset_seconds: AtomicI64,
    seen: Mutex<Vec<Seen>>,
}

#[derive(Default)]
struct Faults {
    next: VecDeque<Fault>,
    always: Option<Fault>,
}

impl Desk {
    pub(crate) fn new(service: Service) -> Self {
        Self {
            service,
            faults: Mutex::default(),
            lies: Mutex::default(),
            clock_offset_seconds: AtomicI64::new(0),
            seen: Mutex::default(),
        }
    }

    pub(crate) fn service(&self) -> Service {
        self.service
    }

    pub(crate) fn see(&self, request: &Request) {
        let Request { method, path, headers, body, .. } = request.clone();
        lock(&self.seen).push(Seen { method, path, headers, body });
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        lock(&self.seen).clone()
    }

    pub(crate) fn next_fault(&self) -> Option<Fault> {
        let mut faults = lock(&self.faults);
        faults.next.pop_front().or_else(|| faults.always.clone())
    }

    pub(crate) fn fail(&self, fault: Fault) {
        lock(&self.faults).always = Some(fault);
    }

    pub(crate) fn fail_next(&self, requests: usize, fault: Fault) {
        lock(&self.faults).next.extend(std::iter::repeat_n(fault, requests));
    }

    pub(crate) fn lie(&self, lie: Lie) {
        assert!(lie.is_of(self.service), "{lie:?} is nothing that {:?} can say", self.service);
        lock(&self.lies).insert(lie);
    }

    pub(crate) fn lies(&self, lie: Lie) -> bool {
        lock(&self.lies).contains(&lie)
    }

    /// Ends every fault and lie, and sets the clock right.
    pub(crate) fn heal(&self) {
        *lock(&self.faults) = Faults::default();
        lock(&self.lies).clear();
        self.set_clock(0);
    }

    pub(crate) fn set_clock(&self, offset_seconds: i64) {
        self.clock_offset_seconds.store(offset_seconds, Ordering::Relaxed);
    }

    /// Seconds since 1970 by this service's clock.
    pub(crate) fn now(&self) -> i64 {
        now() + self.clock_offset_seconds.load(Ordering::Relaxed)
    }
}

/// Seconds since 1970.
pub(crate) fn now() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a time after 1970");
    i64::try_from(now.as_secs()).expect("a time in range")
}
