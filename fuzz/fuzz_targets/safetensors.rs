//! A header of safetensors, which the target gives its length, is one or is a problem.
#![no_main]

use libfuzzer_sys::fuzz_target;
use model_transparency::format::Format;

#[path = "support/recognise.rs"]
mod recognise;

fuzz_target!(|bytes: &[u8]| {
    let Some((data, header)) = bytes.split_first() else { return };
    let header = [b"{\"", header].concat();
    let file = [&(header.len() as u64).to_le_bytes()[..], &header, &vec![0; usize::from(*data)]].concat();
    let found = recognise::checked(b"", &file);
    assert_eq!(found.format, Some(Format::Safetensors));
    assert_eq!(found.code, []);
});
