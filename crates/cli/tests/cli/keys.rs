//! Keys and passwords, as files and as the user gives them.

use model_transparency::key::{KeyAlgorithm, generate};

use super::support::{Sandbox, run};

const SIGN: &str = "sign key model --signature out.sig --private-key";
const VERIFY: &str = "verify key model --signature model.sig --public-key";

#[test]
fn files_that_hold_no_usable_key_are_named() {
    let sandbox = Sandbox::signed();
    sandbox.write("garbage.pem", "garbage");
    sandbox.write("broken.pem", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n");
    sandbox.write("certificate.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    sandbox.fails(&format!("{SIGN} no-such.pem"), 3, &["the private key `no-such.pem` cannot be read"]);
    sandbox.fails(&format!("{VERIFY} no-such.pem"), 3, &["the public key `no-such.pem` cannot be read"]);
    sandbox.fails(&format!("{SIGN} model"), 3, &["the private key `model` cannot be read"]);
    sandbox.fails(&format!("{SIGN} garbage.pem"), 1, &["`garbage.pem`: expected PEM", "found none"]);
    sandbox.fails(&format!("{VERIFY} garbage.pem"), 1, &["`garbage.pem`: expected PEM"]);
    sandbox.fails(&format!("{VERIFY} broken.pem"), 1, &["`broken.pem`: the key is broken"]);
    sandbox.fails(&format!("{VERIFY} certificate.pem"), 1, &["expected a public key, found a certificate"]);
    sandbox.fails(&format!("{SIGN} key.pub.pem"), 1, &["expected a private key, found a public key"]);
    sandbox.fails(&format!("{VERIFY} key.pem"), 1, &["expected a public key, found a private key", "-pubout"]);
}

#[test]
fn an_encrypted_key_needs_its_password() {
    let sandbox = Sandbox::with_model();
    sandbox.write("password", "correct horse\nnot this line\n");
    sandbox.write("wrong", "incorrect");
    sandbox.ok("keygen --private-key secret.pem --password-file password");
    let sign = format!("{SIGN} secret.pem");
    sandbox.fails(&sign, 3, &["secret.pem", "encrypted", "--password-file"]);
    sandbox.fails(&format!("{sign} --password-file wrong"), 1, &["secret.pem", "the password is wrong"]);
    sandbox.fails(&format!("{sign} --password-file no-such"), 3, &["the password file `no-such` cannot be read"]);
    sandbox.fails(&format!("{sign} --password x --password-file wrong"), 2, &["cannot be used with"]);
    sandbox.fails_as(sandbox.command(&sign).env("MODEL_SIGNING_PASSWORD", "nope"), 1, &["the password is wrong"]);
    sandbox.ok(&format!("{sign} --password-file password"));
    let by_variable = run(sandbox.command(&sign).env("MODEL_SIGNING_PASSWORD", "correct horse"));
    assert_eq!(by_variable.code, Some(0), "{by_variable:?}");
    let by_flag = run(sandbox.command(&sign).arg("--password=correct horse"));
    assert_eq!(by_flag.code, Some(0), "{by_flag:?}");
    assert!(by_flag.stderr.contains("warning") && by_flag.stderr.contains("--password-file"), "{by_flag:?}");
    sandbox.ok("verify key model --public-key secret.pub.pem --signature out.sig");
}

#[test]
fn a_password_that_is_not_needed_is_said_to_be_unused() {
    let sandbox = Sandbox::with_model();
    let run = sandbox.ok(&format!("{SIGN} key.pem --password x"));
    assert!(run.stderr.contains("is not encrypted"), "{}", run.stderr);
}

#[test]
fn every_algorithm_signs_every_kind_of_model() {
    let sandbox = Sandbox::with_model();
    for algorithm in ["p256", "p384", "p521", "ed25519", "rsa-3072"] {
        sandbox.ok(&format!("keygen --algorithm {algorithm} --private-key {algorithm}.pem"));
        for (model, hashing) in [
            ("model", ""),
            ("model/config.json", ""),
            ("model", "--hash blake2b --jobs 1"),
            ("model", "--hash blake3 --jobs 8"),
            ("model", "--shard-size 3"),
            ("model/sub/weights.bin", "--hash blake3 --shard-size 5"),
        ] {
            sandbox.ok(&format!("sign key {model} --private-key {algorithm}.pem --signature s.sig {hashing}"));
            sandbox.ok(&format!("verify key {model} --public-key {algorithm}.pub.pem --signature s.sig"));
        }
        std::fs::remove_file(sandbox.path("s.sig")).expect("removed");
    }
}

#[test]
fn keygen_overwrites_nothing_and_leaves_no_half_pair() {
    let sandbox = Sandbox::with_model();
    let before = sandbox.read("key.pem");
    sandbox.fails("keygen --private-key key.pem", 3, &["`key.pem` exists already"]);
    sandbox.fails("keygen --private-key new.pem --public-key key.pub.pem", 3, &["`key.pub.pem` exists already"]);
    sandbox.fails("keygen --private-key new.pem --public-key no/such.pem", 3, &["cannot be written"]);
    sandbox.fails("keygen --algorithm rsa-1024", 2, &["rsa-1024"]);
    assert_eq!(sandbox.read("key.pem"), before);
}

#[cfg(unix)]
#[test]
fn a_private_key_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    let sandbox = Sandbox::with_model();
    let mode = std::fs::metadata(sandbox.path("key.pem")).expect("there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn a_short_rsa_key_signs_with_a_warning() {
    let sandbox = Sandbox::with_model();
    let (pem, _) = generate(KeyAlgorithm::Rsa { bits: 2048 }, None).expect("keys can be made");
    sandbox.write("rsa.pem", &*pem);
    let run = sandbox.ok(&format!("{SIGN} rsa.pem"));
    assert!(run.stderr.contains("an RSA key of 2048 bits is the shortest"), "{}", run.stderr);
}
