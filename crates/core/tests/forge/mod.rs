//! Statements and bundles made by hand, with signatures that hold: whatever is refused is refused for what it says.

#![allow(dead_code, unused_imports, unused_macros, reason = "every test binary uses a part of this")]

use std::fmt;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use model_transparency::envelope::{Bundle, InvalidBundle, InvalidStatement, Statement};
use model_transparency::hash::{HashAlgorithm, Options};
use model_transparency::key::{KeyAlgorithm, PrivateKey, PrivateKeyPem, SigningKey as _, generate};
use model_transparency::model::{IgnoreRules, LocalModel, Unlisted};
use model_transparency::trust::Trust;
use model_transparency::verify::{
    CompareError, CompareOptions, SignatureError, Verdict, Verified, check_signature, compare,
};
use serde_json::{Value, json};

pub(crate) const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";

/// The key that signs wherever the key is not the point.
pub(crate) static KEY: LazyLock<PrivateKey> = LazyLock::new(|| new_key(KeyAlgorithm::EcdsaP256));

/// A new key.
pub(crate) fn new_key(algorithm: KeyAlgorithm) -> PrivateKey {
    let (pem, _) = generate(algorithm, None).expect("keys can be made");
    PrivateKeyPem::parse(pem.as_bytes()).and_then(|pem| pem.into_key(None)).expect("own keys can be read")
}

/// What a table row changes in a sound bundle or statement.
pub(crate) type Change = fn(&mut Value);

/// What kept a bundle from being verified, by the step that refused it.
#[derive(Debug)]
pub(crate) enum Refusal {
    Bundle(InvalidBundle),
    Signature(SignatureError),
    Statement(InvalidStatement),
    Compare(CompareError),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bundle(error) => error.fmt(f),
            Self::Signature(error) => error.fmt(f),
            Self::Statement(error) => error.fmt(f),
            Self::Compare(error) => error.fmt(f),
        }
    }
}

/// The refusal that a table row asks for.
#[derive(Clone, Copy)]
pub(crate) struct Expected {
    pub(crate) pattern: &'static str,
    pub(crate) holds: fn(&Refusal) -> bool,
}

impl Expected {
    /// Asserts that `outcome` is the refusal, and that its message is one line that says something.
    pub(crate) fn assert<T>(&self, case: &str, outcome: Result<T, Refusal>) {
        match outcome {
            Ok(_) => panic!("{case}: accepted, expected {}", self.pattern),
            Err(refusal) => {
                assert!((self.holds)(&refusal), "{case}: expected {}, found {refusal:?}", self.pattern);
                assert!(!refusal.to_string().is_empty(), "{case}: the refusal has no message");
            }
        }
    }
}

/// `refused!(pattern)` or `refused!(pattern if condition)`: the refusal that a table row asks for.
macro_rules! refused {
    ($pattern:pat $(if $condition:expr)?) => {
        crate::forge::Expected {
            pattern: stringify!($pattern $(if $condition)?),
            holds: |refusal| matches!(refusal, $pattern $(if $condition)?),
        }
    };
}
pub(crate) use refused;

/// DSSE pre-authentication encoding, from the protocol's text rather than from the crate.
pub(crate) fn pae(payload: &[u8]) -> Vec<u8> {
    [b"DSSEv1 28 application/vnd.in-toto+json ", payload.len().to_string().as_bytes(), b" ", payload].concat()
}

/// A bundle around `payload` with this signature, whatever either is.
pub(crate) fn bundle_with(payload: &[u8], signature: &[u8], hint: &str) -> Value {
    json!({
        "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
        "verificationMaterial": { "publicKey": { "hint": hint }, "tlogEntries": [] },
        "dsseEnvelope": {
            "payload": STANDARD.encode(payload),
            "payloadType": PAYLOAD_TYPE,
            "signatures": [{ "sig": STANDARD.encode(signature), "keyid": "" }],
        },
    })
}

/// A bundle around `payload`, signed by `key`.
pub(crate) fn bundle_by(key: &PrivateKey, payload: &[u8]) -> Value {
    let signature = key.sign(&pae(payload)).expect("own keys sign");
    bundle_with(payload, &signature, &key.public_key().hint())
}

/// A bundle around `payload`, signed by [`KEY`], as a file has it.
pub(crate) fn signed(payload: impl AsRef<[u8]>) -> Vec<u8> {
    bundle_by(&KEY, payload.as_ref()).to_string().into_bytes()
}

/// The statement of a model of two files, `a` and `b/c`, that hold `one` and `two`.
pub(crate) fn statement() -> Value {
    let files = [("a", "one"), ("b/c", "two")];
    statement_of(files.map(|(name, content)| resource(name, content.as_bytes())).into())
}

/// Writes the model of [`statement`].
pub(crate) fn write_model(root: &Path) {
    std::fs::create_dir_all(root.join("b")).expect("created");
    std::fs::write(root.join("a"), "one").expect("written");
    std::fs::write(root.join("b/c"), "two").expect("written");
}

/// A v1.0 statement with these resources, the `files` method, SHA-256 and the root digest that belongs to them.
pub(crate) fn statement_of(resources: Vec<Value>) -> Value {
    let mut statement = json!({
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{ "name": "model", "digest": { "sha256": "" } }],
        "predicateType": "https://model_signing/signature/v1.0",
        "predicate": {
            "resources": resources,
            "serialization": {
                "method": "files",
                "hash_type": "sha256",
                "allow_symlinks": false,
                "ignore_paths": [".git", ".gitattributes", ".github", ".gitignore"],
            },
        },
    });
    seal(&mut statement);
    statement
}

/// The resource of a file, or by its name of a shard, with the SHA-256 of `content`.
pub(crate) fn resource(name: &str, content: &[u8]) -> Value {
    json!({ "name": name, "algorithm": "sha256", "digest": HashAlgorithm::Sha256.digest(content).to_hex() })
}

/// Writes the root digest of the resources into the subject, if both are there. What is not hex counts as nothing.
pub(crate) fn seal(statement: &mut Value) {
    let resources = statement["predicate"]["resources"].as_array().cloned().unwrap_or_default();
    let mut raw = Vec::new();
    for resource in &resources {
        let hex = resource["digest"].as_str().unwrap_or_default().to_lowercase();
        raw.extend(base16ct::lower::decode_vec(hex).unwrap_or_default());
    }
    let root = HashAlgorithm::Sha256.digest(&raw).to_hex();
    if let Some(stated) = statement.pointer_mut("/subject/0/digest/sha256") {
        *stated = root.into();
    }
}

/// Steps 1 to 3 of verification with the public key of `key`.
pub(crate) fn read_by(key: &PrivateKey, bundle: &[u8]) -> Result<Verified<Statement>, Refusal> {
    let bundle = Bundle::parse(bundle).map_err(Refusal::Bundle)?;
    let payload = check_signature(&bundle, Trust::key(key.public_key())).map_err(Refusal::Signature)?;
    payload.statement().map_err(Refusal::Statement)
}

/// Steps 1 to 3 of verification with [`KEY`].
pub(crate) fn read(bundle: &[u8]) -> Result<Verified<Statement>, Refusal> {
    read_by(&KEY, bundle)
}

/// All steps of verification with [`KEY`] and the defaults of the command line.
pub(crate) fn verify(bundle: &[u8], model: &Path) -> Result<Verdict, Refusal> {
    let ignore = IgnoreRules::defaults();
    let options = CompareOptions {
        ignore: &ignore,
        unsigned: Unlisted::Report,
        widen_symlinks: false,
        hashing: Options::default(),
    };
    compare(read(bundle)?, &options, |rules| LocalModel::open(model, rules)).map_err(Refusal::Compare)
}

/// Says on the terminal that a test proves nothing here; libtest captures what the macros print.
pub(crate) fn skipped(test: &str, why: &str) {
    let _ = writeln!(std::io::stderr(), "skipped {test}: {why}");
}

/// The folder `name` of the public vectors; without them, says that `test` proves nothing.
pub(crate) fn vectors(name: &str, test: &str) -> Option<PathBuf> {
    let Some(vectors) = std::env::var_os("MODEL_SIGNING_VECTORS") else {
        skipped(test, "MODEL_SIGNING_VECTORS is not set");
        return None;
    };
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(vectors).join(name);
    assert!(folder.is_dir(), "MODEL_SIGNING_VECTORS: `{}` is not a directory", folder.display());
    Some(folder)
}
