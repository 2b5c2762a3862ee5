//! Verification Summary Attestations (SLSA v1.2, "Verification Summary Attestation"): somebody verified an artifact, and
//! says so under a key, a certificate or an identity.
//!
//! The digests of the artifact are given, never computed here.

mod expectations;
mod level;
mod signer;
mod summary;

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::envelope::{self, InvalidBundle, InvalidJson, Object};
use crate::verify::SignatureError;

pub use super::dsse::{InvalidEnvelope, MAX_ENVELOPE_BYTES};
pub use expectations::{Expectations, InvalidExpectation, SubjectDigest, TrustedKey};
pub use level::{InvalidLevel, Level, VerifiedLevel};
pub use signer::{SummarySigner, VerifierTrust};
pub use summary::{InputAttestation, InvalidSummary, VerificationSummary};

/// `predicateType` of a summary.
pub const PREDICATE_TYPE: &str = "https://slsa.dev/verification_summary/v1";

/// `_type` of a statement that may carry it.
const STATEMENT_TYPES: [&str; 2] = ["https://in-toto.io/Statement/v1", "https://in-toto.io/Statement/v0.1"];

/// The one `verificationResult` that lets an artifact pass.
const PASSED: &str = "PASSED";

/// How much of what was found an error lists.
const MAX_LISTED: usize = 8;

/// A summary whose signature holds and which says all that was expected: only [`verify_summary`] makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedSummary {
    signer: SummarySigner,
    payload: Vec<u8>,
    subjects: Vec<Subject>,
    verifier_id: String,
    resource_uri: String,
    levels: Vec<VerifiedLevel>,
    time_verified: Option<String>,
    policy_uri: Option<String>,
}

/// An artifact that a summary speaks of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// What it is called there; no check relies on it.
    pub name: Option<String>,
    /// Its digests.
    pub digests: Vec<SubjectDigest>,
}

impl VerifiedSummary {
    /// Who signed it, as the trust has it.
    #[must_use]
    pub fn signer(&self) -> &SummarySigner {
        &self.signer
    }

    /// The signed statement, byte for byte.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// Every artifact that the summary speaks of.
    #[must_use]
    pub fn subjects(&self) -> &[Subject] {
        &self.subjects
    }

    /// Who verified, as expected.
    #[must_use]
    pub fn verifier_id(&self) -> &str {
        &self.verifier_id
    }

    /// What the artifact is, as expected.
    #[must_use]
    pub fn resource_uri(&self) -> &str {
        &self.resource_uri
    }

    /// Every level that the verifier found, more than were expected perhaps.
    #[must_use]
    pub fn levels(&self) -> &[VerifiedLevel] {
        &self.levels
    }

    /// When the verifier says that it verified.
    #[must_use]
    pub fn time_verified(&self) -> Option<&str> {
        self.time_verified.as_deref()
    }

    /// Which policy the verifier says that it applied.
    #[must_use]
    pub fn policy_uri(&self) -> Option<&str> {
        self.policy_uri.as_deref()
    }
}

/// Verifies a summary: a DSSE envelope, or a Sigstore bundle (v0.1 to v0.3) with one (SLSA v1.2, "How to verify", steps 1
/// to 7).
///
/// # Errors
/// [`VsaError`]: the first of these steps that fails, what was expected and what was found.
pub fn verify_summary<'a>(
    attestation: &[u8],
    trust: impl Into<VerifierTrust<'a>>,
    expected: &Expectations,
) -> Result<VerifiedSummary, VsaError> {
    // Step 1, and with `check_verifier` step 4: whoever names the signer says which verifier it is.
    let (payload, signer) = signer::check(attestation, trust.into())?;
    let summary = parse(payload, signer)?;
    check_subjects(&summary, expected)?;
    check_verifier(&summary, expected)?;
    check_resource(&summary, expected)?;
    check_result(&summary)?;
    check_levels(&summary.verified.levels, expected)?;
    Ok(summary.verified)
}

/// What was parsed; not verified until every check was made.
struct Parsed {
    verified: VerifiedSummary,
    result: String,
}

/// Parses a payload, whose signature holds (step 3).
fn parse(payload: Vec<u8>, signer: SummarySigner) -> Result<Parsed, VsaError> {
    envelope::require_unique_members(&payload)?;
    let header: Header = envelope::parse_object(&payload, |_| {})?;
    if !STATEMENT_TYPES.contains(&header.statement_type.as_str()) {
        return Err(VsaError::StatementType { found: header.statement_type });
    }
    if header.predicate_type != PREDICATE_TYPE {
        return Err(VsaError::PredicateType { found: header.predicate_type });
    }
    let StatementIn { subject, predicate: Object(predicate) } = envelope::parse_object(&payload, |_| {})?;
    let required = |member, value: Option<String>| {
        value.filter(|value| !value.is_empty()).ok_or(VsaError::MissingMember { member })
    };
    let verifier_id = required("predicate.verifier.id", predicate.verifier.and_then(|Object(verifier)| verifier.id))?;
    let resource_uri = required("predicate.resourceUri", predicate.resource_uri)?;
    let result = required("predicate.verificationResult", predicate.verification_result)?;
    let levels = predicate.verified_levels.ok_or(VsaError::MissingMember { member: "predicate.verifiedLevels" })?;
    let levels: Result<_, _> = levels.iter().map(|level| VerifiedLevel::parse(level)).collect();
    let subjects = subject.into_iter().map(|Object(subject)| Subject {
        name: subject.name,
        digests: subject.digest.into_iter().map(|(name, value)| SubjectDigest::new(name, value)).collect(),
    });
    let verified = VerifiedSummary {
        signer,
        subjects: subjects.collect(),
        verifier_id,
        resource_uri,
        levels: levels?,
        time_verified: predicate.time_verified.map(timestamp).transpose()?,
        policy_uri: predicate.policy.and_then(|Object(policy)| policy.uri),
        payload,
    };
    Ok(Parsed { verified, result })
}

/// Step 2: every digest that was given is one of a subject.
/// A time, as the specification has it (RFC 3339).
fn timestamp(text: String) -> Result<String, VsaError> {
    match text.parse::<jiff::Timestamp>() {
        Ok(_) => Ok(text),
        Err(_) => Err(VsaError::Time { found: text }),
    }
}

fn check_subjects(summary: &Parsed, expected: &Expectations) -> Result<(), VsaError> {
    let found = || summary.verified.subjects.iter().flat_map(|subject| &subject.digests);
    if found().next().is_none() {
        return Err(VsaError::NoSubject);
    }
    match expected.subject_digests().iter().find(|expected| !found().any(|digest| digest == *expected)) {
        None => Ok(()),
        Some(missing) => {
            let found: Vec<String> = found().take(MAX_LISTED + 1).map(SubjectDigest::to_string).collect();
            Err(VsaError::Subject { expected: missing.to_string(), found: list(found.iter().map(String::as_str)) })
        }
    }
}

/// Step 4.
fn check_verifier(summary: &Parsed, expected: &Expectations) -> Result<(), VsaError> {
    let found = &summary.verified.verifier_id;
    if found == expected.verifier_id() {
        return Ok(());
    }
    Err(VsaError::Verifier { expected: expected.verifier_id().to_owned(), found: found.clone() })
}

/// Step 5.
fn check_resource(summary: &Parsed, expected: &Expectations) -> Result<(), VsaError> {
    let found = &summary.verified.resource_uri;
    if found == expected.resource_uri() {
        return Ok(());
    }
    Err(VsaError::Resource { expected: expected.resource_uri().to_owned(), found: found.clone() })
}

/// Step 6.
fn check_result(summary: &Parsed) -> Result<(), VsaError> {
    if summary.result == PASSED { Ok(()) } else { Err(VsaError::NotPassed { found: summary.result.clone() }) }
}

/// Step 7.
fn check_levels(found: &[VerifiedLevel], expected: &Expectations) -> Result<(), VsaError> {
    match expected.levels().iter().find(|wanted| !found.iter().any(|level| level.satisfies(wanted))) {
        None => Ok(()),
        Some(wanted) => {
            let found: Vec<String> = found.iter().take(MAX_LISTED + 1).map(VerifiedLevel::to_string).collect();
            Err(VsaError::Level { expected: wanted.to_string(), found: list(found.iter().map(String::as_str)) })
        }
    }
}

/// The first of these in a sentence.
fn list<'a>(texts: impl Iterator<Item = &'a str>) -> String {
    let mut listed = String::new();
    for (index, text) in texts.enumerate() {
        if index > 0 {
            listed.push_str(", ");
        }
        if index == MAX_LISTED {
            listed.push('…');
            break;
        }
        listed.push_str(&format!("`{text}`"));
    }
    if listed.is_empty() { "none".to_owned() } else { listed }
}

#[derive(Deserialize)]
struct Header {
    #[serde(rename = "_type")]
    statement_type: String,
    #[serde(rename = "predicateType")]
    predicate_type: String,
}

/// Unknown members are passed over, as "Parsing rules" has it.
#[derive(Deserialize)]
struct StatementIn {
    subject: Vec<Object<SubjectIn>>,
    predicate: Object<PredicateIn>,
}

#[derive(Deserialize)]
struct SubjectIn {
    name: Option<String>,
    #[serde(default)]
    digest: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PredicateIn {
    verifier: Option<Object<VerifierIn>>,
    time_verified: Option<String>,
    resource_uri: Option<String>,
    policy: Option<Object<PolicyIn>>,
    verification_result: Option<String>,
    verified_levels: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct VerifierIn {
    id: Option<String>,
}

#[derive(Deserialize)]
struct PolicyIn {
    uri: Option<String>,
}

/// Why a summary does not hold.
#[derive(Debug, thiserror::Error)]
pub enum VsaError {
    /// There is no envelope.
    #[error(transparent)]
    Envelope(#[from] InvalidEnvelope),
    /// No signature is of a key with the expected name.
    #[error("expected a signature with the key ID `{expected}`, found {found}")]
    KeyId {
        /// The name.
        expected: String,
        /// The names that there are.
        found: String,
    },
    /// No signature is of the trusted key.
    #[error("expected a signature by the {expected}, found none among the {tried} tried")]
    Signature {
        /// The key.
        expected: String,
        /// How many signatures were tried.
        tried: usize,
    },
    /// It is an envelope alone, which has no certificate.
    #[error("expected a Sigstore bundle, found a DSSE envelope, which a key alone can be checked with")]
    NoCertificate,
    /// It is a bundle that can't be used.
    #[error(transparent)]
    Bundle(#[from] InvalidBundle),
    /// The signature, or whoever made it, is not one that is trusted.
    #[error(transparent)]
    Signer(#[from] SignatureError),
    /// What was signed is not the JSON of a summary.
    #[error("the signed statement: {0}")]
    Json(#[from] InvalidJson),
    /// What was signed is no statement.
    #[error("`_type`: expected `{}`, found `{found}`", STATEMENT_TYPES[0])]
    StatementType {
        /// What was found.
        found: String,
    },
    /// The statement is no summary.
    #[error("`predicateType`: expected `{PREDICATE_TYPE}`, found `{found}`")]
    PredicateType {
        /// What was found.
        found: String,
    },
    /// The summary lacks what each has to say.
    #[error("expected `{member}`, found none")]
    MissingMember {
        /// The member.
        member: &'static str,
    },
    /// The time is none.
    #[error("`predicate.timeVerified`: expected a time (RFC 3339), found `{found}`")]
    Time {
        /// What was found.
        found: String,
    },
    /// The summary speaks of no artifact.
    #[error("`subject`: expected a digest, found none")]
    NoSubject,
    /// The summary speaks of other artifacts.
    #[error("`subject`: expected the digest `{expected}`, found {found}")]
    Subject {
        /// A digest that is missing.
        expected: String,
        /// The digests that there are.
        found: String,
    },
    /// Another verifier made the summary.
    #[error("`verifier.id`: expected `{expected}`, found `{found}`")]
    Verifier {
        /// The verifier.
        expected: String,
        /// The one that there is.
        found: String,
    },
    /// The artifact was verified as something else.
    #[error("`resourceUri`: expected `{expected}`, found `{found}`")]
    Resource {
        /// The resource.
        expected: String,
        /// The one that there is.
        found: String,
    },
    /// The artifact was verified and did not pass.
    #[error("`verificationResult`: expected `{PASSED}`, found `{found}`")]
    NotPassed {
        /// The result.
        found: String,
    },
    /// A level is none, though it has the name of one of SLSA's.
    #[error("`verifiedLevels`: {0}")]
    MalformedLevel(#[from] InvalidLevel),
    /// The artifact was not found to be at a level.
    #[error("`verifiedLevels`: expected `{expected}` or a higher one of its track, found {found}")]
    Level {
        /// The level.
        expected: String,
        /// The levels that there are.
        found: String,
    },
}

#[cfg(test)]
mod tests;
