//! `monitor` against logs of both kinds: honest ones, ones that lie, and ones that are not there.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::Stdio;

use fake_sigstore::{Claims, Fault, Instance, Lie, Options, Service, SigningConfig};
use serde_json::Value;

use super::support::{Run, Sandbox, run};

const LOGS: [Service; 2] = [Service::RekorV1, Service::RekorV2];
const ME: &str = "me@example.com";

/// A log among those of an instance, and a folder with `trust.json`.
struct Watched {
    sigstore: Instance,
    sandbox: Sandbox,
    log: Service,
}

impl Watched {
    fn new(log: Service) -> Self {
        Self::with_entries(log, 5)
    }

    fn with_entries(log: Service, entries: usize) -> Self {
        let sigstore = Instance::start_with(Options { entries, ..Options::default() });
        let watched = Self { sigstore, sandbox: Sandbox::empty(), log };
        watched.sandbox.write("trust.json", watched.sigstore.trust_config_json(&SigningConfig::default()));
        watched
    }

    /// One that has been seen as it is.
    fn seen(log: Service) -> Self {
        let watched = Self::new(log);
        watched.expect(0, "", &["seen for the first time"]);
        watched
    }

    fn add(&self, name: &str) -> u64 {
        self.sigstore.add_entry_of(self.log, &Claims::email(name))
    }

    fn words(&self, more: &str) -> String {
        let log = self.sigstore.url(self.log);
        let who = if more.contains("--identity") { String::new() } else { format!("--identity {ME}") };
        let state = if more.contains("--state-dir") { "" } else { "--state-dir state" };
        format!("monitor --trust-config trust.json {state} --rekor-url {log} {who} {more}")
    }

    fn run(&self, more: &str) -> Run {
        run(&mut self.sandbox.command(&self.words(more)))
    }

    /// Watches; the exit code and all that is said are as expected.
    #[track_caller]
    fn expect(&self, code: i32, more: &str, says: &[&str]) -> Run {
        let run = self.run(more);
        assert_eq!(run.code, Some(code), "{:?} {more}: {run:?}", self.log);
        for words in says {
            let said = run.stdout.contains(words) || run.stderr.contains(words);
            assert!(said, "{:?} {more}: expected `{words}` in {run:?}", self.log);
        }
        assert!(!run.stderr.contains("panicked"), "{run:?}");
        run
    }

    #[track_caller]
    fn json(&self, more: &str) -> (i32, Value) {
        self.sandbox.json(&self.words(more))
    }

    /// What is kept, by the ends of the names.
    fn kept(&self, end: &str) -> Vec<String> {
        let listing = self.sandbox.listing().into_iter().map(|(path, _)| path);
        let files = listing.filter(|path| path.is_file() && path.to_string_lossy().contains(end));
        files.filter_map(|path| fs::read_to_string(path).ok()).collect()
    }

    /// The one state.
    fn state(&self) -> String {
        let mut states = self.kept("state");
        states.retain(|state| state.starts_with('{'));
        assert_eq!(states.len(), 1);
        states.remove(0)
    }
}

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
        // The log goes down on the way.
        watched.sigstore.fail_next(log, 0, Fault::Garbage);
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
fn a_log_that_takes_something_back_is_not_believed() {
    for log in LOGS {
        for (change, says) in [
            ("fork", "is forked: the tree of"),
            ("fork and grow", "is forked: the tree of"),
            ("shrink", "has shrunk: it had"),
        ] {
            let watched = Watched::seen(log);
            let before = watched.state();
            match change {
                "shrink" => watched.sigstore.forget_newest(log, 2),
                _ => watched.sigstore.lie(log, Lie::Forked),
            }
            if change == "fork and grow" {
                watched.add(ME);
            }
            let run = watched.expect(1, "", &["is not to be believed", says, "show both to its operator"]);
            assert_eq!(run.stdout, "", "nothing of it counts");
            assert_eq!(watched.state(), before, "what was seen stays");
            let evidence = watched.kept(".conflict-");
            assert_eq!(evidence.len(), 1);
            assert!(evidence[0].contains("\u{2014} 127.0.0.1"), "{evidence:?}");
            let (code, document) = watched.json("");
            assert_eq!((code, document["error"]["kind"].as_str()), (1, Some("inconsistent_log")));
            assert!(document["result"]["logs"][0]["problem"]["evidence"].is_string());
            assert_eq!(watched.kept(".conflict-").len(), 1, "once");
            // Where it was a slip, everything goes on.
            watched.sigstore.heal(log);
            if change == "shrink" {
                continue;
            }
            let code = i32::from(change != "fork");
            watched.expect(code, "", &["new entr"]);
        }
    }
}

#[test]
fn checkpoints_of_others_are_not_believed() {
    for log in LOGS {
        for (lie, says) in [
            (Lie::CheckpointAltered, "does not hold"),
            (Lie::CheckpointForged, "does not hold"),
            (Lie::CheckpointOfAnotherKey, "no signature of a log that is trusted"),
        ] {
            let watched = Watched::new(log);
            watched.sigstore.lie(log, lie);
            watched.expect(1, "", &["is not to be believed", says]);
            assert!(watched.kept(".json").iter().all(|file| !file.contains("trees")), "nothing was seen");
        }
    }
}

#[test]
fn entries_that_are_not_in_the_tree_are_not_believed() {
    let watched = Watched::new(Service::RekorV1);
    watched.add(ME);
    for (lie, code, says) in [
        (Lie::InclusionProofAltered, 1, "what it serves is not what it signed: entry"),
        (Lie::SetAltered, 1, "the promise (signed entry timestamp) of entry"),
        (Lie::LogIndexOff, 1, "says that its index is"),
        (Lie::EntryOfAnotherBody, 3, "that are not all of these"),
    ] {
        watched.sigstore.lie(Service::RekorV1, lie);
        watched.expect(code, "--since 0", &[says]);
        watched.sigstore.heal(Service::RekorV1);
    }
    watched.expect(1, "--since 0", &["1 unexpected entry"]);
}

#[test]
fn a_log_that_can_not_be_read_is_no_verdict() {
    for log in LOGS {
        let watched = Watched::seen(log);
        let before = watched.state();
        watched.add(ME);
        let url = watched.sigstore.url(log).to_owned();
        for (fault, says) in [
            (Fault::Status(500, "ill".to_owned()), "answered 500 Internal Server Error: ill"),
            (Fault::Status(404, "nothing".to_owned()), "has neither tiles nor the interface of Rekor v1"),
            (Fault::Garbage, "gave a"),
            (Fault::Oversize(2 << 20), "bytes"),
            (Fault::Closes, "can't be reached"),
            (Fault::Replies(200, "text/plain".to_owned(), b"\xff\xfe".to_vec()), "gave a checkpoint that is not text"),
            (Fault::Replies(200, "text/html".to_owned(), b"<html>\n\n".to_vec()), "it is not a checkpoint"),
        ] {
            watched.sigstore.fail(log, fault.clone());
            let run = watched.expect(3, "", &["the transparency log `", says]);
            assert_eq!(run.stdout, "", "{fault:?}");
            assert_eq!(watched.state(), before, "{fault:?}");
            watched.sigstore.heal(log);
        }
        watched.sigstore.stop(log);
        watched.expect(3, "", &[&url, "can't be reached"]);
        let (code, document) = watched.json("");
        assert_eq!((code, document["error"]["kind"].as_str()), (3, Some("log_unreadable")));
        watched.sigstore.restart(log);
        watched.expect(1, "", &["1 unexpected entry"]);
    }
}

#[test]
fn a_state_that_can_not_be_used_is_not_passed_over() {
    for log in LOGS {
        let watched = Watched::seen(log);
        let good = watched.state();
        let (path, _) = watched
            .sandbox
            .listing()
            .into_iter()
            .find(|(path, _)| {
                path.extension().is_some_and(|end| end == "json") && path.to_string_lossy().contains("state")
            })
            .expect("a state");
        for (bad, says) in [
            (String::new(), "not valid JSON"),
            ("{}".to_owned(), "missing field"),
            (good.replace("\"version\": 1", "\"version\": 2"), "expected version 1, found 2"),
            (good.replace("\\n5\\n", "\\n4\\n"), "does not hold"),
            (good.replace("\"next\": 5", "\"next\": 6"), "each read up to its size at most"),
            (good.replace("\"next\"", "\"next\": 1, \"next\""), "twice"),
            ("x".repeat(9 << 20), "expected at most"),
        ] {
            fs::write(&path, &bad).expect("written");
            watched.expect(3, "", &["the state of a log `", "can't be used", says, "move it away"]);
            assert_eq!(fs::read_to_string(&path).expect("readable"), bad);
        }
        fs::write(&path, &good).expect("written");
        watched.expect(0, "", &["Nothing unexpected"]);
    }
    let watched = Watched::new(Service::RekorV2);
    watched.sandbox.write("state", "a file");
    watched.expect(3, "", &["state", "cannot be written"]);
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
fn wrong_words_are_usage() {
    let watched = Watched::new(Service::RekorV2);
    for (words, says) in [
        ("--identity a --identity-regexp b", "cannot be used with"),
        ("--identity-regexp (", "--identity-regexp: not a regular expression"),
        ("--rekor-url https://unknown.example", "has no log `https://unknown.example`, found `http://127.0.0.1"),
        ("--interval 0", "invalid value"),
    ] {
        watched.expect(2, words, &[says]);
    }
    watched.sandbox.fails("monitor --trust-config trust.json", 2, &["--identity"]);
    assert_eq!(LOGS.map(|log| watched.sigstore.requests(log)), [0, 0]);
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
