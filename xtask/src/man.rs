//! `cargo xtask man`: man pages and shell completions, from the definition of the command line.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::ValueEnum;
use clap_complete::Shell;

use crate::workspace::Workspace;

/// Writes one page per command into `out`, and one completion script per shell into `out/completions`.
pub(crate) fn run(workspace: &Workspace, out: Option<PathBuf>) -> Result<()> {
    let pages = out.unwrap_or_else(|| workspace.target.join("man"));
    let completions = pages.join("completions");
    fs::create_dir_all(&completions).with_context(|| format!("cannot create {}", completions.display()))?;

    let mut command = model_signing_cli::command();
    let name = command.get_name().to_owned();
    clap_mangen::generate_to(command.clone(), &pages)
        .with_context(|| format!("cannot write man pages to {}", pages.display()))?;
    for shell in Shell::value_variants() {
        clap_complete::generate_to(*shell, &mut command, &name, &completions)
            .with_context(|| format!("cannot write completions to {}", completions.display()))?;
    }

    println!("man pages: {}", pages.display());
    println!("completions: {}", completions.display());
    Ok(())
}
