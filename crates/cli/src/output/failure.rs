//! A failure for people.

use std::fmt::Write;

use model_transparency::manifest::{Changed, Difference};

use super::{BAD, CAUTION, STRONG, escape};
use crate::failure::Failure;

/// Entries of each kind that are listed; the JSON document has them all.
const MAX_LISTED: usize = 20;

/// The text of a failure, several lines.
pub(crate) fn human(failure: &Failure) -> String {
    let mut text = format!("{BAD}error{BAD:#}: {}\n", escape(&failure.message));
    if let Some(difference) = &failure.difference {
        push_difference(&mut text, difference);
    }
    if let Some(hint) = &failure.hint {
        let _ = writeln!(text, "{CAUTION}hint{CAUTION:#}: {}", escape(hint));
    }
    text
}

fn push_difference(text: &mut String, difference: &Difference) {
    push_list(text, "changed", &difference.changed, |changed| match changed {
        Changed::Digest { path, range, expected, found } => {
            let algorithm = expected.algorithm();
            let range =
                range.as_ref().map_or_else(String::new, |range| format!(" (bytes {} to {})", range.start, range.end));
            let path = escape(path);
            format!(
                "{path}{range}\n      expected {algorithm}:{}\n      found    {algorithm}:{}",
                expected.to_hex(),
                found.to_hex()
            )
        }
        Changed::Length { path, expected_bytes, found_bytes } => {
            format!("{}\n      expected {expected_bytes} bytes\n      found    {found_bytes} bytes", escape(path))
        }
    });
    push_list(text, "missing", &difference.missing, |path| escape(path));
    push_list(text, "extra", &difference.extra, |path| escape(path));
    push_list(text, "unacceptable", &difference.unacceptable, |(path, problem)| {
        format!("{} {}", escape(path), escape(&problem.to_string()))
    });
}

fn push_list<T>(text: &mut String, label: &str, entries: &[T], line: impl Fn(&T) -> String) {
    if entries.is_empty() {
        return;
    }
    let _ = writeln!(text, "  {STRONG}{label}{STRONG:#}: {}", entries.len());
    for entry in entries.iter().take(MAX_LISTED) {
        let _ = writeln!(text, "    {}", line(entry));
    }
    if let Some(more) = entries.len().checked_sub(MAX_LISTED).filter(|more| *more > 0) {
        let _ = writeln!(text, "    … and {more} more (--format json lists them all)");
    }
}
