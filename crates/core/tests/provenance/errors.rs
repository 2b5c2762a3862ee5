//! Every reason to refuse provenance, with the test that produces it.

use model_transparency::hash::HashAlgorithm;
use model_transparency::key::{KeyAlgorithm, SigningKey as _};
use model_transparency::manifest::{Manifest, Parameters, Resource};
use model_transparency::model::{ModelPath, SymlinkPolicy};
use model_transparency::provenance::vsa::{self, TrustedKey, VsaError};
use model_transparency::provenance::{
    Artifact, BuilderMap, Document, Expectations, InputExpectation, InvalidBuilderMap, InvalidCollection,
    InvalidEnvelope, InvalidProvenance, MAX_BUILDER_MAP_BYTES, MAX_PROVENANCE_BYTES, ModelDigests, Named,
    ProvenanceError, ProvenanceTrust, Repository, SourceExpectation, TRAINING_BUILD_TYPE, check_document, documents,
    judge,
};
use model_transparency::trust::{Anchors, CertificateTrust, Trust};
use serde_json::{Value, json};

use crate::authority::{Provenance, signed, trusting_github};
use crate::forge::{KEY, PAYLOAD_TYPE, new_key};
use crate::statements::{TAG, attested, certificate, generated, generator, signer};

/// A test for each variant of an error. One without a line does not compile.
macro_rules! every_variant {
    ($error:ident, $module:ident: $($variant:ident by $test:ident: $produced:expr;)*) => {
        mod $module {
            use super::*;

            const _: fn(&$error) -> &'static str = |error| match error {
                $($error::$variant { .. } => stringify!($test),)*
            };

            $(
                #[test]
                fn $test() {
                    let error: $error = $produced;
                    assert!(matches!(error, $error::$variant { .. }), "{error:?}");
                    assert!(!error.to_string().is_empty());
                }
            )*
        }
    };
}

every_variant! { ProvenanceError, provenance:
    Signature by a_bundle_of_another_instance_is_refused: {
        let other = fake_sigstore::Instance::start();
        let bundle = other.attest(&other.certify(&generated().signer), generated().statement.to_string().as_bytes());
        trusting_github(&Document::Bundle(bundle.to_string().into_bytes())).expect_err("of another instance")
    };
    Bundle by a_bundle_of_a_key_that_is_none_is_refused: by_key(&Document::Bundle(b"{}".to_vec()));
    Envelope by an_envelope_that_is_none_is_refused: by_key(&envelope_of(b"{}".to_vec()));
    Key by an_envelope_of_another_key_is_refused: {
        let other = new_key(KeyAlgorithm::EcdsaP256);
        let bundle = crate::forge::bundle_by(&other, generated().statement.to_string().as_bytes());
        by_key(&envelope_of(bundle["dsseEnvelope"].to_string().into_bytes()))
    };
    Undated by an_envelope_of_a_workflow_without_its_log_entry_is_refused:
        trusting_github(&keyed(&generated().statement)).expect_err("no time");
    NoCertificate by an_envelope_without_a_certificate_is_refused: {
        let trust = CertificateTrust {
            anchors: Anchors::Given(&[]),
            identity: None,
            revocation_lists: &[],
            now: model_transparency::certificate::UnixTime(0),
        };
        let named = Named { trust: Trust::certificates(trust), certificates: &[] };
        check_document(&keyed(&generated().statement), ProvenanceTrust::Named(named)).expect_err("no certificate")
    };
    Invalid by a_statement_of_another_predicate_is_refused: refused(|it| set(it, "/predicateType", "https://example.com/"));
    Issuer by a_signer_of_another_provider_is_refused:
        refused(|it| it.signer = it.signer.clone().with(8, "https://gitlab.com").with(1, "https://gitlab.com"));
    NoWorkflow by a_signer_that_is_no_workflow_is_refused:
        refused(|it| it.signer = it.signer.clone().named(&["https://example.com/workflow"]));
    UnrecognisedSigner by a_workflow_in_no_table_is_refused:
        refused(|it| it.signer = certificate("https://github.com/evil/name/.github/workflows/w.yml@refs/tags/v1.0.0", TAG));
    NotReleased by a_builder_on_a_branch_is_refused:
        refused(|it| it.signer = certificate(&generator("generator_generic_slsa3.yml", "refs/heads/main"), TAG));
    Builder by another_builder_than_the_signer_is_refused:
        refused(|it| set(it, "/predicate/builder/id", &generator("builder_go_slsa3.yml", "refs/tags/v2.1.0")));
    Signer by another_signer_than_was_asked_for_is_refused:
        refused(|it| it.expected.signer = signer(None, Some("owner/name/.github/workflows/other.yml")));
    BuildType by a_build_type_of_another_builder_is_refused: refused(|it| set(
        it, "/predicate/buildType", "https://github.com/slsa-framework/slsa-github-generator/go@v1",
    ));
    Claim by a_run_that_is_not_the_certificates_is_refused:
        refused(|it| set(it, "/predicate/metadata/buildInvocationID", "30433642-2"));
    NoClaim by what_nobody_vouches_for_is_refused:
        attested().change(|it| it.signer = it.signer.clone().without(21)).judged().expect_err("nobody says which run");
    Trigger by a_source_that_did_not_trigger_the_build_is_refused: refused(|it| set(
        it, "/predicate/materials/0/uri", "git+https://github.com/owner/other@refs/tags/v1.2.3",
    ));
    Source by another_source_is_refused: refused(|it| {
        let other = Repository::parse("owner/other").expect("a repository");
        it.expected.source = Some(SourceExpectation::Repository(other));
    });
    Branch by another_branch_is_refused: refused(|it| it.expected.branch = Some("other".to_owned()));
    Tag by another_tag_is_refused: refused(|it| it.expected.tag = Some("v1.2.4".to_owned()));
    Reference by another_reference_is_refused:
        refused(|it| it.expected.reference = Some("refs/heads/main".to_owned()));
    Commit by another_commit_is_refused: refused(|it| it.expected.commit = Some("0".repeat(40)));
    Input by another_input_is_refused: refused(|it| it.expected.inputs.push(("level".to_owned(), "9".to_owned())));
    SelfHosted by a_runner_that_github_does_not_host_is_refused: refused(|it| {
        it.signer = it.signer.clone().with(11, "self-hosted");
        it.expected.deny_self_hosted = true;
    });
    Level by a_level_that_is_too_low_is_refused: refused(|it| {
        it.signer = it.signer.clone().with(11, "self-hosted");
        it.expected.min_level = Some(2);
    });
    NotTraining by provenance_of_another_build_says_nothing_of_training:
        refused(|it| it.expected.training.datasets.push(InputExpectation::parse("hf://d").expect("an input")));
    Material by another_dataset_is_refused:
        of_training(|it| it.training.datasets.push(InputExpectation::parse("hf://d").expect("an input")));
    Parameter by another_parameter_is_refused:
        of_training(|it| it.training.parameters.push(("rate".to_owned(), "1".to_owned())));
    Uncovered by a_file_of_the_model_that_is_no_subject_is_refused: {
        let resource = |name: &str, digest| Resource::file(&ModelPath::parse(name).expect("a name"), digest);
        let digest = HashAlgorithm::Sha256.digest(b"one");
        let resources = vec![resource("a", digest.clone()), resource("b", HashAlgorithm::Sha256.digest(b"two"))];
        let manifest = Manifest::new(resources, Parameters::new(SymlinkPolicy::Deny)).expect("a manifest");
        refused(|it| {
            set(it, "/subject/0/digest/sha256", &digest.to_hex());
            it.artifact = Artifact::Model(ModelDigests::of(&manifest).expect("of files"));
        })
    };
    Subject by another_artifact_is_refused: refused(|it| set(it, "/subject/0/digest/sha256", &"00".repeat(32)));
}

every_variant! { InvalidProvenance, statement:
    Json by a_statement_with_a_member_twice_is_refused: {
        let twice = generated().statement.to_string().replacen('{', r#"{"a":1,"a":1,"#, 1);
        let document = signed(&generated().certified(), &twice);
        invalid(trusting_github(&document).expect_err("twice"))
    };
    StatementType by a_statement_of_another_type_is_refused:
        invalid(refused(|it| set(it, "/_type", "https://in-toto.io/Statement/v2")));
    NoSubject by a_statement_about_nothing_is_refused: {
        let mut statement = generated().statement;
        statement.as_object_mut().expect("an object").remove("subject");
        invalid(by_key(&keyed(&statement)))
    };
    PredicateType by a_predicate_of_another_type_is_refused:
        invalid(refused(|it| it.expected.predicate_type = Some("https://slsa.dev/provenance/v1".to_owned())));
    Member by a_source_that_is_not_in_git_is_refused:
        invalid(refused(|it| set(it, "/predicate/materials/0/uri", "https://example.com/source.tgz")));
    UnknownParameter by a_parameter_that_the_build_type_does_not_have_is_refused: {
        let more = |it: &mut Provenance| {
            it.statement["predicate"]["buildDefinition"]["externalParameters"]["more"] = json!(1);
        };
        invalid(attested().change(more).judged().expect_err("one more"))
    };
}

every_variant! { InvalidCollection, collection:
    Json by a_file_that_is_no_json_is_refused: documents(b"{").expect_err("cut off");
    Chains by a_run_of_tekton_without_provenance_is_refused: {
        let run = json!({
            "kind": "TaskRun",
            "apiVersion": "tekton.dev/v1",
            "metadata": { "annotations": { "chains.tekton.dev/signature-taskrun-1": "!" } },
        });
        documents(run.to_string().as_bytes()).expect_err("no envelope")
    };
    Empty by a_file_with_nothing_is_refused: documents(b"").expect_err("nothing");
    TooMany by a_file_that_is_too_large_is_refused:
        documents(&vec![b' '; MAX_PROVENANCE_BYTES + 1]).expect_err("too large");
    Unsigned by a_statement_that_nobody_signed_is_refused:
        documents(generated().statement.to_string().as_bytes()).expect_err("not signed");
    Unknown by a_file_of_something_else_is_refused: documents(b"{}").expect_err("something else");
}

every_variant! { InvalidBuilderMap, builder_map:
    TooLarge by a_map_that_is_too_large_is_refused:
        BuilderMap::from_json(&vec![b' '; MAX_BUILDER_MAP_BYTES + 1]).expect_err("too large");
    Json by a_map_that_is_no_json_is_refused: BuilderMap::from_json(b"[]").expect_err("no object");
    Level by a_level_that_is_none_is_refused: map_of(&[4]);
    Twice by an_entry_that_stands_twice_is_refused: map_of(&[1, 2]);
}

every_variant! { InvalidEnvelope, envelope:
    TooLarge by an_envelope_that_is_too_large_is_refused:
        envelope_with(|it| it["more"] = "x".repeat(usize::try_from(vsa::MAX_ENVELOPE_BYTES).expect("fits")).into());
    Json by an_envelope_without_signatures_is_refused:
        envelope_with(|it| drop(it.as_object_mut().expect("an object").remove("signatures")));
    NoAttestation by a_bundle_of_a_file_is_refused: {
        let bundle = json!({ "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json", "messageSignature": {} });
        let trusted = TrustedKey::new(KEY.public_key(), None, None).expect("a key");
        let expected = vsa::Expectations::new(&["sha256:aa".to_owned()], "v", "r", &[]).expect("valid");
        match vsa::verify_summary(bundle.to_string().as_bytes(), &trusted, &expected) {
            Err(VsaError::Envelope(error)) => error,
            other => panic!("{other:?}"),
        }
    };
    PayloadType by a_payload_of_another_type_is_refused: envelope_with(|it| it["payloadType"] = "text/plain".into());
    NoSignature by an_envelope_that_nobody_signed_is_refused: envelope_with(|it| it["signatures"] = json!([]));
    TooManySignatures by an_envelope_with_many_signatures_is_refused:
        envelope_with(|it| it["signatures"] = vec![it["signatures"][0].clone(); 17].into());
    Base64 by a_payload_that_is_no_base64_is_refused: envelope_with(|it| it["payload"] = "!".into());
    Certificate by a_certificate_that_is_none_is_refused: envelope_with(|it| it["signatures"][0]["cert"] = "x".into());
    Empty by a_payload_of_nothing_is_refused: envelope_with(|it| it["payload"] = "".into());
}

/// The refusal of the generic generator's provenance, changed.
fn refused(change: impl FnOnce(&mut Provenance)) -> ProvenanceError {
    generated().judged().expect("accepted as it is");
    generated().change(change).judged().expect_err("refused")
}

fn set(provenance: &mut Provenance, pointer: &str, text: &str) {
    *provenance.statement.pointer_mut(pointer).expect(pointer) = text.into();
}

fn invalid(error: ProvenanceError) -> InvalidProvenance {
    match error {
        ProvenanceError::Invalid(error) => error,
        other => panic!("{other:?}"),
    }
}

fn envelope_of(envelope: Vec<u8>) -> Document {
    Document::Envelope { envelope, certificate_chain_pem: None }
}

/// An envelope of [`KEY`].
fn keyed(statement: &Value) -> Document {
    let bundle = crate::forge::bundle_by(&KEY, statement.to_string().as_bytes());
    envelope_of(bundle["dsseEnvelope"].to_string().into_bytes())
}

fn trusting_key() -> ProvenanceTrust<'static> {
    ProvenanceTrust::Named(Named { trust: Trust::key(KEY.public_key()), certificates: &[] })
}

/// The refusal of somebody who trusts [`KEY`].
fn by_key(document: &Document) -> ProvenanceError {
    check_document(document, trusting_key()).expect_err("refused")
}

/// The refusal of provenance of training by [`KEY`], of which nothing is expected but `change`.
fn of_training(change: impl FnOnce(&mut Expectations)) -> ProvenanceError {
    let statement = json!({
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{ "digest": { "sha256": "ab".repeat(32) } }],
        "predicateType": "https://slsa.dev/provenance/v1",
        "predicate": {
            "buildDefinition": { "buildType": TRAINING_BUILD_TYPE, "externalParameters": { "parameters": { "rate": "2" } } },
            "runDetails": { "builder": { "id": "https://example.com/trainer" } },
        },
    });
    let mut expected = Expectations::default();
    let judged =
        |expected: &Expectations| judge(check_document(&keyed(&statement), trusting_key()).expect("signed"), expected);
    judged(&expected).expect("accepted as it is");
    change(&mut expected);
    judged(&expected).expect_err("refused")
}

/// The refusal of a map of the same builder at each of these levels.
fn map_of(levels: &[u8]) -> InvalidBuilderMap {
    let entry = |level| json!({ "signer": { "key": "k" }, "builder_id": "b", "level": level });
    let map = json!({ "builders": levels.iter().map(entry).collect::<Vec<_>>() });
    BuilderMap::from_json(map.to_string().as_bytes()).expect_err("refused")
}

/// The refusal of an envelope of [`KEY`], changed.
fn envelope_with(change: impl FnOnce(&mut Value)) -> InvalidEnvelope {
    let mut envelope = crate::forge::bundle_by(&KEY, b"{}")["dsseEnvelope"].clone();
    assert_eq!(envelope["payloadType"], PAYLOAD_TYPE);
    change(&mut envelope);
    match by_key(&envelope_of(envelope.to_string().into_bytes())) {
        ProvenanceError::Envelope(error) => error,
        other => panic!("{other:?}"),
    }
}
