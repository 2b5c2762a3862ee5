//! `verify --receipt` and `sign --reuse`: what did not change is not read, and nothing else is believed.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, SystemTime};

use serde_json::Value;

use crate::support::{Run, Sandbox};

/// Longer than a tick of the clock that files are stamped with.
const TICK: Duration = Duration::from_millis(50);

/// The build may be on a file system that is not known; there is a test of one that is refused.
const BELIEVE: &str = "--receipt-allow-network-fs";

/// A signed model on a disk, with a folder for state.
struct Model(Sandbox);

impl Model {
    fn new() -> Self {
        let model = Self(Sandbox::on_disk().with_variable("XDG_STATE_HOME", "state").and_model());
        model.0.ok("sign key model --private-key key.pem");
        std::thread::sleep(TICK);
        model
    }

    /// How many files of a good model were hashed, and of how many a receipt told.
    #[track_caller]
    fn verified(&self, more: &str) -> (u64, u64) {
        let words = format!("verify key model --public-key key.pub.pem --receipt {BELIEVE} {more} --format json");
        counts(&self.0.ok(&words))
    }

    #[track_caller]
    fn refused(&self, says: &[&str]) {
        self.0.fails(&format!("verify key model --public-key key.pub.pem --receipt {BELIEVE}"), 1, says);
    }

    fn signed_again(&self, more: &str) -> Run {
        self.0.ok(&format!("sign key model --private-key key.pem {BELIEVE} {more}"))
    }

    fn receipt(&self) -> PathBuf {
        let folder = fs::read_dir(self.0.path("state/model-signing/receipts")).expect("a folder");
        let mut receipts = folder.map(|entry| entry.expect("readable").path());
        receipts.find(|path| path.extension().is_some_and(|extension| extension == "receipt")).expect("a receipt")
    }
}

#[track_caller]
fn counts(run: &Run) -> (u64, u64) {
    let document: Value = serde_json::from_str(&run.stdout).expect("one JSON document");
    let receipt = &document["result"]["receipt"];
    let number = |name: &str| receipt[name].as_u64().unwrap_or_else(|| panic!("no {name} in {document}"));
    (number("files_hashed"), number("files_by_receipt"))
}

#[test]
fn what_did_not_change_is_not_read_again() {
    let model = Model::new();
    let verify = format!("verify key model --public-key key.pub.pem --receipt {BELIEVE} --log-level debug");
    let first = model.0.ok(&verify);
    assert!(first.stdout.contains("receipt      2 files hashed now, none by receipt\n"), "{}", first.stdout);
    assert!(first.stderr.contains("hashed 11 B in"), "{}", first.stderr);
    let second = model.0.ok(&verify);
    assert!(second.stdout.contains("receipt      0 files hashed now, 2 by receipt of 20"), "{}", second.stdout);
    assert!(second.stdout.contains("the bytes of 2 files, which the system says were not changed since 20"));
    assert!(second.stderr.contains("hashed 0 B in"), "{}", second.stderr);

    model.0.write("model/config.json", "{}\n");
    std::thread::sleep(TICK);
    assert_eq!(model.verified(""), (1, 1));
    assert_eq!(model.verified("--receipt-max-age 1h"), (0, 2));
    assert_eq!(model.verified("--receipt-max-age 0s"), (2, 0));
}

#[test]
fn the_signature_is_verified_each_time() {
    let model = Model::new();
    assert_eq!(model.verified(""), (2, 0));
    model.0.ok("keygen --private-key other.pem");
    let words = format!("verify key model --public-key other.pub.pem --receipt {BELIEVE}");
    model.0.fails(&words, 1, &["was made with another key"]);

    // The model is changed and signed again: the receipt knows what the new signature does not say.
    model.0.write("model/config.json", "{ }\n");
    model.0.ok("sign key model --private-key key.pem");
    std::thread::sleep(TICK);
    assert_eq!(model.verified(""), (1, 1));
    assert_eq!(model.verified(""), (0, 2));
    // The state that the receipt knows is not what is signed.
    model.0.write("other/config.json", "{}\n");
    model.0.write("other/sub/weights.bin", "weights\n");
    model.0.ok("sign key other --private-key key.pem --signature old.sig");
    let words = format!("verify key model --public-key key.pub.pem --signature old.sig --receipt {BELIEVE}");
    model.0.fails(&words, 1, &["config.json", "expected sha256:", "changed: 1"]);
}

#[test]
fn every_change_is_seen() {
    let set_time = |path: &Path, time: SystemTime| {
        File::options().write(true).open(path).expect("open").set_modified(time).expect("a time");
    };
    let model = Model::new();
    let (file, new) = (model.0.path("model/config.json"), model.0.path("new"));
    let modified = || fs::metadata(&file).expect("there").modified().expect("a time");
    assert_eq!(model.verified(""), (2, 0));

    // The same length and the same time as before.
    let before = modified();
    fs::write(&file, "[]\n").expect("written");
    set_time(&file, before);
    model.refused(&["config.json", "changed: 1"]);
    // Another file of the same length and time.
    fs::write(&new, "[]\n").expect("written");
    set_time(&new, before);
    fs::rename(&new, &file).expect("renamed");
    model.refused(&["config.json"]);
    fs::remove_file(&file).expect("removed");
    model.refused(&["missing: 1", "config.json"]);
    fs::write(&file, "{}\n").expect("written");
    fs::write(model.0.path("model/more"), "").expect("written");
    model.refused(&["more"]);
    fs::remove_file(model.0.path("model/more")).expect("removed");
    std::thread::sleep(TICK);
    assert_eq!(model.verified(""), (1, 1));

    // Not its bytes, but what is known of it.
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("a mode");
    std::thread::sleep(TICK);
    assert_eq!(model.verified(""), (1, 1));
    fs::hard_link(&file, model.0.path("link")).expect("a link");
    std::thread::sleep(TICK);
    assert_eq!(model.verified(""), (1, 1));
    // A copy of the folder in its place: other files, and the receipt of the same place.
    fs::rename(model.0.path("model"), model.0.path("away")).expect("renamed");
    model.0.write("model/config.json", "{}\n");
    model.0.write("model/sub/weights.bin", "weights\n");
    std::thread::sleep(TICK);
    assert_eq!(model.verified(""), (2, 0));
}

/// A process that has a file mapped, and writes to it when it is told to.
struct Mapping(Child);

impl Mapping {
    /// Maps the file and writes its first byte. `None` without Python, whose mappings these are.
    fn new(path: &Path) -> Option<Self> {
        const SCRIPT: &str = "import mmap, sys\nfile = open(sys.argv[1], 'r+b')\nmapping = mmap.mmap(file.fileno(), 0)\n\
                              for text in sys.stdin:\n    mapping[0:1] = text[:1].encode()\n    print(flush=True)\n";
        let python =
            ["/usr/bin/python3", "/usr/local/bin/python3"].into_iter().find(|path| Path::new(path).exists())?;
        let mut python = Command::new(python);
        let python = python.args(["-c", SCRIPT]).arg(path).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        Some(Self(python.expect("Python")))
    }

    fn write(&mut self, byte: char) {
        writeln!(self.0.stdin.as_mut().expect("piped"), "{byte}").expect("told");
        let mut line = String::new();
        BufReader::new(self.0.stdout.as_mut().expect("piped")).read_line(&mut line).expect("an answer");
        assert_eq!(line, "\n");
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        self.0.kill().and_then(|()| self.0.wait()).expect("ended");
    }
}

#[test]
fn a_write_through_a_mapping_that_was_dirty_is_seen() {
    // Few files are written out one by one, many at once.
    for files in [0, 100] {
        let model = Model::new();
        for file in 0..files {
            model.0.write(&format!("model/{file}"), "x");
        }
        let mapped = model.0.path("model/sub/weights.bin");
        let Some(mut mapping) = Mapping::new(&mapped) else { return };
        mapping.write('1');
        model.0.ok("sign key model --private-key key.pem");
        std::thread::sleep(TICK);
        assert_eq!(model.verified(""), (files + 2, 0));
        assert_eq!(model.verified(""), (1, files + 1), "what is mapped to be written to has no receipt");
        // Of the pages that were dirty before the model was hashed.
        mapping.write('2');
        model.refused(&["sub/weights.bin"]);
        mapping.write('1');
        drop(mapping);
        std::thread::sleep(TICK);
        assert_eq!(model.verified(""), (1, files + 1));
        assert_eq!(model.verified(""), (0, files + 2));
    }
}

#[test]
fn a_file_that_is_open_for_writing_is_read_each_time() {
    let model = Model::new();
    let verify = format!("verify key model --public-key key.pub.pem --receipt {BELIEVE}");
    let writer = File::options().append(true).open(model.0.path("model/config.json")).expect("open");
    let run = model.0.ok(&verify);
    assert!(run.stderr.contains("the receipt is without `config.json`: open for writing, or changed"), "{run:?}");
    assert_eq!(model.verified(""), (1, 1));
    drop(writer);
    assert_eq!(model.verified(""), (1, 1));
    assert_eq!(model.verified(""), (0, 2));
    // Opened and not written to: nothing changed.
    drop(File::options().append(true).open(model.0.path("model/config.json")).expect("open"));
    assert_eq!(model.verified(""), (0, 2));
}

#[test]
fn a_file_to_which_root_alone_writes_has_a_receipt() {
    let model = Model::new();
    model.0.ok("sign key /etc/passwd --private-key key.pem --signature passwd.sig");
    let verify = "verify key /etc/passwd --public-key key.pub.pem --signature passwd.sig --receipt";
    let verify = format!("{verify} {BELIEVE} --format json");
    assert_eq!(counts(&model.0.ok(&verify)), (1, 0));
    assert_eq!(counts(&model.0.ok(&verify)), (0, 1));
}

#[test]
fn what_is_not_listed_is_not_looked_at() {
    let model = Model::new();
    let memory = tempfile::NamedTempFile::new_in("/dev/shm").ok();
    if let Some(memory) = &memory {
        std::os::unix::fs::symlink(memory.path(), model.0.path("model/link")).expect("a link");
    }
    model.0.write("model/unsigned", "not signed");
    let more = "--allow-symlinks --ignore-unsigned-files";
    assert_eq!(model.verified(more), (2, 0));
    let before = fs::metadata(model.receipt()).expect("there").modified().expect("a time");
    assert_eq!(model.verified(more), (0, 2));
    assert_eq!(fs::metadata(model.receipt()).expect("there").modified().expect("a time"), before);

    // Shards do not list empty files.
    fs::remove_file(model.0.path("model/unsigned")).expect("removed");
    let _ = fs::remove_file(model.0.path("model/link"));
    model.0.write("model/empty", "");
    let sign = format!("sign key model --private-key key.pem --shard-size 30 --receipt {BELIEVE} --log-level error");
    let signed = model.0.ok(&sign);
    assert!(signed.stdout.contains("receipt      2 files hashed now\n"), "{}", signed.stdout);
    std::thread::sleep(TICK);
    model.0.ok(&sign);
    let again = model.0.ok(&format!("{sign} --reuse model.sig"));
    assert!(again.stdout.contains("hashed now   0 files\n"), "{}", again.stdout);
}

#[test]
fn a_file_system_that_is_not_known_is_believed_only_if_that_is_asked_for() {
    let model = Model::new();
    // Of the kernel's file systems, one that is no disk.
    let places = ["/sys/fs/cgroup/cgroup.procs", "/sys/fs/cgroup/cpu/cgroup.procs"];
    let Some(file) = places.into_iter().find(|place| Path::new(place).exists()) else { return };
    let sign = format!("sign key {file} --private-key key.pem --signature new.sig --receipt");
    model.0.fails(&sign, 3, &["is not known to note every change of a file", "--receipt-allow-network-fs believes it"]);
    // It can't be hashed all the same: it has more bytes than it says.
    model.0.fails(&format!("{sign} {BELIEVE}"), 3, &["grew"]);
}

#[test]
fn a_receipt_that_somebody_else_may_have_written_is_not_believed() {
    let model = Model::new();
    assert_eq!(model.verified(""), (2, 0));
    let (receipt, key) = (model.receipt(), model.0.path("state/model-signing/receipts/key"));
    for path in [&receipt, &key] {
        assert_eq!(fs::metadata(path).expect("there").permissions().mode() & 0o777, 0o600, "{}", path.display());
    }
    let written = fs::read(&receipt).expect("readable");
    let text = String::from_utf8(written.clone()).expect("UTF-8");
    let words = format!("verify key model --public-key key.pub.pem --receipt {BELIEVE}");
    for changed in ["", "model-signing receipt 2", &text.replace("\"path\"", "\"Path\""), &text[..text.len() - 1]] {
        fs::write(&receipt, changed).expect("written");
        let run = model.0.ok(&words);
        assert!(run.stderr.contains("every file is hashed"), "{run:?}");
        assert!(run.stdout.contains("2 files hashed now, none by receipt"), "{run:?}");
        assert_eq!(model.verified(""), (0, 2), "the new one is believed");
    }

    let mode = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("a mode");
    mode(&key, 0o640);
    model.0.fails(&words, 3, &["the key of receipts", "has mode 0640, expected 0600"]);
    mode(&key, 0o600);
    let folder = key.parent().expect("a folder");
    mode(folder, 0o777);
    model.0.fails(&words, 3, &["the folder of receipts", "has mode 0777, expected 0755"]);
    mode(folder, 0o700);
    let old = fs::read(&key).expect("readable");
    fs::write(&key, &old[1..]).expect("written");
    model.0.fails(&words, 3, &["has 31 bytes, expected 32"]);
    fs::remove_file(&key).expect("removed");
    std::os::unix::fs::symlink("/dev/zero", &key).expect("a link");
    model.0.fails(&words, 3, &["the key of receipts"]);
    fs::remove_file(&key).expect("removed");
    let away = model.0.path("away");
    fs::rename(folder, &away).expect("renamed");
    std::os::unix::fs::symlink(&away, folder).expect("a link");
    model.0.fails(&words, 3, &["the folder of receipts", "is no folder"]);
    fs::remove_file(folder).expect("removed");
    fs::rename(&away, folder).expect("renamed");
    fs::remove_file(&receipt).expect("removed");
    let made = Command::new("mkfifo").arg(&receipt).status().expect("mkfifo");
    assert!(made.success());
    let run = model.0.ok(&words);
    assert!(run.stderr.contains("there is no new receipt: `") && run.stderr.contains("is no regular file"), "{run:?}");
    fs::remove_file(&receipt).expect("removed");
    // A new key is made, and the old receipt is void.
    fs::write(&receipt, &written).expect("written");
    mode(&receipt, 0o600);
    assert_eq!(model.verified("--log-level error"), (2, 0));
}

#[test]
fn nothing_is_kept_of_a_model_that_is_not_verified() {
    let model = Model::new();
    model.0.write("model/config.json", "[]\n");
    model.refused(&["config.json"]);
    assert!(!model.0.path("state").exists());
}

#[test]
fn receipts_are_of_shards_links_and_single_files_too() {
    let model = Model::new();
    for sign in ["", "--shard-size 3", "--hash blake3", "--allow-symlinks"] {
        model.0.write("outside", "outside\n");
        let link = model.0.path("model/link");
        if sign == "--allow-symlinks" {
            std::os::unix::fs::symlink("../outside", &link).expect("a link");
        }
        model.0.ok(&format!("sign key model --private-key key.pem --signature model.sig {sign}"));
        std::thread::sleep(TICK);
        // What is known of files says nothing of shards, nor of another algorithm.
        let files = if link.exists() { 3 } else { 2 };
        assert_eq!(model.verified(""), (files, 0), "{sign}");
        assert_eq!(model.verified(""), (0, files), "{sign}");
        if link.exists() {
            model.0.write("outside", "OUTSIDE\n");
            model.refused(&["link"]);
            fs::remove_file(&link).expect("removed");
        }
    }
    model.0.write("one.bin", "one");
    model.0.ok("sign key one.bin --private-key key.pem --signature one.sig");
    std::thread::sleep(TICK);
    let words =
        format!("verify key one.bin --public-key key.pub.pem --signature one.sig --receipt {BELIEVE} --format json");
    assert_eq!(counts(&model.0.ok(&words)), (1, 0));
    assert_eq!(counts(&model.0.ok(&words)), (0, 1));
}

#[test]
fn memory_is_no_place_for_a_receipt() {
    let memory = Path::new("/dev/shm");
    let Ok(folder) = tempfile::tempdir_in(memory) else { return };
    let model = Model::new();
    let copied = folder.path().join("model");
    fs::create_dir(&copied).expect("a folder");
    fs::write(copied.join("config.json"), "{}\n").expect("written");
    let sign = format!("sign key {} --private-key key.pem --signature memory.sig", copied.display());
    model.0.ok(&sign);
    let verify = format!("verify key {} --public-key key.pub.pem --signature memory.sig", copied.display());
    model.0.ok(&verify);
    for command in [&sign, &verify] {
        let words = format!("{command} --receipt {BELIEVE}");
        model.0.fails(&words, 3, &["there is no receipt of `", "tmpfs does not note every change of a file"]);
    }
}

#[test]
fn what_says_nothing_without_a_receipt_is_refused() {
    let model = Model::new();
    let verify = "verify key model --public-key key.pub.pem";
    model.0.fails(&format!("{verify} --receipt-max-age 1h"), 2, &["give it with --receipt"]);
    model.0.fails(&format!("{verify} {BELIEVE}"), 2, &["give it with --receipt"]);
    model.0.fails(&format!("{verify} --receipt --receipt-max-age soon"), 2, &["such as 90s, 12h or 7d"]);
    let sign = "sign key model --private-key key.pem";
    model.0.fails(&format!("{sign} --receipt-max-age 1h"), 2, &["give it with --receipt or --reuse FILE"]);
    model.0.fails(&format!("{sign} --reuse-public-key key.pub.pem"), 2, &["give it with --reuse FILE"]);
    model.0.fails(&format!("{sign} --reuse model.sig --reuse-identity a"), 2, &["needs --reuse-identity-provider URL"]);
    let words = format!("{verify} --receipt");
    model.0.fails_as(
        model.0.command(&words).env_remove("XDG_STATE_HOME"),
        2,
        &["neither XDG_STATE_HOME nor HOME is set"],
    );
}

#[test]
fn a_new_signature_takes_from_the_old_what_did_not_change() {
    let model = Model::new();
    let root = |run: &Run| run.stdout.lines().find(|line| line.contains("root digest")).expect("a root").to_owned();

    // Length and time alone are not believed.
    let first = model.signed_again("--reuse model.sig");
    assert!(first.stdout.contains("reused       nothing: length and time alone are not believed"), "{}", first.stdout);
    std::thread::sleep(TICK);
    model.0.write("model/new.bin", "a new shard");
    model.0.write("model/config.json", "{ }");
    std::thread::sleep(TICK);
    let second = model.signed_again("--reuse model.sig");
    assert!(second.stdout.contains("reused       1 file of model.sig, not changed by"), "{}", second.stdout);
    let why = "hashed now   2 files: 1 changed since, 1 with no receipt that agrees with the older signature";
    assert!(second.stdout.contains(why), "{}", second.stdout);
    let third = model.signed_again("--reuse model.sig --format json");
    assert_eq!(counts(&third), (0, 3));
    assert_eq!(root(&second), root(&model.0.ok("sign key model --private-key key.pem")), "as if every file were read");
    model.0.ok("verify key model --public-key key.pub.pem");
    // What was signed has a receipt for whoever verifies here.
    assert_eq!(model.verified(""), (0, 3));

    // Nothing could be taken from a signature of shards, or with another hash.
    for (flag, found) in [("--shard-size 4", "sha256 in shards of 4 B"), ("--hash blake3", "blake3")] {
        let sign = format!("sign key model --private-key key.pem {flag} --signature other.sig --reuse model.sig");
        model.0.fails(&sign, 2, &["`model.sig` is of sha256", &format!("the new signature is to be of {found}")]);
    }
    fs::copy(model.0.path("model.sig"), model.0.path("model/old.sig")).expect("copied");
    let inside = model.signed_again("--reuse model/old.sig --signature other.sig");
    assert!(inside.stderr.contains("`model/old.sig` is in the model, and is signed with it"), "{}", inside.stderr);
    fs::remove_file(model.0.path("model/old.sig")).expect("removed");
    let sign = "sign key model --private-key key.pem --signature shards.sig --shard-size 4 --receipt";
    model.0.ok(&format!("{sign} {BELIEVE}"));
    let again = model.0.ok(&format!("{sign} {BELIEVE} --reuse shards.sig"));
    assert!(again.stdout.contains("reused       3 files of shards.sig"), "{}", again.stdout);
}

#[test]
fn the_old_signature_has_to_hold() {
    let model = Model::new();
    model.signed_again("--receipt");
    model.0.ok("keygen --private-key other.pem");
    let sign = format!("sign key model --private-key other.pem --signature new.sig {BELIEVE}");
    model.0.fails(&format!("{sign} --reuse model.sig"), 1, &["the older signature `model.sig`", "another key"]);
    model.0.fails(&format!("{sign} --reuse none.sig"), 3, &["none.sig"]);
    let run = model.0.ok(&format!("{sign} --reuse model.sig --reuse-public-key key.pub.pem"));
    assert!(run.stdout.contains("reused       2 files of model.sig"), "{}", run.stdout);
    let bundle = String::from_utf8(model.0.read("model.sig")).expect("JSON");
    model.0.write("model.sig", bundle.replacen("\"sig\":\"M", "\"sig\":\"N", 1));
    let words = format!("{sign} --reuse model.sig --reuse-public-key key.pub.pem");
    model.0.fails(&words, 1, &["the older signature `model.sig`"]);
}
