//! A file is no run of Tekton, is refused, or has envelopes in its annotations.
#![no_main]

use libfuzzer_sys::fuzz_target;
use model_transparency::provenance::{MAX_ATTESTATIONS, chains_envelopes};

fuzz_target!(|bytes: &[u8]| {
    if let Some(Ok(found)) = chains_envelopes(bytes) {
        assert!((1..=MAX_ATTESTATIONS).contains(&found.len()));
        let length: usize = found.iter().map(|one| one.envelope.len()).sum();
        assert!(length <= bytes.len());
        assert!(found.iter().all(|one| one.certificate_chain_pem.as_ref().is_none_or(|pem| !pem.is_empty())));
    }
});
