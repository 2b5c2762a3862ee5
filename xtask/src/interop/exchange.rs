//! One model and one key, signed by each tool and verified by the other.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use anyhow::{Context, Result, ensure};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::Value;

use super::case::{Case, Order, Tampering};
use super::table::{Cell, Row};
use crate::process;
use crate::tool::{Subject, Tool, explain};

/// The two tools and the key pair they share.
pub(crate) struct Parties<'a> {
    pub(crate) ours: &'a Tool,
    pub(crate) theirs: &'a Tool,
    pub(crate) private_key: &'a Path,
    pub(crate) public_key: &'a Path,
}

/// Exchanges the model of `case` in both directions, in two new folders below `folder`.
pub(crate) fn exchange(case: &'static Case, parties: &Parties<'_>, folder: &Path) -> Row {
    let from_us = Signed::new(case, parties, parties.ours, folder);
    let from_them = Signed::new(case, parties, parties.theirs, folder);
    // The reference tool refuses any model signed by ours that it cannot verify: its own shows that it sees a change.
    let for_them = if case.reference_verifies_ours { &from_us } else { &from_them };

    let [they_changed, they_missing, they_extra] = Tampering::ALL.map(|how| refuses(for_them, parties.theirs, how));
    let [we_changed, we_missing, we_extra] = Tampering::ALL.map(|how| refuses(&from_them, parties.ours, how));
    let cells = [
        ours_to_theirs(&from_us, parties.theirs),
        accepts(&from_them, parties.ours),
        they_changed,
        they_missing,
        they_extra,
        we_changed,
        we_missing,
        we_extra,
        Cell::from(same_statement(&from_us, &from_them)),
        Cell::from(same_digest(parties.ours, &from_us, &from_them)),
    ];
    Row { case: case.name, cells }
}

/// A model that one of the tools signed, or why it could not.
struct Signed<'a> {
    case: &'static Case,
    parties: &'a Parties<'a>,
    folder: PathBuf,
    outcome: Result<()>,
}

impl<'a> Signed<'a> {
    fn new(case: &'static Case, parties: &'a Parties<'a>, signer: &Tool, parent: &Path) -> Self {
        let mut signed = Self { case, parties, folder: parent.join(signer.name), outcome: Ok(()) };
        signed.outcome = signed.sign(signer).with_context(|| format!("signed by {}", signer.name));
        signed
    }

    fn sign(&self, signer: &Tool) -> Result<()> {
        self.case.write(&self.folder)?;
        let mut command = signer.sign(self.subject(), self.parties.private_key, self.case.ignored);
        let output = process::output(command.current_dir(&self.folder))?;
        ensure!(output.status.success(), "{}", explain(&output));
        self.case.write_later(&self.folder)?;
        Ok(())
    }

    fn verify(&self, verifier: &Tool) -> Result<Output> {
        if let Err(error) = &self.outcome {
            anyhow::bail!("{error:#}");
        }
        process::output(verifier.verify(self.subject(), self.parties.public_key).current_dir(&self.folder))
    }

    fn statement(&self) -> Result<Value> {
        let bundle = fs::read(self.folder.join(self.case.signature))?;
        let bundle: Value = serde_json::from_slice(&bundle)?;
        let payload = bundle["dsseEnvelope"]["payload"].as_str().context("the bundle has no payload")?;
        Ok(serde_json::from_slice(&BASE64_STANDARD.decode(payload)?)?)
    }

    fn subject(&self) -> Subject<'_> {
        Subject {
            model: Path::new(self.case.model),
            signature: Path::new(self.case.signature),
            symlinks: self.case.symlinks,
        }
    }
}

fn ours_to_theirs(from_us: &Signed<'_>, theirs: &Tool) -> Cell {
    if from_us.case.reference_verifies_ours {
        return accepts(from_us, theirs);
    }
    let result = from_us.verify(theirs).and_then(|output| {
        ensure!(!output.status.success(), "the reference tool now verifies this: update the case and the README");
        // It looks for `.`, and takes the file's name for one that should not be there.
        let said = String::from_utf8_lossy(&output.stderr);
        let expected = format!("Extra files found in model '{}': .", from_us.case.model);
        ensure!(said.contains(&expected), "refused for another reason: {}", explain(&output));
        Ok(())
    });
    match result {
        Ok(()) => Cell::Cannot,
        Err(error) => Cell::Failed(format!("{error:#}")),
    }
}

fn accepts(signed: &Signed<'_>, verifier: &Tool) -> Cell {
    Cell::from(signed.verify(verifier).and_then(|output| {
        ensure!(output.status.success(), "not verified: {}", explain(&output));
        Ok(())
    }))
}

fn refuses(signed: &Signed<'_>, verifier: &Tool, tampering: Tampering) -> Cell {
    if !signed.case.allows(tampering) {
        return Cell::NotApplicable;
    }
    let attempt = || {
        signed.case.tamper(tampering, &signed.folder)?;
        let output = signed.verify(verifier);
        signed.case.restore(tampering, &signed.folder)?;
        let output = output?;
        // 1 is the verdict in both tools; ours says "could not check" otherwise, theirs only in words.
        ensure!(output.status.code() == Some(1), "not refused: {}", explain(&output));
        let said = String::from_utf8_lossy(&output.stderr);
        let expected = verifier.name == "ours" || tampering.is_what_reference_saw(&said);
        ensure!(expected, "refused for another reason: {}", explain(&output));
        Ok(())
    };
    Cell::from(attempt())
}

/// Both tools list the same files with the same digests, and record the same parameters.
fn same_statement(from_us: &Signed<'_>, from_them: &Signed<'_>) -> Result<()> {
    let (mut ours, mut theirs) = (from_us.statement()?, from_them.statement()?);
    for statement in [&mut ours, &mut theirs] {
        // The order of files is compared with the digest; that of ignored paths says nothing.
        sort(&mut statement["predicate"]["resources"]);
        sort(&mut statement["predicate"]["serialization"]["ignore_paths"]);
        statement["subject"].take();
        if !from_us.case.reference_verifies_ours {
            statement["predicate"]["resources"][0]["name"].take();
        }
    }
    ensure!(ours == theirs, "statements differ: ours {ours}, theirs {theirs}");
    Ok(())
}

fn sort(array: &mut Value) {
    if let Some(items) = array.as_array_mut() {
        items.sort_by_cached_key(Value::to_string);
    }
}

/// `digest` prints the digest that we sign, and the reference signs the same where the orders agree.
fn same_digest(tool: &Tool, from_us: &Signed<'_>, from_them: &Signed<'_>) -> Result<()> {
    let subject = |signed: &Signed<'_>| -> Result<String> {
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
