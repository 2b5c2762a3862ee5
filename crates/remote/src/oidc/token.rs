//! What an identity token says (OpenID Connect Core §2, RFC 7519), its signature apart.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use model_transparency::certificate::UnixTime;
use serde_json::{Map, Value};
use zeroize::Zeroizing;

/// No issuer's are longer; Fulcio takes less.
const MAX_TOKEN_BYTES: usize = 64 << 10;
/// How far the issuer's clock may be ahead, as in sigstore-python.
const SKEW_SECONDS: u64 = 5;

/// Issuers of which it is known what Fulcio certifies, as in sigstore-python.
const KNOWN_ISSUERS: [(&str, Certified); 4] = [
    ("https://accounts.google.com", Certified::Email),
    ("https://oauth2.sigstore.dev/auth", Certified::Email),
    ("https://oauth2.sigstage.dev/auth", Certified::Email),
    ("https://token.actions.githubusercontent.com", Certified::Subject),
];

/// The claim that Fulcio certifies.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Certified {
    Email,
    Subject,
}

/// An identity token that was read and is valid at the time, but for its signature. It is a secret: whoever has it can
/// sign as its subject.
pub struct IdentityToken {
    text: Zeroizing<String>,
    token_issuer: String,
    federated_issuer: Option<String>,
    challenge: String,
    nonce: Option<String>,
    expires_at: UnixTime,
}

impl IdentityToken {
    /// Reads `text`, a JWT in its compact form; space around it is not part of it. It has to be for `audience`, and
    /// valid at `now`.
    ///
    /// # Errors
    /// [`InvalidToken`]: what was expected, and found. No error has the token in it.
    pub fn parse(text: &str, audience: &str, now: UnixTime) -> Result<Self, InvalidToken> {
        let text = text.trim();
        if text.len() > MAX_TOKEN_BYTES {
            return Err(InvalidToken::TooLarge { found: text.len() });
        }
        let claims = Claims(payload(text)?);
        let token_issuer = claims.required_text("iss")?;
        let subject = claims.required_text("sub")?;
        claims.check_audience(audience)?;
        let expires_at = claims.check_time(now)?;
        Ok(Self {
            challenge: claims.certified(&token_issuer, subject)?,
            federated_issuer: claims.connector()?,
            nonce: claims.text("nonce")?,
            text: Zeroizing::new(text.to_owned()),
            token_issuer,
            expires_at,
        })
    }

    /// The token, for the authority that it is meant for.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.text
    }

    /// The issuer that a certificate will name. Sigstore's own issuer hands on what others say (`connector_id`): it is
    /// the one that knows the subject.
    #[must_use]
    pub fn issuer(&self) -> &str {
        self.federated_issuer.as_deref().unwrap_or(&self.token_issuer)
    }

    /// The issuer that the token itself names (`iss`).
    #[must_use]
    pub fn token_issuer(&self) -> &str {
        &self.token_issuer
    }

    /// What Fulcio wants signed as proof that the key is there, unless it gets a certificate signing request: the
    /// address if it certifies one, and the subject otherwise.
    ///
    /// Fulcio decides by its own list of issuers. Here GitHub Actions has subjects, and Google and Sigstore's issuer
    /// have addresses. Of another issuer it is the address if the token has one, as cosign has it.
    #[must_use]
    pub fn challenge(&self) -> &str {
        &self.challenge
    }

    /// The first moment at which it is not valid any more.
    #[must_use]
    pub fn expires_at(&self) -> UnixTime {
        self.expires_at
    }

    /// Whether it is too late at `now`.
    #[must_use]
    pub fn is_expired(&self, now: UnixTime) -> bool {
        now >= self.expires_at
    }

    pub(super) fn nonce(&self) -> Option<&str> {
        self.nonce.as_deref()
    }
}

impl fmt::Debug for IdentityToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IdentityToken")
            .field("issuer", &self.issuer())
            .field("challenge", &self.challenge)
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

/// A text with `…` in the place of every JWT, for what is shown to people: it begins like an object of JSON in Base64.
#[must_use]
pub fn without_tokens(text: &str) -> String {
    const START: &str = "eyJ";
    let (mut kept, mut rest) = (String::new(), text);
    while let Some(at) = rest.find(START) {
        kept.push_str(&rest[..at]);
        kept.push('…');
        let is_of_it = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '=');
        rest = rest[at..].trim_start_matches(is_of_it);
    }
    kept + rest
}

/// The claims of a JWT.
fn payload(text: &str) -> Result<Map<String, Value>, InvalidToken> {
    let parts: Vec<&str> = text.split('.').collect();
    let [header, payload, signature] = parts[..] else {
        return Err(InvalidToken::Parts { found: parts.len() });
    };
    object("header", &decode("header", header)?)?;
    let claims = object("payload", &decode("payload", payload)?)?;
    if decode("signature", signature)?.is_empty() {
        return Err(InvalidToken::Unsigned);
    }
    Ok(claims)
}

fn decode(part: &'static str, text: &str) -> Result<Vec<u8>, InvalidToken> {
    URL_SAFE_NO_PAD.decode(text).map_err(|_| InvalidToken::Encoding { part })
}

fn object(part: &'static str, json: &[u8]) -> Result<Map<String, Value>, InvalidToken> {
    serde_json::from_slice(json).map_err(|_| InvalidToken::Json { part })
}

struct Claims(Map<String, Value>);

impl Claims {
    /// A claim, if there is one; `null` is none.
    fn claim(&self, name: &str) -> Option<&Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    fn text(&self, claim: &'static str) -> Result<Option<String>, InvalidToken> {
        match self.claim(claim) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            found => Err(unexpected(claim, "a text", found)),
        }
    }

    fn required_text(&self, claim: &'static str) -> Result<String, InvalidToken> {
        let text = self.text(claim)?.filter(|text| !text.is_empty());
        text.ok_or(InvalidToken::Claim { claim, expected: "a text", found: "none" })
    }

    /// RFC 7519 §2, `NumericDate`. Fractions of a second are dropped.
    fn time(&self, claim: &'static str) -> Result<Option<UnixTime>, InvalidToken> {
        let Some(found) = self.claim(claim) else { return Ok(None) };
        let whole = |seconds: f64| (0.0..1e15).contains(&seconds).then_some(seconds as u64);
        let seconds = found.as_u64().or_else(|| found.as_f64().and_then(whole));
        seconds.map(|seconds| Some(UnixTime(seconds))).ok_or_else(|| unexpected(claim, SECONDS, Some(found)))
    }

    fn required_time(&self, claim: &'static str) -> Result<UnixTime, InvalidToken> {
        self.time(claim)?.ok_or(InvalidToken::Claim { claim, expected: SECONDS, found: "none" })
    }

    fn check_audience(&self, expected: &str) -> Result<(), InvalidToken> {
        let found = match self.claim("aud") {
            Some(Value::String(audience)) => vec![audience.as_str()],
            Some(Value::Array(audiences)) => audiences.iter().filter_map(Value::as_str).collect(),
            found => return Err(unexpected("aud", "a text or a list of texts", found)),
        };
        if found.contains(&expected) {
            return Ok(());
        }
        Err(InvalidToken::Audience { expected: expected.to_owned(), found: found.join("`, `") })
    }

    /// When it expires, which is not yet.
    fn check_time(&self, now: UnixTime) -> Result<UnixTime, InvalidToken> {
        let issued_at = self.required_time("iat")?;
        for (claim, from) in [("iat", Some(issued_at)), ("nbf", self.time("nbf")?)] {
            if let Some(from) = from.filter(|from| from.0 > now.0.saturating_add(SKEW_SECONDS)) {
                return Err(InvalidToken::NotYet { claim, from, now });
            }
        }
        let expires_at = self.required_time("exp")?;
        if now >= expires_at { Err(InvalidToken::Expired { expires_at, now }) } else { Ok(expires_at) }
    }

    /// The claim that Fulcio certifies.
    fn certified(&self, issuer: &str, subject: String) -> Result<String, InvalidToken> {
        let known = KNOWN_ISSUERS.iter().find(|(known, _)| *known == issuer).map(|(_, certified)| *certified);
        if known == Some(Certified::Subject) {
            return Ok(subject);
        }
        match self.text("email")?.filter(|email| !email.is_empty()) {
            Some(email) if self.email_is_refuted()? => Err(InvalidToken::EmailNotVerified { email }),
            Some(email) => Ok(email),
            None if known == Some(Certified::Email) => {
                Err(InvalidToken::Claim { claim: "email", expected: "the address that is certified", found: "none" })
            }
            None => Ok(subject),
        }
    }

    /// Whether the issuer says that the address was not verified. Some say it as a text.
    fn email_is_refuted(&self) -> Result<bool, InvalidToken> {
        match self.claim("email_verified") {
            None => Ok(false),
            Some(Value::Bool(is_verified)) => Ok(!is_verified),
            Some(Value::String(text)) if text.eq_ignore_ascii_case("true") => Ok(false),
            Some(Value::String(text)) if text.eq_ignore_ascii_case("false") => Ok(true),
            found => Err(unexpected("email_verified", "true or false", found)),
        }
    }

    /// Whose word the issuer hands on.
    fn connector(&self) -> Result<Option<String>, InvalidToken> {
        const CLAIM: &str = "federated_claims";
        match self.claim(CLAIM) {
            None => Ok(None),
            Some(Value::Object(claims)) => match claims.get("connector_id") {
                None | Some(Value::Null) => Ok(None),
                Some(Value::String(connector)) => Ok(Some(connector.clone())),
                found => Err(unexpected(CLAIM, "a text in `connector_id`", found)),
            },
            found => Err(unexpected(CLAIM, "an object", found)),
        }
    }
}

const SECONDS: &str = "seconds since 1970";

fn unexpected(claim: &'static str, expected: &'static str, found: Option<&Value>) -> InvalidToken {
    let found = match found {
        None | Some(Value::Null) => "none",
        Some(Value::Bool(_)) => "a truth value",
        Some(Value::Number(_)) => "another number",
        Some(Value::String(_)) => "a text",
        Some(Value::Array(_)) => "a list",
        Some(Value::Object(_)) => "an object",
    };
    InvalidToken::Claim { claim, expected, found }
}

/// Why a text is no identity token that can be used. It reads on from `the identity token is invalid`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidToken {
    /// It is too long to be one.
    #[error("expected at most {MAX_TOKEN_BYTES} bytes, found {found}")]
    TooLarge {
        /// Its length in bytes.
        found: usize,
    },
    /// It is no JWT.
    #[error("expected a JWT, which has three parts with `.` between them, found {found}")]
    Parts {
        /// How many there are.
        found: usize,
    },
    /// A part can't be decoded.
    #[error("expected its {part} in base64url without padding, found other characters")]
    Encoding {
        /// Which one.
        part: &'static str,
    },
    /// A part is something else.
    #[error("expected its {part} to be an object in JSON, found something else")]
    Json {
        /// Which one.
        part: &'static str,
    },
    /// Nobody signed it.
    #[error("expected a signature, found none")]
    Unsigned,
    /// A claim is missing, or of another kind.
    #[error("expected {expected} as its claim `{claim}`, found {found}")]
    Claim {
        /// Its name.
        claim: &'static str,
        /// What it should be.
        expected: &'static str,
        /// What it is.
        found: &'static str,
    },
    /// It is for somebody else.
    #[error("expected the audience `{expected}`, found `{found}`")]
    Audience {
        /// Whom it should be for.
        expected: String,
        /// Whom it is for.
        found: String,
    },
    /// It is not valid any more.
    #[error("expected one that is valid at {now}, found one that expired at {expires_at}")]
    Expired {
        /// The first moment at which it is not.
        expires_at: UnixTime,
        /// When it was read.
        now: UnixTime,
    },
    /// It is not valid yet, or the clock is slow.
    #[error("expected one that is valid at {now}, found one from {from} (`{claim}`): the clock may be slow")]
    NotYet {
        /// Which claim says so.
        claim: &'static str,
        /// When it becomes valid.
        from: UnixTime,
        /// When it was read.
        now: UnixTime,
    },
    /// The issuer does not vouch for the address.
    #[error("expected an address that its issuer verified, found `{email}`, which it did not (`email_verified`)")]
    EmailNotVerified {
        /// The address.
        email: String,
    },
}

#[cfg(test)]
#[path = "token_tests.rs"]
mod tests;
