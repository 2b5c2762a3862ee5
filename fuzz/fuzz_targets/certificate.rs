//! Certificates and revocation lists of any content are refused or read, and a path through them is found or not, in
//! bounded time.
#![no_main]

use libfuzzer_sys::fuzz_target;
use model_transparency::certificate::{
    Certificate, IdentityRule, Purpose, Revocation, RevocationList, UnixTime, validate,
};

fuzz_target!(|data: &[u8]| {
    let lists = RevocationList::from_file(data).unwrap_or_default();
    for list in &lists {
        let _ = (list.issuer(), list.this_update().to_string());
    }
    let Ok(certificates) = Certificate::from_file(data) else { return };
    for certificate in &certificates {
        let again = Certificate::from_der(certificate.der()).expect("what was read can be read");
        assert_eq!(again, *certificate);
        let _ = (certificate.issuer(), certificate.serial_number(), certificate.is_self_issued());
        let _ = certificate.public_key();
    }
    let leaf = &certificates[0];
    let (from, until) = (leaf.not_before(), leaf.not_after());
    for time in [from, UnixTime(from.0.midpoint(until.0)), until] {
        for anchor in &certificates {
            let anchors = std::slice::from_ref(anchor);
            if let Ok(path) = validate(leaf, &certificates, anchors, Purpose::SignModels, time) {
                assert_eq!(path.anchor(), anchor);
                assert!(Revocation::check(&path, &[], &certificates, time).is_ok());
                let _ = IdentityRule::Exact("models@example.com".to_owned()).find(path.leaf());
            }
        }
    }
});
