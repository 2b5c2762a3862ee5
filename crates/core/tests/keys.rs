//! Keys as other tools write them: every form that `openssl` has is read, and what can't be used is refused with the
//! error that says why.

mod forge;

use std::io::Write;
use std::process::{Command, Stdio};

use forge::{KEY, Refusal, bundle_by, new_key, read_by, refused, skipped, statement};
use model_transparency::key::{
    GenerateError, InvalidKey, KeyAlgorithm, PrivateKey, PrivateKeyPem, PublicKey, SigningKey as _, generate,
};
use model_transparency::verify::SignatureError;
use pem::Pem;
use pkcs8::{ObjectIdentifier, PrivateKeyInfoRef};

const PASSWORD: &str = "correct-horse";

/// What `openssl` prints, or what it complains of. It runs where files may be left.
fn try_openssl(arguments: &str, input: &[u8]) -> Result<Vec<u8>, String> {
    let mut command = Command::new("openssl");
    command.args(arguments.split(' ')).current_dir(env!("CARGO_TARGET_TMPDIR"));
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|error| error.to_string())?;
    // A command that needs no input may be gone already.
    let _ = child.stdin.take().expect("piped").write_all(input);
    let output = child.wait_with_output().map_err(|error| error.to_string())?;
    if output.status.success() { Ok(output.stdout) } else { Err(String::from_utf8_lossy(&output.stderr).into_owned()) }
}

/// What `openssl` prints, where it must know the command.
fn openssl(arguments: &str, input: &[u8]) -> Vec<u8> {
    try_openssl(arguments, input).unwrap_or_else(|error| panic!("openssl {arguments}: {error}"))
}

/// What `openssl` prints; where its build lacks the command, says that the row is skipped.
fn openssl_that_can(arguments: &str, input: &[u8]) -> Option<Vec<u8>> {
    try_openssl(arguments, input).inspect_err(|error| skipped(arguments, error)).ok()
}

/// Whether there is an `openssl`; where not, says that the test is skipped.
fn has_openssl(test: &str) -> bool {
    try_openssl("version", b"").inspect_err(|error| skipped(test, &format!("openssl: {error}"))).is_ok()
}

fn private(text: &[u8], password: Option<&str>) -> Result<PrivateKey, InvalidKey> {
    PrivateKeyPem::parse(text)?.into_key(password.map(str::as_bytes))
}

/// The refusal that a table row asks for.
struct Invalid {
    pattern: &'static str,
    holds: fn(&InvalidKey) -> bool,
}

impl Invalid {
    fn assert<T>(&self, case: &str, outcome: Result<T, InvalidKey>) {
        let Err(error) = outcome else { panic!("{case}: accepted, expected {}", self.pattern) };
        assert!((self.holds)(&error), "{case}: expected {}, found {error:?}", self.pattern);
        if let InvalidKey::WrongKind { expected, found } = &error {
            assert!(!found.ends_with(expected), "{case}: {error}");
        }
    }
}

/// `invalid!(pattern)` or `invalid!(pattern if condition)`: the refusal that a table row asks for.
macro_rules! invalid {
    ($pattern:pat $(if $condition:expr)?) => {
        Invalid {
            pattern: stringify!($pattern $(if $condition)?),
            holds: |error| { use InvalidKey::*; matches!(error, $pattern $(if $condition)?) },
        }
    };
}

/// What a refused key is, or is encrypted with.
fn unsupported(case: &str, outcome: Result<PrivateKey, InvalidKey>) -> String {
    match outcome {
        Err(InvalidKey::UnsupportedAlgorithm { found } | InvalidKey::UnsupportedEncryption(found)) => found,
        other => panic!("{case}: expected to be refused as unsupported, found {other:?}"),
    }
}

/// Makes a key with each command and reads it in every form; what the key signs verifies with the public key that
/// `openssl` derives, whose hint is the digest of what `openssl` prints.
fn every_form_is_read(test: &str, kinds: &[(&str, KeyAlgorithm)]) {
    if !has_openssl(test) {
        return;
    }
    for &(command, algorithm) in kinds {
        let made = openssl(command, b"");
        let public_pem = openssl("pkey -pubout", &made);
        let public = PublicKey::from_pem(&public_pem).expect(command);
        assert_eq!(public.algorithm(), algorithm, "{command}");
        let digest = String::from_utf8(openssl("dgst -sha256 -r", &public_pem)).expect("UTF-8");
        assert_eq!(digest.split(' ').next(), Some(public.hint().as_str()), "{command}");

        let mut spellings = Vec::new();
        match algorithm {
            KeyAlgorithm::Ed25519 => {}
            KeyAlgorithm::Rsa { .. } => spellings.push("rsa -RSAPublicKey_out"),
            _ => spellings.push("ec -pubout -conv_form compressed"),
        }
        for spelling in spellings {
            let text = openssl(spelling, &made);
            assert_ne!(text, public_pem, "{command}, {spelling}");
            assert_eq!(PublicKey::from_pem(&text).expect(spelling), public, "{command}, {spelling}");
        }

        let mut forms = vec![("pkcs8 -topk8 -nocrypt".to_owned(), "-----BEGIN PRIVATE KEY-----")];
        let pbes2 = format!("pkcs8 -topk8 -passout pass:{PASSWORD}");
        forms.push((format!("{pbes2} -scrypt"), "-----BEGIN ENCRYPTED PRIVATE KEY-----"));
        for cipher in ["aes-128-cbc", "aes-192-cbc", "aes-256-cbc", "des3"] {
            for hash in ["SHA1", "SHA256", "SHA512"] {
                let form = format!("{pbes2} -v2 {cipher} -v2prf hmacWith{hash}");
                forms.push((form, "-----BEGIN ENCRYPTED PRIVATE KEY-----"));
            }
            if algorithm != KeyAlgorithm::Ed25519 {
                let form = format!("pkey -traditional -{cipher} -passout pass:{PASSWORD}");
                forms.push((form, "Proc-Type: 4,ENCRYPTED"));
            }
        }
        match algorithm {
            KeyAlgorithm::Ed25519 => {}
            KeyAlgorithm::Rsa { .. } => forms.push(("pkey -traditional".to_owned(), "-----BEGIN RSA PRIVATE KEY-----")),
            _ => {
                assert!(made.starts_with(b"-----BEGIN EC PARAMETERS-----"), "{command}");
                forms.push(("pkey -traditional".to_owned(), "-----BEGIN EC PRIVATE KEY-----"));
            }
        }
        read_and_sign(command, &made, &public);
        for (form, marker) in forms {
            let text = openssl(&form, &made);
            assert!(String::from_utf8_lossy(&text).contains(marker), "{command}, {form}: no {marker}");
            read_and_sign(&format!("{command}, {form}"), &text, &public);
        }
    }
}

/// Reads a private key, as it is and in a file with a comment and CRLF, and signs with it.
fn read_and_sign(case: &str, text: &[u8], public: &PublicKey) {
    let encrypted = PrivateKeyPem::parse(text).expect(case).is_encrypted();
    assert_eq!(encrypted, case.contains(PASSWORD), "{case}");
    if encrypted {
        invalid!(PasswordNeeded).assert(case, private(text, None));
        invalid!(WrongPassword).assert(case, private(text, Some("")));
        invalid!(WrongPassword).assert(case, private(text, Some("wrong")));
    } else {
        // A password that is not needed is passed over.
        private(text, None).expect(case);
    }
    let lines = String::from_utf8(text.to_vec()).expect("UTF-8").replace("\r\n", "\n").replace('\n', "\r\n");
    for text in [text, format!("Bag Attributes\r\n    friendlyName: a: b\r\n\r\n{lines}").as_bytes()] {
        let key = private(text, Some(PASSWORD)).expect(case);
        assert_eq!(key.public_key(), public, "{case}");
        let bundle = bundle_by(&key, statement().to_string().as_bytes()).to_string();
        read_by(&key, bundle.as_bytes()).expect(case);
        refused!(Refusal::Signature(SignatureError::OtherKey { .. })).assert(case, read_by(&KEY, bundle.as_bytes()));
    }
}

#[test]
fn ec_keys_are_read_in_every_form() {
    let kinds = [
        ("ecparam -genkey -name prime256v1", KeyAlgorithm::EcdsaP256),
        ("ecparam -genkey -name secp384r1", KeyAlgorithm::EcdsaP384),
        ("ecparam -genkey -name secp521r1", KeyAlgorithm::EcdsaP521),
    ];
    every_form_is_read("ec_keys_are_read_in_every_form", &kinds);
}

#[test]
fn rsa_keys_are_read_in_every_form() {
    let kinds = [
        ("genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048", KeyAlgorithm::Rsa { bits: 2048 }),
        ("genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:3072", KeyAlgorithm::Rsa { bits: 3072 }),
        ("genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:4096", KeyAlgorithm::Rsa { bits: 4096 }),
    ];
    every_form_is_read("rsa_keys_are_read_in_every_form", &kinds);
}

#[test]
fn ed25519_keys_are_read_in_every_form() {
    every_form_is_read("ed25519_keys_are_read_in_every_form", &[("genpkey -algorithm ed25519", KeyAlgorithm::Ed25519)]);
}

#[test]
fn other_kinds_of_keys_are_refused_by_name() {
    if !has_openssl("other_kinds_of_keys_are_refused_by_name") {
        return;
    }
    let rows = [
        ("ecparam -genkey -name secp256k1", "an EC key on curve 1.3.132.0.10"),
        ("ecparam -genkey -name secp224r1", "an EC key on curve 1.3.132.0.33"),
        ("ecparam -genkey -name brainpoolP256r1", "an EC key on curve 1.3.36.3.3.2.8.1.1.7"),
        ("dsaparam -genkey 1024", "a DSA key"),
        ("genpkey -algorithm DH -pkeyopt group:ffdhe2048", "a key of algorithm 1.2.840.113549.1.3.1"),
        ("genpkey -algorithm RSA-PSS -pkeyopt rsa_keygen_bits:2048", "an RSA-PSS key"),
        ("genpkey -algorithm X25519", "an X25519 key"),
        ("genpkey -algorithm X448", "an X448 key"),
        ("genpkey -algorithm Ed448", "an Ed448 key"),
        ("ecparam -genkey -name prime256v1 -param_enc explicit", "an EC key without a named curve"),
    ];
    for (command, name) in rows {
        let Some(made) = openssl_that_can(command, b"") else { continue };
        let pkcs8 = openssl("pkcs8 -topk8 -nocrypt", &made);
        let public = openssl("pkey -pubout", &made);
        assert_eq!(unsupported(command, private(&made, None)), name, "{command}, as made");
        assert_eq!(unsupported(command, private(&pkcs8, None)), name, "{command}, PKCS#8");
        match PublicKey::from_pem(&public) {
            Err(InvalidKey::UnsupportedAlgorithm { found }) => assert_eq!(found, name, "{command}, public"),
            other => panic!("{command}, public: expected {name} to be refused, found {other:?}"),
        }
    }
}

#[test]
fn rsa_keys_of_other_sizes_are_refused() {
    for bits in [512, 1024, 2047, 4097, 4104, 8192, 8200, 16384] {
        let mut modulus = vec![0xff; usize::div_ceil(bits, 8)];
        modulus[0] >>= (8 - bits % 8) % 8;
        let key = PublicKey::from_spki(&rsa_spki(&modulus, &[1, 0, 1]));
        invalid!(UnsupportedAlgorithm { found } if found.starts_with("an RSA key"))
            .assert(&format!("{bits} bits"), key);
    }
    let bits = generate(KeyAlgorithm::Rsa { bits: 1024 }, None).expect_err("not made");
    assert_eq!(bits, GenerateError::RsaSize { bits: 1024 });
    if !has_openssl("rsa_keys_of_other_sizes_are_refused") {
        return;
    }
    for (bits, name) in [(1024, "an RSA key of fewer than 2048 bits"), (4104, "an RSA key of 4104 bits")] {
        let made = openssl(&format!("genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:{bits}"), b"");
        for form in ["pkcs8 -topk8 -nocrypt", "pkey -traditional"] {
            assert_eq!(unsupported(form, private(&openssl(form, &made), None)), name, "{form}");
        }
    }
}

#[test]
fn encryption_that_is_not_supported_is_refused() {
    if !has_openssl("encryption_that_is_not_supported_is_refused") {
        return;
    }
    let made = openssl("ecparam -genkey -name prime256v1 -noout", b"");
    let rows = [
        ("pkcs8 -topk8 -v2 aria-128-cbc", "1.2.410.200046.1.1.2"),
        ("pkcs8 -topk8 -v2 aes-128-cbc -v2prf hmacWithSHA512-256", "1.2.840.113549.2.13"),
        ("pkey -traditional -camellia-128-cbc", "CAMELLIA-128-CBC"),
        ("pkcs8 -topk8 -v1 PBE-SHA1-3DES", "1.2.840.113549.1.12.1.3"),
    ];
    for (form, name) in rows {
        let Some(text) = openssl_that_can(&format!("{form} -passout pass:{PASSWORD}"), &made) else { continue };
        let found = unsupported(form, private(&text, Some(PASSWORD)));
        assert!(found.contains(name), "{form}: {found}");
    }
}

/// Padding is valid once in 256 times by chance, and then what is decrypted is noise.
#[test]
fn no_wrong_password_is_called_anything_else() {
    if !has_openssl("no_wrong_password_is_called_anything_else") {
        return;
    }
    let made = openssl("ecparam -genkey -name prime256v1 -noout", b"");
    for form in ["pkcs8 -topk8 -v2 aes-128-cbc -iter 1", "pkey -traditional -des3"] {
        let text = openssl(&format!("{form} -passout pass:{PASSWORD}"), &made);
        for number in 0..2000 {
            let case = format!("{form}, {number}");
            invalid!(WrongPassword).assert(&case, private(&text, Some(&number.to_string())));
        }
    }
}

#[test]
fn costly_or_impossible_parameters_are_refused_before_they_are_used() {
    let (aes, des3) = ("2.16.840.1.101.3.4.1.42", "1.2.840.113549.3.7");
    let pbkdf2 = |count: u64| vec![tlv(4, &[7; 8]), int(&count.to_be_bytes())];
    let scrypt = |numbers: [u64; 3]| {
        let numbers = numbers.iter().map(|number| int(&number.to_be_bytes()));
        [tlv(4, &[7; 8])].into_iter().chain(numbers).collect::<Vec<_>>()
    };
    let rows = [
        ("nothing wrong", encrypted(pbkdf2(1), aes, 16), invalid!(WrongPassword)),
        ("nothing wrong, 3DES", encrypted(pbkdf2(1), des3, 8), invalid!(WrongPassword)),
        ("10 000 001 times", encrypted(pbkdf2(10_000_001), aes, 16), too_costly()),
        ("2^32 - 1 times", encrypted(pbkdf2(u32::MAX.into()), aes, 16), too_costly()),
        ("2^32 times", encrypted(pbkdf2(1 << 32), aes, 16), invalid!(Malformed(_))),
        ("scrypt, nothing wrong", encrypted(scrypt([1 << 10, 8, 1]), aes, 16), invalid!(WrongPassword)),
        ("scrypt, 2 GiB", encrypted(scrypt([1 << 21, 8, 1]), aes, 16), too_costly()),
        ("scrypt, absurd memory", encrypted(scrypt([1 << 63, 0xffff, 0xffff]), aes, 16), too_costly()),
        ("scrypt, absurd work", encrypted(scrypt([1 << 14, 8, 0xffff]), aes, 16), too_costly()),
        ("scrypt, block size 2^16", encrypted(scrypt([2, 1 << 16, 1]), aes, 16), invalid!(Malformed(_))),
        ("scrypt, cost 3", encrypted(scrypt([3, 8, 1]), aes, 16), impossible()),
        ("scrypt, block size 0", encrypted(scrypt([2, 0, 1]), aes, 16), impossible()),
        ("scrypt, no lanes", encrypted(scrypt([2, 8, 0]), aes, 16), impossible()),
        ("AES, short vector", encrypted(pbkdf2(1), aes, 15), invalid!(Malformed(_))),
        ("PBES1", pbes1(), invalid!(UnsupportedEncryption(what) if what == "algorithm 1.2.840.113549.1.5.3")),
        ("no DER", pem_of("ENCRYPTED PRIVATE KEY", b"noise"), invalid!(Malformed(_))),
        ("scrypt, 1.2 GB of blocks", encrypted(scrypt([2, 0xffff, 150]), aes, 16), too_costly()),
        ("scrypt, cost 0", encrypted(scrypt([0, 8, 1]), aes, 16), impossible()),
        ("3DES, no vector", encrypted(pbkdf2(1), des3, 0), invalid!(Malformed(_))),
        ("3DES, short vector", encrypted(pbkdf2(1), des3, 7), invalid!(Malformed(_))),
    ];
    for (case, text, expected) in rows {
        expected.assert(case, private(text.as_bytes(), Some(PASSWORD)));
    }
}

fn too_costly() -> Invalid {
    invalid!(UnsupportedEncryption(what) if what.ends_with("asks for too much work"))
}

/// Of parameters that the function can't have it may be said that the password is wrong, which adds "or the file".
fn impossible() -> Invalid {
    invalid!(Malformed(_) | WrongPassword)
}

#[test]
fn broken_legacy_headers_are_refused() {
    let rows = [
        ("no DEK-Info", "", invalid!(Malformed(_))),
        ("no vector", "DEK-Info: AES-128-CBC\n", invalid!(Malformed(_))),
        ("not hexadecimal", "DEK-Info: AES-128-CBC,0011223344556677001122334455667x\n", invalid!(Malformed(_))),
        ("a short vector", "DEK-Info: AES-128-CBC,001122\n", invalid!(Malformed(_))),
        ("half a vector", "DEK-Info: AES-128-CBC,0011223344556677\n", invalid!(Malformed(_))),
        (
            "another cipher",
            "DEK-Info: RC2-CBC,0011223344556677\n",
            invalid!(UnsupportedEncryption(c) if c == "RC2-CBC"),
        ),
        ("noise", "DEK-Info: DES-EDE3-CBC,0011223344556677\n", invalid!(WrongPassword)),
        ("no header", "noise\n", invalid!(Pem(_))),
    ];
    for (case, header, expected) in rows {
        let text = pem_of("EC PRIVATE KEY", &[7; 48]).replacen('\n', "\nProc-Type: 4,ENCRYPTED\n", 1);
        let text = text.replacen("ENCRYPTED\n", &format!("ENCRYPTED\n{header}\n"), 1);
        expected.assert(case, private(text.as_bytes(), Some(PASSWORD)));
    }
}

/// Reads a key of one kind.
type ReadKey = fn(&str) -> Result<PublicKey, InvalidKey>;

#[test]
fn a_file_without_one_key_is_refused() {
    let (private_pem, public) = generate(KeyAlgorithm::EcdsaP256, None).expect("keys can be made");
    let (private_pem, public_pem) = (private_pem.to_string(), public.to_pem());
    let read_private: ReadKey = |text| private(text.as_bytes(), None).map(|key| key.public_key().clone());
    let read_public: ReadKey = |text| PublicKey::from_pem(text.as_bytes());
    let kinds: [(_, _, ReadKey); 2] =
        [("PRIVATE KEY", &private_pem, read_private), ("PUBLIC KEY", &public_pem, read_public)];
    for (label, pem, read) in kinds {
        let cut = &pem[..pem.find("-----END").expect("PEM")];
        let rows = [
            ("cut before the last line", cut.to_owned(), invalid!(Unfinished)),
            ("half", pem[..pem.len() / 2].to_owned(), invalid!(Unfinished)),
            ("one, and another cut", format!("{pem}{cut}"), invalid!(Unfinished)),
            ("cut, and another", format!("{cut}{pem}"), invalid!(Pem(_))),
            ("another end", pem.replace("-----END ", "-----END X "), invalid!(Pem(_))),
            ("no Base64", pem.replacen("-----\n", "-----\n!", 1), invalid!(Pem(_))),
            ("twice", pem.repeat(2), invalid!(Several { found: 2, .. })),
            ("noise", pem_of(label, b"noise"), invalid!(Malformed(_))),
        ];
        assert!(read(pem).is_ok(), "{label}");
        for (case, text, expected) in rows {
            expected.assert(&format!("{label}, {case}"), read(&text));
        }
    }
    let rows = [
        ("empty", String::new(), invalid!(NotPem)),
        ("prose", "not a key".to_owned(), invalid!(NotPem)),
        ("too large", "x".repeat((1 << 20) + 1), invalid!(TooLarge)),
        ("the largest", "x".repeat(1 << 20), invalid!(NotPem)),
        ("a certificate", pem_of("CERTIFICATE", b"x"), invalid!(WrongKind { found, .. } if found == "a certificate")),
        ("OpenSSH", pem_of("OPENSSH PRIVATE KEY", b"x"), invalid!(WrongKind { .. })),
    ];
    for (case, text, expected) in rows {
        expected.assert(case, read_private(&text));
        expected.assert(case, read_public(&text));
    }
    invalid!(Malformed(_)).assert("PKCS#1", read_public(&pem_of("RSA PUBLIC KEY", b"x")));
    invalid!(WrongKind { expected: "private key", found } if found == "a public key")
        .assert("public for private", read_private(&public_pem));
    invalid!(WrongKind { expected: "public key", found } if found.starts_with("a private key"))
        .assert("private for public", read_public(&private_pem));
    let both = private_pem.clone() + &public_pem;
    assert_eq!(read_private(&both).expect("one of each"), public);
    assert_eq!(read_public(&both).expect("one of each"), public);
}

#[test]
fn certificates_and_requests_are_not_keys() {
    if !has_openssl("certificates_and_requests_are_not_keys") {
        return;
    }
    openssl("genpkey -algorithm ed25519 -out request.pem", b"");
    let rows = [("req -new -x509", "a certificate"), ("req -new", "a PEM block `CERTIFICATE REQUEST`")];
    for (command, name) in rows {
        // It wants a configuration file, which may be missing.
        let Some(text) = openssl_that_can(&format!("{command} -key request.pem -subj /CN=model"), b"") else {
            continue;
        };
        for refusal in [private(&text, None).map(drop), PublicKey::from_pem(&text).map(drop)] {
            let Err(InvalidKey::WrongKind { found, .. }) = refusal else { panic!("{command}: {refusal:?}") };
            assert_eq!(found, name, "{command}");
        }
    }
}

#[test]
fn sec1_keys_need_no_curve_but_their_own_public_half() {
    for algorithm in [KeyAlgorithm::EcdsaP256, KeyAlgorithm::EcdsaP384, KeyAlgorithm::EcdsaP521] {
        // PKCS#8 has the curve outside of the SEC1 key within.
        let [(key, public), (other, _)] = [(); 2].map(|()| {
            let (text, public) = generate(algorithm, None).expect("keys can be made");
            let block = pem::parse(text.as_bytes()).expect("PEM");
            let info = PrivateKeyInfoRef::try_from(block.contents()).expect("PKCS#8");
            (info.private_key.as_bytes().to_vec(), public)
        });
        let read = |der: &[u8]| private(pem_of("EC PRIVATE KEY", der).as_bytes(), None);
        assert_eq!(read(&key).expect("sound").public_key(), &public, "{algorithm}");
        let foreign = [&key[..key.len() - 60], &other[other.len() - 60..]].concat();
        invalid!(Malformed(_)).assert(&format!("{algorithm}, another's point"), read(&foreign));
        invalid!(Malformed(_)).assert(&format!("{algorithm}, a byte more"), read(&[&key[..], &[0]].concat()));
        invalid!(Malformed(_)).assert(&format!("{algorithm}, a byte less"), read(&key[..key.len() - 1]));
    }
    let short = tlv(0x30, &[int(&[1]), tlv(4, &[7; 31])].concat());
    invalid!(UnsupportedAlgorithm { .. })
        .assert("31 bytes", private(pem_of("EC PRIVATE KEY", &short).as_bytes(), None));
}

#[test]
fn public_keys_that_prove_nothing_are_refused() {
    let ed25519 = |point: &[u8]| spki(&oid("1.3.101.112"), point);
    let p256 = |point: &[u8]| spki(&[oid("1.2.840.10045.2.1"), oid("1.2.840.10045.3.1.7")].concat(), point);
    let sound = new_key(KeyAlgorithm::Ed25519).public_key().to_pem();
    let sound = pem::parse(sound).expect("PEM").into_contents();
    let mut neutral = [0; 32];
    neutral[0] = 1;
    let rows = [
        ("the neutral point", ed25519(&neutral)),
        ("a point of order four", ed25519(&[0; 32])),
        ("31 bytes", ed25519(&[7; 31])),
        ("33 bytes", ed25519(&[7; 33])),
        ("infinity", p256(&[0])),
        ("a point beside the curve", p256(&[&[4][..], &[7; 64]].concat())),
        ("RSA with exponent 1", rsa_spki(&[0xff; 256], &[1])),
        ("RSA with an even exponent", rsa_spki(&[0xff; 256], &[2])),
        ("RSA with an even modulus", rsa_spki(&[0xfe; 256], &[1, 0, 1])),
        ("a byte more", [&sound[..], &[0]].concat()),
        ("a byte less", sound[..sound.len() - 1].to_vec()),
    ];
    assert!(PublicKey::from_spki(&sound).is_ok());
    for (case, der) in rows {
        invalid!(Malformed(_)).assert(case, PublicKey::from_spki(&der));
    }
}

/// A PEM block with a final newline.
fn pem_of(label: &str, der: &[u8]) -> String {
    pem::encode(&Pem::new(label, der)).replace("\r\n", "\n")
}

fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len()).expect("short").to_be_bytes();
    let head = if content.len() < 128 { vec![tag, length[1]] } else { vec![tag, 0x82, length[0], length[1]] };
    // DER has no long form where a shorter one does.
    let head = if (128..256).contains(&content.len()) { vec![tag, 0x81, length[1]] } else { head };
    [head, content.to_vec()].concat()
}

/// A number of big-endian bytes that is not negative.
fn int(bytes: &[u8]) -> Vec<u8> {
    let start = bytes.iter().position(|byte| *byte != 0).unwrap_or(bytes.len());
    let zero = bytes.get(start).is_none_or(|byte| *byte > 127);
    tlv(2, &[if zero { &[0][..] } else { &[] }, &bytes[start..]].concat())
}

fn oid(dotted: &str) -> Vec<u8> {
    tlv(6, ObjectIdentifier::new_unwrap(dotted).as_bytes())
}

fn spki(algorithm: &[u8], key: &[u8]) -> Vec<u8> {
    tlv(0x30, &[tlv(0x30, algorithm), tlv(3, &[&[0], key].concat())].concat())
}

fn rsa_spki(modulus: &[u8], exponent: &[u8]) -> Vec<u8> {
    let key = tlv(0x30, &[int(modulus), int(exponent)].concat());
    spki(&[oid("1.2.840.113549.1.1.1"), tlv(5, &[])].concat(), &key)
}

/// Noise that says it is encrypted with these parameters: PBKDF2's where there are two, else scrypt's.
fn encrypted(parameters: Vec<Vec<u8>>, cipher: &str, vector_bytes: usize) -> String {
    let kdf = if parameters.len() == 2 { "1.2.840.113549.1.5.12" } else { "1.3.6.1.4.1.11591.4.11" };
    let kdf = tlv(0x30, &[oid(kdf), tlv(0x30, &parameters.concat())].concat());
    let cipher = tlv(0x30, &[oid(cipher), tlv(4, &vec![7; vector_bytes])].concat());
    let scheme = tlv(0x30, &[oid("1.2.840.113549.1.5.13"), tlv(0x30, &[kdf, cipher].concat())].concat());
    pem_of("ENCRYPTED PRIVATE KEY", &tlv(0x30, &[scheme, tlv(4, &[7; 48])].concat()))
}

fn pbes1() -> String {
    let parameters = tlv(0x30, &[tlv(4, &[7; 8]), int(&[8, 0])].concat());
    let scheme = tlv(0x30, &[oid("1.2.840.113549.1.5.3"), parameters].concat());
    pem_of("ENCRYPTED PRIVATE KEY", &tlv(0x30, &[scheme, tlv(4, &[7; 48])].concat()))
}
