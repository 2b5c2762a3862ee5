//! The format of model_signing 0.2.0 (OMS §11): files as subjects, and signatures over a malformed encoding.

use std::path::Path;

use aws_lc_rs::digest;
use aws_lc_rs::signature::{ECDSA_P384_SHA384_ASN1_SIGNING, EcdsaKeyPair};
use model_transparency::envelope::{FormatVersion, InvalidJson, InvalidStatement};
use model_transparency::hash::{HashAlgorithm, InvalidDigest, Options};
use model_transparency::key::{KeyAlgorithm, PrivateKeyPem, PublicKey, SignatureScheme, SigningKey as _, generate};
use model_transparency::manifest::{InvalidManifest, Parameters};
use model_transparency::model::{IgnoreRules, InvalidPath, LocalModel, SymlinkPolicy, Unlisted};
use model_transparency::trust::Trust;
use model_transparency::verify::{CompareError, CompareOptions, SignatureError, check_signature, compare};
use serde_json::{Value, json};

use crate::forge::{
    Change, Expected, KEY, Refusal, bundle_by, bundle_with, new_key, pae, read, read_by, refused, signed, statement,
    verify, write_model,
};

/// The v0.2.0 statement of the model of two files.
fn statement_v0_2() -> Value {
    let subject = |name: &str, content: &[u8]| {
        json!({
            "name": name,
            "digest": { "sha256": HashAlgorithm::Sha256.digest(content).to_hex() },
            "annotations": { "actual_hash_algorithm": "file-sha256" },
        })
    };
    json!({
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [subject("a", b"one"), subject("b/c", b"two")],
        "predicateType": "https://model_signing/Digests/v0.1",
        "predicate": { "unused": "Unused, just passed due to API requirements" },
    })
}

/// What v0.2.0 signed: the payload as Python prints a bytes object. Written for the payloads of this file, which have
/// double quotes and no control characters but line breaks.
fn encoding_v0_2(payload: &str) -> Vec<u8> {
    assert!(payload.contains('"'));
    let escaped = payload.replace('\\', r"\\").replace('\'', r"\'").replace('\n', r"\n");
    let escaped: String = escaped
        .bytes()
        .map(|byte| match byte {
            b' '..=b'~' => char::from(byte).to_string(),
            _ => format!("\\x{byte:02x}"),
        })
        .collect();
    format!("DSSEV1 28 application/vnd.in-toto+json {} b'{escaped}'", payload.len()).into_bytes()
}

/// A bundle around `payload` as v0.2.0 made it with a P-256 key.
fn signed_v0_2(payload: &str) -> Vec<u8> {
    let signature = KEY.sign(&encoding_v0_2(payload)).expect("own keys sign");
    let mut bundle = bundle_with(payload.as_bytes(), &signature, "");
    bundle["verificationMaterial"] = json!({
        "publicKey": { "rawBytes": "AAAA", "keyDetails": "PKIX_ECDSA_P256_SHA_256" },
    });
    bundle["dsseEnvelope"]["signatures"][0]["keyid"] = Value::Null;
    bundle.to_string().into_bytes()
}

fn model() -> tempfile::TempDir {
    let scratch = tempfile::tempdir().expect("a temporary directory");
    write_model(scratch.path());
    scratch
}

#[test]
fn the_malformed_encoding_is_accepted_with_its_own_predicate_alone() {
    let model = model();
    let old = statement_v0_2().to_string();
    let verdict = verify(&signed_v0_2(&old), model.path()).unwrap_or_else(|refusal| panic!("{refusal}"));
    assert_eq!(verdict.statement.format(), FormatVersion::V0_2);
    assert_eq!(verdict.evidence.scheme, SignatureScheme::EcdsaSha256);
    assert_eq!(verdict.files, 2);

    refused!(Refusal::Statement(InvalidStatement::EncodingV0_2))
        .assert("with the predicate of v1.0", read(&signed_v0_2(&statement().to_string())));
    let mut later = statement();
    later["predicateType"] = "https://model_signing/signature/v1.1".into();
    refused!(Refusal::Statement(InvalidStatement::EncodingV0_2))
        .assert("with the predicate of v1.1", read(&signed_v0_2(&later.to_string())));
}

/// v0.2.0 signed so with Sigstore: its predicate is good, whatever the key method did to the encoding.
#[test]
fn the_old_predicate_is_accepted_with_the_encoding_of_dsse() {
    let model = model();
    let verdict =
        verify(&signed(statement_v0_2().to_string()), model.path()).unwrap_or_else(|refusal| panic!("{refusal}"));
    assert_eq!(verdict.statement.format(), FormatVersion::V0_2);
    assert_eq!(verdict.evidence.scheme, SignatureScheme::Ecdsa);
}

#[test]
fn the_malformed_encoding_is_that_of_python() {
    let mut statement = statement_v0_2();
    let compact = statement.to_string();
    let pretty = serde_json::to_string_pretty(&statement).expect("serialises");
    statement["subject"][0]["name"] = "it's \\ \u{e9}".into();
    let special = statement.to_string();
    for payload in [&compact, &pretty, &special] {
        read(&signed_v0_2(payload)).unwrap_or_else(|refusal| panic!("{payload}: {refusal}"));
    }
    // The name with an apostrophe, checked on a file.
    #[cfg(not(windows))]
    {
        let model = model();
        std::fs::rename(model.path().join("a"), model.path().join("it's \\ \u{e9}")).expect("renamed");
        verify(&signed_v0_2(&special), model.path()).unwrap_or_else(|refusal| panic!("{refusal}"));
    }
}

#[test]
fn nothing_near_the_malformed_encoding_is_accepted() {
    let payload = statement_v0_2().to_string();
    let right = String::from_utf8(encoding_v0_2(&payload)).expect("ASCII");
    let rows = [
        ("DSSEv1", right.replace("DSSEV1", "DSSEv1")),
        ("no bytes literal", format!("DSSEV1 28 application/vnd.in-toto+json {} {payload}", payload.len())),
        ("no b", right.replace(" b'", " '")),
        ("double quotes", right.replace(" b'", " b\"")),
        ("the payload alone", payload.clone()),
    ];
    for (case, encoded) in rows {
        let signature = KEY.sign(encoded.as_bytes()).expect("own keys sign");
        let bundle = bundle_with(payload.as_bytes(), &signature, &KEY.public_key().hint()).to_string();
        refused!(Refusal::Signature(SignatureError::DoesNotVerify { .. })).assert(case, read(bundle.as_bytes()));
    }
}

/// v0.2.0 used SHA-256 with every curve.
#[test]
fn p_384_with_sha_256_is_accepted_over_the_malformed_encoding_alone() {
    let (pem, public) = generate(KeyAlgorithm::EcdsaP384, None).expect("keys can be made");
    let old = statement_v0_2().to_string();
    let sign = |message: &[u8]| sign_p384_with_sha_256(&pem, message);

    let model = model();
    let bundle = bundle_with(old.as_bytes(), &sign(&encoding_v0_2(&old)), "").to_string();
    let scheme = verify_by(&public, bundle.as_bytes(), model.path()).unwrap_or_else(|refusal| panic!("{refusal}"));
    assert_eq!(scheme, SignatureScheme::EcdsaSha256);

    let dsse = bundle_with(old.as_bytes(), &sign(&pae(old.as_bytes())), "").to_string();
    refused!(Refusal::Signature(SignatureError::DoesNotVerify { .. }))
        .assert("over the encoding of DSSE", verify_by(&public, dsse.as_bytes(), model.path()));
    let new = statement().to_string();
    let dsse = bundle_with(new.as_bytes(), &sign(&pae(new.as_bytes())), "").to_string();
    refused!(Refusal::Signature(SignatureError::DoesNotVerify { .. }))
        .assert("over a v1.0 statement", verify_by(&public, dsse.as_bytes(), model.path()));
    let malformed = bundle_with(new.as_bytes(), &sign(&encoding_v0_2(&new)), "").to_string();
    refused!(Refusal::Statement(InvalidStatement::EncodingV0_2))
        .assert("malformed over a v1.0 statement", verify_by(&public, malformed.as_bytes(), model.path()));
}

#[test]
fn keys_that_v0_2_0_did_not_have_do_not_sign_the_malformed_encoding() {
    let payload = statement_v0_2().to_string();
    for algorithm in [KeyAlgorithm::Ed25519, KeyAlgorithm::Rsa { bits: 2048 }] {
        let key = new_key(algorithm);
        let signature = key.sign(&encoding_v0_2(&payload)).expect("own keys sign");
        let bundle = bundle_with(payload.as_bytes(), &signature, &key.public_key().hint()).to_string();
        refused!(Refusal::Signature(SignatureError::DoesNotVerify { .. }))
            .assert(&algorithm.to_string(), read_by(&key, bundle.as_bytes()));
        let dsse = bundle_by(&key, payload.as_bytes()).to_string();
        read_by(&key, dsse.as_bytes()).unwrap_or_else(|refusal| panic!("{algorithm}: {refusal}"));
    }
}

#[test]
fn malformed_old_statements_are_refused() {
    let rows: &[(&str, Change, Expected)] = &[
        (
            "no subject",
            |s| s["subject"] = json!([]),
            refused!(Refusal::Statement(InvalidStatement::Manifest(InvalidManifest::Empty))),
        ),
        (
            "a name twice",
            |s| s["subject"][1]["name"] = "a".into(),
            refused!(Refusal::Statement(InvalidStatement::Manifest(InvalidManifest::DuplicateName { .. }))),
        ),
        (
            "an escaping name",
            |s| s["subject"][1]["name"] = "../a".into(),
            refused!(Refusal::Statement(InvalidStatement::ResourceName { error: InvalidPath::ParentDirectory, .. })),
        ),
        (
            "`.` beside others",
            |s| s["subject"][1]["name"] = ".".into(),
            refused!(Refusal::Statement(InvalidStatement::ResourceName { error: InvalidPath::CurrentDirectory, .. })),
        ),
        (
            "no SHA-256",
            |s| s["subject"][0]["digest"] = json!({ "blake2b": "00" }),
            refused!(Refusal::Statement(InvalidStatement::AlgorithmV0_2 { name, .. }) if name == "a"),
        ),
        (
            "the digest of a shard",
            |s| s["subject"][0]["annotations"]["actual_hash_algorithm"] = "file-sha256-1000".into(),
            refused!(Refusal::Statement(InvalidStatement::AlgorithmV0_2 { found, .. }) if found == "file-sha256-1000"),
        ),
        (
            "a short digest",
            |s| s["subject"][0]["digest"]["sha256"] = "00".into(),
            refused!(Refusal::Statement(InvalidStatement::ResourceDigest { error: InvalidDigest::Length { .. }, .. })),
        ),
        (
            "another statement type",
            |s| s["_type"] = "https://in-toto.io/Statement/v0.1".into(),
            refused!(Refusal::Statement(InvalidStatement::StatementType { .. })),
        ),
        (
            "an array as a subject",
            |s| s["subject"][0] = json!([s["subject"][0]["name"], s["subject"][0]["digest"], {}]),
            refused!(Refusal::Statement(InvalidStatement::Json(InvalidJson::Shape(_)))),
        ),
    ];
    for (case, change, expected) in rows {
        let mut statement = statement_v0_2();
        change(&mut statement);
        expected.assert(case, read(&signed_v0_2(&statement.to_string())));
    }
    let twice = statement_v0_2().to_string().replace(r#""name":"a""#, r#""name":"b","name":"a""#);
    refused!(Refusal::Statement(InvalidStatement::Json(InvalidJson::Shape(_))))
        .assert("twice", read(&signed_v0_2(&twice)));
}

#[test]
fn an_old_statement_lists_every_file() {
    let model = model();
    let bundle = signed_v0_2(&statement_v0_2().to_string());
    std::fs::create_dir(model.path().join(".git")).expect("created");
    std::fs::write(model.path().join(".git/config"), "").expect("written");
    verify(&bundle, model.path()).unwrap_or_else(|refusal| panic!("the defaults are ignored: {refusal}"));
    std::fs::write(model.path().join("a"), "eno").expect("written");
    std::fs::remove_file(model.path().join("b/c")).expect("removed");
    std::fs::write(model.path().join("d"), "").expect("written");
    refused!(Refusal::Compare(CompareError::Mismatch { difference, .. })
        if difference.changed.len() == 1 && difference.missing == ["b/c"] && difference.extra == ["d"])
    .assert("all that differs", verify(&bundle, model.path()));
}

#[test]
fn an_old_statement_records_no_parameters() {
    let statement = read(&signed_v0_2(&statement_v0_2().to_string())).expect("accepted");
    assert_eq!(*statement.get().manifest().parameters(), Parameters::new(SymlinkPolicy::Deny));
}

/// ECDSA takes the hash as a number, so SHA-256 is SHA-384 with sixteen zero bytes before it.
fn sign_p384_with_sha_256(pem: &str, message: &[u8]) -> Vec<u8> {
    PrivateKeyPem::parse(pem.as_bytes()).expect("an own key");
    let der = pem::parse(pem).expect("an own key").into_contents();
    let pair = EcdsaKeyPair::from_private_key_der(&ECDSA_P384_SHA384_ASN1_SIGNING, &der).expect("an own key");
    let mut number = vec![0; 16];
    number.extend_from_slice(digest::digest(&digest::SHA256, message).as_ref());
    let number = digest::Digest::import_less_safe(&number, &digest::SHA384).expect("48 bytes");
    pair.sign_digest(&number).expect("signs").as_ref().to_vec()
}

fn verify_by(key: &PublicKey, bundle: &[u8], model: &Path) -> Result<SignatureScheme, Refusal> {
    let bundle = model_transparency::envelope::Bundle::parse(bundle).map_err(Refusal::Bundle)?;
    let payload = check_signature(&bundle, Trust::key(key)).map_err(Refusal::Signature)?;
    let statement = payload.statement().map_err(Refusal::Statement)?;
    let options = CompareOptions {
        ignore: &IgnoreRules::defaults(),
        unsigned: Unlisted::Report,
        widen_symlinks: false,
        hashing: Options::default(),
    };
    let verdict = compare(statement, &options, |rules| LocalModel::open(model, rules)).map_err(Refusal::Compare)?;
    Ok(verdict.evidence.scheme)
}
