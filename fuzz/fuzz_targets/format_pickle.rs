//! A pickle of any content is scanned within bounds: what it finds is bounded, sorted and there once.
#![no_main]

use libfuzzer_sys::fuzz_target;
use model_transparency::format::recognise;

fuzz_target!(|bytes: &[u8]| {
    for protocol in [b"".as_slice(), b"\x80\x02", b"\x80\x04"] {
        let pickle = [protocol, bytes].concat();
        let seen = recognise(&pickle.as_slice(), pickle.len() as u64).expect("bytes in memory can be read");
        assert!(seen.globals.len() <= 10_000 && seen.problems.len() <= 102);
        assert!(seen.globals.is_sorted() && seen.code.is_sorted());
    }
});
