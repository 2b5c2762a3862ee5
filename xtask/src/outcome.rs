//! What a task found: counts, and the problems that no count shows.

use std::fmt;
use std::ops::AddAssign;

/// The result of a task. Displays as the problems, then a closing line with the counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// Tests or checks that passed.
    pub(crate) passed: u64,
    /// Tests or checks that failed.
    pub(crate) failed: u64,
    /// Tests or checks that did not run.
    pub(crate) skipped: u64,
    /// Steps that failed as a whole, a lint or a build for example.
    pub(crate) problems: Vec<String>,
}

impl Outcome {
    /// Nothing failed.
    pub(crate) fn is_success(&self) -> bool {
        self.failed == 0 && self.problems.is_empty()
    }

    /// Counts one check.
    pub(crate) fn count(&mut self, passed: bool) {
        *(if passed { &mut self.passed } else { &mut self.failed }) += 1;
    }
}

impl AddAssign for Outcome {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
        self.problems.extend(other.problems);
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for problem in &self.problems {
            writeln!(f, "failed: {problem}")?;
        }
        write!(f, "{} passed, {} failed, {} skipped", self.passed, self.failed, self.skipped)
    }
}
