//! The bundle and the envelope (OMS §4, §8.1).

use std::fs::{self, File};
use std::io::ErrorKind;
use std::time::{Duration, Instant};

use model_transparency::envelope::{Bundle, InvalidBundle, InvalidJson, MAX_BUNDLE_BYTES, Material, ReadBundleError};
use model_transparency::key::{KeyAlgorithm, SigningKey as _};
use model_transparency::trust::Trust;
use model_transparency::verify::{SignatureError, check_signature};
use serde_json::{Value, json};

use crate::forge::{
    Change, Expected, KEY, Refusal, bundle_by, bundle_with, new_key, pae, read, read_by, refused, signed, statement,
    verify, write_model,
};

/// The bundle of a plain statement, changed.
fn changed(change: impl FnOnce(&mut Value)) -> Vec<u8> {
    let mut bundle = bundle_by(&KEY, statement().to_string().as_bytes());
    change(&mut bundle);
    bundle.to_string().into_bytes()
}

/// Rows of a table: what is changed, how, and the refusal.
type Row = (&'static str, Change, Expected);

#[test]
fn what_is_not_one_json_object_is_refused() {
    let whole = String::from_utf8(changed(|_| {})).expect("UTF-8");
    let inner = |member: &str, value: String| {
        let anchor = "\"tlogEntries\":[]";
        assert!(whole.contains(anchor));
        whole.replace(anchor, &format!("{anchor},\"{member}\":{value}")).into_bytes()
    };
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let rows: Vec<(&str, Vec<u8>, Expected)> = vec![
        ("an empty file", Vec::new(), refused!(Refusal::Bundle(InvalidBundle::Json(InvalidJson::Syntax(_))))),
        ("white space", b" \n".to_vec(), refused!(Refusal::Bundle(InvalidBundle::Json(InvalidJson::Syntax(_))))),
        ("prose", b"not JSON".to_vec(), refused!(Refusal::Bundle(InvalidBundle::Json(InvalidJson::Syntax(_))))),
        ("zeros", vec![0; 64], refused!(Refusal::Bundle(InvalidBundle::Json(InvalidJson::Syntax(_))))),
        (
            "a byte order mark",
            [b"\xef\xbb\xbf", whole.as_bytes()].concat(),
            refused!(Refusal::Bundle(InvalidBundle::Json(InvalidJson::Syntax(_)))),
        ),
        (
            "not UTF-8",
            inner("x", "\"@\"".to_owned()).iter().map(|b| if *b == b'@' { 0xff } else { *b }).collect(),
            refused!(Refusal::Bundle(InvalidBundle::Json(InvalidJson::Syntax(_)))),
        ),
        (
            "two documents",
            [whole.as_bytes(), whole.as_bytes()].concat(),
            refused!(Refusal::Bundle(InvalidBundle::Json(InvalidJson::Syntax(_)))),
        ),
        ("deep", deep.clone().into_bytes(), refused!(Refusal::Bundle(InvalidBundle::Json(InvalidJson::Syntax(_))))),
        (
            "deep where members are ignored",
            inner("x", deep),
            refused!(Refusal::Bundle(InvalidBundle::Json(InvalidJson::Syntax(_)))),
        ),
        ("null", b"null".to_vec(), refused!(Refusal::Bundle(InvalidBundle::Json(InvalidJson::Shape(_))))),
        ("a number", b"3".to_vec(), refused!(Refusal::Bundle(InvalidBundle::Json(InvalidJson::Shape(_))))),
        ("an array", b"[]".to_vec(), refused!(Refusal::Bundle(InvalidBundle::Json(InvalidJson::Shape(_))))),
    ];
    for (case, bytes, expected) in rows {
        expected.assert(case, read(&bytes));
    }
}

#[test]
fn a_truncated_bundle_is_refused_wherever_it_ends() {
    let whole = signed(statement().to_string());
    for length in 0..whole.len() {
        let error = Bundle::parse(&whole[..length]).expect_err("truncated");
        assert!(matches!(error, InvalidBundle::Json(InvalidJson::Syntax(_))), "{length} bytes: {error}");
    }
}

#[test]
fn members_that_stand_twice_are_refused() {
    let whole = String::from_utf8(changed(|_| {})).expect("UTF-8");
    let rows = [
        ("mediaType", r#""mediaType":"#, r#""mediaType":"application/json","mediaType":"#),
        ("an escaped name", r#""mediaType":"#, r#""\u006dediaType":"application/json","mediaType":"#),
        ("dsseEnvelope", r#""dsseEnvelope":"#, r#""dsseEnvelope":{},"dsseEnvelope":"#),
        ("payload", r#""payload":"#, r#""payload":"e30=","payload":"#),
        ("payloadType", r#""payloadType":"#, r#""payloadType":"x","payloadType":"#),
        ("signatures", r#""signatures":"#, r#""signatures":[],"signatures":"#),
        ("sig", r#""sig":"#, r#""sig":"","sig":"#),
        ("keyid", r#""keyid":"#, r#""keyid":"","keyid":"#),
        ("verificationMaterial", r#""verificationMaterial":"#, r#""verificationMaterial":{},"verificationMaterial":"#),
        ("publicKey", r#""publicKey":"#, r#""publicKey":{"hint":"x"},"publicKey":"#),
        ("hint", r#""hint":"#, r#""hint":"x","hint":"#),
        ("where members are ignored", r#""tlogEntries":"#, r#""x":[{"y":1,"y":1}],"tlogEntries":"#),
    ];
    for (case, member, twice) in rows {
        assert_eq!(whole.matches(member).count(), 1, "{case}");
        let bundle = whole.replace(member, twice);
        refused!(Refusal::Bundle(InvalidBundle::Json(InvalidJson::Shape(error))) if error.to_string().contains("twice"))
            .assert(case, read(bundle.as_bytes()));
    }
}

#[test]
fn arrays_are_not_taken_for_objects() {
    let rows: [(&str, Change); 7] = [
        ("the bundle", |b| *b = json!([b["mediaType"], b["verificationMaterial"], b["dsseEnvelope"]])),
        ("dsseEnvelope", |b| {
            let envelope = &b["dsseEnvelope"];
            b["dsseEnvelope"] = json!([envelope["payload"], envelope["payloadType"], envelope["signatures"]]);
        }),
        ("a signature", |b| {
            let signature = &b["dsseEnvelope"]["signatures"][0];
            b["dsseEnvelope"]["signatures"][0] = json!([signature["sig"], signature["keyid"]]);
        }),
        ("verificationMaterial", |b| b["verificationMaterial"] = json!([{ "hint": "x" }, null, null])),
        ("publicKey", |b| b["verificationMaterial"]["publicKey"] = json!(["hint", null])),
        ("timestampVerificationData", |b| b["verificationMaterial"]["timestampVerificationData"] = json!([[]])),
        ("certificate", |b| b["verificationMaterial"] = json!({ "certificate": ["AAAA"] })),
    ];
    for (case, change) in rows {
        refused!(Refusal::Bundle(InvalidBundle::Json(InvalidJson::Shape(_)))).assert(case, read(&changed(change)));
    }
}

#[test]
fn another_media_type_is_refused() {
    let others = [
        "",
        "application/json",
        "application/vnd.dev.sigstore.bundle",
        "application/vnd.dev.sigstore.bundle+json",
        "application/vnd.dev.sigstore.bundle+json;version=0.1",
        "application/vnd.dev.sigstore.bundle+json;version=0.2",
        "application/vnd.dev.sigstore.bundle+json;version=0.4",
        "application/vnd.dev.sigstore.bundle.v0.1+json",
        "application/vnd.dev.sigstore.bundle.v0.2+json",
        "application/vnd.dev.sigstore.bundle.v0.30+json",
        "application/vnd.dev.sigstore.bundle.v1.0+json",
        " application/vnd.dev.sigstore.bundle.v0.3+json",
    ];
    for other in others {
        let error = Bundle::parse(&changed(|b| b["mediaType"] = other.into())).expect_err(other);
        assert!(matches!(&error, InvalidBundle::MediaType { found } if found == other), "{other}: {error}");
    }
    let missing = changed(|b| drop(b.as_object_mut().expect("an object").remove("mediaType")));
    let error = Bundle::parse(&missing).expect_err("missing");
    assert!(matches!(&error, InvalidBundle::MediaType { found } if found.is_empty()), "{error}");
    for value in [json!(3), json!(null), json!(["application/vnd.dev.sigstore.bundle.v0.3+json"])] {
        let error = Bundle::parse(&changed(|b| b["mediaType"] = value.clone())).expect_err("not text");
        assert!(matches!(error, InvalidBundle::Json(InvalidJson::Shape(_))), "{value}: {error}");
    }
}

#[test]
fn an_envelope_that_is_not_one_is_refused() {
    let rows: &[Row] = &[
        (
            "no dsseEnvelope",
            |b| drop(b.as_object_mut().expect("an object").remove("dsseEnvelope")),
            refused!(Refusal::Bundle(InvalidBundle::NoEnvelope)),
        ),
        (
            "dsseEnvelope null",
            |b| b["dsseEnvelope"] = Value::Null,
            refused!(Refusal::Bundle(InvalidBundle::NoEnvelope)),
        ),
        (
            "a signature over a message in its place",
            |b| {
                b.as_object_mut().expect("an object").remove("dsseEnvelope");
                b["messageSignature"] = json!({ "messageDigest": {}, "signature": "AAAA" });
            },
            refused!(Refusal::Bundle(InvalidBundle::UnknownMember { path }) if path == "messageSignature"),
        ),
        (
            "no signatures",
            |b| b["dsseEnvelope"]["signatures"] = json!([]),
            refused!(Refusal::Bundle(InvalidBundle::SignatureCount { found: 0 })),
        ),
        (
            "the same signature twice",
            |b| {
                let signature = b["dsseEnvelope"]["signatures"][0].clone();
                b["dsseEnvelope"]["signatures"] = json!([signature, signature]);
            },
            refused!(Refusal::Bundle(InvalidBundle::SignatureCount { found: 2 })),
        ),
        (
            "a second signature that does not hold",
            |b| b["dsseEnvelope"]["signatures"].as_array_mut().expect("an array").push(json!({ "sig": "AAAA" })),
            refused!(Refusal::Bundle(InvalidBundle::SignatureCount { found: 2 })),
        ),
        (
            "signatures missing",
            |b| drop(b["dsseEnvelope"].as_object_mut().expect("an object").remove("signatures")),
            refused!(Refusal::Bundle(InvalidBundle::Json(InvalidJson::Shape(_)))),
        ),
        (
            "signatures null",
            |b| b["dsseEnvelope"]["signatures"] = Value::Null,
            refused!(Refusal::Bundle(InvalidBundle::Json(InvalidJson::Shape(_)))),
        ),
        (
            "sig missing",
            |b| b["dsseEnvelope"]["signatures"] = json!([{ "keyid": "" }]),
            refused!(Refusal::Bundle(InvalidBundle::Json(InvalidJson::Shape(_)))),
        ),
        (
            "sig empty",
            |b| b["dsseEnvelope"]["signatures"][0]["sig"] = "".into(),
            refused!(Refusal::Bundle(InvalidBundle::EmptyMember { member: "dsseEnvelope.signatures[0].sig" })),
        ),
        (
            "sig not Base64",
            |b| b["dsseEnvelope"]["signatures"][0]["sig"] = "!!!!".into(),
            refused!(Refusal::Bundle(InvalidBundle::Base64 { member: "dsseEnvelope.signatures[0].sig", .. })),
        ),
        (
            "keyid a number",
            |b| b["dsseEnvelope"]["signatures"][0]["keyid"] = 1.into(),
            refused!(Refusal::Bundle(InvalidBundle::Json(InvalidJson::Shape(_)))),
        ),
        (
            "keyid an object",
            |b| b["dsseEnvelope"]["signatures"][0]["keyid"] = json!({}),
            refused!(Refusal::Bundle(InvalidBundle::Json(InvalidJson::Shape(_)))),
        ),
        (
            "payload missing",
            |b| drop(b["dsseEnvelope"].as_object_mut().expect("an object").remove("payload")),
            refused!(Refusal::Bundle(InvalidBundle::Json(InvalidJson::Shape(_)))),
        ),
        (
            "payload empty",
            |b| b["dsseEnvelope"]["payload"] = "".into(),
            refused!(Refusal::Bundle(InvalidBundle::EmptyMember { member: "dsseEnvelope.payload" })),
        ),
        (
            "payload not Base64",
            |b| b["dsseEnvelope"]["payload"] = "{}".into(),
            refused!(Refusal::Bundle(InvalidBundle::Base64 { member: "dsseEnvelope.payload", .. })),
        ),
        (
            "payload with a line break",
            |b| b["dsseEnvelope"]["payload"] = format!("{}\n", text(&b["dsseEnvelope"]["payload"])).into(),
            refused!(Refusal::Bundle(InvalidBundle::Base64 { member: "dsseEnvelope.payload", .. })),
        ),
        (
            "payload with bits left over",
            |b| b["dsseEnvelope"]["payload"] = "e31=".into(),
            refused!(Refusal::Bundle(InvalidBundle::Base64 { member: "dsseEnvelope.payload", .. })),
        ),
        (
            "payloadType missing",
            |b| drop(b["dsseEnvelope"].as_object_mut().expect("an object").remove("payloadType")),
            refused!(Refusal::Bundle(InvalidBundle::Json(InvalidJson::Shape(_)))),
        ),
        (
            "payloadType empty",
            |b| b["dsseEnvelope"]["payloadType"] = "".into(),
            refused!(Refusal::Bundle(InvalidBundle::PayloadType { found }) if found.is_empty()),
        ),
        (
            "another payloadType",
            |b| b["dsseEnvelope"]["payloadType"] = "application/json".into(),
            refused!(Refusal::Bundle(InvalidBundle::PayloadType { found }) if found == "application/json"),
        ),
        (
            "payloadType in capitals",
            |b| b["dsseEnvelope"]["payloadType"] = "Application/vnd.in-toto+json".into(),
            refused!(Refusal::Bundle(InvalidBundle::PayloadType { .. })),
        ),
    ];
    for (case, change, expected) in rows {
        expected.assert(case, read(&changed(change)));
    }
}

#[test]
fn another_payload_type_is_refused_even_where_it_is_what_was_signed() {
    let payload = statement().to_string();
    let encoded = format!("DSSEv1 16 application/json {} {payload}", payload.len());
    let signature = KEY.sign(encoded.as_bytes()).expect("own keys sign");
    let mut bundle = bundle_with(payload.as_bytes(), &signature, &KEY.public_key().hint());
    refused!(Refusal::Signature(SignatureError::DoesNotVerify { .. }))
        .assert("said to be in-toto", read(bundle.to_string().as_bytes()));
    bundle["dsseEnvelope"]["payloadType"] = "application/json".into();
    refused!(Refusal::Bundle(InvalidBundle::PayloadType { .. }))
        .assert("as signed", read(bundle.to_string().as_bytes()));
}

#[test]
fn key_ids_are_optional_and_not_used() {
    let rows: [(&str, Change); 4] = [
        ("absent", |s| drop(s.as_object_mut().expect("an object").remove("keyid"))),
        ("empty", |s| s["keyid"] = "".into()),
        ("null", |s| s["keyid"] = Value::Null),
        ("some text", |s| s["keyid"] = "another key".into()),
    ];
    let scratch = tempfile::tempdir().expect("a temporary directory");
    write_model(scratch.path());
    for (case, change) in rows {
        let bundle = changed(|b| change(&mut b["dsseEnvelope"]["signatures"][0]));
        verify(&bundle, scratch.path()).unwrap_or_else(|refusal| panic!("{case}: {refusal}"));
    }
}

#[test]
fn verification_material_that_names_no_key_is_refused() {
    let rows: &[Row] = &[
        (
            "no verificationMaterial",
            |b| drop(b.as_object_mut().expect("an object").remove("verificationMaterial")),
            refused!(Refusal::Bundle(InvalidBundle::NoVerificationMaterial)),
        ),
        (
            "null",
            |b| b["verificationMaterial"] = Value::Null,
            refused!(Refusal::Bundle(InvalidBundle::NoVerificationMaterial)),
        ),
        (
            "empty",
            |b| b["verificationMaterial"] = json!({}),
            refused!(Refusal::Bundle(InvalidBundle::NoVerificationMaterial)),
        ),
        (
            "only log entries",
            |b| b["verificationMaterial"] = json!({ "tlogEntries": [{}] }),
            refused!(Refusal::Bundle(InvalidBundle::NoVerificationMaterial)),
        ),
        (
            "a key and a certificate",
            |b| b["verificationMaterial"]["certificate"] = json!({ "rawBytes": "AAAA" }),
            refused!(Refusal::Bundle(InvalidBundle::SeveralMaterials)),
        ),
        (
            "a key and a chain",
            |b| b["verificationMaterial"]["x509CertificateChain"] = json!({ "certificates": [{ "rawBytes": "AAAA" }] }),
            refused!(Refusal::Bundle(InvalidBundle::SeveralMaterials)),
        ),
        (
            "a chain and a certificate",
            |b| {
                b["verificationMaterial"] = json!({
                    "x509CertificateChain": { "certificates": [{ "rawBytes": "AAAA" }] },
                    "certificate": { "rawBytes": "AAAA" },
                });
            },
            refused!(Refusal::Bundle(InvalidBundle::SeveralMaterials)),
        ),
        (
            "publicKey with neither hint nor rawBytes",
            |b| b["verificationMaterial"]["publicKey"] = json!({ "keyDetails": "PKIX_ECDSA_P256_SHA_256" }),
            refused!(Refusal::Bundle(InvalidBundle::NoKeyHint)),
        ),
        (
            "hint a number",
            |b| b["verificationMaterial"]["publicKey"]["hint"] = 1.into(),
            refused!(Refusal::Bundle(InvalidBundle::Json(InvalidJson::Shape(_)))),
        ),
        (
            "an empty chain",
            |b| b["verificationMaterial"] = json!({ "x509CertificateChain": { "certificates": [] } }),
            refused!(Refusal::Bundle(InvalidBundle::EmptyMember { .. })),
        ),
        (
            "a chain with something that is not Base64",
            |b| {
                b["verificationMaterial"] = json!({ "x509CertificateChain": { "certificates": [{ "rawBytes": "-" }] } })
            },
            refused!(Refusal::Bundle(InvalidBundle::Base64 { .. })),
        ),
        (
            "an empty certificate",
            |b| b["verificationMaterial"] = json!({ "certificate": { "rawBytes": "" } }),
            refused!(Refusal::Bundle(InvalidBundle::EmptyMember { .. })),
        ),
        (
            "tlogEntries not an array",
            |b| b["verificationMaterial"]["tlogEntries"] = json!({}),
            refused!(Refusal::Bundle(InvalidBundle::Json(InvalidJson::Shape(_)))),
        ),
        (
            "a chain, verified with a key",
            |b| {
                b["verificationMaterial"] =
                    json!({ "x509CertificateChain": { "certificates": [{ "rawBytes": "AAAA" }] } })
            },
            refused!(Refusal::Signature(SignatureError::Method { expected: "key", found: "certificate" })),
        ),
        (
            "a certificate, verified with a key",
            |b| b["verificationMaterial"] = json!({ "certificate": { "rawBytes": "AAAA" } }),
            refused!(Refusal::Signature(SignatureError::Method { expected: "key", found: "sigstore" })),
        ),
    ];
    for (case, change, expected) in rows {
        expected.assert(case, read(&changed(change)));
    }
}

#[test]
fn unknown_members_are_refused_where_the_schema_has_no_others() {
    let rows: [(&str, Change); 3] = [
        ("x", |b| b["x"] = json!({ "mediaType": 1 })),
        ("dsseEnvelope.x", |b| b["dsseEnvelope"]["x"] = Value::Null),
        ("dsseEnvelope.signatures.0.x", |b| b["dsseEnvelope"]["signatures"][0]["x"] = "y".into()),
    ];
    for (member, change) in rows {
        let error = Bundle::parse(&changed(change)).expect_err(member);
        assert!(matches!(&error, InvalidBundle::UnknownMember { path } if path == member), "{member}: {error}");
    }
}

#[test]
fn what_other_clients_add_to_the_verification_material_is_passed_over() {
    let rows: [(&str, Change); 8] = [
        ("a member that is not known", |m| m["x"] = json!({ "y": [1, { "z": null }] })),
        ("a member of publicKey that is not known", |m| m["publicKey"]["x"] = 1.into()),
        ("key details", |m| m["publicKey"]["keyDetails"] = "PKIX_ECDSA_P256_SHA_256".into()),
        ("raw bytes beside the hint", |m| m["publicKey"]["rawBytes"] = "AAAA".into()),
        ("no tlogEntries", |m| drop(m.as_object_mut().expect("an object").remove("tlogEntries"))),
        ("tlogEntries null", |m| m["tlogEntries"] = Value::Null),
        ("other materials null", |m| {
            m["certificate"] = Value::Null;
            m["x509CertificateChain"] = Value::Null;
        }),
        ("no timestamps", |m| m["timestampVerificationData"] = json!({})),
    ];
    let scratch = tempfile::tempdir().expect("a temporary directory");
    write_model(scratch.path());
    for (case, change) in rows {
        let bundle = changed(|b| change(&mut b["verificationMaterial"]));
        verify(&bundle, scratch.path()).unwrap_or_else(|refusal| panic!("{case}: {refusal}"));
    }
}

#[test]
fn both_forms_of_the_media_type_are_accepted() {
    let bundle = changed(|b| b["mediaType"] = "application/vnd.dev.sigstore.bundle+json;version=0.3".into());
    read(&bundle).expect("as some clients write it");
}

#[test]
fn log_entries_and_timestamps_of_a_key_signature_are_counted_and_not_checked() {
    let bundle = changed(|b| {
        b["verificationMaterial"]["tlogEntries"] = json!([{ "logIndex": "1" }, {}]);
        b["verificationMaterial"]["timestampVerificationData"] =
            json!({ "rfc3161Timestamps": [{ "signedTimestamp": "AAAA" }] });
    });
    let statement = read(&bundle).expect("accepted");
    assert_eq!(statement.evidence().unchecked_log_entries, 2);
    assert_eq!(statement.evidence().unchecked_timestamps, 1);
}

#[test]
fn the_signature_decides_and_the_hint_explains() {
    let other = new_key(KeyAlgorithm::EcdsaP256);
    let payload = statement().to_string();
    let hint_of = |hint: Value| {
        let mut bundle = bundle_by(&KEY, payload.as_bytes());
        bundle["verificationMaterial"]["publicKey"] = json!({ "hint": hint, "rawBytes": "" });
        bundle.to_string().into_bytes()
    };

    let right = hint_of(KEY.public_key().hint().into());
    assert_eq!(read(&right).expect("its key").evidence().misleading_hint, None);
    refused!(Refusal::Signature(SignatureError::OtherKey { .. })).assert("another key", read_by(&other, &right));

    let misleading = hint_of(other.public_key().hint().into());
    let evidence = read(&misleading).expect("its key, whatever the hint").evidence().clone();
    assert_eq!(evidence.misleading_hint, Some(other.public_key().hint()));
    assert_eq!(evidence.key_hint, KEY.public_key().hint());
    refused!(Refusal::Signature(SignatureError::DoesNotVerify { .. }))
        .assert("the key that the hint names", read_by(&other, &misleading));

    for none in [hint_of("".into()), hint_of(Value::Null)] {
        assert_eq!(read(&none).expect("its key").evidence().misleading_hint, None);
        refused!(Refusal::Signature(SignatureError::DoesNotVerify { .. })).assert("no hint", read_by(&other, &none));
        let bundle = Bundle::parse(&none).expect("readable");
        assert_eq!(*bundle.material(), Material::PublicKey { hint: None });
    }
}

#[test]
fn a_signature_of_one_payload_is_none_of_another() {
    let payload = statement().to_string();
    let signature = KEY.sign(&pae(payload.as_bytes())).expect("own keys sign");
    let hint = KEY.public_key().hint();
    let over_payload = KEY.sign(payload.as_bytes()).expect("own keys sign");
    let padded = format!("{payload} ");
    let rows = [
        ("another payload", bundle_with(padded.as_bytes(), &signature, &hint)),
        ("the payload without its encoding", bundle_with(payload.as_bytes(), &over_payload, &hint)),
        ("nothing like a signature", bundle_with(payload.as_bytes(), b"signature", &hint)),
        ("a byte behind the signature", bundle_with(payload.as_bytes(), &[&signature[..], &[0]].concat(), &hint)),
    ];
    for (case, bundle) in rows {
        refused!(Refusal::Signature(SignatureError::DoesNotVerify { algorithm: KeyAlgorithm::EcdsaP256, .. }))
            .assert(case, read(bundle.to_string().as_bytes()));
    }
}

#[test]
fn a_key_of_another_kind_does_not_verify() {
    let bundle = Bundle::parse(&changed(|_| {})).expect("readable");
    for algorithm in [KeyAlgorithm::EcdsaP384, KeyAlgorithm::EcdsaP521, KeyAlgorithm::Ed25519] {
        let other = new_key(algorithm);
        let error = check_signature(&bundle, Trust::key(other.public_key())).expect_err("another key");
        assert!(matches!(error, SignatureError::OtherKey { .. }), "{algorithm}: {error}");
    }
}

#[test]
fn a_bundle_over_the_limit_is_refused_unread() {
    let scratch = tempfile::tempdir().expect("a temporary directory");
    let path = scratch.path().join("model.sig");
    File::create(&path).and_then(|file| file.set_len(MAX_BUNDLE_BYTES + 1)).expect("a sparse file");
    let (before, start) = (peak_memory_bytes(), Instant::now());
    let error = Bundle::read(&path).expect_err("too large");
    let limit = MAX_BUNDLE_BYTES + 1;
    assert!(
        matches!(&error, ReadBundleError::Invalid { path: named, error: InvalidBundle::TooLarge { found } }
            if *named == path && *found == limit),
        "{error}"
    );
    assert!(start.elapsed() < Duration::from_millis(500), "{:?}", start.elapsed());
    if let (Some(before), Some(after)) = (before, peak_memory_bytes()) {
        assert!(after - before < 64 << 20, "{} bytes more", after - before);
    }
}

#[test]
fn a_bundle_that_cannot_be_read_is_an_error_that_names_it() {
    let scratch = tempfile::tempdir().expect("a temporary directory");
    let missing = scratch.path().join("missing.sig");
    for (path, kind) in [(missing.as_path(), ErrorKind::NotFound), (scratch.path(), ErrorKind::IsADirectory)] {
        let error = Bundle::read(path).expect_err("no file");
        assert!(error.to_string().contains(&path.display().to_string()), "{error}");
        // Windows does not open directories at all.
        assert!(
            matches!(&error, ReadBundleError::Io { path: named, source }
                if named == path && (source.kind() == kind || cfg!(windows))),
            "{error:?}"
        );
    }
    let path = scratch.path().join("model.sig");
    fs::write(&path, "prose").expect("written");
    let error = Bundle::read(&path).expect_err("no bundle");
    assert!(matches!(&error, ReadBundleError::Invalid { path: named, .. } if *named == path), "{error}");
    fs::write(&path, changed(|_| {})).expect("written");
    Bundle::read(&path).expect("a bundle");
}

/// The most memory that this process has had, where the system says.
fn peak_memory_bytes() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok().map(|kibibytes| kibibytes << 10)
}

fn text(value: &Value) -> &str {
    value.as_str().expect("text")
}
