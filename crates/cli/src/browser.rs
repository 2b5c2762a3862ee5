//! Opening a browser.

use std::env;
use std::ffi::OsString;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// How long a program that opens browsers may take to say that there is none.
const PATIENCE: Duration = Duration::from_secs(2);
const TICK: Duration = Duration::from_millis(20);

/// What opens browsers here: each a program and its arguments, to be tried in turn.
#[derive(Debug)]
pub(crate) struct Browser {
    commands: Vec<Vec<OsString>>,
}

impl Browser {
    /// Finds what may open one: `BROWSER`, or the desktop's own way if there is a desktop.
    pub(crate) fn find() -> Option<Self> {
        let named = env::var_os("BROWSER").filter(|commands| !commands.is_empty());
        let commands = match &named {
            // Commands with `:` between them, `%s` in an argument for the URL.
            Some(commands) => env::split_paths(commands)
                .filter_map(|command| Some(command.to_str()?.split_whitespace().map(OsString::from).collect()))
                .collect(),
            None => desktop(),
        };
        let commands: Vec<Vec<OsString>> = commands;
        commands.iter().any(|command| !command.is_empty()).then_some(Self { commands })
    }

    /// Opens `url`; whether that went well, as far as can be seen.
    pub(crate) fn open(&self, url: &str) -> bool {
        self.commands.iter().filter_map(|command| start(command, url)).any(is_open)
    }
}

/// The way of the desktop that this runs on.
fn desktop() -> Vec<Vec<OsString>> {
    let has = |variable| env::var_os(variable).is_some_and(|value| !value.is_empty());
    let words: &[&str] = if cfg!(target_os = "macos") {
        &["open"]
    } else if cfg!(windows) {
        &["rundll32", "url.dll,FileProtocolHandler"]
    } else if has("WSL_DISTRO_NAME") {
        &["wslview"]
    } else if has("DISPLAY") || has("WAYLAND_DISPLAY") {
        &["xdg-open"]
    } else {
        return Vec::new();
    };
    vec![words.iter().map(OsString::from).collect()]
}

fn start(command: &[OsString], url: &str) -> Option<Child> {
    let (program, arguments) = command.split_first()?;
    let mut command = Command::new(program);
    let has_place = |argument: &OsString| argument.to_str().is_some_and(|text| text.contains("%s"));
    if arguments.iter().any(has_place) {
        let put = |argument: &OsString| match argument.to_str() {
            Some(text) => text.replace("%s", url).into(),
            None => argument.clone(),
        };
        command.args(arguments.iter().map(put));
    } else {
        command.args(arguments).arg(url);
    }
    // In a group of its own: Ctrl-C here would end a browser that was opened for this, with all that is in it.
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().ok()
}

/// Whether the program succeeds, or still runs after a while: it may be the browser itself.
fn is_open(mut child: Child) -> bool {
    let started = Instant::now();
    while started.elapsed() < PATIENCE {
        match child.try_wait() {
            Ok(Some(status)) => return status.success(),
            Ok(None) => sleep(TICK),
            Err(_) => return false,
        }
    }
    true
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn the_url_stands_where_it_is_wanted() {
        let folder = tempfile::tempdir().expect("a folder");
        let opens = |arguments: &[&str]| {
            let file = folder.path().join("arguments");
            let script = format!("echo \"$@\" > '{}'", file.display());
            let mut command = ["sh", "-c", &script, "sh"].map(OsString::from).to_vec();
            command.extend(arguments.iter().map(OsString::from));
            assert!(Browser { commands: vec![command] }.open("http://a?b=%2F"));
            std::fs::read_to_string(file).expect("it ran")
        };
        assert_eq!(opens(&[]), "http://a?b=%2F\n");
        assert_eq!(opens(&["--new", "%s", "-x"]), "--new http://a?b=%2F -x\n");
        assert_eq!(opens(&["--app=%s"]), "--app=http://a?b=%2F\n");
    }
}
