//! Project Wycheproof's vectors, through the keys that verify models: every valid signature verifies with the scheme of
//! its key, no invalid one does, and where either is right the test names what is said.

use model_transparency::key::{PublicKey, SignatureScheme};
use wycheproof::TestResult;

/// A signature, and what Wycheproof says of it.
struct Vector {
    /// The set and the number in it.
    name: String,
    key_pem: String,
    message: Vec<u8>,
    signature: Vec<u8>,
    result: TestResult,
    /// Why it is what it is: the flags and the comment.
    reason: String,
}

/// `vectors!(module, Set)`: the vectors of a set. The modules have the same shape, and no type in common.
macro_rules! vectors {
    ($module:ident, $set:ident) => {{
        let set = wycheproof::$module::TestSet::load(wycheproof::$module::TestName::$set).expect(stringify!($set));
        let vectors = set.test_groups.into_iter().flat_map(|group| {
            let key_pem = group.pem;
            group.tests.into_iter().map(move |test| Vector {
                name: format!("{} {}", stringify!($set), test.tc_id),
                key_pem: key_pem.clone(),
                message: test.msg.to_vec(),
                signature: test.sig.to_vec(),
                result: test.result,
                reason: format!("{:?} {}", test.flags, test.comment),
            })
        });
        vectors.collect::<Vec<_>>()
    }};
}

/// How many vectors a set has at least, by what Wycheproof says of them.
#[derive(Clone, Copy)]
struct AtLeast {
    valid: usize,
    invalid: usize,
}

/// Verifies every vector and reports all wrong verdicts. Returns the vectors for which either verdict is right, each with
/// the one it got.
fn assert_verdicts(
    vectors: &[Vector],
    scheme: SignatureScheme,
    at_least: AtLeast,
) -> Vec<(&str, Option<SignatureScheme>)> {
    let (mut valid, mut invalid) = (0, 0);
    let (mut wrong, mut either) = (Vec::new(), Vec::new());
    for vector in vectors {
        let key = PublicKey::from_pem(vector.key_pem.as_bytes()).expect(&vector.name);
        let found = key.verify(&vector.message, &vector.signature);
        let expected = match vector.result {
            TestResult::Valid => {
                valid += 1;
                Some(scheme)
            }
            TestResult::Invalid => {
                invalid += 1;
                None
            }
            TestResult::Acceptable => {
                either.push((vector.reason.as_str(), found));
                continue;
            }
        };
        if found != expected {
            wrong.push(format!("{}: expected {expected:?}, found {found:?}: {}", vector.name, vector.reason));
        }
    }
    assert!(wrong.is_empty(), "{} verdicts are wrong:\n{}", wrong.len(), wrong.join("\n"));
    assert!(valid >= at_least.valid && invalid >= at_least.invalid, "only {valid} valid and {invalid} invalid vectors");
    either
}

/// The digest of the curve: the one that signatures are made with (OMS §4.2).
#[test]
fn ecdsa_verdicts_are_those_of_wycheproof() {
    let sets = [
        (vectors!(ecdsa, EcdsaSecp256r1Sha256), AtLeast { valid: 174, invalid: 310 }),
        (vectors!(ecdsa, EcdsaSecp384r1Sha384), AtLeast { valid: 194, invalid: 310 }),
        (vectors!(ecdsa, EcdsaSecp521r1Sha512), AtLeast { valid: 232, invalid: 310 }),
    ];
    for (vectors, at_least) in sets {
        assert_eq!(assert_verdicts(&vectors, SignatureScheme::Ecdsa, at_least), []);
    }
}

#[test]
fn rsa_verdicts_are_those_of_wycheproof() {
    let sets = [
        (vectors!(rsa_pkcs1_verify, Rsa2048Sha256), AtLeast { valid: 9, invalid: 249 }),
        (vectors!(rsa_pkcs1_verify, Rsa3072Sha256), AtLeast { valid: 8, invalid: 250 }),
        (vectors!(rsa_pkcs1_verify, Rsa4096Sha256), AtLeast { valid: 7, invalid: 250 }),
    ];
    for (vectors, at_least) in sets {
        let either = assert_verdicts(&vectors, SignatureScheme::RsaPkcs1Sha256, at_least);
        // RFC 8017, appendix B.1: in this padding the parameters of the hash are NULL, not absent.
        assert_eq!(either, [("[MissingNull] Missing NULL in the ASN encoding", None)]);
    }
}

/// Each signature is tried as Ed25519ph too, which makes none of the invalid ones valid.
#[test]
fn ed25519_verdicts_are_those_of_wycheproof() {
    let vectors = vectors!(eddsa, Ed25519);
    let at_least = AtLeast { valid: 88, invalid: 63 };
    assert_eq!(assert_verdicts(&vectors, SignatureScheme::Ed25519, at_least), []);
}
