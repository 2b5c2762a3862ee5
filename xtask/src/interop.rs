//! `cargo xtask interop`: what one tool signs, the other verifies, and both refuse a model that was tampered with.
//!
//! A file for each method.

mod case;
mod exchange;
mod key;
mod parallel;
mod table;

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

    let folder = tempfile::tempdir()?;
    let tools = Tools { ours, theirs: theirs.tool };
    key::run(&tools, folder.path())
}
