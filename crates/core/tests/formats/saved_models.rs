//! Directories of TensorFlow: which of their files say what is run.

use std::fs;
use std::path::Path;

use model_transparency::format::{Format, Recognition, recognise_path};

use crate::{called_code, says};

/// A field of protobuf with these bytes.
fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    let length = u16::try_from(bytes.len()).expect("a short field");
    let length = [0x80 | u8::try_from(length & 0x7f).expect("seven bits"), u8::try_from(length >> 7).expect("short")];
    [&[number << 3 | 2], length.as_slice(), bytes].concat()
}

/// A SavedModel of one addition, and these files.
fn look_with(files: &[(&str, &[u8])]) -> Recognition {
    let folder = tempfile::tempdir().expect("a folder");
    let graph = [&[0x08, 0x01], field(2, &field(2, &field(1, &field(2, b"Add")))).as_slice()].concat();
    for (name, content) in [("saved_model.pb", graph.as_slice())].iter().chain(files) {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap_or(Path::new("/"))).expect("a folder");
        fs::write(path, content).expect("a file");
    }
    recognise_path(folder.path()).expect("it can be read")
}

fn metadata(class: &str) -> Vec<u8> {
    let json = format!(r#"{{"class_name": "{class}", "config": {{"name": "l", "function": ["4wEA", null, null]}}}}"#);
    field(1, &[field(4, b"_tf_keras_layer"), field(5, json.as_bytes())].concat())
}

#[test]
fn layers_that_keras_makes_again_are_looked_at() {
    for name in ["keras_metadata.pb", "inner/keras_metadata.pb"] {
        let seen = look_with(&[(name, &metadata("Dense"))]);
        assert_eq!((seen.format, called_code(&seen), seen.problems.len()), (Some(Format::SavedModel), vec![], 0));
        let seen = look_with(&[(name, &metadata("Lambda"))]);
        assert_eq!((seen.format, called_code(&seen)), (Some(Format::SavedModel), vec!["l"]), "{seen:?}");
        assert!(says(&look_with(&[(name, b"\x0a\x7f")]), "`inner/keras_metadata.pb`") != (name == "keras_metadata.pb"));
    }
}

#[test]
fn graphs_that_are_not_looked_at_are_told() {
    for name in ["saved_model.pbtxt", "saved_model.cpb"] {
        let seen = look_with(&[(name, b"saved_model_schema_version: 1")]);
        assert!(says(&seen, &format!("`{name}`: it is a graph of TensorFlow that was not looked at")), "{seen:?}");
    }
}
