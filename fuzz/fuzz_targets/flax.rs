//! A tree of Flax is taken apart, is a problem, or something else. It is no code.
#![no_main]

use libfuzzer_sys::fuzz_target;
use model_transparency::format::Format;

#[path = "support/recognise.rs"]
mod recognise;

fuzz_target!(|bytes: &[u8]| {
    let found = recognise::checked(b"\x81", bytes);
    if found.format == Some(Format::FlaxMsgpack) {
        assert_eq!(found.code, []);
    }
});
