use std::fs;
use std::path::{Path, PathBuf};

use model_hash::Options;
use proptest::prelude::*;

use super::system::System;
use super::*;
use crate::manifest::{Manifest, Parameters, Serialization};
use crate::model::{IgnoreRules, LocalModel, ModelSource, SymlinkPolicy};

const MODEL: &[u8] = b"/models/m";

fn key() -> ReceiptKey {
    ReceiptKey::new(&[7; ReceiptKey::LENGTH_BYTES])
}

fn time(seconds: i64, nanoseconds: u32) -> FileTime {
    FileTime { seconds, nanoseconds }
}

fn record(changed: FileTime, digests: Vec<(Option<Range<u64>>, Digest)>) -> Record {
    let state = FileState { device: 1, volume: 0, inode: 2, mount: 3, length_bytes: 4, modified: time(5, 6), changed };
    Record::new(state, time(9, 0), HashAlgorithm::Sha256, digests)
}

fn receipt(files: impl IntoIterator<Item = (String, Record)>) -> Receipt {
    Receipt { boot: "this run".to_owned(), files: files.into_iter().collect() }
}

#[test]
fn a_receipt_with_any_other_bit_is_not_believed() {
    let digest = HashAlgorithm::Sha256.digest(b"x");
    let written = receipt([("a".to_owned(), record(time(1, 1), vec![(None, digest)]))]).to_bytes(MODEL, &key());
    assert!(Receipt::parse(&written, MODEL, &key()).is_ok());
    for bit in 0..written.len() * 8 {
        let mut changed = written.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        let parsed = Receipt::parse(&changed, MODEL, &key());
        assert!(matches!(parsed, Err(InvalidReceipt::Form | InvalidReceipt::OtherKey)), "bit {bit}");
    }
    for length in 0..written.len() {
        assert!(Receipt::parse(&written[..length], MODEL, &key()).is_err(), "{length} bytes");
    }
    let other = ReceiptKey::new(&[8; ReceiptKey::LENGTH_BYTES]);
    assert_eq!(Receipt::parse(&written, MODEL, &other), Err(InvalidReceipt::OtherKey));
    assert_eq!(Receipt::parse(&written, b"/models/n", &key()), Err(InvalidReceipt::OtherKey));
}

proptest! {
    #[test]
    fn receipts_round_trip(
        paths in proptest::collection::btree_set("[a-z\"\\\\/é]{1,8}", 0..4),
        shards in 0u64..4,
        changed in (any::<i64>(), 0u32..1_000_000_000),
    ) {
        let digest = HashAlgorithm::Sha256.digest(b"x");
        let digests: Vec<_> = (0..shards).rev().map(|at| (Some(at * 10..at * 10 + 10), digest.clone())).collect();
        let digests = if shards == 0 { vec![(None, digest)] } else { digests };
        let record = record(time(changed.0, changed.1), digests);
        let written = receipt(paths.into_iter().map(|path| (path, record.clone())));
        prop_assert_eq!(Receipt::parse(&written.to_bytes(MODEL, &key()), MODEL, &key()), Ok(written));
    }
}

#[test]
fn a_digest_is_that_of_the_range_that_was_asked_for() {
    let digest = |text: &[u8]| HashAlgorithm::Sha256.digest(text);
    let record = record(time(1, 1), vec![(Some(4..8), digest(b"b")), (Some(0..4), digest(b"a"))]);
    assert_eq!(record.digest(Some(&(0..4))), Some(&digest(b"a")));
    assert_eq!(record.digest(Some(&(4..8))), Some(&digest(b"b")));
    for other in [None, Some(0..8), Some(4..9), Some(1..4), Some(8..12)] {
        assert_eq!(record.digest(other.as_ref()), None, "{other:?}");
    }
}

#[test]
fn a_change_shows_if_its_time_can_only_be_another() {
    let shows = |changed, begun| record(changed, Vec::new()).state.shows_changes_after(begun);
    assert!(shows(time(10, 5), time(10, 6)));
    assert!(!shows(time(10, 5), time(10, 5)), "the same tick");
    assert!(!shows(time(10, 5), time(10, 4)), "a time to come");
    // Whole seconds: the file system has no finer time.
    let last = time(i64::from(i32::MAX), 0);
    assert!(!shows(last, time(1 << 32, 0)), "the clock of the file system stands still");
    assert!(!shows(time(10, 0), time(12, 0)));
    assert!(shows(time(10, 0), time(12, 1)));
}

/// A model of two files, on a disk.
#[cfg(target_os = "linux")]
struct Folder(tempfile::TempDir);

#[cfg(target_os = "linux")]
impl Folder {
    fn new() -> Self {
        let folder = Self(tempfile::tempdir_in(on_disk()).expect("a folder"));
        folder.write("a", "one");
        folder.write("b", "two");
        folder
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).expect("written");
    }

    fn model(&self) -> LocalModel {
        let (nothing, ignore) = (std::collections::HashSet::new(), IgnoreRules::default());
        let rules = LocalModel::signing_rules(SymlinkPolicy::Allow, &ignore, &nothing);
        LocalModel::open(self.0.path(), &rules).expect("a model")
    }

    fn beside(&self, receipt: Option<&Receipt>, rules: &ReceiptRules) -> ReceiptedModel {
        ReceiptedModel::new(self.model(), receipt.cloned(), rules.clone(), |_| true).expect("beside its receipt")
    }

    /// Hashes what has to be, and gives the new receipt.
    fn hash(&self, receipt: Option<&Receipt>, rules: &ReceiptRules) -> (Manifest, Renewed) {
        let model = self.beside(receipt, rules);
        let manifest =
            Manifest::of(&model, Parameters::new(SymlinkPolicy::Allow), &Options::default()).expect("hashed");
        let renewed = model.renew(&manifest).expect("renewed").expect("it has a receipt");
        (manifest, renewed)
    }

    /// When the kernel says that a file was changed.
    fn changed(&self, name: &str) -> FileTime {
        use std::os::unix::fs::MetadataExt;
        let found = fs::metadata(self.path(name)).expect("there");
        time(found.ctime(), u32::try_from(found.ctime_nsec()).expect("less than a second"))
    }
}

/// The build's folder: that for temporary files is in memory on many machines.
#[cfg(target_os = "linux")]
fn on_disk() -> PathBuf {
    let test = std::env::current_exe().expect("this test");
    test.parent().and_then(Path::parent).expect("the build's folder").to_owned()
}

#[cfg(target_os = "linux")]
fn rules(begun: FileTime) -> ReceiptRules {
    // The build may be on any file system.
    let unknown_file_systems = UnknownFileSystems::Believe;
    ReceiptRules { boot: "this run".to_owned(), begun, max_age: None, unknown_file_systems }
}

#[cfg(target_os = "linux")]
fn later(time: FileTime) -> FileTime {
    FileTime { seconds: time.seconds + 10, ..time }
}

#[cfg(target_os = "linux")]
#[test]
fn a_file_changed_in_the_tick_of_the_receipt_counts_as_changed() {
    let folder = Folder::new();
    let (first, last) = (folder.changed("a").min(folder.changed("b")), folder.changed("a").max(folder.changed("b")));
    // The clock stands where it stood when the file was written last.
    let (_, renewed) = folder.hash(None, &rules(last));
    assert!(renewed.left_out.contains(&"b".to_owned()), "{renewed:?}");
    let receipt = renewed.receipt.expect("a receipt");
    assert_eq!(receipt.files.contains_key("a"), first < last);

    let next = FileTime { nanoseconds: last.nanoseconds + 1, ..last };
    let (_, renewed) = folder.hash(None, &rules(next));
    assert_eq!(renewed.left_out, [""; 0]);
    assert_eq!(renewed.receipt.expect("a receipt").files.len(), 2);
}

#[cfg(target_os = "linux")]
#[test]
fn a_file_changed_while_it_is_read_has_no_receipt() {
    let folder = Folder::new();
    let begun = later(folder.changed("b"));
    let model = folder.beside(None, &rules(begun));
    let manifest = Manifest::of(&model, Parameters::new(SymlinkPolicy::Allow), &Options::default()).expect("hashed");
    // Hashed already, and written to with the same bytes: nothing but its state shows that.
    folder.write("a", "one");
    let renewed = model.renew(&manifest).expect("renewed").expect("it has a receipt");
    assert_eq!(renewed.left_out, ["a"]);
    assert_eq!(renewed.receipt.expect("a receipt").files.into_keys().collect::<Vec<_>>(), ["b"]);
}

/// What is written out can't be written to again without the kernel, through a mapping that was there before either.
#[cfg(target_os = "linux")]
#[test]
fn a_write_through_a_dirty_mapping_shows_once_it_was_written_out() {
    use std::io::{BufRead, BufReader, Write};
    use std::process::{Command, Stdio};

    const SCRIPT: &str = "import mmap, sys\nfile = open(sys.argv[1], 'r+b')\nmapping = mmap.mmap(file.fileno(), 0)\n\
                          for text in sys.stdin:\n    mapping[0:1] = text[:1].encode()\n    print(flush=True)\n";
    let Some(python) = ["/usr/bin/python3", "/usr/local/bin/python3"].into_iter().find(|path| Path::new(path).exists())
    else {
        return;
    };
    let folder = Folder::new();
    let mut python = Command::new(python)
        .args(["-c", SCRIPT])
        .arg(folder.path("a"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("Python");
    let (mut input, mut output) =
        (python.stdin.take().expect("piped"), BufReader::new(python.stdout.take().expect("piped")));
    let mut write = |byte: char| {
        writeln!(input, "{byte}").expect("told");
        output.read_line(&mut String::new()).expect("an answer");
    };
    // Few files are written out one by one, many at once.
    for files in [0, 100] {
        for file in 0..files {
            folder.write(&format!("more-{file}"), "x");
        }
        write('1');
        let model = folder.model();
        let mut system = System::new(&model, UnknownFileSystems::Believe);
        let mut state = |file| system.state(file).expect("told").expect("a state");
        let all: Vec<_> = (0..model.files().len()).map(|file| (file, state(file))).collect();
        std::thread::sleep(Duration::from_millis(50));
        write('2');
        let before = state(0);
        let written = System::new(&model, UnknownFileSystems::Believe).write_out(&all).expect("written out");
        assert_eq!(written.len(), all.len());
        std::thread::sleep(Duration::from_millis(50));
        write('3');
        assert_ne!(state(0), before, "{files} more files");
    }
    drop(input);
    python.wait().expect("ended");
}

#[cfg(target_os = "linux")]
#[test]
fn only_what_is_as_it_was_need_not_be_read() {
    let folder = Folder::new();
    let begun = later(folder.changed("b"));
    let (manifest, renewed) = folder.hash(None, &rules(begun));
    assert_eq!(renewed.reuse, Reuse { without_record: 2, ..Reuse::default() });
    let receipt = renewed.receipt.expect("a receipt");

    let again = folder.hash(Some(&receipt), &rules(later(begun)));
    assert_eq!(again.0, manifest);
    assert_eq!(again.1.reuse, Reuse { unchanged: 2, since: Some(begun), ..Reuse::default() });
    assert!(again.1.receipt.is_none(), "there is nothing new to keep");

    let model = folder.beside(Some(&receipt), &rules(later(begun)));
    assert_eq!(model.unread_bytes(), 0);
    let known = |range: Option<Range<u64>>, algorithm| model.known_digest(0, range.as_ref(), algorithm).cloned();
    assert_eq!(known(None, HashAlgorithm::Sha256), Some(HashAlgorithm::Sha256.digest(b"one")));
    assert_eq!(known(None, HashAlgorithm::Blake3), None);
    assert_eq!(known(Some(0..3), HashAlgorithm::Sha256), None);

    let reuse = |rules: ReceiptRules| folder.hash(Some(&receipt), &rules).1.reuse;
    let other_run = ReceiptRules { boot: "another run".to_owned(), ..rules(later(begun)) };
    assert_eq!(reuse(other_run), Reuse { without_record: 2, ..Reuse::default() });
    let at_most = |seconds| ReceiptRules { max_age: Some(Duration::from_secs(seconds)), ..rules(later(begun)) };
    assert_eq!(reuse(at_most(10)).unchanged, 2);
    assert_eq!(reuse(at_most(9)), Reuse { expired: 2, ..Reuse::default() });
    let before = FileTime { seconds: begun.seconds - 1, ..begun };
    assert_eq!(reuse(rules(before)), Reuse { expired: 2, ..Reuse::default() }, "a receipt of a time to come");
}

#[cfg(target_os = "linux")]
#[test]
fn a_receipt_has_nothing_of_files_that_are_gone_or_signed_otherwise() {
    let folder = Folder::new();
    let begun = later(folder.changed("b"));
    let (manifest, renewed) = folder.hash(None, &rules(begun));
    let receipt = renewed.receipt.expect("a receipt");

    let mut agreeing = receipt.clone();
    agreeing.retain_agreeing(&manifest);
    assert_eq!(agreeing, receipt);

    // The file `b` is signed with other bytes, and `c` is not there.
    let resource = |path: &str, text: &[u8]| {
        let path = crate::model::ModelPath::parse(path).expect("a path");
        Resource::file(&path, HashAlgorithm::Sha256.digest(text))
    };
    let resources = vec![resource("a", b"one"), resource("b", b"2"), resource("c", b"")];
    let other = Manifest::new(resources, Parameters::new(SymlinkPolicy::Allow)).expect("a manifest");
    agreeing.retain_agreeing(&other);
    assert_eq!(agreeing.files.keys().collect::<Vec<_>>(), ["a"]);

    let shards = Serialization::Shards { size_bytes: 2.try_into().expect("not 0") };
    let parameters = Parameters { serialization: shards, ..Parameters::new(SymlinkPolicy::Allow) };
    let sharded = Manifest::of(&folder.model(), parameters, &Options::default()).expect("hashed");
    agreeing.retain_agreeing(&sharded);
    assert!(agreeing.files.is_empty());

    fs::remove_file(folder.path("b")).expect("removed");
    let (_, renewed) = folder.hash(Some(&receipt), &rules(later(begun)));
    assert_eq!(renewed.receipt.expect("a new receipt").files.into_keys().collect::<Vec<_>>(), ["a"]);
}
