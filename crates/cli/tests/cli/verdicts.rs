//! What is printed for a good model, and for everything that can be wrong with one.

use super::support::{Sandbox, copy};

macro_rules! snapshot {
    ($sandbox:expr, $name:literal, $words:expr) => {
        let run = $sandbox.run($words);
        insta::assert_snapshot!($name, $sandbox.scrub(&run));
    };
}

#[test]
fn signing_and_verifying() {
    let sandbox = Sandbox::with_model();
    snapshot!(sandbox, "sign", "sign key model --private-key key.pem");
    snapshot!(sandbox, "verify", "verify key model --public-key key.pub.pem --signature model.sig");
    snapshot!(sandbox, "inspect", "inspect model.sig");
    snapshot!(sandbox, "digest", "digest model");
    snapshot!(sandbox, "digest_per_file", "digest model --per-file");
}

#[test]
fn a_model_that_differs_is_refused_with_everything_that_differs() {
    let sandbox = Sandbox::signed();
    let verify = "verify key model --public-key key.pub.pem --signature model.sig";
    sandbox.write("model/config.json", "{ }\n");
    snapshot!(sandbox, "changed", verify);
    sandbox.write("model/new", "new");
    std::fs::remove_file(sandbox.path("model/sub/weights.bin")).expect("removed");
    snapshot!(sandbox, "changed_missing_extra", verify);
    let (code, document) = sandbox.json(verify);
    assert_eq!(code, 1);
    assert_eq!(document["outcome"], "rejected");
    assert_eq!(document["error"]["kind"], "mismatch");
    let difference = &document["error"]["difference"];
    assert_eq!(difference["changed"][0]["path"], "config.json");
    assert_eq!(difference["changed"][0]["expected"].as_str().map(str::len), Some(64));
    assert_eq!(difference["missing"], serde_json::json!(["sub/weights.bin"]));
    assert_eq!(difference["extra"], serde_json::json!(["new"]));
}

#[test]
fn each_kind_of_difference_alone_is_refused() {
    let good = Sandbox::signed();
    let verify = "verify key copy --public-key key.pub.pem --signature model.sig";
    let tampered = |tamper: &dyn Fn()| {
        let _ = std::fs::remove_dir_all(good.path("copy"));
        copy(&good.path("model"), &good.path("copy"));
        good.ok(verify);
        tamper();
    };
    tampered(&|| good.write("copy/sub/weights.bin", "weightz\n"));
    good.fails(verify, 1, &["changed: 1", "sub/weights.bin", "expected sha256:", "found    sha256:"]);
    tampered(&|| std::fs::remove_file(good.path("copy/config.json")).expect("removed"));
    good.fails(verify, 1, &["missing: 1", "config.json"]);
    tampered(&|| good.write("copy/sub/extra", ""));
    good.fails(verify, 1, &["extra: 1", "sub/extra"]);
    good.ok(&format!("{verify} --ignore-unsigned-files"));
}

#[test]
fn long_lists_are_capped_for_people_and_complete_for_programs() {
    let sandbox = Sandbox::signed();
    for index in 0..50 {
        sandbox.write(&format!("model/extra-{index:02}"), "");
    }
    let verify = "verify key model --public-key key.pub.pem --signature model.sig";
    let run = sandbox.fails(verify, 1, &["extra: 50", "extra-19", "and 30 more"]);
    assert!(!run.stderr.contains("extra-20"));
    let (_, document) = sandbox.json(verify);
    assert_eq!(document["error"]["difference"]["extra"].as_array().map(Vec::len), Some(50));
}

#[test]
fn a_key_that_did_not_sign_is_refused() {
    let sandbox = Sandbox::signed();
    sandbox.ok("keygen --private-key other.pem");
    sandbox.fails(
        "verify key model --public-key other.pub.pem --signature model.sig",
        1,
        &["the signature was made with another key", "as the bundle says"],
    );
    let (_, document) = sandbox.json("verify key model --public-key other.pub.pem --signature model.sig");
    assert_eq!(document["error"]["kind"], "wrong_key");
}

#[test]
fn a_verified_document_says_what_was_checked() {
    let sandbox = Sandbox::signed();
    let (code, document) = sandbox.json("verify key model --public-key key.pub.pem");
    assert_eq!((code, document["outcome"].as_str()), (0, Some("verified")));
    let result = &document["result"];
    assert_eq!(result["files"], 2);
    assert_eq!(result["bytes"], 11);
    assert_eq!(result["signed_as"], "model");
    assert_eq!(result["serialization"]["hash_type"], "sha256");
    assert_eq!(result["root_digest"], sandbox.statement("model.sig")["subject"][0]["digest"]);
    assert!(!result["not_checked"].as_array().expect("a list").is_empty());
}

#[test]
fn ignored_paths_excuse_extra_files_and_nothing_else() {
    let sandbox = Sandbox::signed();
    sandbox.write("model/cache/x", "1");
    let verify = "verify key model --public-key key.pub.pem --signature model.sig";
    sandbox.fails(verify, 1, &["cache/x"]);
    sandbox.ok(&format!("{verify} --ignore-paths model/cache"));
    // A file that was signed is checked however it is ignored.
    sandbox.write("model/sub/weights.bin", "other");
    sandbox.fails(&format!("{verify} --ignore-paths model/cache --ignore-paths model/sub"), 1, &["changed: 1"]);
    std::fs::remove_dir_all(sandbox.path("model/sub")).expect("removed");
    sandbox.fails(&format!("{verify} --ignore-paths model/cache --ignore-paths model/sub"), 1, &["missing: 1"]);
}

#[test]
fn quickstart_shows_a_refusal_and_leaves_the_model_alone() {
    let sandbox = Sandbox::with_model();
    sandbox.write("model/.git/config", "x");
    let before = sandbox.listing();
    for words in ["quickstart", "quickstart model", "quickstart model/sub/weights.bin"] {
        let run = sandbox.ok(words);
        for expected in
            ["Signing succeeded", "Verification succeeded", "error: the model is not what was signed", "by hand"]
        {
            assert!(run.stdout.contains(expected), "{words}: {}", run.stdout);
        }
    }
    let mut after = sandbox.listing();
    after.retain(|(path, _)| !path.to_string_lossy().contains("model-signing-quickstart-"));
    assert_eq!(after, before);
    let (code, document) = sandbox.json("quickstart model");
    assert_eq!(code, 0);
    assert_eq!(document["result"]["refusal"]["exit_code"], 1);
    sandbox.fails("quickstart no-such", 3, &["no such model: `no-such`"]);
}
