//! `sign certificate` and `verify certificate`, with a chain that `openssl` made.

use std::fs;

use super::support::Sandbox;
use super::tsa::code_signing::{Validities, issue};
use super::tsa::{KeyKind, Validity, has_openssl, openssl};

const SIGN: &str = "sign certificate model --private-key pki/signer.key --signing-certificate pki/signer.pem";
const VERIFY: &str = "verify certificate model --certificate-chain pki/root.pem";

/// A model and `pki`: `root.pem`, `chain.pem`, `signer.pem` and `signer.key`. Nothing without `openssl`.
pub(crate) fn sandbox(test: &str, validity: Validity) -> Option<Sandbox> {
    if !has_openssl(test) {
        return None;
    }
    let pki = issue(KeyKind::P384, Validities::of_signer(validity));
    let sandbox = Sandbox::with_model();
    for (name, path) in [
        ("root.pem", pki.root()),
        ("chain.pem", pki.chain()),
        ("signer.pem", pki.certificate()),
        ("signer.key", pki.private_key()),
    ] {
        sandbox.write(&format!("pki/{name}"), fs::read(path).expect("made"));
    }
    let other = issue(KeyKind::P256, Validities::of_signer(Validity::days(-1, 1)));
    sandbox.write("pki/other.pem", fs::read(other.root()).expect("made"));
    sandbox.write("pki/other-signer.pem", fs::read(other.certificate()).expect("made"));
    Some(sandbox)
}

/// As [`sandbox`], with `model.sig`.
fn signed(test: &str) -> Option<Sandbox> {
    let sandbox = sandbox(test, Validity::days(-1, 30))?;
    sandbox.ok(&format!("{SIGN} --certificate-chain pki/chain.pem"));
    Some(sandbox)
}

#[test]
fn a_certificate_signs_and_its_authority_verifies() {
    let Some(sandbox) = signed("a_certificate_signs_and_its_authority_verifies") else { return };
    let run = sandbox.ok(VERIFY);
    for says in
        ["Verification succeeded", "certificate  sha256 ", "issued by", "trusted", "now by this machine's clock"]
    {
        assert!(run.stdout.contains(says), "{says}: {}", run.stdout);
    }
    for says in ["--certificate-identity", "--crl", "when the model was signed"] {
        assert!(run.stdout.contains(says), "what was not checked, {says}: {}", run.stdout);
    }
    sandbox.ok("verify certificate model --certificate_chain pki/chain.pem");
    sandbox.ok("verify certificate model --certificate-chain pki/other.pem --certificate-chain pki/root.pem");
    sandbox.ok("verify certificate model --certificate-chain pki/signer.pem");

    sandbox.write("model/config.json", "{ }");
    sandbox.fails(VERIFY, 1, &["the model is not what was signed", "config.json"]);
}

#[test]
fn the_json_document_says_whom_and_when() {
    let Some(sandbox) = signed("the_json_document_says_whom_and_when") else { return };
    let (code, document) = sandbox.json(VERIFY);
    assert_eq!((code, &document["outcome"]), (0, &"verified".into()));
    let result = &document["result"];
    assert_eq!(result["method"], "certificate");
    let certificate = &result["signer"]["certificate"];
    assert_eq!(certificate["valid_at"]["source"], "clock");
    assert_eq!(certificate["issuers"].as_array().map(Vec::len), Some(1));
    assert_eq!(certificate["anchor_is_public_authority"], false);
    assert_eq!(certificate["leaf"]["key_algorithm"], "ECDSA P-384");
    assert_eq!(certificate["revocation"]["not_checked"].as_array().map(Vec::len), Some(2));
    let (_, inspected) = sandbox.json("inspect model.sig");
    assert_eq!(inspected["result"]["signer"]["certificates"][0], certificate["leaf"]);
    assert_eq!(inspected["result"]["signer"]["certificates"].as_array().map(Vec::len), Some(3));
}

#[test]
fn who_is_not_trusted_is_refused() {
    let Some(sandbox) = signed("who_is_not_trusted_is_refused") else { return };
    let other = "verify certificate model --certificate-chain pki/other.pem";
    sandbox.fails(other, 1, &["error: "]);
    sandbox.fails(&format!("{VERIFY} --certificate-identity nobody"), 1, &["`nobody`", "found one of"]);
    sandbox.fails(&format!("{VERIFY} --certificate-identity-regexp nobody"), 1, &["a match of `nobody`"]);
    sandbox.fails("verify certificate model --certificate-identity nobody", 1, &["public certificate authorities"]);
    sandbox.fails("verify certificate model", 2, &["--certificate-chain", "--certificate-identity"]);
    sandbox.fails(&format!("{VERIFY} --certificate-identity-regexp ("), 2, &["not a regular expression"]);
    sandbox.fails(&format!("{VERIFY} --certificate-chain missing.pem"), 3, &["missing.pem"]);
    sandbox.fails(&format!("{VERIFY} --certificate-chain key.pub.pem"), 1, &["key.pub.pem", "expected a certificate"]);
    sandbox.fails("verify key model --public-key key.pub.pem", 1, &["`key`", "verify certificate"]);
    sandbox.ok("sign key model --private-key key.pem --signature key.sig");
    sandbox.fails(&format!("{VERIFY} --signature key.sig"), 1, &["`certificate`", "verify key"]);
}

#[test]
fn what_could_not_be_verified_is_not_signed() {
    let Some(sandbox) = sandbox("what_could_not_be_verified_is_not_signed", Validity::days(-2, -1)) else { return };
    let chain = "--certificate-chain pki/chain.pem";
    sandbox.fails(&format!("{SIGN} {chain}"), 1, &["is valid from", "not at"]);
    let Some(sandbox) = self::sandbox("", Validity::days(-1, 1)) else { return };
    sandbox.fails(&format!("{SIGN} --certificate-chain pki/other.pem"), 1, &["no path"]);
    let other = "sign certificate model --private-key key.pem --signing-certificate pki/signer.pem";
    sandbox.fails(other, 1, &["the certificate is not of the private key"]);
    let wrong = "sign certificate model --private-key pki/signer.key --signing-certificate pki/other-signer.pem";
    sandbox.fails(wrong, 1, &["the certificate is not of the private key"]);
    for (target, what) in [
        ("pki/signer.pem", "the signing certificate"),
        ("pki/chain.pem", "a certificate of the chain"),
        ("pki/signer.key", "the private key"),
        ("password", "the password file"),
        ("pki/other.pem", "the timestamp authority's certificate"),
    ] {
        sandbox.write("password", "secret");
        let more = "--password-file password --tsa-url http://127.0.0.1:1/ --tsa-certificate-chain pki/other.pem";
        sandbox.fails(&format!("{SIGN} {chain} {more} --signature {target}"), 2, &["would overwrite", what]);
    }
    sandbox.ok(SIGN);
    sandbox.fails(VERIFY, 1, &["no path to a trusted certificate", "--certificate-chain"]);
}

#[test]
fn fingerprints_are_printed_as_openssl_prints_them() {
    let Some(sandbox) = signed("fingerprints_are_printed_as_openssl_prints_them") else { return };
    let run = sandbox.ok(&format!("{VERIFY} --log_fingerprints"));
    for name in ["root", "signer"] {
        let arguments = format!("x509 -in pki/{name}.pem -noout -fingerprint -sha256");
        let printed = openssl(&sandbox.path("."), &arguments).expect("a fingerprint");
        let (_, fingerprint) = printed.trim().split_once('=').expect("a name and a value");
        assert!(run.stderr.contains(fingerprint), "{name}: expected {fingerprint} in {}", run.stderr);
    }
}

#[test]
fn signatures_of_old_kinds_certify_nothing() {
    let Some(sandbox) = sandbox("signatures_of_old_kinds_certify_nothing", Validity::days(-1, 1)) else { return };
    let run = |arguments: &str| openssl(&sandbox.path("pki"), arguments).expect("openssl");
    sandbox.write("pki/leaf.cnf", "keyUsage = critical, digitalSignature\n");
    run("req -x509 -newkey rsa:2048 -nodes -keyout rsa.key -out rsa.pem -days 2 -subj /CN=RSA");
    run("req -new -key signer.key -subj /CN=Leaf -out leaf.csr");
    for (kind, arguments) in [("RSA with SHA-1", "-sha1"), ("RSA-PSS", "-sigopt rsa_padding_mode:pss")] {
        run(&format!(
            "x509 -req -in leaf.csr -CA rsa.pem -CAkey rsa.key -CAcreateserial -days 1 {arguments} -extfile leaf.cnf \
             -out leaf.pem"
        ));
        let sign = "sign certificate model --private-key pki/signer.key --signing-certificate pki/leaf.pem";
        sandbox.fails(&format!("{sign} --certificate-chain pki/rsa.pem"), 1, &["is signed with", kind]);
        sandbox.ok(sign);
        sandbox.fails("verify certificate model --certificate-chain pki/rsa.pem", 1, &["is signed with", kind]);
    }
}

#[test]
fn revoked_certificates_are_refused() {
    let Some(sandbox) = sandbox("revoked_certificates_are_refused", Validity::days(-1, 1)) else { return };
    let run = |arguments: &str| openssl(&sandbox.path("pki"), arguments).expect("openssl");
    sandbox.write("pki/leaf.cnf", "keyUsage = critical, digitalSignature\n");
    sandbox.write(
        "pki/ca.cnf",
        "[ca]\ndefault_ca = list\n[list]\ndatabase = index.txt\ndefault_md = sha256\ndefault_crl_days = 1\n\
         crlnumber = number\n",
    );
    sandbox.write("pki/index.txt", "");
    sandbox.write("pki/number", "01\n");
    run("req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 2 -subj /CN=Authority");
    run("req -new -key signer.key -subj /CN=Leaf -out leaf.csr");
    run("x509 -req -in leaf.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 1 -extfile leaf.cnf -out leaf.pem");
    run("ca -config ca.cnf -gencrl -keyfile ca.key -cert ca.pem -out before.pem");
    run("ca -config ca.cnf -revoke leaf.pem -keyfile ca.key -cert ca.pem -crl_reason superseded");
    run("ca -config ca.cnf -gencrl -keyfile ca.key -cert ca.pem -out after.pem");
    run("crl -in after.pem -outform DER -out after.der");
    sandbox.ok("sign certificate model --private-key pki/signer.key --signing-certificate pki/leaf.pem");

    let verify = "verify certificate model --certificate-chain pki/ca.pem";
    let good = sandbox.ok(&format!("{verify} --crl pki/before.pem"));
    assert!(good.stdout.contains("not revoked  CN=Leaf, says the list of"), "{}", good.stdout);
    for list in ["pki/after.pem", "pki/after.der", "pki/before.pem --crl pki/after.pem"] {
        sandbox.fails(&format!("{verify} --crl {list}"), 1, &["`CN=Leaf`", "was revoked on", "Superseded"]);
    }
    sandbox.write("noise.crl", "noise");
    sandbox.fails(&format!("{verify} --crl noise.crl"), 1, &["noise.crl"]);
    sandbox.fails(&format!("{verify} --crl missing.crl"), 3, &["missing.crl"]);
    sandbox.fails(&format!("{verify} --crl pki/ca.pem"), 1, &["expected a PEM block `X509 CRL`"]);
}
