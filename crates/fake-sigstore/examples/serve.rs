//! Runs an instance for clients of other processes: `serve FOLDER` writes what they are configured with, says that it
//! did, and ends with its input.
//!
//! `trust_config.json` (both logs), `trust_config_v1.json`, `trust_config_v2.json`, `trusted_root.json`,
//! `signing_config.json`, `token` (of `signer@example.com`) and `issuer`.

use std::fs;
use std::io::{self, Read, Write};
use std::path::PathBuf;

use fake_sigstore::{Claims, Instance, Logs, Service, SigningConfig};

fn main() -> io::Result<()> {
    let folder = std::env::args_os().nth(1).map(PathBuf::from).ok_or(io::ErrorKind::InvalidInput)?;
    fs::create_dir_all(&folder)?;
    let sigstore = Instance::start();
    let trust_config = |logs| sigstore.trust_config_json(&SigningConfig::of(logs));
    let files = [
        ("trust_config.json", trust_config(Logs::Both)),
        ("trust_config_v1.json", trust_config(Logs::V1)),
        ("trust_config_v2.json", trust_config(Logs::V2)),
        ("trusted_root.json", sigstore.trusted_root_json()),
        ("signing_config.json", sigstore.signing_config_json(&SigningConfig::default())),
        ("token", sigstore.token(&Claims::email("signer@example.com"))),
        ("issuer", sigstore.url(Service::Oidc).to_owned()),
    ];
    for (name, content) in files {
        fs::write(folder.join(name), content)?;
    }
    writeln!(io::stdout(), "ready")?;
    io::stdin().read_to_end(&mut Vec::new()).map(|_| ())
}
