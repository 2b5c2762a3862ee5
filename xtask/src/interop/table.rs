//! The result of an exchange, and how it is printed.

use anyhow::Result;

use crate::outcome::Outcome;

/// What the columns show.
const COLUMNS: [&str; 10] = [
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
];

/// One model with one key.
pub(crate) struct Row {
    pub(crate) case: &'static str,
    /// In the order of [`COLUMNS`].
    pub(crate) cells: [Cell; COLUMNS.len()],
}

/// One check.
pub(crate) enum Cell {
    Passed,
    /// The reference tool cannot do this, as is known and was checked.
    Cannot,
    NotApplicable,
    Failed(String),
}

impl From<Result<()>> for Cell {
    fn from(result: Result<()>) -> Self {
        result.map_or_else(|error| Self::Failed(format!("{error:#}")), |()| Self::Passed)
    }
}

impl Cell {
    fn text(&self) -> &'static str {
        match self {
            Self::Passed => "yes",
            Self::Cannot => "cannot",
            Self::NotApplicable => "–",
            Self::Failed(_) => "FAILED",
        }
    }
}

/// Prints the rows of one key as a Markdown table, then what failed; counts the checks.
pub(crate) fn print(key: &str, rows: &[Row]) -> Outcome {
    println!("\n### {key}\n");
    print_line("model", COLUMNS);
    print_line(&"-".repeat(CASE_WIDTH), COLUMNS.map(|column| &RULE[..column.chars().count()]));
    let mut outcome = Outcome::default();
    for row in rows {
        print_line(row.case, row.cells.each_ref().map(Cell::text));
        for (cell, column) in row.cells.iter().zip(COLUMNS) {
            match cell {
                Cell::Passed | Cell::Cannot => outcome.passed += 1,
                Cell::NotApplicable => {}
                Cell::Failed(reason) => {
                    outcome.failed += 1;
                    outcome.problems.push(format!("{key}, {}, {column}: {reason}", row.case));
                }
            }
        }
    }
    outcome
}

const CASE_WIDTH: usize = 18;
const RULE: &str = "------------------------------";

fn print_line(first: &str, cells: [&str; COLUMNS.len()]) {
    let mut line = format!("| {first:CASE_WIDTH$} |");
    for (cell, column) in cells.iter().zip(COLUMNS) {
        line.push_str(&format!(" {cell:width$} |", width = column.chars().count()));
    }
    println!("{line}");
}
