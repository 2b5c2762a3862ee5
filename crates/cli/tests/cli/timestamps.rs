//! Timestamps of a real authority (`openssl ts`), from the signature that asks for one to the verdict years later.

use std::fs;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use model_transparency::certificate::{Certificate, PathError, UnixTime};
use model_transparency::envelope::Bundle;
use model_transparency::timestamp::TimestampError;
use model_transparency::trust::{Anchors, CertificateTrust, TimestampAuthority as Authority, TimestampTrust, Trust};
use model_transparency::verify::{Evidence, SignatureError, check_signature};
use serde_json::Value;

use super::certificates::sandbox;
use super::support::Sandbox;
use super::tsa::{Behaviour, Certificates, KeyKind, Options, TimestampAuthority, Validity, has_openssl};

const SIGN_KEY: &str = "sign key model --private-key key.pem";
const VERIFY_KEY: &str = "verify key model --public-key key.pub.pem";
const SIGN: &str = "sign certificate model --private-key pki/signer.key --signing-certificate pki/signer.pem \
                    --certificate-chain pki/chain.pem";
const TRUST: &str = "--tsa-certificate-chain tsa.pem";

/// Starts an authority whose root is `tsa.pem` in the folder.
fn start(sandbox: &Sandbox, options: Options) -> TimestampAuthority {
    let authority = TimestampAuthority::start(options);
    sandbox.write("tsa.pem", authority.root_pem());
    sandbox.write("tsa-chain.pem", authority.chain_pem());
    authority
}

fn with(behaviour: Behaviour) -> Options {
    Options { behaviour, ..Options::default() }
}

fn now() -> UnixTime {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    UnixTime(since.expect("after 1970").as_secs())
}

/// Steps 1 and 2 of verification, as of any time.
fn check(bundle: &Value, sandbox: &Sandbox, tsa: &[&str], now: UnixTime) -> Result<Evidence, SignatureError> {
    let certificates = |path: &str| Certificate::from_file(&sandbox.read(path)).expect("certificates");
    let anchors = certificates("pki/root.pem");
    let authorities: Vec<_> = tsa.iter().map(|path| Authority::new(certificates(path))).collect();
    let trust = Trust::certificates(CertificateTrust {
        anchors: Anchors::Given(&anchors),
        identity: None,
        revocation_lists: &[],
        now,
    });
    let trust = trust.with_timestamps(TimestampTrust { authorities: &authorities, required: false });
    let bundle = Bundle::parse(bundle.to_string().as_bytes()).expect("a bundle");
    check_signature(&bundle, trust).map(|verified| verified.evidence().clone())
}

fn bundle(sandbox: &Sandbox, path: &str) -> Value {
    serde_json::from_slice(&sandbox.read(path)).expect("JSON")
}

fn timestamp(bundle: &mut Value) -> &mut Value {
    &mut bundle["verificationMaterial"]["timestampVerificationData"]["rfc3161Timestamps"][0]["signedTimestamp"]
}

#[test]
fn a_signature_outlives_its_certificate() {
    let Some(sandbox) = sandbox("a_signature_outlives_its_certificate", Validity::days(-1, 1)) else { return };
    for key in KeyKind::ALL {
        let authority = start(&sandbox, Options { key, fraction_digits: 3, ..Options::default() });
        sandbox.ok(&format!("{SIGN} {TRUST} --tsa-url {}", authority.url()));
        let run = sandbox.ok(&format!("verify certificate model --certificate-chain pki/root.pem {TRUST}"));
        assert!(run.stdout.contains("the time of the timestamp"), "{}", run.stdout);

        let bundle = bundle(&sandbox, "model.sig");
        let (signed, later) = (now(), UnixTime(now().0 + 2 * 365 * 86_400));
        let evidence = check(&bundle, &sandbox, &["tsa.pem"], later).unwrap_or_else(|error| panic!("{key:?}: {error}"));
        let [timestamp] = evidence.timestamps.as_slice() else { panic!("one timestamp") };
        assert!(timestamp.time <= signed && timestamp.time.0 + 600 > signed.0, "{}", timestamp.time);
        assert_eq!(evidence.certificate.expect("of the certificate method").path.time(), timestamp.time);
        assert_eq!(evidence.unchecked_timestamps, 0);

        let early = UnixTime(now().0 - 3_600);
        let error = check(&bundle, &sandbox, &["tsa.pem"], early).expect_err("from the future");
        assert!(
            matches!(error, SignatureError::Timestamp { index: 0, error: TimestampError::Future { now, .. } } if now == early),
            "{error}"
        );

        let error = check(&bundle, &sandbox, &[], later).expect_err("expired, and nobody says when it was signed");
        assert!(
            matches!(error, SignatureError::Path(PathError::OutOfValidity { time, .. }) if time == later),
            "{error}"
        );
    }
}

#[test]
fn a_timestamp_before_or_after_the_certificate_is_of_no_use() {
    let Some(sandbox) = sandbox("a_timestamp_before_or_after_the_certificate_is_of_no_use", Validity::days(-1, 1))
    else {
        return;
    };
    // The timestamp is of now, the authority's own certificate is not.
    for validity in [Validity::days(-3, -2), Validity::days(2, 3)] {
        let authority = start(&sandbox, Options { validity, ..Options::default() });
        let url = authority.url();
        sandbox.fails(&format!("{SIGN} --tsa-url {url} {TRUST}"), 3, &["the new timestamp", "is valid from"]);
        sandbox.ok(&format!("{SIGN} --tsa-url {url}"));
        let verify = format!("verify certificate model --certificate-chain pki/root.pem {TRUST}");
        sandbox.fails(&verify, 1, &["timestamp 0", "its signer is not trusted", "is valid from"]);
    }
}

#[test]
fn a_timestamp_that_does_not_hold_is_an_error() {
    let Some(sandbox) = sandbox("a_timestamp_that_does_not_hold_is_an_error", Validity::days(-1, 1)) else { return };
    let other = start(&sandbox, Options::default());
    sandbox.write("other-tsa.pem", other.root_pem());
    let authority = start(&sandbox, Options::default());
    sandbox.ok(&format!("{SIGN} --tsa-url {}", authority.url()));
    let sound = bundle(&sandbox, "model.sig");
    sandbox.ok(&format!("{SIGN} --signature second.sig --tsa-url {}", authority.url()));
    let mut second = bundle(&sandbox, "second.sig");
    let refused = |bundle: &Value, tsa: &[&str]| match check(bundle, &sandbox, tsa, now()) {
        Err(SignatureError::Timestamp { index: 0, error }) => error,
        other => panic!("{other:?}"),
    };

    assert!(matches!(refused(&sound, &["other-tsa.pem"]), TimestampError::Path(_)), "another authority");
    check(&sound, &sandbox, &["other-tsa.pem", "tsa.pem"], now()).expect("one of two authorities");
    // The chain of the signer of code is nobody's for the time.
    assert!(matches!(refused(&sound, &["pki/root.pem"]), TimestampError::Path(_)), "no authority");

    let mut exchanged = sound.clone();
    *timestamp(&mut exchanged) = timestamp(&mut second).clone();
    assert_eq!(refused(&exchanged, &["tsa.pem"]), TimestampError::OtherSignature);

    // Every byte counts but for those that nothing is said with.
    let mut changed = sound.clone();
    let text = timestamp(&mut changed).as_str().expect("text").to_owned();
    let bytes = STANDARD.decode(&text).expect("Base64");
    let mut accepted = Vec::new();
    for position in 0..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[position] ^= 0x01;
        *timestamp(&mut changed) = STANDARD.encode(&damaged).into();
        if let Ok(evidence) = check(&changed, &sandbox, &["tsa.pem"], now()) {
            let times = |bundle: &Value| check(bundle, &sandbox, &["tsa.pem"], now()).expect("sound").timestamps;
            assert_eq!(evidence.timestamps, times(&sound), "byte {position} changes what is said");
            accepted.push(position);
        }
    }
    // The status, the version of the structure and the list of digest algorithms are not signed.
    assert!(accepted.len() < 24, "bytes that make no difference: {accepted:?}");
}

#[test]
fn who_made_the_timestamp_is_found_wherever_the_certificates_are() {
    let Some(sandbox) = sandbox("who_made_the_timestamp_is_found_wherever_the_certificates_are", Validity::days(-1, 1))
    else {
        return;
    };
    let options =
        Options { certificates: Certificates::Signer, accuracy: Some("secs:1, millisecs:500"), ..Options::default() };
    let authority = start(&sandbox, options);
    sandbox.ok(&format!("{SIGN} --tsa-url {}", authority.url()));
    let bundle = bundle(&sandbox, "model.sig");
    let error = check(&bundle, &sandbox, &["tsa.pem"], now()).expect_err("the intermediate is missing");
    assert!(
        matches!(error, SignatureError::Timestamp { error: TimestampError::Path(PathError::NoPath { .. }), .. }),
        "{error}"
    );
    let evidence = check(&bundle, &sandbox, &["tsa-chain.pem"], now()).expect("the authority's own certificate");
    assert!(evidence.timestamps[0].path.certificates().is_empty());
}

#[test]
fn keys_are_dated_too() {
    if !has_openssl("keys_are_dated_too") {
        return;
    }
    let sandbox = Sandbox::with_model();
    let authority = start(&sandbox, Options::default());
    let run = sandbox.ok(&format!("{SIGN_KEY} --tsa-url {}", authority.url()));
    assert!(run.stdout.contains("timestamp"), "{}", run.stdout);
    assert_eq!(authority.requests_seen().len(), 1);
    let run = sandbox.ok(VERIFY_KEY);
    assert!(run.stdout.contains("the bundle's 1 timestamp (--tsa-certificate-chain)"), "{}", run.stdout);
    let run = sandbox.ok(&format!("{VERIFY_KEY} {TRUST} --require-timestamp"));
    assert!(!run.stdout.contains("when the model was signed"), "{}", run.stdout);
    let (_, document) = sandbox.json(&format!("{VERIFY_KEY} {TRUST}"));
    assert!(document["result"]["timestamps"][0]["authority"]["subject"].is_string(), "{document}");
    let (_, document) = sandbox.json("inspect model.sig");
    assert!(document["result"]["timestamps"][0]["time"].is_string(), "{document}");

    sandbox.ok(&format!("{SIGN_KEY} --signature plain.sig"));
    let plain = format!("{VERIFY_KEY} --signature plain.sig");
    sandbox.ok(&format!("{plain} {TRUST}"));
    sandbox.fails(&format!("{plain} {TRUST} --require-timestamp"), 1, &["expected a timestamp", "found none"]);
    sandbox.fails(&format!("{plain} --require-timestamp"), 2, &["--tsa-certificate-chain"]);
    assert_eq!(authority.requests_seen().len(), 1, "nobody is asked when verifying");
}

#[test]
fn an_authority_that_was_revoked_dates_nothing() {
    let Some(sandbox) = sandbox("an_authority_that_was_revoked_dates_nothing", Validity::days(-1, 1)) else { return };
    let authority = start(&sandbox, Options::default());
    sandbox.ok(&format!("{SIGN} --tsa-url {}", authority.url()));
    let verify = format!("verify certificate model --certificate-chain pki/root.pem {TRUST}");
    let run = sandbox.ok(&verify);
    assert!(run.stdout.contains("whether a certificate of the timestamp was revoked"), "{}", run.stdout);
    sandbox.write("revoked.crl", authority.revoke());
    sandbox.fails(&format!("{verify} --crl revoked.crl"), 1, &["`CN=authority`", "was revoked on"]);
}

#[test]
fn a_reply_in_pieces_is_read_whole() {
    if !has_openssl("a_reply_in_pieces_is_read_whole") {
        return;
    }
    let sandbox = Sandbox::with_model();
    let authority = start(&sandbox, with(Behaviour::Drips(2)));
    sandbox.ok(&format!("{SIGN_KEY} --tsa-url {}", authority.url()));
}

#[test]
fn a_trusted_root_names_authorities_and_their_periods() {
    if !has_openssl("a_trusted_root_names_authorities_and_their_periods") {
        return;
    }
    let sandbox = Sandbox::with_model();
    let authority = start(&sandbox, Options::default());
    sandbox.ok(&format!("{SIGN_KEY} --tsa-url {}", authority.url()));
    let certificates = Certificate::from_file(authority.chain_pem().as_bytes()).expect("certificates");
    let raw = |certificate: &Certificate| serde_json::json!({ "rawBytes": STANDARD.encode(certificate.der()) });
    let chain: Vec<Value> = certificates.iter().map(raw).collect();
    let root = |period: Value| {
        serde_json::json!({
            "mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
            "tlogs": [],
            "timestampAuthorities": [{ "certChain": { "certificates": chain }, "validFor": period }],
        })
        .to_string()
    };
    let verify = format!("{VERIFY_KEY} --require-timestamp --trusted-root root.json");
    for period in [serde_json::json!({ "start": "2020-01-01T00:00:00.5Z" }), serde_json::json!({})] {
        sandbox.write("root.json", root(period));
        sandbox.ok(&verify);
    }
    sandbox.write(
        "root.json",
        root(serde_json::json!({ "start": "2020-01-01T00:00:00Z", "end": "2021-01-01T00:00:00Z" })),
    );
    sandbox.fails(&verify, 1, &["outside the period"]);
    for (content, says) in [
        ("noise", "not a trusted root"),
        ("{}", "mediaType"),
        (r#"{"mediaType":"application/vnd.dev.sigstore.trustedroot.v0.1+json"}"#, "expected timestamp authorities"),
        (
            r#"{"mediaType":"application/vnd.dev.sigstore.trustedroot.v0.1+json","timestampAuthorities":[{"certChain":{"certificates":[]}}]}"#,
            "timestampAuthorities[0]",
        ),
    ] {
        sandbox.write("root.json", content);
        sandbox.fails(&verify, 1, &["root.json", says]);
    }
}

#[test]
fn an_authority_that_does_not_answer_well_leaves_no_signature() {
    if !has_openssl("an_authority_that_does_not_answer_well_leaves_no_signature") {
        return;
    }
    let sandbox = Sandbox::with_model();
    for (behaviour, says) in [
        (Behaviour::Status(404), "answered 404"),
        (Behaviour::Status(302), "answered 302"),
        (Behaviour::Rejects, "did not grant it (status 2): badAlg"),
        (Behaviour::Garbage, "is not an RFC 3161 timestamp"),
        (Behaviour::AnotherDigest, "over another signature"),
        (Behaviour::AnotherNonce, "the nonce is not the one that was sent"),
        (Behaviour::Truncated, "gave no timestamp that can be used"),
        (Behaviour::Oversize(1 << 20), "expected at most"),
    ] {
        let authority = start(&sandbox, with(behaviour));
        let command = format!("{SIGN_KEY} --tsa-url {}", authority.url());
        sandbox.fails(&command, 3, &["the timestamp authority `http://127.0.0.1:", says]);
        assert_eq!(authority.requests_seen().len(), 1, "{says}: asked once");
    }
    // What may pass is tried again.
    for (behaviour, says) in [(Behaviour::Status(503), "answered 503"), (Behaviour::ClosesEarly, "broke off")] {
        let authority = start(&sandbox, with(behaviour));
        sandbox.fails(&format!("{SIGN_KEY} --tsa-url {}", authority.url()), 3, &[says]);
        assert_eq!(authority.requests_seen().len(), 3, "{says}");
    }
    let authority = start(&sandbox, with(Behaviour::Replays));
    sandbox.ok(&format!("{SIGN_KEY} --tsa-url {}", authority.url()));
    sandbox.fails(
        &format!("{SIGN_KEY} --signature again.sig --tsa-url {}", authority.url()),
        3,
        &["another signature"],
    );
    let slow = start(&sandbox, with(Behaviour::Delays(300)));
    sandbox.ok(&format!("{SIGN_KEY} --tsa-url {}", slow.url()));

    sandbox.fails(&format!("{SIGN_KEY} --signature x.sig --tsa-url ftp://127.0.0.1/"), 2, &["--tsa-url", "`ftp`"]);
    sandbox.fails(&format!("{SIGN_KEY} --signature x.sig --tsa-url nowhere"), 2, &["--tsa-url", "a URL"]);
    let run = sandbox.fails(
        &format!("{SIGN_KEY} --signature x.sig --tsa-url http://user:secret@127.0.0.1:1/tsa?key=secret"),
        3,
        &["http://127.0.0.1:1/tsa", "can't be reached"],
    );
    assert!(!run.stderr.contains("secret"), "{}", run.stderr);
}

#[test]
fn what_is_asked_is_the_digest_of_the_signature_alone() {
    if !has_openssl("what_is_asked_is_the_digest_of_the_signature_alone") {
        return;
    }
    let sandbox = Sandbox::with_model();
    let authority = start(&sandbox, Options::default());
    sandbox.ok(&format!("{SIGN_KEY} --tsa-url {}", authority.url()));
    let bundle = bundle(&sandbox, "model.sig");
    let signature = STANDARD.decode(bundle["dsseEnvelope"]["signatures"][0]["sig"].as_str().expect("text"));
    let digest = model_transparency::hash::HashAlgorithm::Sha256.digest(&signature.expect("Base64")).to_hex();
    let requests = authority.requests_seen();
    let [request] = requests.as_slice() else { panic!("one request") };
    fs::write(sandbox.path("query.tsq"), request).expect("written");
    let shown = super::tsa::openssl(&sandbox.path("."), "ts -query -in query.tsq -text").expect("a request");
    let dump: String = shown
        .lines()
        .filter_map(|line| line.split_once(" - "))
        .flat_map(|(_, dump)| dump.chars().take(48).filter(char::is_ascii_hexdigit))
        .collect();
    assert!(dump.contains(&digest), "{digest} in {shown}");
    assert!(request.len() < 100, "{} bytes", request.len());
}
