//! Streams, formats, colours, help.

use super::support::{Sandbox, run};

#[test]
fn help_stays_as_it_was_read() {
    let sandbox = Sandbox::empty();
    for (name, words) in [
        ("help", "--help"),
        ("help_sign_key", "sign key --help"),
        #[cfg(feature = "pkcs11")]
        ("help_sign_pkcs11_key", "sign pkcs11-key --help"),
        ("help_verify_key", "verify key --help"),
        ("help_digest", "digest --help"),
        ("help_inspect", "inspect --help"),
        ("help_keygen", "keygen --help"),
        ("help_quickstart", "quickstart --help"),
        ("no_arguments", ""),
        ("help_sign", "sign --help"),
        ("help_sign_sigstore", "sign sigstore --help"),
        ("help_trust", "trust --help"),
        ("help_trust_update", "trust update --help"),
        ("help_trust_import", "trust import --help"),
        ("help_provenance_verify", "provenance verify --help"),
        ("help_vsa_verify", "vsa verify --help"),
        #[cfg(feature = "pkcs11")]
        ("help_vsa_create", "vsa create --help"),
        ("sign_without_method", "sign model --private-key key.pem"),
        ("sign_with_no_method", "sign kye model"),
        ("unknown_flag", "verify key model --public-kee x"),
    ] {
        let run = sandbox.run(words);
        insta::assert_snapshot!(name, sandbox.scrub(&run));
    }
}

#[test]
fn wrong_usage_is_exit_code_2() {
    let sandbox = Sandbox::with_model();
    for words in [
        "",
        "sign",
        "verify",
        "sign kye model",
        "sign model --private-key key.pem",
        "sign model --rekor-version 3",
        "verify key model",
        "sign key --private-key key.pem",
        "digest model --hash md5",
        "digest model --shard-size 0",
        "digest model --shard-size -1",
        "digest model --shard-size 4.0",
        "digest model --jobs 0",
        "digest model --format xml",
        "digest model --log-level loud",
        "digest model --allow-symlinks=maybe",
        "no-such-command",
        "completions cobol",
    ] {
        sandbox.fails(words, 2, &[]);
    }
}

#[test]
fn wrong_usage_is_a_document_too_where_json_is_asked_for() {
    let sandbox = Sandbox::with_model();
    let (code, document) = sandbox.json("sign key");
    assert_eq!((code, document["error"]["kind"].as_str()), (2, Some("usage")));
    let failed = run(&mut sandbox.command("--format=json digest"));
    assert_eq!(failed.code, Some(2));
    serde_json::from_str::<serde_json::Value>(&failed.stdout).expect("one document");
}

#[test]
fn warnings_are_in_the_document() {
    let sandbox = Sandbox::with_model();
    let (code, document) = sandbox.json("sign key model --private-key key.pem --signature out.sig --hash blake3");
    assert_eq!(code, 0);
    assert!(document["warnings"][0].as_str().expect("a text").contains("--hash"));
    assert_eq!(document["outcome"], "done");
    let (code, document) = sandbox.json("digest no-such");
    assert_eq!((code, document["outcome"].as_str()), (3, Some("could_not_check")));
    let (_, document) = sandbox.json("inspect out.sig");
    assert_eq!(document["result"]["verified"], false);
    assert_eq!(document["result"]["resources"][0]["algorithm"], "blake3");
}

#[test]
fn log_levels_silence_from_below() {
    let sandbox = Sandbox::with_model();
    let sign = "sign key model/config.json --private-key key.pem --signature out.sig --hash blake3";
    let stderr = |level: &str| run(sandbox.command(sign).env("MODEL_SIGNING_LOG_LEVEL", level)).stderr;
    for (level, debug, note, warning) in [
        ("DEBUG", true, true, true),
        ("info", false, true, true),
        ("WARNING", false, false, true),
        ("Error", false, false, false),
        ("CRITICAL", false, false, false),
    ] {
        let text = stderr(level);
        let said = (text.contains("debug: "), text.contains("note: "), text.contains("warning: "));
        assert_eq!(said, (debug, note, warning), "{level}: {text}");
    }
    // A flag outweighs the variable.
    let flag = run(sandbox.command(sign).args(["--log-level", "error"]).env("MODEL_SIGNING_LOG_LEVEL", "DEBUG"));
    assert_eq!(flag.stderr, "");
}

#[test]
fn what_is_not_a_terminal_gets_no_colours() {
    let sandbox = Sandbox::signed();
    let good = sandbox.ok("verify key model --public-key key.pub.pem");
    let bad = sandbox.run("verify key no-such --public-key key.pub.pem");
    assert!(![good.stdout, good.stderr, bad.stderr].concat().contains('\u{1b}'));
    let coloured = run(sandbox.command("verify key model --public-key key.pub.pem").env("CLICOLOR_FORCE", "1"));
    assert!(coloured.stdout.contains('\u{1b}'));
    let plain = run(sandbox
        .command("verify key model --public-key key.pub.pem")
        .env("CLICOLOR_FORCE", "1")
        .env("NO_COLOR", "1"));
    assert!(!plain.stdout.contains('\u{1b}'));
}

#[test]
fn completions_are_for_each_shell() {
    let sandbox = Sandbox::empty();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = sandbox.ok(&format!("completions {shell}")).stdout;
        assert!(script.contains("model-signing") && script.contains("verify"), "{shell}");
    }
}

#[cfg(unix)]
#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    use std::process::Stdio;
    let sandbox = Sandbox::with_model();
    let mut child =
        sandbox.command("completions bash").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("starts");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("ends");
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_no_success() {
    let sandbox = Sandbox::signed();
    let full = std::fs::File::options().write(true).open("/dev/full").expect("there");
    let output = sandbox
        .command("verify key model --public-key key.pub.pem --signature model.sig")
        .stdout(full)
        .output()
        .expect("starts");
    assert_eq!(output.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&output.stderr).contains("standard output cannot be written"));
}
