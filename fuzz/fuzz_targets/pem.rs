//! A key file of any content is refused or read, encrypted or not, in bounded time.
#![no_main]

use libfuzzer_sys::fuzz_target;
use model_transparency::key::{PrivateKeyPem, PublicKey, SigningKey as _};

fuzz_target!(|text: &[u8]| {
    if let Ok(key) = PublicKey::from_pem(text) {
        let again = PublicKey::from_pem(key.to_pem().as_bytes()).expect("what was written can be read");
        assert_eq!(again, key);
        assert!(key.verify(b"message", text).is_none());
    }
    if let Ok(pem) = PrivateKeyPem::parse(text)
        && let Ok(key) = pem.into_key(Some(b"password"))
    {
        let signature = key.sign(b"message").expect("a key that was read signs");
        assert!(key.public_key().verify(b"message", &signature).is_some());
    }
});
