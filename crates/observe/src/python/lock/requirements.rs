//! `requirements.txt` with a hash for each requirement, as `pip --require-hashes` reads it.

use super::{Locked, LockedFile, Malformed, file, file_name, locked, quoted};
use crate::python::name::{self, FileName};

const PINNED: &str = "`NAME==VERSION` with hashes";

pub(super) fn packages(text: &str) -> Result<Vec<Locked>, Malformed> {
    let mut packages = Vec::new();
    for line in lines(text) {
        let line = line.trim();
        if line.is_empty() {
            continue;
        }
        if line.starts_with('-') {
            option(line)?;
        } else {
            packages.extend(requirement(line)?);
        }
    }
    Ok(packages)
}

/// The lines, with those that end with `\` joined, without comments. The order is pip's: a comment ends a joined line.
fn lines(text: &str) -> Vec<String> {
    let mut joined = Vec::new();
    let mut line = String::new();
    for part in text.lines() {
        let is_comment = part.trim_start().starts_with('#');
        let continued = if is_comment { None } else { part.strip_suffix('\\') };
        if is_comment {
            line.push(' ');
        }
        line.push_str(continued.unwrap_or(part));
        if continued.is_none() {
            joined.push(without_comment(std::mem::take(&mut line)));
        }
    }
    joined.push(without_comment(line));
    joined
}

fn without_comment(mut line: String) -> String {
    let starts = |(at, _): &(usize, &str)| *at == 0 || line[..*at].ends_with(char::is_whitespace);
    if let Some((at, _)) = line.match_indices('#').find(starts) {
        line.truncate(at);
    }
    line
}

/// Refuses what brings in more requirements. Where packages are looked for does not change what they are.
fn option(line: &str) -> Result<(), Malformed> {
    let word = line.split([' ', '\t', '=']).next().unwrap_or(line);
    let short = |letter: &str| line.starts_with(letter) && !line.starts_with("--");
    if short("-r") || short("-e") || matches!(word, "--requirement" | "--editable") {
        return Err(Malformed::new("all requirements in one file, each with hashes", quoted(line)));
    }
    Ok(())
}

fn requirement(line: &str) -> Result<Option<Locked>, Malformed> {
    let mut words = line.split_whitespace().peekable();
    let mut specifier = String::new();
    while let Some(word) = words.next_if(|word| !word.starts_with('-')) {
        specifier.push_str(word);
        specifier.push(' ');
    }
    let mut hashes = Vec::new();
    while let Some(word) = words.next() {
        match word.strip_prefix("--hash") {
            Some("") => hashes.extend(words.next()),
            Some(hash) => hashes.extend(hash.strip_prefix('=')),
            None => {}
        }
    }
    let no_pin = || Malformed::new(PINNED, quoted(line));
    let (written, version, file_name) = pin(specifier.trim()).ok_or_else(no_pin)?;
    if hashes.is_empty() {
        return Err(Malformed::new("hashes for every requirement", quoted(line)));
    }
    let files =
        hashes.into_iter().map(|hash| -> Result<Option<LockedFile>, Malformed> { file(file_name.clone(), hash) });
    locked(&written, Some(version), files)
}

/// The name and the one version that a requirement allows; for `NAME @ ADDRESS` those of the file, and the file's name.
fn pin(specifier: &str) -> Option<(String, String, Option<String>)> {
    if let Some((written, address)) = specifier.split_once('@').filter(|(name, _)| !name.contains(';')) {
        let written = without_extras(written);
        let address = address.split_whitespace().next()?;
        let file = file_name(address)?;
        let version = FileName::parse(&file, &name::normalised(written)?)?.version().to_owned();
        return Some((written.to_owned(), version, Some(file)));
    }
    let (requirement, _marker) = specifier.split_once(';').unwrap_or((specifier, ""));
    let (written, version) = requirement.split_once("==")?;
    let written = without_extras(written.trim_end().trim_end_matches('('));
    let version = version.trim_start_matches('=').trim_end().trim_end_matches(')').trim();
    let pinned = !version.is_empty() && !version.contains([',', '*', ' ', '<', '>', '=', '!', '~']);
    pinned.then(|| (written.to_owned(), version.to_owned(), None))
}

fn without_extras(written: &str) -> &str {
    written.split('[').next().unwrap_or(written).trim()
}
