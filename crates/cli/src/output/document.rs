//! The JSON document: one for each run, apart from the internals, its shape versioned.

use model_transparency::manifest::{Changed, Difference};
use serde::Serialize;
use serde_json::{Value, json};

use super::{Answer, Layout};
use crate::exit::Exit;
use crate::failure::Failure;

/// Raised when a member changes its meaning or goes; new members do not raise it.
const DOCUMENT_VERSION: u32 = 1;

#[derive(Serialize)]
struct Document<'a> {
    version: u32,
    tool: &'static str,
    command: &'static str,
    outcome: &'static str,
    exit_code: u8,
    warnings: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<&'a Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<ErrorOut<'a>>,
}

#[derive(Serialize)]
struct ErrorOut<'a> {
    kind: &'static str,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    difference: Option<Value>,
}

pub(super) fn render(
    command: &'static str,
    exit: Exit,
    outcome: &Result<Answer, Failure>,
    warnings: &[String],
    layout: Layout,
) -> String {
    let document = Document {
        version: DOCUMENT_VERSION,
        tool: concat!("model-signing ", env!("CARGO_PKG_VERSION")),
        command,
        outcome: match exit {
            Exit::Done if matches!(command, "verify" | "provenance" | "vsa") => "verified",
            Exit::Done => "done",
            Exit::Rejected => "rejected",
            Exit::Usage => "usage",
            Exit::CouldNotCheck => "could_not_check",
            Exit::Command(_) => "command_failed",
        },
        exit_code: exit.code(),
        warnings,
        result: outcome.as_ref().map_or_else(|failure| failure.answer.as_deref(), Some).map(|answer| &answer.json),
        error: outcome.as_ref().err().map(|failure| ErrorOut {
            kind: failure.kind,
            message: &failure.message,
            hint: failure.hint.as_deref(),
            difference: failure.difference.as_deref().map(difference),
        }),
    };
    let text = match layout {
        Layout::Document => serde_json::to_string_pretty(&document),
        Layout::Line => serde_json::to_string(&document),
    };
    let mut text = text.expect("text, numbers and lists always serialise");
    text.push('\n');
    text
}

/// Everything that differs, nothing left out.
fn difference(difference: &Difference) -> Value {
    let changed: Vec<Value> = difference
        .changed
        .iter()
        .map(|changed| match changed {
            Changed::Digest { path, range, expected, found } => json!({
                "path": path,
                "range": range.as_ref().map(|range| [range.start, range.end]),
                "algorithm": expected.algorithm().identifier(),
                "expected": expected.to_hex(),
                "found": found.to_hex(),
            }),
            Changed::Length { path, expected_bytes, found_bytes } => json!({
                "path": path,
                "expected_bytes": expected_bytes,
                "found_bytes": found_bytes,
            }),
        })
        .collect();
    let unacceptable: Vec<Value> = difference
        .unacceptable
        .iter()
        .map(|(path, problem)| json!({ "path": path, "problem": problem.to_string() }))
        .collect();
    json!({
        "changed": changed,
        "missing": difference.missing,
        "extra": difference.extra,
        "unacceptable": unacceptable,
    })
}
