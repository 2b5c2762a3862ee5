//! `trust export` and `trust import`: from a machine with a network to one without.

use fake_sigstore::{Claims, Instance, Service};
use serde_json::Value;

use super::repository::{PAST, Repository};
use super::{Machine, published, repository};

const UPDATE: &str = "trust update --mirror URL --root root.json";
const EXPORT: &str = "trust export --mirror URL -o trust.json";
const IMPORT: &str = "trust import trust.json --mirror URL";

/// A machine with `trust.json` of version 3, and one without anything but that file and the root.
fn exported() -> (Repository, Machine, Machine) {
    let mut repository = repository();
    repository.version = 3;
    repository.publish();
    let (here, there) = (Machine::new(&repository), Machine::new(&repository));
    here.ok(UPDATE);
    here.ok(EXPORT);
    there.sandbox.write("trust.json", here.sandbox.read("trust.json"));
    (repository, here, there)
}

#[test]
fn what_was_fetched_signs_and_verifies() {
    let sigstore = Instance::start();
    let repository = published(&sigstore);
    let machine = Machine::new(&repository);
    machine.fails(EXPORT, 3, &["the cache has no copy", "trust update"]);
    machine.ok(UPDATE);
    let run = machine.ok(EXPORT);
    assert!(run.stdout.contains("trust import FILE"), "{}", run.stdout);
    machine.sandbox.write("token", sigstore.token(&Claims::email("signer@example.com")));
    machine.ok("sign model --trust-config trust.json --identity-token-file token");
    let issuer = sigstore.url(Service::Oidc);
    machine.ok(&format!(
        "verify model --trust-config trust.json --identity signer@example.com --identity-provider {issuer}"
    ));
}

#[test]
fn a_machine_without_a_network_takes_it() {
    let (repository, _here, there) = exported();
    repository.stop();
    let requests = repository.requests();
    there.fails(IMPORT, 2, &["nothing is known of `http://127.0.0.1", "--root FILE"]);
    let run = there.ok(&format!("{IMPORT} --root root.json"));
    assert!(run.stdout.contains("Imported") && run.stdout.contains("no copy"), "{}", run.stdout);
    // The next time the root is known.
    let run = there.ok(IMPORT);
    assert!(run.stdout.contains("the copy of ") && run.stdout.contains("is as before"), "{}", run.stdout);
    there.ok("trust show --mirror URL");
    assert_eq!(repository.requests(), requests);
}

#[test]
fn an_older_one_is_taken_by_force_alone() {
    let (mut repository, here, there) = exported();
    let older = here.sandbox.read("trust.json");
    repository.rotate(None);
    repository.version = 5;
    repository.publish();
    here.ok(UPDATE);
    here.ok(EXPORT);
    there.sandbox.write("trust.json", here.sandbox.read("trust.json"));
    there.ok(&format!("{IMPORT} --root root.json"));
    there.sandbox.write("trust.json", older);
    let newer = there.copy();
    // The keys that signed it no longer count.
    there.fails(IMPORT, 1, &["is not believed", "valid signatures, found 0"]);
    let says = ["expected what is no older than", "(root 2, timestamp 5)", "(root 1, timestamp 3)", "--force"];
    there.fails(&format!("{IMPORT} --root root.json"), 1, &says);
    assert_eq!(there.copy(), newer);
    there.ok(&format!("{IMPORT} --root root.json --force"));
    assert_ne!(there.copy(), newer);
}

/// What `import` says of a file that `change` has changed.
#[track_caller]
fn refused(change: impl FnOnce(&mut Value), says: &[&str]) {
    let (_repository, here, there) = exported();
    let mut document: Value = serde_json::from_slice(&here.sandbox.read("trust.json")).expect("JSON");
    change(&mut document);
    there.sandbox.write("trust.json", document.to_string());
    there.fails(&format!("{IMPORT} --root root.json"), 1, says);
    // Nor is it taken over one that is good.
    there.ok(UPDATE);
    let before = there.copy();
    there.fails(&format!("{IMPORT} --force"), 1, says);
    assert_eq!(there.copy(), before);
}

#[test]
fn a_file_that_was_changed_is_refused() {
    let remove = |member: &'static str| {
        move |document: &mut Value| {
            document.as_object_mut().expect("an object").remove(member);
        }
    };
    refused(remove("published"), &["`published`: expected the signed metadata of a TUF repository, found none"]);
    refused(remove("trustedRoot"), &["`trustedRoot`: expected a trusted root, found none"]);
    refused(remove("signingConfig"), &["`signingConfig` is not what the signed metadata in `published` is about"]);
    refused(
        |document| document["trustedRoot"]["tlogs"] = Value::Array(Vec::new()),
        &["`trustedRoot` is not what the signed metadata"],
    );
    refused(
        |document| document["published"]["by"] = "https://other.example".into(),
        &["found `https://other.example`"],
    );
    refused(|document| document["published"]["refreshed"] = "yesterday".into(), &["`published.refreshed`"]);
    refused(
        |document| document["published"]["refreshed"] = "2121-01-01T00:00:00Z".into(),
        &["expected metadata that is valid now"],
    );
    for file in ["timestamp.json", "snapshot.json", "targets.json", "targets/trusted_root.json"] {
        refused(
            |document| {
                document["published"]["files"].as_object_mut().expect("an object").remove(file);
            },
            &["`published`: the signed metadata is not believed: has no `"],
        );
        refused(|document| document["published"]["files"][file] = "{}".into(), &["`published`: the signed metadata"]);
    }
}

#[test]
fn a_file_of_another_root_is_refused() {
    let (_repository, _here, there) = exported();
    there.sandbox.write("root.json", repository().root(1));
    there.fails(&format!("{IMPORT} --root root.json"), 1, &["is not believed", "found 0"]);
    there.sandbox.write("trust.json", vec![b' '; 9 << 20]);
    there.fails(&format!("{IMPORT} --root root.json"), 1, &["expected at most 8388608 bytes"]);
    there.fails("trust import missing", 3, &["the file `missing` cannot be read"]);
}

#[test]
fn metadata_counts_as_of_when_it_was_fetched() {
    // What a machine without a network has does not end with the metadata, which is for days.
    let (mut repository, _here, there) = exported();
    there.ok(&format!("{IMPORT} --root root.json"));
    repository.expires.insert("timestamp", PAST);
    repository.version += 1;
    repository.publish();
    there.fails("trust update --mirror URL", 1, &["expired at"]);
    there.ok("trust show --mirror URL");
}

#[test]
fn a_public_instance_has_a_root_of_its_own() {
    let (_repository, _here, there) = exported();
    there.fails("trust import trust.json", 1, &["`published.by`: expected `https://tuf-repo-cdn.sigstore.dev`"]);
    there.fails("trust import trust.json --use-staging", 1, &["expected `https://tuf-repo-cdn.sigstage.dev`"]);
    let mut document: Value = serde_json::from_slice(&there.sandbox.read("trust.json")).expect("JSON");
    document["published"]["by"] = "https://tuf-repo-cdn.sigstage.dev".into();
    there.sandbox.write("trust.json", document.to_string());
    there.fails("trust import trust.json --use-staging", 1, &["is not believed", "valid signatures, found 0"]);
}

#[test]
fn what_is_built_in_is_exported_too() {
    let machine = Machine::new(&repository());
    for option in ["", "--use-staging"] {
        let run = machine.ok(&format!("trust export {option} -o trust.json"));
        assert!(run.stderr.contains("`trust import` has no use for it"), "{}", run.stderr);
        let (named, read) =
            (machine.json(&format!("trust show {option}")), machine.json("trust show --trust-config trust.json"));
        for member in ["certificate_authorities", "transparency_logs", "services"] {
            assert_eq!(named["result"][member], read["result"][member], "{member}");
        }
        machine.fails("trust import trust.json", 1, &["found none"]);
    }
}
