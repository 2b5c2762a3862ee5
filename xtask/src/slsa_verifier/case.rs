//! One question to both tools, and how it is altered.

use std::fmt;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE};
use serde_json::Value;

use crate::tool::Tool;

/// What the document is called in the folder that the tools run in.
pub(super) const DOCUMENT: &str = "document.json";
/// What the public key is called there.
pub(super) const KEY: &str = "key.pem";

/// What a tool says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Accepted,
    Refused,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Accepted => "accepted",
            Self::Refused => "refused",
        })
    }
}

/// What is verified.
#[derive(Clone, Copy)]
pub(super) enum Verb {
    Image,
    Summary,
}

impl Verb {
    pub(super) fn ours(self) -> &'static [&'static str] {
        match self {
            Self::Image => &["provenance", "verify"],
            Self::Summary => &["vsa", "verify"],
        }
    }

    pub(super) fn theirs(self) -> &'static [&'static str] {
        match self {
            Self::Image => &["verify-image"],
            Self::Summary => &["verify-vsa"],
        }
    }
}

/// A question with a name, and what we have to say.
pub(super) struct Case {
    pub(super) name: String,
    pub(super) verb: Verb,
    pub(super) expected: Verdict,
    asked: Asked,
}

/// What both tools are asked, to be altered.
#[derive(Clone, Default)]
pub(super) struct Asked {
    /// The image; summaries have none.
    pub(super) image: Option<String>,
    pub(super) flags: Vec<(&'static str, Option<String>)>,
    pub(super) document: String,
    /// The public key; provenance has none.
    pub(super) key: String,
    /// A document that another signer, or the same one at another time, made of something else.
    pub(super) other: String,
}

/// A change of what is asked, and what we say then.
pub(super) struct Alteration {
    pub(super) name: &'static str,
    pub(super) expected: Verdict,
    pub(super) apply: fn(&mut Asked) -> Result<()>,
}

/// An alteration that changes nothing of what counts.
pub(super) const fn accepted(name: &'static str, apply: fn(&mut Asked) -> Result<()>) -> Alteration {
    Alteration { name, expected: Verdict::Accepted, apply }
}

/// An alteration that is refused.
pub(super) const fn refused(name: &'static str, apply: fn(&mut Asked) -> Result<()>) -> Alteration {
    Alteration { name, expected: Verdict::Refused, apply }
}

impl Case {
    pub(super) fn new(name: &str, verb: Verb, expected: Verdict, asked: Asked) -> Self {
        Self { name: name.to_owned(), verb, expected, asked }
    }

    /// The question, altered.
    pub(super) fn altered(base: &str, verb: Verb, asked: &Asked, alteration: &Alteration) -> Result<Self> {
        let name = format!("{base}: {}", alteration.name);
        let mut asked = asked.clone();
        (alteration.apply)(&mut asked).with_context(|| name.clone())?;
        Ok(Self { name, verb, expected: alteration.expected, asked })
    }

    /// Whether the flag is given.
    pub(super) fn has(&self, flag: &str) -> bool {
        self.asked.flags.iter().any(|(name, _)| *name == flag)
    }

    /// Writes what the flags name.
    pub(super) fn write(&self, folder: &Path) -> Result<()> {
        for (name, text) in [(DOCUMENT, &self.asked.document), (KEY, &self.asked.key)] {
            fs::write(folder.join(name), text).with_context(|| format!("cannot write {name}"))?;
        }
        Ok(())
    }

    /// The command of one tool: its subcommand, then what both are given.
    pub(super) fn command(&self, tool: &Tool, subcommand: &[&str], folder: &Path) -> Command {
        let mut command = tool.command(subcommand.iter().copied());
        command.current_dir(folder).args(&self.asked.image);
        for (flag, value) in &self.asked.flags {
            command.arg(flag).args(value);
        }
        command
    }
}

impl Asked {
    /// Adds a flag.
    pub(super) fn add(&mut self, flag: &'static str, value: &str) -> Result<()> {
        self.flags.push((flag, Some(value.to_owned())));
        Ok(())
    }

    /// Adds a flag that has no value.
    pub(super) fn switch(&mut self, flag: &'static str) -> Result<()> {
        self.flags.push((flag, None));
        Ok(())
    }

    /// Replaces the value of a flag.
    pub(super) fn set(&mut self, flag: &'static str, value: &str) -> Result<()> {
        let found = self.flags.iter_mut().find(|(name, _)| *name == flag);
        found.with_context(|| format!("no {flag} to set"))?.1 = Some(value.to_owned());
        Ok(())
    }

    /// Takes a flag away.
    pub(super) fn remove(&mut self, flag: &'static str) -> Result<()> {
        ensure!(self.flags.iter().any(|(name, _)| *name == flag), "no {flag} to take away");
        self.flags.retain(|(name, _)| *name != flag);
        Ok(())
    }

    /// Replaces a part of the document's text where it stands first.
    pub(super) fn replace(&mut self, from: &str, to: &str) -> Result<()> {
        ensure!(self.document.contains(from), "no `{from}` in the document");
        self.document = self.document.replacen(from, to, 1);
        Ok(())
    }

    /// Changes the document as JSON.
    pub(super) fn edit(&mut self, change: impl FnOnce(&mut Value) -> Result<()>) -> Result<()> {
        let mut document = serde_json::from_str(&self.document)?;
        change(&mut document)?;
        self.document = document.to_string();
        Ok(())
    }

    /// Replaces the value at a place of the document.
    pub(super) fn put(&mut self, pointer: &str, value: impl Into<Value>) -> Result<()> {
        self.edit(|document| {
            *at(document, pointer)? = value.into();
            Ok(())
        })
    }

    /// Takes the last member of a pointer out of the document.
    pub(super) fn cut(&mut self, pointer: &str) -> Result<()> {
        self.edit(|document| {
            let (parent, member) = pointer.rsplit_once('/').context("a pointer begins with /")?;
            let parent = at(document, parent)?.as_object_mut().with_context(|| format!("{parent}: no object"))?;
            parent.remove(member).map(|_| ()).with_context(|| format!("no {pointer}"))
        })
    }

    /// Changes a text of the document.
    pub(super) fn rewrite(&mut self, pointer: &str, change: impl FnOnce(&str) -> Result<String>) -> Result<()> {
        self.edit(|document| {
            let place = at(document, pointer)?;
            let text = place.as_str().with_context(|| format!("{pointer}: no text"))?;
            *place = change(text)?.into();
            Ok(())
        })
    }

    /// Changes a bit of a byte of what stands in the document as base64.
    pub(super) fn flip(&mut self, pointer: &str, index: usize) -> Result<()> {
        self.rewrite(pointer, |text| {
            let mut bytes = decode(text)?;
            let length = bytes.len();
            *bytes.get_mut(index).with_context(|| format!("{pointer}: only {length} bytes"))? ^= 1;
            Ok(BASE64_STANDARD.encode(bytes))
        })
    }
}

/// The value at a pointer.
pub(super) fn at<'a>(document: &'a mut Value, pointer: &str) -> Result<&'a mut Value> {
    document.pointer_mut(pointer).with_context(|| format!("no {pointer}"))
}

/// Base64 in either alphabet.
pub(super) fn decode(text: &str) -> Result<Vec<u8>> {
    let engine = if text.contains(['-', '_']) { &BASE64_URL_SAFE } else { &BASE64_STANDARD };
    engine.decode(text).context("expected base64")
}

/// A base64 text in the alphabet for addresses.
pub(super) fn url_safe(text: &str) -> Result<String> {
    let other = text.replace('+', "-").replace('/', "_");
    if other == text {
        bail!("both alphabets write this text alike");
    }
    Ok(other)
}
