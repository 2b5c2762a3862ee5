//! Adapter for Sigstore's public conformance suite: its protocol on the left, this project's library on the right.
//!
//! `cargo build --release --example sigstore-conformance -p model-signing`, then in a checkout of the suite
//! `pytest test/ --entrypoint=…/target/release/examples/sigstore-conformance --skip-signing`.
#![expect(clippy::print_stderr, reason = "the protocol is standard error and the exit code")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::{Args, Parser, Subcommand};
use model_transparency::certificate::{IdentityRule, UnixTime};
use model_transparency::key::PublicKey;
use model_transparency::sign::{Log, Timestamper, Witnesses, sign_artifact, sign_statement};
use model_transparency::sigstore::{
    Artifact, Instance, SignerRule, SigningConfig, TrustedRoot, verify_artifact, verify_artifact_with_key,
};
use model_transparency_remote::oidc::{AUDIENCE, IdentityToken};
use model_transparency_remote::sigstore::{Fulcio, NoToken, Rekor, RekorVersion, SigstoreSigner, TokenSource};
use model_transparency_remote::timestamp::HttpTimestamper;

#[derive(Parser)]
#[command(version)]
struct Adapter {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Signs a file, or a statement
    SignBundle(SignBundle),
    /// Verifies a bundle
    VerifyBundle(VerifyBundle),
}

#[derive(Args)]
struct SignBundle {
    #[arg(long)]
    staging: bool,
    #[arg(long)]
    in_toto: bool,
    #[arg(long)]
    identity_token: String,
    #[arg(long)]
    bundle: PathBuf,
    #[arg(long)]
    trusted_root: Option<PathBuf>,
    #[arg(long)]
    signing_config: Option<PathBuf>,
    file: PathBuf,
}

#[derive(Args)]
struct VerifyBundle {
    #[arg(long)]
    staging: bool,
    #[arg(long)]
    bundle: PathBuf,
    #[arg(long, required_unless_present = "key")]
    certificate_identity: Option<String>,
    #[arg(long, required_unless_present = "key")]
    certificate_oidc_issuer: Option<String>,
    #[arg(long, conflicts_with = "certificate_identity")]
    key: Option<PathBuf>,
    #[arg(long)]
    trusted_root: Option<PathBuf>,
    file_or_digest: String,
}

fn main() -> ExitCode {
    let outcome = match Adapter::parse().command {
        Command::SignBundle(request) => request.run(),
        Command::VerifyBundle(request) => request.run(),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}

/// The token that the suite gives.
struct Token(String);

impl TokenSource for Token {
    fn token(&self) -> Result<IdentityToken, NoToken> {
        IdentityToken::parse(&self.0, AUDIENCE, now()).map_err(|error| NoToken(error.to_string()))
    }
}

impl SignBundle {
    fn run(&self) -> Result<(), String> {
        let root = root(self.trusted_root.as_deref(), self.staging)?;
        let config = match &self.signing_config {
            Some(path) => SigningConfig::from_json(&read(path)?).map_err(text)?,
            None => SigningConfig::embedded(instance(self.staging)),
        };
        let services = config.select(now(), None).map_err(text)?;
        let mut timestampers = Vec::new();
        for url in &services.tsa {
            timestampers.push(HttpTimestamper::new(url, root.timestamp_authorities().to_vec()).map_err(text)?);
        }
        let mut logs = Vec::new();
        for log in &services.rekor {
            let version = RekorVersion::from_major(log.version).ok_or("an unknown version of Rekor")?;
            logs.push(Rekor::new(&log.url, version).map_err(text)?);
        }
        let timestampers: Vec<&dyn Timestamper> = timestampers.iter().map(|timestamper| timestamper as _).collect();
        let logs: Vec<&dyn Log> = logs.iter().map(|log| log as _).collect();
        let witnesses = Witnesses { timestampers: &timestampers, logs: &logs, trusted_logs: None };
        let fulcio = Fulcio::new(&services.fulcio).map_err(text)?;
        let signer = SigstoreSigner::new(fulcio, Token(self.identity_token.clone()), root.clone(), now);
        let content = read(&self.file)?;
        let bundle = if self.in_toto {
            sign_statement(content, &signer, witnesses).map(|signed| signed.bundle.to_json())
        } else {
            sign_artifact(&content, &signer, witnesses, &root)
        };
        fs::write(&self.bundle, bundle.map_err(text)?).map_err(|error| format!("`{}`: {error}", self.bundle.display()))
    }
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}

fn now() -> UnixTime {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    UnixTime(since.map_or(0, |since| since.as_secs()))
}

fn instance(staging: bool) -> Instance {
    if staging { Instance::Staging } else { Instance::Production }
}

fn root(path: Option<&Path>, staging: bool) -> Result<TrustedRoot, String> {
    match path {
        Some(path) => TrustedRoot::from_json(&read(path)?).map_err(text),
        None => Ok(TrustedRoot::embedded(instance(staging))),
    }
}

impl VerifyBundle {
    fn run(&self) -> Result<(), String> {
        let root = root(self.trusted_root.as_deref(), self.staging)?;
        let bundle = read(&self.bundle)?;
        let content;
        let artifact = match digest(&self.file_or_digest) {
            Some(digest) => Artifact::Sha256(digest),
            None => {
                content = read(Path::new(&self.file_or_digest))?;
                Artifact::Bytes(&content)
            }
        };
        if let Some(path) = &self.key {
            let key = PublicKey::from_pem(&read(path)?).map_err(text)?;
            return verify_artifact_with_key(&bundle, artifact, &root, &key).map_err(text);
        }
        let rule = |text: &Option<String>| IdentityRule::Exact(text.clone().unwrap_or_default());
        let (identity, issuer) = (rule(&self.certificate_identity), rule(&self.certificate_oidc_issuer));
        let signer = SignerRule::Named { identity: &identity, issuer: &issuer };
        verify_artifact(&bundle, artifact, &root, signer).map(drop).map_err(text)
    }
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    fs::read(path).map_err(|error| format!("`{}`: {error}", path.display()))
}

/// A digest, unless a file is called so.
fn digest(text: &str) -> Option<[u8; 32]> {
    let hex = text.strip_prefix("sha256:").filter(|hex| hex.len() == 64 && !Path::new(text).exists())?;
    let byte = |pair: &[u8]| std::str::from_utf8(pair).ok().and_then(|pair| u8::from_str_radix(pair, 16).ok());
    hex.as_bytes().chunks(2).map(byte).collect::<Option<Vec<u8>>>()?.try_into().ok()
}
