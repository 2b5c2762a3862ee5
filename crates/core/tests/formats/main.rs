//! Formats of models, from their bytes: what the frameworks wrote, and what somebody made to deceive.

mod archives;
mod arrays;
mod pickles;
mod polyglots;
mod saved_models;
mod table;
mod zip;

use model_transparency::format::{CodeOnLoad, Recognition, recognise};

/// What these bytes are.
fn look(bytes: &[u8]) -> Recognition {
    recognise(&bytes, bytes.len() as u64).expect("bytes in memory can be read")
}

/// The names of the globals that are called code.
fn called_code(recognition: &Recognition) -> Vec<&str> {
    let names = recognition.code.iter().map(|code| match code {
        CodeOnLoad::Global(name)
        | CodeOnLoad::LambdaLayer(name)
        | CodeOnLoad::CustomObject(name)
        | CodeOnLoad::Operation(name)
        | CodeOnLoad::Program(name) => name.as_str(),
    });
    names.collect()
}

fn says(recognition: &Recognition, problem: &str) -> bool {
    recognition.problems.iter().any(|text| text.contains(problem))
}
