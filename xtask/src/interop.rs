//! `cargo xtask interop`: what one tool signs, the other verifies, and both refuse a model that was tampered with.

mod case;
mod exchange;
mod table;

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;

use anyhow::Result;

use self::case::{Case, cases};
use self::exchange::{Parties, exchange};
use self::table::Row;
use crate::outcome::Outcome;
use crate::process;
use crate::reference::Reference;
use crate::tool::Tool;
use crate::workspace::Workspace;

/// The name of each curve, and what `keygen` calls it.
const KEYS: [(&str, &str); 3] = [("P-256", "p256"), ("P-384", "p384"), ("P-521", "p521")];

/// Exchanges every model with every key and prints a table for each key.
pub(crate) fn run(workspace: &Workspace, python: Option<&Path>) -> Result<Outcome> {
    let theirs = Reference::install(workspace, python)?;
    let ours = Tool::new("ours", workspace.build_release()?);
    println!("\nours: {}; theirs: {}, {}", ours.version()?, theirs.tool.version()?, theirs.python_version);

    let folder = tempfile::tempdir()?;
    for (_, algorithm) in KEYS {
        let folder = folder.path().join(algorithm);
        fs::create_dir(&folder)?;
        process::stdout(&mut ours.keygen(algorithm, &folder.join("key.pem"), &folder.join("key.pub")))?;
    }

    let cases: Vec<_> = cases().collect();
    println!("==> exchanging {} models with {} keys", cases.len(), KEYS.len());
    let rows = exchange_all(&cases, &ours, &theirs.tool, folder.path());
    let mut outcome = Outcome::default();
    for ((key, _), rows) in KEYS.iter().zip(&rows) {
        outcome += table::print(key, rows);
    }
    println!(
        "\ncannot: the reference tool verifies a single file only under the name `.`; ours writes its base name \
         (OMS §6.1.2).\ndigest: `digest` prints the subject that we sign, and theirs is the same where both order \
         the files alike."
    );
    Ok(outcome)
}

/// The rows of each key, exchanged by as many threads as there are cores: starting Python is most of the time.
fn exchange_all(cases: &[&'static Case], ours: &Tool, theirs: &Tool, folder: &Path) -> Vec<Vec<Row>> {
    let next = AtomicUsize::new(0);
    let (sender, receiver) = mpsc::channel();
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(2, usize::from) {
            let (sender, next) = (sender.clone(), &next);
            scope.spawn(move || {
                loop {
                    let job = next.fetch_add(1, Ordering::Relaxed);
                    let Some((_, algorithm)) = KEYS.get(job / cases.len()) else { break };
                    let folder = folder.join(algorithm);
                    let (private_key, public_key) = (folder.join("key.pem"), folder.join("key.pub"));
                    let parties = Parties { ours, theirs, private_key: &private_key, public_key: &public_key };
                    let case = cases[job % cases.len()];
                    let row = exchange(case, &parties, &folder.join(case.name));
                    if sender.send((job, row)).is_err() {
                        break;
                    }
                }
            });
        }
        drop(sender);
        let mut rows: Vec<_> = receiver.iter().collect();
        rows.sort_by_key(|(job, _)| *job);
        let mut rows = rows.into_iter().map(|(_, row)| row);
        KEYS.iter().map(|_| rows.by_ref().take(cases.len()).collect()).collect()
    })
}
