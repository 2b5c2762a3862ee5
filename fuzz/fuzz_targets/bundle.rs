//! A bundle from a stranger is refused or read; what is read can be written and read again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use model_transparency::envelope::Bundle;

fuzz_target!(|bytes: &[u8]| {
    let Ok(bundle) = Bundle::parse(bytes) else { return };
    let written = bundle.to_json();
    let again = Bundle::parse(&written).expect("what was written can be read");
    assert_eq!(again.to_json(), written);
    let _ = bundle.unverified_statement();
});
