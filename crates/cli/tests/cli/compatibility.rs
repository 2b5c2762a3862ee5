//! Scripts written for the Python and Go tools run unchanged.

use super::support::{Sandbox, run};

#[test]
fn flags_take_underscores_and_hyphens() {
    let sandbox = Sandbox::with_model();
    sandbox.write("model/skip", "x");
    for words in [
        "sign key model --private_key key.pem --signature out.sig --ignore_paths model/skip",
        "sign key model --private-key key.pem --signature out.sig --ignore-paths model/skip --ignore_git_paths",
        "sign key --signature=out.sig --private_key=key.pem --ignore-paths=model/skip model",
        "--log_level ERROR sign key model --private_key key.pem --signature out.sig --ignore_paths model/skip",
        "--log-level debug sign key model --private_key key.pem --signature out.sig --ignore_paths model/skip",
        "sign key model --private_key key.pem --signature out.sig --ignore-paths model/skip --ignore-git-paths=true",
        "sign key model --private_key key.pem --signature out.sig --ignore-paths model/skip --allow_symlinks",
    ] {
        sandbox.ok(words);
        for words in [
            "verify key model --public_key key.pub.pem --signature out.sig --no_ignore_unsigned_files",
            "verify key model --public-key key.pub.pem --signature out.sig --ignore-unsigned-files=true",
            "verify key model --public_key key.pub.pem --signature out.sig --allow_symlinks --ignore_git_paths",
        ] {
            sandbox.ok(words);
        }
    }
}

#[test]
fn git_paths_are_left_out_unless_told_otherwise() {
    let sandbox = Sandbox::with_model();
    sandbox.write("model/.gitignore", "x");
    sandbox.write("model/.git/config", "x");
    sandbox.write("model/sub/.gitignore", "counts");
    let names = |words: &str| {
        sandbox.ok(&format!("sign key model --private-key key.pem --signature out.sig {words}"));
        let statement = sandbox.statement("out.sig");
        let resources = statement["predicate"]["resources"].as_array().expect("a list").clone();
        let names: Vec<String> = resources.iter().map(|r| r["name"].as_str().expect("text").to_owned()).collect();
        (names.join(" "), statement["predicate"]["serialization"]["ignore_paths"].clone())
    };
    let (with_defaults, recorded) = names("");
    assert_eq!(with_defaults, "config.json sub/.gitignore sub/weights.bin");
    assert_eq!(recorded, serde_json::json!([".git", ".gitattributes", ".github", ".gitignore"]));
    for words in ["--no-ignore-git-paths", "--ignore-git-paths=false"] {
        let (without, recorded) = names(words);
        assert_eq!(without, ".git/config .gitignore config.json sub/.gitignore sub/weights.bin", "{words}");
        assert_eq!(recorded, serde_json::json!([]));
    }
    // Signed without the defaults: what they would excuse is extra only where they are switched off.
    let verify = "verify key model --public-key key.pub.pem --signature out.sig";
    sandbox.ok(verify);
    sandbox.write("model/.github/new", "x");
    sandbox.ok(verify);
    sandbox.fails(&format!("{verify} --no-ignore-git-paths"), 1, &[".github/new"]);
}

#[test]
fn ignored_paths_are_relative_to_the_current_directory() {
    let sandbox = Sandbox::with_model();
    sandbox.write("model/cache/x", "x");
    sandbox.write("elsewhere", "x");
    let key = sandbox.path("key.pem");
    let signed = run(sandbox
        .command("sign key . --ignore-paths cache --ignore-paths sub/../cache/ --ignore-paths ../elsewhere --signature ../out.sig --private-key")
        .arg(&key)
        .current_dir(sandbox.path("model")));
    assert_eq!(signed.code, Some(0), "{signed:?}");
    assert!(signed.stderr.contains("`../elsewhere` is not inside the model"), "{}", signed.stderr);
    let recorded = &sandbox.statement("out.sig")["predicate"]["serialization"]["ignore_paths"];
    assert_eq!(*recorded, serde_json::json!([".git", ".gitattributes", ".github", ".gitignore", "cache"]));
    sandbox.ok("verify key model --public-key key.pub.pem --signature out.sig");
    assert_eq!(sandbox.statement("out.sig")["subject"][0]["name"], "model");
}

#[test]
fn paths_that_cannot_be_recorded_are_refused() {
    let sandbox = Sandbox::with_model();
    let sign = "sign key model --private-key key.pem --signature out.sig --ignore-paths";
    sandbox.fails(&format!("{sign} model"), 2, &["`model`: it is the model itself"]);
    if cfg!(unix) {
        sandbox.fails(&format!("{sign} model/*.bin"), 2, &["patterns are not supported"]);
    }
}

#[test]
fn signing_twice_signs_the_same_statement() {
    let sandbox = Sandbox::with_model();
    sandbox.ok("sign key model --private-key key.pem --signature a.sig");
    sandbox.ok("sign key model --private-key key.pem --signature b.sig --jobs 1");
    assert_eq!(sandbox.statement("a.sig"), sandbox.statement("b.sig"));
}

#[test]
fn digest_is_the_subject_that_sign_writes() {
    let sandbox = Sandbox::with_model();
    sandbox.write("model/a-b", "1");
    sandbox.write("model/a/x", "2");
    sandbox.write("model/model.sig", "");
    for words in
        ["", "--hash blake2b", "--hash blake3 --shard-size 2", "--ignore-paths model/a", "--no-ignore-git-paths"]
    {
        for signature in ["out.sig", "model/model.sig"] {
            sandbox.ok(&format!("sign key model --private-key key.pem --signature {signature} {words}"));
            let subject = sandbox.statement(signature)["subject"][0]["digest"]["sha256"].clone();
            let digest = sandbox.ok(&format!("digest model --signature {signature} {words}"));
            assert_eq!(
                digest.stdout.trim(),
                format!("sha256:{}", subject.as_str().expect("text")),
                "{words} {signature}"
            );
        }
    }
    let here =
        |words: &str| run(sandbox.command(words).arg(sandbox.path("key.pem")).current_dir(sandbox.path("model")));
    assert_eq!(here("sign key . --private-key").code, Some(0));
    let subject = sandbox.statement("model/model.sig")["subject"][0]["digest"]["sha256"].clone();
    let digest = run(sandbox.command("digest .").current_dir(sandbox.path("model")));
    assert_eq!(digest.stdout.trim(), format!("sha256:{}", subject.as_str().expect("text")));
}

#[test]
fn what_python_cannot_verify_is_said() {
    let sandbox = Sandbox::with_model();
    sandbox.write("model/empty", "");
    let sign = "sign key model --private-key key.pem --signature out.sig";
    let hash = sandbox.ok(&format!("{sign} --hash blake3"));
    assert!(
        hash.stderr.contains("the Python command line can't verify a signature made with --hash"),
        "{}",
        hash.stderr
    );
    let shards = sandbox.ok(&format!("{sign} --shard-size 4"));
    assert!(shards.stderr.contains("can't verify a signature made with --shard-size"), "{}", shards.stderr);
    assert!(shards.stderr.contains("`empty` is empty"), "{}", shards.stderr);
    let verified = sandbox.ok("verify key model --public-key key.pub.pem --signature out.sig");
    assert!(verified.stdout.contains("1 file, which shards do not list"), "{}", verified.stdout);
    let plain = sandbox.ok(sign);
    assert_eq!(plain.stderr, "");
}

#[test]
fn both_names_of_the_command_are_the_same_command() {
    let version = |binary: &str| {
        let output = std::process::Command::new(binary).arg("--version").output().expect("it starts");
        (output.status.code(), String::from_utf8(output.stdout).expect("UTF-8"))
    };
    let one = version(env!("CARGO_BIN_EXE_model-signing"));
    assert_eq!(one, version(env!("CARGO_BIN_EXE_model_signing")));
    assert_eq!(one, (Some(0), format!("model-signing {}\n", env!("CARGO_PKG_VERSION"))));
}
