//! A file of provenance is refused, or taken apart: as attestations, and as what gcloud prints.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use model_transparency::provenance::cloud_build::{self, CloudBuildKeys};
use model_transparency::provenance::{Document, claims_digest, documents, is_cloud_build};

static KEYS: LazyLock<CloudBuildKeys> = LazyLock::new(CloudBuildKeys::embedded);

fuzz_target!(|bytes: &[u8]| {
    if let Ok(found) = documents(bytes) {
        assert!(!found.is_empty());
        for document in found {
            if let Document::Bundle(bundle) = document {
                claims_digest(&bundle, "sha512");
            }
        }
    }
    if cloud_build::verify(bytes, &KEYS).is_ok() {
        assert!(is_cloud_build(bytes));
    }
});
