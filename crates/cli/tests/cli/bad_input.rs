//! Models that can't be signed or verified: each has its own message and exit code, and leaves no file.

use super::support::Sandbox;

const SIGN: &str = "sign key model --private-key key.pem --signature out.sig";

#[test]
fn models_that_are_not_there_or_empty() {
    let sandbox = Sandbox::with_model();
    sandbox.fails("sign key no-such --private-key key.pem", 3, &["no such model: `no-such`"]);
    sandbox.fails("verify key no-such --public-key key.pub.pem", 3, &["no such model: `no-such`"]);
    sandbox.fails("digest no-such", 3, &["no such model: `no-such`"]);
    std::fs::create_dir(sandbox.path("empty")).expect("a folder");
    sandbox.fails("sign key empty --private-key key.pem", 1, &["no file to list"]);
    sandbox.write("ignored/.git/config", "x");
    sandbox.write("ignored/.gitignore", "x");
    sandbox.fails("sign key ignored --private-key key.pem", 1, &["no file to list"]);
    sandbox.write("zero/a", "");
    sandbox.fails("sign key zero --private-key key.pem --shard-size 4", 1, &["no file to list"]);
}

#[test]
fn too_many_shards_are_refused_before_they_are_hashed() {
    let sandbox = Sandbox::with_model();
    let file = std::fs::File::create(sandbox.path("model/large")).expect("created");
    file.set_len(1 << 40).expect("a sparse file");
    sandbox.fails(&format!("{SIGN} --shard-size 1000"), 1, &["files or shards, expected at most 2000000"]);
}

#[cfg(unix)]
mod unix {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::os::unix::net::UnixListener;
    use std::process::Command;

    use super::super::support::{Sandbox, skipped};
    use super::SIGN;

    const VERIFY: &str = "verify key model --public-key key.pub.pem --signature model.sig";

    fn fifo(sandbox: &Sandbox, relative: &str) {
        let status = Command::new("mkfifo").arg(sandbox.path(relative)).status().expect("mkfifo runs");
        assert!(status.success());
    }

    #[test]
    fn special_files_are_refused_without_being_opened() {
        let sandbox = Sandbox::signed();
        fifo(&sandbox, "model/pipe");
        sandbox.fails(SIGN, 1, &["1 entry", "pipe is a FIFO, expected a file or a directory"]);
        sandbox.fails(VERIFY, 1, &["unacceptable: 1", "pipe is a FIFO"]);
        let _socket = UnixListener::bind(sandbox.path("model/socket")).expect("bound");
        sandbox.fails(SIGN, 1, &["2 entries", "socket is a socket"]);
        sandbox.fails("sign key /dev/null --private-key key.pem", 1, &["`/dev/null` is a character device"]);
        sandbox.fails("sign key model/pipe --private-key key.pem", 1, &["is a FIFO"]);
        // What nobody signed is excused with the rest of what nobody signed.
        sandbox.ok(&format!("{VERIFY} --ignore-unsigned-files"));
    }

    #[test]
    fn a_fifo_in_place_of_a_signed_file_is_refused() {
        let sandbox = Sandbox::signed();
        std::fs::remove_file(sandbox.path("model/config.json")).expect("removed");
        fifo(&sandbox, "model/config.json");
        sandbox.fails(VERIFY, 1, &["config.json is a FIFO"]);
        sandbox.fails(&format!("{VERIFY} --ignore-unsigned-files"), 1, &["config.json is a FIFO"]);
    }

    #[test]
    fn symbolic_links_are_refused_by_default() {
        let sandbox = Sandbox::signed();
        symlink("config.json", sandbox.path("model/link")).expect("linked");
        sandbox.fails(SIGN, 1, &["link is a symbolic link", "--allow-symlinks"]);
        sandbox.fails("digest model", 1, &["link is a symbolic link"]);
        sandbox.fails(VERIFY, 1, &["link is a symbolic link", "--allow-symlinks"]);
        symlink("model", sandbox.path("root")).expect("linked");
        for words in ["sign key root --private-key key.pem", "sign key root/ --private-key key.pem", "digest root"] {
            sandbox.fails(words, 1, &["is a symbolic link", "--allow-symlinks"]);
        }
    }

    #[test]
    fn allowed_links_are_followed_and_named() {
        let sandbox = Sandbox::with_model();
        sandbox.write("outside.bin", "outside");
        symlink("config.json", sandbox.path("model/inner")).expect("linked");
        symlink("../outside.bin", sandbox.path("model/outer")).expect("linked");
        symlink("sub", sandbox.path("model/folder")).expect("linked");
        let run = sandbox.ok(&format!("{SIGN} --allow-symlinks"));
        assert!(run.stderr.contains("`outer` is a link to a file outside the model"), "{}", run.stderr);
        assert!(run.stderr.contains("`folder` is a link to a directory of the model"), "{}", run.stderr);
        let statement = sandbox.statement("out.sig");
        assert_eq!(statement["predicate"]["serialization"]["allow_symlinks"], true);
        let names: Vec<_> =
            statement["predicate"]["resources"].as_array().expect("a list").iter().map(|r| &r["name"]).collect();
        assert_eq!(names, ["config.json", "inner", "outer", "sub/weights.bin"]);
        let verify = "verify key model --public-key key.pub.pem --signature out.sig";
        let run = sandbox.ok(verify);
        assert!(
            run.stdout.contains("followed, as the signer did; 1 file read from outside the model"),
            "{}",
            run.stdout
        );
        sandbox.write("outside.bin", "changed");
        sandbox.fails(verify, 1, &["changed: 1", "outer"]);
    }

    #[test]
    fn links_that_lead_nowhere_or_around_are_refused_even_if_allowed() {
        let cases = [
            ("nowhere", "gone", "is a symbolic link to `nowhere`, which does not exist"),
            ("loop", "loop", "is a symbolic link that leads back to itself"),
            ("..", "up", "a directory outside the model"),
            (".git", "hidden", "is a symbolic link to `.git`, a directory that is ignored"),
        ];
        for (target, link, says) in cases {
            let sandbox = Sandbox::signed();
            sandbox.write("model/.git/config", "x");
            symlink(target, sandbox.path(&format!("model/{link}"))).expect("linked");
            sandbox.fails(&format!("{SIGN} --allow-symlinks"), 1, &[link, says]);
            sandbox.fails(&format!("{VERIFY} --allow-symlinks"), 1, &[link, says]);
        }
    }

    #[test]
    fn a_link_to_a_directory_above_is_not_descended() {
        let sandbox = Sandbox::with_model();
        symlink("../", sandbox.path("model/sub/up")).expect("linked");
        let run = sandbox.ok(&format!("{SIGN} --allow-symlinks"));
        assert!(run.stderr.contains("`sub/up` is a link to a directory of the model"), "{}", run.stderr);
        sandbox.ok("verify key model --public-key key.pub.pem --signature out.sig");
    }

    #[test]
    fn widening_the_signed_policy_is_said() {
        let sandbox = Sandbox::signed();
        let content = sandbox.read("model/config.json");
        sandbox.write("elsewhere.json", content);
        std::fs::remove_file(sandbox.path("model/config.json")).expect("removed");
        symlink("../elsewhere.json", sandbox.path("model/config.json")).expect("linked");
        sandbox.fails(VERIFY, 1, &["config.json is a symbolic link"]);
        let run = sandbox.ok(&format!("{VERIFY} --allow-symlinks"));
        assert!(run.stdout.contains("though the signer followed none"), "{}", run.stdout);
    }

    #[test]
    fn names_that_are_not_utf8_are_refused_and_shown_in_hex() {
        let sandbox = Sandbox::signed();
        let name = OsStr::from_bytes(b"caf\xe9");
        if std::fs::write(sandbox.path("model").join(name), "x").is_err() {
            skipped("this file system takes UTF-8 names alone");
            return;
        }
        sandbox.fails(SIGN, 1, &[r"caf\xe9 has a name that is not UTF-8"]);
        sandbox.fails(VERIFY, 1, &[r"caf\xe9 has a name that is not UTF-8"]);
        let path = sandbox.path("model").join(name);
        let words = [OsStr::new("digest"), path.as_os_str()];
        sandbox.fails_as(&mut sandbox.command_words(words), 1, &["has a name that is not UTF-8"]);
    }

    #[test]
    fn names_cannot_write_to_the_terminal() {
        let sandbox = Sandbox::signed();
        sandbox.write("model/\u{1b}[2Jgone\n\u{202e}", "x");
        let run = sandbox.fails(VERIFY, 1, &[r"\u{1b}[2Jgone\u{a}\u{202e}"]);
        assert!(!run.stderr.contains('\u{1b}') && !run.stderr.contains('\u{202e}'));
        let run = sandbox.ok("digest model --per-file");
        assert!(run.stdout.contains(r"\u{1b}[2Jgone\u{a}"));
        assert!(!run.stdout.contains('\u{1b}'));
    }

    #[test]
    fn unreadable_files_are_not_called_bad() {
        let sandbox = Sandbox::signed();
        let secret = sandbox.path("model/config.json");
        std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(0o000)).expect("changed");
        if std::fs::read(&secret).is_ok() {
            skipped("this user may read everything");
        } else {
            sandbox.fails(SIGN, 3, &["`config.json` cannot be read"]);
            sandbox.fails(VERIFY, 3, &["`config.json` cannot be read"]);
        }
        std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(0o600)).expect("changed");
    }
}
