//! Trust as values: what a verdict rests on.

mod public_authorities;
mod timestamps;

use crate::certificate::{Certificate, IdentityRule, RevocationList, UnixTime};
use crate::key::PublicKey;
use crate::log::LogKeys;
use crate::sigstore::SigstoreTrust;

pub use public_authorities::public_authorities;
pub use timestamps::{InvalidTrustedRoot, MAX_TRUSTED_ROOT_BYTES, TimestampAuthority};

/// What a verification rests on.
#[derive(Clone, Copy, Debug)]
pub struct Trust<'a> {
    /// Who may have signed.
    pub signer: SignerTrust<'a>,
    /// Whose timestamps are believed.
    pub timestamps: TimestampTrust<'a>,
    /// Whose logs are believed about signatures of keys and certificates. With none, entries are not looked at. What a
    /// signature of a Sigstore instance needs is in its trusted root.
    pub logs: Option<LogTrust<'a>>,
}

/// What is trusted to have signed a model.
#[derive(Clone, Copy, Debug)]
pub enum SignerTrust<'a> {
    /// A public key, because the user gave it.
    Key(&'a PublicKey),
    /// Whoever certain authorities certify.
    Certificates(CertificateTrust<'a>),
    /// Whoever an identity provider vouches for, to a Sigstore instance.
    Sigstore(SigstoreTrust<'a>),
}

/// Whom to believe about certificates, and when.
#[derive(Clone, Copy, Debug)]
pub struct CertificateTrust<'a> {
    /// The certificates that a path may end in.
    pub anchors: Anchors<'a>,
    /// A name that the leaf has to have.
    pub identity: Option<&'a IdentityRule>,
    /// What the issuers publish about certificates that are no longer good.
    pub revocation_lists: &'a [RevocationList],
    /// The time of the verification. A path is valid at this time, unless a timestamp says when the signature was there.
    pub now: UnixTime,
}

/// The certificates that a path may end in.
#[derive(Clone, Copy, Debug)]
pub enum Anchors<'a> {
    /// Those that the user gave.
    Given(&'a [Certificate]),
    /// The public authorities. They certify anybody, so the identity has to be given with them.
    Public(&'a [Certificate]),
}

impl<'a> Anchors<'a> {
    /// The certificates.
    #[must_use]
    pub const fn certificates(&self) -> &'a [Certificate] {
        match *self {
            Self::Given(certificates) | Self::Public(certificates) => certificates,
        }
    }
}

/// Whose timestamps are believed.
#[derive(Clone, Copy, Debug, Default)]
pub struct TimestampTrust<'a> {
    /// The authorities. With none, timestamps are not looked at; with some, each in the bundle has to hold.
    pub authorities: &'a [TimestampAuthority],
    /// Whether a signature without a timestamp is refused.
    pub required: bool,
}

/// Which transparency logs are believed.
#[derive(Clone, Copy, Debug)]
pub struct LogTrust<'a> {
    /// The logs. Each entry of theirs in the bundle has to hold.
    pub logs: &'a LogKeys,
    /// What an entry of another log means.
    pub unknown: UnknownLogs,
    /// Whether a signature without an entry that holds is refused.
    pub required: bool,
    /// The time of the verification: no log has taken an entry later.
    pub now: UnixTime,
}

/// What an entry of a log that is not known means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnknownLogs {
    /// Nothing; it counts as not checked.
    PassOver,
    /// That the signature is refused.
    Refuse,
}

impl<'a> Trust<'a> {
    /// Trust in a key, and in nobody's timestamps.
    #[must_use]
    pub fn key(key: &'a PublicKey) -> Self {
        Self { signer: SignerTrust::Key(key), timestamps: TimestampTrust::default(), logs: None }
    }

    /// Trust in certificates, and in nobody's timestamps.
    #[must_use]
    pub fn certificates(trust: CertificateTrust<'a>) -> Self {
        Self { signer: SignerTrust::Certificates(trust), timestamps: TimestampTrust::default(), logs: None }
    }

    /// Trust in a Sigstore instance, and in the timestamps of its trusted root.
    #[must_use]
    pub fn sigstore(trust: SigstoreTrust<'a>) -> Self {
        Self { signer: SignerTrust::Sigstore(trust), timestamps: TimestampTrust::default(), logs: None }
    }

    /// The same with these timestamps.
    #[must_use]
    pub fn with_timestamps(self, timestamps: TimestampTrust<'a>) -> Self {
        Self { timestamps, ..self }
    }

    /// The same with these logs.
    #[must_use]
    pub fn with_logs(self, logs: LogTrust<'a>) -> Self {
        Self { logs: Some(logs), ..self }
    }

    /// The signing method that this trust is for.
    #[must_use]
    pub const fn method(&self) -> &'static str {
        match self.signer {
            SignerTrust::Key(_) => "key",
            SignerTrust::Certificates(_) => "certificate",
            SignerTrust::Sigstore(_) => "sigstore",
        }
    }
}
