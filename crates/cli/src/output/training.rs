//! Provenance of training that was just made.

use std::path::Path;

use model_transparency::format::Recognition;
use model_transparency::provenance::training::{InputRole, ObservationMethod, TrainingInput, TrainingRun};
use serde_json::{Value, json};

use super::sigstore::new_log_entries_json;
use super::verify::{add_new_signature, new_signer_json};
use super::{Answer, Fields, GOOD, count};
use crate::commands::sign::NewStatement;

/// How many files, programs or addresses that nobody declared people see.
const MOST_SHOWN: usize = 5;

/// Provenance that was written.
pub(crate) struct Trained<'a> {
    pub(crate) path: &'a Path,
    pub(crate) run: &'a TrainingRun,
    /// What each of its models is.
    pub(crate) recognised: &'a [&'a Recognition],
    pub(crate) signed: Option<&'a NewStatement>,
}

/// The answer of `provenance run` and `provenance generate`.
pub(crate) fn training_answer(trained: &Trained<'_>) -> Answer {
    let Trained { path, run, recognised, signed } = *trained;
    let mut fields = Fields::default();
    let form = if signed.is_some() { "a Sigstore bundle" } else { "not signed" };
    fields.add("provenance", format!("{}, {form}", path.display()));
    if let Some(NewStatement { evidence, timestamps, log_entries, .. }) = signed {
        add_new_signature(&mut fields, evidence, log_entries, timestamps);
    }
    for (model, recognition) in run.models.iter().zip(recognised) {
        let what = model.format.map_or_else(String::new, |format| format!(", {}", format.name()));
        fields.add("model", format!("{}{what}", model.name));
        fields.add("", format!("sha256:{}", model.digest.get("sha256").map_or("", String::as_str)));
        if !recognition.code.is_empty() {
            let code: Vec<String> = recognition.code.iter().take(MOST_SHOWN).map(ToString::to_string).collect();
            let more = if recognition.code.len() > MOST_SHOWN { ", …" } else { "" };
            fields.add("", format!("runs code when it is loaded: {}{more}", code.join(", ")));
        }
    }
    if let Some(source) = &run.source {
        let (repository, reference) = (source.repository.as_deref(), source.reference.as_deref());
        let commit = source.commit.as_ref().map(|commit| format!("commit {commit}"));
        let words = [repository.map(str::to_owned), reference.map(str::to_owned), commit];
        fields.add("source", words.into_iter().flatten().collect::<Vec<_>>().join(", "));
        if let Some(changes) = source.changes.as_ref().filter(|changes| changes.files > 0) {
            fields.add("", format!("and changes in {}", count(changes.files, "file")));
        }
    }
    fields.add_list("command", Some(run.command.join(" ")).as_deref().filter(|command| !command.is_empty()));
    let packages = run.inputs.iter().filter(|input| input.role == InputRole::Package).count();
    for input in run.inputs.iter().filter(|input| input.role != InputRole::Package) {
        fields.add(label(input.role), described(input));
    }
    if packages > 0 {
        fields.add("packages", format!("{packages} of Python"));
    }
    if let Some(undeclared) = &run.observation.undeclared {
        for (what, found) in [
            ("read", &undeclared.read),
            ("wrote", &undeclared.written),
            ("ran", &undeclared.executed),
            ("connected to", &undeclared.network),
        ] {
            if !found.is_empty() {
                let more = if found.len() > MOST_SHOWN {
                    format!(" and {} more", found.len() - MOST_SHOWN)
                } else {
                    String::new()
                };
                let named = found.iter().take(MOST_SHOWN).map(String::as_str).collect::<Vec<_>>().join(", ");
                fields.add("undeclared", format!("{what} {named}{more}"));
            }
        }
    }
    let how = match run.observation.method {
        ObservationMethod::Declared => "not at all: it is as you say",
        ObservationMethod::Hashed => "from outside: inputs and models were hashed",
        ObservationMethod::Traced => "every process was traced",
    };
    fields.add("looked at", how);
    fields.add_list("not known", run.observation.gaps.iter().map(String::as_str));
    let json = json!({
        "provenance": path.display().to_string(),
        "signer": signed.map(|signed| new_signer_json(&signed.evidence)),
        "log_entries": signed.map(|signed| new_log_entries_json(&signed.log_entries)),
        "models": run.models.iter().zip(recognised).map(|(model, recognition)| json!({
            "name": model.name,
            "digest": model.digest,
            "format": model.format.map(|format| format.id()),
            "code_on_load": recognition.code.iter().map(ToString::to_string).collect::<Vec<_>>(),
        })).collect::<Vec<Value>>(),
        "gaps": run.observation.gaps,
        "statement": run.to_statement().ok().and_then(|text| serde_json::from_slice::<Value>(&text).ok()),
    });
    Answer { human: format!("{GOOD}Provenance made{GOOD:#}\n{}", fields.into_text()), json }
}

fn label(role: InputRole) -> &'static str {
    match role {
        InputRole::Dataset => "dataset",
        InputRole::BaseModel => "base model",
        InputRole::Image => "image",
        InputRole::Config => "config",
        InputRole::Package => "package",
    }
}

fn described(input: &TrainingInput) -> String {
    let evidence = serde_json::to_value(input.evidence).ok();
    let evidence = evidence.as_ref().and_then(Value::as_str).unwrap_or_default().to_owned();
    let digest = if input.digest.is_empty() { " without a digest" } else { "" };
    let is_verified =
        input.annotations.get("omsBundle").and_then(|bundle| bundle.get("verified")) == Some(&true.into());
    let signature = if is_verified { ", its signature verified" } else { "" };
    format!("{} ({evidence}{digest}{signature})", input.uri)
}
