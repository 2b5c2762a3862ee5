//! `cargo xtask ci`: everything that CI runs on Linux, with one closing line.

use anyhow::Result;

use crate::outcome::Outcome;
use crate::workspace::Workspace;
use crate::{arm, check, debian, deploy, e2e, fuzz, go, interop, slsa_verifier, train};

const FUZZ_SECONDS: u64 = 10;

/// Runs every part, also after one failed, and sums what they found.
pub(crate) fn run(workspace: &Workspace) -> Result<Outcome> {
    let mut total = Outcome::default();
    let mut summary = String::new();
    let mut add = |name: &str, part: Result<Outcome>| {
        let part = part.unwrap_or_else(|error| Outcome { problems: vec![format!("{error:#}")], ..Outcome::default() });
        summary
            .push_str(&format!("\n{name}: {} passed, {} failed, {} skipped", part.passed, part.failed, part.skipped));
        total += part;
    };
    let devices = debian::require("softhsm2-util", "softhsm2").and_then(|()| debian::require("pkcs11-tool", "opensc"));
    let softhsm = match devices {
        Ok(()) => check::SoftHsm::Required,
        Err(missing) => {
            println!("==> tests with PKCS#11 tokens are skipped: {missing}");
            check::SoftHsm::IfInstalled
        }
    };
    add("check", check::run(workspace, softhsm));
    add("arm", arm::run(workspace));
    add("interop", interop::run(workspace, None));
    match go::missing() {
        None => {
            add("e2e", e2e::run(workspace, &e2e::Options::default()));
            // A peer that can't be had says nothing about this project.
            match slsa_verifier::install() {
                Ok(_) => add("slsa-verifier", slsa_verifier::run(workspace, &slsa_verifier::Options::default())),
                Err(error) => {
                    println!("==> slsa-verifier is skipped: it can't be built here: {error:#}");
                    add("slsa-verifier", Ok(Outcome { skipped: 1, ..Outcome::default() }));
                }
            }
        }
        Some(missing) => {
            println!("==> e2e and slsa-verifier are skipped: {missing}");
            add("e2e", Ok(Outcome { skipped: 1, ..Outcome::default() }));
            add("slsa-verifier", Ok(Outcome { skipped: 1, ..Outcome::default() }));
        }
    }
    add("train", train::run(workspace, &train::Options::ci()));
    add("deploy", deploy::run(workspace, None));
    match fuzz::missing(workspace) {
        None => add("fuzz", fuzz::run(workspace, FUZZ_SECONDS, Vec::new())),
        Some(missing) => summary.push_str(&format!("\nfuzz: skipped: {missing}")),
    }
    println!("{summary}");
    Ok(total)
}
