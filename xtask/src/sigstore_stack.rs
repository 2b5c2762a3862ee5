//! `cargo xtask sigstore-stack`: Sigstore's own servers on loopback, so that signing is tested against them and not
//! against what we believe of them.
//!
//! Fulcio with a file CA, `TesseraCT`, Rekor v2 and the timestamp authority, built from pinned versions, and a stub OIDC
//! provider of ours. [`Stack`] is for other tasks; `up` and `down` are for a person.

mod authority;
mod background;
mod http;
mod install;
mod issuer;
mod keys;
mod servers;
mod stack;
mod trust;

use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::{Args, Subcommand};

pub(crate) use self::http::{Request, Response, Server, browse};
pub(crate) use self::install::{Programs, install};
pub(crate) use self::issuer::token::Claims;
pub(crate) use self::issuer::{Login, PERSON, Realm, workflow_environment};
pub(crate) use self::keys::LogAlgorithm;
pub(crate) use self::servers::Service;
pub(crate) use self::stack::{Options, Stack};
use crate::workspace::Workspace;

/// What to do with the stack.
#[derive(Subcommand)]
pub(crate) enum Action {
    /// Builds the servers (Go 1.26 or later), once for each version.
    Install,
    /// Starts a stack and returns when it is ready.
    Up(Place),
    /// Ends a stack.
    Down(Place),
    /// Prints an identity token of a running stack.
    Token(TokenOptions),
    /// Runs a stack until `down`; `up` starts it.
    #[command(hide = true)]
    Serve(Place),
}

/// Where a stack is.
#[derive(Args)]
pub(crate) struct Place {
    /// The folder of its files; `sigstore-stack` in the target directory by default.
    #[arg(long)]
    folder: Option<PathBuf>,
}

/// What a token says.
#[derive(Args)]
pub(crate) struct TokenOptions {
    #[command(flatten)]
    place: Place,
    /// Which issuer mints it.
    #[arg(long, value_enum, default_value_t = Realm::People)]
    issuer: Realm,
    /// The address of the person.
    #[arg(long, default_value = PERSON)]
    email: String,
    /// The repository of the workflow, of the issuer `workflows`.
    #[arg(long, default_value = "example/model")]
    repository: String,
    /// Whom it is for; Sigstore by default.
    #[arg(long)]
    audience: Option<String>,
    /// Seconds from now; in the past if negative.
    #[arg(long, allow_negative_numbers = true)]
    expires_in: Option<i64>,
}

/// Does it.
pub(crate) fn run(workspace: &Workspace, action: Action) -> Result<()> {
    match action {
        Action::Install => {
            install()?;
        }
        Action::Up(place) => {
            install()?;
            let folder = place.folder(workspace)?;
            background::up(&folder)?;
            println!("ready: {}", folder.join("trust_config.json").display());
        }
        Action::Down(place) => background::down(&place.folder(workspace)?)?,
        Action::Token(options) => println!("{}", token(&options.place.folder(workspace)?, &options)?),
        Action::Serve(place) => background::serve(&install()?, &place.folder(workspace)?)?,
    }
    Ok(())
}

impl Place {
    fn folder(&self, workspace: &Workspace) -> Result<PathBuf> {
        let folder = self.folder.clone().unwrap_or_else(|| workspace.target.join("sigstore-stack"));
        Ok(std::path::absolute(folder)?)
    }
}

fn token(folder: &Path, options: &TokenOptions) -> Result<String> {
    let mut claims = match options.issuer {
        Realm::People | Realm::Partners => Claims::person(&options.email),
        Realm::Workflows => Claims::workflow(&options.repository, "main"),
    };
    if let Some(audience) = &options.audience {
        claims = claims.with("aud", audience.as_str());
    }
    if let Some(seconds) = options.expires_in {
        claims = claims.expires_in(seconds);
    }
    background::issuer(folder, options.issuer)?.token(&claims)
}
