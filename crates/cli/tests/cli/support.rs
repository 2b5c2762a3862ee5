//! A folder of its own for each test, and the command run in it with a scrubbed environment.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// Longer than any of these runs should take; a run that waits for a FIFO would take forever.
const PATIENCE: Duration = Duration::from_secs(60);

/// A folder with a key pair, in which commands run.
pub(crate) struct Sandbox {
    folder: tempfile::TempDir,
    /// Variables of every command that name a folder of the sandbox.
    variables: Vec<(&'static str, &'static str)>,
}

/// How a command ended.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Sandbox {
    /// An empty folder.
    pub(crate) fn empty() -> Self {
        Self { folder: tempfile::tempdir().expect("a temporary folder"), variables: Vec::new() }
    }

    /// An empty folder on a disk: that for temporary files is in memory on many machines.
    #[cfg(target_os = "linux")]
    pub(crate) fn on_disk() -> Self {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder of the build");
        Self { folder, variables: Vec::new() }
    }

    /// The same, in which commands know a folder of it by this variable.
    pub(crate) fn with_variable(mut self, name: &'static str, folder: &'static str) -> Self {
        self.variables.push((name, folder));
        self
    }

    /// A folder with `key.pem`, `key.pub.pem` and the model `model`: two files, one in a folder.
    pub(crate) fn with_model() -> Self {
        Self::empty().and_model()
    }

    /// The same with these.
    pub(crate) fn and_model(self) -> Self {
        self.ok("keygen --private-key key.pem");
        self.write("model/config.json", "{}\n");
        self.write("model/sub/weights.bin", "weights\n");
        self
    }

    /// As [`Self::with_model`], with `model.sig` beside the model.
    pub(crate) fn signed() -> Self {
        let sandbox = Self::with_model();
        sandbox.ok("sign key model --private-key key.pem");
        sandbox
    }

    pub(crate) fn path(&self, relative: &str) -> PathBuf {
        self.folder.path().join(relative)
    }

    pub(crate) fn write(&self, relative: &str, content: impl AsRef<[u8]>) {
        let path = self.path(relative);
        fs::create_dir_all(path.parent().expect("inside the folder")).expect("a folder");
        fs::write(path, content).expect("written");
    }

    pub(crate) fn read(&self, relative: &str) -> Vec<u8> {
        fs::read(self.path(relative)).expect("readable")
    }

    /// The command with these words, split at spaces, not yet run.
    pub(crate) fn command(&self, words: &str) -> Command {
        self.command_words(words.split_whitespace())
    }

    pub(crate) fn command_words<W: AsRef<std::ffi::OsStr>>(&self, words: impl IntoIterator<Item = W>) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_model-signing"));
        command.args(words).current_dir(self.folder.path()).env_clear().stdin(Stdio::null());
        for variable in ["TEMP", "TMP", "TMPDIR"] {
            command.env(variable, self.folder.path());
        }
        for (name, folder) in &self.variables {
            command.env(name, self.path(folder));
        }
        // What a process needs on Windows.
        if let Some(root) = std::env::var_os("SystemRoot") {
            command.env("SystemRoot", root);
        }
        command
    }

    pub(crate) fn run(&self, words: &str) -> Run {
        run(&mut self.command(words))
    }

    /// Runs a command that has to succeed.
    #[track_caller]
    pub(crate) fn ok(&self, words: &str) -> Run {
        let run = self.run(words);
        assert_eq!(run.code, Some(0), "{words}: {run:?}");
        run
    }

    /// Runs a command that has to fail with `code`, saying each of `says`, and leaving no new file.
    #[track_caller]
    pub(crate) fn fails(&self, words: &str, code: i32, says: &[&str]) -> Run {
        self.fails_as(&mut self.command(words), code, says)
    }

    /// As [`Self::fails`], for a command that was put together otherwise.
    #[track_caller]
    pub(crate) fn fails_as(&self, command: &mut Command, code: i32, says: &[&str]) -> Run {
        let before = self.listing();
        let run = run(command);
        assert_eq!(run.code, Some(code), "{command:?}: {run:?}");
        for words in says {
            assert!(run.stderr.contains(words), "{command:?}: expected `{words}` in: {}", run.stderr);
        }
        assert!(!run.stderr.contains("panicked"), "{run:?}");
        assert_eq!(run.stdout, "", "a failed command has no result");
        assert_eq!(self.listing(), before, "{command:?} left something behind");
        run
    }

    /// Runs a command with `--format json` and gives its exit code and the one document on standard output.
    #[track_caller]
    pub(crate) fn json(&self, words: &str) -> (i32, Value) {
        let run = run(self.command(words).args(["--format", "json"]));
        assert_eq!(run.stderr, "", "JSON has everything in the document");
        let document: Value = serde_json::from_str(&run.stdout).expect("one JSON document");
        let code = run.code.expect("it ended by itself");
        assert_eq!(document["exit_code"], code);
        assert_eq!(document["version"], 1);
        (code, document)
    }

    /// The statement in a bundle.
    pub(crate) fn statement(&self, bundle: &str) -> Value {
        let bundle: Value = serde_json::from_slice(&self.read(bundle)).expect("JSON");
        let payload = bundle["dsseEnvelope"]["payload"].as_str().expect("a payload");
        serde_json::from_slice(&base64_decode(payload)).expect("JSON")
    }

    /// Every path in the folder with its length.
    pub(crate) fn listing(&self) -> Vec<(PathBuf, u64)> {
        let mut found = Vec::new();
        let mut pending = vec![self.folder.path().to_owned()];
        while let Some(folder) = pending.pop() {
            let Ok(entries) = fs::read_dir(&folder) else { continue };
            for entry in entries {
                let entry = entry.expect("readable");
                let metadata = fs::symlink_metadata(entry.path()).expect("there");
                if metadata.is_dir() {
                    pending.push(entry.path());
                }
                found.push((entry.path(), if metadata.is_file() { metadata.len() } else { 0 }));
            }
        }
        found.sort();
        found
    }

    /// A run as a snapshot has it: no path, key or version that differs from one run to the next.
    pub(crate) fn scrub(&self, run: &Run) -> String {
        let text = format!("exit {}\n--- stdout\n{}--- stderr\n{}", run.code.expect("ended"), run.stdout, run.stderr);
        let key = self.ok_json_key();
        let folder = self.folder.path().display().to_string();
        let text = text.replace(&folder, "[FOLDER]").replace(&key, "[KEY]");
        text.replace(env!("CARGO_PKG_VERSION"), "[VERSION]").replace("model-signing.exe", "model-signing")
    }

    fn ok_json_key(&self) -> String {
        let Ok(bytes) = fs::read(self.path("key.pub.pem")) else { return "[NO KEY]".to_owned() };
        model_transparency::key::PublicKey::from_pem(&bytes).expect("a key").hint()
    }
}

/// Runs `command`, killing it if it does not end.
pub(crate) fn run(command: &mut Command) -> Run {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the command starts");
    let mut stdout = child.stdout.take().expect("piped");
    let mut stderr = child.stderr.take().expect("piped");
    let out = std::thread::spawn(move || read_all(&mut stdout));
    let err = std::thread::spawn(move || read_all(&mut stderr));
    let started = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().expect("waited for") {
            break Some(status);
        }
        if started.elapsed() > PATIENCE {
            child.kill().expect("killed");
            break None;
        }
        std::thread::sleep(Duration::from_millis(2));
    };
    assert!(status.is_some(), "{command:?} did not end");
    Run {
        code: status.and_then(|status| status.code()),
        stdout: out.join().expect("read"),
        stderr: err.join().expect("read"),
    }
}

fn read_all(stream: &mut impl Read) -> String {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).expect("readable");
    String::from_utf8(bytes).expect("output is UTF-8")
}

/// Standard Base64; short enough to stand here, and no dependency of the command.
pub(crate) fn base64_decode(text: &str) -> Vec<u8> {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut bytes = Vec::new();
    let (mut bits, mut length) = (0u32, 0);
    for digit in text.bytes().filter(|digit| *digit != b'=') {
        let value = DIGITS.iter().position(|candidate| *candidate == digit).expect("Base64");
        bits = bits << 6 | u32::try_from(value).expect("below 64");
        length += 6;
        if length >= 8 {
            length -= 8;
            bytes.push((bits >> length & 255) as u8);
        }
    }
    bytes
}

/// Copies a folder of files.
pub(crate) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("readable") {
        let entry = entry.expect("readable");
        let target = to.join(entry.file_name());
        if entry.file_type().expect("known").is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).expect("copied");
        }
    }
}

/// Says on the terminal that the rest of a test proves nothing here; libtest captures what the macros print.
#[cfg(unix)]
pub(crate) fn skipped(why: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stderr(), "skipped: {why}");
}
