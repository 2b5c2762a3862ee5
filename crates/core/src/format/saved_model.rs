//! `saved_model.pb` of TensorFlow: graphs, of whose operations some reach beyond the graph.

use std::collections::BTreeSet;

use super::bytes::{Bytes, Stop};
use super::cursor::{Cursor, shown, unless_malformed, until};
use super::protobuf::{Fields, Value};
use super::{CodeOnLoad, Format, Recognition, keras_config};

/// The longest name that is read.
const MOST_NAME_BYTES: usize = 4096;
/// The most operations that are named of one model.
const MOST_FOUND: usize = 4096;
/// The longest description of a layer that is read.
const MOST_METADATA_BYTES: usize = 64 << 20;
/// The most descriptions that are told to be broken.
const MOST_PROBLEMS: usize = 32;
/// How Keras calls the kinds of object that it describes.
const OF_KERAS: &[u8] = b"_tf_keras_";
/// The one version that there has been of the outermost message.
const SCHEMA_VERSION: u64 = 1;

/// Operations that read, write or remove files which the model names, run graphs that stand in a text, call Python, ask
/// servers, or print. Saving and restoring variables (`SaveV2`, `MergeV2Checkpoints`, `RestoreV2`) is not among them: every
/// model has them, and the loader names the files.
const REACH_BEYOND: [&str; 85] = [
    "BigQueryReader",
    "CSVDataset",
    "CSVDatasetV2",
    "CacheDataset",
    "CacheDatasetV2",
    "CreateSummaryDbWriter",
    "CreateSummaryFileWriter",
    "DataServiceDataset",
    "DataServiceDatasetV2",
    "DataServiceDatasetV3",
    "DataServiceDatasetV4",
    "DatasetFromGraph",
    "DatasetToTFRecord",
    "DebugIdentity",
    "DebugIdentityV2",
    "DebugIdentityV3",
    "DebugNanCount",
    "DebugNumericSummary",
    "DebugNumericSummaryV2",
    "DecodeProtoV2",
    "DistributedSave",
    "EagerPyFunc",
    "EncodeProto",
    "ExperimentalCSVDataset",
    "ExperimentalDatasetToTFRecord",
    "ExperimentalLMDBDataset",
    "ExperimentalMatchingFilesDataset",
    "ExperimentalSqlDataset",
    "FileSystemSetConfiguration",
    "FixedLengthRecordDataset",
    "FixedLengthRecordDatasetV2",
    "FixedLengthRecordReader",
    "FixedLengthRecordReaderV2",
    "FixedUnigramCandidateSampler",
    "GcsConfigureBlockCache",
    "GcsConfigureCredentials",
    "GenerateBigQueryReaderPartitions",
    "GenerateVocabRemapping",
    "ImmutableConst",
    "InitializeTRTResource",
    "InitializeTableFromTextFile",
    "InitializeTableFromTextFileV2",
    "LMDBDataset",
    "LMDBReader",
    "ListSnapshotChunksDataset",
    "LoadAndRemapMatrix",
    "LoadDataset",
    "LoadDatasetV2",
    "MatchingFiles",
    "MatchingFilesDataset",
    "PrintV2",
    "PyFunc",
    "PyFuncStateless",
    "ReadFile",
    "RecordInput",
    "RegisterDataset",
    "RegisterDatasetV2",
    "Rpc",
    "RpcCall",
    "RpcClient",
    "RpcServer",
    "RpcServerRegister",
    "RpcServerStart",
    "SaveDataset",
    "SaveDatasetV2",
    "SerializeTRTResource",
    "Skipgram",
    "SnapshotChunkDataset",
    "SnapshotDataset",
    "SnapshotDatasetReader",
    "SnapshotDatasetV2",
    "SnapshotNestedDatasetReader",
    "SqlDataset",
    "SummaryWriter",
    "TFRecordDataset",
    "TFRecordDatasetV2",
    "TFRecordReader",
    "TFRecordReaderV2",
    "TextLineDataset",
    "TextLineReader",
    "TextLineReaderV2",
    "TryRpc",
    "WholeFileReader",
    "WholeFileReaderV2",
    "WriteFile",
];

/// Looks for a message that has what a SavedModel has, and nothing else.
pub(super) fn read(bytes: &Bytes) -> Result<Option<Recognition>, Stop> {
    // The version goes first, as every writer has it, and is one byte.
    if !matches!(bytes.head(3)?[..], [0x08, 0x01, 0x12]) {
        return Ok(None);
    }
    let mut model = Model::default();
    let mut cursor = Cursor::new(bytes, 0);
    let outcome = model.read(&mut cursor, bytes.length());
    if !model.has_graph || model.is_foreign {
        unless_malformed(outcome)?;
        return Ok(None);
    }
    let mut found = Recognition { format: Some(Format::SavedModel), ..Recognition::default() };
    if let Some(version) = model.tensorflow_version {
        found.details.push(("TensorFlow version", version));
    }
    if !model.tags.is_empty() {
        found.details.push(("tags", model.tags.into_iter().collect::<Vec<_>>().join(", ")));
    }
    found.details.push(("graphs", model.graphs.to_string()));
    found.details.push(("operations", model.nodes.to_string()));
    found.details.push(("functions", model.functions.to_string()));
    found.code = model.code.into_iter().map(CodeOnLoad::Operation).collect();
    model.layers.tell(&mut found);
    until(found, outcome)
}

/// Reads `keras_metadata.pb`, from which Keras makes the layers of a SavedModel again.
pub(super) fn read_keras_metadata(bytes: &Bytes) -> Result<Option<Recognition>, Stop> {
    let mut layers = Layers::default();
    let mut cursor = Cursor::new(bytes, 0);
    let outcome = layers.read(&mut cursor, bytes.length());
    let mut found = Recognition::default();
    layers.tell(&mut found);
    until(found, outcome)
}

/// What descriptions of layers say.
#[derive(Default)]
struct Layers {
    code: BTreeSet<CodeOnLoad>,
    problems: Vec<String>,
}

impl Layers {
    fn read(&mut self, cursor: &mut Cursor, end: u64) -> Result<(), Stop> {
        let mut fields = Fields::new(0, end);
        while let Some(field) = fields.next(cursor)? {
            if field.number == 1 {
                self.object(field.value, [4, 5], cursor)?;
            }
        }
        Ok(())
    }

    /// Reads an object, whose kind and description are in the fields of these numbers.
    fn object(&mut self, value: Value, [kind, description]: [u32; 2], cursor: &mut Cursor) -> Result<(), Stop> {
        let Some(mut fields) = value.message() else { return Ok(()) };
        let mut is_of_keras = false;
        let mut json = Vec::new();
        while let Some(field) = fields.next(cursor)? {
            if field.number == kind {
                let kind = field.value.text(cursor, MOST_NAME_BYTES)?;
                is_of_keras = kind.is_some_and(|kind| kind.starts_with(OF_KERAS));
            } else if field.number == description {
                json = field.value.text(cursor, MOST_METADATA_BYTES)?.unwrap_or_default();
            }
        }
        if !json.trim_ascii_start().starts_with(b"{") && (!is_of_keras || json.is_empty()) {
            return Ok(());
        }
        match keras_config::read(&json) {
            Ok(config) => self.code.extend(config.code),
            Err(stop) => {
                let problem = format!("an object of Keras: {}", stop.text()?);
                if self.problems.len() < MOST_PROBLEMS {
                    self.problems.push(problem);
                }
            }
        }
        if self.code.len() > MOST_FOUND {
            return Err(Stop::malformed(format!("more than {MOST_FOUND} objects of Keras run code of their own")));
        }
        Ok(())
    }

    fn tell(self, found: &mut Recognition) {
        found.code.extend(self.code);
        found.problems.extend(self.problems);
    }
}

#[derive(Default)]
struct Model {
    is_foreign: bool,
    has_graph: bool,
    tensorflow_version: Option<String>,
    tags: BTreeSet<String>,
    graphs: u64,
    nodes: u64,
    functions: u64,
    code: BTreeSet<String>,
    /// Described here by versions of Keras that had no file for it.
    layers: Layers,
}

impl Model {
    fn read(&mut self, cursor: &mut Cursor, end: u64) -> Result<(), Stop> {
        let mut fields = Fields::new(0, end);
        while let Some(field) = fields.next(cursor)? {
            match (field.number, field.value) {
                (1, Value::Number(SCHEMA_VERSION)) => {}
                (2, value @ Value::Range { .. }) => self.meta_graph(value, cursor)?,
                _ => {
                    self.is_foreign = true;
                    break;
                }
            }
        }
        Ok(())
    }

    fn meta_graph(&mut self, value: Value, cursor: &mut Cursor) -> Result<(), Stop> {
        let Some(mut fields) = value.message() else { return Ok(()) };
        self.graphs += 1;
        while let Some(field) = fields.next(cursor)? {
            match (field.number, field.value) {
                (1, value @ Value::Range { .. }) => self.meta_information(value, cursor)?,
                (2, value @ Value::Range { .. }) => self.graph(value, cursor)?,
                (7, value @ Value::Range { .. }) => self.objects(value, cursor)?,
                (3..=6, Value::Range { .. }) => {}
                _ => {
                    self.is_foreign = true;
                    break;
                }
            }
        }
        Ok(())
    }

    fn meta_information(&mut self, value: Value, cursor: &mut Cursor) -> Result<(), Stop> {
        let Some(mut fields) = value.message() else { return Ok(()) };
        while let Some(field) = fields.next(cursor)? {
            let text = match field.number {
                4 | 5 => field.value.text(cursor, MOST_NAME_BYTES)?.map(|text| shown(&text)),
                _ => None,
            };
            match text {
                Some(tag) if field.number == 4 && self.tags.len() < 16 => {
                    self.tags.insert(tag);
                }
                Some(version) if field.number == 5 => self.tensorflow_version = Some(version),
                _ => {}
            }
        }
        Ok(())
    }

    fn objects(&mut self, value: Value, cursor: &mut Cursor) -> Result<(), Stop> {
        let Some(mut fields) = value.message() else { return Ok(()) };
        while let Some(field) = fields.next(cursor)? {
            if field.number != 1 {
                continue;
            }
            let Some(mut object) = field.value.message() else { continue };
            while let Some(field) = object.next(cursor)? {
                if field.number == 4 {
                    self.layers.object(field.value, [1, 3], cursor)?;
                }
            }
        }
        Ok(())
    }

    fn graph(&mut self, value: Value, cursor: &mut Cursor) -> Result<(), Stop> {
        let Some(mut fields) = value.message() else { return Ok(()) };
        while let Some(field) = fields.next(cursor)? {
            match field.number {
                1 => self.node(field.value, cursor)?,
                2 => self.library(field.value, cursor)?,
                _ => {}
            }
        }
        self.has_graph = true;
        Ok(())
    }

    fn library(&mut self, value: Value, cursor: &mut Cursor) -> Result<(), Stop> {
        let Some(mut fields) = value.message() else { return Ok(()) };
        while let Some(field) = fields.next(cursor)? {
            if field.number != 1 {
                continue;
            }
            let Some(mut function) = field.value.message() else { continue };
            self.functions += 1;
            while let Some(field) = function.next(cursor)? {
                if field.number == 3 {
                    self.node(field.value, cursor)?;
                }
            }
        }
        Ok(())
    }

    fn node(&mut self, value: Value, cursor: &mut Cursor) -> Result<(), Stop> {
        let Some(mut fields) = value.message() else { return Ok(()) };
        self.nodes += 1;
        self.has_graph = true;
        while let Some(field) = fields.next(cursor)? {
            if field.number != 2 {
                continue;
            }
            let Some(name) = field.value.text(cursor, MOST_NAME_BYTES)? else { continue };
            let name = String::from_utf8_lossy(&name);
            // Operations of others' libraries have their package before the name.
            if REACH_BEYOND.contains(&&*name) || name.contains('>') {
                if self.code.len() >= MOST_FOUND && !self.code.contains(&*name) {
                    return Err(Stop::malformed(format!("more than {MOST_FOUND} operations reach beyond the graph")));
                }
                self.code.insert(shown(name.as_bytes()));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::cursor::testing::{look, problem, withstands_damage};
    use super::super::protobuf::testing::{field, number};
    use super::*;

    const PLAIN: &[u8] = include_bytes!("../../../../testdata/formats/tensorflow_saved_model/saved_model.pb");
    const REACHES: &[u8] = include_bytes!("../../../../testdata/formats/tensorflow_saved_model_reaches/saved_model.pb");

    /// A model with this graph.
    fn model(graph: &[u8]) -> Vec<u8> {
        [number(1, 1), field(2, &field(2, graph))].concat()
    }

    fn node(operation: &str) -> Vec<u8> {
        field(1, &field(2, operation.as_bytes()))
    }

    #[test]
    fn a_model_is_read() {
        let found = look(read, PLAIN).expect("a SavedModel");
        assert_eq!((found.format, &found.code[..], &found.problems[..]), (Some(Format::SavedModel), &[][..], &[][..]));
        for (name, value) in [("TensorFlow version", "2.21.0"), ("tags", "serve"), ("graphs", "1"), ("functions", "5")]
        {
            assert!(found.details.contains(&(name, value.to_owned())), "{name}: {found:?}");
        }
    }

    #[test]
    fn operations_that_reach_beyond_the_graph_are_named() {
        let operation = |name: &str| CodeOnLoad::Operation(name.to_owned());
        let found = look(read, REACHES).expect("a SavedModel");
        assert_eq!(found.code, [operation("EagerPyFunc"), operation("ReadFile")]);
        let graph = [node("Add"), node("WriteFile"), node("Addons>Gelu")].concat();
        assert_eq!(
            look(read, &model(&graph)).expect("a SavedModel").code,
            [operation("Addons>Gelu"), operation("WriteFile")]
        );
        assert!(REACH_BEYOND.is_sorted());
    }

    #[test]
    fn operations_on_files_are_named() {
        for name in [
            "CSVDataset",
            "CSVDatasetV2",
            "DatasetFromGraph",
            "DecodeProtoV2",
            "ExperimentalCSVDataset",
            "FixedUnigramCandidateSampler",
            "GenerateVocabRemapping",
            "InitializeTableFromTextFile",
            "InitializeTableFromTextFileV2",
            "TFRecordReaderV2",
            "TextLineReaderV2",
        ] {
            let found = look(read, &model(&node(name))).expect("a SavedModel");
            assert_eq!(found.code, [CodeOnLoad::Operation(name.to_owned())]);
        }
        for name in ["Add", "IdentityReaderV2", "MergeV2Checkpoints", "SaveV2", "RestoreV2", "ShardDataset"] {
            assert_eq!(look(read, &model(&node(name))).expect("a SavedModel").code, [], "{name}");
        }
    }

    /// A layer of Keras 2, described in the fields of these numbers.
    fn layer(class: &str, [kind, description]: [u64; 2]) -> Vec<u8> {
        let json = format!(
            r#"{{"class_name": "{class}", "name": "l", "config": {{"name": "l", "function": ["4wEA", null, null]}},
               "build_input_shape": {{"class_name": "TensorShape", "items": [null, 4]}}, "input_spec":
               {{"class_name": "InputSpec", "config": {{"dtype": null, "ndim": 2}}}}, "save_spec": {{"class_name":
               "TypeSpec", "type_spec": "tf.TensorSpec", "serialized": [{{"class_name": "TensorShape", "items": []}}]}}}}"#
        );
        [field(kind, b"_tf_keras_layer"), field(description, json.as_bytes())].concat()
    }

    #[test]
    fn layers_are_found_in_the_metadata_of_keras() {
        let metadata = |class: &str| field(1, &[number(2, 1), field(3, b"root.l"), layer(class, [4, 5])].concat());
        let objects = |class: &str| {
            let graph = [field(2, &node("Add")), field(7, &field(1, &field(4, &layer(class, [1, 3]))))].concat();
            [number(1, 1), field(2, &graph)].concat()
        };
        let lambda = CodeOnLoad::LambdaLayer("l".to_owned());
        let custom = CodeOnLoad::CustomObject("mine>Scale".to_owned());
        for (class, code) in [("Dense", vec![]), ("Lambda", vec![lambda]), ("mine>Scale", vec![custom])] {
            for (read, bytes) in [(read_keras_metadata as _, metadata(class)), (read as _, objects(class))] {
                let found = look(read, &bytes).expect("metadata");
                assert_eq!((found.code, found.problems), (code.clone(), vec![]), "{class}");
            }
        }
        let plain = [metadata("Dense"), metadata("Lambda")].concat();
        assert_eq!(look(read_keras_metadata, &plain).expect("metadata").code.len(), 1);
        assert_eq!(look(read_keras_metadata, b""), Some(Recognition::default()));
        withstands_damage(read_keras_metadata, &plain);
        withstands_damage(read, &objects("Lambda"));
    }

    #[test]
    fn metadata_of_keras_that_is_broken_is_a_problem() {
        let object = |kind: &[u8], json: &[u8]| field(1, &[field(4, kind), field(5, json)].concat());
        for (bytes, expected) in [
            (object(b"_tf_keras_layer", b"["), "an object of Keras: the configuration of the model is not JSON"),
            (object(b"other", b" {"), "an object of Keras: the configuration of the model is not JSON"),
            (vec![0x0a, 0x7f], "field 1 of 127 bytes"),
            (vec![0xff; 20], "more than ten bytes"),
        ] {
            let found = problem(read_keras_metadata, &bytes);
            assert!(found.contains(expected), "{found}: {expected}");
        }
        assert_eq!(look(read_keras_metadata, &object(b"other", b"x")), Some(Recognition::default()));
    }

    #[test]
    fn what_is_cut_or_damaged_is_noticed() {
        for length in 0..REACHES.len() {
            if let Some(found) = look(read, &REACHES[..length]) {
                assert!(!found.problems.is_empty(), "cut at {length}: {found:?}");
            }
        }
        withstands_damage(read, &REACHES[..1500]);
    }

    #[test]
    fn other_protobuf_is_something_else() {
        let graph = node("Add");
        for bytes in [
            &b""[..],
            include_bytes!("../../../../testdata/formats/onnx_plain.onnx"),
            &[number(1, 1), field(2, b"name")].concat(),
            &[number(1, 2), field(2, &field(2, &graph))].concat(),
            &[model(&graph), field(3, b"")].concat(),
            &[number(1, 1), field(2, &[field(2, &graph), field(9, b"")].concat())].concat(),
        ] {
            assert_eq!(look(read, bytes), None, "{bytes:?}");
        }
        assert!(look(read, &model(&graph)).is_some());
    }

    #[test]
    fn what_contradicts_itself_is_a_problem() {
        let many = (0..5000).map(|n| node(&format!("a>{n}"))).collect::<Vec<_>>().concat();
        for (bytes, expected) in [
            (model(&[node("Add"), vec![0x0a, 0x7f]].concat()), "field 1 of 127 bytes"),
            (model(&node(&"x".repeat(5000))), "5000 bytes"),
            (model(&many), "more than 4096 operations"),
        ] {
            let found = problem(read, &bytes);
            assert!(found.contains(expected), "{found}: {expected}");
        }
    }
}
