//! Who signs with Sigstore: a token that was given, the job's own, or a person who logs in.

use std::io::{self, BufRead, IsTerminal, Read};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use model_transparency_remote::oidc::{
    AUDIENCE, AmbientError, IdentityToken, InvalidToken, Login, LoginError, Opened, Prompt, Surroundings, Way, ambient,
};
use model_transparency_remote::sigstore::{NoToken, TokenSource};
use zeroize::Zeroizing;

use crate::args::{IdentityArgs, Secret};
use crate::browser::Browser;
use crate::failure::Failure;
use crate::inputs::{now, read_limited};
use crate::output::{Console, escape};

/// The environment variable that a token is taken from.
const TOKEN_VARIABLE: &str = "SIGSTORE_ID_TOKEN";
/// The longest token file that is read, in bytes.
const MAX_TOKEN_BYTES: u64 = (64 << 10) + 1;
/// The longest code that is read, in bytes.
const MAX_CODE_BYTES: u64 = 4 << 10;
/// How long a token has to be valid yet: it is on its way for a moment.
const MARGIN_SECONDS: u64 = 5;

/// Where to log in, and what becomes of the name there.
pub(crate) struct Provider<'a> {
    pub(crate) issuer: Option<&'a str>,
    /// Whether the instance's logs are public.
    pub(crate) is_public: bool,
}

/// Tokens of who signs.
pub(crate) struct Tokens {
    audience: String,
    source: Source,
    /// The first token, if it was there before it was needed.
    first: Mutex<Option<IdentityToken>>,
    console: Console,
}

enum Source {
    Text { what: &'static str, text: Zeroizing<String> },
    File(PathBuf),
    Ambient,
    Login { login: Login, way: Way, browser: Option<Browser>, is_public: bool },
}

impl Tokens {
    /// Finds out where tokens come from, and that one can be had, as far as this can be told without asking a person.
    pub(crate) fn find(args: &IdentityArgs, provider: &Provider<'_>, console: &Console) -> Result<Self, Failure> {
        // Scripts hand on what may be empty, as they could to the Python tool.
        let client_id = args.client_id.as_deref().filter(|id| !id.is_empty()).unwrap_or(AUDIENCE);
        let tokens =
            |source| Self { audience: client_id.to_owned(), source, first: Mutex::new(None), console: console.clone() };
        if let Some(tokens) = given(args, console).map(tokens) {
            return tokens.with_first();
        }
        let variable = in_environment().map(tokens);
        if args.use_ambient_credentials {
            // Asked for by name, so it comes before a variable that may be there by chance.
            match tokens(Source::Ambient).with_first_ambient() {
                Err(AmbientError::Nowhere) if variable.is_some() => {
                    console.note(&format!("{}: using {TOKEN_VARIABLE} instead", AmbientError::Nowhere));
                }
                Err(AmbientError::Nowhere) if way(args).is_some() => {
                    console.note(&format!("{}: logging in instead", AmbientError::Nowhere));
                }
                Err(error) => return Err(error.into()),
                Ok(tokens) => return Ok(tokens),
            }
        }
        if let Some(tokens) = variable {
            return tokens.with_first();
        }
        let Some((way, browser)) = way(args) else {
            return Err(Failure::could_not_check(
                "no_identity",
                "nobody says who signs: there is no identity token, and neither a browser nor a terminal to log in with",
            )
            .with_hint(
                "give a token with --identity-token-file FILE or in SIGSTORE_ID_TOKEN, or --use-ambient-credentials in \
                 a job of a provider that gives them",
            ));
        };
        let issuer = provider.issuer.ok_or_else(|| {
            Failure::usage("the instance's configuration names no identity provider at which to log in")
                .with_hint("give one with --oidc-issuer URL, or a token with --identity-token-file FILE")
        })?;
        if args.client_secret.is_some() {
            console.warn("--client-secret shows the secret to other users of this machine");
        }
        let secret = args.client_secret.as_ref().map(|Secret(secret)| secret.as_str());
        let login = Login::new(issuer, client_id, secret.filter(|secret| !secret.is_empty()))?;
        Ok(tokens(Source::Login { login, way, browser, is_public: provider.is_public }))
    }

    /// Whether a person is to act in a browser, for which nobody has to wait here.
    pub(crate) fn need_patience(&self) -> bool {
        matches!(self.source, Source::Login { way: Way::Browser, .. })
    }

    /// Reads what was given, for what is wrong with it is known before the model is hashed.
    fn with_first(mut self) -> Result<Self, Failure> {
        let first = match &self.source {
            Source::Text { what, text } => self.read(what, text)?,
            Source::File(path) => self.read_file(path)?,
            Source::Ambient | Source::Login { .. } => return Ok(self),
        };
        self.first = Mutex::new(Some(first));
        Ok(self)
    }

    fn with_first_ambient(mut self) -> Result<Self, AmbientError> {
        self.first = Mutex::new(Some(surrounding(&self.audience)?));
        Ok(self)
    }

    fn read(&self, what: &str, text: &str) -> Result<IdentityToken, Failure> {
        IdentityToken::parse(text, &self.audience, now()).map_err(|error| {
            let failure =
                Failure::rejected("invalid_identity_token", format!("{what}: the identity token is invalid: {error}"));
            match error {
                InvalidToken::Audience { .. } => failure
                    .with_hint("ask the provider for a token with this audience, or name another with --client-id"),
                _ => failure,
            }
        })
    }

    fn read_file(&self, path: &Path) -> Result<IdentityToken, Failure> {
        const FLAG: &str = "--identity-token-file";
        // The name is part of messages; a token is not to be.
        if path.to_string_lossy().starts_with("eyJ") && !path.exists() {
            return Err(Failure::usage(format!("{FLAG}: expected a file, found what looks like a token itself"))
                .with_hint("write it to a file that others can't read, or put it in SIGSTORE_ID_TOKEN"));
        }
        let text = read_limited("the identity token", path, MAX_TOKEN_BYTES)?;
        self.read(FLAG, &String::from_utf8_lossy(&text))
    }

    fn fresh(&self) -> Result<IdentityToken, String> {
        let message = |failure: Failure| failure.message;
        match &self.source {
            Source::Text { what, text } => self.read(what, text).map_err(message),
            Source::File(path) => self.read_file(path).map_err(message),
            Source::Ambient => surrounding(&self.audience).map_err(|error| error.to_string()),
            Source::Login { login, way, browser, is_public } => {
                let public = if *is_public { "public logs, where everybody sees them" } else { "the instance's logs" };
                self.console.ask(&format!(
                    "Who signs is part of the signature: the name or e-mail address with which you log in is written \
                     to {public} and nobody can delete them.\n"
                ));
                let person = Person { console: &self.console, browser: browser.as_ref() };
                login.token(*way, &person, &now).map_err(|error| error.to_string())
            }
        }
    }
}

impl TokenSource for Tokens {
    fn token(&self) -> Result<IdentityToken, NoToken> {
        let first = self.first.lock().unwrap_or_else(PoisonError::into_inner).take();
        match first.filter(|token| token.expires_at().0 > now().0.saturating_add(MARGIN_SECONDS)) {
            Some(first) => Ok(first),
            None => self.fresh().map_err(NoToken),
        }
    }
}

/// A token that was given on the command line.
fn given(args: &IdentityArgs, console: &Console) -> Option<Source> {
    if let Some(Secret(text)) = &args.identity_token {
        console.warn("--identity-token shows the token to other users of this machine; use --identity-token-file");
        return Some(Source::Text { what: "--identity-token", text: Zeroizing::new(text.clone()) });
    }
    args.identity_token_file.clone().map(Source::File)
}

/// A token in the environment.
fn in_environment() -> Option<Source> {
    let text = std::env::var_os(TOKEN_VARIABLE).filter(|text| !text.is_empty())?;
    Some(Source::Text { what: TOKEN_VARIABLE, text: Zeroizing::new(text.to_string_lossy().into_owned()) })
}

/// The token of the job or the machine.
fn surrounding(audience: &str) -> Result<IdentityToken, AmbientError> {
    ambient(audience, &Surroundings::new(&|name| std::env::var(name).ok(), &now))
}

/// How a person can log in here, if anybody can.
fn way(args: &IdentityArgs) -> Option<(Way, Option<Browser>)> {
    if args.oauth_force_oob {
        return Some((Way::OutOfBand, None));
    }
    match Browser::find() {
        Some(browser) => Some((Way::Browser, Some(browser))),
        None => io::stdin().is_terminal().then_some((Way::OutOfBand, None)),
    }
}

/// The person before the terminal.
struct Person<'a> {
    console: &'a Console,
    browser: Option<&'a Browser>,
}

impl Prompt for Person<'_> {
    fn open(&self, url: &str) -> Opened {
        self.console.ask(&format!("Log in with your browser. If it does not open, go to\n  {}\n", escape(url)));
        if self.browser.is_some_and(|browser| browser.open(url)) { Opened::Browser } else { Opened::Nothing }
    }

    fn code(&self, url: &str) -> io::Result<String> {
        let question = format!("Log in at\n  {}\nand enter the code that is shown there: ", escape(url));
        self.console.ask_for(&question, || {
            let mut code = String::new();
            io::stdin().lock().take(MAX_CODE_BYTES).read_line(&mut code)?;
            Ok(code)
        })
    }
}

impl From<AmbientError> for Failure {
    fn from(error: AmbientError) -> Self {
        Self::could_not_check("no_identity", error.to_string())
    }
}

impl From<LoginError> for Failure {
    fn from(error: LoginError) -> Self {
        let message = error.to_string();
        match error {
            LoginError::Url { .. } | LoginError::Secret { .. } => Self::usage(message),
            _ => Self::could_not_check("no_identity", message),
        }
    }
}
