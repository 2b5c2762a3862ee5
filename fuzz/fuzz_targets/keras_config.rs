//! A configuration of Keras is taken apart, or is a problem, in the smallest file of HDF5 that has one.
#![no_main]

use libfuzzer_sys::fuzz_target;
use model_transparency::format::Format;

#[path = "support/recognise.rs"]
mod recognise;

fuzz_target!(|bytes: &[u8]| {
    if bytes.len() > 60_000 {
        return;
    }
    let found = recognise::checked(b"", &file(bytes));
    assert_eq!(found.format, Some(Format::Hdf5KerasModel), "{found:?}");
});

/// A superblock, and a root whose one message is the attribute.
fn file(configuration: &[u8]) -> Vec<u8> {
    let name = b"model_config\0";
    let length = configuration.len() as u32;
    let attribute = [
        // Version 3; the sizes of name, type and shape; ASCII.
        &[3, 0, 13, 0, 8, 0, 4, 0, 0][..],
        name,
        // A text of this length; a single value.
        &[0x13, 0, 0, 0],
        &length.to_le_bytes(),
        &[2, 0, 0, 0],
        configuration,
    ]
    .concat();
    let message = [&[0x0c][..], &(attribute.len() as u16).to_le_bytes(), &[0], &attribute].concat();
    let root = [b"OHDR\x02\x02", &(message.len() as u32).to_le_bytes()[..], &message, &[0; 4]].concat();
    let nothing = [0xff; 8];
    let end = (48 + root.len() as u64).to_le_bytes();
    let superblock = [b"\x89HDF\r\n\x1a\n\x02\x08\x08\0", &[0; 8][..], &nothing, &end, &48_u64.to_le_bytes(), &[0; 4]];
    [superblock.concat(), root].concat()
}
