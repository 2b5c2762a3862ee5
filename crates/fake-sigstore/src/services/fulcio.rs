//! The certificate authority.

use std::sync::Arc;

use der::{Decode, DecodePem, Encode};
use serde_json::{Map, Value, json};
use x509_cert::ext::Extension;
use x509_cert::request::CertReq;

use super::principal::Principal;
use super::sct;
use crate::certificate::{Authority, Period};
use crate::claims::TokenKey;
use crate::client_key::{ClientKey, Hash};
use crate::desk::{Desk, Lie};
use crate::encoding::{certificate_pem, from_base64};
use crate::http::{Handler, Request, Response};
use crate::key::{Key, KeyKind};

const AUDIENCE: &str = "sigstore";
const LIFETIME_SECONDS: i64 = 10 * 60;

const NO_IDENTITY: &str = "There was an error processing the identity token";
const NO_PROOF: &str = "The signature supplied in the request could not be verified";
const NO_PUBLIC_KEY: &str = "The public key supplied in the request could not be parsed";
const NO_REQUEST: &str = "The certificate signing request could not be parsed";

/// Issues certificates to whom the issuer's tokens are about.
pub(crate) struct Fulcio {
    pub(crate) root: Authority,
    pub(crate) intermediate: Authority,
    /// The key of the certificate transparency log.
    pub(crate) ct_key: Key,
    desk: Arc<Desk>,
    tokens: Arc<TokenKey>,
    issuer: String,
    strangers: Strangers,
}

/// What nobody trusts.
struct Strangers {
    intermediate: Authority,
    ct_key: Key,
    client_key: Key,
}

const ROOT: &str = "sigstore";
const INTERMEDIATE: &str = "sigstore-intermediate";

impl Fulcio {
    pub(crate) fn new(desk: Arc<Desk>, tokens: Arc<TokenKey>, issuer: String, period: Period) -> Self {
        let root = Authority::root(ROOT, period);
        let intermediate = root.intermediate(INTERMEDIATE, period);
        let strangers = Strangers {
            intermediate: Authority::root(ROOT, period).intermediate(INTERMEDIATE, period),
            ct_key: Key::generate(KeyKind::EcdsaP256),
            client_key: Key::generate(KeyKind::EcdsaP256),
        };
        Self { root, intermediate, ct_key: Key::generate(KeyKind::EcdsaP256), desk, tokens, issuer, strangers }
    }

    /// A certificate for this key, as honest as the service is.
    pub(crate) fn issue(&self, principal: Principal, spki: &[u8]) -> Vec<u8> {
        let lies = |lie| self.desk.lies(lie);
        let mut principal = principal;
        if lies(Lie::CertificateOfAnotherIdentity) {
            principal = principal.with_name_of_another();
        }
        if lies(Lie::CertificateOfAnotherIssuer) {
            principal = principal.with_another_issuer();
        }
        self.certify(&principal.extensions(), spki)
    }

    /// As [`Self::issue`], with whatever is to be said of the holder.
    pub(crate) fn certify(&self, holder: &[Extension], spki: &[u8]) -> Vec<u8> {
        let lies = |lie| self.desk.lies(lie);
        let spki = if lies(Lie::CertificateOfAnotherKey) { self.strangers.client_key.spki() } else { spki };
        let authority =
            if lies(Lie::CertificateOfAnotherAuthority) { &self.strangers.intermediate } else { &self.intermediate };
        let now = self.desk.now();
        let mut tbs = authority.code_signing(Period { from: now, to: now + LIFETIME_SECONDS }, spki);
        tbs.extensions.get_or_insert_default().extend_from_slice(holder);
        if !lies(Lie::NoSct) {
            let signer = if lies(Lie::SctOfAnotherKey) { &self.strangers.ct_key } else { &self.ct_key };
            let milliseconds = u64::try_from(now).expect("after 1970") * 1000;
            sct::embed(&mut tbs, authority.key.spki(), self.ct_key.id(), signer, milliseconds);
        }
        authority.sign(tbs)
    }

    fn signing_certificate(&self, request: &Request) -> Result<Response, &'static str> {
        let body = request.json().ok_or("the request is no JSON")?;
        let token = body.pointer("/credentials/oidcIdentityToken").and_then(Value::as_str);
        let bearer = request.header("authorization").and_then(|value| value.strip_prefix("Bearer "));
        let claims = token.or(bearer).and_then(|token| self.claims(token)).ok_or(NO_IDENTITY)?;
        let principal = Principal::of(&claims).map_err(|_| NO_IDENTITY)?;
        let key = match body.get("certificateSigningRequest").and_then(Value::as_str) {
            Some(request) => requested_key(request)?,
            None => proven_key(&body, &principal)?,
        };
        let leaf = self.issue(principal, key.spki());
        let chain = [&leaf, &self.intermediate.certificate, &self.root.certificate].map(|der| certificate_pem(der));
        let body = json!({ "signedCertificateEmbeddedSct": { "chain": { "certificates": chain } } });
        Ok(Response::json(200, &body))
    }

    /// The claims of a token that counts here and now.
    ///
    /// Whatever issuer it names: this instance issues tokens of others too.
    fn claims(&self, token: &str) -> Option<Map<String, Value>> {
        let claims = self.tokens.verify(token)?;
        let time = |name: &str| claims.get(name).and_then(Value::as_i64);
        let now = self.desk.now();
        let is_for_us = match claims.get("aud")? {
            Value::String(audience) => audience == AUDIENCE,
            Value::Array(audiences) => audiences.iter().any(|audience| audience == AUDIENCE),
            _ => false,
        };
        (is_for_us && time("exp")? > now && time("nbf").is_none_or(|time| time <= now)).then_some(claims)
    }
}

/// The key of a request (PKCS #10) that it signed.
fn requested_key(request: &str) -> Result<ClientKey, &'static str> {
    let bytes = from_base64(request).ok_or(NO_REQUEST)?;
    let request = CertReq::from_pem(&bytes).or_else(|_| CertReq::from_der(&bytes)).map_err(|_| NO_REQUEST)?;
    let spki = request.info.public_key.to_der().map_err(|_| NO_REQUEST)?;
    let key = ClientKey::from_spki(&spki).ok_or(NO_PUBLIC_KEY)?;
    let signed = request.info.to_der().map_err(|_| NO_REQUEST)?;
    let signature = request.signature.as_bytes().ok_or(NO_REQUEST)?;
    let holds = match Hash::of_signatures(&request.algorithm.oid) {
        Some(hash) => key.verifies_with(hash, &signed, signature),
        None => key.verifies(&signed, signature),
    };
    if holds { Ok(key) } else { Err(NO_PROOF) }
}

/// The key of a request that proves to have it.
fn proven_key(body: &Value, principal: &Principal) -> Result<ClientKey, &'static str> {
    let text = |pointer: &str| body.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let pem = pem::parse(text("/publicKeyRequest/publicKey/content")).map_err(|_| NO_PUBLIC_KEY)?;
    let key = ClientKey::from_spki(pem.contents()).ok_or(NO_PUBLIC_KEY)?;
    let proof = from_base64(text("/publicKeyRequest/proofOfPossession")).ok_or(NO_PROOF)?;
    if key.verifies(principal.proves.as_bytes(), &proof) { Ok(key) } else { Err(NO_PROOF) }
}

impl Handler for Fulcio {
    fn answer(&self, request: &Request) -> Response {
        match (request.method.as_str(), request.path.as_str()) {
            ("POST", "/api/v2/signingCert") => {
                self.signing_certificate(request).unwrap_or_else(|message| self.desk.service().error(400, message))
            }
            ("GET", "/api/v2/trustBundle") => {
                let chain = [&self.intermediate.certificate, &self.root.certificate].map(|der| certificate_pem(der));
                Response::json(200, &json!({ "chains": [{ "certificates": chain }] }))
            }
            ("GET", "/api/v2/configuration") => {
                let issuer = json!({
                    "issuerUrl": self.issuer,
                    "audience": AUDIENCE,
                    "challengeClaim": "email",
                    "spiffeTrustDomain": "",
                    "issuerType": "email",
                    "subjectDomain": "",
                    "skipEmailVerification": false,
                });
                Response::json(200, &json!({ "issuers": [issuer] }))
            }
            ("GET", "/healthz") => Response::json(200, &json!({ "status": "SERVING" })),
            _ => self.desk.service().error(404, "Not Found"),
        }
    }
}
