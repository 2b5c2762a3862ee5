//! A person shows an issuer who they are, in a browser: OAuth's authorization code (RFC 6749 §4.1) with PKCE
//! (RFC 7636), as OpenID Connect Core §3.1 has it.

mod issuer;
mod redirect;

use std::io;
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use model_transparency::certificate::UnixTime;
use reqwest::Url;
use zeroize::Zeroizing;

use self::issuer::Issuer;
use self::redirect::RedirectServer;
use super::{IdentityToken, InvalidToken};
use crate::http::Patience;

/// Where an issuer shows the code instead of sending it to the redirect server.
const OUT_OF_BAND: &str = "urn:ietf:wg:oauth:2.0:oob";
/// How long a person may take in the browser.
const TIME_TO_LOG_IN: Duration = Duration::from_secs(300);

/// An issuer, and as whom it is asked.
pub struct Login {
    issuer: String,
    client_id: String,
    client_secret: Option<Zeroizing<String>>,
    patience: Patience,
    time_to_log_in: Duration,
}

/// How the code comes back from the browser.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// The browser brings it to a port of this machine. Where no browser opens, it is typed.
    Browser,
    /// The person types it, so the browser can be on another machine.
    OutOfBand,
}

/// What became of an attempt to open a browser.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opened {
    /// It is open, or will be.
    Browser,
    /// There is none that can be opened.
    Nothing,
}

/// The person's side.
pub trait Prompt {
    /// Opens `url` in a browser, and returns without waiting for it to close.
    fn open(&self, url: &str) -> Opened;

    /// Asks the person to open `url` and type the code that the issuer shows.
    ///
    /// # Errors
    /// If there is nobody to ask.
    fn code(&self, url: &str) -> io::Result<String>;
}

impl Login {
    /// A login at `issuer`, a URL of `https` (or of `http` on this machine), as the client `client_id`, whose tokens
    /// are for itself: the audience is the same. A public client has no secret.
    ///
    /// # Errors
    /// [`LoginError::Url`] and [`LoginError::Secret`] if it is no such URL.
    pub fn new(issuer: &str, client_id: &str, client_secret: Option<&str>) -> Result<Self, LoginError> {
        issuer::secure_url("issuer", issuer)?;
        Ok(Self {
            issuer: issuer.to_owned(),
            client_id: client_id.to_owned(),
            client_secret: client_secret.map(|secret| Zeroizing::new(secret.to_owned())),
            patience: Patience::default(),
            time_to_log_in: TIME_TO_LOG_IN,
        })
    }

    /// Has the person log in, and gets the token, which has to be valid at the time of `clock`.
    ///
    /// # Errors
    /// [`LoginError`].
    pub fn token(
        &self,
        way: Way,
        prompt: &dyn Prompt,
        clock: &dyn Fn() -> UnixTime,
    ) -> Result<IdentityToken, LoginError> {
        let issuer = Issuer::discover(&self.issuer, self.patience)?;
        let session = Session::new()?;
        let grant = match way {
            Way::Browser => self.browser(&issuer, &session, prompt)?,
            Way::OutOfBand => self.out_of_band(&issuer, &session, prompt)?,
        };
        let text = issuer.exchange(&grant, &session.verifier, &self.client_id, self.client_secret.as_ref())?;
        let token = IdentityToken::parse(&text, &self.client_id, clock())?;
        if token.token_issuer() != issuer.name() {
            let found = token.token_issuer().to_owned();
            return Err(LoginError::AnotherIssuer { expected: issuer.name().to_owned(), found });
        }
        if token.nonce() != Some(&session.nonce) {
            return Err(LoginError::Nonce);
        }
        Ok(token)
    }

    fn browser(&self, issuer: &Issuer, session: &Session, prompt: &dyn Prompt) -> Result<Grant, LoginError> {
        let server = RedirectServer::start().map_err(|error| LoginError::Listen(error.to_string()))?;
        let redirect_uri = server.uri();
        match prompt.open(session.url(issuer, &self.client_id, &redirect_uri).as_str()) {
            Opened::Nothing => self.out_of_band(issuer, session, prompt),
            Opened::Browser => {
                let code = server.wait(&session.state, issuer.name(), self.time_to_log_in)?;
                Ok(Grant { code, redirect_uri })
            }
        }
    }

    fn out_of_band(&self, issuer: &Issuer, session: &Session, prompt: &dyn Prompt) -> Result<Grant, LoginError> {
        let url = session.url(issuer, &self.client_id, OUT_OF_BAND);
        let typed = prompt.code(url.as_str()).map(Zeroizing::new);
        let typed = typed.map_err(|error| LoginError::NoCode(error.to_string()))?;
        let code = Zeroizing::new(typed.trim().to_owned());
        if code.is_empty() {
            return Err(LoginError::NoCode("nothing was typed".to_owned()));
        }
        Ok(Grant { code, redirect_uri: OUT_OF_BAND.to_owned() })
    }
}

/// What is exchanged for a token.
struct Grant {
    code: Zeroizing<String>,
    redirect_uri: String,
}

/// What ties the answers to this login: random texts, each for another place.
struct Session {
    /// Comes back with the code.
    state: String,
    /// Comes back in the token.
    nonce: String,
    /// Shows that whoever has the code is who asked for it.
    verifier: Zeroizing<String>,
}

impl Session {
    fn new() -> Result<Self, LoginError> {
        Ok(Self { state: random()?, nonce: random()?, verifier: Zeroizing::new(random()?) })
    }

    /// Where the person logs in.
    fn url(&self, issuer: &Issuer, client_id: &str, redirect_uri: &str) -> Url {
        let challenge = URL_SAFE_NO_PAD.encode(digest(&SHA256, self.verifier.as_bytes()));
        let mut url = issuer.authorization_endpoint().clone();
        url.query_pairs_mut().extend_pairs([
            ("response_type", "code"),
            ("client_id", client_id),
            ("scope", "openid email"),
            ("redirect_uri", redirect_uri),
            ("state", &self.state),
            ("nonce", &self.nonce),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
        ]);
        url
    }
}

fn random() -> Result<String, LoginError> {
    let mut bytes = [0; 32];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| LoginError::Randomness)?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

/// Why there is no token from a login.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LoginError {
    /// A URL can't be used.
    #[error("expected a URL of `https` as {what}, found `{found}`")]
    Url {
        /// Whose.
        what: &'static str,
        /// What was found.
        found: String,
    },
    /// A URL has a name or a password in it, which others would be shown.
    #[error("expected a URL without a name or a password in it as {what}, found one: `{found}`")]
    Secret {
        /// Whose.
        what: &'static str,
        /// What was found, without them.
        found: String,
    },
    /// The issuer does not say where to log in.
    #[error("the issuer `{issuer}` {reason}")]
    Discovery {
        /// Its URL.
        issuer: String,
        /// What came of it.
        reason: String,
    },
    /// Somebody else answers.
    #[error("expected the issuer `{expected}`, found `{found}`")]
    AnotherIssuer {
        /// Who was asked.
        expected: String,
        /// Who answered.
        found: String,
    },
    /// There is no port for the browser.
    #[error("the browser's answer can't be received: {0}")]
    Listen(String),
    /// The operating system has no randomness.
    #[error("the operating system has no randomness")]
    Randomness,
    /// The person did not log in.
    #[error("no login in {seconds} s")]
    Late {
        /// How long it was waited for.
        seconds: u64,
    },
    /// The issuer refused the login, or the person did.
    #[error("the login was refused: {0}")]
    Refused(String),
    /// An answer came that belongs to another login.
    #[error("expected the answer to this login, found one with another `state`")]
    State,
    /// There is no code.
    #[error("expected a code from the login: {0}")]
    NoCode(String),
    /// The issuer gave no token for the code.
    #[error("the issuer's token endpoint `{endpoint}` {reason}")]
    Exchange {
        /// Its URL.
        endpoint: String,
        /// What came of it.
        reason: String,
    },
    /// The token belongs to another login.
    #[error("expected a token for this login, found one with another `nonce`")]
    Nonce,
    /// The token can't be used.
    #[error("the issuer gave an identity token that is invalid: {0}")]
    Token(#[from] InvalidToken),
}

#[cfg(test)]
mod tests;
