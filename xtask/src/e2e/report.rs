//! Checks that are no table: a line each.

use anyhow::Result;

use crate::outcome::Outcome;

/// The lines below a title.
pub(super) struct Report {
    title: &'static str,
    outcome: Outcome,
}

impl Report {
    /// Prints the title.
    pub(super) fn new(title: &'static str) -> Self {
        println!("\n### {title}\n");
        Self { title, outcome: Outcome::default() }
    }

    /// Prints and counts a check.
    pub(super) fn check(&mut self, name: &str, result: Result<()>) {
        self.outcome.count(result.is_ok());
        match result {
            Ok(()) => println!("ok       {name}"),
            Err(error) => {
                println!("FAILED   {name}");
                self.outcome.problems.push(format!("{}, {name}: {error:#}", self.title));
            }
        }
    }

    /// Prints and counts a check that can't be made here.
    pub(super) fn skip(&mut self, name: &str, reason: &str) {
        println!("skipped  {name}: {reason}");
        self.outcome.skipped += 1;
    }

    /// The counts.
    pub(super) fn close(self) -> Outcome {
        self.outcome
    }
}
