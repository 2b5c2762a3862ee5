//! ONNX: a protobuf message with a graph, whose weights may be in other files.

use std::collections::BTreeSet;

use super::bytes::{Bytes, Stop};
use super::cursor::{Cursor, shown, unless_malformed, until};
use super::protobuf::{Field, Fields, Value};
use super::{CodeOnLoad, Format, Recognition};

/// The longest name that is read.
const MOST_NAME_BYTES: usize = 4096;
/// The most operations and files that are named of one model.
const MOST_FOUND: usize = 4096;
/// Subgraphs in subgraphs: the bodies of loops and branches.
const MOST_NESTED: u32 = 24;
/// Beyond any version of the format that is near. Version 14 is the newest now.
const MOST_IR_VERSION: u64 = 32;

/// The domains whose operations ONNX itself or its usual runtime has.
const KNOWN_DOMAINS: [&str; 9] = [
    "",
    "ai.onnx",
    "ai.onnx.ml",
    "ai.onnx.preview",
    "ai.onnx.preview.training",
    "ai.onnx.training",
    "com.microsoft",
    "com.microsoft.nchwc",
    "com.ms.internal.nhwc",
];

/// Operations of the runtime that call Python.
const PYTHON_OPERATIONS: [&str; 3] = ["PyOp", "PythonOp", "PythonOpGrad"];

/// Looks for a message that has what a model has, and nothing else.
pub(super) fn read(bytes: &Bytes) -> Result<Option<Recognition>, Stop> {
    // A field of the outermost message, with the type that it has there.
    if !matches!(bytes.head(1)?[..], [0x08 | 0x12 | 0x1a | 0x22 | 0x28 | 0x32 | 0x3a | 0x42 | 0x72]) {
        return Ok(None);
    }
    let mut model = Model::default();
    let mut cursor = Cursor::new(bytes, 0);
    let outcome = model.read(&mut cursor, bytes.length());
    // A version, and a graph with a node or a name: less may be anything.
    if model.ir_version.is_none() || !model.has_graph || model.is_foreign {
        unless_malformed(outcome)?;
        return Ok(None);
    }
    until(model.recognition(), outcome)
}

#[derive(Default)]
struct Model {
    is_foreign: bool,
    has_graph: bool,
    ir_version: Option<u64>,
    producer: String,
    producer_version: String,
    operation_sets: BTreeSet<String>,
    nodes: u64,
    weights: u64,
    /// Operations of domains that are not known, as `domain::name`.
    foreign_operations: BTreeSet<String>,
    python_operations: BTreeSet<String>,
    /// Functions that the model defines itself, as `domain::name`.
    functions: BTreeSet<String>,
    other_files: BTreeSet<String>,
}

impl Model {
    fn read(&mut self, cursor: &mut Cursor, end: u64) -> Result<(), Stop> {
        let mut fields = Fields::new(0, end);
        while let Some(Field { number, value }) = fields.next(cursor)? {
            match (number, value) {
                (1, Value::Number(version @ 1..=MOST_IR_VERSION)) => self.ir_version = Some(version),
                (2, Value::Range { .. }) => self.producer = text(value, cursor)?,
                (3, Value::Range { .. }) => self.producer_version = text(value, cursor)?,
                (5, Value::Number(_)) | (4 | 6 | 14 | 26, Value::Range { .. }) => {}
                (7, Value::Range { .. }) => self.graph(value, cursor, 0)?,
                (8, Value::Range { .. }) => self.operation_set(value, cursor)?,
                (20, Value::Range { .. }) => self.training(value, cursor)?,
                (25, Value::Range { .. }) => self.function(value, cursor)?,
                _ => {
                    self.is_foreign = true;
                    break;
                }
            }
        }
        if self.has_graph && self.ir_version.is_some_and(|version| version >= 3) && self.operation_sets.is_empty() {
            return Err(Stop::malformed("the model does not say which operations it uses (`opset_import`)"));
        }
        Ok(())
    }

    fn recognition(self) -> Recognition {
        let mut found = Recognition { format: Some(Format::Onnx), ..Recognition::default() };
        found.details.push(("ir version", self.ir_version.unwrap_or_default().to_string()));
        if !self.producer.is_empty() {
            let producer = format!("{} {}", self.producer, self.producer_version);
            found.details.push(("producer", shown(producer.trim_end().as_bytes())));
        }
        if !self.operation_sets.is_empty() {
            let sets = self.operation_sets.into_iter().collect::<Vec<_>>().join(", ");
            found.details.push(("operation sets", shown(sets.as_bytes())));
        }
        found.details.push(("nodes", self.nodes.to_string()));
        found.details.push(("weights", self.weights.to_string()));
        for file in self.other_files {
            let name = shown(file.as_bytes());
            if leaves_the_model(&file) {
                found.problems.push(format!("weights are in `{name}`, which is outside the model"));
            } else {
                found.details.push(("weights in file", name));
            }
        }
        let custom = self.foreign_operations.difference(&self.functions);
        let code = custom.chain(&self.python_operations).map(|name| shown(name.as_bytes()));
        found.code = code.map(CodeOnLoad::Operation).collect();
        found
    }

    fn operation_set(&mut self, value: Value, cursor: &mut Cursor) -> Result<(), Stop> {
        let Some(mut fields) = value.message() else { return Ok(()) };
        let (mut domain, mut version) = (String::new(), 0);
        while let Some(Field { number, value }) = fields.next(cursor)? {
            match (number, value) {
                (1, Value::Range { .. }) => domain = text(value, cursor)?,
                (2, Value::Number(number)) => version = number,
                _ => {
                    self.is_foreign = true;
                    break;
                }
            }
        }
        let domain = if domain.is_empty() { "ai.onnx".to_owned() } else { domain };
        keep(&mut self.operation_sets, format!("{domain} {version}"))
    }

    fn graph(&mut self, value: Value, cursor: &mut Cursor, depth: u32) -> Result<(), Stop> {
        if depth > MOST_NESTED {
            return Err(Stop::malformed(format!("graphs are nested more than {MOST_NESTED} deep")));
        }
        let Some(mut fields) = value.message() else { return Ok(()) };
        while let Some(Field { number, value }) = fields.next(cursor)? {
            match (number, value) {
                (1, Value::Range { .. }) => {
                    self.node(value, cursor, depth)?;
                    self.has_graph = true;
                }
                (5, Value::Range { .. }) => self.tensor(value, cursor)?,
                (15, Value::Range { .. }) => self.sparse_tensor(value, cursor)?,
                (2, Value::Range { .. }) => self.has_graph = true,
                (10..=14 | 16, Value::Range { .. }) => {}
                _ => {
                    self.is_foreign = true;
                    break;
                }
            }
        }
        Ok(())
    }

    fn node(&mut self, value: Value, cursor: &mut Cursor, depth: u32) -> Result<(), Stop> {
        let Some(mut fields) = value.message() else { return Ok(()) };
        self.nodes += 1;
        let (mut operation, mut domain) = (String::new(), String::new());
        while let Some(Field { number, value }) = fields.next(cursor)? {
            match number {
                4 => operation = text(value, cursor)?,
                7 => domain = text(value, cursor)?,
                5 => self.attribute(value, cursor, depth)?,
                _ => {}
            }
        }
        if !KNOWN_DOMAINS.contains(&&*domain) {
            keep(&mut self.foreign_operations, format!("{domain}::{operation}"))?;
        } else if PYTHON_OPERATIONS.contains(&&*operation) {
            keep(&mut self.python_operations, format!("{domain}::{operation}"))?;
        }
        Ok(())
    }

    fn attribute(&mut self, value: Value, cursor: &mut Cursor, depth: u32) -> Result<(), Stop> {
        let Some(mut fields) = value.message() else { return Ok(()) };
        while let Some(Field { number, value }) = fields.next(cursor)? {
            match number {
                5 | 10 => self.tensor(value, cursor)?,
                6 | 11 => self.graph(value, cursor, depth + 1)?,
                22 | 23 => self.sparse_tensor(value, cursor)?,
                _ => {}
            }
        }
        Ok(())
    }

    fn tensor(&mut self, value: Value, cursor: &mut Cursor) -> Result<(), Stop> {
        let Some(mut fields) = value.message() else { return Ok(()) };
        self.weights += 1;
        while let Some(Field { number, value }) = fields.next(cursor)? {
            if number == 13 {
                self.other_file(value, cursor)?;
            }
        }
        Ok(())
    }

    fn sparse_tensor(&mut self, value: Value, cursor: &mut Cursor) -> Result<(), Stop> {
        let Some(mut fields) = value.message() else { return Ok(()) };
        while let Some(Field { number, value }) = fields.next(cursor)? {
            if matches!(number, 1 | 2) {
                self.tensor(value, cursor)?;
            }
        }
        Ok(())
    }

    /// One of the pairs that say where a tensor is.
    fn other_file(&mut self, value: Value, cursor: &mut Cursor) -> Result<(), Stop> {
        let Some(mut fields) = value.message() else { return Ok(()) };
        let (mut key, mut place) = (String::new(), String::new());
        while let Some(Field { number, value }) = fields.next(cursor)? {
            match number {
                1 => key = text(value, cursor)?,
                2 => place = text(value, cursor)?,
                _ => {}
            }
        }
        if key == "location" { keep(&mut self.other_files, place) } else { Ok(()) }
    }

    /// A function of the model's own: its operations may be in domains of its own, and are no code.
    fn function(&mut self, value: Value, cursor: &mut Cursor) -> Result<(), Stop> {
        let Some(mut fields) = value.message() else { return Ok(()) };
        let (mut name, mut domain) = (String::new(), String::new());
        while let Some(Field { number, value }) = fields.next(cursor)? {
            match number {
                1 => name = text(value, cursor)?,
                10 => domain = text(value, cursor)?,
                7 => self.node(value, cursor, 0)?,
                11 => self.attribute(value, cursor, 0)?,
                _ => {}
            }
        }
        keep(&mut self.functions, format!("{domain}::{name}"))
    }

    fn training(&mut self, value: Value, cursor: &mut Cursor) -> Result<(), Stop> {
        let Some(mut fields) = value.message() else { return Ok(()) };
        while let Some(Field { number, value }) = fields.next(cursor)? {
            if matches!(number, 1 | 2) {
                self.graph(value, cursor, 0)?;
            }
        }
        Ok(())
    }
}

fn text(value: Value, cursor: &mut Cursor) -> Result<String, Stop> {
    let text = value.text(cursor, MOST_NAME_BYTES)?.unwrap_or_default();
    Ok(String::from_utf8_lossy(&text).into_owned())
}

fn keep(found: &mut BTreeSet<String>, text: String) -> Result<(), Stop> {
    if found.len() >= MOST_FOUND && !found.contains(&text) {
        return Err(Stop::malformed(format!("more than {MOST_FOUND} names of one kind")));
    }
    found.insert(text);
    Ok(())
}

/// Whether a path, on any system, leads out of the folder that it begins in.
fn leaves_the_model(path: &str) -> bool {
    let mut parts = path.split(['/', '\\']);
    path.starts_with(['/', '\\'])
        || path.get(1..2) == Some(":")
        || path.contains("://")
        || parts.any(|part| part == "..")
}

#[cfg(test)]
mod tests {
    use super::super::cursor::testing::{is_never_whole_when_cut, look, problem, withstands_damage};
    use super::super::protobuf::testing::{field, number};
    use super::*;

    const PLAIN: &[u8] = include_bytes!("../../../../testdata/formats/onnx_plain.onnx");
    const CUSTOM: &[u8] = include_bytes!("../../../../testdata/formats/onnx_custom_operation.onnx");
    const IN_BRANCH: &[u8] = include_bytes!("../../../../testdata/formats/onnx_custom_operation_in_branch.onnx");
    const FUNCTION: &[u8] = include_bytes!("../../../../testdata/formats/onnx_own_function.onnx");
    const OTHER_FILE: &[u8] = include_bytes!("../../../../testdata/formats/onnx_external_data.onnx");
    const OUTSIDE: &[u8] = include_bytes!("../../../../testdata/formats/onnx_external_data_outside.onnx");

    /// A model with this graph.
    fn model(graph: &[u8]) -> Vec<u8> {
        let opset = field(8, &number(2, 21));
        [number(1, 10), field(7, graph), opset].concat()
    }

    #[test]
    fn a_model_is_read() {
        let found = look(read, PLAIN).expect("ONNX");
        assert_eq!((found.format, &found.code[..], &found.problems[..]), (Some(Format::Onnx), &[][..], &[][..]));
        let details = [("ir version", "14"), ("producer", "make.py"), ("operation sets", "ai.onnx 21")];
        for (name, value) in details.into_iter().chain([("nodes", "1"), ("weights", "1")]) {
            assert!(found.details.contains(&(name, value.to_owned())), "{name}: {found:?}");
        }
    }

    #[test]
    fn operations_of_others_are_code_wherever_they_are() {
        let mystery = CodeOnLoad::Operation("example.custom::Mystery".to_owned());
        for bytes in [CUSTOM, IN_BRANCH] {
            assert_eq!(look(read, bytes).expect("ONNX").code, std::slice::from_ref(&mystery));
        }
        assert_eq!(look(read, FUNCTION).expect("ONNX").code, [], "a function of the model's own is no code");
        let python = model(&field(1, &[field(4, b"PythonOp"), field(7, b"com.microsoft")].concat()));
        assert_eq!(
            look(read, &python).expect("ONNX").code,
            [CodeOnLoad::Operation("com.microsoft::PythonOp".to_owned())]
        );
    }

    #[test]
    fn weights_elsewhere_are_told_and_those_outside_are_a_problem() {
        let found = look(read, OTHER_FILE).expect("ONNX");
        assert!(found.details.contains(&("weights in file", "weights.bin".to_owned())) && found.problems.is_empty());
        assert_eq!(problem(read, OUTSIDE), "weights are in `../../etc/passwd`, which is outside the model");
        for path in ["/a", "\\a", "C:\\a", "a/../../b", "a\\..\\b", "http://a/b"] {
            assert!(leaves_the_model(path), "{path}");
        }
        for path in ["a", "a/b.bin", "..a", "a..b/c"] {
            assert!(!leaves_the_model(path), "{path}");
        }
    }

    #[test]
    fn what_is_cut_or_damaged_is_noticed() {
        for bytes in [PLAIN, OUTSIDE] {
            is_never_whole_when_cut(read, bytes);
        }
        for bytes in [PLAIN, IN_BRANCH, FUNCTION, OUTSIDE] {
            withstands_damage(read, bytes);
        }
    }

    #[test]
    fn other_protobuf_is_something_else() {
        let saved_model = include_bytes!("../../../../testdata/formats/tensorflow_saved_model/saved_model.pb");
        let node = field(1, &field(4, b"Add"));
        for bytes in [
            &b""[..],
            saved_model,
            &number(1, 10),
            &[number(1, 0), field(7, &node)].concat(),
            &[number(1, 99), field(7, &node)].concat(),
            &[number(1, 10), field(7, b"")].concat(),
            &[number(1, 10), field(7, &number(1, 1))].concat(),
            &[model(&node), field(9, b"x")].concat(),
            &[model(&node), number(7, 1)].concat(),
        ] {
            assert_eq!(look(read, bytes), None, "{bytes:?}");
        }
        assert!(look(read, &model(&node)).is_some());
    }

    #[test]
    fn what_contradicts_itself_is_a_problem() {
        let node = field(1, &field(4, b"Add"));
        let without_set = [number(1, 10), field(7, &node)].concat();
        let nested = |graph: Vec<u8>, _| [node.clone(), field(1, &field(5, &field(6, &graph)))].concat();
        let deep = model(&(0..40).fold(node.clone(), nested));
        let many = (0..5000).map(|n| field(1, &[field(4, format!("{n}").as_bytes()), field(7, b"x")].concat()));
        let many = model(&many.collect::<Vec<_>>().concat());
        let long = model(&[node.clone(), field(1, &field(4, &[b'x'; 5000]))].concat());
        let beyond = model(&[node.clone(), b"\x0a\xff\xff\xff\xff\x0f".to_vec()].concat());
        let group = model(&[node.clone(), vec![0x0b]].concat());
        let endless = model(&[node, vec![0xff; 11]].concat());
        for (bytes, expected) in [
            (without_set, "does not say which operations"),
            (deep, "nested more than 24 deep"),
            (many, "more than 4096 names"),
            (long, "5000 bytes"),
            (beyond, "field 1 of 4294967295 bytes"),
            (group, "no field of protobuf"),
            (endless, "more than ten bytes"),
        ] {
            let found = problem(read, &bytes);
            assert!(found.contains(expected), "{found}: {expected}");
        }
    }
}
