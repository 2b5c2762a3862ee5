//! Rekor: logs that make signatures public.

use model_transparency::envelope::LogEntryRecord;
use model_transparency::sign::{Log, LogSubmission, Role, ServiceError};

use super::{rekor_v1, rekor_v2};
use crate::InvalidEndpoint;
use crate::endpoint::Endpoint;
use crate::http::{Patience, Redirects};

/// An entry with its proof takes 3 to 10 KB; a checkpoint with many witnesses more.
pub(super) const MAX_ANSWER_BYTES: usize = 256 << 10;

/// A transparency log that is asked over HTTP or HTTPS.
#[derive(Debug)]
pub struct Rekor {
    endpoint: Endpoint,
    version: RekorVersion,
}

/// How a log is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RekorVersion {
    /// It sees the whole envelope, the names and digests of the model's files, and keeps the digests of both.
    V1,
    /// It sees and keeps the digest of what was signed.
    V2,
}

impl RekorVersion {
    /// The version with this number.
    #[must_use]
    pub const fn from_major(version: u32) -> Option<Self> {
        match version {
            1 => Some(Self::V1),
            2 => Some(Self::V2),
            _ => None,
        }
    }
}

impl Rekor {
    /// The log at `url`.
    ///
    /// # Errors
    /// [`InvalidEndpoint`] if there can't be one.
    pub fn new(url: &str, version: RekorVersion) -> Result<Self, InvalidEndpoint> {
        Self::with_patience(url, version, Patience::default())
    }

    /// Where it is, without what may be secret in that.
    #[must_use]
    pub fn url(&self) -> String {
        self.endpoint.shown_text()
    }

    pub(crate) fn with_patience(url: &str, version: RekorVersion, patience: Patience) -> Result<Self, InvalidEndpoint> {
        Ok(Self { endpoint: Endpoint::new(Role::TransparencyLog, url, Redirects::OfTheSame, patience)?, version })
    }
}

impl Log for Rekor {
    fn add(&self, submission: &LogSubmission<'_>) -> Result<LogEntryRecord, ServiceError> {
        match self.version {
            RekorVersion::V1 => rekor_v1::add(&self.endpoint, submission),
            RekorVersion::V2 => rekor_v2::add(&self.endpoint, submission),
        }
    }
}
