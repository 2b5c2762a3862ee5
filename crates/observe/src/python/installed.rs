//! Asking an interpreter what is installed.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde::Deserialize;

use super::{Installed, Python, PythonError, name};
use crate::process::{Bounds, ask_whole};

const SCRIPT: &str = include_str!("installed.py");
const MARK: &[u8] = b"\nmodel-signing-python:";
const BOUNDS: Bounds = Bounds { time: Duration::from_secs(120), stdout_bytes: 16 * 1024 * 1024 };

#[derive(Deserialize)]
struct Answer {
    executable: PathBuf,
    version: String,
    implementation: String,
    packages: Vec<Distribution>,
}

#[derive(Deserialize)]
struct Distribution {
    name: String,
    version: String,
    tags: Vec<String>,
}

pub(super) fn installed(interpreter: &Path, directory: &Path) -> Result<Python, PythonError> {
    ask(interpreter, directory, BOUNDS)
        .map_err(|message| PythonError::Interpreter { path: interpreter.display().to_string(), message })
}

fn ask(interpreter: &Path, directory: &Path, bounds: Bounds) -> Result<Python, String> {
    let mut command = Command::new(interpreter);
    // `-B` writes no bytecode. The rest would have it say something else, or wait for somebody to type.
    command.args(["-B", "-c", SCRIPT]).current_dir(directory);
    for name in ["PYTHONDEBUG", "PYTHONINSPECT", "PYTHONIOENCODING", "PYTHONPROFILEIMPORTTIME", "PYTHONVERBOSE"] {
        command.env_remove(name);
    }
    let (ended, said) = ask_whole(&mut command, bounds).map_err(|error| error.to_string())?;
    if !ended.status.success() {
        return Err(complaint(&ended.stderr).unwrap_or_else(|| format!("it ended with {}", ended.status)));
    }
    let at = said.windows(MARK.len()).rposition(|window| window == MARK);
    let answer = at.map(|at| &said[at + MARK.len()..]).ok_or("expected an answer, found none")?;
    // What runs at the end may write too.
    let answer = serde_json::Deserializer::from_slice(answer).into_iter::<Answer>().next();
    match answer {
        Some(Ok(answer)) => Ok(python(interpreter, answer)),
        Some(Err(error)) => Err(format!("expected JSON, found an error: {error}")),
        None => Err("expected JSON, found none".to_owned()),
    }
}

/// The line that says what went wrong: the last after a traceback, else the first.
fn complaint(stderr: &str) -> Option<String> {
    let mut lines = stderr.lines().map(str::trim).filter(|line| !line.is_empty());
    let line = if stderr.contains("Traceback") { lines.next_back() } else { lines.next() };
    line.map(str::to_owned)
}

fn python(interpreter: &Path, answer: Answer) -> Python {
    let mut seen = BTreeSet::new();
    let mut packages = Vec::new();
    for Distribution { name, version, tags } in answer.packages {
        // The first on the path is the one that is imported.
        if let Some(name) = name::normalised(&name).filter(|name| seen.insert(name.clone())) {
            packages.push(Installed { name, version, tags });
        }
    }
    packages.sort_by(|one, other| one.name.cmp(&other.name));
    let unknown = answer.executable.as_os_str().is_empty();
    let executable = if unknown { interpreter.to_owned() } else { answer.executable };
    Python { executable, version: answer.version, implementation: answer.implementation, packages }
}

#[cfg(all(test, unix))]
mod tests {
    use super::super::tests::write_program;
    use super::*;

    /// A program that stands where an interpreter should.
    fn fake(script: &str) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("python");
        write_program(&path, &format!("#!/bin/sh\n{script}\n"));
        (folder, path)
    }

    fn answer(script: &str, bounds: Bounds) -> Result<Python, String> {
        let (folder, path) = fake(script);
        ask(&path, folder.path(), bounds)
    }

    #[test]
    fn the_answer_is_read_among_what_else_is_said() {
        let script = r#"echo hello; echo; echo 'model-signing-python:{"executable":"/x/python","version":"3.11.2","implementation":"CPython","packages":[{"name":"Typing.Extensions","version":"4.0","tags":["py3-none-any"]},{"name":"typing_extensions","version":"1.0","tags":[]},{"name":"~umpy","version":"1","tags":[]},{"name":"numpy","version":"2","tags":[]}]}'; echo bye"#;
        let found = answer(script, BOUNDS).expect("an answer");
        let package = |name: &str, version: &str, tags: &[&str]| Installed {
            name: name.to_owned(),
            version: version.to_owned(),
            tags: tags.iter().map(|&tag| tag.to_owned()).collect(),
        };
        assert_eq!((found.executable, found.version.as_str()), (PathBuf::from("/x/python"), "3.11.2"));
        let expected = [package("numpy", "2", &[]), package("typing-extensions", "4.0", &["py3-none-any"])];
        assert_eq!(found.packages, expected);
    }

    #[test]
    fn an_interpreter_that_does_not_answer_is_an_error_that_says_why() {
        let tight = Bounds { time: Duration::from_millis(200), stdout_bytes: 100 };
        for (script, bounds, expected) in [
            ("echo; echo 'it is Python 2.7, too old' >&2; exit 1", BOUNDS, "it is Python 2.7, too old"),
            ("printf 'Traceback:\\n  at x\\nKeyError: y\\n\\n' >&2; exit 1", BOUNDS, "KeyError: y"),
            ("printf '\\nnot found\\n\\nadvice\\n' >&2; exit 127", BOUNDS, "not found"),
            ("exit 3", BOUNDS, "exit status: 3"),
            ("echo hello", BOUNDS, "expected an answer, found none"),
            ("echo; echo model-signing-python:", BOUNDS, "expected JSON, found none"),
            ("echo; echo 'model-signing-python:{\"version\":3}'", BOUNDS, "expected JSON, found an error"),
            ("exec yes", tight, "more than 100 bytes"),
            ("exec sleep 600", tight, "longer than"),
        ] {
            let error = answer(script, bounds).expect_err(script);
            assert!(error.contains(expected), "{script}: {error}");
        }
        let error = installed(Path::new("/nowhere/python"), Path::new("/")).expect_err("it is not there");
        let PythonError::Interpreter { path, message } = error else { panic!("{error}") };
        assert_eq!(path, "/nowhere/python");
        assert!(message.starts_with("it cannot be started"), "{message}");
    }
}
