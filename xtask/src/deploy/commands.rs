//! The commands of ours in files for other platforms: each has to be one that the command line understands.
//!
//! They are found as text, in shell scripts wherever they stand, and in JSON arrays that begin with the name. Variables stay
//! what they are: they are values of flags, and no flag here takes but a number or a choice that is written out.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde_json::Deserializer;

use crate::outcome::Outcome;

const NAME: &str = "model-signing";
/// What has commands, and how many at least: fewer would mean that they are not found any more.
const FILES: [(&str, usize); 8] = [
    (".github/workflows/slsa-for-ml.yml", 6),
    ("deploy/tekton/tasks.yaml", 4),
    ("deploy/kubeflow/pipeline.py", 2),
    ("deploy/gitlab/.gitlab-ci.yml", 2),
    ("deploy/cloudbuild/cloudbuild.yaml", 1),
    ("deploy/cloudbuild/verify.sh", 2),
    ("deploy/kserve/inference-service.yaml", 1),
    ("docs/slsa-for-ml.md", 4),
];

/// Parses every command in every file.
pub(super) fn check(root: &Path) -> Result<Outcome> {
    let mut outcome = Outcome::default();
    for (file, least) in FILES {
        let text = fs::read_to_string(root.join(file)).with_context(|| format!("cannot read {file}"))?;
        let commands = commands(&text).with_context(|| format!("cannot read {file}"))?;
        if commands.len() < least {
            outcome.problems.push(format!("{file}: expected {least} commands at least, found {}", commands.len()));
        }
        for words in commands {
            let parsed = parse(&words);
            outcome.count(parsed.is_ok());
            if let Err(reason) = parsed {
                outcome.problems.push(format!("{file}: `{}`: {reason}", words.join(" ")));
            }
        }
    }
    Ok(outcome)
}

fn parse(words: &[String]) -> Result<(), String> {
    let parsed = model_signing_cli::command().try_get_matches_from(words);
    parsed.map(drop).map_err(|error| error.to_string().split_whitespace().collect::<Vec<_>>().join(" "))
}

/// The commands in a text: the words of each.
fn commands(text: &str) -> Result<Vec<Vec<String>>> {
    let mut commands = in_arrays(text)?;
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let line = line.trim_start();
        let line = ["- ", "run: "].iter().fold(line, |line, prefix| line.strip_prefix(prefix).unwrap_or(line));
        let first = line.split(' ').next().unwrap_or_default();
        if first.rsplit('/').next() != Some(NAME) {
            continue;
        }
        let mut command = line.to_owned();
        while let Some(joined) = command.strip_suffix('\\') {
            let Some(next) = lines.next() else { bail!("`{command}`: expected a line after it, found none") };
            command = format!("{joined}{}", next.trim_start());
        }
        let Some(mut words) = shlex::split(&command) else { bail!("`{command}`: expected quotes in pairs") };
        // What follows is of the shell.
        let end = words.iter().position(|word| ["|", ">", "&&", ";"].contains(&word.as_str()));
        words.truncate(end.unwrap_or(words.len()));
        commands.push(words);
    }
    Ok(commands)
}

/// What has the form `["model-signing", …]`.
fn in_arrays(text: &str) -> Result<Vec<Vec<String>>> {
    let starts = text.match_indices(&format!("[\"{NAME}\"")).map(|(at, _)| at).collect::<Vec<_>>();
    let array = |at: usize| {
        let array = Deserializer::from_str(&text[at..]).into_iter().next().transpose();
        array.map(Option::unwrap_or_default).context("a command is no array of texts")
    };
    starts.into_iter().map(array).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_found_in_scripts_and_arrays() {
        let text = r#"
            # model-signing is named here, and not called
            - ../tool/bin/model-signing digest "a model" \
                --per-file > digests
            run: model-signing keygen
            command: ["model-signing", "digest",
              "b"]
        "#;
        let expected = [
            &["model-signing", "digest", "b"][..],
            &["../tool/bin/model-signing", "digest", "a model", "--per-file"],
            &["model-signing", "keygen"],
        ];
        assert_eq!(commands(text).expect("it is well-formed"), expected);
    }

    #[test]
    fn commands_that_can_not_be_read_are_errors() {
        for text in ["model-signing 'digest", "model-signing digest \\", r#"["model-signing", 1]"#] {
            assert!(commands(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_flag_that_there_is_not_is_named() {
        let words = ["model-signing", "digest", "model", "--no-such-flag"].map(str::to_owned);
        assert!(parse(&words).is_err_and(|reason| reason.contains("--no-such-flag")));
        assert_eq!(parse(&words[..3]), Ok(()));
    }
}
