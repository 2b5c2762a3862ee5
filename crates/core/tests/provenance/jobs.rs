//! What a job writes of itself, and its certificate does not say: no expectation is met by it.

use model_transparency::provenance::{ProvenanceError, SourceExpectation, TRAINING_BUILD_TYPE, TRAINING_BUILDER};
use serde_json::{Value, json};

use crate::authority::Provenance;
use crate::statements::{COMMIT, REPOSITORY, TAG, attested, certificate, generator, signer};

const HOSTED: &str = "https://github.com/actions/runner/github-hosted";
const SELF_HOSTED: &str = "https://github.com/actions/runner/self-hosted";

/// A job's account of a training run, from these sources.
fn trained(builder: &str, sources: &[(&str, &str)]) -> Provenance {
    let source = |(uri, commit): &(&str, &str)| json!({ "uri": uri, "digest": { "gitCommit": commit }, "annotations": { "role": "source" } });
    attested().change(|it| {
        it.statement["predicate"] = json!({
            "buildDefinition": {
                "buildType": TRAINING_BUILD_TYPE,
                "externalParameters": {},
                "resolvedDependencies": sources.iter().map(source).collect::<Vec<_>>(),
            },
            "runDetails": { "builder": { "id": builder } },
        });
    })
}

fn source() -> String {
    format!("git+https://github.com/{REPOSITORY}@{TAG}")
}

#[test]
fn a_builder_that_only_the_job_names_is_not_the_one_that_was_asked_for() {
    let by = |said: &str, wanted: Option<&str>| {
        trained(said, &[(&source(), COMMIT)]).change(|it| it.expected.signer = signer(wanted, None))
    };
    let other = "https://github.com/acme/builders/.github/workflows/train.yml";
    let at_release = format!("{other}@refs/tags/v1.0.0");
    for (said, wanted) in [(&*at_release, other), (&at_release, &at_release), (SELF_HOSTED, SELF_HOSTED), ("", "")] {
        let refused = by(said, Some(wanted)).judged();
        assert!(matches!(refused, Err(ProvenanceError::Builder { .. })), "{wanted}: {refused:?}");
    }
    // Nor does the builder that everybody is name a workflow of another repository.
    let strange = by(TRAINING_BUILDER, Some(TRAINING_BUILDER)).change(|it| it.signer = certificate(&at_release, TAG));
    let refused = strange.judged();
    assert!(matches!(refused, Err(ProvenanceError::UnrecognisedSigner { .. })), "{refused:?}");
    for said in [TRAINING_BUILDER, HOSTED, &attested().signer.text(9).expect("a text")] {
        by(said, Some(said)).judged().expect("it is vouched for");
        by(said, None).judged().expect("no builder is asked for");
    }
}

#[test]
fn a_recognised_builder_trains_no_models() {
    let builder = generator("generator_generic_slsa3.yml", "refs/tags/v2.1.0");
    let refused = trained(TRAINING_BUILDER, &[(&source(), COMMIT)]).change(|it| it.signer = certificate(&builder, TAG));
    assert!(matches!(refused.judged(), Err(ProvenanceError::BuildType { .. })));
}

#[test]
fn a_source_that_the_certificate_does_not_name_meets_no_expectation() {
    let of = |uri: &str, commit: &str| trained(TRAINING_BUILDER, &[(&source(), COMMIT), (uri, commit)]);
    let other = "f".repeat(40);
    for (start, end) in [("git+", ""), ("git+git+", ""), ("git+", ".git")] {
        let address = format!("{start}https://github.com/{REPOSITORY}{end}");
        let branch = of(&format!("{address}@refs/heads/protected"), COMMIT)
            .change(|it| it.expected.branch = Some("protected".to_owned()));
        assert!(matches!(branch.judged(), Err(ProvenanceError::Branch { .. })), "{address}");
        let commit = of(&address, &other).change(|it| it.expected.commit = Some(other.clone()));
        assert!(matches!(commit.judged(), Err(ProvenanceError::Commit { .. })), "{address}");
    }
    let elsewhere = of("git+https://github.com/owner/other@refs/heads/protected", &other).change(|it| {
        it.expected.source = Some(SourceExpectation::Owner("owner".to_owned()));
        it.expected.branch = Some("protected".to_owned());
    });
    let refused = elsewhere.judged();
    assert!(matches!(refused, Err(ProvenanceError::Branch { .. })), "{refused:?}");
}

#[test]
fn what_started_a_job_is_not_taken_from_the_job() {
    let events: [(&str, &str, Value); 3] = [
        ("push", TAG, json!({ "base_ref": "refs/heads/protected" })),
        ("release", TAG, json!({ "release": { "target_commitish": "protected" } })),
        ("workflow_dispatch", "refs/heads/other", json!({ "inputs": { "a": "b" } })),
    ];
    for (event, reference, payload) in events {
        let mut provenance = attested();
        provenance.statement["predicate"]["buildDefinition"]["internalParameters"]["github"]["GITHUB_EVENT_PAYLOAD"] =
            payload;
        let text = provenance.statement.to_string().replace(TAG, reference);
        provenance.statement = serde_json::from_str(&text.replace("\"push\"", &format!("\"{event}\""))).expect("JSON");
        let name = provenance.signer.text(9).expect("a text").replace(TAG, reference);
        provenance.signer = certificate(&name, reference).with(2, event).with(20, event);
        provenance.judged().unwrap_or_else(|error| panic!("{event}: {error}"));
        if event == "workflow_dispatch" {
            provenance.expected.inputs = vec![("a".to_owned(), "b".to_owned())];
            assert!(matches!(provenance.judged(), Err(ProvenanceError::Input { .. })));
        } else {
            provenance.expected.branch = Some("protected".to_owned());
            assert!(matches!(provenance.judged(), Err(ProvenanceError::Branch { .. })), "{event}");
        }
    }
}
