//! `sign pkcs11-key` with SoftHSM: `softhsm2-util` and OpenSC's `pkcs11-tool` make the tokens and keys.
//!
//! Where these are not installed the tests say that they are skipped; with `MODEL_SIGNING_REQUIRE_SOFTHSM` set, they fail.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use model_transparency::key::PublicKey;

use super::support::{Run, Sandbox, run, skipped};
use super::tsa::code_signing::{Validities, issue};
use super::tsa::{KeyKind, Validity, has_openssl};

const LIBRARIES: &[&str] = &[
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/lib64/pkcs11/libsofthsm2.so",
    "/usr/lib64/softhsm/libsofthsm2.so",
    "/usr/local/lib/softhsm/libsofthsm2.so",
    "/opt/homebrew/lib/softhsm/libsofthsm2.so",
];
/// OpenSC's module that passes every call on to another one and writes down which.
const SPIES: &[&str] = &[
    "/usr/lib/x86_64-linux-gnu/pkcs11/pkcs11-spy.so",
    "/usr/lib/aarch64-linux-gnu/pkcs11/pkcs11-spy.so",
    "/usr/lib64/pkcs11/pkcs11-spy.so",
];
const PIN: &str = "12345678";

/// A model, and a SoftHSM of its own with the token `model`.
struct Device {
    sandbox: Sandbox,
    /// Apart from the sandbox, which is watched for files that a failure leaves behind.
    tokens: tempfile::TempDir,
    library: &'static str,
}

impl Device {
    /// With an empty token; `None` if there is no SoftHSM here.
    fn new(test: &str) -> Option<Self> {
        let installed = |tool: &str| Command::new(tool).arg("--help").output().is_ok();
        let library = first_that_exists(LIBRARIES).filter(|_| installed("softhsm2-util") && installed("pkcs11-tool"));
        let Some(library) = library else {
            let why = "SoftHSM (libsofthsm2.so, softhsm2-util) or OpenSC (pkcs11-tool) is not installed";
            assert!(std::env::var_os("MODEL_SIGNING_REQUIRE_SOFTHSM").is_none(), "{why}");
            skipped(&format!("{test}: {why}"));
            return None;
        };
        let tokens = tempfile::tempdir().expect("a temporary folder");
        let configuration = format!("directories.tokendir = {}\nlog.level = ERROR\n", tokens.path().display());
        fs::write(tokens.path().join("softhsm2.conf"), configuration).expect("written");
        let device = Self { sandbox: Sandbox::with_model(), tokens, library };
        device.add_token("model");
        Some(device)
    }

    fn add_token(&self, label: &str) {
        let arguments = ["--init-token", "--free", "--label", label, "--pin", PIN, "--so-pin", "87654321"];
        self.tool("softhsm2-util", &arguments);
    }

    /// Makes a key pair of `kind` (`EC:prime256v1`, `rsa:2048`).
    fn add_key(&self, kind: &str, label: &str, id: &str, more: &[&str]) {
        self.pkcs11_tool(&[&["--keypairgen", "--key-type", kind, "--label", label, "--id", id], more].concat());
    }

    fn pkcs11_tool(&self, arguments: &[&str]) {
        let common = ["--module", self.library, "--token-label", "model", "--login", "--pin", PIN];
        self.tool("pkcs11-tool", &[&common, arguments].concat());
    }

    fn tool(&self, tool: &str, arguments: &[&str]) {
        let run = run(self.with_tokens(Command::new(tool).args(arguments)));
        assert_eq!(run.code, Some(0), "{tool} {arguments:?}: {run:?}");
    }

    fn with_tokens<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command.env("SOFTHSM2_CONF", self.tokens.path().join("softhsm2.conf"))
    }

    /// Puts an object of the sandbox into the token, under `name` as its label and ID.
    fn import(&self, file: &str, kind: &str, name: &str) {
        let file = self.sandbox.path(file);
        let (file, id) =
            (file.to_str().expect("UTF-8"), name.bytes().map(|byte| format!("{byte:02x}")).collect::<String>());
        self.pkcs11_tool(&["--write-object", file, "--type", kind, "--label", name, "--id", &id]);
    }

    /// Writes the public key with this ID, as the token has it, to `key.pub.pem`.
    fn export_public_key(&self, id: &str) {
        let der = self.tokens.path().join("public.der");
        let path = der.to_str().expect("UTF-8");
        self.pkcs11_tool(&["--read-object", "--type", "pubkey", "--id", id, "--output-file", path]);
        let key = PublicKey::from_spki(&fs::read(&der).expect("readable")).expect("a public key");
        self.sandbox.write("key.pub.pem", key.to_pem());
    }

    /// The URI of a key in the token `model`: `name` is `object=…` or `id=…`.
    fn uri(&self, name: &str) -> String {
        format!("pkcs11:token=model;{name}?module-path={}", self.library)
    }

    /// The command that signs with the key at `uri`, with `more` words.
    fn command(&self, uri: &str, more: &str) -> Command {
        let words = ["sign", "pkcs11-key", "model", "--signature", "out.sig", "--pkcs11-uri", uri];
        let mut command = self.sandbox.command_words(words.into_iter().chain(more.split_whitespace()));
        self.with_tokens(&mut command);
        command
    }

    /// As [`Self::command`] for the key `signer`, every call to its module written down; `None` if that can't be done.
    fn spied(&self, test: &str, more: &str) -> Option<Spied> {
        let Some(spy) = first_that_exists(SPIES) else {
            skipped(&format!("{test}: OpenSC's pkcs11-spy is not installed, so calls are not counted"));
            return None;
        };
        let log = self.tokens.path().join("calls");
        let mut command = self.command(&format!("pkcs11:token=model;object=signer?module-path={spy}"), more);
        command.env("PKCS11SPY", self.library).env("PKCS11SPY_OUTPUT", &log);
        Some(Spied { command, log })
    }

    /// Signs with the key at `uri`, and verifies with `key.pub.pem`.
    #[track_caller]
    fn signs(&self, uri: &str, more: &str) -> Run {
        let signed = run(&mut self.command(uri, more));
        assert_eq!(signed.code, Some(0), "{uri} {more}: {signed:?}");
        self.verifies();
        signed
    }

    #[track_caller]
    fn verifies(&self) {
        self.sandbox.ok("verify key model --public-key key.pub.pem --signature out.sig");
        fs::remove_file(self.sandbox.path("out.sig")).expect("removed");
    }

    /// Fails to sign with the key at `uri` and the right PIN.
    #[track_caller]
    fn fails(&self, uri: &str, code: i32, says: &[&str]) {
        self.sandbox.fails_as(self.command(uri, "").env("MODEL_SIGNING_PIN", PIN), code, says);
    }
}

/// A command whose calls to its module are written down.
struct Spied {
    command: Command,
    log: PathBuf,
}

impl Spied {
    /// How often each of these functions was called.
    fn calls<const N: usize>(&self, names: [&str; N]) -> [usize; N] {
        let log = fs::read_to_string(&self.log).expect("written");
        names.map(|name| log.lines().filter(|line| line.ends_with(&format!(": {name}"))).count())
    }
}

fn first_that_exists(paths: &[&'static str]) -> Option<&'static str> {
    paths.iter().copied().find(|path| Path::new(path).exists())
}

#[test]
fn every_kind_of_key_signs() {
    let Some(device) = Device::new("every_kind_of_key_signs") else { return };
    for algorithm in ["p256", "p384", "p521", "rsa-3072", "rsa-4096"] {
        for old in ["key.pem", "key.pub.pem"] {
            fs::remove_file(device.sandbox.path(old)).expect("removed");
        }
        device.sandbox.ok(&format!("keygen --private-key key.pem --algorithm {algorithm}"));
        device.import("key.pem", "privkey", algorithm);
        device.import("key.pub.pem", "pubkey", algorithm);
        let run = device.signs(&format!("{}&pin-value={PIN}", device.uri(&format!("object={algorithm}"))), "");
        assert!(run.stderr.contains("`pin-value` shows the PIN"), "{run:?}");
        assert!(!format!("{run:?}").contains(PIN), "{run:?}");
    }
    for kind in ["EC:prime256v1", "rsa:2048"] {
        device.add_key(kind, kind, "01", &[]);
        device.export_public_key("01");
        device.sandbox.write("pin", PIN);
        let run = device.signs(&device.uri(&format!("object={kind}")), "--pin-file pin");
        assert_eq!(run.stderr.contains("an RSA key of 2048 bits"), kind == "rsa:2048", "{run:?}");
        device.pkcs11_tool(&["--delete-object", "--type", "pubkey", "--id", "01"]);
    }
}

#[test]
fn the_pin_is_taken_from_where_it_is() {
    let Some(device) = Device::new("the_pin_is_taken_from_where_it_is") else { return };
    device.add_key("EC:prime256v1", "signer", "01", &[]);
    device.export_public_key("01");
    let uri = device.uri("object=signer");
    device.sandbox.write("pin", format!("{PIN}\nnot this line\n"));
    device.sandbox.write("empty", "\n");
    let file = device.sandbox.path("pin").display().to_string();

    let quiet = device.signs(&uri, "--pin-file pin");
    assert_eq!(quiet.stderr, "");
    device.signs(&format!("{uri}&pin-source=file:{file}"), "");
    device.signs(&format!("{uri}&pin-source={file}"), "");
    let by_variable = run(device.command(&uri, "").env("MODEL_SIGNING_PIN", PIN));
    assert_eq!(by_variable.code, Some(0), "{by_variable:?}");
    device.verifies();

    let fails = |uri: &str, more: &str, code, says: &[&str]| {
        device.sandbox.fails_as(&mut device.command(uri, more), code, says);
    };
    fails(&uri, "", 3, &["the token `model`", "needs a PIN", "--pin-file"]);
    fails(&uri, "--pin-file none", 3, &["the PIN file `none` cannot be read"]);
    fails(&uri, "--pin-file empty", 3, &["the PIN file `empty`", "found nothing"]);
    fails(&format!("{uri}&pin-source={file}-none"), "", 3, &["pin-none` cannot be read"]);
    fails(&format!("{uri}&pin-source={file}"), "--pin-file pin", 2, &["the PIN is given twice"]);
}

#[test]
fn the_key_is_named_in_each_way_that_the_rfc_has() {
    let Some(device) = Device::new("the_key_is_named_in_each_way_that_the_rfc_has") else { return };
    device.add_key("EC:prime256v1", "signer", "a1b2", &[]);
    device.export_public_key("a1b2");
    for (path, query) in [
        ("object=signer", format!("module-path={}", device.library)),
        ("id=%a1%B2;object=signer;type=private", format!("module-path={}", device.library)),
        // What `p11tool` and `pkcs11-tool` print, without a login, for the pair.
        (
            "token=model;manufacturer=SoftHSM%20project;model=SoftHSM%20v2;id=%A1%B2;type=public",
            format!("module-path={}", device.library),
        ),
        ("library-manufacturer=SoftHSM;token=model;object=signer", format!("module-path={}", device.library)),
        ("object=signer", {
            let folder = Path::new(device.library).parent().expect("a folder");
            format!("module-path={}&module-name=SoftHSM2", folder.display())
        }),
    ] {
        device.sandbox.write("pin", PIN);
        device.signs(&format!("pkcs11:{path}?{query}"), "--pin-file pin");
    }
    let underscore = run(device
        .with_tokens(&mut device.sandbox.command("sign pkcs11-key model --signature out.sig --pin_file pin"))
        .arg(format!("--pkcs11_uri={}", device.uri("object=signer"))));
    assert_eq!(underscore.code, Some(0), "{underscore:?}");
    device.verifies();
}

#[test]
fn a_wrong_pin_is_tried_once() {
    let Some(device) = Device::new("a_wrong_pin_is_tried_once") else { return };
    device.add_key("EC:prime256v1", "signer", "01", &[]);
    device.sandbox.write("wrong", "87654321");
    let mut command = device.command(&device.uri("object=signer"), "--pin-file wrong");
    let failed = device.sandbox.fails_as(&mut command, 1, &["the token `model`", "refused the PIN", "tried once"]);
    assert!(!failed.stderr.contains("87654321"), "{failed:?}");

    let Some(mut spied) = device.spied("a_wrong_pin_is_tried_once", "--pin-file wrong") else { return };
    device.sandbox.fails_as(&mut spied.command, 1, &["refused the PIN"]);
    assert_eq!(spied.calls(["C_Login", "C_CloseSession", "C_Finalize"]), [1, 1, 1]);
}

#[test]
fn a_key_that_wants_the_pin_each_time_gets_it() {
    let Some(device) = Device::new("a_key_that_wants_the_pin_each_time_gets_it") else { return };
    device.add_key("rsa:2048", "signer", "01", &["--always-auth"]);
    device.export_public_key("01");
    device.sandbox.write("pin", PIN);
    device.signs(&device.uri("object=signer"), "--pin-file pin");

    let test = "a_key_that_wants_the_pin_each_time_gets_it";
    let Some(mut spied) = device.spied(test, "--pin-file pin") else { return };
    assert_eq!(run(&mut spied.command).code, Some(0));
    assert_eq!(spied.calls(["C_Login", "C_SignInit", "C_SignFinal"]), [2, 1, 2], "its length, then the signature");
}

#[test]
fn what_is_not_there_is_said_beside_what_is() {
    let Some(device) = Device::new("what_is_not_there_is_said_beside_what_is") else { return };
    device.add_key("EC:prime256v1", "signer", "a1", &[]);
    let library = device.library;
    let present = "`signer` (EC, id a1)";
    device.fails(&device.uri("object=other"), 3, &["the token `model`", "a private key with label `other`", present]);
    device.fails(&device.uri("object=signer;id=%02"), 3, &["label `signer` and id 02", present]);
    let token = "found `model` (SoftHSM v2, serial ";
    device.fails(&format!("pkcs11:token=other;object=signer?module-path={library}"), 3, &["no token is", token]);
    device.fails(&format!("pkcs11:slot-id=9999;object=signer?module-path={library}"), 3, &["no token is", token]);
    device.fails(&format!("pkcs11:serial=;object=signer?module-path={library}"), 3, &["no token is", token]);
    let other = format!("pkcs11:library-version=0.1;object=signer?module-path={library}");
    device.fails(&other, 3, &["libsofthsm2.so`: expected `library-version` to be `0.1`, found `"]);
    device.fails("pkcs11:object=a?module-path=/no/such.so", 3, &["the module `/no/such.so` cannot be used"]);
    device.fails("pkcs11:object=a?module-name=no-such", 3, &["no module named `no-such` was found in `/"]);
    let folder = device.sandbox.path("model");
    let empty = format!("pkcs11:object=a?module-path={}&module-name=p11", folder.display());
    device.fails(&empty, 3, &["no module named `p11`", &folder.display().to_string()]);
}

#[test]
fn several_of_a_kind_are_listed() {
    let Some(device) = Device::new("several_of_a_kind_are_listed") else { return };
    device.add_key("EC:prime256v1", "signer", "01", &[]);
    device.add_key("EC:prime256v1", "signer", "02", &[]);
    device.fails(
        &device.uri("object=signer"),
        2,
        &["found 2: ", "`signer` (EC, id 01)", "`signer` (EC, id 02)", "`id`"],
    );
    device.export_public_key("02");
    device.sandbox.write("pin", PIN);
    device.signs(&device.uri("object=signer;id=%02"), "--pin-file pin");

    device.add_token("spare");
    let any = format!("pkcs11:object=signer?module-path={}", device.library);
    device.fails(&any, 2, &["expected one token", "found 2: ", "`model` (", "`spare` (", "`slot-id`"]);
}

#[test]
fn keys_that_no_verifier_takes_are_refused() {
    let Some(device) = Device::new("keys_that_no_verifier_takes_are_refused") else { return };
    device.add_key("EC:secp256k1", "koblitz", "01", &[]);
    device.add_key("rsa:1024", "short", "02", &[]);
    device.fails(&device.uri("object=koblitz"), 1, &["`koblitz`", "expected an EC key (P-256", "curve 1.3.132.0.10"]);
    device.fails(&device.uri("object=short"), 1, &["`short`", "expected an EC key", "an RSA key of 1024 bits"]);
}

#[test]
fn the_public_key_is_found_where_the_token_has_it() {
    let Some(device) = Device::new("the_public_key_is_found_where_the_token_has_it") else { return };
    device.sandbox.write("pin", PIN);
    device.add_key("rsa:2048", "rsa", "01", &[]);
    device.export_public_key("01");
    device.pkcs11_tool(&["--delete-object", "--type", "pubkey", "--id", "01"]);
    device.signs(&device.uri("object=rsa"), "--pin-file pin");

    device.add_key("EC:prime256v1", "ec", "02", &[]);
    device.pkcs11_tool(&["--delete-object", "--type", "pubkey", "--id", "02"]);
    device.fails(&device.uri("object=ec"), 1, &["`ec` (EC, id 02)", "expected its public key or its certificate"]);

    if Command::new("openssl").arg("version").output().is_err() {
        return skipped("the_public_key_is_found_where_the_token_has_it: openssl is not installed, so no certificate");
    }
    let request = ["req", "-x509", "-new", "-key", "certified.pem", "-subj", "/CN=signer", "-out", "certificate.pem"];
    device.sandbox.ok("keygen --private-key certified.pem --public-key certified.pub.pem");
    let made =
        Command::new("openssl").args(request).current_dir(device.sandbox.path("")).output().expect("openssl runs");
    assert!(made.status.success(), "{made:?}");
    device.import("certified.pem", "privkey", "certified");
    device.import("certificate.pem", "cert", "certified");
    fs::copy(device.sandbox.path("certified.pub.pem"), device.sandbox.path("key.pub.pem")).expect("copied");
    device.signs(&device.uri("object=certified"), "--pin-file pin");
}

#[test]
fn a_certificate_of_a_key_in_a_token_signs() {
    let test = "a_certificate_of_a_key_in_a_token_signs";
    let Some(device) = Device::new(test) else { return };
    if !has_openssl(test) {
        return;
    }
    let sandbox = &device.sandbox;
    let pki = issue(KeyKind::P384, Validities::of_signer(Validity::days(-1, 1)));
    for (name, path) in [
        ("root.pem", pki.root()),
        ("chain.pem", pki.chain()),
        ("signer.pem", pki.certificate()),
        ("key", pki.private_key()),
    ] {
        sandbox.write(name, fs::read(path).expect("made"));
    }
    sandbox.write("pin", PIN);
    device.import("key", "privkey", "signer");
    device.import("signer.pem", "cert", "signer");
    let sign = |certificates: &str| {
        let words = format!("sign pkcs11-certificate model --pin-file pin {certificates} --pkcs11-uri");
        let mut command = sandbox.command(&words);
        device.with_tokens(command.arg(device.uri("object=signer")));
        command
    };
    let signed = run(&mut sign("--signing_certificate signer.pem --certificate_chain chain.pem"));
    assert_eq!(signed.code, Some(0), "{signed:?}");
    sandbox.ok("verify certificate model --certificate-chain root.pem");
    fs::remove_file(sandbox.path("model.sig")).expect("removed");

    let mut other = sign("--signing-certificate root.pem");
    sandbox.fails_as(&mut other, 1, &["the certificate is not of the private key"]);
    sandbox.fails_as(&mut sign("--signing-certificate signer.pem --signature signer.pem"), 2, &["would overwrite"]);
}

#[test]
fn a_malformed_uri_is_wrong_usage_and_its_pin_is_not_repeated() {
    let sandbox = Sandbox::with_model();
    for (uri, says) in [
        ("file:///key.pem", "begins with `pkcs11:`"),
        ("pkcs11:object=a;vendor=b?module-name=m", "found `vendor`"),
        ("pkcs11:object=a;slot-id=one?module-name=m", "`slot-id`: expected a number"),
        ("pkcs11:object=a?module-path=m.so", "`module-path`: expected an absolute path, found `m.so`"),
        ("pkcs11:token=t?module-name=m&pin-value=s3cret", "expected `object` (a label) or `id`"),
        ("pkcs11:object=a?module-name=m&pin-value=s3cret%", "`pin-value`: expected two hex digits"),
        ("pkcs11:object=a;pin-value=s3cret?module-name=m", "expected `pin-value=` right after"),
        ("pkcs11:object=a?module-name=m&s3cret", "in place 2"),
    ] {
        let mut command = sandbox.command("sign pkcs11-key model --pkcs11-uri");
        let failed = sandbox.fails_as(command.arg(uri), 2, &["--pkcs11-uri: ", says]);
        assert!(!failed.stderr.contains("s3cret"), "{failed:?}");
    }
    let missing = sandbox.fails("sign pkcs11-key model", 2, &["--pkcs11-uri <PKCS11_URI>"]);
    assert!(missing.stderr.contains("required"), "{missing:?}");
}

#[test]
fn a_summary_is_signed_in_the_token() {
    use super::vsa::create::{add_provenance, create, verify};
    let Some(device) = Device::new("a_summary_is_signed_in_the_token") else { return };
    if !add_provenance(&device.sandbox) {
        return;
    }
    device.add_key("EC:prime256v1", "signer", "01", &[]);
    device.export_public_key("01");
    device.sandbox.write("pin", PIN);
    let words = create(&format!("--sign pkcs11-key --pin-file pin --pkcs11-uri {}", device.uri("object=signer")));
    let signed = run(device.with_tokens(&mut device.sandbox.command(&words)));
    assert_eq!(signed.code, Some(0), "{signed:?}");
    device.sandbox.ok(&verify("--public-key-path key.pub.pem"));
    fs::remove_file(device.sandbox.path("vsa.json")).expect("removed");
    let wrong = words.replace("object=signer", "object=other");
    device.sandbox.fails_as(device.with_tokens(&mut device.sandbox.command(&wrong)), 3, &["other"]);

    if !has_openssl("a_summary_is_signed_in_the_token") {
        return;
    }
    let pki = issue(KeyKind::P256, Validities::of_signer(Validity::days(-1, 30)));
    for (name, path) in [("signer.pem", pki.certificate()), ("chain.pem", pki.chain()), ("root.pem", pki.root())] {
        device.sandbox.write(name, fs::read(path).expect("made"));
    }
    device.sandbox.write("signer.key", fs::read(pki.private_key()).expect("made"));
    device.import("signer.key", "privkey", "certified");
    device.import("signer.pem", "cert", "certified");
    let certificates = "--signing-certificate signer.pem --certificate-chain chain.pem";
    let uri = device.uri("object=certified");
    let words = create(&format!("--sign pkcs11-certificate --pin-file pin {certificates} --pkcs11-uri {uri}"));
    let signed = run(device.with_tokens(&mut device.sandbox.command(&words)));
    assert_eq!(signed.code, Some(0), "{signed:?}");
    device.sandbox.ok(&verify("--certificate-chain root.pem"));
}
