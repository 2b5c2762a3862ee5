//! A `pkcs11:` URI of any content is refused or read, and a PIN in it is never shown.
#![no_main]

use libfuzzer_sys::fuzz_target;
use model_transparency_remote::pkcs11::Pkcs11Uri;

const PIN: &str = "Pin-That-Nobody-Sees";

fuzz_target!(|text: &str| {
    let _ = Pkcs11Uri::parse(text);
    for separator in ["&", "?", ";"] {
        let shown = match Pkcs11Uri::parse(&format!("{text}{separator}pin-value={PIN}")) {
            Ok(uri) => format!("{uri:?}"),
            Err(error) => format!("{error:?} {error}"),
        };
        assert!(!shown.contains(PIN), "{shown}");
    }
});
