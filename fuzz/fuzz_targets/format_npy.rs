//! An array of any header is refused or has as many elements as its shape says.
#![no_main]

use libfuzzer_sys::fuzz_target;
use model_transparency::format::{Format, recognise};

fuzz_target!(|bytes: &[u8]| {
    let header = u16::try_from(bytes.len()).unwrap_or(u16::MAX).to_le_bytes();
    let headed = [b"\x93NUMPY\x01\0".as_slice(), &header, bytes].concat();
    let whole = [b"\x93NUMPY".as_slice(), bytes].concat();
    for array in [headed, whole] {
        let seen = recognise(&array.as_slice(), array.len() as u64).expect("bytes in memory can be read");
        assert!(seen.format.is_none() || seen.format == Some(Format::Npy));
    }
});
