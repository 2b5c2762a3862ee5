//! What is found, once, from where on, and what of it is expected.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use fake_sigstore::{Claims, Lie, Service};
use serde_json::Value;

use super::super::support::run;
use super::{LOGS, ME, Watched};

fn indices(document: &Value) -> Vec<u64> {
    let findings = document["result"]["logs"][0]["findings"].as_array().expect("a list");
    findings.iter().map(|finding| finding["index"].as_u64().expect("a number")).collect()
}

#[test]
fn ours_is_found_among_strangers_once() {
    for log in LOGS {
        let watched = Watched::new(log);
        watched.add(ME);
        let first = watched.expect(0, "", &["Watching for `me@example.com` from now on", "seen for the first time"]);
        assert_eq!(first.stderr, "");
        watched.expect(0, "", &["Nothing unexpected for `me@example.com`", ": 0 new entries of"]);

        watched.sigstore.add_strangers(log, 13);
        watched.add("other@example.com");
        let index = watched.add(ME);
        watched.sigstore.add_strangers(log, 3);
        let issuer = watched.sigstore.url(Service::Oidc).to_owned();
        let found = watched.expect(
            1,
            "",
            &[
                "1 unexpected entry for `me@example.com`",
                ": 18 new entries of",
                &format!("{index} of 127.0.0.1"),
                "not expected",
                &issuer,
                "error: an entry that is not expected names `me@example.com`",
                "--expect FILE",
            ],
        );
        assert!(!found.stdout.contains("other@example.com") && !found.stdout.contains("not issued"), "{found:?}");
        // It was told, and is not told again.
        watched.expect(0, "", &["Nothing unexpected"]);

        let (code, document) = watched.json("--since 0");
        assert_eq!((code, document["error"]["kind"].as_str()), (1, Some("unexpected_entries")));
        let result = &document["result"];
        assert_eq!(
            (&result["findings"], &result["unexpected"], &result["is_at_end"]),
            (&2.into(), &2.into(), &true.into())
        );
        let finding = &result["logs"][0]["findings"][1];
        assert_eq!(indices(&document)[1], index);
        assert_eq!(finding["identity"], ME);
        assert_eq!(finding["identity_provider"], issuer);
        assert_eq!(finding["issued_by_instance"], true);
        assert_eq!(finding["expected"], false);
        assert_eq!(finding["integrated_time"].is_string(), log == Service::RekorV1);
        assert_eq!(finding["uuid"].is_string(), log == Service::RekorV1);
        assert_eq!(finding["certificate"]["alternative_names"], serde_json::json!([ME]));
    }
}

#[test]
fn both_logs_are_watched_by_default() {
    let watched = Watched::new(Service::RekorV1);
    let words = format!("monitor --trust-config trust.json --state-dir state --identity {ME}");
    let first = watched.sandbox.ok(&words);
    assert_eq!(first.stdout.matches("seen for the first time").count(), 2, "{first:?}");
    for log in LOGS {
        watched.sigstore.add_entry_of(log, &Claims::email(ME));
    }
    let run = watched.sandbox.run(&words);
    assert_eq!(run.code, Some(1), "{run:?}");
    assert!(run.stdout.contains("2 unexpected entries"), "{run:?}");
    // One that is down does not keep the other from being read.
    watched.sigstore.add_entry_of(Service::RekorV1, &Claims::email(ME));
    watched.sigstore.stop(Service::RekorV2);
    let run = watched.sandbox.run(&words);
    assert_eq!(run.code, Some(1), "{run:?}");
    assert!(run.stdout.contains("1 unexpected entry") && run.stderr.contains("can't be reached"), "{run:?}");
    watched.sigstore.restart(Service::RekorV2);
    watched.sandbox.ok(&words);
}

#[test]
fn what_is_expected_is_quiet() {
    for log in LOGS {
        let watched = Watched::seen(log);
        let first = watched.add(ME);
        watched.sigstore.add_strangers(log, 1);
        watched.add(ME);
        let (_, document) = watched.json("--since 0");
        let findings = document["result"]["logs"][0]["findings"].as_array().expect("a list").clone();
        let text = |number: usize, name: &str| findings[number][name].as_str().expect("a text").to_owned();
        let host = text(0, "origin").split(" - ").next().expect("a name").to_owned();
        watched.sandbox.write("some", format!("# ours\n\n{host} {first} # by name\n"));
        watched.expect(1, "--since 0 --expect some", &["1 unexpected entry", "not expected", ", expected"]);
        let second = if log == Service::RekorV1 { text(1, "uuid") } else { text(1, "entry_hash") };
        watched.sandbox.write("all", format!("{} {first}\n{}\n", text(0, "origin"), second.to_uppercase()));
        watched.expect(0, "--since 0 --expect all", &["Nothing unexpected for", ", expected"]);
        // The same index of another log is another entry.
        watched.sandbox.write("other", format!("other.example {first}\n{}\n", "0".repeat(64)));
        watched.expect(1, "--since 0 --expect other", &["2 unexpected entries"]);
    }
    let watched = Watched::new(Service::RekorV2);
    watched.sandbox.write("bad", "# ours\nsomething\n");
    watched.expect(2, "--expect bad", &["`bad`: line 2: expected `ORIGIN INDEX`"]);
    watched.expect(3, "--expect none", &["the list of expected entries `none` cannot be read"]);
}

#[test]
fn names_and_providers_are_whole() {
    for log in LOGS {
        let watched = Watched::new(log);
        watched.add(ME);
        watched.add("not-me@example.com");
        let issuer = watched.sigstore.url(Service::Oidc).to_owned();
        for (who, found) in [
            ("--identity me@example.co".to_owned(), 0),
            ("--identity-regexp e@example.com".to_owned(), 0),
            ("--identity-regexp .*@example.com".to_owned(), 2),
            (format!("--identity {ME} --identity-provider {issuer}"), 1),
            (format!("--identity {ME} --identity-provider https://other.example"), 0),
            (format!("--identity {ME} --identity-provider-regexp http://127.*"), 1),
        ] {
            let (code, document) = watched.json(&format!("{who} --since 0"));
            assert_eq!(document["result"]["unexpected"], found, "{who}");
            assert_eq!(code, i32::from(found > 0), "{who}");
        }
        let workflow = Claims::github_workflow("acme/models", "release.yml", "refs/heads/main");
        watched.sigstore.add_entry_of(log, &workflow);
        watched.expect(
            1,
            "--since 0 --identity-regexp https://github.com/acme/models/.*",
            &["https://github.com/acme/models/.github/workflows/release.yml@refs/heads/main"],
        );
    }
}

#[test]
fn reading_goes_on_where_it_ended() {
    for log in LOGS {
        let watched = Watched::with_entries(log, 300);
        let ours = watched.add(ME);
        let size = watched.sigstore.log_size(log);
        let left = size - 290;
        let started = watched.expect(0, "--since 0 --max-entries 290", &["Nothing unexpected so far"]);
        assert!(started.stdout.contains(&format!("not at the end yet: {left} to read the next time")), "{started:?}");
        let (code, document) = watched.json("--max-entries 5");
        assert_eq!((code, &document["result"]["logs"][0]["entries_left"]), (0, &(left - 5).into()));
        assert_eq!(document["result"]["is_at_end"], false);
        let found = watched.expect(1, "", &["1 unexpected entry"]);
        assert!(found.stdout.contains(&format!("{ours} of ")), "{found:?}");
    }
}

#[test]
fn a_checkpoint_is_a_place_to_begin_at() {
    for log in LOGS {
        let watched = Watched::seen(log);
        watched.add(ME);
        let state: Value = serde_json::from_str(&watched.state()).expect("JSON");
        let note = state["trees"].as_array().expect("a list").last().expect("one")["checkpoint"].as_str();
        watched.sandbox.write("old", note.expect("a text"));
        watched.expect(1, "", &["1 unexpected entry"]);
        watched.expect(1, "--since old", &["1 unexpected entry", ": 1 new entry of"]);
        watched.expect(1, "--since old --state-dir other", &["1 unexpected entry", ": 1 new entry of"]);
        // A log of which it is not the past.
        watched.sigstore.lie(log, Lie::Forked);
        watched.expect(1, "--since old --state-dir another", &["is forked"]);

        watched.sandbox.write("bad", note.expect("a text").replace('\n', "\r\n"));
        watched.expect(1, "--since bad", &["the checkpoint `bad`", "it is not a checkpoint"]);
        let other = Watched::seen(log);
        other.sandbox.write("old", note.expect("a text"));
        other.expect(1, "--since old", &["the checkpoint `old`", "no signature of a log that is trusted"]);
    }
    let watched = Watched::new(Service::RekorV2);
    watched.expect(2, "--since 6", &["expected an index of at most 5 to start at, found 6"]);
    watched.expect(2, "--since 99999999999999999999", &["too large"]);
    watched.expect(3, "--since none", &["the checkpoint `none` cannot be read"]);
}

#[test]
fn each_identity_has_a_state_of_its_own() {
    let watched = Watched::seen(Service::RekorV2);
    watched.add(ME);
    watched.expect(0, "--identity other@example.com", &["seen for the first time"]);
    watched.expect(0, "--identity other@example.com", &["Nothing unexpected"]);
    watched.expect(1, "", &["1 unexpected entry"]);
    // Without --state-dir it is where state is kept.
    let words = watched.words("").replace("--state-dir state", "");
    watched.sandbox.fails(&words, 2, &["neither XDG_STATE_HOME nor HOME is set", "--state-dir DIR"]);
    let home = run(watched.sandbox.command(&words).env("HOME", watched.sandbox.path("home")));
    assert_eq!(home.code, Some(0), "{home:?}");
    assert!(watched.sandbox.path("home/.local/state/model-signing/monitor").is_dir());
}

#[test]
fn with_an_interval_findings_come_as_they_are_made() {
    let watched = Watched::new(Service::RekorV2);
    let mut command = watched.sandbox.command(&watched.words("--interval 1 --format json"));
    let mut child = command.stdout(Stdio::piped()).spawn().expect("it starts");
    let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
    let mut next = || -> Value { serde_json::from_str(&lines.next().expect("a line").expect("text")).expect("JSON") };
    assert_eq!(next()["result"]["logs"][0]["has_begun"], true);
    let index = watched.add(ME);
    let found = std::iter::repeat_with(&mut next).take(5).find(|document| document["exit_code"] == 1);
    let found = found.expect("it is found");
    assert_eq!(indices(&found), [index]);
    assert_eq!(next()["outcome"], "done");
    child.kill().expect("it runs until then");
    child.wait().expect("it ended");
}

#[test]
fn certificates_of_somebody_else_are_reported_as_such() {
    for log in LOGS {
        let watched = Watched::seen(log);
        watched.sigstore.lie(Service::Fulcio, Lie::CertificateOfAnotherAuthority);
        watched.add(ME);
        watched.expect(1, "", &["1 unexpected entry", "not issued by this instance: anybody can make such a one"]);
        let (_, document) = watched.json("--since 0");
        assert_eq!(document["result"]["logs"][0]["findings"][0]["issued_by_instance"], false);
    }
}

#[test]
fn a_log_whose_time_is_over_is_read_to_its_end() {
    let watched = Watched::new(Service::RekorV2);
    let words = format!("monitor --trust-config trust.json --state-dir state --identity {ME}");
    watched.sandbox.ok(&words);
    watched.add(ME);
    let mut trust: Value = serde_json::from_slice(&watched.sandbox.read("trust.json")).expect("JSON");
    trust["trustedRoot"]["tlogs"][1]["publicKey"]["validFor"]["end"] = "2026-01-02T00:00:00Z".into();
    trust["trustedRoot"]["tlogs"][1]["publicKey"]["validFor"]["start"] = "2026-01-01T00:00:00Z".into();
    watched.sandbox.write("trust.json", trust.to_string());
    let found = watched.sandbox.run(&words);
    assert_eq!(found.code, Some(1), "{found:?}");
    assert!(found.stdout.contains("1 unexpected entry"), "{found:?}");
    watched.sigstore.stop(Service::RekorV2);
    watched.sandbox.run(&words);
    let gone = watched.sandbox.run(&words);
    assert_eq!(gone.code, Some(3), "{gone:?}");
    assert!(gone.stderr.contains("the log is not in use any more: without `"), "{gone:?}");
    // Who has not seen it does not watch it.
    let first = watched.sandbox.ok(&words.replace("--state-dir state", "--state-dir other"));
    assert_eq!(first.stdout.matches("seen for the first time").count(), 1, "{first:?}");
}

#[cfg(target_os = "linux")]
#[test]
fn what_nobody_could_be_told_is_found_again() {
    for log in LOGS {
        let watched = Watched::seen(log);
        watched.add(ME);
        for format in ["human", "json"] {
            let mut command = watched.sandbox.command(&watched.words(&format!("--format {format}")));
            let full = std::fs::OpenOptions::new().write(true).open("/dev/full").expect("there");
            let output = command.stdout(full).stderr(Stdio::piped()).output().expect("it ends");
            assert_eq!(output.status.code(), Some(1), "{output:?}");
            assert!(
                String::from_utf8_lossy(&output.stderr).contains("standard output cannot be written"),
                "{output:?}"
            );
        }
        watched.expect(1, "", &["1 unexpected entry"]);
        watched.expect(0, "", &["Nothing unexpected"]);
    }
}
