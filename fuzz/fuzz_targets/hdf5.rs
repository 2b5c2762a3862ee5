//! A file of HDF5 is taken apart, or is a problem; it stays one of HDF5.
#![no_main]

use libfuzzer_sys::fuzz_target;
use model_transparency::format::Format;

#[path = "support/recognise.rs"]
mod recognise;

fuzz_target!(|bytes: &[u8]| {
    let found = recognise::checked(b"\x89HDF\r\n\x1a\n", bytes);
    assert!(matches!(found.format, Some(Format::Hdf5 | Format::Hdf5KerasModel | Format::Hdf5KerasWeights)), "{found:?}");
});
