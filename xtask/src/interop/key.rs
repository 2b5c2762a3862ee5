//! The method `key`: every model with a key of each curve.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};

use super::case::{Case, Order, Tampering, cases};
use super::exchange::{Signed, Tools, same_statement};
use super::parallel::in_parallel;
use crate::outcome::Outcome;
use crate::process;
use crate::table::{Cell, Row, Table};
use crate::tool::{Method, Tool};

/// The name of each curve, and what `keygen` calls it.
const KEYS: [(&str, &str); 3] = [("P-256", "p256"), ("P-384", "p384"), ("P-521", "p521")];

const TABLE: Table<10> = Table {
    first: "model",
    columns: [
        "ours → theirs",
        "theirs → ours",
        "they refuse: changed",
        "missing",
        "extra",
        "we refuse: changed",
        "missing",
        "extra",
        "same statement",
        "digest",
    ],
};

/// Exchanges every model with every key and prints a table for each key.
pub(crate) fn run(tools: &Tools, folder: &Path) -> Result<Outcome> {
    for (_, algorithm) in KEYS {
        let folder = folder.join(algorithm);
        fs::create_dir(&folder)?;
        process::stdout(&mut tools.ours.keygen(algorithm, &folder.join("key.pem"), &folder.join("key.pub")))?;
    }

    let cases: Vec<_> = cases().collect();
    println!("==> exchanging {} models with {} keys", cases.len(), KEYS.len());
    let rows = in_parallel(KEYS.len() * cases.len(), |number| {
        let (case, (_, algorithm)) = (cases[number % cases.len()], KEYS[number / cases.len()]);
        exchange(case, tools, &folder.join(algorithm))
    });
    let mut outcome = Outcome::default();
    for ((key, _), rows) in KEYS.iter().zip(rows.chunks(cases.len())) {
        outcome += TABLE.print(key, rows);
    }
    println!(
        "\ncannot: the reference tool verifies a single file only under the name `.`; ours writes its base name \
         (OMS §6.1.2).\ndigest: `digest` prints the subject that we sign, and theirs is the same where both order \
         the files alike."
    );
    Ok(outcome)
}

/// Exchanges the model of `case` in both directions, with the key pair in `folder` and in new folders below it.
fn exchange(case: &'static Case, Tools { ours, theirs }: &Tools, folder: &Path) -> Row<10> {
    let (sign, verify) = (&Method::private_key(&folder.join("key.pem")), &Method::public_key(&folder.join("key.pub")));
    let folder = folder.join(case.name);
    let from_us = Signed::new(case, ours, sign, &folder);
    let from_them = Signed::new(case, theirs, sign, &folder);
    // The reference tool refuses any model signed by ours that it cannot verify: its own shows that it sees a change.
    let for_them = if case.reference_verifies_ours { &from_us } else { &from_them };

    let [they_changed, they_missing, they_extra] =
        Tampering::ALL.map(|tampering| for_them.refused_after(tampering, theirs, verify));
    let [we_changed, we_missing, we_extra] =
        Tampering::ALL.map(|tampering| from_them.refused_after(tampering, ours, verify));
    let cells = [
        ours_to_theirs(&from_us, theirs, verify),
        Cell::from(from_them.accepted(ours, verify)),
        they_changed,
        they_missing,
        they_extra,
        we_changed,
        we_missing,
        we_extra,
        Cell::from(same_statement(&from_us, &from_them)),
        Cell::from(same_digest(ours, &from_us, &from_them)),
    ];
    Row { name: case.name, cells }
}

fn ours_to_theirs(from_us: &Signed, theirs: &Tool, verify: &Method) -> Cell {
    if from_us.case.reference_verifies_ours {
        return Cell::from(from_us.accepted(theirs, verify));
    }
    // It looks for `.`, and takes the file's name for one that should not be there.
    let reason = format!("Extra files found in model '{}': .", from_us.case.model);
    from_us.known_refusal(theirs, verify, &[&reason])
}

/// `digest` prints the digest that we sign, and the reference signs the same where the orders agree.
fn same_digest(tool: &Tool, from_us: &Signed, from_them: &Signed) -> Result<()> {
    let subject = |signed: &Signed| -> Result<String> {
        let statement = signed.statement()?;
        let digest = statement["subject"][0]["digest"]["sha256"].as_str();
        Ok(digest.context("the statement has no subject digest")?.to_owned())
    };
    let (ours, theirs) = (subject(from_us)?, subject(from_them)?);
    let case = from_us.case;
    let mut ignored = case.ignored.to_vec();
    if Path::new(case.signature).starts_with(case.model) {
        ignored.push(case.signature);
    }
    let mut command = tool.digest(Path::new(case.model), case.symlinks, &ignored);
    let printed = process::stdout(command.current_dir(&from_us.folder))?;
    ensure!(printed.contains(&ours), "`digest` prints {printed}, but the subject is {ours}");
    match case.order {
        Order::Agrees => ensure!(ours == theirs, "subjects differ: ours {ours}, theirs {theirs}"),
        Order::Differs => ensure!(ours != theirs, "subjects agree: this model was to show a difference in order"),
    }
    Ok(())
}
