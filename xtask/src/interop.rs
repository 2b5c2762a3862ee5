//! `cargo xtask interop`: what one tool signs, the other verifies, and both refuse a model that was tampered with.
//!
//! A file for each method.

mod authority;
pub(crate) mod case;
mod certificate;
mod exchange;
mod key;
mod parallel;
mod pkcs11;
mod softhsm;

use std::path::Path;

use anyhow::Result;

use self::exchange::Tools;
use crate::outcome::Outcome;
use crate::reference::Reference;
use crate::tool::Tool;
use crate::workspace::Workspace;

/// Exchanges models with every method and prints the tables of each.
pub(crate) fn run(workspace: &Workspace, python: Option<&Path>) -> Result<Outcome> {
    let theirs = Reference::install(workspace, python)?;
    let ours = Tool::new("ours", workspace.build_release()?);
    println!("\nours: {}; theirs: {}, {}", ours.version()?, theirs.tool.version()?, theirs.python_version);

    let has_pkcs11 = theirs.has_pkcs11();
    let tools = Tools { ours, theirs: theirs.tool };
    let mut outcome = exchange(&tools, key::run);
    outcome += exchange(&tools, certificate::run);
    outcome += if has_pkcs11 {
        exchange(&tools, pkcs11::run)
    } else {
        pkcs11::skipped("PyKCS11 can't be installed for the reference tool")
    };
    Ok(outcome)
}

/// Runs the exchanges of a method in a folder of their own. What keeps them from running does not keep others.
fn exchange(tools: &Tools, method: fn(&Tools, &Path) -> Result<Outcome>) -> Outcome {
    let outcome = tempfile::tempdir().map_err(Into::into).and_then(|folder| method(tools, folder.path()));
    outcome.unwrap_or_else(|error| Outcome { problems: vec![format!("{error:#}")], ..Outcome::default() })
}
