//! The result of an exchange, and how it is printed.

use anyhow::Result;

use crate::outcome::Outcome;

/// A table: what is in its first column, and what the others show.
pub(crate) struct Table<const N: usize> {
    pub(crate) first: &'static str,
    pub(crate) columns: [&'static str; N],
}

/// What was exchanged, and a check for each column.
pub(crate) struct Row<const N: usize> {
    pub(crate) name: &'static str,
    pub(crate) cells: [Cell; N],
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

impl<const N: usize> Table<N> {
    /// Prints the rows below a title, in Markdown; counts the checks.
    pub(crate) fn print(&self, title: &str, rows: &[Row<N>]) -> Outcome {
        println!("\n### {title}\n");
        let width = rows.iter().map(|row| row.name.chars().count()).max().unwrap_or_default();
        self.print_line(&format!("{:width$}", self.first), self.columns);
        self.print_line(&"-".repeat(width), self.columns.map(|column| &RULE[..column.chars().count()]));
        let mut outcome = Outcome::default();
        for row in rows {
            self.print_line(&format!("{:width$}", row.name), row.cells.each_ref().map(Cell::text));
            for (cell, column) in row.cells.iter().zip(self.columns) {
                match cell {
                    Cell::Passed | Cell::Cannot => outcome.passed += 1,
                    Cell::NotApplicable => {}
                    Cell::Failed(reason) => {
                        outcome.failed += 1;
                        outcome.problems.push(format!("{title}, {}, {column}: {reason}", row.name));
                    }
                }
            }
        }
        outcome
    }

    fn print_line(&self, first: &str, cells: [&str; N]) {
        let mut line = format!("| {first} |");
        for (cell, column) in cells.iter().zip(self.columns) {
            line.push_str(&format!(" {cell:width$} |", width = column.chars().count()));
        }
        println!("{line}");
    }
}

const RULE: &str = "------------------------------";
