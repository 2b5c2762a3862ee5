//! A statement of any bytes behind a signature that holds is refused, or says what was expected, and is of what it names.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use model_transparency::hash::HashAlgorithm;
use model_transparency::key::{KeyAlgorithm, PrivateKey, PrivateKeyPem, SigningKey as _, generate};
use model_transparency::manifest::{Manifest, Parameters, Resource};
use model_transparency::model::{ModelPath, SymlinkPolicy};
use model_transparency::provenance::{
    Artifact, ArtifactDigests, Coverage, Expectations, InputExpectation, Match, ModelDigests, Named, ProvenanceTrust,
    SignerExpectation, SourceExpectation, TRAINING_BUILD_TYPE, TrainingExpectations, check_document, documents, judge,
};
use model_transparency::trust::Trust;

#[expect(dead_code, reason = "only its Base64 is needed")]
#[path = "support/log.rs"]
mod log;

use log::base64;

const BUILDER: &str = "https://b.example";
const SOURCE: &str = "https://git.example.com/team/app";

static KEY: LazyLock<PrivateKey> = LazyLock::new(|| {
    let (pem, _) = generate(KeyAlgorithm::Ed25519, None).expect("a key");
    PrivateKeyPem::parse(pem.as_bytes()).and_then(|pem| pem.into_key(None)).expect("a key")
});

/// Nothing, a builder and its source, training.
static EXPECTED: LazyLock<[Expectations; 3]> = LazyLock::new(|| {
    let built = Expectations {
        source: Some(SourceExpectation::Uri(SOURCE.to_owned())),
        signer: SignerExpectation { builder_id: Some(BUILDER.to_owned()), ..SignerExpectation::default() },
        ..Expectations::default()
    };
    let training = TrainingExpectations {
        datasets: vec![InputExpectation::parse("hf://d").expect("an address")],
        parameters: vec![("lr".to_owned(), "0.1".to_owned())],
        ..TrainingExpectations::default()
    };
    let trained = Expectations { training, min_level: Some(1), ..Expectations::default() };
    [Expectations::default(), built, trained]
});

static FILE: LazyLock<ArtifactDigests> = LazyLock::new(|| {
    let mut digests = ArtifactDigests::default();
    assert!(digests.add("sha256", &"a".repeat(64)) && digests.add("sha512", &"b".repeat(128)));
    digests
});

/// Two files: the seeds have their digests, and those of the whole.
static MODEL: LazyLock<ModelDigests> = LazyLock::new(|| {
    let file = |path: &str, content: &[u8]| {
        Resource::file(&ModelPath::parse(path).expect("a path"), HashAlgorithm::Sha256.digest(content))
    };
    let resources = vec![file("config.json", b"1"), file("sub/weights", b"2")];
    let manifest = Manifest::new(resources, Parameters::new(SymlinkPolicy::Deny)).expect("valid");
    ModelDigests::of(&manifest).expect("by files, with SHA-256")
});

fuzz_target!(|payload: &[u8]| {
    let signed = [format!("DSSEv1 28 application/vnd.in-toto+json {} ", payload.len()).as_bytes(), payload].concat();
    let signature = base64(&KEY.sign(&signed).expect("own keys sign"));
    let encoded = base64(payload);
    let envelope = format!(
        r#"{{"payload":"{encoded}","payloadType":"application/vnd.in-toto+json","signatures":[{{"sig":"{signature}"}}]}}"#
    );
    let found = documents(envelope.as_bytes()).expect("an envelope");
    let trust = ProvenanceTrust::Named(Named { trust: Trust::key(KEY.public_key()), certificates: &[] });
    let Ok(signed) = check_document(&found[0], trust) else { return };
    for (index, expected) in EXPECTED.iter().enumerate() {
        let Ok(judged) = judge(signed.clone(), expected) else { continue };
        for artifact in [Artifact::Digests(FILE.clone()), Artifact::Model(MODEL.clone())] {
            for coverage in [Coverage::Whole, Coverage::Partial] {
                let Ok(verified) = judged.find(&artifact, coverage) else { continue };
                assert_eq!(verified.payload(), payload);
                let facts = verified.facts();
                match index {
                    1 => {
                        assert!(facts.builder_id.starts_with(BUILDER));
                        assert!(facts.sources.iter().any(|source| source.repository().ends_with("/team/app")));
                    }
                    2 => {
                        assert_eq!(facts.build_type, TRAINING_BUILD_TYPE);
                        assert!(verified.level().number >= Some(1));
                    }
                    _ => {}
                }
                match (verified.found(), &artifact) {
                    (Match::File(subject), Artifact::Digests(known)) => {
                        let known = known.by_algorithm();
                        assert!(known.iter().any(|(algorithm, hex)| subject.digest.get(algorithm) == Some(hex)));
                    }
                    (Match::Directory { subject, .. }, Artifact::Model(model)) => {
                        let whole = model.whole();
                        assert!(whole.iter().any(|(algorithm, hex)| subject.digest.get(algorithm) == Some(hex)));
                    }
                    (Match::Files { covered, uncovered, .. }, Artifact::Model(model)) => {
                        assert!(*covered > 0 && covered + uncovered.len() == model.paths().count());
                        assert!(coverage == Coverage::Partial || uncovered.is_empty());
                    }
                    other => panic!("a file is no directory: {other:?}"),
                }
            }
        }
    }
});
