//! Older formats, for verification only (OMS §11). Nothing here is ever written.
//!
//! | version | differs from OMS v1.0 in |
//! |---|---|
//! | `model_signing` 0.2.0 | files as subjects (`Digests/v0.1`); key and certificate signatures cover a malformed encoding, always with SHA-256 |
//! | 0.3.1 to 1.0.1 | `publicKey.rawBytes` and `keyDetails` for `hint`; no `ignore_paths` (0.3.1, 1.0.0, some 1.0.1) |
//! | up to 1.1.1 | a single file's resource is named `.`; shard algorithms are `sha256-sharded-N`, `shard_size` is a float |

use std::collections::BTreeMap;

use model_hash::{Digest, HashAlgorithm};
use serde::Deserialize;

use crate::envelope::{InvalidStatement, Object, PAYLOAD_TYPE, Statement, parse_object};
use crate::manifest::{Manifest, Parameters, Resource, Serialization, parse_shard_name};
use crate::model::{ModelPath, SymlinkPolicy};

/// What Python up to 1.1.1 names the resource of a single-file model. OMS §6.1.2(5) asks for the basename.
pub(crate) const SINGLE_FILE_NAME: &str = ".";

/// Whether `name` is the old name of a single-file model's resource. Such a name stands with no others.
pub(crate) fn names_single_file(name: &str, serialization: Serialization) -> bool {
    match serialization {
        Serialization::Files => name == SINGLE_FILE_NAME,
        Serialization::Shards { .. } => parse_shard_name(name).is_ok_and(|(path, _)| path == SINGLE_FILE_NAME),
    }
}

/// The resource of a single-file model by its old name, `.` or `.:start:end`.
pub(crate) fn resource_of_single_file(name: &str, digest: &Digest, serialization: Serialization) -> Option<Resource> {
    match serialization {
        Serialization::Files => {
            (name == SINGLE_FILE_NAME).then(|| Resource::of_model_itself(name, None, digest.clone()))
        }
        Serialization::Shards { .. } => match parse_shard_name(name) {
            Ok((SINGLE_FILE_NAME, range)) => Some(Resource::of_model_itself(name, Some(range), digest.clone())),
            _ => None,
        },
    }
}

/// Whether `algorithm` is what Python 1.1.1 writes for a shard, such as `sha256-sharded-4` with a shard size of 4.
pub(crate) fn is_shard_algorithm(algorithm: &str, parameters: &Parameters) -> bool {
    match parameters.serialization {
        Serialization::Files => false,
        Serialization::Shards { size_bytes } => algorithm == format!("{}-sharded-{size_bytes}", parameters.hash),
    }
}

/// `4.0`, as Python writes a shard size of 4: a whole number that a float holds exactly.
pub(crate) fn shard_size_as_float(size: &serde_json::Number) -> Option<u64> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    let size = size.as_f64()?;
    if size.fract() == 0.0 && (1.0..=EXACT).contains(&size) { format!("{size:.0}").parse().ok() } else { None }
}

/// `predicateType` of v0.2.0.
pub(crate) const PREDICATE_TYPE_V0_2: &str = "https://model_signing/Digests/v0.1";

#[derive(Deserialize)]
struct StatementV0_2 {
    subject: Vec<Object<SubjectV0_2>>,
}

#[derive(Deserialize)]
struct SubjectV0_2 {
    name: String,
    digest: BTreeMap<String, String>,
    #[serde(default)]
    annotations: Object<AnnotationsV0_2>,
}

#[derive(Default, Deserialize)]
struct AnnotationsV0_2 {
    actual_hash_algorithm: Option<String>,
}

/// Parses a v0.2.0 statement: each subject is a file with its SHA-256; parameters are not recorded.
pub(crate) fn statement_v0_2(payload: &[u8]) -> Result<Statement, InvalidStatement> {
    let wire: StatementV0_2 = parse_object(payload, |_| {})?;
    let parameters = Parameters::new(SymlinkPolicy::Deny);
    let single = wire.subject.len() == 1;
    let mut resources = Vec::with_capacity(wire.subject.len());
    for Object(SubjectV0_2 { name, digest, annotations: Object(annotations) }) in wire.subject {
        if let Some(found) = annotations.actual_hash_algorithm.filter(|algorithm| algorithm != "file-sha256") {
            return Err(InvalidStatement::AlgorithmV0_2 { name, found });
        }
        let digest = match digest.get("sha256").map(|hex| Digest::from_hex(HashAlgorithm::Sha256, hex)) {
            Some(Ok(digest)) => digest,
            Some(Err(error)) => return Err(InvalidStatement::ResourceDigest { name, error }),
            None => {
                return Err(InvalidStatement::AlgorithmV0_2 { name, found: "no sha256".to_owned() });
            }
        };
        if single && let Some(resource) = resource_of_single_file(&name, &digest, Serialization::Files) {
            resources.push(resource);
            continue;
        }
        match ModelPath::parse(&name) {
            Ok(path) => resources.push(Resource::file(&path, digest)),
            Err(error) => return Err(InvalidStatement::ResourceName { name, error }),
        }
    }
    Ok(Statement::of_v0_2(Manifest::new(resources, parameters)?))
}

/// The bytes that v0.2.0 signed in place of the DSSE encoding: `DSSEV1`, and the payload as a Python bytes literal.
pub(crate) fn pae_v0_2(payload: &[u8]) -> Vec<u8> {
    let header = format!("DSSEV1 {} {PAYLOAD_TYPE} {} ", PAYLOAD_TYPE.len(), payload.len());
    let mut encoded = header.into_bytes();
    push_bytes_literal(&mut encoded, payload);
    encoded
}

/// Python's `repr` of a bytes object.
fn push_bytes_literal(out: &mut Vec<u8>, bytes: &[u8]) {
    let quote = if bytes.contains(&b'\'') && !bytes.contains(&b'"') { b'"' } else { b'\'' };
    out.extend([b'b', quote]);
    for &byte in bytes {
        match byte {
            b'\t' => out.extend(b"\\t"),
            b'\n' => out.extend(b"\\n"),
            b'\r' => out.extend(b"\\r"),
            b'\\' => out.extend(b"\\\\"),
            _ if byte == quote => out.extend([b'\\', byte]),
            b' '..=b'~' => out.push(byte),
            _ => out.extend(format!("\\x{byte:02x}").into_bytes()),
        }
    }
    out.push(quote);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_literals_are_those_of_python() {
        let cases: [(&[u8], &str); 6] = [
            (b"{\n}", r"b'{\n}'"),
            (b"it's", r#"b"it's""#),
            (br#"it's "x""#, r#"b'it\'s "x"'"#),
            (b"\\\t\r\0\x7f", r"b'\\\t\r\x00\x7f'"),
            ("é".as_bytes(), r"b'\xc3\xa9'"),
            (b"", "b''"),
        ];
        for (bytes, literal) in cases {
            let mut out = Vec::new();
            push_bytes_literal(&mut out, bytes);
            assert_eq!(String::from_utf8(out).expect("ASCII"), literal);
        }
    }

    #[test]
    fn shard_sizes_are_whole_positive_and_exact() {
        let size = |text: &str| shard_size_as_float(&serde_json::from_str(text).expect("a number"));
        assert_eq!(size("4.0"), Some(4));
        assert_eq!(size("1e9"), Some(1_000_000_000));
        for text in ["4.5", "0.0", "-4.0", "1e300", "9007199254740994.0"] {
            assert_eq!(size(text), None, "{text}");
        }
    }
}
