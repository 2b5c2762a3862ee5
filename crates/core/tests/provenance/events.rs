//! What GitHub sent with the event, where the builder recorded it: it alone says of which branch a tag was made, and what a
//! workflow was started with.

use model_transparency::provenance::{Expectations, ProvenanceError};
use serde_json::{Value, json};

use crate::authority::Provenance;
use crate::members::{changed, twice, without};
use crate::statements::{certificate, delegated, generated, generator};

/// The members of an event that count for an expectation, below the payload.
struct Event {
    name: &'static str,
    reference: &'static str,
    payload: Value,
    counts: &'static [&'static str],
    expected: Expectations,
    is_refusal: fn(&ProvenanceError) -> bool,
}

fn events() -> [Event; 3] {
    let branch = || Expectations { branch: Some("main".to_owned()), ..crate::statements::expected() };
    let is_of_branch: fn(&ProvenanceError) -> bool = |error| matches!(error, ProvenanceError::Branch { .. });
    let inputs = vec![("level".to_owned(), "9".to_owned())];
    [
        Event {
            name: "push",
            reference: "refs/tags/v1.2.3",
            payload: json!({ "base_ref": "refs/heads/main", "ref": "refs/tags/v1.2.3" }),
            counts: &["base_ref"],
            expected: branch(),
            is_refusal: is_of_branch,
        },
        Event {
            name: "release",
            reference: "refs/tags/v1.2.3",
            payload: json!({ "action": "published", "release": { "target_commitish": "main", "id": 1 } }),
            counts: &["release", "release.target_commitish"],
            expected: branch(),
            is_refusal: is_of_branch,
        },
        Event {
            name: "workflow_dispatch",
            reference: "refs/heads/main",
            payload: json!({ "inputs": { "level": "9", "other": "1" }, "ref": "refs/heads/main" }),
            counts: &["inputs", "inputs.level"],
            expected: Expectations { inputs, ..branch() },
            is_refusal: |error| matches!(error, ProvenanceError::Input { .. }),
        },
    ]
}

/// Provenance of a run for the event, and where its payload is.
fn of(event: &Event) -> [(Provenance, &'static str); 2] {
    let maven = generator("builder_maven_slsa3.yml", "refs/tags/v2.1.0");
    let kinds = [
        (generated(), "generator_generic_slsa3.yml", "predicate.invocation.environment.github_event_payload"),
        (
            delegated(&maven),
            "delegator_lowperms-generic_slsa3.yml",
            "predicate.buildDefinition.internalParameters.GITHUB_EVENT_PAYLOAD",
        ),
    ];
    kinds.map(|(provenance, builder, payload)| {
        let text = provenance.statement.to_string();
        let text =
            text.replace("refs/tags/v1.2.3", event.reference).replace("\"push\"", &format!("\"{}\"", event.name));
        let mut statement: Value = serde_json::from_str(&text).expect("JSON");
        *statement.pointer_mut(&format!("/{}", payload.replace('.', "/"))).expect(payload) = event.payload.clone();
        let signer = certificate(&generator(builder, "refs/tags/v2.1.0"), event.reference);
        let signer = signer.with(2, event.name).with(20, event.name);
        (Provenance { signer, statement, expected: event.expected.clone(), ..provenance }, payload)
    })
}

#[test]
fn each_member_of_an_event_that_is_asked_for_counts() {
    for event in events() {
        for (provenance, payload) in of(&event) {
            provenance.judged().unwrap_or_else(|error| panic!("{}: {error}", event.name));
            let attester = provenance.certified();
            let refusal = |statement: &str| provenance.judged_as(&attester, statement).expect_err(event.name);
            for member in [""].iter().chain(event.counts) {
                let path = if member.is_empty() { payload.to_owned() } else { format!("{payload}.{member}") };
                for other in [changed(&provenance.statement, &path), without(&provenance.statement, &path)] {
                    let error = refusal(&other.to_string());
                    assert!((event.is_refusal)(&error) || member.is_empty(), "{} {path}: {error:?}", event.name);
                }
                let error = refusal(&twice(&provenance.statement, &path).expect("a member"));
                assert!(error.to_string().contains("twice"), "{} {path}: {error:?}", event.name);
            }
        }
    }
}

#[test]
fn an_event_of_another_kind_says_nothing_of_branch_or_inputs() {
    // What a pull request or a schedule sends has members of the same names, which whoever triggers it can choose.
    for mut event in events() {
        event.name = "repository_dispatch";
        for (provenance, _) in of(&event) {
            let error = provenance.judged().expect_err("another event");
            assert!((event.is_refusal)(&error), "{error:?}");
        }
    }
}
