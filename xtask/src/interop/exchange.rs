//! A model that one tool signed, and what the other says of it, whatever the method.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use anyhow::{Context, Result, bail, ensure};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::Value;

use super::case::{Case, Tampering};
use crate::process;
use crate::table::Cell;
use crate::tool::{Method, Subject, Tool, explain};

/// The two tools that are compared.
pub(crate) struct Tools {
    pub(crate) ours: Tool,
    pub(crate) theirs: Tool,
}

/// A model that one of the tools signed, or why it could not.
pub(crate) struct Signed {
    pub(crate) case: &'static Case,
    /// The folder that the model is in, and that the tools run in.
    pub(crate) folder: PathBuf,
    outcome: Result<()>,
}

impl Signed {
    /// Signs the model of `case`, in a new folder below `parent` that is named after the tool.
    pub(crate) fn new(case: &'static Case, signer: &Tool, method: &Method, parent: &Path) -> Self {
        let mut signed = Self { case, folder: parent.join(signer.name), outcome: Ok(()) };
        signed.outcome = signed.sign(signer, method).with_context(|| format!("signed by {}", signer.name));
        signed
    }

    fn sign(&self, signer: &Tool, method: &Method) -> Result<()> {
        self.case.write(&self.folder)?;
        let mut command = signer.sign(self.subject(), method, self.case.ignored);
        let output = process::output(command.current_dir(&self.folder))?;
        ensure!(output.status.success(), "{}", explain(&output));
        self.case.write_later(&self.folder)?;
        Ok(())
    }

    /// The reference tool could not sign it, for this reason, as is known.
    pub(crate) fn known_failure(&self, reason: &str) -> Cell {
        match &self.outcome {
            Ok(()) => {
                Cell::Failed("the reference tool can now sign this: update the exchange and the README".to_owned())
            }
            Err(error) if format!("{error:#}").contains(reason) => Cell::Cannot,
            Err(error) => Cell::Failed(format!("{error:#}")),
        }
    }

    /// What the verifier says.
    pub(crate) fn verify(&self, verifier: &Tool, method: &Method) -> Result<Output> {
        if let Err(error) = &self.outcome {
            bail!("{error:#}");
        }
        process::output(verifier.verify(self.subject(), method).current_dir(&self.folder))
    }

    /// The verifier accepts it.
    pub(crate) fn accepted(&self, verifier: &Tool, method: &Method) -> Result<()> {
        let output = self.verify(verifier, method)?;
        ensure!(output.status.success(), "not verified: {}", explain(&output));
        Ok(())
    }

    /// The verifier refuses it; if it is the reference tool, for one of these reasons.
    pub(crate) fn refused(&self, verifier: &Tool, method: &Method, reasons: &[&str]) -> Result<()> {
        refusal(verifier, &self.verify(verifier, method)?, |said| is_one_of(reasons, said))
    }

    /// The reference tool refuses it for one of these reasons where ours would not, as is known.
    pub(crate) fn known_refusal(&self, theirs: &Tool, method: &Method, reasons: &[&str]) -> Cell {
        let result = self.verify(theirs, method).and_then(|output| {
            ensure!(!output.status.success(), "the reference tool now verifies this: update the case and the README");
            refusal(theirs, &output, |said| is_one_of(reasons, said))
        });
        match result {
            Ok(()) => Cell::Cannot,
            Err(error) => Cell::Failed(format!("{error:#}")),
        }
    }

    /// The verifier refuses it after the model was tampered with, which is undone.
    pub(crate) fn refused_after(&self, tampering: Tampering, verifier: &Tool, method: &Method) -> Cell {
        if !self.case.allows(tampering) {
            return Cell::NotApplicable;
        }
        let attempt = || {
            self.case.tamper(tampering, &self.folder)?;
            let output = self.verify(verifier, method);
            self.case.restore(tampering, &self.folder)?;
            refusal(verifier, &output?, |said| tampering.is_what_reference_saw(said))
        };
        Cell::from(attempt())
    }

    /// What was signed.
    pub(crate) fn statement(&self) -> Result<Value> {
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

/// The output is a refusal, for the reason that is looked for. Ours says "could not check" with another code; theirs
/// has one code and says all in words.
fn refusal(verifier: &Tool, output: &Output, is_reason: impl Fn(&str) -> bool) -> Result<()> {
    ensure!(output.status.code() == Some(1), "not refused: {}", explain(output));
    let expected = verifier.name == "ours" || is_reason(&String::from_utf8_lossy(&output.stderr));
    ensure!(expected, "refused for another reason: {}", explain(output));
    Ok(())
}

fn is_one_of(reasons: &[&str], said: &str) -> bool {
    reasons.iter().any(|reason| said.contains(reason))
}

/// Both tools list the same files with the same digests, and record the same parameters.
pub(crate) fn same_statement(from_us: &Signed, from_them: &Signed) -> Result<()> {
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
