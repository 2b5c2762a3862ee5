//! What a model file is, from its bytes, and what of it can run code when somebody loads it.
//!
//! Nothing is ever loaded, unpickled or executed: each format has a reader of its own that looks at the structure. The bytes
//! are a stranger's: every reader has bounds on what it reads and keeps (`bytes.rs`), and what contradicts itself is a
//! [`Recognition::problems`], not a guess. A name is never evidence: a file that is called `model.safetensors` and holds a
//! pickle is a pickle.

mod archive;
mod bytes;
mod cursor;
mod directory;
mod findings;
mod flax;
mod gguf;
mod globals;
mod hdf5;
mod keras;
mod keras_classes;
mod keras_config;
mod numpy;
mod onnx;
mod pickle;
mod protobuf;
mod pytorch;
mod safetensors;
mod saved_model;
mod tar;
mod zip;

use std::fmt;

use model_hash::{ReadAt, ReadError};

use bytes::{Bytes, Stop};
use findings::Findings;

pub use directory::{Part, RecogniseError, recognise_model, recognise_path, recognise_whole};

/// A format that models, or parts of them, are kept in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Format {
    /// Keras v3: a ZIP archive with the configuration, metadata and weights.
    Keras,
    /// HDF5 with a whole Keras model.
    Hdf5KerasModel,
    /// HDF5 with the weights of a Keras model.
    Hdf5KerasWeights,
    /// HDF5 of another kind.
    Hdf5,
    /// PyTorch's ZIP archive with tensors in plain containers.
    PytorchStateDict,
    /// PyTorch's ZIP archive with a whole pickled object.
    PytorchModel,
    /// PyTorch's pickles before version 1.6, one after the other, with tensors in plain containers.
    PytorchLegacyStateDict,
    /// The same with a whole pickled object.
    PytorchLegacyModel,
    /// A compiled PyTorch program.
    TorchScript,
    /// A program of `torch.export`.
    TorchExport,
    /// TensorFlow's directory with a graph and variables.
    SavedModel,
    /// Tensors alone, with a header in JSON.
    Safetensors,
    /// The format of llama.cpp.
    Gguf,
    /// ONNX, in protobuf.
    Onnx,
    /// A Python pickle that no framework's container is around.
    Pickle,
    /// Flax's tree of arrays, in MessagePack.
    FlaxMsgpack,
    /// One NumPy array.
    Npy,
    /// A ZIP archive of NumPy arrays.
    Npz,
}

/// What was found out about a file or directory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recognition {
    /// What it is. None if it is nothing that is known here, or if it is too broken to tell.
    pub format: Option<Format>,
    /// What the format says of itself: versions, the framework that wrote it, how many tensors. In reading order.
    pub details: Vec<(&'static str, String)>,
    /// Every global that a pickle in it imports, as `module.name`, each once, sorted.
    pub globals: Vec<String>,
    /// What can run code when it is loaded. Empty where the format can't, and where nothing that could was found.
    pub code: Vec<CodeOnLoad>,
    /// Where it contradicts itself, ends early, or was not read to its end because that would cost more than it deserves.
    /// With any of these, an empty [`Self::code`] proves nothing.
    pub problems: Vec<String>,
}

/// Something in a model that runs code of its maker's choice when it is loaded or used.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CodeOnLoad {
    /// A pickle calls what is not on the list of harmless globals.
    Global(String),
    /// A Keras layer of Python bytecode, by its name.
    LambdaLayer(String),
    /// A Keras object of a class that Keras does not have: its module and name.
    CustomObject(String),
    /// An operation of a graph that reaches beyond the graph: files, Python, libraries.
    Operation(String),
    /// Compiled code of the format itself, by its place in the file.
    Program(String),
}

/// A reader of one format. None says that it is another one.
type Reader = fn(&Bytes<'_>) -> Result<Option<Recognition>, Stop>;

/// The readers of all formats but archives and pickles, in the order in which they name what is more than one thing.
const READERS: [Reader; 8] = [
    numpy::read,
    pytorch::read_legacy,
    hdf5::read,
    gguf::read,
    safetensors::read,
    flax::read,
    saved_model::read,
    onnx::read,
];

/// How compressed files begin, that are told apart and not looked at.
const COMPRESSED: [(&[u8], &str); 6] = [
    (b"\x1f\x8b", "gzip"),
    (b"BZh", "bzip2"),
    (b"\xfd7zXZ\0", "xz"),
    (b"\x5d\0\0", "LZMA"),
    (b"\x04\x22\x4d\x18", "LZ4"),
    (b"\x28\xb5\x2f\xfd", "Zstandard"),
];

/// Looks at one file.
///
/// # Errors
/// The file can't be read. What is in it is never an error.
pub fn recognise(file: &dyn ReadAt, length_bytes: u64) -> Result<Recognition, ReadError> {
    unless_unreadable(look(&Bytes::new(file, length_bytes), 0))
}

/// Looks at a file in which a SavedModel describes layers of Keras. It has no format of its own.
fn recognise_keras_metadata(file: &dyn ReadAt, length_bytes: u64) -> Result<Recognition, ReadError> {
    let found = saved_model::read_keras_metadata(&Bytes::new(file, length_bytes));
    unless_unreadable(found.map(Option::unwrap_or_default))
}

fn unless_unreadable(found: Result<Recognition, Stop>) -> Result<Recognition, ReadError> {
    match found {
        Ok(recognition) => Ok(recognition),
        Err(Stop::Read(error)) => Err(error),
        Err(Stop::Malformed(problem)) => Ok(Recognition { problems: vec![problem], ..Recognition::default() }),
    }
}

/// Looks at a file, or at one that is `depth` archives deep.
fn look(bytes: &Bytes<'_>, depth: usize) -> Result<Recognition, Stop> {
    let head = bytes.head(tar::BLOCK_BYTES)?;
    let mut found = look_for_models(bytes, &head, depth)?;
    if tar::begins(&head) {
        let as_well = if found == Recognition::default() { "" } else { " as well" };
        found.problems.push(format!("it is a tar archive{as_well}, and what is in it was not looked at"));
    }
    Ok(found)
}

fn look_for_models(bytes: &Bytes<'_>, head: &[u8], depth: usize) -> Result<Recognition, Stop> {
    let mut all: Vec<(&str, Recognition)> = Vec::new();
    let begins_an_archive = zip::begins(head);
    if begins_an_archive {
        all.extend(as_problem(archive::read(bytes, depth))?.map(|found| ("a ZIP archive", found)));
    }
    for reader in READERS {
        all.extend(as_problem(reader(bytes))?.map(|found| (found.format.map_or("", Format::name), found)));
    }
    if all.is_empty() {
        all.extend(as_problem(look_for_pickles(bytes, head, depth))?.map(|found| ("", found)));
    }
    if !begins_an_archive {
        // Readers of archives begin at the end, whatever the beginning is.
        let archive = archive::read(bytes, depth);
        let name = if archive.is_ok() { "a ZIP archive" } else { "" };
        all.extend(as_problem(archive)?.map(|found| (name, found)));
        // And readers of pickles at the beginning, whatever is at other places. None begins like an archive: its first
        // opcode would ask for a name of the loader's own.
        if !all.iter().any(|(_, found)| found.format.is_some_and(Format::is_pickles)) {
            let pickle = as_problem(pickle::read_beneath(bytes))?;
            all.extend(pickle.map(|found| (found.format.map_or("", |_| "a Python pickle"), found)));
        }
    }
    let all = all.into_iter().reduce(|(name, first), (other, second)| (name, both(first, other, second)));
    Ok(all.map(|(_, found)| found).unwrap_or_default())
}

/// What was found, where something malformed is found too.
fn as_problem(found: Result<Option<Recognition>, Stop>) -> Result<Option<Recognition>, Stop> {
    match found {
        Err(Stop::Malformed(problem)) => Ok(Some(Recognition { problems: vec![problem], ..Recognition::default() })),
        found => found,
    }
}

/// What a file is that two readers would take for two things.
///
/// Without the other's name, the second is nothing but what is wrong, which may be wrong for the first as well.
fn both(first: Recognition, other: &str, mut second: Recognition) -> Recognition {
    let mut findings = Findings::default();
    let (format, details) = (first.format, first.details.clone());
    if other.is_empty() {
        second.problems.retain(|problem| !first.problems.contains(problem));
    }
    findings.add("", first);
    if !other.is_empty() {
        findings.problem(format!("it is {other} as well"));
    }
    findings.add(other, second);
    Recognition { details, ..findings.into_recognition(format) }
}

/// Looks for pickles, and what only a pickle is compressed as.
fn look_for_pickles(bytes: &Bytes<'_>, head: &[u8], depth: usize) -> Result<Option<Recognition>, Stop> {
    if let Some(recognition) = pickle::read(bytes)? {
        return Ok(Some(recognition));
    }
    if depth == 0 && matches!(head, [0x78, 0x01 | 0x5e | 0x9c | 0xda, ..]) {
        return look_in_zlib(bytes, depth);
    }
    let compressed = COMPRESSED.iter().find(|(magic, _)| head.starts_with(magic));
    Ok(compressed.map(|(_, name)| Recognition {
        problems: vec![format!("it is compressed with {name}, and what is in it was not looked at")],
        ..Recognition::default()
    }))
}

/// Looks at what zlib compressed, as joblib has it.
fn look_in_zlib(bytes: &Bytes<'_>, depth: usize) -> Result<Option<Recognition>, Stop> {
    let Ok(content) = zip::inflate(bytes, true, zip::MOST_MEMBER_BYTES) else { return Ok(None) };
    let mut inner = look(&bytes.derived(&content.as_slice()), depth + 1)?;
    if content.len() as u64 == zip::MOST_MEMBER_BYTES {
        inner.problems.push(format!("only the first {} MiB were inflated", zip::MOST_MEMBER_BYTES >> 20));
    }
    inner.details.insert(0, ("compression", "zlib".to_owned()));
    Ok(Some(inner))
}

impl Format {
    /// Its name for people.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Keras => "Keras v3",
            Self::Hdf5KerasModel => "Keras model in HDF5",
            Self::Hdf5KerasWeights => "Keras weights in HDF5",
            Self::Hdf5 => "HDF5",
            Self::PytorchStateDict => "PyTorch state dict",
            Self::PytorchModel => "PyTorch model (full pickle)",
            Self::PytorchLegacyStateDict => "PyTorch state dict, legacy",
            Self::PytorchLegacyModel => "PyTorch model (full pickle), legacy",
            Self::TorchScript => "TorchScript",
            Self::TorchExport => "torch.export program",
            Self::SavedModel => "TensorFlow SavedModel",
            Self::Safetensors => "safetensors",
            Self::Gguf => "GGUF",
            Self::Onnx => "ONNX",
            Self::Pickle => "Python pickle",
            Self::FlaxMsgpack => "Flax MessagePack",
            Self::Npy => "NumPy array",
            Self::Npz => "NumPy arrays (npz)",
        }
    }

    /// Whether it is pickles from the first byte on.
    const fn is_pickles(self) -> bool {
        matches!(self, Self::Pickle | Self::PytorchLegacyStateDict | Self::PytorchLegacyModel)
    }

    /// Its name for programs: the `format` annotation of a subject.
    #[must_use]
    pub const fn id(self) -> &'static str {
        match self {
            Self::Keras => "keras",
            Self::Hdf5KerasModel => "hdf5-keras-model",
            Self::Hdf5KerasWeights => "hdf5-keras-weights",
            Self::Hdf5 => "hdf5",
            Self::PytorchStateDict => "pytorch-state-dict",
            Self::PytorchModel => "pytorch-model",
            Self::PytorchLegacyStateDict => "pytorch-legacy-state-dict",
            Self::PytorchLegacyModel => "pytorch-legacy-model",
            Self::TorchScript => "torchscript",
            Self::TorchExport => "torch-export",
            Self::SavedModel => "tensorflow-saved-model",
            Self::Safetensors => "safetensors",
            Self::Gguf => "gguf",
            Self::Onnx => "onnx",
            Self::Pickle => "pickle",
            Self::FlaxMsgpack => "flax-msgpack",
            Self::Npy => "npy",
            Self::Npz => "npz",
        }
    }

    /// The media type of a file of this format; of a directory there is none.
    #[must_use]
    pub const fn media_type(self) -> Option<&'static str> {
        Some(match self {
            Self::Keras => "application/vnd.keras+zip",
            Self::Hdf5KerasModel | Self::Hdf5KerasWeights | Self::Hdf5 => "application/x-hdf5",
            Self::PytorchStateDict | Self::PytorchModel | Self::TorchScript | Self::TorchExport => {
                "application/vnd.pytorch+zip"
            }
            Self::PytorchLegacyStateDict | Self::PytorchLegacyModel => "application/vnd.pytorch",
            Self::SavedModel => return None,
            Self::Safetensors => "application/vnd.safetensors",
            Self::Gguf => "application/vnd.gguf",
            Self::Onnx => "application/vnd.onnx",
            Self::Pickle => "application/vnd.python.pickle",
            Self::FlaxMsgpack => "application/vnd.msgpack",
            Self::Npy => "application/vnd.numpy.npy",
            Self::Npz => "application/vnd.numpy.npz+zip",
        })
    }
}

impl fmt::Display for CodeOnLoad {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Global(name) => write!(f, "imports {name}"),
            Self::LambdaLayer(name) => write!(f, "Lambda layer `{name}`"),
            Self::CustomObject(name) => write!(f, "custom object {name}"),
            Self::Operation(name) => write!(f, "operation {name}"),
            Self::Program(place) => write!(f, "compiled code in {place}"),
        }
    }
}
