//! `trust update`: what is believed, and what is not.

use super::repository::{Key, PAST, Repository, SIGNING_CONFIG, TRUSTED_ROOT};
use super::{Machine, repository};

const FIRST: &str = "trust update --mirror URL --root root.json";
const UPDATE: &str = "trust update --mirror URL";

/// A machine with the first copy, and the repository.
fn updated() -> (Repository, Machine) {
    let repository = repository();
    let machine = Machine::new(&repository);
    machine.ok(FIRST);
    (repository, machine)
}

/// What the next update says after `change`, ending with `code`; the copy stays.
#[track_caller]
fn refused(change: impl FnOnce(&mut Repository), code: i32, says: &[&str]) {
    let (mut repository, machine) = updated();
    let before = machine.copy();
    change(&mut repository);
    machine.fails(UPDATE, code, says);
    assert_eq!(machine.copy(), before);
    // Nor does a machine begin with it that has no copy.
    let other = Machine::new(&repository);
    other.sandbox.write("root.json", machine.sandbox.read("root.json"));
    let run = super::run(&mut other.command(FIRST));
    assert!(run.code == Some(code) || says.iter().any(|says| says.contains("older")), "{run:?}");
}

#[test]
fn the_root_is_needed_once() {
    let repository = repository();
    let machine = Machine::new(&repository);
    machine.fails(UPDATE, 3, &["the cache has no copy", "--root FILE"]);
    assert_eq!(repository.requests(), 0);
    let run = machine.ok(FIRST);
    for says in ["Updated", &machine.url, "root 1, timestamp 1", "there was none before", "published.json"] {
        assert!(run.stdout.contains(says), "{says}: {}", run.stdout);
    }
    let run = machine.ok(UPDATE);
    assert!(run.stdout.contains("is as before"), "{}", run.stdout);
}

#[test]
fn what_is_new_is_kept() {
    let (mut repository, machine) = updated();
    repository.version = 7;
    repository.targets.remove(SIGNING_CONFIG);
    repository.publish();
    let document = machine.json(UPDATE);
    let result = &document["result"];
    assert_eq!(document["outcome"], "done");
    assert_eq!(
        (&result["replaced"]["timestamp_version"], &result["copy"]["timestamp_version"]),
        (&1.into(), &7.into())
    );
    assert_eq!(result["changed"], true);
    assert_eq!(result["repository"], machine.url);
    assert!(result["instance"].is_null());
    // Without services there is nothing to sign with.
    let shown = machine.json("trust show --mirror URL");
    assert!(shown["result"]["services"].is_null());
}

#[test]
fn a_root_is_followed_by_the_next() {
    let (mut repository, machine) = updated();
    for version in 2..=4 {
        repository.rotate(None);
        repository.version = version;
        repository.publish();
    }
    assert!(machine.ok(UPDATE).stdout.contains("root 4, timestamp 4"));
    assert!(machine.ok(UPDATE).stdout.contains("is as before"));
    // From the first one as well.
    assert!(Machine::new(&repository).ok(FIRST).stdout.contains("root 4, timestamp 4"));
    assert!(machine.ok(FIRST).stdout.contains("root 4, timestamp 4"));
    machine.ok("trust show --mirror URL");
}

#[test]
fn new_keys_may_count_anew() {
    let (mut repository, machine) = updated();
    repository.version = 9;
    repository.publish();
    machine.ok(UPDATE);
    repository.rotate(None);
    repository.version = 1;
    repository.publish();
    assert!(machine.ok(UPDATE).stdout.contains("root 2, timestamp 1"));
}

#[test]
fn a_root_of_somebody_else_is_refused() {
    let by_another = |repository: &mut Repository| {
        repository.rotate(Some(&Key::generate()));
        repository.publish();
    };
    refused(by_another, 1, &["is not believed: root: expected 1 valid signatures, found 0"]);
    let of_a_later_version = |repository: &mut Repository| {
        repository.rotate(None);
        repository.rotate(None);
        let later = repository.root(3);
        repository.files().insert("2.root.json".to_owned(), later);
    };
    refused(of_a_later_version, 1, &["root: expected version 2, found 3"]);
    let repository = repository();
    let machine = Machine::new(&repository);
    machine.sandbox.write("root.json", super::repository().root(1));
    machine.fails(FIRST, 1, &["is not believed", "expected 1 valid signatures, found 0"]);
}

#[test]
fn what_is_out_of_date_is_refused() {
    for role in ["timestamp", "snapshot", "targets"] {
        let says =
            format!("{role}: expected metadata that is valid now, found some that expired at 2020-01-01T00:00:00Z");
        let change = |repository: &mut Repository| {
            repository.version += 1;
            repository.expires.insert(role, PAST);
            repository.publish();
        };
        refused(change, 1, &["is not believed", &says]);
    }
    let root = |repository: &mut Repository| {
        repository.expires.insert("root", PAST);
        repository.rotate(None);
        repository.publish();
    };
    refused(root, 1, &["root: expected metadata that is valid now"]);
}

#[test]
fn what_is_older_than_what_is_known_is_refused() {
    let repository = &mut repository();
    let machine = Machine::new(repository);
    repository.version = 5;
    repository.publish();
    machine.ok(FIRST);
    let before = machine.copy();
    repository.version = 4;
    repository.publish();
    machine.fails(UPDATE, 1, &["timestamp: expected version 5 or later, found 4, which is older than what is known"]);
    machine.fails(FIRST, 1, &["which is older than what is known"]);
    assert_eq!(machine.copy(), before);
}

#[test]
fn what_the_keys_do_not_vouch_for_is_refused() {
    let signed_by_another = |repository: &mut Repository| {
        repository.version += 1;
        repository.publish_as(&Key::generate());
    };
    refused(signed_by_another, 1, &["timestamp: expected 1 valid signatures, found 0"]);
    for (file, says) in [("2.snapshot.json", "snapshot"), ("2.targets.json", "targets"), (TRUSTED_ROOT, TRUSTED_ROOT)] {
        let altered = |repository: &mut Repository| {
            repository.version += 1;
            repository.targets.get_mut(TRUSTED_ROOT).expect("there").push(b' ');
            repository.publish();
            let mut files = repository.files();
            files.iter_mut().filter(|(name, _)| name.ends_with(file)).for_each(|(_, bytes)| bytes[9] ^= 1);
        };
        refused(altered, 1, &["is not believed", says]);
    }
}

#[test]
fn what_is_not_there_is_named() {
    let not_listed = |repository: &mut Repository| {
        repository.version += 1;
        repository.targets.remove(TRUSTED_ROOT);
        repository.publish();
    };
    refused(not_listed, 1, &["targets: expected `trusted_root.json`, found no such file listed"]);
    for file in ["timestamp.json", "2.snapshot.json", "2.targets.json", TRUSTED_ROOT] {
        let not_there = |repository: &mut Repository| {
            repository.version += 1;
            repository.targets.get_mut(TRUSTED_ROOT).expect("there").push(b' ');
            repository.publish();
            repository.files().retain(|name, _| !name.ends_with(file));
        };
        refused(not_there, 3, &["the TUF repository `http://127.0.0.1:", "has no `", file]);
    }
}

#[test]
fn what_is_huge_or_no_metadata_is_refused() {
    for file in ["2.root.json", "timestamp.json"] {
        let huge = |repository: &mut Repository| {
            repository.files().insert(file.to_owned(), vec![b' '; 8 << 20]);
        };
        refused(huge, 1, &[file, "expected at most", "found more"]);
        for text in ["", "null", "[]", "{", r#"{"signed":{},"signatures":[]}"#, "\u{feff}"] {
            let garbage = |repository: &mut Repository| {
                repository.files().insert(file.to_owned(), text.as_bytes().to_vec());
            };
            refused(garbage, 1, &["is not believed"]);
        }
    }
    let huge = |repository: &mut Repository| {
        repository.version += 1;
        repository.targets.insert(TRUSTED_ROOT.to_owned(), vec![b' '; 3 << 20]);
        repository.publish();
    };
    refused(huge, 1, &["trusted_root.json", "2097152"]);
}

#[test]
fn what_is_signed_has_to_be_of_use_as_well() {
    for (name, text, says) in [
        (TRUSTED_ROOT, "{}", "`trustedRoot`: "),
        (TRUSTED_ROOT, "no JSON", "not a trust configuration"),
        (SIGNING_CONFIG, "{}", "`signingConfig`: `mediaType`"),
    ] {
        let change = |repository: &mut Repository| {
            repository.version += 1;
            repository.targets.insert(name.to_owned(), text.as_bytes().to_vec());
            repository.publish();
        };
        refused(change, 1, &["what the repository publishes can't be used", says]);
    }
}

#[test]
fn without_a_network_the_copy_stays() {
    let (repository, machine) = updated();
    let before = machine.copy();
    repository.stop();
    machine.fails(UPDATE, 3, &["can't be reached", "what is known stays as it was"]);
    assert_eq!(machine.copy(), before);
    machine.ok("trust show --mirror URL");
}

#[test]
fn a_copy_that_is_broken_is_replaced() {
    let (_repository, machine) = updated();
    let path =
        machine.sandbox.listing().into_iter().map(|(path, _)| path).find(|path| path.ends_with("published.json"));
    std::fs::write(path.expect("a copy"), "{}").expect("written");
    machine.fails("trust show --mirror URL", 1, &["published.json", "`mediaType`"]);
    machine.fails(UPDATE, 3, &["it is replaced", "--root FILE"]);
    assert!(machine.ok(FIRST).stderr.contains("it is replaced"));
    machine.ok("trust show --mirror URL");
}

#[test]
fn a_wrong_command_line_is_told() {
    let repository = repository();
    let machine = Machine::new(&repository);
    machine.fails("trust update --root root.json", 2, &["--mirror <URL>"]);
    machine.fails("trust update --mirror URL --use-staging", 2, &["cannot be used with"]);
    machine.fails("trust update --use-staging --root root.json", 2, &["--root is for a repository of your own"]);
    machine.fails("trust update --mirror ftp://example.com", 2, &["`http` or `https`, found one of `ftp`"]);
    machine.fails("trust update --mirror nowhere", 2, &["--mirror: expected a URL"]);
    machine.fails("trust update --mirror URL --root missing", 3, &["the root metadata `missing` cannot be read"]);
    machine.sandbox.write("large", vec![b' '; 600_000]);
    machine.fails("trust update --mirror URL --root large", 1, &["expected at most 512000 bytes, found more"]);
    let mut command = machine.command(FIRST);
    machine.sandbox.fails_as(command.env_remove("XDG_CACHE_HOME"), 3, &["XDG_CACHE_HOME or HOME"]);
    assert_eq!(repository.requests(), 0);
}
