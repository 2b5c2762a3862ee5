//! The clients of a Sigstore instance's services, against an instance in this process.

use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::time::{SystemTime, UNIX_EPOCH};

use fake_sigstore::{Claims, Fault, Instance, Service};
use model_transparency::certificate::UnixTime;
use model_transparency::envelope::LogEntryRecord;
use model_transparency::hash::Options;
use model_transparency::key::{KeyAlgorithm, PrivateKeyPem, generate};
use model_transparency::manifest::{Manifest, Parameters};
use model_transparency::model::{IgnoreRules, LocalModel, SymlinkPolicy};
use model_transparency::sign::{
    KeySigner, Log, LogSubmission, NewSignature, Role, ServiceError, SignError, Signer, Timestamper, Witnesses,
    sign_artifact, sign_model, sign_statement,
};
use model_transparency::sigstore::{Artifact, SignerRule, TrustedRoot, verify_artifact};
use model_transparency_remote::oidc::{AUDIENCE, IdentityToken};
use model_transparency_remote::sigstore::{Fulcio, NoToken, Rekor, RekorVersion, SigstoreSigner, TokenSource};
use model_transparency_remote::timestamp::HttpTimestamper;

const SIGNER: &str = "signer@example.com";

fn now() -> UnixTime {
    UnixTime(SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs())
}

fn manifest() -> Manifest {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("weights"), "w").expect("written");
    let (ignore, nothing) = (IgnoreRules::none(), HashSet::new());
    let rules = LocalModel::signing_rules(SymlinkPolicy::Deny, &ignore, &nothing);
    let model = LocalModel::open(folder.path(), &rules).expect("listed");
    Manifest::of(&model, Parameters::new(SymlinkPolicy::Deny), &Options::default()).expect("hashed")
}

/// Tokens of an instance, counted.
struct Tokens {
    sigstore: Arc<Instance>,
    asked: AtomicUsize,
    fails: bool,
}

impl Tokens {
    fn of(sigstore: &Arc<Instance>) -> Self {
        Self { sigstore: Arc::clone(sigstore), asked: AtomicUsize::new(0), fails: false }
    }
}

struct Handle(Arc<Tokens>);

impl TokenSource for Handle {
    fn token(&self) -> Result<IdentityToken, NoToken> {
        let Self(tokens) = self;
        tokens.asked.fetch_add(1, Ordering::Relaxed);
        if tokens.fails {
            return Err(NoToken("nobody is here".to_owned()));
        }
        let token = tokens.sigstore.token(&Claims::email(SIGNER));
        IdentityToken::parse(&token, AUDIENCE, now()).map_err(|error| NoToken(error.to_string()))
    }
}

fn signer(tokens: &Arc<Tokens>, clock: fn() -> UnixTime) -> Arc<SigstoreSigner<Handle>> {
    let sigstore = &tokens.sigstore;
    let fulcio = Fulcio::new(sigstore.url(Service::Fulcio)).expect("a URL");
    let root = TrustedRoot::from_json(sigstore.trusted_root_json().as_bytes()).expect("a trusted root");
    Arc::new(SigstoreSigner::new(fulcio, Handle(Arc::clone(tokens)), root, clock))
}

/// Signs before the old log and the timestamp authority.
fn sign(sigstore: &Instance, signer: &dyn Signer) -> Result<NewSignature, SignError> {
    let root = TrustedRoot::from_json(sigstore.trusted_root_json().as_bytes()).expect("a trusted root");
    let tsa = HttpTimestamper::new(sigstore.url(Service::Timestamps), root.timestamp_authorities().to_vec());
    let log = Rekor::new(sigstore.url(Service::RekorV1), RekorVersion::V1).expect("a URL");
    let timestampers: [&dyn Timestamper; 1] = [&tsa.expect("a URL")];
    sign_model(
        "model",
        manifest(),
        signer,
        Witnesses { timestampers: &timestampers, logs: &[&log], ..Witnesses::default() },
    )
}

#[test]
fn a_token_is_asked_for_when_it_is_needed_and_for_each_signature() {
    let sigstore = Arc::new(Instance::start());
    let tokens = Arc::new(Tokens::of(&sigstore));
    let signer = signer(&tokens, now);
    assert_eq!(tokens.asked.load(Ordering::Relaxed), 0);
    for signed in 1..=2 {
        let evidence = sign(&sigstore, signer.as_ref()).expect("signed").evidence;
        assert_eq!(evidence.sigstore.expect("of the sigstore method").identity, SIGNER);
        assert_eq!(tokens.asked.load(Ordering::Relaxed), signed);
        assert_eq!(sigstore.requests(Service::Fulcio), signed);
    }
}

#[test]
fn what_was_prepared_is_used_once_and_while_it_is_good() {
    let sigstore = Arc::new(Instance::start());
    let tokens = Arc::new(Tokens::of(&sigstore));
    let soon = signer(&tokens, now);
    soon.prepare();
    sign(&sigstore, soon.as_ref()).expect("signed");
    assert_eq!(sigstore.requests(Service::Fulcio), 1);
    sign(&sigstore, soon.as_ref()).expect("signed");
    assert_eq!(sigstore.requests(Service::Fulcio), 2);
    // Certificates are good for ten minutes, and witnesses take their time.
    let late = signer(&tokens, || UnixTime(now().0 + 9 * 60));
    late.prepare();
    sign(&sigstore, late.as_ref()).expect("signed");
    assert_eq!(sigstore.requests(Service::Fulcio), 4);
    assert_eq!(tokens.asked.load(Ordering::Relaxed), 4);
}

#[test]
fn who_is_not_there_is_asked_once() {
    let sigstore = Arc::new(Instance::start());
    let tokens = Arc::new(Tokens { fails: true, ..Tokens::of(&sigstore) });
    let signer = signer(&tokens, now);
    signer.prepare();
    let error = sign(&sigstore, signer.as_ref()).expect_err("nobody");
    assert!(matches!(&error, SignError::Identity(reason) if reason == "nobody is here"), "{error}");
    assert_eq!(tokens.asked.load(Ordering::Relaxed), 1);
    assert_eq!(sigstore.requests(Service::Fulcio), 0);
}

#[test]
fn each_log_takes_the_signatures_that_it_can_check() {
    let sigstore = Instance::start();
    let url = |version| sigstore.url(if version == RekorVersion::V1 { Service::RekorV1 } else { Service::RekorV2 });
    for (algorithm, taken) in [
        (KeyAlgorithm::EcdsaP256, [true, true]),
        (KeyAlgorithm::EcdsaP384, [false, true]),
        (KeyAlgorithm::EcdsaP521, [false, true]),
        (KeyAlgorithm::Rsa { bits: 2048 }, [true, true]),
        (KeyAlgorithm::Ed25519, [true, false]),
    ] {
        let (pem, _) = generate(algorithm, None).expect("a key");
        let key = PrivateKeyPem::parse(pem.as_bytes()).and_then(|key| key.into_key(None)).expect("a key");
        for (version, taken) in [RekorVersion::V1, RekorVersion::V2].into_iter().zip(taken) {
            let log = Rekor::new(url(version), version).expect("a URL");
            let witnesses = Witnesses { logs: &[&log], ..Witnesses::default() };
            match sign_model("model", manifest(), &KeySigner::new(&key), witnesses) {
                Ok(signed) => assert!(taken && signed.bundle.log_entries().len() == 1, "{algorithm} {version:?}"),
                Err(SignError::Service(error)) => {
                    assert!(!taken && error.role == Role::TransparencyLog, "{algorithm} {version:?}: {error}");
                    assert!(error.reason.contains("takes no signature made with"), "{error}");
                }
                Err(error) => panic!("{algorithm} {version:?}: {error}"),
            }
        }
    }
}

#[test]
fn what_a_log_has_already_it_shows_again() {
    let sigstore = Instance::start();
    let (pem, _) = generate(KeyAlgorithm::Ed25519, None).expect("a key");
    let key = PrivateKeyPem::parse(pem.as_bytes()).and_then(|key| key.into_key(None)).expect("a key");
    let log = Rekor::new(sigstore.url(Service::RekorV1), RekorVersion::V1).expect("a URL");
    let sign = || {
        let witnesses = Witnesses { logs: &[&log], ..Witnesses::default() };
        let signed = sign_model("model", manifest(), &KeySigner::new(&key), witnesses).expect("signed");
        signed.bundle.log_entries()[0].log_index().to_owned()
    };
    // The same model and key: the same signature.
    assert_eq!(sign(), sign());
    assert_eq!(sigstore.requests(Service::RekorV1), 3);
}

#[test]
fn a_log_does_not_choose_whom_to_ask() {
    let sigstore = Instance::start();
    let elsewhere = Instance::start();
    let (pem, _) = generate(KeyAlgorithm::EcdsaP256, None).expect("a key");
    let key = PrivateKeyPem::parse(pem.as_bytes()).and_then(|key| key.into_key(None)).expect("a key");
    let log = Rekor::new(sigstore.url(Service::RekorV1), RekorVersion::V1).expect("a URL");
    sigstore.fail(Service::RekorV1, Fault::Status(409, format!("see {}/a", elsewhere.url(Service::RekorV1))));
    let witnesses = Witnesses { logs: &[&log], ..Witnesses::default() };
    let error = sign_model("model", manifest(), &KeySigner::new(&key), witnesses).expect_err("no answer");
    assert!(error.to_string().ends_with("it does not say where"), "{error}");
    assert_eq!((sigstore.requests(Service::RekorV1), elsewhere.requests(Service::RekorV1)), (1, 0));
}

/// A witness that takes its time.
struct Slow<'a>(&'a Barrier);

impl Log for Slow<'_> {
    fn add(&self, _: &LogSubmission<'_>) -> Result<LogEntryRecord, ServiceError> {
        self.0.wait();
        LogEntryRecord::from_json(b"{}").map_err(|error| ServiceError {
            role: Role::TransparencyLog,
            url: String::new(),
            reason: error.to_string(),
        })
    }
}

#[test]
fn witnesses_are_asked_at_the_same_time() {
    let (pem, _) = generate(KeyAlgorithm::EcdsaP256, None).expect("a key");
    let key = PrivateKeyPem::parse(pem.as_bytes()).and_then(|key| key.into_key(None)).expect("a key");
    // One alone would wait for the others for ever.
    let barrier = Barrier::new(3);
    let slow = Slow(&barrier);
    let witnesses = Witnesses { logs: &[&slow, &slow, &slow], ..Witnesses::default() };
    let signed = sign_model("model", manifest(), &KeySigner::new(&key), witnesses).expect("signed");
    assert_eq!(signed.bundle.log_entries().len(), 3);
}

/// Files and statements, with a log of each version. `sign_artifact` and `sign_statement` verify what they return.
#[test]
fn a_file_and_a_statement_are_signed() {
    let sigstore = Arc::new(Instance::start());
    let root = TrustedRoot::from_json(sigstore.trusted_root_json().as_bytes()).expect("a trusted root");
    let signer = signer(&Arc::new(Tokens::of(&sigstore)), now);
    let tsa = HttpTimestamper::new(sigstore.url(Service::Timestamps), root.timestamp_authorities().to_vec());
    let timestampers: [&dyn Timestamper; 1] = [&tsa.expect("a URL")];
    let digest: [u8; 32] =
        aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, b"a file").as_ref().try_into().expect("32");
    let statement = format!(
        r#"{{"_type":"https://in-toto.io/Statement/v1","subject":[{{"name":"a","digest":{{"sha256":"{}"}}}}],"predicateType":"https://example.com/p","predicate":{{}}}}"#,
        digest.iter().map(|byte| format!("{byte:02x}")).collect::<String>()
    );
    for (service, version) in [(Service::RekorV1, RekorVersion::V1), (Service::RekorV2, RekorVersion::V2)] {
        let log = Rekor::new(sigstore.url(service), version).expect("a URL");
        let logs: [&dyn Log; 1] = [&log];
        let witnesses = Witnesses { timestampers: &timestampers, logs: &logs, ..Witnesses::default() };
        let of_file = sign_artifact(b"a file", signer.as_ref(), witnesses, &root).expect("signed");
        let of_statement = sign_statement(statement.clone().into_bytes(), signer.as_ref(), witnesses).expect("signed");
        assert_eq!(of_statement.evidence.sigstore.expect("it is by an instance").identity, SIGNER);
        let of_statement = of_statement.bundle.to_json();
        for bundle in [&of_file, &of_statement] {
            for artifact in [Artifact::Bytes(b"a file"), Artifact::Sha256(digest)] {
                let verified = verify_artifact(bundle, artifact, &root, SignerRule::Anybody).expect("it holds");
                assert_eq!(verified.identity, SIGNER);
            }
            verify_artifact(bundle, Artifact::Bytes(b"another"), &root, SignerRule::Anybody).expect_err("another file");
        }
    }
}
