//! Fulcio: a certificate for a key that lives for one signature.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use model_transparency::certificate::Certificate;
use model_transparency::key::{KeyAlgorithm, SigningKey};
use model_transparency::sign::{Role, ServiceError, SignError};
use reqwest::StatusCode;
use serde::{Deserialize, Serialize};

use crate::InvalidEndpoint;
use crate::endpoint::Endpoint;
use crate::http::{Attempts, Patience, Redirects, with_json};
use crate::oidc::IdentityToken;

/// A chain takes 2 to 4 KB.
const MAX_ANSWER_BYTES: usize = 256 << 10;

/// A certificate authority that certifies who an identity token says.
#[derive(Debug)]
pub struct Fulcio {
    endpoint: Endpoint,
}

impl Fulcio {
    /// The authority at `url`.
    ///
    /// # Errors
    /// [`InvalidEndpoint`] if there can't be one.
    pub fn new(url: &str) -> Result<Self, InvalidEndpoint> {
        Self::with_patience(url, Patience::default())
    }

    pub(crate) fn with_patience(url: &str, patience: Patience) -> Result<Self, InvalidEndpoint> {
        // Wherever it would send on to would get the token too.
        Ok(Self { endpoint: Endpoint::new(Role::CertificateAuthority, url, Redirects::Refused, patience)? })
    }

    /// Where it is, without what may be secret in that.
    #[must_use]
    pub fn url(&self) -> String {
        self.endpoint.shown_text()
    }

    /// Whether nobody on the way sees what it is sent: it is asked over HTTPS, or is on this machine.
    #[must_use]
    pub fn is_confidential(&self) -> bool {
        self.endpoint.is_confidential()
    }

    /// A certificate of `key` for whom `token` names.
    ///
    /// # Errors
    /// [`SignError`]: what kept the authority from it, or the key from showing that it is in our hands.
    pub fn certify(&self, key: &dyn SigningKey, token: &IdentityToken) -> Result<Certificate, SignError> {
        let proof = key.sign(token.challenge().as_bytes())?;
        let request = Request {
            credentials: Credentials { oidc_identity_token: token.expose() },
            public_key_request: PublicKeyRequest {
                public_key: PublicKey { algorithm: algorithm(key), content: key.public_key().to_pem() },
                proof_of_possession: STANDARD.encode(proof),
            },
        };
        let answer = self.ask(&request)?;
        let leaf = leaf(answer).map_err(|reason| self.endpoint.failed(reason))?;
        check(&leaf, key, token).map_err(|reason| self.endpoint.failed(reason))?;
        Ok(leaf)
    }

    fn ask(&self, request: &Request<'_>) -> Result<Answer, ServiceError> {
        let http = self.endpoint.http();
        let asked = with_json(http.client().post(self.endpoint.at("api/v2/signingCert")), request);
        let answer = asked.and_then(|asked| http.send_for_json(asked, MAX_ANSWER_BYTES, Attempts::Several));
        answer.map_err(|failure| match failure.status {
            Some(StatusCode::BAD_REQUEST | StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) => {
                self.endpoint.failed(format!("does not certify this identity: it {failure}"))
            }
            _ => self.endpoint.unanswered(&failure),
        })
    }
}

fn algorithm(key: &dyn SigningKey) -> &'static str {
    match key.public_key().algorithm() {
        KeyAlgorithm::EcdsaP256 | KeyAlgorithm::EcdsaP384 | KeyAlgorithm::EcdsaP521 => "ECDSA",
        KeyAlgorithm::Rsa { .. } => "PUBLIC_KEY_ALGORITHM_UNSPECIFIED",
        KeyAlgorithm::Ed25519 => "ED25519",
    }
}

/// Checks that the certificate is what was asked for, as far as a client can tell.
fn check(leaf: &Certificate, key: &dyn SigningKey, token: &IdentityToken) -> Result<(), String> {
    match leaf.public_key() {
        Ok(certified) if certified == *key.public_key() => {}
        Ok(_) => return Err("certified another key than the one it was shown".to_owned()),
        Err(error) => return Err(format!("gave a certificate that can't be used: {error}")),
    }
    // An address is certified as it is; of a workflow it is more than its subject.
    let (expected, found) = (token.challenge(), leaf.alternative_names());
    let is_address = expected.contains('@') && !expected.contains('/');
    if is_address && !found.iter().any(|name| name == expected) {
        return Err(format!("certified somebody else: expected `{expected}`, found `{}`", found.join("`, `")));
    }
    Ok(())
}

/// The first certificate of the answer. Verifiers have the issuers from their trusted root.
fn leaf(answer: Answer) -> Result<Certificate, String> {
    let chain = match (answer.embedded, answer.detached) {
        (Some(Signed { chain }), None) => chain,
        (None, Some(_)) => {
            return Err("gave a certificate without proof in it that it was logged, which no verifier takes".to_owned());
        }
        (None, None) | (Some(_), Some(_)) => return Err("gave an answer without a certificate".to_owned()),
    };
    let pem = chain.certificates.first().ok_or("gave a chain without a certificate")?;
    let unusable = |reason: String| format!("gave a certificate that can't be used: {reason}");
    let certificates = Certificate::from_file(pem.as_bytes()).map_err(|error| unusable(error.to_string()))?;
    <[Certificate; 1]>::try_from(certificates)
        .map(|[leaf]| leaf)
        .map_err(|found| unusable(format!("expected one, found {}", found.len())))
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Request<'a> {
    credentials: Credentials<'a>,
    public_key_request: PublicKeyRequest,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Credentials<'a> {
    oidc_identity_token: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PublicKeyRequest {
    public_key: PublicKey,
    proof_of_possession: String,
}

#[derive(Serialize)]
struct PublicKey {
    algorithm: &'static str,
    content: String,
}

#[derive(Deserialize)]
struct Answer {
    #[serde(rename = "signedCertificateEmbeddedSct")]
    embedded: Option<Signed>,
    #[serde(rename = "signedCertificateDetachedSct")]
    detached: Option<Signed>,
}

#[derive(Deserialize)]
struct Signed {
    chain: Chain,
}

#[derive(Deserialize)]
struct Chain {
    certificates: Vec<String>,
}
