//! A ZIP archive of any content is looked at within bounds, and is no state dict if it has code.
#![no_main]

use libfuzzer_sys::fuzz_target;
use model_transparency::format::{Format, recognise};

fuzz_target!(|bytes: &[u8]| {
    let archive = [b"PK\x03\x04", bytes].concat();
    for bytes in [bytes, archive.as_slice()] {
        let seen = recognise(&bytes, bytes.len() as u64).expect("bytes in memory can be read");
        assert!(seen.problems.len() <= 102);
        assert!(seen.format != Some(Format::PytorchStateDict) || seen.code.is_empty());
    }
});
