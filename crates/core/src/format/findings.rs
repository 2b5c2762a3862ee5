//! What readers find, gathered within bounds.

use std::collections::BTreeSet;

use super::{CodeOnLoad, Format, Recognition};

/// The most problems that are told one by one.
const MOST_PROBLEMS: usize = 100;
/// The most globals that are listed, and pieces of code.
const MOST_NAMES: usize = 10_000;

/// A [`Recognition`] in the making: sorted, each thing once, bounded.
#[derive(Debug, Default)]
pub(super) struct Findings {
    details: Vec<(&'static str, String)>,
    globals: BTreeSet<String>,
    code: BTreeSet<CodeOnLoad>,
    problems: Vec<String>,
    untold: usize,
    too_many_names: bool,
}

impl Findings {
    pub(super) fn detail(&mut self, name: &'static str, value: impl Into<String>) {
        self.details.push((name, value.into()));
    }

    pub(super) fn problem(&mut self, text: impl Into<String>) {
        if self.problems.len() < MOST_PROBLEMS {
            self.problems.push(text.into());
        } else {
            self.untold += 1;
        }
    }

    pub(super) fn global(&mut self, name: String) {
        if self.globals.len() < MOST_NAMES {
            self.globals.insert(name);
        } else if !self.globals.contains(&name) {
            self.too_many_names = true;
        }
    }

    pub(super) fn code(&mut self, code: CodeOnLoad) {
        if self.code.len() < MOST_NAMES {
            self.code.insert(code);
        } else if !self.code.contains(&code) {
            self.too_many_names = true;
        }
    }

    /// Takes back what was called code and is none where it stands.
    pub(super) fn retain_code(&mut self, is_code: impl FnMut(&CodeOnLoad) -> bool) {
        self.code.retain(is_code);
    }

    pub(super) fn has_code(&self) -> bool {
        !self.code.is_empty()
    }

    /// Adds what was found in a part of the same file, `place` being the part's name, empty for the whole. Its format and
    /// details are its own affair.
    pub(super) fn add(&mut self, place: &str, part: Recognition) {
        part.globals.into_iter().for_each(|name| self.global(name));
        part.code.into_iter().for_each(|code| self.code(code));
        for problem in part.problems {
            self.problem(if place.is_empty() { problem } else { format!("{place}: {problem}") });
        }
    }

    /// Adds all that was found elsewhere.
    pub(super) fn absorb(&mut self, place: &str, other: Self) {
        self.add(place, other.into_recognition(None));
    }

    pub(super) fn into_recognition(mut self, format: Option<Format>) -> Recognition {
        if self.untold > 0 {
            self.problems.push(format!("and {} problems more", self.untold));
        }
        if self.too_many_names {
            self.problems.push(format!("more than {MOST_NAMES} names, the rest of which are not listed"));
        }
        Recognition {
            format,
            details: self.details,
            globals: self.globals.into_iter().collect(),
            code: self.code.into_iter().collect(),
            problems: self.problems,
        }
    }
}
