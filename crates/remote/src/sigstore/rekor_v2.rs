//! Rekor v2: a `hashedrekord` entry of the digest that was signed. The answer is what a bundle has.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use model_transparency::envelope::LogEntryRecord;
use model_transparency::key::KeyAlgorithm;
use model_transparency::sign::{LogSubmission, LogVerifier, ServiceError};
use reqwest::StatusCode;
use serde_json::{Value, json};

use super::rekor::MAX_ANSWER_BYTES;
use crate::endpoint::Endpoint;
use crate::http::{Attempts, with_json};

/// Adds a signature. The log answers once it can prove that.
pub(super) fn add(endpoint: &Endpoint, submission: &LogSubmission<'_>) -> Result<LogEntryRecord, ServiceError> {
    let request = request(submission).map_err(|reason| endpoint.failed(reason))?;
    let http = endpoint.http();
    let asked = with_json(http.client().post(endpoint.at("api/v2/log/entries")), &request);
    let answer = asked.and_then(|asked| http.send_for_json(asked, MAX_ANSWER_BYTES, Attempts::Several));
    answer.map_err(|failure| match failure.status {
        // It has no way to ask for an entry with its proof.
        Some(StatusCode::CONFLICT) => endpoint
            .failed(format!("has this signature already, and does not give the proof a second time: it {failure}")),
        _ => endpoint.unanswered(&failure),
    })
}

fn request(submission: &LogSubmission<'_>) -> Result<Value, String> {
    let algorithm = submission.key_algorithm();
    let (Some(details), Some(digest)) = (key_details(algorithm), submission.digest()) else {
        return Err(format!("was not asked: version 2 of Rekor takes no signature made with {algorithm}"));
    };
    let mut verifier = match submission.verifier() {
        LogVerifier::Certificate(der) => json!({ "x509Certificate": { "rawBytes": STANDARD.encode(der) } }),
        LogVerifier::Key(key) => json!({ "publicKey": { "rawBytes": STANDARD.encode(key.spki_der()) } }),
    };
    verifier["keyDetails"] = details.into();
    Ok(json!({
        "hashedRekordRequestV002": {
            "digest": STANDARD.encode(digest),
            "signature": { "content": STANDARD.encode(submission.signature()), "verifier": verifier },
        }
    }))
}

/// The name that protobuf-specs give to the algorithm, if the log takes it.
fn key_details(algorithm: KeyAlgorithm) -> Option<&'static str> {
    match algorithm {
        KeyAlgorithm::EcdsaP256 => Some("PKIX_ECDSA_P256_SHA_256"),
        KeyAlgorithm::EcdsaP384 => Some("PKIX_ECDSA_P384_SHA_384"),
        KeyAlgorithm::EcdsaP521 => Some("PKIX_ECDSA_P521_SHA_512"),
        KeyAlgorithm::Rsa { bits: 2048 } => Some("PKIX_RSA_PKCS1V15_2048_SHA256"),
        KeyAlgorithm::Rsa { bits: 3072 } => Some("PKIX_RSA_PKCS1V15_3072_SHA256"),
        KeyAlgorithm::Rsa { bits: 4096 } => Some("PKIX_RSA_PKCS1V15_4096_SHA256"),
        // Of Ed25519 it takes Ed25519ph alone.
        KeyAlgorithm::Rsa { .. } | KeyAlgorithm::Ed25519 => None,
    }
}
