//! `inspect` on models: what they are, and what of them runs code.

use std::fs;
use std::path::Path;
#[cfg(unix)]
use std::process::{Command, Stdio};
#[cfg(unix)]
use std::time::Duration;

use model_transparency::hash::Sha256Kernel;

use super::support::{Sandbox, run};

fn with_files(names: &[(&str, &str)]) -> Sandbox {
    let sandbox = Sandbox::empty();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/formats");
    for (from, to) in names {
        sandbox.write(to, fs::read(folder.join(from)).expect("a file of the frameworks"));
    }
    sandbox
}

/// A pickle that calls `module.name` when it is loaded.
fn runs(module: &str, name: &str) -> Vec<u8> {
    [b"\x80\x02c".as_slice(), module.as_bytes(), b"\n", name.as_bytes(), b"\n)R."].concat()
}

#[test]
fn a_model_file_is_described() {
    let sandbox = with_files(&[("pytorch_full_model.pth", "full.pth"), ("pytorch_state_dict.pth", "tensors.pth")]);
    insta::assert_snapshot!("inspect_full_model", sandbox.scrub(&sandbox.ok("inspect full.pth")));
    insta::assert_snapshot!("inspect_state_dict", sandbox.scrub(&sandbox.ok("inspect tensors.pth")));
}

#[test]
fn a_model_file_is_described_to_programs() {
    let sandbox = with_files(&[("pytorch_full_model.pth", "full.pth"), ("pytorch_state_dict.pth", "tensors.pth")]);
    let (code, document) = sandbox.json("inspect full.pth");
    let result = &document["result"];
    assert_eq!((code, &result["code_on_load"]), (0, &"found".into()));
    let part = &result["parts"][0];
    assert_eq!(part["format"], "pytorch-model");
    assert_eq!(part["media_type"], "application/vnd.pytorch+zip");
    assert_eq!(part["details"]["tensors"], "4");
    let relu = serde_json::json!({ "kind": "global", "name": "torch.nn.modules.activation.ReLU" });
    assert_eq!(part["code"][0], relu);
    let (code, document) = sandbox.json("inspect tensors.pth");
    let part = &document["result"]["parts"][0];
    assert_eq!((code, &document["result"]["code_on_load"]), (0, &"none".into()));
    assert_eq!((&part["code"], &part["problems"]), (&serde_json::json!([]), &serde_json::json!([])));
    assert_eq!(part["globals"].as_array().map(Vec::len), Some(3));
}

#[test]
fn each_file_of_a_directory_is_described_those_that_run_code_first() {
    let sandbox = with_files(&[("numpy_float32.npy", "model/a.npy"), ("pickle_runs_on_load_4.pkl", "model/sub/z.bin")]);
    sandbox.write("model/notes.txt", "hello");
    insta::assert_snapshot!("inspect_directory", sandbox.scrub(&sandbox.ok("inspect model")));
    let (_, document) = sandbox.json("inspect model");
    let paths: Vec<_> =
        document["result"]["parts"].as_array().expect("parts").iter().map(|part| &part["path"]).collect();
    assert_eq!(paths, ["a.npy", "notes.txt", "sub/z.bin"]);
}

#[test]
fn no_problem_may_stand_where_nothing_runs_code() {
    const NOTHING: &str = "Nothing in it runs code on load.";
    let sandbox = with_files(&[("numpy_float32.npy", "good/a.npy"), ("numpy_float32.npy", "cut/a.npy")]);
    assert!(sandbox.ok("inspect good").stdout.contains(NOTHING));
    let cut = sandbox.read("cut/a.npy");
    sandbox.write("cut/a.npy", &cut[..cut.len() - 1]);
    let said = sandbox.ok("inspect cut").stdout;
    assert!(said.contains("not everything could be looked at") && !said.contains(NOTHING), "{said}");
    assert_eq!(sandbox.json("inspect cut").1["result"]["code_on_load"], "unknown");
    sandbox.write("good/notes.txt", "of no format");
    assert!(!sandbox.ok("inspect good").stdout.contains(NOTHING));
}

#[test]
fn what_runs_code_is_told_without_a_format_too() {
    let sandbox = Sandbox::empty();
    // An object of Keras: its kind, and how it is described.
    let (kind, json) = (b"\x22\x0f_tf_keras_layer", br#"{"class_name": "Lambda", "config": {"name": "doubles"}}"#);
    let length = |length: usize| u8::try_from(length).expect("a short field");
    let object = [kind.as_slice(), &[0x2a, length(json.len())], json].concat();
    sandbox.write("keras_metadata.pb", [&[0x0a, length(object.len())], object.as_slice()].concat());
    let said = sandbox.ok("inspect keras_metadata.pb").stdout;
    assert!(said.contains("no format that is known here") && said.contains("Lambda layer `doubles`"), "{said}");
    assert_eq!(sandbox.json("inspect keras_metadata.pb").1["result"]["code_on_load"], "found");
}

#[test]
fn hostile_names_do_not_reach_the_terminal() {
    let sandbox = Sandbox::empty();
    sandbox.write("model.bin", runs("evil\u{1b}[2J\u{202e}", "name"));
    let said = sandbox.ok("inspect model.bin").stdout;
    assert!(said.contains(r"evil\u{1b}[2J\u{202e}.name"), "{said}");
    assert!(!said.contains(['\u{1b}', '\u{202e}']));
}

#[cfg(unix)]
#[test]
fn links_and_fifos_in_a_model_are_not_opened() {
    let sandbox = with_files(&[("numpy_float32.npy", "model/a.npy")]);
    sandbox.write("outside.pkl", runs("os", "system"));
    std::os::unix::fs::symlink(sandbox.path("outside.pkl"), sandbox.path("model/link")).expect("a link");
    let status = std::process::Command::new("mkfifo").arg(sandbox.path("model/fifo")).status().expect("mkfifo");
    assert!(status.success());
    let (code, document) = sandbox.json("inspect model");
    let result = &document["result"];
    assert_eq!((code, &result["code_on_load"]), (0, &"unknown".into()));
    let problems: Vec<_> = result["parts"].as_array().expect("parts").iter().map(|part| &part["problems"][0]).collect();
    assert!(problems[1].as_str().is_some_and(|text| text.contains("FIFO")), "{problems:?}");
    assert!(problems[2].as_str().is_some_and(|text| text.contains("is a symbolic link")), "{problems:?}");
    // What the user names may be a link.
    std::os::unix::fs::symlink(sandbox.path("outside.pkl"), sandbox.path("named.pkl")).expect("a link");
    assert!(sandbox.ok("inspect named.pkl").stdout.contains("imports os.system"));
}

#[test]
fn signatures_are_still_signatures() {
    let sandbox = Sandbox::signed();
    assert!(sandbox.ok("inspect model.sig").stdout.contains("Unverified"));
    sandbox.write("unknown.bin", b"\0\x01neither");
    sandbox.fails("inspect unknown.bin", 1, &["unknown.bin", "is not a signature bundle"]);
    sandbox.fails("inspect no-such", 3, &["no-such", "cannot be read"]);
}

/// Each kernel that this machine has, by the name that a variable gives; and names that it has not.
#[test]
fn every_hash_kernel_gives_the_same_digest() {
    let sandbox = Sandbox::empty();
    for (index, length) in [0, 1, 63, 64, 70_000, 1 << 20, 300_000, 65_536, 65_537, 2_000_000].into_iter().enumerate() {
        let content: Vec<u8> = (0..length).map(|byte: usize| (byte * 7 + index + (byte >> 9)) as u8).collect();
        sandbox.write(&format!("model/{index}"), content);
    }
    let expected = sandbox.ok("digest model").stdout;
    let with = |kernel: &str| {
        let mut command = sandbox.command("digest model --jobs 2");
        command.env("MODEL_SIGNING_SHA256_KERNEL", kernel);
        command
    };
    for kernel in Sha256Kernel::ALL {
        if kernel.is_available() {
            assert_eq!(run(&mut with(kernel.name())).stdout, expected, "{kernel}");
        } else {
            sandbox.fails_as(&mut with(kernel.name()), 2, &["this machine can run ", "portable, not"]);
        }
    }
    sandbox.fails_as(&mut with("mmx"), 2, &["expected the name of a SHA-256 kernel (avx512, ", "found `mmx`"]);
}

/// However many threads, no more files are open than a process may have.
#[cfg(unix)]
#[test]
fn a_low_limit_of_open_files_is_kept() {
    let sandbox = Sandbox::empty();
    for index in 0..120 {
        sandbox.write(&format!("model/{index}"), vec![index as u8; 70_000]);
    }
    let expected = sandbox.ok("digest model").stdout;
    let mut command = std::process::Command::new("/bin/sh");
    command.args(["-c", "ulimit -n 40 && exec \"$0\" digest model --jobs 64", env!("CARGO_BIN_EXE_model-signing")]);
    let limited = run(command.current_dir(sandbox.path(".")).env_clear());
    assert_eq!((limited.code, limited.stdout), (Some(0), expected), "{}", limited.stderr);
}

/// A file of which the system does not know how long it is.
#[cfg(target_os = "linux")]
#[test]
fn a_file_with_more_bytes_than_its_length_is_refused() {
    Sandbox::empty().fails("digest /proc/version", 3, &["`version` grew while it was being read", "expected 0 bytes"]);
}

#[cfg(unix)]
#[test]
fn an_interrupt_ends_the_hashing_and_leaves_nothing() {
    use std::os::unix::process::ExitStatusExt;

    let sandbox = Sandbox::signed();
    // More than is hashed while this test runs, and none of it takes room.
    let huge = std::fs::File::create(sandbox.path("model/huge")).expect("created");
    huge.set_len(1 << 40).expect("a sparse file");
    let before = sandbox.listing();
    for words in ["sign key model --private-key key.pem --signature new.sig", "digest model"] {
        let mut child = sandbox.command(words).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("started");
        std::thread::sleep(Duration::from_millis(200));
        assert!(child.try_wait().expect("asked").is_none(), "{words}: it hashes");
        let sent = Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("kill");
        assert!(sent.success());
        assert_eq!(child.wait().expect("ended").signal(), Some(2), "{words}");
        assert_eq!(sandbox.listing(), before, "{words}");
    }
}
