//! A `pkcs11:` URI of any content is refused or read, and a PIN in it is never shown.
#![no_main]

use libfuzzer_sys::fuzz_target;
use model_transparency_remote::pkcs11::Pkcs11Uri;

const PIN: &str = "Pin-That-Nobody-Sees";

fuzz_target!(|text: &str| {
    let _ = Pkcs11Uri::parse(text);
    for uri in [
        format!("pkcs11:{text};pin-value={PIN}"),
        format!("pkcs11:{text}?pin-value={PIN}"),
        format!("pkcs11:object=a;{text}?module-name=m&pin-value={PIN}"),
        format!("pkcs11:object=a?module-name=m&{text}&pin-value={PIN}"),
    ] {
        let shown = match Pkcs11Uri::parse(&uri) {
            Ok(uri) => format!("{uri:?}"),
            Err(error) => format!("{error:?} {error}"),
        };
        assert!(!shown.contains(PIN), "{shown}");
    }
});
