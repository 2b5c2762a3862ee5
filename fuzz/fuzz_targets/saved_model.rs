//! A SavedModel is taken apart, is a problem, or something else.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "support/recognise.rs"]
mod recognise;

fuzz_target!(|bytes: &[u8]| {
    recognise::checked(b"\x08\x01\x12", bytes);
});
