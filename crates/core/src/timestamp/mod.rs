//! Timestamps (RFC 3161): asking for one, reading it, and believing it.
//!
//! A timestamp says that somebody else saw the signature at a time. In a bundle it is over the signature's bytes.

mod token;
mod wire;

use aws_lc_rs::digest;
use der::asn1::{Int, ObjectIdentifier, OctetString};
use der::{Decode, Encode};
use x509_cert::spki::AlgorithmIdentifierOwned;

use crate::certificate::{Certificate, PathError, Revocation, UnixTime, ValidPath};
use crate::certificate::{NOT_NESTED, Sets, has_small_sets};
use crate::trust::TimestampAuthority;
use token::Token;
use wire::{MessageImprint, TimeStampReq, TimeStampResp};

/// The largest timestamp that is read, in bytes. One with its certificates takes 2 to 8 KB.
pub const MAX_TIMESTAMP_BYTES: usize = 128 << 10;

const SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.1");
const SHA384: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.2");
const SHA512: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.3");

/// A timestamp as a bundle has it: a response that grants one, or the token alone. Nothing of it is verified.
#[derive(Clone, Debug)]
pub struct Timestamp {
    token: Token,
}

/// A timestamp that an authority vouches for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedTimestamp {
    /// The time, to the second.
    pub time: UnixTime,
    /// Who vouches for it: the certificates from the signer of the timestamp to the trusted one.
    pub path: ValidPath,
    /// What the issuers of these certificates say of them.
    pub revocation: Revocation,
}

impl Timestamp {
    /// Reads a timestamp.
    ///
    /// # Errors
    /// [`TimestampError`]: what is wrong with it.
    pub fn parse(bytes: &[u8]) -> Result<Self, TimestampError> {
        if bytes.len() > MAX_TIMESTAMP_BYTES {
            return Err(TimestampError::TooLarge { found: bytes.len() });
        }
        if !has_small_sets(bytes, Sets::Implicit) {
            return Err(malformed(NOT_NESTED));
        }
        let Ok(response) = TimeStampResp::from_der(bytes) else {
            return Token::from_der(bytes).map(|token| Self { token });
        };
        let status = response.status;
        // Granted, or granted with modifications.
        if !matches!(status.status, 0 | 1) {
            let said = status.status_string.unwrap_or_default().join("; ");
            let failure = status.fail_info.map(|bits| bits.raw_bytes().to_vec()).unwrap_or_default();
            return Err(TimestampError::NotGranted { status: status.status, said: said_by(&said, &failure) });
        }
        let token = response.time_stamp_token.ok_or_else(|| malformed("it has no token"))?;
        let token = token.to_der().map_err(malformed)?;
        Token::from_der(&token).map(|token| Self { token })
    }

    /// The time that it states, **unverified**.
    #[must_use]
    pub fn stated_time(&self) -> UnixTime {
        self.token.time
    }

    /// The certificates in it, **unverified**.
    #[must_use]
    pub fn certificates(&self) -> &[Certificate] {
        &self.token.certificates
    }

    /// The certificate of its signer, **unverified**, if it is in it.
    #[must_use]
    pub fn signer(&self) -> Option<&Certificate> {
        self.token.certificates.iter().find(|certificate| self.token.is_signer(certificate))
    }

    /// Checks that it is over `signature`, and that one of `authorities` vouches for it at its time.
    ///
    /// # Errors
    /// [`TimestampError`]: why it is not to be believed.
    pub fn verify(
        &self,
        signature: &[u8],
        authorities: &[TimestampAuthority],
    ) -> Result<VerifiedTimestamp, TimestampError> {
        self.require_over(signature)?;
        let mut error = None;
        for authority in authorities {
            match self.token.verify(authority) {
                Ok(verified) => return Ok(verified),
                // An authority that is not the one says less than the one that is.
                Err(
                    TimestampError::Path(PathError::NoPath { .. } | PathError::NotTrusted { .. })
                    | TimestampError::NoSigner,
                ) if error.is_some() => {}
                Err(other) => error = Some(other),
            }
        }
        Err(error.unwrap_or(TimestampError::NoAuthority))
    }

    /// Checks that it is over `signature` and consistent in itself: for a new timestamp, when nobody says whom to trust.
    ///
    /// # Errors
    /// [`TimestampError`]: what does not hold.
    pub fn check_consistent(&self, signature: &[u8]) -> Result<(), TimestampError> {
        self.require_over(signature)?;
        self.token.check_signature(&[]).map(drop)
    }

    fn require_over(&self, signature: &[u8]) -> Result<(), TimestampError> {
        let imprint = &self.token.info.message_imprint;
        let algorithm = imprint.hash_algorithm.oid;
        let expected =
            hash(algorithm, signature).ok_or_else(|| TimestampError::Hash { found: algorithm.to_string() })?;
        if imprint.hashed_message.as_bytes() == expected { Ok(()) } else { Err(TimestampError::OtherSignature) }
    }
}

/// A request for a timestamp over a signature.
#[derive(Clone, Debug)]
pub struct TimestampRequest {
    request: TimeStampReq,
}

impl TimestampRequest {
    /// Asks for a timestamp over the SHA-256 of `signature`, with the authority's certificates and with `nonce`.
    ///
    /// # Errors
    /// [`TimestampError::Malformed`] never happens with a nonce that is not empty.
    pub fn new(signature: &[u8], nonce: [u8; 8]) -> Result<Self, TimestampError> {
        let mut positive = nonce;
        // A positive number without leading zeros, so that it comes back as it is sent.
        positive[0] = positive[0] & 0x7f | 0x40;
        let request = TimeStampReq {
            version: 1,
            message_imprint: MessageImprint {
                hash_algorithm: AlgorithmIdentifierOwned { oid: SHA256, parameters: Some(der::asn1::Any::null()) },
                hashed_message: OctetString::new(digest::digest(&digest::SHA256, signature).as_ref())
                    .map_err(malformed)?,
            },
            nonce: Int::new(&positive).map_err(malformed)?,
            cert_req: true,
        };
        Ok(Self { request })
    }

    /// The request as it is sent, `application/timestamp-query`.
    ///
    /// # Errors
    /// [`TimestampError::Malformed`] never happens.
    pub fn to_der(&self) -> Result<Vec<u8>, TimestampError> {
        self.request.to_der().map_err(malformed)
    }

    /// Checks that `response` answers this request (RFC 3161 §2.4.2). Who made it is not looked at.
    ///
    /// # Errors
    /// [`TimestampError`]: what is wrong with it.
    pub fn accept(&self, response: &[u8]) -> Result<Timestamp, TimestampError> {
        let timestamp = Timestamp::parse(response)?;
        let info = &timestamp.token.info;
        let (asked, stamped) = (&self.request.message_imprint, &info.message_imprint);
        if stamped.hash_algorithm.oid != asked.hash_algorithm.oid || stamped.hashed_message != asked.hashed_message {
            return Err(TimestampError::OtherSignature);
        }
        if info.nonce.as_ref() != Some(&self.request.nonce) {
            return Err(TimestampError::OtherNonce);
        }
        Ok(timestamp)
    }
}

/// What an authority says when it refuses.
fn said_by(text: &str, failure: &[u8]) -> String {
    const REASONS: [(usize, &str); 8] = [
        (0, "badAlg"),
        (2, "badRequest"),
        (5, "badDataFormat"),
        (14, "timeNotAvailable"),
        (15, "unacceptedPolicy"),
        (16, "unacceptedExtension"),
        (17, "addInfoNotAvailable"),
        (25, "systemFailure"),
    ];
    let is_set = |bit: usize| failure.get(bit / 8).is_some_and(|byte| byte & (0x80 >> (bit % 8)) != 0);
    let mut said: Vec<&str> = REASONS.iter().filter(|(bit, _)| is_set(*bit)).map(|(_, name)| *name).collect();
    if !text.is_empty() {
        said.push(text);
    }
    if said.is_empty() { "no reason given".to_owned() } else { said.join(", ") }
}

fn hash(algorithm: ObjectIdentifier, bytes: &[u8]) -> Option<Vec<u8>> {
    let algorithm = match algorithm {
        SHA256 => &digest::SHA256,
        SHA384 => &digest::SHA384,
        SHA512 => &digest::SHA512,
        _ => return None,
    };
    Some(digest::digest(algorithm, bytes).as_ref().to_vec())
}

fn malformed(error: impl std::fmt::Display) -> TimestampError {
    TimestampError::Malformed(error.to_string())
}

/// Why a timestamp is not to be believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TimestampError {
    /// It is larger than any that is read.
    #[error("expected at most {MAX_TIMESTAMP_BYTES} bytes, found {found}")]
    TooLarge {
        /// Its length in bytes.
        found: usize,
    },
    /// The bytes are not an RFC 3161 response or token in DER.
    #[error("it is not an RFC 3161 timestamp: {0}")]
    Malformed(String),
    /// The authority refused.
    #[error("the authority did not grant it (status {status}): {said}")]
    NotGranted {
        /// `PKIStatus`.
        status: u8,
        /// What the authority says.
        said: String,
    },
    /// It is over something else.
    #[error("it is over another signature")]
    OtherSignature,
    /// It answers another request.
    #[error("it answers another request: the nonce is not the one that was sent")]
    OtherNonce,
    /// It uses a hash that is not accepted.
    #[error("expected SHA-256, SHA-384 or SHA-512, found the hash {found}")]
    Hash {
        /// The object identifier.
        found: String,
    },
    /// It is signed with an algorithm, or a kind of key, that is not accepted.
    #[error(
        "it is signed with {found}: expected RSA (PKCS#1 v1.5) or ECDSA on P-256, P-384 or P-521 with SHA-256 to \
         SHA-512, or Ed25519"
    )]
    Algorithm {
        /// The algorithm.
        found: String,
    },
    /// The certificate of who signed it is neither in it nor given.
    #[error("the certificate of its signer is neither in it nor among those that were given")]
    NoSigner,
    /// The signature in it does not hold.
    #[error("its signature does not hold: {0}")]
    Signature(&'static str),
    /// There is no valid path from its signer to a trusted certificate at its time.
    #[error("its signer is not trusted: {0}")]
    Path(#[from] PathError),
    /// The authority is not trusted at that time.
    #[error("its time, {time}, is outside the period in which its authority is trusted")]
    OutsidePeriod {
        /// The time.
        time: UnixTime,
    },
    /// Its time has not come yet.
    #[error("its time, {time}, is in the future: it is {now}")]
    Future {
        /// The time.
        time: UnixTime,
        /// The time of the verification.
        now: UnixTime,
    },
    /// Nobody is trusted to make timestamps.
    #[error("no timestamp authority is trusted")]
    NoAuthority,
}
