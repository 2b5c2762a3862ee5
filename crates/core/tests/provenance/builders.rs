//! Builders whom a delegator of slsa-github-generator names: which count, at which tags and levels.

use fake_sigstore::Identity;
use model_transparency::certificate::IdentityRule;
use model_transparency::provenance::{Level, ProvenanceError, Repository, SignerExpectation};

use crate::authority::Provenance;
use crate::statements::{COMMIT, TAG, certificate, delegated, every_kind, generator, signer};

const DELEGATORS: [&str; 2] = ["delegator_generic_slsa3.yml", "delegator_lowperms-generic_slsa3.yml"];
const JRELEASER: &str = "https://github.com/jreleaser/release-action/.github/workflows/builder_slsa3.yml";

fn by(delegator: &str, builder: &str, asked_for: Option<&str>) -> Result<Level, ProvenanceError> {
    of(certificate(&generator(delegator, "refs/tags/v2.1.0"), TAG), builder, asked_for).judged()
}

fn of(certificate: Identity, builder: &str, asked_for: Option<&str>) -> Provenance {
    delegated(builder).change(|it| {
        it.signer = certificate;
        it.expected.signer = signer(asked_for, None);
    })
}

#[test]
fn maven_gradle_and_other_builders_of_the_generator_are_at_level_3_at_a_release() {
    for delegator in DELEGATORS {
        for file in ["builder_maven_slsa3.yml", "builder_gradle_slsa3.yml", "builder_nodejs_slsa3.yml"] {
            let released = generator(file, "refs/tags/v2.1.0");
            let (name, _) = released.split_once('@').expect("a reference");
            for asked_for in [None, Some(name), Some(&*released), Some(&format!("{name}@v2.1.0"))] {
                assert_eq!(by(delegator, &released, asked_for).expect(file).number, Some(3));
            }
            for asked_for in [&*format!("{name}@v2.1.1"), JRELEASER] {
                let refused = by(delegator, &released, Some(asked_for));
                assert!(matches!(refused, Err(ProvenanceError::Builder { .. })), "{refused:?}");
            }
            for reference in
                ["refs/heads/main", "refs/heads/v2.1.0", "refs/tags/v2.1", "refs/tags/v2.1.0-rc.1", "v2.1.0"]
            {
                for asked_for in [None, Some(name)] {
                    let refused = by(delegator, &generator(file, reference), asked_for);
                    assert!(matches!(refused, Err(ProvenanceError::NotReleased { .. })), "{reference}: {refused:?}");
                }
            }
        }
    }
}

#[test]
fn a_delegator_that_is_not_at_a_release_is_refused() {
    let builder = generator("builder_maven_slsa3.yml", "refs/tags/v2.1.0");
    for delegator in DELEGATORS {
        let signer = certificate(&generator(delegator, "refs/heads/main"), TAG);
        let refused = of(signer, &builder, None).judged();
        assert!(matches!(refused, Err(ProvenanceError::NotReleased { expected: "vX.Y.Z", .. })), "{refused:?}");
    }
}

#[test]
fn other_builders_have_to_be_asked_for_and_are_at_level_1() {
    let other = "https://github.com/owner/builders/.github/workflows/builder.yml@refs/tags/v1.0.0";
    let refused = by(DELEGATORS[0], other, None);
    assert!(matches!(refused, Err(ProvenanceError::UnrecognisedSigner { .. })), "{refused:?}");
    assert_eq!(by(DELEGATORS[0], other, Some(other)).expect("asked for").number, Some(1));
    for imitation in ["slsa-framework/slsa-github-generator-2", "slsa-framework/other", "evil/slsa-github-generator"] {
        let imitation = generator("builder_maven_slsa3.yml", "refs/tags/v2.1.0")
            .replace("slsa-framework/slsa-github-generator", imitation);
        let refused = by(DELEGATORS[0], &imitation, None);
        assert!(matches!(refused, Err(ProvenanceError::UnrecognisedSigner { .. })), "{refused:?}");
    }
}

#[test]
fn jreleasers_builder_is_at_a_release_for_java() {
    for asked_for in [JRELEASER, &format!("{JRELEASER}@v1.2.3-java")] {
        let level = by(DELEGATORS[0], &format!("{JRELEASER}@refs/tags/v1.2.3-java"), Some(asked_for));
        assert_eq!(level.expect("asked for").number, Some(1));
    }
    let refused = by(DELEGATORS[0], &format!("{JRELEASER}@refs/tags/v1.2.3-java"), None);
    assert!(matches!(refused, Err(ProvenanceError::UnrecognisedSigner { .. })), "{refused:?}");
    for reference in [
        "refs/tags/v1.2.3",
        "refs/tags/v1.2-java",
        "refs/tags/v1-java",
        "refs/tags/v1.2.3-java.1",
        "refs/tags/v1.2.3-java+build1",
        "refs/tags/v1.2.3-rust",
        "refs/tags/1.2.3-java",
        "refs/heads/v1.2.3-java",
        "refs/v1.2.3-java",
    ] {
        let refused = by(DELEGATORS[0], &format!("{JRELEASER}@{reference}"), Some(JRELEASER));
        let is_expected = matches!(refused, Err(ProvenanceError::NotReleased { expected: "vX.Y.Z-java", .. }));
        assert!(is_expected, "{reference}: {refused:?}");
    }
    // The exception is of that repository alone.
    for other in ["jreleaser/other", "evil/release-action", "jreleaser/release-action-2"] {
        let other = JRELEASER.replace("jreleaser/release-action", other);
        let refused = by(DELEGATORS[0], &format!("{other}@refs/tags/v1.2.3-java"), Some(&other));
        assert!(matches!(refused, Err(ProvenanceError::NotReleased { expected: "vX.Y.Z", .. })), "{refused:?}");
    }
}

#[test]
fn each_part_of_the_signer_can_be_asked_for() {
    for (kind, provenance) in every_kind() {
        let name = provenance.signer.text(9).expect("a text");
        let path = name.strip_prefix("https://github.com/").expect("on GitHub");
        let repository: String = path.splitn(3, '/').take(2).collect::<Vec<_>>().join("/");
        let of = |[workflow, repository, digest, identity]: [Option<&str>; 4]| SignerExpectation {
            builder_id: None,
            workflow: workflow.map(str::to_owned),
            repository: repository.map(|text| Repository::parse(text).expect(text)),
            digest: digest.map(str::to_owned),
            identity: identity.map(|text| IdentityRule::Exact(text.to_owned())),
        };
        let right = [path, &repository, COMMIT, &name];
        let wrong = ["owner/name/.github/workflows/w.yml", "owner/other", "0123", "https://github.com/owner/name"];
        let whats = ["workflow", "repository", "commit", "identity"];
        for (part, expected) in whats.into_iter().enumerate() {
            let asked_for = |texts: [&str; 4]| {
                let mut parts = [None; 4];
                parts[part] = Some(texts[part]);
                provenance.clone().change(|it| it.expected.signer = of(parts)).judged()
            };
            asked_for(right).unwrap_or_else(|error| panic!("{kind}: {error}"));
            let refused = asked_for(wrong);
            let is_expected = matches!(refused, Err(ProvenanceError::Signer { what, .. }) if what == expected);
            assert!(is_expected, "{kind}: {expected}: {refused:?}");
        }
    }
}
