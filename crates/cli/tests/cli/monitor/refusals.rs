//! Logs that are not to be believed or can't be read, and states that can't be used: there is no verdict, and it is said why.

use std::fs;

use fake_sigstore::{Fault, Lie, Service};

use super::{LOGS, ME, Watched};

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
