//! What a model is, and what of it can run code.

use std::fmt::Write;
use std::path::Path;

use model_transparency::format::{CodeOnLoad, Part, Recognition};
use serde_json::{Map, Value, json};

use super::{Answer, BAD, CAUTION, Fields, STRONG, count, escape};

/// The most globals of one file that are shown to people; programs get them all.
const MOST_GLOBALS: usize = 50;

/// The answer of `inspect` on a model.
pub(crate) fn formats_answer(path: &Path, parts: &[Part]) -> Answer {
    let mut sorted: Vec<&Part> = parts.iter().collect();
    // Stable: by path among their like.
    sorted.sort_by_key(|part| (part.recognition.code.is_empty(), part.recognition.problems.is_empty()));
    let is_whole =
        matches!(parts, [part] if part.path == "." || path.file_name().is_some_and(|name| *name == *part.path));
    let mut human = String::new();
    if !is_whole {
        let text = format!("{}: {}", path.display(), count(parts.len(), "part"));
        human.push_str(&format!("{STRONG}{}{STRONG:#}\n", escape(&text)));
    }
    for part in &sorted {
        let name = if is_whole { path.display().to_string() } else { part.path.clone() };
        push_part(&mut human, &name, &part.recognition);
    }
    let verdict = Verdict::of(parts);
    let style = verdict.style();
    // Writing to a `String` can't fail.
    let _ = writeln!(human, "{style}{}{style:#}", verdict.text());
    let json = json!({
        "model": path.display().to_string(),
        "verified": false,
        "code_on_load": verdict.id(),
        "parts": parts.iter().map(part_json).collect::<Vec<_>>(),
    });
    Answer { human, json }
}

/// What can be said of loading all of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    /// Something runs code.
    Found,
    /// Nothing was found, and not everything could be looked at.
    Unknown,
    /// Everything was looked at.
    None,
}

impl Verdict {
    fn of(parts: &[Part]) -> Self {
        if parts.iter().any(|part| !part.recognition.code.is_empty()) {
            return Self::Found;
        }
        let known = |part: &Part| part.recognition.format.is_some() && part.recognition.problems.is_empty();
        if parts.iter().all(known) { Self::None } else { Self::Unknown }
    }

    const fn text(self) -> &'static str {
        match self {
            Self::Found => "Loading it runs code of whoever made it.",
            Self::Unknown => "Nothing was found that runs code on load, but not everything could be looked at.",
            Self::None => "Nothing in it runs code on load.",
        }
    }

    const fn id(self) -> &'static str {
        match self {
            Self::Found => "found",
            Self::Unknown => "unknown",
            Self::None => "none",
        }
    }

    const fn style(self) -> anstyle::Style {
        match self {
            Self::Found => BAD,
            Self::Unknown => CAUTION,
            Self::None => STRONG,
        }
    }
}

fn push_part(human: &mut String, name: &str, recognition: &Recognition) {
    let format = recognition.format.map_or("no format that is known here", |format| format.name());
    let _ = writeln!(human, "{}: {format}", escape(name));
    let mut fields = Fields::default();
    for (name, value) in &recognition.details {
        fields.add(name, value);
    }
    let shown = recognition.globals.iter().take(MOST_GLOBALS).map(String::as_str);
    fields.add_list("globals", shown);
    if let Some(more) = recognition.globals.len().checked_sub(MOST_GLOBALS).filter(|more| *more > 0) {
        fields.add("", format!("and {more} more"));
    }
    let code: Vec<String> = recognition.code.iter().map(ToString::to_string).collect();
    fields.add_list("runs code", code.iter().map(String::as_str));
    fields.add_list("problem", recognition.problems.iter().map(String::as_str));
    human.push_str(&fields.into_text());
}

fn part_json(part: &Part) -> Value {
    let recognition = &part.recognition;
    let details: Map<String, Value> =
        recognition.details.iter().map(|(name, value)| ((*name).to_owned(), value.clone().into())).collect();
    json!({
        "path": part.path,
        "format": recognition.format.map(|format| format.id()),
        "media_type": recognition.format.and_then(|format| format.media_type()),
        "details": details,
        "globals": recognition.globals,
        "code": recognition.code.iter().map(code_json).collect::<Vec<_>>(),
        "problems": recognition.problems,
    })
}

fn code_json(code: &CodeOnLoad) -> Value {
    let (kind, name) = match code {
        CodeOnLoad::Global(name) => ("global", name),
        CodeOnLoad::LambdaLayer(name) => ("lambda_layer", name),
        CodeOnLoad::CustomObject(name) => ("custom_object", name),
        CodeOnLoad::Operation(name) => ("operation", name),
        CodeOnLoad::Program(name) => ("program", name),
    };
    json!({ "kind": kind, "name": name })
}
