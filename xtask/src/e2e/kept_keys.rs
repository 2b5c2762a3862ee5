//! Keys that are kept, with an entry in the log and a timestamp.

use anyhow::{Context, Result};
use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, KeyPair, KeyUsagePurpose};
use serde_json::Value;

use super::Scene;
use super::report::Report;
use super::sandbox::{Sandbox, TRUST};
use crate::outcome::Outcome;

/// What a verifier insists on.
const REQUIRE: &str = "--require-log --require-timestamp";

/// Signs with keys, and has it written in the log.
pub(super) fn run(scene: &Scene) -> Result<Outcome> {
    let mut report = Report::new("Keys that are kept, with a log entry");
    let sandbox = Sandbox::new(scene.folder(), "kept keys", &scene.stack)?;
    let (ours, urls) = (&scene.ours, &scene.stack.urls);
    let witnesses =
        format!("--rekor-url {} --rekor-version 2 --tsa-url {} --trust-config {TRUST}", urls.rekor, urls.tsa);
    for algorithm in ["p256", "p384", "p521"] {
        let files = format!("--private-key {algorithm}.key --public-key {algorithm}.pub");
        let sign = format!("sign key model --private-key {algorithm}.key --signature {algorithm}.sig {witnesses}");
        let verify = format!(
            "verify key model --public-key {algorithm}.pub --signature {algorithm}.sig {REQUIRE} --trust-config {TRUST}"
        );
        let attempt = || {
            sandbox.run(ours, &format!("keygen --algorithm {algorithm} {files}"))?.succeeds()?;
            sandbox.run(ours, &sign)?.succeeds()?;
            sandbox.json(&format!("{algorithm}.sig"))?["verificationMaterial"]["tlogEntries"][0]["inclusionProof"]
                .as_object()
                .context("the bundle has no inclusion proof")?;
            sandbox.run(ours, &verify)?.succeeds()
        };
        report.check(algorithm, attempt());
        let theirs = format!(
            "verify key model --public_key {algorithm}.pub --signature {algorithm}.sig --ignore_unsigned_files"
        );
        report.check(&format!("{algorithm}, theirs"), sandbox.run(&scene.theirs, &theirs)?.succeeds());
    }
    report.check("a certificate", certificate(scene, &sandbox, &witnesses));

    refusals(scene, &sandbox, &mut report)?;
    Ok(report.close())
}

/// What is not taken where an entry in a log is required.
fn refusals(scene: &Scene, sandbox: &Sandbox<'_>, report: &mut Report) -> Result<()> {
    let (mut trust, other) = (sandbox.json(TRUST)?, std::fs::read(&scene.other.files.trusted_root)?);
    trust["trustedRoot"]["tlogs"] = serde_json::from_slice::<Value>(&other)?["tlogs"].take();
    sandbox.write("other.json", trust.to_string())?;
    sandbox
        .run(&scene.ours, "sign key model --private-key p256.key --signature without.sig")?
        .succeeds()
        .context("without a log entry")?;
    let (mut moved, mut altered) = (sandbox.json("without.sig")?, sandbox.json("p256.sig")?);
    moved["verificationMaterial"]["tlogEntries"] = altered["verificationMaterial"]["tlogEntries"].clone();
    sandbox.write("moved.sig", moved.to_string())?;
    let hashes = &mut altered["verificationMaterial"]["tlogEntries"][0]["inclusionProof"]["hashes"];
    hashes.as_array_mut().context("the proof has no hashes")?.reverse();
    sandbox.write("altered.sig", altered.to_string())?;

    for (name, signature, trust, says) in [
        ("no log entry", "without.sig", TRUST, "expected an entry of a transparency log that is trusted in the bundle"),
        ("an entry of another signature", "moved.sig", TRUST, "it is about another signature"),
        ("another inclusion proof", "altered.sig", TRUST, "its inclusion proof does not hold"),
        ("the log of another instance", "p256.sig", "other.json", "which is not trusted"),
    ] {
        let verify = format!("verify key model --public-key p256.pub --signature {signature} --require-log");
        let said = sandbox.run(&scene.ours, &format!("{verify} --trust-config {trust}"))?;
        report.check(&format!("refused: {name}"), said.fails(1, &[says]));
    }
    Ok(())
}

fn certificate(scene: &Scene, sandbox: &Sandbox<'_>, witnesses: &str) -> Result<()> {
    let key = KeyPair::generate()?;
    let mut parameters = CertificateParams::default();
    parameters.distinguished_name.push(DnType::CommonName, "a signer");
    parameters.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::CodeSigning];
    sandbox.write("signer.pem", parameters.self_signed(&key)?.pem())?;
    sandbox.write("signer.key", key.serialize_pem())?;
    let sign = "sign certificate model --private-key signer.key --signing-certificate signer.pem \
                --certificate-chain signer.pem --signature signer.sig";
    sandbox.run(&scene.ours, &format!("{sign} {witnesses}"))?.succeeds()?;
    let verify = "verify certificate model --certificate-chain signer.pem --signature signer.sig";
    sandbox.run(&scene.ours, &format!("{verify} {REQUIRE} --trust-config {TRUST}"))?.succeeds()
}
