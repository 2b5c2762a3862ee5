//! A file of GGUF is taken apart, or is a problem; it stays one of GGUF.
#![no_main]

use libfuzzer_sys::fuzz_target;
use model_transparency::format::Format;

#[path = "support/recognise.rs"]
mod recognise;

fuzz_target!(|bytes: &[u8]| {
    let found = recognise::checked(b"GGUF", bytes);
    assert_eq!(found.format, Some(Format::Gguf));
});
