use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use super::{GitError, Source, source};

/// Runs `git` as nobody in particular, without the configuration of this machine.
fn git(directory: &Path, arguments: &[&str]) -> String {
    let mut command = Command::new("git");
    command.args(["-c", "protocol.file.allow=always", "-c", "init.defaultBranch=main"]).args(arguments);
    command.current_dir(directory).env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_SYSTEM", "/dev/null");
    for who in ["AUTHOR", "COMMITTER"] {
        command.env(format!("GIT_{who}_NAME"), "Example").env(format!("GIT_{who}_EMAIL"), "example@example.com");
    }
    let output = command.output().expect("git starts");
    assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8").trim().to_owned()
}

/// A repository with `train.py` and `data/a.txt` in one commit.
fn repository() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path().canonicalize().expect("a path").join("repository");
    fs::create_dir_all(root.join("data")).expect("a folder");
    git(&root, &["init", "-q"]);
    write(&root, "train.py", "print(1)\n");
    write(&root, "data/a.txt", "a\n");
    write(&root, ".gitignore", "*.log\n");
    commit(&root);
    (folder, root)
}

fn write(root: &Path, name: &str, content: &str) {
    let path = root.join(name);
    fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    fs::write(path, content).expect("a file");
}

fn commit(root: &Path) {
    git(root, &["add", "-A"]);
    git(root, &["commit", "-q", "-m", "a change"]);
}

fn look(directory: &Path, excluded: &[&str]) -> Source {
    let excluded: Vec<PathBuf> = excluded.iter().map(PathBuf::from).collect();
    source(directory, &excluded).expect("its state").expect("a repository")
}

fn files(source: &Source) -> usize {
    source.changes.as_ref().map_or(0, |changes| changes.files)
}

#[test]
fn a_clean_tree_has_no_changes() {
    let (_folder, root) = repository();
    write(&root, "run.log", "ignored\n");
    let found = look(&root.join("data"), &[]);
    assert_eq!(found.root, root);
    assert_eq!(found.commit, git(&root, &["rev-parse", "HEAD"]));
    assert_eq!(found.reference.as_deref(), Some("refs/heads/main"));
    assert_eq!((found.remote, found.changes, found.gaps), (None, None, Vec::new()));
}

#[test]
fn a_directory_outside_of_repositories_has_no_source() {
    let folder = tempfile::tempdir().expect("a folder");
    assert_eq!(source(folder.path(), &[]).expect("an answer"), None);
}

#[test]
fn each_kind_of_change_counts_and_alters_the_digest() {
    let (_folder, root) = repository();
    let mut digests = Vec::new();
    let mut note = |count| {
        let found = look(&root, &[]);
        assert_eq!(files(&found), count);
        digests.push(found.changes.expect("changes").patch_sha256);
    };
    write(&root, "train.py", "print(2)\n");
    note(1);
    fs::remove_file(root.join("data/a.txt")).expect("removed");
    note(2);
    write(&root, "new/b.py", "print(3)\n");
    note(3);
    write(&root, "new/b.py", "print(4)\n");
    note(3);
    git(&root, &["add", "new/b.py"]);
    note(3);
    fs::write(root.join("binary"), [0, 159, 146, 150]).expect("a file");
    git(&root, &["add", "-N", "binary"]);
    note(4);
    let count = digests.len();
    digests.sort();
    digests.dedup();
    assert_eq!(digests.len(), count);
}

/// The two lines of the documentation give the same digest.
#[cfg(target_os = "linux")]
#[test]
fn a_reader_can_make_the_digest_again() {
    let (_folder, root) = repository();
    write(&root, "train.py", "print(2)\n\nä\n");
    fs::write(root.join("binary"), [0, 159, 146, 150]).expect("a file");
    git(&root, &["add", "binary"]);
    for name in ["z", "a b", "\u{e4}\n\"'", "new/b.py", "-dash"] {
        write(&root, name, name);
    }
    let documented: Vec<&str> = include_str!("changes.rs")
        .lines()
        .skip_while(|line| *line != "/// ```sh")
        .skip(1)
        .take_while(|line| *line != "/// ```")
        .map(|line| line.trim_start_matches("/// "))
        .collect();
    assert_eq!(documented.len(), 2);
    let script = format!("{{ {}; {}; }} | sha256sum", documented[0], documented[1]);
    // Settings of a user that would alter the patch.
    for (name, value) in [
        ("diff.context", "0"),
        ("diff.noprefix", "true"),
        ("diff.algorithm", "histogram"),
        ("core.quotePath", "false"),
        ("diff.mnemonicPrefix", "true"),
        ("diff.external", "false"),
        ("color.ui", "always"),
        ("status.showUntrackedFiles", "no"),
    ] {
        git(&root, &["config", name, value]);
    }
    let output = Command::new("sh").args(["-c", &script]).current_dir(&root).output().expect("a shell");
    let expected = String::from_utf8(output.stdout).expect("UTF-8");
    let found = look(&root.join("data"), &[]).changes.expect("changes");
    assert_eq!(found.patch_sha256, expected.split(' ').next().expect("a digest"));
    assert_eq!(found.files, 7);
}

#[test]
fn excluded_paths_do_not_count_unless_git_tracks_them() {
    let (_folder, root) = repository();
    write(&root, "out/model.pt", "m");
    write(&root, "out2/model.pt", "m");
    write(&root, "data/b.txt", "b");
    assert_eq!(files(&look(&root, &[])), 3);
    assert_eq!(files(&look(&root, &["out", "./data/../out2/model.pt", "data"])), 0);
    assert_eq!(files(&look(&root.join("data"), &["../out"])), 2);
    assert_eq!(files(&look(&root, &[&root.join("out*").display().to_string()])), 3, "names are no patterns");
    assert_eq!(files(&look(&root, &["not/there", "/elsewhere", "out"])), 2);
    write(&root, "data/a.txt", "changed");
    assert_eq!(files(&look(&root, &["data", "out", "out2"])), 1);
}

#[test]
fn the_whole_tree_is_not_excluded() {
    let (_folder, root) = repository();
    write(&root, "new.py", "x");
    let root_name = root.display().to_string();
    assert_eq!(files(&look(&root, &[".", "..", "/", &root_name])), 1);
}

#[test]
fn what_is_too_large_is_named_and_not_read() {
    let (_folder, root) = repository();
    let large = fs::File::create(root.join("large.bin")).expect("a file");
    large.set_len(1 << 40).expect("a sparse file");
    let found = look(&root, &[]);
    assert_eq!(files(&found), 1);
    assert_eq!(found.gaps, ["files that are not in Git were not read, only named: `large.bin`"]);
    let before = found.changes.expect("changes").patch_sha256;
    large.set_len(1 << 39).expect("a sparse file");
    assert_ne!(look(&root, &[]).changes.expect("changes").patch_sha256, before, "its length is part of the digest");
}

#[cfg(unix)]
#[test]
fn a_link_stands_for_itself() {
    let (_folder, root) = repository();
    let link = |target: &str| {
        let _ = fs::remove_file(root.join("link"));
        std::os::unix::fs::symlink(target, root.join("link")).expect("a link");
        let found = look(&root, &[]);
        assert_eq!(found.gaps, Vec::<String>::new());
        found.changes.expect("changes").patch_sha256
    };
    assert_ne!(link("/dev/zero"), link("/nowhere"));
}

#[test]
fn a_repository_inside_is_named() {
    let (_folder, root) = repository();
    fs::create_dir(root.join("inner")).expect("a folder");
    git(&root.join("inner"), &["init", "-q"]);
    write(&root, "inner/x", "x");
    commit(&root.join("inner"));
    let found = look(&root, &[]);
    assert_eq!((files(&found), found.gaps.len()), (1, 1), "{found:?}");
    assert!(found.gaps[0].contains("`inner/`"), "{found:?}");
}

#[test]
fn changes_inside_a_submodule_are_named() {
    let (_folder, root) = repository();
    let (_other, inner) = repository();
    git(&root, &["submodule", "add", "-q", &inner.display().to_string(), "lib"]);
    commit(&root);
    assert_eq!(look(&root, &[]).changes, None);
    write(&root, "lib/train.py", "changed");
    let found = look(&root, &[]);
    assert_eq!(files(&found), 1);
    assert_eq!(found.gaps, ["submodules have changes of their own, which the digest does not cover: `lib`"]);
    commit(&root.join("lib"));
    let found = look(&root, &[]);
    assert_eq!((files(&found), found.gaps.len()), (1, 0), "another commit is in the patch: {found:?}");
}

#[test]
fn files_that_the_index_hides_are_named() {
    let (_folder, root) = repository();
    git(&root, &["update-index", "--assume-unchanged", "train.py"]);
    git(&root, &["update-index", "--skip-worktree", "data/a.txt"]);
    write(&root, "train.py", "print('other')\n");
    write(&root, "data/a.txt", "other\n");
    let found = look(&root, &[]);
    assert_eq!(found.changes, None);
    assert_eq!(found.gaps.len(), 1);
    assert!(found.gaps[0].contains("`train.py`") && found.gaps[0].contains("`data/a.txt`"), "{found:?}");
}

#[test]
fn what_a_sparse_checkout_leaves_out_is_no_change() {
    let (_folder, root) = repository();
    git(&root, &["sparse-checkout", "set", "--no-cone", "/train.py"]);
    assert!(!root.join("data/a.txt").exists());
    let found = look(&root, &[]);
    assert_eq!((found.changes, found.gaps), (None, Vec::new()));
}

#[test]
fn the_remote_is_that_of_the_branch_or_origin() {
    let (_folder, root) = repository();
    git(&root, &["remote", "add", "origin", "https://user:secret@example.com/a.git"]);
    assert_eq!(look(&root, &[]).remote.as_deref(), Some("https://user:secret@example.com/a.git"));
    git(&root, &["remote", "add", "fork", "https://example.com/fork.git"]);
    git(&root, &["config", "branch.main.remote", "fork"]);
    assert_eq!(look(&root, &[]).remote.as_deref(), Some("https://example.com/fork.git"));
    git(&root, &["config", "branch.main.remote", "https://example.com/direct.git"]);
    assert_eq!(look(&root, &[]).remote.as_deref(), Some("https://example.com/direct.git"));
    git(&root, &["config", "branch.main.remote", "."]);
    assert_eq!(look(&root, &[]).remote.as_deref(), Some("https://user:secret@example.com/a.git"));
    git(&root, &["config", "url.https://token@example.com/.insteadOf", "https://example.com/"]);
    git(&root, &["config", "branch.main.remote", "fork"]);
    assert_eq!(look(&root, &[]).remote.as_deref(), Some("https://example.com/fork.git"), "as the configuration has it");
}

#[test]
fn a_detached_head_has_no_reference() {
    let (_folder, root) = repository();
    git(&root, &["checkout", "-q", "--detach"]);
    let found = look(&root, &[]);
    assert_eq!((found.reference, found.changes), (None, None));
    assert_eq!(found.commit.len(), 40);
}

#[test]
fn working_trees_shallow_clones_and_sha256_are_read() {
    let (folder, root) = repository();
    write(&root, "train.py", "print(5)\n");
    commit(&root);
    git(&root, &["worktree", "add", "-q", "-b", "side", "../side"]);
    let side = root.parent().expect("a folder").join("side");
    let found = look(&side, &[]);
    assert_eq!((found.root.as_path(), found.reference.as_deref()), (side.as_path(), Some("refs/heads/side")));
    let url = format!("file://{}", root.display());
    git(folder.path(), &["clone", "-q", "--depth", "1", &url, "shallow"]);
    let shallow = look(&folder.path().join("shallow"), &[]);
    assert_eq!((shallow.commit, shallow.remote), (git(&root, &["rev-parse", "HEAD"]), Some(url)));
    let wide = folder.path().join("wide");
    fs::create_dir(&wide).expect("a folder");
    git(&wide, &["init", "-q", "--object-format=sha256"]);
    write(&wide, "a", "a");
    commit(&wide);
    write(&wide, "a", "b");
    let found = look(&wide, &[]);
    assert_eq!((found.commit.len(), files(&found)), (64, 1));
}

#[test]
fn a_repository_without_a_commit_is_told() {
    let folder = tempfile::tempdir().expect("a folder");
    git(folder.path(), &["init", "-q"]);
    let error = source(folder.path(), &[]).expect_err("no commit");
    assert!(matches!(error, GitError::NoCommit { .. }), "{error}");
}

#[test]
fn no_working_tree_is_told() {
    let (folder, root) = repository();
    git(folder.path(), &["init", "-q", "--bare", "bare"]);
    for directory in [folder.path().join("bare"), root.join(".git")] {
        let error = source(&directory, &[]).expect_err("no working tree");
        assert!(matches!(error, GitError::NoWorkingTree { .. }), "{error}");
    }
}

#[test]
fn a_broken_repository_is_an_error() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::create_dir(folder.path().join(".git")).expect("a folder");
    let error = source(folder.path(), &[]).expect_err("it is broken");
    assert!(matches!(error, GitError::Git { .. }), "{error}");
    let (_folder, root) = repository();
    fs::write(root.join(".git/index"), "nonsense").expect("a file");
    let error = source(&root, &[]).expect_err("it is broken");
    assert!(matches!(error, GitError::Git { .. }), "{error}");
}

#[test]
fn a_directory_that_is_not_there_is_an_error() {
    let error = source(Path::new("/nowhere/at/all"), &[]).expect_err("it is not there");
    assert!(matches!(error, GitError::Git { .. }), "{error}");
}

#[test]
fn a_repository_of_somebody_else_is_told() {
    // Only the administrator can give files away.
    let (_folder, root) = repository();
    let given = Command::new("chown").args(["-R", "12345"]).arg(&root).output().expect("a program").status.success();
    if given {
        let error = source(&root, &[]).expect_err("it is somebody else's");
        assert!(matches!(&error, GitError::Ownership { root: named } if Path::new(named) == root), "{error}");
        assert!(error.to_string().contains("safe.directory"), "{error}");
    }
}

#[cfg(unix)]
#[test]
fn no_program_of_the_repository_runs() {
    use std::os::unix::fs::PermissionsExt;
    let (_folder, root) = repository();
    let trap = root.parent().expect("a folder").join("trap");
    fs::write(&trap, "#!/bin/sh\ntouch \"$0.sprung\"\n").expect("a file");
    fs::set_permissions(&trap, fs::Permissions::from_mode(0o755)).expect("permissions");
    let trap_name = trap.display().to_string();
    for name in ["core.fsmonitor", "diff.external", "core.pager", "diff.x.textconv", "diff.x.command"] {
        git(&root, &["-c", "core.fsmonitor=false", "config", name, &trap_name]);
    }
    fs::create_dir_all(root.join(".git/hooks")).expect("a folder");
    for hook in ["post-index-change", "pre-auto-gc", "reference-transaction"] {
        fs::copy(&trap, root.join(".git/hooks").join(hook)).expect("a hook");
    }
    fs::write(root.join(".git/info/attributes"), "*.py diff=x\n").expect("a file");
    write(&root, "train.py", "print(2)\n");
    assert_eq!(files(&look(&root, &[])), 1);
    assert!(!trap.with_extension("sprung").exists());
    assert!(!root.join(".git/hooks/post-index-change.sprung").exists());
}
