//! Which interpreter a command runs in.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::program::{Start, is_python, shebang};
use crate::process::{Bounds, ask_whole};

/// How many programs may start one another.
const MAX_DEPTH: u32 = 8;
const BINARIES: &str = if cfg!(windows) { "Scripts" } else { "bin" };
const BOUNDS: Bounds = Bounds { time: Duration::from_secs(60), stdout_bytes: 64 * 1024 };

/// Programs whose arguments end with a command that they start here, as it is. `srun` and `mpirun` may start it elsewhere too.
const WRAPPERS: [&str; 18] = [
    "catchsegv",
    "chrt",
    "ionice",
    "mpiexec",
    "mpirun",
    "ncu",
    "nice",
    "nohup",
    "nsys",
    "numactl",
    "prlimit",
    "setsid",
    "srun",
    "stdbuf",
    "systemd-inhibit",
    "taskset",
    "time",
    "timeout",
];

pub(super) fn interpreter(command: &[&OsStr], directory: &Path, path: Option<OsString>) -> Option<PathBuf> {
    let directory = std::path::absolute(directory).ok()?;
    let command: Vec<OsString> = command.iter().map(|&word| word.to_owned()).collect();
    find(&command, &Start { directory, path }, MAX_DEPTH)
}

fn find(command: &[OsString], start: &Start, depth: u32) -> Option<PathBuf> {
    let depth = depth.checked_sub(1)?;
    let (program, arguments) = command.split_first()?;
    if is_python(program) {
        return start.find(program);
    }
    let name = Path::new(program).file_name()?.to_str()?;
    match name.strip_suffix(".exe").unwrap_or(name) {
        "env" => in_environment(arguments, start, depth),
        "uv" => uv_run(arguments, start),
        "poetry" => project_python(program, arguments, &["env", "info", "--executable"], start),
        "pdm" => project_python(program, arguments, &["info", "--python"], start),
        "pipenv" => project_python(program, arguments, &["--py"], start),
        name if WRAPPERS.contains(&name) => wrapped(arguments, start, depth),
        _ => script(&start.find(program)?, start, depth),
    }
}

fn script(path: &Path, start: &Start, depth: u32) -> Option<PathBuf> {
    if path.parent().is_some_and(|folder| folder.ends_with("shims"))
        && let Some(meant) = shimmed(path, start)
    {
        return find(&[meant.into_os_string()], start, depth);
    }
    if cfg!(windows) {
        // The launchers that installers write start the interpreter beside them.
        let beside = path.with_file_name("python.exe");
        return beside.is_file().then_some(beside);
    }
    let mut command = shebang(path)?;
    // The system looks for this path alone, never in `PATH`.
    let program = command.first_mut()?;
    *program = start.directory.join(&*program).into_os_string();
    find(&command, start, depth)
}

/// What `env` starts. Only what does not change which program that is.
fn in_environment(arguments: &[OsString], start: &Start, depth: u32) -> Option<PathBuf> {
    let mut start = start.clone();
    let mut rest = arguments;
    while let Some((word, others)) = rest.split_first() {
        let text = word.to_str();
        match text {
            Some("-i" | "-" | "--ignore-environment") => start.path = None,
            Some("-S" | "--split-string" | "-v" | "-0" | "--") => {}
            Some("-u" | "--unset") => {
                let (name, others) = others.split_first()?;
                if name == "PATH" {
                    start.path = None;
                }
                rest = others;
                continue;
            }
            // The words of a first line are split already.
            Some(text) if text.starts_with("-S") && !text.contains(' ') => {
                let command: Vec<OsString> = std::iter::once(text[2..].into()).chain(others.iter().cloned()).collect();
                return find(&command, &start, depth);
            }
            Some(text) if text.starts_with('-') => return None,
            Some(text) if text.contains('=') => {
                if let Some(path) = text.strip_prefix("PATH=") {
                    start.path = Some(path.into());
                }
            }
            _ => return find(rest, &start, depth),
        }
        rest = others;
    }
    None
}

/// The first word that is a program decides.
fn wrapped(arguments: &[OsString], start: &Start, depth: u32) -> Option<PathBuf> {
    let is_option = |word: &OsString| word.as_encoded_bytes().starts_with(b"-");
    let at = arguments.iter().position(|word| !is_option(word) && start.find(word).is_some())?;
    find(&arguments[at..], start, depth)
}

/// The interpreter of the project's environment, which `uv run` uses. None where it makes another for this run.
fn uv_run(arguments: &[OsString], start: &Start) -> Option<PathBuf> {
    const ELSEWHERE: [&str; 9] = [
        "--active",
        "--directory",
        "--isolated",
        "--no-project",
        "--project",
        "--script",
        "--with",
        "--with-editable",
        "--with-requirements",
    ];
    let at = arguments.iter().position(|word| word == "run")?;
    let project = start.directory.ancestors().find(|folder| folder.join("pyproject.toml").is_file())?;
    let folder = std::env::var_os("UV_PROJECT_ENVIRONMENT").filter(|folder| !folder.is_empty());
    let environment = project.join(folder.unwrap_or_else(|| ".venv".into()));
    // Options have values, and the command has options: the command starts with the first word that can be one.
    for word in &arguments[at + 1..] {
        let text = word.to_string_lossy();
        if ELSEWHERE.iter().any(|option| text.split('=').next() == Some(option)) {
            return None;
        }
        let file = start.directory.join(word);
        if file.is_file() && has_metadata(&file) {
            return None;
        }
        let is_program = || start.find(word).is_some() || environment.join(BINARIES).join(word).is_file();
        if text == "--" || (!text.starts_with('-') && (file.is_file() || is_program())) {
            break;
        }
    }
    environment_python(&environment)
}

/// Whether a script says itself what it needs ("Inline script metadata"): it gets an environment of its own.
fn has_metadata(script: &Path) -> bool {
    const MAX_BYTES: u64 = 1024 * 1024;
    let mut text = Vec::new();
    let read = File::open(script).and_then(|file| file.take(MAX_BYTES).read_to_end(&mut text));
    read.is_ok() && text.split(|&byte| byte == b'\n').any(|line| line.trim_ascii_end() == b"# /// script")
}

fn environment_python(environment: &Path) -> Option<PathBuf> {
    let python = environment.join(BINARIES).join(if cfg!(windows) { "python.exe" } else { "python" });
    (environment.join("pyvenv.cfg").is_file() && python.is_file()).then_some(python)
}

/// Asks the tool which interpreter its `run` uses.
fn project_python(program: &OsStr, arguments: &[OsString], question: &[&str], start: &Start) -> Option<PathBuf> {
    if arguments.first().is_none_or(|word| word != "run") {
        return None;
    }
    path_from(Command::new(start.find(program)?).args(question), start)
}

/// Asks pyenv which script its own one of that name starts.
fn shimmed(path: &Path, start: &Start) -> Option<PathBuf> {
    let pyenv = start.find(OsStr::new("pyenv"))?;
    path_from(Command::new(pyenv).arg("which").arg(path.file_name()?), start).filter(|meant| meant != path)
}

/// The path of a file that a program writes as its last line.
fn path_from(command: &mut Command, start: &Start) -> Option<PathBuf> {
    let (ended, said) = ask_whole(command.current_dir(&start.directory), BOUNDS).ok()?;
    let said = String::from_utf8(said).ok()?;
    let path = PathBuf::from(said.lines().next_back()?.trim());
    (ended.status.success() && path.is_absolute() && path.is_file()).then_some(path)
}
