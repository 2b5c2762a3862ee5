//! `trust show`: what is known.

use super::super::support::Sandbox;
use super::{Machine, repository};

#[test]
fn what_is_built_in_is_shown() {
    let sandbox = Sandbox::empty();
    // The note about its age would come with the time.
    let run = sandbox.ok("trust show --use-staging --log-level error");
    insta::assert_snapshot!("trust_show", sandbox.scrub(&run));
    let (_, document) = sandbox.json("trust show");
    let result = &document["result"];
    assert_eq!(document["command"], "trust");
    assert_eq!((&result["source"]["kind"], &result["source"]["instance"]), (&"embedded".into(), &"production".into()));
    assert_eq!(result["source"]["date"], "2026-10-13T00:00:00Z");
    for list in ["certificate_authorities", "transparency_logs", "certificate_logs", "timestamp_authorities"] {
        assert!(result[list][0]["period"]["from"].is_string(), "{list}");
    }
    assert_eq!(result["services"]["list"][0]["kind"], "fulcio");
}

#[test]
fn files_are_shown_as_what_they_are() {
    let staging = model_transparency::sigstore::Instance::Staging;
    let sandbox = Sandbox::empty();
    sandbox.write("root.json", staging.trusted_root_json());
    let run = sandbox.ok("trust show --trusted-root root.json");
    assert!(run.stdout.contains("the trusted root `root.json`") && run.stdout.contains("it is not said"), "{run:?}");
    let (_, document) = sandbox.json("trust show --trusted-root root.json");
    let source = &document["result"]["source"];
    assert_eq!((&source["kind"], &source["file"]), (&"trusted_root".into(), &"root.json".into()));
    assert!(source["date"].is_null() && document["result"]["services"].is_null());
    sandbox.fails("trust show --trust-config root.json", 1, &["`mediaType`"]);
    sandbox.fails("trust show --trust-config root.json --mirror http://localhost", 2, &["cannot be used with"]);
}

#[test]
fn a_copy_that_is_broken_is_passed_over_with_a_warning() {
    let machine = Machine::new(&repository());
    let copy = "cache/model-signing/trust/staging/published.json";
    for text in ["", "{}", "null"] {
        machine.sandbox.write(copy, text);
        let run = machine.ok("trust show --use-staging");
        assert!(run.stderr.contains("warning: the copy of what the TUF repository published,"), "{}", run.stderr);
        assert!(run.stderr.contains("; what is built in is used"), "{}", run.stderr);
        assert!(run.stdout.contains("built in"), "{}", run.stdout);
        let warnings = machine.json("trust show --use-staging")["warnings"].clone();
        assert_eq!(warnings.as_array().map(Vec::len), Some(1));
        machine.ok("trust show");
    }
}
