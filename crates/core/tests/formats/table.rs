//! The confusion table: each file of `testdata/formats`, what it is and what of it runs code.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use model_transparency::format::{Format, Recognition};

use crate::{called_code, look};

/// Each file, its format, and the names of what runs code.
const TABLE: &[(&str, Format, &[&str])] = &[
    ("flax_params.msgpack", Format::FlaxMsgpack, &[]),
    ("flax_state.msgpack", Format::FlaxMsgpack, &[]),
    ("gguf_chat_template.gguf", Format::Gguf, &[]),
    (
        "gguf_chat_template_escapes.gguf",
        Format::Gguf,
        &[
            "tokenizer.chat_template that reaches for `__class__`",
            "tokenizer.chat_template that reaches for `__subclasses__`",
        ],
    ),
    ("gguf_v3.gguf", Format::Gguf, &[]),
    ("gguf_v3_big_endian.gguf", Format::Gguf, &[]),
    ("hdf5_cycle.h5", Format::Hdf5, &[]),
    ("hdf5_dense.h5", Format::Hdf5KerasModel, &["hidden"]),
    ("hdf5_external_link.h5", Format::Hdf5, &[]),
    ("hdf5_external_storage.h5", Format::Hdf5, &[]),
    ("hdf5_latest.h5", Format::Hdf5, &[]),
    ("hdf5_many_members.h5", Format::Hdf5, &[]),
    ("hdf5_plain.h5", Format::Hdf5, &[]),
    ("hdf5_user_block.h5", Format::Hdf5, &[]),
    ("hdf5_virtual.h5", Format::Hdf5, &[]),
    ("joblib_array.joblib", Format::Pickle, &["joblib.numpy_pickle.NumpyArrayWrapper"]),
    ("joblib_array_compressed.joblib", Format::Pickle, &["joblib.numpy_pickle.NumpyArrayWrapper"]),
    ("keras_custom_class.keras", Format::Keras, &["examples>Scale"]),
    ("keras_hdf5.weights.h5", Format::Hdf5KerasWeights, &[]),
    ("keras_hdf5_compiled.h5", Format::Hdf5KerasModel, &[]),
    ("keras_hdf5_lambda.h5", Format::Hdf5KerasModel, &["doubles"]),
    ("keras_hdf5_model.h5", Format::Hdf5KerasModel, &[]),
    ("keras_lambda.keras", Format::Keras, &["doubles"]),
    ("keras_nested_lambda.keras", Format::Keras, &["doubles"]),
    ("keras_sequential.keras", Format::Keras, &[]),
    ("numpy_archive.npz", Format::Npz, &[]),
    ("numpy_archive_compressed.npz", Format::Npz, &[]),
    ("numpy_archive_objects.npz", Format::Npz, &[]),
    ("numpy_float32.npy", Format::Npy, &[]),
    ("numpy_fortran_order.npy", Format::Npy, &[]),
    ("numpy_object_array.npy", Format::Npy, &[]),
    ("onnx_custom_operation.onnx", Format::Onnx, &["example.custom::Mystery"]),
    ("onnx_custom_operation_in_branch.onnx", Format::Onnx, &["example.custom::Mystery"]),
    ("onnx_external_data.onnx", Format::Onnx, &[]),
    ("onnx_external_data_outside.onnx", Format::Onnx, &[]),
    ("onnx_own_function.onnx", Format::Onnx, &[]),
    ("onnx_plain.onnx", Format::Onnx, &[]),
    ("pickle_numpy_array.pkl", Format::Pickle, &[]),
    ("pickle_protocol_0.pkl", Format::Pickle, &[]),
    ("pickle_protocol_1.pkl", Format::Pickle, &[]),
    ("pickle_protocol_2.pkl", Format::Pickle, &[]),
    ("pickle_protocol_3.pkl", Format::Pickle, &[]),
    ("pickle_protocol_4.pkl", Format::Pickle, &[]),
    ("pickle_protocol_5.pkl", Format::Pickle, &[]),
    ("pickle_runs_on_load_0.pkl", Format::Pickle, &["posix.system"]),
    ("pickle_runs_on_load_2.pkl", Format::Pickle, &["posix.system"]),
    ("pickle_runs_on_load_4.pkl", Format::Pickle, &["posix.system"]),
    ("pytorch_1.13_full_model.pth", Format::PytorchModel, MODULES),
    ("pytorch_1.13_legacy_full_model.pt", Format::PytorchLegacyModel, &["__main__.Tiny"]),
    ("pytorch_1.13_legacy_state_dict.pt", Format::PytorchLegacyStateDict, &[]),
    ("pytorch_1.13_state_dict.pth", Format::PytorchStateDict, &[]),
    ("pytorch_1.13_torchscript.pt", Format::TorchScript, &["pytorch_torchscript/code/"]),
    ("pytorch_bfloat16_state_dict.bin", Format::PytorchStateDict, &[]),
    ("pytorch_checkpoint.tar", Format::PytorchStateDict, &[]),
    ("pytorch_export.pt2", Format::TorchExport, &["pytorch_export/models/model.json"]),
    ("pytorch_full_model.pth", Format::PytorchModel, MODULES),
    ("pytorch_legacy_full_model.pt", Format::PytorchLegacyModel, &["__main__.Tiny"]),
    ("pytorch_legacy_state_dict.pt", Format::PytorchLegacyStateDict, &[]),
    ("pytorch_quantized_state_dict.pth", Format::PytorchStateDict, &[]),
    ("pytorch_state_dict.pth", Format::PytorchStateDict, &[]),
    ("pytorch_tensor.pt", Format::PytorchStateDict, &[]),
    ("pytorch_torchscript.pt", Format::TorchScript, &["pytorch_torchscript/code/"]),
    ("safetensors_bfloat16.safetensors", Format::Safetensors, &[]),
    ("safetensors_numpy.safetensors", Format::Safetensors, &[]),
    ("safetensors_torch.safetensors", Format::Safetensors, &[]),
    ("tensorflow_saved_model", Format::SavedModel, &[]),
    ("tensorflow_saved_model_reaches", Format::SavedModel, &["EagerPyFunc", "ReadFile"]),
    ("tf_keras_hdf5_model.h5", Format::Hdf5KerasModel, &[]),
    ("tf_keras_hdf5_weights.h5", Format::Hdf5KerasWeights, &[]),
];

const MODULES: &[&str] =
    &["torch.nn.modules.activation.ReLU", "torch.nn.modules.container.Sequential", "torch.nn.modules.linear.Linear"];

/// What makes the files, and says what they are.
const NO_MODELS: [&str; 2] = ["README.md", "make.py"];

/// Files with a problem: what is in other files, in a storage that is not read, or behind a pickle in joblib's own way.
const WITH_PROBLEMS: [&str; 6] = [
    "hdf5_external_link.h5",
    "hdf5_external_storage.h5",
    "hdf5_virtual.h5",
    "joblib_array.joblib",
    "joblib_array_compressed.joblib",
    "onnx_external_data_outside.onnx",
];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/formats")
}

fn recognise(name: &str) -> Recognition {
    model_transparency::format::recognise_path(&folder().join(name)).expect("the file can be read")
}

#[test]
fn each_file_is_what_wrote_it() {
    let wrong: Vec<String> = TABLE
        .iter()
        .filter_map(|(name, format, code)| {
            let seen = recognise(name);
            let right = seen.format == Some(*format)
                && called_code(&seen) == *code
                && seen.problems.is_empty() != WITH_PROBLEMS.contains(name);
            (!right).then(|| format!("{name}: {seen:?}"))
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(TABLE.len() >= 40);
}

#[test]
fn each_file_is_in_the_table() {
    let found: BTreeSet<String> = fs::read_dir(folder())
        .expect("the folder of the files")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .filter(|name| !NO_MODELS.contains(&name.as_str()))
        .collect();
    let known: BTreeSet<String> = TABLE.iter().map(|(name, ..)| (*name).to_owned()).collect();
    assert_eq!(found, known);
}

#[test]
fn names_are_no_evidence() {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, format, _) in TABLE.iter().filter(|(name, ..)| folder_of(name).is_file()) {
        let other = folder.path().join("model.safetensors");
        fs::copy(folder_of(name), &other).expect("a copy");
        let seen = model_transparency::format::recognise_path(&other).expect("the file can be read");
        assert_eq!(seen.format, Some(*format), "{name}");
    }
}

fn folder_of(name: &str) -> PathBuf {
    folder().join(name)
}

/// A file that is cut anywhere is never called whole: it is of no format that is known, or has a problem.
///
/// But old PyTorch files say nowhere how many numbers follow their pickles, protobuf where it ends, and GGUF ends in padding.
#[test]
fn what_is_cut_is_never_whole() {
    for (name, format, _) in TABLE.iter().filter(|(name, ..)| folder_of(name).is_file()) {
        let whole = fs::read(folder_of(name)).expect("a file");
        let has_no_end = matches!(format, Format::PytorchLegacyModel | Format::PytorchLegacyStateDict | Format::Onnx);
        // Each length of the small ones, some of the large ones.
        let step = 1 + whole.len() / 600;
        for length in (0..whole.len()).step_by(step) {
            let seen = look(&whole[..length]);
            let is_whole = seen.format.is_some() && seen.problems.is_empty();
            let is_padding = *format == Format::Gguf && whole[length..].iter().all(|byte| *byte == 0);
            assert!(!is_whole || has_no_end || is_padding, "{name}, {length} of {} bytes: {seen:?}", whole.len());
        }
    }
}

/// A byte that is changed makes no reader panic, and none read for ever.
#[test]
fn what_is_changed_anywhere_is_read_within_bounds() {
    for (name, ..) in TABLE.iter().filter(|(name, ..)| folder_of(name).is_file()) {
        let whole = fs::read(folder_of(name)).expect("a file");
        let step = 1 + whole.len() / 300;
        for at in (0..whole.len()).step_by(step) {
            for change in [0x01, 0x80] {
                let mut changed = whole.clone();
                changed[at] ^= change;
                let seen = look(&changed);
                assert!(seen.problems.len() <= 102, "{name}");
            }
        }
    }
}
