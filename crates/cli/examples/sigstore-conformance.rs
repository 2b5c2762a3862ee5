//! Adapter for Sigstore's public conformance suite: its protocol on the left, this project's library on the right.
//!
//! `cargo build --release --example sigstore-conformance -p model-signing`, then in a checkout of the suite
//! `pytest test/ --entrypoint=…/target/release/examples/sigstore-conformance --skip-signing`.
#![expect(clippy::print_stderr, reason = "the protocol is standard error and the exit code")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use model_transparency::certificate::IdentityRule;
use model_transparency::key::PublicKey;
use model_transparency::sigstore::{
    Artifact, Instance, SignerRule, TrustedRoot, verify_artifact, verify_artifact_with_key,
};

#[derive(Parser)]
#[command(version)]
struct Adapter {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Verifies a bundle
    VerifyBundle(VerifyBundle),
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
    let Command::VerifyBundle(request) = Adapter::parse().command;
    match request.run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}

impl VerifyBundle {
    fn run(&self) -> Result<(), String> {
        let root = match &self.trusted_root {
            Some(path) => TrustedRoot::from_json(&read(path)?).map_err(|error| error.to_string())?,
            None => TrustedRoot::embedded(if self.staging { Instance::Staging } else { Instance::Production }),
        };
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
            let key = PublicKey::from_pem(&read(path)?).map_err(|error| error.to_string())?;
            return verify_artifact_with_key(&bundle, artifact, &root, &key).map_err(|error| error.to_string());
        }
        let rule = |text: &Option<String>| IdentityRule::Exact(text.clone().unwrap_or_default());
        let (identity, issuer) = (rule(&self.certificate_identity), rule(&self.certificate_oidc_issuer));
        let signer = SignerRule::Named { identity: &identity, issuer: &issuer };
        verify_artifact(&bundle, artifact, &root, signer).map(drop).map_err(|error| error.to_string())
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
