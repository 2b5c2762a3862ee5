//! Damage of any kind neither panics nor verifies.

use model_transparency::envelope::{Bundle, Statement};
use model_transparency::key::SigningKey as _;
use model_transparency::trust::Trust;
use model_transparency::verify::check_signature;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::forge::{KEY, read, resource, seal, signed, statement, statement_of};

/// One way to damage bytes; positions are taken modulo the length.
#[derive(Clone, Debug)]
enum Damage {
    Replace(usize, u8),
    Insert(usize, u8),
    Delete(usize),
    Truncate(usize),
    Repeat(usize, usize),
}

impl Damage {
    fn apply(&self, bytes: &mut Vec<u8>) {
        if bytes.is_empty() {
            return;
        }
        let length = bytes.len();
        match *self {
            Self::Replace(at, byte) => bytes[at % length] = byte,
            Self::Insert(at, byte) => bytes.insert(at % length, byte),
            Self::Delete(at) => drop(bytes.remove(at % length)),
            Self::Truncate(at) => bytes.truncate(at % length),
            Self::Repeat(from, to) => {
                let (from, to) = ((from % length).min(to % length), (from % length).max(to % length));
                let part = bytes[from..to].to_vec();
                bytes.splice(to..to, part);
            }
        }
    }
}

fn byte() -> impl Strategy<Value = u8> {
    // What has a meaning in JSON and Base64, and anything.
    prop_oneof![proptest::sample::select(b"{}[]\",:\\/+=.-019eEunftrlas \n\0".to_vec()), any::<u8>()]
}

fn damage() -> impl Strategy<Value = Vec<Damage>> {
    let one = prop_oneof![
        4 => (any::<usize>(), byte()).prop_map(|(at, byte)| Damage::Replace(at, byte)),
        3 => (any::<usize>(), byte()).prop_map(|(at, byte)| Damage::Insert(at, byte)),
        3 => any::<usize>().prop_map(Damage::Delete),
        1 => any::<usize>().prop_map(Damage::Truncate),
        1 => any::<(usize, usize)>().prop_map(|(from, to)| Damage::Repeat(from, to)),
    ];
    proptest::collection::vec(one, 1..4)
}

/// Any small JSON value, and those that a statement has.
fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[a-z./:0-9]{0,12}".prop_map(Value::from),
        proptest::sample::select(vec!["files", "shards", "sha256", "blake2b", "blake3", ".", "..", "a:0:4", ".:0:4"])
            .prop_map(Value::from),
        Just(resource("a", b"one")),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            proptest::collection::btree_map("[a-z_]{1,8}", inner, 0..3).prop_map(|members| json!(members)),
        ]
    })
}

/// Statements of each kind.
fn statements() -> Vec<Value> {
    let mut shards = statement_of(vec![resource("a:0:4", b"0123"), resource("a:4:6", b"45")]);
    shards["predicate"]["serialization"]["method"] = "shards".into();
    shards["predicate"]["serialization"]["shard_size"] = 4.into();
    let old = json!({
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{ "name": "a", "digest": resource("a", b"one")["digest"].as_str().map(|hex| json!({ "sha256": hex })) }],
        "predicateType": "https://model_signing/Digests/v0.1",
        "predicate": {},
    });
    vec![statement(), statement_of(vec![resource(".", b"one")]), shards, old]
}

/// The place of every value in `value`.
fn places(value: &Value, place: String, out: &mut Vec<String>) {
    match value {
        Value::Array(values) => {
            for (index, inner) in values.iter().enumerate() {
                places(inner, format!("{place}/{index}"), out);
            }
        }
        Value::Object(members) => {
            for (name, inner) in members {
                places(inner, format!("{place}/{name}"), out);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
    out.push(place);
}

/// What every statement that is accepted promises.
fn assert_consistent(statement: &Statement) -> Result<(), TestCaseError> {
    let manifest = statement.manifest();
    prop_assert!(!manifest.resources().is_empty());
    let mut names = std::collections::HashSet::new();
    for resource in manifest.resources() {
        prop_assert!(names.insert(resource.name()), "{} twice", resource.name());
        prop_assert_eq!(resource.digest().algorithm(), manifest.parameters().hash);
        let escapes = resource.path().split('/').any(|part| matches!(part, "" | ".."));
        prop_assert!(!escapes, "{}", resource.path());
        prop_assert!(!resource.path().contains('\0'));
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_damaged_bundle_that_verifies_says_what_was_signed(which in 0usize..4, damage in damage()) {
        let original = signed(statements()[which].to_string());
        let mut bytes = original.clone();
        damage.iter().for_each(|damage| damage.apply(&mut bytes));
        if let Ok(statement) = read(&bytes) {
            let signed = read(&original).expect("it is sound");
            prop_assert_eq!(statement.get(), signed.get());
        }
        if let Ok(bundle) = Bundle::parse(&bytes) {
            let _ = bundle.unverified_statement();
            let verified = check_signature(&bundle, Trust::key(KEY.public_key())).is_ok();
            let again = Bundle::parse(&bundle.to_json()).map_err(|error| TestCaseError::fail(error.to_string()))?;
            prop_assert_eq!(check_signature(&again, Trust::key(KEY.public_key())).is_ok(), verified);
        }
    }

    #[test]
    fn a_damaged_payload_is_refused_or_consistent(which in 0usize..4, damage in damage()) {
        let mut payload = statements()[which].to_string().into_bytes();
        damage.iter().for_each(|damage| damage.apply(&mut payload));
        prop_assume!(!payload.is_empty());
        if let Ok(statement) = read(&signed(&payload)) {
            assert_consistent(statement.get())?;
        }
    }

    #[test]
    fn a_statement_with_another_value_anywhere_is_refused_or_consistent(
        which in 0usize..4,
        at in any::<proptest::sample::Index>(),
        value in json_value(),
    ) {
        let mut statement = statements()[which].clone();
        let mut all = Vec::new();
        places(&statement, String::new(), &mut all);
        *statement.pointer_mut(&all[at.index(all.len())]).expect("it is a place of this statement") = value;
        if statement.pointer("/predicate/resources").is_some_and(Value::is_array) {
            seal(&mut statement);
        }
        if let Ok(statement) = read(&signed(statement.to_string())) {
            assert_consistent(statement.get())?;
        }
    }
}
