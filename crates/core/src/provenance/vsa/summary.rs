//! A summary of one's own: what it says, and its JSON.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Level, PASSED, PREDICATE_TYPE, STATEMENT_TYPES, Subject, SubjectDigest, VerifiedLevel};
use crate::certificate::UnixTime;

/// The version of the specification that a verification here follows.
const SLSA_VERSION: &str = "1.2";

/// What a verifier says of artifacts that passed. There is no way to say it of others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerificationSummary {
    /// The artifacts, each with a digest at least.
    pub subjects: Vec<Subject>,
    /// Who verified: a URI.
    pub verifier_id: String,
    /// What the verifier verified with: versions by component.
    pub verifier_version: BTreeMap<String, String>,
    /// When.
    pub time_verified: UnixTime,
    /// What the artifacts are: a URI.
    pub resource_uri: String,
    /// By which policy: a URI.
    pub policy_uri: String,
    /// The digests of that policy, if they are known.
    pub policy_digests: Vec<SubjectDigest>,
    /// Every attestation that was used.
    pub input_attestations: Vec<InputAttestation>,
    /// The SLSA Build level of all artifacts; none if the verifier does not say.
    pub build_level: Option<u32>,
}

/// An attestation that a verification used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InputAttestation {
    /// Where it can be had: a URI.
    pub uri: Option<String>,
    /// Its digest.
    pub digest: SubjectDigest,
}

impl VerificationSummary {
    /// The level that it states.
    #[must_use]
    pub fn level(&self) -> VerifiedLevel {
        let level = self.build_level.map_or(Level::Unevaluated, Level::Number);
        VerifiedLevel::Slsa { track: "BUILD".to_owned(), level }
    }

    /// Checks what it says, before there are artifacts to say it of.
    ///
    /// # Errors
    /// [`InvalidSummary`]: what can't be said.
    pub fn check(&self) -> Result<(), InvalidSummary> {
        require_uri("verifier.id", &self.verifier_id)?;
        require_uri("resourceUri", &self.resource_uri)?;
        require_uri("policy.uri", &self.policy_uri)?;
        for InputAttestation { uri, digest } in &self.input_attestations {
            uri.as_deref().map_or(Ok(()), |uri| require_uri("inputAttestations.uri", uri))?;
            require_hash("inputAttestations.digest", digest)?;
        }
        self.policy_digests.iter().try_for_each(|digest| require_hash("policy.digest", digest))
    }

    /// The in-toto statement, to be signed.
    ///
    /// # Errors
    /// [`InvalidSummary`], as [`Self::check`] finds it, or that it is of no artifact.
    pub fn to_statement(&self) -> Result<Vec<u8>, InvalidSummary> {
        self.check()?;
        for digest in self.subjects.iter().flat_map(|subject| &subject.digests) {
            require_hash("subject.digest", digest)?;
        }
        if self.subjects.is_empty() || self.subjects.iter().any(|subject| subject.digests.is_empty()) {
            return Err(InvalidSummary::NoDigest);
        }
        let statement = StatementOut {
            statement_type: STATEMENT_TYPES[0],
            subject: self
                .subjects
                .iter()
                .map(|subject| SubjectOut { name: subject.name.as_deref(), digest: digests(&subject.digests) })
                .collect(),
            predicate_type: PREDICATE_TYPE,
            predicate: PredicateOut {
                verifier: VerifierOut { id: &self.verifier_id, version: &self.verifier_version },
                time_verified: self.time_verified.to_string(),
                resource_uri: &self.resource_uri,
                policy: DescriptorOut { uri: Some(&self.policy_uri), digest: digests(&self.policy_digests) },
                input_attestations: self
                    .input_attestations
                    .iter()
                    .map(|InputAttestation { uri, digest }| DescriptorOut {
                        uri: uri.as_deref(),
                        digest: digests(std::slice::from_ref(digest)),
                    })
                    .collect(),
                verification_result: PASSED,
                verified_levels: [self.level().to_string()],
                slsa_version: SLSA_VERSION,
            },
        };
        Ok(serde_json::to_vec(&statement).expect("text always serialises"))
    }
}

fn digests(digests: &[SubjectDigest]) -> BTreeMap<&str, &str> {
    digests.iter().map(|digest| (digest.algorithm(), digest.value())).collect()
}

/// A scheme and something after it, without what a URI has to escape.
fn require_uri(member: &'static str, found: &str) -> Result<(), InvalidSummary> {
    let is_uri = found.split_once(':').is_some_and(|(scheme, rest)| {
        // With `_`, which no registered scheme has, as there are summaries of `gce_image://…`.
        scheme.starts_with(|first: char| first.is_ascii_alphabetic())
            && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-._".contains(&byte))
            && !rest.is_empty()
            && !rest.contains(|character: char| character.is_control() || character.is_whitespace())
    });
    if is_uri { Ok(()) } else { Err(InvalidSummary::Uri { member, found: found.to_owned() }) }
}

fn require_hash(member: &'static str, digest: &SubjectDigest) -> Result<(), InvalidSummary> {
    let (algorithm, value) = (digest.algorithm(), digest.value());
    let digits = match algorithm {
        "sha256" => Some(64),
        "sha384" => Some(96),
        "sha512" => Some(128),
        _ => None,
    };
    let is_lower_hex = value.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    if is_lower_hex && value.len() % 2 == 0 && digits.is_none_or(|digits| digits == value.len()) {
        return Ok(());
    }
    Err(InvalidSummary::Digest { member, found: digest.to_string() })
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct StatementOut<'a> {
    #[serde(rename = "_type")]
    statement_type: &'a str,
    subject: Vec<SubjectOut<'a>>,
    predicate_type: &'a str,
    predicate: PredicateOut<'a>,
}

#[derive(Serialize)]
struct SubjectOut<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    digest: BTreeMap<&'a str, &'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PredicateOut<'a> {
    verifier: VerifierOut<'a>,
    time_verified: String,
    resource_uri: &'a str,
    policy: DescriptorOut<'a>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    input_attestations: Vec<DescriptorOut<'a>>,
    verification_result: &'a str,
    verified_levels: [String; 1],
    slsa_version: &'a str,
}

#[derive(Serialize)]
struct VerifierOut<'a> {
    id: &'a str,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    version: &'a BTreeMap<String, String>,
}

#[derive(Serialize)]
struct DescriptorOut<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    uri: Option<&'a str>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    digest: BTreeMap<&'a str, &'a str>,
}

/// Why nobody could rely on a summary.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSummary {
    /// A name is no URI.
    #[error("`{member}`: expected a URI (https://example.com/…), found `{found}`")]
    Uri {
        /// Which.
        member: &'static str,
        /// What was found.
        found: String,
    },
    /// A digest is no hash.
    #[error("`{member}`: expected `ALGORITHM:` and its lower-case hex digits, found `{found}`")]
    Digest {
        /// Which.
        member: &'static str,
        /// What was found.
        found: String,
    },
    /// It is not said which artifact.
    #[error("expected a digest of each artifact, found none")]
    NoDigest,
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn digest(text: &str) -> SubjectDigest {
        SubjectDigest::parse(text).expect("a digest")
    }

    fn summary() -> VerificationSummary {
        VerificationSummary {
            subjects: vec![Subject {
                name: Some("model.bin".to_owned()),
                digests: vec![digest(&format!("sha256:{}", "ab".repeat(32))), digest("blake3:00")],
            }],
            verifier_id: "https://example.com/verifier".to_owned(),
            verifier_version: BTreeMap::from([("tool".to_owned(), "1".to_owned())]),
            time_verified: UnixTime(1_767_323_045),
            resource_uri: "pkg:model/example@1".to_owned(),
            policy_uri: "https://example.com/policy".to_owned(),
            policy_digests: vec![digest("sha1:cc")],
            input_attestations: vec![InputAttestation { uri: None, digest: digest("sha1:dd") }],
            build_level: Some(3),
        }
    }

    #[test]
    fn a_summary_has_the_members_of_the_specification() {
        let statement: Value = serde_json::from_slice(&summary().to_statement().expect("valid")).expect("JSON");
        let expected = json!({
            "_type": "https://in-toto.io/Statement/v1",
            "subject": [{ "name": "model.bin", "digest": { "sha256": "ab".repeat(32), "blake3": "00" } }],
            "predicateType": "https://slsa.dev/verification_summary/v1",
            "predicate": {
                "verifier": { "id": "https://example.com/verifier", "version": { "tool": "1" } },
                "timeVerified": "2026-01-02T03:04:05Z",
                "resourceUri": "pkg:model/example@1",
                "policy": { "uri": "https://example.com/policy", "digest": { "sha1": "cc" } },
                "inputAttestations": [{ "digest": { "sha1": "dd" } }],
                "verificationResult": "PASSED",
                "verifiedLevels": ["SLSA_BUILD_LEVEL_3"],
                "slsaVersion": "1.2",
            },
        });
        assert_eq!(statement, expected);
    }

    #[test]
    fn what_need_not_be_said_is_left_out() {
        let mut summary = summary();
        (summary.build_level, summary.policy_digests, summary.input_attestations) = (None, Vec::new(), Vec::new());
        summary.verifier_version.clear();
        let statement: Value = serde_json::from_slice(&summary.to_statement().expect("valid")).expect("JSON");
        let predicate = &statement["predicate"];
        assert_eq!(predicate["verifiedLevels"], json!(["SLSA_BUILD_LEVEL_UNEVALUATED"]));
        assert_eq!(predicate["policy"], json!({ "uri": "https://example.com/policy" }));
        assert_eq!(predicate["verifier"], json!({ "id": "https://example.com/verifier" }));
        assert_eq!(predicate.get("inputAttestations"), None);
    }

    #[test]
    fn what_nobody_could_rely_on_is_refused() {
        let refused = |change: &dyn Fn(&mut VerificationSummary)| {
            let mut summary = summary();
            change(&mut summary);
            summary.to_statement().expect_err("it can't be relied on")
        };
        for text in ["", "example", "https:", ":a", "1a:b", "https://a b", "https://a\n"] {
            for (member, error) in [
                ("verifier.id", refused(&|summary| summary.verifier_id = text.to_owned())),
                ("resourceUri", refused(&|summary| summary.resource_uri = text.to_owned())),
                ("policy.uri", refused(&|summary| summary.policy_uri = text.to_owned())),
                (
                    "inputAttestations.uri",
                    refused(&|summary| summary.input_attestations[0].uri = Some(text.to_owned())),
                ),
            ] {
                assert_eq!(error, InvalidSummary::Uri { member, found: text.to_owned() });
            }
        }
        for text in ["sha256:ab", "sha1:AB", "sha1:abc", "sha1:xy", "sha512:00"] {
            for (member, error) in [
                ("subject.digest", refused(&|summary| summary.subjects[0].digests.push(digest(text)))),
                ("policy.digest", refused(&|summary| summary.policy_digests = vec![digest(text)])),
                ("inputAttestations.digest", refused(&|summary| summary.input_attestations[0].digest = digest(text))),
            ] {
                assert_eq!(error, InvalidSummary::Digest { member, found: text.to_owned() });
            }
        }
        assert_eq!(refused(&|summary| summary.subjects.clear()), InvalidSummary::NoDigest);
        assert_eq!(refused(&|summary| summary.subjects[0].digests.clear()), InvalidSummary::NoDigest);
    }
}
