//! Models that change while they are looked at, and signers that do not do what they say.

mod forge;

use std::collections::HashSet;
use std::fs;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use forge::{KEY, Refusal, new_key, read, refused, resource, signed, statement, statement_of, write_model};
use model_transparency::envelope::{Bundle, Material};
use model_transparency::hash::{HashAlgorithm, Options, ReadError};
use model_transparency::key::{KeyAlgorithm, SigningKey as _};
use model_transparency::manifest::{HashModelError, Manifest, Parameters, Serialization};
use model_transparency::model::{IgnoreRules, LocalModel, ModelError, ModelSource, SymlinkPolicy, Unlisted, WalkRules};
use model_transparency::sign::{KeySigner, NewSignature, SignError, Signed, Signer, Witnesses, sign_model};
use model_transparency::trust::Trust;
use model_transparency::verify::{CompareError, CompareOptions, SignatureError, Verdict, check_signature, compare};

/// What a table row does to a model, and how its hashing must fail.
type Row = (&'static str, fn(&Path), fn(&ReadError) -> bool);

/// What may happen to the file `b/c` of three bytes between the moment when it is listed and the one when it is read.
const ROWS: &[Row] = &[
    (
        "shortened",
        |root| fs::write(root.join("b/c"), "t").expect("written"),
        |error| matches!(error, ReadError::Truncated { expected_bytes: 3, found_bytes: 1 }),
    ),
    (
        "lengthened",
        |root| fs::write(root.join("b/c"), "two and more").expect("written"),
        |error| matches!(error, ReadError::Grown { expected_bytes: 3 }),
    ),
    (
        "replaced by a file of the same bytes",
        |root| {
            fs::write(root.join("new"), "two").expect("written");
            set_another_time(&root.join("new"));
            fs::rename(root.join("new"), root.join("b/c")).expect("renamed");
        },
        |error| matches!(error, ReadError::Changed),
    ),
    (
        "written to with as many bytes",
        |root| {
            fs::write(root.join("b/c"), "owt").expect("written");
            set_another_time(&root.join("b/c"));
        },
        |error| matches!(error, ReadError::Changed),
    ),
    ("removed", |root| fs::remove_file(root.join("b/c")).expect("removed"), |error| matches!(error, ReadError::Io(_))),
    (
        "replaced by a directory",
        |root| {
            fs::remove_file(root.join("b/c")).expect("removed");
            fs::create_dir(root.join("b/c")).expect("created");
        },
        |error| {
            matches!(
                error,
                ReadError::Io(_) | ReadError::Truncated { .. } | ReadError::Grown { .. } | ReadError::Changed
            )
        },
    ),
    #[cfg(unix)]
    (
        "replaced by a link to a file of the same bytes",
        |root| {
            fs::rename(root.join("b/c"), root.join("moved")).expect("renamed");
            std::os::unix::fs::symlink("../moved", root.join("b/c")).expect("linked");
        },
        |error| matches!(error, ReadError::Io(_)),
    ),
    #[cfg(unix)]
    (
        "its directory replaced by a link that leads out",
        |root| {
            let outside = root.parent().expect("below a temporary directory").join("outside");
            fs::rename(root.join("b"), &outside).expect("renamed");
            std::os::unix::fs::symlink(&outside, root.join("b")).expect("linked");
        },
        |error| matches!(error, ReadError::Io(_)),
    ),
    #[cfg(unix)]
    (
        "replaced by a FIFO that nobody writes to",
        |root| {
            fs::remove_file(root.join("b/c")).expect("removed");
            let made = std::process::Command::new("mkfifo").arg(root.join("b/c")).status().expect("mkfifo runs");
            assert!(made.success());
        },
        |error| matches!(error, ReadError::Io(_) | ReadError::Truncated { .. } | ReadError::Changed),
    ),
];

/// Sets a modification time that a file written a moment ago does not have, however coarse the clock.
fn set_another_time(path: &Path) {
    let time = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000_000);
    let file = fs::File::options().write(true).open(path).expect("opened");
    file.set_modified(time).expect("set");
}

/// A folder with the model of two files in `model`.
fn model() -> (tempfile::TempDir, std::path::PathBuf) {
    let scratch = tempfile::tempdir().expect("a temporary directory");
    let root = scratch.path().join("model");
    write_model(&root);
    (scratch, root)
}

fn verify_while(
    bundle: &[u8],
    root: &Path,
    options: Options<'_>,
    meanwhile: impl FnOnce(),
) -> Result<Verdict, CompareError> {
    let statement = read(bundle).unwrap_or_else(|refusal| panic!("{refusal}"));
    let ignore = IgnoreRules::defaults();
    let options =
        CompareOptions { ignore: &ignore, unsigned: Unlisted::Report, widen_symlinks: false, hashing: options };
    compare(statement, &options, |rules| {
        let model = LocalModel::open(root, rules);
        meanwhile();
        model
    })
}

fn open_to_sign<'a>(
    root: &Path,
    ignore: &'a IgnoreRules,
    nothing: &'a HashSet<&'a str>,
) -> Result<LocalModel, ModelError> {
    let rules: WalkRules<'a> = LocalModel::signing_rules(SymlinkPolicy::Deny, ignore, nothing);
    LocalModel::open(root, &rules)
}

#[test]
fn a_file_that_changes_while_it_is_verified_is_an_error_that_names_it() {
    let bundle = signed(statement().to_string());
    for (case, change, holds) in ROWS {
        let (_scratch, root) = model();
        let error = verify_while(&bundle, &root, Options::default(), || change(&root)).expect_err(case);
        let CompareError::File(unhashed) = &error else { panic!("{case}: {error:?}") };
        assert_eq!(unhashed.path, "b/c", "{case}");
        assert!(holds(&unhashed.error), "{case}: {error:?}");
        assert!(error.to_string().starts_with("`b/c` "), "{case}: {error}");
    }
}

#[test]
fn a_file_that_changes_while_it_is_signed_is_an_error_that_names_it() {
    let (ignore, nothing) = (IgnoreRules::defaults(), HashSet::new());
    for (case, change, holds) in ROWS {
        let (_scratch, root) = model();
        let listed = open_to_sign(&root, &ignore, &nothing).expect(case);
        change(&root);
        for algorithm in HashAlgorithm::ALL {
            let parameters = Parameters { hash: algorithm, ..Parameters::new(SymlinkPolicy::Deny) };
            let error = Manifest::of(&listed, parameters, &Options::default()).expect_err(case);
            let HashModelError::File(unhashed) = &error else { panic!("{case}: {error:?}") };
            assert_eq!(unhashed.path, "b/c", "{case}");
            assert!(holds(&unhashed.error), "{case}, {algorithm}: {error:?}");
        }
    }
}

#[test]
fn a_model_that_went_away_or_is_no_model_is_an_error() {
    let bundle = signed(statement().to_string());
    let (_scratch, root) = model();
    let missing = root.join("b/no such");
    let error = verify_while(&bundle, &missing, Options::default(), || {}).expect_err("not there");
    assert!(matches!(&error, CompareError::Model(ModelError::NotFound { path }) if *path == missing), "{error:?}");
    let error = verify_while(&bundle, &root.join("a/below a file"), Options::default(), || {}).expect_err("no folder");
    assert!(
        matches!(&error, CompareError::Model(ModelError::NotFound { .. } | ModelError::Unreadable { .. })),
        "{error:?}"
    );
}

#[test]
fn what_is_cancelled_has_no_verdict() {
    let bundle = signed(statement().to_string());
    let (_scratch, root) = model();
    let cancelled = AtomicBool::new(false);
    let options = Options { cancelled: Some(&cancelled), ..Options::default() };
    verify_while(&bundle, &root, options, || {}).expect("not cancelled");
    let error =
        verify_while(&bundle, &root, options, || cancelled.store(true, Ordering::Relaxed)).expect_err("cancelled");
    assert!(matches!(&error, CompareError::File(file) if matches!(file.error, ReadError::Cancelled)), "{error:?}");
}

/// Around nothing, one byte, a shard, a buffer and a BLAKE3 subtree.
const LENGTHS: &[usize] = &[0, 1, 4_095, 4_096, 4_097, 8_192, (256 << 10) - 1, (256 << 10) + 1, (2 << 20) + 1];

#[test]
fn every_hash_and_serialization_verifies_and_notices_a_changed_byte() {
    let scratch = tempfile::tempdir().expect("a temporary directory");
    let root = scratch.path().join("model");
    fs::create_dir(&root).expect("created");
    for length in LENGTHS {
        let content: Vec<u8> = (0..*length).map(|index| u8::try_from(index % 251).expect("small")).collect();
        fs::write(root.join(length.to_string()), content).expect("written");
    }
    let length_bytes: usize = LENGTHS.iter().sum();
    let shard = Serialization::Shards { size_bytes: std::num::NonZeroU64::new(4_096).expect("not zero") };
    let (ignore, nothing) = (IgnoreRules::defaults(), HashSet::new());
    for hash in HashAlgorithm::ALL {
        for serialization in [Serialization::Files, shard] {
            for jobs in [1, 3] {
                let done = AtomicU64::new(0);
                let jobs = NonZeroUsize::new(jobs).expect("not zero");
                let options = Options { jobs, progress_bytes: Some(&done), ..Options::default() };
                let listed = open_to_sign(&root, &ignore, &nothing).expect("listed");
                let parameters = Parameters { hash, serialization, ..Parameters::new(SymlinkPolicy::Deny) };
                let manifest = Manifest::of(&listed, parameters, &options).expect("hashed");
                assert_eq!(done.swap(0, Ordering::Relaxed), length_bytes as u64);
                let NewSignature { bundle, .. } =
                    sign_model(listed.name(), manifest, &KeySigner::new(&*KEY), Witnesses::default()).expect("signed");
                let verdict = verify_while(&bundle.to_json(), &root, options, || {}).expect("verifies");
                let sharded = usize::from(serialization != Serialization::Files);
                assert_eq!((verdict.files, verdict.empty_unlisted), (LENGTHS.len() - sharded, sharded));
                assert_eq!(verdict.length_bytes, length_bytes as u64);
                assert_eq!(done.load(Ordering::Relaxed), length_bytes as u64);

                for length in &LENGTHS[1..] {
                    let path = root.join(length.to_string());
                    let sound = fs::read(&path).expect("readable");
                    for at in [0, length / 2, length - 1] {
                        let mut changed = sound.clone();
                        changed[at] ^= 1;
                        fs::write(&path, &changed).expect("written");
                        let error = verify_while(&bundle.to_json(), &root, options, || {}).expect_err("changed");
                        let CompareError::Mismatch { difference, .. } = &error else { panic!("{error:?}") };
                        let paths: Vec<&str> = difference.changed.iter().map(|changed| changed.path()).collect();
                        assert_eq!(paths, [length.to_string()], "{hash}, {serialization:?}, byte {at}");
                        assert!(difference.missing.is_empty() && difference.extra.is_empty());
                    }
                    fs::write(&path, &sound).expect("written");
                }
            }
        }
    }
}

#[test]
fn ignoring_excuses_what_is_extra_and_never_what_is_listed() {
    let listed_below = |ignore_paths: &[&str]| {
        let mut statement =
            statement_of(vec![resource("a", b"one"), resource("cache/x", b"x"), resource(".git/config", b"y")]);
        statement["predicate"]["serialization"]["ignore_paths"] = ignore_paths.into();
        signed(statement.to_string())
    };
    let scratch = tempfile::tempdir().expect("a temporary directory");
    let root = scratch.path().join("model");
    for (path, content) in
        [("a", "one"), ("cache/x", "x"), (".git/config", "y"), ("cache/extra", "e"), (".git/HEAD", "e")]
    {
        fs::create_dir_all(root.join(path).parent().expect("below the root")).expect("created");
        fs::write(root.join(path), content).expect("written");
    }
    let bundle = listed_below(&["cache"]);
    let verdict = verify_while(&bundle, &root, Options::default(), || {}).expect("extra files are excused");
    assert_eq!(verdict.files, 3);
    for path in ["cache/x", ".git/config"] {
        let sound = fs::read(root.join(path)).expect("readable");
        fs::write(root.join(path), "!").expect("written");
        let error = verify_while(&bundle, &root, Options::default(), || {}).expect_err(path);
        refused!(Refusal::Compare(CompareError::Mismatch { difference, .. }) if difference.changed.len() == 1)
            .assert::<()>(path, Err(Refusal::Compare(error)));
        fs::remove_file(root.join(path)).expect("removed");
        let error = verify_while(&bundle, &root, Options::default(), || {}).expect_err(path);
        let CompareError::Mismatch { difference, .. } = error else { panic!("{error:?}") };
        assert_eq!(difference.missing, [path]);
        fs::write(root.join(path), sound).expect("written");
    }
    for too_much in ["", ".", "./", "*", "cach?", "[c]ache", "/cache", "../model/cache", "a/../cache"] {
        let error = verify_while(&listed_below(&[too_much]), &root, Options::default(), || {}).expect_err(too_much);
        let CompareError::Mismatch { difference, .. } = error else { panic!("{too_much}: {error:?}") };
        assert_eq!(difference.extra, ["cache/extra"], "{too_much}");
    }
}

/// A signer that hands out what it was made of.
struct Forger {
    signature: fn(&[u8]) -> Result<Vec<u8>, SignError>,
    material: Material,
}

impl Signer for Forger {
    fn sign(&self, message: &[u8], _: &[u8]) -> Result<Signed, SignError> {
        let key = KEY.public_key().clone();
        Ok(Signed { signature: (self.signature)(message)?, key, material: self.material.clone() })
    }

    fn trust(&self) -> Trust<'_> {
        Trust::key(KEY.public_key())
    }
}

#[test]
fn a_signature_that_does_not_hold_is_not_handed_out() {
    let (_scratch, root) = model();
    let (ignore, nothing) = (IgnoreRules::defaults(), HashSet::new());
    let listed = open_to_sign(&root, &ignore, &nothing).expect("listed");
    let manifest = Manifest::of(&listed, Parameters::new(SymlinkPolicy::Deny), &Options::default()).expect("hashed");
    let sign = |signature, material| {
        sign_model("model", manifest.clone(), &Forger { signature, material }, Witnesses::default())
    };
    let own = || Material::PublicKey { hint: Some(KEY.public_key().hint()) };

    let NewSignature { bundle, .. } = sign(|message| Ok(KEY.sign(message)?), own()).expect("sound");
    check_signature(&Bundle::parse(&bundle.to_json()).expect("sound"), Trust::key(KEY.public_key())).expect("holds");

    let error = sign(|_| Ok(KEY.sign(b"something else")?), own()).expect_err("another message");
    assert!(matches!(error, SignError::DoesNotVerify(SignatureError::DoesNotVerify { .. })), "{error:?}");
    let other = new_key(KeyAlgorithm::EcdsaP256).public_key().hint();
    let error = sign(|_| Ok(vec![1]), Material::PublicKey { hint: Some(other) }).expect_err("another key");
    assert!(matches!(error, SignError::DoesNotVerify(SignatureError::OtherKey { .. })), "{error:?}");
    let error = sign(|message| Ok(KEY.sign(message)?), Material::Certificate(vec![1])).expect_err("another method");
    assert!(matches!(error, SignError::DoesNotVerify(SignatureError::Method { .. })), "{error:?}");
    let error = sign(|_| Ok(Vec::new()), own()).expect_err("no signature");
    assert!(matches!(error, SignError::Unusable(_)), "{error:?}");
    let error = sign(|_| Err(model_transparency::key::SigningFailed::new("no key").into()), own()).expect_err("fails");
    assert!(matches!(error, SignError::Key(_)), "{error:?}");
}
