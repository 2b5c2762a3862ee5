//! `provenance`: what a user sees. Of `provenance verify` a file for each producer, and for each kind of subject.

mod builder_map;
mod generate;
mod gitlab;
mod hostile;
mod joined;
mod models;
mod public;
#[cfg(unix)]
mod run;
mod signing;
mod tekton;
#[cfg(target_os = "linux")]
mod traced;
mod training;
mod usage;

use serde_json::Value;

use super::support::Sandbox;

/// Refuses with exit code 1 and this kind; what it says.
#[track_caller]
fn refused(sandbox: &Sandbox, words: &str, kind: &str) -> String {
    let (code, document) = sandbox.json(&format!("provenance verify {words}"));
    assert_eq!((code, &document["error"]["kind"]), (1, &kind.into()), "{words}: {document}");
    document["error"]["message"].as_str().expect("a message").to_owned()
}

/// What is said of the first artifact, all of which are verified.
#[track_caller]
fn verified(sandbox: &Sandbox, words: &str) -> Value {
    let (code, mut document) = sandbox.json(&format!("provenance verify {words}"));
    assert_eq!((code, &document["outcome"]), (0, &"verified".into()), "{words}: {document}");
    document["result"]["artifacts"][0].take()
}

#[track_caller]
fn level(sandbox: &Sandbox, words: &str) -> Value {
    verified(sandbox, words)["level"].take()
}
